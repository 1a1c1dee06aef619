//! Scans: a [`Filter`] pushed down to segments, posting lists and columns. It must agree with
//! [`Filter::matches`] on every event; it must not know payloads.
//!
//! A scan goes over parts (sealed segments, then the open tail). Each part gets a plan: the candidates
//! (ranges of indexes, or a posting list) and the tests that are still to be made. A plan is worked off in
//! chunks of [`CHUNK`] candidates, each to a vector of matching indexes; so memory is bounded, the first
//! match is cheap, and both ends can be asked in turn.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::Recording;
use super::columns::{CAUSE_ESCAPE, Columns, far_index};
use super::postings::Role;
use crate::model::{Actor, Event, Filter, Seq};

/// Candidates that are tested at once.
const CHUNK: usize = 1024;

/// A filter in the numbers of one recording.
struct Query<'r> {
    recording: &'r Recording,
    filter: &'r Filter,
    /// Ascending, disjoint, not empty ranges of seqs.
    ranges: Vec<Range<u64>>,
    kinds: u64,
    classes: u32,
    /// Dictionary numbers; `None` for any. What is not in the dictionary is in no event.
    processes: Option<Vec<u32>>,
    peers: Option<Vec<u32>>,
    involved: Option<Vec<u32>>,
    tags: Option<Vec<u32>>,
}

/// What is to be done in one part.
struct Plan<'r> {
    columns: Columns<'r>,
    candidates: Candidates<'r>,
    tests: Vec<Test>,
}

enum Candidates<'r> {
    /// Ascending, disjoint ranges of indexes.
    Ranges(Vec<Range<u32>>),
    /// Ascending indexes.
    List(Cow<'r, [[u8; 2]]>),
}

/// One condition on an index. Sets of local numbers are tables, with place 0 for "none" where there is such.
enum Test {
    Kinds(u64),
    Classes(u32),
    Process(Vec<bool>),
    Peer(Vec<bool>),
    /// Process or peer; numbered like peers.
    Involved(Vec<bool>),
    Tag(Vec<bool>),
    Call(u16),
    Cause(Seq),
    SizeMin(u32),
    Time(Range<i64>),
    Ranges(Vec<Range<u32>>),
}

/// Events of `recording` that match, from both ends.
pub fn scan<'r>(recording: &'r Recording, filter: &'r Filter) -> impl DoubleEndedIterator<Item = Event> + 'r {
    let query = Arc::new(Query::new(recording, filter));
    let plans = (0..recording.n_parts()).filter_map(move |part| query.plan(part).map(Arc::new));
    plans.flat_map(move |plan| {
        (0..plan.n_chunks()).flat_map(move |chunk| {
            let columns = plan.columns;
            let indexes = plan.matches(chunk);
            indexes.into_iter().map(move |idx| columns.event(usize::from(idx), &recording.dictionaries))
        })
    })
}

/// How many events match. A lone process, peer or range is answered from the index alone.
pub fn count(recording: &Recording, filter: &Filter) -> u64 {
    let query = Query::new(recording, filter);
    let count_plan = |plan: Plan<'_>| match (&plan.tests[..], &plan.candidates) {
        ([], candidates) => candidates.len() as u64,
        ([Test::Kinds(kinds)], Candidates::Ranges(ranges)) => {
            let in_range = |r: &Range<u32>| count_kinds(&plan.columns.kind[r.start as usize..r.end as usize], *kinds);
            ranges.iter().map(in_range).sum()
        }
        _ => (0..plan.n_chunks()).map(|chunk| plan.matches(chunk).len() as u64).sum(),
    };
    (0..recording.n_parts()).filter_map(|part| query.plan(part)).map(count_plan).sum()
}

fn count_kinds(column: &[[u8; 1]], kinds: u64) -> u64 {
    if kinds.is_power_of_two() {
        let kind = kinds.trailing_zeros() as u8;
        // Sums of up to 255 fit a byte: the compiler counts 16 or 32 events at once.
        return column.chunks(255).map(|c| u64::from(c.iter().map(|k| u8::from(k[0] == kind)).sum::<u8>())).sum();
    }
    column.iter().map(|kind| kinds >> kind[0] & 1).sum()
}

impl<'r> Query<'r> {
    fn new(recording: &'r Recording, filter: &'r Filter) -> Query<'r> {
        let actors = |wanted: &[Actor]| {
            let number = |actor: &Actor| recording.dictionaries.actors.find(*actor);
            (!wanted.is_empty()).then(|| wanted.iter().filter_map(number).collect())
        };
        let tag = |tag| recording.dictionaries.tags.find(tag);
        Query {
            recording,
            filter,
            ranges: normal_ranges(&filter.ranges, recording.first().0..recording.len()),
            kinds: filter.kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8),
            classes: filter.classes.iter().fold(0, |bits, class| bits | 1 << *class as u8),
            processes: actors(&filter.processes),
            peers: actors(&filter.peers),
            involved: actors(&filter.involved),
            tags: (!filter.tags.is_empty()).then(|| filter.tags.iter().filter_map(|t| tag(*t)).collect()),
        }
    }

    /// Whether a part can be passed over by its summary alone.
    fn is_outside(&self, part: usize) -> bool {
        let summary = self.recording.part_summary(part);
        let is_early = |time: &Range<i64>| summary.time_max_ns < time.start || summary.time_min_ns >= time.end;
        let first = self.ranges.partition_point(|range| range.end <= summary.seqs.start);
        self.ranges.get(first).is_none_or(|range| range.start >= summary.seqs.end)
            || self.filter.time_ns.as_ref().is_some_and(is_early)
            || (self.kinds != 0 && self.kinds & summary.kinds == 0)
            || self.filter.cause.is_some_and(|cause| {
                let is_far = summary.seqs.start > cause.0.saturating_add(CAUSE_ESCAPE.into());
                summary.seqs.end <= cause.0 || (is_far && !summary.has_far_causes)
            })
    }

    /// The plan for a part; `None` when nothing in it can match.
    fn plan(&self, part: usize) -> Option<Plan<'r>> {
        if self.is_outside(part) {
            return None;
        }
        let columns = self.recording.part_columns(part);
        let ranges = self.local_ranges(&columns);
        let is_whole = matches!(&ranges[..], [only] if only.len() == columns.len());
        let mut plan = Plan { candidates: Candidates::Ranges(ranges), tests: Vec::new(), columns };
        self.plan_actors(&mut plan)?;
        self.plan_cause(&mut plan);
        if let (Candidates::List(_), false) = (&plan.candidates, is_whole) {
            plan.tests.push(Test::Ranges(self.local_ranges(&columns)));
        }
        self.plan_fields(&mut plan)?;
        (plan.candidates.len() > 0).then_some(plan)
    }

    fn local_ranges(&self, columns: &Columns<'_>) -> Vec<Range<u32>> {
        let (start, end) = (columns.start, columns.start + columns.len() as u64);
        let first = self.ranges.partition_point(|range| range.end <= start);
        let inside = self.ranges[first..].iter().take_while(|range| range.start < end);
        inside.map(|r| (r.start.max(start) - start) as u32..(r.end.min(end) - start) as u32).collect()
    }

    /// Makes the shortest posting list the candidates, and tests of the other conditions on actors.
    fn plan_actors(&self, plan: &mut Plan<'r>) -> Option<()> {
        let columns = plan.columns;
        let conditions: [(&Option<Vec<u32>>, &[Role]); 3] = [
            (&self.processes, &[Role::Process]),
            (&self.peers, &[Role::Peer]),
            (&self.involved, &[Role::Process, Role::Peer]),
        ];
        let mut wanted = Vec::new();
        for (numbers, roles) in conditions {
            let Some(numbers) = numbers else { continue };
            let locals = locals(numbers, columns.actors, columns.is_sealed());
            if locals.is_empty() {
                return None;
            }
            let n_postings = || roles.iter().flat_map(|r| locals.iter().map(|l| columns.postings(*r, *l).len())).sum();
            let n_candidates: usize = if columns.is_sealed() { n_postings() } else { usize::MAX };
            wanted.push((n_candidates, roles, locals));
        }
        wanted.sort_by_key(|(n_candidates, ..)| *n_candidates);
        for (place, (n_candidates, roles, locals)) in wanted.into_iter().enumerate() {
            if place == 0 && n_candidates != usize::MAX {
                plan.candidates = Candidates::List(columns.union(roles, &locals));
                continue;
            }
            plan.tests.push(match roles {
                [Role::Process] => Test::Process(table(&locals, columns.actors.len(), 0)),
                [Role::Peer] => Test::Peer(table(&locals, columns.actors.len(), 1)),
                _ => Test::Involved(table(&locals, columns.actors.len(), 1)),
            });
        }
        Some(())
    }

    /// An effect lies near its cause, or in the table of the far ones.
    fn plan_cause(&self, plan: &mut Plan<'r>) {
        let Some(cause) = self.filter.cause else { return };
        let columns = plan.columns;
        if let Candidates::Ranges(_) = plan.candidates
            && columns.start > cause.0.saturating_add(CAUSE_ESCAPE.into())
        {
            let wanted = cause.0.to_le_bytes();
            let effects = columns.cause_far.iter().filter(|entry| entry[4..] == wanted);
            plan.candidates = Candidates::List(effects.map(|e| (far_index(e) as u16).to_le_bytes()).collect());
        } else {
            plan.tests.push(Test::Cause(cause));
        }
    }

    fn plan_fields(&self, plan: &mut Plan<'r>) -> Option<()> {
        let columns = &plan.columns;
        if self.kinds != 0 {
            plan.tests.push(Test::Kinds(self.kinds));
        }
        if self.classes != 0 {
            plan.tests.push(Test::Classes(self.classes));
        }
        if let Some(tags) = &self.tags {
            let locals = locals(tags, columns.tags, columns.is_sealed());
            if locals.is_empty() {
                return None;
            }
            plan.tests.push(Test::Tag(table(&locals, columns.tags.len(), 1)));
        }
        if let Some(call) = self.filter.call {
            let wanted = call.0.to_le_bytes();
            let place = columns.calls.iter().position(|key| *key == wanted)?;
            plan.tests.push(Test::Call(place as u16 + 1));
        }
        plan.tests.extend(self.filter.size_bytes_min.map(Test::SizeMin));
        plan.tests.extend(self.filter.time_ns.clone().map(Test::Time));
        Some(())
    }
}

/// Sorts, cuts to what is `held` and joins ranges; no range at all means everything.
fn normal_ranges(ranges: &[Range<u64>], held: Range<u64>) -> Vec<Range<u64>> {
    if ranges.is_empty() {
        return vec![held];
    }
    let cut = ranges.iter().map(|r| r.start.max(held.start)..r.end.min(held.end));
    let mut sorted: Vec<Range<u64>> = cut.filter(|r| !r.is_empty()).collect();
    sorted.sort_by_key(|range| range.start);
    let mut normal: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match normal.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => normal.push(range),
        }
    }
    normal
}

/// The local numbers of those dictionary numbers that a part has.
fn locals(numbers: &[u32], globals: &[[u8; 4]], is_ascending: bool) -> Vec<u16> {
    let place = |number: &u32| {
        if is_ascending {
            globals.binary_search_by_key(number, |global| u32::from_le_bytes(*global)).ok()
        } else {
            globals.iter().position(|global| u32::from_le_bytes(*global) == *number)
        }
    };
    numbers.iter().filter_map(place).map(|local| local as u16).collect()
}

/// A set of local numbers as a table, shifted by `none` places.
fn table(locals: &[u16], n_locals: usize, none: usize) -> Vec<bool> {
    let mut table = vec![false; n_locals + none];
    for local in locals {
        table[usize::from(*local) + none] = true;
    }
    table
}

impl Candidates<'_> {
    fn len(&self) -> usize {
        match self {
            Candidates::Ranges(ranges) => ranges.iter().map(Range::len).sum(),
            Candidates::List(list) => list.len(),
        }
    }

    /// Candidates number `from..to`, into `out`.
    fn collect(&self, from: usize, to: usize, out: &mut Vec<u16>) {
        match self {
            Candidates::List(list) => out.extend(list[from..to].iter().map(|idx| u16::from_le_bytes(*idx))),
            Candidates::Ranges(ranges) => {
                let mut n_before = 0;
                for range in ranges {
                    let first = from.clamp(n_before, n_before + range.len()) - n_before;
                    let last = to.clamp(n_before, n_before + range.len()) - n_before;
                    let begin = range.start as usize;
                    out.extend((begin + first..begin + last).map(|idx| idx as u16));
                    n_before += range.len();
                }
            }
        }
    }
}

impl Plan<'_> {
    fn n_chunks(&self) -> usize {
        self.candidates.len().div_ceil(CHUNK)
    }

    /// Indexes that match among the candidates of a chunk, ascending.
    fn matches(&self, chunk: usize) -> Vec<u16> {
        let (from, to) = (chunk * CHUNK, ((chunk + 1) * CHUNK).min(self.candidates.len()));
        let mut indexes = Vec::with_capacity(to - from);
        self.candidates.collect(from, to, &mut indexes);
        for test in &self.tests {
            self.keep(test, &mut indexes);
        }
        indexes
    }

    fn keep(&self, test: &Test, indexes: &mut Vec<u16>) {
        let columns = &self.columns;
        let local = |column: &[[u8; 2]], idx: usize| usize::from(u16::from_le_bytes(column[idx]));
        match test {
            Test::Kinds(kinds) => compact(indexes, |idx| kinds >> columns.kind[idx][0] & 1 == 1),
            Test::Classes(classes) => compact(indexes, |idx| classes >> columns.class[idx][0] & 1 == 1),
            Test::Process(set) => compact(indexes, |idx| set[local(columns.process, idx)]),
            Test::Peer(set) => compact(indexes, |idx| set[local(columns.peer, idx)]),
            Test::Involved(set) => {
                compact(indexes, |idx| set[local(columns.process, idx) + 1] | set[local(columns.peer, idx)]);
            }
            Test::Tag(set) => compact(indexes, |idx| set[local(columns.tag, idx)]),
            Test::Call(place) => compact(indexes, |idx| local(columns.call, idx) == usize::from(*place)),
            Test::Cause(cause) => compact(indexes, |idx| columns.cause(idx) == Some(*cause)),
            Test::SizeMin(min) => compact(indexes, |idx| columns.size_bytes(idx) >= *min),
            Test::Time(time) => compact(indexes, |idx| time.contains(&columns.at_ns(idx))),
            Test::Ranges(ranges) => compact(indexes, |idx| {
                let next = ranges.partition_point(|range| range.end as usize <= idx);
                ranges.get(next).is_some_and(|range| range.start as usize <= idx)
            }),
        }
    }
}

/// Keeps the indexes that pass, without branching on the outcome.
#[inline]
fn compact(indexes: &mut Vec<u16>, passes: impl Fn(usize) -> bool) {
    let mut n_kept = 0;
    for place in 0..indexes.len() {
        let idx = indexes[place];
        indexes[n_kept] = idx;
        n_kept += usize::from(passes(usize::from(idx)));
    }
    indexes.truncate(n_kept);
}
