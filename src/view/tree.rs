//! Trees (supervision, causes) and trees with message arcs.

use super::{ArrowKind, Cell, Table};
use crate::model::Actor;

/// A tree in drawing order: a parent before its children.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    pub title: String,
    pub rows: Vec<TreeRow>,
    pub notes: Vec<String>,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeRow {
    pub actor: Option<Actor>,
    /// 0 for roots; at most one more than the row before.
    pub depth: usize,
    /// Empty when it has only its pid.
    pub name: String,
    /// The pid as text.
    pub id: String,
    pub is_supervisor: bool,
    /// `alive`, `dead` or `restarting`.
    pub status: String,
    pub n_restarts: u32,
    /// What else there is to say: strategy, exit reason ..
    pub detail: String,
}

/// A tree whose rows exchange messages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TreeArcs {
    pub tree: Tree,
    /// Ascending by (from, to, kind).
    pub arcs: Vec<Arc>,
    /// What is counted: `204 messages, 62 ms`.
    pub subtitle: String,
}

/// Messages of one kind from one row of the tree to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Arc {
    /// Indexes into [`Tree::rows`].
    pub from: usize,
    pub to: usize,
    pub kind: ArrowKind,
    pub n_messages: u64,
}

impl TreeRow {
    /// Name and pid.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.name, self.id).trim_start().to_string()
    }
    /// The name, or the pid of a process without one.
    pub fn short_name(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

impl Tree {
    pub fn table(&self) -> Table {
        let mut table =
            Table::new(&self.title, &["process", "pid", ">depth", "supervisor", "status", ">restarts", "detail"]);
        for row in &self.rows {
            table.push(vec![
                Cell::Text(row.name.clone()),
                Cell::Text(row.id.clone()),
                Cell::Int(row.depth as i64),
                Cell::Bool(row.is_supervisor),
                Cell::Text(row.status.clone()),
                Cell::Int(i64::from(row.n_restarts)),
                Cell::Text(row.detail.clone()),
            ]);
        }
        table.notes.clone_from(&self.notes);
        table
    }
}

impl TreeArcs {
    pub fn table(&self) -> Table {
        let mut table = Table::new(&self.tree.title, &["from", "to", "kind", ">messages"]);
        for arc in &self.arcs {
            table.push(vec![
                Cell::Text(self.tree.rows[arc.from].full_name()),
                Cell::Text(self.tree.rows[arc.to].full_name()),
                Cell::Text(arc.kind.as_str().to_string()),
                Cell::Int(arc.n_messages as i64),
            ]);
        }
        table.notes.clone_from(&self.tree.notes);
        table
    }
}
