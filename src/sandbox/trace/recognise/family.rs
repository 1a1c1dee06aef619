//! Supervisors and their children: a child that ended and is started again by the same parent, not on
//! anybody's request, was restarted. What `supervisor` keeps in its state is used where call tracing shows it.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Recogniser;
use super::actors::Row;
use super::callback::Handler;
use super::fields::Fields;
use super::handlers::Running;
use super::looks::since_before_trace;
use super::message::hash;
use super::start::Start;
use crate::codec::walk::{Items, RawTerm};
use crate::model::{Actor, ActorId, Atom, Class, Kind, NewEvent, Seq};

/// Ended children that a parent is remembered to have had; older ones are not recognised when they come back.
const ENDED_MAX: usize = 64;

/// The children of one parent.
#[derive(Default)]
pub(super) struct Family {
    alive: FxHashMap<ActorId, Child>,
    /// Those of `alive` whose start failed: about to end.
    failed: SmallVec<[ActorId; 1]>,
    /// Newest last.
    ended: VecDeque<Child>,
    /// The child that was restarted last.
    restarted: Option<Atom>,
    /// Whether the children in a DynamicSupervisor's state were read.
    is_read: bool,
}

/// A child, by what is known of its spec.
#[derive(Clone, Default)]
struct Child {
    id: Option<Atom>,
    name: Option<Atom>,
    module: Option<Atom>,
    args_hash: Option<u64>,
    /// Its own end, or that of the last predecessor that ran.
    end: Option<End>,
    /// Why its own start failed.
    start_error: Option<Box<[u8]>>,
    /// Starts since the last end, this one included.
    n_attempts: i64,
    /// Whether its spec was told of.
    is_told: bool,
}

/// What is known of a child's spec.
#[derive(Clone, Copy, Default)]
pub(super) struct ChildSpec<'a> {
    pub id: Option<RawTerm<'a>>,
    pub module: Option<Atom>,
    pub restart: Option<Atom>,
    pub is_supervisor: bool,
    /// What told of it.
    pub cause: Option<Seq>,
}

/// How a child ended.
#[derive(Clone)]
struct End {
    actor: Actor,
    seq: Seq,
    reason: Box<[u8]>,
}

impl Child {
    /// Whether `other`, which starts now, has the same place under the supervisor.
    fn is_succeeded_by(&self, other: &Child) -> bool {
        match (self.name, other.name) {
            (Some(own), Some(new)) => own == new,
            (None, None) => self.module.is_some() && self.module == other.module && self.has_args_of(other),
            // Started before the trace, and known by its id or module only.
            (None, Some(new)) => self.args_hash.is_none() && (self.id == Some(new) || self.is_module_of(other)),
            (Some(_), None) => self.args_hash.is_none() && self.is_module_of(other),
        }
    }

    fn has_args_of(&self, other: &Child) -> bool {
        self.args_hash.is_none() || self.args_hash == other.args_hash
    }
    fn is_module_of(&self, other: &Child) -> bool {
        self.module.is_some() && self.module == other.module
    }
}

impl Recogniser {
    fn family(&mut self, parent: ActorId) -> &mut Family {
        self.actors.row(parent).family.get_or_insert_default()
    }

    /// `child` was started and linked by `parent`.
    pub(super) fn child_started(&mut self, parent: Actor, child: Actor, start: &Start<'_>) {
        let mut new = Child {
            name: start.name,
            module: start.module,
            args_hash: start.args.map(|args| hash(args.bytes())),
            ..Child::default()
        };
        let is_requested = self.is_asked_to_start(parent.id);
        let family = self.family(parent.id);
        if !is_requested && let Some(old) = family.take_predecessor(&new) {
            new.id = old.id.or(new.name).or(new.module);
            new.n_attempts = if old.start_error.is_some() { old.n_attempts + 1 } else { 1 };
            new.end = old.end;
            family.restarted = new.id;
            self.actors.row(parent.id).is_supervisor = true;
            self.restarted(parent, child, &new, old.start_error.as_deref());
        }
        self.family(parent.id).alive.insert(child.id, new);
    }

    /// Whether somebody's request makes `parent` start children now.
    fn is_asked_to_start(&mut self, parent: ActorId) -> bool {
        let row = self.actors.row(parent);
        match row.running.first() {
            Some(running) => !matches!(running.class, Class::Exit | Class::Cast | Class::Info),
            None => row.n_start_requests > 0,
        }
    }

    fn restarted(&mut self, parent: Actor, child: Actor, new: &Child, start_error: Option<&[u8]>) {
        let Some(end) = &new.end else { return };
        let mut payload = Fields::default();
        if let Some(id) = new.id {
            payload.atom("id", id);
        }
        payload.actor("old", end.actor);
        payload.actor("new", child);
        payload.bytes("reason", &end.reason);
        payload.int("attempt", new.n_attempts);
        if let Some(error) = start_error {
            payload.bytes("start_error", error);
        }
        let payload = payload.finish();
        let event = NewEvent {
            peer: Some(child),
            tag: new.id,
            cause: Some(end.seq),
            payload: &payload,
            ..self.event(Kind::SupervisorRestart, parent)
        };
        self.emit(&event);
    }

    /// `child` ended; its parent may start it again.
    pub(super) fn child_ended(&mut self, parent: Actor, child: Actor, seq: Seq, reason: &[u8]) {
        let Some(row) = self.actors.get(parent.id).filter(|row| row.ended.is_none()) else { return };
        let is_known = row.family.as_ref().is_some_and(|family| family.alive.contains_key(&child.id));
        let began_here = self.actors.get(child.id).is_some_and(Row::began_here);
        if !is_known && began_here {
            // Not started linked, or a failed start whose successor lives.
            return;
        }
        let (name, module) = self.actors.get(child.id).map_or((None, None), |row| (row.name, row.module));
        let family = self.family(parent.id);
        family.failed.retain(|failed| *failed != child.id);
        let mut ended = family.alive.remove(&child.id).unwrap_or(Child { name, module, ..Child::default() });
        ended.name = ended.name.or(name);
        if ended.start_error.is_none() {
            ended.end = Some(End { actor: child, seq, reason: reason.into() });
        }
        if family.ended.len() == ENDED_MAX {
            family.ended.pop_front();
        }
        family.ended.push_back(ended);
    }

    /// `{ack, Child, Answer}` or `{nack, Child, Error}`: proc_lib tells the parent how the start went.
    pub(super) fn child_answered(&mut self, parent: Actor, message: RawTerm<'_>) {
        let Some([how, child, answer]) = message.tuple_of() else { return };
        let Some(child) = child.as_actor() else { return };
        let error = match answer.tuple_of() {
            Some([tag, reason]) if tag.is_atom("error") => Some(reason),
            _ if how.is_atom("nack") => Some(answer),
            _ => None,
        };
        let Some(family) = &mut self.actors.row(parent.id).family else { return };
        if let (Some(known), Some(reason)) = (family.alive.get_mut(&child.id), error) {
            known.start_error = Some(reason.bytes().into());
            family.failed.push(child.id);
        }
    }

    /// A supervisor's callback returned: `{stop, shutdown, State}` is how it gives up.
    pub(super) fn supervisor_returned(&mut self, process: Actor, value: RawTerm<'_>, running: &Running) {
        let is_giving_up = running.module == "supervisor"
            && matches!(running.callback.handler, Handler::HandleInfo | Handler::HandleCast)
            && value.tuple_of().is_some_and(|[stop, reason, _]| stop.is_atom("stop") && reason.is_atom("shutdown"));
        if !is_giving_up {
            return;
        }
        let id = self.family(process.id).restarted;
        let mut payload = Fields::default();
        payload.word("op", "gave_up");
        if let Some(id) = id {
            payload.atom("id", id);
        }
        let payload = payload.finish();
        let event = NewEvent {
            tag: id,
            cause: Some(running.start),
            payload: &payload,
            ..self.event(Kind::ChildSpecChange, process)
        };
        self.emit(&event);
    }

    /// Reads the children out of a `supervisor`'s state, for those that began before the trace:
    /// `{state, Name, Strategy, {Ids, #{Id => {child, Pid, Id, Mfa, Restart, ..}}}, ..}` (supervisor.erl, OTP 21 on).
    pub(super) fn learn_children(&mut self, process: Actor, state: RawTerm<'_>) {
        if let Some(children) = state.get("children").and_then(RawTerm::map) {
            return self.learn_dynamic_children(process, children);
        }
        let Some(children) = state.tuple().and_then(|mut items| items.nth(3)).and_then(|pair| pair.tuple_of()) else {
            return;
        };
        let [_ids, specs] = children;
        let Some(mut entries) = specs.map() else { return };
        while let (Some(_), Some(spec)) = (entries.next(), entries.next()) {
            let spec: SmallVec<[RawTerm<'_>; 9]> = spec.tuple().map(Iterator::collect).unwrap_or_default();
            if let [tag, pid, id, mfa, restart, ref more @ ..] = spec[..]
                && tag.is_atom("child")
                && let Some(child) = pid.as_pid()
            {
                let spec = ChildSpec {
                    id: Some(id),
                    module: mfa.tuple().and_then(|mut items| items.next()).and_then(RawTerm::as_atom),
                    restart: restart.as_atom(),
                    is_supervisor: more.iter().any(|item| item.is_atom("supervisor")),
                    cause: None,
                };
                self.learn_child(process, ActorId::Pid(child), &spec);
            }
        }
    }

    /// The children of Elixir's DynamicSupervisor, `%{Pid => {Mfa, Restart, Shutdown, Type, Modules}}`: read once, as
    /// there may be very many. Those that come later are seen to be started.
    fn learn_dynamic_children(&mut self, process: Actor, mut children: Items<'_>) {
        if std::mem::replace(&mut self.family(process.id).is_read, true) {
            return;
        }
        while let (Some(child), Some(spec)) = (children.next(), children.next()) {
            let Some([mfa, restart, _shutdown, kind, _modules]) = spec.tuple_of() else { continue };
            let Some(child) = child.as_pid() else { continue };
            let spec = ChildSpec {
                id: None,
                module: mfa.tuple().and_then(|mut items| items.next()).and_then(RawTerm::as_atom),
                restart: restart.as_atom(),
                is_supervisor: kind.is_atom("supervisor"),
                cause: None,
            };
            self.learn_child(process, ActorId::Pid(child), &spec);
        }
    }

    /// Tells of a child whose place was not told yet: one that began before the trace, or that `parent` started.
    pub(super) fn learn_child(&mut self, parent: Actor, child: ActorId, spec: &ChildSpec<'_>) {
        let row = self.actors.row(child);
        let is_from_before = !row.began_here();
        let (name, ended) = (row.name, row.ended);
        let known = self.family(parent.id).alive.get_mut(&child);
        let is_told = known.as_ref().is_some_and(|known| known.is_told);
        let is_sure = known.is_some() || is_from_before || spec.cause.is_some();
        if ended.is_some() || is_told || !is_sure {
            return;
        }
        let (id, module) = (spec.id.and_then(RawTerm::as_atom), spec.module);
        let fresh = Child { name, module, ..Child::default() };
        let known = self.family(parent.id).alive.entry(child).or_insert(fresh);
        (known.id, known.is_told) = (id.or(known.id), true);

        let mut payload = Fields::default();
        payload.word("op", "added");
        if let Some(id) = spec.id {
            payload.term("id", id);
        }
        if let Some(module) = module {
            payload.atom("module", module);
        }
        if let Some(restart) = spec.restart {
            payload.atom("restart", restart);
        }
        payload.word("type", if spec.is_supervisor { "supervisor" } else { "worker" });
        let payload = payload.finish();
        let row = self.actors.row(child);
        row.is_supervisor |= spec.is_supervisor;
        if is_from_before {
            row.parent = Some(parent);
            row.module = row.module.or(module);
        }
        let meta = if is_from_before { since_before_trace() } else { Vec::new() };
        let event = NewEvent {
            peer: Some(self.actors.actor(child)),
            tag: id,
            cause: spec.cause,
            payload: &payload,
            meta: &meta,
            ..self.event(Kind::ChildSpecChange, parent)
        };
        self.emit(&event);
    }
}

impl Family {
    /// Takes out the child in whose place `new` comes: the newest that ended, or one whose start failed
    /// and who has not ended yet.
    fn take_predecessor(&mut self, new: &Child) -> Option<Child> {
        let alive = &self.alive;
        let is_failed = |id: &ActorId| alive.get(id).is_some_and(|child| child.is_succeeded_by(new));
        if let Some(idx) = self.failed.iter().position(is_failed) {
            return self.alive.remove(&self.failed.remove(idx));
        }
        let idx = self.ended.iter().rposition(|child| child.is_succeeded_by(new))?;
        self.ended.remove(idx)
    }
}
