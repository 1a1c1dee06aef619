//! Floor 1: the event store. Append, scan, seek, materialise.
//! (First form: rows in a `Vec`, with the interface that the segments keep.)

use std::ops::Range;

use crate::codec::etf;
use crate::model::{Actor, Event, Filter, NewEvent, Outcome, Seq, SystemState, Term};

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

/// A continuation: events from `start` on (a `restored` or `forked` event) follow event `from` of `parent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    pub id: u32,
    pub parent: Option<u32>,
    /// The last event of the parent that belongs to this branch's past; `None` for the trunk or an empty past.
    pub from: Option<Seq>,
    pub start: Seq,
}

/// The events of one run. Appending needs `&mut`; reading never blocks.
#[derive(Clone, Debug)]
pub struct Recording {
    pub info: RecordingInfo,
    rows: Vec<Event>,
    payloads: Vec<(Vec<u8>, Vec<u8>)>,
    marks: Vec<Mark>,
    branches: Vec<Branch>,
}

impl Default for Recording {
    fn default() -> Recording {
        Recording::new(RecordingInfo::default())
    }
}

impl Recording {
    pub fn new(info: RecordingInfo) -> Recording {
        let trunk = Branch { id: 0, parent: None, from: None, start: Seq(0) };
        Recording { info, rows: Vec::new(), payloads: Vec::new(), marks: Vec::new(), branches: vec![trunk] }
    }

    /// Appends one event and gives it its seq. Errors: the recording's memory limit is reached.
    pub fn append(&mut self, new: &NewEvent<'_>) -> Outcome<Seq> {
        let seq = Seq(self.rows.len() as u64);
        self.rows.push(Event {
            seq,
            at_ns: new.at_ns,
            kind: new.kind,
            class: new.class,
            process: new.process,
            peer: new.peer,
            tag: new.tag,
            call: new.call,
            cause: new.cause,
            size_bytes: new.payload.len() as u32,
        });
        self.payloads.push((new.payload.to_vec(), new.meta.to_vec()));
        Ok(seq)
    }

    /// Number of events; seqs are `0..len`.
    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
    pub fn event(&self, seq: Seq) -> Option<Event> {
        self.rows.get(seq.0 as usize).copied()
    }
    /// The payload's external term format, 131 first; `None` when the event has none.
    pub fn payload(&self, seq: Seq) -> Option<Vec<u8>> {
        self.payloads.get(seq.0 as usize).map(|p| p.0.clone()).filter(|p| !p.is_empty())
    }
    /// The decoded payload; `None` when there is none or when it is too deep or damaged (then [`Recording::payload`] has the bytes).
    pub fn term(&self, seq: Seq) -> Option<Term> {
        etf::decode(&self.payload(seq)?).ok()
    }
    /// The metadata map.
    pub fn meta(&self, seq: Seq) -> Option<Term> {
        let bytes = &self.payloads.get(seq.0 as usize)?.1;
        if bytes.is_empty() { None } else { etf::decode(bytes).ok() }
    }

    /// Events that match, ascending; `.rev()` gives them descending. Never materialises the whole result.
    pub fn scan<'r>(&'r self, filter: &'r Filter) -> impl DoubleEndedIterator<Item = Event> + 'r {
        self.rows.iter().filter(|event| filter.matches(event)).copied()
    }
    pub fn count(&self, filter: &Filter) -> u64 {
        self.scan(filter).count() as u64
    }
    /// First seq of `lineage` (ascending ranges, as of [`Recording::lineage`]) at or after `at_ns`; `None` past the end.
    pub fn seek_time(&self, lineage: &[Range<u64>], at_ns: i64) -> Option<Seq> {
        lineage.iter().flat_map(|r| r.clone()).map(Seq).find(|s| self.rows[s.0 as usize].at_ns >= at_ns)
    }
    /// Clock of the first and the last event.
    pub fn time_range_ns(&self) -> Option<(i64, i64)> {
        Some((self.rows.first()?.at_ns, self.rows.last()?.at_ns))
    }
    /// Every actor that appears as process or peer, in order of first appearance.
    pub fn actors(&self) -> Vec<Actor> {
        let mut seen = rustc_hash::FxHashSet::default();
        let both = self.rows.iter().flat_map(|e| [Some(e.process), e.peer]).flatten();
        both.filter(|actor| seen.insert(*actor)).collect()
    }

    /// The observed system just after event `at`, along the branch that `at` belongs to.
    pub fn materialise(&self, at: Seq) -> SystemState {
        let mut state = SystemState::default();
        for range in self.lineage(self.branch_of(at)) {
            for seq in range.take_while(|seq| *seq <= at.0) {
                state.apply(&self.rows[seq as usize], &mut || self.term(Seq(seq)));
            }
        }
        state
    }

    /// The branch that event `seq` was appended to.
    pub fn branch_of(&self, seq: Seq) -> u32 {
        self.branches.partition_point(|branch| branch.start <= seq).saturating_sub(1) as u32
    }
    /// All branches in order of their ids; the trunk is 0.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }
    /// The newest branch's id.
    pub fn current_branch(&self) -> u32 {
        self.branches.last().map_or(0, |b| b.id)
    }
    /// Begins a branch whose past ends with `from`; the next appended event (restored or forked) is its first.
    pub fn begin_branch(&mut self, from: Option<Seq>) -> u32 {
        let id = self.branches.len() as u32;
        let parent = from.map_or(0, |seq| self.branch_of(seq));
        self.branches.push(Branch { id, parent: Some(parent), from, start: Seq(self.len()) });
        id
    }
    /// The seqs of a branch with its past: ascending, disjoint ranges. Empty for a branch that is not there.
    pub fn lineage(&self, branch: u32) -> Vec<Range<u64>> {
        let end_of = |id: usize| self.branches.get(id + 1).map_or(self.len(), |next| next.start.0);
        let mut ranges = Vec::new();
        let mut next = self.branches.get(branch as usize).map(|b| (b, end_of(branch as usize)));
        while let Some((branch, end)) = next {
            if branch.start.0 < end {
                ranges.push(branch.start.0..end);
            }
            next = branch.parent.zip(branch.from).map(|(parent, from)| (&self.branches[parent as usize], from.0 + 1));
        }
        ranges.reverse();
        ranges
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
    pub fn save(&self, _path: &std::path::Path) -> Outcome<()> {
        todo!("store")
    }
    /// Opens a `.cinema` file. Damage after the last complete block is reported in the second value, never fatal.
    pub fn open(_path: &std::path::Path) -> Outcome<(Recording, Vec<String>)> {
        todo!("store")
    }
}
