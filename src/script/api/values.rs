//! Script values as arguments of operations. It must not know which operation they are for.

use std::rc::Rc;

use rhai::{Dynamic, EvalAltResult, FnPtr, INT, Map};

use super::record::Record;
use super::rows::Rows;
use super::timeline::TimelineHandle;
use crate::breakpoint::{Action, Condition};
use crate::model::{Failure, Outcome, Term};
use crate::script::error::raise;
use crate::script::event::{EventHandle, ProcessHandle};
use crate::session::value::{Closure, Value};

/// Makes operations' values of a script's closures.
pub trait TakesClosures {
    fn closure(&self, closure: FnPtr) -> Rc<dyn Closure>;
}

/// Where no closure is taken.
pub struct NoClosures;

impl TakesClosures for NoClosures {
    fn closure(&self, _: FnPtr) -> Rc<dyn Closure> {
        struct Refused;
        impl Closure for Refused {
            fn condition(&self) -> Outcome<Condition> {
                Err(Failure::usage("no closure is taken here"))
            }
            fn action(&self) -> Outcome<Action> {
                Err(Failure::usage("no closure is taken here"))
            }
        }
        Rc::new(Refused)
    }
}

/// How many, as the method `name` takes it. Errors: less than none.
pub fn how_many(name: &str, n: INT) -> Result<usize, Box<EvalAltResult>> {
    usize::try_from(n)
        .map_err(|_| raise(Failure::usage(format!("{name}: {n} is not how many")).hint("a number from 0 on")))
}

/// The value for a script's argument. Errors: a type that no operation takes.
pub fn from_dynamic(value: &Dynamic, closures: &dyn TakesClosures) -> Outcome<Value> {
    if value.is_unit() {
        return Ok(Value::Unit);
    }
    if let Ok(b) = value.as_bool() {
        return Ok(Value::Bool(b));
    }
    if let Ok(n) = value.as_int() {
        return Ok(Value::Int(n));
    }
    if let Ok(x) = value.as_float() {
        return Ok(Value::Float(x));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::Text(text.to_string()));
    }
    if let Ok(c) = value.as_char() {
        return Ok(Value::Text(c.to_string()));
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| from_dynamic(item, closures)).collect::<Outcome<_>>().map(Value::List);
    }
    if let Ok(map) = value.as_map_ref() {
        return from_map(&map, closures);
    }
    if let Ok(blob) = value.as_blob_ref() {
        return Ok(Value::Term(Term::binary(blob.to_vec())));
    }
    from_custom(value, closures)
}

fn from_custom(value: &Dynamic, closures: &dyn TakesClosures) -> Outcome<Value> {
    if let Some(term) = value.read_lock::<Term>() {
        return Ok(Value::Term(term.clone()));
    }
    if let Some(event) = value.read_lock::<EventHandle>() {
        return Ok(Value::Seq(event.event.seq));
    }
    if let Some(process) = value.read_lock::<ProcessHandle>() {
        return Ok(Value::Actor(process.actor));
    }
    if let Some(timeline) = value.read_lock::<TimelineHandle>() {
        return Ok(Value::Timeline(timeline.id));
    }
    if let Some(condition) = value.read_lock::<Condition>() {
        return Ok(Value::Condition(Box::new(condition.clone())));
    }
    if let Some(action) = value.read_lock::<Action>() {
        return Ok(Value::Action(action.clone()));
    }
    if let Some(rows) = value.read_lock::<Rows>() {
        return rows.items().map(|item| from_dynamic(&item, closures)).collect::<Outcome<_>>().map(Value::List);
    }
    if let Some(record) = value.read_lock::<Record>() {
        return from_map(record.fields(), closures);
    }
    if let Some(closure) = value.read_lock::<FnPtr>() {
        return Ok(Value::Closure(closures.closure(closure.clone())));
    }
    Err(Failure::usage(format!("a value of type {} is no argument here", value.type_name())))
}

fn from_map(map: &Map, closures: &dyn TakesClosures) -> Outcome<Value> {
    let entry = |(key, value): (&rhai::Identifier, &Dynamic)| Ok((key.to_string(), from_dynamic(value, closures)?));
    map.iter().map(entry).collect::<Outcome<_>>().map(Value::Map)
}
