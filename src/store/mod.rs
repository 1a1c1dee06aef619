//! Floor 1: the event store. Append, scan, seek, materialise, save and open.
//!
//! Events live in sealed segments of up to 64 Ki events and one open tail. A sealed segment is an
//! immutable image of columns with posting lists, and compressed payload blocks; it is the same in memory
//! and in a file. `FORMAT.md` beside this file is the document of the file.
//!
//! - `columns`: the sections of a segment; `tail` fills them, `segment` keeps them sealed
//! - `payloads`: deduplication and blocks; `dictionary`: actors and tags by number; `postings`
//! - `plan`: filters pushed down; `scan`, `group`, `pairs`, `numbers`, `causes`, `traffic`, `text`, `explain`: what is done with what is left
//! - `keyframe`, `rows`, `materialise`: the system at any event
//! - `writer`, `keeper`: sealing and writing on a thread of their own
//! - `losses`: what is not there; `branches`; `ring`, `states`: recordings that forget; `file`: the `.cinema` file
//!
//! Invariant: part `i` (segments in order, then the tail) ends where part `i + 1` begins; seqs are `first..len`.

mod append;
mod archive;
mod branches;
mod bytes;
mod calls;
mod causes;
mod columns;
mod counts;
mod derived;
mod dictionary;
mod explain;
mod file;
mod grams;
mod group;
mod keeper;
mod keyframe;
mod layout;
mod losses;
mod materialise;
mod numbers;
mod packed;
mod pairs;
mod paths;
mod payloads;
mod plan;
mod postings;
mod ring;
mod rows;
mod scan;
mod scratch;
mod seal;
mod segment;
mod states;
mod tail;
#[cfg(test)]
mod tests;
mod text;
mod traffic;
mod wire;
mod writer;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use crate::codec::etf;
use crate::model::{Actor, Event, Filter, Kind, Outcome, Path, Seq, Term, limits};
pub use branches::Branch;
pub use causes::SeqSet;
use columns::{Columns, TIME_BLOCK_EVENTS};
use derived::Derived;
use dictionary::Dictionaries;
pub use explain::{Stage, Step};
pub use file::temporary::{Temporary, remove_all as remove_temporaries};
pub use file::{Damage, Part, Report, SyncPolicy, ranges};
pub use group::{By, GroupKey, Groups};
use keyframe::{Keyframes, Live};
pub use layout::PartBytes;
pub use losses::Loss;
pub use numbers::Number;
use payloads::BlockCache;
pub use payloads::Payload;
pub use plan::{Index, Pruned, Selection};
pub use ring::{Evicted, RingLimits};
use segment::Segment;
use tail::Tail;
pub use text::{Searched, Text};
pub use traffic::{Sums, Traffic};
use writer::{Pending, Writer};

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
    /// Full tails that are being sealed, between the segments and the tail.
    pending: VecDeque<Arc<Pending>>,
    /// Bytes of memory in them.
    n_pending_bytes: usize,
    tail: Tail,
    /// Tails whose memory is used again.
    spare: Vec<Tail>,
    writer: Writer,
    /// What the file has of the dictionaries and of the keyframes.
    n_written: Written,
    /// Nanoseconds of the events' clock after which a tail of a file is sealed.
    seal_after_ns: i64,
    keyframes: Keyframes,
    branches: Vec<Branch>,
    marks: Vec<Mark>,
    cache: BlockCache,
    /// Bytes of memory in sealed segments and keyframes.
    n_sealed_bytes: usize,
    n_bytes_max: usize,
    ring: Option<RingLimits>,
    evicted: Evicted,
    /// What analyses made of these events.
    derived: Arc<Derived>,
    /// Events that found no room since the last one that did: the disk is full.
    n_dropped: u64,
}

/// What a crash may take from a recording that lives in a file: the events that are not sealed yet. These are at most
/// [`limits::SEGMENT_EVENTS`] and those of `seal_after_ns`, besides what the writer has in hand (three segments at most when the disk is slow).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Durability {
    pub sync: SyncPolicy,
    /// Nanoseconds of the events' own clock after which a tail is sealed; in a live system that clock goes on without events.
    pub seal_after_ns: i64,
    /// Bytes that the file may have; recording ends with an error before it has more.
    pub file_bytes_max: u64,
    /// Bytes of what is sealed that wait in memory while the disk is full; when more would, events are dropped and counted until
    /// there is room. With 0 nothing waits: recording ends with the error.
    pub unwritten_bytes_max: usize,
}

impl Default for Durability {
    /// No syncing of our own, a segment per second, no waiting.
    fn default() -> Durability {
        Durability {
            sync: SyncPolicy::None,
            seal_after_ns: 1_000_000_000,
            file_bytes_max: u64::MAX,
            unwritten_bytes_max: 0,
        }
    }
}

/// How much of what only grows is in the file.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    actors: usize,
    tags: usize,
    checkpoints: usize,
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
            pending: VecDeque::new(),
            n_pending_bytes: 0,
            tail: Tail::default(),
            spare: Vec::new(),
            writer: Writer::default(),
            n_written: Written::default(),
            seal_after_ns: i64::MAX,
            keyframes: Keyframes { live: Some(Live::default()), ..Keyframes::default() },
            branches: vec![Branch::trunk()],
            marks: Vec::new(),
            cache: BlockCache::default(),
            n_sealed_bytes: 0,
            n_bytes_max: limits::RECORDING_BYTES_MAX,
            ring: None,
            evicted: Evicted::default(),
            derived: Arc::default(),
            n_dropped: 0,
        }
    }

    /// Ends the recording before segment `place`; nothing is pending and the tail is empty.
    fn cut(&mut self, place: usize) {
        self.forget_derived();
        let first = self.first().0;
        self.segments.truncate(place);
        let n_events = self.segments.last().map_or(first, |segment| segment.head.end());
        self.tail.restart(n_events);
        self.keyframes.cut(n_events);
        self.branches.retain(|branch| branch.id == 0 || branch.start.0 < n_events);
        self.marks.retain(|mark| mark.at.0 < n_events);
    }

    /// Number of events that were recorded, and so the seq of the next one. Those that are there are
    /// `first..len`: all of them, unless the recording is a ring.
    pub fn len(&self) -> u64 {
        self.tail.start() + self.tail.len() as u64
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn n_parts(&self) -> usize {
        self.segments.len() + self.pending.len() + 1
    }
    /// The tail of a part that is not sealed.
    fn open_part(&self, part: usize) -> &Tail {
        let place = part - self.segments.len();
        self.pending.get(place).map_or(&self.tail, |pending| &pending.tail)
    }
    /// The part that holds `seq`, or the tail.
    fn part_of(&self, seq: u64) -> usize {
        if seq >= self.tail.start() {
            return self.segments.len() + self.pending.len();
        }
        if let Some(place) = self.pending.iter().rposition(|pending| pending.tail.start() <= seq) {
            return self.segments.len() + place;
        }
        // Nearly all segments are full, so the guess is nearly always right.
        let guess = (seq.saturating_sub(self.first().0) / limits::SEGMENT_EVENTS as u64) as usize;
        if self.segments.get(guess).is_some_and(|s| (s.head.start..s.head.end()).contains(&seq)) {
            return guess;
        }
        self.segments.partition_point(|segment| segment.head.end() <= seq)
    }
    fn part_columns(&self, part: usize) -> Columns<'_> {
        self.segments.get(part).map_or_else(|| self.open_part(part).columns(), |segment| segment.columns())
    }
    fn part_end(&self, part: usize) -> u64 {
        self.segments.get(part).map_or_else(|| self.open_part(part).end(), |segment| segment.head.end())
    }
    fn part_summary(&self, part: usize) -> PartSummary {
        let Some(segment) = self.segments.get(part) else {
            let tail = self.open_part(part);
            let (time_min_ns, time_max_ns) = tail.time_range_ns().unwrap_or((i64::MAX, i64::MIN));
            let seqs = tail.start()..tail.end();
            return PartSummary { seqs, time_min_ns, time_max_ns, kinds: u64::MAX, has_far_causes: true };
        };
        PartSummary {
            seqs: segment.head.start..segment.head.end(),
            time_min_ns: segment.head.time_min_ns,
            time_max_ns: segment.head.time_max_ns,
            kinds: segment.head.kinds,
            has_far_causes: segment.head.has_far_causes(),
        }
    }

    /// The columns that hold `seq` and its index in them; `None` past the end or in a damaged segment.
    fn locate(&self, seq: Seq) -> Option<(usize, Columns<'_>, usize)> {
        let part = self.part_of(seq.0);
        let columns = self.part_columns(part);
        let idx = usize::try_from(seq.0.checked_sub(columns.start)?).ok()?;
        (idx < columns.len()).then_some((part, columns, idx))
    }

    /// One event; `None` past the end and before the first. About 30 ns.
    pub fn event(&self, seq: Seq) -> Option<Event> {
        let (_, columns, idx) = self.locate(seq)?;
        Some(columns.event(idx, &self.dictionaries))
    }

    /// The payload's external term format, 131 first, without copying; `None` when the event has none.
    /// Costs a block's decompression (about 60 µs) when its neighbours were not read lately. Of evicted events, what carried the
    /// states at the start.
    pub fn payload_ref(&self, seq: Seq) -> Option<Payload<'_>> {
        if seq < self.first() {
            let state = self.keyframes.states(&self.dictionaries).get(seq)?;
            return Some(Payload::Cached(state.clone(), 0..state.len()));
        }
        let (part, columns, idx) = self.locate(seq)?;
        self.payload_numbered(part, &columns, columns.payload_number(idx)?)
    }
    /// As [`Recording::payload_ref`], copied.
    pub fn payload(&self, seq: Seq) -> Option<Vec<u8>> {
        self.payload_ref(seq).map(|bytes| bytes.to_vec())
    }
    fn payload_numbered(&self, part: usize, columns: &Columns<'_>, number: u16) -> Option<Payload<'_>> {
        match self.segments.get(part) {
            Some(segment) => self.cache.payload(columns, segment.stored(), number),
            None => Some(Payload::Open(self.open_part(part).payload(number))),
        }
    }
    /// The decoded payload; `None` when there is none or when it is too deep or damaged (then [`Recording::payload`] has the bytes).
    pub fn term(&self, seq: Seq) -> Option<Term> {
        etf::decode(&self.payload_ref(seq)?).ok()
    }
    /// Whether the event only tells of what was so before the recording began (`meta.since`).
    pub fn is_introduction(&self, event: &Event) -> bool {
        let may_be =
            matches!(event.kind, Kind::Spawn | Kind::Register | Kind::Link | Kind::Monitor | Kind::ChildSpecChange);
        may_be && self.meta(event.seq).is_some_and(|meta| meta.as_map().is_some_and(|m| m.get_atom("since").is_some()))
    }
    /// The metadata map.
    pub fn meta(&self, seq: Seq) -> Option<Term> {
        etf::decode(&self.meta_ref(seq)?).ok()
    }
    /// The metadata map's external term format.
    pub fn meta_ref(&self, seq: Seq) -> Option<Payload<'_>> {
        let (part, columns, idx) = self.locate(seq)?;
        self.payload_numbered(part, &columns, columns.meta_number(idx)?)
    }

    /// Events that match, ascending; `.rev()` gives them descending. Never materialises the whole result.
    /// About 1 ns per candidate; candidates are the shortest posting list of an actor that is asked for.
    pub fn scan<'r>(&'r self, filter: &'r Filter) -> impl DoubleEndedIterator<Item = Event> + 'r {
        scan::events(self, &Selection::of(filter))
    }
    /// State changes that match and may have written `path`: all that did, and some that did not. What is sealed is found
    /// by the index of changed paths.
    pub fn scan_writes<'r>(
        &'r self,
        filter: &'r Filter,
        path: &'r Path,
    ) -> impl DoubleEndedIterator<Item = Event> + 'r {
        scan::events(self, &Selection { path: Some(path), ..Selection::of(filter) })
    }
    /// Events that match and bear the reference of a call.
    pub fn scan_calls<'r>(&'r self, filter: &'r Filter) -> impl DoubleEndedIterator<Item = Event> + 'r {
        scan::events(self, &Selection { is_of_call: true, ..Selection::of(filter) })
    }
    /// The events that those which match name as their causes.
    pub fn causes(&self, filter: &Filter) -> SeqSet {
        causes::causes(self, &Selection::of(filter))
    }
    /// How many events match; for one process, peer or range without looking at an event.
    pub fn count(&self, filter: &Filter) -> u64 {
        self.count_of(&Selection::of(filter))
    }
    /// Seqs of the events of a selection, as [`Recording::scan`] gives events. Where it has texts, all payloads of a part (up to
    /// 64 Ki events) are searched before its first event comes.
    pub fn seqs<'r>(&'r self, selection: &Selection<'r>) -> impl DoubleEndedIterator<Item = Seq> + use<'r> {
        scan::seqs(self, selection)
    }
    /// How many events a selection has.
    pub fn count_of(&self, selection: &Selection<'_>) -> u64 {
        scan::count(self, selection)
    }

    /// How many events of a selection each group has; of the groups the `n_max` largest are given.
    pub fn group(&self, selection: &Selection<'_>, by: By, n_max: usize) -> Groups {
        group::group(self, selection, by, n_max)
    }
    /// How much the processes of a scope sent to each other, each pair once, in order of the first message.
    pub fn traffic(&self, scope: &[Range<u64>]) -> Vec<Traffic> {
        traffic::traffic(self, scope)
    }
    /// Gives `each` a number of every event of a selection, in order, up to 1 024 at a time.
    pub fn numbers(&self, selection: &Selection<'_>, number: Number, each: impl FnMut(&[i64])) {
        numbers::numbers(self, selection, number, each);
    }
    /// The `n` events of a selection with the largest numbers, largest first, of equal ones the earliest.
    pub fn largest(&self, selection: &Selection<'_>, number: Number, n: usize) -> Vec<(i64, Seq)> {
        numbers::largest(self, selection, number, n)
    }
    /// How a selection is answered, by doing it: what each step leaves.
    pub fn explain(&self, selection: &Selection<'_>) -> Vec<Step> {
        explain::explain(self, selection)
    }
    /// The seqs that are searched together with `seq`: its segment's, or the open tail's.
    pub fn stretch(&self, seq: Seq) -> Range<u64> {
        self.part_summary(self.part_of(seq.0)).seqs
    }

    /// First seq of `lineage` (ascending ranges, as of [`Recording::lineage`]) at or after `at_ns`; `None` past
    /// the end. Under a microsecond.
    pub fn seek_time(&self, lineage: &[Range<u64>], at_ns: i64) -> Option<Seq> {
        let held = |range: &Range<u64>| range.start.max(self.first().0)..range.end.min(self.len());
        lineage.iter().find_map(|range| self.seek_time_in(held(range), at_ns))
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

    /// Clock of the first and the last event that are there.
    pub fn time_range_ns(&self) -> Option<(i64, i64)> {
        let last = self.event(Seq(self.len().checked_sub(1)?))?;
        Some((self.event(self.first())?.at_ns, last.at_ns))
    }
    /// Every actor that appears as process or peer, in order of first appearance.
    pub fn actors(&self) -> Vec<Actor> {
        self.dictionaries.actors.items().to_vec()
    }

    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }
    /// Adds a mark; a mark of that name is replaced. The file of a recording that has one keeps it from then on.
    pub fn set_mark(&mut self, mark: Mark) {
        self.marks.retain(|m| m.name != mark.name);
        self.marks.push(mark);
        self.writer.keep_marks(&self.marks);
    }

    /// Removes the mark of that name; gives whether there was one.
    pub fn remove_mark(&mut self, name: &str) -> bool {
        let n_before = self.marks.len();
        self.marks.retain(|mark| mark.name != name);
        let is_gone = self.marks.len() < n_before;
        if is_gone {
            self.writer.keep_marks(&self.marks);
        }
        is_gone
    }

    /// Writes everything into one `.cinema` file (to a temporary name first, then renamed).
    /// Errors: the system's, with the path.
    pub fn save(&self, path: &std::path::Path) -> Outcome<()> {
        self.save_while(path, &mut |_| true)
    }
    /// As [`Recording::save`]; `go_on` is called with the number of events written so far, and its `false` interrupts.
    pub fn save_while(&self, path: &std::path::Path, go_on: &mut dyn FnMut(u64) -> bool) -> Outcome<()> {
        file::save(self, path, go_on)
    }
    /// Writes everything into one file in archive form: half the size where there is much of it, made and first read more slowly.
    /// Errors: as of [`Recording::save`].
    pub fn compact(&self, path: &std::path::Path) -> Outcome<()> {
        file::compact(self, path, &mut |_| true)
    }
    /// As [`Recording::compact`]; `go_on` is called with the number of events written so far, and its `false` interrupts.
    pub fn compact_while(&self, path: &std::path::Path, go_on: &mut dyn FnMut(u64) -> bool) -> Outcome<()> {
        file::compact(self, path, go_on)
    }
    /// Whether the file has the first bytes of a session file; of one that cannot be read it has not.
    pub fn begins_as_session(path: &std::path::Path) -> bool {
        file::begins_as_session(path).unwrap_or(false)
    }
    /// Whether the file is meant to be a session file, by its name or its first bytes. Errors: it cannot be read.
    pub fn is_session_file(path: &std::path::Path) -> Outcome<bool> {
        file::is_session(path)
    }
    /// Damage that reading met so far, with offsets: a large file is not checked as a whole when it is opened.
    pub fn damage(&self) -> Vec<String> {
        let of_segment = |segment: &Arc<Segment>| {
            let (why, offset) = (segment.known_damage()?, segment.offsets.image);
            let seqs = segment.head.start..segment.head.end();
            let lost = ranges(std::slice::from_ref(&seqs));
            Some(format!("the segment at offset {offset} is damaged ({why}): events {lost} are not there"))
        };
        let of_block = |(start, block_idx): (u64, usize)| {
            format!(
                "payload block {block_idx} of the segment of event #{start} is damaged: its payloads read as absent"
            )
        };
        let blocks = self.cache.damaged().into_iter().map(of_block);
        self.segments.iter().filter_map(of_segment).chain(blocks).collect()
    }
    /// Takes what can be saved of segments that reading found damaged, as a repair does: loss events stand for what is lost. Gives
    /// what is to be told. Costs a look at each segment, and of a damaged one about as much as sealing it; memory has what is saved.
    pub fn mend(&mut self) -> Vec<Damage> {
        let mut told = Vec::new();
        let mut place = 0;
        while let Some(segment) = self.segments.get(place).cloned() {
            let mut n_saved = 1;
            if let Some((damage, saved)) = file::mend(&segment, &mut self.dictionaries) {
                let saved: Vec<_> = saved.segments.into_iter().map(Arc::new).collect();
                n_saved = saved.len();
                self.n_sealed_bytes += saved.iter().map(|segment| segment.owned_len()).sum::<usize>();
                self.segments.splice(place..=place, saved);
                self.forget_derived();
                told.push(damage);
            }
            place += n_saved;
        }
        told
    }
    /// Opens a `.cinema` file. Damage is reported in the second value, with its place, and what lies before it
    /// is readable. Up to 64 MiB are checked at once; a larger file's segments when they are first read (a
    /// damaged one has no events then, see [`Recording::damage`], until [`Recording::mend`]). Errors: not a `.cinema` file, a newer version, the system's.
    pub fn open(path: &std::path::Path) -> Outcome<(Recording, Report)> {
        file::open(path)
    }
    /// As [`Recording::open`], with every byte checked whatever the size.
    pub fn open_whole(path: &std::path::Path) -> Outcome<(Recording, Report)> {
        file::open_checked(path, usize::MAX)
    }
    /// Examines a file as a whole: headers, checksums, indexes, payloads, keyframes. Gives what can be saved of it (`loss`
    /// events stand for those that are lost, one for each, so that the others keep their seqs) and what is
    /// damaged. About a second per million events. Errors: not a `.cinema` file, a newer version, the system's.
    pub fn rescue(path: &std::path::Path) -> Outcome<(Recording, Report)> {
        file::rescue(path)
    }
    /// As [`Recording::open_whole`], of bytes.
    pub fn read(bytes: Vec<u8>) -> Outcome<(Recording, Report)> {
        file::read(&bytes.into(), "the file", usize::MAX)
    }
    /// As [`Recording::rescue`], of bytes.
    pub fn read_rescued(bytes: Vec<u8>) -> Outcome<(Recording, Report)> {
        file::examine(&bytes.into(), "the file")
    }
    /// Makes the checksums of a damaged file right, as a forger would: what is read then is damaged only in its meaning.
    /// For tests of readers.
    pub fn forge(file: &mut Vec<u8>) {
        file::forge(file);
    }
    /// As [`Recording::open`] opens a file that is too large to be checked then.
    #[cfg(test)]
    pub fn open_as_large(path: &std::path::Path) -> Outcome<(Recording, Report)> {
        file::open_checked(path, 0)
    }
    /// Number of sealed segments.
    pub fn n_segments(&self) -> usize {
        self.segments.len()
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
