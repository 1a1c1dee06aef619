//! The list-like result of a script: events or a table's rows. Behaves as an array in scripts and
//! prints as a table. It must not know how tables are drawn.

use std::rc::Rc;

use rhai::plugin::*;
use rhai::{Array, FnPtr, INT, Map};

use super::values::how_many;
use crate::model::{Failure, Seq};
use crate::script::error::raise;
use crate::script::event::{Context, EventHandle};
use crate::view::{Cell, Table, tables};

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// Events of one recording, or rows of any other result. Cheap to clone.
#[derive(Clone)]
pub struct Rows {
    items: Rc<Items>,
    /// How many of them are printed, where a script says so.
    pub n_shown_max: Option<usize>,
}

enum Items {
    Events { context: Rc<Context>, seqs: Vec<Seq>, n_more: u64 },
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
        Rows { items: Rc::new(items), n_shown_max: None }
    }
    /// The same rows, of which `n_max` are printed.
    pub fn showing(&self, n_max: usize) -> Rows {
        Rows { items: self.items.clone(), n_shown_max: Some(n_max) }
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
    #[rhai_fn(name = "len", name = "count", get = "len", pure)]
    pub fn len(rows: &mut Rows) -> INT {
        rows.len() as INT
    }
    /// Whether there are no rows.
    #[rhai_fn(name = "is_empty", get = "is_empty", pure)]
    pub fn is_empty(rows: &mut Rows) -> bool {
        rows.len() == 0
    }
    /// The row at a position; negative counts from the end.
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn at(rows: &mut Rows, index: INT) -> Raised<Dynamic> {
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
    #[rhai_fn(name = "last", pure)]
    pub fn last(rows: &mut Rows) -> Dynamic {
        rows.len().checked_sub(1).and_then(|idx| rows.get(idx)).unwrap_or(Dynamic::UNIT)
    }
    /// The first n rows.
    #[rhai_fn(name = "top", pure, return_raw)]
    pub fn top(rows: &mut Rows, n: INT) -> Raised<Rows> {
        let n = rows.len().min(how_many("top", n)?);
        Ok(rows.select(&(0..n).collect::<Vec<_>>()))
    }
    /// All rows as an array.
    #[rhai_fn(name = "to_array", pure)]
    pub fn to_array(rows: &mut Rows) -> Array {
        rows.items().collect()
    }
    /// An array of what a closure makes of each row.
    #[rhai_fn(name = "map", pure, return_raw)]
    pub fn map(context: NativeCallContext, rows: &mut Rows, f: FnPtr) -> Raised<Array> {
        rows.items().map(|row| f.call_within_context(&context, (row,))).collect()
    }
    /// The rows for which a closure is true.
    #[rhai_fn(name = "filter", name = "where", pure, return_raw)]
    pub fn filter(context: NativeCallContext, rows: &mut Rows, f: FnPtr) -> Raised<Rows> {
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
    module.set_iter(TypeId::of::<Rows>(), |rows| Box::new(rows.cast::<Rows>().items()));
    module.build_index();
    engine.register_global_module(module.into());
}
