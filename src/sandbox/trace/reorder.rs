//! Puts events in order that come nearly in order: each VM thread writes its own trace messages in
//! time, but 2 % of them are overtaken by another thread's, nearly all by microseconds.

use std::collections::VecDeque;

use super::message::Stamp;

/// Holds back as many items as it was told to, sorted. An item in order costs a comparison and a push.
pub struct Reorder<T> {
    held: VecDeque<(Stamp, T)>,
    n_held_max: usize,
    /// Of the item given out last.
    last: Stamp,
}

impl<T> Reorder<T> {
    pub fn new(n_held_max: usize) -> Reorder<T> {
        Reorder { held: VecDeque::with_capacity(n_held_max + 1), n_held_max, last: Stamp::MIN }
    }

    /// Takes an item; gives one out, the oldest, when enough are held.
    /// An item without stamp stays behind the one that came before it.
    pub fn push(&mut self, stamp: Option<Stamp>, item: T) -> Option<Ordered<T>> {
        let newest = self.held.back().map_or(self.last, |(stamp, _)| *stamp);
        let stamp = stamp.unwrap_or(newest);
        if stamp >= newest {
            self.held.push_back((stamp, item));
        } else {
            let idx = self.held.partition_point(|(held, _)| *held <= stamp);
            self.held.insert(idx, (stamp, item));
        }
        if self.held.len() > self.n_held_max { self.pop() } else { None }
    }

    /// The time of the oldest item that is held.
    pub fn oldest_ns(&self) -> Option<i64> {
        self.held.front().map(|(stamp, _)| stamp.at_ns)
    }

    /// The time of the item given out last; 0 before the first.
    pub fn last_ns(&self) -> i64 {
        if self.last == Stamp::MIN { 0 } else { self.last.at_ns }
    }

    /// Gives out the oldest item.
    pub fn pop(&mut self) -> Option<Ordered<T>> {
        let (stamp, item) = self.held.pop_front()?;
        let late_ns = self.last.at_ns.saturating_sub(stamp.at_ns).max(0);
        self.last = self.last.max(stamp);
        Some(Ordered { at_ns: self.last.at_ns, late_ns, item })
    }
}

/// An item in its place.
pub struct Ordered<T> {
    /// Never less than that of the item before.
    pub at_ns: i64,
    /// How much older it is than `at_ns` says, because it came after more than the items that are held back; else 0.
    pub late_ns: i64,
    pub item: T,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(n_held_max: usize, stamps: &[i64]) -> Vec<(i64, i64, usize)> {
        let mut reorder = Reorder::new(n_held_max);
        let stamp = |at_ns| (at_ns >= 0).then_some(Stamp { at_ns, unique: 0 });
        let mut out: Vec<_> = stamps.iter().enumerate().filter_map(|(idx, &ns)| reorder.push(stamp(ns), idx)).collect();
        out.extend(std::iter::from_fn(|| reorder.pop()));
        out.into_iter().map(|ordered| (ordered.at_ns, ordered.late_ns, ordered.item)).collect()
    }

    #[test]
    fn late_items_find_their_place_within_the_window() {
        assert_eq!(order(2, &[1, 3, 2, 2, 9]), [(1, 0, 0), (2, 0, 2), (2, 0, 3), (3, 0, 1), (9, 0, 4)]);
    }

    #[test]
    fn an_item_later_than_the_window_is_told_by_its_lateness() {
        assert_eq!(order(1, &[5, 6, 7, 1]), [(5, 0, 0), (6, 0, 1), (6, 5, 3), (7, 0, 2)]);
    }

    #[test]
    fn an_item_without_stamp_stays_where_it_was() {
        assert_eq!(order(4, &[5, -1, 3]), [(3, 0, 2), (5, 0, 0), (5, 0, 1)]);
    }
}
