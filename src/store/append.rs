//! Appending: the open tail, its sealing by the writer's thread, and recordings that live in a file while they run.
//! It must not know how a segment is made or written.

use std::path::Path;
use std::sync::Arc;

use super::file::{Additions, Ending, SessionFile};
use super::keyframe::Folder;
use super::segment::Segment;
use super::states::States;
use super::writer::{Pending, Writer};
use super::{Durability, Recording, RecordingInfo, Written, paths, seal};
use crate::codec::etf;
use crate::model::{Failure, FailureKind, Kind, NewEvent, Outcome, Pid, Seq, Term, limits};

/// Full tails that may wait to be sealed before appending waits for the oldest.
const PENDING_MAX: usize = 3;
/// A tail with fewer events is sealed by the appending thread: that takes a millisecond.
const SEALED_HERE_EVENTS_MAX: usize = 8 << 10;
/// Events between two looks at what the writer has done.
const HARVEST_EVENTS: usize = 1 << 10;

impl Recording {
    /// A recording that lives in the file `path` while it runs: what is sealed is there, and only the tail, the dictionaries and
    /// the summaries are in memory. [`Recording::finish`] completes the file; one that was not finished (a crash) opens all
    /// the same, without what was not sealed. Errors: the system's.
    pub fn create(path: &Path, info: RecordingInfo, durability: Durability) -> Outcome<Recording> {
        let file = SessionFile::create(path, &info, &durability)?;
        let mut recording = Recording::new(info);
        recording.writer = Writer::with_file(file, durability.unwritten_bytes_max)?;
        recording.seal_after_ns = durability.seal_after_ns;
        Ok(recording)
    }

    /// Lets a recording without events begin with `first`: what came before is not known. Nothing happens to one that has events.
    pub fn begin_at(&mut self, first: Seq) {
        if first.0 > 0 && self.is_empty() {
            self.tail.restart(first.0);
            let n_bytes = self.keyframes.rebase(first.0, Folder::default(), States::default(), &self.dictionaries);
            self.n_sealed_bytes = self.n_sealed_bytes.saturating_add_signed(n_bytes);
        }
    }

    /// Whether the recording lives in a file.
    pub fn is_in_file(&self) -> bool {
        self.writer.has_file()
    }

    /// Seals what there is and completes the file: its directory, with branches and marks, is written and everything synced.
    /// The recording may go on; then it is to be finished again. Nothing happens to one that lives in memory.
    /// Errors: the file could not be written.
    pub fn finish(&mut self) -> Outcome<()> {
        if !self.writer.has_file() {
            return Ok(());
        }
        self.account_dropped();
        self.seal();
        let left = self.additions();
        self.writer.end(Ending {
            info: self.info.clone(),
            actors: self.dictionaries.actors.items().to_vec(),
            tags: self.dictionaries.tags.items().to_vec(),
            checkpoints: left.checkpoints,
            base: self.keyframes.base.clone(),
            branches: self.branches.clone(),
            marks: self.marks.clone(),
        })
    }

    /// Appends one event and gives it its seq. A `restored` or `forked` event that is not the first of a branch
    /// begins one from its cause. Allocates nothing but at the end of a segment (every 64 Ki events: about
    /// 10 ms) and of a keyframe (every 8 Ki). Errors: the recording's or the payload's limit is reached; the
    /// recording is as before then.
    pub fn append(&mut self, new: &NewEvent<'_>) -> Outcome<Seq> {
        self.check_room(new)?;
        if self.writer.shared().is_over() {
            // What cannot be kept is counted; the loss has this number.
            self.n_dropped += 1;
            return Ok(Seq(self.len()));
        }
        self.account_dropped();
        let seq = Seq(self.len());
        if matches!(new.kind, Kind::Restored | Kind::Forked) && self.branches.last().is_none_or(|b| b.start != seq) {
            self.begin_branch(new.cause);
        }
        self.forget_derived();
        self.push(new);
        if self.len() - self.keyframes.n_events() >= limits::KEYFRAME_EVENTS as u64 {
            self.n_sealed_bytes += self.add_checkpoint(self.len());
        }
        if self.tail.is_full() || self.is_overdue() || self.is_ring_segment_full() {
            self.seal_tail();
            self.keep_in_ring();
        } else if !self.pending.is_empty() && self.tail.len().is_multiple_of(HARVEST_EVENTS) {
            self.harvest();
        }
        Ok(seq)
    }

    fn push(&mut self, new: &NewEvent<'_>) {
        let seq = Seq(self.tail.end());
        // Where a branch begins, the rows become others: the next checkpoint sees to that.
        let begins_branch = self.branches.last().is_some_and(|branch| branch.start == seq && branch.parent.is_some());
        if let Some(live) = self.keyframes.live.as_mut().filter(|_| !begins_branch) {
            live.take(seq, new);
        }
        self.tail.push(new, &mut self.dictionaries);
    }

    /// Says in its place how many events found no room while the disk was full.
    #[inline]
    fn account_dropped(&mut self) {
        if self.n_dropped > 0 {
            self.record_dropped();
        }
    }

    #[inline(never)]
    fn record_dropped(&mut self) {
        let n_dropped = std::mem::take(&mut self.n_dropped);
        let mut payload = Vec::new();
        let total = Term::Int(i64::try_from(n_dropped).unwrap_or(i64::MAX));
        let fields = [("total", total), ("what", Term::binary("the disk was full"))];
        etf::encode(&Term::map(fields.map(|(name, value)| (Term::atom(name), value))), &mut payload);
        let at_ns =
            self.tail.time_max_ns().or(self.segments.last().map(|segment| segment.head.time_max_ns)).unwrap_or(0);
        self.push(&NewEvent { payload: &payload, ..NewEvent::new(at_ns, Kind::Loss, Pid::local(0)) });
        if self.tail.is_full() {
            self.seal_tail();
        }
        self.writer
            .shared()
            .tell(format!("{n_dropped} events were dropped while the disk was full: loss() tells where"));
    }

    /// What is to be told of the file since the last time: that its disk is full, that it is written again.
    pub fn disk_news(&mut self) -> Vec<String> {
        if !self.writer.has_file() {
            return Vec::new();
        }
        self.harvest();
        self.writer.shared().take_news()
    }

    #[inline]
    fn check_room(&self, new: &NewEvent<'_>) -> Outcome<()> {
        let n_new = new.payload.len() + new.meta.len();
        let fits = n_new <= limits::PAYLOAD_BYTES_MAX && self.n_bytes() + n_new <= self.n_bytes_max;
        if fits && self.writer.failure().is_none() { Ok(()) } else { Err(self.why_no_room(n_new)) }
    }

    #[cold]
    fn why_no_room(&self, n_new: usize) -> Failure {
        let tripped = |limit, why, raise| Failure::new(FailureKind::Limit, limits::tripped(limit, why, raise));
        if n_new > limits::PAYLOAD_BYTES_MAX {
            let raise = "the event is not recorded; send less, or trace with a pattern that leaves the payload out";
            return tripped("PAYLOAD_BYTES_MAX", format!("{n_new} bytes of {}", limits::PAYLOAD_BYTES_MAX), raise);
        }
        let full = || {
            let raise = "the recording is full; save it and record on in a new one";
            tripped("RECORDING_BYTES_MAX", format!("{} bytes", self.n_bytes_max), raise)
        };
        self.writer.failure().cloned().unwrap_or_else(full)
    }

    /// Bytes of memory that the events and keyframes hold, about.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_sealed_bytes + self.n_pending_bytes + self.tail.n_bytes()
    }

    /// Gives the tail to the file when it has waited long enough at `now_ns` of the events' clock, although nothing new comes.
    pub fn seal_overdue(&mut self, now_ns: i64) {
        if self.writer.has_file() && self.is_overdue_at(now_ns) {
            self.seal_tail();
        }
    }

    fn is_overdue(&self) -> bool {
        self.tail.time_range_ns().is_some_and(|(_, latest_ns)| self.is_overdue_at(latest_ns))
    }

    /// Whether the tail has waited long enough to go to the file.
    fn is_overdue_at(&self, now_ns: i64) -> bool {
        let is_old = |(earliest_ns, _)| now_ns.saturating_sub(earliest_ns) >= self.seal_after_ns;
        self.seal_after_ns < i64::MAX && self.tail.time_range_ns().is_some_and(is_old)
    }

    /// Closes the tail, if it has events, and goes on with an empty one. A large tail is sealed by the writer.
    pub(super) fn seal_tail(&mut self) {
        if self.tail.len() == 0 {
            return;
        }
        if self.tail.len() <= SEALED_HERE_EVENTS_MAX && !self.writer.has_file() {
            self.settle();
            let segment = Arc::new(self.writer.seal_here(&self.tail));
            self.add_segment(segment);
            self.tail.restart(self.len());
            return;
        }
        self.harvest();
        let mut next = self.spare.pop().unwrap_or_default();
        next.restart(self.len());
        let pending = Arc::new(Pending::new(std::mem::replace(&mut self.tail, next)));
        self.n_pending_bytes += pending.tail.n_bytes();
        self.pending.push_back(pending.clone());
        let additions = self.additions();
        self.writer.give(&pending, additions);
        drop(pending);
        while self.pending.len() > PENDING_MAX {
            self.pending[0].wait();
            self.harvest();
        }
    }

    /// What the file does not have yet of dictionaries and keyframes.
    fn additions(&mut self) -> Additions {
        if !self.writer.has_file() {
            return Additions::default();
        }
        let (actors, tags) = (self.dictionaries.actors.items(), self.dictionaries.tags.items());
        let checkpoints = &self.keyframes.checkpoints;
        let additions = Additions {
            first: [self.n_written.actors, self.n_written.tags],
            actors: actors[self.n_written.actors..].to_vec(),
            tags: tags[self.n_written.tags..].to_vec(),
            checkpoints: checkpoints[self.n_written.checkpoints..].to_vec(),
        };
        self.n_written = Written { actors: actors.len(), tags: tags.len(), checkpoints: checkpoints.len() };
        additions
    }

    /// Takes over what the writer has sealed.
    fn harvest(&mut self) {
        while let Some(segment) = self.pending.front().and_then(|pending| pending.segment()) {
            let pending = self.pending.pop_front().expect("it was looked at in the line above");
            self.n_pending_bytes -= pending.tail.n_bytes();
            self.add_segment(segment);
            // A reader may still have it; then its memory is not used again.
            if let (Some(pending), true) = (Arc::into_inner(pending), self.spare.len() < PENDING_MAX) {
                self.spare.push(pending.tail);
            }
        }
        // What waited for the disk is there now, and needs no memory any more.
        for segment in self.writer.shared().take_written() {
            let place = self.part_of(segment.head.start);
            if let Some(own) = self.segments.get_mut(place).filter(|own| own.head == segment.head) {
                self.n_sealed_bytes = (self.n_sealed_bytes + segment.owned_len()).saturating_sub(own.owned_len());
                *own = segment;
            }
        }
    }

    fn add_segment(&mut self, segment: Arc<Segment>) {
        self.n_sealed_bytes += segment.owned_len();
        self.segments.push(segment);
    }

    /// Waits until everything but the tail is sealed.
    pub(super) fn settle(&mut self) {
        while let Some(pending) = self.pending.front() {
            pending.wait();
            self.harvest();
        }
    }

    /// Seals what there is, and waits for it. What was sealed survives a crash, when there is a file.
    pub fn seal(&mut self) {
        self.seal_tail();
        self.settle();
    }

    /// All events as segments: what is not sealed yet is sealed for the caller.
    pub(super) fn sealed_segments(&self) -> Vec<Arc<Segment>> {
        let pending = self.pending.iter().map(|pending| pending.wait());
        let tail = (self.tail.len() > 0).then(|| Arc::new(seal::seal(&self.tail, &mut paths::States::default())));
        self.segments.iter().cloned().chain(pending).chain(tail).collect()
    }
}
