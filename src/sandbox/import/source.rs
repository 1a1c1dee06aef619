//! The trace messages of one log, in the order of its files. Files are memory-mapped: a trace may be far
//! larger than memory. It must not know what the messages mean.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use memmap2::{Mmap, UncheckedAdvice};

use super::clocks::Span;
use super::files::{Part, TraceLog, is_mangled};
use crate::model::limits::CLOCK_NS_MAX;
use crate::model::{Failure, Outcome};
use crate::sandbox::trace::frames::{Defects, Frame, Frames};
use crate::sandbox::trace::message::{Message, Stamp, Trace};

/// Bytes that are read between two times that what was read is given back.
const FORGET_BYTES: usize = 32 << 20;

/// The mapped files of one log.
pub struct OpenLog {
    parts: Vec<OpenFile>,
    info: Option<OpenFile>,
    /// The names of files of it that are empty.
    empty: Vec<String>,
    /// What is added to the times of its messages.
    offset_ns: Option<i64>,
}

/// A mapped file.
pub struct OpenFile {
    /// As defects name it.
    name: String,
    bytes: Mmap,
    /// How many files of its set are missing before it.
    n_missing: u64,
}

impl OpenFile {
    pub fn name(&self) -> &str {
        &self.name
    }
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Says that the bytes up to `n_read` are read, of which those before `n_forgotten` are no longer in our memory; gives how many are
    /// not from now on. A file is read once: without this, all of it would count as ours. Done in steps: a call costs some µs.
    pub fn forget(&self, n_forgotten: usize, n_read: usize) -> usize {
        if n_read < n_forgotten + FORGET_BYTES {
            return n_forgotten;
        }
        // SAFETY: the map is only read, of a file: what is read of it once more is read from the file.
        let advised =
            unsafe { self.bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, n_forgotten, n_read - n_forgotten) };
        // A system that does not do it keeps the bytes, no more.
        drop(advised);
        n_read
    }
}

impl OpenLog {
    pub fn n_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes.len() as u64).sum()
    }
    /// The name of its first file.
    pub fn name(&self) -> &str {
        self.parts.first().map_or("", |part| &part.name)
    }
    /// The names of its files that seem to have been transferred as text.
    pub fn mangled(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter(|part| is_mangled(&part.bytes)).map(|part| &part.name[..])
    }
    /// The names of its files that have nothing in them.
    pub fn empty(&self) -> impl Iterator<Item = &str> {
        self.empty.iter().map(|name| &name[..])
    }
    /// Whether somebody said how its clock stands to the others.
    pub fn is_shifted(&self) -> bool {
        self.offset_ns.is_some()
    }
    /// The `.ti` file's name and bytes.
    pub fn info(&self) -> Option<(&str, &[u8])> {
        self.info.as_ref().map(|info| (&info.name[..], &info.bytes[..]))
    }
}

/// Maps every file of `logs`; `offset_ns` says what is added to the times of a log. Errors: a file that cannot be read, or is
/// the copy of another.
pub fn open(logs: &[TraceLog], offset_ns: impl Fn(&TraceLog) -> Option<i64>) -> Outcome<Vec<OpenLog>> {
    let open_log = |log: &TraceLog| {
        let map_part = |part: &Part| Ok(OpenFile { n_missing: part.n_missing, ..map(&part.path)? });
        let parts = log.parts.iter().map(map_part).collect::<Outcome<Vec<_>>>()?;
        let info = log.info.as_deref().map(map).transpose()?;
        let empty = log.empty.iter().map(|path| name_of(path)).collect();
        Ok(OpenLog { parts, info, empty, offset_ns: offset_ns(log) })
    };
    let logs = logs.iter().map(open_log).collect::<Outcome<Vec<_>>>()?;
    check_copies(&logs)?;
    Ok(logs)
}

/// Errors: two files have the same bytes. Costs a comparison of files of the same length, up to where they differ.
fn check_copies(logs: &[OpenLog]) -> Outcome<()> {
    let mut parts: Vec<&OpenFile> =
        logs.iter().flat_map(|log| &log.parts).filter(|part| !part.bytes.is_empty()).collect();
    parts.sort_by(|a, b| (a.bytes.len(), a.bytes()).cmp(&(b.bytes.len(), b.bytes())));
    match parts.windows(2).find(|pair| pair[0].bytes() == pair[1].bytes()) {
        Some(pair) => {
            let (one, other) = (&pair[0].name, &pair[1].name);
            Err(Failure::usage(format!("{one} and {other} have the same bytes: each event would be there twice"))
                .hint("leave one of them out"))
        }
        None => Ok(()),
    }
}

/// Maps a file. Errors: it cannot be read.
pub fn map(path: &Path) -> Outcome<OpenFile> {
    let failed = |error: std::io::Error| Failure::unreadable(path, &error);
    let file = File::open(path).map_err(failed)?;
    // SAFETY: the map is only read. As with every mapped file, a writer that cuts it off while it is
    // read ends the program; tracers append only.
    let bytes = unsafe { Mmap::map(&file) }.map_err(failed)?;
    Ok(OpenFile { name: name_of(path), bytes, n_missing: 0 })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A trace message in its stream.
pub struct Item<'a> {
    pub trace: Trace<'a>,
    /// Trace messages that were dropped just before it.
    pub n_lost: u64,
    /// The numbers of the defects just before it.
    pub damage: Range<u64>,
}

/// Reads one log.
pub struct Source<'a> {
    parts: &'a [OpenFile],
    /// The one that is read, and how much of it is no longer in memory.
    part: Option<(&'a OpenFile, usize)>,
    frames: Frames<'a>,
    file: &'a str,
    n_frames: u64,
    /// Bytes of the files before the present one.
    n_bytes_before: u64,
    /// Dropped messages not yet told of.
    n_lost: u64,
    /// The numbers of the defects after the last item.
    damage_at_end: Range<u64>,
    offset_ns: i64,
    span: Option<Span>,
}

impl<'a> Source<'a> {
    pub fn new(log: &'a OpenLog) -> Source<'a> {
        Source {
            parts: &log.parts,
            part: None,
            frames: Frames::new(&[], ""),
            file: "",
            n_frames: 0,
            n_bytes_before: 0,
            n_lost: 0,
            damage_at_end: 0..0,
            offset_ns: log.offset_ns.unwrap_or(0),
            span: None,
        }
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
    /// Where its messages lie in time, of those that were read.
    pub fn span(&self) -> Option<Span> {
        self.span
    }

    /// The next trace message. What is none goes to `other` by its name, damage to `defects`.
    pub fn next(&mut self, defects: &mut Defects, other: &mut dyn FnMut(&str)) -> Option<Item<'a>> {
        let n_defects = defects.n_total;
        if let Some((part, n_forgotten)) = &mut self.part {
            *n_forgotten = part.forget(*n_forgotten, self.frames.n_read());
        }
        loop {
            let Some(frame) = self.frames.next(defects) else {
                let Some((part, rest)) = self.parts.split_first() else {
                    self.damage_at_end = n_defects..defects.n_total;
                    return None;
                };
                self.n_bytes_before += self.frames.n_read() as u64;
                (self.parts, self.file, self.frames) = (rest, &part.name, Frames::new(&part.bytes, &part.name));
                if let Some((before, n_forgotten)) = self.part.replace((part, 0)) {
                    before.forget(n_forgotten, before.bytes.len());
                }
                if part.n_missing > 0 {
                    defects.add(&part.name, 0, format!("{} missing of the set before it", files(part.n_missing)));
                }
                continue;
            };
            self.n_frames += 1;
            match frame {
                Frame::Lost { n } => self.n_lost += u64::from(n),
                Frame::Term { offset, body } => match Message::read(body) {
                    Some(Message::Trace(mut trace)) => {
                        self.time(&mut trace);
                        return Some(Item { trace, n_lost: self.take_lost(), damage: n_defects..defects.n_total });
                    }
                    Some(Message::Lost(n)) => self.n_lost += n,
                    Some(Message::Other(kind)) => other(kind),
                    None if self.frames.is_whole(offset, body, defects) => {
                        defects.add(self.file, offset, "a term that is no trace message");
                    }
                    None => self.n_frames -= 1,
                },
            }
        }
    }

    /// Sets the message's time on the clock that all logs share.
    fn time(&mut self, trace: &mut Trace<'a>) {
        if let Some((stamp, clock)) = &mut trace.stamp {
            stamp.at_ns = stamp.at_ns.saturating_add(self.offset_ns).clamp(-CLOCK_NS_MAX, CLOCK_NS_MAX);
            match &mut self.span {
                Some(span) => span.last_ns = span.last_ns.max(stamp.at_ns),
                None => self.span = Some(Span::new(trace.who.origin(), *clock, stamp.at_ns)),
            }
        }
    }
}

fn files(n: u64) -> String {
    if n == 1 { "a file is".to_string() } else { format!("{n} files are") }
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

    /// The numbers of the defects after the last message of each log; called at the end.
    pub fn damage_at_end(&self) -> impl Iterator<Item = Range<u64>> {
        self.sources.iter().map(|(source, _)| source.damage_at_end.clone()).filter(|damage| !damage.is_empty())
    }
    /// Where the messages of each log lie in time, of those that were read.
    pub fn spans(&self) -> Vec<Option<Span>> {
        self.sources.iter().map(|(source, _)| source.span()).collect()
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
