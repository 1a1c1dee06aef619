//! Floor 3: breakpoints. What stops a run or marks a moment ([`Condition`]), what happens then
//! ([`Action`]), and the [`Table`] of those that are set.
//!
//! A condition is asked about a [`Candidate`]: an event that is about to happen on a sandbox, or
//! one that is recorded. Both go through the same code with the same knowledge (the event, its
//! payload, the past), so the hits of a run are the hits of a [`Search`] over its recording.
//! It must not know who runs the sandbox, nor how a hit is shown; scripts come in as
//! [`Predicate`] and [`HitScript`].

mod action;
mod candidate;
mod condition;
mod roster;
mod search;
mod table;
#[cfg(test)]
mod tests;

pub use action::{Action, Flow, Hit, HitScript};
pub use candidate::Candidate;
pub use condition::{CallResult, Condition, MessagePoint, Predicate, Selector, Test, What, event_kinds, is_meant};
pub use roster::Roster;
pub use search::Search;
pub use table::{Breakpoint, BreakpointId, Past, Table};
