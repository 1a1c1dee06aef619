//! Takes secrets out of terms that stay bytes: a walk that finds what is secret by [`rules`], and a copy with the
//! binary `<<"[redacted]">>` in its place. It must not know where terms come from.
//!
//! Secret is the value of a field with a secret name (in a map, or a pair `{Name, Value}`), and a text that the rules
//! find a secret in: a binary, a charlist, an iolist, and a binary that holds a term itself. A list in which anything
//! else than text stands is no iolist: its items are looked at one by one.
//!
//! Invariants: nothing is let through because it could not be looked at. What is damaged, compressed beyond the
//! limits or too deep is left out whole. What comes out is a term, and redacting it again changes nothing.

mod rules;
#[cfg(test)]
mod tests;
mod text;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

pub use rules::{DEFAULT_FIELDS, Rules};
use text::Texts;

use super::etf::{self, Defect, EtfError};
use super::read::Reader;
use super::{tags, write};
use crate::model::Term;
use crate::model::limits::{REDACTION_DEPTH_MAX, REDACTION_LEVELS_MAX};

/// The text that stands in place of a secret.
pub const MARK: &str = "[redacted]";
/// The same as a term, without version byte.
const MARK_TERM: &[u8] = b"m\0\0\0\x0a[redacted]";

/// Looks terms through; holds the memory that this needs. A clone shares the rules.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    rules: Arc<Rules>,
    /// The terms that are open around the place of the walk.
    open: Vec<Open>,
    /// What is secret so far, in order, apart.
    found: Vec<Range<usize>>,
    texts: Texts,
    level: usize,
    n_redacted: u64,
}

/// A compound term whose end is ahead.
#[derive(Clone, Copy, Debug)]
struct Open {
    start: usize,
    n_left: u64,
    /// How much was found before it.
    n_found: usize,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Nothing is known of one item by another.
    Plain,
    /// The first of two items may name the second.
    Pair,
    /// Keys and values in turn. With something secret inside a key, the whole map is: two keys could become one.
    Map,
    /// A fun, whose size is told in its head: it is secret whole or not at all. Where its own size says it ends.
    Fun { end: Option<usize> },
}

impl Redactor {
    pub fn new(rules: Arc<Rules>) -> Redactor {
        Redactor { rules, ..Redactor::default() }
    }

    /// How many values were replaced so far.
    pub fn n_redacted(&self) -> u64 {
        self.n_redacted
    }

    /// A term, version byte first, without its secrets; the bytes themselves when there are none, and for no bytes.
    pub fn redact<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if bytes.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let Ok(plain) = etf::plain(bytes) else { return Cow::Owned(self.nothing()) };
        self.restart();
        if plain[0] != tags::VERSION || self.find(&plain, 1) != Ok(plain.len()) {
            return Cow::Owned(self.nothing());
        }
        match self.replaced(&plain) {
            Some(changed) => Cow::Owned(changed),
            None => Cow::Borrowed(bytes),
        }
    }

    /// As [`Redactor::redact`] for a map of our own making: its keys name nothing, its values are looked through.
    pub fn redact_values<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        if bytes.get(..2) != Some(&[tags::VERSION, tags::MAP]) {
            return self.redact(bytes);
        }
        self.restart();
        let mut reader = Reader::new(bytes, 2);
        let found = reader.len32().and_then(|n| {
            (0..n).try_fold(reader.at, |at, _| {
                let mut key = Reader::new(bytes, at);
                key.skip()?;
                self.find(bytes, key.at)
            })
        });
        if found != Ok(bytes.len()) {
            return Cow::Owned(self.nothing());
        }
        self.replaced(bytes).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// A built term without its secrets.
    pub fn redact_term(&mut self, term: &Term) -> Term {
        let mut bytes = Vec::new();
        etf::encode(term, &mut bytes);
        match self.redact(&bytes) {
            Cow::Borrowed(_) => term.clone(),
            Cow::Owned(changed) => etf::decode(&changed).unwrap_or_else(|_| mark()),
        }
    }

    fn restart(&mut self) {
        self.open.clear();
        self.found.clear();
    }

    /// The mark alone, version byte first: in place of a term of which nothing is kept.
    fn nothing(&mut self) -> Vec<u8> {
        self.n_redacted += 1;
        [&[tags::VERSION], MARK_TERM].concat()
    }

    /// The bytes with marks where something was found; `None` when nothing was.
    fn replaced(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let last = self.found.last()?;
        let mut out = Vec::with_capacity(bytes.len() + self.found.len() * MARK_TERM.len() - last.len());
        let mut at = 0;
        for found in &self.found {
            out.extend_from_slice(&bytes[at..found.start]);
            out.extend_from_slice(MARK_TERM);
            at = found.end;
        }
        out.extend_from_slice(&bytes[at..]);
        self.n_redacted += self.found.len() as u64;
        Some(out)
    }

    /// Adds what is secret in the term at `start`; gives where it ends. Errors: damage, too deep.
    fn find(&mut self, bytes: &[u8], start: usize) -> Result<usize, EtfError> {
        self.texts.restart();
        let base = self.open.len();
        let mut at = self.enter(bytes, start)?;
        while self.open.len() > base {
            let last = self.open.len() - 1;
            let open = self.open[last];
            if open.n_left == 0 {
                self.open.pop();
                self.close(&open, at)?;
                continue;
            }
            self.open[last].n_left -= 1;
            at = match open.shape {
                Shape::Pair if open.n_left == 2 => self.name(bytes, at, last)?,
                Shape::Map if open.n_left.is_multiple_of(2) => self.name(bytes, at, last)?,
                _ => self.enter(bytes, at)?,
            };
        }
        Ok(at)
    }

    /// Looks at what may be the name of the item that follows it, and takes that one when it is.
    fn name(&mut self, bytes: &[u8], at: usize, open: usize) -> Result<usize, EtfError> {
        if self.texts.is_name(&self.rules, bytes, at)? {
            let value = skip(bytes, at)?;
            let end = skip(bytes, value)?;
            if !is_absent(&bytes[value..end]) {
                self.found.push(value..end);
            }
            self.open[open].n_left -= 1;
            return Ok(end);
        }
        if self.open[open].shape != Shape::Map {
            return self.enter(bytes, at);
        }
        // A key is looked through apart, and found whole with its map.
        let n_found = self.found.len();
        let end = if is_leaf(bytes[at]) { self.enter(bytes, at)? } else { self.find_inside(bytes, at)? };
        if self.found.len() > n_found {
            let map = self.open[open];
            let map_end = skip(bytes, map.start)?;
            self.found.truncate(map.n_found);
            self.found.push(map.start..map_end);
            self.open[open].n_left = 0;
            return Ok(map_end);
        }
        Ok(end)
    }

    /// As [`Redactor::find`] in the middle of another: in a key, or in a binary. It nests on our own stack, so that
    /// further levels are not looked at, but taken for secret.
    fn find_inside(&mut self, bytes: &[u8], start: usize) -> Result<usize, EtfError> {
        if self.level >= REDACTION_LEVELS_MAX {
            let end = skip(bytes, start)?;
            self.found.push(start..end);
            return Ok(end);
        }
        self.level += 1;
        let texts = std::mem::take(&mut self.texts);
        let found = self.find(bytes, start);
        self.texts = texts;
        self.level -= 1;
        found
    }

    /// Passes a leaf, or goes into a compound term; gives where the walk goes on.
    fn enter(&mut self, bytes: &[u8], start: usize) -> Result<usize, EtfError> {
        let mut reader = Reader::new(bytes, start);
        let (shape, n_left) = match reader.u8()? {
            tags::SMALL_TUPLE => pair_or_plain(u64::from(reader.u8()?)),
            tags::LARGE_TUPLE => pair_or_plain(u64::from(reader.u32()?)),
            tags::MAP => (Shape::Map, u64::from(reader.u32()?) * 2),
            tags::LIST => {
                if let Some(end) = self.texts.secret_list(&self.rules, bytes, start)? {
                    self.found.push(start..end);
                    return Ok(end);
                }
                (Shape::Plain, u64::from(reader.u32()?) + 1)
            }
            tags::NEW_FUN => {
                let size = reader.len32()?;
                // Arity, uniq and index; then module, old index, old uniq, pid, and what the fun holds.
                reader.take(1 + 16 + 4)?;
                let n_free = u64::from(reader.u32()?);
                (Shape::Fun { end: (start + 1).checked_add(size) }, n_free + 4)
            }
            tags::FUN => (Shape::Fun { end: None }, u64::from(reader.u32()?) + 4),
            tags::BINARY | tags::BIT_BINARY | tags::STRING => {
                let end = skip(bytes, start)?;
                if self.is_secret_leaf(&bytes[start..end]) {
                    self.found.push(start..end);
                }
                return Ok(end);
            }
            _ => return skip(bytes, start),
        };
        if self.open.len() >= REDACTION_DEPTH_MAX {
            return Err(reader.error(Defect::TooDeep));
        }
        self.open.push(Open { start, n_left, n_found: self.found.len(), shape });
        Ok(reader.at)
    }

    /// Ends a compound term: a fun with something secret in it is secret.
    fn close(&mut self, open: &Open, end: usize) -> Result<(), EtfError> {
        let Shape::Fun { end: told } = open.shape else { return Ok(()) };
        if told.is_some_and(|told| told != end) {
            return Err(EtfError { offset: open.start, what: Defect::FunSize });
        }
        if self.found.len() > open.n_found {
            self.found.truncate(open.n_found);
            self.found.push(open.start..end);
        }
        Ok(())
    }

    /// Whether a binary or a string is secret, or a binary holds a term in which something is.
    fn is_secret_leaf(&mut self, term: &[u8]) -> bool {
        let n_head = match term[0] {
            tags::STRING => 3,
            tags::BINARY => 5,
            _ => 6,
        };
        let text = &term[n_head..];
        if text == MARK.as_bytes() {
            return false;
        }
        self.rules.is_secret_text(text) || (text.first() == Some(&tags::VERSION) && self.is_secret_inside(text))
    }

    /// Whether `bytes` are a term in which something is secret.
    fn is_secret_inside(&mut self, bytes: &[u8]) -> bool {
        let Ok(plain) = etf::plain(bytes) else {
            // One that is too large to be looked at is told by its tag; anything else is no term.
            return bytes.get(1) == Some(&tags::COMPRESSED);
        };
        if skip(&plain, 1).ok() != Some(plain.len()) {
            return false;
        }
        let (n_found, n_open) = (self.found.len(), self.open.len());
        let end = self.find_inside(&plain, 1);
        let is_secret = end.is_err() || self.found.len() > n_found;
        self.found.truncate(n_found);
        self.open.truncate(n_open);
        is_secret
    }
}

/// The mark as a term.
pub fn mark() -> Term {
    Term::binary(MARK.as_bytes())
}

/// Writes the mark, without version byte.
pub fn write_mark(out: &mut Vec<u8>) {
    write::binary(out, MARK.as_bytes());
}

/// Whether something was taken out of this term, whose bytes these are: it is not what it was.
pub fn is_redacted(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, MARK_TERM).is_some()
}

fn pair_or_plain(arity: u64) -> (Shape, u64) {
    (if arity == 2 { Shape::Pair } else { Shape::Plain }, arity)
}

/// Where the term at `start` ends.
fn skip(bytes: &[u8], start: usize) -> Result<usize, EtfError> {
    let mut reader = Reader::new(bytes, start);
    reader.skip()?;
    Ok(reader.at)
}

/// Whether a term of this tag has no terms inside.
fn is_leaf(tag: u8) -> bool {
    !matches!(tag, tags::SMALL_TUPLE | tags::LARGE_TUPLE | tags::MAP | tags::LIST | tags::NEW_FUN | tags::FUN)
}

/// Whether a value says that there is none, which is no secret; or was taken out before.
fn is_absent(term: &[u8]) -> bool {
    if matches!(term, [tags::NIL] | [tags::BINARY, 0, 0, 0, 0]) || term == MARK_TERM {
        return true;
    }
    let mut reader = Reader::new(term, 1);
    reader.atom_text(term[0]).is_ok_and(|text| matches!(text, b"undefined" | b"nil" | b"null"))
}
