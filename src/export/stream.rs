//! Tables written a few rows at a time: results of any length in bounded memory. It must not know where rows come from.

use std::io::{self, Write};

use super::{csv, json};
use crate::model::Syntax;
use crate::view::Table;

/// A format that holds a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    Csv,
    Json,
    Jsonl,
}

impl TableFormat {
    pub fn from_name(name: &str) -> Option<TableFormat> {
        match name {
            "csv" => Some(TableFormat::Csv),
            "json" => Some(TableFormat::Json),
            "jsonl" => Some(TableFormat::Jsonl),
            _ => None,
        }
    }
}

/// Writes tables with the same columns as one.
pub struct TableWriter<'w> {
    format: TableFormat,
    syntax: Syntax,
    out: &'w mut dyn Write,
    n_rows: u64,
    has_head: bool,
}

impl<'w> TableWriter<'w> {
    pub fn new(format: TableFormat, syntax: Syntax, out: &'w mut dyn Write) -> TableWriter<'w> {
        TableWriter { format, syntax, out, n_rows: 0, has_head: false }
    }

    /// Writes the rows of a table. Errors: the writer's.
    pub fn push(&mut self, table: &Table) -> io::Result<()> {
        let is_first = self.n_rows == 0;
        self.n_rows += table.rows.len() as u64;
        match self.format {
            TableFormat::Csv => {
                let head = if self.has_head { String::new() } else { csv::head(table) };
                self.has_head = true;
                self.out.write_all(head.as_bytes())?;
                self.out.write_all(csv::rows(table, self.syntax).as_bytes())
            }
            TableFormat::Jsonl => self.out.write_all(json::jsonl(table).as_bytes()),
            TableFormat::Json if table.rows.is_empty() => Ok(()),
            TableFormat::Json => write!(self.out, "{}{}", if is_first { "[\n" } else { ",\n" }, json::rows(table)),
        }
    }

    /// Ends the file; gives the number of rows. Errors: the writer's.
    pub fn finish(self) -> io::Result<u64> {
        if self.format == TableFormat::Json {
            self.out.write_all(if self.n_rows == 0 { b"[]\n" } else { b"\n]\n" })?;
        }
        Ok(self.n_rows)
    }
}
