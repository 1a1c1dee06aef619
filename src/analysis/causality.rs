//! Causes and effects of events: the recorded cause links, what happened inside one callback, and
//! the two ends of messages and calls. It must not know how results are shown.

use rustc_hash::{FxHashMap, FxHashSet};
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

/// What directly followed from the event, the first `n_max`.
pub fn effects(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Vec<Link> {
    let is_direct = |link: &Link| link.from == seq;
    forth(rec, scope, seq).filter(is_direct).take(n_max).collect()
}

/// The causal chain through the event: back to its origin, forth to everything that followed, at most `n_max` links each way.
/// Backwards it costs one look-up a link, forwards one pass over the rest of the scope.
pub fn chain(rec: &Recording, scope: Scope<'_>, seq: Seq, n_max: usize) -> Chain {
    let mut back = Vec::new();
    let mut at = seq;
    while let Some(link) = cause(rec, scope, at).filter(|_| back.len() < n_max) {
        at = link.from;
        back.push(link);
    }
    let mut following = forth(rec, scope, seq);
    let forth: Vec<Link> = following.by_ref().take(n_max).collect();
    let is_cut = cause(rec, scope, at).is_some() || following.next().is_some();
    Chain { event: seq, back, forth, is_cut }
}

/// Everything that followed from the event, in order: one pass over the later events, in which each is asked
/// whether its cause, or the callback that it happened in, is among those found so far.
fn forth<'r>(rec: &'r Recording, scope: Scope<'_>, seq: Seq) -> impl Iterator<Item = Link> + 'r {
    let mut found = FxHashSet::from_iter([seq]);
    let mut running: FxHashMap<Actor, Running> = FxHashMap::default();
    if let Some(event) =
        rec.event(seq).filter(|e| matches!(e.kind, Kind::HandleStart | Kind::Spawn) && !rec.is_introduction(e))
    {
        running.insert(event.process, Running::at(&event));
    }
    let later = within(rec, scope, seq.0 + 1..rec.len());
    let events = later.into_iter().flatten().filter_map(move |at| rec.event(Seq(at)));
    events.filter_map(move |event| {
        let inside = || running.get(&actor_of(&event)?)?.innermost().filter(|start| found.contains(start));
        let link = match event.cause {
            Some(from) => found.contains(&from).then_some(Link { from, to: event.seq, relation: Relation::Caused }),
            None => inside().map(|from| Link { from, to: event.seq, relation: Relation::Inside }),
        };
        match event.kind {
            Kind::HandleStart | Kind::HandleEnd | Kind::Spawn if !rec.is_introduction(&event) => {
                running.entry(event.process).or_default().push(&event)
            }
            _ => {}
        }
        if link.is_some() {
            found.insert(event.seq);
        }
        link
    })
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
