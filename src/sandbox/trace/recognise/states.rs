//! States: what is known of a process's state after each trace message that shows some of it, told when it differs
//! from what was known. It must not know which function showed it.
//!
//! A gen_server's state is its own term. A gen_statem's is `#{state, data}`, a gen_event's `#{Handler => State}`:
//! so a part of it can be told alone, with `meta.partial` (see [`Kind::StateChange`]).

use super::Recogniser;
use super::callback::{Arg, Shown};
use super::fields::Fields;
use super::handlers::Running;
use super::message::hash;
use crate::codec::etf;
use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::{Actor, Atom, Behaviour, Class, Kind, NewEvent, Term};

/// What is known of a gen_statem's state.
#[derive(Default)]
pub(super) struct Statem {
    /// Its state's bytes; empty when unknown.
    state: Vec<u8>,
    data_hash: Option<u64>,
}

/// The state that was told last of a process whose state was asked for; `None` after a part of it changed. What a
/// look gives and what a trace shows may be the same term in other bytes.
pub(super) struct Looked(Option<Term>);

/// Where a state is known from.
#[derive(Clone, Copy)]
pub(super) enum Source<'r> {
    /// This callback made it.
    Callback(&'r Running),
    /// It was seen, and it is not known what made it.
    Seen,
    /// Somebody asked for it.
    Look,
}

impl<'r> From<Option<&'r Running>> for Source<'r> {
    fn from(maker: Option<&'r Running>) -> Source<'r> {
        maker.map_or(Source::Seen, Source::from)
    }
}

/// What a call of ours makes has no maker in the recording.
impl<'r> From<&'r Running> for Source<'r> {
    fn from(maker: &'r Running) -> Source<'r> {
        if maker.is_ours { Source::Seen } else { Source::Callback(maker) }
    }
}

/// Which part of a state an event tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Whole,
    /// Some of its keys.
    Keys,
    /// Some of the keys of a gen_statem's data.
    Data,
}

impl Recogniser {
    /// The state as it is known now. `module` is the callback module.
    pub(super) fn note_state(&mut self, process: Actor, module: Atom, shown: Shown<'_>, by: Source<'_>) {
        match shown {
            Shown::Nothing => {}
            Shown::Whole(state) => self.note_whole(process, state, by),
            Shown::Statem { state, data } => self.note_statem(process, state, data, by),
            Shown::OfHandler(state) => self.note_handler(process, module, state, by),
        }
    }

    fn note_whole(&mut self, process: Actor, state: Arg<'_>, by: Source<'_>) {
        let bytes = state.bytes();
        let hash = hash(bytes);
        let row = self.actors.row(process.id);
        if row.state_hash.replace(hash) == Some(hash) {
            return;
        }
        self.tell_state(process, bytes, Told::Whole, by);
        if self.actors.row(process.id).is_supervisor {
            self.learn_children(process, state.term);
        }
    }

    fn note_statem(&mut self, process: Actor, state: Option<Arg<'_>>, data: Option<Arg<'_>>, by: Source<'_>) {
        let (state, data) = (state.map(Arg::bytes), data.map(Arg::bytes));
        let known = self.actors.row(process.id).more().statem.get_or_insert_default();
        let is_new_state = state.is_some_and(|bytes| bytes != known.state);
        let data_hash = data.map(hash);
        if !is_new_state && (data_hash.is_none() || data_hash == known.data_hash) {
            return;
        }
        if let Some(bytes) = state.filter(|_| is_new_state) {
            known.state = bytes.to_vec();
        }
        known.data_hash = data_hash.or(known.data_hash);
        let mut payload = Fields::default();
        if !known.state.is_empty() {
            payload.bytes("state", &known.state);
        }
        if let Some(bytes) = data {
            payload.bytes("data", bytes);
        }
        let told = if data.is_some() && !known.state.is_empty() { Told::Whole } else { Told::Keys };
        self.tell_state(process, payload.bare(), told, by);
    }

    fn note_handler(&mut self, process: Actor, module: Atom, state: Arg<'_>, by: Source<'_>) {
        let bytes = state.bytes();
        let hash = hash(bytes);
        let known = &mut self.actors.row(process.id).more().handlers;
        match known.iter_mut().find(|(handler, _)| *handler == module) {
            Some((_, known)) if *known == hash => return,
            Some((_, known)) => *known = hash,
            None => known.push((module, hash)),
        }
        let mut payload = Fields::default();
        payload.bytes(module.as_str(), bytes);
        self.tell_state(process, payload.bare(), Told::Keys, by);
    }

    /// The values of watched fields: a map, or a list of pairs.
    pub(super) fn note_watched(&mut self, process: Actor, watched: RawTerm<'_>, by: Source<'_>) {
        let mut fields = Fields::default();
        if let Some(mut items) = watched.map() {
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                fields.entry(key, value);
            }
        }
        for pair in watched.list().into_iter().flatten() {
            if let Some([key, value]) = pair.tuple_of() {
                fields.entry(key, value);
            }
        }
        if fields.is_empty() {
            return;
        }
        let row = self.actors.row(process.id);
        let hash = hash(fields.bare());
        if row.more().watched_hash.replace(hash) == Some(hash) {
            return;
        }
        if row.behaviour == Some(Behaviour::GenStatem) {
            let mut of_data = Fields::default();
            of_data.bytes("data", fields.bare());
            return self.tell_state(process, of_data.bare(), Told::Data, by);
        }
        self.tell_state(process, fields.bare(), Told::Keys, by);
    }

    /// `bytes` lack the version byte.
    fn tell_state(&mut self, process: Actor, bytes: &[u8], told: Told, by: Source<'_>) {
        if self.is_known_by_look(process, bytes, told, by) {
            return;
        }
        let mut meta = Fields::default();
        if matches!(by, Source::Look) {
            meta.word("by", "get_state");
        }
        let by = match by {
            Source::Callback(running) => Some(running),
            Source::Seen | Source::Look => None,
        };
        match told {
            Told::Whole => {}
            Told::Keys => meta.word("partial", "true"),
            Told::Data => meta.word("partial", "data"),
        }
        let event = NewEvent {
            class: by.map_or(Class::None, |running| running.class),
            tag: by.and_then(|running| running.tag),
            call: by.and_then(|running| running.call),
            cause: by.map(|running| running.start),
            meta: &meta.finish(),
            ..self.event(Kind::StateChange, process)
        };
        self.emit_term(&event, bytes);
    }

    /// Whether it is the state that was told last; remembers it for the next time.
    fn is_known_by_look(&mut self, process: Actor, bytes: &[u8], told: Told, by: Source<'_>) -> bool {
        let looked = self.actors.row(process.id).looked();
        if looked.is_none() && !matches!(by, Source::Look) {
            return false;
        }
        let term = || {
            let mut whole = Vec::with_capacity(bytes.len() + 1);
            write::version(&mut whole);
            whole.extend_from_slice(bytes);
            etf::decode(&whole).ok()
        };
        let state = if told == Told::Whole { term() } else { None };
        let is_known = state.is_some() && looked.is_some_and(|looked| looked.0 == state);
        self.actors.row(process.id).more().looked = Some(Looked(state));
        is_known
    }
}
