//! Events in order, owned and compact: what a producer's thread hands to the one who appends.
//! It must not know how events are made or stored.

use std::borrow::Cow;

use super::event::{NewEvent, Seq};

/// Events that follow each other in one recording. Reuse a batch with [`EventBatch::clear`]: first-touch
/// page faults are a large part of the cost of recording.
#[derive(Debug, Default)]
pub struct EventBatch {
    /// The seq of the first event: causes inside the batch count on it.
    pub first: Seq,
    rows: Vec<Row>,
    /// Payloads and metadata, one after the other.
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Row {
    /// With empty slices.
    event: NewEvent<'static>,
    start: usize,
    n_payload_bytes: usize,
    n_meta_bytes: usize,
}

impl EventBatch {
    /// An empty batch whose first event will be `first`.
    pub fn new(first: Seq) -> EventBatch {
        EventBatch { first, ..EventBatch::default() }
    }

    /// Copies `event` to the end and gives its seq.
    pub fn push(&mut self, event: &NewEvent<'_>) -> Seq {
        self.push_with(event, event.meta, |bytes| bytes.extend_from_slice(event.payload))
    }

    /// As [`EventBatch::push`], with `meta` and a payload that `write` appends (131 first) in place of the event's own.
    pub fn push_with(&mut self, event: &NewEvent<'_>, meta: &[u8], write: impl FnOnce(&mut Vec<u8>)) -> Seq {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let n_payload_bytes = self.bytes.len() - start;
        self.bytes.extend_from_slice(meta);
        let seq = Seq(self.first.0 + self.rows.len() as u64);
        let event = NewEvent { payload: &[], meta: &[], ..*event };
        self.rows.push(Row { event, start, n_payload_bytes, n_meta_bytes: self.bytes.len() - start - n_payload_bytes });
        seq
    }

    /// The events, oldest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NewEvent<'_>> {
        self.rows.iter().map(|row| {
            let bytes = &self.bytes[row.start..];
            let (payload, rest) = bytes.split_at(row.n_payload_bytes);
            NewEvent { payload, meta: &rest[..row.n_meta_bytes], ..row.event }
        })
    }

    /// Replaces payloads and metadata where `rewrite` gives others than it was given; those that were are overwritten.
    pub fn rewrite(&mut self, mut rewrite: impl for<'e> FnMut(&NewEvent<'e>) -> (Cow<'e, [u8]>, Cow<'e, [u8]>)) {
        for row_idx in 0..self.rows.len() {
            let row = &self.rows[row_idx];
            let end = row.start + row.n_payload_bytes + row.n_meta_bytes;
            let (payload, meta) = self.bytes[row.start..end].split_at(row.n_payload_bytes);
            let (payload, meta) = match rewrite(&NewEvent { payload, meta, ..row.event }) {
                (Cow::Borrowed(_), Cow::Borrowed(_)) => continue,
                (payload, meta) => (payload.into_owned(), meta.into_owned()),
            };
            let row = &mut self.rows[row_idx];
            self.bytes[row.start..end].fill(0);
            (row.start, row.n_payload_bytes, row.n_meta_bytes) = (self.bytes.len(), payload.len(), meta.len());
            self.bytes.extend_from_slice(&payload);
            self.bytes.extend_from_slice(&meta);
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    /// Bytes of all payloads and metadata.
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Empties the batch and keeps its memory; the next event will be `first`.
    pub fn clear(&mut self, first: Seq) {
        self.first = first;
        self.rows.clear();
        self.bytes.clear();
    }
}
