//! What differs between two moments of a recording. It must not know how it is shown.

use super::reply::{Comparison, ProcessChange};
use crate::analysis::names::Names;
use crate::analysis::process::queue_len;
use crate::model::diff::diff;
use crate::model::{Actor, ProcessRow, Seq, SystemState, Term};
use crate::store::Recording;

/// Compares the systems just after two events (`None`: before the first). Cost: two folds, and two decodes per
/// process whose state is not the same event at both.
pub fn moments(recording: &Recording, from: Option<Seq>, to: Option<Seq>) -> Comparison {
    let system = |at: Option<Seq>| at.map(|seq| recording.materialise(seq)).unwrap_or_default();
    let (before, after) = (system(from), system(to));
    let names = to.max(from).map(|at| Names::of(recording, std::slice::from_ref(&(0..at.0 + 1))));
    let mut actors: Vec<Actor> = before.processes.keys().chain(after.processes.keys()).copied().collect();
    actors.sort();
    actors.dedup();
    let named = |actor: Actor| names.as_ref().map(|names| names.name(actor)).unwrap_or_default();
    let processes = actors.into_iter().filter_map(|actor| process(recording, &before, &after, actor, named(actor)));
    Comparison { from, to, processes: processes.collect() }
}

fn process(
    recording: &Recording,
    before: &SystemState,
    after: &SystemState,
    actor: Actor,
    name: String,
) -> Option<ProcessChange> {
    let (old, new) = (before.processes.get(&actor), after.processes.get(&actor));
    let state_seq = |row: Option<&std::sync::Arc<ProcessRow>>| row.and_then(|row| row.state);
    let changes = match (state_seq(old), state_seq(new)) {
        (old, new) if old == new => Vec::new(),
        (old, new) => {
            let term = |seq: Option<Seq>| seq.and_then(|seq| recording.term(seq)).unwrap_or(Term::atom("nil"));
            diff(&term(old), &term(new))
        }
    };
    let queued = |row: Option<&std::sync::Arc<ProcessRow>>| row.map_or(Some(0), |row| queue_len(recording, row));
    let change = ProcessChange {
        actor,
        name,
        status: (old.map(|row| row.status), new.map(|row| row.status)),
        queue_len: (queued(old), queued(new)),
        changes,
    };
    let is_same =
        change.status.0 == change.status.1 && change.queue_len.0 == change.queue_len.1 && change.changes.is_empty();
    (!is_same).then_some(change)
}
