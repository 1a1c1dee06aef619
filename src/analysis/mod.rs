//! Floor 3: answers over a recording, as plain typed results.
//!
//! Every function takes a [`Recording`](crate::store::Recording) and a *scope*: ascending, disjoint
//! seq ranges as of `Recording::lineage` (empty = everything), so that a branch is analysed with its
//! own past only. Costs are one pass over the kinds in question; no clock but the events' own.
//! Nothing here makes tables, pictures or scripts, and nothing runs or changes a system.

pub mod causality;
pub mod flow;
pub mod latency;
pub mod names;
pub mod patterns;
pub mod process;
pub mod tree;
pub mod why;

use std::ops::Range;

/// Ascending, disjoint seq ranges; empty = the whole recording.
pub type Scope<'a> = &'a [Range<u64>];
