//! Tables and trees as text for a terminal, a pipe or a transcript. It must not know what a table is about.

use comfy_table::{Attribute, Cell as TextCell, CellAlignment, LineStyle, TableStyle};

use super::layout::{self, Shape};
use super::{decimals, escape, tone};
use crate::model::quote::grouped;
use crate::model::{Style, Syntax, limits, time};
use crate::view::{Cell, Column, Table, Tree, TreeRow};

/// How text is laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct TextOptions {
    /// Columns of the terminal; `None` leaves lines as long as they are.
    pub width: Option<u16>,
    /// Whether to write SGR colour codes. The caller honours `NO_COLOR` and flags.
    pub is_coloured: bool,
    /// Rows shown before the rest is only counted.
    pub n_rows_max: usize,
    /// How to see the rows that are not shown: `.table(1000) shows more`.
    pub more_hint: String,
    /// How terms are written.
    pub syntax: Syntax,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions {
            width: None,
            is_coloured: false,
            n_rows_max: limits::SHOWN_ROWS,
            more_hint: String::new(),
            syntax: Syntax::Erlang,
        }
    }
}

/// Characters of a sentence in a cell.
const PROSE_CHARS_MAX: usize = 400;

/// Two spaces between columns and one line under the header: the data is the ink.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with its title (and the number of its rows), at most `n_rows_max` rows (of one line each, but sentences
/// wrap), how many more there are, and its notes. Ends with a newline. Cells are escaped and bounded; numbers are right-aligned.
pub fn table(table: &Table, options: &TextOptions) -> String {
    let mut out = String::new();
    let n_rows = table.rows.len() as u64 + table.n_more;
    if !table.title.is_empty() {
        let title = escape::visible(&table.title);
        let heading =
            if table.is_fields() { title.into_owned() } else { format!("{title} ({})", counted(n_rows, "row")) };
        push_styled(&mut out, &heading, "\x1b[1m", options);
    }
    let n_shown = table.rows.len().min(options.n_rows_max);
    let mut hidden = Vec::new();
    if n_shown > 0 {
        let (grid, unshown) = grid(table, n_shown, options);
        out.push_str(&grid);
        hidden = unshown;
    }
    push_hidden(&mut out, n_rows - n_shown as u64, options);
    if !hidden.is_empty() {
        push_styled(
            &mut out,
            &format!("no room for: {}; widen the terminal to see them", hidden.join(", ")),
            "\x1b[2m",
            options,
        );
    }
    for note in &table.notes {
        push_styled(&mut out, &escape::visible(note), "\x1b[2m", options);
    }
    out
}

/// Header and the first `n_shown` rows; and the columns that there was no room for.
fn grid(table: &Table, n_shown: usize, options: &TextOptions) -> (String, Vec<String>) {
    let row_texts = |row: &Vec<Cell>| row.iter().map(|cell| cell_text(cell, options.syntax)).collect();
    let mut texts: Vec<Vec<String>> = table.rows[..n_shown].iter().map(row_texts).collect();
    decimals::line_up(table, &mut texts);
    let shapes: Vec<Shape> = table.columns.iter().enumerate().map(|(idx, column)| shape(idx, column, &texts)).collect();
    let layout = layout::fit(&shapes, options.width.map_or(usize::MAX, |width| usize::from(width).max(20)));
    let mut grid = comfy_table::Table::new();
    grid.load_style(STYLE);
    if options.is_coloured {
        grid.enforce_styling();
    } else {
        grid.force_no_tty();
    }
    let aligned = |cell: TextCell, idx: usize| {
        if table.columns[idx].is_right_aligned { cell.set_alignment(CellAlignment::Right) } else { cell }
    };
    let header = layout.shown.iter().map(|&(idx, width)| {
        let name = TextCell::new_owned(layout::header(&shapes[idx].name, width));
        aligned(name.add_attribute(Attribute::Bold), idx)
    });
    grid.set_header(header.collect::<Vec<_>>());
    for row in &texts {
        let cells = layout.shown.iter().map(|&(idx, width)| {
            let color = tone::of_word(&row[idx]);
            let cell = aligned(TextCell::new_owned(layout::cell(&row[idx], width)), idx);
            if let Some(color) = color { cell.fg(color) } else { cell }
        });
        grid.add_row(cells.collect::<Vec<_>>());
    }
    let n_columns = layout.shown.len();
    for (idx, column) in grid.column_iter_mut().enumerate() {
        // One more column is the (blank) line between two.
        column.set_padding((0, if idx + 1 < n_columns { layout::GAP as u16 - 1 } else { 0 }));
    }
    (grid.lines().map(|line| format!("{}\n", line.trim_end())).collect(), layout.hidden)
}

fn shape(idx: usize, column: &Column, texts: &[Vec<String>]) -> Shape {
    let mut cells = texts.iter().map(|row| row[idx].as_str());
    let content = cells.clone().map(layout::natural_width).max().unwrap_or(0);
    let first = cells.next();
    Shape {
        name: escape::bounded(heading(&column.name), limits::SHOWN_TERM_CHARS),
        is_number: column.is_right_aligned,
        is_minor: column.is_minor,
        content,
        is_constant: texts.len() > 1 && cells.all(|cell| Some(cell) == first),
    }
}

/// A column's heading: its name without the unit, which every cell has.
fn heading(name: &str) -> &str {
    name.strip_suffix("_ns").or_else(|| name.strip_suffix("_bytes")).unwrap_or(name)
}

/// One cell as a reader sees it: durations with a unit, seqs as `#12`, terms in the target's syntax, all bounded to
/// [`limits::SHOWN_TERM_CHARS`] (sentences to 400) and escaped.
pub fn cell_text(cell: &Cell, syntax: Syntax) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Bool(value) => if *value { "yes" } else { "no" }.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Float(value) => float(*value),
        Cell::Text(text) if layout::is_prose(text) => escape::bounded(text, PROSE_CHARS_MAX),
        Cell::Text(text) => escape::bounded(text, limits::SHOWN_TERM_CHARS),
        Cell::Ns(ns) => time::show_ns(*ns),
        Cell::Bytes(bytes) => self::bytes(*bytes),
        Cell::Seq(seq) => format!("#{}", seq.0),
        Cell::Term(term) => term.display(Style::cell(syntax)).to_string(),
    }
}

/// A float with four significant digits and no trailing zeros.
pub fn float(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    if !(-4..15).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let digits = (3 - magnitude).max(0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

/// A size with a binary unit: `1.4 KiB`.
pub fn bytes(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..0x400 => return format!("{bytes} B"),
        0x400..0x10_0000 => (1_u64 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    format!("{} {name}", float((bytes as f64 / unit as f64 * 10.0).round() / 10.0))
}

/// A count with its noun: `1 row`, `13 399 rows`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// How many rows are not shown, and how to see them.
fn push_hidden(out: &mut String, n_hidden: u64, options: &TextOptions) {
    if n_hidden == 0 {
        return;
    }
    let (n, rows) = (grouped(n_hidden), if n_hidden == 1 { "row" } else { "rows" });
    let hint = if options.more_hint.is_empty() { String::new() } else { format!(": {}", options.more_hint) };
    push_styled(out, &format!("… {n} more {rows}{hint}"), "\x1b[2m", options);
}

fn push_styled(out: &mut String, line: &str, sgr: &str, options: &TextOptions) {
    if options.is_coloured {
        out.push_str(&format!("{sgr}{line}\x1b[0m\n"));
    } else {
        out.push_str(line);
        out.push('\n');
    }
}

/// A tree with box-drawing branches: name, id, status and what else a row says. Same bounds and notes as a table.
pub fn tree(tree: &Tree, options: &TextOptions) -> String {
    let mut out = String::new();
    if !tree.title.is_empty() {
        push_styled(&mut out, &escape::visible(&tree.title), "\x1b[1m", options);
    }
    let n_shown = tree.rows.len().min(options.n_rows_max);
    let names = tree_names(&tree.rows[..n_shown], &tree.rows);
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let id_width = tree.rows[..n_shown].iter().map(|row| row.id.chars().count()).max().unwrap_or(0);
    for (name, row) in names.iter().zip(&tree.rows) {
        let id = if row.name.is_empty() { String::new() } else { escape::bounded(&row.id, limits::SHOWN_TERM_CHARS) };
        let line = format!("{name:<width$}  {id:<id_width$}  {}", tree_facts(row, options));
        out.push_str(line.trim_end());
        out.push('\n');
    }
    push_hidden(&mut out, (tree.rows.len() - n_shown) as u64, options);
    for note in &tree.notes {
        push_styled(&mut out, &escape::visible(note), "\x1b[2m", options);
    }
    out
}

/// The names of the shown rows behind their branches.
fn tree_names(shown: &[TreeRow], all: &[TreeRow]) -> Vec<String> {
    // For each depth, whether a later row still hangs on that branch.
    let mut is_open: Vec<bool> = Vec::new();
    let mut names = Vec::new();
    for (idx, row) in shown.iter().enumerate() {
        let next = all[idx + 1..].iter().find(|later| later.depth <= row.depth);
        let has_sibling = next.is_some_and(|later| later.depth == row.depth);
        is_open.resize(row.depth, false);
        let mut name: String = is_open.iter().skip(1).map(|&open| if open { "│  " } else { "   " }).collect();
        if row.depth > 0 {
            name.push_str(if has_sibling { "├─ " } else { "└─ " });
        }
        is_open.push(has_sibling);
        name.push_str(&escape::bounded(row.short_name(), limits::SHOWN_TERM_CHARS));
        names.push(name);
    }
    names
}

fn tree_facts(row: &TreeRow, options: &TextOptions) -> String {
    let mut facts = match tone::of_word(&row.status).filter(|_| options.is_coloured) {
        Some(color) => format!("{}{}\x1b[0m", tone::sgr(color), row.status),
        None => row.status.clone(),
    };
    if row.n_restarts > 0 {
        facts.push_str(&format!("  {}", counted(u64::from(row.n_restarts), "restart")));
    }
    if !row.detail.is_empty() {
        facts.push_str(&format!("  {}", escape::bounded(&row.detail, limits::SHOWN_TERM_CHARS)));
    }
    facts
}

#[cfg(test)]
mod tests;
