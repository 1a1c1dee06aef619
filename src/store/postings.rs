//! Posting lists of one segment: in which events an actor is the process, or the peer, or a tag stands.
//! A number that appears a few times has the indexes themselves; one that appears often has the number of times and a bit for each
//! chunk of [`CHUNK_EVENTS`] events, whose events are then tested: so no list is longer than 36 bytes.
//!
//! In a section, `starts[n]..starts[n + 1]` are the bytes of number `n`'s list: indexes (u16 each), or, when 36 bytes long,
//! the number of events (u32) and 256 bits.

use std::ops::Range;

use super::columns::Columns;

/// Events of one bit.
pub const CHUNK_EVENTS: usize = 256;
/// Indexes that are listed one by one.
const LISTED_MAX: usize = 15;
const MASK_BYTES: usize = 4 + 32;

/// Which column a posting list indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Process,
    Peer,
    Tag,
}

/// The events of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Posting<'a> {
    /// All indexes, ascending.
    List(&'a [[u8; 2]]),
    /// How many, and the chunks in which they are.
    Chunks { n_events: u32, bits: [u64; 4] },
}

/// Starts (`n_numbers + 1`) and lists of a column, whose numbers count from `first`; what is less is none.
pub fn build(column: &[u16], first: u16, n_numbers: usize) -> (Vec<[u8; 4]>, Vec<[u8; 1]>) {
    // One more at the front, for none.
    let place = |number: u16| usize::from(number + 1 - first);
    let mut counts = vec![0u32; n_numbers + 1];
    column.iter().for_each(|number| counts[place(*number)] += 1);
    let mut next = vec![0usize; n_numbers + 1];
    let mut starts = Vec::with_capacity(n_numbers + 1);
    let mut end = 0usize;
    for (next, count) in next.iter_mut().zip(&counts).skip(1) {
        starts.push((end as u32).to_le_bytes());
        *next = end;
        end += if *count as usize <= LISTED_MAX { *count as usize * 2 } else { MASK_BYTES };
    }
    starts.push((end as u32).to_le_bytes());
    let mut lists = vec![[0u8]; end];
    for (idx, number) in column.iter().enumerate().filter(|(_, number)| **number >= first) {
        let (count, at) = (counts[place(*number)], &mut next[place(*number)]);
        if count as usize <= LISTED_MAX {
            lists.as_flattened_mut()[*at..*at + 2].copy_from_slice(&(idx as u16).to_le_bytes());
            *at += 2;
        } else {
            let chunk = idx / CHUNK_EVENTS;
            lists[*at + 4 + chunk / 8][0] |= 1 << (chunk % 8);
        }
    }
    for (count, at) in counts.iter().zip(next).skip(1).filter(|(count, _)| **count as usize > LISTED_MAX) {
        lists.as_flattened_mut()[at..at + 4].copy_from_slice(&count.to_le_bytes());
    }
    (starts, lists)
}

/// Whether a section of lists can be read: for [`super::segment::Segment::check`].
pub fn are_sound(starts: &[[u8; 4]], lists: &[[u8; 1]], n_numbers: usize, n_events: usize) -> bool {
    let mut before = 0;
    let mut is_sound = starts.len() == n_numbers + 1;
    for start in starts {
        let start = u32::from_le_bytes(*start) as usize;
        is_sound &= start >= before && start <= lists.len();
        if !is_sound {
            return false;
        }
        let list = lists[before..start].as_flattened();
        is_sound &= match list.len() {
            MASK_BYTES => true,
            n if n <= 2 * LISTED_MAX && n.is_multiple_of(2) => {
                list.as_chunks().0.iter().all(|idx| usize::from(u16::from_le_bytes(*idx)) < n_events)
            }
            _ => false,
        };
        before = start;
    }
    is_sound && before == lists.len()
}

impl<'a> Columns<'a> {
    /// The posting list of a local number; only in sealed segments.
    pub fn posting(&self, role: Role, local: usize) -> Posting<'a> {
        let (starts, lists) = match role {
            Role::Process => (self.process_starts, self.process_lists),
            Role::Peer => (self.peer_starts, self.peer_lists),
            Role::Tag => (self.tag_starts, self.tag_lists),
        };
        let place = |idx: usize| starts.get(idx).map_or(0, |start| u32::from_le_bytes(*start) as usize);
        let list = lists.get(place(local)..place(local + 1)).unwrap_or_default().as_flattened();
        let Some((count, bits)) = list.split_first_chunk().filter(|_| list.len() == MASK_BYTES) else {
            return Posting::List(list.as_chunks().0);
        };
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bits.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Posting::Chunks { n_events: u32::from_le_bytes(*count), bits: words }
    }
}

impl Posting<'_> {
    pub fn n_events(&self) -> u64 {
        match self {
            Posting::List(list) => list.len() as u64,
            Posting::Chunks { n_events, .. } => (*n_events).into(),
        }
    }
    /// Events that must be tested to find them.
    pub fn n_candidates(&self) -> usize {
        match self {
            Posting::List(list) => list.len(),
            Posting::Chunks { bits, .. } => bits.iter().map(|word| word.count_ones() as usize * CHUNK_EVENTS).sum(),
        }
    }
}

/// Candidates of several posting lists together, of `n_events` events.
pub struct Union {
    indexes: Vec<u16>,
    chunks: [u64; 4],
}

impl Union {
    pub fn of<'p>(postings: impl Iterator<Item = Posting<'p>>) -> Union {
        let mut union = Union { indexes: Vec::new(), chunks: [0; 4] };
        for posting in postings {
            match posting {
                Posting::List(list) => union.indexes.extend(list.iter().map(|idx| u16::from_le_bytes(*idx))),
                Posting::Chunks { bits, .. } => union.chunks.iter_mut().zip(bits).for_each(|(all, own)| *all |= own),
            }
        }
        union.indexes.sort_unstable();
        union.indexes.dedup();
        union
    }
    /// Whether every candidate is an event that was looked for.
    pub fn is_exact(&self) -> bool {
        self.chunks == [0; 4]
    }
    /// The indexes, when no chunks must be tested.
    pub fn into_indexes(self) -> Vec<u16> {
        self.indexes
    }
    /// All candidates as ascending, disjoint ranges of indexes below `n_events`.
    pub fn ranges(&self, n_events: usize) -> Vec<Range<u32>> {
        let mut bits = self.chunks;
        for idx in &self.indexes {
            let chunk = usize::from(*idx) / CHUNK_EVENTS;
            bits[chunk / 64] |= 1 << (chunk % 64);
        }
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for chunk in (0..n_events.div_ceil(CHUNK_EVENTS)).filter(|chunk| bits[chunk / 64] >> (chunk % 64) & 1 == 1) {
            let (begin, end) = (chunk * CHUNK_EVENTS, ((chunk + 1) * CHUNK_EVENTS).min(n_events));
            match ranges.last_mut() {
                Some(last) if last.end as usize == begin => last.end = end as u32,
                _ => ranges.push(begin as u32..end as u32),
            }
        }
        ranges
    }
}
