//! From raw trace messages to events: who sent what to whom, which reply answers which call, which
//! callback took which message, why a process ended, what a supervisor did about it.
//!
//! A state machine over the ordered stream. It claims what the trace shows and OTP's conventions
//! say, and nothing else: a call that left no message, a callback that was not traced, an exit whose
//! reason nobody shares stay untold. It must not know files, frames or clocks, so that a live
//! node's stream can be fed to it as well.

mod actors;
mod callback;
mod ends;
mod family;
mod fields;
mod handlers;
mod looks;
mod message;
mod ours;
mod recent;
mod requests;
mod signals;
mod start;
mod states;

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use self::actors::Actors;
use self::callback::Handler;
use self::fields::Fields;
use self::handlers::Arrival;
use self::message::Envelope;
use self::ours::Ours;
use self::recent::{Queues, Recent, Sleepy};
use self::requests::Request;
use super::message::{Trace, What};
use crate::codec::walk::{Part, RawTerm};
use crate::codec::write;
use crate::model::limits::{OPEN_ENDS_MAX, PAYLOAD_BYTES_MAX};
use crate::model::{
    Actor, ActorId, Atom, CallKey, DAMAGE, EventBatch, Kind, NewEvent, OMITTED_BYTES, Origin, Pid, Seq, Term,
};

/// Kinds of trace messages that are counted by name; further ones together.
const UNSTORED_KINDS_MAX: usize = 64;

/// Arrivals that are kept before the first call of a callback: until then, nothing seems to take messages out.
const ARRIVALS_UNTIL_CALLS: usize = 1 << 14;

/// Turns trace messages into events, which gather in [`Recogniser::batch`].
pub struct Recogniser {
    /// Events made so far; the owner takes them out with [`Recogniser::take_batch`].
    batch: EventBatch,
    /// Clock of the message at hand.
    at_ns: i64,
    /// By how much the message at hand is older than that: 0 unless it came too late.
    late_ns: i64,
    /// Metadata of every event that such a message makes; else empty.
    late_meta: Vec<u8>,
    actors: Actors,
    ours: Ours,
    /// Registered names in force, by node and name.
    names: FxHashMap<(Atom, Atom), ActorId>,
    /// Names that processes are said to have, until they appear.
    hints: FxHashMap<ActorId, Atom>,
    hinted_names: FxHashMap<(Atom, Atom), ActorId>,
    /// Sends on their way, by receiver and content ([`end_key`]).
    sends: Queues<u64, Sent>,
    /// Sends to names whose owner is not known yet, by content.
    sends_to_names: Queues<u64, (Atom, Sent)>,
    /// The node whose trace came first, and whether others' came too: then messages go from one to another.
    node: Option<Origin>,
    is_cluster: bool,
    /// Messages in mailboxes, by receiver and [`message::Message::arrival_hash`].
    arrivals: Sleepy<u64, Arrival>,
    calls: Recent<CallKey, Call>,
    /// Requests whose answers tell more, until they are answered.
    requests: Recent<CallKey, Request>,
    /// The calls of a gen_event's managers, by their arrival's key: handlers are not told whose call it is.
    manager_calls: Recent<u64, CallKey>,
    /// Callbacks that were seen to return: the trace has their ends.
    returning: FxHashSet<(Atom, Handler)>,
    unstored: BTreeMap<String, u64>,
    omitted: Omitted,
    n_lost: u64,
    /// How often some were.
    n_losses: u32,
    is_elixir: bool,
}

/// Payloads beyond [`PAYLOAD_BYTES_MAX`], which are left out of their events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    pub n: u64,
    /// Of the largest.
    pub n_bytes_max: usize,
}

/// A send whose receive was not seen yet.
#[derive(Clone, Copy)]
struct Sent {
    seq: Seq,
    from: Actor,
    /// Read once for both ends.
    envelope: Envelope,
}

/// A gen call on its way.
#[derive(Clone, Copy)]
struct Call {
    caller: ActorId,
    server: Option<Actor>,
    /// The request's tag.
    tag: Option<Atom>,
    /// The caller's send.
    send: Option<Seq>,
    /// The callback that took it.
    handled: Option<Seq>,
    is_timed_out: bool,
    /// Whether it asks a supervisor to start a child.
    is_start_request: bool,
}

/// By which the two ends of a message's way find each other: its content, as a hash, at this actor.
fn end_key(actor: Actor, content: u64) -> u64 {
    let mut hasher = FxHasher::default();
    (actor, content).hash(&mut hasher);
    hasher.finish()
}

/// The node that `id` belongs to.
fn node_of(id: ActorId) -> Atom {
    id.origin().id().node
}

impl Recogniser {
    /// A recogniser whose first event will be `first`.
    pub fn new(first: Seq) -> Recogniser {
        Recogniser {
            batch: EventBatch::new(first),
            // Before any time: the BEAM's monotonic clock is below zero for years.
            at_ns: i64::MIN,
            late_ns: 0,
            late_meta: Vec::new(),
            actors: Actors::default(),
            ours: Ours::default(),
            names: FxHashMap::default(),
            hints: FxHashMap::default(),
            hinted_names: FxHashMap::default(),
            sends: Queues::new(OPEN_ENDS_MAX),
            sends_to_names: Queues::new(OPEN_ENDS_MAX),
            node: None,
            is_cluster: false,
            arrivals: Sleepy::new(ARRIVALS_UNTIL_CALLS),
            calls: Recent::new(OPEN_ENDS_MAX),
            requests: Recent::new(OPEN_ENDS_MAX),
            manager_calls: Recent::new(OPEN_ENDS_MAX),
            returning: FxHashSet::default(),
            unstored: BTreeMap::new(),
            omitted: Omitted::default(),
            n_lost: 0,
            n_losses: 0,
            is_elixir: false,
        }
    }

    /// Events made since the batch was taken last.
    pub fn batch(&self) -> &EventBatch {
        &self.batch
    }

    /// Gives the events made so far and goes on with `empty`, whose memory is used again.
    pub fn take_batch(&mut self, mut empty: EventBatch) -> EventBatch {
        empty.clear(self.next_seq());
        std::mem::replace(&mut self.batch, empty)
    }

    /// Trace messages that make no event, by kind: `receive timeout` of processes that wait for no call, scheduling ..
    pub fn unstored(&self) -> &BTreeMap<String, u64> {
        &self.unstored
    }
    /// Trace messages that the tracer dropped.
    pub fn n_lost(&self) -> u64 {
        self.n_lost
    }
    /// Payloads that were too large to be kept.
    pub fn omitted(&self) -> Omitted {
        self.omitted
    }
    /// Whether a callback module of Elixir was seen.
    pub fn is_elixir(&self) -> bool {
        self.is_elixir
    }

    /// Tells that `pid` has or will have the name `name`. It is believed, and an event, when the process
    /// first appears without having been spawned in the trace.
    pub fn hint_name(&mut self, pid: Pid, name: Atom) {
        self.hints.insert(ActorId::Pid(pid), name);
        self.hinted_names.insert((pid.origin.id().node, name), ActorId::Pid(pid));
    }

    /// Tells that `n` trace messages were lost before what comes next.
    pub fn lose(&mut self, at_ns: i64, n: u64) {
        self.n_lost += n;
        let mut payload = Fields::default();
        payload.int("total", i64::try_from(n).unwrap_or(i64::MAX));
        self.emit_loss(at_ns, payload);
    }

    /// Tells that the stream was damaged in `n_places` before what comes next, first as `what` says, at `offset` of its file: nobody
    /// knows how much was lost.
    pub fn lose_damaged(&mut self, at_ns: i64, what: &str, offset: Option<u64>, n_places: u64) {
        let mut payload = Fields::default();
        if let Some(offset) = offset {
            payload.int("offset", i64::try_from(offset).unwrap_or(i64::MAX));
        }
        payload.int("places", i64::try_from(n_places).unwrap_or(i64::MAX));
        payload.word("reason", DAMAGE);
        payload.value("what", &Term::binary(what));
        self.emit_loss(at_ns, payload);
    }

    fn emit_loss(&mut self, at_ns: i64, payload: Fields) {
        self.at_ns = at_ns;
        self.n_losses = self.n_losses.wrapping_add(1);
        let payload = payload.finish();
        let nobody = Actor::from(Pid::local(0));
        self.emit(&NewEvent { payload: &payload, ..self.event(Kind::Loss, nobody) });
    }

    /// Counts a trace message that makes no event.
    pub fn count(&mut self, kind: &str) {
        if let Some(n) = self.unstored.get_mut(kind) {
            *n += 1;
            return;
        }
        let kind = if self.unstored.len() < UNSTORED_KINDS_MAX { kind } else { "other" };
        *self.unstored.entry(kind.to_string()).or_default() += 1;
    }

    /// Takes the next trace message. `at_ns` never goes back; `late_ns` says by how much the message is older.
    pub fn feed(&mut self, trace: &Trace<'_>, at_ns: i64, late_ns: i64) {
        self.at_ns = at_ns;
        self.late_ns = late_ns;
        self.late_meta.clear();
        if late_ns > 0 {
            let mut meta = Fields::default();
            meta.int("late_ns", late_ns);
            self.late_meta = meta.finish();
        }
        if self.is_of_ours(trace) {
            return;
        }
        let who = trace.who;
        self.is_cluster |= *self.node.get_or_insert(who.origin()) != who.origin();
        if !matches!(trace.what, What::Spawned { .. }) {
            self.take_hint(who);
        }
        match trace.what {
            What::Send { message, to } => self.send(who, message, to, false),
            What::SendToNonExisting { message, to } => self.send(who, message, to, true),
            What::Receive { message, extra } => self.receive(who, message, extra),
            What::Spawn { child, start } => self.spawn(child, who, start, actors::Side::Spawn),
            What::Spawned { parent, start } => self.spawn(who, parent, start, actors::Side::Spawned),
            What::Exit { reason } => self.exit(who, reason),
            What::Link { peer } => self.link(who, peer, true),
            What::GettingLinked { peer } => self.link(who, peer, false),
            What::Unlink { peer } => self.unlink(who, peer, true),
            What::GettingUnlinked { peer } => self.unlink(who, peer, false),
            What::Register { name } => self.register(who, name, true),
            What::Unregister { name } => self.register(who, name, false),
            What::Call { function, extra } => self.call(who, function, extra),
            What::ReturnTo { caller } => self.returned_to(who, caller),
            What::ReturnFrom { function, value } => self.callback_returned(who, function, value),
            What::ExceptionFrom { function, exception } => self.callback_failed(who, function, exception),
            What::GcStart => self.actors.row(who).gc_start_ns = Some(at_ns),
            What::GcEnd { is_major, info } => self.collected(who, is_major, info),
            What::Open { owner, driver } => self.open_port(who, owner, driver),
            What::Closed { reason } => self.exit(who, reason),
            What::Other(kind) => self.count(kind),
        }
        self.actors.row(who).has_acted = true;
    }

    /// The seq of the next event.
    pub fn next_seq(&self) -> Seq {
        Seq(self.batch.first.0 + self.batch.len() as u64)
    }

    fn event(&self, kind: Kind, process: Actor) -> NewEvent<'static> {
        NewEvent::new(self.at_ns, kind, process)
    }

    fn emit(&mut self, event: &NewEvent<'_>) -> Seq {
        if event.meta.is_empty() && !self.late_meta.is_empty() {
            return self.batch.push_with(event, &self.late_meta, |out| out.extend_from_slice(event.payload));
        }
        self.batch.push(event)
    }

    /// Emits with `payload`, whose bytes lack the version byte. One beyond [`PAYLOAD_BYTES_MAX`] is left out: the
    /// metadata tells its size, and that it is lost.
    fn emit_term(&mut self, event: &NewEvent<'_>, payload: &[u8]) -> Seq {
        if payload.len() > PAYLOAD_BYTES_MAX {
            self.omitted.n += 1;
            self.omitted.n_bytes_max = self.omitted.n_bytes_max.max(payload.len());
            let mut meta = Fields::on(event.meta);
            meta.int(OMITTED_BYTES, payload.len() as i64);
            meta.value("lost", &Term::list([Term::atom("payload")]));
            return self.emit(&NewEvent { meta: &meta.finish(), ..*event });
        }
        let meta = if event.meta.is_empty() { &self.late_meta[..] } else { event.meta };
        self.batch.push_with(event, meta, |out| {
            write::version(out);
            out.extend_from_slice(payload);
        })
    }

    fn register(&mut self, who: ActorId, name: RawTerm<'_>, is_taken: bool) {
        let Some(name) = name.as_atom() else { return self.count("register without a name") };
        let process = self.actors.actor(who);
        if is_taken {
            self.actors.row(who).name = Some(name);
            self.names.insert((node_of(who), name), who);
        } else {
            self.learn_name(who, name);
            self.names.remove(&(node_of(who), name));
        }
        let kind = if is_taken { Kind::Register } else { Kind::Unregister };
        self.emit(&NewEvent { tag: Some(name), ..self.event(kind, process) });
    }

    /// Learns the name that `who` was said to have, once, unless it began in the trace.
    fn take_hint(&mut self, who: ActorId) {
        if self.hints.is_empty() {
            return;
        }
        if let Some(name) = self.hints.remove(&who)
            && !self.actors.get(who).is_some_and(actors::Row::began_here)
        {
            self.learn_name(who, name);
        }
    }

    /// The owner of `name` on `node`.
    fn owner(&mut self, node: Atom, name: Atom) -> Option<Actor> {
        let key = (node, name);
        if let Some(&hinted) = self.hinted_names.get(&key)
            && !self.names.contains_key(&key)
        {
            self.take_hint(hinted);
        }
        self.names.get(&key).map(|&id| self.actors.actor(id))
    }

    /// Notes that `who` has had `name` since before the trace began: a register event that says so, and
    /// again when its module becomes known.
    fn learn_name(&mut self, who: ActorId, name: Atom) {
        let is_known = self.names.insert((node_of(who), name), who) == Some(who);
        let row = self.actors.row(who);
        row.name = Some(name);
        if row.began_here() || (is_known && (row.is_introduced || row.module.is_none())) {
            return;
        }
        row.is_introduced = row.module.is_some();
        let mut payload = Fields::default();
        if let Some(module) = row.module {
            payload.atom("module", module);
        }
        if let Some(behaviour) = row.behaviour {
            payload.word("behaviour", behaviour.as_str());
        }
        let payload = payload.finish();
        let process = self.actors.actor(who);
        let event = NewEvent {
            tag: Some(name),
            payload: &payload,
            meta: &looks::since_before_trace(),
            ..self.event(Kind::Register, process)
        };
        self.emit(&event);
    }

    fn collected(&mut self, who: ActorId, is_major: bool, info: Part<'_>) {
        let process = self.actors.actor(who);
        let mut meta = Fields::default();
        if let Some(start_ns) = self.actors.row(who).gc_start_ns.take() {
            meta.int("duration_ns", self.at_ns - start_ns);
        }
        let tag = Some(Atom::new(if is_major { "gc_major" } else { "gc_minor" }));
        self.emit_term(&NewEvent { tag, meta: &meta.finish(), ..self.event(Kind::Gc, process) }, info.bytes());
    }

    /// Remembers whose code runs: names of Elixir modules begin so.
    fn note_module(&mut self, who: ActorId, module: Atom) {
        self.is_elixir |= module.as_str().starts_with("Elixir.");
        self.actors.row(who).module = Some(module);
    }
}
