//! Processes written in Rhai: one file is one OTP module, its name the file's stem, its state bound to `this`.
//!
//! Rhai has no coroutines, so a blocking call inside a callback works by re-execution: the kernel answers with
//! [`Interrupt::Suspend`](crate::sandbox::sim::Interrupt), the evaluation is abandoned, and the callback is run again
//! from its pre-state once the answer is there; effects that were made already are answered from the kernel's log.
//!
//! - [`modules`] finds and compiles files; [`instance`] runs callbacks; [`answer`] is what callbacks return;
//!   [`host`] is what they may call; [`exception`] maps errors both ways.

mod answer;
mod builtin;
mod exception;
mod host;
mod instance;
mod lent;
mod modules;
#[cfg(test)]
mod tests;

pub use host::host_functions;
pub use modules::RhaiModules;
