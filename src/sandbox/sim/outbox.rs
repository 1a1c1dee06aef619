//! The events of the turn that runs. A turn is evaluated as a whole before its events are given
//! to the sink, so a sink that refuses one stops the system before it: what follows waits here
//! and the next run begins with it. It must not know seqs, nor who takes the events.

use std::ops::Range;
use std::rc::Rc;

use crate::model::{Actor, Atom, CallKey, Class, Kind, NewEvent, Pid, Seq};

use super::signal::Envelope;
use super::world::EventIdx;

/// An event without its payload. Causes are positions, not seqs.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    pub kind: Kind,
    pub class: Class,
    pub process: Pid,
    pub peer: Option<Pid>,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    pub cause: Option<EventIdx>,
}

impl Note {
    pub fn new(kind: Kind, process: Pid) -> Note {
        Note { kind, class: Class::None, process, peer: None, tag: None, call: None, cause: None }
    }
}

/// Where an event's payload lies.
#[derive(Clone, Debug)]
pub enum Payload {
    None,
    /// In the outbox's own bytes.
    Own(Range<usize>),
    /// A message: encoded once, for its send and its arrival.
    Message(Rc<Envelope>),
    /// A state that the process keeps, too, to compare with the next.
    State(Rc<[u8]>),
}

#[derive(Debug)]
struct Pending {
    note: Note,
    at_ns: i64,
    payload: Payload,
    meta: Range<usize>,
}

/// Events in order, with the bytes of their payloads; its memory is used again for every turn.
#[derive(Debug, Default)]
pub struct Outbox {
    events: Vec<Pending>,
    bytes: Vec<u8>,
    n_taken: usize,
}

impl Outbox {
    pub fn push(&mut self, note: Note, at_ns: i64, payload: Payload, meta: Range<usize>) {
        self.events.push(Pending { note, at_ns, payload, meta });
    }

    /// Appends bytes by `write`, for [`Payload::Own`] or for a meta map.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
        let start = self.bytes.len();
        write(&mut self.bytes);
        start..self.bytes.len()
    }

    /// Events that were not taken yet.
    pub fn n_waiting(&self) -> u64 {
        (self.events.len() - self.n_taken) as u64
    }

    /// Gives the next event to `take`; it counts as taken when `take` succeeds.
    pub fn take_next<E>(
        &mut self,
        seq_of: impl Fn(EventIdx) -> Option<Seq>,
        take: impl FnOnce(&NewEvent<'_>) -> Result<Seq, E>,
    ) -> Option<Result<Seq, E>> {
        let Pending { note, at_ns, payload, meta } = self.events.get(self.n_taken)?;
        let event = NewEvent {
            at_ns: *at_ns,
            kind: note.kind,
            class: note.class,
            process: Actor::from(note.process),
            peer: note.peer.map(Actor::from),
            tag: note.tag,
            call: note.call,
            cause: note.cause.and_then(seq_of),
            payload: match payload {
                Payload::None => &[],
                Payload::Own(range) => &self.bytes[range.clone()],
                Payload::Message(envelope) => &envelope.bytes,
                Payload::State(bytes) => bytes,
            },
            meta: &self.bytes[meta.clone()],
        };
        let taken = take(&event);
        if taken.is_ok() {
            self.n_taken += 1;
        }
        Some(taken)
    }

    /// Drops `n_events` from the front: they are recorded already.
    pub fn skip(&mut self, n_events: u64) {
        self.n_taken += n_events as usize;
        debug_assert!(self.n_taken <= self.events.len(), "only events that exist are skipped");
    }

    /// Makes room for the next turn.
    pub fn clear(&mut self) {
        self.events.clear();
        self.bytes.clear();
        self.n_taken = 0;
    }
}
