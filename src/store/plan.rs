//! Plans: what of a part must be looked at to answer a [`Selection`]. Segment summaries, the kinds of each chunk, posting
//! lists and the indexes of causes and changed paths pass over what cannot match; what is left are candidates and tests.
//! It must agree with [`Filter::matches`] on every event, and must not know what is done with the matches.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::columns::{Columns, KIND_CHUNK_EVENTS, far};
use super::postings::{Role, Union};
use super::scan::{Candidates, Plan, Test};
use super::seal::CAUSE_WIDTH_MAX;
use super::text::Text;
use super::{Recording, paths};
use crate::model::{Actor, Filter, Kind, Path, Seq};

/// Which events are asked for: those that match the filter and have every text.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    pub filter: &'a Filter,
    pub texts: &'a [Text],
    /// Only state changes that may have written this field: all that did, and some that did not.
    pub path: Option<&'a Path>,
    /// Only events that bear the reference of a call.
    pub is_of_call: bool,
    /// When somebody sets it, the search ends and its answer is only a part: who sets it asks no further.
    pub stop: Option<&'a AtomicBool>,
}

impl<'a> Selection<'a> {
    pub fn of(filter: &'a Filter) -> Selection<'a> {
        Selection { filter, texts: &[], path: None, is_of_call: false, stop: None }
    }
    pub fn texts(self, texts: &'a [Text]) -> Selection<'a> {
        Selection { texts, ..self }
    }
    pub fn until(self, stop: &'a AtomicBool) -> Selection<'a> {
        Selection { stop: Some(stop), ..self }
    }
}

/// Why a part is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pruned {
    Range,
    Time,
    Kind,
    Cause,
    /// No actor or tag of this name is in it.
    Name,
    Call,
    /// An index gives no candidate.
    Index,
    Text,
    Stopped,
}

/// What gave the candidates of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Index {
    Path,
    Cause,
    Process,
    Peer,
    Involved,
    Tag,
    KindChunks,
}

/// A [`Selection`] in the numbers of one recording.
pub struct Query<'r> {
    pub recording: &'r Recording,
    pub filter: &'r Filter,
    pub texts: &'r [Text],
    stop: Option<&'r AtomicBool>,
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
    is_of_call: bool,
    /// Tags that have each text.
    pub tags_with_text: Vec<Vec<u32>>,
}

impl<'r> Query<'r> {
    pub fn new(recording: &'r Recording, selection: &Selection<'r>) -> Query<'r> {
        let filter = selection.filter;
        let actors = |wanted: &[Actor]| {
            let number = |actor: &Actor| recording.dictionaries.actors.find(*actor);
            (!wanted.is_empty()).then(|| wanted.iter().filter_map(number).collect())
        };
        let tags = &recording.dictionaries.tags;
        let having = |text: &Text| {
            let numbered = (0u32..).zip(tags.items());
            numbered.filter(|(_, tag)| text.is_in(tag.as_str().as_bytes())).map(|(number, _)| number).collect()
        };
        Query {
            recording,
            filter,
            texts: selection.texts,
            stop: selection.stop,
            ranges: normal_ranges(&filter.ranges, recording.first().0..recording.len()),
            kinds: filter.kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8),
            classes: filter.classes.iter().fold(0, |bits, class| bits | 1 << *class as u8),
            processes: actors(&filter.processes),
            peers: actors(&filter.peers),
            involved: actors(&filter.involved),
            tags: (!filter.tags.is_empty()).then(|| filter.tags.iter().filter_map(|tag| tags.find(*tag)).collect()),
            path_key: selection.path.and_then(|path| path.steps.first()).map(paths::key_of),
            is_of_call: selection.is_of_call,
            tags_with_text: selection.texts.iter().map(having).collect(),
        }
    }

    /// Whether somebody wants the search to end.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Why a part can be passed over by its summary alone.
    fn outside(&self, part: usize) -> Option<Pruned> {
        let summary = self.recording.part_summary(part);
        let is_early = |time: &Range<i64>| summary.time_max_ns < time.start || summary.time_min_ns >= time.end;
        let first = self.ranges.partition_point(|range| range.end <= summary.seqs.start);
        let is_kind_missing = (self.kinds != 0 && self.kinds & summary.kinds == 0)
            || (self.path_key.is_some() && summary.kinds >> Kind::StateChange as u8 & 1 == 0);
        let is_causeless = self.filter.cause.is_some_and(|cause| {
            let is_far = summary.seqs.start > cause.0.saturating_add(1 << CAUSE_WIDTH_MAX);
            summary.seqs.end <= cause.0 || (is_far && !summary.has_far_causes)
        });
        if self.is_stopped() {
            return Some(Pruned::Stopped);
        }
        if self.ranges.get(first).is_none_or(|range| range.start >= summary.seqs.end) {
            return Some(Pruned::Range);
        }
        let is_at_other_time = self.filter.time_ns.as_ref().is_some_and(is_early);
        let reasons =
            [(is_at_other_time, Pruned::Time), (is_kind_missing, Pruned::Kind), (is_causeless, Pruned::Cause)];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, why)| why)
    }

    /// The count of a whole sealed part when one posting list has it.
    pub fn count_by_index(&self, part: usize) -> Option<u64> {
        let (role, numbers) = match (&self.processes, &self.peers, &self.tags) {
            (Some(numbers), None, None) => (Role::Process, numbers),
            (None, Some(numbers), None) => (Role::Peer, numbers),
            (None, None, Some(numbers)) => (Role::Tag, numbers),
            _ => return None,
        };
        let filter = self.filter;
        let is_alone = self.kinds == 0
            && self.texts.is_empty()
            && self.classes == 0
            && self.involved.is_none()
            && !self.is_of_call
            && (&filter.time_ns, filter.call, filter.cause, filter.size_bytes_min) == (&None, None, None, None);
        if !is_alone || self.outside(part).is_some() {
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

    /// The plan for a part, before texts are looked for. Errors say why nothing in it can match.
    pub fn plan(&self, part: usize) -> Result<Plan<'r>, Pruned> {
        if let Some(why) = self.outside(part) {
            return Err(why);
        }
        let columns = self.recording.part_columns(part);
        let ranges = self.local_ranges(&columns);
        let is_whole = matches!(&ranges[..], [only] if only.len() == columns.len());
        let candidates = Candidates::Ranges(ranges);
        let mut plan = Plan { candidates, tests: Vec::new(), columns, is_whole, indexes: Vec::new() };
        self.plan_path(&mut plan);
        self.plan_cause(&mut plan);
        self.plan_numbers(&mut plan)?;
        self.plan_kinds(&mut plan);
        if let (Candidates::List(_), false) = (&plan.candidates, is_whole) {
            plan.tests.push(Test::Ranges(self.local_ranges(&columns)));
        }
        self.plan_fields(part, &mut plan)?;
        if plan.candidates.len() > 0 { Ok(plan) } else { Err(Pruned::Index) }
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
            plan.indexes.push(Index::Path);
        }
    }

    /// Makes the shortest posting list the candidates, and tests of the other conditions on actors and tags.
    fn plan_numbers(&self, plan: &mut Plan<'r>) -> Result<(), Pruned> {
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
                return Err(Pruned::Name);
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
                plan.indexes.push(match roles {
                    [Role::Process] => Index::Process,
                    [Role::Peer] => Index::Peer,
                    [Role::Tag] => Index::Tag,
                    _ => Index::Involved,
                });
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
        Ok(())
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
            plan.indexes.push(Index::Cause);
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
            plan.indexes.push(Index::KindChunks);
            plan.narrow(having.map(|(chunk, _)| (chunk * KIND_CHUNK_EVENTS) as u32..end(chunk)).collect());
        }
    }

    fn plan_fields(&self, part: usize, plan: &mut Plan<'r>) -> Result<(), Pruned> {
        let columns = &plan.columns;
        if self.kinds != 0 {
            plan.tests.push(Test::Kinds(self.kinds));
        }
        if self.classes != 0 {
            plan.tests.push(Test::Classes(self.classes));
        }
        if self.is_of_call {
            if columns.calls.is_empty() {
                return Err(Pruned::Call);
            }
            plan.tests.push(Test::HasCall);
        }
        if let Some(call) = self.filter.call {
            let place = match columns.is_sealed() {
                true => columns.calls.binary_search_by_key(&call.0, |key| u64::from_le_bytes(*key)).ok(),
                false => columns.calls.iter().position(|key| u64::from_le_bytes(*key) == call.0),
            };
            let place = place.ok_or(Pruned::Call)?;
            plan.tests.push(Test::Call(place + 1));
        }
        if let Some(min) = self.filter.size_bytes_min {
            let of_sizes = |sizes: Vec<u32>| Test::Payload(sizes.into_iter().map(|size| size >= min).collect());
            plan.tests.push(plan.payload_sizes().map_or(Test::SizeMin(min), of_sizes));
        }
        let summary = self.recording.part_summary(part);
        let is_split =
            |time: &&Range<i64>| !(time.contains(&summary.time_min_ns) && time.contains(&summary.time_max_ns));
        plan.tests.extend(self.filter.time_ns.as_ref().filter(is_split).cloned().map(Test::Time));
        Ok(())
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
pub fn locals(numbers: &[u32], globals: &[[u8; 4]], is_ascending: bool) -> Vec<u16> {
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
pub fn table(locals: &[u16], n_locals: usize, none: usize) -> Vec<bool> {
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
