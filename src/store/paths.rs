//! Changed paths: which state changes of a segment may have written a field. For each state change the first step
//! of what differs from the process's state before it (`orders` of `orders[3].qty`) is hashed; a state whose predecessor is not known, or
//! that has another shape, may have written everything.
//!
//! The index gives candidates: whoever asks compares the states. It must not know how a path prints.

use rustc_hash::FxHashMap;

use crate::codec::walk::{Items, RawTerm};
use crate::model::diff::Step;
use crate::model::{Kind, limits};

use super::columns::Columns;

/// The hash under which stand the changes that may concern any path.
pub const ANY: u32 = 0;
/// The hash of map keys that are no atoms: one number can be written in several ways.
const OTHER_KEY: u32 = 1;

/// The hash of a path's first step.
pub fn key_of(step: &Step) -> u32 {
    match step {
        Step::Key(crate::model::Term::Atom(name)) => hash(name.as_str().as_bytes()),
        Step::Key(_) => OTHER_KEY,
        Step::Index(idx) => hash_index(*idx),
    }
}

fn hash(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes) | 2
}
fn hash_index(idx: usize) -> u32 {
    hash(&(idx as u64).to_le_bytes())
}

/// The hash of a map's key.
fn hash_key(key: RawTerm<'_>) -> u32 {
    match (key.as_atom_text(), key.as_atom_bytes()) {
        (Some(text), _) => hash(text.as_bytes()),
        (None, Some(_)) => ANY,
        (None, None) => OTHER_KEY,
    }
}

/// The newest state of each process, by its dictionary number, from segment to segment.
#[derive(Debug, Default)]
pub struct States {
    newest: FxHashMap<u32, Vec<u8>>,
    n_bytes: usize,
}

/// Sections of a segment: keys, starts, lists.
#[derive(Debug, Default)]
pub struct PathIndex {
    pub keys: Vec<[u8; 4]>,
    pub starts: Vec<[u8; 4]>,
    pub list: Vec<[u8; 2]>,
}

impl States {
    /// The index of the state changes in `columns`; `payload` gives a payload by number.
    pub fn index<'p>(&mut self, columns: &Columns<'_>, payload: impl Fn(u16) -> &'p [u8]) -> PathIndex {
        let mut changes: Vec<(u32, u16)> = Vec::new();
        let mut keys = Vec::new();
        for (idx, kind) in columns.kind.iter().enumerate() {
            match Kind::from_byte(kind[0]) {
                // What follows goes on from an older state.
                Some(Kind::Restored | Kind::Forked) => self.forget(),
                Some(Kind::StateChange) => {
                    let process = u32::from_le_bytes(columns.actors[columns.process.get(idx)]);
                    keys.clear();
                    self.change(process, columns.payload_number(idx).map(&payload).unwrap_or_default(), &mut keys);
                    keys.sort_unstable();
                    keys.dedup();
                    changes.extend(keys.iter().map(|key| (*key, idx as u16)));
                }
                _ => {}
            }
        }
        changes.sort_unstable();
        let mut index = PathIndex::default();
        for (place, (key, idx)) in changes.iter().enumerate() {
            if index.keys.last() != Some(&key.to_le_bytes()) {
                index.keys.push(key.to_le_bytes());
                index.starts.push((place as u32).to_le_bytes());
            }
            index.list.push(idx.to_le_bytes());
        }
        index.starts.push((changes.len() as u32).to_le_bytes());
        index
    }

    /// Takes a process's next state; gives the keys of what may have changed.
    fn change(&mut self, process: u32, after: &[u8], keys: &mut Vec<u32>) {
        if self.n_bytes > limits::STATES_COMPARED_BYTES_MAX {
            self.forget();
        }
        let before = self.newest.entry(process).or_default();
        if before.is_empty() || !differences(before, after, keys) {
            keys.clear();
            keys.push(ANY);
        }
        self.n_bytes = self.n_bytes + after.len() - before.len();
        before.clear();
        before.extend_from_slice(after);
    }

    fn forget(&mut self) {
        self.newest.clear();
        self.n_bytes = 0;
    }
}

/// The keys of the parts in which two states differ; `false` when they are not of one shape.
fn differences(before: &[u8], after: &[u8], keys: &mut Vec<u32>) -> bool {
    if before == after {
        return true;
    }
    let (Ok((before, _)), Ok((after, _))) = (RawTerm::parse(before), RawTerm::parse(after)) else { return false };
    if let (Some(old), Some(new)) = (before.tuple(), after.tuple()) {
        let is_same_arity = old.len() == new.len();
        let pairs = old.zip(new).enumerate();
        keys.extend(pairs.filter(|(_, (a, b))| a.bytes() != b.bytes()).map(|(idx, _)| hash_index(idx)));
        return is_same_arity;
    }
    let (Some(old), Some(new)) = (before.map(), after.map()) else { return false };
    let have_same_keys = old.len() == new.len() && differences_of_values(old.clone(), new.clone(), keys);
    if !have_same_keys {
        keys.clear();
        differences_of_maps(old, new, keys);
    }
    true
}

/// Where two maps have the same keys in the same order, as one process's states nearly always do; `false` where not.
fn differences_of_values(mut old: Items<'_>, mut new: Items<'_>, keys: &mut Vec<u32>) -> bool {
    while let (Some(key), Some(before), Some(same), Some(after)) = (old.next(), old.next(), new.next(), new.next()) {
        if key.bytes() != same.bytes() {
            return false;
        }
        if before.bytes() != after.bytes() {
            keys.push(hash_key(key));
        }
    }
    true
}

fn differences_of_maps(old: Items<'_>, new: Items<'_>, keys: &mut Vec<u32>) {
    let (old, new): (Vec<_>, Vec<_>) = (old.collect(), new.collect());
    let mut old: FxHashMap<&[u8], &[u8]> = old.chunks_exact(2).map(|pair| (pair[0].bytes(), pair[1].bytes())).collect();
    for pair in new.chunks_exact(2) {
        if old.remove(pair[0].bytes()) != Some(pair[1].bytes()) {
            keys.push(hash_key(pair[0]));
        }
    }
    // Each left one is gone.
    for key in old.into_keys() {
        // A key alone is a whole term, without its version byte.
        let whole = [&[131], key].concat();
        keys.push(RawTerm::parse(&whole).map_or(ANY, |(key, _)| hash_key(key)));
    }
}

impl<'a> Columns<'a> {
    /// Events that may have written a path with this key; only of a sealed segment.
    pub fn writers(&self, key: u32) -> Vec<u16> {
        let place = |n: usize| self.path_starts.get(n).map_or(0, |start| u32::from_le_bytes(*start) as usize);
        let of = |key: u32| {
            let found = self.path_keys.binary_search_by_key(&key, |held| u32::from_le_bytes(*held)).ok();
            found.and_then(|n| self.path_list.get(place(n)..place(n + 1))).unwrap_or_default()
        };
        let mut indexes: Vec<u16> = of(key).iter().chain(of(ANY)).map(|idx| u16::from_le_bytes(*idx)).collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes
    }
}
