//! Calls with their three waits (queue, handling, reply), joined by the call's reference; percentiles
//! and histograms over them. It must not know how results are shown.

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use super::Scope;
use super::join::{CallEvents, CallJoin};
use super::names::Names;
use crate::model::{Actor, Atom, CallKey, Class, Event, Filter, Kind, Seq};
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
    /// The callee served it: it answered, or, where what it sends is not recorded, ended its callback. The caller was
    /// not recorded: whether it got the answer in time is not known.
    Served,
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
    pub reply_seq: Option<Seq>,
    /// What ended the caller's wait: arrival of the reply, timeout, 'DOWN', or the callee's end.
    pub end_seq: Option<Seq>,
    /// Arrival to begin of the callback; from the send when no arrival was recorded.
    pub queue_ns: Option<i64>,
    /// Begin of the callback to the reply (which may come after the callback), or to the callback's end where what the
    /// callee sends is not recorded.
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

/// Gives each call once it is over (the open ones at the end). One pass; memory is bounded by the calls that are open
/// or wait for a late reply.
pub fn for_each_call(rec: &Recording, scope: Scope<'_>, mut each: impl FnMut(CallRow)) {
    let mut join = CallJoin::new(rec, scope);
    for event in CallEvents::of(scope).iter(rec) {
        if let Some(row) = join.push(&event) {
            each(row);
        }
    }
    join.finish().into_iter().for_each(each);
}

/// All calls, in order of their first event.
pub fn calls(rec: &Recording, scope: Scope<'_>) -> Vec<CallRow> {
    let mut rows = Vec::new();
    for_each_call(rec, scope, |row| rows.push(row));
    rows.sort_unstable_by_key(|row| row.call_seq);
    rows
}

/// The call that the event belongs to: by its reference, or the call that the callback of `seq` serves.
pub fn call_of(rec: &Recording, scope: Scope<'_>, seq: Seq) -> Option<CallRow> {
    let event = rec.event(seq)?;
    let by_cause = || event.cause.and_then(|cause| rec.event(cause)).filter(|_| event.class == Class::Call);
    let key = event.call.or_else(|| by_cause()?.call)?;
    let mine = |row: &CallRow| row.key == key;
    let mut events: Vec<Event> = CallEvents::one(scope, key).iter(rec).collect();
    let arrival = events.iter().find(|e| e.kind == Kind::Receive && e.class == Class::Call).map(|e| e.seq);
    if arrival.is_some() {
        let start = Filter { ranges: scope.to_vec(), cause: arrival, ..Filter::kind(Kind::HandleStart) };
        events.extend(rec.scan(&start));
    }
    let last = events.iter().rfind(|e| e.kind == Kind::Receive || e.kind == Kind::Send);
    let callee = last.map(|e| if e.kind == Kind::Receive { Some(e.process) } else { e.peer })?;
    if let Some(callee) = callee {
        let ends = Filter { ranges: scope.to_vec(), ..Filter::kinds(&[Kind::Exit, Kind::Crash]) }.process(callee);
        events.extend(rec.scan(&ends));
    }
    events.sort_unstable_by_key(|e| e.seq);
    events.dedup_by_key(|e| e.seq);
    let mut join = CallJoin::new(rec, scope);
    events.iter().filter_map(|event| join.push(event)).find(mine).or_else(|| join.finish().into_iter().find(mine))
}

/// Percentiles by callee and tag, the longest total p99 first. Memory: four durations per call.
pub fn latency(rec: &Recording, scope: Scope<'_>) -> Vec<LatencyRow> {
    let mut groups: FxHashMap<(Option<Actor>, Option<Atom>), Group> = FxHashMap::default();
    for_each_call(rec, scope, |row| groups.entry((row.callee, row.tag)).or_default().add(&row));
    let names = Names::of(rec, scope);
    let mut rows: Vec<LatencyRow> = groups
        .into_iter()
        .map(|((callee, tag), group)| {
            let name = callee.map_or_else(|| "unknown".to_string(), |actor| names.name(actor));
            group.into_row(callee, name, tag)
        })
        .collect();
    tell_apart(&mut rows);
    // Where callers are not recorded, what the callee took is the least that they waited.
    let waited = |row: &LatencyRow| row.total.p99_ns.max(row.queue.p99_ns.saturating_add(row.handling.p99_ns));
    rows.sort_by(|a, b| {
        waited(b).cmp(&waited(a)).then_with(|| (&a.name, a.tag, a.callee).cmp(&(&b.name, b.tag, b.callee)))
    });
    rows
}

/// Adds its pid to a name that several callees have: incarnations of one server, which a row each is about.
fn tell_apart(rows: &mut [LatencyRow]) {
    let mut first: FxHashMap<String, Option<Actor>> = FxHashMap::default();
    let mut shared: FxHashSet<String> = FxHashSet::default();
    for row in rows.iter() {
        if *first.entry(row.name.clone()).or_insert(row.callee) != row.callee {
            shared.insert(row.name.clone());
        }
    }
    for row in rows.iter_mut().filter(|row| shared.contains(&row.name)) {
        if let Some(pid) = row.callee.map(|callee| callee.to_string()).filter(|pid| !row.name.contains(pid)) {
            row.name = format!("{} {pid}", row.name);
        }
    }
}

/// The durations of one callee and tag.
#[derive(Default)]
struct Group {
    queue_ns: Vec<i64>,
    handling_ns: Vec<i64>,
    reply_ns: Vec<i64>,
    total_ns: Vec<i64>,
    n_by_outcome: FxHashMap<CallOutcome, u64>,
    n_late: u64,
}

impl Group {
    fn add(&mut self, row: &CallRow) {
        self.queue_ns.extend(row.queue_ns);
        self.handling_ns.extend(row.handling_ns);
        self.reply_ns.extend(row.reply_ns);
        self.total_ns.extend(row.total_ns);
        *self.n_by_outcome.entry(row.outcome).or_default() += 1;
        self.n_late += u64::from(row.is_late);
    }

    fn into_row(mut self, callee: Option<Actor>, name: String, tag: Option<Atom>) -> LatencyRow {
        let n = |outcome| self.n_by_outcome.get(&outcome).copied().unwrap_or(0);
        LatencyRow {
            callee,
            name,
            tag,
            n_calls: self.n_by_outcome.values().sum(),
            n_timeouts: n(CallOutcome::Timeout),
            n_exits: n(CallOutcome::Exit),
            n_noproc: n(CallOutcome::Noproc),
            n_open: n(CallOutcome::Open),
            n_late: self.n_late,
            queue: percentiles(&mut self.queue_ns),
            handling: percentiles(&mut self.handling_ns),
            reply: percentiles(&mut self.reply_ns),
            total: percentiles(&mut self.total_ns),
        }
    }
}

/// Percentiles of durations, which are sorted in place.
pub fn percentiles(values_ns: &mut [i64]) -> Percentiles {
    values_ns.sort_unstable();
    let Some(&max_ns) = values_ns.last() else { return Percentiles::default() };
    let n = values_ns.len();
    let rank = |percent: usize| values_ns[(n * percent).div_ceil(100).max(1) - 1];
    let sum: i128 = values_ns.iter().map(|&v| i128::from(v)).sum();
    Percentiles {
        n: n as u64,
        mean_ns: (sum / n as i128) as i64,
        p50_ns: rank(50),
        p90_ns: rank(90),
        p99_ns: rank(99),
        max_ns,
    }
}

#[cfg(test)]
mod tests;
