//! The table: rows under named columns, the twin of every picture. It must not know how it is drawn.

use crate::model::{Seq, Term};

/// Rows under named columns: the twin of every picture and the form of most results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    pub title: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// Rows that exist beyond `rows`, when the maker knows.
    pub n_more: u64,
    /// Said under the table: what is estimated, hidden, heuristic, and the next command.
    pub notes: Vec<String>,
}

/// A column. Its `name` is also the key in JSON and in scripts: snake_case, unit last (`queue_us`).
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: String,
    pub is_right_aligned: bool,
    /// Whether it goes before texts of others are cut, where there is little room.
    pub is_minor: bool,
}

/// One value of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Empty,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A duration, or a time since the recording's start.
    Ns(i64),
    Bytes(u64),
    Seq(Seq),
    Term(Term),
}

/// What may stand before a column's name.
const MARKS: [char; 2] = ['-', '>'];

fn has_mark(name: &str, mark: char) -> bool {
    name.chars().take_while(|c| MARKS.contains(c)).any(|c| c == mark)
}

impl Table {
    /// A table with columns by name; those that start with `>` are right aligned (numbers), with `-` minor.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Table {
        let column = |name: &&str| Column {
            name: name.trim_start_matches(MARKS).to_string(),
            is_right_aligned: has_mark(name, '>'),
            is_minor: has_mark(name, '-'),
        };
        Table { title: title.into(), columns: columns.iter().map(column).collect(), ..Table::default() }
    }
    /// Whether the rows are one thing's fields, each a name and a value.
    pub fn is_fields(&self) -> bool {
        self.columns.iter().map(|column| column.name.as_str()).eq(["field", "value"])
    }
    /// Adds a row of as many cells as there are columns.
    pub fn push(&mut self, row: Vec<Cell>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a cell per column");
        self.rows.push(row);
    }
    pub fn note(mut self, note: impl Into<String>) -> Table {
        self.notes.push(note.into());
        self
    }
}
