//! The numbers that events have in a file of JSON lines and the seqs that they get here: what is missing between them, what
//! comes late or again. It must not know what the events are.

use std::collections::BTreeMap;

use crate::model::Seq;

/// The seqs that events had and have. Where those of the file follow each other, so do ours: a run takes some 30 bytes.
#[derive(Default)]
pub struct Seqs {
    /// By the first seq in the file of each run: the first here, and how many they are.
    runs: BTreeMap<u64, (Seq, u64)>,
    /// The seq that comes next in the file when nothing is missing.
    pub next: u64,
    /// Lines since the last event that were none: each may have been one.
    pub n_damaged: u64,
}

/// How an event's number stands to those before it.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// So many are missing between the one before and this.
    Behind { n_missing: u64 },
    /// Greater than the one after it: it stands in the place of another, or that one is late.
    Ahead,
    /// Smaller than the one before it.
    Late,
    /// Another event has it: no cause leads to this one.
    Again,
}

impl Seqs {
    /// How the next event's number stands; the file says that it leaves out `n_skipped` before it. `after` finds out the number of
    /// the event behind it, and is called when there seems to be a gap.
    pub fn place(&mut self, theirs: u64, n_skipped: u64, after: impl FnOnce() -> Option<u64>) -> Order {
        let n_damaged = std::mem::take(&mut self.n_damaged);
        if theirs < self.next {
            return if self.find(theirs).is_some() { Order::Again } else { Order::Late };
        }
        let gap = theirs.saturating_sub(n_skipped).saturating_sub(self.next);
        if gap > n_damaged && after().is_some_and(|after| (self.next..theirs).contains(&after)) {
            self.next += 1;
            return Order::Ahead;
        }
        let n_absent = gap.saturating_sub(n_damaged);
        let n_known = if n_absent > 0 { self.n_known(self.next..theirs) } else { 0 };
        self.next = theirs.saturating_add(1);
        Order::Behind { n_missing: n_absent.saturating_sub(n_known) }
    }

    /// Notes that the event has `ours` here, unless one before it has its number.
    pub fn insert(&mut self, theirs: u64, ours: Seq) {
        if let Some((first, (ours_first, n))) = self.runs.range_mut(..=theirs).next_back() {
            let place = theirs - first;
            if place < *n {
                return;
            }
            if place == *n && ours_first.0 + *n == ours.0 {
                *n += 1;
                return;
            }
        }
        self.runs.insert(theirs, (ours, 1));
    }

    /// How many of these numbers events have.
    fn n_known(&self, theirs: std::ops::Range<u64>) -> u64 {
        let inside = |(first, (_, n)): (&u64, &(Seq, u64))| first.saturating_add(*n).min(theirs.end) - first;
        self.runs.range(theirs.clone()).map(inside).sum()
    }

    /// Ours for theirs; `None` for an event that the file does not have, or has later.
    pub fn find(&self, theirs: u64) -> Option<Seq> {
        let (first, (ours, n)) = self.runs.range(..=theirs).next_back()?;
        let place = theirs - first;
        (place < *n).then(|| Seq(ours.0 + place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds all, in order; gives how each stands.
    fn added(theirs: &[u64]) -> (Seqs, Vec<Order>) {
        let mut seqs = Seqs { next: theirs[0], ..Seqs::default() };
        let add = |(ours, number): (usize, &u64)| {
            let order = seqs.place(*number, 0, || theirs.get(ours + 1).copied());
            seqs.insert(*number, Seq(ours as u64));
            order
        };
        let orders = theirs.iter().enumerate().map(add).collect();
        (seqs, orders)
    }
    fn missing(n_missing: u64) -> Order {
        Order::Behind { n_missing }
    }

    #[test]
    fn seqs_are_found_over_gaps() {
        let (seqs, orders) = added(&[5, 6, 9, 10, 20]);
        assert_eq!(orders, [missing(0), missing(0), missing(2), missing(0), missing(9)]);
        let found = [4, 5, 6, 7, 9, 10, 11, 20, 21].map(|theirs| seqs.find(theirs).map(|seq| seq.0));
        assert_eq!(found, [None, Some(0), Some(1), None, Some(2), Some(3), None, Some(4), None]);
        assert_eq!(seqs.runs.len(), 3);
    }

    #[test]
    fn an_odd_number_changes_nothing_for_those_behind_it() {
        let (seqs, orders) = added(&[1, 2, u64::MAX - 1, 4, 5]);
        assert_eq!(orders, [missing(0), missing(0), Order::Ahead, missing(0), missing(0)]);
        assert_eq!([4, 5, u64::MAX - 1].map(|theirs| seqs.find(theirs)), [3, 4, 2].map(|seq| Some(Seq(seq))));
        // As the last one nothing tells it from a gap.
        assert_eq!(added(&[1, u64::MAX]).1[1], missing(u64::MAX - 2));
    }

    #[test]
    fn what_comes_late_or_again_is_told_from_what_is_missing() {
        let (seqs, orders) = added(&[1, 3, 2, 4, 4, 2, 6]);
        assert_eq!(orders, [missing(0), Order::Ahead, Order::Late, missing(0), Order::Again, Order::Again, missing(1)]);
        assert_eq!([2, 3, 4].map(|theirs| seqs.find(theirs)), [2, 1, 3].map(|seq| Some(Seq(seq))));
    }

    #[test]
    fn what_is_left_out_and_what_is_damaged_is_not_missing() {
        let (mut seqs, _) = added(&[0]);
        let mut place = |theirs, n_skipped, n_damaged| {
            seqs.n_damaged = n_damaged;
            seqs.place(theirs, n_skipped, || None)
        };
        assert_eq!(place(9, 8, 0), missing(0), "the file says so");
        assert_eq!(place(20, 8, 0), missing(2), "more than it says");
        assert_eq!(place(23, 0, 2), missing(0), "two lines stand for two");
        assert_eq!(place(24, 0, 1), missing(0), "a line that was none");
        assert_eq!(place(30, 0, 1), missing(4));
    }
}
