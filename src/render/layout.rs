//! How wide each column of a text table is. Numbers are never cut: minor columns give way first, then texts, then whole
//! columns, those that say the same in every row before the rightmost; the first two stay. It must not know what the
//! texts mean.

use super::escape;

/// Spaces between columns.
pub(super) const GAP: usize = 2;
/// A text column is never narrower than this, unless its content is.
const TEXT_COLUMNS_MIN: usize = 8;
/// Minor columns go before a text column of others is narrower than this.
const TEXT_COLUMNS_GOOD: usize = 32;

/// Words that make a text a sentence.
const PROSE_WORDS_MIN: usize = 6;
/// Width of a sentence's line where there is room.
const PROSE_COLUMNS: usize = 80;
/// Lines of a sentence in a cell.
const PROSE_LINES_MAX: usize = 5;

/// One column as it is to be laid out.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub name: String,
    pub is_number: bool,
    /// Whether it goes before texts of others are cut.
    pub is_minor: bool,
    /// Width of the widest cell.
    pub content: usize,
    /// Whether all rows (two or more) have the same text.
    pub is_constant: bool,
}

/// The columns that are shown, in order, with their widths; and the names of those that are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub shown: Vec<(usize, usize)>,
    pub hidden: Vec<String>,
}

/// Fits columns into `room` terminal columns.
pub(super) fn fit(shapes: &[Shape], room: usize) -> Layout {
    let mut kept: Vec<usize> = (0..shapes.len()).collect();
    let good = |idx: usize| capped(&shapes[idx], TEXT_COLUMNS_GOOD);
    while total(&kept, good) > room
        && let Some(place) = next_to_go(shapes, &kept, |shape| shape.is_minor)
    {
        kept.remove(place);
    }
    while total(&kept, |idx| least(&shapes[idx])) > room
        && let Some(place) = next_to_go(shapes, &kept, |_| true)
    {
        kept.remove(place);
    }
    let hidden = (0..shapes.len()).filter(|idx| !kept.contains(idx)).map(|idx| shapes[idx].name.clone()).collect();
    let widths = [wide, narrow].into_iter().find(|width| total(&kept, |idx| width(&shapes[idx])) <= room);
    let widths: Vec<usize> = match widths {
        Some(width) => kept.iter().map(|idx| width(&shapes[*idx])).collect(),
        None => {
            let cap = largest_cap(shapes, &kept, room);
            kept.iter().map(|idx| capped(&shapes[*idx], cap)).collect()
        }
    };
    Layout { shown: kept.into_iter().zip(widths).collect(), hidden }
}

/// The place of the column that is missed least: one that says the same in every row, else the rightmost.
fn next_to_go(shapes: &[Shape], kept: &[usize], may_go: impl Fn(&Shape) -> bool) -> Option<usize> {
    let last = |is_it: &dyn Fn(&Shape) -> bool| kept.iter().rposition(|idx| *idx > 1 && is_it(&shapes[*idx]));
    last(&|shape| may_go(shape) && shape.is_constant).or_else(|| last(&|shape| may_go(shape)))
}

fn total(kept: &[usize], width: impl Fn(usize) -> usize) -> usize {
    kept.iter().map(|idx| width(*idx)).sum::<usize>() + GAP * kept.len().saturating_sub(1)
}

/// Content and name in one line.
fn wide(shape: &Shape) -> usize {
    shape.content.max(escape::columns(&shape.name))
}
/// Content in one line, the name broken at its underscores.
fn narrow(shape: &Shape) -> usize {
    shape.content.max(shape.name.split_inclusive('_').map(escape::columns).max().unwrap_or(0))
}
/// The narrowest that can be read.
fn least(shape: &Shape) -> usize {
    capped(shape, TEXT_COLUMNS_MIN)
}
fn capped(shape: &Shape, cap: usize) -> usize {
    if shape.is_number { narrow(shape) } else { narrow(shape).min(cap) }
}

/// The largest width of text columns with which all fits; at least [`TEXT_COLUMNS_MIN`].
fn largest_cap(shapes: &[Shape], kept: &[usize], room: usize) -> usize {
    let fits = |cap: &usize| total(kept, |idx| capped(&shapes[idx], *cap)) <= room;
    (TEXT_COLUMNS_MIN..=room.max(TEXT_COLUMNS_MIN)).rev().find(fits).unwrap_or(TEXT_COLUMNS_MIN)
}

/// Whether a text is a sentence, which may take several lines, rather than a name or a value.
pub(super) fn is_prose(text: &str) -> bool {
    text.split_whitespace().nth(PROSE_WORDS_MIN - 1).is_some()
}

/// The width that a cell would like: all of it, or a comfortable line of a sentence.
pub(super) fn natural_width(text: &str) -> usize {
    let whole = escape::columns(text);
    if is_prose(text) { whole.min(PROSE_COLUMNS) } else { whole }
}

/// A cell in `width` columns: a sentence in up to [`PROSE_LINES_MAX`] lines, anything else cut to one.
pub(super) fn cell(text: &str, width: usize) -> String {
    if escape::columns(text) <= width || !is_prose(text) {
        return escape::cut(text, width);
    }
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let n_lines = lines.len();
        let line = &mut lines[n_lines - 1];
        let is_last = n_lines == PROSE_LINES_MAX;
        if line.is_empty() {
            line.push_str(word);
        } else if is_last || escape::columns(line) + 1 + escape::columns(word) <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_string());
        }
    }
    lines.iter().map(|line| escape::cut(line, width)).collect::<Vec<_>>().join("\n")
}

/// A column's name in lines of at most `width`, broken after underscores.
pub(super) fn header(name: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for part in name.split_inclusive('_') {
        match lines.last_mut() {
            Some(line) if escape::columns(line) + escape::columns(part) <= width => line.push_str(part),
            _ => lines.push(escape::cut(part, width)),
        }
    }
    lines.join("\n")
}
