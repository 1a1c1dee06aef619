//! The space-time diagram: processes as lanes, callbacks as bars, messages as arrows, time from left to right.
//! With a focus, its events are at full ink and labelled, and the rest is faint.

use std::collections::BTreeSet;

use super::SvgOptions;
use super::axis::TimeAxis;
use super::canvas::{Anchor, Canvas};
use super::frame::{self, Entry, MARGIN};
use super::glyph;
use super::labels::{Labels, Rect};
use super::measure;
use super::theme;
use crate::model::time::show_ns;
use crate::view::{Arrow, ArrowKind, At, Lane, PointKind, Spacetime};

const NAME_PX: f64 = 12.5;
const ID_PX: f64 = 10.5;
const INDENT_PX: f64 = 12.0;
/// Arrows up to this number are labelled without a focus.
const LABELLED_ARROWS_MAX: usize = 40;
/// Points up to this number have their word beside them.
const LABELLED_POINTS_MAX: usize = 24;

/// Draws a view as a standalone SVG document. Cost: linear in marks, labels quadratic (few).
pub fn spacetime(view: &Spacetime, options: &SvgOptions) -> String {
    let mut canvas = Canvas::new();
    let top = frame::header(&mut canvas, &view.title, &view.subtitle, &legend(view), options.width);
    let plan = Plan::new(view, options.width, top);
    plan.lanes(&mut canvas);
    plan.grid(&mut canvas);
    plan.gaps(&mut canvas);
    plan.density(&mut canvas);
    plan.bars(&mut canvas);
    let mut labels = plan.labels();
    plan.arrows(&mut canvas, &mut labels);
    plan.points(&mut canvas, &mut labels);
    plan.cursor(&mut canvas);
    let bottom = frame::notes(&mut canvas, &view.notes, plan.bottom() + 42.0, options.width);
    let desc = format!("{}. Space-time diagram: one line per process, time from left to right.", view.subtitle);
    canvas.finish(options.width, bottom + MARGIN, &view.title, &desc)
}

/// The kinds of mark that occur, in a fixed order.
fn legend(view: &Spacetime) -> Vec<Entry> {
    let mut entries = Vec::new();
    if view.density.is_some() {
        entries.push(Entry::Box("heat h1", "few events".into()));
        entries.push(Entry::Box("heat h5", "most events".into()));
    }
    if view.bars.iter().any(|bar| !bar.is_supervisor) {
        entries.push(Entry::Box("bar", "callback".into()));
    }
    if view.bars.iter().any(|bar| bar.is_supervisor) {
        entries.push(Entry::Box("bar-sup", "supervisor".into()));
    }
    let arrows = ArrowKind::ALL.iter().filter(|kind| view.arrows.iter().any(|arrow| arrow.kind == **kind));
    entries.extend(arrows.map(|kind| Entry::Arrow(*kind)));
    let points = PointKind::ALL.iter().filter(|kind| view.points.iter().any(|point| point.kind == **kind));
    entries.extend(points.map(|kind| Entry::Point(*kind)));
    entries
}

/// Where everything goes.
struct Plan<'a> {
    view: &'a Spacetime,
    axis: TimeAxis<'a>,
    width: f64,
    left: f64,
    top: f64,
    lane_px: f64,
    names_px: f64,
}

impl<'a> Plan<'a> {
    fn new(view: &'a Spacetime, width: f64, header_bottom: f64) -> Plan<'a> {
        let name_px = |lane: &Lane| lane.depth as f64 * INDENT_PX + measure::width(&lane.name, NAME_PX) + 4.0;
        let names_px = view.lanes.iter().map(name_px).fold(40.0, f64::max).min(width * 0.16);
        let ids_px = view.lanes.iter().map(|lane| measure::width(&lane.id, ID_PX)).fold(0.0, f64::max).min(width * 0.1);
        let left = MARGIN + names_px + 14.0 + ids_px + 16.0;
        let lane_px = (700.0 / view.lanes.len().max(1) as f64).clamp(18.0, 58.0);
        // A row above the lanes is for gap lengths and the cursor's head.
        let top = header_bottom + 14.0;
        let axis = TimeAxis::new(view, left + 6.0, width - MARGIN - 12.0);
        Plan { view, axis, width, left, top, lane_px, names_px }
    }

    fn bottom(&self) -> f64 {
        self.top + self.lane_px * self.view.lanes.len() as f64
    }
    fn y(&self, lane: usize) -> f64 {
        self.top + self.lane_px * (lane as f64 + 0.5)
    }
    fn right(&self) -> f64 {
        self.width - MARGIN
    }
    fn at(&self, lane: usize, at: At) -> (f64, f64) {
        (self.axis.x(at), self.y(lane))
    }
    fn labels(&self) -> Labels {
        let frame = Rect {
            x: self.left,
            y: self.top - 6.0,
            width: self.right() - self.left,
            height: self.bottom() - self.top + 6.0,
        };
        Labels::new(frame)
    }
    /// Whether a mark of these events is at full ink.
    fn is_focused(&self, seqs: &[At]) -> bool {
        self.view.focus.is_empty() || seqs.iter().any(|at| self.view.focus.binary_search(&at.seq).is_ok())
    }
    fn since_start(&self, at: At) -> String {
        show_ns(at.at_ns - self.view.start_ns)
    }

    /// The lanes in which something is in focus.
    fn focused_lanes(&self) -> BTreeSet<usize> {
        if self.view.focus.is_empty() {
            return BTreeSet::new();
        }
        let arrows = self.view.arrows.iter().filter(|arrow| self.is_focused(&[arrow.from, arrow.to]));
        let bars = self.view.bars.iter().filter(|bar| self.is_focused(&[bar.from, bar.to]));
        let points = self.view.points.iter().filter(|point| self.is_focused(&[point.at]));
        let ends = arrows.flat_map(|arrow| [arrow.from_lane, arrow.to_lane]);
        ends.chain(bars.map(|bar| bar.lane)).chain(points.map(|point| point.lane)).collect()
    }

    fn lanes(&self, canvas: &mut Canvas) {
        let focused_lanes = self.focused_lanes();
        for (idx, lane) in self.view.lanes.iter().enumerate() {
            let y = self.y(idx);
            if idx % 2 == 0 {
                canvas.rect("band", (0.0, y - self.lane_px / 2.0), (self.width, self.lane_px), 0.0);
            }
            let indent = lane.depth as f64 * INDENT_PX;
            let name = measure::fit(&lane.name, NAME_PX, self.names_px - indent);
            let class = match (lane.is_supervisor, focused_lanes.is_empty() || focused_lanes.contains(&idx)) {
                (true, true) => "sup",
                (true, false) => "sup dim",
                (false, true) => "",
                (false, false) => "dim",
            };
            canvas.text(class, (MARGIN + indent, y + 4.3), Anchor::Start, &name);
            let id = measure::fit(&lane.id, ID_PX, self.left - 16.0 - MARGIN - self.names_px - 10.0);
            canvas.text("small dim", (self.left - 16.0, y + 4.0), Anchor::End, &id);
            let from = lane.from.map_or(self.left, |at| self.axis.x(at));
            let to = lane.to.map_or(self.right(), |at| self.axis.x(at));
            if from > self.left {
                canvas.line("ghost", (self.left, y), (from, y));
            }
            canvas.line("lane", (from, y), (to.max(from), y));
            if to < self.right() {
                canvas.line("ghost", (to.max(from), y), (self.right(), y));
            }
        }
    }

    fn grid(&self, canvas: &mut Canvas) {
        let (ticks, words) = self.axis.ticks(self.view.start_ns, 7.0);
        let mut free_from = self.left - 20.0;
        for tick in &ticks {
            canvas.line("grid", (tick.x, self.top), (tick.x, self.bottom()));
            let half = measure::width(&tick.label, 11.0) / 2.0;
            if tick.x - half >= free_from && tick.x + half <= self.width - 4.0 {
                canvas.text("tick", (tick.x, self.bottom() + 17.0), Anchor::Middle, &tick.label);
                free_from = tick.x + half + 8.0;
            }
        }
        let label = format!("{words}; the axis is half time, half event order");
        canvas.text("dim", ((self.left + self.right()) / 2.0, self.bottom() + 36.0), Anchor::Middle, &label);
    }

    fn gaps(&self, canvas: &mut Canvas) {
        let mut free_from = self.left;
        for gap in &self.view.gaps {
            let (from, to) = (self.axis.x_of_ns(gap.from_ns), self.axis.x_of_ns(gap.to_ns));
            let length = show_ns(gap.to_ns - gap.from_ns);
            let (a, b) = (from + 3.0, (to - 3.0).max(from + 5.0));
            canvas.mark("", &format!("nothing was recorded for {length}; cut out"), |canvas| {
                canvas.rect("gap", (a, self.top), (b - a, self.bottom() - self.top), 0.0);
                canvas.line("cut", (a, self.top - 4.0), (a, self.bottom()));
                canvas.line("cut", (b, self.top - 4.0), (b, self.bottom()));
                let label = format!("{length} cut");
                let half = measure::width(&label, 10.5) / 2.0;
                let middle = ((a + b) / 2.0).min(self.right() - half);
                if middle - half >= free_from {
                    canvas.text("small dim", (middle, self.top - 8.0), Anchor::Middle, &label);
                    free_from = middle + half + 8.0;
                }
            });
        }
    }

    fn density(&self, canvas: &mut Canvas) {
        let Some(density) = &self.view.density else { return };
        let most = density.counts.iter().flatten().copied().max().unwrap_or(0);
        let (left, right) = (self.left + 6.0, self.right() - 12.0);
        let bin_px = (right - left) / density.n_bins.max(1) as f64;
        let height = self.lane_px * 0.62;
        for (lane, counts) in density.counts.iter().enumerate() {
            for (bin, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
                let class = theme::heat_class(n.into(), most.into());
                let tooltip = format!("{}: {n} events", self.view.lanes[lane].full_name());
                canvas.mark(class, &tooltip, |canvas| {
                    canvas.rect("", (left + bin as f64 * bin_px, self.y(lane) - height / 2.0), (bin_px, height), 0.0);
                });
            }
        }
    }

    fn bars(&self, canvas: &mut Canvas) {
        let height = (self.lane_px * 0.3).clamp(6.0, 10.0);
        for bar in &self.view.bars {
            let ((from, y), (to, _)) = (self.at(bar.lane, bar.from), self.at(bar.lane, bar.to));
            let class = match (bar.is_supervisor, self.is_focused(&[bar.from, bar.to])) {
                (false, true) => "bar",
                (true, true) => "bar-sup",
                (false, false) => "bar pale",
                (true, false) => "bar-sup pale",
            };
            let took = show_ns(bar.to.at_ns - bar.from.at_ns);
            let lane = &self.view.lanes[bar.lane];
            let tooltip = format!(
                "{} {}\n{}\n#{} at {}, {took}",
                lane.name,
                lane.id,
                bar.label,
                bar.from.seq.0,
                self.since_start(bar.from)
            );
            canvas.mark(class, &tooltip, |canvas| {
                canvas.rect("", (from, y - height / 2.0), ((to - from).max(4.0), height), 2.0);
            });
        }
    }

    /// Faint arrows first, so that those in focus are on top.
    fn arrows(&self, canvas: &mut Canvas, labels: &mut Labels) {
        let is_focused = |arrow: &&Arrow| self.is_focused(&[arrow.from, arrow.to]);
        for arrow in self.view.arrows.iter().filter(|arrow| !is_focused(arrow)) {
            self.arrow(canvas, arrow, "faint");
        }
        let strength = if self.view.focus.is_empty() { "" } else { "strong" };
        let focused: Vec<&Arrow> = self.view.arrows.iter().filter(is_focused).collect();
        for arrow in &focused {
            self.arrow(canvas, arrow, strength);
        }
        if let Some(cursor) = self.view.cursor {
            let x = self.axis.x(cursor) - 3.0;
            labels.block(Rect { x, y: self.top, width: 6.0, height: self.bottom() - self.top });
        }
        for point in &self.view.points {
            labels.block(glyph::point_rect(self.at(point.lane, point.at)));
        }
        if focused.len() <= LABELLED_ARROWS_MAX {
            // One end can be told to many: its reason is written once.
            let mut told = BTreeSet::new();
            for arrow in focused {
                if arrow.kind != ArrowKind::Exit || told.insert((arrow.from_lane, &arrow.label)) {
                    self.arrow_label(canvas, labels, arrow);
                }
            }
        }
    }

    fn ends(&self, arrow: &Arrow) -> ((f64, f64), (f64, f64)) {
        (self.at(arrow.from_lane, arrow.from), self.at(arrow.to_lane, arrow.to))
    }

    fn arrow(&self, canvas: &mut Canvas, arrow: &Arrow, strength: &str) {
        let (from, to) = self.ends(arrow);
        let name = |lane: usize| self.view.lanes[lane].full_name();
        let tooltip = format!(
            "{} {}\n{} → {}\n#{} at {}, arrived as #{} after {}",
            arrow.kind.as_str(),
            arrow.label,
            name(arrow.from_lane),
            name(arrow.to_lane),
            arrow.from.seq.0,
            self.since_start(arrow.from),
            arrow.to.seq.0,
            show_ns(arrow.to.at_ns - arrow.from.at_ns),
        );
        let class = format!("{} {strength}", glyph::class(arrow.kind));
        canvas.mark(class.trim_end(), &tooltip, |canvas| {
            if arrow.from_lane == arrow.to_lane {
                glyph::loop_arrow(canvas, from, to, self.lane_px * 0.5);
            } else {
                let gap = if to.1 > from.1 { -4.0 } else { 4.0 };
                glyph::arrow(canvas, arrow.kind, from, (to.0, to.1 + gap));
            }
        });
    }

    fn arrow_label(&self, canvas: &mut Canvas, labels: &mut Labels, arrow: &Arrow) {
        let (from, to) = self.ends(arrow);
        let text = measure::fit(&arrow.label, 10.5, 150.0);
        let mut places = Vec::new();
        for share in [0.4, 0.55, 0.28, 0.7, 0.16, 0.84] {
            let (x, y) = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share + 4.0);
            places.push(((x + 7.0, y), Anchor::Start));
            places.push(((x - 7.0, y), Anchor::End));
        }
        labels.place(canvas, "small halo", &text, 10.5, &places);
    }

    fn points(&self, canvas: &mut Canvas, labels: &mut Labels) {
        let is_worth_words = |kind| !matches!(kind, PointKind::Spawn | PointKind::Exit);
        let has_words = self.view.points.iter().filter(|p| is_worth_words(p.kind)).count() <= LABELLED_POINTS_MAX;
        for point in &self.view.points {
            let at = self.at(point.lane, point.at);
            let is_focused = self.is_focused(&[point.at]);
            let lane = &self.view.lanes[point.lane];
            let tooltip = format!(
                "{} {}\n{}\n#{} at {}",
                lane.full_name(),
                glyph::name(point.kind),
                point.label,
                point.at.seq.0,
                self.since_start(point.at)
            );
            let class = glyph::point_class(point.kind);
            let class = if is_focused { class.to_string() } else { format!("{class} faint") };
            canvas.mark(&class, &tooltip, |canvas| {
                glyph::point(canvas, point.kind, at);
                if is_focused && has_words && is_worth_words(point.kind) {
                    glyph::point_label(canvas, labels, point.kind, at);
                }
            });
        }
    }

    fn cursor(&self, canvas: &mut Canvas) {
        let Some(cursor) = self.view.cursor else { return };
        let x = self.axis.x(cursor);
        let tooltip = format!("cursor at #{}, {}", cursor.seq.0, self.since_start(cursor));
        canvas.mark("cursor", &tooltip, |canvas| {
            canvas.line("", (x, self.top - 5.0), (x, self.bottom()));
            canvas.polyline("", &[(x - 5.0, self.top - 11.0), (x + 5.0, self.top - 11.0), (x, self.top - 4.0)], true);
        });
    }
}
