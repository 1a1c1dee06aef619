//! Terms that stay bytes: a cursor that finds tags, pids and references in external term format
//! without building anything. [`RawTerm::parse`] checks the structure once; after it every
//! step is a bounds-safe look into the bytes and `None` means only "not of that type".
//!
//! ```
//! # use cinema::{codec::{etf, walk::RawTerm}, model::Term};
//! # let mut bytes = Vec::new();
//! # etf::encode(&Term::tuple([Term::atom("$gen_cast"), Term::Int(7)]), &mut bytes);
//! let (message, n_used) = RawTerm::parse(&bytes).unwrap();
//! if let Some([tag, request]) = message.tuple_of() {
//!     assert!(tag.is_atom("$gen_cast"));
//!     assert_eq!(request.as_int(), Some(7));
//! }
//! ```

use smallvec::SmallVec;

use super::etf::{self, Defect, EtfError};
use super::extent::{atom_text, end_of_term};
use super::read::Reader;
use super::tags;
use crate::model::{Actor, Atom, Pid, Port, Reference, Term};

/// A term inside checked bytes. `Copy`, two words.
#[derive(Clone, Copy)]
pub struct RawTerm<'a> {
    /// From the term's tag to the end of the buffer, which may lie beyond the term.
    /// Invariant: skipping one term here succeeds.
    rest: &'a [u8],
}

/// A checked term that knows its end: [`RawTerm`] with free [`Part::bytes`].
#[derive(Clone, Copy)]
pub struct Part<'a>(&'a [u8]);

/// The elements of a tuple with their ends; trace messages have at most eight.
pub type Parts<'a> = SmallVec<[Part<'a>; 8]>;

impl<'a> Part<'a> {
    /// The empty list.
    pub const NIL: Part<'static> = Part(&NIL);

    /// `bytes` are one whole term.
    pub(super) fn of(bytes: &'a [u8]) -> Part<'a> {
        Part(bytes)
    }
    pub fn term(self) -> RawTerm<'a> {
        RawTerm { rest: self.0 }
    }
    /// The term's own bytes, without version byte.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }
}

/// The parts of a compound term in order. Moving past a part skips its bytes, once.
#[derive(Clone)]
pub struct Items<'a> {
    rest: &'a [u8],
    n_left: usize,
    /// Whether `rest` begins with the part given last, which is skipped only when another is wanted.
    is_behind: bool,
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Tuple and map: nothing follows the last part.
    Fixed,
    /// A tail follows the last part.
    List,
    /// The parts are bare bytes, small integers, and the tail is nil. The empty list is one without bytes.
    String,
}

/// Small integers as terms of their own: the items of a string have no tags in its bytes.
static SMALL_INTEGERS: [[u8; 2]; 256] = {
    let mut terms = [[tags::SMALL_INTEGER, 0]; 256];
    let mut value = 0;
    while value < terms.len() {
        terms[value][1] = value as u8;
        value += 1;
    }
    terms
};
static NIL: [u8; 1] = [tags::NIL];

const CHECKED: &str = "the structure was checked by RawTerm::parse";

impl<'a> RawTerm<'a> {
    /// Checks the term at the start of `bytes` (131 first) and gives it with the number of
    /// bytes it takes. Nesting of any depth is fine. Errors: damage; [`Defect::Compressed`]
    /// (use [`etf::plain`] first). About 5 ns per leaf.
    pub fn parse(bytes: &'a [u8]) -> Result<(RawTerm<'a>, usize), EtfError> {
        let mut reader = Reader::new(bytes, 0);
        reader.version()?;
        if bytes.get(1) == Some(&tags::COMPRESSED) {
            return Err(reader.error(Defect::Compressed));
        }
        reader.skip()?;
        Ok((RawTerm { rest: &bytes[1..] }, reader.at))
    }

    /// Checks a term as [`RawTerm::parse`] does and gives the elements of the tuple that it is, none when
    /// it is no tuple: one walk for both.
    pub fn parse_tuple(bytes: &'a [u8]) -> Result<(Parts<'a>, usize), EtfError> {
        let mut reader = Reader::new(bytes, 0);
        reader.version()?;
        let arity = match bytes.get(1) {
            Some(&tags::SMALL_TUPLE) => {
                reader.take(1)?;
                reader.u8()?
            }
            _ => return Ok((Parts::new(), RawTerm::parse(bytes)?.1)),
        };
        let mut parts = Parts::new();
        for _ in 0..arity {
            let start = reader.at;
            reader.skip()?;
            parts.push(Part(&bytes[start..reader.at]));
        }
        Ok((parts, reader.at))
    }

    /// The term's own bytes, without version byte. Costs a skip.
    pub fn bytes(self) -> &'a [u8] {
        &self.rest[..self.len()]
    }

    /// As [`RawTerm::bytes`], without a skip when `next` is the item that follows it in a list or a tuple.
    pub fn bytes_until(self, next: RawTerm<'a>) -> &'a [u8] {
        match self.rest.len().checked_sub(next.rest.len()) {
            Some(n @ 1..) => &self.rest[..n],
            // Items of a string do not lie in its bytes.
            _ => self.bytes(),
        }
    }

    fn len(self) -> usize {
        end_of_term(self.rest, 0).expect(CHECKED)
    }

    /// Builds the term. Errors: see [`etf::decode`]; offsets count from the term's tag.
    pub fn to_term(self) -> Result<Term, EtfError> {
        Ok(etf::decode_bare(self.rest, 0)?.0)
    }

    pub(super) fn tag_byte(self) -> u8 {
        self.rest[0]
    }
    fn body(self) -> Reader<'a> {
        Reader::new(self.rest, 1)
    }

    /// An atom, interned; `None` also for text that is no legal atom.
    pub fn as_atom(self) -> Option<Atom> {
        self.body().atom(self.tag_byte()).ok()
    }
    /// Whether this is the atom `text` (ASCII). Compares bytes, interns nothing.
    pub fn is_atom(self, text: &str) -> bool {
        debug_assert!(text.is_ascii(), "other text differs between the atom encodings");
        atom_text(self.rest).is_some_and(|found| found == text.as_bytes())
    }
    /// The text of an atom as its bytes: the same in every encoding when it is ASCII.
    pub fn as_atom_bytes(self) -> Option<&'a [u8]> {
        atom_text(self.rest)
    }
    /// The bytes of an atom's text, when it is ASCII.
    pub fn as_atom_text(self) -> Option<&'a str> {
        let text = atom_text(self.rest)?;
        std::str::from_utf8(text).ok().filter(|text| text.is_ascii())
    }
    pub fn as_pid(self) -> Option<Pid> {
        match self.tag_byte() {
            tag @ (tags::NEW_PID | tags::PID) => self.body().pid(tag).ok(),
            _ => None,
        }
    }
    pub fn as_port(self) -> Option<Port> {
        match self.tag_byte() {
            tag @ (tags::V4_PORT | tags::NEW_PORT | tags::PORT) => self.body().port(tag).ok(),
            _ => None,
        }
    }
    /// A pid or a port, of incarnation 0.
    pub fn as_actor(self) -> Option<Actor> {
        self.as_pid().map(Actor::from).or_else(|| self.as_port().map(Actor::from))
    }
    pub fn as_ref(self) -> Option<Reference> {
        match self.tag_byte() {
            tag @ (tags::NEWER_REFERENCE | tags::NEW_REFERENCE | tags::REFERENCE) => self.body().reference(tag).ok(),
            _ => None,
        }
    }
    /// An integer that fits 64 bits.
    pub fn as_int(self) -> Option<i64> {
        let mut body = self.body();
        match self.tag_byte() {
            tags::SMALL_INTEGER => body.u8().ok().map(i64::from),
            tags::INTEGER => body.u32().ok().map(|word| i64::from(word as i32)),
            tag @ (tags::SMALL_BIG | tags::LARGE_BIG) => body.big_as_i64(tag),
            _ => None,
        }
    }
    pub fn as_binary(self) -> Option<&'a [u8]> {
        if self.tag_byte() != tags::BINARY {
            return None;
        }
        let mut body = self.body();
        let len = body.len32().ok()?;
        body.take(len).ok()
    }

    /// A tuple's elements; `len()` is its arity.
    pub fn tuple(self) -> Option<Items<'a>> {
        let mut body = self.body();
        let arity = match self.tag_byte() {
            tags::SMALL_TUPLE => usize::from(body.u8().ok()?),
            tags::LARGE_TUPLE => body.len32().ok()?,
            _ => return None,
        };
        Some(Items::new(body, arity, Shape::Fixed))
    }

    /// The elements of a tuple of exactly `N`.
    pub fn tuple_of<const N: usize>(self) -> Option<[RawTerm<'a>; N]> {
        let mut items = self.tuple().filter(|items| items.len() == N)?;
        Some(std::array::from_fn(|_| items.next().expect(CHECKED)))
    }

    /// A list's items without its tail; none for the empty list.
    pub fn list(self) -> Option<Items<'a>> {
        let mut body = self.body();
        match self.tag_byte() {
            tags::NIL => Some(Items::new(body, 0, Shape::String)),
            tags::LIST => {
                let n = body.len32().ok()?;
                Some(Items::new(body, n, Shape::List))
            }
            tags::STRING => {
                let n = usize::from(body.u16().ok()?);
                Some(Items::new(body, n, Shape::String))
            }
            _ => None,
        }
    }

    /// The module of a fun, local or external.
    pub fn fun_module(self) -> Option<Atom> {
        let mut body = self.body();
        match self.tag_byte() {
            tags::EXPORT => {}
            // Size, arity, uniq, index and the number of free variables come first.
            tags::NEW_FUN => drop(body.take(4 + 1 + 16 + 4 + 4).ok()?),
            _ => return None,
        }
        let tag = body.u8().ok()?;
        body.atom(tag).ok()
    }

    /// A map's keys and values in turn: twice as many items as entries.
    pub fn map(self) -> Option<Items<'a>> {
        let mut body = self.body();
        if self.tag_byte() != tags::MAP {
            return None;
        }
        let n = body.len32().ok()?;
        Some(Items::new(body, n.checked_mul(2)?, Shape::Fixed))
    }

    /// The value at the atom key `key` of a map.
    pub fn get(self, key: &str) -> Option<RawTerm<'a>> {
        let mut items = self.map()?;
        while let (Some(found), Some(value)) = (items.next(), items.next()) {
            if found.is_atom(key) {
                return Some(value);
            }
        }
        None
    }

    /// The tag of a message: an atom itself, or the first element of a tuple that starts with one.
    pub fn tag(self) -> Option<Atom> {
        match self.tuple() {
            Some(mut items) => items.next()?.as_atom(),
            None => self.as_atom(),
        }
    }
}

impl<'a> Items<'a> {
    fn new(body: Reader<'a>, n: usize, shape: Shape) -> Items<'a> {
        Items { rest: &body.bytes[body.at..], n_left: n, is_behind: false, shape }
    }

    /// What follows a list's last item: the empty list when it is proper.
    pub fn tail(mut self) -> Option<RawTerm<'a>> {
        match self.shape {
            Shape::Fixed => None,
            Shape::String => Some(RawTerm { rest: &NIL }),
            Shape::List => {
                while self.next().is_some() {}
                Some(RawTerm { rest: self.after() })
            }
        }
    }

    /// The bytes after the part given last.
    fn after(&self) -> &'a [u8] {
        if self.is_behind { &self.rest[RawTerm { rest: self.rest }.len()..] } else { self.rest }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = RawTerm<'a>;

    fn next(&mut self) -> Option<RawTerm<'a>> {
        if self.n_left == 0 {
            return None;
        }
        self.n_left -= 1;
        if self.shape == Shape::String {
            let (&value, rest) = self.rest.split_first().expect(CHECKED);
            self.rest = rest;
            return Some(RawTerm { rest: &SMALL_INTEGERS[usize::from(value)] });
        }
        self.rest = self.after();
        self.is_behind = true;
        Some(RawTerm { rest: self.rest })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.n_left, Some(self.n_left))
    }
}
impl ExactSizeIterator for Items<'_> {}
