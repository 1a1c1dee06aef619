//! The trace messages of one log, in the order of its files. Files are memory-mapped: a trace may be far
//! larger than memory. It must not know what the messages mean.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::files::TraceLog;
use crate::model::{Failure, Outcome};
use crate::sandbox::trace::frames::{Defects, Frame, Frames};
use crate::sandbox::trace::message::{Message, Stamp, Trace};

/// The mapped files of one log.
pub struct OpenLog {
    parts: Vec<OpenFile>,
    info: Option<OpenFile>,
}

/// A mapped file.
pub struct OpenFile {
    /// As defects name it.
    name: String,
    bytes: Mmap,
}

impl OpenFile {
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl OpenLog {
    pub fn n_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes.len() as u64).sum()
    }
    /// The `.ti` file's name and bytes.
    pub fn info(&self) -> Option<(&str, &[u8])> {
        self.info.as_ref().map(|info| (&info.name[..], &info.bytes[..]))
    }
}

/// Maps every file of `logs`. Errors: one that cannot be read.
pub fn open(logs: &[TraceLog]) -> Outcome<Vec<OpenLog>> {
    let open_log = |log: &TraceLog| {
        let parts = log.parts.iter().map(|part| map(part)).collect::<Outcome<Vec<_>>>()?;
        Ok(OpenLog { parts, info: log.info.as_deref().map(map).transpose()? })
    };
    logs.iter().map(open_log).collect()
}

/// Maps a file. Errors: it cannot be read.
pub fn map(path: &Path) -> Outcome<OpenFile> {
    let failed = |error: std::io::Error| Failure::io(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    // SAFETY: the map is only read. As with every mapped file, a writer that cuts it off while it is
    // read ends the program; tracers append only.
    let bytes = unsafe { Mmap::map(&file) }.map_err(failed)?;
    Ok(OpenFile { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes })
}

/// A trace message in its stream.
pub struct Item<'a> {
    pub trace: Trace<'a>,
    /// Trace messages that were dropped just before it.
    pub n_lost: u64,
}

/// Reads one log.
pub struct Source<'a> {
    parts: &'a [OpenFile],
    frames: Frames<'a>,
    file: &'a str,
    n_frames: u64,
    /// Bytes of the files before the present one.
    n_bytes_before: u64,
    /// Dropped messages not yet told of.
    n_lost: u64,
}

impl<'a> Source<'a> {
    pub fn new(log: &'a OpenLog) -> Source<'a> {
        let empty = Frames::new(&[], "");
        Source { parts: &log.parts, frames: empty, file: "", n_frames: 0, n_bytes_before: 0, n_lost: 0 }
    }

    pub fn n_frames(&self) -> u64 {
        self.n_frames
    }
    pub fn n_bytes_read(&self) -> u64 {
        self.n_bytes_before + self.frames.n_read() as u64
    }

    /// Messages dropped after the last item.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.n_lost)
    }

    /// The next trace message. What is none goes to `other` by its name, damage to `defects`.
    pub fn next(&mut self, defects: &mut Defects, other: &mut dyn FnMut(&str)) -> Option<Item<'a>> {
        loop {
            let Some(frame) = self.frames.next(defects) else {
                let (part, rest) = self.parts.split_first()?;
                self.n_bytes_before += self.frames.n_read() as u64;
                (self.parts, self.file, self.frames) = (rest, &part.name, Frames::new(&part.bytes, &part.name));
                continue;
            };
            self.n_frames += 1;
            match frame {
                Frame::Lost { n } => self.n_lost += u64::from(n),
                Frame::Term { offset, parts } => match Message::parse(&parts) {
                    Some(Message::Trace(trace)) => return Some(Item { trace, n_lost: self.take_lost() }),
                    Some(Message::Lost(n)) => self.n_lost += n,
                    Some(Message::Other(kind)) => other(kind),
                    None => defects.add(self.file, offset, "a term that is no trace message"),
                },
            }
        }
    }
}

/// Merges the logs of several nodes by time, as `ttb:format/1` does.
pub struct Merge<'a> {
    sources: Vec<(Source<'a>, Option<Item<'a>>)>,
}

impl<'a> Merge<'a> {
    pub fn new(logs: &'a [OpenLog], defects: &mut Defects, other: &mut dyn FnMut(&str)) -> Merge<'a> {
        let first = |log| {
            let mut source = Source::new(log);
            let item = source.next(defects, other);
            (source, item)
        };
        Merge { sources: logs.iter().map(first).collect() }
    }

    /// The oldest message that is at the head of a log.
    pub fn peek(&self) -> Option<&Item<'a>> {
        self.sources[self.oldest()?].1.as_ref()
    }

    pub fn next(&mut self, defects: &mut Defects, other: &mut dyn FnMut(&str)) -> Option<Item<'a>> {
        if let [(only, head)] = &mut self.sources[..] {
            // Nothing to compare it with: an item is not kept as head, only the first was.
            return head.take().or_else(|| only.next(defects, other));
        }
        let idx = self.oldest()?;
        let (source, head) = &mut self.sources[idx];
        std::mem::replace(head, source.next(defects, other))
    }

    fn oldest(&self) -> Option<usize> {
        let heads = self.sources.iter().enumerate().filter_map(|(idx, (_, head))| {
            let stamp = head.as_ref()?.trace.stamp.map_or(Stamp::MIN, |(stamp, _)| stamp);
            Some((stamp, idx))
        });
        heads.min().map(|(_, idx)| idx)
    }

    pub fn n_frames(&self) -> u64 {
        self.sources.iter().map(|(source, _)| source.n_frames()).sum()
    }
    pub fn n_bytes_read(&self) -> u64 {
        self.sources.iter().map(|(source, _)| source.n_bytes_read()).sum()
    }
    /// Messages dropped after the last of each log.
    pub fn take_lost(&mut self) -> u64 {
        self.sources.iter_mut().map(|(source, _)| source.take_lost()).sum()
    }
}
