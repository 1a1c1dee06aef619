//! Terms read one after the other from bytes that nobody has checked: each step checks what it passes, so that a
//! message is walked once, and read on the way. `None` means damaged, not whole, or not of that type: nothing more is
//! to be read then, and [`super::walk`] finds out which. It must not know what the terms mean.

use super::extent::{atom_len, atom_text, end_of_term};
use super::read::Reader;
use super::tags;
use super::walk::Part;
use crate::model::{Actor, ActorId};

pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the beginning of the one term in `bytes` (131 first).
    pub fn new(bytes: &'a [u8]) -> Option<Cursor<'a>> {
        (bytes.first() == Some(&tags::VERSION)).then_some(Cursor { bytes, at: 1 })
    }

    /// Whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The head of a tuple: its arity. The elements come next.
    #[inline]
    pub fn tuple(&mut self) -> Option<usize> {
        let &[tags::SMALL_TUPLE, arity, ..] = self.rest() else { return None };
        self.at += 2;
        Some(usize::from(arity))
    }

    /// Any term.
    #[inline]
    pub fn part(&mut self) -> Option<Part<'a>> {
        let start = self.at;
        self.at = end_of_term(self.bytes, start)?;
        Some(Part::of(&self.bytes[start..self.at]))
    }

    /// The text of an atom: the same in every encoding when it is ASCII.
    #[inline]
    pub fn atom(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest();
        let text = atom_text(rest)?;
        self.at += atom_len(rest)?;
        Some(text)
    }

    /// A pid or a port, of incarnation 0.
    #[inline]
    pub fn actor(&mut self) -> Option<ActorId> {
        let mut reader = Reader::new(self.bytes, self.at);
        let actor = match reader.u8().ok()? {
            tag @ (tags::NEW_PID | tags::PID) => Actor::from(reader.pid(tag).ok()?),
            tag @ (tags::V4_PORT | tags::NEW_PORT | tags::PORT) => Actor::from(reader.port(tag).ok()?),
            _ => return None,
        };
        self.at = reader.at;
        Some(actor.id)
    }

    /// An integer that fits 64 bits.
    #[inline]
    pub fn int(&mut self) -> Option<i64> {
        // As times are written.
        if let [tags::SMALL_BIG, 8, sign, digits @ ..] = self.rest()
            && let Ok(magnitude) = i64::try_from(u64::from_le_bytes(*digits.first_chunk()?))
        {
            self.at += 11;
            return Some(if *sign == 0 { magnitude } else { -magnitude });
        }
        self.part()?.term().as_int()
    }
}
