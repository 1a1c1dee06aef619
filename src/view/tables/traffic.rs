//! Tables of events, messages, calls and what is concluded from them.

use super::{Of, atom, count, ns, seq, text, word};
use crate::analysis::causality::{Chain, Relation};
use crate::analysis::flow::{MessageRow, PairRow};
use crate::analysis::latency::{CallRow, LatencyRow};
use crate::analysis::names::Names;
use crate::analysis::patterns::Finding;
use crate::analysis::why::Evidence;
use crate::model::{Class, Kind, Seq};
use crate::store::Recording;
use crate::view::{Cell, Table};

/// Events by seq, each with what it carries. Cost: a payload fetch per row.
pub fn events(recording: &Recording, names: &Names, seqs: &[Seq]) -> Table {
    let of = Of::new(recording, names);
    let mut table = Table::new("events", &[">seq", ">at_ns", "kind", "class", "process", "peer", "tag", "payload"]);
    for event in seqs.iter().filter_map(|seq| recording.event(*seq)) {
        table.push(vec![
            Cell::Seq(event.seq),
            of.since_start(event.at_ns),
            text(event.kind.as_str()),
            if event.class == Class::None { Cell::Empty } else { text(event.class.as_str()) },
            // A loss is nobody's.
            of.name(Some(event.process).filter(|_| event.kind != Kind::Loss), event.seq),
            of.name(event.peer, event.seq),
            atom(event.tag),
            of.payload(event.seq),
        ]);
    }
    table
}

/// Messages with what became of each.
pub fn messages(of: &Of<'_>, rows: &[MessageRow], n_more: u64) -> Table {
    let columns = [
        ">seq",
        ">at_ns",
        "from",
        "to",
        "class",
        "tag",
        "result",
        ">queue_ns",
        ">handling_ns",
        ">reply_ns",
        ">total_ns",
        ">size_bytes",
    ];
    let mut table = Table::new("messages", &columns);
    for row in rows {
        table.push(vec![
            Cell::Seq(row.seq),
            of.since_start(row.at_ns),
            of.name(row.from, row.seq),
            of.name(row.to, row.seq),
            text(row.class.as_str()),
            atom(row.tag),
            word(row.result),
            ns(row.queue_ns),
            ns(row.handling_ns),
            ns(row.reply_ns),
            ns(row.total_ns),
            Cell::Bytes(row.size_bytes.into()),
        ]);
    }
    table.n_more = n_more;
    table
}

/// Calls with their three waits.
pub fn calls(of: &Of<'_>, rows: &[CallRow]) -> Table {
    let columns = [
        ">seq",
        ">at_ns",
        "caller",
        "callee",
        "tag",
        "outcome",
        "late",
        ">queue_ns",
        ">handling_ns",
        ">reply_ns",
        ">total_ns",
    ];
    let mut table = Table::new("calls", &columns);
    for row in rows {
        table.push(vec![
            Cell::Seq(row.call_seq),
            of.since_start(row.at_ns),
            of.name(row.caller, row.call_seq),
            of.name(row.callee, row.call_seq),
            atom(row.tag),
            word(row.outcome),
            if row.is_late { text("late") } else { Cell::Empty },
            ns(row.queue_ns),
            ns(row.handling_ns),
            ns(row.reply_ns),
            ns(row.total_ns),
        ]);
    }
    table
}

/// Percentiles by callee and tag.
pub fn latency(rows: &[LatencyRow]) -> Table {
    let columns = [
        "callee",
        "tag",
        ">calls",
        ">timeouts",
        ">failed",
        ">late",
        ">queue_p50_ns",
        ">queue_max_ns",
        ">handling_p50_ns",
        ">handling_max_ns",
        ">total_p50_ns",
        ">total_p99_ns",
        ">total_max_ns",
    ];
    let mut table = Table::new("latency", &columns);
    for row in rows {
        table.push(vec![
            text(&row.name),
            atom(row.tag),
            count(row.n_calls),
            count(row.n_timeouts),
            count(row.n_exits + row.n_noproc),
            count(row.n_late),
            ns((row.queue.n > 0).then_some(row.queue.p50_ns)),
            ns((row.queue.n > 0).then_some(row.queue.max_ns)),
            ns((row.handling.n > 0).then_some(row.handling.p50_ns)),
            ns((row.handling.n > 0).then_some(row.handling.max_ns)),
            ns((row.total.n > 0).then_some(row.total.p50_ns)),
            ns((row.total.n > 0).then_some(row.total.p99_ns)),
            ns((row.total.n > 0).then_some(row.total.max_ns)),
        ]);
    }
    table
}

/// Who talks to whom.
pub fn pairs(rows: &[PairRow]) -> Table {
    let columns = ["from", "to", ">messages", ">calls", ">casts", ">replies", ">others", ">dead", ">size_bytes"];
    let mut table = Table::new("pairs", &columns);
    for row in rows {
        table.push(vec![
            text(&*row.from_name),
            text(&*row.to_name),
            count(row.n_messages),
            count(row.n_calls),
            count(row.n_casts),
            count(row.n_replies),
            count(row.n_others),
            count(row.n_dead),
            Cell::Bytes(row.size_bytes),
        ]);
    }
    table
}

/// Findings, worst first.
pub fn findings(rows: &[Finding]) -> Table {
    let mut table = Table::new("patterns", &["severity", "pattern", ">count", ">seq", "finding", "next"]);
    for row in rows {
        table.push(vec![
            word(row.severity),
            text(row.pattern),
            count(row.count),
            Cell::Seq(row.first),
            text(&row.sentence),
            text(&row.suggestion),
        ]);
    }
    table
}

/// The events that prove an explanation.
pub fn evidence(of: &Of<'_>, rows: &[Evidence]) -> Table {
    let mut table = Table::new("evidence", &[">seq", ">at_ns", "role", "what"]);
    for row in rows {
        let at = of.recording.event(row.seq).map_or(Cell::Empty, |event| of.since_start(event.at_ns));
        table.push(vec![Cell::Seq(row.seq), at, text(row.role), text(&row.text)]);
    }
    table
}

/// A causal chain in the order of its events.
pub fn chain(of: &Of<'_>, chain: &Chain) -> Table {
    let mut table =
        Table::new("causal chain", &[">seq", ">at_ns", "kind", "process", "peer", "tag", ">cause", "relation"]);
    for at in chain.seqs() {
        let Some(event) = of.recording.event(at) else { continue };
        let link = chain.back.iter().chain(&chain.forth).find(|link| link.to == at);
        let relation = link.map_or(Cell::Empty, |link| match link.relation {
            Relation::Caused => text("caused by"),
            Relation::Inside => text("inside"),
        });
        table.push(vec![
            Cell::Seq(at),
            of.since_start(event.at_ns),
            text(event.kind.as_str()),
            of.name(Some(event.process), at),
            of.name(event.peer, at),
            atom(event.tag),
            seq(link.map(|link| link.from)),
            relation,
        ]);
    }
    if chain.is_cut {
        table.notes.push("cut: more follows".into());
    }
    table
}
