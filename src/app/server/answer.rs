//! Replies of operations as JSON: `data` is the result, `meta` says what it is a part of and what is estimated.
//! It must not know who asked.

use serde_json::{Map, Value as Json, json};

use super::problem::Problem;
use crate::codec::json::to_json;
use crate::export::{cell_json, fields};
use crate::model::{Outcome, Seq, Style, Syntax, Term, limits};
use crate::sandbox::RunEnd;
use crate::session::reply::StopReport;
use crate::session::{Reply, Session};
use crate::view::tables::{self, Of};
use crate::view::{Cell, Table, build};

/// Characters of a term that a cell holds as text.
const TERM_CHARS_MAX: usize = 4_000;

/// An answer to a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    pub data: Json,
    pub meta: Map<String, Json>,
}

impl Answer {
    pub fn of(data: impl Into<Json>) -> Answer {
        Answer { data: data.into(), meta: Map::new() }
    }
    pub fn meta(mut self, key: &str, value: impl Into<Json>) -> Answer {
        self.meta.insert(key.into(), value.into());
        self
    }
    pub fn to_json(&self) -> Json {
        json!({ "data": self.data, "meta": self.meta })
    }
}

/// The rows of a table as objects, at most [`limits::SERVER_ROWS_MAX`]; a table of fields as one object.
pub fn of_table(table: &Table) -> Answer {
    with_terms(table, None)
}

/// [`of_table`], its terms as JSON or, in a syntax, as text.
pub fn with_terms(table: &Table, syntax: Option<Syntax>) -> Answer {
    let value = |cell: &Cell| match (cell, syntax) {
        (Cell::Term(term), Some(syntax)) => Json::String(printed(term, syntax, TERM_CHARS_MAX)),
        _ => cell_json(cell),
    };
    let object = |row: &Vec<Cell>| {
        let fields = table.columns.iter().zip(row).map(|(column, cell)| (column.name.clone(), value(cell)));
        Json::Object(fields.collect())
    };
    let n_rows = table.rows.len().min(limits::SERVER_ROWS_MAX);
    let n_more = table.n_more + (table.rows.len() - n_rows) as u64;
    let data = if table.is_fields() {
        fields(table, value)
    } else {
        Json::Array(table.rows[..n_rows].iter().map(object).collect())
    };
    let mut answer = Answer::of(data).meta("title", table.title.as_str());
    if !table.is_fields() {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        answer = answer.meta("columns", columns).meta("n_rows", n_rows).meta("n_more", n_more);
    }
    if !table.notes.is_empty() {
        answer = answer.meta("notes", table.notes.clone());
    }
    answer
}

/// A term as text, whole up to `chars_max`.
pub fn printed(term: &Term, syntax: Syntax, chars_max: usize) -> String {
    term.display(Style { syntax, ..Style::erlang() }.chars_max(chars_max)).to_string()
}

/// In which syntax terms are wanted as text; `None`: as JSON. Errors: there is no such form.
pub fn terms_wanted(text: &str) -> Result<Option<Syntax>, Problem> {
    match text {
        "" | "json" => Ok(None),
        "erlang" => Ok(Some(Syntax::Erlang)),
        "elixir" => Ok(Some(Syntax::Elixir)),
        other => Err(Problem::field("terms", format!("expected json, erlang or elixir, got {other:?}"))),
    }
}

/// The answer for a reply. Cost: a pass over the names of processes where there are some in it.
pub fn of_reply(session: &Session, reply: Reply) -> Outcome<Answer> {
    Ok(match reply {
        Reply::Nothing | Reply::NoEvent => Answer::default(),
        Reply::Said(text) | Reply::Text(text) => Answer::of(text),
        Reply::Bool(value) => Answer::of(value),
        Reply::Int(value) => Answer::of(value),
        Reply::Term(term) => of_term(&term),
        Reply::State { term, seq, lost } => of_term(&term).meta("seq", seq.0).meta("lost", lost),
        Reply::Pid(pid) => Answer::of(pid.to_string()),
        Reply::Breakpoint(id) => Answer::of(json!({ "id": id.0 })),
        Reply::Timeline(id) => Answer::of(json!({ "id": id.0 })),
        Reply::Position(position) => Answer::of(json!(position)),
        Reply::Recorded(recorded) => of_table(&tables::recorded_fields(&recorded)),
        Reply::Sources(rows) => Answer::of(json!(rows)),
        Reply::Source(info) => {
            let damage = session.sources().get(info.id.0).map_or(&[][..], |source| &source.damage);
            let answer = Answer::of(json!(info));
            if damage.is_empty() { answer } else { answer.meta("warnings", json!(damage)) }
        }
        other => of_recording(session, other)?,
    })
}

fn of_term(term: &Term) -> Answer {
    let shown = |style: Style| term.display(style).to_string();
    Answer::of(to_json(term)).meta("erlang", shown(Style::erlang())).meta("elixir", shown(Style::elixir()))
}

/// Replies whose tables need the recording's names and clock.
fn of_recording(session: &Session, reply: Reply) -> Outcome<Answer> {
    let source = session.source()?;
    let (recording, names) = (source.recording(), source.names());
    let of = Of::new(&recording, &names);
    let at = Seq(recording.len().saturating_sub(1));
    Ok(match reply {
        Reply::Event(seq) => {
            let answer = of_table(&tables::events(&recording, &names, &[seq]));
            let first = answer.data.get(0).cloned().unwrap_or_default();
            Answer::of(first).meta("position", json!(source.position()))
        }
        Reply::Events { seqs, n_more } => {
            let n = seqs.len().min(limits::SERVER_ROWS_MAX);
            let n_more = n_more + (seqs.len() - n) as u64;
            of_table(&Table { n_more, ..tables::events(&recording, &names, &seqs[..n]) })
        }
        Reply::Stop(report) => stop(&of, &report),
        Reply::Process(info) => of_table(&tables::process_fields(&of, &info, at)),
        Reply::Processes(rows) => of_table(&tables::processes(&of, &rows, None)),
        Reply::System(summary) => of_table(&tables::system_fields(&of, &summary)),
        Reply::History(rows) => of_table(&tables::history(&of, &rows)),
        Reply::Mailbox(rows) => of_table(&tables::mailbox(&of, &rows)),
        Reply::Tree(tree) => of_table(&build::supervision_tree(&tree, of.start_ns(), of.syntax()).table()),
        Reply::Diff(comparison) => of_table(&tables::comparison(&of, &comparison)),
        Reply::Chain(chain) => of_table(&tables::chain(&of, &chain)).meta("event", chain.event.0),
        Reply::Explanation(explanation) => {
            let evidence = of_table(&tables::evidence(&of, &explanation.evidence));
            let focus: Vec<u64> = explanation.focus.iter().map(|seq| seq.0).collect();
            let data = json!({
                "event": explanation.event.0,
                "sentences": explanation.sentences,
                "evidence": evidence.data,
                "focus": focus,
                "next": explanation.next,
            });
            Answer::of(data).meta("notes", json!(explanation.notes))
        }
        Reply::Calls(rows) => of_table(&tables::calls(&of, &rows)),
        Reply::Latency(rows) => of_table(&tables::latency(&rows)),
        Reply::Messages { rows, n_more } => of_table(&tables::messages(&of, &rows, n_more)),
        Reply::Pairs(rows) => of_table(&tables::pairs(&rows)),
        Reply::Findings(rows) => of_table(&tables::findings(&rows)),
        Reply::Breakpoints(rows) => of_table(&tables::breakpoints(&rows)),
        Reply::Hits(rows) => of_table(&tables::hits(&of, &rows)),
        Reply::Marks(rows) => of_table(&tables::marks(&of, &rows)),
        Reply::Branches(rows) => of_table(&tables::branches(&rows)),
        Reply::Spans(rows) => of_table(&tables::spans(&of, &rows)),
        Reply::Losses(rows) => of_table(&tables::losses(&of, &rows)),
        Reply::Nodes(rows) => of_table(&tables::nodes(&rows)),
        Reply::Held(rows) => of_table(&tables::held(&of, &rows)),
        // Named one by one: a new reply must be thought of here.
        Reply::Nothing
        | Reply::NoEvent
        | Reply::Said(_)
        | Reply::Text(_)
        | Reply::Bool(_)
        | Reply::Int(_)
        | Reply::Term(_)
        | Reply::State { .. }
        | Reply::Pid(_)
        | Reply::Breakpoint(_)
        | Reply::Timeline(_)
        | Reply::Position(_)
        | Reply::Recorded(_)
        | Reply::Sources(_)
        | Reply::Source(_) => unreachable!("replies without a recording are answered by the caller"),
    })
}

fn stop(of: &Of<'_>, report: &StopReport) -> Answer {
    let end = match &report.end {
        RunEnd::Idle => "idle",
        RunEnd::Limit => "limit",
        RunEnd::Stopped => "stopped",
        RunEnd::Interrupted => "interrupted",
        RunEnd::Answered(_) => "answered",
    };
    Answer::of(json!({
        "end": end,
        "n_events": report.n_events,
        "position": report.position,
        "clock_ns": report.clock_ns,
        "hits": of_table(&tables::hits(of, &report.hits)).data,
    }))
}
