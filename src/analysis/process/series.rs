//! Quantities over time, for charts: mailbox length, memory, reductions.
//! It must not know how results are shown.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::is_exact;
use crate::analysis::Scope;
use crate::analysis::names::Names;
use crate::model::{Actor, Class, Event, Filter, Kind, Seq, system};
use crate::store::Recording;

/// Processes in a chart when the user names none.
const SHOWN_DEFAULT: usize = 8;

/// A value at a time; where points were merged, the largest value of the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    pub at_ns: i64,
    pub seq: Seq,
    pub value: i64,
}

/// A quantity of one process over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    pub actor: Actor,
    pub name: String,
    /// Ascending in time (a restored branch may step back).
    pub points: Vec<Point>,
}

/// Messages waiting, per process; no `actors`: the eight with the longest queues. At most `n_points_max` points each.
/// Outside the sim, of processes that are never seen taking a message out only the samples are shown; those without
/// any are left out: their queues are not known.
pub fn queue_series(rec: &Recording, scope: Scope<'_>, actors: &[Actor], n_points_max: usize) -> Vec<Series> {
    let kinds = [
        Kind::Receive,
        Kind::Down,
        Kind::TimerFire,
        Kind::ExitSignal,
        Kind::HandleStart,
        Kind::HandleEnd,
        Kind::Exit,
        Kind::Crash,
        Kind::Sample,
    ];
    let filter = Filter { ranges: scope.to_vec(), processes: actors.to_vec(), ..Filter::kinds(&kinds) };
    let mut queues: FxHashMap<Actor, Queue> = FxHashMap::default();
    for event in rec.scan(&filter) {
        let sampled = if event.kind == Kind::Sample { sampled_len(rec, event.seq) } else { None };
        queues.entry(event.process).or_default().push(&event, sampled, n_points_max);
    }
    let is_exact = is_exact(rec);
    let known = queues.into_iter().map(|(actor, queue)| (actor, queue.known(is_exact)));
    let mut queues: Vec<(Actor, Points)> = known.filter(|(_, points)| !points.all.is_empty()).collect();
    let longest = |points: &Points| points.all.iter().map(|point| point.value).max();
    queues.sort_by_key(|(actor, points)| (std::cmp::Reverse(longest(points)), *actor));
    if actors.is_empty() {
        queues.truncate(SHOWN_DEFAULT);
    }
    let names = Names::of(rec, scope);
    let series = queues.into_iter().map(|(actor, points)| Series {
        actor,
        name: names.name(actor),
        points: points.finish(n_points_max),
    });
    series.collect()
}

/// The mailbox's length in a sample.
fn sampled_len(rec: &Recording, sample: Seq) -> Option<u64> {
    let len = rec.term(sample)?.as_map()?.get_atom("queue_len")?.as_int()?;
    u64::try_from(len).ok()
}

/// Memory in bytes, per process; no `actors`: the eight largest. On the BEAM as of each garbage collection and each sample.
pub fn memory_series(rec: &Recording, scope: Scope<'_>, actors: &[Actor], n_points_max: usize) -> Vec<Series> {
    usage_series(rec, scope, actors, n_points_max, |usage| usage.memory_bytes)
}

/// Reductions so far, per process; no `actors`: the eight with most.
pub fn reductions_series(rec: &Recording, scope: Scope<'_>, actors: &[Actor], n_points_max: usize) -> Vec<Series> {
    usage_series(rec, scope, actors, n_points_max, |usage| usage.reductions)
}

fn usage_series(
    rec: &Recording,
    scope: Scope<'_>,
    actors: &[Actor],
    n_points_max: usize,
    quantity: impl Fn(&system::Usage) -> Option<u64>,
) -> Vec<Series> {
    let kinds = [Kind::HandleEnd, Kind::Gc, Kind::Sample];
    let filter = Filter { ranges: scope.to_vec(), processes: actors.to_vec(), ..Filter::kinds(&kinds) };
    let mut all: FxHashMap<Actor, Points> = FxHashMap::default();
    for event in rec.scan(&filter).filter(|event| event.size_bytes > 0) {
        let usage = rec.term(event.seq).and_then(|term| system::Usage::read(event.kind, &term));
        let Some(value) = usage.as_ref().and_then(&quantity) else { continue };
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        all.entry(event.process).or_default().push(Point { at_ns: event.at_ns, seq: event.seq, value }, n_points_max);
    }
    let mut all: Vec<(Actor, Points)> = all.into_iter().collect();
    all.sort_by_key(|(actor, points)| (std::cmp::Reverse(points.all.iter().map(|p| p.value).max()), *actor));
    if actors.is_empty() {
        all.truncate(SHOWN_DEFAULT);
    }
    let names = Names::of(rec, scope);
    let series = all.into_iter().map(|(actor, points)| Series {
        actor,
        name: names.name(actor),
        points: points.finish(n_points_max),
    });
    series.collect()
}

/// A mailbox's length as its events go by; the rules are those of the store's fold (`model::system::fold`).
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Seq>,
    /// Messages that only a sample told of.
    n_unseen: u64,
    handling: Option<Seq>,
    has_taken: bool,
    points: Points,
    /// The samples alone.
    sampled: Points,
}

impl Queue {
    /// What is to be shown of it.
    fn known(self, is_exact: bool) -> Points {
        if is_exact || self.has_taken { self.points } else { self.sampled }
    }

    fn len(&self) -> u64 {
        self.waiting.len() as u64 + self.n_unseen
    }

    /// `sampled` is what a sample tells.
    fn push(&mut self, event: &Event, sampled: Option<u64>, n_points_max: usize) {
        let len_before = self.len();
        match event.kind {
            Kind::Sample => {
                let Some(len) = sampled else { return };
                self.n_unseen = len.saturating_sub(self.waiting.len() as u64);
                if !self.has_taken {
                    let n_gone = self.waiting.len().saturating_sub(usize::try_from(len).unwrap_or(usize::MAX));
                    self.waiting.drain(..n_gone);
                }
                let value = i64::try_from(len).unwrap_or(i64::MAX);
                self.sampled.push(Point { at_ns: event.at_ns, seq: event.seq, value }, n_points_max);
            }
            Kind::HandleStart => {
                self.has_taken = true;
                let place = event.cause.and_then(|arrival| self.waiting.binary_search(&arrival).ok());
                match (place, self.handling) {
                    (Some(place), Some(_)) => drop(self.waiting.remove(place)),
                    (Some(place), None) => {
                        self.waiting.drain(..=place);
                        self.n_unseen = 0;
                    }
                    (None, _) if event.takes_unseen() => self.n_unseen = self.n_unseen.saturating_sub(1),
                    (None, _) => {}
                }
                self.handling = self.handling.or(Some(event.seq));
            }
            Kind::HandleEnd if event.cause.is_none_or(|start| self.handling == Some(start)) => self.handling = None,
            Kind::HandleEnd => {}
            Kind::Exit | Kind::Crash => {
                self.waiting.clear();
                self.n_unseen = 0;
            }
            Kind::ExitSignal if event.tag.is_none_or(|tag| tag != "EXIT") => {}
            _ if event.class == Class::Reply => {}
            _ => self.waiting.push_back(event.seq),
        }
        if self.len() != len_before {
            let value = i64::try_from(self.len()).unwrap_or(i64::MAX);
            self.points.push(Point { at_ns: event.at_ns, seq: event.seq, value }, n_points_max);
        }
    }
}

/// Points that are merged by pairs whenever they become too many.
#[derive(Default)]
struct Points {
    all: Vec<Point>,
    /// The newest point, which is kept as it is.
    newest: Option<Point>,
    /// Points merged into each of `all`, as a power of two.
    n_halvings: u32,
    n_in_last: u64,
}

impl Points {
    fn push(&mut self, point: Point, n_max: usize) {
        self.newest = Some(point);
        match self.all.last_mut() {
            Some(last) if self.n_in_last < 1 << self.n_halvings => {
                *last = larger(*last, point);
                self.n_in_last += 1;
            }
            _ => {
                self.all.push(point);
                self.n_in_last = 1;
            }
        }
        if self.all.len() >= n_max.saturating_mul(2).max(64) {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.all = self.all.chunks(2).map(|pair| pair.iter().copied().reduce(larger).expect("a chunk")).collect();
        self.n_halvings += 1;
        self.n_in_last = 1 << self.n_halvings;
    }

    fn finish(mut self, n_max: usize) -> Vec<Point> {
        while self.all.len() >= n_max.max(2) {
            self.halve();
        }
        if self.newest != self.all.last().copied() {
            self.all.extend(self.newest);
        }
        self.all
    }
}

fn larger(a: Point, b: Point) -> Point {
    if b.value > a.value { b } else { a }
}
