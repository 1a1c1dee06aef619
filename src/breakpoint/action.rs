//! What happens at a hit, as data; the session does it. It must not know sandboxes.

use std::fmt;
use std::rc::Rc;

use super::{BreakpointId, Candidate};
use crate::model::{Event, Outcome};

/// What a breakpoint does when its condition holds.
#[derive(Clone, Debug)]
pub enum Action {
    /// Stops before the event takes effect.
    Pause,
    /// Stops and shows something of the process: `state`, `mailbox`, `process`, ..
    Inspect(String),
    /// Stops and shows something with the event's processes marked: `supervision_tree`, ..
    Highlight(String),
    /// Writes a line and goes on.
    Log(String),
    /// Runs a script, which says whether to go on.
    Script(Rc<dyn HitScript>),
}

/// Code that runs at a hit.
pub trait HitScript {
    /// Runs; what it gives decides whether the run goes on.
    fn run(&self, hit: &Hit, candidate: &Candidate<'_>) -> Outcome<Flow>;
    /// Its source, for lists.
    fn describe(&self) -> String;
}

/// Whether a run goes on after a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Continue,
    Pause,
}

/// One time that a condition held.
#[derive(Clone, Debug)]
pub struct Hit {
    pub breakpoint: BreakpointId,
    pub name: String,
    pub action: Action,
    /// The event; while running, its seq is the one it will get.
    pub event: Event,
    /// Which hit of its breakpoint this is, from 1.
    pub n_hits: u64,
}

impl Action {
    /// Whether a hit may stop a run: `cont` and `rcont` move only between such.
    pub fn may_stop(&self) -> bool {
        !matches!(self, Action::Log(_))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Pause => f.write_str("pause"),
            Action::Inspect(what) => write!(f, "inspect {what}"),
            Action::Highlight(what) => write!(f, "highlight {what}"),
            Action::Log(text) => write!(f, "log {text:?}"),
            Action::Script(script) => f.write_str(&script.describe()),
        }
    }
}
impl fmt::Debug for dyn HitScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}
