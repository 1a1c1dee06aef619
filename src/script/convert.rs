//! Terms as scripts' values and back. It must not know engines or functions.
//!
//! | term | script |
//! |---|---|
//! | integer within i64, float | INT, FLOAT |
//! | atoms `true`, `false`; `nil`; any other | bool; `()`; string |
//! | proper list | array |
//! | map whose keys are all atoms | object map |
//! | everything else (tuple, binary, pid, big integer ..) | the custom type [`Term`] |
//!
//! The way back is the same, and adds: a char is its code point, a blob is a binary.

use std::cell::RefCell;
use std::fmt::Display;
use std::sync::LazyLock;

use rhai::{Blob, Dynamic, FnPtr, ImmutableString};
use rustc_hash::FxHashMap;

use crate::model::term::Map;
use crate::model::{Atom, Term, limits};

/// Says which value inside a script's value has no term, and why: `.orders[3]: a closure ..`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", if path.is_empty() { String::new() } else { format!("at {path}: ") })]
pub struct Unconvertible {
    /// From the outermost value: `.key` and `[index]` steps; empty for the value itself.
    pub path: String,
    pub what: String,
}

impl Unconvertible {
    pub(super) fn new(what: impl Into<String>) -> Unconvertible {
        Unconvertible { path: String::new(), what: what.into() }
    }
    /// The same problem seen from one level further out.
    pub(super) fn under(mut self, step: impl Display) -> Unconvertible {
        self.path.insert_str(0, &step.to_string());
        self
    }
}

/// Atoms that are not strings in scripts.
struct Known {
    r#true: Atom,
    r#false: Atom,
    nil: Atom,
}

static KNOWN: LazyLock<Known> =
    LazyLock::new(|| Known { r#true: Atom::new("true"), r#false: Atom::new("false"), nil: Atom::new("nil") });

thread_local! {
    /// One shared string per atom that a script has seen: tags are converted for every message.
    static ATOM_TEXTS: RefCell<FxHashMap<Atom, ImmutableString>> = RefCell::default();
}

fn atom_to_dynamic(atom: Atom) -> Dynamic {
    let known = &*KNOWN;
    if atom == known.r#true {
        Dynamic::TRUE
    } else if atom == known.r#false {
        Dynamic::FALSE
    } else if atom == known.nil {
        Dynamic::UNIT
    } else {
        atom_text(atom).into()
    }
}

/// The text of an atom as a script's string, shared by all its uses on this thread.
pub fn atom_text(atom: Atom) -> ImmutableString {
    ATOM_TEXTS.with_borrow_mut(|texts| texts.entry(atom).or_insert_with(|| atom.as_str().into()).clone())
}

/// The value that scripts see for `term`. Cost: linear in lists and object maps, constant for the rest.
pub fn to_dynamic(term: &Term) -> Dynamic {
    match term {
        Term::Int(value) => Dynamic::from_int(*value),
        Term::Float(value) => Dynamic::from_float(value.0),
        Term::Atom(atom) => atom_to_dynamic(*atom),
        Term::Nil => Dynamic::from_array(Vec::new()),
        Term::List(list) if list.tail == Term::Nil => Dynamic::from_array(list.items.iter().map(to_dynamic).collect()),
        Term::Map(map) if map.entries().iter().all(|(key, _)| matches!(key, Term::Atom(_))) => object_map(map),
        other => Dynamic::from(other.clone()),
    }
}

fn object_map(map: &Map) -> Dynamic {
    let entry = |(key, value): &(Term, Term)| Some((key.as_atom()?.as_str().into(), to_dynamic(value)));
    Dynamic::from_map(map.entries().iter().filter_map(entry).collect())
}

/// The term of a script's value; shared (captured) values are read through. Errors: closures, ranges, timestamps,
/// other native types, texts that are too long for an atom, nesting beyond [`limits::TERM_DEPTH_MAX`].
pub fn to_term(value: &Dynamic) -> Result<Term, Unconvertible> {
    build(value, 0)
}

fn build(value: &Dynamic, depth: usize) -> Result<Term, Unconvertible> {
    if let Ok(number) = value.as_int() {
        return Ok(Term::Int(number));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return text_to_atom(&text).map(Term::Atom);
    }
    if let Some(term) = value.read_lock::<Term>() {
        return Ok(term.clone());
    }
    if let Some(scalar) = scalar(value) {
        return scalar;
    }
    if depth >= limits::TERM_DEPTH_MAX {
        return Err(too_deep());
    }
    if let Ok(items) = value.as_array_ref() {
        let item = |(idx, item)| build(item, depth + 1).map_err(|e| e.under(format_args!("[{idx}]")));
        return Ok(Term::list(items.iter().enumerate().map(item).collect::<Result<Vec<_>, _>>()?));
    }
    if let Ok(map) = value.as_map_ref() {
        let entry = |(key, value): (&rhai::Identifier, &Dynamic)| {
            let value = build(value, depth + 1).map_err(|e| e.under(format_args!(".{key}")))?;
            Ok((Term::Atom(text_to_atom(key).map_err(|e| e.under(format_args!(".{key}")))?), value))
        };
        return Ok(Term::map(map.iter().map(entry).collect::<Result<Vec<_>, _>>()?));
    }
    Err(no_term(value))
}

/// Values without parts beyond the three most frequent kinds.
pub(super) fn scalar(value: &Dynamic) -> Option<Result<Term, Unconvertible>> {
    if let Ok(flag) = value.as_bool() {
        return Some(Ok(Term::Atom(if flag { KNOWN.r#true } else { KNOWN.r#false })));
    }
    if let Ok(number) = value.as_float() {
        return Some(if number.is_finite() { Ok(Term::float(number)) } else { Err(not_finite(number)) });
    }
    if value.is_unit() {
        return Some(Ok(Term::Atom(KNOWN.nil)));
    }
    if let Ok(character) = value.as_char() {
        return Some(Ok(Term::Int(i64::from(u32::from(character)))));
    }
    value.as_blob_ref().ok().map(|bytes| Ok(Term::binary(Blob::clone(&bytes))))
}

pub(super) fn text_to_atom(text: &str) -> Result<Atom, Unconvertible> {
    Atom::try_new(text).map_err(|error| Unconvertible::new(format!("{error}; for longer text write bin(\"..\")")))
}

fn not_finite(number: f64) -> Unconvertible {
    Unconvertible::new(format!("{number} is not a float of Erlang: they are finite"))
}

pub(super) fn too_deep() -> Unconvertible {
    let max = limits::TERM_DEPTH_MAX;
    Unconvertible::new(limits::tripped("TERM_DEPTH_MAX", max, "nest values less deep"))
}

pub(super) fn no_term(value: &Dynamic) -> Unconvertible {
    let what = if value.is::<FnPtr>() { "a closure" } else { value.type_name() };
    Unconvertible::new(format!("{what} cannot be a term"))
}
