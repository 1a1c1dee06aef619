//! Keyframes: the observed system every [`limits::KEYFRAME_EVENTS`] events, as deltas in the manner of
//! a Fenwick tree (P. Fenwick, "A new data structure for cumulative frequency tables", 1994).
//!
//! Checkpoints count from 1. Checkpoint `j` holds the rows that changed since checkpoint
//! `j - lowbit(j)`, as they are at `j`; an entry without row says that the actor is not there. To
//! restore `j`, take `j`, `j - lowbit(j)`, .. down to nothing, the newest entry of an actor wins: at most
//! log2(j) deltas, and all of them together hold each change log2(n) times at most.
//!
//! A checkpoint is the state after its last event along that event's branch; the order of checkpoints is
//! the order of the log, whatever the branches. It must not know how events are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bytes::Bytes;
use super::dictionary::{Dictionaries, Recent};
use super::rows::{RowReader, RowWriter, StoredRow};
use super::wire::{Reader, put_varint};
use crate::model::system::Rows;
use crate::model::{Actor, ActorId, Atom, Pid, ProcessRow, Seq, SystemState};

/// One keyframe.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Events that it covers: the state is the one just before event `n_events`.
    pub n_events: u64,
    pub delta: Bytes,
    /// CRC-32 of the delta, for a checkpoint of a file.
    pub checksum: Option<u32>,
}

/// All keyframes of a recording.
#[derive(Clone, Debug, Default)]
pub struct Keyframes {
    /// Ascending by `n_events`; checkpoint `j` is at place `j - 1`.
    pub checkpoints: Vec<Checkpoint>,
    /// The rows at the last checkpoint, to be folded on; `None` until the next one is due.
    pub live: Option<Folder>,
}

/// Rows in the order in which they were first seen, and which of them changed since the last checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    places: FxHashMap<Actor, u32>,
    rows: Vec<Slot>,
    recent: Recent<Actor>,
    /// Places of the rows that changed since the last checkpoint.
    dirty: Vec<u32>,
    /// Actors of the last checkpoint that a branch left behind.
    gone: Vec<Actor>,
    names: BTreeMap<Atom, Actor>,
    /// The newest incarnation of each pid that was used again.
    reused: FxHashMap<Pid, u32>,
    n_lost: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    /// Boxed: a row is large, and a restore moves it several times.
    row: Box<ProcessRow>,
    is_dirty: bool,
}

fn lowbit(j: usize) -> usize {
    j & j.wrapping_neg()
}

/// The checkpoints whose deltas make up checkpoint `j`, newest first.
fn chain(j: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(j), |j| Some(j - lowbit(*j))).take_while(|j| *j > 0)
}

impl Checkpoint {
    /// Whether the delta is what was written. Costs a checksum of its bytes.
    pub fn is_intact(&self) -> bool {
        self.checksum.is_none_or(|checksum| crc32fast::hash(&self.delta) == checksum)
    }
}

impl Keyframes {
    /// How many checkpoints cover at most `n_events` events.
    pub fn covering(&self, n_events: u64) -> usize {
        self.checkpoints.partition_point(|checkpoint| checkpoint.n_events <= n_events)
    }

    /// Events that checkpoint `j` covers.
    pub fn n_events_of(&self, j: usize) -> u64 {
        j.checked_sub(1).map_or(0, |place| self.checkpoints[place].n_events)
    }
    /// Events that the last checkpoint covers.
    pub fn n_events(&self) -> u64 {
        self.n_events_of(self.checkpoints.len())
    }

    /// Adds the checkpoint of `live`, the state after `n_events` events. Costs a look-up and about 100 ns per
    /// row that changed since the checkpoint's Fenwick parent. Gives the bytes added.
    pub fn add(&mut self, n_events: u64, mut live: Folder, dictionaries: &Dictionaries) -> usize {
        let j = self.checkpoints.len() + 1;
        let mut changed: BTreeSet<u32> = live.dirty.iter().copied().collect();
        let mut gone: FxHashSet<Actor> = std::mem::take(&mut live.gone).into_iter().collect();
        gone.retain(|actor| !live.places.contains_key(actor));
        for earlier in chain(j - 1).take_while(|earlier| *earlier > j - lowbit(j)) {
            let earlier = &self.checkpoints[earlier - 1];
            if !earlier.is_intact() {
                // What it says changed is not known: write every row.
                changed.extend(0..live.rows.len() as u32);
                continue;
            }
            for entry in Entries::new(&earlier.delta, dictionaries) {
                match live.places.get(&entry.actor) {
                    Some(place) => _ = changed.insert(*place),
                    None => _ = gone.insert(entry.actor),
                }
            }
        }
        let mut delta = Vec::new();
        put_varint(&mut delta, live.n_lost);
        for place in changed {
            let row = &live.rows[place as usize].row;
            put_entry(&mut delta, row.actor, Some(row), dictionaries);
        }
        for actor in gone {
            put_entry(&mut delta, actor, None, dictionaries);
        }
        for place in std::mem::take(&mut live.dirty) {
            live.rows[place as usize].is_dirty = false;
        }
        let n_bytes = delta.len();
        self.checkpoints.push(Checkpoint { n_events, delta: delta.into(), checksum: None });
        self.live = Some(live);
        n_bytes
    }

    /// The rows at checkpoint `j` (0: before the first event), and the processes whose mailbox is to be
    /// found from its oldest message. `None` when a delta of a file is damaged.
    pub fn restore(&self, j: usize, dictionaries: &Dictionaries) -> Option<(Folder, Vec<(Actor, Seq)>)> {
        let mut folder = Folder::default();
        let mut long_mailboxes = Vec::new();
        let mut gone = FxHashSet::default();
        for (age, checkpoint) in chain(j).map(|place| &self.checkpoints[place - 1]).enumerate() {
            if !checkpoint.is_intact() {
                return None;
            }
            if age == 0 {
                folder.n_lost = Reader::new(&checkpoint.delta).varint()?;
            }
            for entry in Entries::new(&checkpoint.delta, dictionaries) {
                if folder.places.contains_key(&entry.actor) || gone.contains(&entry.actor) {
                    continue;
                }
                if entry.row.is_empty() {
                    gone.insert(entry.actor);
                    continue;
                }
                let mut reader = RowReader { bytes: Reader::new(entry.row), dictionaries };
                let StoredRow { row, mailbox_from } = reader.row(entry.actor)?;
                long_mailboxes.extend(mailbox_from.map(|from| (entry.actor, from)));
                folder.insert(row);
            }
        }
        Some((folder, long_mailboxes))
    }
}

/// Entries of a delta: actor, length, row (empty: the actor is not there).
struct Entries<'a> {
    reader: RowReader<'a>,
}

struct Entry<'a> {
    actor: Actor,
    row: &'a [u8],
}

impl<'a> Entries<'a> {
    fn new(delta: &'a [u8], dictionaries: &'a Dictionaries) -> Entries<'a> {
        let mut bytes = Reader::new(delta);
        bytes.varint();
        Entries { reader: RowReader { bytes, dictionaries } }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;
    fn next(&mut self) -> Option<Entry<'a>> {
        let actor = self.reader.actor()?;
        let n_bytes = self.reader.bytes.count()?;
        Some(Entry { actor, row: self.reader.bytes.take(n_bytes)? })
    }
}

fn put_entry(delta: &mut Vec<u8>, actor: Actor, row: Option<&ProcessRow>, dictionaries: &Dictionaries) {
    let mut bytes = Vec::new();
    if let Some(row) = row {
        RowWriter { out: &mut bytes, dictionaries }.row(row);
    }
    RowWriter { out: delta, dictionaries }.actor(actor);
    put_varint(delta, bytes.len() as u64);
    delta.extend_from_slice(&bytes);
}

impl Folder {
    /// Takes a row over as it is; it is not there yet.
    fn insert(&mut self, row: Box<ProcessRow>) {
        for name in &row.names {
            self.names.insert(*name, row.actor);
        }
        self.add_row(row);
    }

    /// The row's place; a new row when there is none.
    #[inline]
    fn place(&mut self, actor: Actor) -> u32 {
        if let Some(place) = self.recent.get(actor) {
            return place;
        }
        let known = self.places.get(&actor).copied();
        let place = known.unwrap_or_else(|| self.add_row(Box::new(ProcessRow::new(actor))));
        self.recent.put(actor, place);
        place
    }

    #[inline]
    fn touch(&mut self, place: u32) -> &mut ProcessRow {
        let slot = &mut self.rows[place as usize];
        if !slot.is_dirty {
            slot.is_dirty = true;
            self.dirty.push(place);
        }
        &mut slot.row
    }

    fn add_row(&mut self, row: Box<ProcessRow>) -> u32 {
        let (actor, place) = (row.actor, self.rows.len() as u32);
        self.places.insert(actor, place);
        self.rows.push(Slot { row, is_dirty: false });
        if let (ActorId::Pid(pid), 1..) = (actor.id, actor.incarnation) {
            let newest = self.reused.entry(pid).or_default();
            *newest = actor.incarnation.max(*newest);
        }
        place
    }

    /// Goes over to other rows: a branch begins. What differs between the two counts as changed since the
    /// last checkpoint.
    pub fn replace(&mut self, mut other: Folder) {
        other.dirty.clear();
        for (place, slot) in (0u32..).zip(&mut other.rows) {
            let before = self.places.get(&slot.row.actor).map(|old| &self.rows[*old as usize]);
            slot.is_dirty = before.is_none_or(|old| old.is_dirty || old.row != slot.row);
            if slot.is_dirty {
                other.dirty.push(place);
            }
        }
        let left_behind = self.rows.iter().map(|slot| slot.row.actor).chain(self.gone.iter().copied());
        other.gone = left_behind.filter(|actor| !other.places.contains_key(actor)).collect();
        *self = other;
    }

    pub fn row_mut(&mut self, actor: Actor) -> Option<&mut ProcessRow> {
        let place = *self.places.get(&actor)?;
        Some(&mut *self.rows[place as usize].row)
    }

    /// The rows as plain data.
    pub fn into_state(self, at: Option<Seq>, at_ns: i64) -> SystemState {
        let processes = self.rows.into_iter().map(|slot| (slot.row.actor, Arc::from(slot.row))).collect();
        SystemState { at, at_ns, processes, names: self.names, n_lost: self.n_lost }
    }
}

impl Rows for Folder {
    fn get(&self, actor: Actor) -> Option<&ProcessRow> {
        self.places.get(&actor).map(|place| &*self.rows[*place as usize].row)
    }
    fn see(&mut self, actor: Actor) {
        let n_before = self.rows.len();
        let place = self.place(actor);
        if self.rows.len() > n_before {
            self.touch(place);
        }
    }
    fn row(&mut self, actor: Actor) -> &mut ProcessRow {
        let place = self.place(actor);
        self.touch(place)
    }
    fn newest(&self, pid: Pid) -> Option<Actor> {
        let incarnation = self.reused.get(&pid).copied().unwrap_or(0);
        let actor = Actor { id: ActorId::Pid(pid), incarnation };
        self.places.contains_key(&actor).then_some(actor)
    }
    fn set_name(&mut self, name: Atom, owner: Option<Actor>) -> Option<Actor> {
        match owner {
            Some(owner) => self.names.insert(name, owner),
            None => self.names.remove(&name),
        }
    }
    fn add_lost(&mut self, n_events: u64) {
        self.n_lost += n_events;
    }
}
