//! What is our own in the stream, and so no part of the recording: processes that were spawned from our node or by
//! one of ours, what they do, and what others do for them. It must not know why they are there.

use std::cell::Cell;

use rustc_hash::FxHashSet;

use super::message::{Message, call_key, hash};
use super::recent::Recent;
use super::{Recogniser, end_key};
use crate::codec::walk::{Part, RawTerm};
use crate::model::{ActorId, Atom, CallKey, Class, Origin, Pid};
use crate::sandbox::trace::message::{Trace, What};

/// Processes of ours that have ended, and calls and messages of theirs under way, that are remembered.
const REMEMBERED_MAX: usize = 1 << 13;

pub(super) struct Ours {
    /// Whether anything was ever to be ignored.
    is_used: bool,
    nodes: Vec<Atom>,
    actors: FxHashSet<ActorId>,
    /// What is said about them may come later than their end.
    ended: Recent<ActorId, ()>,
    /// Their calls, whose answers are sent to a reference.
    calls: Recent<CallKey, ()>,
    /// What they sent to others, by receiver and content.
    sends: Recent<u64, ()>,
    /// The node that was asked about last: nearly all belong to one.
    last: Cell<Option<(Origin, bool)>>,
}

impl Default for Ours {
    fn default() -> Ours {
        Ours {
            is_used: false,
            nodes: Vec::new(),
            actors: FxHashSet::default(),
            ended: Recent::new(REMEMBERED_MAX),
            calls: Recent::new(REMEMBERED_MAX),
            sends: Recent::new(REMEMBERED_MAX),
            last: Cell::new(None),
        }
    }
}

impl Ours {
    /// Whether `id` is a process or port of ours, or lives on our node.
    pub fn has(&self, id: ActorId) -> bool {
        let origin = match id {
            ActorId::Pid(pid) => pid.origin,
            ActorId::Port(port) => port.origin,
        };
        self.has_node(origin) || self.actors.contains(&id) || self.ended.get(&id).is_some()
    }

    fn has_node(&self, origin: Origin) -> bool {
        match self.last.get() {
            Some((last, is_ours)) if last == origin => is_ours,
            _ => {
                let is_ours = self.nodes.contains(&origin.id().node);
                self.last.set(Some((origin, is_ours)));
                is_ours
            }
        }
    }

    fn has_actor(&self, term: RawTerm<'_>) -> bool {
        term.as_actor().is_some_and(|actor| self.has(actor.id))
    }

    /// Whether a message goes to one of ours: by pid, by name, or by the reference of a call.
    fn is_receiver(&self, to: RawTerm<'_>) -> bool {
        if let Some(actor) = to.as_actor() {
            return self.has(actor.id);
        }
        if let Some([_name, node]) = to.tuple_of() {
            return node.as_atom().is_some_and(|node| self.nodes.contains(&node));
        }
        to.as_ref().is_some_and(|reference| {
            self.has_node(reference.origin) || self.calls.get(&CallKey(reference.key())).is_some()
        })
    }

    fn end(&mut self, id: ActorId) {
        if self.actors.remove(&id) {
            self.ended.insert(id, ());
        }
    }

    /// A process of somebody else's has this pid now.
    fn give_back(&mut self, id: ActorId) {
        self.actors.remove(&id);
        self.ended.remove(&id);
    }
}

impl Recogniser {
    /// Leaves the process out of the recording, with all that it spawns and all that others send to it or are sent by it.
    pub fn ignore(&mut self, pid: Pid) {
        self.ours.is_used = true;
        self.ours.actors.insert(ActorId::Pid(pid));
    }

    /// Tells that an ignored process has ended, when its end is not traced: the memory of it is bounded from now on.
    pub fn ignored_ended(&mut self, pid: Pid) {
        self.ours.end(ActorId::Pid(pid));
    }

    /// Leaves out every process that is spawned from `node`, as [`Recogniser::ignore`] does.
    pub fn ignore_node(&mut self, node: Atom) {
        self.ours.is_used = true;
        self.ours.nodes.push(node);
        self.ours.last.set(None);
    }

    /// Whether the message is about one of ours and makes no event.
    pub(super) fn is_of_ours(&mut self, trace: &Trace<'_>) -> bool {
        if !self.ours.is_used {
            return false;
        }
        if self.ours.has(trace.who) {
            return self.done_by_ours(trace);
        }
        match trace.what {
            What::Spawned { parent, .. } | What::Open { owner: parent, .. } => {
                let is_ours = self.ours.has(parent);
                if is_ours {
                    self.ours.actors.insert(trace.who);
                }
                is_ours
            }
            What::Spawn { child, .. } => {
                self.ours.give_back(child);
                false
            }
            What::Send { to, .. } | What::SendToNonExisting { to, .. } => self.ours.is_receiver(to),
            What::Receive { message, extra } => self.is_from_ours(trace.who, message, extra),
            What::Link { peer } | What::GettingLinked { peer } => self.ours.has(peer),
            What::Unlink { peer } | What::GettingUnlinked { peer } => self.ours.has(peer),
            _ => false,
        }
    }

    /// One of ours did something; whether it is still one of ours.
    fn done_by_ours(&mut self, trace: &Trace<'_>) -> bool {
        match trace.what {
            What::Spawn { child, .. } => _ = self.ours.actors.insert(child),
            // The pid is used again.
            What::Spawned { parent, .. } if !self.ours.has(parent) => {
                self.ours.give_back(trace.who);
                return false;
            }
            What::Exit { .. } | What::Closed { .. } => self.ours.end(trace.who),
            What::Send { message, to } => self.sent_by_ours(message, to),
            _ => {}
        }
        true
    }

    fn sent_by_ours(&mut self, message: Part<'_>, to: RawTerm<'_>) {
        let envelope = Message::of(message.term()).envelope;
        if let Some(call) = envelope.call.filter(|_| matches!(envelope.class, Class::Call | Class::System)) {
            self.ours.calls.insert(call, ());
        }
        if let Some(receiver) = to.as_actor() {
            let receiver = self.actors.actor(receiver.id);
            self.ours.sends.insert(end_key(receiver, hash(message.bytes())), ());
        }
    }

    /// Whether a message that arrived was sent by one of ours, or is about one: by the sender that is told with it, by its
    /// own send, or by whom it names.
    fn is_from_ours(&mut self, who: ActorId, whole: Part<'_>, extra: Option<RawTerm<'_>>) -> bool {
        let sender = extra.and_then(RawTerm::tuple_of).map(|[_node, sender]| sender);
        let is_known = sender.is_some_and(|sender| sender.as_actor().is_some());
        let is_ours = match sender.filter(|_| is_known) {
            Some(sender) => self.ours.has_actor(sender),
            None => {
                let key = end_key(self.actors.actor(who), hash(whole.bytes()));
                self.ours.sends.remove(&key).is_some() || self.is_about_ours(whole.term())
            }
        };
        let message = Message::of(whole.term());
        if is_ours && let Some(call) = message.call.filter(|_| matches!(message.class, Class::Call | Class::System)) {
            self.ours.calls.insert(call, ());
        }
        is_ours
    }

    /// Whether one of ours stands in the message, or in the `From` of a request.
    fn is_about_ours(&self, whole: RawTerm<'_>) -> bool {
        let names_ours = |term: RawTerm<'_>| {
            let is_from =
                || term.tuple_of().is_some_and(|[pid, tag]| call_key(tag).is_some() && self.ours.has_actor(pid));
            self.ours.has_actor(term) || is_from()
        };
        whole.tuple().is_some_and(|mut items| items.any(names_ours))
    }

    /// Whether a callback answers a call of ours: `from` is `{Caller, Tag}`.
    pub(super) fn is_call_of_ours(&self, from: RawTerm<'_>) -> bool {
        self.ours.is_used && from.tuple_of().is_some_and(|[caller, _]| self.ours.has_actor(caller))
    }
}
