//! Payloads of one segment: an arena with deduplication while the segment is open, compressed blocks
//! when it is sealed, and a small cache of blocks that were decompressed.
//!
//! The payload stream of a segment is the concatenation of its distinct payloads in order of first
//! appearance. It is cut into blocks of about [`BLOCK_BYTES`]; a payload never straddles two blocks,
//! so that one decompression gives it whole.

use std::collections::BTreeSet;
use std::hash::Hasher;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::columns::Columns;
use super::grams;

/// Bytes of the payload stream in one block, more only when a single payload is larger.
pub const BLOCK_BYTES: usize = 64 << 10;
/// Blocks that are kept decompressed.
const CACHED_BLOCKS: usize = 16;
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
    let mut stored = Stored { bytes: Vec::with_capacity(stream.len() / 2), ..Stored::default() };
    let mut begin = 0;
    let mut end = 0;
    for next in ends.iter().map(|end| u32::from_le_bytes(*end) as usize) {
        if next - begin > BLOCK_BYTES && end > begin {
            stored.push(stream, begin..end);
            begin = end;
        }
        end = next;
    }
    if end > begin {
        stored.push(stream, begin..end);
    }
    stored.gram_starts.push((stored.grams.len() as u32).to_le_bytes());
    stored
}

impl Stored {
    fn push(&mut self, stream: &[u8], range: Range<usize>) {
        self.gram_starts.push((self.grams.len() as u32).to_le_bytes());
        self.grams.extend(grams::filter(&stream[range.clone()]).into_iter().map(|byte| [byte]));
        self.blocks.push(compress_block(stream, range, &mut self.bytes).to_bytes());
    }
}

fn compress_block(stream: &[u8], range: Range<usize>, stored: &mut Vec<u8>) -> Block {
    let plain = &stream[range.clone()];
    let stored_begin = stored.len();
    stored.resize(stored_begin + lz4_flex::block::get_maximum_output_size(plain.len()), 0);
    let n_compressed = lz4_flex::block::compress_into(plain, &mut stored[stored_begin..])
        .expect("the output has lz4's stated maximum size");
    let is_plain = n_compressed >= plain.len();
    if is_plain {
        stored[stored_begin..stored_begin + plain.len()].copy_from_slice(plain);
    }
    stored.truncate(stored_begin + if is_plain { plain.len() } else { n_compressed });
    Block {
        stream_begin: range.start as u32,
        stored_begin: stored_begin as u32,
        stored_len: (stored.len() - stored_begin) as u32,
        is_plain,
        checksum: crc32fast::hash(&stored[stored_begin..]),
    }
}

/// Whether a block table fits its stored bytes and its payload stream: what [`decompress`] relies on.
pub fn are_blocks_sound(columns: &Columns<'_>, n_stored: usize) -> bool {
    let n_stream = columns.n_stream() as u32;
    let blocks = columns.blocks.iter().map(Block::from_bytes);
    let next_begins = blocks.clone().skip(1).map(|next| next.stream_begin).chain([n_stream]);
    let mut stored_end = 0usize;
    let mut is_sound = columns.blocks.first().map(Block::from_bytes).map_or(0, |first| first.stream_begin) == 0;
    for (block, next_begin) in blocks.zip(next_begins) {
        // lz4 never makes more than 255 bytes of one: what a block claims must be justified by its size.
        let n_plain_max = if block.is_plain { 1 } else { 255 } * block.stored_len as usize;
        let n_plain = next_begin.checked_sub(block.stream_begin).map(|n| n as usize);
        is_sound &= n_plain.is_some_and(|n| n <= n_plain_max) && block.stored_begin as usize == stored_end;
        stored_end += block.stored_len as usize;
    }
    is_sound && stored_end == n_stored && (n_stream == 0 || !columns.blocks.is_empty())
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
    /// Costs a decompression of [`BLOCK_BYTES`] (about 30 µs) unless the block is among the last used.
    pub fn payload<'r>(&self, columns: &Columns<'_>, stored: &[u8], number: u16) -> Option<Payload<'r>> {
        let range = columns.payload_range(number);
        let begins_after = |block: &[u8; 16]| Block::from_bytes(block).stream_begin as usize <= range.start;
        let block_idx = columns.blocks.partition_point(begins_after).checked_sub(1)?;
        let stream_begin = Block::from_bytes(&columns.blocks[block_idx]).stream_begin as usize;
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
        let Some(bytes) = decompress(columns, stored, block_idx).map(Arc::new) else {
            state.damaged.insert((columns.start, block_idx));
            return None;
        };
        state.blocks.truncate(CACHED_BLOCKS - 1);
        state.blocks.insert(0, CachedBlock { segment_start: columns.start, block_idx, bytes: bytes.clone() });
        Some(bytes)
    }

    /// Damaged blocks that were asked for so far: the segment's first event and the block.
    pub fn damaged(&self) -> Vec<(u64, usize)> {
        self.state().damaged.iter().copied().collect()
    }

    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first block whose stored bytes do not have its checksum.
pub fn damaged_block(columns: &Columns<'_>, stored: &[u8]) -> Option<usize> {
    columns.blocks.iter().map(Block::from_bytes).position(|block| {
        let bytes = stored.get(block.stored_begin as usize..).and_then(|rest| rest.get(..block.stored_len as usize));
        bytes.is_none_or(|bytes| crc32fast::hash(bytes) != block.checksum)
    })
}

fn decompress(columns: &Columns<'_>, stored: &[u8], block_idx: usize) -> Option<Vec<u8>> {
    let block = Block::from_bytes(&columns.blocks[block_idx]);
    let n_stream = columns.n_stream() as u32;
    let stream_end = columns.blocks.get(block_idx + 1).map_or(n_stream, |next| Block::from_bytes(next).stream_begin);
    let bytes = stored.get(block.stored_begin as usize..)?.get(..block.stored_len as usize)?;
    if crc32fast::hash(bytes) != block.checksum {
        return None;
    }
    if block.is_plain {
        return Some(bytes.to_vec());
    }
    lz4_flex::block::decompress(bytes, (stream_end - block.stream_begin) as usize).ok()
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
