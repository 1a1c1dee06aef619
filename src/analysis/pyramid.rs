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

/// Counts over a stretch of events.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub n_events: u64,
    /// By [`Group`].
    pub groups: [u64; 4],
    /// Events by their process.
    pub actors: FxHashMap<Actor, u64>,
    /// Messages by sender, receiver and class.
    pub pairs: FxHashMap<(Actor, Actor, Class), u64>,
    /// The longest time without an event: its two ends.
    pub pause_ns: Option<(i64, i64)>,
    last_ns: Option<i64>,
}

impl Counts {
    fn add(&mut self, event: &Event) {
        self.n_events += 1;
        self.groups[Group::of(event.kind) as usize] += 1;
        *self.actors.entry(event.process).or_default() += 1;
        if let (true, Some(peer)) = (event.kind.is_sending(), event.peer) {
            *self.pairs.entry((event.process, peer, event.class)).or_default() += 1;
        }
        if let Some(last_ns) = self.last_ns {
            self.pause((last_ns, event.at_ns));
        }
        self.last_ns = Some(self.last_ns.map_or(event.at_ns, |last_ns| last_ns.max(event.at_ns)));
    }

    fn pause(&mut self, pause_ns: (i64, i64)) {
        let length = |(from, to): (i64, i64)| to - from;
        if length(pause_ns) > self.pause_ns.map_or(0, length) {
            self.pause_ns = Some(pause_ns);
        }
    }

    fn add_bin(&mut self, bin: &Bin, known: &Known) {
        self.n_events += bin.groups.iter().map(|n| u64::from(*n)).sum::<u64>();
        for (sum, n) in self.groups.iter_mut().zip(bin.groups) {
            *sum += u64::from(n);
        }
        for (idx, n) in &bin.actors {
            *self.actors.entry(known.actors.items[*idx as usize]).or_default() += u64::from(*n);
        }
        for (idx, n) in &bin.pairs {
            *self.pairs.entry(known.pairs.items[*idx as usize]).or_default() += u64::from(*n);
        }
        if let Some(pause_ns) = bin.pause_ns {
            self.pause(pause_ns);
        }
    }
}

/// Counts at rest: actors and pairs by their numbers, 8 bytes each.
#[derive(Clone, Debug)]
struct Bin {
    groups: [u32; 4],
    actors: Box<[(u32, u32)]>,
    pairs: Box<[(u32, u32)]>,
    pause_ns: Option<(i64, i64)>,
}

impl Bin {
    fn new(counts: &Counts, known: &mut Known) -> Bin {
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Bin {
            groups: counts.groups.map(small),
            actors: counts.actors.iter().map(|(actor, n)| (known.actors.number(*actor), small(*n))).collect(),
            pairs: counts.pairs.iter().map(|(pair, n)| (known.pairs.number(*pair), small(*n))).collect(),
            pause_ns: counts.pause_ns,
        }
    }
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
    pairs: Numbered<(Actor, Actor, Class)>,
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
        for _ in 0..n_bins_max {
            let start = self.n_covered();
            if start + BIN_EVENTS > rec.len() {
                return false;
            }
            let mut counts = Counts::default();
            let filter = Filter::default().range(start..start + BIN_EVENTS);
            for event in rec.scan(&filter) {
                counts.add(&event);
                self.notice(&event);
            }
            self.push(0, &counts);
        }
        self.n_covered() + BIN_EVENTS <= rec.len()
    }

    fn push(&mut self, level: usize, counts: &Counts) {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        let bin = Bin::new(counts, &mut self.known);
        self.levels[level].push(bin);
        if self.levels[level].len().is_multiple_of(FAN) {
            let children = &self.levels[level][self.levels[level].len() - FAN..];
            let mut sum = Counts::default();
            children.iter().for_each(|child| sum.add_bin(child, &self.known));
            self.push(level + 1, &sum);
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
        if rest.start < rest.end && rest.end - rest.start <= SCANNED_EVENTS_MAX {
            let kinds =
                [Kind::Crash, Kind::SupervisorRestart, Kind::Timeout, Kind::LateReply, Kind::SendToDead, Kind::Loss];
            let filter = Filter::kinds(&kinds).range(rest);
            found.extend(rec.scan(&filter).map(|e| Notable { seq: e.seq, kind: e.kind, process: e.process }));
        }
        let step = found.len().div_ceil(n_max.max(1)).max(1);
        found.into_iter().step_by(step).collect()
    }

    /// The counts over `range`. Whole bins are added up, the edges counted; where nothing is covered yet, more than
    /// [`SCANNED_EVENTS_MAX`] events are left out.
    pub fn counts(&self, rec: &Recording, range: Range<u64>) -> Counts {
        let mut sum = Counts::default();
        let end = range.end.min(rec.len());
        let mut at = range.start;
        while at < end {
            match self.largest_bin(at, end) {
                Some((bin, n_events)) => {
                    sum.add_bin(bin, &self.known);
                    at += n_events;
                }
                None => {
                    let next_bin = (at / BIN_EVENTS + 1) * BIN_EVENTS;
                    let to = if at < self.n_covered() { next_bin.min(end) } else { end.min(at + SCANNED_EVENTS_MAX) };
                    sum.last_ns = None;
                    rec.scan(&Filter::default().range(at..to)).for_each(|event| sum.add(&event));
                    at = if to == end || at < self.n_covered() { to } else { end };
                }
            }
        }
        sum
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

/// Events that one question counts one by one.
const SCANNED_EVENTS_MAX: u64 = 1 << 18;

#[cfg(test)]
mod tests;
