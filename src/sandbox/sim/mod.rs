//! The embedded deterministic OTP runtime.

pub mod behaviour;
pub mod context;
pub mod otp;
mod pending;

pub use behaviour::{After, Behaviour, Callback, Effect, Frame, Interrupt, Modules, Raise, Return};
pub use context::Context;
pub use otp::supervisor_spec::{AutoShutdown, ChildSpec, Flags, Restart, Shutdown, Strategy, SupervisorSpec};

use std::rc::Rc;

/// How a sim is set up.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Decides every choice: who runs, how long things take, `random`.
    pub seed: u64,
    /// Shown by `describe`.
    pub title: String,
    /// A history root is kept about every so many events; 1 = a root per turn. Restoring and stepping back
    /// re-execute at most this many events near the present.
    pub root_every_n_events: u64,
}

impl Default for SimOptions {
    fn default() -> SimOptions {
        SimOptions { seed: 0, title: "sim".to_string(), root_every_n_events: 64 }
    }
}

/// A simulated OTP system.
pub struct Sim {
    _options: SimOptions,
    _modules: Rc<dyn Modules>,
}

impl Sim {
    pub fn new(options: SimOptions, modules: Rc<dyn Modules>) -> Sim {
        Sim { _options: options, _modules: modules }
    }
}
