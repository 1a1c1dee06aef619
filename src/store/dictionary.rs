//! Dictionaries: actors and tags by small numbers, in order of first appearance. They only grow.

use std::hash::Hash;
use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::model::{Actor, Atom};

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
    /// The item asked for last: events come in runs of one process.
    last: Option<(T, u32)>,
}

impl<T> Default for Dictionary<T> {
    fn default() -> Dictionary<T> {
        Dictionary { items: Vec::new(), numbers: OnceLock::new(), last: None }
    }
}

impl<T: Copy + Eq + Hash> Dictionary<T> {
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

    /// The number of `item`; the next free one if it is new. Costs one hash look-up, or none when asked again.
    pub fn intern(&mut self, item: T) -> u32 {
        if let Some((last, number)) = self.last
            && last == item
        {
            return number;
        }
        self.numbers();
        let numbers = self.numbers.get_mut().expect("made in the line above");
        let number = *numbers.entry(item).or_insert_with(|| {
            self.items.push(item);
            self.items.len() as u32 - 1
        });
        self.last = Some((item, number));
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
    pub fn intern(&mut self, global: u32) -> u16 {
        let wanted = global.to_le_bytes();
        if self.locals.len() <= global as usize {
            self.locals.resize(global as usize + 1, 0);
        }
        let local = &mut self.locals[global as usize];
        if self.globals.get(*local as usize) != Some(&wanted) {
            *local = self.globals.len() as u32;
            self.globals.push(wanted);
        }
        *local as u16
    }
    /// Forgets all numbers, keeps the memory.
    pub fn clear(&mut self) {
        self.globals.clear();
    }
}
