//! Arguments of operations as plain values, and the typed parameters that are read from them.
//! It must not know rhai or JSON: `script` and the server make [`Value`]s.

use super::TimelineId;
use crate::breakpoint::{Action, Condition};
use crate::model::time::parse_duration_ns;
use crate::model::{Actor, Atom, Failure, Moment, Outcome, Path, Seq, Term};

/// An argument.
#[derive(Clone)]
pub enum Value {
    Unit,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Term(Term),
    /// An event, a table's row, a hit: anything that stands at one event.
    Seq(Seq),
    Actor(Actor),
    Timeline(TimelineId),
    Map(Vec<(String, Value)>),
    List(Vec<Value>),
    Condition(Box<Condition>),
    Action(Action),
    /// A closure of a script: what it becomes depends on the parameter.
    Closure(std::rc::Rc<dyn Closure>),
}

/// Something that a script can call later.
pub trait Closure {
    /// As a condition `|e| ..`. Errors: it does not run on a sample event.
    fn condition(&self) -> Outcome<Condition>;
    /// As an action `|hit| ..`.
    fn action(&self) -> Outcome<Action>;
}

impl Value {
    /// The type as an error names it.
    fn type_name(&self) -> &'static str {
        match self {
            Value::Unit => "()",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Text(_) => "a string",
            Value::Term(_) => "a term",
            Value::Seq(_) => "an event",
            Value::Actor(_) => "a process",
            Value::Timeline(_) => "a timeline",
            Value::Map(_) => "a map",
            Value::List(_) => "an array",
            Value::Condition(_) => "a condition",
            Value::Action(_) => "an action",
            Value::Closure(_) => "a closure",
        }
    }
    /// The value at `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }
}

/// A parameter's type.
pub trait Param: Sized {
    /// The name in help and in errors.
    const NAME: &'static str;
    const IS_OPTIONAL: bool = false;
    /// Whether `()` stands for a missing argument. Not for moments: an event that was not found is no "here".
    const UNIT_IS_ABSENT: bool = true;
    /// Reads a value, or says in a few words what was expected and what came.
    fn from_value(value: Value) -> Result<Self, String>;
    /// The value of a missing argument; `None` when it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

fn expected<P: Param>(value: &Value) -> String {
    format!("expected {}, got {}", P::NAME, value.type_name())
}

impl<P: Param> Param for Option<P> {
    const NAME: &'static str = P::NAME;
    const IS_OPTIONAL: bool = true;
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Unit if P::UNIT_IS_ABSENT => Ok(None),
            value => P::from_value(value).map(Some),
        }
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A process as a user names it: resolved against the system at the cursor.
#[derive(Clone, Debug, PartialEq)]
pub enum ProcessRef {
    Actor(Actor),
    /// A registered name, `<0.12.0>`, a label or a module.
    Named(String),
}

/// A length of time: `"5ms"`, `ms(5)`, or an integer of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Duration {
    pub ns: i64,
}

/// A span of events: `["10%", "20%"]`, or `"5ms".."9ms"` as two moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub from: Moment,
    pub to: Moment,
}

/// A term from outside; strings are atoms.
#[derive(Clone, Debug, PartialEq)]
pub struct TermArg(pub Term);

/// A map of options; each operation says which it knows.
#[derive(Clone)]
pub struct Options(pub Vec<(String, Value)>);

impl Param for Value {
    const NAME: &'static str = "any";
    fn from_value(value: Value) -> Result<Self, String> {
        Ok(value)
    }
}
impl Param for bool {
    const NAME: &'static str = "boolean";
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Bool(b) = value { Ok(b) } else { Err(expected::<Self>(&value)) }
    }
}
impl Param for i64 {
    const NAME: &'static str = "integer";
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Int(n) = value { Ok(n) } else { Err(expected::<Self>(&value)) }
    }
}
impl Param for f64 {
    const NAME: &'static str = "number";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Int(n) => Ok(n as f64),
            Value::Float(x) => Ok(x),
            other => Err(expected::<Self>(&other)),
        }
    }
}
impl Param for String {
    const NAME: &'static str = "text";
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Text(text) = value { Ok(text) } else { Err(expected::<Self>(&value)) }
    }
}
impl Param for Seq {
    const NAME: &'static str = "event";
    fn from_value(value: Value) -> Result<Self, String> {
        match Moment::from_value(value)? {
            Moment::Seq(seq) => Ok(seq),
            _ => Err("expected an event: a table's row, seq(1234) or \"#1234\"".into()),
        }
    }
}
impl Param for Moment {
    const NAME: &'static str = "moment";
    const UNIT_IS_ABSENT: bool = false;
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Seq(seq) => Ok(Moment::Seq(seq)),
            Value::Int(n) => u64::try_from(n).map(|n| Moment::Seq(Seq(n))).map_err(|_| {
                format!("there is no event {n}; \"{n}\" as text is {} events back from here", n.unsigned_abs())
            }),
            Value::Text(text) => Moment::parse(&text).map_err(|f| f.to_string()),
            Value::Unit => Err("there is no such event: first() and last() give () when nothing matches".into()),
            Value::Map(ref entries) => match entries.iter().find(|(key, _)| key == "seq") {
                Some((_, value)) => Moment::from_value(value.clone()),
                None => Err("this map has no `seq`".into()),
            },
            other => Err(expected::<Self>(&other)),
        }
    }
}
impl Param for Span {
    const NAME: &'static str = "range";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::List(items) => match <[Value; 2]>::try_from(items) {
                Ok([from, to]) => Ok(Span { from: Moment::from_value(from)?, to: Moment::from_value(to)? }),
                Err(items) => Err(format!("a range is [from, to], not {} items", items.len())),
            },
            other => Err(format!("expected [from, to], got {}", other.type_name())),
        }
    }
}
impl Param for Duration {
    const NAME: &'static str = "duration";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Text(text) => parse_duration_ns(&text).map(|ns| Duration { ns }).map_err(|f| f.in_one_line()),
            Value::Int(ms) => {
                ms.checked_mul(1_000_000).map(|ns| Duration { ns }).ok_or_else(|| format!("{ms} ms is too long"))
            }
            other => Err(expected::<Self>(&other)),
        }
    }
}
impl Param for ProcessRef {
    const NAME: &'static str = "process";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Actor(actor) => Ok(ProcessRef::Actor(actor)),
            Value::Term(Term::Pid(pid)) => Ok(ProcessRef::Actor(pid.into())),
            Value::Term(Term::Port(port)) => Ok(ProcessRef::Actor(port.into())),
            Value::Text(text) => Ok(ProcessRef::Named(text)),
            other => Err(expected::<Self>(&other)),
        }
    }
}
impl Param for Path {
    const NAME: &'static str = "path";
    fn from_value(value: Value) -> Result<Self, String> {
        Path::parse(&String::from_value(value)?).map_err(|error| error.to_string())
    }
}
impl Param for TermArg {
    const NAME: &'static str = "term";
    fn from_value(value: Value) -> Result<Self, String> {
        value_to_term(value).map(TermArg)
    }
}
impl Param for Options {
    const NAME: &'static str = "options";
    fn from_value(value: Value) -> Result<Self, String> {
        if let Value::Map(entries) = value { Ok(Options(entries)) } else { Err(expected::<Self>(&value)) }
    }
}
impl Param for Condition {
    const NAME: &'static str = "condition";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Condition(condition) => Ok(*condition),
            Value::Closure(closure) => closure.condition().map_err(|failure| failure.to_string()),
            other => Err(expected::<Self>(&other)),
        }
    }
}
impl Param for Action {
    const NAME: &'static str = "action";
    fn from_value(value: Value) -> Result<Self, String> {
        match value {
            Value::Action(action) => Ok(action),
            Value::Closure(closure) => closure.action().map_err(|failure| failure.to_string()),
            other => Err(expected::<Self>(&other)),
        }
    }
}

/// An atom as a user types it. Errors: it is too long.
pub(super) fn atom(text: &str) -> Outcome<Atom> {
    Atom::try_new(text).map_err(|error| Failure::usage(error.to_string()))
}

fn value_to_term(value: Value) -> Result<Term, String> {
    Ok(match value {
        Value::Unit => Term::atom("nil"),
        Value::Bool(b) => Term::bool(b),
        Value::Int(n) => Term::Int(n),
        Value::Float(x) => Term::float(x),
        Value::Text(text) => Term::Atom(crate::model::Atom::try_new(&text).map_err(|e| e.to_string())?),
        Value::Term(term) => term,
        Value::Actor(actor) => match actor.pid() {
            Some(pid) => Term::Pid(pid),
            None => return Err("a port is no term to send".into()),
        },
        Value::List(items) => Term::list(items.into_iter().map(value_to_term).collect::<Result<Vec<_>, _>>()?),
        Value::Map(entries) => {
            let entry = |(key, value)| Ok((value_to_term(Value::Text(key))?, value_to_term(value)?));
            Term::map(entries.into_iter().map(entry).collect::<Result<Vec<_>, String>>()?)
        }
        other => return Err(format!("{} is not a term", other.type_name())),
    })
}

impl Options {
    /// Takes option `key`; a wrong type is an error that names the key.
    pub fn take<P: Param>(&mut self, key: &str) -> Result<Option<P>, String> {
        match self.0.iter().position(|(k, _)| k == key) {
            Some(idx) => P::from_value(self.0.remove(idx).1).map(Some).map_err(|what| format!("{key}: {what}")),
            None => Ok(None),
        }
    }
    /// Complains about options that nobody took; `known` is said in the complaint.
    pub fn finish(self, known: &str) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(format!("no option {key:?}; known: {known}")),
        }
    }
}
