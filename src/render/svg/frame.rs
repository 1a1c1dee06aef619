//! What surrounds every picture: title with counts, legend, notes underneath.
//! It must not know what is drawn between them.

use super::canvas::{Anchor, Canvas};
use super::glyph;
use super::measure;
use crate::view::{ArrowKind, PointKind};

pub const MARGIN: f64 = 16.0;
const TITLE_PX: f64 = 18.0;
const TEXT_PX: f64 = 12.0;
const LINE_PX: f64 = 17.0;

/// One entry of a legend.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Arrow(ArrowKind),
    Point(PointKind),
    /// A filled box of a CSS class.
    Box(&'static str, String),
    /// A line of a CSS class.
    Line(&'static str, String),
}

impl Entry {
    fn text(&self) -> &str {
        match self {
            Entry::Arrow(ArrowKind::Exit) => "exit signal",
            Entry::Arrow(ArrowKind::Info) => "other message",
            Entry::Arrow(kind) => kind.as_str(),
            Entry::Point(kind) => glyph::name(*kind),
            Entry::Box(_, text) | Entry::Line(_, text) => text,
        }
    }
    fn glyph_px(&self) -> f64 {
        match self {
            Entry::Arrow(_) | Entry::Line(..) => 34.0,
            Entry::Point(_) => 14.0,
            Entry::Box(..) => 18.0,
        }
    }
}

/// Draws title, subtitle and legend; gives the y under them.
pub fn header(canvas: &mut Canvas, title: &str, subtitle: &str, legend: &[Entry], width: f64) -> f64 {
    let room = width - 2.0 * MARGIN;
    let title = measure::fit(title, TITLE_PX * 1.08, room);
    canvas.text("title", (MARGIN, 28.0), Anchor::Start, &title);
    let mut y = 48.0;
    for line in wrap(subtitle, room) {
        canvas.text("sub", (MARGIN, y), Anchor::Start, &line);
        y += LINE_PX;
    }
    let needed: f64 = legend.iter().map(entry_px).sum();
    let title_px = measure::width(&title, TITLE_PX * 1.08);
    if title_px + needed + 4.0 * MARGIN < width {
        legend_row(canvas, legend, (width - MARGIN - needed, 24.0));
    } else {
        y += 4.0;
        let mut rest = legend;
        while !rest.is_empty() {
            let mut used = 0.0;
            let fits = rest.iter().take_while(|entry| {
                used += entry_px(entry);
                used <= room
            });
            let n_fitting = fits.count().max(1);
            legend_row(canvas, &rest[..n_fitting], (MARGIN, y - 2.0));
            rest = &rest[n_fitting..];
            y += LINE_PX + 2.0;
        }
    }
    y
}

fn entry_px(entry: &Entry) -> f64 {
    entry.glyph_px() + 7.0 + measure::width(entry.text(), TEXT_PX) + 18.0
}

/// A row of entries whose middle is at `at.1`.
fn legend_row(canvas: &mut Canvas, row: &[Entry], at: (f64, f64)) {
    let (mut x, y) = at;
    canvas.open("legend");
    for entry in row {
        let end = x + entry.glyph_px();
        match entry {
            &Entry::Arrow(kind) => {
                canvas.open(glyph::class(kind));
                glyph::arrow(canvas, kind, (x, y), (end, y));
                canvas.close();
            }
            &Entry::Point(kind) => {
                canvas.open(glyph::point_class(kind));
                glyph::point(canvas, kind, (x + 7.0, y));
                canvas.close();
            }
            Entry::Box(class, _) => canvas.rect(class, (x, y - 5.0), (18.0, 10.0), 2.0),
            Entry::Line(class, _) => canvas.line(class, (x, y), (end, y)),
        }
        canvas.text("", (end + 7.0, y + 4.0), Anchor::Start, entry.text());
        x += entry_px(entry);
    }
    canvas.close();
}

/// Draws notes from `y` on, one a line or more; gives the y under them.
pub fn notes(canvas: &mut Canvas, notes: &[String], mut y: f64, width: f64) -> f64 {
    for note in notes {
        for line in wrap(note, width - 2.0 * MARGIN) {
            y += LINE_PX;
            canvas.text("note", (MARGIN, y), Anchor::Start, &line);
        }
    }
    y
}

/// Breaks text at spaces into lines of at most `room` pixels; no lines for empty text.
fn wrap(text: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure::width(line, TEXT_PX) + measure::width(word, TEXT_PX) + 4.0 <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(measure::fit(word, TEXT_PX, room)),
        }
    }
    lines
}
