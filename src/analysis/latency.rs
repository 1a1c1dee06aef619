//! Calls with their three waits (queue, handling, reply), joined by the call's reference; percentiles
//! and histograms over them. It must not know how results are shown.

use serde::Serialize;

use super::Scope;
use crate::model::{Actor, Atom, CallKey, Seq};
use crate::store::Recording;

/// How a call ended for its caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The reply arrived.
    Received,
    Timeout,
    /// The callee died before it replied.
    Exit,
    /// There was no such process.
    Noproc,
    /// Not over within the scope.
    Open,
}

/// One call: what is known of it, from whichever of its two ends was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRow {
    /// The first event known of the call: its send, or its arrival when the caller was not recorded.
    pub call_seq: Seq,
    pub at_ns: i64,
    pub key: CallKey,
    pub caller: Option<Actor>,
    pub callee: Option<Actor>,
    pub tag: Option<Atom>,
    pub size_bytes: u32,
    pub send_seq: Option<Seq>,
    pub receive_seq: Option<Seq>,
    pub start_seq: Option<Seq>,
    pub handled_seq: Option<Seq>,
    pub reply_seq: Option<Seq>,
    /// What ended the caller's wait: arrival of the reply, timeout, 'DOWN', or the callee's end.
    pub end_seq: Option<Seq>,
    /// Arrival to begin of the callback; from the send when no arrival was recorded.
    pub queue_ns: Option<i64>,
    /// Begin of the callback to the reply (which may come after the callback).
    pub handling_ns: Option<i64>,
    /// The reply's way back.
    pub reply_ns: Option<i64>,
    /// What the caller waited; for an open call, nothing.
    pub total_ns: Option<i64>,
    pub outcome: CallOutcome,
    /// A reply was sent, but after the caller had given up.
    pub is_late: bool,
}

/// Nearest-rank percentiles of `n` durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    pub n: u64,
    pub mean_ns: i64,
    pub p50_ns: i64,
    pub p90_ns: i64,
    pub p99_ns: i64,
    pub max_ns: i64,
}

/// All calls of one tag to one callee.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatencyRow {
    pub callee: Option<Actor>,
    /// The callee as a person would name it.
    pub name: String,
    pub tag: Option<Atom>,
    pub n_calls: u64,
    pub n_timeouts: u64,
    pub n_exits: u64,
    pub n_noproc: u64,
    pub n_open: u64,
    pub n_late: u64,
    pub queue: Percentiles,
    pub handling: Percentiles,
    pub reply: Percentiles,
    pub total: Percentiles,
}

/// A bin of a histogram: `from_ns <= duration < to_ns` (the last one includes its end).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    pub from_ns: i64,
    pub to_ns: i64,
    pub n: u64,
}

/// Gives each call once it is over (the open ones at the end). One pass; memory is bounded by the calls that are open
/// or wait for a late reply.
pub fn for_each_call(rec: &Recording, scope: Scope<'_>, each: impl FnMut(CallRow)) {
    let _ = (rec, scope, each);
    todo!("analysis")
}

/// All calls, in order of their first event.
pub fn calls(rec: &Recording, scope: Scope<'_>) -> Vec<CallRow> {
    let mut rows = Vec::new();
    for_each_call(rec, scope, |row| rows.push(row));
    rows.sort_unstable_by_key(|row| row.call_seq);
    rows
}

/// The call that the event belongs to, by its reference.
pub fn call_of(rec: &Recording, scope: Scope<'_>, seq: Seq) -> Option<CallRow> {
    let _ = (rec, scope, seq);
    todo!("analysis")
}

/// Percentiles by callee and tag, the longest total p99 first.
pub fn latency(rec: &Recording, scope: Scope<'_>) -> Vec<LatencyRow> {
    let _ = (rec, scope);
    todo!("analysis")
}

/// Percentiles of durations, which are sorted in place.
pub fn percentiles(values_ns: &mut [i64]) -> Percentiles {
    let _ = values_ns;
    todo!("analysis")
}

/// At most `n_bins` bins of equal ratio (1-2-5 steps), from the smallest to the largest duration; empty bins between are kept.
pub fn histogram(values_ns: &[i64], n_bins: usize) -> Vec<Bin> {
    let _ = (values_ns, n_bins);
    todo!("analysis")
}
