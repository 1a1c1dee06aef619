//! The seqs of one timeline: ascending, disjoint ranges, with arithmetic by position.
//! It must not know recordings.

use std::ops::Range;

use crate::model::Seq;

/// Ascending, disjoint, non-empty ranges of seqs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    ranges: Vec<Range<u64>>,
}

impl Line {
    /// A line from a branch's lineage, cut to `range`.
    pub fn new(lineage: Vec<Range<u64>>, range: Option<Range<u64>>) -> Line {
        let limit = range.unwrap_or(0..u64::MAX);
        let cut = |r: Range<u64>| r.start.max(limit.start)..r.end.min(limit.end);
        Line { ranges: lineage.into_iter().map(cut).filter(|r| r.start < r.end).collect() }
    }

    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.end - r.start).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
    pub fn first(&self) -> Option<Seq> {
        self.ranges.first().map(|r| Seq(r.start))
    }
    pub fn last(&self) -> Option<Seq> {
        self.ranges.last().map(|r| Seq(r.end - 1))
    }
    pub fn contains(&self, seq: Seq) -> bool {
        self.ranges.iter().any(|r| r.contains(&seq.0))
    }

    /// How many seqs of the line are at or before `at`.
    pub fn n_through(&self, at: Option<Seq>) -> u64 {
        let Some(at) = at else { return 0 };
        self.ranges.iter().map(|r| (at.0 + 1).clamp(r.start, r.end) - r.start).sum()
    }
    /// The seq at position `idx`; `None` for `None` (before the first) and past the end.
    pub fn nth(&self, idx: Option<u64>) -> Option<Seq> {
        let mut left = idx?;
        for range in &self.ranges {
            let n = range.end - range.start;
            if left < n {
                return Some(Seq(range.start + left));
            }
            left -= n;
        }
        None
    }
    /// The nearest seq before `seq`.
    pub fn prev(&self, seq: Seq) -> Option<Seq> {
        self.nth(self.n_through(Some(seq)).checked_sub(if self.contains(seq) { 2 } else { 1 }))
    }
    /// The ranges after `at`.
    pub fn after(&self, at: Option<Seq>) -> Vec<Range<u64>> {
        let from = at.map_or(0, |seq| seq.0 + 1);
        Line::new(self.ranges.clone(), Some(from..u64::MAX)).ranges
    }
    /// The ranges before `at` (without it).
    pub fn before(&self, at: Option<Seq>) -> Vec<Range<u64>> {
        Line::new(self.ranges.clone(), Some(0..at.map_or(0, |seq| seq.0))).ranges
    }
}
