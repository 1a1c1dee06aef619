//! The `.cinema` file: `FORMAT.md` beside the store is its document. This file has the frame that all
//! parts share: magic, version, block headers, trailer.
//!
//! Invariants: every byte after the file's head is inside a block, a block's padding or the trailer; a
//! block's header has a checksum of its own, so that a torn tail is told from a damaged block.

mod directory;
mod disk;
mod examine;
mod forge;
mod mend;
mod read;
mod recover;
mod report;
mod salvage;
mod spill;
pub mod temporary;
mod walk;
mod write;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

#[cfg(test)]
pub use disk::Disk;
pub use examine::examine;
pub use forge::forge;
pub use read::{open, open_checked, read, rescue};
pub use report::{Damage, Part, Report, ranges};
pub use salvage::mend;
pub use spill::{Additions, Ending, SessionFile, SyncPolicy};
pub use walk::{is_lost_actor, is_lost_tag};
pub use write::{compact, save};

use super::wire::Reader;
use crate::model::{Failure, Outcome};

/// Whether a file is meant to be a session file: by its first bytes or, where these are damaged, by its name.
pub fn is_session(path: &Path) -> Outcome<bool> {
    if path.extension().is_some_and(|extension| extension == "cinema") {
        return Ok(true);
    }
    begins_as_session(path)
}

/// Whether a file has the first bytes of a session file.
pub fn begins_as_session(path: &Path) -> Outcome<bool> {
    let failure = |error| Failure::unreadable(path, &error);
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut head)).map_err(failure)?;
    Ok(head == MAGIC)
}

/// The first eight bytes: a byte that is no text, the name, a line end that a text transfer would change.
const MAGIC: &[u8; 8] = b"\x89CINEMA\n";
/// The version that this code writes.
const VERSION: u32 = 3;
/// The oldest version that it reads.
const VERSION_MIN: u32 = 2;
/// How segments are written; after the version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// Ready to be mapped and queried.
    Plain = 0,
    /// Small, see `archive`.
    Archive = 1,
}

/// Magic, version and form.
const FILE_HEAD_BYTES: usize = 16;
const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"CBLK");
const BLOCK_HEAD_BYTES: usize = 24;
const TRAILER_MAGIC: u64 = u64::from_le_bytes(*b"CINEMEND");
const TRAILER_BYTES: usize = 24;
/// Bytes of a segment's image that have a checksum of their own.
const PAGE_BYTES: usize = 1024;
/// Block contents begin at multiples of 8.
const _: () = assert!(FILE_HEAD_BYTES.is_multiple_of(8) && BLOCK_HEAD_BYTES.is_multiple_of(8));

/// What a block holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
enum BlockKind {
    /// What was recorded; the first block.
    Info = 1,
    /// Actors and tags that the next segment adds to the dictionaries.
    Dictionary = 2,
    /// Head and image of a segment.
    Segment = 3,
    /// The compressed payload blocks of the segment before it.
    Payloads = 4,
    /// Deltas of keyframes, with a table before them.
    Keyframes = 5,
    /// Everything that is needed to open the file; a trailer follows it.
    Directory = 6,
    /// Checksums of the pages of the image in the segment just before.
    Pages = 7,
    /// All marks so far: the last such block counts when the directory is lost.
    Marks = 8,
    /// How the recording begins, before the first segment of a file that was saved at once.
    Start = 9,
}

impl BlockKind {
    fn from_u32(number: u32) -> Option<BlockKind> {
        use BlockKind::{Dictionary, Directory, Info, Keyframes, Marks, Pages, Payloads, Segment, Start};
        let all = [Info, Dictionary, Segment, Payloads, Keyframes, Directory, Pages, Marks, Start];
        all.into_iter().find(|kind| *kind as u32 == number)
    }
}

/// The header of a block: 24 bytes before its content.
#[derive(Clone, Copy, Debug)]
struct BlockHead {
    kind: BlockKind,
    /// Bytes of content; the next block begins at the next multiple of 8.
    n_bytes: u64,
    /// CRC-32 of the content.
    checksum: u32,
}

impl BlockHead {
    fn to_bytes(self) -> [u8; BLOCK_HEAD_BYTES] {
        let mut bytes = [0; BLOCK_HEAD_BYTES];
        bytes[..4].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&(self.kind as u32).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.n_bytes.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.checksum.to_le_bytes());
        let own_checksum = crc32fast::hash(&bytes[..20]);
        bytes[20..].copy_from_slice(&own_checksum.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Option<BlockHead> {
        let mut reader = Reader::new(bytes.get(..BLOCK_HEAD_BYTES)?);
        let magic = reader.u32()?;
        let head =
            BlockHead { kind: BlockKind::from_u32(reader.u32()?)?, n_bytes: reader.u64()?, checksum: reader.u32()? };
        (magic == BLOCK_MAGIC && reader.u32()? == crc32fast::hash(&bytes[..20])).then_some(head)
    }
}

/// A block of a file: its header and where its content lies.
#[derive(Clone, Debug)]
struct Block {
    head: BlockHead,
    content: Range<usize>,
}

impl Block {
    /// The block at `offset`; `None` when its header is damaged. Of one that reaches beyond the file the content is what is there.
    fn at(file: &[u8], offset: usize) -> Option<Block> {
        let head = BlockHead::read(file.get(offset..)?)?;
        let begin = offset + BLOCK_HEAD_BYTES;
        let claimed = begin.checked_add(usize::try_from(head.n_bytes).ok()?)?;
        // No arithmetic with the length may overflow.
        claimed.checked_next_multiple_of(8)?;
        Some(Block { head, content: begin..claimed.min(file.len()) })
    }
    /// Bytes from the content's begin to the next block: blocks lie at multiples of 8 from each other, wherever the first lies.
    fn padded_len(&self) -> usize {
        (self.head.n_bytes as usize).next_multiple_of(8)
    }
    /// Where the next block begins.
    fn next(&self) -> usize {
        self.content.start + self.padded_len()
    }
    /// Whether the file ends inside of it.
    fn is_cut(&self) -> bool {
        (self.content.len() as u64) < self.head.n_bytes
    }
    fn is_intact(&self, file: &[u8]) -> bool {
        !self.is_cut() && crc32fast::hash(&file[self.content.clone()]) == self.head.checksum
    }
}

/// The last bytes of a file: where its directory is.
fn trailer(directory_offset: u64) -> [u8; TRAILER_BYTES] {
    let mut bytes = [0; TRAILER_BYTES];
    bytes[..8].copy_from_slice(&TRAILER_MAGIC.to_le_bytes());
    bytes[8..16].copy_from_slice(&directory_offset.to_le_bytes());
    let checksum = crc32fast::hash(&bytes[..16]);
    bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// The offset of the directory that an intact trailer at the file's end names.
fn directory_offset(file: &[u8]) -> Option<usize> {
    trailer_offset(file.last_chunk()?)
}

/// The offset that an intact trailer has.
fn trailer_offset(bytes: &[u8; TRAILER_BYTES]) -> Option<usize> {
    let mut reader = Reader::new(bytes);
    let (magic, offset, checksum) = (reader.u64()?, reader.u64()?, reader.u32()?);
    let is_intact = magic == TRAILER_MAGIC && checksum == crc32fast::hash(&bytes[..16]);
    if is_intact { usize::try_from(offset).ok() } else { None }
}

/// Gives bytes to every reader of small contents.
#[cfg(test)]
pub fn read_all_forms(bytes: &[u8]) {
    let dictionaries = super::Dictionaries::default();
    for version in [2, 3] {
        let _ = directory::Directory::read(bytes, bytes.len(), version);
        let _ = super::segment::Head::read(&mut Reader::new(bytes), version);
    }
    let mut rows = super::rows::RowReader { bytes: Reader::new(bytes), dictionaries: &dictionaries };
    let _ = rows.row(crate::model::Pid::local(1).into());
}
