//! State over time: each change with the paths that it wrote, and who wrote a path last.
//! It must not know how results are shown.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::analysis::{Scope, within};
use crate::model::{Actor, Atom, Class, Event, Filter, Kind, Path, Seq, Term, diff};
use crate::store::Recording;

/// One change of a process's state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateRow {
    /// The state_change event: its payload is the state after.
    pub seq: Seq,
    pub at_ns: i64,
    pub actor: Actor,
    /// The trigger.
    pub class: Class,
    pub tag: Option<Atom>,
    /// The callback in which it changed.
    pub handle_start: Option<Seq>,
    /// The state_change event before it.
    pub before: Option<Seq>,
    /// Paths that differ from the state before: `balance`, `orders[3].qty`. Empty for the first state.
    pub changed: Vec<String>,
}

/// The process's states in order, with what changed. Costs one decode per state.
pub fn history(rec: &Recording, scope: Scope<'_>, actor: Actor) -> Vec<StateRow> {
    let filter = filter(scope, Some(actor));
    let mut before: Option<(Seq, Option<Term>)> = None;
    let mut rows = Vec::new();
    for event in rec.scan(&filter) {
        let state = rec.term(event.seq);
        let changes = match (before.as_ref().and_then(|(_, state)| state.as_ref()), &state) {
            (Some(before), Some(after)) => diff::diff(before, after),
            _ => Vec::new(),
        };
        rows.push(StateRow::new(&event, before.as_ref().map(|(seq, _)| *seq), &changes));
        before = Some((event.seq, state));
    }
    rows
}

/// The state changes that gave `path` another value, of one process or of all; a first state that has the path is
/// one. Found by the index of changed paths: costs two decodes per state that may have written it.
pub fn writes(rec: &Recording, scope: Scope<'_>, actor: Option<Actor>, path: &Path) -> Vec<StateRow> {
    let filter = filter(scope, actor);
    // The state looked at last of each process: often the one before its next.
    let mut looked_at: FxHashMap<Actor, (Seq, Option<Term>)> = FxHashMap::default();
    let mut rows = Vec::new();
    for event in rec.scan_writes(&filter, path) {
        let after = rec.term(event.seq);
        let before = state_before(rec, scope, &event).map(|seq| match looked_at.remove(&event.process) {
            Some((known, state)) if known == seq => (seq, state),
            _ => (seq, rec.term(seq)),
        });
        let before = before.as_ref().map(|(seq, state)| (*seq, state.as_ref()));
        rows.extend(write(&event, before, after.as_ref(), path));
        looked_at.insert(event.process, (event.seq, after));
    }
    rows
}

/// The newest of [`writes`]; searches backwards and stops there.
pub fn last_write(rec: &Recording, scope: Scope<'_>, actor: Option<Actor>, path: &Path) -> Option<StateRow> {
    let filter = filter(scope, actor);
    rec.scan_writes(&filter, path).rev().find_map(|event| {
        let before = state_before(rec, scope, &event).map(|seq| (seq, rec.term(seq)));
        let before = before.as_ref().map(|(seq, state)| (*seq, state.as_ref()));
        write(&event, before, rec.term(event.seq).as_ref(), path)
    })
}

/// The state change before this one of the same process.
fn state_before(rec: &Recording, scope: Scope<'_>, event: &Event) -> Option<Seq> {
    let filter = Filter { ranges: within(rec, scope, 0..event.seq.0), ..filter(&[], Some(event.process)) };
    rec.scan(&filter).next_back().map(|event| event.seq)
}

/// The row of a state change if it wrote `path`.
fn write(event: &Event, before: Option<(Seq, Option<&Term>)>, after: Option<&Term>, path: &Path) -> Option<StateRow> {
    let old = before.and_then(|(_, state)| state);
    let new = after?;
    if old.and_then(|old| path.get(old)) == path.get(new) {
        return None;
    }
    let changes = old.map(|old| diff::diff(old, new)).unwrap_or_default();
    Some(StateRow::new(event, before.map(|(seq, _)| seq), &changes))
}

impl StateRow {
    fn new(event: &Event, before: Option<Seq>, changes: &[diff::Change]) -> StateRow {
        StateRow {
            seq: event.seq,
            at_ns: event.at_ns,
            actor: event.process,
            class: event.class,
            tag: event.tag,
            handle_start: event.cause,
            before,
            changed: changes.iter().map(|change| change.path.to_string()).collect(),
        }
    }
}

fn filter(scope: Scope<'_>, actor: Option<Actor>) -> Filter {
    Filter { ranges: scope.to_vec(), processes: actor.into_iter().collect(), ..Filter::kind(Kind::StateChange) }
}
