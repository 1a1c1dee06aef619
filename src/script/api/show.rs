//! What a value shows: blocks of text, tables and trees for people, JSON for programs.
//! It must not know terminals or formats.

use rhai::Dynamic;
use serde_json::{Value as Json, json};

use super::pictures::Picture;
use super::query::Query;
use super::record::{Block, Record};
use super::rows::Rows;
use super::timeline::TimelineHandle;
use crate::breakpoint::{Action, Condition};
use crate::codec::json::to_json;
use crate::model::{Style, Syntax, Term};
use crate::render::text::{self, TextOptions};
use crate::script::convert::to_term;
use crate::script::event::{Context, EventHandle, ProcessHandle};
use crate::session::Source;
use crate::view::{Table, tables};

/// A result, ready to be printed.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Empty for `()`.
    pub blocks: Vec<Block>,
    /// For results that are no table: what `--format json` prints.
    pub json: Option<Json>,
    /// How many rows of each block are printed, where the script says so.
    pub n_rows_max: Option<usize>,
}

impl Shown {
    fn text(text: impl Into<String>, json: Json) -> Shown {
        Shown { blocks: vec![Block::Text(text.into())], json: Some(json), n_rows_max: None }
    }
    fn table(table: Table) -> Shown {
        Shown { blocks: vec![Block::Table(table)], ..Shown::default() }
    }
    /// The result as one table, when it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self.blocks.as_slice() {
            [Block::Table(table)] => Some(table),
            _ => None,
        }
    }
}

impl Shown {
    /// The blocks as text; a script's number of rows goes before that of `options`.
    pub fn to_text(&self, options: &TextOptions) -> String {
        let n_rows_max = self.n_rows_max.unwrap_or(options.n_rows_max);
        let options = &TextOptions { n_rows_max, ..options.clone() };
        let block = |block: &Block| match block {
            Block::Text(text) if text.ends_with('\n') => text.clone(),
            Block::Text(text) => format!("{text}\n"),
            Block::Table(table) => text::table(table, options),
            Block::Tree(tree) => text::tree(tree, options),
        };
        self.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
    }
}

/// What `value` shows; of rows at most `n_rows_max`, the rest is counted.
pub fn shown(value: &Dynamic, syntax: Syntax, n_rows_max: usize) -> Shown {
    if value.is_unit() {
        return Shown::default();
    }
    if let Some(rows) = value.read_lock::<Rows>() {
        return Shown { n_rows_max: rows.n_shown_max, ..Shown::table(rows.shown(n_rows_max)) };
    }
    if let Some(record) = value.read_lock::<Record>() {
        let fields = record.fields().iter().map(|(key, value)| (key.to_string(), json_of(value)));
        let json = Some(Json::Object(fields.collect()));
        return Shown { blocks: record.blocks().to_vec(), json, n_rows_max: record.n_shown_max };
    }
    if let Some(event) = value.read_lock::<EventHandle>() {
        return Shown::table(event.table());
    }
    if let Some(process) = value.read_lock::<ProcessHandle>() {
        let (name, id) = (process.name(), process.actor.display(syntax));
        return Shown::text(format!("{name} {id}"), json!({"name": name, "pid": id}));
    }
    if let Some(timeline) = value.read_lock::<TimelineHandle>() {
        return Shown::text(format!("timeline {}", timeline.id.0), json!(timeline.id.0));
    }
    if let Some(picture) = value.read_lock::<Picture>() {
        return Shown { blocks: picture.blocks(), ..Shown::default() };
    }
    if let Some(query) = value.read_lock::<Query>() {
        return query.shown(n_rows_max);
    }
    if let Some(condition) = value.read_lock::<Condition>() {
        return Shown::text(condition.to_string(), json!(condition.to_string()));
    }
    if let Some(action) = value.read_lock::<Action>() {
        return Shown::text(action.to_string(), json!(action.to_string()));
    }
    if let Ok(items) = value.as_array_ref()
        && let Some(table) = table_of(&items)
    {
        return Shown::table(table);
    }
    plain(value, syntax)
}

/// Strings as they are, terms in their syntax, the rest as Rhai prints it.
fn plain(value: &Dynamic, syntax: Syntax) -> Shown {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Shown::text(text.to_string(), json!(text.as_str()));
    }
    if let Some(numbers) = integers(value) {
        return Shown::text(format!("[{}]", numbers.join(",")), json_of(value));
    }
    let style = Style { syntax, ..Style::erlang() };
    match to_term(value) {
        Ok(term) => Shown::text(term.display(style).to_string(), json_of_term(&term)),
        Err(_) => {
            // Arrays of handles and the like: item by item.
            let Ok(items) = value.as_array_ref() else {
                return Shown::text(value.to_string(), json!(value.to_string()));
            };
            let blocks = items.iter().flat_map(|item| shown(item, syntax, usize::MAX).blocks).collect();
            Shown { blocks, json: Some(json_of(value)), n_rows_max: None }
        }
    }
}

/// The items of an array of integers: a script's numbers are numbers, though a list of them may read as a charlist.
fn integers(value: &Dynamic) -> Option<Vec<String>> {
    let items = value.as_array_ref().ok()?;
    items.iter().map(|item| item.as_int().ok().map(|n| n.to_string())).collect()
}

fn json_of_term(term: &Term) -> Json {
    to_json(term)
}

/// The JSON of a script's value; handles are their numbers or names.
fn json_of(value: &Dynamic) -> Json {
    if let Some(event) = value.read_lock::<EventHandle>() {
        return json!(event.event.seq.0);
    }
    if let Some(process) = value.read_lock::<ProcessHandle>() {
        return json!(process.name());
    }
    if let Some(rows) = value.read_lock::<Rows>() {
        return Json::Array(rows.items().map(|row| json_of(&row)).collect());
    }
    if let Some(record) = value.read_lock::<Record>() {
        return Json::Object(record.fields().iter().map(|(key, value)| (key.to_string(), json_of(value))).collect());
    }
    if let Ok(items) = value.as_array_ref() {
        return Json::Array(items.iter().map(json_of).collect());
    }
    if let Ok(map) = value.as_map_ref() {
        return Json::Object(map.iter().map(|(key, value)| (key.to_string(), json_of(value))).collect());
    }
    match to_term(value) {
        Ok(term) => to_json(&term),
        Err(_) => json!(value.to_string()),
    }
}

/// A table of an array of events or of maps with the same keys; `None` for other arrays.
fn table_of(items: &[Dynamic]) -> Option<Table> {
    let first = items.first()?;
    if first.is::<EventHandle>() {
        let handles: Option<Vec<EventHandle>> = items.iter().map(|item| item.clone().try_cast()).collect();
        let handles = handles?;
        let context = handles[0].context().clone();
        let seqs = handles.iter().map(|handle| handle.event.seq).collect();
        return Some(Rows::events(&context, seqs, 0).to_table(usize::MAX));
    }
    let keys: Vec<String> = first.as_map_ref().ok()?.keys().map(|key| key.to_string()).collect();
    let mut table = Table::new("", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    for item in items {
        let map = item.as_map_ref().ok()?;
        if !map.keys().map(|key| key.as_str()).eq(keys.iter().map(String::as_str)) {
            return None;
        }
        table.push(map.values().map(cell_of).collect());
    }
    for (idx, column) in table.columns.iter_mut().enumerate() {
        column.is_right_aligned =
            table.rows.iter().all(|row| matches!(row[idx], crate::view::Cell::Int(_) | crate::view::Cell::Float(_)));
    }
    Some(table)
}

fn cell_of(value: &Dynamic) -> crate::view::Cell {
    use crate::view::Cell;
    if value.is_unit() {
        return Cell::Empty;
    }
    if let Ok(n) = value.as_int() {
        return Cell::Int(n);
    }
    if let Ok(x) = value.as_float() {
        return Cell::Float(x);
    }
    if let Ok(b) = value.as_bool() {
        return Cell::Bool(b);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Cell::Text(text.to_string());
    }
    match to_term(value) {
        Ok(term) => Cell::Term(term),
        Err(_) => Cell::Text(value.to_string()),
    }
}

/// The syntax in which a source's terms are shown.
pub fn syntax_of(source: Option<&Source>) -> Syntax {
    match source {
        Some(source) if source.recording().info.is_elixir => Syntax::Elixir,
        _ => Syntax::Erlang,
    }
}

impl EventHandle {
    /// The event as a table of one row.
    pub fn table(&self) -> Table {
        let context: &std::rc::Rc<Context> = self.context();
        let recording = context.recording().borrow();
        let names = context.names(self.event.seq);
        Table { title: String::new(), ..tables::events(&recording, &names, &[self.event.seq]) }
    }
}
