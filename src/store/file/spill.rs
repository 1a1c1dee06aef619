//! A session file that grows while its recording runs: segments are appended as they are sealed and mapped
//! back, so that memory holds only the tail, the dictionaries and the summaries. It must not know who seals.
//!
//! Until [`SessionFile::put_directory`] the file has no directory; opening it then walks its blocks (`recover`). Whatever
//! happens, what lies before the last whole block is readable.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::directory::{CheckpointPlace, Directory, SegmentPlace, Start, put_additions, put_info};
use super::disk::Disk;
use super::write::{BlockWriter, put_keyframes, sync_folder};
use super::{BlockKind, FILE_HEAD_BYTES, MAGIC, VERSION, trailer};
use crate::model::{Actor, Atom, Failure, FailureKind, Outcome};
use crate::store::bytes::{Bytes, Window};
use crate::store::keyframe::Checkpoint;
use crate::store::segment::{Offsets, Segment};
use crate::store::{Branch, Durability, Mark, RecordingInfo};

/// When what was written must be on the disk, so that even a loss of power does not take it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// When the system writes it: a crash of the program loses nothing written, a loss of power may.
    #[default]
    None,
    /// After each segment.
    Segment,
    /// At most so long after it was written.
    Interval(Duration),
}

/// What a segment adds to what the file has before it.
#[derive(Debug, Default)]
pub struct Additions {
    /// Numbers of the first actor and of the first tag.
    pub first: [usize; 2],
    pub actors: Vec<Actor>,
    pub tags: Vec<Atom>,
    pub checkpoints: Vec<Checkpoint>,
}

/// What the directory says that segments do not.
#[derive(Debug)]
pub struct Ending {
    pub info: RecordingInfo,
    pub actors: Vec<Actor>,
    pub tags: Vec<Atom>,
    pub checkpoints: Vec<Checkpoint>,
    /// The system at the recording's start, when that is not seq 0.
    pub base: Option<Checkpoint>,
    pub branches: Vec<Branch>,
    pub marks: Vec<Mark>,
}

/// The file, its end, and where its parts lie.
pub struct SessionFile {
    disk: Box<dyn Disk>,
    path: PathBuf,
    offset: usize,
    sync: SyncPolicy,
    n_bytes_max: u64,
    /// When the oldest bytes that are not synced were written.
    dirty_since: Option<Instant>,
    window: Option<Window>,
    segments: Vec<SegmentPlace>,
    checkpoints: Vec<CheckpointPlace>,
    base: Option<CheckpointPlace>,
    /// The marks that were written last.
    marks: Vec<Mark>,
    /// Where the file ended when it was completed last, and the checksum of its directory.
    ended: Option<(usize, u32)>,
}

impl SessionFile {
    /// Makes the file anew. Errors: the system's.
    pub fn create(path: &Path, info: &RecordingInfo, durability: &Durability) -> Outcome<SessionFile> {
        let open = || File::options().read(true).write(true).create(true).truncate(true).open(path);
        let failed = |error| Failure::io(format!("cannot create {}: {error}", path.display()));
        let made = SessionFile::create_on(Box::new(open().map_err(failed)?), path, info, durability)?;
        if durability.sync != SyncPolicy::None {
            sync_folder(path).map_err(failed)?;
        }
        Ok(made)
    }

    /// As [`SessionFile::create`], on an empty disk; `path` is what errors say.
    pub fn create_on(
        disk: Box<dyn Disk>,
        path: &Path,
        info: &RecordingInfo,
        durability: &Durability,
    ) -> Outcome<SessionFile> {
        let mut made = SessionFile {
            disk,
            path: path.to_path_buf(),
            offset: 0,
            sync: durability.sync,
            n_bytes_max: durability.file_bytes_max,
            dirty_since: None,
            window: None,
            segments: Vec::new(),
            checkpoints: Vec::new(),
            base: None,
            marks: Vec::new(),
            ended: None,
        };
        let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        bytes.resize(FILE_HEAD_BYTES, 0);
        let mut content = Vec::new();
        put_info(&mut content, info);
        let mut out = BlockWriter { out: bytes, offset: FILE_HEAD_BYTES };
        // Writing to a vector cannot fail.
        let _ = out.block(BlockKind::Info, &[&content]);
        made.put(&out.out)?;
        Ok(made)
    }

    /// Appends a segment with what belongs to it; gives it back as a part of the file. Errors: the system's; the file
    /// ends then where it ended before.
    pub fn append(&mut self, segment: &Segment, additions: &Additions) -> Outcome<Segment> {
        let before = self.offset;
        let mut out = BlockWriter { out: Vec::with_capacity(segment.owned_len() + 4096), offset: self.offset };
        let mut dictionary = Vec::new();
        put_additions(&mut dictionary, additions.first, &additions.actors, &additions.tags);
        let (place, checkpoints) = (|| {
            out.block(BlockKind::Dictionary, &[&dictionary])?;
            let place = out.segment(segment)?;
            Ok::<_, std::io::Error>((place, put_keyframes(&mut out, additions.checkpoints.iter())?))
        })()
        .expect("writing to a vector cannot fail");
        let mapped = self.put(&out.out).and_then(|()| self.map(&place)).inspect_err(|_| {
            // It is to be written once, whatever failed. The first error is the one that matters.
            let _ = self.disk.cut(before as u64);
        });
        if mapped.is_err() {
            self.offset = before;
        }
        let mapped = mapped?;
        self.segments.push(place);
        self.checkpoints.extend(checkpoints);
        Ok(mapped)
    }

    fn map(&mut self, place: &SegmentPlace) -> Outcome<Segment> {
        let range = place.image.start..place.stored.end;
        let known = self.window.as_ref().and_then(|window| window.part(range.clone()));
        let bytes: Bytes = match known {
            Some(bytes) => bytes,
            None => {
                let window = Window::map(self.disk.file(), range.clone()).map_err(|error| self.failed(error))?;
                self.window.insert(window).part(range.clone()).expect("the window was mapped around it")
            }
        };
        let part = |of: &std::ops::Range<usize>| bytes.part(of.start - range.start..of.end - range.start);
        let (image, stored) = (part(&place.image), part(&place.stored));
        let (image, stored) = image.zip(stored).expect("both lie in the range that was mapped");
        let offsets = Offsets { image: place.image.start, stored: place.stored.start };
        Ok(Segment::of_file(place.head.clone(), image, stored, place.image_checksum, offsets))
    }

    /// Keeps what was marked so far, for a recording that is never ended.
    pub fn keep_marks(&mut self, marks: &[Mark]) -> Outcome<()> {
        let mut out = BlockWriter { out: Vec::new(), offset: self.offset };
        // Writing to a vector cannot fail.
        let _ = out.marks(marks);
        self.put(&out.out)
    }

    /// Writes what is left of the keyframes, the base, and the marks, before a directory.
    pub fn put_rest(&mut self, checkpoints: &[Checkpoint], ending: &Ending) -> Outcome<()> {
        let mut out = BlockWriter { out: Vec::new(), offset: self.offset };
        let (places, base) = (|| {
            let places = put_keyframes(&mut out, checkpoints.iter())?;
            Ok::<_, std::io::Error>((places, put_keyframes(&mut out, ending.base.iter())?.pop()))
        })()
        .expect("writing to a vector cannot fail");
        if ending.marks != self.marks {
            let _ = out.marks(&ending.marks);
        }
        self.put(&out.out)?;
        self.checkpoints.extend(places);
        self.base = base;
        self.marks.clone_from(&ending.marks);
        Ok(())
    }

    /// Makes the file complete: the directory, the trailer; nothing where these are its end already. More may be appended after it.
    pub fn put_directory(&mut self, ending: &Ending) -> Outcome<()> {
        // A directory that survives a loss of power vouches for what it names: that goes first.
        self.sync()?;
        let directory = Directory {
            info: ending.info.clone(),
            actors: ending.actors.clone(),
            tags: ending.tags.clone(),
            segments: self.segments.clone(),
            checkpoints: self.checkpoints.clone(),
            branches: ending.branches.clone(),
            marks: ending.marks.clone(),
            start: Start {
                first: self.base.as_ref().map_or(0, |base| base.n_events),
                base: self.base.clone(),
                ..Start::default()
            },
        };
        let bytes = directory.write();
        let checksum = crc32fast::hash(&bytes);
        if self.ended == Some((self.offset, checksum)) {
            // Nothing has come since the file was ended.
            return Ok(());
        }
        let mut out = BlockWriter { out: Vec::new(), offset: self.offset };
        let directory_offset = out.offset;
        // As above.
        let _ = out.block(BlockKind::Directory, &[&bytes]);
        out.out.extend_from_slice(&trailer(directory_offset as u64));
        self.put(&out.out)?;
        self.ended = Some((self.offset, checksum));
        self.sync()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes at the end; a failed write leaves the file as long as it was.
    fn put(&mut self, bytes: &[u8]) -> Outcome<()> {
        let n_bytes = (self.offset + bytes.len()) as u64;
        if n_bytes > self.n_bytes_max {
            let what = format!("{} would have {n_bytes} bytes, {} are allowed", self.path.display(), self.n_bytes_max);
            return Err(Failure::new(FailureKind::Limit, what).hint("what was written before is whole: open it"));
        }
        if let Err(error) = self.disk.write(bytes, self.offset as u64) {
            // The first error is the one that matters.
            let _ = self.disk.cut(self.offset as u64);
            return Err(self.failed(error));
        }
        self.offset += bytes.len();
        self.dirty_since.get_or_insert_with(Instant::now);
        match self.sync {
            SyncPolicy::Segment => self.sync(),
            SyncPolicy::Interval(_) if self.sync_in() == Some(Duration::ZERO) => self.sync(),
            _ => Ok(()),
        }
    }

    /// How long what is written may stay unsynced; `None` when there is nothing to sync in time.
    pub fn sync_in(&self) -> Option<Duration> {
        let SyncPolicy::Interval(interval) = self.sync else { return None };
        Some(interval.saturating_sub(self.dirty_since?.elapsed()))
    }

    pub fn sync(&mut self) -> Outcome<()> {
        self.dirty_since = None;
        self.disk.sync().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: std::io::Error) -> Failure {
        Failure::io(format!("cannot write {} at offset {}: {error}", self.path.display(), self.offset))
            .hint("what was written before is whole: open it, or save(..) what is in memory to another disk")
    }
}
