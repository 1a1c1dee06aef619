//! Tables of processes, their states and mailboxes.

use super::{Of, atom, count, fields, seq, text};
use crate::analysis::process::{MailboxRow, ProcessInfo, StateRow, SystemSummary};
use crate::model::{Behaviour, Seq, Status};
use crate::session::reply::{Comparison, ProcessChange};
use crate::view::{Cell, Table};

/// Said under every table that shows memory of a sim.
const ESTIMATED: &str = "memory on a sim is an estimate";

fn status(status: Status) -> Cell {
    text(match status {
        Status::Alive => "alive",
        Status::Restarting => "restarting",
        Status::Dead => "dead",
    })
}

fn behaviour(behaviour: Behaviour) -> Cell {
    text(behaviour.as_str())
}

fn memory(info: &ProcessInfo) -> Cell {
    info.memory_bytes.map_or(Cell::Empty, Cell::Bytes)
}

/// Processes and ports at a moment.
pub fn processes(of: &Of<'_>, rows: &[ProcessInfo], at: Option<Seq>) -> Table {
    let title = at.map_or("processes".to_string(), |at| format!("processes at #{}", at.0));
    let columns = [
        "pid",
        "name",
        "-module",
        "-behaviour",
        "status",
        ">queue",
        ">handled",
        "->reductions",
        "->memory_bytes",
        ">restarts",
        "-supervisor",
    ];
    let mut table = Table::new(title, &columns);
    for row in rows {
        let supervisor = row.supervisor.map_or(Cell::Empty, |actor| text(of.names.name(actor)));
        table.push(vec![
            of.actor(row.actor),
            text(&row.name),
            of.module(row.module),
            behaviour(row.behaviour),
            status(row.status),
            row.queue_len.map_or(Cell::Empty, count),
            count(row.n_handled),
            count(row.reductions),
            memory(row),
            count(row.n_restarts.into()),
            supervisor,
        ]);
    }
    if rows.iter().any(|row| row.memory_is_estimated && row.memory_bytes.is_some()) {
        table.notes.push(ESTIMATED.into());
    }
    table
}

/// All about one process.
pub fn process_fields(of: &Of<'_>, info: &ProcessInfo, at: Seq) -> Table {
    let named = |actor: crate::model::Actor| format!("{} {}", of.names.at(actor, at), actor.display(of.syntax()));
    let list = |actors: &[crate::model::Actor]| text(actors.iter().map(|a| named(*a)).collect::<Vec<_>>().join(", "));
    let mut table = fields(
        format!("{} at #{}", info.name, at.0),
        vec![
            ("pid", of.actor(info.actor)),
            ("name", text(&info.name)),
            ("module", of.module(info.module)),
            ("label", atom(info.label)),
            ("behaviour", behaviour(info.behaviour)),
            ("status", status(info.status)),
            ("queue", info.queue_len.map_or(Cell::Empty, count)),
            ("memory_bytes", memory(info)),
            ("reductions", count(info.reductions)),
            ("links", list(&info.links)),
            ("monitors", list(&info.monitors)),
            ("parent", info.parent.map_or(Cell::Empty, |actor| text(named(actor)))),
            ("supervisor", info.supervisor.map_or(Cell::Empty, |actor| text(named(actor)))),
            ("child_id", atom(info.child_id)),
            ("restarts", count(info.n_restarts.into())),
            ("sent", count(info.n_sent)),
            ("received", count(info.n_received)),
            ("handled", count(info.n_handled)),
            ("handling", seq(info.handling)),
            ("spawned", seq(info.spawned)),
            ("ended", seq(info.ended)),
            ("state", info.state.map_or(Cell::Empty, |at| of.payload(at))),
        ],
    );
    if info.memory_is_estimated && info.memory_bytes.is_some() {
        table.notes.push(ESTIMATED.into());
    }
    table
}

/// The system in numbers.
pub fn system_fields(of: &Of<'_>, summary: &SystemSummary) -> Table {
    let longest =
        summary.longest_queue.map_or(Cell::Empty, |(actor, n)| text(format!("{} ({n})", of.names.name(actor))));
    let mut table = fields(
        "system",
        vec![
            ("seq", seq(summary.at)),
            ("at_ns", of.since_start(summary.at_ns)),
            ("alive", count(summary.n_alive)),
            ("restarting", count(summary.n_restarting)),
            ("dead", count(summary.n_dead)),
            ("ports", count(summary.n_ports)),
            ("names", count(summary.n_names)),
            ("queued", count(summary.n_queued)),
            ("longest_queue", longest),
            ("memory_bytes", Cell::Bytes(summary.memory_bytes)),
            ("reductions", count(summary.reductions)),
            ("lost", count(summary.n_lost)),
        ],
    );
    if summary.memory_is_estimated {
        table.notes.push(ESTIMATED.into());
    }
    table
}

/// The changes of states, each with the state that it made.
pub fn history(of: &Of<'_>, rows: &[StateRow]) -> Table {
    let mut table = Table::new("state history", &[">seq", ">at_ns", "process", "trigger", "tag", "changed", "state"]);
    for row in rows {
        table.push(vec![
            Cell::Seq(row.seq),
            of.since_start(row.at_ns),
            of.name(Some(row.actor), row.seq),
            text(row.class.as_str()),
            atom(row.tag),
            text(row.changed.join(", ")),
            of.payload(row.seq),
        ]);
    }
    table
}

/// What waits in a mailbox.
pub fn mailbox(of: &Of<'_>, rows: &[MailboxRow]) -> Table {
    let mut table = Table::new("mailbox", &[">seq", ">waited_ns", "from", "class", "tag", ">size_bytes", "message"]);
    for row in rows {
        table.push(vec![
            Cell::Seq(row.seq),
            Cell::Ns(row.waited_ns),
            of.name(row.from, row.seq),
            text(row.class.as_str()),
            atom(row.tag),
            Cell::Bytes(row.size_bytes.into()),
            of.payload(row.seq),
        ]);
    }
    table
}

/// What differs between two moments: a row per process that came, went or queued, and per path that changed.
pub fn comparison(of: &Of<'_>, comparison: &Comparison) -> Table {
    let moment = |at: Option<Seq>| at.map_or("start".to_string(), |at| format!("#{}", at.0));
    let title = format!("from {} to {}", moment(comparison.from), moment(comparison.to));
    let mut table = Table::new(title, &["pid", "process", "what", "before", "after"]);
    for change in &comparison.processes {
        let mut row = |what: String, before: Cell, after: Cell| {
            table.push(vec![of.actor(change.actor), text(&change.name), text(what), before, after]);
        };
        let ProcessChange { status: (old, new), queue_len, changes, .. } = change;
        if old != new {
            row("status".into(), old.map_or(Cell::Empty, status), new.map_or(Cell::Empty, status));
        }
        if queue_len.0 != queue_len.1 {
            let queued = |len: Option<u64>| len.map_or(Cell::Empty, count);
            row("queue".into(), queued(queue_len.0), queued(queue_len.1));
        }
        for change in changes {
            let term = |term: &Option<crate::model::Term>| term.clone().map_or(Cell::Empty, Cell::Term);
            let path = change.path.to_string();
            let what = if path.is_empty() { "state".to_string() } else { format!("state.{path}") };
            row(what, term(&change.before), term(&change.after));
        }
    }
    table
}
