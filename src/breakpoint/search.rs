//! One condition over the recorded past. What the store can decide by its columns is pushed
//! down to it; the rest is asked event by event. It must not know breakpoints.

use std::ops::Range;

use super::{Candidate, Condition, Roster, Selector};
use crate::model::{Event, Filter, Outcome, Seq};
use crate::store::Recording;

/// A condition on the past of one branch. Made once, asked often.
pub struct Search<'a> {
    recording: &'a Recording,
    branch: u32,
    condition: &'a Condition,
    roster: Roster,
    /// `None` when nothing can match.
    filter: Option<Filter>,
}

impl<'a> Search<'a> {
    /// Prepares a search over `branch` and its past. Selectors by name or module cost one scan of the
    /// names and spawns, others nothing.
    pub fn new(recording: &'a Recording, branch: u32, condition: &'a Condition) -> Search<'a> {
        let roster = match condition.process {
            Selector::Name(_) | Selector::Module(_) => Roster::of(recording, &recording.lineage(branch)),
            Selector::Any | Selector::Id(_) | Selector::Actor(_) => Roster::default(),
        };
        let actors = if matches!(condition.process, Selector::Id(_)) { recording.actors() } else { Vec::new() };
        let filter = condition.filter(&actors, &roster);
        Search { recording, branch, condition, roster, filter }
    }

    /// The first hit after `at` within `line`. Errors: a script's.
    pub fn after(&self, line: &[Range<u64>], at: Option<Seq>) -> Outcome<Option<Event>> {
        let Some(filter) = self.narrowed(line, at.map_or(0, |seq| seq.0 + 1)..u64::MAX) else { return Ok(None) };
        self.first_hit(self.recording.scan(&filter))
    }

    /// The last hit before `at` (the end when `None`) within `line`. Errors: a script's.
    pub fn before(&self, line: &[Range<u64>], at: Option<Seq>) -> Outcome<Option<Event>> {
        let Some(filter) = self.narrowed(line, 0..at.map_or(u64::MAX, |seq| seq.0)) else { return Ok(None) };
        self.first_hit(self.recording.scan(&filter).rev())
    }

    /// All hits within `line` in order, `n_max` at most. Errors: a script's.
    pub fn all(&self, line: &[Range<u64>], n_max: usize) -> Outcome<Vec<Event>> {
        let Some(filter) = self.narrowed(line, 0..u64::MAX) else { return Ok(Vec::new()) };
        let hits = self.recording.scan(&filter).filter_map(|event| match self.holds(&event) {
            Ok(true) => Some(Ok(event)),
            Ok(false) => None,
            Err(failure) => Some(Err(failure)),
        });
        hits.take(n_max).collect()
    }

    fn first_hit(&self, mut events: impl Iterator<Item = Event>) -> Outcome<Option<Event>> {
        let hit = events.find_map(|event| match self.holds(&event) {
            Ok(true) => Some(Ok(event)),
            Ok(false) => None,
            Err(failure) => Some(Err(failure)),
        });
        hit.transpose()
    }

    fn holds(&self, event: &Event) -> Outcome<bool> {
        self.condition.holds(&Candidate::stored(*event, self.recording, self.branch), &self.roster)
    }

    /// The filter on the part of `line` inside `window` and, if the condition has ranges itself, inside those.
    fn narrowed(&self, line: &[Range<u64>], window: Range<u64>) -> Option<Filter> {
        let mut filter = self.filter.clone()?;
        let meet = |a: &Range<u64>, b: &Range<u64>| a.start.max(b.start)..a.end.min(b.end);
        let own = std::mem::take(&mut filter.ranges);
        for part in line.iter().map(|part| meet(part, &window)) {
            match own.as_slice() {
                [] => filter.ranges.push(part),
                own => filter.ranges.extend(own.iter().map(|range| meet(&part, range))),
            }
        }
        filter.ranges.retain(|range| !range.is_empty());
        if filter.ranges.is_empty() { None } else { Some(filter) }
    }
}
