//! The supervision tree with message arcs: the process graph. Boxes are processes in the order of the tree, arcs
//! are messages, as wide as they are many.

use super::SvgOptions;
use super::canvas::{Anchor, Canvas, Path};
use super::frame::{self, Entry, MARGIN};
use super::glyph;
use super::labels::{Labels, Rect};
use super::measure;
use crate::view::{Arc, ArrowKind, TreeArcs, TreeRow};

const BOX_PX: f64 = 21.0;
const INDENT_PX: f64 = 30.0;
const NAME_PX: f64 = 12.0;
const ARC_WIDTH_PX_MAX: f64 = 4.5;
/// Arcs whose count is written beside them.
const COUNTED_ARCS: usize = 14;

/// Draws a view as a standalone SVG document as wide as it needs, at most `options.width`.
pub fn tree_arcs(view: &TreeArcs, options: &SvgOptions) -> String {
    let arcs = without_answers(&view.arcs);
    let mut kinds: Vec<ArrowKind> = arcs.iter().map(|arc| arc.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut legend = vec![Entry::Box("box-sup", "supervisor".into()), Entry::Box("box", "process".into())];
    if view.tree.rows.iter().any(|row| row.status != "alive") {
        legend.push(Entry::Box("box-dead", "dead".into()));
    }
    legend.extend(kinds.into_iter().map(Entry::Arrow));
    let names = view.tree.rows.iter().map(|row| measure::width(row.short_name(), NAME_PX) + 20.0);
    let box_px = names.fold(110.0, f64::max).min(260.0);
    let ids_px = view.tree.rows.iter().map(|row| measure::width(&facts(row), 10.5)).fold(0.0, f64::max).min(200.0);
    let deepest = view.tree.rows.iter().map(|row| row.depth).max().unwrap_or(0) as f64;
    let ports = MARGIN + deepest * INDENT_PX + box_px + ids_px + 22.0;
    let longest = arcs.iter().map(|arc| arc.from.abs_diff(arc.to)).max().unwrap_or(0);
    let width = (ports + reach(longest) * 0.75 + 60.0).clamp(760.0, options.width.max(760.0));
    let mut canvas = Canvas::new();
    let top = frame::header(&mut canvas, &view.tree.title, &view.subtitle, &legend, width) + 10.0;
    let row_px = if view.tree.rows.len() > 30 { 25.0 } else { 30.0 };
    let plan = Plan { view, arcs, box_px, ports, top, row_px, width };
    plan.branches(&mut canvas);
    plan.boxes(&mut canvas);
    plan.arcs(&mut canvas);
    let mut notes = view.tree.notes.clone();
    if plan.arcs.len() < view.arcs.len() {
        notes.push("the replies to calls that are drawn are left out".to_string());
    }
    let bottom = frame::notes(&mut canvas, &notes, plan.bottom() + 6.0, width);
    canvas.finish(width, bottom + MARGIN, &view.tree.title, &view.subtitle)
}

/// Arcs without the replies to calls that are drawn.
fn without_answers(arcs: &[Arc]) -> Vec<Arc> {
    let is_answer = |arc: &Arc| {
        let is_its_call = |other: &Arc| other.kind == ArrowKind::Call && other.from == arc.to && other.to == arc.from;
        arc.kind == ArrowKind::Reply && arcs.iter().any(is_its_call)
    };
    arcs.iter().filter(|arc| !is_answer(arc)).cloned().collect()
}

/// How far right the control points of an arc over so many rows are.
fn reach(n_rows: usize) -> f64 {
    46.0 + 400.0 * (1.0 - (-(n_rows as f64) / 14.0).exp())
}

fn facts(row: &TreeRow) -> String {
    let restarts = match row.n_restarts {
        0 => String::new(),
        1 => "1 restart".to_string(),
        n => format!("{n} restarts"),
    };
    let id = if row.name.is_empty() { "" } else { &row.id };
    [id, &restarts].into_iter().filter(|fact| !fact.is_empty()).collect::<Vec<_>>().join("  ")
}

struct Plan<'a> {
    view: &'a TreeArcs,
    arcs: Vec<Arc>,
    box_px: f64,
    /// Where arcs begin and end.
    ports: f64,
    top: f64,
    row_px: f64,
    width: f64,
}

impl Plan<'_> {
    fn y(&self, row: usize) -> f64 {
        self.top + self.row_px * (row as f64 + 0.5)
    }
    fn bottom(&self) -> f64 {
        self.top + self.row_px * self.view.tree.rows.len() as f64
    }
    fn left(&self, row: &TreeRow) -> f64 {
        MARGIN + row.depth as f64 * INDENT_PX
    }

    /// The lines from each supervisor to its children.
    fn branches(&self, canvas: &mut Canvas) {
        let rows = &self.view.tree.rows;
        for (idx, row) in rows.iter().enumerate() {
            let below = rows[idx + 1..].iter().take_while(|other| other.depth > row.depth);
            let children: Vec<usize> =
                below.enumerate().filter(|(_, other)| other.depth == row.depth + 1).map(|(n, _)| idx + 1 + n).collect();
            let Some(last) = children.last() else { continue };
            let x = self.left(row) + 12.0;
            canvas.line("branch", (x, self.y(idx) + BOX_PX / 2.0), (x, self.y(*last)));
            for child in children {
                canvas.line("branch", (x, self.y(child)), (self.left(&rows[child]), self.y(child)));
            }
        }
    }

    fn boxes(&self, canvas: &mut Canvas) {
        for (idx, row) in self.view.tree.rows.iter().enumerate() {
            let (x, y) = (self.left(row), self.y(idx));
            let is_dead = row.status != "alive";
            let class = match (is_dead, row.is_supervisor) {
                (true, _) => "box-dead",
                (false, true) => "box-sup",
                (false, false) => "box",
            };
            let tooltip = format!("{}\n{}  {}", row.full_name(), row.status, row.detail);
            canvas.mark("", &tooltip, |canvas| {
                let radius = if row.is_supervisor { 0.0 } else { 6.0 };
                canvas.rect(class, (x, y - BOX_PX / 2.0), (self.box_px, BOX_PX), radius);
                let name = measure::fit(row.short_name(), NAME_PX, self.box_px - 18.0);
                let class = if is_dead { "struck" } else { "" };
                canvas.text(class, (x + 9.0, y + 4.2), Anchor::Start, &name);
                let facts = facts(row);
                canvas.text("small dim", (x + self.box_px + 8.0, y + 4.0), Anchor::Start, &facts);
                let from = x + self.box_px + 14.0 + measure::width(&facts, 10.5);
                if self.arcs.iter().any(|arc| arc.from == idx || arc.to == idx) && from < self.ports - 4.0 {
                    canvas.line("ghost", (from, y), (self.ports - 4.0, y));
                }
            });
        }
    }

    fn arcs(&self, canvas: &mut Canvas) {
        let most = self.arcs.iter().map(|arc| arc.n_messages).max().unwrap_or(1) as f64;
        let mut order: Vec<&Arc> = self.arcs.iter().collect();
        order.sort_by_key(|arc| (std::cmp::Reverse(arc.from.abs_diff(arc.to)), arc.from, arc.to, arc.kind));
        for arc in order {
            let stroke_px = 1.0 + (ARC_WIDTH_PX_MAX - 1.0) * (arc.n_messages as f64 / most).sqrt();
            let name = |row: usize| self.view.tree.rows[row].full_name();
            let tooltip = format!("{} → {}\n{} × {}", name(arc.from), name(arc.to), arc.n_messages, arc.kind.as_str());
            canvas.mark(&format!("arc {}", glyph::class(arc.kind)), &tooltip, |canvas| {
                self.arc(canvas, arc, stroke_px);
            });
        }
        self.counts(canvas);
    }

    /// Leaves its row a little above the middle and arrives a little below, so that both directions can be told apart.
    fn arc(&self, canvas: &mut Canvas, arc: &Arc, stroke_px: f64) {
        let (from, to) = (self.y(arc.from) - 3.5, self.y(arc.to) + 3.5);
        let head_px = 5.0 + stroke_px;
        let far = self.ports + self.reach(arc);
        let mut path = Path::default();
        path.move_to((self.ports, from));
        path.curve_to((far, from), (far, to), (self.ports + head_px, to));
        canvas.stroke("", &path, stroke_px);
        let half = 1.8 + stroke_px * 0.6;
        let x = self.ports + head_px;
        canvas.polyline("head", &[(self.ports, to), (x, to - half), (x, to + half)], true);
    }

    fn reach(&self, arc: &Arc) -> f64 {
        let room = (self.width - self.ports - 50.0) / 0.75;
        reach(arc.from.abs_diff(arc.to)).min(room) + arc.kind as usize as f64 * 4.0
    }

    /// The largest counts, at the arcs' outermost points, where there is room.
    fn counts(&self, canvas: &mut Canvas) {
        let frame =
            Rect { x: self.ports, y: self.top, width: self.width - self.ports, height: self.bottom() - self.top };
        let mut labels = Labels::new(frame);
        let mut order: Vec<&Arc> = self.arcs.iter().collect();
        order.sort_by_key(|arc| (std::cmp::Reverse(arc.n_messages), arc.from, arc.to));
        for arc in order.into_iter().take(COUNTED_ARCS) {
            let x = self.ports + self.reach(arc) * 0.75 + 4.0;
            let y = f64::midpoint(self.y(arc.from), self.y(arc.to)) + 4.0;
            let places = [((x, y), Anchor::Start), ((x, y - 12.0), Anchor::Start), ((x, y + 12.0), Anchor::Start)];
            labels.place(canvas, "small halo", &arc.n_messages.to_string(), 10.5, &places);
        }
    }
}
