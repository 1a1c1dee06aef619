//! Who talks to whom: senders in rows, receivers in columns, the count in each cell and its size as shade.

use super::SvgOptions;
use super::canvas::{Anchor, Canvas};
use super::frame::{self, Entry, MARGIN};
use super::measure;
use super::theme::heat_class;
use crate::view::Matrix;

const NAME_PX: f64 = 12.0;
const COUNT_PX: f64 = 10.5;
const NAMES_PX_MAX: f64 = 200.0;

/// Draws a view as a standalone SVG document as wide as it needs, at most `options.width`.
pub fn matrix(view: &Matrix, options: &SvgOptions) -> String {
    let n = view.names.len();
    let most = view.counts.iter().flatten().copied().max().unwrap_or(0);
    let names_px = view.names.iter().map(|name| measure::width(name, NAME_PX)).fold(40.0, f64::max).min(NAMES_PX_MAX);
    let count_px = measure::width(&most.to_string(), COUNT_PX) + 8.0;
    let room = options.width - 2.0 * MARGIN - names_px - 70.0;
    let cell = count_px.max(26.0).min(room / n.max(1) as f64);
    let width = (MARGIN * 2.0 + names_px + cell * n as f64 + 90.0).max(560.0);
    let mut canvas = Canvas::new();
    let legend = [
        Entry::Box("heat h1", "few".into()),
        Entry::Box("heat h3", "more".into()),
        Entry::Box("heat h5", "most".into()),
    ];
    let top = frame::header(&mut canvas, &view.title, &view.subtitle, &legend, width);
    let grid = Grid { left: MARGIN + names_px + 10.0, top: top + names_px * 0.75 + 24.0, cell, n };
    grid.names(&mut canvas, view, names_px);
    grid.cells(&mut canvas, view, most, count_px <= cell + 2.0);
    grid.totals(&mut canvas, view);
    let bottom = frame::notes(&mut canvas, &view.notes, grid.end().1 + 24.0, width);
    canvas.finish(width, bottom + MARGIN, &view.title, &view.subtitle)
}

struct Grid {
    left: f64,
    top: f64,
    cell: f64,
    n: usize,
}

impl Grid {
    fn at(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + column as f64 * self.cell, self.top + row as f64 * self.cell)
    }
    fn end(&self) -> (f64, f64) {
        self.at(self.n, self.n)
    }

    fn names(&self, canvas: &mut Canvas, view: &Matrix, names_px: f64) {
        for (idx, name) in view.names.iter().enumerate() {
            let name = measure::fit(name, NAME_PX, names_px);
            let (_, y) = self.at(idx, 0);
            if idx % 2 == 0 {
                canvas.rect("band", (MARGIN - 4.0, y), (self.end().0 - MARGIN + 4.0, self.cell), 0.0);
            }
            canvas.text("", (self.left - 10.0, y + self.cell / 2.0 + 4.0), Anchor::End, &name);
            let (x, _) = self.at(0, idx);
            canvas.rotated_text("", (x + self.cell / 2.0 + 2.0, self.top - 8.0), -50.0, Anchor::Start, &name);
        }
        for idx in 0..=self.n {
            let ((x, _), (_, y)) = (self.at(0, idx), self.at(idx, 0));
            canvas.line("grid", (x, self.top), (x, self.end().1));
            canvas.line("grid", (self.left, y), (self.end().0, y));
        }
    }

    fn cells(&self, canvas: &mut Canvas, view: &Matrix, most: u64, has_room: bool) {
        for (row, counts) in view.counts.iter().enumerate() {
            for (column, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
                let (x, y) = self.at(row, column);
                let class = heat_class(n, most);
                let tooltip = format!("{} → {}: {n} messages", view.names[row], view.names[column]);
                canvas.mark("", &tooltip, |canvas| {
                    canvas.rect(class, (x + 1.0, y + 1.0), (self.cell - 2.0, self.cell - 2.0), 2.0);
                    if has_room {
                        let is_dark = matches!(class, "heat h4" | "heat h5");
                        let text_class = if is_dark { "small on-ink" } else { "small" };
                        let at = (x + self.cell / 2.0, y + self.cell / 2.0 + 3.8);
                        canvas.text(text_class, at, Anchor::Middle, &n.to_string());
                    }
                });
            }
        }
    }

    /// What each process sent (right) and received (below).
    fn totals(&self, canvas: &mut Canvas, view: &Matrix) {
        let (right, bottom) = self.end();
        canvas.text("small dim", (right + 10.0, self.top - 8.0), Anchor::Start, "sent");
        canvas.text("small dim", (self.left - 10.0, bottom + 16.0), Anchor::End, "received");
        for idx in 0..self.n {
            let sent: u64 = view.counts[idx].iter().sum();
            let received: u64 = view.counts.iter().map(|row| row[idx]).sum();
            let (x, y) = self.at(idx, idx);
            canvas.text("small dim", (right + 10.0, y + self.cell / 2.0 + 3.8), Anchor::Start, &sent.to_string());
            if measure::width(&received.to_string(), COUNT_PX) <= self.cell + 2.0 {
                canvas.text("small dim", (x + self.cell / 2.0, bottom + 16.0), Anchor::Middle, &received.to_string());
            }
        }
    }
}
