//! The clocks of traces that are merged: whether they have anything in common. It must not know what the traces hold.

use super::files::TraceLog;
use super::source::OpenLog;
use super::{ClockOffset, EventClock};
use crate::model::pid::Origin;
use crate::model::time::show_ns;

/// Where the messages of one log lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub node: Origin,
    pub clock: EventClock,
    pub first_ns: i64,
    pub last_ns: i64,
}

impl Span {
    pub fn new(node: Origin, clock: EventClock, at_ns: i64) -> Span {
        Span { node, clock, first_ns: at_ns, last_ns: at_ns }
    }
    /// Whether times of both can be compared: clocks that show the time of day, or one and the same.
    fn shares_clock(&self, other: &Span) -> bool {
        self.clock == other.clock && (self.clock == EventClock::Wall || self.node == other.node)
    }
    fn overlaps(&self, other: &Span) -> bool {
        self.first_ns <= other.last_ns && other.first_ns <= self.last_ns
    }
}

/// Whether an offset is meant for `log`.
pub fn is_of(offset: &ClockOffset, log: &TraceLog) -> bool {
    let is_named = |path: &std::path::Path| path == offset.file || path.file_name() == Some(offset.file.as_os_str());
    log.parts.iter().any(|part| is_named(&part.path))
}

/// What merging `logs` with these spans by time takes for granted: of each log that it was not told of, that its clock
/// is the first one's.
pub fn assumed(logs: &[OpenLog], spans: &[Option<Span>]) -> Vec<String> {
    let mut timed = logs.iter().zip(spans).filter_map(|(log, span)| Some((log, (*span)?)));
    let Some((first, reference)) = timed.next() else { return Vec::new() };
    let mut assumed = Vec::new();
    for (log, span) in timed.filter(|(log, _)| !log.is_shifted() && !first.is_shifted()) {
        let why = match (span.shares_clock(&reference), span.node == reference.node) {
            (false, false) => "the clocks of two nodes have nothing in common",
            (false, true) => "their clocks are not the same",
            (true, false) if !span.overlaps(&reference) => "the two nodes have no time in common",
            (true, _) => continue,
        };
        let (name, other) = (log.name(), first.name());
        let distance = match span.first_ns.saturating_sub(reference.first_ns) {
            ns if ns < 0 => format!("{} before", show_ns(ns.saturating_neg())),
            ns => format!("{} after", show_ns(ns)),
        };
        assumed.push(format!(
            "{other} and {name} were merged as their times are, so that {name} begins {distance} {other}, but {why}: \
             --offset {name}=TIME adds to its times"
        ));
    }
    assumed
}
