//! A process's mailbox: messages in order of arrival, taken from any place (selective receive),
//! with the save pointer of a receive that waits. Persistent, so that a long mailbox costs a history root nothing.

use std::rc::Rc;

use super::pvec::PVec;
use super::signal::Envelope;
use super::world::EventIdx;

/// A message that has arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub envelope: Rc<Envelope>,
    /// The arrival event: receive, down, exit_signal or timer_fire.
    pub event: EventIdx,
}

/// Messages in order of arrival. Invariant: the slot at `first` is full unless the mailbox is empty.
#[derive(Clone, Debug, Default)]
pub struct Mailbox {
    /// Taken messages leave `None`.
    slots: PVec<Option<Arrived>>,
    first: u32,
    /// Slots before it were looked at by the receive that waits.
    save: u32,
    n_messages: u32,
    n_bytes: u64,
}

/// Emptied slots at the front that are kept before the vector is rebuilt without them.
const SLACK: u32 = 1024;

impl Mailbox {
    pub fn len(&self) -> usize {
        self.n_messages as usize
    }
    pub fn is_empty(&self) -> bool {
        self.n_messages == 0
    }
    /// Bytes of the encoded messages.
    pub fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    pub fn push(&mut self, arrived: Arrived) {
        self.n_bytes += arrived.envelope.bytes.len() as u64;
        self.n_messages += 1;
        self.slots.push(Some(arrived));
    }

    /// Takes the oldest message, whatever the save pointer says.
    pub fn take_first(&mut self) -> Option<Arrived> {
        self.take_at(self.first)
    }

    /// Takes the oldest message from the save pointer on for which `matches` holds, and resets the save pointer.
    /// When there is none, the save pointer moves to the end.
    pub fn take_match(&mut self, mut matches: impl FnMut(&Envelope) -> bool) -> Option<Arrived> {
        for idx in self.save.max(self.first)..self.slots.len() as u32 {
            let slot = self.slots.get(idx as usize).and_then(Option::as_ref);
            if slot.is_some_and(|arrived| matches(&arrived.envelope)) {
                self.save = 0;
                return self.take_at(idx);
            }
        }
        self.save = self.slots.len() as u32;
        None
    }

    /// Forgets what a receive has looked at.
    pub fn reset_save(&mut self) {
        self.save = 0;
    }

    /// Takes every message for which `drops` holds (the `flush` of demonitor); no receive may wait.
    pub fn flush(&mut self, mut drops: impl FnMut(&Envelope) -> bool) -> Vec<Arrived> {
        self.save = 0;
        let mut dropped = Vec::new();
        while let Some(arrived) = self.take_match(&mut drops) {
            dropped.push(arrived);
        }
        self.save = 0;
        dropped
    }

    /// Messages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arrived> + '_ {
        self.slots.iter().skip(self.first as usize).filter_map(Option::as_ref)
    }

    fn take_at(&mut self, idx: u32) -> Option<Arrived> {
        let arrived = self.slots.get_mut(idx as usize)?.take()?;
        self.n_messages -= 1;
        self.n_bytes -= arrived.envelope.bytes.len() as u64;
        if self.n_messages == 0 {
            if self.slots.len() <= 16 {
                while self.slots.pop().is_some() {}
            } else {
                self.slots = PVec::default();
            }
            (self.first, self.save) = (0, 0);
            return Some(arrived);
        }
        while matches!(self.slots.get(self.first as usize), Some(None)) {
            self.first += 1;
        }
        if self.first > SLACK && self.first as usize > self.slots.len() / 2 {
            self.save = self.save.saturating_sub(self.first);
            self.slots = self.slots.iter().skip(self.first as usize).cloned().collect();
            self.first = 0;
        }
        Some(arrived)
    }
}
