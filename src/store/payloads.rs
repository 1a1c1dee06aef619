//! Payloads of one segment: an arena with deduplication while the segment is open, compressed blocks
//! when it is sealed, and a small cache of blocks that were decompressed.
//!
//! The payload stream of a segment is the concatenation of its distinct payloads in order of first
//! appearance. It is cut into blocks of about [`BLOCK_BYTES`]; a payload never straddles two blocks,
//! so that one decompression gives it whole.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::Hasher;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zstd::zstd_safe::DCtx;

use super::columns::Columns;
use super::grams;
use crate::model::limits;

/// Bytes of the payload stream in one block, more only when a single payload is larger.
pub const BLOCK_BYTES: usize = 64 << 10;
/// Bytes of the first one: any other is read with it, so a look-up reads both.
const FIRST_BLOCK_BYTES: usize = 32 << 10;
/// Bytes of the first block that serve the others as past.
const PAST_BYTES_MAX: usize = 64 << 10;
/// Blocks that are kept decompressed.
const CACHED_BLOCKS: usize = 16;
/// Bytes of them, besides the newest.
const CACHED_BYTES_MAX: usize = 64 << 20;
/// Set in a block's stored length when its bytes are not compressed.
const PLAIN: u32 = 1 << 31;

/// The payloads of the open tail. Payload numbers count from 1; 0 is "none".
#[derive(Clone, Debug)]
pub struct PayloadArena {
    /// The payload stream.
    pub stream: Vec<u8>,
    /// By some bits of the content hash: other bits of it, and the number of the newest payload with them.
    /// A collision forgets the older payload: repeats are nearly always of a recent one (a send and its
    /// receive), and a table that stays in the cache is worth more than the last repeat.
    slots: Vec<[u32; 2]>,
}

const N_SLOTS: usize = 1 << 14;

impl Default for PayloadArena {
    fn default() -> PayloadArena {
        PayloadArena { stream: Vec::new(), slots: vec![[0; 2]; N_SLOTS] }
    }
}

impl PayloadArena {
    /// The number of `payload`, stored now unless the very same bytes were there lately; 0 when it is empty.
    /// Invariant kept by the caller: `ends` are the ends of this arena's payloads, at most 65 534 of them.
    pub fn intern(&mut self, payload: &[u8], ends: &mut Vec<[u8; 4]>) -> u16 {
        if payload.is_empty() {
            return 0;
        }
        let mut hasher = rustc_hash::FxHasher::default();
        hasher.write(payload);
        let hash = hasher.finish();
        let (slot, tag) = (hash as usize % N_SLOTS, (hash >> 32) as u32);
        let [found, number] = self.slots[slot];
        if found == tag && number > 0 && self.payload(number as u16, ends) == payload {
            return number as u16;
        }
        self.stream.extend_from_slice(payload);
        ends.push((self.stream.len() as u32).to_le_bytes());
        self.slots[slot] = [tag, ends.len() as u32];
        ends.len() as u16
    }

    fn payload(&self, number: u16, ends: &[[u8; 4]]) -> &[u8] {
        let end = |number: u16| u32::from_le_bytes(ends[usize::from(number) - 1]) as usize;
        let begin = if number == 1 { 0 } else { end(number - 1) };
        &self.stream[begin..end(number)]
    }

    /// Forgets all payloads, keeps the memory.
    pub fn clear(&mut self) {
        if !self.stream.is_empty() {
            self.stream.clear();
            self.slots.fill([0; 2]);
        }
    }
}

/// One block: where it begins in the payload stream, where its stored bytes lie, and their checksum.
#[derive(Clone, Copy, Debug)]
struct Block {
    stream_begin: u32,
    stored_begin: u32,
    stored_len: u32,
    is_plain: bool,
    checksum: u32,
}

impl Block {
    fn to_bytes(self) -> [u8; 16] {
        let len = self.stored_len | if self.is_plain { PLAIN } else { 0 };
        let words = [self.stream_begin, self.stored_begin, len, self.checksum];
        let mut bytes = [0; 16];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
    fn from_bytes(bytes: &[u8; 16]) -> Block {
        let word = |n: usize| u32::from_le_bytes([bytes[n], bytes[n + 1], bytes[n + 2], bytes[n + 3]]);
        let len = word(8);
        Block {
            stream_begin: word(0),
            stored_begin: word(4),
            stored_len: len & !PLAIN,
            is_plain: len & PLAIN != 0,
            checksum: word(12),
        }
    }
}

/// A payload stream in compressed blocks.
#[derive(Default)]
pub struct Stored {
    /// The block table.
    pub blocks: Vec<[u8; 16]>,
    pub bytes: Vec<u8>,
    /// Where each block's text filter begins, one more for the end, and the filters.
    pub gram_starts: Vec<[u8; 4]>,
    pub grams: Vec<[u8; 1]>,
}

/// Cuts the payload stream into blocks and compresses them.
pub fn compress(stream: &[u8], ends: &[[u8; 4]]) -> Stored {
    compress_as(stream, ends, Effort { level: 1, first_bytes: FIRST_BLOCK_BYTES, block_bytes: BLOCK_BYTES })
}

/// How payloads are compressed.
#[derive(Clone, Copy)]
pub struct Effort {
    /// Of zstd. Of a broker's trace, level 1 leaves 13.3 bytes an event in 144 ns, 3 leaves 12.8 in 171, 5 leaves 12.2 in 381.
    pub level: i32,
    /// Of the first block, and of the others.
    pub first_bytes: usize,
    pub block_bytes: usize,
}

/// As [`compress`], with another effort.
pub fn compress_as(stream: &[u8], ends: &[[u8; 4]], effort: Effort) -> Stored {
    let encoder = encoder(None, effort.level);
    let mut compressor = Compressor { stream, first: None, encoder, level: effort.level, stored: Stored::default() };
    let (mut begin, mut end) = (0, 0);
    for next in ends.iter().map(|end| u32::from_le_bytes(*end) as usize) {
        let n_bytes_max = if compressor.first.is_none() { effort.first_bytes } else { effort.block_bytes };
        if next - begin > n_bytes_max && end > begin {
            compressor.push(begin..end);
            begin = end;
        }
        end = next;
    }
    if end > begin {
        compressor.push(begin..end);
    }
    let mut stored = compressor.stored;
    stored.gram_starts.push((stored.grams.len() as u32).to_le_bytes());
    stored
}

struct Compressor<'s> {
    stream: &'s [u8],
    /// The first block: the others are compressed with its bytes as their past.
    first: Option<Range<usize>>,
    encoder: Option<zstd::bulk::Compressor<'s>>,
    level: i32,
    stored: Stored,
}

/// `None` when the library has no memory: then blocks stay plain.
fn encoder(past: Option<&[u8]>, level: i32) -> Option<zstd::bulk::Compressor<'static>> {
    let mut encoder = match past {
        Some(past) => zstd::bulk::Compressor::with_dictionary(level, past).ok()?,
        None => zstd::bulk::Compressor::new(level).ok()?,
    };
    // Blocks have checksums and lengths of their own.
    encoder.include_contentsize(false).ok()?;
    encoder.include_dictid(false).ok()?;
    Some(encoder)
}

impl Compressor<'_> {
    fn push(&mut self, range: Range<usize>) {
        let (plain, stored) = (&self.stream[range.clone()], &mut self.stored);
        stored.gram_starts.push((stored.grams.len() as u32).to_le_bytes());
        stored.grams.extend(grams::filter(plain).into_iter().map(|byte| [byte]));
        let packed = self.encoder.as_mut().and_then(|encoder| encoder.compress(plain).ok());
        let packed = packed.filter(|packed| packed.len() < plain.len());
        let bytes = packed.as_deref().unwrap_or(plain);
        let block = Block {
            stream_begin: range.start as u32,
            stored_begin: stored.bytes.len() as u32,
            stored_len: bytes.len() as u32,
            is_plain: packed.is_none(),
            checksum: crc32fast::hash(bytes),
        };
        stored.blocks.push(block.to_bytes());
        stored.bytes.extend_from_slice(bytes);
        if self.first.is_none() {
            self.encoder = encoder(Some(past_of(plain)), self.level);
            self.first = Some(range);
        }
    }
}

/// The part of a segment's first block that the others are compressed with.
fn past_of(first: &[u8]) -> &[u8] {
    &first[..first.len().min(PAST_BYTES_MAX)]
}

/// Whether a block table fits its stored bytes and its payload stream: what [`decompress`] relies on.
pub fn are_blocks_sound(columns: &Columns<'_>, n_stored: usize) -> bool {
    let n_stream = columns.n_stream() as u32;
    let blocks = columns.blocks.iter().map(Block::from_bytes);
    let next_begins = blocks.clone().skip(1).map(|next| next.stream_begin).chain([n_stream]);
    let mut stored_end = 0usize;
    let mut is_sound = columns.blocks.first().map(Block::from_bytes).map_or(0, |first| first.stream_begin) == 0;
    for (block, next_begin) in blocks.zip(next_begins) {
        // What a block claims to hold is what a reader allocates: a larger one than usual must be one payload.
        let n_plain = next_begin.checked_sub(block.stream_begin).map(|n| n as usize);
        let is_justified =
            |n: usize| if block.is_plain { n == block.stored_len as usize } else { n <= limits::PAYLOAD_BYTES_MAX };
        is_sound &= n_plain.is_some_and(is_justified) && block.stored_begin as usize == stored_end;
        stored_end += block.stored_len as usize;
    }
    // A segment is sealed with the event by which its payloads are too many.
    let n_stream_max = limits::SEGMENT_PAYLOAD_BYTES + limits::PAYLOAD_BYTES_MAX;
    is_sound
        && stored_end == n_stored
        && n_stream as usize <= n_stream_max
        && (n_stream == 0 || !columns.blocks.is_empty())
}

/// A payload's bytes, borrowed from the open tail or shared with the cache.
pub enum Payload<'r> {
    Open(&'r [u8]),
    Cached(Arc<Vec<u8>>, Range<usize>),
}

impl std::ops::Deref for Payload<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Payload::Open(bytes) => bytes,
            Payload::Cached(block, range) => &block[range.clone()],
        }
    }
}

/// Blocks that were decompressed last, and those that could not be. A clone begins empty.
#[derive(Default)]
pub struct BlockCache {
    state: Mutex<CacheState>,
}

#[derive(Default)]
struct CacheState {
    /// Newest first.
    blocks: Vec<CachedBlock>,
    /// Segment start and block.
    damaged: BTreeSet<(u64, usize)>,
}

struct CachedBlock {
    segment_start: u64,
    block_idx: usize,
    bytes: Arc<Vec<u8>>,
}

impl BlockCache {
    /// Payload `number` of a sealed segment with sound blocks; `None` when its block is damaged.
    /// Costs a decompression of [`BLOCK_BYTES`] (about 60 µs) unless the block is among the last used.
    pub fn payload<'r>(&self, columns: &Columns<'_>, stored: &[u8], number: u16) -> Option<Payload<'r>> {
        let range = columns.payload_range(number);
        let (block_idx, stream_begin) = block_at(columns.blocks, range.start)?;
        let bytes = self.block(columns, stored, block_idx)?;
        let range = range.start - stream_begin..range.end - stream_begin;
        bytes.get(range.clone())?;
        Some(Payload::Cached(bytes, range))
    }

    fn block(&self, columns: &Columns<'_>, stored: &[u8], block_idx: usize) -> Option<Arc<Vec<u8>>> {
        let mut state = self.state();
        let is_it = |b: &CachedBlock| b.segment_start == columns.start && b.block_idx == block_idx;
        if let Some(place) = state.blocks.iter().position(is_it) {
            state.blocks[..=place].rotate_right(1);
            return Some(state.blocks[0].bytes.clone());
        }
        drop(state);
        let past = if block_idx == 0 { None } else { Some(self.block(columns, stored, 0)?) };
        let bytes = decompress(columns, stored, block_idx, past.as_ref().map(|past| &past[..])).map(Arc::new);
        let mut state = self.state();
        let Some(bytes) = bytes else {
            drop(state);
            self.note_damage(columns.start, block_idx);
            return None;
        };
        state.blocks.truncate(CACHED_BLOCKS - 1);
        while state.blocks.iter().map(|block| block.bytes.len()).sum::<usize>() > CACHED_BYTES_MAX {
            state.blocks.pop();
        }
        state.blocks.insert(0, CachedBlock { segment_start: columns.start, block_idx, bytes: bytes.clone() });
        Some(bytes)
    }

    /// Remembers that a block of the segment that begins with event `start` could not be read.
    pub fn note_damage(&self, start: u64, block_idx: usize) {
        self.state().damaged.insert((start, block_idx));
    }
    /// Damaged blocks that were asked for so far: the segment's first event and the block.
    pub fn damaged(&self) -> Vec<(u64, usize)> {
        self.state().damaged.iter().copied().collect()
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole payload stream of a segment; `None` when a block is damaged.
pub fn inflate(columns: &Columns<'_>, stored: &[u8]) -> Option<Vec<u8>> {
    let mut stream = Vec::with_capacity(columns.n_stream());
    let mut reader = BlockReader::new(columns, stored);
    for block_idx in 0..columns.blocks.len() {
        stream.extend_from_slice(&reader.read(block_idx)?);
    }
    Some(stream)
}

/// Reads blocks of one segment past the cache, one decoder for all.
pub struct BlockReader<'c> {
    columns: &'c Columns<'c>,
    stored: &'c [u8],
    /// The first block; `None` inside: it is damaged.
    first: Option<Option<Cow<'c, [u8]>>>,
}

impl<'c> BlockReader<'c> {
    pub fn new(columns: &'c Columns<'c>, stored: &'c [u8]) -> BlockReader<'c> {
        BlockReader { columns, stored, first: None }
    }
    /// Where a block lies in the payload stream.
    pub fn stream_range(&self, block_idx: usize) -> Range<usize> {
        let begin = |block: &[u8; 16]| Block::from_bytes(block).stream_begin as usize;
        let end = self.columns.blocks.get(block_idx + 1).map_or_else(|| self.columns.n_stream(), begin);
        begin(&self.columns.blocks[block_idx])..end
    }
    /// A block's bytes; `None` when it is damaged.
    pub fn read(&mut self, block_idx: usize) -> Option<Cow<'c, [u8]>> {
        let block = Block::from_bytes(&self.columns.blocks[block_idx]);
        let bytes = stored_bytes(&block, self.stored)?;
        if block.is_plain {
            return Some(Cow::Borrowed(bytes));
        }
        let n_plain = self.stream_range(block_idx).len();
        if block_idx == 0 {
            return inflated(bytes, &[], n_plain).map(Cow::Owned);
        }
        if self.first.is_none() {
            self.first = Some(self.read(0));
        }
        let first = self.first.as_ref()?.as_ref()?;
        inflated(bytes, past_of(first), n_plain).map(Cow::Owned)
    }
}

/// A block's stored bytes, when they have its checksum.
fn stored_bytes<'s>(block: &Block, stored: &'s [u8]) -> Option<&'s [u8]> {
    let bytes = stored.get(block.stored_begin as usize..)?.get(..block.stored_len as usize)?;
    (crc32fast::hash(bytes) == block.checksum).then_some(bytes)
}

thread_local! {
    /// Making a decoder costs as much as inflating a block of 16 KiB.
    static DECODER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

/// The `n_plain` bytes that were compressed with `past` before them.
fn inflated(bytes: &[u8], past: &[u8], n_plain: usize) -> Option<Vec<u8>> {
    DECODER.with_borrow_mut(|decoder| {
        if decoder.is_none() {
            *decoder = DCtx::try_create();
        }
        let mut plain = Vec::with_capacity(n_plain);
        decoder.as_mut()?.decompress_using_dict(&mut plain, bytes, past).ok()?;
        (plain.len() == n_plain).then_some(plain)
    })
}

/// The blocks whose stored bytes do not have their checksums.
pub fn damaged_blocks<'c>(columns: &Columns<'c>, stored: &'c [u8]) -> impl Iterator<Item = usize> + 'c {
    let blocks = columns.blocks.iter().map(Block::from_bytes).enumerate();
    blocks.filter(move |(_, block)| stored_bytes(block, stored).is_none()).map(|(block_idx, _)| block_idx)
}

/// Inflates a block; `past` is the segment's first block, for any but that one.
fn decompress(columns: &Columns<'_>, stored: &[u8], block_idx: usize, past: Option<&[u8]>) -> Option<Vec<u8>> {
    inflate_block(columns.blocks, columns.n_stream(), stored, block_idx, past)
}

/// As [`decompress`], where nothing is known to be sound: `n_stream` are the bytes of the payload stream.
pub fn inflate_block(
    blocks: &[[u8; 16]],
    n_stream: usize,
    stored: &[u8],
    block_idx: usize,
    past: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let block = Block::from_bytes(blocks.get(block_idx)?);
    let stream_end = blocks.get(block_idx + 1).map_or(n_stream, |next| Block::from_bytes(next).stream_begin as usize);
    let bytes = stored_bytes(&block, stored)?;
    if block.is_plain {
        return Some(bytes.to_vec());
    }
    let n_plain = stream_end.checked_sub(block.stream_begin as usize).filter(|n| *n <= limits::PAYLOAD_BYTES_MAX)?;
    inflated(bytes, past.map_or(&[], past_of), n_plain)
}

/// The block that holds byte `at` of the payload stream, and where that block begins in it.
pub fn block_at(blocks: &[[u8; 16]], at: usize) -> Option<(usize, usize)> {
    let begins_after = |block: &[u8; 16]| Block::from_bytes(block).stream_begin as usize <= at;
    let block_idx = blocks.partition_point(begins_after).checked_sub(1)?;
    Some((block_idx, Block::from_bytes(&blocks[block_idx]).stream_begin as usize))
}

/// Where a block lies in the Payloads block.
pub fn stored_range(blocks: &[[u8; 16]], block_idx: usize) -> Range<usize> {
    let block = blocks.get(block_idx).map(Block::from_bytes);
    block.map_or(0..0, |block| {
        let begin = block.stored_begin as usize;
        begin..begin + block.stored_len as usize
    })
}

/// Bytes of the Payloads block that a block table describes.
pub fn stored_len(blocks: &[[u8; 16]]) -> usize {
    blocks.last().map(Block::from_bytes).map_or(0, |last| last.stored_begin as usize + last.stored_len as usize)
}

impl Clone for BlockCache {
    fn clone(&self) -> BlockCache {
        BlockCache::default()
    }
}

impl std::fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlockCache")
    }
}
