//! What will happen, in order of virtual time: a heap in a persistent vector. Equal times keep the order in
//! which they were scheduled. It must not know what a job does.

use std::rc::Rc;

use super::pvec::PVec;
use super::signal::{Control, Envelope};

/// One scheduled step of the world.
#[derive(Clone, Debug)]
pub enum Job {
    /// A message arrives at process number `to`.
    Message(Rc<Envelope>),
    /// Another signal arrives.
    Control(Rc<Control>),
    /// The process takes a message, or goes on with its suspended callback.
    Run,
    /// A deadline of the process (receive timeout, sleep, work) may have come.
    Wake,
    /// A timer fires; the number is its reference's serial. Stale when the timer was cancelled.
    Timer(u64),
}

#[derive(Clone, Debug)]
struct Entry {
    due_ns: i64,
    /// Counts up: breaks ties.
    order: u64,
    /// The number of the process that the job is for.
    to: u32,
    job: Job,
}

impl Entry {
    fn is_before(&self, other: &Entry) -> bool {
        (self.due_ns, self.order) < (other.due_ns, other.order)
    }
}

/// Jobs by due time. `push` and `pop` are O(log n).
#[derive(Clone, Debug, Default)]
pub struct Queue {
    heap: PVec<Entry>,
    n_pushed: u64,
}

impl Queue {
    pub fn push(&mut self, due_ns: i64, to: u32, job: Job) {
        let entry = Entry { due_ns, order: self.n_pushed, to, job };
        self.n_pushed += 1;
        let mut hole = self.heap.len();
        if hole == 0 || !entry.is_before(self.heap.get((hole - 1) / 2).expect("a parent is in the heap")) {
            self.heap.push(entry);
            return;
        }
        self.heap.push(entry.clone());
        while hole > 0 {
            let parent = (hole - 1) / 2;
            let above = self.heap.get(parent).expect("a parent is in the heap");
            if !entry.is_before(above) {
                break;
            }
            let above = above.clone();
            self.set(hole, above);
            hole = parent;
        }
        self.set(hole, entry);
    }

    /// The next job: due time, process number, job.
    pub fn peek(&self) -> Option<(i64, u32, &Job)> {
        self.heap.get(0).map(|entry| (entry.due_ns, entry.to, &entry.job))
    }

    /// Takes the next job.
    pub fn pop(&mut self) -> Option<(i64, u32, Job)> {
        let last = self.heap.pop()?;
        let Some(first) = self.heap.get(0).cloned() else { return Some((last.due_ns, last.to, last.job)) };
        let mut hole = 0;
        loop {
            let (left, right) = (2 * hole + 1, 2 * hole + 2);
            let Some(mut child) = self.heap.get(left) else { break };
            let mut child_idx = left;
            if let Some(other) = self.heap.get(right)
                && other.is_before(child)
            {
                (child, child_idx) = (other, right);
            }
            if !child.is_before(&last) {
                break;
            }
            let child = child.clone();
            self.set(hole, child);
            hole = child_idx;
        }
        self.set(hole, last);
        Some((first.due_ns, first.to, first.job))
    }

    /// Drops the jobs for which `keeps` is false. O(n log n); the order of the others stays.
    pub fn retain(&mut self, mut keeps: impl FnMut(u32, &Job) -> bool) {
        let mut kept: Vec<Entry> = self.heap.iter().filter(|entry| keeps(entry.to, &entry.job)).cloned().collect();
        kept.sort_by_key(|entry| (entry.due_ns, entry.order));
        self.heap = kept.into_iter().collect();
    }

    pub fn len(&self) -> usize {
        self.heap.len()
    }

    fn set(&mut self, idx: usize, entry: Entry) {
        *self.heap.get_mut(idx).expect("the index is in the heap") = entry;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Jobs come out by time, and among equals in the order they went in.
        #[test]
        fn is_a_stable_priority_queue(dues in prop::collection::vec(0_i64..50, 0..300)) {
            let mut queue = Queue::default();
            for (number, due_ns) in dues.iter().enumerate() {
                queue.push(*due_ns, number as u32, Job::Run);
            }
            let mut expected: Vec<(i64, u32)> = dues.iter().enumerate().map(|(n, due)| (*due, n as u32)).collect();
            expected.sort();
            let drained: Vec<(i64, u32)> =
                std::iter::from_fn(|| queue.pop()).map(|(due_ns, to, _)| (due_ns, to)).collect();
            prop_assert_eq!(drained, expected);
        }
    }
}
