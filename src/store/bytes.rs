//! Bytes that do not change any more: owned by the recording, or a part of a mapped file.

use std::fs::File;
use std::ops::{Deref, Range};
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};

/// Shared, immutable bytes. Cloning costs a reference count.
#[derive(Clone)]
pub struct Bytes {
    source: Source,
    /// Invariant: inside the source.
    range: Range<usize>,
}

#[derive(Clone)]
enum Source {
    Owned(Arc<Vec<u8>>),
    Mapped(Arc<Mmap>),
}

impl Bytes {
    /// Maps a whole file, read-only.
    pub fn map(file: &File) -> std::io::Result<Bytes> {
        // SAFETY: the map is read-only and private to us. What Rust cannot promise is that no other process
        // cuts the file while it is open: we never write a session file in place (a save goes to a new file
        // that is renamed over the old one, whose bytes stay ours), and FORMAT.md asks the same of others.
        let map = unsafe { Mmap::map(file)? };
        let range = 0..map.len();
        Ok(Bytes { source: Source::Mapped(Arc::new(map)), range })
    }

    /// A part of these bytes, sharing them. `None` when it is not inside.
    pub fn part(&self, range: Range<usize>) -> Option<Bytes> {
        self.get(range.clone())?;
        let range = self.range.start + range.start..self.range.start + range.end;
        Some(Bytes { source: self.source.clone(), range })
    }

    /// These bytes and all that follow them in what they are a part of.
    pub fn rest(&self) -> &[u8] {
        &self.whole()[self.range.start..]
    }

    fn whole(&self) -> &[u8] {
        match &self.source {
            Source::Owned(bytes) => bytes,
            Source::Mapped(map) => map,
        }
    }

    /// Where they begin in what they are a part of: a file's offset, for a part of a whole mapped file.
    pub fn place(&self) -> usize {
        self.range.start
    }

    /// Bytes of memory that these hold; nothing for a mapped file, whose pages the system may drop.
    pub fn owned_len(&self) -> usize {
        match &self.source {
            Source::Owned(_) => self.range.len(),
            Source::Mapped(_) => 0,
        }
    }
}

/// A stretch of a growing file that is mapped once, longer than the file is yet: what is written into it later can
/// be read through it.
pub struct Window {
    map: Arc<Mmap>,
    /// Offset in the file of the map's first byte.
    begin: usize,
}

/// Bytes of a window: so few maps serve a file of any size.
const WINDOW_BYTES: usize = 1 << 30;

impl Window {
    /// Maps from the beginning of `range`, which lies inside the file.
    pub fn map(file: &File, range: Range<usize>) -> std::io::Result<Window> {
        let len = range.len().max(WINDOW_BYTES);
        // SAFETY: as in [`Bytes::map`]; the file only grows while we hold it, and [`Window::part`] is asked only for
        // what was written, so no byte beyond its end is touched.
        let map = unsafe { MmapOptions::new().offset(range.start as u64).len(len).map(file)? };
        Ok(Window { map: Arc::new(map), begin: range.start })
    }

    /// The bytes of the file's `range`, when they are inside. Invariant kept by the caller: they were written.
    pub fn part(&self, range: Range<usize>) -> Option<Bytes> {
        let range = range.start.checked_sub(self.begin)?..range.end - self.begin;
        (range.end <= self.map.len()).then(|| Bytes { source: Source::Mapped(self.map.clone()), range })
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.whole()[self.range.clone()]
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        let range = 0..bytes.len();
        Bytes { source: Source::Owned(Arc::new(bytes)), range }
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.owned_len() == self.len() { "owned" } else { "mapped" };
        write!(f, "{} bytes, {place}", self.len())
    }
}
