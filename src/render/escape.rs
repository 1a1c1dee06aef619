//! Foreign text made harmless and short, for terminals and for XML. It must not know where the text goes.

use std::borrow::Cow;

use crate::model::quote;

/// Escapes what could steer a terminal, break XML or reorder a line: C0 and C1 controls, DEL, bidirectional
/// overrides, noncharacters. A tab becomes a space; everything else hidden becomes `\x1b` or `\u{202e}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if text.chars().all(quote::is_safe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push(' '),
            c if quote::is_safe(c) => out.push(c),
            c if (c as u32) < 0x100 => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
        }
    }
    Cow::Owned(out)
}

/// [`visible`] text of at most `n_chars_max` characters; what was cut is marked by `…`.
pub fn bounded(text: &str, n_chars_max: usize) -> String {
    // Escaping only lengthens, so one character more than the bound is all that has to be looked at.
    let head_end = text.char_indices().nth(n_chars_max + 1).map_or(text.len(), |(idx, _)| idx);
    let shown = visible(&text[..head_end]);
    if head_end == text.len() && shown.chars().count() <= n_chars_max {
        return shown.into_owned();
    }
    shown.chars().take(n_chars_max.saturating_sub(1)).chain(['…']).collect()
}

/// Terminal columns that escaped text takes: two for wide characters. Combining marks count as one, so this never
/// says too little.
pub fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Escaped text cut to `n_columns` with an ellipsis.
pub fn cut(text: &str, n_columns: usize) -> String {
    if columns(text) <= n_columns {
        return text.to_string();
    }
    let mut n_used = 1;
    let fits = |c: &char| {
        n_used += columns_of(*c);
        n_used <= n_columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

fn columns_of(c: char) -> usize {
    if is_wide(c) { 2 } else { 1 }
}

/// Whether a character takes two columns: East Asian wide ones and emoji.
pub fn is_wide(c: char) -> bool {
    matches!(c,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}')
}
