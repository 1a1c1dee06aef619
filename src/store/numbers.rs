//! Numbers of events: times, sizes, waits since their causes and calls, column by column. It must not know what is made of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Recording;
use super::calls::CallStarts;
use super::columns::{Columns, far};
use super::plan::{Query, Selection};
use super::scan::Plan;
use crate::model::Seq;

/// A number of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    /// Its time.
    AtNs,
    SizeBytes,
    /// The time since its cause; events without a known cause have none.
    SinceCauseNs,
    /// The time since the request of its call; events without a call, and requests, have none.
    SinceCallNs,
}

/// Gives `each` the numbers of the selection's events, in order, many at a time.
pub fn numbers(recording: &Recording, selection: &Selection<'_>, number: Number, mut each: impl FnMut(&[i64])) {
    let mut values = Vec::new();
    each_part(recording, selection, number, |plan, numbers| {
        plan.each_chunk(|indexes| {
            numbers.read(indexes, &mut values);
            each(&values);
        });
    });
}

/// The `n` events with the largest numbers, largest first, of equal ones the earliest. Memory for `n` events.
pub fn largest(recording: &Recording, selection: &Selection<'_>, number: Number, n: usize) -> Vec<(i64, Seq)> {
    // The smallest of those kept is on top.
    let mut kept: BinaryHeap<Reverse<(i64, Reverse<Seq>)>> = BinaryHeap::new();
    each_part(recording, selection, number, |plan, numbers| {
        plan.each(|idx| {
            let Some(value) = numbers.get(idx) else { return };
            if kept.len() < n || kept.peek().is_some_and(|Reverse((least, _))| *least < value) {
                kept.push(Reverse((value, Reverse(Seq(plan.columns.start + idx as u64)))));
                if kept.len() > n {
                    kept.pop();
                }
            }
        });
    });
    kept.into_sorted_vec().into_iter().map(|Reverse((value, Reverse(seq)))| (value, seq)).collect()
}

/// Gives `each` the plans of a selection with what reads a number of their events.
fn each_part(
    recording: &Recording,
    selection: &Selection<'_>,
    number: Number,
    mut each: impl FnMut(&Plan<'_>, &Numbers<'_>),
) {
    let query = Query::new(recording, selection);
    let mut calls = CallStarts::default();
    let mut causes = Causes::default();
    for part in 0..recording.n_parts() {
        if number == Number::SinceCallNs {
            // Requests count wherever they are.
            if part > 0 {
                calls.leave(&recording.part_columns(part - 1));
            }
            calls.enter(&recording.part_columns(part));
        }
        let Some(plan) = query.plan_whole(part) else { continue };
        let columns = plan.columns;
        let are_many = columns.is_sealed() && plan.candidates.len() * 2 > columns.len();
        let by_cause = (number == Number::SinceCauseNs && are_many).then(|| {
            causes.enter(recording, &columns);
            &causes
        });
        let sizes = (number == Number::SizeBytes).then(|| plan.payload_sizes()).flatten();
        each(&plan, &Numbers { recording, columns, number, sizes, by_cause, calls: &calls });
    }
}

/// A number of the events of one part.
struct Numbers<'p> {
    recording: &'p Recording,
    columns: Columns<'p>,
    number: Number,
    /// By payload number, where that is less work.
    sizes: Option<Vec<u32>>,
    /// Of the part, where many are asked for.
    by_cause: Option<&'p Causes>,
    calls: &'p CallStarts,
}

impl Numbers<'_> {
    #[inline]
    fn get(&self, idx: usize) -> Option<i64> {
        let columns = &self.columns;
        match (self.number, &self.sizes, self.by_cause) {
            (Number::AtNs, ..) => Some(columns.at_ns(idx)),
            (Number::SizeBytes, Some(sizes), _) => Some(sizes[columns.payload.get(idx)].into()),
            (Number::SizeBytes, None, _) => Some(columns.size_bytes(idx).into()),
            (Number::SinceCauseNs, _, Some(causes)) => causes.since_ns(idx),
            (Number::SinceCauseNs, ..) => since_cause_ns(self.recording, columns, idx),
            (Number::SinceCallNs, ..) => self.calls.since_ns(columns, idx),
        }
    }

    /// The numbers of events, instead of what was in `values`.
    fn read(&self, indexes: &[u16], values: &mut Vec<i64>) {
        if let Some(causes) = self.by_cause {
            return causes.read(indexes, values);
        }
        values.clear();
        values.extend(indexes.iter().filter_map(|idx| self.get((*idx).into())));
    }
}

fn since_cause_ns(recording: &Recording, columns: &Columns<'_>, idx: usize) -> Option<i64> {
    Some(columns.at_ns(idx).saturating_sub(cause_ns(recording, columns, idx)?))
}

/// The time of an event's cause.
fn cause_ns(recording: &Recording, columns: &Columns<'_>, idx: usize) -> Option<i64> {
    let (_, of_cause, cause_idx) = recording.locate(columns.cause(idx)?)?;
    Some(of_cause.at_ns(cause_idx))
}

/// The times of a sealed part, and where in them that of each event's cause is: the join of events with their causes is two
/// look-ups in what stays in the cache.
#[derive(Default)]
struct Causes {
    /// Of the part's events, then of the causes in other parts.
    times: Vec<i64>,
    /// The event's own place when it has no known cause.
    places: Vec<u32>,
}

impl Causes {
    /// Goes on to a part.
    fn enter(&mut self, recording: &Recording, columns: &Columns<'_>) {
        let n_events = columns.len();
        columns.times().read_all(n_events, &mut self.times);
        columns.cause.read_all(n_events, &mut self.places, |distance| distance as u32);
        let escape = columns.cause_escape();
        for (idx, place) in (0u32..).zip(&mut self.places) {
            let distance = if *place == escape as u32 { 0 } else { *place };
            *place = idx.wrapping_sub(distance);
        }
        // A near cause may lie before the part, a far one in it.
        for idx in 0..n_events.min(escape) {
            if self.places[idx] as usize > idx {
                self.set_outer(recording, columns, idx);
            }
        }
        for (idx, distance) in columns.cause_far.iter().map(far) {
            match (idx as u64).checked_sub(distance) {
                Some(place) => self.places[idx] = place as u32,
                None => self.set_outer(recording, columns, idx),
            }
        }
    }

    /// Sets the place of an event whose cause is in another part.
    fn set_outer(&mut self, recording: &Recording, columns: &Columns<'_>, idx: usize) {
        let place = cause_ns(recording, columns, idx).map_or(idx, |at_ns| {
            self.times.push(at_ns);
            self.times.len() - 1
        });
        self.places[idx] = place as u32;
    }

    #[inline]
    fn since_ns(&self, idx: usize) -> Option<i64> {
        let place = self.places[idx] as usize;
        (place != idx).then(|| self.times[idx].saturating_sub(self.times[place]))
    }

    /// As [`Causes::since_ns`] of many, without branching on what has a cause.
    fn read(&self, indexes: &[u16], values: &mut Vec<i64>) {
        values.resize(indexes.len(), 0);
        let mut n_caused = 0;
        for idx in indexes.iter().map(|idx| usize::from(*idx)) {
            let place = self.places[idx] as usize;
            values[n_caused] = self.times[idx].saturating_sub(self.times[place]);
            n_caused += usize::from(place != idx);
        }
        values.truncate(n_caused);
    }
}
