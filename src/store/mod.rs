//! Floor 1: the event store. Append, scan, seek, materialise, save and open.
//!
//! Events live in sealed segments of up to 64 Ki events and one open tail. A sealed segment is an
//! immutable image of columns with posting lists, and compressed payload blocks; it is the same in memory
//! and in a file. `FORMAT.md` beside this file is the document of the file.
//!
//! - `columns`: the sections of a segment; `tail` fills them, `segment` keeps them sealed
//! - `payloads`: deduplication and blocks; `dictionary`: actors and tags by number; `postings`
//! - `scan`: filters pushed down; `keyframe`, `rows`, `materialise`: the system at any event
//! - `branches`; `file`: the `.cinema` file
//!
//! Invariant: part `i` (segments in order, then the tail) ends where part `i + 1` begins; seqs are `0..len`.

mod branches;
mod bytes;
mod columns;
mod dictionary;
mod file;
mod keyframe;
mod materialise;
mod payloads;
mod postings;
mod rows;
mod scan;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod wire;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::codec::etf;
use crate::model::{Actor, Event, Failure, FailureKind, Filter, Kind, NewEvent, Outcome, Seq, Term, limits};
pub use branches::Branch;
use columns::{Columns, TIME_BLOCK_EVENTS};
use dictionary::Dictionaries;
use keyframe::Keyframes;
use payloads::BlockCache;
pub use payloads::Payload;
use segment::Segment;
use tail::Tail;

/// Where a recording comes from and how to read its clock.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RecordingInfo {
    /// `sim`, `beam` or `import`.
    pub source: String,
    /// What was recorded: a script, a node, a file.
    pub title: String,
    /// Wall clock minus event clock, in ns; 0 when unknown.
    pub wall_offset_ns: i64,
    pub is_elixir: bool,
    /// Free text pairs: seed, OTP release, import report ..
    pub notes: Vec<(String, String)>,
}

/// A named position, kept with the recording.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    pub name: String,
    pub at: Seq,
    pub note: String,
    /// Whether it was taken as a snapshot.
    pub is_snapshot: bool,
}

/// The events of one run. Appending needs `&mut`; reading never blocks. A clone shares the sealed segments
/// and copies the open tail (at most a few MB): a view for another thread that does not see later events.
#[derive(Clone, Debug)]
pub struct Recording {
    pub info: RecordingInfo,
    dictionaries: Dictionaries,
    segments: Vec<Arc<Segment>>,
    tail: Tail,
    keyframes: Keyframes,
    branches: Vec<Branch>,
    marks: Vec<Mark>,
    cache: BlockCache,
    /// Bytes of memory in sealed segments and keyframes.
    n_sealed_bytes: usize,
    n_bytes_max: usize,
}

/// What is known of a part without reading its columns.
struct PartSummary {
    seqs: Range<u64>,
    time_min_ns: i64,
    time_max_ns: i64,
    kinds: u64,
    has_far_causes: bool,
}

impl Default for Recording {
    fn default() -> Recording {
        Recording::new(RecordingInfo::default())
    }
}

impl Recording {
    pub fn new(info: RecordingInfo) -> Recording {
        Recording {
            info,
            dictionaries: Dictionaries::default(),
            segments: Vec::new(),
            tail: Tail::default(),
            keyframes: Keyframes::default(),
            branches: vec![Branch::trunk()],
            marks: Vec::new(),
            cache: BlockCache::default(),
            n_sealed_bytes: 0,
            n_bytes_max: limits::RECORDING_BYTES_MAX,
        }
    }

    /// Appends one event and gives it its seq. A `restored` or `forked` event that is not the first of a branch
    /// begins one from its cause. Allocates nothing but at the end of a segment (every 64 Ki events: about
    /// 10 ms) and of a keyframe (every 8 Ki). Errors: the recording's or the payload's limit is reached; the
    /// recording is as before then.
    pub fn append(&mut self, new: &NewEvent<'_>) -> Outcome<Seq> {
        self.check_room(new)?;
        let seq = Seq(self.len());
        if matches!(new.kind, Kind::Restored | Kind::Forked) && self.branches.last().is_none_or(|b| b.start != seq) {
            self.begin_branch(new.cause);
        }
        self.tail.push(new, &mut self.dictionaries);
        if self.len() - self.keyframes.n_events() >= limits::KEYFRAME_EVENTS as u64 {
            self.n_sealed_bytes += self.add_checkpoint(self.len());
        }
        if self.tail.is_full() {
            self.seal();
        }
        Ok(seq)
    }

    fn check_room(&self, new: &NewEvent<'_>) -> Outcome<()> {
        let n_new = new.payload.len() + new.meta.len();
        if n_new > limits::PAYLOAD_BYTES_MAX {
            let raise = "the event is not recorded; send less, or trace with a pattern that leaves the payload out";
            return Err(Failure::new(
                FailureKind::Limit,
                limits::tripped("PAYLOAD_BYTES_MAX", format!("{n_new} bytes of {}", limits::PAYLOAD_BYTES_MAX), raise),
            ));
        }
        let n_bytes = self.n_sealed_bytes + self.tail.n_bytes() + n_new;
        if n_bytes > self.n_bytes_max {
            let raise = "the recording is full; save it and record on in a new one";
            return Err(Failure::new(
                FailureKind::Limit,
                limits::tripped("RECORDING_BYTES_MAX", format!("{} bytes", self.n_bytes_max), raise),
            ));
        }
        Ok(())
    }

    /// Closes the tail, if it has events, and goes on with an empty one.
    fn seal(&mut self) {
        if self.tail.len() == 0 {
            return;
        }
        let segment = self.tail.seal();
        self.n_sealed_bytes += segment.owned_len();
        self.segments.push(Arc::new(segment));
        self.tail.restart(self.len());
    }

    /// Ends the recording before segment `place`; the tail is empty.
    fn cut(&mut self, place: usize) {
        self.segments.truncate(place);
        let n_events = self.segments.last().map_or(0, |segment| segment.head.end());
        self.tail.restart(n_events);
        let n_checkpoints = self.keyframes.covering(n_events);
        self.keyframes.checkpoints.truncate(n_checkpoints);
        self.branches.retain(|branch| branch.id == 0 || branch.start.0 < n_events);
        self.marks.retain(|mark| mark.at.0 < n_events);
    }

    /// Number of events; seqs are `0..len`.
    pub fn len(&self) -> u64 {
        self.tail.start() + self.tail.len() as u64
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn n_parts(&self) -> usize {
        self.segments.len() + 1
    }
    /// The part that holds `seq`, or the tail.
    fn part_of(&self, seq: u64) -> usize {
        if seq >= self.tail.start() {
            return self.segments.len();
        }
        // Nearly all segments are full, so the guess is nearly always right.
        let guess = (seq / limits::SEGMENT_EVENTS as u64) as usize;
        if self.segments.get(guess).is_some_and(|s| (s.head.start..s.head.end()).contains(&seq)) {
            return guess;
        }
        self.segments.partition_point(|segment| segment.head.end() <= seq)
    }
    fn part_columns(&self, part: usize) -> Columns<'_> {
        self.segments.get(part).map_or_else(|| self.tail.columns(), |segment| segment.columns())
    }
    fn part_end(&self, part: usize) -> u64 {
        self.segments.get(part).map_or(self.len(), |segment| segment.head.end())
    }
    fn part_summary(&self, part: usize) -> PartSummary {
        match self.segments.get(part) {
            Some(segment) => PartSummary {
                seqs: segment.head.start..segment.head.end(),
                time_min_ns: segment.head.time_min_ns,
                time_max_ns: segment.head.time_max_ns,
                kinds: segment.head.kinds,
                has_far_causes: segment.head.has_far_causes(),
            },
            None => PartSummary {
                seqs: self.tail.start()..self.len(),
                time_min_ns: i64::MIN,
                time_max_ns: self.tail.time_max_ns().unwrap_or(i64::MIN),
                kinds: u64::MAX,
                has_far_causes: true,
            },
        }
    }

    /// The columns that hold `seq` and its index in them; `None` past the end or in a damaged segment.
    fn locate(&self, seq: Seq) -> Option<(usize, Columns<'_>, usize)> {
        let part = self.part_of(seq.0);
        let columns = self.part_columns(part);
        let idx = usize::try_from(seq.0.checked_sub(columns.start)?).ok()?;
        (idx < columns.len()).then_some((part, columns, idx))
    }

    /// One event; `None` past the end. About 30 ns.
    pub fn event(&self, seq: Seq) -> Option<Event> {
        let (_, columns, idx) = self.locate(seq)?;
        Some(columns.event(idx, &self.dictionaries))
    }

    /// The payload's external term format, 131 first, without copying; `None` when the event has none.
    /// Costs a block's decompression (about 30 µs) when its neighbours were not read lately.
    pub fn payload_ref(&self, seq: Seq) -> Option<Payload<'_>> {
        let (part, columns, idx) = self.locate(seq)?;
        self.payload_numbered(part, &columns, columns.payload_number(idx)?)
    }
    /// As [`Recording::payload_ref`], copied.
    pub fn payload(&self, seq: Seq) -> Option<Vec<u8>> {
        self.payload_ref(seq).map(|bytes| bytes.to_vec())
    }
    fn payload_numbered(&self, part: usize, columns: &Columns<'_>, number: u16) -> Option<Payload<'_>> {
        match self.segments.get(part) {
            Some(segment) => self.cache.payload(columns, &segment.stored, number),
            None => Some(Payload::Open(self.tail.payload(number))),
        }
    }
    /// The decoded payload; `None` when there is none or when it is too deep or damaged (then [`Recording::payload`] has the bytes).
    pub fn term(&self, seq: Seq) -> Option<Term> {
        etf::decode(&self.payload_ref(seq)?).ok()
    }
    /// The metadata map.
    /// Whether the event only tells of what was so before the recording began (`meta.since`).
    pub fn is_introduction(&self, event: &Event) -> bool {
        let may_be =
            matches!(event.kind, Kind::Spawn | Kind::Register | Kind::Link | Kind::Monitor | Kind::ChildSpecChange);
        may_be && self.meta(event.seq).is_some_and(|meta| meta.as_map().is_some_and(|m| m.get_atom("since").is_some()))
    }
    pub fn meta(&self, seq: Seq) -> Option<Term> {
        let (part, columns, idx) = self.locate(seq)?;
        etf::decode(&self.payload_numbered(part, &columns, columns.meta_number(idx)?)?).ok()
    }

    /// Events that match, ascending; `.rev()` gives them descending. Never materialises the whole result.
    /// About 1 ns per candidate; candidates are the shortest posting list of an actor that is asked for.
    pub fn scan<'r>(&'r self, filter: &'r Filter) -> impl DoubleEndedIterator<Item = Event> + 'r {
        scan::scan(self, filter)
    }
    /// How many events match; for one process, peer or range without looking at an event.
    pub fn count(&self, filter: &Filter) -> u64 {
        scan::count(self, filter)
    }

    /// First seq of `lineage` (ascending ranges, as of [`Recording::lineage`]) at or after `at_ns`; `None` past
    /// the end. Under a microsecond.
    pub fn seek_time(&self, lineage: &[Range<u64>], at_ns: i64) -> Option<Seq> {
        lineage.iter().find_map(|range| self.seek_time_in(range.start..range.end.min(self.len()), at_ns))
    }
    fn seek_time_in(&self, range: Range<u64>, at_ns: i64) -> Option<Seq> {
        let mut next = range.start;
        while next < range.end {
            let part = self.part_of(next);
            let end = self.part_end(part).min(range.end);
            if self.part_summary(part).time_max_ns >= at_ns {
                let columns = self.part_columns(part);
                let inside = (next - columns.start) as usize..((end - columns.start) as usize).min(columns.len());
                if let Some(idx) = seek_in_columns(&columns, inside, at_ns) {
                    return Some(Seq(columns.start + idx as u64));
                }
            }
            next = end;
        }
        None
    }

    /// Clock of the first and the last event.
    pub fn time_range_ns(&self) -> Option<(i64, i64)> {
        let last = self.event(Seq(self.len().checked_sub(1)?))?;
        Some((self.event(Seq(0))?.at_ns, last.at_ns))
    }
    /// Every actor that appears as process or peer, in order of first appearance.
    pub fn actors(&self) -> Vec<Actor> {
        self.dictionaries.actors.items().to_vec()
    }

    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }
    /// Adds a mark; a mark of that name is replaced.
    pub fn set_mark(&mut self, mark: Mark) {
        self.marks.retain(|m| m.name != mark.name);
        self.marks.push(mark);
    }

    /// Writes everything into one `.cinema` file (to a temporary name first, then renamed).
    /// Errors: the system's, with the path.
    pub fn save(&self, path: &Path) -> Outcome<()> {
        file::save(self, path)
    }
    /// Whether the file begins as a session file does. Errors: it cannot be read.
    pub fn is_session_file(path: &Path) -> Outcome<bool> {
        file::is_session(path)
    }
    /// Damage that reading met so far, with offsets: a large file is not checked as a whole when it is opened.
    pub fn damage(&self) -> Vec<String> {
        let of_segment = |segment: &Arc<Segment>| {
            let (why, offset) = (segment.known_damage()?, segment.offsets.image);
            let (start, end) = (segment.head.start, segment.head.end());
            Some(format!("the segment at offset {offset} is damaged ({why}): events #{start} to #{end} are not there"))
        };
        let of_block = |(start, block_idx): (u64, usize)| {
            format!(
                "payload block {block_idx} of the segment of event #{start} is damaged: its payloads read as absent"
            )
        };
        let blocks = self.cache.damaged().into_iter().map(of_block);
        self.segments.iter().filter_map(of_segment).chain(blocks).collect()
    }
    /// Opens a `.cinema` file. Damage is reported in the second value, with its offset, and what lies before it
    /// is readable. Up to 64 MiB are checked at once; a larger file's segments when they are first read (a
    /// damaged one has no events then, see [`Recording::damage`]). Errors: not a `.cinema` file, a newer version, the system's.
    pub fn open(path: &Path) -> Outcome<(Recording, Vec<String>)> {
        file::open(path)
    }
}

/// The first index of `range` whose time is at or after `at_ns`. Passes whole blocks by their latest time.
fn seek_in_columns(columns: &Columns<'_>, range: Range<usize>, at_ns: i64) -> Option<usize> {
    let mut next = range.start;
    while next < range.end {
        let block = next / TIME_BLOCK_EVENTS;
        let end = ((block + 1) * TIME_BLOCK_EVENTS).min(range.end);
        if i64::from_le_bytes(columns.time_max[block]) >= at_ns
            && let Some(idx) = (next..end).find(|idx| columns.at_ns(*idx) >= at_ns)
        {
            return Some(idx);
        }
        next = end;
    }
    None
}
