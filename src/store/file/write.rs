//! Saving: blocks in order, the directory last, all to a temporary name that is renamed when the bytes
//! are on the disk. A recording that was opened is saved like any other: its bytes are copied.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::{CheckpointPlace, Directory, SegmentPlace, Start, put_dictionaries, put_info};
use super::{BlockHead, BlockKind, FILE_HEAD_BYTES, MAGIC, VERSION, trailer};
use crate::model::{Failure, Outcome};
use crate::store::Recording;
use crate::store::segment::Segment;

/// Writes `recording` to `path`.
pub fn save(recording: &Recording, path: &Path) -> Outcome<()> {
    let temporary = temporary_name(path);
    let failed = |error: std::io::Error| Failure::io(format!("cannot save {}: {error}", path.display()));
    let written = write_file(recording, &temporary).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The error below is the one that matters; a leftover file is only untidy.
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(failed)
}

/// A name beside `path`, so that renaming stays on one file system.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

struct Writer {
    out: BufWriter<File>,
    offset: usize,
}

fn write_file(recording: &Recording, path: &Path) -> std::io::Result<()> {
    let mut writer = Writer { out: BufWriter::with_capacity(1 << 20, File::create(path)?), offset: 0 };
    writer.put(MAGIC)?;
    writer.put(&VERSION.to_le_bytes())?;
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
    let open_tail = (recording.tail.len() > 0).then(|| Arc::new(recording.tail.seal()));
    let (mut n_actors, mut n_tags) = (0, 0);
    for segment in recording.segments.iter().chain(&open_tail) {
        // A segment's numbers need not be the newest ones: an actor may come back. What it adds begins
        // where the segments before it ended.
        let actors = n_actors..n_actors.max(segment.head.n_actors as usize);
        let tags = n_tags..n_tags.max(segment.head.n_tags as usize);
        (n_actors, n_tags) = (actors.end, tags.end);
        let mut additions = Vec::new();
        put_dictionaries(&mut additions, &directory.actors[actors], &directory.tags[tags]);
        writer.block(BlockKind::Dictionary, &[&additions])?;
        directory.segments.push(writer.segment(segment)?);
    }

    let keyframes = &recording.keyframes;
    let deltas: Vec<&[u8]> = keyframes.all().map(|checkpoint| &checkpoint.delta[..]).collect();
    let mut begin = writer.block(BlockKind::Keyframes, &deltas)?.start;
    let mut places = keyframes.all().map(|checkpoint| {
        let checksum = checkpoint.checksum.unwrap_or_else(|| crc32fast::hash(&checkpoint.delta));
        let delta = begin..begin + checkpoint.delta.len();
        begin = delta.end;
        CheckpointPlace { n_events: checkpoint.n_events, delta, checksum }
    });
    directory.start = Start {
        first: recording.first().0,
        evicted: recording.evicted.clone(),
        n_checkpoints_evicted: keyframes.n_evicted,
        dead_before: keyframes.dead_before,
        base: places.by_ref().take(keyframes.base.iter().len()).next(),
        branch_bases: places.by_ref().take(keyframes.branch_bases.len()).collect(),
    };
    directory.checkpoints = places.collect();
    let directory_offset = writer.offset;
    writer.block(BlockKind::Directory, &[&directory.write()])?;
    writer.put(&trailer(directory_offset as u64))?;
    writer.out.into_inner()?.sync_all()
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.offset += bytes.len();
        self.out.write_all(bytes)
    }
    fn pad_to(&mut self, offset: usize) -> std::io::Result<()> {
        let zeros = [0; FILE_HEAD_BYTES];
        self.put(&zeros[..offset - self.offset])
    }

    /// Writes a block whose content is `parts` one after the other; gives where the content lies.
    fn block(&mut self, kind: BlockKind, parts: &[&[u8]]) -> std::io::Result<Range<usize>> {
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

    fn segment(&mut self, segment: &Segment) -> std::io::Result<SegmentPlace> {
        let mut head = Vec::new();
        segment.head.write(&mut head);
        head.resize(head.len().next_multiple_of(8), 0);
        let content = self.block(BlockKind::Segment, &[&head, &segment.image])?;
        let stored = self.block(BlockKind::Payloads, &[&segment.stored])?;
        Ok(SegmentPlace {
            head: segment.head.clone(),
            image: content.start + head.len()..content.end,
            image_checksum: crc32fast::hash(&segment.image),
            stored,
        })
    }
}
