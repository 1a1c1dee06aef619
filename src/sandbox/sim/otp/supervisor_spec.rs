//! A supervisor's flags and child specifications as data, with OTP's defaults. Parsing them from
//! terms lives here too, since `start_child` gets them as terms.

use crate::model::{Atom, Term};

/// What a supervisor's init returns: `{ok, {Flags, ChildSpecs}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisorSpec {
    pub flags: Flags,
    pub children: Vec<ChildSpec>,
}

/// `sup_flags()`; the default is OTP's: one_for_one, 1 restart in 5 s, never automatic shutdown.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    pub strategy: Strategy,
    pub intensity: u32,
    pub period_s: u32,
    pub auto_shutdown: AutoShutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    OneForOne,
    OneForAll,
    RestForOne,
    SimpleOneForOne,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoShutdown {
    Never,
    AnySignificant,
    AllSignificant,
}

/// `child_spec()`. The start function is always `Module:start_link`, spelt as module and arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct ChildSpec {
    pub id: Term,
    pub module: Atom,
    /// Arguments of the start function; under simple_one_for_one those of start_child are appended.
    /// A single one is what the child's init gets; several arrive as a list, none as `[]`.
    pub args: Vec<Term>,
    /// The name that the child registers.
    pub name: Option<Atom>,
    pub restart: Restart,
    /// `None`: 5 000 ms for workers, infinity for supervisors.
    pub shutdown: Option<Shutdown>,
    pub is_supervisor: bool,
    pub significant: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    BrutalKill,
    Infinity,
    Ms(u64),
}

impl Default for Flags {
    fn default() -> Flags {
        Flags { strategy: Strategy::OneForOne, intensity: 1, period_s: 5, auto_shutdown: AutoShutdown::Never }
    }
}

impl ChildSpec {
    /// A permanent worker `module` under the id `id`, started with `args`.
    pub fn worker(id: Term, module: Atom, args: Vec<Term>) -> ChildSpec {
        ChildSpec {
            id,
            module,
            args,
            name: None,
            restart: Restart::Permanent,
            shutdown: None,
            is_supervisor: false,
            significant: false,
        }
    }
}
