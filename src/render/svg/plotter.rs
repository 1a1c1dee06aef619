//! A plotters backend that draws on our [`Canvas`]: plotters lays out axes and maps data to pixels, the style
//! sheet decides the look. Colours given to plotters are only names of [`Ink`]s.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{RGBColor, ShapeStyle};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use super::canvas::{Anchor, Canvas};
use super::measure;

const TEXT_PX: f64 = 11.0;

/// What is drawn; each has a CSS class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Grid,
    Axis,
    Text,
    Bar,
    Percentile,
    Series(u8),
}

/// Classes of [`Ink::Series`]; later series start over.
pub const SERIES_CLASSES: [&str; 8] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

impl Ink {
    pub fn style(self) -> ShapeStyle {
        ShapeStyle::from(self.color()).stroke_width(1)
    }
    pub fn filled(self) -> ShapeStyle {
        self.style().filled()
    }
    pub fn color(self) -> RGBColor {
        match self {
            Ink::Grid => RGBColor(0, 0, 0),
            Ink::Axis => RGBColor(1, 0, 0),
            Ink::Text => RGBColor(2, 0, 0),
            Ink::Bar => RGBColor(3, 0, 0),
            Ink::Percentile => RGBColor(4, 0, 0),
            Ink::Series(n) => RGBColor(5, n, 0),
        }
    }
    fn class(color: BackendColor) -> &'static str {
        match color.rgb {
            (0, ..) => "grid",
            (1, ..) => "axis",
            (2, ..) => "tick",
            (3, ..) => "hist",
            (4, ..) => "p",
            (_, n, _) => SERIES_CLASSES[usize::from(n) % SERIES_CLASSES.len()],
        }
    }
}

/// Draws for plotters; clones share one canvas, so that marks can be wrapped in tooltips between calls.
#[derive(Clone)]
pub struct Plotter {
    pub canvas: Rc<RefCell<Canvas>>,
    pub size: (u32, u32),
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

fn point(at: BackendCoord) -> (f64, f64) {
    (f64::from(at.0), f64::from(at.1))
}

impl DrawingBackend for Plotter {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }
    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }
    fn present(&mut self) -> Drawn {
        Ok(())
    }
    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn {
        self.canvas.borrow_mut().rect(Ink::class(color), point(at), (1.0, 1.0), 0.0);
        Ok(())
    }
    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.canvas.borrow_mut().line(Ink::class(style.color()), point(from), point(to));
        Ok(())
    }
    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, _fill: bool) -> Drawn {
        let (from, to) = (point(from), point(to));
        self.canvas.borrow_mut().rect(Ink::class(style.color()), from, (to.0 - from.0, to.1 - from.1), 0.0);
        Ok(())
    }
    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<(f64, f64)> = path.into_iter().map(point).collect();
        self.canvas.borrow_mut().polyline(Ink::class(style.color()), &points, false);
        Ok(())
    }
    fn draw_circle<S: BackendStyle>(&mut self, at: BackendCoord, radius: u32, style: &S, _fill: bool) -> Drawn {
        self.canvas.borrow_mut().circle(Ink::class(style.color()), point(at), f64::from(radius));
        Ok(())
    }
    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        let points: Vec<(f64, f64)> = path.into_iter().map(point).collect();
        self.canvas.borrow_mut().polyline(Ink::class(style.color()), &points, true);
        Ok(())
    }
    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => Anchor::Start,
            HPos::Center => Anchor::Middle,
            HPos::Right => Anchor::End,
        };
        let (x, y) = point(at);
        let baseline = match style.anchor().v_pos {
            VPos::Top => y + TEXT_PX * 0.85,
            VPos::Center => y + TEXT_PX * 0.36,
            VPos::Bottom => y - TEXT_PX * 0.15,
        };
        self.canvas.borrow_mut().text(Ink::class(style.color()), (x, baseline), anchor, text);
        Ok(())
    }
    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        _style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        Ok((measure::width(text, TEXT_PX).ceil() as u32, TEXT_PX as u32))
    }
}

/// An axis of positions with ticks of our own choice.
pub struct TickedAxis {
    pub range: Range<f64>,
    pub ticks: Vec<f64>,
}

impl Ranged for TickedAxis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        limit.0 + (f64::from(limit.1 - limit.0) * share.clamp(0.0, 1.0)).round() as i32
    }
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }
    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}
