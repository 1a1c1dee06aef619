//! The actors of a trace: which incarnation a pid means now, and what is known about each.

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use super::family::Family;
use super::handlers::{Running, Shared};
use super::states::{Looked, Statem};
use crate::model::{Actor, ActorId, Atom, Behaviour, CallKey, Seq};

/// Everything that the recogniser remembers of one actor, in its present incarnation.
#[derive(Default)]
pub(super) struct Row {
    pub incarnation: u32,
    /// Which of the two trace messages about its beginning were seen.
    pub has_spawn: bool,
    pub has_spawned: bool,
    /// Whether it did anything that was traced.
    pub has_acted: bool,
    pub ended: Option<Seq>,
    pub parent: Option<Actor>,
    pub module: Option<Atom>,
    pub name: Option<Atom>,
    pub is_supervisor: bool,
    pub behaviour: Option<Behaviour>,
    /// Whether its module was told of with its name.
    pub is_introduced: bool,
    /// When a look found it running, if its beginning was not traced.
    pub introduced_ns: Option<i64>,
    pub links: FxHashSet<ActorId>,
    /// Of the state seen last.
    pub state_hash: Option<u64>,
    /// Callbacks that run now, outermost first.
    pub running: SmallVec<[Running; 1]>,
    /// The callback that ran last.
    pub last: Option<Running>,
    /// Messages that arrived and are to be handled one after the other.
    pub n_arrivals: u32,
    /// One of Elixir's tasks.
    pub is_task: bool,
    /// Whether it was sent a `{notify, _}`, as managers of gen_event are.
    pub is_notified: bool,
    /// Its own calls without an outcome yet, oldest first.
    pub waits: SmallVec<[CallKey; 2]>,
    /// Requests to start a child that it has not answered.
    pub n_start_requests: u32,
    pub signals: Signals,
    pub gc_start_ns: Option<i64>,
    /// Of a process that starts others as a supervisor does.
    pub family: Option<Box<Family>>,
    more: Option<Box<More>>,
}

/// What only few rows need.
#[derive(Default)]
pub(super) struct More {
    pub statem: Option<Statem>,
    /// The states of a gen_event's handlers, as hashes.
    pub handlers: Vec<(Atom, u64)>,
    /// Of the watched fields that were seen last.
    pub watched_hash: Option<u64>,
    /// Of a process whose state was asked for.
    pub looked: Option<Looked>,
    /// The request to change its code that it works on.
    pub code_change: Option<CallKey>,
    /// What the handlers of a gen_event are given now.
    pub shared: Option<Shared>,
}

impl Row {
    /// The state that was told last, if one was asked for.
    pub fn looked(&self) -> Option<&Looked> {
        self.more.as_ref()?.looked.as_ref()
    }

    pub fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// The handle_start of the callback that runs: what the process does now is done in it.
    pub fn handling(&self) -> Option<Seq> {
        self.running.first().filter(|running| !running.is_ours).map(|running| running.start)
    }

    /// Whether its beginning was traced.
    pub fn began_here(&self) -> bool {
        self.has_spawn || self.has_spawned
    }
}

/// What may have made an actor end: the newest of each sort, with the hash of its reason.
#[derive(Clone, Copy, Default)]
pub(super) struct Signals {
    /// An `'EXIT'` message in its mailbox.
    pub exit_message: Option<(u64, Seq)>,
    /// The end of an actor that was linked to it.
    pub linked_end: Option<(u64, Seq)>,
    /// A callback that returned `{stop, Reason, ..}`: its handle_start.
    pub stop: Option<(u64, Seq)>,
    /// A callback that raised: the hash of the bare value, and its handle_start.
    pub exception: Option<(u64, Seq)>,
    /// An unlink by another: a supervisor's first step when it stops a child.
    pub unlink: Option<Seq>,
}

/// The rows, found by pid or port.
#[derive(Default)]
pub(super) struct Actors {
    rows: Vec<Row>,
    index: FxHashMap<ActorId, usize>,
    /// Asked for last: a trace message asks for its tracee again and again.
    last: Option<(ActorId, usize)>,
}

impl Actors {
    pub fn row(&mut self, id: ActorId) -> &mut Row {
        let idx = match self.last {
            Some((last, idx)) if last == id => idx,
            _ => {
                let rows = &mut self.rows;
                let idx = *self.index.entry(id).or_insert_with(|| {
                    rows.push(Row::default());
                    rows.len() - 1
                });
                self.last = Some((id, idx));
                idx
            }
        };
        &mut self.rows[idx]
    }
    pub fn get(&self, id: ActorId) -> Option<&Row> {
        match self.last {
            Some((last, idx)) if last == id => Some(&self.rows[idx]),
            _ => self.index.get(&id).map(|idx| &self.rows[*idx]),
        }
    }
    pub fn get_mut(&mut self, id: ActorId) -> Option<&mut Row> {
        self.index.get(&id).map(|idx| &mut self.rows[*idx])
    }

    /// `id` in its present incarnation.
    pub fn actor(&self, id: ActorId) -> Actor {
        Actor { id, incarnation: self.get(id).map_or(0, |row| row.incarnation) }
    }

    /// Begins the next incarnation of `id` when this one is over or was never told to begin.
    /// Gives `None` when this is only the second message about a beginning known already, or one about the beginning,
    /// at `at_ns`, of a process that was found running later.
    pub fn begin(&mut self, id: ActorId, side: Side, at_ns: i64) -> Option<Actor> {
        let row = self.row(id);
        if row.ended.is_none() && row.introduced_ns.is_some_and(|introduced_ns| at_ns <= introduced_ns) {
            return None;
        }
        let (seen, other_seen) = match side {
            Side::Spawn => (row.has_spawn, row.has_spawned),
            Side::Spawned => (row.has_spawned, row.has_spawn),
        };
        if other_seen && !seen {
            *(match side {
                Side::Spawn => &mut row.has_spawn,
                Side::Spawned => &mut row.has_spawned,
            }) = true;
            return None;
        }
        if seen || row.has_acted || row.ended.is_some() || row.introduced_ns.is_some() {
            *row = Row { incarnation: row.incarnation + 1, ..Row::default() };
        }
        match side {
            Side::Spawn => row.has_spawn = true,
            Side::Spawned => row.has_spawned = true,
        }
        Some(self.actor(id))
    }
}

/// Who told of a beginning.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The parent's `spawn`.
    Spawn,
    /// The new process's `spawned`.
    Spawned,
}
