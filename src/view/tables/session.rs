//! Tables of what a session holds: sources, breakpoints, hits, marks, branches, positions.

use super::{Of, atom, count, fields, seq, text};
use crate::breakpoint::{Breakpoint, Hit};
use crate::model::Seq;
use crate::session::Recorded;
use crate::session::reply::{SourceInfo, TimeSpan};
use crate::store::{Branch, Loss, Mark};
use crate::timeline::Position;
use crate::view::{Cell, Table};

/// The sources of a session.
pub fn sources(rows: &[SourceInfo]) -> Table {
    let mut table = Table::new("sandboxes", &[">id", "current", "title", "what", ">events", ">branches"]);
    for row in rows {
        table.push(vec![
            count(row.id.0 as u64),
            if row.is_current { text("current") } else { Cell::Empty },
            text(&row.title),
            text(&row.description),
            count(row.n_events),
            count(row.n_branches),
        ]);
    }
    table
}

/// One source: what it is, can do, and what is known of its making.
pub fn source_fields(info: &SourceInfo) -> Table {
    let can = info.capabilities;
    let capabilities = [
        (can.can_run, "run"),
        (can.can_input, "input"),
        (can.can_restore, "restore"),
        (can.can_fork, "fork"),
        (can.is_live, "live"),
        (can.can_trace, "trace"),
        (can.can_pause, "pause"),
    ];
    let capable: Vec<&str> = capabilities.iter().filter(|(can, _)| *can).map(|(_, name)| *name).collect();
    let capable = if capable.is_empty() { "read only".to_string() } else { capable.join(", ") };
    let mut rows = vec![
        ("id", count(info.id.0 as u64)),
        ("title", text(&info.title)),
        ("what", text(&info.description)),
        ("can", text(capable)),
        ("events", count(info.n_events)),
        ("branches", count(info.n_branches)),
        ("length_ns", info.time_range_ns.map_or(Cell::Empty, |(first, last)| Cell::Ns(last.saturating_sub(first)))),
    ];
    // A count is one to programs, too.
    let note = |value: &String| match value.parse::<u64>() {
        Ok(n) if n.to_string() == *value => count(n),
        _ => text(value),
    };
    rows.extend(info.notes.iter().map(|(name, value)| (name.as_str(), note(value))));
    fields(format!("sandbox {}", info.id.0), rows)
}

/// Breakpoints with their hit counts.
pub fn breakpoints(rows: &[Breakpoint]) -> Table {
    let mut table = Table::new("breakpoints", &[">id", "name", "enabled", "condition", "action", ">hits"]);
    for row in rows {
        let once = if row.is_temporary { " (once)" } else { "" };
        table.push(vec![
            count(row.id.0.into()),
            text(&row.name),
            Cell::Bool(row.is_enabled),
            text(format!("{}{once}", row.condition)),
            text(row.action.to_string()),
            count(row.n_hits),
        ]);
    }
    table
}

/// Hits in the order given.
pub fn hits(of: &Of<'_>, rows: &[Hit]) -> Table {
    let mut table = Table::new("hits", &[">seq", ">at_ns", ">breakpoint", "name", "kind", "process", "peer", "tag"]);
    for row in rows {
        table.push(vec![
            Cell::Seq(row.event.seq),
            of.since_start(row.event.at_ns),
            count(row.breakpoint.0.into()),
            text(&row.name),
            text(row.event.kind.as_str()),
            of.name(Some(row.event.process), row.event.seq),
            of.name(row.event.peer, row.event.seq),
            atom(row.event.tag),
        ]);
    }
    table
}

/// Marks and snapshots.
pub fn marks(of: &Of<'_>, rows: &[Mark]) -> Table {
    let mut table = Table::new("marks", &["name", ">seq", ">at_ns", "what", "note"]);
    for row in rows {
        let at = of.recording.event(row.at).map_or(Cell::Empty, |event| of.since_start(event.at_ns));
        let what = text(if row.is_snapshot { "snapshot" } else { "mark" });
        table.push(vec![text(&row.name), Cell::Seq(row.at), at, what, text(&row.note)]);
    }
    table
}

/// Branches: where each left its parent.
pub fn branches(rows: &[Branch]) -> Table {
    let mut table = Table::new("branches", &[">id", ">parent", ">leaves_after", ">starts"]);
    for row in rows {
        let parent = row.parent.map_or(Cell::Empty, |parent| count(parent.into()));
        table.push(vec![count(row.id.into()), parent, seq(row.from), Cell::Seq(row.start)]);
    }
    table
}

/// What is lost, a row per stretch.
pub fn losses(of: &Of<'_>, rows: &[Loss]) -> Table {
    let mut table = Table::new("losses", &[">seq", ">last", ">at_ns", ">events", "reason", ">offset", "what"]);
    for row in rows {
        table.push(vec![
            Cell::Seq(Seq(row.seqs.start)),
            Cell::Seq(Seq(row.seqs.end - 1)),
            of.recording.event(Seq(row.seqs.start)).map_or(Cell::Empty, |event| of.since_start(event.at_ns)),
            row.n_events.map_or(Cell::Empty, count),
            text(row.reason),
            row.offset.map_or(Cell::Empty, count),
            row.what.as_deref().map_or(Cell::Empty, text),
        ]);
    }
    table
}

/// Stretches of a timeline.
pub fn spans(of: &Of<'_>, rows: &[TimeSpan]) -> Table {
    let mut table = Table::new("spans", &[">seq", ">last", ">events", ">from_ns", ">length_ns"]);
    for row in rows {
        table.push(vec![
            Cell::Seq(row.first),
            Cell::Seq(row.last),
            count(row.n_events),
            of.since_start(row.from_ns),
            Cell::Ns(row.to_ns - row.from_ns),
        ]);
    }
    table
}

/// Where a timeline stands.
/// What a flight recorder has done.
pub fn recorded_fields(recorded: &Recorded) -> Table {
    let files: Vec<String> = recorded.files.iter().map(|file| file.display().to_string()).collect();
    fields(
        "recorded",
        vec![
            ("ended_by", text(recorded.end)),
            ("events", count(recorded.n_events)),
            ("triggers", count(recorded.n_triggers)),
            ("files", text(files.join(", "))),
        ],
    )
}

pub fn position_fields(position: &Position) -> Table {
    fields(
        "position",
        vec![
            ("seq", seq(position.seq)),
            ("since_start_ns", Cell::Ns(position.since_start_ns)),
            ("percent", Cell::Float((position.percent * 100.0).round() / 100.0)),
            ("passed", count(position.n_passed)),
            ("events", count(position.n_events)),
            ("branch", count(position.branch.into())),
        ],
    )
}
