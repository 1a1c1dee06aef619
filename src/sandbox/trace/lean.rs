//! Lean call events: what a match spec puts in place of a callback's arguments, so that a large state never
//! leaves the node. `beam` writes the match specs, `recognise` reads what they send, both by this page.
//!
//! The process has the trace flags `call`, `arity` and `return_to`, and the match spec's body is
//! `{message, {{cinema, Args}}}` or `{message, {{cinema, Args, Watched}}}`:
//!
//! - `Args` is a list in the callback's own order; an argument that is left out is the atom [`OMITTED`];
//! - `Watched` is a map, or a list of pairs, from the names of watched fields to their values *before* the callback;
//! - the call's own function has its arity in place of arguments;
//! - the callback is over when a `return_to` says that control is back in OTP's code.

use crate::codec::walk::RawTerm;

/// The first element of what the match spec sends.
pub const TAG: &str = "cinema";
/// Stands in `Args` for an argument that was left out.
pub const OMITTED: &str = "$cinema_omitted";

/// What a lean call event carries.
#[derive(Clone, Copy)]
pub struct Lean<'a> {
    pub args: RawTerm<'a>,
    pub watched: Option<RawTerm<'a>>,
}

impl<'a> Lean<'a> {
    /// Reads what a match spec added; `None` when it was not one of ours.
    pub fn of(extra: RawTerm<'a>) -> Option<Lean<'a>> {
        let mut items = extra.tuple().filter(|items| matches!(items.len(), 2 | 3))?;
        items.next().filter(|tag| tag.is_atom(TAG))?;
        let args = items.next().filter(|args| args.list().is_some())?;
        Some(Lean { args, watched: items.next() })
    }
}
