//! How a running script is ended from outside and from within: one interrupt token and `exit(n)`.
//!
//! Rhai wraps an error that leaves a closure inside `map`, so that a `try` around it catches even a
//! termination, and `sort` drops it. So the request is kept here: every engine's progress hook goes on terminating
//! while it stands, and whoever runs the script trusts [`Control`], not the error. It must not know engines.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult, Position};

use crate::model::{Failure, FailureKind, Outcome, limits};

/// Shared by all engines of one session; clones are the same control.
#[derive(Clone, Debug, Default)]
pub struct Control(Rc<State>);

#[derive(Debug, Default)]
struct State {
    interrupt: Arc<AtomicBool>,
    /// Why scripts end from within.
    ending: Cell<Option<Stop>>,
    /// When the script that runs has to be over.
    deadline: Cell<Option<(Instant, TimeLimit)>>,
}

/// How long a script may take, whatever its operations cost: those on large values take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    /// The limit's name, and its value.
    name: &'static str,
    seconds: u64,
}

impl TimeLimit {
    /// Of a breakpoint's condition, for one event.
    pub const CONDITION: TimeLimit =
        TimeLimit { name: "CONDITION_SECONDS_MAX", seconds: limits::CONDITION_SECONDS_MAX };
    /// Of a script that came over a socket.
    pub const SERVER: TimeLimit =
        TimeLimit { name: "SERVER_SCRIPT_SECONDS_MAX", seconds: limits::SERVER_SCRIPT_SECONDS_MAX };

    pub(super) fn failure(self) -> Failure {
        let text = limits::tripped(self.name, format!("{} s", self.seconds), "the script takes too long");
        Failure::new(FailureKind::Limit, text).hint("do less in it; the prompt and `cinema run` have no such limit")
    }
}

/// Why a script was ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `exit(code)`.
    Exit(i64),
    Interrupted,
    OutOfTime(TimeLimit),
    /// Our process holds more than [`limits::SCRIPT_MEMORY_BYTES_MAX`]: Rhai bounds single values, not their sum.
    OutOfMemory,
}

impl Control {
    /// A control that also ends scripts when somebody (Ctrl-C) sets `interrupt`.
    pub fn new(interrupt: Arc<AtomicBool>) -> Control {
        Control(Rc::new(State { interrupt, ..State::default() }))
    }

    /// The token that Ctrl-C sets.
    pub fn interrupt(&self) -> &Arc<AtomicBool> {
        &self.0.interrupt
    }

    /// Ends the run with an exit code: gives the error to return from the native function.
    pub fn exit(&self, code: i64) -> Box<EvalAltResult> {
        self.0.ending.set(Some(Stop::Exit(code)));
        terminated()
    }

    /// Ends the script if our process has grown too large. Costs some microseconds.
    pub(super) fn check_memory(&self) {
        if resident_bytes().is_some_and(|bytes| bytes > limits::SCRIPT_MEMORY_BYTES_MAX) {
            self.0.ending.set(Some(Stop::OutOfMemory));
        }
    }

    /// Does `work`, whose scripts end when it has taken longer than `limit`. Errors: it has.
    pub fn within<T>(&self, limit: TimeLimit, work: impl FnOnce() -> T) -> Outcome<T> {
        let before = self.0.deadline.get();
        let own = (Instant::now() + Duration::from_secs(limit.seconds), limit);
        let earlier = before.filter(|(deadline, _)| *deadline < own.0);
        self.0.deadline.set(Some(earlier.unwrap_or(own)));
        let done = work();
        self.0.deadline.set(before);
        if self.0.ending.get() == Some(Stop::OutOfTime(limit)) {
            self.0.ending.set(None);
            return Err(limit.failure());
        }
        Ok(done)
    }

    /// Ends the script if it has taken too long. Costs some nanoseconds, where it is limited a look at the clock.
    pub(super) fn check_time(&self) {
        if let Some((_, limit)) = self.0.deadline.get().filter(|(deadline, _)| Instant::now() > *deadline) {
            self.0.ending.set(Some(Stop::OutOfTime(limit)));
        }
    }

    /// The request that stands, if any. Two loads; polled at every operation of a script.
    #[inline]
    pub fn pending(&self) -> Option<Stop> {
        let interrupted = || self.0.interrupt.load(Ordering::Relaxed).then_some(Stop::Interrupted);
        self.0.ending.get().or_else(interrupted)
    }

    /// The request that stands, cleared: the script is over and the next one may run.
    pub fn take(&self) -> Option<Stop> {
        let pending = self.pending();
        self.0.ending.set(None);
        if pending == Some(Stop::Interrupted) {
            self.0.interrupt.store(false, Ordering::Relaxed);
        }
        pending
    }
}

/// Memory that our process holds now; known on Linux only.
fn resident_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let n_pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(n_pages * PAGE_BYTES)
}

/// The error by which a native function ends the script; what it means is kept elsewhere.
pub fn terminated() -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE))
}
