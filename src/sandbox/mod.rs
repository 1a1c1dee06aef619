//! Floor 2: where events come from. One trait for every source, with explicit capabilities.
//! It does not know the store: whoever runs a sandbox gives it an [`EventSink`].

pub mod beam;
pub mod import;
pub mod sim;
pub mod trace;

use crate::model::{NewEvent, Outcome, Pid, Seq, Term};

/// What a source can do. An operation that needs more fails with an error that names the capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Capabilities {
    /// Run on, and stop before any event.
    pub can_run: bool,
    /// Send, call, cast, kill from outside.
    pub can_input: bool,
    /// Return to an earlier moment and go on from there.
    pub can_restore: bool,
    pub can_fork: bool,
    /// Events come by themselves.
    pub is_live: bool,
    /// Choose what is traced, and look at processes beside the trace.
    pub can_trace: bool,
    /// Stop a process inside its own loop, and replace its state.
    pub can_pause: bool,
}

/// The sink refused an event: it must not take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Takes events in order, before they take effect.
pub trait EventSink {
    /// Records the event, or stops the run *before* it.
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped>;
    /// Records an event that has happened already, on a live system: a breakpoint cannot prevent it, and stops the
    /// run *after* it.
    fn record(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        self.emit(event)
    }
    /// Tells a user something that is no event: a limit that was tripped, a node that is gone.
    fn tell(&mut self, _news: String) {}
    /// Polled at least every 100 ms of work; true ends the run as soon as a turn is over.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// When a run ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunLimit {
    /// Absolute clock; events at this very nanosecond still happen.
    pub until_ns: Option<i64>,
    pub n_events_max: Option<u64>,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// Nothing is runnable and no timer is set.
    Idle,
    /// [`RunLimit`] was reached.
    Limit,
    /// The sink refused an event; the next run begins with that event.
    Stopped,
    Interrupted,
    /// A call from outside ([`Input::Call`]) has its outcome: `{ok, Reply}` or `{exit, Reason}`.
    Answered(Term),
}

/// Whom an input is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Dest {
    Pid(Pid),
    Name(crate::model::Atom),
}

/// What a user does to a running system. Every input is recorded, so that a re-execution repeats it.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Starts a process of a behaviour module; linked to the shell process when `link`.
    Start {
        module: crate::model::Atom,
        args: Term,
        name: Option<crate::model::Atom>,
        link: bool,
    },
    /// gen_server:call from the shell process; the run that follows ends with [`RunEnd::Answered`].
    Call {
        to: Dest,
        request: Term,
        timeout_ns: Option<i64>,
    },
    Cast {
        to: Dest,
        request: Term,
    },
    Send {
        to: Dest,
        message: Term,
    },
    Exit {
        to: Dest,
        reason: Term,
    },
}

/// A source of events.
pub trait Sandbox {
    fn capabilities(&self) -> Capabilities;
    /// What it is, in a few words: `sim bank.rhai, seed 7`.
    fn describe(&self) -> String;
    /// Does an input; `Start` gives `{ok, Pid}`, `ignore` or `{error, Reason}`, the others `ok`.
    /// It may have to run the system for that (init is synchronous): breakpoints stop it as they stop a run.
    fn input(&mut self, input: Input, sink: &mut dyn EventSink) -> Outcome<RunEnd>;
    /// Lets time pass and processes run.
    fn run(&mut self, limit: RunLimit, sink: &mut dyn EventSink) -> Outcome<RunEnd>;
    /// Goes back to the system just after event `at` (`None`: before the first), of any branch. What follows is a new
    /// branch, whose first event, `restored`, the caller records: events in between are of the old one.
    fn restore(&mut self, at: Option<Seq>, restored: Seq) -> Outcome<()>;
    /// Hands over the events that have come by themselves; takes at most some 50 ms. A sandbox that is not live has none.
    fn drain(&mut self, _sink: &mut dyn EventSink) -> Outcome<()> {
        Ok(())
    }
    /// Its clock, when that goes on between events.
    fn clock_ns(&self) -> Option<i64> {
        None
    }
    /// The sandbox as live nodes, for what only those have.
    fn as_beam(&mut self) -> Option<&mut beam::Beam> {
        None
    }
    /// The sandbox as a sim, for what only a sim has.
    fn as_sim(&mut self) -> Option<&mut sim::Sim> {
        None
    }
}
