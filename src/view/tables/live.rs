//! Tables of live nodes: the nodes, and the processes that are held there.

use super::{Of, atom, count, text};
use crate::model::{Actor, Seq};
use crate::session::reply::{HeldRow, NodeRow};
use crate::view::{Cell, Table};

/// The attached nodes. Clock offsets are to the first node.
pub fn nodes(rows: &[NodeRow]) -> Table {
    let columns = [
        "node",
        "OTP",
        ">processes",
        ">memory_bytes",
        "sessions",
        ">clock_shift_ns",
        ">clock_error_ns",
        ">dropped",
        ">redacted",
        "status",
    ];
    let mut table = Table::new("nodes", &columns);
    for NodeRow { info, n_dropped, n_redacted } in rows {
        table.push(vec![
            text(info.node.as_str()),
            text(&info.ready.otp_release),
            count(info.ready.n_processes),
            count(info.ready.memory_bytes),
            Cell::Bool(info.ready.has_sessions),
            Cell::Ns(info.shift_ns),
            Cell::Ns(info.shift_error_ns),
            count(*n_dropped),
            count(*n_redacted),
            text(if info.is_gone { "gone" } else { "attached" }),
        ]);
    }
    table
}

/// The processes that are held at breakpoints.
pub fn held(of: &Of<'_>, rows: &[HeldRow]) -> Table {
    let mut table = Table::new("paused", &["process", "breakpoint", "when", ">since_start_ns", "message", "state"]);
    let last = Seq(of.recording.len().saturating_sub(1));
    for HeldRow { held, since_start_ns } in rows {
        let term = |term: &Option<crate::model::Term>| term.clone().map_or(Cell::Empty, |t| Cell::Term(t.unwrapped()));
        table.push(vec![
            of.name(Some(Actor::from(held.pid)), last),
            atom(Some(held.hold)),
            text(if held.is_before { "before" } else { "after" }),
            Cell::Ns(*since_start_ns),
            term(&held.message),
            term(&held.state),
        ]);
    }
    table
}
