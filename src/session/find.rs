//! Finding a process by what a user types. It must not know sources.

use crate::model::{Actor, Atom, Pid, ProcessRow, Seq, Status};
use crate::store::Recording;

/// The process that `text` names at `at`: a pid (`<0.12.0>`, `#PID<0.12.0>`), a registered name, else the label, child
/// id or module of a process (the first one alive). Errors: the names that would have been found.
pub fn process(recording: &Recording, at: Seq, text: &str) -> Result<Actor, Vec<String>> {
    let system = recording.materialise(at);
    let rows = || system.processes.values();
    if let Some((serial, id)) = pid_numbers(text) {
        let is_it = |pid: Pid| pid.id == id && pid.serial == serial;
        let found = rows().map(|row| row.actor).filter(|actor| actor.pid().is_some_and(is_it)).max();
        return found.ok_or_else(|| {
            rows().filter_map(|row| row.actor.pid()).map(|pid| format!("<0.{}.{}>", pid.id, pid.serial)).collect()
        });
    }
    let written = Atom::try_new(text).map_err(|_| Vec::new())?;
    let is_known = |name: &Atom| {
        system.names.contains_key(name) || rows().any(|row| row.names.contains(name) || row.module == Some(*name))
    };
    // As Elixir writes its modules' names, unless something is really called so.
    let atom = written.elixir_module().filter(|module| !is_known(&written) && is_known(module)).unwrap_or(written);
    if let Some(actor) = system.names.get(&atom) {
        return Ok(*actor);
    }
    // A dead process is still found by the name that it had.
    let had_name = |row: &&std::sync::Arc<ProcessRow>| row.names.contains(&atom);
    let is_called = |row: &&std::sync::Arc<ProcessRow>| [row.label, row.child_id, row.module].contains(&Some(atom));
    let alive_first = |row: &&std::sync::Arc<ProcessRow>| (row.status != Status::Alive, row.spawned);
    let best = rows()
        .filter(had_name)
        .max_by_key(|row| row.spawned)
        .or_else(|| rows().filter(is_called).min_by_key(alive_first));
    best.map(|row| row.actor).ok_or_else(|| {
        let mut known: Vec<String> = system.names.keys().map(|name| name.as_str().to_string()).collect();
        known.extend(rows().flat_map(|row| [row.label, row.module]).flatten().map(|name| name.as_str().to_string()));
        known.sort();
        known.dedup();
        known
    })
}

/// The nearest of `known` to `text`, when it is near enough to be a slip.
pub fn nearest<'k>(text: &str, known: &'k [String]) -> Option<&'k str> {
    let score = |name: &&String| (strsim::jaro_winkler(text, name) * 1000.0) as u32;
    known.iter().max_by_key(score).filter(|name| score(name) > 800).map(String::as_str)
}

/// Serial and id of `<0.12.0>`, `#PID<0.12.0>` or `0.12.0`.
fn pid_numbers(text: &str) -> Option<(u32, u32)> {
    let inner = text.trim_start_matches("#PID").trim_start_matches('<').trim_end_matches('>');
    let mut numbers = inner.split('.').map(|part| part.parse::<u32>().ok());
    match (numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()) {
        (_, id, serial, None) => Some((serial, id)),
        _ => None,
    }
}
