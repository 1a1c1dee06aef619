//! Branches: one append-only log; a branch is a run of events that follow an earlier event of another.
//!
//! Invariants: branch ids are places in the list, starts ascend, and a branch's `from` lies before its
//! start. A branch's own events end where the next branch begins.

use std::ops::Range;

use super::Recording;
use crate::model::Seq;

/// A continuation: events from `start` on (a `restored` or `forked` event) follow event `from` of `parent`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    pub id: u32,
    pub parent: Option<u32>,
    /// The last event of the parent that belongs to this branch's past; `None` for the trunk or an empty past.
    pub from: Option<Seq>,
    pub start: Seq,
}

impl Branch {
    pub(super) fn trunk() -> Branch {
        Branch { id: 0, parent: None, from: None, start: Seq(0) }
    }
}

impl Recording {
    /// All branches in order of their ids; the trunk is 0.
    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The newest branch's id.
    pub fn current_branch(&self) -> u32 {
        self.branches.last().map_or(0, |branch| branch.id)
    }

    /// The branch that event `seq` was appended to.
    pub fn branch_of(&self, seq: Seq) -> u32 {
        self.branches.partition_point(|branch| branch.start <= seq).saturating_sub(1) as u32
    }

    /// Begins a branch whose past ends with `from`; the next appended event (restored or forked) is its first.
    /// A `from` that is not recorded yet is taken as the last event, one that was evicted as the last of these.
    pub fn begin_branch(&mut self, from: Option<Seq>) -> u32 {
        let id = self.branches.len() as u32;
        let from = from.and_then(|from| Some(Seq(from.0.min(self.len().checked_sub(1)?))));
        let parent = from.map_or(0, |seq| self.branch_of(seq));
        self.branches.push(Branch { id, parent: Some(parent), from, start: Seq(self.len()) });
        id
    }

    /// The seqs of a branch with its past, as far as they are there: ascending, disjoint ranges. Empty for a branch
    /// that is not there.
    pub fn lineage(&self, branch: u32) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        let mut id = branch as usize;
        let mut end = self.branches.get(id + 1).map_or(self.len(), |next| next.start.0);
        while let Some(branch) = self.branches.get(id) {
            if branch.start.0 < end {
                ranges.push(branch.start.0..end);
            }
            let (Some(parent), Some(from)) = (branch.parent, branch.from) else { break };
            (id, end) = (parent as usize, from.0 + 1);
        }
        ranges.reverse();
        let first = self.first().0;
        ranges.into_iter().map(|r| r.start.max(first)..r.end).filter(|r| !r.is_empty()).collect()
    }
}
