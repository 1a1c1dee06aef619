//! Label placement: a text goes where nothing else is, or is left out (its tooltip still says it).
//! It must not know what is labelled.

use super::canvas::{Anchor, Canvas};
use super::measure;

/// A box in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    fn overlaps(&self, other: &Rect) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }
    fn contains(&self, other: &Rect) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.x + other.width <= self.x + self.width
            && other.y + other.height <= self.y + self.height
    }
}

/// The places that are taken, inside of a frame.
pub struct Labels {
    frame: Rect,
    taken: Vec<Rect>,
}

impl Labels {
    pub fn new(frame: Rect) -> Labels {
        Labels { frame, taken: Vec::new() }
    }
    /// Reserves a box: no label goes there.
    pub fn block(&mut self, rect: Rect) {
        self.taken.push(rect);
    }
    /// Draws `text` at the first of `places` (start of the baseline and anchor) that is free; false when none is.
    pub fn place(
        &mut self,
        canvas: &mut Canvas,
        class: &str,
        text: &str,
        size_px: f64,
        places: &[((f64, f64), Anchor)],
    ) -> bool {
        let width = measure::width(text, size_px);
        for &((x, y), anchor) in places {
            let left = match anchor {
                Anchor::Start => x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            let rect = Rect { x: left - 2.0, y: y - size_px, width: width + 4.0, height: size_px * 1.25 };
            if self.frame.contains(&rect) && !self.taken.iter().any(|other| other.overlaps(&rect)) {
                self.taken.push(rect);
                canvas.text(class, (x, y), anchor, text);
                return true;
            }
        }
        false
    }
}
