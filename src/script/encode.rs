//! Scripts' values straight to the External Term Format, for states: a state is written after every callback that
//! changed it, so no term is built and no text interned. It must not know engines.

use rhai::Dynamic;

use super::convert::{Unconvertible, no_term, scalar, too_deep};
use crate::codec::etf;
use crate::model::{Term, limits};

const VERSION: u8 = 131;
const SMALL_INTEGER: u8 = 97;
const INTEGER: u8 = 98;
const NIL: u8 = 106;
const STRING: u8 = 107;
const LIST: u8 = 108;
const SMALL_BIG: u8 = 110;
const MAP: u8 = 116;
const ATOM: u8 = 118;
const SMALL_ATOM: u8 = 119;

/// Appends the external term format of `value`, version byte first, as [`etf::encode`] of its term would. Refuses
/// what a state must not hold: closures and shared (captured) values. On error `out` is as long as before.
pub fn encode_dynamic(value: &Dynamic, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let start = out.len();
    out.push(VERSION);
    put(value, 0, out).inspect_err(|_| out.truncate(start))
}

fn put(value: &Dynamic, depth: usize, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    if value.is_shared() {
        return Err(Unconvertible::new("a variable that a closure captured is shared; a state holds copies"));
    }
    if let Ok(number) = value.as_int() {
        put_int(number, out);
        return Ok(());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return put_atom(&text, out);
    }
    if let Some(term) = value.read_lock::<Term>() {
        put_term(&term, out);
        return Ok(());
    }
    if let Some(scalar) = scalar(value) {
        put_term(&scalar?, out);
        return Ok(());
    }
    if depth >= limits::TERM_DEPTH_MAX {
        return Err(too_deep());
    }
    if let Ok(items) = value.as_array_ref() {
        return put_list(&items, depth, out);
    }
    if let Ok(map) = value.as_map_ref() {
        out.push(MAP);
        put_len(map.len(), out);
        for (key, value) in map.iter() {
            put_atom(key, out).and_then(|()| put(value, depth + 1, out)).map_err(|e| e.under(format_args!(".{key}")))?;
        }
        return Ok(());
    }
    Err(no_term(value))
}

fn put_term(term: &Term, out: &mut Vec<u8>) {
    let start = out.len();
    etf::encode(term, out);
    out.remove(start);
}

/// Limits on arrays, maps and strings keep every length within 32 bits.
fn put_len(len: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_int(number: i64, out: &mut Vec<u8>) {
    if let Ok(byte) = u8::try_from(number) {
        out.extend_from_slice(&[SMALL_INTEGER, byte]);
    } else if let Ok(word) = i32::try_from(number) {
        out.push(INTEGER);
        out.extend_from_slice(&word.to_be_bytes());
    } else {
        let bytes = number.unsigned_abs().to_le_bytes();
        let n_bytes = 8 - bytes.iter().rev().take_while(|&&b| b == 0).count();
        out.extend_from_slice(&[SMALL_BIG, n_bytes as u8, u8::from(number < 0)]);
        out.extend_from_slice(&bytes[..n_bytes]);
    }
}

fn put_atom(text: &str, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    if let Ok(len) = u8::try_from(text.len()) {
        out.extend_from_slice(&[SMALL_ATOM, len]);
    } else {
        super::convert::text_to_atom(text)?;
        out.push(ATOM);
        // At most 255 characters of at most 4 bytes.
        out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// A list, in the short form of byte lists where Erlang itself uses it.
fn put_list(items: &[Dynamic], depth: usize, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let bytes = items.iter().map(|item| item.as_int().ok().and_then(|n| u8::try_from(n).ok()));
    if let (1..=0xFFFF, Some(bytes)) = (items.len(), bytes.collect::<Option<Vec<u8>>>()) {
        out.push(STRING);
        out.extend_from_slice(&(bytes.len() as u16).to_be_bytes());
        out.extend_from_slice(&bytes);
        return Ok(());
    }
    if !items.is_empty() {
        out.push(LIST);
        put_len(items.len(), out);
        for (idx, item) in items.iter().enumerate() {
            put(item, depth + 1, out).map_err(|e| e.under(format_args!("[{idx}]")))?;
        }
    }
    out.push(NIL);
    Ok(())
}
