//! Opening: through the directory when it is intact, else by walking the blocks (`recover`).

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::directory::{Directory, SegmentPlace};
use super::{Block, BlockKind, FILE_HEAD_BYTES, Form, MAGIC, VERSION, directory_offset, recover};
use crate::codec::etf;
use crate::model::{Failure, Kind, NewEvent, Outcome, Term, limits};
use crate::store::Recording;
use crate::store::bytes::Bytes;
use crate::store::dictionary::{Dictionaries, Dictionary};
use crate::store::keyframe::{Checkpoint, Keyframes};
use crate::store::paths::States;
use crate::store::seal::seal;
use crate::store::segment::{Offsets, Segment};
use crate::store::tail::Tail;

/// Opens `path`. The second value says what is damaged and where.
pub fn open(path: &Path) -> Outcome<(Recording, Vec<String>)> {
    open_checked(path, limits::CHECKED_AT_OPEN_BYTES)
}

/// Opens `path` and checks all of it when it has at most `n_checked_max` bytes; of a file without directory at least the last bytes,
/// which a crash may have torn.
pub fn open_checked(path: &Path, n_checked_max: usize) -> Outcome<(Recording, Vec<String>)> {
    open_and(path, n_checked_max, cut_at_damage)
}

/// Opens `path`, checks all of it, and puts `loss` events in the place of those of damaged segments.
pub fn rescue(path: &Path) -> Outcome<(Recording, Vec<String>)> {
    open_and(path, usize::MAX, |recording, from_offset, warnings| {
        fill_damage(recording, warnings);
        cut_at_damage(recording, from_offset, warnings);
    })
}

/// What is done about damage in segments that lie from an offset of the file on.
type Mend = fn(&mut Recording, usize, &mut Vec<String>);

fn open_and(path: &Path, n_checked_max: usize, mend: Mend) -> Outcome<(Recording, Vec<String>)> {
    let failed = |error: std::io::Error| {
        let what = format!("cannot open {}: {error}", path.display());
        if error.kind() == std::io::ErrorKind::NotFound { Failure::not_found(what) } else { Failure::io(what) }
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() == 0 {
        return Err(Failure::bad_input(format!("{} is empty", path.display())));
    }
    let bytes = Bytes::map(&file).map_err(failed)?;
    let form = check_head(&bytes, path)?;

    let mut warnings = Vec::new();
    let (directory, is_complete) = match read_directory(&bytes) {
        Ok(directory) => (directory, true),
        Err(why) => {
            warnings.push(why);
            recover::walk(&bytes, &mut warnings)
        }
    };
    let mut recording = assemble(&bytes, directory, form);
    if bytes.len() <= n_checked_max || !is_complete {
        mend(&mut recording, bytes.len().saturating_sub(n_checked_max), &mut warnings);
    }
    if !is_complete {
        recover::restore_branches(&mut recording);
    }
    Ok((recording, warnings))
}

fn check_head(bytes: &[u8], path: &Path) -> Outcome<Form> {
    if !bytes.starts_with(MAGIC) || bytes.len() < FILE_HEAD_BYTES {
        return Err(Failure::bad_input(format!("{} is not a .cinema file: wrong bytes at offset 0", path.display())));
    }
    let version = u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    if version != VERSION {
        let what = format!("{} has format version {version}, this program reads {VERSION}", path.display());
        return Err(Failure::bad_input(what));
    }
    match u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]) {
        0 => Ok(Form::Plain),
        1 => Ok(Form::Archive),
        form => {
            let what = format!("{} has form {form} at offset 12, this program reads 0 and 1", path.display());
            Err(Failure::bad_input(what))
        }
    }
}

/// The directory that the trailer names; the error is the warning to show.
fn read_directory(bytes: &[u8]) -> Result<Directory, String> {
    let offset = directory_offset(bytes)
        .ok_or_else(|| format!("the file's end is missing or damaged (offset {}): read block by block", bytes.len()))?;
    let damaged = || format!("the directory at offset {offset} is damaged: read block by block");
    let block = Block::at(bytes, offset).filter(|block| block.head.kind == BlockKind::Directory);
    let block = block.filter(|block| block.is_intact(bytes)).ok_or_else(damaged)?;
    Directory::read(&bytes[block.content], bytes.len()).ok_or_else(damaged)
}

/// A recording whose segments and keyframes are parts of the file. Touches none of them.
fn assemble(bytes: &Bytes, directory: Directory, form: Form) -> Recording {
    let segment = |place: SegmentPlace| {
        let part = |range| bytes.part(range).expect("the directory's places lie inside the file");
        let offsets = Offsets { image: place.image.start, stored: place.stored.start };
        let segment =
            Segment::of_file(place.head, part(place.image), part(place.stored), place.image_checksum, offsets);
        Arc::new(if form == Form::Archive { segment.archived() } else { segment })
    };
    let segments: Vec<Arc<Segment>> = directory.segments.into_iter().map(segment).collect();
    let checkpoint = |place: super::directory::CheckpointPlace| Checkpoint {
        n_events: place.n_events,
        delta: bytes.part(place.delta).expect("the directory's places lie inside the file"),
        checksum: Some(place.checksum),
    };
    let start = directory.start;
    let n_events = segments.last().map_or(start.first, |segment| segment.head.end());
    let keyframes = Keyframes {
        checkpoints: directory.checkpoints.into_iter().map(checkpoint).collect(),
        n_evicted: start.n_checkpoints_evicted,
        base: start.base.map(checkpoint),
        branch_bases: start.branch_bases.into_iter().map(checkpoint).map(|base| (base.n_events, base)).collect(),
        dead_before: start.dead_before,
        live: None,
    };
    Recording {
        dictionaries: Dictionaries {
            actors: Dictionary::from_items(directory.actors),
            tags: Dictionary::from_items(directory.tags),
        },
        segments,
        tail: Tail::new(n_events),
        keyframes,
        branches: directory.branches,
        marks: directory.marks,
        evicted: start.evicted,
        ..Recording::new(directory.info)
    }
}

/// Checks what lies at or after `from_offset`; ends the recording before the first damaged segment, so that all of it can be trusted.
fn cut_at_damage(recording: &mut Recording, from_offset: usize, warnings: &mut Vec<String>) {
    let begin = recording.segments.partition_point(|segment| segment.offsets.image < from_offset);
    if let Some(place) = recording.segments[begin..].iter().position(|segment| segment.check().is_err()) {
        let segment = &recording.segments[begin + place];
        let (start, offset) = (segment.head.start, segment.offsets.image);
        let why = segment.check().err().unwrap_or_default();
        let n_lost = recording.len() - start;
        warnings.push(format!(
            "the segment at offset {offset} is damaged ({why}): the {n_lost} events from #{start} on are left out"
        ));
        recording.cut(begin + place);
    }
    for segment in &recording.segments[begin.min(recording.segments.len())..] {
        if let Some(block_idx) = segment.damaged_payload_block() {
            let offset = segment.offsets.stored;
            let (start, end) = (segment.head.start, segment.head.end());
            warnings.push(format!(
                "payload block {block_idx} of events #{start} to #{end} is damaged (they begin at offset {offset}): \
                 its payloads read as absent"
            ));
        }
    }
    let checkpoints = &mut recording.keyframes.checkpoints;
    if let Some(place) = checkpoints.iter().position(|checkpoint| !checkpoint.is_intact()) {
        let n_events = checkpoints[place].n_events;
        warnings.push(format!("the keyframe of the first {n_events} events is damaged: later ones are made again"));
        checkpoints.truncate(place);
        recording.add_checkpoints();
    }
}

/// Puts segments of `loss` events in the place of damaged ones.
fn fill_damage(recording: &mut Recording, warnings: &mut Vec<String>) {
    let damaged = |segment: &Arc<Segment>| segment.check().is_err();
    let Some(first) = recording.segments.iter().position(damaged) else { return };
    let actors = recording.dictionaries.actors.items();
    let Some(process) = actors.first().copied() else { return };
    let mut payload = Vec::new();
    etf::encode(&Term::map([(Term::atom("total"), Term::Int(1))]), &mut payload);
    for place in first..recording.segments.len() {
        let segment = &recording.segments[place];
        let Err(why) = segment.check() else { continue };
        let (head, offset) = (&segment.head, segment.offsets.image);
        warnings.push(format!(
            "the segment at offset {offset} is damaged ({why}): loss events stand for its {} events from #{} on",
            head.n_events, head.start
        ));
        let mut tail = Tail::new(head.start);
        let lost = NewEvent { payload: &payload, ..NewEvent::new(head.time_min_ns, Kind::Loss, process) };
        (0..head.n_events).for_each(|_| tail.push(&lost, &mut recording.dictionaries));
        recording.segments[place] = Arc::new(seal(&tail, &mut States::default()));
    }
    // What was folded from the damaged events is not what is folded from these.
    recording.keyframes.cut(recording.segments[first].head.start);
    recording.add_checkpoints();
}
