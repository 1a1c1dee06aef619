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
    /// An external fun; its atoms come by themselves, too.
    Fun {
        module: &'a [u8],
        function: &'a [u8],
        arity: u8,
    },
}

/// Atoms, binaries and strings of the term (131 first) in the order of its bytes, those of map keys, of function names and of what a
/// closure holds too. Not what is compressed, the node of a pid, and lists that do not travel as strings. Ends where the bytes
/// are damaged.
pub fn texts(bytes: &[u8]) -> impl Iterator<Item = Text<'_>> {
    let mut reader = Reader::new(bytes, 0);
    // Terms still to come.
    let mut n_owed = u64::from(reader.version().is_ok());
    std::iter::from_fn(move || {
        while n_owed > 0 {
            let start = reader.at;
            n_owed = reader.skip_fun_head().or_else(|| reader.skip_head().ok())?.saturating_add(n_owed - 1);
            let tail = |n_head: usize| &bytes[start + n_head..reader.at];
            match bytes[start] {
                tags::SMALL_ATOM_UTF8 => return Some(Text::Atom(tail(2))),
                tags::ATOM_UTF8 => return Some(Text::Atom(tail(3))),
                tags::SMALL_ATOM => return Some(Text::OldAtom(tail(2))),
                tags::ATOM => return Some(Text::OldAtom(tail(3))),
                tags::BINARY => return Some(Text::Binary(tail(5))),
                tags::STRING => return Some(Text::String(tail(3))),
                tags::EXPORT => return external(bytes, reader.at),
                _ => {}
            }
        }
        None
    })
}

/// The external fun whose parts begin at `at`.
fn external(bytes: &[u8], at: usize) -> Option<Text<'_>> {
    let mut reader = Reader::new(bytes, at);
    let mut name = || {
        let n_head = if matches!(*bytes.get(reader.at)?, tags::ATOM | tags::ATOM_UTF8) { 3 } else { 2 };
        let start = reader.at + n_head;
        reader.skip_head().ok()?;
        bytes.get(start..reader.at)
    };
    let (module, function) = (name()?, name()?);
    let arity = *bytes.get(reader.at + 1)?;
    Some(Text::Fun { module, function, arity })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::{Pid, Term};

    #[test]
    fn closures_are_looked_into() {
        let fun = crate::model::term::LocalFun {
            module: crate::model::Atom::new("shop"),
            arity: 1,
            index: 2,
            uniq: [7; 16],
            old_index: 2,
            old_uniq: 99,
            pid: Pid::local(3),
            free: vec![Term::atom("secret"), Term::binary(*b"held")],
        };
        let mut bytes = Vec::new();
        etf::encode(
            &Term::tuple([Term::Fun(crate::model::term::Fun::Local(Box::new(fun)).into()), Term::atom("last")]),
            &mut bytes,
        );
        let wanted = [Text::Atom(b"shop"), Text::Atom(b"secret"), Text::Binary(b"held"), Text::Atom(b"last")];
        assert_eq!(texts(&bytes).collect::<Vec<_>>(), wanted);
        for end in 0..bytes.len() {
            assert!(texts(&bytes[..end]).count() < 4);
        }
    }

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
        let fun = Text::Fun { module: b"a", function: b"b", arity: 1 };
        assert_eq!(
            texts(&[131, 113, 119, 1, 97, 119, 1, 98, 97, 1]).collect::<Vec<_>>(),
            [fun, Text::Atom(b"a"), Text::Atom(b"b")]
        );
        assert_eq!(texts(&[131, 113, 119, 1, 97]).count(), 0);
        assert_eq!(texts(&[7, 119, 1, 97]).count() + texts(&[]).count(), 0);
    }
}
