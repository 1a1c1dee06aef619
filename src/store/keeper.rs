//! Keeps what is sealed in the file. Where the disk takes nothing (it is full), segments wait in memory, in order, and go to the
//! file when there is room again; when too much waits, that is said, and no more events are to be recorded until then.
//! It must not know who seals.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::Mark;
use super::file::{Additions, Ending, SessionFile};
use super::keyframe::Checkpoint;
use super::segment::Segment;
use crate::model::{Failure, Outcome, limits};

/// Time between two tries to write to a disk that is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// News that wait for somebody to ask for them.
const NEWS_MAX: usize = 16;

/// What the appending thread sees of the file.
#[derive(Debug, Default)]
pub struct Shared {
    /// The file could not be written; from then on nothing is.
    pub failure: OnceLock<Failure>,
    /// Whether as much waits for the disk as may.
    is_over: AtomicBool,
    /// What waited and is parts of the file now.
    written: Mutex<Vec<Arc<Segment>>>,
    news: Mutex<Vec<String>>,
}

impl Shared {
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
    pub fn take_written(&self) -> Vec<Arc<Segment>> {
        std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }
    pub fn take_news(&self) -> Vec<String> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
    pub fn tell(&self, what: String) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if news.len() < NEWS_MAX {
            news.push(what);
        }
    }
}

/// The file, and what it has not taken yet.
pub struct Keeper {
    file: SessionFile,
    waiting: VecDeque<(Arc<Segment>, Additions)>,
    /// Bytes of memory that they take, and may.
    n_bytes: usize,
    n_bytes_max: usize,
    /// Marks and keyframes that the file has not, either.
    marks: Option<Vec<Mark>>,
    checkpoints: Vec<Checkpoint>,
    /// What the system said when it was told last.
    told: Option<String>,
    shared: Arc<Shared>,
}

impl Keeper {
    /// One that keeps up to `n_bytes_max` bytes for a disk that is full; with 0 the first error is the last.
    pub fn new(file: SessionFile, n_bytes_max: usize, shared: Arc<Shared>) -> Keeper {
        let (waiting, checkpoints) = (VecDeque::new(), Vec::new());
        Keeper { file, waiting, n_bytes: 0, n_bytes_max, marks: None, checkpoints, told: None, shared }
    }

    /// Whether a failed write is tried again.
    pub fn is_patient(&self) -> bool {
        self.n_bytes_max > 0
    }

    /// Writes a segment, behind those that wait; gives it as a part of the file, or as it is when it waits, too.
    pub fn keep(&mut self, segment: Segment, additions: Additions) -> (Arc<Segment>, Outcome<()>) {
        if self.write_waiting().is_ok() {
            match self.file.append(&segment, &additions) {
                Ok(mapped) => return (Arc::new(mapped), Ok(())),
                Err(failure) if !self.is_patient() => return (Arc::new(segment), Err(failure)),
                Err(failure) => self.tell_full(&failure),
            }
        }
        let segment = Arc::new(segment);
        self.n_bytes += segment.owned_len();
        self.waiting.push_back((segment.clone(), additions));
        if self.n_bytes >= self.n_bytes_max && !self.shared.is_over.swap(true, Ordering::Relaxed) {
            let raise = "events are dropped and counted until there is room on the disk";
            self.shared.tell(limits::tripped("UNWRITTEN_BYTES_MAX", format!("{} bytes", self.n_bytes_max), raise));
        }
        (segment, Ok(()))
    }

    /// Writes what waits. Errors: the disk is still full.
    fn write_waiting(&mut self) -> Outcome<()> {
        while let Some((segment, additions)) = self.waiting.front() {
            match self.file.append(segment, additions) {
                Ok(mapped) => {
                    self.n_bytes -= segment.owned_len();
                    self.shared.written.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(mapped));
                    self.waiting.pop_front();
                }
                Err(failure) => {
                    self.tell_full(&failure);
                    return Err(failure);
                }
            }
        }
        if let Some(marks) = self.marks.take() {
            self.keep_marks(marks)?;
        }
        self.shared.is_over.store(false, Ordering::Relaxed);
        if self.told.take().is_some() {
            self.shared.tell(format!("{} is written again, with all that waited", self.file.path().display()));
        }
        Ok(())
    }

    /// Tells that nothing can be written: once, and again when the system says something else.
    fn tell_full(&mut self, failure: &Failure) {
        let why = failure.error.rsplit(": ").next().map(str::to_string);
        if self.told != why {
            let (error, n_mb) = (&failure.error, self.n_bytes_max >> 20);
            self.shared.tell(format!(
                "{error}: what is recorded waits in memory, up to {n_mb} MB, and is written when there is room"
            ));
            self.told = why;
        }
    }

    /// Keeps marks in the file, or until it takes them.
    pub fn keep_marks(&mut self, marks: Vec<Mark>) -> Outcome<()> {
        let kept = if self.waiting.is_empty() { self.file.keep_marks(&marks) } else { Ok(()) };
        if self.is_patient() && (kept.is_err() || !self.waiting.is_empty()) {
            self.marks = Some(marks);
            return Ok(());
        }
        kept
    }

    /// Completes the file. Errors: it cannot be written, now or before; with patience it may be tried again.
    pub fn end(&mut self, ending: &Ending) -> Outcome<()> {
        self.checkpoints.extend(ending.checkpoints.iter().cloned());
        self.write_waiting().map_err(|failure| self.unwritten(&failure))?;
        self.file.put_rest(&self.checkpoints, ending)?;
        self.checkpoints.clear();
        self.file.put_directory(ending)
    }

    /// What is to be told of a file that ends before the recording does.
    fn unwritten(&self, failure: &Failure) -> Failure {
        let seqs =
            self.waiting.front().zip(self.waiting.back()).map(|(first, last)| first.0.head.start..last.0.head.end());
        let waits = seqs.map_or_else(String::new, |seqs| {
            let (path, n_events) = (self.file.path().display(), seqs.end - seqs.start);
            format!(
                "; {path} is whole up to before #{}, the {n_events} events from there on are in memory only",
                seqs.start
            )
        });
        Failure { error: format!("{}{waits}", failure.error), ..failure.clone() }
    }

    /// When there is something to do without a job; `None`: never.
    pub fn wake_in(&self) -> Option<Duration> {
        let retry = (!self.waiting.is_empty()).then_some(RETRY_AFTER);
        self.file.sync_in().into_iter().chain(retry).min()
    }
    /// Does it. Errors: what was written cannot be synced.
    pub fn wake(&mut self) -> Outcome<()> {
        // What waits goes on waiting, and that was told.
        let _ = self.write_waiting();
        if self.file.sync_in() == Some(Duration::ZERO) { self.file.sync() } else { Ok(()) }
    }
}
