//! Maps that forget: what waits for its other end is kept until it comes, but no more than a limit.

use std::collections::VecDeque;
use std::hash::Hash;

use rustc_hash::FxHashMap;

/// A map of at least the `n_max / 2` newest entries and at most `n_max`. Forgetting costs nothing per entry:
/// two generations are kept, and the older one is dropped as a whole when the younger one is full.
pub(super) struct Recent<K, V> {
    young: FxHashMap<K, V>,
    old: FxHashMap<K, V>,
    n_max: usize,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    pub fn new(n_max: usize) -> Recent<K, V> {
        Recent { young: FxHashMap::default(), old: FxHashMap::default(), n_max }
    }

    /// Keeps up to `n_max` entries from now on, when that is more than before.
    pub fn raise(&mut self, n_max: usize) {
        self.n_max = self.n_max.max(n_max);
    }

    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.young.get_mut(key) {
            Some(found) => Some(found),
            None => self.old.get_mut(key),
        }
    }

    pub fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() * 2 >= self.n_max {
            // Their memory is used again.
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }
}

/// First in, first out per key: how a send finds its receive, and an arrival the callback that takes it.
pub(super) struct Queues<K, V> {
    queues: Recent<K, Queue<V>>,
}

/// Nearly every queue holds one value and then ends.
enum Queue<V> {
    One(V),
    Many(VecDeque<V>),
}

impl<K: Hash + Eq, V: Copy> Queues<K, V> {
    pub fn new(n_keys_max: usize) -> Queues<K, V> {
        Queues { queues: Recent::new(n_keys_max) }
    }

    /// As [`Recent::raise`], in keys.
    pub fn raise(&mut self, n_keys_max: usize) {
        self.queues.raise(n_keys_max);
    }

    pub fn contains(&self, key: &K) -> bool {
        self.queues.get(key).is_some()
    }

    pub fn push(&mut self, key: K, value: V) {
        let Some(queue) = self.queues.get_mut(&key) else {
            return self.queues.insert(key, Queue::One(value));
        };
        match queue {
            Queue::One(first) => *queue = Queue::Many(VecDeque::from([*first, value])),
            Queue::Many(values) => {
                values.push_back(value);
                if values.len() > QUEUE_MAX {
                    values.pop_front();
                }
            }
        }
    }

    pub fn pop(&mut self, key: &K) -> Option<V> {
        match self.queues.get_mut(key)? {
            Queue::One(_) => {
                let Some(Queue::One(value)) = self.queues.remove(key) else { return None };
                Some(value)
            }
            Queue::Many(values) => {
                let value = values.pop_front();
                if values.is_empty() {
                    self.queues.remove(key);
                }
                value
            }
        }
    }
}

/// Queues that nobody has asked yet: what is pushed stays a list, the newest of it, until somebody does.
pub(super) enum Sleepy<K, V> {
    Asleep { newest: VecDeque<(K, V)>, n_max: usize },
    Awake(Queues<K, V>),
}

impl<K: Hash + Eq, V: Copy> Sleepy<K, V> {
    pub fn new(n_max: usize) -> Sleepy<K, V> {
        Sleepy::Asleep { newest: VecDeque::new(), n_max }
    }

    pub fn push(&mut self, key: K, value: V) {
        match self {
            Sleepy::Asleep { newest, n_max } => {
                if newest.len() >= *n_max {
                    newest.pop_front();
                }
                newest.push_back((key, value));
            }
            Sleepy::Awake(queues) => queues.push(key, value),
        }
    }

    /// The queues, to be asked.
    pub fn wake(&mut self) -> &mut Queues<K, V> {
        if let Sleepy::Asleep { newest, n_max } = self {
            let mut queues = Queues::new(*n_max);
            newest.drain(..).for_each(|(key, value)| queues.push(key, value));
            *self = Sleepy::Awake(queues);
        }
        match self {
            Sleepy::Awake(queues) => queues,
            Sleepy::Asleep { .. } => unreachable!("it was woken above"),
        }
    }
}

/// Equal messages to one receiver that may wait: beyond it the oldest was never received.
const QUEUE_MAX: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entries_stay() {
        let mut recent = Recent::new(4);
        (0..9).for_each(|n| recent.insert(n, n));
        assert_eq!((0..9).filter(|n| recent.get(n).is_some()).collect::<Vec<_>>(), [6, 7, 8]);
        assert_eq!((recent.remove(&6), recent.remove(&6)), (Some(6), None));
    }

    #[test]
    fn a_queue_gives_back_in_order() {
        let mut queues = Queues::new(8);
        [1, 2, 3].into_iter().for_each(|n| queues.push('a', n));
        queues.push('b', 9);
        let popped: Vec<_> = ['a', 'a', 'b', 'a', 'a', 'b'].iter().map(|key| queues.pop(key)).collect();
        assert_eq!(popped, [Some(1), Some(2), Some(9), Some(3), None, None]);
    }
}
