//! Tables as JSON: an array of objects, or an object per line. Terms have the form of [`crate::codec::json`].

use serde_json::{Map, Value};

use crate::codec::json::to_json;
use crate::view::{Cell, Table};

/// The rows as an array of objects, a row a line; one thing's fields as one object.
pub fn json(table: &Table) -> String {
    if table.is_fields() {
        return format!("{}\n", fields(table, cell_json));
    }
    if table.rows.is_empty() { "[]\n".to_string() } else { format!("[\n{}\n]\n", rows(table)) }
}

/// What stands between the brackets.
pub(super) fn rows(table: &Table) -> String {
    let rows: Vec<String> = table.rows.iter().map(|row| format!("  {}", object(table, row))).collect();
    rows.join(",\n")
}

/// The rows as objects, one a line; one thing's fields as one object.
pub fn jsonl(table: &Table) -> String {
    if table.is_fields() {
        return json(table);
    }
    table.rows.iter().map(|row| format!("{}\n", object(table, row))).collect()
}

fn object(table: &Table, row: &[Cell]) -> Value {
    let fields = table.columns.iter().zip(row).map(|(column, cell)| (column.name.clone(), cell_json(cell)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// A table of fields as an object; values of the same name as an array.
pub fn fields(table: &Table, value: impl Fn(&Cell) -> Value) -> Value {
    let mut object = Map::new();
    for row in &table.rows {
        let [Cell::Text(name), cell] = &row[..] else { continue };
        match object.get_mut(name) {
            None => drop(object.insert(name.clone(), value(cell))),
            Some(Value::Array(known)) => known.push(value(cell)),
            Some(known) => *known = Value::Array(vec![known.take(), value(cell)]),
        }
    }
    Value::Object(object)
}

/// One value: durations in ns, sizes in bytes, events by their number; an infinite float is null.
pub fn cell_json(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Bool(value) => (*value).into(),
        Cell::Int(value) | Cell::Ns(value) => (*value).into(),
        Cell::Float(value) => (*value).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Bytes(value) => (*value).into(),
        Cell::Seq(seq) => seq.0.into(),
        Cell::Term(term) => to_json(term),
    }
}
