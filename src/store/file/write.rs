//! Saving: blocks in order, the directory last, all to a temporary name that is renamed when the bytes
//! are on the disk. A recording that was opened is saved like any other: its bytes are copied.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::ops::Range;
use std::path::Path;

use super::directory::{CheckpointPlace, Directory, SegmentPlace, Start, put_additions, put_info, put_marks};
use super::temporary::Temporary;
use super::{BlockHead, BlockKind, FILE_HEAD_BYTES, Form, MAGIC, PAGE_BYTES, VERSION, trailer};
use crate::model::{Failure, Outcome};
use crate::store::archive::{self, Archived};
use crate::store::keyframe::Checkpoint;
use crate::store::segment::{Head, Segment};
use crate::store::wire::put_varint;
use crate::store::{Mark, Recording};

/// Writes `recording` to `path`. `go_on` is called with the number of events written so far; its `false` interrupts, and `path` is
/// as it was.
pub fn save(recording: &Recording, path: &Path, go_on: &mut dyn FnMut(u64) -> bool) -> Outcome<()> {
    write(recording, path, Form::Plain, go_on)
}

/// Writes `recording` to `path` in archive form; as [`save`] does.
pub fn compact(recording: &Recording, path: &Path, go_on: &mut dyn FnMut(u64) -> bool) -> Outcome<()> {
    write(recording, path, Form::Archive, go_on)
}

fn write(recording: &Recording, path: &Path, form: Form, go_on: &mut dyn FnMut(u64) -> bool) -> Outcome<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = Temporary::beside(path, (&format!("{name}."), ".tmp"));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::Interrupted => Failure::interrupted(),
        _ => Failure::io(format!("cannot save {}: {error}", path.display())),
    };
    write_file(recording, temporary.path(), form, go_on)
        .and_then(|()| temporary.keep())
        .and_then(|()| sync_folder(path))
        .map_err(failed)
}

/// Puts the file's name on the disk: without it, a loss of power may leave the file without one.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Writes blocks; knows at which offset of the file.
pub struct BlockWriter<W> {
    pub out: W,
    pub offset: usize,
}

fn write_file(
    recording: &Recording,
    path: &Path,
    form: Form,
    go_on: &mut dyn FnMut(u64) -> bool,
) -> std::io::Result<()> {
    let mut writer = BlockWriter { out: BufWriter::with_capacity(1 << 20, File::create(path)?), offset: 0 };
    writer.put(MAGIC)?;
    writer.put(&VERSION.to_le_bytes())?;
    writer.put(&(form as u32).to_le_bytes())?;
    writer.pad_to(FILE_HEAD_BYTES)?;
    let mut info = Vec::new();
    put_info(&mut info, &recording.info);
    writer.block(BlockKind::Info, &[&info])?;

    let mut directory = Directory {
        info: recording.info.clone(),
        actors: recording.dictionaries.actors.items().to_vec(),
        tags: recording.dictionaries.tags.items().to_vec(),
        branches: recording.branches.clone(),
        marks: recording.marks.clone(),
        ..Directory::default()
    };
    let keyframes = &recording.keyframes;
    let base = keyframes.base_with_states(recording.first().0, &recording.dictionaries);
    directory.start = Start {
        first: recording.first().0,
        evicted: recording.evicted.clone(),
        n_checkpoints_evicted: keyframes.n_evicted,
        dead_before: keyframes.dead_before,
        base: put_keyframes(&mut writer, base.iter())?.pop(),
        branch_bases: put_keyframes(&mut writer, keyframes.branch_bases.values())?,
    };
    // It stands in front, too: a file that is cut at its end tells how it began, and that it had an end.
    let mut start = Vec::new();
    directory.start.write(&mut start);
    writer.block(BlockKind::Start, &[&start])?;

    let (mut n_actors, mut n_tags, mut n_events) = (0, 0, 0);
    let mut put = |segment: &Segment, archived: Option<Archived>| -> std::io::Result<()> {
        // A segment's numbers need not be the newest ones: an actor may come back. What it adds begins
        // where the segments before it ended.
        let actors = n_actors..n_actors.max(segment.head.n_actors as usize);
        let tags = n_tags..n_tags.max(segment.head.n_tags as usize);
        (n_actors, n_tags) = (actors.end, tags.end);
        let mut additions = Vec::new();
        put_additions(&mut additions, [actors.start, tags.start], &directory.actors[actors], &directory.tags[tags]);
        writer.block(BlockKind::Dictionary, &[&additions])?;
        directory.segments.push(match form {
            Form::Plain => writer.segment(segment)?,
            Form::Archive => writer.archived(segment, archived)?,
        });
        n_events += u64::from(segment.head.n_events);
        if go_on(n_events) { Ok(()) } else { Err(ErrorKind::Interrupted.into()) }
    };
    let segments = recording.sealed_segments();
    match form {
        Form::Plain => segments.iter().try_for_each(|segment| put(segment, None))?,
        Form::Archive => archive::pack_all(&segments, put)?,
    }

    directory.checkpoints = put_keyframes(&mut writer, keyframes.checkpoints.iter())?;
    if !directory.marks.is_empty() {
        writer.marks(&directory.marks)?;
    }
    let directory_offset = writer.offset;
    writer.block(BlockKind::Directory, &[&directory.write()])?;
    writer.put(&trailer(directory_offset as u64))?;
    writer.out.into_inner()?.sync_all()
}

/// Writes a Keyframes block, a table and the deltas; none when there is no keyframe.
pub fn put_keyframes<'k, W: Write>(
    writer: &mut BlockWriter<W>,
    checkpoints: impl ExactSizeIterator<Item = &'k Checkpoint> + Clone,
) -> std::io::Result<Vec<CheckpointPlace>> {
    if checkpoints.len() == 0 {
        return Ok(Vec::new());
    }
    let mut table = Vec::new();
    put_varint(&mut table, checkpoints.len() as u64);
    let mut places = Vec::with_capacity(checkpoints.len());
    for Checkpoint { n_events, delta, checksum } in checkpoints.clone() {
        let checksum = checksum.unwrap_or_else(|| crc32fast::hash(delta));
        put_varint(&mut table, *n_events);
        put_varint(&mut table, delta.len() as u64);
        table.extend_from_slice(&checksum.to_le_bytes());
        places.push(CheckpointPlace { n_events: *n_events, delta: 0..delta.len(), checksum });
    }
    let deltas = checkpoints.map(|checkpoint| &checkpoint.delta[..]);
    let parts: Vec<&[u8]> = std::iter::once(&table[..]).chain(deltas).collect();
    let mut begin = writer.block(BlockKind::Keyframes, &parts)?.start + table.len();
    for place in &mut places {
        place.delta = begin..begin + place.delta.len();
        begin = place.delta.end;
    }
    Ok(places)
}

/// What stands before a segment's image: its head, the image's checksum, and the checksum of both.
pub fn segment_head(head: &Head, image_checksum: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.write(&mut bytes);
    bytes.extend_from_slice(&image_checksum.to_le_bytes());
    let own_checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&own_checksum.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

impl<W: Write> BlockWriter<W> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.offset += bytes.len();
        self.out.write_all(bytes)
    }
    fn pad_to(&mut self, offset: usize) -> std::io::Result<()> {
        let zeros = [0; FILE_HEAD_BYTES];
        self.put(&zeros[..offset - self.offset])
    }

    /// Writes a block whose content is `parts` one after the other; gives where the content lies.
    pub fn block(&mut self, kind: BlockKind, parts: &[&[u8]]) -> std::io::Result<Range<usize>> {
        let mut hasher = crc32fast::Hasher::new();
        parts.iter().for_each(|part| hasher.update(part));
        let n_bytes = parts.iter().map(|part| part.len() as u64).sum();
        self.put(&BlockHead { kind, n_bytes, checksum: hasher.finalize() }.to_bytes())?;
        let begin = self.offset;
        for part in parts {
            self.put(part)?;
        }
        let content = begin..self.offset;
        self.pad_to(self.offset.next_multiple_of(8))?;
        Ok(content)
    }

    /// Writes a Marks block: it holds instead of those before.
    pub fn marks(&mut self, marks: &[Mark]) -> std::io::Result<()> {
        let mut content = Vec::new();
        put_marks(&mut content, marks);
        self.block(BlockKind::Marks, &[&content]).map(drop)
    }

    pub fn segment(&mut self, segment: &Segment) -> std::io::Result<SegmentPlace> {
        let (head, image) = segment.plain().ok_or_else(|| damaged(segment))?;
        self.segment_parts(head, image, segment.stored(), segment.image_checksum())
    }

    /// Writes a segment in the archive form that was made of it: none when it is damaged.
    fn archived(&mut self, segment: &Segment, archived: Option<Archived>) -> std::io::Result<SegmentPlace> {
        let Archived { streams, stored } = archived.ok_or_else(|| damaged(segment))?;
        self.segment_parts(&segment.head, &streams, &stored, crc32fast::hash(&streams))
    }

    fn segment_parts(
        &mut self,
        head: &Head,
        image: &[u8],
        stored: &[u8],
        image_checksum: u32,
    ) -> std::io::Result<SegmentPlace> {
        let begin = segment_head(head, image_checksum);
        let content = self.block(BlockKind::Segment, &[&begin, image])?;
        let pages: Vec<u8> = image.chunks(PAGE_BYTES).flat_map(|page| crc32fast::hash(page).to_le_bytes()).collect();
        self.block(BlockKind::Pages, &[&pages])?;
        let stored = self.block(BlockKind::Payloads, &[stored])?;
        let image = content.start + begin.len()..content.end;
        Ok(SegmentPlace { head: head.clone(), image, image_checksum, stored })
    }
}

fn damaged(segment: &Segment) -> std::io::Error {
    std::io::Error::other(format!(
        "the segment of event #{} is damaged: cinema repair leaves it out",
        segment.head.start
    ))
}
