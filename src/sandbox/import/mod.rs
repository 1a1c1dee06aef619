//! Foreign recordings: the binary trace files that `dbg:trace_port(file, ..)` and `ttb` write.
//!
//! One thread reads and recognises, the caller's thread appends; between them a bounded channel of
//! batches. It must not know the store: whoever imports appends the batches in order.
//!
//! ```text
//! files ─► frames ─► trace messages ─► reorder ─► recognise ─► EventBatch ─► the caller
//! ```

mod files;
pub mod info;
mod reader;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded};

use self::reader::Reader;
pub use super::trace::{Defect, Defects, EventClock};
use crate::model::{Atom, EventBatch, Failure, Outcome};

/// Batches on their way: the reader may be so far ahead of the appender.
const BATCHES_AHEAD: usize = 4;

/// What an import found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportReport {
    /// Whole frames that were read, drop counts included.
    pub n_frames: u64,
    pub n_events: u64,
    /// Trace messages that the tracer dropped, as it says itself.
    pub n_dropped: u64,
    /// Trace messages that make no event, by kind: `receive timeout` of processes that wait for no call, scheduling ..
    pub unstored: BTreeMap<String, u64>,
    /// Trace messages later than the reordering window; their events carry `meta.late_ns`.
    pub n_late: u64,
    pub defects: Defects,
    /// The node that was traced; of several, the first.
    pub node: Option<Atom>,
    pub clock: EventClock,
    /// Whether callback modules of Elixir were seen.
    pub is_elixir: bool,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub n_bytes_read: u64,
    pub n_bytes_total: u64,
}

/// Whether `path` is a binary trace file, one of a wrapped set, or a ttb folder. Reads 4 KiB.
pub fn is_trace_file(path: &Path) -> bool {
    files::is_trace(path)
}

/// Imports `path`: gives every batch of events in order to `append`, on this thread.
///
/// `progress` is called after each batch; its `false` interrupts. Damage in the files is in the report, never
/// fatal. Errors: not a trace (see [`is_trace_file`]), unreadable files, an error of `append`, interruption.
pub fn import(
    path: &Path,
    append: &mut dyn FnMut(&EventBatch) -> Outcome<()>,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Outcome<ImportReport> {
    let mut import = Import::start(path)?;
    while let Some(batch) = import.next_batch() {
        append(&batch)?;
        import.give_back(batch);
        if !progress(import.progress()) {
            return Err(Failure::interrupted());
        }
    }
    import.finish()
}

/// An import that runs on its own thread. Dropping it ends the thread.
struct Import {
    batches: Receiver<EventBatch>,
    used: Sender<EventBatch>,
    shared: Arc<Shared>,
    reader: Option<thread::JoinHandle<ImportReport>>,
}

/// What both threads see.
#[derive(Default)]
struct Shared {
    n_bytes_read: AtomicU64,
    n_bytes_total: u64,
    is_stopped: AtomicBool,
}

impl Import {
    /// Opens the files of `path` and begins to read. The first event has seq 0.
    fn start(path: &Path) -> Outcome<Import> {
        let logs = files::find(path)?;
        let opened = source::open(&logs)?;
        let n_bytes_total = opened.iter().map(source::OpenLog::n_bytes).sum();
        let shared = Arc::new(Shared { n_bytes_total, ..Shared::default() });
        let (send, batches) = bounded(BATCHES_AHEAD);
        let (used, empty) = bounded(BATCHES_AHEAD + 1);
        let reader = thread::Builder::new()
            .name("import".to_string())
            .spawn({
                let shared = Arc::clone(&shared);
                move || Reader::new(&shared, send, empty).run(&opened)
            })
            .map_err(|error| Failure::io(format!("cannot start a thread: {error}")))?;
        Ok(Import { batches, used, shared, reader: Some(reader) })
    }

    /// The next events; `None` after the last. Blocks.
    fn next_batch(&mut self) -> Option<EventBatch> {
        self.batches.recv().ok()
    }

    /// Gives a batch back, so that its memory is used again.
    fn give_back(&self, batch: EventBatch) {
        // A reader that has ended needs no batch.
        let _ = self.used.try_send(batch);
    }

    fn progress(&self) -> Progress {
        Progress {
            n_bytes_read: self.shared.n_bytes_read.load(Ordering::Relaxed),
            n_bytes_total: self.shared.n_bytes_total,
        }
    }

    /// Waits for the reader; call it when [`Import::next_batch`] gave `None`.
    fn finish(mut self) -> Outcome<ImportReport> {
        while self.next_batch().is_some() {}
        let reader = self.reader.take().expect("the reader is taken here and when dropped only");
        reader.join().map_err(|_| Failure::bad_input("the import failed: this is a defect of cinema, please report it"))
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // Until the reader drops its end it may be waiting for room.
            while self.batches.recv().is_ok() {}
            let _ = reader.join();
        }
    }
}
