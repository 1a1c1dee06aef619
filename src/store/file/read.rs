//! Opening: through the directory when it is intact, else by walking the blocks (`recover`).

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::directory::{Directory, SegmentPlace};
use super::report::{Damage, Ended, Part, Report};
use super::walk::Walk;
use super::{Block, BlockKind, FILE_HEAD_BYTES, Form, MAGIC, VERSION, VERSION_MIN, directory_offset, examine, recover};
use crate::model::{Failure, Outcome, limits};
use crate::store::bytes::Bytes;
use crate::store::columns::Columns;
use crate::store::dictionary::{Dictionaries, Dictionary};
use crate::store::keyframe::{Checkpoint, Keyframes};
use crate::store::scratch::Scratch;
use crate::store::segment::{Offsets, Segment};
use crate::store::tail::Tail;
use crate::store::{Recording, payloads};

/// Opens `path`. The second value says what is damaged and where.
pub fn open(path: &Path) -> Outcome<(Recording, Report)> {
    open_checked(path, limits::CHECKED_AT_OPEN_BYTES)
}

/// Opens `path` and checks all of it when it has at most `n_checked_max` bytes; of a file without directory at least the last bytes,
/// which a crash may have torn.
pub fn open_checked(path: &Path, n_checked_max: usize) -> Outcome<(Recording, Report)> {
    read(&map(path)?, &path.display().to_string(), n_checked_max)
}

/// Reads all of `path`; see [`examine`].
pub fn rescue(path: &Path) -> Outcome<(Recording, Report)> {
    examine::examine(&map(path)?, &path.display().to_string())
}

fn map(path: &Path) -> Outcome<Bytes> {
    let failed = |error: std::io::Error| Failure::unreadable(path, &error);
    let meta = path.metadata().map_err(failed)?;
    if meta.is_dir() {
        return Err(Failure::usage(format!("{} is a folder: one .cinema file is read at a time", path.display()))
            .hint(format!("ls {}/*.cinema", path.display())));
    }
    if !meta.is_file() {
        // Opening a pipe would wait for somebody who writes.
        return Err(Failure::usage(format!("{} is no regular file: a .cinema file is mapped", path.display()))
            .hint("write it to a file first"));
    }
    if meta.len() == 0 {
        return Err(Failure::bad_input(format!("{} is empty", path.display())));
    }
    let file = File::open(path).map_err(failed)?;
    Bytes::map(&file).map_err(failed)
}

/// As [`open_checked`], of bytes; `name` is what errors say.
pub fn read(bytes: &Bytes, name: &str, n_checked_max: usize) -> Outcome<(Recording, Report)> {
    let (version, form) = match check_head(bytes, name) {
        Ok(head) => head,
        // A later version would be read wrongly.
        Err(failure) if bytes.starts_with(MAGIC) && version_of(bytes).is_some_and(|version| version > VERSION) => {
            return Err(failure.hint(format!("cinema fsck {name} tells whether that number is damaged")));
        }
        Err(_) => return examine::examine(bytes, name),
    };
    let mut damage = Vec::new();
    let (directory, ended) = match read_directory(bytes, version) {
        Ok(directory) => (directory, Ended { is_complete: true, is_saved: false }),
        Err(why) => {
            damage.push(Damage::at(Part::End, bytes.len(), 0, why));
            recover::walk(bytes, version, &mut damage)
        }
    };
    let is_complete = ended.is_complete;
    let mut recording = assemble(bytes, directory, form);
    if bytes.len() <= n_checked_max || !is_complete {
        cut_at_damage(&mut recording, bytes, bytes.len().saturating_sub(n_checked_max), is_complete, &mut damage);
    }
    if !is_complete {
        recover::restore_branches(&mut recording);
    }
    let report = Report::of(&recording, bytes, (version, form), ended, damage);
    Ok((recording, report))
}

fn number_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
fn version_of(bytes: &[u8]) -> Option<u32> {
    number_at(bytes, MAGIC.len())
}

/// Version and form that the rest of the file has: what its head says, if that is so. Otherwise, what is wrong with the head, and
/// those with which blocks are found that their own checksums confirm. Errors: those of [`check_head`], where none are.
pub fn find_head(bytes: &Bytes, name: &str) -> Outcome<((u32, Form), Option<Damage>)> {
    let said = check_head(bytes, name);
    if mangled(bytes).is_some() || said.as_ref().is_ok_and(|head| fits(bytes, *head)) {
        return said.map(|head| (head, None));
    }
    let forms = [Form::Plain, Form::Archive];
    let all = (VERSION_MIN..=VERSION).rev().flat_map(|version| forms.map(|form| (version, form)));
    let found = all.filter(|head| said.as_ref().ok() != Some(head)).find(|head| fits(bytes, *head));
    let Some((version, form)) = found else { return said.map(|head| (head, None)) };
    let form_text = if form == Form::Plain { "plain" } else { "archive" };
    let what = format!("magic, version or form are damaged: what follows is version {version} in {form_text} form");
    Ok(((version, form), Some(Damage::at(Part::Head, 0, FILE_HEAD_BYTES, what))))
}

/// Whether the file can be read so: a segment of it is whole, or it has no segment and is whole itself.
fn fits(bytes: &Bytes, (version, form): (u32, Form)) -> bool {
    let placed = read_directory(bytes, version);
    let is_placed = placed.is_ok();
    let directory = placed.unwrap_or_else(|_| {
        let mut walk = Walk::over(bytes, version, true);
        walk.complete.take().unwrap_or(walk.directory)
    });
    let recording = assemble(bytes, directory, form);
    let is_empty = is_placed && recording.segments.is_empty();
    is_empty || recording.segments.iter().any(|segment| segment.check().is_ok())
}

/// Version and form. Errors: not a session file, a version that is not read here.
pub fn check_head(bytes: &[u8], name: &str) -> Outcome<(u32, Form)> {
    if let Some(how) = mangled(bytes) {
        return Err(Failure::bad_input(format!("{name} was a .cinema file and is not one any more: {how}"))
            .hint("copy it again, in binary mode: nothing can be read of this one"));
    }
    if !bytes.starts_with(MAGIC) || bytes.len() < FILE_HEAD_BYTES {
        return Err(Failure::bad_input(format!("{name} is not a .cinema file: wrong bytes at offset 0")));
    }
    let version = version_of(bytes).unwrap_or(0);
    if !(VERSION_MIN..=VERSION).contains(&version) {
        let what = format!("{name} has format version {version}, this program reads {VERSION_MIN} to {VERSION}");
        return Err(Failure::bad_input(what));
    }
    match number_at(bytes, 12).unwrap_or(u32::MAX) {
        0 => Ok((version, Form::Plain)),
        1 => Ok((version, Form::Archive)),
        form => {
            let what = format!("{name} has form {form} at offset 12, this program reads 0 and 1");
            Err(Failure::bad_input(what))
        }
    }
}

/// What a transfer as text did to a file: its first bytes are such that it shows.
fn mangled(bytes: &[u8]) -> Option<&'static str> {
    let [_, rest @ .., _] = MAGIC;
    let name = bytes.get(1..)?.strip_prefix(rest)?;
    match (bytes[0], name) {
        (0x89, [b'\r', b'\n', ..]) => Some("each line feed became CR LF, as by a transfer in text mode"),
        (0x89, [b'\r', ..]) => Some("each line feed became CR, as by a transfer in text mode"),
        (0x09, _) => Some("the highest bit of each byte is gone, as by a transfer of seven bits"),
        _ => None,
    }
}

/// The directory that the trailer names; the error is the warning to show.
pub fn read_directory(bytes: &[u8], version: u32) -> Result<Directory, String> {
    let offset = directory_offset(bytes)
        .ok_or_else(|| format!("the file's end is missing or damaged (offset {}): read block by block", bytes.len()))?;
    let damaged = || format!("the directory at offset {offset} is damaged: read block by block");
    let block = Block::at(bytes, offset).filter(|block| block.head.kind == BlockKind::Directory);
    let block = block.filter(|block| block.is_intact(bytes)).ok_or_else(damaged)?;
    Directory::read(&bytes[block.content], bytes.len(), version).ok_or_else(damaged)
}

/// A recording whose segments and keyframes are parts of the file. Touches none of them.
pub fn assemble(bytes: &Bytes, directory: Directory, form: Form) -> Recording {
    let scratch = Arc::new(Scratch::default());
    let segment = |place: SegmentPlace| {
        let part = |range| bytes.part(range).expect("the directory's places lie inside the file");
        let offsets = Offsets { image: place.image.start, stored: place.stored.start };
        let segment =
            Segment::of_file(place.head, part(place.image), part(place.stored), place.image_checksum, offsets);
        Arc::new(if form == Form::Archive { segment.archived(scratch.clone()) } else { segment })
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
        states: OnceLock::new(),
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
fn cut_at_damage(
    recording: &mut Recording,
    bytes: &[u8],
    from_offset: usize,
    is_complete: bool,
    damage: &mut Vec<Damage>,
) {
    let begin = recording.segments.partition_point(|segment| segment.offsets.image < from_offset);
    if let Some(place) = recording.segments[begin..].iter().position(|segment| segment.check().is_err()) {
        let segment = &recording.segments[begin + place];
        let (start, offset) = (segment.head.start, segment.offsets.image);
        let why = segment.check().err().unwrap_or_default();
        let n_left_out = recording.len() - start;
        // A segment that the file ends in never was one that can be read.
        let is_torn = !is_complete && offset + segment.image().len() == bytes.len();
        let what = format!("{why}: the {n_left_out} events from #{start} on are left out");
        let (part, what) = if is_torn { (Part::End, TORN.to_string()) } else { (Part::Segment, what) };
        let lost = is_torn.then(|| start..segment.head.end()).into_iter().collect();
        damage.push(Damage { lost, ..Damage::at(part, offset, segment.image().len(), what) });
        recording.cut(begin + place);
    }
    for segment in &recording.segments[begin.min(recording.segments.len())..] {
        if let Some(block_idx) = segment.damaged_payload_block() {
            let (start, last) = (segment.head.start, segment.head.end() - 1);
            let offset = segment.offsets.stored;
            let is_torn = !is_complete && offset + segment.stored().len() == bytes.len();
            let part = if is_torn { Part::End } else { Part::Payloads };
            let what = format!("block {block_idx} of events #{start} to #{last}: what is in it reads as absent");
            let n_partial = if is_torn { n_carried_from(&segment.columns(), block_idx) } else { 0 };
            damage.push(Damage { n_partial, ..Damage::at(part, offset, segment.stored().len(), what) });
        }
    }
    let checkpoints = &mut recording.keyframes.checkpoints;
    if let Some(place) = checkpoints.iter().position(|checkpoint| !checkpoint.is_intact()) {
        let Checkpoint { n_events, delta, .. } = &checkpoints[place];
        let what = format!("the one of the first {n_events} events is damaged: later ones are made again");
        damage.push(Damage::at(Part::Keyframe, delta.place(), delta.len(), what));
        checkpoints.truncate(place);
        recording.add_checkpoints();
    }
}

/// Events that carry something of payload block `block_idx` or one behind it.
fn n_carried_from(columns: &Columns<'_>, block_idx: usize) -> u64 {
    let is_behind = |number: Option<u16>| {
        let place = number.map(|number| payloads::block_at(columns.blocks, columns.payload_range(number).start));
        place.is_some_and(|place| place.is_none_or(|(block, _)| block >= block_idx))
    };
    let is_lost = |idx: &usize| is_behind(columns.payload_number(*idx)) || is_behind(columns.meta_number(*idx));
    (0..columns.len()).filter(is_lost).count() as u64
}

/// What is told of a segment in which a file ends.
pub const TORN: &str = "the file ends inside a segment: it was on its way";
