//! Finding a process by what a user types. It must not know sources.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::model::display::Syntax;
use crate::model::{Actor, Atom, Filter, Kind, ProcessRow, Seq, Status, SystemState};
use crate::store::Recording;

/// The process that `text` names at `at`: a pid (`<0.12.0>`, `#PID<0.12.0>`) or port (`#Port<0.7>`), a registered name, else the label, child
/// id or module of a process (the first one alive). An Elixir module needs no `Elixir.` in front, and `@node` may follow
/// where several nodes were recorded. Errors: the names that would have been found.
pub fn process(recording: &Recording, at: Seq, text: &str) -> Result<Actor, Vec<String>> {
    let system = recording.materialise(at);
    let found = on_any_node(&system, text, None)?;
    let found = found.or_else(|| {
        let (text, node) = text.rsplit_once('@')?;
        on_any_node(&system, text, Some(node)).ok()?
    });
    found.ok_or_else(|| known(&system, text))
}

/// Every process that `text` names along `line`, whatever became of it: all who were ever registered by a name, else all
/// of a label, child id or module.
pub fn all(recording: &Recording, line: &[Range<u64>], text: &str) -> Vec<Actor> {
    let Some(last) = line.last().and_then(|range| range.end.checked_sub(1)) else { return Vec::new() };
    let system = recording.materialise(Seq(last));
    let called = |text: &str, node| called(recording, line, &system, text, node);
    let found = called(text, None);
    match text.rsplit_once('@') {
        Some((text, node)) if found.is_empty() => called(text, Some(node)),
        _ => found,
    }
}

fn called(
    recording: &Recording,
    line: &[Range<u64>],
    system: &SystemState,
    text: &str,
    node: Option<&str>,
) -> Vec<Actor> {
    let is_there = |actor: &Actor| node.is_none_or(|node| is_node(*actor, node));
    let rows = |is_it: &dyn Fn(&ProcessRow) -> bool| -> Vec<Actor> {
        system.processes.values().filter(|row| is_it(row)).map(|row| row.actor).filter(is_there).collect()
    };
    if let Some(id) = Id::of(text) {
        return rows(&|row| id.is_of(row.actor));
    }
    let spellings = [text.to_string(), format!("Elixir.{text}")];
    let found = spellings.iter().filter_map(|spelling| Atom::try_new(spelling).ok()).map(|atom| {
        let mut named = rows(&|row| row.names.contains(&atom));
        // A process that ended has no name any more, but it took one.
        let taken = Filter { ranges: line.to_vec(), tags: vec![atom], ..Filter::kind(Kind::Register) };
        named.extend(recording.scan(&taken).map(|event| event.process).filter(is_there));
        if named.is_empty() { rows(&|row| [row.label, row.child_id, row.module].contains(&Some(atom))) } else { named }
    });
    found.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// As [`process`], of the processes of one node or of all. Errors: several nodes have a process of this name.
fn on_any_node(system: &SystemState, text: &str, node: Option<&str>) -> Result<Option<Actor>, Vec<String>> {
    let is_there = |actor: &Actor| node.is_none_or(|node| is_node(*actor, node));
    let rows = || system.processes.values().filter(|row| is_there(&row.actor));
    if let Some(id) = Id::of(text) {
        return one_node(rows().map(|row| row.actor).filter(|actor| id.is_of(*actor)).collect(), text);
    }
    for spelling in [text.to_string(), format!("Elixir.{text}")] {
        let Ok(atom) = Atom::try_new(&spelling) else { continue };
        let named = system.named(atom).filter(is_there).collect::<Vec<_>>();
        if !named.is_empty() {
            return one_node(named, text);
        }
        // A dead process is still found by the name that it had.
        let had_name = |row: &&Arc<ProcessRow>| row.names.contains(&atom);
        let is_called = |row: &&Arc<ProcessRow>| [row.label, row.child_id, row.module].contains(&Some(atom));
        let alive_first = |row: &&Arc<ProcessRow>| (row.status != Status::Alive, row.spawned);
        let best = rows()
            .filter(had_name)
            .max_by_key(|row| row.spawned)
            .or_else(|| rows().filter(is_called).min_by_key(alive_first));
        if let Some(row) = best {
            return Ok(Some(row.actor));
        }
    }
    Ok(None)
}

/// The newest of `found` when all are of one node; else how to name each.
fn one_node(found: Vec<Actor>, text: &str) -> Result<Option<Actor>, Vec<String>> {
    let nodes: BTreeSet<Atom> = found.iter().map(|actor| actor.origin().id().node).collect();
    match nodes.len() {
        0 | 1 => Ok(found.into_iter().max()),
        _ => Err(nodes.into_iter().map(|node| format!("{text}@{}", node.as_str())).collect()),
    }
}

/// Whether `actor` lives on the node: its whole name, or what stands before the `@` of it.
fn is_node(actor: Actor, node: &str) -> bool {
    let own = actor.origin().id().node.as_str();
    own == node || own.split('@').next() == Some(node)
}

/// The names by which processes would be found, or pids where `text` is one.
pub fn known(system: &SystemState, text: &str) -> Vec<String> {
    let rows = || system.processes.values();
    if let Some(id) = Id::of(text) {
        let is_such = |actor: &Actor| actor.pid().is_some() == matches!(id, Id::Pid { .. });
        let actors = rows().map(|row| row.actor).filter(is_such);
        return actors.map(|actor| actor.display(Syntax::Erlang)).collect();
    }
    let mut known: Vec<String> = system.names.keys().map(|(name, _)| name.as_str().to_string()).collect();
    known.extend(rows().flat_map(|row| [row.label, row.module]).flatten().map(|name| name.as_str().to_string()));
    known.sort();
    known.dedup();
    known
}

/// A pid or a port as it is written.
enum Id<'t> {
    Pid { serial: u32, id: u32 },
    Port(&'t str),
}

impl Id<'_> {
    /// Of `<0.12.0>`, `#PID<0.12.0>`, `0.12.0` or `#Port<0.7>`.
    fn of(text: &str) -> Option<Id<'_>> {
        if text.starts_with("#Port<") {
            return Some(Id::Port(text));
        }
        let inner = text.trim_start_matches("#PID").trim_start_matches('<').trim_end_matches('>');
        let mut numbers = inner.split('.').map(|part| part.parse::<u32>().ok());
        match (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()) {
            (_, id, serial, None) => Some(Id::Pid { serial, id }),
            _ => None,
        }
    }

    fn is_of(&self, actor: Actor) -> bool {
        match (self, actor.pid()) {
            (Id::Pid { serial, id }, Some(pid)) => pid.id == *id && pid.serial == *serial,
            (Id::Port(text), None) => actor.display(Syntax::Erlang) == *text,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{NewEvent, Origin, Port};

    #[test]
    fn ports_are_found_as_they_are_written() {
        let mut recording = Recording::default();
        let port = Actor::from(Port { id_high: 0, id_low: 40, origin: Origin::LOCAL });
        recording.append(&NewEvent::new(0, Kind::Log, port)).unwrap();
        let text = port.display(Syntax::Erlang);
        assert_eq!(
            (process(&recording, Seq(0), &text), all(&recording, &recording.lineage(0), &text)),
            (Ok(port), vec![port])
        );
        assert_eq!(process(&recording, Seq(0), "#Port<0.4>"), Err(vec![text]));
    }
}
