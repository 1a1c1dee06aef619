//! Dictionaries: actors and tags by small numbers, in order of first appearance. They only grow.

use std::hash::Hash;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::model::{Actor, ActorId, Atom};

/// The dictionaries of one recording.
#[derive(Clone, Debug, Default)]
pub struct Dictionaries {
    pub actors: Dictionary<Actor>,
    pub tags: Dictionary<Atom>,
}

/// Items by number and numbers by item. Invariant: no item twice.
#[derive(Clone, Debug)]
pub struct Dictionary<T> {
    items: Vec<T>,
    /// Made when first asked, so that opening a file costs no hashing.
    numbers: OnceLock<FxHashMap<T, u32>>,
    recent: Recent<T>,
}

/// What can be looked up in a [`Recent`].
pub trait Key: Copy + Eq + Hash {
    /// Bits that differ between items that are used together.
    fn spread(self) -> usize;
}

impl Key for Actor {
    fn spread(self) -> usize {
        match self.id {
            ActorId::Pid(pid) => (pid.id ^ pid.serial.rotate_left(5)) as usize,
            ActorId::Port(port) => !port.id_low as usize,
        }
    }
}

impl Key for Atom {
    fn spread(self) -> usize {
        self.as_str().as_ptr() as usize >> 4
    }
}

/// The last answers of a hash map, by a few bits of the key: events come in runs of a few processes, and
/// an answer from here costs a fifth of a look-up.
#[derive(Clone, Debug)]
pub struct Recent<T> {
    answers: Vec<Option<(T, u32)>>,
}

const N_RECENT: usize = 256;

impl<T: Key> Recent<T> {
    #[inline]
    pub fn get(&self, item: T) -> Option<u32> {
        match self.answers.get(item.spread() % N_RECENT) {
            Some(Some((found, number))) if *found == item => Some(*number),
            _ => None,
        }
    }
    #[inline]
    pub fn put(&mut self, item: T, number: u32) {
        if self.answers.is_empty() {
            self.answers = vec![None; N_RECENT];
        }
        self.answers[item.spread() % N_RECENT] = Some((item, number));
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Recent<T> {
        Recent { answers: Vec::new() }
    }
}

impl<T> Default for Dictionary<T> {
    fn default() -> Dictionary<T> {
        Dictionary { items: Vec::new(), numbers: OnceLock::new(), recent: Recent::default() }
    }
}

impl<T: Key> Dictionary<T> {
    /// Items in order. Invariant kept by the caller: no item twice.
    pub fn from_items(items: Vec<T>) -> Dictionary<T> {
        Dictionary { items, ..Dictionary::default() }
    }
    pub fn items(&self) -> &[T] {
        &self.items
    }

    fn numbers(&self) -> &FxHashMap<T, u32> {
        self.numbers.get_or_init(|| (0u32..).zip(&self.items).map(|(number, item)| (*item, number)).collect())
    }

    /// The number of `item`, if it has one.
    pub fn find(&self, item: T) -> Option<u32> {
        self.numbers().get(&item).copied()
    }

    /// The number of `item`; the next free one if it is new. Costs one hash look-up, or none when asked lately.
    #[inline]
    pub fn intern(&mut self, item: T) -> u32 {
        self.recent.get(item).unwrap_or_else(|| self.intern_by_hash(item))
    }

    // Apart from the way that is nearly always taken: there, saving registers for this would cost as much as all else.
    #[inline(never)]
    fn intern_by_hash(&mut self, item: T) -> u32 {
        self.numbers();
        let numbers = self.numbers.get_mut().expect("made in the line above");
        let number = *numbers.entry(item).or_insert_with(|| {
            self.items.push(item);
            self.items.len() as u32 - 1
        });
        self.recent.put(item, number);
        number
    }
}

/// Numbers inside one segment for numbers of a dictionary, in order of first appearance.
#[derive(Clone, Debug, Default)]
pub struct LocalNumbers {
    /// By dictionary number. A stale entry shows itself: `globals` has another number at its place.
    locals: Vec<u32>,
    /// Dictionary numbers by local number.
    pub globals: Vec<[u8; 4]>,
}

impl LocalNumbers {
    /// The local number of `global`, which gets the next one if it is new here.
    #[inline]
    pub fn intern(&mut self, global: u32) -> u16 {
        match self.locals.get(global as usize) {
            Some(local) if self.globals.get(*local as usize) == Some(&global.to_le_bytes()) => *local as u16,
            _ => self.add(global),
        }
    }

    #[inline(never)]
    fn add(&mut self, global: u32) -> u16 {
        if self.locals.len() <= global as usize {
            self.locals.resize(global as usize + 1, 0);
        }
        let local = self.globals.len() as u32;
        self.locals[global as usize] = local;
        self.globals.push(global.to_le_bytes());
        local as u16
    }
    /// Forgets all numbers, keeps the memory.
    pub fn clear(&mut self) {
        self.globals.clear();
    }
}
