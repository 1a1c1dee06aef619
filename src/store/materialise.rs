//! The observed system at any event: the nearest checkpoint before it on its branch, and the fold of
//! the events from there on. Also makes the checkpoints while events are appended.

use std::collections::VecDeque;
use std::ops::Range;

use super::keyframe::{Folder, Live};
use super::{Branch, Recording};
use crate::model::system::{Rows, fold};
use crate::model::{Filter, Kind, ProcessRow, Seq, SystemState, limits};

impl Recording {
    /// The observed system just after event `at`, along the branch that `at` belongs to. An `at` past the end
    /// is the end; one that was evicted is the moment before the first event that is there. Costs the checkpoint's rows (about 0.2 µs each) and at most
    /// [`KEYFRAME_EVENTS`](crate::model::limits::KEYFRAME_EVENTS) folded events per branch crossed.
    pub fn materialise(&self, at: Seq) -> SystemState {
        let Some(last) = self.len().checked_sub(1).map(|last| last.min(at.0)) else { return SystemState::default() };
        let last = last.max(self.first().0.saturating_sub(1));
        let at_ns = self.event(Seq(last)).or_else(|| self.event(self.first())).map_or(0, |event| event.at_ns);
        self.rows_after(Some(Seq(last))).into_state(Some(Seq(last)), at_ns)
    }

    /// The rows just after event `at`; before the first event for `None`.
    pub(super) fn rows_after(&self, at: Option<Seq>) -> Folder {
        let mut steps: Vec<Range<u64>> = Vec::new();
        let mut next = at;
        let mut rows = Folder::default();
        while let Some(last) = next {
            let branch = &self.branches[self.branch_of(last) as usize];
            if let Some((found, n_covered)) = self.nearest_checkpoint(last, branch) {
                rows = found;
                steps.push(n_covered..last.0 + 1);
                break;
            }
            steps.push(branch.start.0.max(self.first().0)..last.0 + 1);
            if let Some(base) = self.keyframes.restore_branch_base(branch.start.0, &self.dictionaries) {
                rows = base;
                break;
            }
            next = branch.from;
        }
        for step in steps.into_iter().rev() {
            self.fold_into(&mut rows, step);
        }
        rows
    }

    /// The rows from which a branch goes on.
    fn rows_before_branch(&self, branch: &Branch) -> Folder {
        let base = self.keyframes.restore_branch_base(branch.start.0, &self.dictionaries);
        base.unwrap_or_else(|| self.rows_after(branch.from))
    }

    /// The last checkpoint on `branch` that covers no event after `last`, with the number of events that it
    /// covers; the trunk begins with an empty one. A checkpoint that is damaged costs time, not truth: the one
    /// before it is taken.
    fn nearest_checkpoint(&self, last: Seq, branch: &Branch) -> Option<(Folder, u64)> {
        let is_on_branch = |j: usize| branch.id == 0 || self.keyframes.n_events_of(j) > branch.start.0;
        let newest_first = (self.keyframes.n_evicted..=self.keyframes.covering(last.0 + 1)).rev();
        newest_first.take_while(|j| is_on_branch(*j)).find_map(|j| self.rows_at_checkpoint(j))
    }

    /// The rows of checkpoint `j` and the number of events that it covers.
    fn rows_at_checkpoint(&self, j: usize) -> Option<(Folder, u64)> {
        let (mut rows, long_mailboxes) = self.keyframes.restore(j, &self.dictionaries)?;
        let n_events = self.keyframes.n_events_of(j);
        let reaches_back = long_mailboxes.iter().any(|(_, oldest)| *oldest < self.first());
        let base = if reaches_back { self.past_base(n_events) } else { None };
        for (actor, oldest) in long_mailboxes {
            if let Some(row) = rows.row_mut(actor) {
                let before = base.as_ref().filter(|_| oldest < self.first()).and_then(|base| base.get(actor));
                row.mailbox = match before {
                    Some(before) => self.waiting_since(before, n_events),
                    None => self.waiting(row, oldest, n_events),
                };
            }
        }
        Some((rows, n_events))
    }

    /// The system at the start of what is there of the past of event `n_events - 1`.
    fn past_base(&self, n_events: u64) -> Option<Folder> {
        let mut branch = &self.branches[self.branch_of(Seq(n_events.saturating_sub(1))) as usize];
        loop {
            if branch.start < self.first() {
                return self.keyframes.restore_base(&self.dictionaries);
            }
            match branch.from.filter(|from| *from >= self.first()) {
                Some(from) => branch = &self.branches[self.branch_of(from) as usize],
                None => return self.keyframes.restore_branch_base(branch.start.0, &self.dictionaries),
            }
        }
    }

    /// The mailbox of the process of `before`, its row at the recording's start, just before event `n_events`.
    fn waiting_since(&self, before: &ProcessRow, n_events: u64) -> VecDeque<Seq> {
        let branch = self.branch_of(Seq(n_events.saturating_sub(1)));
        let past = self.lineage(branch).into_iter().map(|r| r.start..r.end.min(n_events)).filter(|r| !r.is_empty());
        let filter = Filter { ranges: past.collect(), ..Filter::default() }.process(before.actor);
        let mut rows = Folder::default();
        *rows.row(before.actor) = before.clone();
        if !filter.ranges.is_empty() {
            for event in self.scan(&filter) {
                fold(&mut rows, &event, &mut || None);
            }
        }
        rows.row_mut(before.actor).map(|row| std::mem::take(&mut row.mailbox)).unwrap_or_default()
    }

    /// The mailbox of the process of `row` just before event `n_events`, given its oldest message: what arrived
    /// from there on and was not taken.
    fn waiting(&self, row: &ProcessRow, oldest: Seq, n_events: u64) -> VecDeque<Seq> {
        let branch = self.branch_of(Seq(n_events.saturating_sub(1)));
        let past = self.lineage(branch).into_iter().map(|r| r.start.max(oldest.0)..r.end.min(n_events));
        let arrivals = [Kind::Receive, Kind::Down, Kind::TimerFire, Kind::ExitSignal];
        let kinds = [&arrivals[..], &[Kind::HandleStart, Kind::HandleEnd]].concat();
        let filter = Filter { ranges: past.filter(|r| !r.is_empty()).collect(), ..Filter::kinds(&kinds) };
        let filter = filter.process(row.actor);
        // The callback that ran when the oldest message came runs still, or the first of its ends is here.
        let began_before = |start: &Seq| *start < oldest;
        let mut ends = self.scan(&filter).filter(|event| event.kind == Kind::HandleEnd);
        let handling = row.handling.filter(began_before).or_else(|| ends.find_map(|e| e.cause.filter(began_before)));
        let mut rows = Folder::default();
        // It has taken messages before: its mailbox is known.
        *rows.row(row.actor) = ProcessRow { n_handled: 1, handling, ..ProcessRow::new(row.actor) };
        for event in self.scan(&filter) {
            fold(&mut rows, &event, &mut || None);
        }
        rows.row_mut(row.actor).map(|row| std::mem::take(&mut row.mailbox)).unwrap_or_default()
    }

    /// Folds events that follow each other on one branch, those that are there.
    fn fold_into(&self, rows: &mut Folder, seqs: Range<u64>) {
        let mut next = seqs.start.max(self.first().0);
        while next < seqs.end {
            let columns = self.part_columns(self.part_of(next));
            let end = (columns.start + columns.len() as u64).min(seqs.end);
            for seq in next..end {
                let event = columns.event((seq - columns.start) as usize, &self.dictionaries);
                fold(rows, &event, &mut || self.term(Seq(seq)));
            }
            // A damaged part has no events: what follows it is folded all the same.
            let resumed = end.max(self.part_end(self.part_of(next)));
            rows.add_lost(resumed.min(seqs.end).saturating_sub(end.max(next)));
            next = resumed;
        }
    }

    /// Makes the checkpoints that are missing up to the last event.
    pub(super) fn add_checkpoints(&mut self) {
        let interval = limits::KEYFRAME_EVENTS as u64;
        // A recording whose past is gone without a trace has none there.
        let n_covered = |recording: &Recording| recording.keyframes.n_events().max(recording.first().0);
        while self.len() - n_covered(self) >= interval {
            self.add_checkpoint(n_covered(self) + interval);
        }
    }

    /// Adds the checkpoint of the first `n_events` events, which are more than the last one covers. Gives its
    /// bytes.
    pub(super) fn add_checkpoint(&mut self, n_events: u64) -> usize {
        let n_covered = self.keyframes.n_events();
        let live = self.keyframes.live.take();
        let rows_at_last = || Live { rows: self.rows_after(n_covered.checked_sub(1).map(Seq)), n_events: n_covered };
        let Live { mut rows, n_events: mut next } = live.unwrap_or_else(rows_at_last);
        let first = self.branches.partition_point(|branch| branch.start.0 < next.max(1));
        for branch in self.branches[first..].iter().take_while(|branch| branch.start.0 < n_events) {
            self.fold_into(&mut rows, next..branch.start.0);
            rows.replace(self.rows_before_branch(branch));
            next = branch.start.0;
        }
        self.fold_into(&mut rows, next..n_events);
        self.keyframes.add(n_events, rows, &self.dictionaries)
    }
}
