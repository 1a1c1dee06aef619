//! Tables of what questions give back: one function per result. Times are since the recording's start.
//! It must not know how tables are drawn.

mod live;
mod plan;
mod processes;
mod session;
mod traffic;

pub use live::{held, nodes};
pub use plan::plan;
pub use processes::{comparison, history, mailbox, process_fields, processes, system_fields};
pub use session::{
    branches, breakpoints, hits, losses, marks, position_fields, recorded_fields, source_fields, sources, spans,
};
pub use traffic::{calls, chain, events, evidence, findings, latency, messages, pairs};

use super::Cell;
use crate::analysis::names::Names;
use crate::model::{Actor, Atom, OMITTED_BYTES, Seq, Syntax};
use crate::store::Recording;

/// What tables need beside the rows: the recording, its names, its start.
pub struct Of<'a> {
    pub recording: &'a Recording,
    pub names: &'a Names,
    start_ns: i64,
}

impl<'a> Of<'a> {
    pub fn new(recording: &'a Recording, names: &'a Names) -> Of<'a> {
        Of { recording, names, start_ns: recording.time_range_ns().map_or(0, |(first_ns, _)| first_ns) }
    }
    /// Clock of the recording's first event.
    pub fn start_ns(&self) -> i64 {
        self.start_ns
    }
    /// The syntax of the recorded system's language.
    pub fn syntax(&self) -> Syntax {
        if self.recording.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang }
    }
    fn since_start(&self, at_ns: i64) -> Cell {
        Cell::Ns(at_ns.saturating_sub(self.start_ns))
    }
    fn name(&self, actor: Option<Actor>, at: Seq) -> Cell {
        actor.map_or(Cell::Empty, |actor| Cell::Text(self.names.at(actor, at)))
    }
    /// A pid or port in the syntax of the recorded system's language.
    fn actor(&self, actor: Actor) -> Cell {
        Cell::Text(actor.display(self.syntax()))
    }
    /// A module as its language writes it.
    fn module(&self, module: Option<Atom>) -> Cell {
        let name = module.map(|module| match self.syntax() {
            Syntax::Elixir => module.as_str().strip_prefix("Elixir.").unwrap_or(module.as_str()).to_string(),
            _ => module.as_str().to_string(),
        });
        name.map_or(Cell::Empty, Cell::Text)
    }
    /// What stands for a payload that was too large to be kept.
    fn omitted(&self, seq: Seq) -> Option<String> {
        let n_bytes = self.recording.meta(seq)?.as_map()?.get_atom(OMITTED_BYTES)?.as_int()?;
        Some(format!("({} MiB, left out)", u64::try_from(n_bytes).ok()?.div_ceil(1 << 20)))
    }
    /// What an event carries, without the wrapping of calls and casts; `(lost)` where damage took it.
    fn payload(&self, seq: Seq) -> Cell {
        match self.recording.term(seq) {
            Some(term) => Cell::Term(term.unwrapped()),
            None if self.recording.payload(seq).is_some() => Cell::Text("(too deep to show)".into()),
            None if self.recording.lost_fields(seq).iter().any(|field| field == "payload") => {
                Cell::Text(self.omitted(seq).unwrap_or_else(|| "(lost)".into()))
            }
            None => Cell::Empty,
        }
    }
}

fn seq(seq: Option<Seq>) -> Cell {
    seq.map_or(Cell::Empty, Cell::Seq)
}

fn atom(atom: Option<Atom>) -> Cell {
    atom.map_or(Cell::Empty, |atom| Cell::Text(atom.as_str().to_string()))
}

fn ns(ns: Option<i64>) -> Cell {
    ns.map_or(Cell::Empty, Cell::Ns)
}

fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

fn count(n: u64) -> Cell {
    Cell::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The snake_case name of a plain enum, as its serde form has it.
fn word(value: impl serde::Serialize) -> Cell {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Cell::Text(text),
        _ => Cell::Empty,
    }
}

/// A table of names and values: its rows are one thing's fields.
fn fields(title: impl Into<String>, rows: Vec<(&str, Cell)>) -> super::Table {
    let mut table = super::Table::new(title, &["field", "value"]);
    for (name, value) in rows {
        table.push(vec![text(name), value]);
    }
    table
}
