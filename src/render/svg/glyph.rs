//! The marks of the diagrams: arrows and points, each with a shape of its own beside its colour.

use super::canvas::{Anchor, Canvas, Path};
use super::labels::{Labels, Rect};
use crate::view::{ArrowKind, PointKind};

/// Length and half width of an arrow's head.
const HEAD_PX: (f64, f64) = (8.0, 3.4);

/// The CSS class of an arrow.
pub fn class(kind: ArrowKind) -> &'static str {
    kind.as_str()
}

/// A straight arrow; its group carries the class.
pub fn arrow(canvas: &mut Canvas, kind: ArrowKind, from: (f64, f64), to: (f64, f64)) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(0.1);
    let (ux, uy) = (dx / length, dy / length);
    let scale = if kind == ArrowKind::Exit { 1.25 } else { 1.0 };
    let (head, half) = (HEAD_PX.0 * scale, HEAD_PX.1 * scale);
    let base = (to.0 - ux * head, to.1 - uy * head);
    canvas.line("", from, base);
    let side = |sign: f64| (base.0 - sign * uy * half, base.1 + sign * ux * half);
    canvas.polyline("head", &[to, side(1.0), side(-1.0)], true);
}

/// An arrow from a lane to itself: a small loop above the lane.
pub fn loop_arrow(canvas: &mut Canvas, from: (f64, f64), to: (f64, f64), height: f64) {
    let mut path = Path::default();
    let lift = to.1 - height;
    path.move_to(from);
    path.curve_to((from.0 + 2.0, lift), (to.0 - 2.0, lift), (to.0, to.1 - HEAD_PX.0));
    canvas.path("", &path);
    let base = to.1 - HEAD_PX.0;
    canvas.polyline("head", &[to, (to.0 - HEAD_PX.1, base), (to.0 + HEAD_PX.1, base)], true);
}

/// The CSS class of a point's group.
pub fn point_class(kind: PointKind) -> &'static str {
    match kind {
        PointKind::Spawn => "spawn",
        PointKind::Exit => "ended",
        PointKind::Crash => "crash",
        PointKind::Restart => "restart",
        PointKind::Timeout => "timeout",
        PointKind::LateReply => "late",
        PointKind::Undelivered => "undelivered",
        PointKind::Mark => "flag",
    }
}

/// What a legend calls it.
pub fn name(kind: PointKind) -> &'static str {
    match kind {
        PointKind::LateReply => "late reply",
        PointKind::Undelivered => "not delivered",
        kind => kind.as_str(),
    }
}

/// The symbol of a point, about 12 px large, centred on `at`.
pub fn point(canvas: &mut Canvas, kind: PointKind, at: (f64, f64)) {
    let (x, y) = at;
    match kind {
        PointKind::Spawn => canvas.circle("", at, 4.5),
        PointKind::Exit => canvas.line("", (x, y - 6.0), (x, y + 6.0)),
        PointKind::Crash => {
            canvas.line("", (x - 5.0, y - 5.0), (x + 5.0, y + 5.0));
            canvas.line("", (x - 5.0, y + 5.0), (x + 5.0, y - 5.0));
        }
        PointKind::Restart => {
            canvas.circle("", at, 5.0);
            canvas.line("", (x, y - 2.5), (x, y + 2.5));
            canvas.line("", (x - 2.5, y), (x + 2.5, y));
        }
        PointKind::Timeout => {
            let glass = [(x - 4.5, y - 5.5), (x + 4.5, y - 5.5), (x - 4.5, y + 5.5), (x + 4.5, y + 5.5)];
            canvas.polyline("", &glass, true);
        }
        PointKind::LateReply => {
            canvas.polyline("", &[(x - 5.0, y + 4.5), (x + 5.0, y + 4.5), (x, y - 5.0)], true);
        }
        PointKind::Undelivered => {
            canvas.circle("", at, 4.5);
            canvas.line("", (x - 3.2, y + 3.2), (x + 3.2, y - 3.2));
        }
        PointKind::Mark => {
            canvas.line("", (x, y + 6.0), (x, y - 7.0));
            canvas.polyline("", &[(x, y - 7.0), (x + 8.0, y - 4.5), (x, y - 2.0)], true);
        }
    }
}

/// Writes a point's word beside it where there is room.
pub fn point_label(canvas: &mut Canvas, labels: &mut Labels, kind: PointKind, at: (f64, f64)) {
    let (x, y) = at;
    let places = [
        ((x + 9.0, y + 4.0), Anchor::Start),
        ((x - 9.0, y + 4.0), Anchor::End),
        ((x, y - 9.0), Anchor::Middle),
        ((x, y + 17.0), Anchor::Middle),
    ];
    labels.place(canvas, "small halo", name(kind), 10.5, &places);
}

/// The room that a point's symbol takes.
pub fn point_rect(at: (f64, f64)) -> Rect {
    Rect { x: at.0 - 7.0, y: at.1 - 7.0, width: 14.0, height: 14.0 }
}
