//! Foreign recordings: the binary trace files that `dbg:trace_port(file, ..)` and `ttb` write, and events as JSON lines
//! (what `export` wrote, or another program).
//!
//! One thread reads and recognises, the caller's thread appends; between them a bounded channel of
//! batches. It must not know the store: whoever imports appends the batches in order.
//!
//! ```text
//! files ─► frames ─► trace messages ─► reorder ─► recognise ─┬► EventBatch ─► the caller
//! JSON lines ────────────────────────────────────────────────┘
//! ```

mod clocks;
mod files;
pub mod info;
mod lines;
mod outlet;
mod reader;
mod seqs;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crossbeam::channel::{Receiver, Sender, bounded};

use self::lines::Lines;
use self::outlet::Outlet;
use self::reader::Reader;
use self::source::{OpenFile, OpenLog};
pub use super::trace::recognise::Omitted;
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
    /// What is damaged or missing. In its place among the events stands a loss.
    pub defects: Defects,
    /// What was taken for granted, and may be wrong, a line each.
    pub assumed: Vec<String>,
    /// Payloads that were too large to be kept: of their events the rest is there.
    pub omitted: Omitted,
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

/// Whether a file begins as one that can be imported: a trace, or JSON lines.
pub fn is_foreign(path: &Path) -> bool {
    files::is_trace(path) || files::is_lines(path)
}

/// Whether a file is a binary trace file, or what ttb writes beside one.
pub fn is_of_trace(path: &Path) -> bool {
    files::is_trace(path) || files::is_info(path)
}

/// What is added to the times of a trace file, and of the set that it belongs to: nodes' clocks may differ by anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// The file as it was given, or its name alone.
    pub file: PathBuf,
    pub ns: i64,
}

/// Whether `paths` can be imported, as [`import_all`] finds out first. Errors: why not.
pub fn check(paths: &[PathBuf], offsets: &[ClockOffset]) -> Outcome<()> {
    Input::open(paths, offsets).map(drop)
}

/// Imports one file or folder; see [`import_all`].
pub fn import(
    path: &Path,
    append: &mut dyn FnMut(&EventBatch) -> Outcome<()>,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Outcome<ImportReport> {
    import_all(&[path.to_path_buf()], &[], append, progress)
}

/// Imports `paths`, trace files merged by time or one file of JSON lines: gives every batch of events in order to
/// `append`, on this thread. The first event has the seq of the first batch: 0, unless JSON lines begin with another. Memory is
/// bounded, however large the files are.
///
/// `progress` is called after each batch; its `false` interrupts. Damage in the files is in the report, never
/// fatal. Errors: neither traces (see [`is_trace_file`]) nor JSON lines, unreadable files, an offset of no file, an error of
/// `append`, interruption.
pub fn import_all(
    paths: &[PathBuf],
    offsets: &[ClockOffset],
    append: &mut dyn FnMut(&EventBatch) -> Outcome<()>,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Outcome<ImportReport> {
    let mut import = Import::start(paths, offsets)?;
    while let Some(batch) = import.next_batch() {
        append(&batch)?;
        import.give_back(batch);
        if !progress(import.progress()) {
            return Err(Failure::interrupted());
        }
    }
    import.finish()
}

/// Files that are mapped, and what reads them.
enum Input {
    Traces(Vec<OpenLog>),
    Lines(OpenFile),
}

impl Input {
    fn open(paths: &[PathBuf], offsets: &[ClockOffset]) -> Outcome<Input> {
        match (paths, paths.iter().find(|path| files::is_lines(path))) {
            ([only], Some(_)) if offsets.is_empty() => Ok(Input::Lines(source::map(only)?)),
            (_, Some(path)) => {
                let what = "has JSON lines: such a file is imported alone, with the times that it has";
                Err(Failure::usage(format!("{} {what}", path.display())))
            }
            (_, None) => {
                let logs = files::find(paths)?;
                clocks::check(&logs, offsets)?;
                let of = |log: &_| offsets.iter().find(|offset| clocks::is_of(offset, log)).map(|offset| offset.ns);
                Ok(Input::Traces(source::open(&logs, of)?))
            }
        }
    }
    fn n_bytes(&self) -> u64 {
        match self {
            Input::Traces(logs) => logs.iter().map(OpenLog::n_bytes).sum(),
            Input::Lines(file) => file.bytes().len() as u64,
        }
    }
    fn read(&self, outlet: Outlet<'_>) -> ImportReport {
        match self {
            Input::Traces(logs) => Reader::new(outlet).run(logs),
            Input::Lines(file) => Lines::new(outlet).run(file),
        }
    }
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
    /// Opens the files and begins to read.
    fn start(paths: &[PathBuf], offsets: &[ClockOffset]) -> Outcome<Import> {
        let input = Input::open(paths, offsets)?;
        let shared = Arc::new(Shared { n_bytes_total: input.n_bytes(), ..Shared::default() });
        let (send, batches) = bounded(BATCHES_AHEAD);
        let (used, empty) = bounded(BATCHES_AHEAD + 1);
        let reader = thread::Builder::new()
            .name("import".to_string())
            .spawn({
                let shared = Arc::clone(&shared);
                move || input.read(Outlet { shared: &shared, out: send, used: empty })
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
