//! Floor 3: positions in a recording. A [`Timeline`] is a cursor over one branch's past, with the
//! director's controls. It must not know who moves it, nor any clock: playback is told how much time has passed.

mod line;
mod playback;
mod resolve;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::model::{Actor, Event, Failure, FailureKind, Filter, Kind, Moment, Outcome, Seq};
use crate::store::Recording;

pub use line::Line;
pub use playback::{Playback, PlaybackState};

/// A cursor over a recording. It stands *after* an event: everything up to and with it has happened.
///
/// Several timelines may stand on one recording; none of them owns it.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// The last event that has happened; `None` before the first.
    at: Option<Seq>,
    /// The branch whose past this is; `None` follows the newest.
    branch: Option<u32>,
    /// Seqs that the timeline is limited to.
    range: Option<Range<u64>>,
    playback: Playback,
}

/// Where a timeline stands.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Position {
    /// The last event that has happened; `None` before the first.
    pub seq: Option<Seq>,
    /// Events of this timeline that have happened.
    pub n_passed: u64,
    pub n_events: u64,
    /// The event's clock; that of the first event at the start. Outside of the code `at_ns` counts from the first event.
    #[serde(rename = "clock_ns")]
    pub at_ns: i64,
    /// Nanoseconds after the first event of this timeline.
    #[serde(rename = "at_ns")]
    pub since_start_ns: i64,
    /// Share of the events that have happened, 0 to 100.
    pub percent: f64,
    pub branch: u32,
}

impl Timeline {
    /// A timeline over the newest branch, standing at its end.
    pub fn new(recording: &Recording) -> Timeline {
        let mut timeline = Timeline { at: None, branch: None, range: None, playback: Playback::default() };
        timeline.to_end(recording);
        timeline
    }

    /// A timeline over a range of seqs, standing at its start. Errors: the range holds no event of the branch.
    pub fn over(recording: &Recording, range: Range<u64>) -> Outcome<Timeline> {
        let timeline = Timeline { at: None, branch: None, range: Some(range.clone()), playback: Playback::default() };
        if timeline.line(recording).is_empty() {
            return Err(Failure::not_found(format!("no event from #{} to before #{}", range.start, range.end)));
        }
        Ok(timeline)
    }

    /// The seqs that this timeline goes through.
    pub fn line(&self, recording: &Recording) -> Line {
        let branch = self.branch.unwrap_or_else(|| recording.current_branch());
        Line::new(recording.lineage(branch), self.range.clone())
    }

    /// The event after which the start lies: the last one before the timeline's range, or, of a ring, the last that is gone.
    /// `None` where a recording begins with its first event.
    pub fn before_start(&self, recording: &Recording) -> Option<Seq> {
        let branch = self.branch.unwrap_or_else(|| recording.current_branch());
        let past = Line::new(recording.lineage(branch), None);
        let first = self.line(recording).first().unwrap_or(recording.first());
        let gone = || recording.first().0.checked_sub(1).filter(|_| first == recording.first()).map(Seq);
        past.prev(first).or_else(gone)
    }

    /// The last event that has happened.
    pub fn at(&self) -> Option<Seq> {
        self.at
    }

    /// Where the timeline stands. Cost: one row fetch per end.
    pub fn position(&self, recording: &Recording) -> Position {
        let line = self.line(recording);
        let clock = |seq: Option<Seq>| seq.and_then(|seq| recording.event(seq)).map(|event| event.at_ns);
        let start_ns = clock(line.first()).unwrap_or(0);
        let at_ns = clock(self.at).unwrap_or(start_ns);
        let (n_passed, n_events) = (line.n_through(self.at), line.len());
        Position {
            seq: self.at,
            n_passed,
            n_events,
            at_ns,
            since_start_ns: at_ns.saturating_sub(start_ns),
            percent: if n_events == 0 { 0.0 } else { n_passed as f64 * 100.0 / n_events as f64 },
            branch: self.branch.unwrap_or_else(|| recording.current_branch()),
        }
    }

    /// Moves to a moment. Errors: no such event, mark or branch; the cursor stays.
    pub fn seek(&mut self, recording: &Recording, moment: &Moment) -> Outcome<()> {
        self.at = self.resolve(recording, moment)?;
        Ok(())
    }
    pub fn to_start(&mut self) {
        self.at = None;
    }
    pub fn to_end(&mut self, recording: &Recording) {
        self.at = self.line(recording).last();
    }
    pub fn is_at_end(&self, recording: &Recording) -> bool {
        self.at == self.line(recording).last()
    }

    /// Forward over `n` events. Errors: `end_of_timeline`, when not even one is left.
    pub fn step(&mut self, recording: &Recording, n: u64) -> Outcome<()> {
        let line = self.line(recording);
        let passed = line.n_through(self.at);
        if passed >= line.len() {
            return Err(end_of_timeline());
        }
        self.at = line.nth(passed.saturating_add(n).min(line.len()).checked_sub(1));
        Ok(())
    }

    /// Back over `n` events. Errors: `beginning_of_timeline`.
    pub fn step_back(&mut self, recording: &Recording, n: u64) -> Outcome<()> {
        let line = self.line(recording);
        let passed = line.n_through(self.at);
        if passed == 0 {
            return Err(beginning_of_timeline());
        }
        self.at = line.nth(passed.saturating_sub(n).checked_sub(1));
        Ok(())
    }

    /// Forward to the next event that matches `filter` (its ranges are replaced by the timeline's).
    /// Errors: `end_of_timeline` when none is left; the cursor stays.
    pub fn next_match(&mut self, recording: &Recording, mut filter: Filter) -> Outcome<Event> {
        filter.ranges = self.line(recording).after(self.at);
        let found = first_of(recording, &filter).ok_or_else(end_of_timeline)?;
        self.at = Some(found.seq);
        Ok(found)
    }

    /// Back to the nearest event before the cursor's that matches. Errors: `beginning_of_timeline`.
    pub fn prev_match(&mut self, recording: &Recording, mut filter: Filter) -> Outcome<Event> {
        filter.ranges = self.line(recording).before(self.at);
        let found = last_of(recording, &filter).ok_or_else(beginning_of_timeline)?;
        self.at = Some(found.seq);
        Ok(found)
    }

    /// Forward to the next event of `process`, or of the current event's process.
    pub fn next(&mut self, recording: &Recording, process: Option<Actor>) -> Outcome<Event> {
        let filter = self.of_process(recording, process)?;
        self.next_match(recording, filter)
    }
    /// Back to the previous event of `process`, or of the current event's process.
    pub fn prev(&mut self, recording: &Recording, process: Option<Actor>) -> Outcome<Event> {
        let filter = self.of_process(recording, process)?;
        self.prev_match(recording, filter)
    }

    /// Forward to the end of the callback that runs at the cursor; between callbacks, to the next end
    /// of one of the same process.
    pub fn finish(&mut self, recording: &Recording) -> Outcome<Event> {
        let filter =
            Filter { kinds: vec![Kind::HandleEnd, Kind::Exit, Kind::Crash], ..self.of_process(recording, None)? };
        self.next_match(recording, filter)
    }
    /// Back to the beginning of the callback that runs at the cursor.
    pub fn rfinish(&mut self, recording: &Recording) -> Outcome<Event> {
        let filter = Filter { kinds: vec![Kind::HandleStart, Kind::Spawn], ..self.of_process(recording, None)? };
        self.prev_match(recording, filter)
    }
    /// Forward to the next beginning of a callback, of `process` or of any.
    pub fn next_handler(&mut self, recording: &Recording, process: Option<Actor>) -> Outcome<Event> {
        self.next_match(
            recording,
            Filter { processes: process.into_iter().collect(), ..Filter::kind(Kind::HandleStart) },
        )
    }
    /// Back to the previous beginning of a callback.
    pub fn prev_handler(&mut self, recording: &Recording, process: Option<Actor>) -> Outcome<Event> {
        self.prev_match(
            recording,
            Filter { processes: process.into_iter().collect(), ..Filter::kind(Kind::HandleStart) },
        )
    }

    fn of_process(&self, recording: &Recording, process: Option<Actor>) -> Outcome<Filter> {
        let here = || self.at.and_then(|seq| recording.event(seq)).map(|event| event.process);
        let first = || self.line(recording).first().and_then(|seq| recording.event(seq)).map(|event| event.process);
        let actor = process.or_else(here).or_else(first).ok_or_else(end_of_timeline)?;
        Ok(Filter::default().process(actor))
    }

    pub fn playback(&self) -> &Playback {
        &self.playback
    }
    /// Starts playing: speed 1 is the recording's own pace, 10 ten times as fast, negative is backwards.
    /// Errors: a speed of 0 or not finite.
    pub fn play(&mut self, speed: f64) -> Outcome<()> {
        self.playback.play(speed)
    }
    pub fn pause(&mut self) {
        self.playback.pause();
    }
    /// Lets `elapsed_ns` of wall time pass and moves the cursor accordingly; gives the events that it
    /// went over, in the order of going. Pauses by itself at either end.
    pub fn advance(&mut self, recording: &Recording, elapsed_ns: i64) -> Vec<Seq> {
        let line = self.line(recording);
        let passed = self.playback.advance(recording, &line, self.at, elapsed_ns);
        if let Some(last) = passed.last() {
            self.at = if self.playback.speed() > 0.0 { Some(*last) } else { line.prev(*last) };
        }
        passed
    }
}

fn first_of(recording: &Recording, filter: &Filter) -> Option<Event> {
    if filter.ranges.is_empty() { None } else { recording.scan(filter).next() }
}

fn last_of(recording: &Recording, filter: &Filter) -> Option<Event> {
    if filter.ranges.is_empty() { None } else { recording.scan(filter).next_back() }
}

fn end_of_timeline() -> Failure {
    Failure::new(FailureKind::Edge, "end_of_timeline: no such event after this one")
        .hint("run() goes on where the source is a sandbox")
        .hint("seek(\"start\")")
}

fn beginning_of_timeline() -> Failure {
    Failure::new(FailureKind::Edge, "beginning_of_timeline: no such event before this one").hint("seek(\"end\")")
}
