//! Numeric charts: histogram, distribution, values over time. plotters maps data to pixels and draws the axes.

use std::cell::RefCell;
use std::rc::Rc;

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::SvgOptions;
use super::canvas::{Anchor, Canvas};
use super::frame::{self, Entry, MARGIN};
use super::labels::{Labels, Rect};
use super::plotter::{Ink, Plotter, SERIES_CLASSES, TickedAxis};
use super::ticks;
use crate::render::text;
use crate::view::{Axis, Chart, Plot, Unit};

const WIDTH_PX_MAX: f64 = 1100.0;
const PLOT_PX: f64 = 340.0;
/// Points of a line that get a dot with a tooltip each; longer lines have one tooltip for the whole.
const DOTTED_POINTS_MAX: usize = 400;

type Context<'a> = ChartContext<'a, Plotter, Cartesian2d<TickedAxis, TickedAxis>>;

/// Draws a view as a standalone SVG document of at most 1100 px.
pub fn chart(view: &Chart, options: &SvgOptions) -> String {
    let width = options.width.min(WIDTH_PX_MAX);
    let mut canvas = Canvas::new();
    let top = frame::header(&mut canvas, &view.title, &view.subtitle, &legend(view), width);
    let height = top + PLOT_PX + 80.0;
    canvas.text("dim", (MARGIN, top + 12.0), Anchor::Start, &view.y.label);
    let canvas = Rc::new(RefCell::new(canvas));
    let plotter = Plotter { canvas: canvas.clone(), size: (width as u32, height as u32) };
    draw(view, &plotter, top + 20.0, width);
    drop(plotter);
    let mut canvas = Rc::into_inner(canvas).expect("the drawing area is gone").into_inner();
    let middle = (MARGIN + 70.0 + width) / 2.0;
    let scale = if view.x.is_log { " (logarithmic)" } else { "" };
    canvas.text("dim", (middle, height - 20.0), Anchor::Middle, &format!("{}{scale}", view.x.label));
    let bottom = frame::notes(&mut canvas, &view.notes, height - 8.0, width);
    canvas.finish(width, bottom + MARGIN, &view.title, &view.subtitle)
}

fn legend(view: &Chart) -> Vec<Entry> {
    match &view.plot {
        Plot::Lines(series) | Plot::Steps(series) if series.len() > 1 => series
            .iter()
            .enumerate()
            .map(|(idx, one)| Entry::Line(SERIES_CLASSES[idx % SERIES_CLASSES.len()], one.name.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

/// Draws axes, data and marks. The backend cannot fail, so plotters' results carry no error that could be met.
fn draw(view: &Chart, plotter: &Plotter, top: f64, width: f64) {
    let (xs, ys) = extents(view);
    let mut x_ticks = ticks::ticks(&view.x, xs, 9);
    x_ticks.retain(|tick| *tick <= xs.1 + 1e-9 && !is_empty(view));
    let y_ticks = if is_empty(view) { Vec::new() } else { ticks::ticks(&view.y, ys, 6) };
    let ys = (ys.0, y_ticks.last().copied().unwrap_or(ys.1).max(ys.1));
    let y_px = y_ticks.iter().map(|y| super::measure::width(&value(&view.y, *y), 11.0)).fold(20.0, f64::max);
    let root: DrawingArea<Plotter, Shift> = plotter.clone().into_drawing_area();
    let bottom = (top + PLOT_PX + 26.0) as u32;
    let area = root.margin(top as u32, plotter.size.1.saturating_sub(bottom), MARGIN as u32, (MARGIN + 20.0) as u32);
    let context = ChartBuilder::on(&area).x_label_area_size(26).y_label_area_size(y_px as u32 + 12).build_cartesian_2d(
        TickedAxis { range: xs.0..xs.1, ticks: x_ticks },
        TickedAxis { range: ys.0..ys.1, ticks: y_ticks },
    );
    let Ok(mut context) = context else { return };
    let style = ("sans-serif", 11).into_font().color(&Ink::Text.color());
    let _ = context
        .configure_mesh()
        .bold_line_style(Ink::Grid.style())
        .light_line_style(TRANSPARENT)
        .max_light_lines(0)
        .axis_style(Ink::Axis.style())
        .label_style(style)
        .x_label_formatter(&|x| value(&view.x, *x))
        .y_label_formatter(&|y| value(&view.y, *y))
        .x_labels(20)
        .y_labels(12)
        .draw();
    if is_empty(view) {
        let middle = (f64::from(plotter.size.0) / 2.0, top + PLOT_PX / 2.0);
        plotter.canvas.borrow_mut().text("dim", middle, Anchor::Middle, "nothing was recorded");
    }
    match &view.plot {
        Plot::Bins(bins) => draw_bins(view, &mut context, plotter, bins),
        Plot::Lines(series) => draw_lines(view, &mut context, plotter, series, false),
        Plot::Steps(series) => draw_lines(view, &mut context, plotter, series, true),
    }
    draw_marks(view, &mut context, plotter, ys, width);
}

fn draw_bins(view: &Chart, context: &mut Context<'_>, plotter: &Plotter, bins: &[(f64, f64, f64)]) {
    for &(from, to, height) in bins.iter().filter(|bin| bin.2 > 0.0) {
        let (unit_from, unit_to) = (show(view.x.unit, from), show(view.x.unit, to));
        let tooltip = format!("{unit_from} to {unit_to}\n{} {}", show(view.y.unit, height), view.y.label);
        let corners = [(ticks::position(&view.x, from), height), (ticks::position(&view.x, to), 0.0)];
        marked(plotter, "", &tooltip, || {
            let _ = context.draw_series(std::iter::once(Rectangle::new(corners, Ink::Bar.filled())));
        });
    }
}

fn draw_lines(view: &Chart, context: &mut Context<'_>, plotter: &Plotter, series: &[crate::view::Series], steps: bool) {
    let n_points: usize = series.iter().map(|one| one.points.len()).sum();
    for (idx, one) in series.iter().enumerate() {
        let ink = Ink::Series((idx % SERIES_CLASSES.len()) as u8);
        let mut path: Vec<(f64, f64)> = Vec::with_capacity(one.points.len() * 2);
        for &(x, y) in &one.points {
            let at = (ticks::position(&view.x, x), ticks::position(&view.y, y));
            if let Some(&(_, before)) = path.last().filter(|_| steps) {
                path.push((at.0, before));
            }
            path.push(at);
        }
        marked(plotter, "", &one.name, || {
            let _ = context.draw_series(LineSeries::new(path, ink.style()));
        });
        if n_points > DOTTED_POINTS_MAX {
            continue;
        }
        for &(x, y) in &one.points {
            let tooltip = format!("{}\n{}: {}", one.name, show(view.x.unit, x), show(view.y.unit, y));
            let at = (ticks::position(&view.x, x), ticks::position(&view.y, y));
            marked(plotter, "hover", &tooltip, || {
                let _ = context.draw_series(std::iter::once(Circle::new(at, 5, ink.filled())));
            });
        }
    }
}

/// Vertical lines with a label at their top, where labels do not collide.
fn draw_marks(view: &Chart, context: &mut Context<'_>, plotter: &Plotter, ys: (f64, f64), width: f64) {
    let mut labels = Labels::new(Rect { x: 0.0, y: 0.0, width, height: f64::from(plotter.size.1) });
    for mark in &view.marks {
        let x = ticks::position(&view.x, mark.x);
        let text = format!("{} {}", mark.label, show(view.x.unit, mark.x));
        let (px, py) = context.backend_coord(&(x, ys.1));
        let (px, py) = (f64::from(px), f64::from(py));
        marked(plotter, "", &text, || {
            let line = PathElement::new(vec![(x, ys.0), (x, ys.1)], Ink::Percentile.style());
            let _ = context.draw_series(std::iter::once(line));
        });
        let places = [
            ((px, py - 5.0), Anchor::Middle),
            ((px + 4.0, py + 11.0), Anchor::Start),
            ((px + 4.0, py + 25.0), Anchor::Start),
        ];
        labels.place(&mut plotter.canvas.borrow_mut(), "small halo", &text, 10.5, &places);
    }
}

fn is_empty(view: &Chart) -> bool {
    match &view.plot {
        Plot::Bins(bins) => bins.is_empty(),
        Plot::Lines(series) | Plot::Steps(series) => series.iter().all(|one| one.points.is_empty()),
    }
}

/// Wraps what `draw` draws into a group with a tooltip.
fn marked(plotter: &Plotter, class: &str, tooltip: &str, draw: impl FnOnce()) {
    plotter.canvas.borrow_mut().open_mark(class, tooltip);
    draw();
    plotter.canvas.borrow_mut().close();
}

/// The data's extent in positions; y begins at 0 and neither is empty.
fn extents(view: &Chart) -> ((f64, f64), (f64, f64)) {
    let mut points: Vec<(f64, f64)> = Vec::new();
    match &view.plot {
        Plot::Bins(bins) => points.extend(bins.iter().flat_map(|&(from, to, height)| [(from, height), (to, height)])),
        Plot::Lines(series) | Plot::Steps(series) => {
            points.extend(series.iter().flat_map(|one| one.points.iter().copied()))
        }
    }
    let range = |axis: &Axis, values: &mut dyn Iterator<Item = f64>| {
        let positions = values.map(|value| ticks::position(axis, value)).filter(|position| position.is_finite());
        positions.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)))
    };
    let xs = range(&view.x, &mut points.iter().map(|p| p.0));
    let ys = range(&view.y, &mut points.iter().map(|p| p.1));
    let xs = if xs.0 > xs.1 {
        (0.0, 1.0)
    } else if xs.0 == xs.1 {
        (xs.0 - 0.5, xs.1 + 0.5)
    } else {
        xs
    };
    let ys = if ys.0 > ys.1 { (0.0, 1.0) } else { (ys.0.min(0.0), ys.1.max(ys.0.min(0.0) + f64::MIN_POSITIVE)) };
    let ys = if ys.1 - ys.0 < 1e-12 { (ys.0, ys.0 + 1.0) } else { ys };
    (xs, ys)
}

/// A position of an axis as text.
fn value(axis: &Axis, position: f64) -> String {
    show(axis.unit, if axis.is_log { 10f64.powf(position) } else { position })
}

fn show(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => text::float(value),
        Unit::Ns if value == 0.0 => "0".to_string(),
        Unit::Ns => crate::model::time::show_ns(value.round() as i64),
        Unit::Bytes => text::bytes(value.max(0.0) as u64),
        Unit::Share => format!("{} %", text::float(value * 100.0)),
    }
}
