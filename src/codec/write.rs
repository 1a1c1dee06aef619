//! Appends external term format without building terms first: what the sim records with.
//!
//! A compound term is its header followed by its items: [`tuple_header`]`(out, 2)`, then two
//! items. Only [`version`] and [`super::etf::encode`] write the leading 131. It must not know
//! who reads the bytes.

use std::cell::RefCell;

use num_bigint::Sign;

use super::tags;
use crate::model::term::{Bits, Fun, List, LocalFun};
use crate::model::{Atom, Origin, Pid, Port, Reference, Term};

/// The byte that begins every stored term.
pub fn version(out: &mut Vec<u8>) {
    out.push(tags::VERSION);
}

/// An atom, as OTP 26 writes it. A few nanoseconds.
pub fn atom(out: &mut Vec<u8>, atom: Atom) {
    atom_text(out, atom.as_str());
}

/// An atom by its text, which need not be interned.
pub fn atom_text(out: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(len) => out.extend_from_slice(&[tags::SMALL_ATOM_UTF8, len]),
        Err(_) => {
            let len = u16::try_from(text.len()).expect("an atom has at most 255 characters");
            out.push(tags::ATOM_UTF8);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

pub fn int(out: &mut Vec<u8>, value: i64) {
    if let Ok(byte) = u8::try_from(value) {
        out.extend_from_slice(&[tags::SMALL_INTEGER, byte]);
    } else if let Ok(word) = i32::try_from(value) {
        let [a, b, c, d] = word.to_be_bytes();
        out.extend_from_slice(&[tags::INTEGER, a, b, c, d]);
    } else {
        big(out, value < 0, &value.unsigned_abs().to_le_bytes());
    }
}

/// `magnitude` is little endian; zeros at its end are dropped.
fn big(out: &mut Vec<u8>, is_negative: bool, magnitude: &[u8]) {
    let n_zeros = magnitude.iter().rev().take_while(|&&byte| byte == 0).count();
    let digits = &magnitude[..magnitude.len() - n_zeros];
    match u8::try_from(digits.len()) {
        Ok(len) => out.extend_from_slice(&[tags::SMALL_BIG, len]),
        Err(_) => {
            out.push(tags::LARGE_BIG);
            len32(out, digits.len());
        }
    }
    out.push(u8::from(is_negative));
    out.extend_from_slice(digits);
}

pub fn float(out: &mut Vec<u8>, value: f64) {
    out.push(tags::NEW_FLOAT);
    out.extend_from_slice(&value.to_be_bytes());
}

pub fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(tags::BINARY);
    len32(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// The items follow.
pub fn tuple_header(out: &mut Vec<u8>, arity: usize) {
    match u8::try_from(arity) {
        Ok(arity) => out.extend_from_slice(&[tags::SMALL_TUPLE, arity]),
        Err(_) => {
            out.push(tags::LARGE_TUPLE);
            len32(out, arity);
        }
    }
}

/// The items follow, then the tail: [`nil`] for a proper list. An empty list is [`nil`] alone.
pub fn list_header(out: &mut Vec<u8>, n_items: usize) {
    debug_assert!(n_items > 0, "the empty list is nil");
    out.push(tags::LIST);
    len32(out, n_items);
}

pub fn nil(out: &mut Vec<u8>) {
    out.push(tags::NIL);
}

/// Keys and values follow in turn.
pub fn map_header(out: &mut Vec<u8>, n_entries: usize) {
    out.push(tags::MAP);
    len32(out, n_entries);
}

pub fn pid(out: &mut Vec<u8>, pid: Pid) {
    out.push(tags::NEW_PID);
    let creation = node(out, pid.origin);
    out.extend_from_slice(&pid.id.to_be_bytes());
    out.extend_from_slice(&pid.serial.to_be_bytes());
    out.extend_from_slice(&creation.to_be_bytes());
}

pub fn port(out: &mut Vec<u8>, port: Port) {
    out.push(tags::V4_PORT);
    let creation = node(out, port.origin);
    out.extend_from_slice(&port.id().to_be_bytes());
    out.extend_from_slice(&creation.to_be_bytes());
}

pub fn reference(out: &mut Vec<u8>, reference: &Reference) {
    out.push(tags::NEWER_REFERENCE);
    out.extend_from_slice(&u16::from(reference.n_words).to_be_bytes());
    let creation = node(out, reference.origin);
    out.extend_from_slice(&creation.to_be_bytes());
    for word in reference.words() {
        out.extend_from_slice(&word.to_be_bytes());
    }
}

struct KnownNode {
    origin: Origin,
    node: Vec<u8>,
    creation: u32,
}

thread_local! {
    /// The node written last: a recording names one nearly always.
    static LAST_NODE: RefCell<Option<KnownNode>> = const { RefCell::new(None) };
}

/// The node's atom; gives the creation, which follows later.
fn node(out: &mut Vec<u8>, origin: Origin) -> u32 {
    LAST_NODE.with_borrow_mut(|last| match last {
        Some(known) if known.origin == origin => {
            out.extend_from_slice(&known.node);
            known.creation
        }
        _ => {
            let id = origin.id();
            let mut node = Vec::new();
            atom(&mut node, id.node);
            out.extend_from_slice(&node);
            *last = Some(KnownNode { origin, node, creation: id.creation });
            id.creation
        }
    })
}

/// A whole term, without version byte. Recursion is bounded by the term's depth.
pub fn term(out: &mut Vec<u8>, value: &Term) {
    match value {
        Term::Atom(value) => atom(out, *value),
        Term::Int(value) => int(out, *value),
        Term::Big(value) => {
            let (sign, magnitude) = value.to_bytes_le();
            big(out, sign == Sign::Minus, &magnitude);
        }
        Term::Float(value) => float(out, value.0),
        Term::Bits(bits) => bitstring(out, bits),
        Term::Tuple(items) => {
            tuple_header(out, items.len());
            items.iter().for_each(|item| term(out, item));
        }
        Term::Nil => nil(out),
        Term::List(value) => list(out, value),
        Term::Map(map) => {
            map_header(out, map.len());
            for (key, value) in map.entries() {
                term(out, key);
                term(out, value);
            }
        }
        Term::Pid(value) => pid(out, *value),
        Term::Port(value) => port(out, *value),
        Term::Ref(value) => reference(out, value),
        Term::Fun(value) => fun(out, value),
    }
}

fn bitstring(out: &mut Vec<u8>, bits: &Bits) {
    if bits.last_bits == 8 {
        return binary(out, &bits.bytes);
    }
    out.push(tags::BIT_BINARY);
    len32(out, bits.bytes.len());
    out.push(bits.last_bits);
    out.extend_from_slice(&bits.bytes);
}

fn list(out: &mut Vec<u8>, list: &List) {
    if list.tail == Term::Nil && string(out, &list.items) {
        return;
    }
    list_header(out, list.items.len());
    list.items.iter().for_each(|item| term(out, item));
    term(out, &list.tail);
}

/// Writes a list of bytes as the string that OTP makes of it; false when `items` are no such list.
fn string(out: &mut Vec<u8>, items: &[Term]) -> bool {
    let Ok(len) = u16::try_from(items.len()) else { return false };
    let start = out.len();
    out.push(tags::STRING);
    out.extend_from_slice(&len.to_be_bytes());
    for item in items {
        match item {
            Term::Int(value @ 0..=255) => out.push(*value as u8),
            _ => {
                out.truncate(start);
                return false;
            }
        }
    }
    true
}

fn fun(out: &mut Vec<u8>, value: &Fun) {
    match value {
        Fun::External { module, function, arity } => {
            out.push(tags::EXPORT);
            atom(out, *module);
            atom(out, *function);
            int(out, i64::from(*arity));
        }
        Fun::Local(fun) => local_fun(out, fun),
    }
}

fn local_fun(out: &mut Vec<u8>, fun: &LocalFun) {
    out.push(tags::NEW_FUN);
    let size_at = out.len();
    len32(out, 0);
    out.push(fun.arity);
    out.extend_from_slice(&fun.uniq);
    out.extend_from_slice(&fun.index.to_be_bytes());
    len32(out, fun.free.len());
    atom(out, fun.module);
    int(out, fun.old_index);
    int(out, fun.old_uniq);
    pid(out, fun.pid);
    fun.free.iter().for_each(|value| term(out, value));
    let size = (out.len() - size_at) as u32;
    out[size_at..size_at + 4].copy_from_slice(&size.to_be_bytes());
}

fn len32(out: &mut Vec<u8>, len: usize) {
    let len = u32::try_from(len).expect("a part of a term is smaller than 4 GiB (PAYLOAD_BYTES_MAX)");
    out.extend_from_slice(&len.to_be_bytes());
}
