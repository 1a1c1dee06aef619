//! How far a whole term reaches. It must not know what is wrong with one that is damaged: `read` finds that out.

use super::tags;

/// Where the term that begins at `at` ends, however deep it is; `None` when it is damaged or not whole. About 4 ns per
/// term inside.
#[inline]
pub(super) fn end_of_term(bytes: &[u8], mut at: usize) -> Option<usize> {
    // Terms that are still to come. A count adds less than 2^34, so that no bytes are enough for too many.
    let mut n_owed: u64 = 1;
    loop {
        let rest = bytes.get(at..)?;
        let n_bytes = match *rest {
            [tags::ATOM | tags::ATOM_UTF8 | tags::STRING, a, b, ..] => 3 + word([0, 0, a, b]),
            [tags::BINARY, a, b, c, d, ..] => 5 + word([a, b, c, d]),
            [tags::SMALL_TUPLE, n, ..] => {
                n_owed += u64::from(n);
                2
            }
            [tags::SMALL_BIG, n, ..] => 3 + usize::from(n),
            [tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM, n, ..] => 2 + usize::from(n),
            [tags::NIL, ..] => 1,
            [tags::SMALL_INTEGER, _, ..] => 2,
            [tags::INTEGER, ..] => 5,
            [tags::LIST, a, b, c, d, ..] => {
                n_owed += word([a, b, c, d]) as u64 + 1;
                5
            }
            [tags::MAP, a, b, c, d, ..] => {
                n_owed += word([a, b, c, d]) as u64 * 2;
                5
            }
            [tags::NEW_PID | tags::V4_PORT, ref node @ ..] => 1 + atom_len(node)? + 12,
            [tags::NEW_PORT, ref node @ ..] => 1 + atom_len(node)? + 8,
            [tags::NEWER_REFERENCE, a, b, ref node @ ..] => 3 + atom_len(node)? + 4 + 4 * word([0, 0, a, b]),
            _ => {
                let (n_bytes, n_terms) = rare(rest)?;
                n_owed += n_terms;
                n_bytes
            }
        };
        at = at.checked_add(n_bytes)?;
        n_owed -= 1;
        if n_owed == 0 {
            return (at <= bytes.len()).then_some(at);
        }
    }
}

/// Bytes of the head, or of the whole, of what is in few terms; and the number of terms inside.
#[inline(never)]
fn rare(bytes: &[u8]) -> Option<(usize, u64)> {
    Some(match *bytes {
        [tags::NEW_FLOAT, ..] => (9, 0),
        [tags::FLOAT, ..] => (32, 0),
        [tags::BIT_BINARY | tags::LARGE_BIG, a, b, c, d, ..] => (6 + word([a, b, c, d]), 0),
        [tags::LARGE_TUPLE, a, b, c, d, ..] => (5, word([a, b, c, d]) as u64),
        [tags::EXPORT, ..] => (1, 3),
        [tags::FUN, a, b, c, d, ..] => (5, word([a, b, c, d]) as u64 + 4),
        [tags::NEW_FUN, a, b, c, d, ..] => (1 + Some(word([a, b, c, d])).filter(|size| *size >= 4)?, 0),
        [tags::PID, ref node @ ..] => (1 + atom_len(node)? + 9, 0),
        [tags::PORT | tags::REFERENCE, ref node @ ..] => (1 + atom_len(node)? + 5, 0),
        [tags::NEW_REFERENCE, a, b, ref node @ ..] => (3 + atom_len(node)? + 1 + 4 * word([0, 0, a, b]), 0),
        _ => return None,
    })
}

#[inline]
fn word(bytes: [u8; 4]) -> usize {
    u32::from_be_bytes(bytes) as usize
}

/// Bytes of the atom that `bytes` begin with; `None` for another term or one cut short before its length.
#[inline]
pub(super) fn atom_len(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [tags::ATOM | tags::ATOM_UTF8, a, b, ..] => Some(3 + word([0, 0, a, b])),
        [tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM, n, ..] => Some(2 + usize::from(n)),
        _ => None,
    }
}

/// The text of the atom that `bytes` begin with; `None` for another term or one that is not whole.
#[inline]
pub(super) fn atom_text(bytes: &[u8]) -> Option<&[u8]> {
    match *bytes {
        [tags::ATOM | tags::ATOM_UTF8, a, b, ref text @ ..] => text.get(..word([0, 0, a, b])),
        [tags::SMALL_ATOM_UTF8 | tags::SMALL_ATOM, n, ref text @ ..] => text.get(..usize::from(n)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::Reader;
    use super::*;
    use crate::codec::etf;
    use crate::model::{Pid, Term};

    /// Both walks agree, whatever the bytes.
    #[test]
    fn what_is_whole_is_so_term_by_term_too() {
        let inner = Term::tuple([Term::atom("ok"), Term::Pid(Pid::local(3)), Term::Int(-1), Term::float(0.5)]);
        let map = Term::map([(Term::atom("key"), Term::list([Term::Int(104), Term::Int(105)]))]);
        let term =
            Term::tuple([inner.clone(), Term::binary(*b"bytes"), map, Term::improper(vec![inner], Term::Int(1 << 40))]);
        let mut bytes = Vec::new();
        etf::encode(&term, &mut bytes);
        let check = |bytes: &[u8]| {
            let mut reader = Reader::new(bytes, 1);
            let stepwise = reader.skip_stepwise().ok().map(|()| reader.at);
            assert_eq!(end_of_term(bytes, 1), stepwise, "{bytes:?}");
        };
        check(&bytes);
        (1..bytes.len()).for_each(|n| check(&bytes[..n]));
        for at in 1..bytes.len() {
            let kept = bytes[at];
            for byte in 0..=255 {
                bytes[at] = byte;
                check(&bytes);
            }
            bytes[at] = kept;
        }
    }
}
