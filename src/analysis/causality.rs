//! Causes and effects of events: the recorded cause links, what happened inside one callback, and
//! the two ends of messages and calls. It must not know how results are shown.

use serde::Serialize;

use super::Scope;
use crate::model::Seq;
use crate::store::Recording;

/// Why one event follows from another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// The later event names the earlier one as its cause.
    Caused,
    /// The later event happened inside the callback that began with the earlier one.
    Inside,
}

/// One step of causality; `from` is the earlier event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Link {
    pub from: Seq,
    pub to: Seq,
    pub relation: Relation,
}

/// What led to an event and what followed from it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chain {
    pub event: Seq,
    /// From the event back to its origin.
    pub back: Vec<Link>,
    /// What followed, in order of `to`.
    pub forth: Vec<Link>,
    /// More would follow; the bound was reached.
    pub is_cut: bool,
}

impl Chain {
    /// All events of the chain, ascending.
    pub fn seqs(&self) -> Vec<Seq> {
        let ends = self.back.iter().chain(&self.forth).flat_map(|link| [link.from, link.to]);
        let mut seqs: Vec<Seq> = ends.chain([self.event]).collect();
        seqs.sort_unstable();
        seqs.dedup();
        seqs
    }
}

/// What directly made the event happen; `None` for an origin.
pub fn cause(rec: &Recording, scope: Scope<'_>, seq: Seq) -> Option<Link> {
    let _ = (rec, scope, seq);
    todo!("analysis")
}

/// What directly followed from the event, the first `n_max`.
pub fn effects(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Vec<Link> {
    let _ = (rec, scope, seq, n_max);
    todo!("analysis")
}

/// The causal chain through the event: back to its origin, forth to everything that followed, at most `n_max` links each way.
pub fn chain(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Chain {
    let _ = (rec, scope, seq, n_max);
    todo!("analysis")
}
