//! The open tail: the events of the segment that is being filled. Its memory is used again for a
//! later segment, so that appending allocates nothing.

use super::columns::{Columns, OpenColumns};
use super::dictionary::{Dictionaries, LocalNumbers};
use super::payloads::PayloadArena;
use crate::model::{NewEvent, limits};
use rustc_hash::FxHashMap;

/// Distinct actors, tags, calls or payloads of one segment: an event may bring two, and numbers fit 16 bits.
const NUMBERS_MAX: usize = u16::MAX as usize - 2;

/// Events `start..start + len`.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    start: u64,
    columns: OpenColumns,
    actors: LocalNumbers,
    tags: LocalNumbers,
    call_places: FxHashMap<u64, u16>,
    payloads: PayloadArena,
    /// Times of the earliest and of the latest event.
    time_range_ns: Option<(i64, i64)>,
}

impl Tail {
    /// An empty tail whose first event will be `start`.
    pub fn new(start: u64) -> Tail {
        Tail { start, ..Tail::default() }
    }
    pub fn start(&self) -> u64 {
        self.start
    }
    /// The seq after its last event.
    pub fn end(&self) -> u64 {
        self.start + self.len() as u64
    }
    pub fn len(&self) -> usize {
        self.columns.kind.len()
    }
    /// Whether the next event could be one too many for a segment.
    pub fn is_full(&self) -> bool {
        self.len() >= limits::SEGMENT_EVENTS
            || self.actors.globals.len() > NUMBERS_MAX
            || self.tags.globals.len() > NUMBERS_MAX
            || self.columns.calls.len() > NUMBERS_MAX
            || self.columns.payload_ends.len() > NUMBERS_MAX
            || self.payloads.stream.len() >= limits::SEGMENT_PAYLOAD_BYTES
    }
    pub fn columns(&self) -> Columns<'_> {
        let columns = self.columns.view(self.start);
        Columns { actors: &self.actors.globals, tags: &self.tags.globals, ..columns }
    }
    /// Payload `number`, from 1.
    pub fn payload(&self, number: u16) -> &[u8] {
        &self.payloads.stream[self.columns().payload_range(number)]
    }
    /// The payload stream, cut by [`OpenColumns::payload_ends`].
    pub fn stream(&self) -> (&[u8], &[[u8; 4]]) {
        (&self.payloads.stream, &self.columns.payload_ends)
    }
    /// The latest time in it.
    pub fn time_max_ns(&self) -> Option<i64> {
        self.time_range_ns.map(|(_, latest_ns)| latest_ns)
    }
    /// The earliest and the latest time in it.
    pub fn time_range_ns(&self) -> Option<(i64, i64)> {
        self.time_range_ns
    }
    /// Bytes in use, about.
    pub fn n_bytes(&self) -> usize {
        self.payloads.stream.len() + self.len() * 24
    }

    /// Appends an event. Invariant kept by the caller: the tail is not full.
    pub fn push(&mut self, new: &NewEvent<'_>, dictionaries: &mut Dictionaries) {
        let idx = self.len();
        let mut local_actor = |actor| self.actors.intern(dictionaries.actors.intern(actor));
        let process = local_actor(new.process);
        let peer = new.peer.map_or(0, |peer| local_actor(peer) + 1);
        let tag = new.tag.map_or(0, |tag| self.tags.intern(dictionaries.tags.intern(tag)) + 1);
        let call = new.call.map_or(0, |call| {
            *self.call_places.entry(call.0).or_insert_with(|| {
                self.columns.calls.push(call.0.to_le_bytes());
                self.columns.calls.len() as u16
            })
        });
        let columns = &mut self.columns;
        columns.push_time(idx, new.at_ns);
        columns.push_cause(idx, self.start + idx as u64, new.cause);
        columns.kind.push([new.kind as u8]);
        columns.class.push(new.class as u8);
        columns.process.push(process.to_le_bytes());
        columns.peer.push(peer.to_le_bytes());
        columns.tag.push(tag.to_le_bytes());
        columns.call.push(call.to_le_bytes());
        let payload = self.payloads.intern(new.payload, &mut columns.payload_ends);
        columns.payload.push(payload.to_le_bytes());
        let meta = self.payloads.intern(new.meta, &mut columns.payload_ends);
        if meta > 0 {
            let [idx_low, idx_high] = (idx as u16).to_le_bytes();
            let [meta_low, meta_high] = meta.to_le_bytes();
            columns.meta.push([idx_low, idx_high, meta_low, meta_high]);
        }
        let (min_ns, max_ns) = self.time_range_ns.unwrap_or((new.at_ns, new.at_ns));
        self.time_range_ns = Some((min_ns.min(new.at_ns), max_ns.max(new.at_ns)));
    }

    /// Empties the tail; the next event will be `start`.
    pub fn restart(&mut self, start: u64) {
        self.start = start;
        self.columns.clear();
        self.actors.clear();
        self.tags.clear();
        self.call_places.clear();
        self.payloads.clear();
        self.time_range_ns = None;
    }
}
