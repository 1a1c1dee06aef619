//! Tables of live nodes: the nodes, and the processes that are held there.

use super::{Of, atom, count, text};
use crate::model::{Actor, Seq};
use crate::session::reply::{HeldRow, NodeRow};
use crate::view::{Cell, Table};

/// The attached nodes. `clock_apart` is how far a node's wall clock is ahead of the first node's; the recording's times are
/// right all the same, by up to `clock_error`.
pub fn nodes(rows: &[NodeRow]) -> Table {
    let columns = [
        "node",
        "OTP",
        ">processes",
        ">memory_bytes",
        "sessions",
        ">clock_apart_ns",
        ">clock_error_ns",
        ">dropped",
        ">redacted",
        "status",
    ];
    let mut table = Table::new("nodes", &columns);
    let first_ns = rows.first().map_or(0, |first| first.info.ready.offset_ns);
    for NodeRow { info, n_dropped, n_redacted } in rows {
        table.push(vec![
            text(info.node.as_str()),
            text(&info.ready.otp_release),
            count(info.ready.n_processes),
            count(info.ready.memory_bytes),
            Cell::Bool(info.ready.has_sessions),
            Cell::Ns(info.ready.offset_ns - first_ns - info.shift_ns),
            Cell::Ns(info.shift_error_ns),
            count(*n_dropped),
            count(*n_redacted),
            text(if info.is_gone { "gone" } else { "attached" }),
        ]);
    }
    table
}

/// The processes that are held at breakpoints, and those that are suspended.
pub fn held(of: &Of<'_>, rows: &[HeldRow]) -> Table {
    let mut table = Table::new("paused", &["process", "breakpoint", "when", ">since_start_ns", "message", "state"]);
    let last = Seq(of.recording.len().saturating_sub(1));
    for HeldRow { pid, held, since_start_ns } in rows {
        let process = of.name(Some(Actor::from(*pid)), last);
        let Some(held) = held else {
            let when = text("suspended");
            table.push(vec![process, Cell::Empty, when, Cell::Ns(*since_start_ns), Cell::Empty, Cell::Empty]);
            continue;
        };
        let term = |term: &Option<crate::model::Term>| term.clone().map_or(Cell::Empty, |t| Cell::Term(t.unwrapped()));
        table.push(vec![
            process,
            atom(Some(held.hold)),
            text(if held.is_before { "before" } else { "after" }),
            Cell::Ns(*since_start_ns),
            term(&held.message),
            term(&held.state),
        ]);
    }
    table
}
