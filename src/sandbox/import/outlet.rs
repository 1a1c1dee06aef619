//! The way out of a reading thread: full batches go to the caller, empty ones come back. It must not know what is read.

use std::sync::atomic::Ordering;

use crossbeam::channel::{Receiver, Sender};

use super::Shared;
use crate::model::EventBatch;

/// Events in a batch, and bytes after which it is full all the same.
const BATCH_EVENTS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

pub struct Outlet<'s> {
    pub shared: &'s Shared,
    pub out: Sender<EventBatch>,
    /// Batches to use again.
    pub used: Receiver<EventBatch>,
}

/// The caller is gone or wants no more.
pub struct Hangup;

impl Outlet<'_> {
    pub fn is_full(batch: &EventBatch) -> bool {
        batch.len() >= BATCH_EVENTS || batch.n_bytes() >= BATCH_BYTES
    }

    /// Sends a batch and says how much of the input is read; `take` gives it for an empty one.
    pub fn send(&self, n_bytes_read: u64, take: impl FnOnce(EventBatch) -> EventBatch) -> Result<(), Hangup> {
        self.shared.n_bytes_read.store(n_bytes_read, Ordering::Relaxed);
        if self.shared.is_stopped.load(Ordering::Relaxed) {
            return Err(Hangup);
        }
        let batch = take(self.used.try_recv().unwrap_or_default());
        if batch.is_empty() { Ok(()) } else { self.out.send(batch).map_err(|_| Hangup) }
    }
}
