//! From the nodes' trace streams to batches of events: a thread that puts the messages of all nodes in one order
//! and recognises them.
//!
//! ```text
//! socket ─► reader ─┐                                             (a thread per node)
//! socket ─► reader ─┼─► order by time ─► recognise ─► veil ─► EventBatch ─► the session
//! looks, hits ──────┘                                             (one thread)
//! ```
//!
//! Every channel is bounded. When the session does not take its batches, nothing is read, the nodes' trace ports
//! fill, and what they drop is counted there, exactly. It must not know agents or connections.
//!
//! Invariant: looks have a channel of their own, taken before any chunk. Who looks never waits behind a flood, and the
//! session, which alone makes room, takes batches while it puts something in.

mod merge;
mod reader;

use std::collections::VecDeque;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};

use self::merge::Merger;
use crate::model::limits::{FEED_BATCHES_AHEAD, FEED_CHUNKS_AHEAD, FEED_LOOKS_AHEAD};
use crate::model::{Atom, EventBatch, Failure, Outcome, Pid, Seq};
use crate::sandbox::trace::Veil;
use crate::sandbox::trace::look::{Introduction, Sample};

/// A node's stream among those of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId(pub usize);

/// What a stream's reader has.
enum Chunk {
    /// Whole frames.
    Frames { stream: StreamId, bytes: Vec<u8> },
    /// Nothing has come for a while.
    Idle,
    /// The stream is over; why, when that was not wanted.
    End { stream: StreamId, reason: Option<String> },
}

/// What others put in.
enum Input {
    Look(Look),
    /// What is to be taken out of what comes from now on.
    Veil(Box<Veil>),
    /// What ends the stream's tracing from our side.
    Limits {
        stream: StreamId,
        limits: RateLimits,
    },
    /// Who wants to know of the processes that appear in the stream, with their modules.
    Spawned {
        stream: StreamId,
        listener: Sender<(Pid, Option<Atom>)>,
    },
}

/// What is learned beside the trace, and recorded in its place.
#[derive(Clone, Debug)]
pub enum Look {
    /// A stream begins: its node, and what to add to its clock.
    Stream { node: Atom, shift_ns: i64 },
    /// Processes that make no events: our own.
    Ignore { pids: Vec<Pid>, node: Option<Atom> },
    /// One of them has ended.
    Forget { pid: Pid },
    /// A process that lives already.
    Process { at_ns: i64, process: Box<Introduction> },
    /// `process_info` of a process.
    Sample { pid: Pid, at_ns: i64, sample: Box<Sample> },
    /// A process's state as it told it itself.
    State { pid: Pid, at_ns: i64, state: Vec<u8> },
    /// A process is held at a breakpoint (`is_held`), or goes on.
    Hold { pid: Pid, at_ns: i64, is_held: bool, breakpoint: Atom, fields: Vec<u8> },
    /// Nothing: when it has come through, what was put in before it has, too.
    Mark { nonce: i64 },
}

/// Marks that are remembered.
const MARKS_KEPT: usize = 64;

/// What a feed counts; read at any time.
#[derive(Debug, Default)]
pub struct Counts {
    pub n_frames: AtomicU64,
    pub n_bytes: AtomicU64,
    pub n_dropped: AtomicU64,
    pub n_events: AtomicU64,
    pub n_late: AtomicU64,
    pub n_defects: AtomicU64,
    /// Values and payloads that were taken out.
    pub n_redacted: AtomicU64,
    /// The newest marks that have come through ([`crate::sandbox::beam::agent::Agent::mark`]).
    marks: Mutex<VecDeque<i64>>,
    /// Why streams ended that should not have.
    ends: Mutex<Vec<String>>,
}

/// Limits of what comes in; the first that is tripped calls `stop`, once.
pub struct RateLimits {
    pub n_events_max: Option<u64>,
    /// Trace messages in a second, over two seconds.
    pub n_per_second_max: Option<u64>,
    /// Ends the tracing; must not block.
    pub stop: Box<dyn Fn(&str) + Send>,
}

/// A running feed. Dropping it ends its threads.
pub struct Feed {
    inputs: Sender<Input>,
    chunks: Sender<Chunk>,
    batches: Receiver<EventBatch>,
    used: Sender<EventBatch>,
    /// Batches that were taken to make room, oldest first.
    spilt: VecDeque<EventBatch>,
    counts: Arc<Counts>,
    is_closed: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
    n_streams: usize,
}

impl Feed {
    /// A feed without streams, whose first event will be `first`.
    pub fn start(first: Seq) -> Outcome<Feed> {
        let (inputs, inputs_out) = bounded(FEED_LOOKS_AHEAD);
        let (chunks, chunks_out) = bounded(FEED_CHUNKS_AHEAD);
        let (send, batches) = bounded(FEED_BATCHES_AHEAD);
        let (used, empty) = bounded(FEED_BATCHES_AHEAD + 1);
        let counts = Arc::new(Counts::default());
        let is_closed = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("trace feed".into()).spawn({
            let (counts, is_closed) = (Arc::clone(&counts), Arc::clone(&is_closed));
            move || Merger::new(first, counts, is_closed, send, empty).run(&inputs_out, &chunks_out)
        });
        let thread = thread.map_err(|error| Failure::io(format!("cannot start a thread: {error}")))?;
        let spilt = VecDeque::new();
        Ok(Feed { inputs, chunks, batches, used, spilt, counts, is_closed, thread: Some(thread), n_streams: 0 })
    }

    /// Announces a node's stream; its clock is shifted by `shift_ns` to the first node's.
    pub fn add_stream(&mut self, node: Atom, shift_ns: i64) -> StreamId {
        self.look(Look::Stream { node, shift_ns });
        self.n_streams += 1;
        StreamId(self.n_streams - 1)
    }
    /// Reads a stream from a trace port's socket.
    pub fn read(&self, stream: StreamId, socket: TcpStream) -> Outcome<()> {
        reader::read_socket(stream, socket, self.chunks.clone())
    }
    /// As [`Feed::read`], from a process that forwards; `ask` lets it send one batch more.
    pub fn take(&self, stream: StreamId, frames: Receiver<Vec<u8>>, ask: impl Fn() + Send + 'static) -> Outcome<()> {
        reader::take_forwarded(stream, frames, ask, self.chunks.clone())
    }
    /// Puts another veil over all events from now on.
    pub fn veil(&mut self, veil: Veil) {
        self.put(Input::Veil(Box::new(veil)));
    }
    /// Watches a stream's limits from now on.
    pub fn limit(&mut self, stream: StreamId, limits: RateLimits) {
        self.put(Input::Limits { stream, limits });
    }
    /// The processes that appear in a stream from now on, with their modules; those that nobody takes are forgotten.
    pub fn spawned(&mut self, stream: StreamId) -> Receiver<(Pid, Option<Atom>)> {
        let (listener, spawned) = bounded(SPAWNED_AHEAD);
        self.put(Input::Spawned { stream, listener });
        spawned
    }
    /// Records what was learned beside the trace.
    pub fn look(&mut self, look: Look) {
        self.put(Input::Look(look));
    }
    /// A handle for another thread that looks.
    pub fn entrance(&self) -> Entrance {
        Entrance(self.inputs.clone())
    }

    /// Puts something in; while there is no room, the feed waits for us to take batches.
    fn put(&mut self, mut input: Input) {
        loop {
            match self.inputs.try_send(input) {
                Ok(()) => return,
                Err(TrySendError::Full(back)) => input = back,
                // The feed ends only when it is dropped.
                Err(TrySendError::Disconnected(_)) => return,
            }
            self.spilt.extend(self.batches.recv_timeout(Duration::from_millis(1)));
        }
    }

    /// The next events, waiting at most `timeout`; `None` when there are none. Give the batch back.
    pub fn next_batch(&mut self, timeout: Duration) -> Option<EventBatch> {
        self.spilt.pop_front().or_else(|| self.batches.recv_timeout(timeout).ok())
    }
    /// Waits until mark `nonce` has come through, taking batches meanwhile for [`Feed::next_batch`]; false at the
    /// deadline.
    pub fn wait_for(&mut self, nonce: i64, deadline: Instant) -> bool {
        while !self.counts.has_mark(nonce) {
            if Instant::now() > deadline {
                return false;
            }
            self.spilt.extend(self.batches.recv_timeout(Duration::from_millis(2)));
        }
        self.spilt.extend(self.batches.try_iter());
        true
    }
    /// Gives a batch back, so that its memory is used again.
    pub fn give_back(&self, batch: EventBatch) {
        let _ = self.used.try_send(batch);
    }
    /// Whether batches wait.
    pub fn has_more(&self) -> bool {
        !self.spilt.is_empty() || !self.batches.is_empty()
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// New processes that wait for their listener.
const SPAWNED_AHEAD: usize = 4096;

impl Counts {
    /// Frames that came, and trace messages that the nodes dropped.
    pub fn frames(&self) -> (u64, u64) {
        (self.n_frames.load(Ordering::Relaxed), self.n_dropped())
    }
    /// Trace messages that the nodes dropped, as they say themselves.
    pub fn n_dropped(&self) -> u64 {
        self.n_dropped.load(Ordering::Relaxed)
    }
    /// Values and payloads that were taken out.
    pub fn n_redacted(&self) -> u64 {
        self.n_redacted.load(Ordering::Relaxed)
    }
    /// Whether mark `nonce` has come through: events before it are in batches then, or were taken.
    pub fn has_mark(&self, nonce: i64) -> bool {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).contains(&nonce)
    }
    fn note_mark(&self, nonce: i64) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.push_back(nonce);
        if marks.len() > MARKS_KEPT {
            marks.pop_front();
        }
    }
    /// Takes the reasons of streams that ended unwanted.
    pub fn take_ends(&self) -> Vec<String> {
        std::mem::take(&mut *self.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A way into a feed.
#[derive(Clone)]
pub struct Entrance(Sender<Input>);

impl Entrance {
    /// As [`Feed::look`], waiting for room; not for threads that others wait for.
    pub fn look(&self, look: Look) {
        let _ = self.0.send(Input::Look(look));
    }
    /// As [`Feed::look`], unless thousands of looks wait already; gives whether it was taken.
    pub fn try_look(&self, look: Look) -> bool {
        self.0.try_send(Input::Look(look)).is_ok()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        // Until the thread sees it, it may wait for room.
        while let Some(thread) = self.thread.take() {
            while self.batches.try_recv().is_ok() {}
            if thread.is_finished() {
                let _ = thread.join();
            } else {
                self.thread = Some(thread);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
