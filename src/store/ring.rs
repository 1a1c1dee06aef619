//! Ring recordings: a bounded recording forgets its oldest sealed segments, and says so.
//!
//! Seqs are never given twice: after an eviction the recording begins at [`Recording::first`] > 0. What the
//! evicted events did to the observed system stays, as a base from which keyframes and folds go on. It must not
//! know why a recording is bounded.
//!
//! Invariants: the start is the start of a segment or of the tail; marks lie at or after it; branches keep
//! their numbers, and those that ended before the start have no events any more.

use std::path::Path;

use super::Recording;
use super::keyframe::Folder;
use super::states::States;
use crate::model::{Failure, Kind, Outcome, Seq, limits};

/// What a ring recording holds; `None` does not bound. A ring is cut by whole segments, each about a sixteenth of the
/// tightest bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingLimits {
    /// Bytes of memory, the open tail included.
    pub bytes_max: Option<u64>,
    /// Events that are kept for certain, once there were so many. At most an eighth more are held, or 128: what was recorded before
    /// the bound goes in the pieces in which it lies.
    pub events_min: Option<u64>,
    /// Events that are older than the newest one by more than this may go; nothing younger goes because of it.
    pub age_ns_max: Option<i64>,
}

/// What was evicted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    pub n_events: u64,
    /// Events of each kind, ascending by kind; only kinds of which there were any.
    pub kinds: Vec<(Kind, u64)>,
    /// Clock of the earliest and of the latest evicted event.
    pub time_ns: Option<(i64, i64)>,
    /// Marks that went with their events.
    pub n_marks: u64,
    /// Processes that had ended before the start and of which nothing is known any more.
    pub n_forgotten: u64,
}

/// Parts into which the tightest bound is cut: what an eviction takes at once.
const RING_PARTS: u64 = 16;
/// The fewest events of a segment of a ring, so that it is not all heads and indexes.
const RING_SEGMENT_EVENTS_MIN: u64 = 64;

impl RingLimits {
    /// Events at which the tail of such a ring is sealed.
    pub(super) fn segment_events(&self) -> usize {
        let wanted = self.events_min.map_or(u64::MAX, |n| (n / RING_PARTS).max(RING_SEGMENT_EVENTS_MIN));
        wanted.min(limits::SEGMENT_EVENTS as u64) as usize
    }
    /// Bytes at which it is.
    pub(super) fn segment_bytes(&self) -> usize {
        let wanted = self.bytes_max.map_or(u64::MAX, |n| n / RING_PARTS);
        wanted.min(limits::SEGMENT_PAYLOAD_BYTES as u64) as usize
    }
    /// Nanoseconds between its first and its newest event at which it is.
    pub(super) fn segment_ns(&self) -> i64 {
        self.age_ns_max.map_or(i64::MAX, |ns| ns / RING_PARTS as i64)
    }
}

impl Evicted {
    /// `12 000 events from … : 7 000 send, 5 000 receive`, without times: they are the caller's to format.
    pub fn describe(&self) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, n)| format!("{n} {}", kind.as_str())).collect();
        format!("{} events ({})", self.n_events, kinds.join(", "))
    }

    pub(super) fn add_kind(&mut self, kind: Kind, n_events: u64) {
        match self.kinds.binary_search_by_key(&kind, |(kind, _)| *kind) {
            Ok(place) => self.kinds[place].1 += n_events,
            Err(place) => self.kinds.insert(place, (kind, n_events)),
        }
    }
}

impl Recording {
    /// Bounds the recording from now on, or no longer (`None`). What is too much already goes at once. Errors: the
    /// recording lives in a file, from which nothing can go.
    pub fn set_ring(&mut self, ring: Option<RingLimits>) -> Outcome<()> {
        if self.is_in_file() && ring.is_some() {
            return Err(Failure::usage(
                "a recording that lives in a file cannot be bounded: nothing goes from its file",
            ));
        }
        self.ring = ring;
        if ring.is_some() {
            self.settle();
            self.keep_in_ring();
        }
        Ok(())
    }
    pub fn ring(&self) -> Option<&RingLimits> {
        self.ring.as_ref()
    }

    /// The first seq that is still there; equal to [`Recording::len`] when there is no event.
    pub fn first(&self) -> Seq {
        let unsealed = || self.pending.front().map_or(self.tail.start(), |pending| pending.tail.start());
        Seq(self.segments.first().map_or_else(unsealed, |segment| segment.head.start))
    }
    /// Number of events that are there: those from [`Recording::first`] on.
    pub fn n_held(&self) -> u64 {
        self.len() - self.first().0
    }
    /// Bytes of memory that the events take.
    pub fn held_bytes(&self) -> u64 {
        self.n_bytes() as u64
    }
    /// Forgets all events, as a ring does: what they did to the observed system stays. Nothing happens to a recording
    /// that lives in a file.
    pub fn forget(&mut self) {
        if self.is_in_file() {
            return;
        }
        self.seal();
        if !self.segments.is_empty() {
            self.evict(self.segments.len());
        }
    }
    /// What is not there any more.
    pub fn evicted(&self) -> &Evicted {
        &self.evicted
    }

    /// Whether the tail is to be sealed, so that its events can go in time.
    pub(super) fn is_ring_segment_full(&self) -> bool {
        let Some(ring) = &self.ring else { return false };
        let Some((first_ns, last_ns)) = self.tail.time_range_ns() else { return false };
        self.tail.len() >= ring.segment_events()
            || self.tail.n_bytes() >= ring.segment_bytes().max(1)
            || last_ns.saturating_sub(first_ns) > ring.segment_ns()
    }

    /// Evicts what the bounds do not allow.
    pub(super) fn keep_in_ring(&mut self) {
        let Some(ring) = self.ring else { return };
        let now_ns = self.segments.iter().map(|segment| segment.head.time_max_ns).chain(self.tail.time_max_ns()).max();
        let oldest_ns = ring.age_ns_max.and_then(|age_ns| now_ns?.checked_sub(age_ns));
        let (mut n_events, mut n_bytes) = (self.n_held(), self.n_bytes() as u64);
        let is_too_much = |segment: &super::Segment, n_events: u64, n_bytes: u64| {
            ring.events_min.is_some_and(|min| n_events - u64::from(segment.head.n_events) >= min)
                || ring.bytes_max.is_some_and(|max| n_bytes > max)
                || oldest_ns.is_some_and(|oldest_ns| segment.head.time_max_ns < oldest_ns)
        };
        let mut place = 0;
        while let Some(segment) = self.segments.get(place).filter(|segment| is_too_much(segment, n_events, n_bytes)) {
            n_events -= u64::from(segment.head.n_events);
            n_bytes = n_bytes.saturating_sub(segment.owned_len() as u64);
            place += 1;
        }
        if place > 0 {
            self.evict(place);
        }
    }

    /// Forgets the first `n_segments` segments. Costs one materialise, the encoding of its rows (about 1 µs each)
    /// and a pass over the kinds of what goes.
    pub(super) fn evict(&mut self, n_segments: usize) {
        self.forget_derived();
        let start = self.part_end(n_segments - 1);
        let mut base = self.rows_after(Some(Seq(start - 1)));
        self.evicted.n_forgotten += self.keyframes.forget_old_dead(&mut base);
        self.keep_branch_bases(start);
        let states = self.states_to_keep(&base, start);
        for segment in &self.segments[..n_segments] {
            account(&mut self.evicted, segment);
        }
        let gone = self.segments.drain(..n_segments).map(|segment| segment.owned_len()).sum::<usize>();
        let freed = self.keyframes.rebase(start, base, states, &self.dictionaries);
        self.n_sealed_bytes = (self.n_sealed_bytes.saturating_sub(gone)).saturating_add_signed(freed);
        let n_marks = self.marks.len();
        self.marks.retain(|mark| mark.at.0 >= start);
        self.evicted.n_marks += (n_marks - self.marks.len()) as u64;
    }

    /// What the states of `base` are made of, as far as it is about to go.
    fn states_to_keep(&self, base: &Folder, start: u64) -> States {
        let n_bytes_max = self.ring.and_then(|ring| ring.bytes_max).map_or(usize::MAX, |n| (n / RING_PARTS) as usize);
        let known = self.keyframes.states(&self.dictionaries);
        let read = |seq: Seq| if seq < self.first() { None } else { self.payload(seq) };
        known.renewed(base.states_before(start), n_bytes_max.min(limits::RING_STATE_BYTES_MAX), read)
    }

    /// A branch whose past is about to go needs the system at which it began.
    fn keep_branch_bases(&mut self, start: u64) {
        let needs_base = |from: Seq| from.0 < start;
        let orphans: Vec<_> =
            self.branches.iter().filter(|b| b.start.0 >= start && b.from.is_some_and(needs_base)).collect();
        let known = &self.keyframes.branch_bases;
        let new: Vec<(u64, Folder)> = orphans
            .iter()
            .filter(|branch| !known.contains_key(&branch.start.0))
            .map(|branch| (branch.start.0, self.rows_after(branch.from)))
            .collect();
        for (branch_start, rows) in new {
            self.keyframes.keep_branch_base(branch_start, &rows, &self.dictionaries);
        }
    }

    /// Saves the segments that hold events between `from_ns` and `to_ns`, so at least what was asked for, with
    /// keyframes and marks, as a recording that begins there; gives how many events it has. Errors: no event of that time, the
    /// system's.
    pub fn save_range(&self, path: &Path, from_ns: i64, to_ns: i64) -> Outcome<u64> {
        let mut part = self.clone();
        part.ring = None;
        part.seal();
        let is_inside =
            |segment: &super::Segment| segment.head.time_max_ns >= from_ns && segment.head.time_min_ns <= to_ns;
        let inside = || part.segments.iter().map(|segment| is_inside(segment));
        let (Some(first), Some(last)) = (inside().position(|is| is), inside().rposition(|is| is)) else {
            return Err(Failure::not_found(format!(
                "no event between {from_ns} ns and {to_ns} ns of the recording's clock"
            )));
        };
        part.cut(last + 1);
        if first > 0 {
            part.evict(first);
        }
        part.save(path).map(|()| part.n_held())
    }
}

/// Adds the events of a segment to the account.
fn account(evicted: &mut Evicted, segment: &super::Segment) {
    let columns = segment.columns();
    let mut n_of = [0u64; 256];
    columns.kind.iter().for_each(|kind| n_of[usize::from(kind[0])] += 1);
    for kind in Kind::ALL {
        if n_of[*kind as usize] > 0 {
            evicted.add_kind(*kind, n_of[*kind as usize]);
        }
    }
    evicted.n_events += u64::from(segment.head.n_events);
    let (min_ns, max_ns) = evicted.time_ns.unwrap_or((i64::MAX, i64::MIN));
    evicted.time_ns = Some((min_ns.min(segment.head.time_min_ns), max_ns.max(segment.head.time_max_ns)));
}
