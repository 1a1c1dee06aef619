//! A small SVG writer: shapes, text and groups with tooltips. Everything that goes into the document goes through
//! here, so that no foreign text can break or script it. It must not know what is drawn.

use std::fmt::Write;

use super::super::escape;
use super::theme;

/// Characters of one text or tooltip in a picture.
const TEXT_CHARS_MAX: usize = 400;

/// A picture in progress. Coordinates are CSS pixels, y grows downwards.
pub struct Canvas {
    body: String,
    n_open: usize,
}

/// Where a text's x is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub fn new() -> Canvas {
        Canvas { body: String::with_capacity(16 << 10), n_open: 0 }
    }

    /// Opens a group of a CSS class; closed by [`Canvas::close`].
    pub fn open(&mut self, class: &str) {
        let _ = write!(self.body, "<g{}>", Class(class));
        self.n_open += 1;
    }
    pub fn close(&mut self) {
        debug_assert!(self.n_open > 0, "a group is open");
        self.n_open -= 1;
        self.body.push_str("</g>\n");
    }
    /// A mark: a group with a tooltip around what `draw` draws.
    pub fn mark(&mut self, class: &str, tooltip: &str, draw: impl FnOnce(&mut Canvas)) {
        self.open_mark(class, tooltip);
        draw(self);
        self.close();
    }
    /// Opens a group with a tooltip; closed by [`Canvas::close`].
    pub fn open_mark(&mut self, class: &str, tooltip: &str) {
        self.n_open += 1;
        let _ = write!(self.body, "<g{}><title>", Class(class));
        self.escaped(tooltip);
        self.body.push_str("</title>");
    }

    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let _ = write!(
            self.body,
            "<line{} x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            Class(class),
            Short(from.0),
            Short(from.1),
            Short(to.0),
            Short(to.1)
        );
    }
    /// A rectangle with corners rounded by `radius`.
    pub fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), radius: f64) {
        let (width, height) = (size.0.max(0.0), size.1.max(0.0));
        let _ = write!(
            self.body,
            "<rect{} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            Class(class),
            Short(at.0),
            Short(at.1),
            Short(width),
            Short(height)
        );
        if radius > 0.0 {
            let _ = write!(self.body, " rx=\"{}\"", Short(radius));
        }
        self.body.push_str("/>");
    }
    pub fn circle(&mut self, class: &str, at: (f64, f64), radius: f64) {
        let _ = write!(
            self.body,
            "<circle{} cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            Class(class),
            Short(at.0),
            Short(at.1),
            Short(radius)
        );
    }
    /// Lines through `points`, closed when `is_closed`.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)], is_closed: bool) {
        let mut path = Path::default();
        for (idx, point) in points.iter().enumerate() {
            if idx == 0 { path.move_to(*point) } else { path.line_to(*point) }
        }
        if is_closed {
            path.close();
        }
        self.path(class, &path);
    }
    pub fn path(&mut self, class: &str, path: &Path) {
        let _ = write!(self.body, "<path{} d=\"{}\"/>", Class(class), path.0);
    }
    /// A path with a stroke width of its own.
    pub fn stroke(&mut self, class: &str, path: &Path, width_px: f64) {
        let _ =
            write!(self.body, "<path{} d=\"{}\" style=\"stroke-width:{}px\"/>", Class(class), path.0, Short(width_px));
    }
    /// One line of text with its baseline at `at`.
    pub fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = write!(self.body, "<text{} x=\"{}\" y=\"{}\"{anchor}>", Class(class), Short(at.0), Short(at.1));
        self.escaped(text);
        self.body.push_str("</text>");
    }
    /// Text that reads upwards (`degrees` -90) or slanted.
    pub fn rotated_text(&mut self, class: &str, at: (f64, f64), degrees: f64, anchor: Anchor, text: &str) {
        let _ = write!(self.body, "<g transform=\"translate({} {}) rotate({degrees})\">", Short(at.0), Short(at.1));
        self.text(class, (0.0, 0.0), anchor, text);
        self.body.push_str("</g>");
    }

    /// The whole document. `title` and `desc` are read out by screen readers.
    pub fn finish(self, width: f64, height: f64, title: &str, desc: &str) -> String {
        debug_assert_eq!(self.n_open, 0, "every group is closed");
        let (width, height) = (Short(width), Short(height));
        let mut whole = Canvas { body: String::with_capacity(self.body.len() + 4096), n_open: 0 };
        let _ = write!(
            whole.body,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cinema\" role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n<title>"
        );
        whole.escaped(title);
        whole.body.push_str("</title><desc>");
        whole.escaped(desc);
        let _ = write!(whole.body, "</desc>\n<style>\n{}</style>\n", theme::CSS);
        let _ = writeln!(whole.body, "<rect class=\"bg\" width=\"{width}\" height=\"{height}\"/>");
        whole.body.push_str(&self.body);
        whole.body.push_str("</svg>\n");
        whole.body
    }

    /// Writes bounded text with controls made visible and XML's special characters as entities. Newlines, which
    /// tooltips use, stay.
    fn escaped(&mut self, text: &str) {
        for (idx, line) in text.split('\n').enumerate() {
            if idx > 0 {
                self.body.push('\n');
            }
            for c in escape::bounded(line, TEXT_CHARS_MAX).chars() {
                match c {
                    '<' => self.body.push_str("&lt;"),
                    '>' => self.body.push_str("&gt;"),
                    '&' => self.body.push_str("&amp;"),
                    '"' => self.body.push_str("&quot;"),
                    c => self.body.push(c),
                }
            }
        }
    }
}

/// The `d` of a path.
#[derive(Default)]
pub struct Path(String);

impl Path {
    pub fn move_to(&mut self, to: (f64, f64)) {
        let _ = write!(self.0, "M{} {}", Short(to.0), Short(to.1));
    }
    pub fn line_to(&mut self, to: (f64, f64)) {
        let _ = write!(self.0, "L{} {}", Short(to.0), Short(to.1));
    }
    /// A cubic curve with two control points.
    pub fn curve_to(&mut self, one: (f64, f64), two: (f64, f64), to: (f64, f64)) {
        let (a, b, c) = (one, two, to);
        let _ = write!(
            self.0,
            "C{} {} {} {} {} {}",
            Short(a.0),
            Short(a.1),
            Short(b.0),
            Short(b.1),
            Short(c.0),
            Short(c.1)
        );
    }
    pub fn close(&mut self) {
        self.0.push('Z');
    }
}

/// A class attribute, left out when empty.
struct Class<'a>(&'a str);

impl std::fmt::Display for Class<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " class=\"{}\"", self.0) }
    }
}

/// A number with at most one decimal: a tenth of a pixel is as fine as eyes are.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = if self.0.is_finite() { (self.0 * 10.0).round() as i64 } else { 0 };
        if tenths % 10 == 0 {
            write!(f, "{}", tenths / 10)
        } else {
            write!(f, "{}{}.{}", if tenths < 0 { "-" } else { "" }, tenths.abs() / 10, tenths.abs() % 10)
        }
    }
}
