//! Floor 3: answers over a recording, as plain typed results.
//!
//! Every function takes a [`Recording`](crate::store::Recording) and a *scope*: ascending, disjoint
//! seq ranges as of `Recording::lineage` (empty = everything), so that a branch is analysed with its
//! own past only. Costs are one pass over the kinds in question; no clock but the events' own.
//! Nothing here makes tables, pictures or scripts, and nothing runs or changes a system.

pub mod causality;
#[cfg(test)]
mod fixture;
pub mod flow;
pub mod histogram;
mod join;
pub mod latency;
pub mod names;
pub mod patterns;
#[cfg(test)]
mod plain;
pub mod process;
pub mod pyramid;
mod reason;
pub mod tree;
pub mod why;

use std::ops::Range;

use crate::store::Recording;

/// Ascending, disjoint seq ranges; empty = the whole recording.
pub type Scope<'a> = &'a [Range<u64>];

/// The part of the scope within `range`; never empty as a list, since that would mean everything.
fn within(rec: &Recording, scope: Scope<'_>, range: Range<u64>) -> Vec<Range<u64>> {
    let everything = rec.first().0..rec.len();
    let ranges = if scope.is_empty() { std::slice::from_ref(&everything) } else { scope };
    let cut = ranges.iter().map(|r| r.start.max(range.start)..r.end.min(range.end));
    let mut cut: Vec<Range<u64>> = cut.filter(|r| !r.is_empty()).collect();
    if cut.is_empty() {
        cut.push(0..0);
    }
    cut
}
