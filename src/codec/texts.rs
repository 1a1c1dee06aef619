//! The texts inside a term's bytes, found without building anything: what a person reads of it. It must not know what
//! is looked for.

use super::read::Reader;
use super::tags;

/// A text as it stands in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// UTF-8.
    Atom(&'a [u8]),
    /// An atom of an old encoding: a character a byte, as in Latin-1.
    OldAtom(&'a [u8]),
    Binary(&'a [u8]),
    /// A list of small integers: a character a byte.
    String(&'a [u8]),
}

/// Atoms, binaries and strings of the term (131 first) in the order of its bytes, those of map keys and function names too.
/// Not what is compressed, what a fun holds, the node of a pid, and lists that do not travel as strings. Ends where the bytes are damaged.
pub fn texts(bytes: &[u8]) -> impl Iterator<Item = Text<'_>> {
    let mut reader = Reader::new(bytes, 0);
    // Terms still to come.
    let mut n_owed = u64::from(reader.version().is_ok());
    std::iter::from_fn(move || {
        while n_owed > 0 {
            let start = reader.at;
            n_owed = reader.skip_head().ok()? + n_owed - 1;
            let tail = |n_head: usize| &bytes[start + n_head..reader.at];
            match bytes[start] {
                tags::SMALL_ATOM_UTF8 => return Some(Text::Atom(tail(2))),
                tags::ATOM_UTF8 => return Some(Text::Atom(tail(3))),
                tags::SMALL_ATOM => return Some(Text::OldAtom(tail(2))),
                tags::ATOM => return Some(Text::OldAtom(tail(3))),
                tags::BINARY => return Some(Text::Binary(tail(5))),
                tags::STRING => return Some(Text::String(tail(3))),
                _ => {}
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::{Pid, Term};

    #[test]
    fn texts_come_in_order_and_end_at_damage() {
        let string = Term::list([Term::Int(104), Term::Int(233)]);
        let map = Term::Map(std::sync::Arc::new([(Term::atom("key"), string)].into_iter().collect()));
        let term = Term::tuple([Term::atom("ok"), Term::Int(7), Term::Pid(Pid::local(3)), map, Term::binary(*b"last")]);
        let mut bytes = Vec::new();
        etf::encode(&term, &mut bytes);
        let wanted = [Text::Atom(b"ok"), Text::Atom(b"key"), Text::String(&[104, 233]), Text::Binary(b"last")];
        assert_eq!(texts(&bytes).collect::<Vec<_>>(), wanted);
        assert_eq!(texts(&bytes[..bytes.len() - 1]).collect::<Vec<_>>(), wanted[..3]);
        assert_eq!(texts(&[131, 115, 1, 233]).collect::<Vec<_>>(), [Text::OldAtom(&[233])]);
        assert_eq!(texts(&[131, 113, 119, 1, 97, 119, 1, 98, 97, 1]).count(), 2, "an external fun");
        assert_eq!(texts(&[7, 119, 1, 97]).count() + texts(&[]).count(), 0);
    }
}
