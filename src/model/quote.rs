//! The texts inside terms: when an atom needs quotes, how foreign characters are escaped, how
//! floats and counts are written. It must not know of terms.

use std::fmt::Write;

use super::display::Syntax;

/// Words that Erlang reserves, which therefore stand in quotes as atoms.
const ERLANG_RESERVED: &[&str] = &[
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond", "div",
    "else", "end", "fun", "if", "let", "maybe", "not", "of", "or", "orelse", "receive", "rem", "try", "when", "xor",
];

/// Whether `text` is an Erlang atom without quotes.
pub fn is_bare_in_erlang(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(is_word) && !ERLANG_RESERVED.contains(&text)
}

/// Whether `:text` is an Elixir atom without quotes.
pub fn is_bare_in_elixir(text: &str) -> bool {
    let word = text.strip_suffix(['?', '!']).unwrap_or(text);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '@';
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && word.chars().all(is_word)
}

/// The Elixir alias that an atom stands for: `Foo.Bar` for `Elixir.Foo.Bar`.
pub fn elixir_alias(text: &str) -> Option<&str> {
    let alias = text.strip_prefix("Elixir.")?;
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    alias.split('.').all(is_part).then_some(alias)
}

/// Whether a character may go to a terminal or into XML as it is: no control, no invisible change of direction,
/// no noncharacter.
pub fn is_safe(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    let is_noncharacter = u32::from(c) & 0xfffe == 0xfffe;
    !c.is_control() && !is_format && !is_noncharacter
}

/// Appends `c` as it stands inside `quote` quotes.
pub fn push_escaped(out: &mut String, c: char, quote: char, syntax: Syntax) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{b}' => out.push_str("\\v"),
        '\u{c}' => out.push_str("\\f"),
        '\u{1b}' => out.push_str("\\e"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        c if is_safe(c) => out.push(c),
        c => {
            let opening = if syntax == Syntax::Erlang { "\\x{" } else { "\\u{" };
            write!(out, "{opening}{:X}}}", u32::from(c)).expect("writing to a string");
        }
    }
}

/// `text` in `quote` quotes, escaped.
pub fn quoted(text: &str, quote: char, syntax: Syntax) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        push_escaped(&mut out, c, quote, syntax);
    }
    out.push(quote);
    out
}

/// A float as Erlang's `~p` and Elixir's `inspect` write it: the shortest digits that read back
/// to the same number, with an exponent where that is shorter or the number is past 2^53.
pub fn float(value: f64) -> String {
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("{:e} writes an exponent");
    let digits = mantissa.replace('.', "");
    // The value is 0.DIGITS * 10^place.
    let place = exponent.parse::<i32>().expect("{:e} writes a number") + 1;
    let n_digits = digits.len() as i32;
    let with_exponent = || {
        let (first, rest) = digits.split_at(1);
        format!("{first}.{}e{}", if rest.is_empty() { "0" } else { rest }, place - 1)
    };
    let exponent_cost = (place - 1).to_string().len() as i32 + 1 + if n_digits == 1 { 2 } else { 1 };
    let magnitude = if value == 0.0 {
        "0.0".to_string()
    } else if value.abs() >= 9_007_199_254_740_992.0 {
        with_exponent()
    } else if place <= 0 {
        if 2 - place <= exponent_cost || place == 0 {
            format!("0.{}{digits}", "0".repeat(place.unsigned_abs() as usize))
        } else {
            with_exponent()
        }
    } else if place >= n_digits {
        if place - n_digits + 2 <= exponent_cost {
            format!("{digits}{}.0", "0".repeat((place - n_digits) as usize))
        } else {
            with_exponent()
        }
    } else {
        let (whole, fraction) = digits.split_at(place as usize);
        format!("{whole}.{fraction}")
    };
    if value.is_sign_negative() { format!("-{magnitude}") } else { magnitude }
}

/// A count with its digits in groups of three: `1 204`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
