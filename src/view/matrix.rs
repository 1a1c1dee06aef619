//! Who talks to whom: counts of messages between processes.

use super::{Cell, Table};

/// Message counts, senders in rows and receivers in columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    pub title: String,
    pub subtitle: String,
    /// Names in the order of the supervision tree; the same for rows and columns.
    pub names: Vec<String>,
    /// `counts[from][to]`.
    pub counts: Vec<Vec<u64>>,
    /// What is hidden: processes beyond the limit.
    pub notes: Vec<String>,
}

impl Matrix {
    /// The pairs that talked, most first.
    pub fn table(&self) -> Table {
        let mut pairs: Vec<(usize, usize, u64)> = Vec::new();
        for (from, row) in self.counts.iter().enumerate() {
            pairs.extend(row.iter().enumerate().filter(|(_, n)| **n > 0).map(|(to, n)| (from, to, *n)));
        }
        pairs.sort_by_key(|&(from, to, n)| (std::cmp::Reverse(n), from, to));
        let mut table = Table::new(&self.title, &["from", "to", ">messages"]);
        for (from, to, n) in pairs {
            let name = |idx: usize| Cell::Text(self.names[idx].clone());
            table.push(vec![name(from), name(to), Cell::Int(n as i64)]);
        }
        table.notes.clone_from(&self.notes);
        table
    }
}
