//! What a look at a live node finds, as plain data: the processes that run already when a recording begins, and samples
//! of `process_info`. `beam` fills them in, `recognise` makes events of them.

use crate::model::{ActorId, Atom, Behaviour, Pid, RestartType, Term};

/// A module, a function and its arity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    pub module: Atom,
    pub name: Atom,
    pub arity: u8,
}

/// A process that runs already. What is not known is `None` or empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Introduction {
    pub pid: Pid,
    /// Who spawned it: the first of its `$ancestors`, or `process_info(Pid, parent)`.
    pub parent: Option<Pid>,
    pub name: Option<Atom>,
    /// The callback module.
    pub module: Option<Atom>,
    pub behaviour: Option<Behaviour>,
    /// As `proc_lib:set_label/1` set it.
    pub label: Option<Term>,
    /// As `proc_lib:translate_initial_call/1` gives it.
    pub initial_call: Option<Function>,
    pub supervisor: Option<Pid>,
    /// Its child spec's id, under its supervisor.
    pub child_id: Option<Term>,
    pub restart: Option<RestartType>,
    pub links: Vec<ActorId>,
    /// Those that it watches.
    pub monitors: Vec<ActorId>,
    pub sample: Sample,
}

impl Introduction {
    /// Of a process about which nothing more is known.
    pub fn of(pid: Pid) -> Introduction {
        Introduction {
            pid,
            parent: None,
            name: None,
            module: None,
            behaviour: None,
            label: None,
            initial_call: None,
            supervisor: None,
            child_id: None,
            restart: None,
            links: Vec::new(),
            monitors: Vec::new(),
            sample: Sample::default(),
        }
    }
}

/// What `process_info` tells of a process at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    pub memory_bytes: Option<u64>,
    pub reductions: Option<u64>,
    pub queue_len: Option<u64>,
    /// `running`, `waiting`, `suspended`, ..
    pub status: Option<Atom>,
    pub current_function: Option<Function>,
    pub label: Option<Term>,
}
