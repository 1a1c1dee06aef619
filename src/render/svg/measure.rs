//! How wide text is, without a font: an upper estimate from DejaVu Sans, the widest of the usual sans-serifs.

use crate::render::escape;

/// Width in pixels of `text` at `size_px`.
pub fn width(text: &str, size_px: f64) -> f64 {
    text.chars().map(em).sum::<f64>() * size_px
}

/// `text` cut to `width_px` with an ellipsis.
pub fn fit(text: &str, size_px: f64, width_px: f64) -> String {
    if width(text, size_px) <= width_px {
        return text.to_string();
    }
    let mut used = em('…') * size_px;
    let kept = text.chars().take_while(|c| {
        used += em(*c) * size_px;
        used <= width_px
    });
    kept.chain(['…']).collect()
}

fn em(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.29,
        '.' | ',' | ':' | ';' | ' ' | '!' | 'I' => 0.33,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 0.41,
        'm' | 'W' | 'M' | '@' | '%' => 1.0,
        'w' | '<' | '>' | '=' | '+' | '~' | '#' => 0.83,
        'A'..='Z' | '&' => 0.72,
        c if c.is_ascii() => 0.63,
        '…' | '→' | '—' => 1.0,
        c if escape::is_wide(c) => 1.05,
        _ => 0.7,
    }
}
