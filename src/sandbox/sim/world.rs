//! The whole simulated system as one persistent value: cloning it is a history root. It must not know
//! who records, and holds no seqs: events are counted by [`EventIdx`], which is the same in every re-execution.

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use crate::model::{Atom, Origin, Pid, Reference, Term};

use super::choices::Choices;
use super::process::Process;
use super::pvec::PVec;
use super::scheduler::Queue;

/// The position of an event among the sim's own, along the current line of history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventIdx(pub u64);

/// The number of the first process, the shell: `<0.100.0>`.
pub const FIRST_PID: u32 = 100;

/// A place in the process table; places are never used twice.
#[derive(Clone)]
pub enum Slot {
    Live(Rc<Process>),
    /// With the exit or crash event.
    Dead(EventIdx),
}

/// A timer that runs.
#[derive(Clone, Debug)]
pub struct Timer {
    pub due_ns: i64,
    pub message: Term,
    pub dest: Term,
    pub owner: Pid,
    pub started: EventIdx,
}

/// Everything that the future depends on, but the code.
#[derive(Clone)]
pub struct World {
    pub now_ns: i64,
    /// Turns so far: the position at which inputs are logged.
    pub n_turns: u64,
    /// Events of finished turns.
    pub n_events: u64,
    pub choices: Choices,
    pub queue: Queue,
    pub slots: PVec<Slot>,
    pub n_live: usize,
    /// Looked up only, never iterated.
    pub names: Rc<FxHashMap<Atom, Pid>>,
    /// By the serial of their reference.
    pub timers: Rc<BTreeMap<u64, Timer>>,
    /// Cancelled timers that still lie in the queue.
    pub n_stale_timers: usize,
    pub next_serial: u64,
    /// Outcome of the shell's last call or start, until the run ends with it.
    pub answer: Option<Term>,
}

impl World {
    pub fn new(seed: u64) -> World {
        World {
            now_ns: 0,
            n_turns: 0,
            n_events: 0,
            choices: Choices::new(seed),
            queue: Queue::default(),
            slots: PVec::default(),
            n_live: 0,
            names: Rc::default(),
            timers: Rc::default(),
            n_stale_timers: 0,
            next_serial: 1,
            answer: None,
        }
    }

    fn slot(&self, pid: Pid) -> Option<&Slot> {
        if pid.origin != Origin::LOCAL || pid.serial != 0 {
            return None;
        }
        self.slots.get(pid.id.checked_sub(FIRST_PID)? as usize)
    }

    pub fn process(&self, pid: Pid) -> Option<&Process> {
        match self.slot(pid)? {
            Slot::Live(process) => Some(process),
            Slot::Dead(_) => None,
        }
    }

    pub fn process_mut(&mut self, pid: Pid) -> Option<&mut Process> {
        if pid.origin != Origin::LOCAL || pid.serial != 0 {
            return None;
        }
        match self.slots.get_mut(pid.id.checked_sub(FIRST_PID)? as usize)? {
            Slot::Live(process) => Some(Rc::make_mut(process)),
            Slot::Dead(_) => None,
        }
    }

    pub fn is_alive(&self, pid: Pid) -> bool {
        self.process(pid).is_some()
    }

    /// The event that ended `pid`.
    pub fn ended(&self, pid: Pid) -> Option<EventIdx> {
        match self.slot(pid)? {
            Slot::Live(_) => None,
            Slot::Dead(ended) => Some(*ended),
        }
    }

    /// The pid that the next process will have.
    pub fn next_pid(&self) -> Pid {
        Pid::local(FIRST_PID + self.slots.len() as u32)
    }

    pub fn insert(&mut self, process: Process) {
        self.slots.push(Slot::Live(Rc::new(process)));
        self.n_live += 1;
    }

    /// Takes a process out of the table.
    pub fn remove(&mut self, pid: Pid, ended: EventIdx) -> Option<Rc<Process>> {
        self.process(pid)?;
        let slot = self.slots.get_mut((pid.id - FIRST_PID) as usize)?;
        match std::mem::replace(slot, Slot::Dead(ended)) {
            Slot::Live(process) => {
                self.n_live -= 1;
                Some(process)
            }
            Slot::Dead(_) => None,
        }
    }

    pub fn whereis(&self, name: Atom) -> Option<Pid> {
        self.names.get(&name).copied()
    }

    /// A fresh reference and its serial. An alias carries the number of the process that owns it.
    pub fn make_reference(&mut self, owner: Option<Pid>) -> (Reference, u64) {
        let serial = self.next_serial;
        self.next_serial += 1;
        let mut reference = reference_of(serial);
        reference.words[2] = owner.map_or(0, |pid| pid.id);
        (reference, serial)
    }
}

/// The reference of a serial that is no alias.
pub fn reference_of(serial: u64) -> Reference {
    let words = [(serial & 0x3_FFFF) as u32, (serial >> 18) as u32, 0, 0, 0];
    Reference { origin: Origin::LOCAL, n_words: 3, words }
}

/// The serial of a reference that this world made.
pub fn serial(reference: &Reference) -> u64 {
    u64::from(reference.words[1]) << 18 | u64::from(reference.words[0])
}

/// The process that an alias belongs to.
pub fn alias_owner(reference: &Reference) -> Option<Pid> {
    (reference.origin == Origin::LOCAL && reference.words[2] >= FIRST_PID).then(|| Pid::local(reference.words[2]))
}
