//! All about one process at a moment: what it is, its state and the change that made it, what waits, whom it knows.

use serde_json::{Value as Json, json};

use super::{Wanted, parts};
use crate::analysis::process::{self, ProcessInfo};
use crate::app::server::answer::{printed, terms_wanted, with_terms};
use crate::app::server::glass::Glass;
use crate::app::server::problem::Problem;
use crate::app::server::stage::Stage;
use crate::model::diff::diff;
use crate::model::{Actor, Event, Filter, Kind, Seq, Style, Syntax, Term};
use crate::view::tables::{self, Of};

/// Rows of history and of the mailbox; how many there are is told.
const ROWS_MAX: usize = 100;
/// Characters of a state as text.
const STATE_CHARS_MAX: usize = 60_000;
/// Bytes of a state up to which it is given as a tree.
const STATE_TREE_BYTES_MAX: usize = 256 << 10;
const CHANGES_MAX: usize = 200;

pub fn make(_: &Stage, glass: &Glass, wanted: &Wanted) -> Result<Json, Problem> {
    let at = wanted.at(glass)?;
    let name = wanted.text("process").ok_or_else(|| Problem::field("process", "is missing"))?;
    let rec = &glass.recording;
    let actor = actor(glass, at, name)?;
    let Some(info) = process::process(rec, actor, at) else {
        return Err(Problem::not_found(format!("{name} was not known yet at #{}", at.0)));
    };
    let of = Of::new(rec, glass.names());
    let mailbox = process::mailbox(rec, actor, at);
    let n_mailbox = mailbox.len();
    let syntax = terms_wanted(wanted.text("terms").unwrap_or_default())?.unwrap_or(glass.syntax());
    let changes = changes_around(glass, actor, at, syntax);
    Ok(json!({
        "at": at.0,
        "process": actor.to_string(),
        "name": info.name,
        "info": info_json(glass, &info, at),
        "path": supervision_path(glass, actor, at),
        "state": info.state.map(|seq| state_json(glass, seq, syntax)),
        "last_change": changes.0,
        "next_change": changes.1,
        "history": history(glass, actor, at),
        "callbacks": callbacks(glass, actor, at),
        "mailbox": with_terms(&tables::mailbox(&of, &mailbox[..n_mailbox.min(ROWS_MAX)]), Some(syntax)).data,
        "n_mailbox": n_mailbox,
        "callback": info.handling.and_then(|seq| rec.event(seq)).map(|event| crate::app::server::pulse::event_json(&event, glass.start_ns())),
        "gc": last_gc(glass, actor, at),
    }))
}

/// The process that text names: exactly, incarnation and all, else as a user would say it.
fn actor(glass: &Glass, at: Seq, name: &str) -> Result<Actor, Problem> {
    if let Some(actor) = glass.recording.actors().into_iter().find(|actor| actor.to_string() == name) {
        return Ok(actor);
    }
    let named = |at: Seq| {
        let state = glass.recording.materialise(at);
        state.names.iter().find(|((registered, _), _)| registered.as_str() == name).map(|(_, actor)| *actor)
    };
    // Names are shown that a process only gets later.
    named(at)
        .or_else(|| named(glass.last()))
        .ok_or_else(|| Problem::not_found(format!("no process {name:?} at #{}", at.0)))
}

fn reference(glass: &Glass, actor: Actor, at: Seq) -> Json {
    json!({ "process": actor.to_string(), "name": glass.names().at(actor, at) })
}

fn info_json(glass: &Glass, info: &ProcessInfo, at: Seq) -> Json {
    let references = |actors: &[Actor]| actors.iter().map(|actor| reference(glass, *actor, at)).collect::<Vec<_>>();
    let reference = |actor: Option<Actor>| actor.map(|actor| reference(glass, actor, at));
    json!({
        "names": info.names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "module": info.module.map(|module| module.as_str()),
        "label": info.label.map(|label| label.as_str()),
        "behaviour": info.behaviour,
        "status": info.status,
        "queue_len": info.queue_len,
        "queue_is_known": info.queue_len.is_some(),
        "memory_bytes": info.memory_bytes,
        "memory_is_estimated": info.memory_is_estimated,
        "reductions": info.reductions,
        "links": references(&info.links),
        "monitors": references(&info.monitors),
        "parent": reference(info.parent),
        "supervisor": reference(info.supervisor),
        "child_id": info.child_id.map(|id| id.as_str()),
        "n_restarts": info.n_restarts,
        "n_sent": info.n_sent,
        "n_received": info.n_received,
        "n_handled": info.n_handled,
        "spawned": info.spawned.map(|seq| seq.0),
        "ended": info.ended.map(|seq| seq.0),
    })
}

/// From the root of the supervision tree to the process.
fn supervision_path(glass: &Glass, actor: Actor, at: Seq) -> Vec<Json> {
    let state = glass.recording.materialise(at);
    let mut path = vec![reference(glass, actor, at)];
    let mut next = state.processes.get(&actor).and_then(|row| row.supervisor);
    // A damaged recording may go round in circles.
    while let (Some(supervisor), true) = (next, path.len() < 32) {
        path.push(reference(glass, supervisor, at));
        next = state.processes.get(&supervisor).and_then(|row| row.supervisor);
    }
    path.reverse();
    path
}

fn state_json(glass: &Glass, seq: Seq, syntax: Syntax) -> Json {
    let n_bytes = glass.recording.payload_ref(seq).map_or(0, |bytes| bytes.len());
    let Some(term) = glass.recording.term(seq) else {
        return json!({ "seq": seq.0, "n_bytes": n_bytes, "error": "too deep or damaged: not shown" });
    };
    json!({
        "seq": seq.0,
        "n_bytes": n_bytes,
        "text": printed(&term, syntax, STATE_CHARS_MAX),
        "tree": (n_bytes <= STATE_TREE_BYTES_MAX).then(|| parts::tree(&term, syntax)),
    })
}

/// What the last change up to `at` changed, and what the next one will.
fn changes_around(glass: &Glass, actor: Actor, at: Seq, syntax: Syntax) -> (Json, Json) {
    let rec = &glass.recording;
    let within = |from: u64, to: u64| {
        let cut = glass.line.iter().map(|range| range.start.max(from)..range.end.min(to));
        let ranges: Vec<_> = cut.filter(|range| range.start < range.end).collect();
        (!ranges.is_empty()).then(|| Filter { ranges, ..Filter::kind(Kind::StateChange).process(actor) })
    };
    let past = within(0, at.0 + 1);
    let mut before = past.iter().flat_map(|filter| rec.scan(filter).rev().take(2)).map(|event| event.seq);
    let (last, previous) = (before.next(), before.next());
    let future = within(at.0 + 1, u64::MAX);
    let next = future.iter().find_map(|filter| rec.scan(filter).next()).map(|event| event.seq);
    let change = |from: Option<Seq>, to: Option<Seq>| to.map_or(Json::Null, |to| change_json(glass, from, to, syntax));
    (change(previous, last), change(last, next))
}

fn change_json(glass: &Glass, from: Option<Seq>, to: Seq, syntax: Syntax) -> Json {
    let rec = &glass.recording;
    let term = |seq: Option<Seq>| seq.and_then(|seq| rec.term(seq));
    let style = Style::cell(syntax).chars_max(160);
    let text = |term: &Option<Term>| term.as_ref().map(|term| term.display(style).to_string());
    let changes = match (term(from), term(Some(to))) {
        (Some(old), Some(new)) => diff(&old, &new),
        _ => Vec::new(),
    };
    let rows = changes.iter().take(CHANGES_MAX).map(|change| {
        json!({ "path": change.path.to_string(), "before": text(&change.before), "after": text(&change.after) })
    });
    json!({
        "seq": to.0,
        "from": from.map(|seq| seq.0),
        "event": rec.event(to).map(|event| crate::app::server::pulse::event_json(&event, glass.start_ns())),
        "changes": rows.collect::<Vec<_>>(),
        "n_changes": changes.len(),
    })
}

/// Callbacks that are listed.
const CALLBACKS_MAX: usize = 40;

/// The newest callbacks that had begun by `at`, newest first; one that goes on has not taken any time yet.
fn callbacks(glass: &Glass, actor: Actor, at: Seq) -> Vec<Json> {
    let filter = Filter::kinds(&[Kind::HandleStart, Kind::HandleEnd]).process(actor).range(0..at.0 + 1);
    let mut end: Option<Event> = None;
    let mut rows = Vec::new();
    for event in glass.recording.scan(&filter).rev() {
        if event.kind == Kind::HandleEnd {
            end = Some(event);
            continue;
        }
        let took_ns = end.take().map(|end| end.at_ns - event.at_ns);
        rows.push(json!({
            "seq": event.seq.0,
            "callback": event.class.as_str(),
            "tag": event.tag.map(|tag| tag.as_str()),
            "peer": event.peer.map(|peer| reference(glass, peer, at)),
            "took_ns": took_ns,
        }));
        if rows.len() == CALLBACKS_MAX {
            break;
        }
    }
    rows
}

/// The newest changes of its state up to `at`, newest first, with the paths that each changed.
fn history(glass: &Glass, actor: Actor, at: Seq) -> Vec<Json> {
    let past: Vec<_> = glass
        .line
        .iter()
        .map(|range| range.start..range.end.min(at.0 + 1))
        .filter(|range| range.start < range.end)
        .collect();
    if past.is_empty() {
        return Vec::new();
    }
    let rec = &glass.recording;
    let filter = Filter { ranges: past, ..Filter::kind(Kind::StateChange).process(actor) };
    let newest: Vec<Seq> = rec.scan(&filter).rev().take(ROWS_MAX + 1).map(|event| event.seq).collect();
    newest
        .iter()
        .enumerate()
        .take(ROWS_MAX)
        .map(|(idx, seq)| {
            let event = rec.event(*seq);
            let old = newest.get(idx + 1).and_then(|seq| rec.term(*seq));
            let changed = match (old, rec.term(*seq)) {
                (Some(old), Some(new)) => diff(&old, &new).iter().take(8).map(|c| c.path.to_string()).collect(),
                _ => Vec::new(),
            };
            json!({
                "seq": seq.0,
                "at_ns": event.map(|event| event.at_ns - glass.start_ns()),
                "trigger": event.map(|event| event.class.as_str()),
                "tag": event.and_then(|event| event.tag).map(|tag| tag.as_str()),
                "changed": changed,
            })
        })
        .collect()
}

fn last_gc(glass: &Glass, actor: Actor, at: Seq) -> Json {
    let filter = Filter::kind(Kind::Gc).process(actor).range(0..at.0 + 1);
    let found = glass.recording.scan(&filter).next_back();
    found.map_or(Json::Null, |event| json!({ "seq": event.seq.0, "size_bytes": event.size_bytes }))
}
