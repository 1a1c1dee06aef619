//! Messages, links and calls: joins sends to their receives, replies and timeouts to their calls.
//!
//! A send and its receive are joined by receiver and equal bytes, first in first out: a heuristic
//! that is wrong only when two processes send the same message to one receiver at the same moment.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use super::fields::Fields;
use super::handlers::Arrival;
use super::message::{Envelope, Message, hash};
use super::requests::Asked;
use super::{Call, Recogniser, Sent, end_key, node_of};
use crate::codec::canon;
use crate::codec::walk::{Part, RawTerm};
use crate::model::{Actor, ActorId, Atom, Behaviour, CallKey, Class, Kind, NewEvent, Seq};

/// Where a message goes.
struct Target {
    actor: Option<Actor>,
    /// Node and name, when it was sent to a name.
    name: Option<(Atom, Atom)>,
}

/// By which a send to a name whose owner is not known finds its receive: content and node.
fn name_key(node: Atom, content: u64) -> u64 {
    let mut hasher = FxHasher::default();
    (node, content).hash(&mut hasher);
    hasher.finish()
}

/// Calls of one process that may wait at once; the oldest lost its answer.
const WAITS_MAX: usize = 64;

impl Recogniser {
    pub(super) fn send(&mut self, who: ActorId, whole: Part<'_>, to: RawTerm<'_>, is_to_dead: bool) {
        let process = self.actors.actor(who);
        let mut message = Message::of(whole.term());
        let call = message.call.and_then(|key| self.calls.get(&key).copied());
        let target = self.target(who, to, call);
        if let Some(to) = target.actor {
            self.read_as_receiver(&mut message, to.id);
        }
        let is_reply = message.class == Class::Reply && (call.is_some() || message.is_alias);
        let kind = match (is_to_dead, is_reply) {
            (true, _) => Kind::SendToDead,
            (false, true) => Kind::Reply,
            (false, false) => Kind::Send,
        };
        let is_claimed = is_reply || message.class != Class::Reply;
        let running = self.actors.row(who).handling();
        let mut meta = Fields::default();
        if let (Some((node, name)), None) = (target.name, target.actor) {
            meta.atom("name", name);
            if node != node_of(who) {
                meta.atom("node", node);
            }
        }
        let bytes = whole.bytes();
        let event = NewEvent {
            class: if is_claimed { message.class } else { Class::Info },
            peer: target.actor,
            tag: message.tag,
            call: message.call.filter(|_| is_claimed),
            cause: call.filter(|_| is_reply).and_then(|call| call.handled).or(running),
            meta: &meta.finish(),
            ..self.event(kind, process)
        };
        let cause = event.cause;
        let seq = self.emit_term(&event, bytes);
        if is_to_dead {
            return;
        }
        if message.class == Class::Reply
            && let (Some(key), Some([_reference, answer])) = (message.call, message.whole.tuple_of())
        {
            self.answered(process, key, answer, cause.unwrap_or(seq));
        }
        let sent = Sent { seq, from: process, envelope: message.envelope };
        // Another node may write the same message in other bytes.
        let content = |is_near: bool| if is_near { hash(bytes) } else { canon::hash(whole.term()) };
        match (target.actor, target.name) {
            (Some(receiver), _) => {
                let content = content(receiver.id.origin() == who.origin());
                self.sends.push(end_key(receiver, content), sent);
            }
            (None, Some((node, name))) => {
                let content = content(node == node_of(who));
                self.sends_to_names.push(name_key(node, content), (name, sent));
            }
            (None, None) => {}
        }
        match message.class {
            Class::Call => self.begin_call(who, &message, target.actor, Some(seq)),
            Class::System => _ = self.note_system_request(&message),
            Class::Reply if is_reply => self.replied(process, &message, seq),
            _ => {}
        }
    }

    /// The key of a request to change code.
    fn note_system_request(&mut self, message: &Message<'_>) -> Option<CallKey> {
        let asked = Asked::of(message.tag).filter(|asked| *asked == Asked::ChangeCode)?;
        self.asked(asked, message.call?, message);
        message.call
    }

    fn target(&mut self, sender: ActorId, to: RawTerm<'_>, call: Option<Call>) -> Target {
        if let Some(actor) = to.as_actor() {
            self.take_hint(actor.id);
            return Target { actor: Some(self.actors.actor(actor.id)), name: None };
        }
        let name = match to.tuple_of() {
            Some([name, node]) => name.as_atom().zip(node.as_atom()).map(|(name, node)| (node, name)),
            None => to.as_atom().map(|name| (node_of(sender), name)),
        };
        let actor = match name {
            Some((node, name)) => self.owner(node, name),
            // A reference: the alias of who waits for an answer.
            None => call.map(|call| self.actors.actor(call.caller)),
        };
        Target { actor, name }
    }

    fn begin_call(&mut self, caller: ActorId, message: &Message<'_>, server: Option<Actor>, send: Option<Seq>) {
        let Some(key) = message.call else { return };
        let asked = Asked::of(message.tag).filter(|_| !message.is_for_task);
        if let Some(asked) = asked {
            self.asked(asked, key, message);
        }
        let is_start_request = asked.is_some_and(Asked::starts_child);
        let call =
            Call { caller, server, tag: message.tag, send, handled: None, is_timed_out: false, is_start_request };
        self.calls.insert(key, call);
        if message.is_for_task {
            // Its owner goes on, and may wait for other things before it awaits the answer.
            return;
        }
        let waits = &mut self.actors.row(caller).waits;
        if waits.len() == WAITS_MAX {
            waits.remove(0);
        }
        waits.push(key);
    }

    /// `process` sent the answer of a call.
    fn replied(&mut self, process: Actor, message: &Message<'_>, reply: Seq) {
        let Some(key) = message.call else { return };
        let Some(call) = self.calls.get_mut(&key).copied() else { return };
        if call.is_start_request {
            let row = self.actors.row(process.id);
            row.n_start_requests = row.n_start_requests.saturating_sub(1);
        }
        if !self.actors.get(call.caller).is_some_and(|row| row.has_acted) {
            // Nobody will tell of its arrival.
            self.end_call(key);
        } else if call.is_timed_out && message.is_alias {
            // Without an alias a late reply is not dropped: it lies in the caller's mailbox.
            self.calls.remove(&key);
            let caller = self.actors.actor(call.caller);
            let late = NewEvent {
                class: Class::Reply,
                peer: Some(process),
                tag: call.tag,
                call: Some(key),
                cause: Some(reply),
                ..self.event(Kind::LateReply, caller)
            };
            self.emit(&late);
        }
    }

    /// The call is over: answered, or its server is down.
    fn end_call(&mut self, key: CallKey) {
        if let Some(call) = self.calls.remove(&key)
            && let Some(row) = self.actors.get_mut(call.caller)
        {
            row.waits.retain(|waiting| *waiting != key);
        }
    }

    pub(super) fn receive(&mut self, who: ActorId, whole: Part<'_>, extra: Option<RawTerm<'_>>) {
        let process = self.actors.actor(who);
        let (bytes, whole) = (whole.bytes(), whole.term());
        let content = hash(bytes);
        let sent = self.sent(process, whole, content);
        if sent.is_none() && whole.is_atom("timeout") {
            return self.receive_timed_out(process);
        }
        let extra = extra.and_then(RawTerm::tuple_of);
        let sender = sent.map(|sent| sent.from).or_else(|| self.named_sender(who, whole, extra));
        let mut message = match sent {
            Some(sent) => Message { envelope: sent.envelope, whole },
            None => Message::of(whole),
        };
        self.read_as_receiver(&mut message, who);
        self.doubt(&mut message.envelope, sender.is_some());
        if sender.is_some_and(|sender| self.is_answer_of_start(&message, process, sender)) {
            message.envelope.class = Class::Reply;
        }
        let is_from_clock = extra.is_some_and(|[node, _]| node.is_atom("clock_service"));
        let kind = match message.class {
            _ if is_from_clock => Kind::TimerFire,
            Class::Timer => Kind::TimerFire,
            Class::Down => Kind::Down,
            Class::Exit if sender.is_none() => Kind::ExitSignal,
            _ => Kind::Receive,
        };
        let about = message.about.map(|id| self.actors.actor(id));
        if message.class == Class::System
            && let Some(key) = self.note_system_request(&message)
        {
            self.actors.row(who).more().code_change = Some(key);
        }
        let (peer, cause) = match (kind, message.class) {
            (Kind::Down | Kind::ExitSignal, _) => {
                (about, about.and_then(|actor| self.actors.get(actor.id)).and_then(|row| row.ended))
            }
            // Who calls names itself.
            (_, Class::Call | Class::System) => (sender.or(about), sent.map(|sent| sent.seq)),
            _ => (sender, sent.map(|sent| sent.seq)),
        };
        let class = if kind == Kind::TimerFire { Class::Timer } else { message.class };
        let (tag, call) = (message.tag, message.call);
        let seq = self.emit_term(&NewEvent { class, peer, tag, call, cause, ..self.event(kind, process) }, bytes);
        self.arrived(process, &message, content, seq);
        self.after_receive(process, &message, kind, seq);
    }

    /// The message waits in the mailbox now. Which place it has there counts only when it waits for a callback:
    /// the reply that a callback waits for does not.
    fn arrived(&mut self, process: Actor, message: &Message<'_>, content: u64, seq: Seq) {
        let row = self.actors.row(process.id);
        let is_awaited = message.class == Class::Reply && !row.running.is_empty();
        if !is_awaited {
            row.n_arrivals += 1;
        }
        row.is_notified |= message.is_for_manager;
        let ordinal = if is_awaited { 0 } else { row.n_arrivals };
        let is_statem = row.behaviour == Some(Behaviour::GenStatem);
        let timeout = Some(message).filter(|_| is_statem).and_then(Message::timeout_type);
        let key = match timeout {
            Some(timeout) => end_key(process, hash(timeout.bytes())),
            None => end_key(process, message.arrival_hash(content)),
        };
        if message.is_for_manager
            && let Some(call) = message.call
        {
            self.manager_calls.insert(key, call);
        }
        self.arrivals.push(key, Arrival { seq, ordinal });
    }

    /// The sender as the message itself or the match spec's `{Node, Sender}` names it.
    fn named_sender(&self, who: ActorId, whole: RawTerm<'_>, extra: Option<[RawTerm<'_>; 2]>) -> Option<Actor> {
        let sender = match who {
            // What a port is asked to do names who asks: `{Pid, {command, Data}}`.
            ActorId::Port(_) => whole.tuple_of().map(|[sender, _request]| sender),
            ActorId::Pid(_) => extra.map(|[_node, sender]| sender),
        };
        Some(self.actors.actor(sender?.as_actor()?.id))
    }

    /// Some messages mean something to managers of gen_event, or to Elixir's tasks, only.
    fn read_as_receiver(&self, message: &mut Message<'_>, receiver: ActorId) {
        if !message.is_for_manager && !message.is_for_task {
            return;
        }
        let Some(row) = self.actors.get(receiver) else { return };
        if row.behaviour == Some(Behaviour::GenEvent) {
            message.read_as_managers();
        }
        if row.is_task {
            message.read_as_tasks();
        }
    }

    /// Whether a child tells who started it that it has (`{ack, Child, _}`, proc_lib.erl): that one waits for it, and for
    /// nothing else.
    fn is_answer_of_start(&self, message: &Message<'_>, starter: Actor, child: Actor) -> bool {
        let is_so = message.tag.is_some_and(|tag| tag == "ack" || tag == "nack");
        let about = message.whole.tuple().filter(|_| is_so).and_then(|mut items| items.nth(1)?.as_actor());
        about.is_some_and(|actor| actor.id == child.id)
            && self.actors.get(child.id).is_some_and(|row| row.parent == Some(starter))
    }

    /// Takes back what an envelope seems to say: a reference and a value that answer no call we know of, and
    /// a timer's message that somebody sent, are messages like any other.
    fn doubt(&self, envelope: &mut Envelope, has_sender: bool) {
        let is_known_call = envelope.call.is_some_and(|key| self.calls.get(&key).is_some());
        let is_doubtful = match envelope.class {
            Class::Reply => !is_known_call && !envelope.is_alias,
            Class::Timer => has_sender,
            _ => false,
        };
        if is_doubtful {
            (envelope.class, envelope.call) = (Class::Info, None);
        }
    }

    /// What a message that arrived means for calls, ends and children.
    fn after_receive(&mut self, process: Actor, message: &Message<'_>, kind: Kind, seq: Seq) {
        match (message.class, message.call) {
            (Class::Call, Some(key)) => {
                if self.calls.get(&key).is_none()
                    && let Some(caller) = message.about
                {
                    self.begin_call(caller, message, Some(process), None);
                }
                if let Some(call) = self.calls.get_mut(&key) {
                    call.server = Some(process);
                    if call.is_start_request {
                        self.actors.row(process.id).n_start_requests += 1;
                    }
                }
            }
            (Class::Reply | Class::Down, Some(key)) => self.end_call(key),
            _ => {}
        }
        match kind {
            Kind::ExitSignal => self.exit_message(process, message, seq),
            Kind::Receive if message.tag.is_some_and(|tag| tag == "ack" || tag == "nack") => {
                self.child_answered(process, message.whole);
            }
            _ => {}
        }
    }

    /// The send that this receive belongs to: of the same node, or of another one.
    fn sent(&mut self, process: Actor, whole: RawTerm<'_>, content: u64) -> Option<Sent> {
        let near = self.sent_as(process, whole, content);
        near.or_else(|| self.is_cluster.then(|| self.sent_as(process, whole, canon::hash(whole)))?)
    }

    fn sent_as(&mut self, process: Actor, whole: RawTerm<'_>, content: u64) -> Option<Sent> {
        if let Some(sent) = self.sends.pop(&end_key(process, content)) {
            return Some(sent);
        }
        let node = node_of(process.id);
        let (name, sent) = self.sends_to_names.pop(&name_key(node, content))?;
        // Only a message that names somebody is telling enough to learn from who has the name.
        let is_telling = whole.tuple().is_some_and(|mut items| items.any(|item| item.as_actor().is_some()));
        if is_telling && !self.names.contains_key(&(node, name)) && !self.actors.row(process.id).began_here() {
            self.learn_name(process.id, name);
        }
        Some(sent)
    }

    /// `receive after` ran out. It tells something only of a process that waits for a call's answer.
    fn receive_timed_out(&mut self, process: Actor) {
        let Some(key) = self.actors.row(process.id).waits.pop() else {
            return self.count("receive timeout");
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return self.count("receive timeout");
        };
        call.is_timed_out = true;
        let call = *call;
        let timeout = NewEvent {
            class: Class::Call,
            peer: call.server,
            tag: call.tag,
            call: Some(key),
            cause: call.send,
            ..self.event(Kind::Timeout, process)
        };
        self.emit(&timeout);
    }

    /// `is_asking` on the side that called link/1; the other side is told too, and is recorded only
    /// when the first was not.
    pub(super) fn link(&mut self, who: ActorId, peer: ActorId, is_asking: bool) {
        let is_new = self.actors.row(who).links.insert(peer);
        self.actors.row(peer).links.insert(who);
        if is_new {
            let (from, to) = if is_asking { (who, peer) } else { (peer, who) };
            let link =
                NewEvent { peer: Some(self.actors.actor(to)), ..self.event(Kind::Link, self.actors.actor(from)) };
            self.emit(&link);
        }
    }

    pub(super) fn unlink(&mut self, who: ActorId, peer: ActorId, is_asking: bool) {
        let was_linked = self.actors.row(who).links.remove(&peer);
        let is_peer_alive = {
            let row = self.actors.row(peer);
            row.links.remove(&who);
            row.ended.is_none()
        };
        // An end takes its links with it; the rest of the dead one's links is told, but means nothing.
        if is_peer_alive && (was_linked || is_asking) {
            let (from, to) = if is_asking { (who, peer) } else { (peer, who) };
            let unlink =
                NewEvent { peer: Some(self.actors.actor(to)), ..self.event(Kind::Unlink, self.actors.actor(from)) };
            let seq = self.emit(&unlink);
            self.actors.row(to).signals.unlink = Some(seq);
        }
    }
}
