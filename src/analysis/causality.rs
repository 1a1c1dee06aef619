//! Causes and effects of events: the recorded cause links, what happened inside one callback, and
//! the two ends of messages and calls. It must not know how results are shown.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::{Scope, within};
use crate::model::{Actor, Class, Event, Filter, Kind, Seq};
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
///
/// The recorded cause, else the callback that ran when the process did it, else (a process without
/// callbacks) the process's spawn.
pub fn cause(rec: &Recording, scope: Scope<'_>, seq: Seq) -> Option<Link> {
    let event = rec.event(seq)?;
    if let Some(from) = event.cause {
        return Some(Link { from, to: seq, relation: Relation::Caused });
    }
    let from = callback_at(rec, scope, actor_of(&event)?, seq)?;
    Some(Link { from, to: seq, relation: Relation::Inside })
}

/// The handle_start of the innermost callback that runs in `process` when event `at` happens, or the process's spawn
/// when it has none. `None` between callbacks and when nothing is known.
pub fn callback_at(rec: &Recording, scope: Scope<'_>, process: Actor, at: Seq) -> Option<Seq> {
    let filter = Filter {
        ranges: within(rec, scope, 0..at.0),
        ..Filter::kinds(&[Kind::HandleStart, Kind::HandleEnd, Kind::Spawn]).process(process)
    };
    let last = rec.scan(&filter).rfind(|event| !rec.is_introduction(event))?;
    if last.kind != Kind::HandleEnd {
        return Some(last.seq);
    }
    // A receive inside a callback is over, or a callback is: the fold knows which one runs on.
    rec.materialise(last.seq).processes.get(&process)?.handling
}

/// What directly followed from the event, the first `n_max`, in order. By the index of causes, and for a callback or a spawn by
/// the postings of its process.
pub fn effects(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Vec<Link> {
    let ranges = within(rec, scope, seq.0 + 1..rec.len());
    let filter = Filter { ranges: ranges.clone(), cause: Some(seq), ..Filter::default() };
    let caused = rec.scan(&filter).map(|event| Link { from: seq, to: event.seq, relation: Relation::Caused });
    let mut links: Vec<Link> = caused.take(n_max).collect();
    if let Some(start) = rec.event(seq).filter(|event| opens(rec, event)) {
        links.extend(inside(rec, ranges, &start, n_max));
        links.sort_unstable_by_key(|link| link.to);
        links.truncate(n_max);
    }
    links
}

/// Whether something can happen inside of the event.
fn opens(rec: &Recording, event: &Event) -> bool {
    matches!(event.kind, Kind::HandleStart | Kind::Spawn) && !rec.is_introduction(event)
}

/// What the process did inside of the callback or the life that `start` opens, the first `n_max`, in order, where no cause is recorded.
fn inside(rec: &Recording, ranges: Vec<Range<u64>>, start: &Event, n_max: usize) -> Vec<Link> {
    let (process, from) = (start.process, start.seq);
    let mut running = Running::at(start);
    let mut found = Vec::new();
    let filter = Filter { ranges, involved: vec![process], ..Filter::default() };
    for event in rec.scan(&filter) {
        let is_done = actor_of(&event) == Some(process) && event.cause.is_none();
        if is_done && running.innermost() == Some(from) {
            found.push(Link { from, to: event.seq, relation: Relation::Inside });
        }
        let is_turn = event.kind == Kind::HandleEnd || opens(rec, &event);
        if is_turn && event.process == process {
            running.push(&event);
        }
        if !running.has(from) || found.len() >= n_max {
            break;
        }
    }
    found
}

/// The causal chain through the event: back to its origin, forth to everything that followed, at most `n_max` links each way.
/// Each link costs a few look-ups in indexes.
pub fn chain(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Chain {
    let mut back = Vec::new();
    let mut at = seq;
    while let Some(link) = cause(rec, scope, at).filter(|_| back.len() < n_max) {
        at = link.from;
        back.push(link);
    }
    let mut following = forth(rec, scope, seq, n_max + 1);
    let is_cut = following.len() > n_max || cause(rec, scope, at).is_some();
    following.truncate(n_max);
    Chain { event: seq, back, forth: following, is_cut }
}

/// The first `n_max` links of all that followed from the event, in order of `to`: effects come after their cause, so the effects
/// of the earliest event that is not followed yet are all that can come before the next one.
fn forth(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut coming = BTreeMap::new();
    let mut at = seq;
    loop {
        coming.extend(effects(rec, scope, at, n_max - links.len()).into_iter().map(|link| (link.to, link)));
        let Some((to, link)) = coming.pop_first().filter(|_| links.len() < n_max) else { return links };
        links.push(link);
        at = to;
    }
}

/// What runs in a process. Callbacks nest one deep: a receive inside the run of a plain process.
#[derive(Clone, Copy, Default)]
struct Running {
    /// The spawn until the first callback, or the callback of class init.
    outer: Option<Seq>,
    inner: Option<Seq>,
}

impl Running {
    fn at(event: &Event) -> Running {
        let mut running = Running::default();
        running.push(event);
        running
    }

    fn push(&mut self, event: &Event) {
        match (event.kind, event.class) {
            (Kind::Spawn, _) | (Kind::HandleStart, Class::Init) => {
                *self = Running { outer: Some(event.seq), inner: None };
            }
            (Kind::HandleStart, _) => self.inner = Some(event.seq),
            (Kind::HandleEnd, _) if event.cause.is_none_or(|start| self.inner == Some(start)) => self.inner = None,
            (Kind::HandleEnd, _) => *self = Running::default(),
            _ => {}
        }
    }

    /// Whether `start` runs, or will again when what runs inside of it is over.
    fn has(self, start: Seq) -> bool {
        self.inner == Some(start) || self.outer == Some(start)
    }
    fn innermost(self) -> Option<Seq> {
        self.inner.or(self.outer)
    }
}

/// Who does what the event tells, when it is done inside a callback; `None` for what happens to a process.
fn actor_of(event: &Event) -> Option<Actor> {
    match event.kind {
        Kind::Spawn => event.peer,
        Kind::Receive
        | Kind::Down
        | Kind::TimerFire
        | Kind::ExitSignal
        | Kind::Timeout
        | Kind::LateReply
        | Kind::HandleStart
        | Kind::Gc
        | Kind::Sample
        | Kind::Loss
        | Kind::Mark
        | Kind::Restored
        | Kind::Forked
        | Kind::Input => None,
        _ => Some(event.process),
    }
}

#[cfg(test)]
mod tests;
