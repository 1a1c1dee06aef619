//! Keyframes: the observed system every [`limits::KEYFRAME_EVENTS`] events, as deltas in the manner of
//! a Fenwick tree (P. Fenwick, "A new data structure for cumulative frequency tables", 1994).
//!
//! Checkpoints count from 1. Checkpoint `j` holds the rows that changed since checkpoint
//! `j - lowbit(j)`, as they are at `j`; an entry without row says that the actor is not there. To
//! restore `j`, take `j`, `j - lowbit(j)`, .. down to nothing, the newest entry of an actor wins: at most
//! log2(j) deltas, and all of them together hold each change log2(n) times at most.
//!
//! A checkpoint is the state after its last event along that event's branch; the order of checkpoints is
//! the order of the log, whatever the branches. Of a ring recording the first checkpoints are gone; a *base*,
//! all rows at the recording's start, stands for them: what a delta says goes over it, and a delta that
//! reaches back behind the base says more than it must, never less. It must not know how events are stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};

use super::bytes::Bytes;
use super::dictionary::{Dictionaries, Recent};
use super::rows::{MAILBOX_LISTED_MAX, RowReader, RowWriter, StoredRow};
use super::states::States;
use super::wire::{Reader, put_varint};
use crate::codec::etf;
use crate::model::system::{Rows, fold};
use crate::model::{Actor, ActorId, Atom, Event, NewEvent, Pid, ProcessRow, Seq, Status, SystemState, limits};

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
    /// Ascending by `n_events`; checkpoint `j` is at place `j - 1 - n_evicted`.
    pub checkpoints: Vec<Checkpoint>,
    /// Checkpoints that are gone.
    pub n_evicted: usize,
    /// The system at the recording's start, when that is not its beginning; covers what is gone.
    pub base: Option<Checkpoint>,
    /// By the first seq of a branch whose past is gone: the system from which it goes on.
    pub branch_bases: BTreeMap<u64, Checkpoint>,
    /// Rows of processes that ended before this seq are forgotten.
    pub dead_before: u64,
    /// What the rows of the base refer to and is gone; of a file, read from its base when it is asked for.
    pub states: OnceLock<States>,
    /// The rows of the newest branch, folded on with each event that is appended to it; `None` until the next checkpoint is due.
    pub live: Option<Live>,
}

/// Rows that go on from the last checkpoint.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub rows: Folder,
    /// Events that they are the state after: as many as the last checkpoint covers, or more.
    pub n_events: u64,
}

impl Live {
    /// Goes on with event `seq`, when that is the next.
    #[inline]
    pub fn take(&mut self, seq: Seq, new: &NewEvent<'_>) {
        if self.n_events == seq.0 {
            // Nothing is caused by what comes after it: the columns drop such a cause, too.
            let event = Event { seq, cause: new.cause.filter(|cause| *cause < seq), ..Event::of(new) };
            fold(&mut self.rows, &event, &mut || etf::decode(new.payload).ok());
            self.n_events += 1;
        }
    }
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
    names: BTreeMap<(Atom, Atom), Actor>,
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

    /// Whether all of its rows can be read.
    pub fn is_readable(&self, dictionaries: &Dictionaries) -> bool {
        let Some(delta) = self.inflate() else { return false };
        Entries::new(&delta, dictionaries).all(|entry| {
            let mut reader = RowReader { bytes: Reader::new(entry.row), dictionaries };
            entry.row.is_empty() || reader.row(entry.actor).is_some()
        })
    }

    /// The delta's entries behind the number of lost events. `None` when it is damaged.
    fn inflate(&self) -> Option<Vec<u8>> {
        let (n_plain, packed) = self.delta.split_first_chunk().filter(|_| self.is_intact())?;
        let n_plain =
            usize::try_from(u32::from_le_bytes(*n_plain)).ok().filter(|n| *n <= limits::KEYFRAME_BYTES_MAX)?;
        if n_plain == packed.len() {
            return Some(packed.to_vec());
        }
        zstd::bulk::decompress(packed, n_plain).ok().filter(|plain| plain.len() == n_plain)
    }
}

/// A delta as it is kept: its length (u32), and its bytes, compressed when that makes them fewer.
fn deflate(plain: &[u8]) -> Vec<u8> {
    let packed = zstd::bulk::compress(plain, 3).ok().filter(|packed| packed.len() < plain.len());
    let mut out = (plain.len() as u32).to_le_bytes().to_vec();
    out.extend_from_slice(packed.as_deref().unwrap_or(plain));
    out
}

impl Keyframes {
    /// How many checkpoints cover at most `n_events` events.
    pub fn covering(&self, n_events: u64) -> usize {
        self.n_evicted + self.checkpoints.partition_point(|checkpoint| checkpoint.n_events <= n_events)
    }

    /// Checkpoint `j`; `None` for those that are gone, and for 0.
    fn checkpoint(&self, j: usize) -> Option<&Checkpoint> {
        self.checkpoints.get(j.checked_sub(self.n_evicted + 1)?)
    }
    /// The last checkpoint's number.
    fn last(&self) -> usize {
        self.n_evicted + self.checkpoints.len()
    }
    /// Events that checkpoint `j` covers; of one that is gone, those that the base covers.
    pub fn n_events_of(&self, j: usize) -> u64 {
        self.checkpoint(j).or(self.base.as_ref()).map_or(0, |checkpoint| checkpoint.n_events)
    }
    /// Events that the last checkpoint covers.
    pub fn n_events(&self) -> u64 {
        self.n_events_of(self.last())
    }

    /// Adds the checkpoint of `live`, the state after `n_events` events. Costs a look-up and about 100 ns per
    /// row that changed since the checkpoint's Fenwick parent. Gives the bytes added.
    pub fn add(&mut self, n_events: u64, mut live: Folder, dictionaries: &Dictionaries) -> usize {
        let j = self.last() + 1;
        let mut changed: BTreeSet<u32> = live.dirty.iter().copied().collect();
        let mut gone: FxHashSet<Actor> = std::mem::take(&mut live.gone).into_iter().collect();
        gone.retain(|actor| !live.places.contains_key(actor));
        for earlier in chain(j - 1).take_while(|earlier| *earlier > j - lowbit(j)) {
            let Some(earlier) = self.checkpoint(earlier) else { break };
            let Some(earlier) = earlier.inflate() else {
                // What it says changed is not known: write every row.
                changed.extend(0..live.rows.len() as u32);
                continue;
            };
            for entry in Entries::new(&earlier, dictionaries) {
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
            let row = StoredEntry { row, n_listed_max: MAILBOX_LISTED_MAX, state: None };
            put_entry(&mut delta, row.row.actor, Some(row), dictionaries);
        }
        for actor in gone {
            put_entry(&mut delta, actor, None, dictionaries);
        }
        for place in std::mem::take(&mut live.dirty) {
            live.rows[place as usize].is_dirty = false;
        }
        let delta = deflate(&delta);
        let n_bytes = delta.len();
        self.checkpoints.push(Checkpoint { n_events, delta: delta.into(), checksum: None });
        self.live = Some(Live { rows: live, n_events });
        n_bytes
    }

    /// The rows at checkpoint `j` (0: before the first event), and the processes whose mailbox is to be
    /// found from its oldest message. `None` when a delta of a file is damaged.
    pub fn restore(&self, j: usize, dictionaries: &Dictionaries) -> Option<(Folder, Vec<(Actor, Seq)>)> {
        let deltas = chain(j).map_while(|j| self.checkpoint(j)).chain(&self.base);
        self.overlay(deltas, dictionaries)
    }

    /// The system at the recording's start. `None` when the base of a file is damaged.
    pub fn restore_base(&self, dictionaries: &Dictionaries) -> Option<Folder> {
        Some(self.overlay(self.base.iter(), dictionaries)?.0)
    }

    /// What carried the states at the recording's start.
    pub fn states(&self, dictionaries: &Dictionaries) -> &States {
        self.states.get_or_init(|| {
            let delta = self.base.as_ref().and_then(Checkpoint::inflate).unwrap_or_default();
            let state = |entry: Entry<'_>| {
                let mut reader = RowReader { bytes: Reader::new(entry.row), dictionaries };
                let seq = reader.row(entry.actor)?.row.state?;
                let n_bytes = reader.bytes.count()?;
                Some((seq, reader.bytes.take(n_bytes)?.to_vec()))
            };
            Entries::new(&delta, dictionaries).filter_map(state).collect()
        })
    }

    /// The base of a recording that begins with event `first`, as a file has it: with states. `None` where nothing came before;
    /// one that is lost knows no process.
    pub fn base_with_states(&self, first: u64, dictionaries: &Dictionaries) -> Option<Checkpoint> {
        let unknown = || Folder::default().to_bytes(dictionaries, &States::default()).into();
        let lost = || (first > 0).then(|| Checkpoint { n_events: first, delta: unknown(), checksum: None });
        let base = self.base.clone().or_else(lost)?;
        let states = self.states(dictionaries);
        let Some(rows) = self.restore_base(dictionaries).filter(|_| !states.is_empty()) else { return Some(base) };
        Some(Checkpoint { delta: rows.to_bytes(dictionaries, states).into(), checksum: None, ..base })
    }

    /// The system from which the branch that begins at `start` goes on; `None` when its past is not gone.
    pub fn restore_branch_base(&self, start: u64, dictionaries: &Dictionaries) -> Option<Folder> {
        let base = self.branch_bases.get(&start)?;
        Some(self.overlay(std::iter::once(base), dictionaries)?.0)
    }

    /// The rows that `deltas` tell of, newest first.
    fn overlay<'k>(
        &self,
        deltas: impl Iterator<Item = &'k Checkpoint>,
        dictionaries: &Dictionaries,
    ) -> Option<(Folder, Vec<(Actor, Seq)>)> {
        let mut folder = Folder::default();
        let mut long_mailboxes = Vec::new();
        let mut gone = FxHashSet::default();
        for (age, checkpoint) in deltas.enumerate() {
            let delta = checkpoint.inflate()?;
            if age == 0 {
                folder.n_lost = Reader::new(&delta).varint()?;
            }
            for entry in Entries::new(&delta, dictionaries) {
                if folder.places.contains_key(&entry.actor) || gone.contains(&entry.actor) {
                    continue;
                }
                if entry.row.is_empty() {
                    gone.insert(entry.actor);
                    continue;
                }
                let mut reader = RowReader { bytes: Reader::new(entry.row), dictionaries };
                let StoredRow { row, mailbox_from } = reader.row(entry.actor)?;
                if is_long_dead(&row, self.dead_before) {
                    gone.insert(entry.actor);
                    continue;
                }
                long_mailboxes.extend(mailbox_from.map(|from| (entry.actor, from)));
                folder.insert(row);
            }
        }
        Some((folder, long_mailboxes))
    }

    /// Makes `base`, the system after the first `n_events` events, the beginning: what covers fewer goes. Gives by how
    /// many bytes the keyframes grew.
    pub fn rebase(&mut self, n_events: u64, base: Folder, states: States, dictionaries: &Dictionaries) -> isize {
        let n_bytes_before = self.n_bytes();
        let n_gone = self.checkpoints.partition_point(|checkpoint| checkpoint.n_events <= n_events);
        self.checkpoints.drain(..n_gone);
        self.n_evicted += n_gone;
        let delta = base.to_bytes(dictionaries, &States::default()).into();
        self.base = Some(Checkpoint { n_events, delta, checksum: None });
        self.states = OnceLock::from(states);
        self.branch_bases.retain(|start, _| *start >= n_events);
        if self.checkpoints.is_empty() {
            self.live = Some(Live { rows: base, n_events });
        } else if let Some(live) = &mut self.live {
            live.rows.forget_dead(self.dead_before);
        }
        self.n_bytes() as isize - n_bytes_before as isize
    }

    /// Ends after the first `n_events` events.
    pub fn cut(&mut self, n_events: u64) {
        self.checkpoints.truncate(self.covering(n_events) - self.n_evicted);
        self.live = None;
    }

    /// Leaves out what cannot be read: the checkpoints from the first such one on; of a base all rows. Gives those that were
    /// damaged.
    pub fn drop_damaged(&mut self, dictionaries: &Dictionaries) -> Vec<Checkpoint> {
        let is_damaged = |checkpoint: &Checkpoint| !checkpoint.is_readable(dictionaries);
        let damaged: Vec<Checkpoint> = self.all().filter(|checkpoint| is_damaged(checkpoint)).cloned().collect();
        if damaged.is_empty() {
            return damaged;
        }
        let n_good = self.checkpoints.iter().take_while(|checkpoint| !is_damaged(checkpoint)).count();
        self.checkpoints.truncate(n_good);
        self.branch_bases.retain(|_, base| !is_damaged(base));
        if let Some(base) = self.base.as_mut().filter(|base| is_damaged(base)) {
            (base.delta, base.checksum) = (Folder::default().to_bytes(dictionaries, &States::default()).into(), None);
        }
        self.live = None;
        damaged
    }

    /// Keeps the system from which the branch that begins at `start` goes on.
    pub fn keep_branch_base(&mut self, start: u64, rows: &Folder, dictionaries: &Dictionaries) {
        let delta = rows.to_bytes(dictionaries, &States::default()).into();
        let base = Checkpoint { n_events: start, delta, checksum: None };
        self.branch_bases.insert(start, base);
    }

    /// Leaves no more than [`limits::RING_DEAD_ROWS_MAX`] dead rows in `rows`, those that ended last, and sees to it
    /// that the others come back from nowhere. Gives how many went.
    pub fn forget_old_dead(&mut self, rows: &mut Folder) -> u64 {
        let mut ends: Vec<u64> = rows.rows.iter().filter_map(|slot| dead_since(&slot.row)).collect();
        let Some(n_over) = ends.len().checked_sub(limits::RING_DEAD_ROWS_MAX).filter(|n| *n > 0) else { return 0 };
        // More than must, so that this is not done for each process that ends.
        let n_gone = n_over.saturating_add(limits::RING_DEAD_ROWS_MAX / 4).min(ends.len());
        let (_, last_gone, _) = ends.select_nth_unstable(n_gone - 1);
        self.dead_before = self.dead_before.max(*last_gone + 1);
        rows.forget_dead(self.dead_before) as u64
    }

    /// Base, bases of branches and checkpoints.
    pub fn all(&self) -> impl Iterator<Item = &Checkpoint> {
        self.base.iter().chain(self.branch_bases.values()).chain(&self.checkpoints)
    }

    /// Bytes of memory that the keyframes hold.
    fn n_bytes(&self) -> usize {
        let n_states = self.states.get().map_or(0, States::n_bytes);
        n_states + self.all().map(|checkpoint| checkpoint.delta.owned_len()).sum::<usize>()
    }
}

/// The end of a process that nobody will restart.
fn dead_since(row: &ProcessRow) -> Option<u64> {
    row.ended.filter(|_| row.status == Status::Dead).map(|seq| seq.0)
}

fn is_long_dead(row: &ProcessRow, before: u64) -> bool {
    dead_since(row).is_some_and(|ended| ended < before)
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

/// What is written of a row.
struct StoredEntry<'a> {
    row: &'a ProcessRow,
    /// The longest mailbox that is listed.
    n_listed_max: usize,
    /// What carried its state, where that event is gone.
    state: Option<&'a [u8]>,
}

/// Appends an entry: a row, or that there is none.
fn put_entry(delta: &mut Vec<u8>, actor: Actor, entry: Option<StoredEntry<'_>>, dictionaries: &Dictionaries) {
    let mut bytes = Vec::new();
    if let Some(StoredEntry { row, n_listed_max, state }) = entry {
        RowWriter { out: &mut bytes, dictionaries }.row(row, n_listed_max);
        if let Some(state) = state {
            put_varint(&mut bytes, state.len() as u64);
            bytes.extend_from_slice(state);
        }
    }
    RowWriter { out: delta, dictionaries }.actor(actor);
    put_varint(delta, bytes.len() as u64);
    delta.extend_from_slice(&bytes);
}

impl Folder {
    /// All rows as a delta on nothing, with whole mailboxes.
    fn to_bytes(&self, dictionaries: &Dictionaries, states: &States) -> Vec<u8> {
        let mut delta = Vec::new();
        put_varint(&mut delta, self.n_lost);
        for slot in &self.rows {
            let state = slot.row.state.and_then(|seq| states.get(seq));
            let row = StoredEntry { row: &slot.row, n_listed_max: usize::MAX, state: state.map(|state| &state[..]) };
            put_entry(&mut delta, slot.row.actor, Some(row), dictionaries);
        }
        deflate(&delta)
    }

    /// The events before `start` that carry states: of living processes first, then the newest.
    pub fn states_before(&self, start: u64) -> Vec<Seq> {
        let state =
            |slot: &Slot| slot.row.state.filter(|seq| seq.0 < start).map(|seq| (slot.row.status != Status::Dead, seq));
        let mut states: Vec<(bool, Seq)> = self.rows.iter().filter_map(state).collect();
        states.sort_unstable_by(|a, b| b.cmp(a));
        states.into_iter().map(|(_, seq)| seq).collect()
    }

    /// Drops the rows of processes that ended before `before`. Gives how many.
    fn forget_dead(&mut self, before: u64) -> usize {
        if !self.rows.iter().any(|slot| is_long_dead(&slot.row, before)) {
            return 0;
        }
        let old = std::mem::take(self);
        let n_before = old.rows.len();
        (self.gone, self.n_lost) = (old.gone, old.n_lost);
        for slot in old.rows.into_iter().filter(|slot| !is_long_dead(&slot.row, before)) {
            let actor = slot.row.actor;
            self.insert(slot.row);
            if slot.is_dirty {
                let place = self.place(actor);
                self.touch(place);
            }
        }
        n_before - self.rows.len()
    }

    /// Takes a row over as it is; it is not there yet.
    fn insert(&mut self, row: Box<ProcessRow>) {
        for name in &row.names {
            self.names.insert((*name, row.actor.origin().id().node), row.actor);
        }
        self.add_row(row);
    }

    /// The row's place; a new row when there is none.
    #[inline]
    fn place(&mut self, actor: Actor) -> u32 {
        self.recent.get(actor).unwrap_or_else(|| self.place_by_hash(actor))
    }

    #[inline(never)]
    fn place_by_hash(&mut self, actor: Actor) -> u32 {
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
    fn set_name(&mut self, name: Atom, process: Actor, is_taken: bool) -> Option<Actor> {
        let key = (name, process.origin().id().node);
        if is_taken { self.names.insert(key, process) } else { self.names.remove(&key) }
    }
    fn add_lost(&mut self, n_events: u64) {
        self.n_lost = self.n_lost.saturating_add(n_events);
    }
}
