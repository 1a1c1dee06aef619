//! Replies as script values: plain values where there is one, else rows or a record that print well.
//! It must not know how anything is drawn.

use std::rc::Rc;

use rhai::{Array, Dynamic, INT, Map};

use super::operations::Api;
use super::record::{Block, Record};
use super::rows::Rows;
use super::timeline::TimelineHandle;
use crate::analysis::why::Explanation;
use crate::model::{Outcome, Pid, Seq, Term, time};
use crate::render::text;
use crate::sandbox::RunEnd;
use crate::script::convert;
use crate::script::event::{Context, EventHandle};
use crate::session::Reply;
use crate::session::reply::StopReport;
use crate::view::build;
use crate::view::tables::{self, Of};

/// The script's value for a reply.
pub fn to_dynamic(api: &Rc<Api>, reply: Reply) -> Outcome<Dynamic> {
    Ok(match reply {
        Reply::Nothing | Reply::NoEvent => Dynamic::UNIT,
        Reply::Said(text) => Dynamic::from(Record::said(text)),
        Reply::Bool(b) => b.into(),
        Reply::Int(n) => n.into(),
        Reply::Text(text) => text.into(),
        Reply::Term(term) | Reply::State { term, .. } => convert::to_dynamic(&term),
        Reply::Pid(pid) => pid_value(pid),
        Reply::Breakpoint(id) => Dynamic::from_int(id.0.into()),
        Reply::Timeline(id) => Dynamic::from(TimelineHandle { id }),
        Reply::Sources(rows) => rows_value(tables::sources(&rows)),
        Reply::Source(info) => record(tables::source_fields(&info)),
        Reply::Recorded(recorded) => record(tables::recorded_fields(&recorded)),
        Reply::Position(position) => record(tables::position_fields(&position)),
        other => of_recording(&api.context()?, other)?,
    })
}

/// Replies whose tables need the recording's names and clock.
fn of_recording(context: &Rc<Context>, reply: Reply) -> Outcome<Dynamic> {
    let recording = context.recording().borrow();
    let names = context.names(Seq(recording.len().saturating_sub(1)));
    let of = Of::new(&recording, &names);
    Ok(match reply {
        Reply::Event(seq) => event(context, seq),
        Reply::Events { seqs, n_more } => Dynamic::from(Rows::events(context, seqs, n_more)),
        Reply::Stop(report) => stop(&of, &report),
        Reply::Process(info) => record(tables::process_fields(&of, &info, Seq(recording.len().saturating_sub(1)))),
        Reply::Processes(rows) => rows_value(tables::processes(&of, &rows, None)),
        Reply::System(summary) => record(tables::system_fields(&of, &summary)),
        Reply::History(rows) => rows_value(tables::history(&of, &rows)),
        Reply::Mailbox(rows) => rows_value(tables::mailbox(&of, &rows)),
        Reply::Tree(tree) => {
            let view = build::supervision_tree(&tree, of.start_ns(), of.syntax());
            let rows: Array = Rows::table(view.table()).items().collect();
            let fields = Map::from([("rows".into(), rows.into())]);
            Dynamic::from(Record::new(fields, vec![Block::Tree(view)]))
        }
        Reply::Diff(comparison) => rows_value(tables::comparison(&of, &comparison)),
        Reply::Chain(chain) => {
            let table = tables::chain(&of, &chain);
            let fields = Map::from([
                ("event".into(), event(context, chain.event)),
                ("events".into(), Dynamic::from(Rows::events(context, chain.seqs(), 0))),
            ]);
            Dynamic::from(Record::with_focus(fields, vec![Block::Table(table)], chain.seqs()))
        }
        Reply::Explanation(explanation) => explain(context, &of, &explanation),
        Reply::Calls(rows) => rows_value(tables::calls(&of, &rows)),
        Reply::Latency(rows) => rows_value(tables::latency(&rows)),
        Reply::Messages { rows, n_more } => rows_value(tables::messages(&of, &rows, n_more)),
        Reply::Pairs(rows) => rows_value(tables::pairs(&rows)),
        Reply::Findings(rows) => rows_value(tables::findings(&rows)),
        Reply::Breakpoints(rows) => rows_value(tables::breakpoints(&rows)),
        Reply::Hits(rows) => rows_value(tables::hits(&of, &rows)),
        Reply::Nodes(rows) => rows_value(tables::nodes(&rows)),
        Reply::Held(rows) => rows_value(tables::held(&of, &rows)),
        Reply::Marks(rows) => rows_value(tables::marks(&of, &rows)),
        Reply::Branches(rows) => rows_value(tables::branches(&rows)),
        Reply::Spans(rows) => rows_value(tables::spans(&of, &rows)),
        Reply::Losses(rows) => rows_value(tables::losses(&of, &rows)),
        _ => unreachable!("replies without a recording are converted by the caller"),
    })
}

fn event(context: &Rc<Context>, seq: Seq) -> Dynamic {
    let event = context.recording().borrow().event(seq);
    event.map_or(Dynamic::UNIT, |event| Dynamic::from(EventHandle::recorded(context, event)))
}

fn pid_value(pid: Pid) -> Dynamic {
    Dynamic::from(Term::Pid(pid))
}

fn rows_value(table: crate::view::Table) -> Dynamic {
    Dynamic::from(Rows::table(table))
}

fn record(table: crate::view::Table) -> Dynamic {
    Dynamic::from(Record::of_fields(table))
}

/// How a run ended, in a sentence; with the hits that stopped it.
fn stop(of: &Of<'_>, report: &StopReport) -> Dynamic {
    let (end, why) = match &report.end {
        RunEnd::Idle => ("idle", "nothing is left to do".to_string()),
        RunEnd::Limit => match report.asked_ns {
            Some(asked_ns) => ("limit", format!("{} passed", time::show_ns(asked_ns))),
            None => ("limit", "the limit is reached".to_string()),
        },
        RunEnd::Stopped if report.has_happened => ("stopped", "stopped at a breakpoint, after its event".to_string()),
        RunEnd::Stopped => ("stopped", "stopped at a breakpoint, before its event".to_string()),
        RunEnd::Interrupted => ("interrupted", "interrupted".to_string()),
        RunEnd::Answered(_) => ("answered", "answered".to_string()),
    };
    let at = report.position.seq.map_or("the start".to_string(), |seq| format!("#{}", seq.0));
    let clock = time::show_ns(report.clock_ns - of.start_ns());
    let text = format!("{}, now at {at} (+{clock}): {why}", text::counted(report.n_events, "event"));
    let mut blocks = vec![Block::Text(text)];
    let hits = tables::hits(of, &report.hits);
    if !report.hits.is_empty() {
        blocks.push(Block::Table(hits.clone()));
    }
    blocks.extend(super::inspect::hit_blocks(of, &report.hits));
    let fields = Map::from([
        ("end".into(), end.into()),
        ("events".into(), Dynamic::from_int(report.n_events as INT)),
        ("seq".into(), report.position.seq.map_or(Dynamic::UNIT, |seq| Dynamic::from_int(seq.0 as INT))),
        ("since_start_ns".into(), Dynamic::from_int(report.position.since_start_ns)),
        ("hits".into(), Dynamic::from(Rows::table(hits))),
    ]);
    Dynamic::from(Record::new(fields, blocks))
}

fn explain(context: &Rc<Context>, of: &Of<'_>, explanation: &Explanation) -> Dynamic {
    let text = explanation.sentences.join(" ");
    let evidence = tables::evidence(of, &explanation.evidence);
    let strings = |items: &[String]| items.iter().map(|item| Dynamic::from(item.clone())).collect::<Array>();
    let fields = Map::from([
        ("event".into(), event(context, explanation.event)),
        ("text".into(), text.clone().into()),
        ("sentences".into(), strings(&explanation.sentences).into()),
        ("evidence".into(), Dynamic::from(Rows::table(evidence.clone()))),
        ("focus".into(), Dynamic::from(Rows::events(context, explanation.focus.clone(), 0))),
        ("notes".into(), strings(&explanation.notes).into()),
        ("next".into(), strings(&explanation.next).into()),
    ]);
    let mut blocks = vec![Block::Text(text), Block::Table(evidence)];
    blocks.extend(explanation.notes.iter().map(|note| Block::Text(format!("note: {note}"))));
    if !explanation.next.is_empty() {
        blocks.push(Block::Text(format!("next: {}", explanation.next.join("   "))));
    }
    Dynamic::from(Record::with_focus(fields, blocks, explanation.focus.clone()))
}
