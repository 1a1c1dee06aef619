//! Process rows as bytes, for keyframes: varints, and actors and atoms by their dictionary numbers.
//! Reading damaged bytes is `None`, never a panic, and allocates no more than the bytes justify.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::dictionary::Dictionaries;
use super::wire::{Reader, put_text, put_varint};
use crate::model::{Actor, ActorId, Atom, Behaviour, CallKey, Origin, Pid, Port, ProcessRow, RestartType, Seq, Status};

/// Waiting messages that a keyframe lists; of a longer mailbox it holds only the oldest arrival, from which
/// the rest is found by the process's posting list.
pub const MAILBOX_LISTED_MAX: usize = 256;

/// A row as a keyframe has it.
#[derive(Debug, PartialEq)]
pub struct StoredRow {
    pub row: Box<ProcessRow>,
    /// The oldest waiting arrival, when the mailbox was too long to be listed (it is empty in `row` then).
    pub mailbox_from: Option<Seq>,
}

const STATUSES: [Status; 3] = [Status::Alive, Status::Restarting, Status::Dead];
const RESTART_TYPES: [Option<RestartType>; 4] =
    [None, Some(RestartType::Permanent), Some(RestartType::Transient), Some(RestartType::Temporary)];

/// The place of `value` in one of the tables above.
fn place_of<T: PartialEq>(table: &[T], value: &T) -> u64 {
    table.iter().position(|item| item == value).expect("the table lists every variant") as u64
}

/// Writes rows with the numbers of one recording's dictionaries.
pub struct RowWriter<'a> {
    pub out: &'a mut Vec<u8>,
    pub dictionaries: &'a Dictionaries,
}

impl RowWriter<'_> {
    /// An actor: its dictionary number plus one, or 0 and the actor itself (one that only a payload named).
    pub fn actor(&mut self, actor: Actor) {
        match self.dictionaries.actors.find(actor) {
            Some(number) => self.number(u64::from(number) + 1),
            None => {
                self.number(0);
                put_actor(self.out, actor);
            }
        }
    }

    /// A row; of a mailbox with more than `n_listed_max` messages only the oldest.
    pub fn row(&mut self, row: &ProcessRow, n_listed_max: usize) {
        self.number(place_of(&STATUSES, &row.status));
        self.number(place_of(&Behaviour::ALL, &row.behaviour));
        self.number(place_of(&RESTART_TYPES, &row.restart_type));
        for atom in [row.module, row.label, row.child_id] {
            self.optional(atom, Self::atom);
        }
        for actor in [row.parent, row.supervisor] {
            self.optional(actor, Self::actor);
        }
        for seq in [row.spawned, row.ended, row.state, row.handling] {
            self.optional(seq, |writer, seq| writer.number(seq.0));
        }
        let counts = [row.n_restarts.into(), row.n_sent, row.n_received, row.n_handled, row.reductions];
        for count in counts.into_iter().chain([row.memory_bytes]) {
            self.number(count);
        }
        self.list(row.names.iter().copied(), Self::atom);
        self.list(row.children.iter().copied(), Self::actor);
        self.list(row.links.iter().copied(), Self::actor);
        self.list(row.monitors.iter(), |writer, (reference, watched)| {
            writer.out.extend_from_slice(&reference.0.to_le_bytes());
            writer.actor(*watched);
        });
        let is_listed = row.mailbox.len() <= n_listed_max;
        self.number(u64::from(!is_listed));
        let mut before = 0;
        let waiting = if is_listed { row.mailbox.len() } else { 1 };
        self.list(row.mailbox.iter().take(waiting), |writer, arrival| {
            writer.number(arrival.0 - before);
            before = arrival.0;
        });
        self.number(row.n_unseen);
        self.number(row.sampled_len.map_or(0, |len| len.saturating_add(1)));
    }

    fn number(&mut self, value: u64) {
        put_varint(self.out, value);
    }
    /// An atom: its dictionary number plus one, or 0 and its text.
    fn atom(&mut self, atom: Atom) {
        match self.dictionaries.tags.find(atom) {
            Some(number) => self.number(u64::from(number) + 1),
            None => {
                self.number(0);
                put_text(self.out, atom.as_str());
            }
        }
    }
    fn optional<T>(&mut self, value: Option<T>, mut write: impl FnMut(&mut Self, T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
    fn list<T>(&mut self, items: impl ExactSizeIterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }
}

/// Reads what [`RowWriter`] wrote.
pub struct RowReader<'a> {
    pub bytes: Reader<'a>,
    pub dictionaries: &'a Dictionaries,
}

impl RowReader<'_> {
    pub fn actor(&mut self) -> Option<Actor> {
        match self.bytes.varint()?.checked_sub(1) {
            Some(number) => self.dictionaries.actors.items().get(usize::try_from(number).ok()?).copied(),
            None => read_actor(&mut self.bytes),
        }
    }

    pub fn row(&mut self, actor: Actor) -> Option<StoredRow> {
        let mut row = Box::new(ProcessRow::new(actor));
        row.status = *STATUSES.get(self.place()?)?;
        row.behaviour = *Behaviour::ALL.get(self.place()?)?;
        row.restart_type = *RESTART_TYPES.get(self.place()?)?;
        for atom in [&mut row.module, &mut row.label, &mut row.child_id] {
            *atom = self.optional(Self::atom)?;
        }
        for actor in [&mut row.parent, &mut row.supervisor] {
            *actor = self.optional(Self::actor)?;
        }
        for seq in [&mut row.spawned, &mut row.ended, &mut row.state, &mut row.handling] {
            *seq = self.optional(Self::seq)?;
        }
        row.n_restarts = u32::try_from(self.bytes.varint()?).ok()?;
        let counts = [&mut row.n_sent, &mut row.n_received, &mut row.n_handled, &mut row.reductions];
        for count in counts.into_iter().chain([&mut row.memory_bytes]) {
            *count = self.bytes.varint()?;
        }
        row.names = self.list(Self::atom)?;
        row.children = self.list(Self::actor)?;
        row.links = self.list::<_, BTreeSet<_>>(Self::actor)?;
        row.monitors =
            self.list::<_, BTreeMap<_, _>>(|reader| Some((CallKey(reader.bytes.u64()?), reader.actor()?)))?;
        let is_listed = self.bytes.varint()? == 0;
        let mut before = 0u64;
        let mailbox: VecDeque<Seq> = self.list(|reader| {
            before = before.checked_add(reader.bytes.varint()?)?;
            Some(Seq(before))
        })?;
        // Files of earlier versions end here.
        row.n_unseen = self.bytes.varint().unwrap_or(0);
        row.sampled_len = self.bytes.varint().and_then(|len| len.checked_sub(1));
        if is_listed {
            row.mailbox = mailbox;
            return Some(StoredRow { row, mailbox_from: None });
        }
        Some(StoredRow { row, mailbox_from: Some(*mailbox.front()?) })
    }

    fn place(&mut self) -> Option<usize> {
        usize::try_from(self.bytes.varint()?).ok()
    }
    fn seq(&mut self) -> Option<Seq> {
        self.bytes.varint().map(Seq)
    }
    fn atom(&mut self) -> Option<Atom> {
        match self.bytes.varint()?.checked_sub(1) {
            Some(number) => self.dictionaries.tags.items().get(usize::try_from(number).ok()?).copied(),
            None => Atom::try_new(self.bytes.text()?).ok(),
        }
    }
    /// `None` is damage, `Some(None)` an absent value.
    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.bytes.varint()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }
    fn list<T, C: FromIterator<T>>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<C> {
        let n = self.bytes.count()?;
        (0..n).map(|_| read(self)).collect()
    }
}

/// An actor by itself: sort, node, creation, id words, incarnation.
pub fn put_actor(out: &mut Vec<u8>, actor: Actor) {
    let (sort, origin, first, second) = match actor.id {
        ActorId::Pid(pid) => (0, pid.origin, pid.id, pid.serial),
        ActorId::Port(port) => (1, port.origin, port.id_low, port.id_high),
    };
    let node = origin.id();
    out.push(sort);
    put_text(out, node.node.as_str());
    for number in [node.creation, first, second, actor.incarnation] {
        put_varint(out, number.into());
    }
}

/// Reads what [`put_actor`] wrote.
pub fn read_actor(bytes: &mut Reader<'_>) -> Option<Actor> {
    let sort = bytes.u8()?;
    let node = Atom::try_new(bytes.text()?).ok()?;
    let mut number = || u32::try_from(bytes.varint()?).ok();
    let origin = Origin::intern(node, number()?)?;
    let (first, second) = (number()?, number()?);
    let id = match sort {
        0 => ActorId::Pid(Pid { id: first, serial: second, origin }),
        1 => ActorId::Port(Port { id_low: first, id_high: second, origin }),
        _ => return None,
    };
    Some(Actor { id, incarnation: number()? })
}
