//! Moments as positions of a timeline.

use crate::model::{Failure, Moment, Outcome, Seq};
use crate::store::Recording;

use super::{Line, Timeline};

impl Timeline {
    /// The event after which `moment` lies; `None` is the start. Moments by time lie after the last event
    /// that is not later. Cost: a binary search. Errors: unknown event, mark, or an event of another branch.
    pub fn resolve(&self, recording: &Recording, moment: &Moment) -> Outcome<Option<Seq>> {
        let line = self.line(recording);
        match moment {
            Moment::Start => Ok(None),
            Moment::End => Ok(line.last()),
            Moment::Seq(seq) => self.resolve_seq(recording, &line, *seq).map(Some),
            Moment::Percent(percent) => {
                let n = (line.len() as f64 * percent / 100.0).round() as u64;
                Ok(line.nth(n.checked_sub(1)))
            }
            Moment::SinceStartNs(ns) => {
                let start_ns = line.first().and_then(|seq| recording.event(seq)).map_or(0, |event| event.at_ns);
                Ok(at_time(recording, &line, start_ns.saturating_add(*ns)))
            }
            Moment::OffsetNs(ns) => {
                let here_ns = self.position(recording).at_ns;
                Ok(at_time(recording, &line, here_ns.saturating_add(*ns)))
            }
            Moment::OffsetEvents(n) => {
                let passed = line.n_through(self.at()).saturating_add_signed(*n).min(line.len());
                Ok(line.nth(passed.checked_sub(1)))
            }
            Moment::Mark(name) => match recording.marks().iter().find(|mark| mark.name == *name) {
                Some(mark) => self.resolve_seq(recording, &line, mark.at).map(Some),
                None => Err(unknown_mark(recording, name)),
            },
        }
    }

    fn resolve_seq(&self, recording: &Recording, line: &Line, seq: Seq) -> Outcome<Seq> {
        if line.contains(seq) {
            return Ok(seq);
        }
        if seq < recording.first() {
            let (seq, n_gone, first) = (seq.0, recording.evicted().n_events, recording.first().0);
            let what = match n_gone {
                0 => format!("event #{seq} is not there: the recording begins at #{first}"),
                _ => format!(
                    "event #{seq} was evicted: the recording begins at #{first}, {n_gone} events before it are gone"
                ),
            };
            return Err(Failure::not_found(what).hint("seek(\"start\")"));
        }
        if seq.0 >= recording.len() {
            let (n, first) = (recording.n_held(), recording.first().0);
            return Err(Failure::not_found(format!(
                "no event #{}: the recording has {n}, #{first} to #{}",
                seq.0,
                recording.len().saturating_sub(1)
            ))
            .hint("seek(\"end\")"));
        }
        Err(Failure::not_found(format!(
            "event #{} is not of this timeline: another branch or outside its range",
            seq.0
        ))
        .hint("timeline() makes one over the newest branch"))
    }
}

/// The last event at or before `at_ns`.
fn at_time(recording: &Recording, line: &Line, at_ns: i64) -> Option<Seq> {
    match recording.seek_time(line.ranges(), at_ns.saturating_add(1)) {
        Some(later) => line.prev(later),
        None => line.last(),
    }
}

fn unknown_mark(recording: &Recording, name: &str) -> Failure {
    let known: Vec<&str> = recording.marks().iter().map(|mark| mark.name.as_str()).collect();
    let failure = Failure::not_found(format!("no mark or snapshot {name:?}"));
    if known.is_empty() {
        failure.hint(format!("mark({name:?}) makes one here"))
    } else {
        failure.hint(format!("there are: {}", known.join(", ")))
    }
}
