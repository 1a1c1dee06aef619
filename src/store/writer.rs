//! The writer's thread: seals full tails off the appending thread and, for a recording that lives in a file, writes them
//! there. Appending goes on meanwhile; reading sees a tail that waits to be sealed as it sees the open one.
//! It must not know queries.
//!
//! Invariant: tails are sealed in the order in which they were given.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::Mark;
use super::file::{Additions, Ending, SessionFile};
use super::keeper::{Keeper, Shared};
use super::paths::States;
use super::seal::seal;
use super::segment::Segment;
use super::tail::Tail;
use crate::model::{Failure, Outcome};

/// A full tail on its way to be a segment.
#[derive(Debug)]
pub struct Pending {
    pub tail: Tail,
    /// `None` inside: the writer ended without sealing it.
    sealed: OnceLock<Option<Arc<Segment>>>,
}

impl Pending {
    pub fn new(tail: Tail) -> Pending {
        Pending { tail, sealed: OnceLock::new() }
    }
    /// The segment; `None` while it is not sealed.
    pub fn segment(&self) -> Option<Arc<Segment>> {
        self.sealed.get().map(|sealed| self.or_seal_here(sealed))
    }
    /// The segment; waits for it.
    pub fn wait(&self) -> Arc<Segment> {
        self.or_seal_here(self.sealed.wait())
    }
    fn or_seal_here(&self, sealed: &Option<Arc<Segment>>) -> Arc<Segment> {
        sealed.clone().unwrap_or_else(|| Arc::new(seal(&self.tail, &mut States::default())))
    }
}

/// What the thread is to do.
enum Job {
    Seal(Waiting, Additions),
    /// Keep marks in the file at once.
    Mark(Vec<Mark>),
    /// Write what makes the file complete, and say how that went.
    End(Box<Ending>, Sender<Outcome<()>>),
}

/// A tail that was given away: whatever happens to it, nobody waits for ever.
struct Waiting(Arc<Pending>);

impl Drop for Waiting {
    fn drop(&mut self) {
        // Only the first value counts: this is one only when the tail was not sealed.
        let _ = self.0.sealed.set(None);
    }
}

/// The appending thread's end. A clone has no thread and no file: it begins anew when it must.
#[derive(Debug, Default)]
pub struct Writer {
    thread: Option<Thread>,
    states: Arc<Mutex<States>>,
    shared: Arc<Shared>,
    has_file: bool,
}

#[derive(Debug)]
struct Thread {
    jobs: Sender<Job>,
    handle: JoinHandle<()>,
}

impl Clone for Writer {
    fn clone(&self) -> Writer {
        Writer::default()
    }
}

impl Writer {
    /// A writer that also keeps what it seals in `file`; up to `n_unwritten_max` bytes wait in memory while that cannot be
    /// written. Errors: no thread.
    pub fn with_file(file: SessionFile, n_unwritten_max: usize) -> Outcome<Writer> {
        let mut writer = Writer::default();
        writer.has_file = true;
        let keeper = Keeper::new(file, n_unwritten_max, writer.shared.clone());
        writer.thread =
            Some(writer.start(Some(keeper)).map_err(|error| Failure::io(format!("cannot start a thread: {error}")))?);
        Ok(writer)
    }

    fn start(&self, keeper: Option<Keeper>) -> std::io::Result<Thread> {
        let (jobs, queue) = unbounded();
        let (states, shared) = (self.states.clone(), self.shared.clone());
        let work = move || work(&queue, keeper, &states, &shared);
        let handle = std::thread::Builder::new().name("store".into()).spawn(work)?;
        Ok(Thread { jobs, handle })
    }

    pub fn has_file(&self) -> bool {
        self.has_file
    }
    /// Why the file is not written any more.
    pub fn failure(&self) -> Option<&Failure> {
        self.shared.failure.get()
    }
    /// What waits for the disk, and what is to be told of it.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Seals on this thread.
    pub fn seal_here(&self, tail: &Tail) -> Segment {
        seal(tail, &mut self.states.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives a tail to the thread, which is started with the first one.
    pub fn give(&mut self, pending: &Arc<Pending>, additions: Additions) {
        if self.thread.is_none() {
            // Without a thread the tail is dropped unsealed, and so sealed by whoever asks for it.
            self.thread = self.start(None).ok();
        }
        let job = Job::Seal(Waiting(pending.clone()), additions);
        if let Some(thread) = &self.thread {
            // A thread that is gone drops the job, too.
            let _ = thread.jobs.send(job);
        }
    }

    /// Keeps marks in the file; nothing without one. A failure is told by [`Writer::failure`].
    pub fn keep_marks(&self, marks: &[Mark]) {
        if let (true, Some(thread)) = (self.has_file, &self.thread) {
            let _ = thread.jobs.send(Job::Mark(marks.to_vec()));
        }
    }

    /// Completes the file. Errors: those of the file, now or before.
    pub fn end(&mut self, ending: Ending) -> Outcome<()> {
        let (reply, answer) = bounded(1);
        if let Some(thread) = &self.thread {
            let _ = thread.jobs.send(Job::End(Box::new(ending), reply));
        }
        answer.recv().unwrap_or_else(|_| Err(Failure::io("the writer of the session file ended")))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(Thread { jobs, handle }) = self.thread.take() {
            drop(jobs);
            // What it could not write has been told through `failure`.
            let _ = handle.join();
        }
    }
}

fn work(queue: &Receiver<Job>, mut keeper: Option<Keeper>, states: &Mutex<States>, shared: &Shared) {
    loop {
        let job = match keeper.as_ref().and_then(Keeper::wake_in) {
            Some(rest) => queue.recv_timeout(rest),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let done = match job {
            Ok(Job::Seal(waiting, additions)) => {
                let pending = &waiting.0;
                let segment = seal(&pending.tail, &mut states.lock().unwrap_or_else(PoisonError::into_inner));
                let (segment, done) = match &mut keeper {
                    Some(keeper) => keeper.keep(segment, additions),
                    None => (Arc::new(segment), Ok(())),
                };
                let _ = pending.sealed.set(Some(segment));
                done
            }
            Ok(Job::Mark(marks)) => keeper.as_mut().map_or(Ok(()), |keeper| keeper.keep_marks(marks)),
            Ok(Job::End(ending, reply)) => {
                let done = match (shared.failure.get(), &mut keeper) {
                    (Some(failure), _) => Err(failure.clone()),
                    (None, Some(keeper)) => keeper.end(&ending),
                    (None, None) => Ok(()),
                };
                // Nobody need be interested.
                let _ = reply.send(done.clone());
                if keeper.as_ref().is_some_and(Keeper::is_patient) { Ok(()) } else { done }
            }
            Err(RecvTimeoutError::Timeout) => keeper.as_mut().map_or(Ok(()), Keeper::wake),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Err(error) = done {
            keeper = None;
            let _ = shared.failure.set(error);
        }
    }
}
