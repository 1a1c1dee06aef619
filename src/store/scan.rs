//! Scans: a [`Filter`] pushed down to segments, posting lists and columns. It must agree with
//! [`Filter::matches`] on every event; it must not know payloads.
//!
//! A scan goes over parts (sealed segments, then the open tail). Each part gets a plan: the candidates
//! (ranges of indexes, or a posting list) and the tests that are still to be made. A plan is worked off in
//! chunks of [`CHUNK`] candidates, each to a vector of matching indexes; so memory is bounded, the first
//! match is cheap, and both ends can be asked in turn.

use std::ops::Range;
use std::sync::Arc;

use super::Recording;
use super::columns::{Columns, KIND_CHUNK_EVENTS, far};
use super::postings::{Role, Union};
use super::seal::CAUSE_WIDTH_MAX;
use crate::model::{Actor, Event, Filter, Kind, Seq};

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
    path_key: Option<u32>,
}

/// What is to be done in one part.
struct Plan<'r> {
    columns: Columns<'r>,
    candidates: Candidates,
    tests: Vec<Test>,
    /// Whether the candidates are all events of the part.
    is_whole: bool,
}

enum Candidates {
    /// Ascending, disjoint ranges of indexes.
    Ranges(Vec<Range<u32>>),
    /// Ascending indexes.
    List(Vec<u16>),
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
    Call(usize),
    Cause(Seq),
    SizeMin(u32),
    Time(Range<i64>),
    Ranges(Vec<Range<u32>>),
}

/// Events of `recording` that match, from both ends; with a `path_key` only state changes that may have written it.
pub fn scan<'r>(
    recording: &'r Recording,
    filter: &'r Filter,
    path_key: Option<u32>,
) -> impl DoubleEndedIterator<Item = Event> + 'r {
    let query = Arc::new(Query { path_key, ..Query::new(recording, filter) });
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
    let count_part = |part| query.count_by_index(part).or_else(|| query.plan(part).map(count_plan));
    (0..recording.n_parts()).filter_map(count_part).sum()
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
            path_key: None,
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
            || (self.path_key.is_some() && summary.kinds >> Kind::StateChange as u8 & 1 == 0)
            || self.filter.cause.is_some_and(|cause| {
                let is_far = summary.seqs.start > cause.0.saturating_add(1 << CAUSE_WIDTH_MAX);
                summary.seqs.end <= cause.0 || (is_far && !summary.has_far_causes)
            })
    }

    /// The count of a whole sealed part when one posting list has it.
    fn count_by_index(&self, part: usize) -> Option<u64> {
        let (role, numbers) = match (&self.processes, &self.peers, &self.tags) {
            (Some(numbers), None, None) => (Role::Process, numbers),
            (None, Some(numbers), None) => (Role::Peer, numbers),
            (None, None, Some(numbers)) => (Role::Tag, numbers),
            _ => return None,
        };
        let filter = self.filter;
        let is_alone = self.kinds == 0
            && self.classes == 0
            && self.involved.is_none()
            && (&filter.time_ns, filter.call, filter.cause, filter.size_bytes_min) == (&None, None, None, None);
        if !is_alone || self.is_outside(part) {
            return None;
        }
        let columns = self.recording.part_columns(part);
        let is_whole = matches!(&self.local_ranges(&columns)[..], [only] if only.len() == columns.len());
        let globals = if role == Role::Tag { columns.tags } else { columns.actors };
        let mut locals = locals(numbers, globals, true);
        locals.sort_unstable();
        locals.dedup();
        let count = || locals.iter().map(|local| columns.posting(role, usize::from(*local)).n_events()).sum();
        (is_whole && columns.is_sealed()).then(count)
    }

    /// The plan for a part; `None` when nothing in it can match.
    fn plan(&self, part: usize) -> Option<Plan<'r>> {
        if self.is_outside(part) {
            return None;
        }
        let columns = self.recording.part_columns(part);
        let ranges = self.local_ranges(&columns);
        let is_whole = matches!(&ranges[..], [only] if only.len() == columns.len());
        let mut plan = Plan { candidates: Candidates::Ranges(ranges), tests: Vec::new(), columns, is_whole };
        self.plan_path(&mut plan);
        self.plan_cause(&mut plan);
        self.plan_numbers(&mut plan)?;
        self.plan_kinds(&mut plan);
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

    fn plan_path(&self, plan: &mut Plan<'r>) {
        if let Some(key) = self.path_key.filter(|_| plan.columns.is_sealed()) {
            plan.candidates = Candidates::List(plan.columns.writers(key));
        }
    }

    /// Makes the shortest posting list the candidates, and tests of the other conditions on actors and tags.
    fn plan_numbers(&self, plan: &mut Plan<'r>) -> Option<()> {
        let columns = plan.columns;
        type Wanted<'a> = (&'a Option<Vec<u32>>, &'a [Role], &'a [[u8; 4]]);
        let conditions: [Wanted<'_>; 4] = [
            (&self.processes, &[Role::Process], columns.actors),
            (&self.peers, &[Role::Peer], columns.actors),
            (&self.involved, &[Role::Process, Role::Peer], columns.actors),
            (&self.tags, &[Role::Tag], columns.tags),
        ];
        let mut wanted = Vec::new();
        for (numbers, roles, globals) in conditions {
            let Some(numbers) = numbers else { continue };
            let locals = locals(numbers, globals, columns.is_sealed());
            if locals.is_empty() {
                return None;
            }
            let postings =
                || roles.iter().flat_map(|role| locals.iter().map(|l| columns.posting(*role, usize::from(*l))));
            let n_candidates =
                if columns.is_sealed() { postings().map(|p| p.n_candidates()).sum() } else { usize::MAX };
            wanted.push((n_candidates, roles, locals, globals.len()));
        }
        wanted.sort_by_key(|(n_candidates, ..)| *n_candidates);
        for (place, (n_candidates, roles, locals, n_globals)) in wanted.into_iter().enumerate() {
            let is_open = matches!(plan.candidates, Candidates::Ranges(_));
            if place == 0 && is_open && n_candidates < plan.candidates.len() {
                let postings =
                    roles.iter().flat_map(|role| locals.iter().map(|l| columns.posting(*role, usize::from(*l))));
                let union = Union::of(postings);
                if union.is_exact() {
                    plan.candidates = Candidates::List(union.into_indexes());
                    continue;
                }
                plan.narrow(union.ranges(columns.len()));
            }
            plan.tests.push(match roles {
                [Role::Process] => Test::Process(table(&locals, n_globals, 0)),
                [Role::Peer] => Test::Peer(table(&locals, n_globals, 1)),
                [Role::Tag] => Test::Tag(table(&locals, n_globals, 1)),
                _ => Test::Involved(table(&locals, n_globals, 1)),
            });
        }
        Some(())
    }

    /// An effect lies near its cause, or in the table of the far ones.
    fn plan_cause(&self, plan: &mut Plan<'r>) {
        let Some(cause) = self.filter.cause else { return };
        let columns = plan.columns;
        let n_events = columns.len() as u64;
        let near =
            |distance: u64| cause.0.saturating_add(distance).saturating_sub(columns.start).min(n_events) as usize;
        let is_effect = |idx: &usize| columns.cause(*idx) == Some(cause);
        let mut effects: Vec<u16> =
            (near(1)..near(columns.cause_escape() as u64)).filter(is_effect).map(|i| i as u16).collect();
        effects.extend(columns.far_effects(cause));
        effects.sort_unstable();
        effects.dedup();
        if matches!(plan.candidates, Candidates::List(_)) {
            plan.tests.push(Test::Cause(cause));
        } else {
            plan.candidates = Candidates::List(effects);
        }
    }

    /// Passes over the chunks in which none of the kinds appears.
    fn plan_kinds(&self, plan: &mut Plan<'r>) {
        if self.kinds == 0 || !matches!(plan.candidates, Candidates::Ranges(_)) {
            return;
        }
        let chunks = plan.columns.chunk_kinds.iter().enumerate();
        let lacking = chunks.clone().filter(|(_, kinds)| u64::from_le_bytes(**kinds) & self.kinds == 0).count();
        if lacking > 0 {
            let having = chunks.filter(|(_, kinds)| u64::from_le_bytes(**kinds) & self.kinds != 0);
            let end = |chunk: usize| ((chunk + 1) * KIND_CHUNK_EVENTS).min(plan.columns.len()) as u32;
            plan.narrow(having.map(|(chunk, _)| (chunk * KIND_CHUNK_EVENTS) as u32..end(chunk)).collect());
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
        if let Some(call) = self.filter.call {
            let place = match columns.is_sealed() {
                true => columns.calls.binary_search_by_key(&call.0, |key| u64::from_le_bytes(*key)).ok()?,
                false => columns.calls.iter().position(|key| u64::from_le_bytes(*key) == call.0)?,
            };
            plan.tests.push(Test::Call(place + 1));
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

impl Columns<'_> {
    /// Indexes of the events that an event caused which lies further back than a near cause.
    fn far_effects(&self, cause: Seq) -> Vec<u16> {
        let cause_at = |place: usize| {
            let (idx, distance) = far(&self.cause_far[place]);
            (self.start + idx as u64).saturating_sub(distance)
        };
        if !self.is_sealed() {
            let places = (0..self.cause_far.len()).filter(|place| cause_at(*place) == cause.0);
            return places.map(|place| far(&self.cause_far[place]).0 as u16).collect();
        }
        let place = |order: &[u8; 2]| usize::from(u16::from_le_bytes(*order));
        let begin = self.cause_order.partition_point(|order| cause_at(place(order)) < cause.0);
        let found = self.cause_order[begin..].iter().map(place).take_while(|place| cause_at(*place) == cause.0);
        found.map(|place| far(&self.cause_far[place]).0 as u16).collect()
    }
}

impl Candidates {
    fn len(&self) -> usize {
        match self {
            Candidates::Ranges(ranges) => ranges.iter().map(Range::len).sum(),
            Candidates::List(list) => list.len(),
        }
    }

    /// Candidates number `from..to`, into `out`.
    fn collect(&self, from: usize, to: usize, out: &mut Vec<u16>) {
        match self {
            Candidates::List(list) => out.extend_from_slice(&list[from..to]),
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
    /// Leaves of the candidates those inside `ranges`.
    fn narrow(&mut self, ranges: Vec<Range<u32>>) {
        self.candidates = match std::mem::replace(&mut self.candidates, Candidates::List(Vec::new())) {
            Candidates::List(mut list) => {
                let is_inside = |idx: u32| {
                    let next = ranges.partition_point(|range| range.end <= idx);
                    ranges.get(next).is_some_and(|range| range.start <= idx)
                };
                list.retain(|idx| is_inside(u32::from(*idx)));
                Candidates::List(list)
            }
            Candidates::Ranges(_) if self.is_whole => Candidates::Ranges(ranges),
            Candidates::Ranges(own) => {
                let cut = own.iter().flat_map(|own| {
                    let first = ranges.partition_point(|range| range.end <= own.start);
                    let near = ranges[first..].iter().take_while(|range| range.start < own.end);
                    near.map(|range| range.start.max(own.start)..range.end.min(own.end))
                });
                Candidates::Ranges(cut.collect())
            }
        };
        self.is_whole = false;
    }

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
        let (process, peer, tag, call) = (columns.process, columns.peer, columns.tag, columns.call);
        match test {
            Test::Kinds(kinds) => compact(indexes, |idx| kinds >> columns.kind[idx][0] & 1 == 1),
            Test::Classes(classes) => compact(indexes, |idx| classes >> columns.class.get(idx) & 1 == 1),
            Test::Process(set) => compact(indexes, |idx| set[process.get(idx)]),
            Test::Peer(set) => compact(indexes, |idx| set[peer.get(idx)]),
            Test::Involved(set) => compact(indexes, |idx| set[process.get(idx) + 1] | set[peer.get(idx)]),
            Test::Tag(set) => compact(indexes, |idx| set[tag.get(idx)]),
            Test::Call(place) => compact(indexes, |idx| call.get(idx) == *place),
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
