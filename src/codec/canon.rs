//! A hash of a term that is the same in whatever bytes a BEAM writes the term: two nodes of a cluster may encode one message
//! in two ways. Atoms come in Latin-1 or UTF-8 (OTP 26), pids and references in older and newer forms, the keys of a map
//! in the order of the node's own atom table (OTP 26). It must not know messages.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::tags;
use super::walk::RawTerm;

/// Nesting that is looked into; deeper terms count with their bytes.
const DEPTH_MAX: usize = 128;

/// Equal terms (`=:=`) have equal hashes. About 10 ns per leaf.
pub fn hash(term: RawTerm<'_>) -> u64 {
    hash_at(term, DEPTH_MAX)
}

fn hash_at(term: RawTerm<'_>, depth: usize) -> u64 {
    let mut hasher = FxHasher::default();
    let is_hashed = depth > 0 && (scalar(term, &mut hasher) || compound(term, depth - 1, &mut hasher));
    if !is_hashed {
        hasher.write(term.bytes());
    }
    hasher.finish()
}

/// Hashes what has no parts; false for what has.
fn scalar(term: RawTerm<'_>, hasher: &mut FxHasher) -> bool {
    let tag = term.tag_byte();
    if let Some(text) = term.as_atom_bytes() {
        hasher.write_u8(b'a');
        let is_latin1 = matches!(tag, tags::ATOM | tags::SMALL_ATOM) && !text.is_ascii();
        match is_latin1 {
            true => hasher.write(text.iter().map(|&byte| char::from(byte)).collect::<String>().as_bytes()),
            false => hasher.write(text),
        }
        return true;
    }
    // Older forms have two bits of the creation: it is left out, as ids and words tell enough.
    if let Some(pid) = term.as_pid() {
        hasher.write_u8(b'p');
        hasher.write(pid.origin.id().node.as_str().as_bytes());
        hasher.write_u32(pid.id);
        hasher.write_u32(pid.serial);
    } else if let Some(reference) = term.as_ref() {
        hasher.write_u8(b'r');
        reference.words().iter().for_each(|word| hasher.write_u32(*word));
    } else if let Some(port) = term.as_port() {
        hasher.write_u8(b'o');
        hasher.write_u64(port.id());
    } else if let Some(value) = term.as_int() {
        hasher.write_u8(b'i');
        hasher.write_i64(value);
    } else if let Some(module) = term.fun_module() {
        hasher.write_u8(b'f');
        hasher.write(module.as_str().as_bytes());
    } else {
        return false;
    }
    true
}

/// Hashes a tuple, a list or a map; false for anything else.
fn compound(term: RawTerm<'_>, depth: usize, hasher: &mut FxHasher) -> bool {
    if let Some(items) = term.tuple() {
        hasher.write_u8(b't');
        hasher.write_usize(items.len());
        items.for_each(|item| hasher.write_u64(hash_at(item, depth)));
    } else if let Some(mut items) = term.list() {
        hasher.write_u8(b'l');
        hasher.write_usize(items.len());
        items.by_ref().for_each(|item| hasher.write_u64(hash_at(item, depth)));
        if let Some(tail) = items.tail() {
            hasher.write_u64(hash_at(tail, depth));
        }
    } else if let Some(mut items) = term.map() {
        hasher.write_u8(b'm');
        let mut entries = 0u64;
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let mut entry = FxHasher::default();
            entry.write_u64(hash_at(key, depth));
            entry.write_u64(hash_at(value, depth));
            // The order of the entries means nothing.
            entries = entries.wrapping_add(entry.finish());
        }
        hasher.write_u64(entries);
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        hash(RawTerm::parse(bytes).expect("a term").0)
    }

    #[test]
    fn one_term_in_two_encodings_has_one_hash() {
        let same: [(&[u8], &[u8]); 7] = [
            // An atom, in Latin-1 and in UTF-8, with and without letters beyond ASCII.
            (b"\x83d\0\x02ok", b"\x83w\x02ok"),
            (b"\x83s\x01\xfc", b"\x83w\x02\xc3\xbc"),
            // `#{a => 1, b => 2}` in both orders.
            (b"\x83t\0\0\0\x02w\x01aa\x01w\x01ba\x02", b"\x83t\0\0\0\x02w\x01ba\x02w\x01aa\x01"),
            // `[1,2]` as a list and as a string; 7 in one byte and in four.
            (b"\x83l\0\0\0\x02a\x01a\x02j", b"\x83k\0\x02\x01\x02"),
            (b"\x83a\x07", b"\x83b\0\0\0\x07"),
            // PID_EXT and NEW_PID_EXT; REFERENCE and NEWER_REFERENCE.
            (b"\x83gd\0\x03a@h\0\0\0\x05\0\0\0\0\x01", b"\x83Xw\x03a@h\0\0\0\x05\0\0\0\0\0\0\0\x01"),
            (b"\x83r\0\x01d\0\x03a@h\x01\0\0\0\x09", b"\x83Z\0\x01w\x03a@h\0\0\0\x01\0\0\0\x09"),
        ];
        for (one, other) in same {
            assert_eq!(of(one), of(other), "{one:?}");
        }
    }

    #[test]
    fn different_terms_differ() {
        let all: [&[u8]; 8] = [
            b"\x83w\x02ok",
            b"\x83m\0\0\0\x02ok",
            b"\x83h\x01w\x02ok",
            b"\x83l\0\0\0\x01w\x02okj",
            b"\x83l\0\0\0\x01w\x02okw\x02ok",
            b"\x83j",
            b"\x83t\0\0\0\0",
            b"\x83t\0\0\0\x01w\x02oka\x01",
        ];
        let hashes: std::collections::BTreeSet<u64> = all.iter().map(|bytes| of(bytes)).collect();
        assert_eq!(hashes.len(), all.len());
    }
}
