//! Scans: the events of a [`Selection`], part by part (sealed segments, then the open tail). It must not know how candidates
//! are found.
//!
//! Each part has a plan ([`super::plan`]): the candidates
//! (ranges of indexes, or a posting list) and the tests that are still to be made. A plan is worked off in
//! chunks of [`CHUNK`] candidates, each to a vector of matching indexes; so memory is bounded, the first
//! match is cheap, and both ends can be asked in turn.

use std::ops::Range;
use std::sync::Arc;

use super::Recording;
use super::columns::Columns;
use super::packed::NIBBLE;
use super::plan::{Index, Query, Selection};
use crate::model::{Event, Seq};

/// Candidates that are tested at once.
const CHUNK: usize = 1024;

/// What is to be done in one part.
pub struct Plan<'r> {
    pub columns: Columns<'r>,
    pub candidates: Candidates,
    pub tests: Vec<Test>,
    /// Whether the candidates are all events of the part.
    pub is_whole: bool,
    /// What the candidates come from, when they are not all of the range.
    pub indexes: Vec<Index>,
}

pub enum Candidates {
    /// Ascending, disjoint ranges of indexes.
    Ranges(Vec<Range<u32>>),
    /// Ascending indexes.
    List(Vec<u16>),
}

/// One condition on an index. Sets of local numbers are tables, with place 0 for "none" where there is such.
pub enum Test {
    Kinds(u64),
    Classes(u32),
    Process(Vec<bool>),
    Peer(Vec<bool>),
    /// Process or peer; numbered like peers.
    Involved(Vec<bool>),
    Tag(Vec<bool>),
    Call(usize),
    HasCall,
    Cause(Seq),
    SizeMin(u32),
    /// The same by payload number, where that is less work.
    Payload(Vec<bool>),
    Time(Range<i64>),
    Ranges(Vec<Range<u32>>),
}

impl Test {
    /// The columns that it reads.
    pub fn column(&self) -> &'static str {
        match self {
            Test::Kinds(_) => "kind",
            Test::Classes(_) => "class",
            Test::Process(_) => "process",
            Test::Peer(_) => "peer",
            Test::Involved(_) => "process, peer",
            Test::Tag(_) => "tag",
            Test::Call(_) | Test::HasCall => "call",
            Test::Cause(_) => "cause",
            Test::SizeMin(_) | Test::Payload(_) => "payload",
            Test::Time(_) => "time",
            Test::Ranges(_) => "seq",
        }
    }
}

/// Events that match, from both ends.
pub fn events<'r>(
    recording: &'r Recording,
    selection: &Selection<'r>,
) -> impl DoubleEndedIterator<Item = Event> + use<'r> {
    let row = |columns: &Columns<'r>, idx| columns.event(idx, &recording.dictionaries);
    matching(Query::new(recording, selection), row)
}

/// Seqs of the events that match, from both ends.
pub fn seqs<'r>(recording: &'r Recording, selection: &Selection<'r>) -> impl DoubleEndedIterator<Item = Seq> + use<'r> {
    matching(Query::new(recording, selection), |columns: &Columns<'r>, idx| Seq(columns.start + idx as u64))
}

fn matching<'r, T>(
    query: Query<'r>,
    make: impl Fn(&Columns<'r>, usize) -> T + Copy,
) -> impl DoubleEndedIterator<Item = T> {
    let plans = (0..query.recording.n_parts()).filter_map(move |part| query.plan_whole(part).map(Arc::new));
    plans.flat_map(move |plan| {
        (0..plan.n_chunks()).flat_map(move |chunk| {
            let columns = plan.columns;
            let mut indexes = Vec::new();
            plan.matches(chunk, &mut indexes);
            indexes.into_iter().map(move |idx| make(&columns, usize::from(idx)))
        })
    })
}

/// How many events match. A lone process, peer or range is answered from the index alone.
pub fn count(recording: &Recording, selection: &Selection<'_>) -> u64 {
    let query = Query::new(recording, selection);
    let count_part = |part| query.count_by_index(part).or_else(|| query.plan_whole(part).map(|plan| plan.count()));
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

impl Candidates {
    pub fn len(&self) -> usize {
        match self {
            Candidates::Ranges(ranges) => ranges.iter().map(Range::len).sum(),
            Candidates::List(list) => list.len(),
        }
    }

    /// Candidates number `from..to`, into `out`.
    fn collect(&self, from: usize, to: usize, out: &mut Vec<u16>) {
        match self {
            Candidates::List(list) => out.extend_from_slice(&list[from..to]),
            Candidates::Ranges(_) => self.pieces(from, to, |piece| out.extend(piece.map(|idx| idx as u16))),
        }
    }

    /// Candidates number `from..to`, or as many as there are, as ranges of indexes; none of a list.
    fn pieces(&self, from: usize, to: usize, mut each: impl FnMut(Range<usize>)) {
        let Candidates::Ranges(ranges) = self else { return };
        let mut n_before = 0;
        for range in ranges {
            let first = from.clamp(n_before, n_before + range.len()) - n_before;
            let last = to.clamp(n_before, n_before + range.len()) - n_before;
            let begin = range.start as usize;
            each(begin + first..begin + last);
            n_before += range.len();
        }
    }
}

impl Plan<'_> {
    /// Leaves of the candidates those inside `ranges`.
    pub fn narrow(&mut self, ranges: Vec<Range<u32>>) {
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

    /// The size of each payload, by its number; `None` where so few events are asked that asking for theirs is less work.
    pub fn payload_sizes(&self) -> Option<Vec<u32>> {
        let n_payloads = self.columns.n_payloads;
        if self.candidates.len() < n_payloads {
            return None;
        }
        let mut ends = Vec::new();
        self.columns.payload_ends(&mut ends);
        let starts = std::iter::once(&0).chain(&ends);
        let sizes = ends.iter().zip(starts).map(|(end, start)| (end - start) as u32);
        Some(std::iter::once(0).chain(sizes).collect())
    }

    pub fn n_chunks(&self) -> usize {
        self.candidates.len().div_ceil(CHUNK)
    }

    /// Indexes that match among the candidates of a chunk, ascending, instead of what was in `indexes`.
    pub fn matches(&self, chunk: usize, indexes: &mut Vec<u16>) {
        let tests = match (&self.tests[..], &self.candidates) {
            ([kinds @ Test::Kinds(_), Test::Classes(classes), rest @ ..], Candidates::Ranges(_))
                if classes.is_power_of_two() && self.columns.class.width == NIBBLE =>
            {
                self.take_class(chunk, classes.trailing_zeros() as usize, indexes);
                self.keep(kinds, indexes);
                rest
            }
            ([Test::Kinds(kinds), rest @ ..], Candidates::Ranges(_)) => {
                self.take_kinds(chunk, *kinds, indexes);
                rest
            }
            (tests, _) => {
                self.take(chunk, indexes);
                tests
            }
        };
        for test in tests {
            self.keep(test, indexes);
        }
    }
    /// The candidates of a chunk that are of one class: most are passed over 16 at once.
    fn take_class(&self, chunk: usize, class: usize, indexes: &mut Vec<u16>) {
        indexes.clear();
        self.candidates.pieces(chunk * CHUNK, (chunk + 1) * CHUNK, |piece| {
            self.columns.class.each_of(class, piece, |idx| indexes.push(idx as u16));
        });
    }
    /// The candidates of a chunk that are of some kinds: [`Plan::take`] and [`Test::Kinds`] in one pass.
    fn take_kinds(&self, chunk: usize, kinds: u64, indexes: &mut Vec<u16>) {
        // One place more: what is behind the last match is written, too.
        indexes.resize(CHUNK + 1, 0);
        let mut n_kept = 0;
        self.candidates.pieces(chunk * CHUNK, (chunk + 1) * CHUNK, |piece| {
            for (idx, kind) in piece.clone().zip(&self.columns.kind[piece]) {
                indexes[n_kept] = idx as u16;
                n_kept += (kinds >> kind[0] & 1) as usize;
            }
        });
        indexes.truncate(n_kept);
    }
    /// The candidates of a chunk, instead of what was in `indexes`.
    pub fn take(&self, chunk: usize, indexes: &mut Vec<u16>) {
        indexes.clear();
        self.candidates.collect(chunk * CHUNK, ((chunk + 1) * CHUNK).min(self.candidates.len()), indexes);
    }

    /// Calls `each` with chunks of matching indexes, in order.
    pub fn each_chunk(&self, mut each: impl FnMut(&[u16])) {
        let mut indexes = Vec::with_capacity(CHUNK);
        for chunk in 0..self.n_chunks() {
            self.matches(chunk, &mut indexes);
            each(&indexes);
        }
    }
    /// Calls `each` with every matching index, in order.
    #[inline]
    pub fn each(&self, mut each: impl FnMut(usize)) {
        match (&self.tests[..], &self.candidates) {
            ([], Candidates::Ranges(ranges)) => {
                ranges.iter().for_each(|range| (range.start as usize..range.end as usize).for_each(&mut each));
            }
            _ => self.each_chunk(|indexes| indexes.iter().for_each(|idx| each(usize::from(*idx)))),
        }
    }

    pub fn count(&self) -> u64 {
        match (&self.tests[..], &self.candidates) {
            ([], candidates) => candidates.len() as u64,
            ([Test::Kinds(kinds)], Candidates::Ranges(ranges)) => {
                let kind = self.columns.kind;
                ranges.iter().map(|r| count_kinds(&kind[r.start as usize..r.end as usize], *kinds)).sum()
            }
            _ => {
                let mut n = 0;
                self.each_chunk(|indexes| n += indexes.len() as u64);
                n
            }
        }
    }

    /// Leaves of `indexes` those that pass a test.
    pub fn keep(&self, test: &Test, indexes: &mut Vec<u16>) {
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
            Test::HasCall => compact(indexes, |idx| call.get(idx) != 0),
            Test::Cause(cause) => compact(indexes, |idx| columns.cause(idx) == Some(*cause)),
            Test::SizeMin(min) => compact(indexes, |idx| columns.size_bytes(idx) >= *min),
            Test::Payload(set) => compact(indexes, |idx| set[columns.payload.get(idx)]),
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
