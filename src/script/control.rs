//! How a running script is ended from outside and from within: one interrupt token and `exit(n)`.
//!
//! Rhai wraps an error that leaves a closure inside `map`, so that a `try` around it catches even a
//! termination, and `sort` drops it. So the request is kept here: every engine's progress hook goes on terminating
//! while it stands, and whoever runs the script trusts [`Control`], not the error. It must not know engines.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{Dynamic, EvalAltResult, Position};

use crate::model::limits;

/// Shared by all engines of one session; clones are the same control.
#[derive(Clone, Debug, Default)]
pub struct Control(Rc<State>);

#[derive(Debug, Default)]
struct State {
    interrupt: Arc<AtomicBool>,
    /// Why scripts end from within.
    ending: Cell<Option<Stop>>,
}

/// Why a script was ended before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `exit(code)`.
    Exit(i64),
    Interrupted,
    /// Our process holds more than [`limits::SCRIPT_MEMORY_BYTES_MAX`]: Rhai bounds single values, not their sum.
    OutOfMemory,
}

impl Control {
    /// A control that also ends scripts when somebody (Ctrl-C) sets `interrupt`.
    pub fn new(interrupt: Arc<AtomicBool>) -> Control {
        Control(Rc::new(State { interrupt, ending: Cell::new(None) }))
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
