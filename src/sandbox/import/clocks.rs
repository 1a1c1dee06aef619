//! The clocks of traces: whether there are any and, of traces that are merged, whether they have anything in common. It must not know what the traces hold.

use super::files::{self, TraceLog};
use super::source::OpenLog;
use super::{ClockOffset, EventClock};
use crate::model::pid::Origin;
use crate::model::time::show_ns;
use crate::model::{Failure, Outcome};

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

/// Errors: an offset is of no log, or the second of one; some of `logs` have times and some have none, so that nothing tells which
/// message of the one came before which of the other.
pub fn check(logs: &[TraceLog], offsets: &[ClockOffset]) -> Outcome<()> {
    for (place, offset) in offsets.iter().enumerate() {
        let Some(log) = logs.iter().find(|log| is_of(offset, log)) else {
            let files = logs.iter().flat_map(|log| &log.parts).map(|part| part.path.display().to_string());
            return Err(Failure::usage(format!("no trace file {} to shift in time", offset.file.display()))
                .hint(format!("files: {}", files.collect::<Vec<_>>().join(", "))));
        };
        if offsets[..place].iter().any(|before| is_of(before, log)) {
            return Err(Failure::usage(format!("{} is shifted in time twice: by which?", offset.file.display()))
                .hint("one --offset for a file, and for all files of a set"));
        }
    }
    // One alone is merged with nothing.
    if logs.len() < 2 {
        return Ok(());
    }
    let is_timed = |log: &TraceLog| files::first_message(&log.parts.first()?.path).map(|(_, stamp)| stamp.is_some());
    let name = |wanted: bool| logs.iter().find(|log| is_timed(log) == Some(wanted)).and_then(|log| log.parts.first());
    match (name(false), name(true)) {
        (Some(without), Some(with)) => Err(Failure::usage(format!(
            "the messages of {} have no times, those of {} have: they cannot be merged by time",
            without.path.display(),
            with.path.display()
        ))
        .hint("import each of them alone")
        .hint(TIMES_HINT)),
        _ => Ok(()),
    }
}

/// How a trace gets times.
const TIMES_HINT: &str = "dbg:p(all, [m, p, c, strict_monotonic_timestamp]) gives a trace its times";

/// What is told of traces whose messages have no times.
pub fn without_times(logs: &[OpenLog]) -> String {
    let order = if logs.len() > 1 { ", one file after the other" } else { "" };
    format!(
        "the trace messages have no times: events are counted 1 ns apart{order}, and durations say nothing; {TIMES_HINT}"
    )
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
