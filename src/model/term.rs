//! BEAM terms as immutable values of at most 16 bytes, shared by `Arc`.
//!
//! Equality, order and hash here are the *exact* ones (`=:=`; `1` and `1.0` differ).
//! [`Term::loosely_equals`] is Erlang's `==`. Printing lives in `display`, bytes in `codec::etf`.

use std::cmp::Ordering;
use std::sync::Arc;

use num_bigint::BigInt;

use super::atom::Atom;
use super::pid::{Pid, Port, Reference};

/// Any value of the BEAM.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Term {
    Atom(Atom),
    Int(i64),
    /// Beyond `i64`; invariant: never holds a value that fits one.
    Big(Arc<BigInt>),
    Float(Float),
    /// Bitstrings; a binary is one whose length is whole bytes.
    Bits(Arc<Bits>),
    Tuple(Arc<Vec<Term>>),
    /// The empty list.
    Nil,
    /// A list with at least one item.
    List(Arc<List>),
    Map(Arc<Map>),
    Pid(Pid),
    Port(Port),
    Ref(Arc<Reference>),
    Fun(Arc<Fun>),
}

const _: () = assert!(std::mem::size_of::<Term>() <= 16);

/// A finite float; equality and hash by bits except that the order is numeric.
#[derive(Clone, Copy, Debug)]
pub struct Float(pub f64);

/// A bitstring: `bytes` hold `bit_len` bits, the unused low bits of the last byte are zero.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bits {
    pub bytes: Vec<u8>,
    /// Bits in use of the last byte, 1 to 8; 8 for binaries and for the empty binary.
    pub last_bits: u8,
}

/// A non-empty list. Invariant: `tail` is `Nil` for proper lists and is never a `List`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct List {
    pub items: Vec<Term>,
    pub tail: Term,
}

/// A map; invariant: sorted by the exact order of its keys, no key twice.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Map {
    entries: Vec<(Term, Term)>,
}

/// A fun: external (`fun m:f/a`) or a closure of some module.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Fun {
    External { module: Atom, function: Atom, arity: u8 },
    Local(Box<LocalFun>),
}

/// A closure as the BEAM sends it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LocalFun {
    pub module: Atom,
    pub arity: u8,
    pub index: u32,
    pub uniq: [u8; 16],
    pub old_index: i64,
    pub old_uniq: i64,
    pub pid: Pid,
    pub free: Vec<Term>,
}

impl Term {
    /// An atom; see [`Atom::new`].
    pub fn atom(text: &str) -> Term {
        Term::Atom(Atom::new(text))
    }
    pub fn bool(value: bool) -> Term {
        Term::atom(if value { "true" } else { "false" })
    }
    pub fn binary(bytes: impl Into<Vec<u8>>) -> Term {
        Term::Bits(Arc::new(Bits { bytes: bytes.into(), last_bits: 8 }))
    }
    pub fn tuple(items: impl Into<Vec<Term>>) -> Term {
        Term::Tuple(Arc::new(items.into()))
    }
    /// A proper list; `Nil` when `items` is empty.
    pub fn list(items: impl Into<Vec<Term>>) -> Term {
        Term::improper(items.into(), Term::Nil)
    }
    /// `[items | tail]`, flattened so that the tail is never itself a list.
    pub fn improper(mut items: Vec<Term>, tail: Term) -> Term {
        match tail {
            tail if items.is_empty() => tail,
            Term::List(rest) => {
                items.extend_from_slice(&rest.items);
                Term::List(Arc::new(List { items, tail: rest.tail.clone() }))
            }
            tail => Term::List(Arc::new(List { items, tail })),
        }
    }
    pub fn map(entries: impl IntoIterator<Item = (Term, Term)>) -> Term {
        Term::Map(Arc::new(entries.into_iter().collect()))
    }
    pub fn float(value: f64) -> Term {
        Term::Float(Float(value))
    }
    /// An integer of any size, small when it fits.
    pub fn integer(value: BigInt) -> Term {
        match i64::try_from(&value) {
            Ok(small) => Term::Int(small),
            Err(_) => Term::Big(Arc::new(value)),
        }
    }

    pub fn as_atom(&self) -> Option<Atom> {
        if let Term::Atom(atom) = self { Some(*atom) } else { None }
    }
    pub fn as_int(&self) -> Option<i64> {
        if let Term::Int(value) = self { Some(*value) } else { None }
    }
    pub fn as_pid(&self) -> Option<Pid> {
        if let Term::Pid(pid) = self { Some(*pid) } else { None }
    }
    pub fn as_tuple(&self) -> Option<&[Term]> {
        if let Term::Tuple(items) = self { Some(items) } else { None }
    }
    pub fn as_map(&self) -> Option<&Map> {
        if let Term::Map(map) = self { Some(map) } else { None }
    }
    /// The items of a proper list.
    pub fn as_list(&self) -> Option<&[Term]> {
        match self {
            Term::Nil => Some(&[]),
            Term::List(list) if list.tail == Term::Nil => Some(&list.items),
            _ => None,
        }
    }
    /// The bytes of a binary (not of other bitstrings).
    pub fn as_binary(&self) -> Option<&[u8]> {
        match self {
            Term::Bits(bits) if bits.last_bits == 8 => Some(&bits.bytes),
            _ => None,
        }
    }
    pub fn is_atom(&self, text: &str) -> bool {
        self.as_atom().is_some_and(|atom| atom == text)
    }
    /// The items of a tuple of `arity` whose first element is the atom `tag`.
    pub fn tagged(&self, tag: &str, arity: usize) -> Option<&[Term]> {
        self.as_tuple().filter(|items| items.len() == arity && items[0].is_atom(tag))
    }
    /// The tag of a message: an atom itself, or the first element of a tuple that starts with one.
    pub fn tag(&self) -> Option<Atom> {
        match self {
            Term::Atom(atom) => Some(*atom),
            Term::Tuple(items) => items.first().and_then(Term::as_atom),
            _ => None,
        }
    }

    /// The request that a `$gen_call` or a `$gen_cast` wraps, or the call of a gen_event: `{Pid, {Pid, Tag}, Request}`.
    pub fn request(&self) -> Option<&Term> {
        match self.as_tuple()? {
            [tag, _from, request] if tag.is_atom("$gen_call") => Some(request),
            [tag, request] if tag.is_atom("$gen_cast") => Some(request),
            [Term::Pid(caller), from, request] => match from.as_tuple()? {
                [Term::Pid(from), _tag] if from == caller => Some(request),
                _ => None,
            },
            _ => None,
        }
    }

    /// The [`Term::request`] inside, or the term itself.
    pub fn unwrapped(self) -> Term {
        match self.request() {
            Some(request) => request.clone(),
            None => self,
        }
    }

    /// Erlang's `==`: like exact equality, but numbers are compared by value at any depth.
    pub fn loosely_equals(&self, other: &Term) -> bool {
        self.compare_loosely(other) == Ordering::Equal
    }
    /// The order behind Erlang's `<`: numbers by value, `1` and `1.0` equal.
    pub fn compare_loosely(&self, other: &Term) -> Ordering {
        super::order::compare(self, other, super::order::Numbers::Loose)
    }
}

impl PartialOrd for Term {
    fn partial_cmp(&self, other: &Term) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
/// The exact term order: number < atom < reference < fun < port < pid < tuple < map < nil < list < bits,
/// integers before floats of the same value.
impl Ord for Term {
    fn cmp(&self, other: &Term) -> Ordering {
        super::order::compare(self, other, super::order::Numbers::Exact)
    }
}

impl Map {
    /// The value at `key`. Binary search.
    pub fn get(&self, key: &Term) -> Option<&Term> {
        self.entries.binary_search_by(|(k, _)| k.cmp(key)).ok().map(|idx| &self.entries[idx].1)
    }
    /// The value at an atom key.
    pub fn get_atom(&self, key: &str) -> Option<&Term> {
        self.get(&Term::Atom(Atom::try_new(key).ok()?))
    }
    /// Entries in exact key order.
    pub fn entries(&self) -> &[(Term, Term)] {
        &self.entries
    }
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// A map with `key` set; copies the entries.
    pub fn with(&self, key: Term, value: Term) -> Map {
        let mut entries = self.entries.clone();
        match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(idx) => entries[idx].1 = value,
            Err(idx) => entries.insert(idx, (key, value)),
        }
        Map { entries }
    }
}

impl FromIterator<(Term, Term)> for Map {
    /// Collects entries; of two equal keys the later one wins.
    fn from_iter<I: IntoIterator<Item = (Term, Term)>>(iter: I) -> Map {
        let mut entries: Vec<(Term, Term)> = iter.into_iter().collect();
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.reverse();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|later, first| later.0 == first.0);
        }
        Map { entries }
    }
}

impl PartialEq for Float {
    fn eq(&self, other: &Float) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for Float {}
impl std::hash::Hash for Float {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl From<i64> for Term {
    fn from(value: i64) -> Term {
        Term::Int(value)
    }
}
impl From<Atom> for Term {
    fn from(value: Atom) -> Term {
        Term::Atom(value)
    }
}
impl From<Pid> for Term {
    fn from(value: Pid) -> Term {
        Term::Pid(value)
    }
}
