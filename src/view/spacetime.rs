//! The space-time diagram as data: processes as lanes, callbacks as bars, messages as arrows.

use super::{Cell, Table};
use crate::model::{Actor, Seq};

/// What happened between processes over a stretch of a recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spacetime {
    pub title: String,
    /// Counts and what was done to the axis: `20 processes, 204 messages, 62 ms; idle gaps over 4 ms are cut`.
    pub subtitle: String,
    /// In drawing order: the order of the supervision tree.
    pub lanes: Vec<Lane>,
    pub bars: Vec<Bar>,
    pub arrows: Vec<Arrow>,
    pub points: Vec<Point>,
    /// Instead of `arrows` and `bars` where those would be too dense to read.
    pub density: Option<Density>,
    /// Every moment that something was drawn at, ascending: the order half of the axis.
    pub moments: Vec<At>,
    /// Stretches without events that the axis cuts out, ascending and disjoint.
    pub gaps: Vec<Gap>,
    pub cursor: Option<At>,
    /// Events at full ink, ascending; the rest is faint. Empty: all at full ink.
    pub focus: Vec<Seq>,
    /// The clock at the recording's start: ticks count from here.
    pub start_ns: i64,
    /// What is hidden or estimated.
    pub notes: Vec<String>,
}

/// A position: an event and its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub seq: Seq,
    pub at_ns: i64,
}

/// One process.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    pub actor: Actor,
    /// Empty when it has only its pid.
    pub name: String,
    /// The pid as text.
    pub id: String,
    /// Depth in the supervision tree.
    pub depth: usize,
    pub is_supervisor: bool,
    /// When it was spawned and when it ended; `None`: outside of this stretch.
    pub from: Option<At>,
    pub to: Option<At>,
}

/// A callback that ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    pub lane: usize,
    pub from: At,
    pub to: At,
    pub is_supervisor: bool,
    /// `handle_call get`, for the tooltip.
    pub label: String,
}

/// A message or signal from one lane to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrow {
    pub from_lane: usize,
    pub to_lane: usize,
    pub from: At,
    pub to: At,
    pub kind: ArrowKind,
    /// The message, bounded.
    pub label: String,
}

/// The sort of an arrow; each has a line style of its own beside its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArrowKind {
    Call,
    Cast,
    Reply,
    Info,
    Exit,
}

/// Something that happened at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub lane: usize,
    pub at: At,
    pub kind: PointKind,
    pub label: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PointKind {
    Spawn,
    Exit,
    Crash,
    Restart,
    Timeout,
    LateReply,
    /// A message to a dead process or an unknown name.
    Undelivered,
    Mark,
}

/// How busy each lane was: events per lane and equal share of the axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Density {
    /// `counts[lane][bin]`.
    pub counts: Vec<Vec<u32>>,
    pub n_bins: usize,
}

/// A stretch of time without events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from_ns: i64,
    pub to_ns: i64,
}

impl Lane {
    /// Name and pid.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.name, self.id).trim_start().to_string()
    }
    /// The name, or the pid of a process without one.
    pub fn short_name(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

impl ArrowKind {
    pub const ALL: [ArrowKind; 5] =
        [ArrowKind::Call, ArrowKind::Cast, ArrowKind::Reply, ArrowKind::Info, ArrowKind::Exit];

    pub fn as_str(self) -> &'static str {
        match self {
            ArrowKind::Call => "call",
            ArrowKind::Cast => "cast",
            ArrowKind::Reply => "reply",
            ArrowKind::Info => "info",
            ArrowKind::Exit => "exit",
        }
    }
}

impl PointKind {
    pub const ALL: [PointKind; 8] = [
        PointKind::Spawn,
        PointKind::Exit,
        PointKind::Crash,
        PointKind::Restart,
        PointKind::Timeout,
        PointKind::LateReply,
        PointKind::Undelivered,
        PointKind::Mark,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            PointKind::Spawn => "spawn",
            PointKind::Exit => "exit",
            PointKind::Crash => "crash",
            PointKind::Restart => "restart",
            PointKind::Timeout => "timeout",
            PointKind::LateReply => "late_reply",
            PointKind::Undelivered => "send_to_dead",
            PointKind::Mark => "mark",
        }
    }
}

impl Spacetime {
    /// The drawn marks, by seq.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&self.title, &[">seq", ">at_ns", "what", "process", "to", ">took_ns", "detail"]);
        let name = |lane: usize| Cell::Text(self.lanes[lane].full_name());
        let row = |at: At, what: &str, lane: usize, to: Option<(usize, At)>, label: &str| {
            vec![
                Cell::Seq(at.seq),
                Cell::Ns(at.at_ns - self.start_ns),
                Cell::Text(what.to_string()),
                name(lane),
                to.map_or(Cell::Empty, |(lane, _)| name(lane)),
                to.map_or(Cell::Empty, |(_, end)| Cell::Ns(end.at_ns - at.at_ns)),
                Cell::Text(label.to_string()),
            ]
        };
        let bars = self.bars.iter().map(|b| (b.from, row(b.from, "handle", b.lane, Some((b.lane, b.to)), &b.label)));
        let arrows = self
            .arrows
            .iter()
            .map(|a| (a.from, row(a.from, a.kind.as_str(), a.from_lane, Some((a.to_lane, a.to)), &a.label)));
        let points = self.points.iter().map(|p| (p.at, row(p.at, p.kind.as_str(), p.lane, None, &p.label)));
        let mut rows: Vec<_> = bars.chain(arrows).chain(points).collect();
        rows.sort_by_key(|(at, _)| *at);
        table.rows = rows.into_iter().map(|(_, row)| row).collect();
        if let Some(density) = &self.density {
            table = Table::new(&self.title, &["process", ">events"]);
            for (lane, counts) in self.lanes.iter().zip(&density.counts) {
                let n_events = counts.iter().map(|&n| i64::from(n)).sum();
                table.push(vec![Cell::Text(lane.full_name()), Cell::Int(n_events)]);
            }
        }
        table.notes.clone_from(&self.notes);
        table
    }
}
