//! One simulated process as plain, cheaply cloned data: its code's state, mailbox, links, monitors,
//! and what it is doing. It must not know how anything is delivered or recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::model::{Atom, Behaviour as BehaviourKind, Class, Pid, Reference, Term};

use super::behaviour::{Behaviour, Callback};
use super::effects::Entry;
use super::mailbox::Mailbox;
use super::pvec::PVec;
use super::signal::Pattern;
use super::world::EventIdx;

/// What never changes about a process.
#[derive(Debug)]
pub struct Birth {
    pub module: Atom,
    pub kind: BehaviourKind,
    pub args: Term,
    pub parent: Pid,
    /// Whether the parent started it with a link: then its 'EXIT' ends a gen_server.
    pub is_linked: bool,
    pub spawned: EventIdx,
}

/// A live process. Cloning takes a handful of reference counts.
#[derive(Clone)]
pub struct Process {
    pub pid: Pid,
    pub birth: Rc<Birth>,
    /// The code with its state, as of the last callback that came to its end.
    pub code: Rc<dyn Behaviour>,
    /// The state as last recorded.
    pub state_bytes: Rc<[u8]>,
    pub mailbox: Mailbox,
    pub links: Rc<BTreeSet<Pid>>,
    /// Processes that this one watches, in order of time.
    pub monitors: Rc<Vec<Monitor>>,
    /// Processes that watch this one, with the serial of their reference.
    pub watchers: Rc<Vec<(Pid, u64)>>,
    pub dictionary: Rc<BTreeMap<Term, Term>>,
    pub name: Option<Atom>,
    pub traps_exit: bool,
    pub activity: Activity,
    /// A [`super::scheduler::Job::Run`] is in the queue.
    pub is_scheduled: bool,
    /// Due time of the [`super::scheduler::Job::Wake`] in the queue that counts; earlier ones are stale.
    pub wake_due_ns: Option<i64>,
    /// `sys:suspend` is in force: only system messages and the parent's 'EXIT' are taken.
    pub is_sys_suspended: bool,
    /// The handle_start of a plain process's message, which ends at its next receive.
    pub handling: Option<(EventIdx, Class)>,
    pub reductions: u64,
}

/// A monitor, on the side of the one who watches.
#[derive(Clone, Debug)]
pub struct Monitor {
    pub reference: Arc<Reference>,
    pub serial: u64,
    pub target: Option<Pid>,
    /// For a monitor by name: what 'DOWN' says instead of the pid.
    pub name: Option<Atom>,
    /// Messages to the reference reach this process while the monitor stands.
    pub is_alias: bool,
}

/// What a process is doing between turns.
#[derive(Clone)]
pub enum Activity {
    /// Waits in its loop for any message, or for its timeout.
    Idle { timeout_due_ns: Option<i64> },
    /// A callback waits inside a blocking call.
    Suspended(Rc<Suspended>),
}

/// A callback that waits: plain data from which it is run again.
#[derive(Clone, Debug)]
pub struct Suspended {
    pub stage: Stage,
    pub callback: Callback,
    /// Its handle_start.
    pub started: Option<EventIdx>,
    pub class: Class,
    /// Shared with the worlds that are kept of the past: a callback may wait a thousand times.
    pub log: PVec<Entry>,
    pub wait: Wait,
    pub n_blocking: usize,
}

/// What a suspended callback waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    Message {
        pattern: Pattern,
        due_ns: Option<i64>,
    },
    /// sleep, or work when `is_busy`.
    Until {
        due_ns: i64,
        is_busy: bool,
    },
}

/// Which callback runs, with what its end needs to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    Run,
    /// `starter` waits for `{ack, Pid, Result}`.
    Init {
        starter: Option<Pid>,
        name: Option<Atom>,
    },
    Call {
        from: Term,
    },
    /// Cast, info, continue: a reply is a bad return value.
    Other,
    /// Ends with `reason`; the reply of `{stop, Reason, Reply, State}` goes out after terminate.
    Terminate {
        reason: Term,
        reply: Option<(Term, Term)>,
    },
    /// An input of the shell.
    Input,
}

impl Wait {
    pub fn due_ns(&self) -> Option<i64> {
        match self {
            Wait::Message { due_ns, .. } => *due_ns,
            Wait::Until { due_ns, .. } => Some(*due_ns),
        }
    }
}

impl Process {
    /// When the process goes on even if no message comes.
    pub fn deadline_ns(&self) -> Option<i64> {
        match &self.activity {
            Activity::Idle { timeout_due_ns } => *timeout_due_ns,
            Activity::Suspended(suspended) => suspended.wait.due_ns(),
        }
    }

    /// Whether the arrival of `message` lets the process go on.
    pub fn is_woken_by(&self, message: &Term) -> bool {
        match &self.activity {
            Activity::Idle { .. } => true,
            Activity::Suspended(suspended) => match &suspended.wait {
                Wait::Message { pattern, .. } => pattern.matches(message),
                Wait::Until { .. } => false,
            },
        }
    }

    /// Estimated memory: a BEAM process's smallest heap and control block, plus state, messages and code.
    pub fn memory_bytes(&self) -> u64 {
        const EMPTY_BYTES: u64 = 2_688;
        EMPTY_BYTES + self.state_bytes.len() as u64 * 3 + self.mailbox.n_bytes() * 3 + self.code.memory_bytes()
    }
}
