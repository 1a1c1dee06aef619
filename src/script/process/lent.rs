//! The kernel's [`Context`] in the hands of host functions.
//!
//! Rhai's functions are `'static`, so the context is moved here for the length of one callback; a thread runs one
//! callback at a time. An interrupt that must not be caught is kept here too: while it stands every host function and
//! every operation of the script terminates, and the driver trusts it, not the error that comes out of Rhai.

use std::cell::{Cell, RefCell};

use rhai::EvalAltResult;

use super::super::control::terminated;
use super::exception::{bad_argument, carry};
use crate::sandbox::sim::{Context, Effect, Interrupt};

pub(super) type Raised<T> = Result<T, Box<EvalAltResult>>;

#[derive(Default)]
struct Lent {
    context: Option<Context>,
    /// [`Interrupt::Suspend`] or [`Interrupt::Stopped`].
    ending: Option<Interrupt>,
}

thread_local! {
    static LENT: RefCell<Lent> = RefCell::default();
    /// Whether an ending stands: read at every operation of a script.
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
}

/// Lends `context` to the host functions while `callback` runs; gives what it made, and the interrupt if it must be
/// abandoned.
pub(super) fn lend<T>(context: &mut Context, callback: impl FnOnce() -> T) -> (T, Option<Interrupt>) {
    LENT.set(Lent { context: Some(context.lend()), ending: None });
    IS_ENDING.set(false);
    let result = callback();
    let lent = LENT.take();
    IS_ENDING.set(false);
    context.give_back(lent.context.expect("only this function takes the context back"));
    (result, lent.ending)
}

/// Whether the running callback must be abandoned.
#[inline]
pub(super) fn is_ending() -> bool {
    IS_ENDING.get()
}

/// Abandons the running callback.
pub(super) fn end(ending: Interrupt) {
    IS_ENDING.set(true);
    LENT.with_borrow_mut(|lent| lent.ending = Some(ending));
}

/// Does one effect: an exception becomes an error that a script may catch, anything else ends the callback.
pub(super) fn effect<T>(act: impl FnOnce(&mut Context) -> Effect<T>) -> Raised<T> {
    if is_ending() {
        return Err(terminated());
    }
    let done = LENT.with_borrow_mut(|lent| lent.context.as_mut().map(act));
    match done {
        Some(Ok(value)) => Ok(value),
        Some(Err(Interrupt::Raise(exception))) => Err(carry(exception)),
        Some(Err(ending)) => {
            end(ending);
            Err(terminated())
        }
        None => Err(bad_argument("this function works only inside a callback of a process")),
    }
}

/// Writes what a script prints, and what is said about it, to the log of its process.
pub(super) fn log_line(text: &str) {
    // A callback that is being abandoned says it again when it is run again.
    let _ = effect(|cx| cx.log(text));
}
