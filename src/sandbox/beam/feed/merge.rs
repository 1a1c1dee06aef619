//! The thread of a feed: all streams in one order, recognised, in batches.
//!
//! A message is held back until nothing older can be expected: each stream tells by its newest message how far it
//! is, and one that has been silent for a while is not waited for. What is secret is taken out here, before a batch
//! is sent. It must not know sockets.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, SendTimeoutError, Sender, select};

use super::{Chunk, Counts, Input, Look, RateLimits};
use crate::codec::cursor::Cursor;
use crate::model::limits::REORDER_EVENTS;
use crate::model::{Atom, EventBatch, Kind, Pid, Seq};
use crate::sandbox::trace::frames::{Frame, Frames};
use crate::sandbox::trace::message::{Message, Stamp};
use crate::sandbox::trace::recognise::Recogniser;
use crate::sandbox::trace::reorder::{Ordered, Reorder};
use crate::sandbox::trace::{Defects, Veil};

/// Events in a batch, and bytes after which it is full all the same.
const BATCH_EVENTS: usize = 4096;
const BATCH_BYTES: usize = 1 << 20;

/// How much younger than itself a stream's newest message must be for an older one to be given out.
const SLACK_NS: i64 = 2_000_000;

/// A stream that was silent for so long is not waited for.
const SILENCE: Duration = Duration::from_millis(20);
/// The same where there are several: what one node sends must come before what another receives, also when our
/// machine is so busy that a socket waits.
const SILENCE_OF_SEVERAL: Duration = Duration::from_millis(100);

/// Something with a place in time.
enum Item {
    /// A trace message: its frame's body in a chunk.
    Trace {
        chunk: Arc<Vec<u8>>,
        body: Range<usize>,
        n_lost: u64,
    },
    Mark {
        nonce: i64,
    },
    Look(Look),
}

/// One node's stream.
struct Stream {
    node: Atom,
    shift_ns: i64,
    newest_ns: i64,
    heard: Instant,
    is_over: bool,
    /// Dropped messages not yet told of.
    n_lost: u64,
    limits: Option<RateLimits>,
    /// When this second began, its messages, and whether the last one was over the limit.
    second: (Instant, u64, bool),
    n_messages: u64,
    listener: Option<Sender<(Pid, Option<Atom>)>>,
}

/// See the module.
pub(super) struct Merger {
    recogniser: Recogniser,
    reorder: Reorder<Item>,
    streams: Vec<Stream>,
    veil: Option<Box<Veil>>,
    counts: Arc<Counts>,
    is_closed: Arc<AtomicBool>,
    out: Sender<EventBatch>,
    used: Receiver<EventBatch>,
    /// When the oldest event of the open batch was made.
    batch_since: Option<Instant>,
}

/// Nobody takes events any more.
struct Hangup;

impl Merger {
    pub(super) fn new(
        first: Seq,
        counts: Arc<Counts>,
        is_closed: Arc<AtomicBool>,
        out: Sender<EventBatch>,
        used: Receiver<EventBatch>,
    ) -> Merger {
        Merger {
            recogniser: Recogniser::new(first),
            reorder: Reorder::new(REORDER_EVENTS),
            streams: Vec::new(),
            veil: None,
            counts,
            is_closed,
            out,
            used,
            batch_since: None,
        }
    }

    /// Works until the feed is closed. What was put in is taken before any chunk: a stream is announced so.
    pub(super) fn run(mut self, inputs: &Receiver<Input>, chunks: &Receiver<Chunk>) {
        while !self.is_closed.load(Ordering::Acquire) {
            let mut taken = inputs.try_iter().try_for_each(|input| self.take(input));
            select! {
                recv(inputs) -> input => match input {
                    Ok(input) => taken = taken.and_then(|()| self.take(input)),
                    Err(_) => return,
                },
                recv(chunks) -> chunk => {
                    let more = inputs.try_iter().try_for_each(|input| self.take(input));
                    if let Ok(chunk) = chunk {
                        taken = taken.and(more).and_then(|()| self.take_chunk(chunk));
                    }
                }
                default(SILENCE) => {}
            }
            if taken.and_then(|()| self.release()).and_then(|()| self.flush_old()).is_err() {
                return;
            }
        }
    }

    fn take(&mut self, input: Input) -> Result<(), Hangup> {
        match input {
            Input::Look(Look::Stream { node, shift_ns }) => self.streams.push(Stream::new(node, shift_ns)),
            // Who is ours is so from the beginning: it need not wait for its place.
            Input::Look(look @ Look::Ignore { .. }) => self.recognise_look(&look, 0),
            Input::Look(Look::Mark { nonce }) => self.hold(None, Item::Mark { nonce })?,
            Input::Look(look) => {
                let stamp = look.at_ns().map(|at_ns| Stamp { at_ns, unique: i64::MAX });
                self.hold(stamp, Item::Look(look))?;
            }
            Input::Limits { stream, limits } => {
                let stream = &mut self.streams[stream.0];
                (stream.limits, stream.n_messages, stream.is_over) = (Some(limits), 0, false);
            }
            Input::Spawned { stream, listener } => self.streams[stream.0].listener = Some(listener),
            Input::Veil(veil) => {
                // What was said before is taken out by the rules of before.
                self.send()?;
                self.veil = Some(veil);
            }
        }
        Ok(())
    }

    fn take_chunk(&mut self, chunk: Chunk) -> Result<(), Hangup> {
        match chunk {
            Chunk::Frames { stream, bytes } => self.take_frames(stream.0, bytes),
            Chunk::Idle => Ok(()),
            Chunk::End { stream, reason } => {
                let stream = &mut self.streams[stream.0];
                stream.is_over = true;
                if let Some(reason) = reason {
                    let mut ends = self.counts.ends.lock().unwrap_or_else(PoisonError::into_inner);
                    ends.push(format!("{}: {reason}", stream.node.as_str()));
                }
                Ok(())
            }
        }
    }

    fn take_frames(&mut self, stream: usize, bytes: Vec<u8>) -> Result<(), Hangup> {
        self.counts.n_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.streams[stream].heard = Instant::now();
        let chunk = Arc::new(bytes);
        let mut frames = Frames::new(&chunk, "trace port");
        let mut defects = Defects::default();
        let mut n_frames = 0;
        while let Some(frame) = frames.next(&mut defects) {
            n_frames += 1;
            match frame {
                Frame::Lost { n } => {
                    self.counts.n_dropped.fetch_add(u64::from(n), Ordering::Relaxed);
                    self.streams[stream].count(u64::from(n));
                    self.streams[stream].n_lost += u64::from(n);
                }
                Frame::Term { offset, body } => {
                    if let Some(nonce) = nonce(body) {
                        self.hold(None, Item::Mark { nonce })?;
                        continue;
                    }
                    let Some(Message::Trace(trace)) = Message::read(body) else {
                        match frames.is_whole(offset, body, &mut defects) {
                            true => self.recogniser.count("not a trace message"),
                            false => n_frames -= 1,
                        }
                        continue;
                    };
                    let body = offset + HEADER_BYTES..frames.n_read();
                    let stream = &mut self.streams[stream];
                    let stamp = trace.stamp.map(|(stamp, _)| Stamp { at_ns: stamp.at_ns + stream.shift_ns, ..stamp });
                    stream.newest_ns = stamp.map_or(stream.newest_ns, |stamp| stream.newest_ns.max(stamp.at_ns));
                    let n_lost = std::mem::take(&mut stream.n_lost);
                    self.hold(stamp, Item::Trace { chunk: Arc::clone(&chunk), body, n_lost })?;
                }
            }
        }
        self.counts.n_frames.fetch_add(n_frames, Ordering::Relaxed);
        self.counts.n_defects.fetch_add(defects.n_total, Ordering::Relaxed);
        self.streams[stream].count(n_frames);
        Ok(())
    }

    fn hold(&mut self, stamp: Option<Stamp>, item: Item) -> Result<(), Hangup> {
        match self.reorder.push(stamp, item) {
            Some(ordered) => self.give_out(&ordered),
            None => Ok(()),
        }
    }

    /// Gives out what nothing older can precede any more.
    fn release(&mut self) -> Result<(), Hangup> {
        let now = Instant::now();
        let patience = if self.streams.len() > 1 { SILENCE_OF_SEVERAL } else { SILENCE };
        let talking = self.streams.iter().filter(|stream| !stream.is_over && now - stream.heard < patience);
        let horizon_ns = talking.map(|stream| stream.newest_ns.saturating_sub(SLACK_NS)).min().unwrap_or(i64::MAX);
        while self.reorder.oldest_ns().is_some_and(|oldest_ns| oldest_ns <= horizon_ns) {
            let ordered = self.reorder.pop().expect("it has an oldest");
            self.give_out(&ordered)?;
        }
        if horizon_ns < i64::MAX {
            return Ok(());
        }
        // Everybody is silent: what was dropped last has nothing to stand before.
        let n_lost: u64 = self.streams.iter_mut().map(|stream| std::mem::take(&mut stream.n_lost)).sum();
        if n_lost > 0 {
            self.recogniser.lose(self.reorder.last_ns(), n_lost);
        }
        Ok(())
    }

    fn give_out(&mut self, ordered: &Ordered<Item>) -> Result<(), Hangup> {
        let Ordered { at_ns, late_ns, item } = ordered;
        match item {
            Item::Trace { chunk, body, n_lost } => {
                if *n_lost > 0 {
                    self.recogniser.lose(*at_ns, *n_lost);
                }
                self.counts.n_late.fetch_add(u64::from(*late_ns > 0), Ordering::Relaxed);
                // It was parsed when it came: this is the second look at the same bytes.
                if let Some(Message::Trace(trace)) = Message::read(&chunk[body.clone()]) {
                    self.recogniser.feed(&trace, *at_ns, *late_ns);
                }
            }
            Item::Mark { nonce } => {
                self.send()?;
                self.counts.note_mark(*nonce);
            }
            Item::Look(look) => self.recognise_look(look, *at_ns),
        }
        let batch = self.recogniser.batch();
        if batch.len() >= BATCH_EVENTS || batch.n_bytes() >= BATCH_BYTES {
            return self.send();
        }
        if self.batch_since.is_none() && !batch.is_empty() {
            self.batch_since = Some(Instant::now());
        }
        Ok(())
    }

    fn recognise_look(&mut self, look: &Look, at_ns: i64) {
        let recogniser = &mut self.recogniser;
        match look {
            Look::Stream { .. } | Look::Mark { .. } => {}
            Look::Ignore { pids, node } => {
                pids.iter().for_each(|pid| recogniser.ignore(*pid));
                if let Some(node) = node {
                    recogniser.ignore_node(*node);
                }
            }
            Look::Forget { pid } => recogniser.ignored_ended(*pid),
            Look::Process { process, .. } => recogniser.introduce(process, at_ns),
            Look::Sample { pid, sample, .. } => _ = recogniser.sampled(*pid, at_ns, sample),
            Look::State { pid, state, .. } => _ = recogniser.state_seen(*pid, at_ns, state),
            Look::Hold { pid, is_held, breakpoint, fields, .. } => {
                _ = recogniser.held(*pid, at_ns, *is_held, *breakpoint, fields);
            }
        }
    }

    /// Sends the open batch when it has waited long enough.
    fn flush_old(&mut self) -> Result<(), Hangup> {
        match self.batch_since {
            Some(since) if since.elapsed() >= SILENCE => self.send(),
            _ => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), Hangup> {
        self.batch_since = None;
        let batch = self.recogniser.take_batch(self.used.try_recv().unwrap_or_default());
        if batch.is_empty() {
            return Ok(());
        }
        self.counts.n_events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        self.tell_spawned(&batch);
        let mut batch = batch;
        if let Some(veil) = &mut self.veil {
            let n_before = veil.n_redacted();
            veil.cover(&mut batch);
            self.counts.n_redacted.fetch_add(veil.n_redacted() - n_before, Ordering::Relaxed);
        }
        loop {
            match self.out.send_timeout(batch, Duration::from_millis(100)) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Disconnected(_)) => return Err(Hangup),
                Err(SendTimeoutError::Timeout(_)) if self.is_closed.load(Ordering::Acquire) => return Err(Hangup),
                Err(SendTimeoutError::Timeout(back)) => batch = back,
            }
        }
    }

    /// Tells the streams' listeners of processes that began in this batch.
    fn tell_spawned(&self, batch: &EventBatch) {
        if self.streams.iter().all(|stream| stream.listener.is_none()) {
            return;
        }
        for event in batch.iter().filter(|event| event.kind == Kind::Spawn && event.meta.is_empty()) {
            let Some(pid) = event.process.pid() else { continue };
            let node = pid.origin.id().node;
            let of_node = self.streams.iter().filter(|stream| stream.node == node);
            // A listener that is behind learns of the process by the next look at all of them.
            of_node.filter_map(|stream| stream.listener.as_ref()).for_each(|l| _ = l.try_send((pid, event.tag)));
        }
    }
}

impl Stream {
    fn new(node: Atom, shift_ns: i64) -> Stream {
        Stream {
            node,
            shift_ns,
            newest_ns: i64::MIN,
            heard: Instant::now(),
            is_over: false,
            n_lost: 0,
            limits: None,
            second: (Instant::now(), 0, false),
            n_messages: 0,
            listener: None,
        }
    }

    /// Counts messages that the node made, dropped ones too, against the limits.
    fn count(&mut self, n: u64) {
        self.n_messages += n;
        let (began, n_now, was_over) = &mut self.second;
        *n_now += n;
        let Some(limits) = &self.limits else { return };
        let mut tripped = limits.n_events_max.is_some_and(|max| self.n_messages > max).then_some("events");
        let passed_s = began.elapsed().as_secs_f64();
        if passed_s >= 1.0 {
            let is_over = limits.n_per_second_max.is_some_and(|max| *n_now as f64 > max as f64 * passed_s);
            if is_over && *was_over {
                tripped = Some("rate");
            }
            self.second = (Instant::now(), 0, is_over);
        }
        if let Some(limit) = tripped {
            (limits.stop)(limit);
            self.limits = None;
        }
    }
}

/// Bytes of a frame's header.
const HEADER_BYTES: usize = 5;

/// The nonce of a mark: `{cinema, Nonce}`.
fn nonce(bytes: &[u8]) -> Option<i64> {
    let mut terms = Cursor::new(bytes)?;
    terms.tuple().filter(|arity| *arity == 2)?;
    terms.atom().filter(|tag| *tag == b"cinema")?;
    terms.int().filter(|_| terms.is_at_end())
}

impl Look {
    /// Its place in time; without one it stands where it comes.
    fn at_ns(&self) -> Option<i64> {
        match self {
            Look::Process { at_ns, .. }
            | Look::Sample { at_ns, .. }
            | Look::State { at_ns, .. }
            | Look::Hold { at_ns, .. } => Some(*at_ns),
            Look::Stream { .. } | Look::Ignore { .. } | Look::Forget { .. } | Look::Mark { .. } => None,
        }
    }
}
