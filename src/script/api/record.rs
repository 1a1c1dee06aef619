//! The struct-like result of a script: fields by name, and how it prints.
//! It must not know how anything is drawn.

use std::rc::Rc;

use rhai::plugin::*;
use rhai::{Array, INT, ImmutableString, Map};

use super::rows::cell_value;
use super::values::how_many;
use crate::model::{Failure, Seq};
use crate::script::error::raise;
use crate::view::{Cell, Table, Tree};

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// One part of what a result shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Text(String),
    Table(Table),
    Tree(Tree),
}

impl Block {
    pub fn as_table(&self) -> Option<&Table> {
        if let Block::Table(table) = self { Some(table) } else { None }
    }
}

/// Fields for scripts, blocks for people. Cheap to clone.
#[derive(Clone)]
pub struct Record {
    parts: Rc<Parts>,
    /// How many rows of each block are printed, where a script says so.
    pub n_shown_max: Option<usize>,
}

struct Parts {
    fields: Map,
    blocks: Vec<Block>,
    /// The events that a picture of it draws at full ink.
    focus: Vec<Seq>,
}

impl Record {
    pub fn new(fields: Map, blocks: Vec<Block>) -> Record {
        Record::with_focus(fields, blocks, Vec::new())
    }
    /// A record that stands for events of a picture.
    pub fn with_focus(fields: Map, blocks: Vec<Block>, focus: Vec<Seq>) -> Record {
        Record { parts: Rc::new(Parts { fields, blocks, focus }), n_shown_max: None }
    }
    /// A sentence.
    pub fn said(text: String) -> Record {
        Record::new(Map::from([("text".into(), text.clone().into())]), vec![Block::Text(text)])
    }
    /// A record of a table with two columns, name and value: its rows are its fields.
    pub fn of_fields(table: Table) -> Record {
        let mut fields = Map::new();
        for row in &table.rows {
            if let [Cell::Text(name), value] = row.as_slice() {
                fields.insert(name.as_str().into(), cell_value(value));
            }
        }
        Record::new(fields, vec![Block::Table(table)])
    }

    pub fn fields(&self) -> &Map {
        &self.parts.fields
    }
    pub fn blocks(&self) -> &[Block] {
        &self.parts.blocks
    }
    pub fn focus(&self) -> &[Seq] {
        &self.parts.focus
    }
}

#[export_module]
mod functions {
    /// A field by its name.
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn field(record: &mut Record, name: ImmutableString) -> Raised<Dynamic> {
        record.fields().get(name.as_str()).cloned().ok_or_else(|| {
            let known: Vec<&str> = record.fields().keys().map(|key| key.as_str()).collect();
            raise(Failure::not_found(format!("no field {name:?}")).hint(format!("fields: {}", known.join(", "))))
        })
    }
    /// The same, of whose tables and trees up to n rows are printed.
    #[rhai_fn(name = "table", pure, return_raw)]
    pub fn table(record: &mut Record, n: INT) -> Raised<Record> {
        Ok(Record { n_shown_max: Some(how_many("table", n)?), ..record.clone() })
    }
    /// The names of the fields.
    #[rhai_fn(name = "keys", pure)]
    pub fn keys(record: &mut Record) -> Array {
        record.fields().keys().map(|key| Dynamic::from(key.as_str().to_string())).collect()
    }
    /// The fields as an object map.
    #[rhai_fn(name = "to_map", pure)]
    pub fn to_map(record: &mut Record) -> Map {
        record.fields().clone()
    }
}

/// Registers the type and its fields.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Record>("record");
    engine.register_global_module(exported_module!(functions).into());
}
