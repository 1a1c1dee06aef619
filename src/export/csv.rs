//! Tables as CSV (RFC 4180, with LF line ends): a header line, then a line per row.

use crate::model::{Style, Syntax};
use crate::view::{Cell, Table};

/// The table's rows; terms in `syntax`, whole. Notes and title are left out.
pub fn csv(table: &Table, syntax: Syntax) -> String {
    [head(table), rows(table, syntax)].concat()
}

/// Values as one line.
pub fn csv_line(values: impl Iterator<Item = String>) -> String {
    let mut out = String::new();
    push_line(&mut out, values);
    out
}

pub(super) fn head(table: &Table) -> String {
    let mut out = String::new();
    push_line(&mut out, table.columns.iter().map(|column| column.name.clone()));
    out
}

pub(super) fn rows(table: &Table, syntax: Syntax) -> String {
    let mut out = String::new();
    for row in &table.rows {
        push_line(&mut out, row.iter().map(|cell| field(cell, syntax)));
    }
    out
}

fn field(cell: &Cell, syntax: Syntax) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Int(value) | Cell::Ns(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(value) => value.to_string(),
        Cell::Seq(seq) => seq.0.to_string(),
        Cell::Term(term) => term.display(Style { syntax, ..Style::erlang() }).to_string(),
    }
}

fn push_line(out: &mut String, fields: impl Iterator<Item = String>) {
    for (idx, field) in fields.enumerate() {
        if idx > 0 {
            out.push(',');
        }
        if field.contains(['"', ',', '\n', '\r']) {
            out.push_str(&format!("\"{}\"", field.replace('"', "\"\"")));
        } else {
            out.push_str(&field);
        }
    }
    out.push('\n');
}
