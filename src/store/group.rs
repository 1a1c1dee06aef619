//! Counts by a column: events are counted by their local numbers, part by part, and the sums are put together by dictionary
//! numbers; no row is built. Where a posting list knows the answer no column is read. It must not know names.

use std::cmp::Reverse;

use super::Recording;
use super::columns::TIME_BLOCK_EVENTS;
use super::counts::Counts;
use super::dictionary::Dictionaries;
use super::pairs::PairCounts;
use super::plan::{Query, Selection};
use super::postings::Role;
use super::scan::{Candidates, Plan};
use crate::model::{Actor, Atom, Class, Kind};

/// By what events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Kind,
    Class,
    Tag,
    Process,
    Peer,
    /// Process and peer.
    Pair,
    /// Stretches of `width_ns` (more than 0) from `origin_ns` on; earlier events are in stretches with negative numbers.
    Time {
        origin_ns: i64,
        width_ns: i64,
    },
}

/// What the events of a group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupKey {
    Kind(Kind),
    Class(Class),
    /// `None`: they have no tag.
    Tag(Option<Atom>),
    Actor(Option<Actor>),
    Pair(Actor, Option<Actor>),
    /// The number of the stretch.
    Time(i64),
}

/// The number and the begin of the stretch of `width_ns` that a time lies in. Stretches as narrow as 1 ns, of times 300 years
/// apart, may have no number: then they share the last one.
fn stretch_of(at_ns: i64, origin_ns: i64, width_ns: i64) -> (i64, i128) {
    let (origin, width) = (i128::from(origin_ns), i128::from(width_ns));
    let number = (i128::from(at_ns) - origin).div_euclid(width);
    (narrow(number), origin + number * width)
}
/// The nearest number of 64 bits.
fn narrow(wide: i128) -> i64 {
    wide.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// Counts by group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    /// The largest groups with their events, in no order.
    pub largest: Vec<(GroupKey, u64)>,
    pub n_groups: u64,
    /// Of all groups.
    pub n_events: u64,
}

/// Counts a selection's events by group; of the groups the `n_max` largest are given. About 1 ns per event by one column, less where
/// postings have the answer; by pairs 3 ns and 10 ns per pair and segment.
pub fn group(recording: &Recording, selection: &Selection<'_>, by: By, n_max: usize) -> Groups {
    let query = Query::new(recording, selection);
    let mut sums = Sums::new(by, &recording.dictionaries);
    for part in 0..recording.n_parts() {
        if let Some(plan) = query.plan_whole(part) {
            sums.add(&plan);
        }
    }
    sums.groups(&recording.dictionaries, n_max)
}

/// Counts so far.
struct Sums {
    by: By,
    /// By kind, class, or dictionary number plus one (0: none).
    dense: Vec<u64>,
    /// By stretch.
    sparse: Counts<u64>,
    pairs: PairCounts,
}

impl Sums {
    fn new(by: By, dictionaries: &Dictionaries) -> Sums {
        let n_dense = match by {
            By::Kind | By::Class => 256,
            By::Tag => dictionaries.tags.items().len() + 1,
            By::Process | By::Peer => dictionaries.actors.items().len() + 1,
            By::Pair | By::Time { .. } => 0,
        };
        Sums { by, dense: vec![0; n_dense], sparse: Counts::new(), pairs: PairCounts::new() }
    }

    fn add(&mut self, plan: &Plan<'_>) {
        let columns = &plan.columns;
        let (process, peer, tag, class) = (columns.process, columns.peer, columns.tag, columns.class);
        match self.by {
            By::Kind => plan.each_value(&mut self.dense, |idx| columns.kind[idx][0].into()),
            By::Class => plan.each_value(&mut self.dense, |idx| class.get(idx)),
            By::Tag => self.add_numbers(plan, Role::Tag, columns.tags, |idx| tag.get(idx)),
            By::Process => self.add_numbers(plan, Role::Process, columns.actors, |idx| process.get(idx) + 1),
            By::Peer => self.add_numbers(plan, Role::Peer, columns.actors, |idx| peer.get(idx)),
            By::Pair => self.pairs.add(plan),
            By::Time { origin_ns, width_ns } => self.add_times(plan, origin_ns, width_ns),
        }
    }

    /// Counts by local numbers plus one; 0 is none.
    fn add_numbers(&mut self, plan: &Plan<'_>, role: Role, globals: &[[u8; 4]], number: impl Fn(usize) -> usize) {
        let mut counts = vec![0u64; globals.len() + 1];
        let is_all = plan.tests.is_empty() && plan.candidates.len() == plan.columns.len();
        if is_all && plan.columns.is_sealed() {
            for (local, count) in counts[1..].iter_mut().enumerate() {
                *count = plan.columns.posting(role, local).n_events();
            }
            counts[0] = (plan.columns.len() as u64).saturating_sub(counts.iter().sum());
        } else {
            plan.each_value(&mut counts, number);
        }
        self.dense[0] += counts[0];
        for (global, count) in globals.iter().zip(&counts[1..]) {
            self.dense[u32::from_le_bytes(*global) as usize + 1] += count;
        }
    }

    fn add_times(&mut self, plan: &Plan<'_>, origin_ns: i64, width_ns: i64) {
        let mut stretch = Stretch::new(origin_ns, width_ns, &mut self.sparse);
        let columns = &plan.columns;
        let (true, Candidates::Ranges(ranges)) = (plan.tests.is_empty(), &plan.candidates) else {
            plan.each(|idx| stretch.add(columns.at_ns(idx), 1));
            return;
        };
        for range in ranges {
            let mut next = range.start as usize;
            while next < range.end as usize {
                let block = next / TIME_BLOCK_EVENTS;
                let end = ((block + 1) * TIME_BLOCK_EVENTS).min(range.end as usize);
                let [first, last] = [columns.time_min, columns.time_max].map(|times| i64::from_le_bytes(times[block]));
                if stretch.has(first, last) {
                    stretch.add(first, (end - next) as u64);
                } else {
                    (next..end).for_each(|idx| stretch.add(columns.at_ns(idx), 1));
                }
                next = end;
            }
        }
    }

    fn groups(mut self, dictionaries: &Dictionaries, n_max: usize) -> Groups {
        let dense = (0u64..).zip(&self.dense).filter(|(_, n)| **n > 0);
        let mut counts: Vec<(u64, u64)> = dense.map(|(number, n)| (number, *n)).collect();
        self.sparse.drain(|number, n| counts.push((number, n)));
        self.pairs.drain(|process, peer, n| counts.push((u64::from(process) << 32 | u64::from(peer), n)));
        let (n_groups, n_events) = (counts.len() as u64, counts.iter().map(|(_, n)| n).sum());
        if n_max < counts.len() {
            // Of groups of the same size those that appeared first are kept.
            counts.select_nth_unstable_by_key(n_max, |(number, n)| (Reverse(*n), *number));
            counts.truncate(n_max);
        }
        let largest = counts.into_iter().map(|(number, n)| (self.key(number, dictionaries), n)).collect();
        Groups { largest, n_groups, n_events }
    }

    fn key(&self, number: u64, dictionaries: &Dictionaries) -> GroupKey {
        let actors = dictionaries.actors.items();
        let actor = |number: u64| number.checked_sub(1).map(|number| actors[number as usize]);
        let tag = |number: u64| number.checked_sub(1).map(|number| dictionaries.tags.items()[number as usize]);
        match self.by {
            By::Kind => GroupKey::Kind(Kind::from_byte(number as u8).expect("kinds are checked")),
            By::Class => GroupKey::Class(Class::from_byte(number as u8).expect("classes are checked")),
            By::Tag => GroupKey::Tag(tag(number)),
            By::Process | By::Peer => GroupKey::Actor(actor(number)),
            By::Pair => GroupKey::Pair(actors[(number >> 32) as usize], actor(number & 0xFFFF_FFFF)),
            By::Time { .. } => GroupKey::Time(number as i64),
        }
    }
}

impl Plan<'_> {
    /// Counts the matching events by what `number` gives for each.
    #[inline]
    fn each_value(&self, counts: &mut [u64], number: impl Fn(usize) -> usize) {
        self.each(|idx| counts[number(idx)] += 1);
    }
}

/// The stretch of time in which the last event was: nearly always that of the next one, too.
struct Stretch<'s> {
    sums: &'s mut Counts<u64>,
    origin_ns: i64,
    width_ns: i64,
    number: i64,
    inside: std::ops::Range<i64>,
    n: u64,
}

impl<'s> Stretch<'s> {
    fn new(origin_ns: i64, width_ns: i64, sums: &'s mut Counts<u64>) -> Stretch<'s> {
        Stretch { sums, origin_ns, width_ns: width_ns.max(1), number: 0, inside: 0..0, n: 0 }
    }

    /// Whether both times are in the stretch that the first is in.
    fn has(&mut self, first_ns: i64, last_ns: i64) -> bool {
        self.go_to(first_ns);
        self.inside.contains(&last_ns)
    }
    #[inline]
    fn add(&mut self, at_ns: i64, n: u64) {
        if !self.inside.contains(&at_ns) {
            self.go_to(at_ns);
        }
        self.n += n;
    }
    #[cold]
    fn go_to(&mut self, at_ns: i64) {
        self.flush();
        let (number, begin) = stretch_of(at_ns, self.origin_ns, self.width_ns);
        self.number = number;
        self.inside = narrow(begin)..narrow(begin + i128::from(self.width_ns));
    }
    fn flush(&mut self) {
        if self.n > 0 {
            self.sums.add(self.number as u64, std::mem::take(&mut self.n));
        }
    }
}

impl Drop for Stretch<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
