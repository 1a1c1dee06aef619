//! One condition over the recorded past. What the store can decide by its columns is pushed
//! down to it; the rest is asked event by event. It must not know breakpoints.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::condition::{value_at, value_before};
use super::{Candidate, Condition, Roster, Selector, What};
use crate::model::{Actor, Event, Filter, Outcome, Seq, Term};
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
        let window = at.map_or(0, |seq| seq.0 + 1)..u64::MAX;
        let Some(filter) = self.narrowed(line, window) else { return Ok(None) };
        let mut pass = ForwardPass { search: self, values: FxHashMap::default() };
        self.recording.scan(&filter).find_map(|event| pass.hit(event)).transpose()
    }

    /// The last hit before `at` (the end when `None`) within `line`. Errors: a script's.
    pub fn before(&self, line: &[Range<u64>], at: Option<Seq>) -> Outcome<Option<Event>> {
        let Some(filter) = self.narrowed(line, 0..at.map_or(u64::MAX, |seq| seq.0)) else { return Ok(None) };
        let hit = |event: Event| as_hit(event, self.condition.holds(&self.candidate(event), &self.roster));
        self.recording.scan(&filter).rev().find_map(hit).transpose()
    }

    /// All hits within `line` in order, `n_max` at most. Errors: a script's.
    pub fn all(&self, line: &[Range<u64>], n_max: usize) -> Outcome<Vec<Event>> {
        let Some(filter) = self.narrowed(line, 0..u64::MAX) else { return Ok(Vec::new()) };
        let mut pass = ForwardPass { search: self, values: FxHashMap::default() };
        self.recording.scan(&filter).filter_map(|event| pass.hit(event)).take(n_max).collect()
    }

    fn candidate(&self, event: Event) -> Candidate<'a> {
        Candidate::stored(event, self.recording, self.branch)
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

/// Goes forward over every event that the filter passes. It remembers the value that a state condition
/// saw last of each process, which saves looking it up for each event.
struct ForwardPass<'s, 'a> {
    search: &'s Search<'a>,
    values: FxHashMap<Actor, Option<Term>>,
}

impl ForwardPass<'_, '_> {
    /// The event if it is a hit, or the failure of asking.
    fn hit(&mut self, event: Event) -> Option<Outcome<Event>> {
        let Search { condition, roster, .. } = self.search;
        let candidate = self.search.candidate(event);
        let What::State { path, test } = &condition.what else {
            return as_hit(event, condition.holds(&candidate, roster));
        };
        let value = candidate.payload().and_then(|state| value_at(&state, path));
        let known = self.values.insert(event.process, value.clone());
        let is_hit = condition.process.selects_event(&event, roster)
            && value.is_some_and(|value| {
                test.passes(&value) && known.unwrap_or_else(|| value_before(&candidate, path)) != Some(value)
            });
        as_hit(event, Ok(is_hit))
    }
}

fn as_hit(event: Event, holds: Outcome<bool>) -> Option<Outcome<Event>> {
    match holds {
        Ok(false) => None,
        Ok(true) => Some(Ok(event)),
        Err(failure) => Some(Err(failure)),
    }
}
