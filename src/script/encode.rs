//! Scripts' values straight to the External Term Format, for states: a state is written after every callback, so no
//! term is built and no text interned. It must not know engines.

use rhai::Dynamic;

use super::convert::{Unconvertible, no_term, scalar, text_to_atom, too_deep};
use crate::codec::write;
use crate::model::{Term, limits};

/// Appends the external term format of `value`, version byte first, as [`crate::codec::etf::encode`] of its term
/// would. Refuses what a state must not hold: closures and shared (captured) values. On error `out` is as long as before.
pub fn encode_dynamic(value: &Dynamic, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let start = out.len();
    write::version(out);
    put(value, 0, out).inspect_err(|_| out.truncate(start))
}

fn put(value: &Dynamic, depth: usize, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    if value.is_shared() {
        return Err(Unconvertible::new("a variable that a closure captured is shared; a state holds copies only"));
    }
    if let Ok(number) = value.as_int() {
        write::int(out, number);
        return Ok(());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return put_atom(&text, out);
    }
    if let Some(term) = value.read_lock::<Term>() {
        write::term(out, &term);
        return Ok(());
    }
    if let Some(scalar) = scalar(value) {
        write::term(out, &scalar?);
        return Ok(());
    }
    if depth >= limits::TERM_DEPTH_MAX {
        return Err(too_deep());
    }
    if let Ok(items) = value.as_array_ref() {
        return put_list(&items, depth, out);
    }
    if let Ok(map) = value.as_map_ref() {
        write::map_header(out, map.len());
        for (key, value) in map.iter() {
            put_atom(key, out)
                .and_then(|()| put(value, depth + 1, out))
                .map_err(|e| e.under(format_args!(".{key}")))?;
        }
        return Ok(());
    }
    Err(no_term(value))
}

fn put_atom(text: &str, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    if text.len() > 255 {
        text_to_atom(text)?;
    }
    write::atom_text(out, text);
    Ok(())
}

/// A list. One of bytes goes by way of a term, so that its short form is decided in one place.
fn put_list(items: &[Dynamic], depth: usize, out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    if items.is_empty() {
        write::nil(out);
        return Ok(());
    }
    let byte =
        |item: &Dynamic| item.as_int().ok().filter(|n| !item.is_shared() && (0..=255).contains(n)).map(Term::Int);
    if let Some(bytes) = items.iter().map(byte).collect::<Option<Vec<Term>>>() {
        write::term(out, &Term::list(bytes));
        return Ok(());
    }
    write::list_header(out, items.len());
    for (idx, item) in items.iter().enumerate() {
        put(item, depth + 1, out).map_err(|e| e.under(format_args!("[{idx}]")))?;
    }
    write::nil(out);
    Ok(())
}
