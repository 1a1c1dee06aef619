//! How busy a recording is at every zoom level: counts per bin of 1 024 events, and per 8, 64, 512 .. of those.
//!
//! It is made in the background as events come, in pieces, and answers "who did how much in this stretch" without
//! looking at the stretch's events: a picture of 10 M events costs as much as one of ten thousand. What is not
//! covered yet, and the edges of a stretch, are counted event by event. It must not know how anything is drawn.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::model::{Actor, Class, Event, Filter, Kind, Seq};
use crate::store::Recording;

/// Events of a bin of the lowest level.
pub const BIN_EVENTS: u64 = 1 << 10;
/// Bins that one of the next level sums up.
const FAN: usize = 8;
/// Notable events that are kept; of more, every second is forgotten.
const NOTABLE_MAX: usize = 20_000;

/// What an event is, coarsely: the colours of a density.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// A message on its way.
    Message,
    /// A callback, a change of state.
    Work,
    /// Processes come, go, and get to know each other.
    Life,
    /// A crash, a restart, a timeout, a message to nobody, a loss.
    Trouble,
}

impl Group {
    pub const ALL: [Group; 4] = [Group::Message, Group::Work, Group::Life, Group::Trouble];

    pub fn of(kind: Kind) -> Group {
        match kind {
            Kind::Send | Kind::Receive | Kind::Reply | Kind::TimerStart | Kind::TimerFire | Kind::TimerCancel => {
                Group::Message
            }
            Kind::HandleStart | Kind::HandleEnd | Kind::StateChange | Kind::Gc | Kind::Log => Group::Work,
            Kind::Crash | Kind::SupervisorRestart | Kind::Timeout | Kind::LateReply | Kind::SendToDead | Kind::Loss => {
                Group::Trouble
            }
            _ => Group::Life,
        }
    }
}

/// What is asked of a stretch, beside its totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Totals,
    /// Events by process.
    Actors,
    /// Messages by sender, receiver and class.
    Pairs,
}

/// Who sent to whom, and what sort of message.
pub type Pair = (Actor, Actor, Class);

/// Counts over a stretch of events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    pub n_events: u64,
    /// By [`Group`].
    pub groups: [u64; 4],
    /// Events by their process, where that was asked for; in no order.
    pub actors: Vec<(Actor, u64)>,
    /// Messages by pair, where that was asked for; in no order.
    pub pairs: Vec<(Pair, u64)>,
    /// The longest time without an event: its two ends.
    pub pause_ns: Option<(i64, i64)>,
}

/// Counts at rest: actors and pairs by their numbers, 8 bytes each.
#[derive(Clone, Debug)]
struct Bin {
    groups: [u32; 4],
    actors: Box<[(u32, u32)]>,
    pairs: Box<[(u32, u32)]>,
    pause_ns: Option<(i64, i64)>,
}

/// Things by number.
#[derive(Clone, Debug)]
struct Numbered<T> {
    items: Vec<T>,
    numbers: FxHashMap<T, u32>,
}

impl<T: Copy + Eq + std::hash::Hash> Numbered<T> {
    fn number(&mut self, item: T) -> u32 {
        *self.numbers.entry(item).or_insert_with(|| {
            self.items.push(item);
            u32::try_from(self.items.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { items: Vec::new(), numbers: FxHashMap::default() }
    }
}

#[derive(Clone, Debug, Default)]
struct Known {
    actors: Numbered<Actor>,
    pairs: Numbered<Pair>,
}

/// Counts by number while they are added up: a place per number, and a list of those in use.
#[derive(Clone, Debug, Default)]
struct Tally {
    counts: Vec<u64>,
    used: Vec<u32>,
}

impl Tally {
    fn add(&mut self, number: u32, n: u64) {
        let idx = number as usize;
        if idx >= self.counts.len() {
            self.counts.resize(idx + 1, 0);
        }
        if self.counts[idx] == 0 {
            self.used.push(number);
        }
        self.counts[idx] += n;
    }
    /// The counts, and nothing left behind.
    fn take(&mut self) -> Vec<(u32, u64)> {
        let taken = self.used.iter().map(|number| (*number, std::mem::take(&mut self.counts[*number as usize])));
        let taken = taken.collect();
        self.used.clear();
        taken
    }
}

/// A sum under way.
#[derive(Clone, Debug, Default)]
struct Sum {
    groups: [u64; 4],
    actors: Tally,
    pairs: Tally,
    pause_ns: Option<(i64, i64)>,
    last_ns: Option<i64>,
}

impl Sum {
    fn add_event(&mut self, event: &Event, known: &mut Known, detail: Option<Detail>) {
        self.groups[Group::of(event.kind) as usize] += 1;
        if detail.is_none_or(|detail| detail == Detail::Actors) {
            self.actors.add(known.actors.number(event.process), 1);
        }
        if let (true, Some(peer)) = (event.kind.is_sending(), event.peer)
            && detail.is_none_or(|detail| detail == Detail::Pairs)
        {
            self.pairs.add(known.pairs.number((event.process, peer, event.class)), 1);
        }
        if let Some(last_ns) = self.last_ns {
            self.pause((last_ns, event.at_ns));
        }
        self.last_ns = Some(self.last_ns.map_or(event.at_ns, |last_ns| last_ns.max(event.at_ns)));
    }

    fn add_bin(&mut self, bin: &Bin, detail: Option<Detail>) {
        for (sum, n) in self.groups.iter_mut().zip(bin.groups) {
            *sum += u64::from(n);
        }
        if detail.is_none_or(|detail| detail == Detail::Actors) {
            bin.actors.iter().for_each(|(number, n)| self.actors.add(*number, u64::from(*n)));
        }
        if detail.is_none_or(|detail| detail == Detail::Pairs) {
            bin.pairs.iter().for_each(|(number, n)| self.pairs.add(*number, u64::from(*n)));
        }
        if let Some(pause_ns) = bin.pause_ns {
            self.pause(pause_ns);
        }
    }

    fn pause(&mut self, pause_ns: (i64, i64)) {
        let length = |(from, to): (i64, i64)| to - from;
        if length(pause_ns) > self.pause_ns.map_or(0, length) {
            self.pause_ns = Some(pause_ns);
        }
    }

    /// What was added up, as a bin; the sum begins anew.
    fn take_bin(&mut self) -> Bin {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let rows = |tally: &mut Tally| tally.take().into_iter().map(|(number, n)| (number, small(n))).collect();
        let bin = Bin {
            groups: self.groups.map(small),
            actors: rows(&mut self.actors),
            pairs: rows(&mut self.pairs),
            pause_ns: self.pause_ns,
        };
        (self.groups, self.pause_ns, self.last_ns) = ([0; 4], None, None);
        bin
    }

    fn finish(mut self, known: &Known) -> Counts {
        let actors = self.actors.take().into_iter().map(|(number, n)| (known.actors.items[number as usize], n));
        let pairs = self.pairs.take().into_iter().map(|(number, n)| (known.pairs.items[number as usize], n));
        Counts {
            n_events: self.groups.iter().sum(),
            groups: self.groups,
            actors: actors.collect(),
            pairs: pairs.collect(),
            pause_ns: self.pause_ns,
        }
    }
}

/// An event worth a marker of its own on a scrubber.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Notable {
    pub seq: Seq,
    pub kind: Kind,
    pub process: Actor,
}

/// The counts of a recording at every zoom level.
#[derive(Clone, Debug, Default)]
pub struct Pyramid {
    /// `levels[k]` has bins of `BIN_EVENTS * FAN^k` events.
    levels: Vec<Vec<Bin>>,
    known: Known,
    /// Sums under way, one per level; kept for their memory.
    sums: Vec<Sum>,
    notable: Vec<Notable>,
    /// Of the notable events, every how many is kept.
    stride: u64,
    n_notable: u64,
}

impl Pyramid {
    /// Events that the bins cover; a multiple of [`BIN_EVENTS`].
    pub fn n_covered(&self) -> u64 {
        self.levels.first().map_or(0, |bins| bins.len() as u64 * BIN_EVENTS)
    }

    /// Takes in at most `n_bins_max` more bins; gives whether there are more whole ones. About 60 ns per event.
    pub fn extend(&mut self, rec: &Recording, n_bins_max: usize) -> bool {
        let mut sum = std::mem::take(self.sum(0));
        for _ in 0..n_bins_max {
            let start = self.n_covered();
            if start + BIN_EVENTS > rec.len() {
                break;
            }
            let filter = Filter::default().range(start..start + BIN_EVENTS);
            for event in rec.scan(&filter) {
                sum.add_event(&event, &mut self.known, None);
                self.notice(&event);
            }
            self.push(0, sum.take_bin());
        }
        *self.sum(0) = sum;
        self.n_covered() + BIN_EVENTS <= rec.len()
    }

    /// Whether what is left is so little that every question counts it.
    pub fn is_nearly_complete(&self, rec: &Recording) -> bool {
        rec.len().saturating_sub(self.n_covered()) <= SCANNED_REST_MAX
    }

    fn sum(&mut self, level: usize) -> &mut Sum {
        if self.sums.len() <= level {
            self.sums.resize_with(level + 1, Sum::default);
        }
        &mut self.sums[level]
    }

    fn push(&mut self, level: usize, bin: Bin) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(bin);
        if self.levels[level].len().is_multiple_of(FAN) {
            let mut sum = std::mem::take(self.sum(level + 1));
            let bins = &self.levels[level];
            bins[bins.len() - FAN..].iter().for_each(|child| sum.add_bin(child, None));
            let bin = sum.take_bin();
            *self.sum(level + 1) = sum;
            self.push(level + 1, bin);
        }
    }

    fn notice(&mut self, event: &Event) {
        if Group::of(event.kind) != Group::Trouble {
            return;
        }
        let stride = self.stride.max(1);
        if self.n_notable.is_multiple_of(stride) {
            self.notable.push(Notable { seq: event.seq, kind: event.kind, process: event.process });
        }
        self.n_notable += 1;
        if self.notable.len() > NOTABLE_MAX {
            self.stride = stride * 2;
            self.notable = self.notable.iter().step_by(2).copied().collect();
        }
    }

    /// Notable events within `range`, about `n_max` at most and evenly chosen; those beyond what is covered are
    /// looked up.
    pub fn notable(&self, rec: &Recording, range: Range<u64>, n_max: usize) -> Vec<Notable> {
        let from = self.notable.partition_point(|event| event.seq.0 < range.start);
        let to = self.notable.partition_point(|event| event.seq.0 < range.end.min(self.n_covered()));
        let mut found = self.notable[from..to.max(from)].to_vec();
        let rest = range.start.max(self.n_covered())..range.end.min(rec.len());
        if rest.start < rest.end && self.is_nearly_complete(rec) {
            let kinds =
                [Kind::Crash, Kind::SupervisorRestart, Kind::Timeout, Kind::LateReply, Kind::SendToDead, Kind::Loss];
            let filter = Filter::kinds(&kinds).range(rest);
            found.extend(rec.scan(&filter).map(|e| Notable { seq: e.seq, kind: e.kind, process: e.process }));
        }
        let step = found.len().div_ceil(n_max.max(1)).max(1);
        found.into_iter().step_by(step).collect()
    }

    /// The counts over `range`. Whole bins are added up, the edges counted. Of what is not covered yet, only a short
    /// range or a short rest is counted: the beginning of a long recording does not wait for its end.
    pub fn counts(&self, rec: &Recording, range: Range<u64>, detail: Detail) -> Counts {
        let (mut sum, end) = (Sum::default(), range.end.min(rec.len()));
        // Edges may name actors that no bin has: those get numbers of this question only.
        let mut edges = (Sum::default(), Known::default());
        let mut at = range.start;
        while at < end {
            if let Some((bin, n_events)) = self.largest_bin(at, end) {
                sum.add_bin(bin, Some(detail));
                at += n_events;
                continue;
            }
            let is_covered = at < self.n_covered();
            let to = if is_covered { ((at / BIN_EVENTS + 1) * BIN_EVENTS).min(end) } else { end };
            if is_covered || self.is_nearly_complete(rec) || to - at <= SCANNED_RANGE_MAX {
                edges.0.last_ns = None;
                let filter = Filter::default().range(at..to);
                rec.scan(&filter).for_each(|event| edges.0.add_event(&event, &mut edges.1, Some(detail)));
            }
            at = to;
        }
        let mut counts = sum.finish(&self.known);
        merge(&mut counts, edges.0.finish(&edges.1));
        counts
    }

    /// The largest bin that begins at `at` and ends by `end`.
    fn largest_bin(&self, at: u64, end: u64) -> Option<(&Bin, u64)> {
        let mut n_events = BIN_EVENTS;
        let mut found = None;
        for bins in &self.levels {
            if !at.is_multiple_of(n_events) || at + n_events > end {
                break;
            }
            let Some(bin) = bins.get((at / n_events) as usize) else { break };
            found = Some((bin, n_events));
            n_events *= FAN as u64;
        }
        found
    }
}

/// Adds the counts of other events.
fn merge(counts: &mut Counts, other: Counts) {
    counts.n_events += other.n_events;
    for (sum, n) in counts.groups.iter_mut().zip(other.groups) {
        *sum += n;
    }
    add_rows(&mut counts.actors, other.actors);
    add_rows(&mut counts.pairs, other.pairs);
    let length = |pause: &(i64, i64)| pause.1 - pause.0;
    counts.pause_ns = [counts.pause_ns, other.pause_ns].into_iter().flatten().max_by_key(length);
}

fn add_rows<T: Copy + Eq + std::hash::Hash>(rows: &mut Vec<(T, u64)>, others: Vec<(T, u64)>) {
    if rows.is_empty() || others.is_empty() {
        rows.extend(others);
        return;
    }
    let mut index: FxHashMap<T, usize> = rows.iter().enumerate().map(|(idx, (item, _))| (*item, idx)).collect();
    for (item, n) in others {
        match index.get(&item) {
            Some(idx) => rows[*idx].1 += n,
            None => {
                index.insert(item, rows.len());
                rows.push((item, n));
            }
        }
    }
}

/// Events of a range that is counted one by one though nothing is covered yet.
const SCANNED_RANGE_MAX: u64 = 1 << 12;
/// Events after what is covered that are counted one by one.
const SCANNED_REST_MAX: u64 = 1 << 17;

#[cfg(test)]
mod tests;
