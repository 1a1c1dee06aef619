//! The list-like result of a script: events or a table's rows. Behaves as an array in scripts and
//! prints as a table. It must not know how tables are drawn.

use std::rc::Rc;

use rhai::plugin::*;
use rhai::{Array, FnPtr, INT, Map};

use super::values::how_many;
use crate::model::{Failure, FailureKind, Outcome, Seq, limits};
use crate::script::error::raise;
use crate::script::event::{Context, EventHandle};
use crate::view::{Cell, Table, tables};

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// Events of one recording, or rows of any other result. Cheap to clone.
#[derive(Clone)]
pub struct Rows {
    items: Rc<Items>,
    /// Whether there are more than a script is given.
    is_cut: bool,
    /// How many of them are printed, where a script says so.
    pub n_shown_max: Option<usize>,
}

enum Items {
    /// `n_more` are not here: the script asked for the first ones, or it tripped a limit.
    Events {
        context: Rc<Context>,
        seqs: Vec<Seq>,
        n_more: u64,
    },
    Table(Table),
}

impl Rows {
    pub fn events(context: &Rc<Context>, seqs: Vec<Seq>, n_more: u64) -> Rows {
        Rows::of(Items::Events { context: context.clone(), seqs, n_more })
    }
    pub fn table(table: Table) -> Rows {
        Rows::of(Items::Table(table))
    }
    fn of(items: Items) -> Rows {
        let is_cut = match &items {
            Items::Events { n_more, .. } => *n_more > 0,
            Items::Table(table) => table.n_more > 0,
        };
        Rows { items: Rc::new(items), is_cut, n_shown_max: None }
    }
    /// The first ones, as many as the script asked for, of the events; `n_more` match, too.
    pub fn first_events(context: &Rc<Context>, seqs: Vec<Seq>, n_more: u64) -> Rows {
        let n = seqs.len();
        Rows { is_cut: false, ..Rows::events(context, seqs, n_more) }.showing(n)
    }
    /// The same rows, of which `n_max` are printed.
    pub fn showing(&self, n_max: usize) -> Rows {
        Rows { n_shown_max: Some(n_max), ..self.clone() }
    }
    /// Errors: rows are missing because there are more than a script is given. What counts or reads all rows asks first: an answer
    /// from the first million would be a wrong one.
    pub fn whole(&self) -> Outcome<()> {
        if !self.is_cut {
            return Ok(());
        }
        let n_more = match &*self.items {
            Items::Events { n_more, .. } => *n_more,
            Items::Table(table) => table.n_more,
        };
        Err(too_many(self.len() as u64 + n_more))
    }

    pub fn len(&self) -> usize {
        match &*self.items {
            Items::Events { seqs, .. } => seqs.len(),
            Items::Table(table) => table.rows.len(),
        }
    }
    /// The item at `idx`: an event, or a map by the table's columns.
    pub fn get(&self, idx: usize) -> Option<Dynamic> {
        match &*self.items {
            Items::Events { context, seqs, .. } => {
                let event = context.recording().borrow().event(*seqs.get(idx)?)?;
                Some(Dynamic::from(EventHandle::recorded(context, event)))
            }
            Items::Table(table) => Some(row_map(table, table.rows.get(idx)?)),
        }
    }
    pub fn items(&self) -> impl Iterator<Item = Dynamic> + use<> {
        let rows = self.clone();
        (0..self.len()).filter_map(move |idx| rows.get(idx))
    }
    /// The table of all rows; for events at most `n_max`, the rest is counted.
    pub fn to_table(&self, n_max: usize) -> Table {
        match &*self.items {
            Items::Table(table) => table.clone(),
            Items::Events { context, seqs, n_more } => {
                let shown = &seqs[..seqs.len().min(n_max)];
                let names = context.names(seqs.last().copied().unwrap_or_default());
                let mut table = tables::events(&context.recording().borrow(), &names, shown);
                table.n_more = n_more + (seqs.len() - shown.len()) as u64;
                table
            }
        }
    }
    /// The table that is printed: as many rows as the script says, else as [`Rows::to_table`] with `n_max`.
    pub fn shown(&self, n_max: usize) -> Table {
        let Some(n_max) = self.n_shown_max else { return self.to_table(n_max) };
        let mut table = self.to_table(n_max);
        table.n_more += table.rows.len().saturating_sub(n_max) as u64;
        table.rows.truncate(n_max);
        table
    }
    /// The events that the rows stand at, where they do.
    pub fn seqs(&self) -> Vec<Seq> {
        match &*self.items {
            Items::Events { seqs, .. } => seqs.clone(),
            Items::Table(table) => table.rows.iter().filter_map(|row| row.iter().find_map(seq_of)).collect(),
        }
    }
    /// The rows at these positions.
    fn select(&self, idxs: &[usize]) -> Rows {
        match &*self.items {
            Items::Events { context, seqs, .. } => {
                Rows::events(context, idxs.iter().map(|idx| seqs[*idx]).collect(), 0)
            }
            Items::Table(table) => {
                let rows = idxs.iter().map(|idx| table.rows[*idx].clone()).collect();
                Rows::table(Table { rows, n_more: 0, ..table.clone() })
            }
        }
    }
}

/// The error of a result with more rows than a script is given.
pub fn too_many(n: u64) -> Failure {
    let what = "a script is given no more rows at once";
    Failure::new(FailureKind::Limit, limits::tripped("QUERY_ROWS_MAX", format!("{} of {n} rows", limits::QUERY_ROWS_MAX), what))
        .hint("ask for less, a stretch at a time: events().between(from, to)")
        .hint("a query that is not ended counts, groups and exports any number: events().count(), export_to(events(), \"csv\", path)")
}

fn seq_of(cell: &Cell) -> Option<Seq> {
    if let Cell::Seq(seq) = cell { Some(*seq) } else { None }
}

/// A row as an object map: its columns by name.
fn row_map(table: &Table, row: &[Cell]) -> Dynamic {
    let columns = table.columns.iter().zip(row);
    columns.map(|(column, cell)| (column.name.as_str().into(), cell_value(cell))).collect::<Map>().into()
}

/// A cell as a script's value: durations in ns, events by their number.
pub fn cell_value(cell: &Cell) -> Dynamic {
    match cell {
        Cell::Empty => Dynamic::UNIT,
        Cell::Bool(b) => (*b).into(),
        Cell::Int(n) | Cell::Ns(n) => Dynamic::from_int(*n),
        Cell::Float(x) => Dynamic::from_float(*x),
        Cell::Text(text) => text.clone().into(),
        Cell::Bytes(n) => Dynamic::from_int(*n as INT),
        Cell::Seq(seq) => Dynamic::from_int(seq.0 as INT),
        Cell::Term(term) => crate::script::convert::to_dynamic(term),
    }
}

#[export_module]
mod functions {
    /// How many rows there are.
    #[rhai_fn(name = "len", name = "count", get = "len", pure, return_raw)]
    pub fn len(rows: &mut Rows) -> Raised<INT> {
        rows.whole().map_err(raise)?;
        Ok(rows.len() as INT)
    }
    /// Whether there are no rows.
    #[rhai_fn(name = "is_empty", get = "is_empty", pure)]
    pub fn is_empty(rows: &mut Rows) -> bool {
        rows.len() == 0
    }
    /// The row at a position; negative counts from the end.
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn at(rows: &mut Rows, index: INT) -> Raised<Dynamic> {
        if index < 0 {
            rows.whole().map_err(raise)?;
        }
        let from_start = if index < 0 { index + rows.len() as INT } else { index };
        let item = usize::try_from(from_start).ok().and_then(|idx| rows.get(idx));
        item.ok_or_else(|| Box::new(EvalAltResult::ErrorArrayBounds(rows.len(), index, rhai::Position::NONE)))
    }
    /// The first row, or `()`.
    #[rhai_fn(name = "first", pure)]
    pub fn first(rows: &mut Rows) -> Dynamic {
        rows.get(0).unwrap_or(Dynamic::UNIT)
    }
    /// The last row, or `()`.
    #[rhai_fn(name = "last", pure, return_raw)]
    pub fn last(rows: &mut Rows) -> Raised<Dynamic> {
        rows.whole().map_err(raise)?;
        Ok(rows.len().checked_sub(1).and_then(|idx| rows.get(idx)).unwrap_or(Dynamic::UNIT))
    }
    /// The first n rows.
    #[rhai_fn(name = "top", pure, return_raw)]
    pub fn top(rows: &mut Rows, n: INT) -> Raised<Rows> {
        let n = rows.len().min(how_many("top", n)?);
        Ok(rows.select(&(0..n).collect::<Vec<_>>()))
    }
    /// All rows as an array.
    #[rhai_fn(name = "to_array", pure, return_raw)]
    pub fn to_array(rows: &mut Rows) -> Raised<Array> {
        rows.whole().map_err(raise)?;
        Ok(rows.items().collect())
    }
    /// An array of what a closure makes of each row.
    #[rhai_fn(name = "map", pure, return_raw)]
    pub fn map(context: NativeCallContext, rows: &mut Rows, f: FnPtr) -> Raised<Array> {
        rows.whole().map_err(raise)?;
        rows.items().map(|row| f.call_within_context(&context, (row,))).collect()
    }
    /// The rows for which a closure is true.
    #[rhai_fn(name = "filter", name = "where", pure, return_raw)]
    pub fn filter(context: NativeCallContext, rows: &mut Rows, f: FnPtr) -> Raised<Rows> {
        rows.whole().map_err(raise)?;
        let mut kept = Vec::new();
        for (idx, row) in rows.items().enumerate() {
            if f.call_within_context::<bool>(&context, (row,))? {
                kept.push(idx);
            }
        }
        Ok(rows.select(&kept))
    }
    /// Whether a closure is true of some row.
    #[rhai_fn(name = "some", pure, return_raw)]
    pub fn some(context: NativeCallContext, rows: &mut Rows, f: FnPtr) -> Raised<bool> {
        for row in rows.items() {
            if f.call_within_context::<bool>(&context, (row,))? {
                return Ok(true);
            }
        }
        rows.whole().map_err(raise)?;
        Ok(false)
    }
    /// The same rows, of which up to n are printed.
    #[rhai_fn(name = "table", pure, return_raw)]
    pub fn table(rows: &mut Rows, n: INT) -> Raised<Rows> {
        how_many("table", n).map(|n| rows.showing(n))
    }
    /// One column's values as an array.
    #[rhai_fn(name = "column", pure, return_raw)]
    pub fn column(rows: &mut Rows, name: &str) -> Raised<Array> {
        rows.whole().map_err(raise)?;
        let table = rows.to_table(usize::MAX);
        let Some(idx) = table.columns.iter().position(|column| column.name == name) else {
            let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            return Err(raise(
                Failure::not_found(format!("no column {name:?}")).hint(format!("columns: {}", known.join(", "))),
            ));
        };
        Ok(table.rows.iter().map(|row| cell_value(&row[idx])).collect())
    }
}

/// Registers the type, its methods and its iterator.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Rows>("rows");
    let mut module = exported_module!(functions);
    // Who goes through all of them is told at the end that there are more; who finds what it looks for before is not.
    module.set_iter_result(TypeId::of::<Rows>(), |rows| {
        let rows = rows.cast::<Rows>();
        let missing = rows.whole().err().map(|failure| Err(raise(failure)));
        Box::new(rows.items().map(Ok).chain(missing))
    });
    module.build_index();
    engine.register_global_module(module.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_from_a_part_of_the_rows_is_an_error() {
        let mut table = Table::new("messages", &["kind"]);
        table.push(vec![Cell::Text("send".into())]);
        let rows = |n_more| Rows::table(Table { n_more, ..table.clone() });
        let outcome = |rows: Rows, script: &str| {
            let mut engine = rhai::Engine::new();
            register(&mut engine);
            let mut scope = rhai::Scope::new();
            scope.push("rows", rows);
            engine.eval_with_scope::<Dynamic>(&mut scope, script).map_err(|error| match *error {
                EvalAltResult::ErrorRuntime(value, _) => value.cast::<Failure>().to_string(),
                other => other.to_string(),
            })
        };
        for script in [
            "rows.count()",
            "rows.len",
            "rows.last()",
            "rows[-1]",
            "rows.to_array()",
            "rows.map(|row| 1)",
            "rows.filter(|row| true)",
            "rows.some(|row| false)",
            "rows.column(\"kind\")",
            "let n = 0; for row in rows { n += 1; } n",
        ] {
            drop(outcome(rows(0), script).unwrap());
            let error = outcome(rows(5), script).unwrap_err();
            assert!(error.contains("QUERY_ROWS_MAX (1000000 of 6 rows)"), "{script}: {error}");
        }
        for script in
            ["rows.first()", "rows[0]", "rows.some(|row| true)", "rows.top(1).count()", "for row in rows { break; }"]
        {
            drop(outcome(rows(5), script).unwrap());
        }
    }
}
