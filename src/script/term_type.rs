//! The custom type `Term` of scripts: what a term can do in a script, and how scripts make terms.
//! It must not know sessions or processes.

use std::cmp::Ordering;

use rhai::plugin::*;
use rhai::{Array, Dynamic, EvalAltResult, FuncRegistration, INT, Position, Shared};

use super::convert::{to_dynamic, to_term};
use crate::model::Term;
use crate::model::display::{Style, Syntax};

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// The type with its constructors, operators and iterator.
pub(super) fn module() -> Module {
    let mut module = exported_module!(term_functions);
    module.set_custom_type::<Term>("Term");
    module.set_iter(TypeId::of::<Term>(), |term| {
        let term = term.cast::<Term>();
        Box::new(items(&term).unwrap_or_default().into_iter())
    });
    constructors(&mut module);
    module.build_index();
    module
}

/// Arities of `t(..)`.
const TUPLE_ARITY_MAX: usize = 16;

/// `t(a, b, ..)` for every arity: Rhai has no variadic functions.
fn constructors(module: &mut Module) {
    for arity in 0..=TUPLE_ARITY_MAX {
        let names = (1..=arity).map(|n| format!("e{n}"));
        let func = Shared::new(make_tuple);
        let func = RhaiFunc::Pure { func, has_context: false, is_pure: true, is_volatile: false };
        FuncRegistration::new("t")
            .in_global_namespace()
            .with_params_info(names.chain(["Term".to_string()]))
            .with_comments(["/// Makes a tuple of its arguments: `t(\"deposit\", 10)` is `{deposit, 10}`."])
            .set_into_module_raw(module, vec![TypeId::of::<Dynamic>(); arity], func);
    }
}

fn make_tuple(_: Option<NativeCallContext>, args: &mut [&mut Dynamic]) -> Raised<Dynamic> {
    let items: Result<Vec<_>, _> = args.iter().map(|arg| to_term(arg)).collect();
    Ok(Dynamic::from(Term::tuple(items?)))
}

fn raise(text: impl Into<String>) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(text.into().into(), Position::NONE))
}

fn show(term: &Term) -> String {
    term.display(Style::erlang()).to_string()
}

/// What sort of term, in Erlang's words.
pub fn kind_name(term: &Term) -> &'static str {
    match term {
        Term::Atom(_) => "atom",
        Term::Int(_) | Term::Big(_) => "integer",
        Term::Float(_) => "float",
        Term::Bits(bits) if bits.last_bits == 8 => "binary",
        Term::Bits(_) => "bitstring",
        Term::Tuple(_) => "tuple",
        Term::Nil | Term::List(_) => "list",
        Term::Map(_) => "map",
        Term::Pid(_) => "pid",
        Term::Port(_) => "port",
        Term::Ref(_) => "reference",
        Term::Fun(_) => "fun",
    }
}

/// The elements of a tuple, a list (an improper tail is the last), the bytes of a binary, the `[key, value]` pairs of a map.
fn items(term: &Term) -> Option<Vec<Dynamic>> {
    Some(match term {
        Term::Tuple(items) => items.iter().map(to_dynamic).collect(),
        Term::Nil => Vec::new(),
        Term::List(list) => {
            list.items.iter().chain(Some(&list.tail).filter(|t| **t != Term::Nil)).map(to_dynamic).collect()
        }
        Term::Map(map) => map.entries().iter().map(|(k, v)| vec![to_dynamic(k), to_dynamic(v)].into()).collect(),
        Term::Bits(bits) => bits.bytes.iter().map(|&byte| Dynamic::from_int(byte.into())).collect(),
        _ => return None,
    })
}

fn len(term: &Term) -> Option<usize> {
    Some(match term {
        Term::Tuple(items) => items.len(),
        Term::Nil => 0,
        Term::List(list) => list.items.len() + usize::from(list.tail != Term::Nil),
        Term::Map(map) => map.len(),
        Term::Bits(bits) => bits.bytes.len(),
        _ => return None,
    })
}

/// The element at `index`; negative counts from the end, as in Rhai's arrays.
fn at(term: &Term, index: INT) -> Raised<Dynamic> {
    let n_items = len(term).ok_or_else(|| raise(format!("a {} has no elements", kind_name(term))))?;
    let from_start = if index < 0 { index + n_items as INT } else { index };
    let idx = usize::try_from(from_start).ok().filter(|idx| *idx < n_items);
    let idx = idx.ok_or_else(|| Box::new(EvalAltResult::ErrorArrayBounds(n_items, index, Position::NONE)))?;
    Ok(match term {
        Term::Tuple(items) => to_dynamic(&items[idx]),
        Term::List(list) => to_dynamic(list.items.get(idx).unwrap_or(&list.tail)),
        Term::Bits(bits) => Dynamic::from_int(bits.bytes[idx].into()),
        _ => Dynamic::UNIT,
    })
}

#[export_module]
mod term_functions {
    /// Makes a tuple of an array's items.
    #[rhai_fn(return_raw)]
    pub fn tuple(items: Array) -> Raised<Term> {
        let items: Result<Vec<_>, _> = items.iter().map(to_term).collect();
        Ok(Term::tuple(items?))
    }

    /// Makes a binary of a text: `bin("hello")` is `<<"hello">>`. Plain strings are atoms.
    #[rhai_fn(name = "bin")]
    pub fn bin_of_text(text: &str) -> Term {
        Term::binary(text.as_bytes())
    }

    /// Makes a binary of a blob.
    #[rhai_fn(name = "bin")]
    pub fn bin_of_blob(bytes: rhai::Blob) -> Term {
        Term::binary(bytes)
    }

    /// Makes an integer of any size: `big("123456789012345678901234567890")`. Rhai reads such a literal as a float.
    #[rhai_fn(return_raw)]
    pub fn big(digits: &str) -> Raised<Dynamic> {
        let number = digits.trim().replace('_', "").parse().map_err(|e| raise(format!("{digits:?}: {e}")))?;
        Ok(to_dynamic(&Term::integer(number)))
    }

    /// Reads a term in Erlang's syntax: `term("{reply, [<<\"x\">>]}")`.
    #[rhai_fn(return_raw)]
    pub fn term(text: &str) -> Raised<Dynamic> {
        Term::parse(text, Syntax::Erlang).map(|term| to_dynamic(&term)).map_err(|error| raise(error.to_string()))
    }

    /// Makes a pid of its text: `pid("<0.101.0>")`.
    #[rhai_fn(return_raw)]
    pub fn pid(text: &str) -> Raised<Term> {
        match Term::parse(text, Syntax::Erlang) {
            Ok(term @ Term::Pid(_)) => Ok(term),
            _ => Err(raise(format!("{text:?} is not a pid: write pid(\"<0.101.0>\")"))),
        }
    }

    /// Makes a map of `[key, value]` pairs; keys may be any values: `map_of([[1, "one"]])`.
    #[rhai_fn(return_raw)]
    pub fn map_of(pairs: Array) -> Raised<Dynamic> {
        let pair = |pair: &Dynamic| match pair.as_array_ref().as_deref().map(Vec::as_slice) {
            Ok([key, value]) => Ok((to_term(key)?, to_term(value)?)),
            _ => Err(raise("map_of takes an array of [key, value] pairs")),
        };
        Ok(to_dynamic(&Term::map(pairs.iter().map(pair).collect::<Raised<Vec<_>>>()?)))
    }

    /// The tag of a message: an atom itself, or the first element of a tuple when that is an atom; else ().
    #[rhai_fn(name = "tag", get = "tag", pure)]
    pub fn tag(message: &mut Dynamic) -> Dynamic {
        match message.read_lock::<Term>() {
            Some(term) => term.tag().map_or(Dynamic::UNIT, |atom| to_dynamic(&Term::Atom(atom))),
            None if message.is_string() || message.is_bool() => message.flatten_clone(),
            None => Dynamic::UNIT,
        }
    }

    /// What sort of term a value is, in Erlang's words: `tuple`, `pid`, `binary`, `atom`, ..
    #[rhai_fn(pure, return_raw)]
    pub fn kind_of(value: &mut Dynamic) -> Raised<String> {
        Ok(kind_name(&to_term(value)?).to_string())
    }

    /// The number of elements of a tuple or list, entries of a map, bytes of a binary.
    #[rhai_fn(name = "len", get = "len", pure, return_raw)]
    pub fn term_len(term: &mut Term) -> Raised<INT> {
        let n_items = len(term).ok_or_else(|| raise(format!("a {} has no length", kind_name(term))))?;
        Ok(n_items as INT)
    }

    /// The element at a position (from 0; negative from the end), or a map's value at a key.
    #[rhai_fn(index_get, pure, return_raw)]
    pub fn term_index(term: &mut Term, index: Dynamic) -> Raised<Dynamic> {
        if let Term::Map(map) = &*term {
            let key = to_term(&index)?;
            let missing = || Box::new(EvalAltResult::ErrorIndexNotFound(index.clone(), Position::NONE));
            return map.get(&key).map(to_dynamic).ok_or_else(missing);
        }
        match index.as_int() {
            Ok(index) => at(term, index),
            Err(_) => Err(raise(format!("a {} has no property {index}", kind_name(term)))),
        }
    }

    /// A map's value at a key, or ().
    #[rhai_fn(pure, return_raw)]
    pub fn get(term: &mut Term, key: Dynamic) -> Raised<Dynamic> {
        let key = to_term(&key)?;
        Ok(term.as_map().and_then(|map| map.get(&key)).map_or(Dynamic::UNIT, to_dynamic))
    }

    /// The elements as an array: a tuple's or list's elements, a binary's bytes, a map's `[key, value]` pairs.
    #[rhai_fn(pure, return_raw)]
    pub fn to_array(term: &mut Term) -> Raised<Array> {
        items(term).ok_or_else(|| raise(format!("a {} has no elements", kind_name(term))))
    }

    /// Whether one of the elements (keys of a map) equals a value; the operator `in`.
    #[rhai_fn(pure, return_raw)]
    pub fn contains(term: &mut Term, value: Dynamic) -> Raised<bool> {
        let wanted = to_term(&value)?;
        Ok(match &*term {
            Term::Tuple(items) => items.contains(&wanted),
            Term::List(list) => list.items.contains(&wanted),
            Term::Map(map) => map.get(&wanted).is_some(),
            _ => false,
        })
    }

    /// The text of a binary (or of any other term, as Erlang prints it).
    #[rhai_fn(pure)]
    pub fn text(term: &mut Term) -> String {
        match term.as_binary().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            Some(text) => text.to_string(),
            None => show(term),
        }
    }

    #[rhai_fn(name = "to_string", name = "to_debug", name = "print", name = "debug", pure)]
    pub fn to_string(term: &mut Term) -> String {
        show(term)
    }

    #[rhai_fn(name = "==", pure)]
    pub fn equal(left: &mut Term, right: Term) -> bool {
        left.loosely_equals(&right)
    }
    #[rhai_fn(name = "!=", pure)]
    pub fn unequal(left: &mut Term, right: Term) -> bool {
        !left.loosely_equals(&right)
    }
    #[rhai_fn(name = "<", pure)]
    pub fn less(left: &mut Term, right: Term) -> bool {
        Term::cmp(left, &right) == Ordering::Less
    }
    #[rhai_fn(name = "<=", pure)]
    pub fn at_most(left: &mut Term, right: Term) -> bool {
        Term::cmp(left, &right) != Ordering::Greater
    }
    #[rhai_fn(name = ">", pure)]
    pub fn greater(left: &mut Term, right: Term) -> bool {
        Term::cmp(left, &right) == Ordering::Greater
    }
    #[rhai_fn(name = ">=", pure)]
    pub fn at_least(left: &mut Term, right: Term) -> bool {
        Term::cmp(left, &right) != Ordering::Less
    }
}
