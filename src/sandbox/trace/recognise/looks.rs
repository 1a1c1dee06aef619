//! What was asked of a live node, as events in the stream: the processes that run when the recording begins,
//! samples of `process_info`, states by `sys:get_state`. It must not know how a node is asked.

use super::Recogniser;
use super::callback::Shown;
use super::family::ChildSpec;
use super::fields::Fields;
use super::states::Source;
use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::{Actor, ActorId, Atom, Behaviour, Kind, NewEvent, Pid, Seq, Term};
use crate::sandbox::trace::look::{Introduction, Sample};

/// The metadata of what is older than the recording.
pub(super) fn since_before_trace() -> Vec<u8> {
    let mut meta = Fields::default();
    meta.word("since", "before_trace");
    meta.finish()
}

impl Recogniser {
    /// What follows was found at `at_ns`, unless the stream is past that.
    fn now(&mut self, at_ns: i64) {
        self.at_ns = self.at_ns.max(at_ns);
        self.late_ns = 0;
        self.late_meta.clear();
    }

    /// Introduces a process that runs already, as it was found at `at_ns`: a spawn event with `meta.since`, its name,
    /// its place under its supervisor, its links and monitors. One whose beginning was traced, or that has ended since,
    /// gives its sample only, or nothing.
    pub fn introduce(&mut self, found: &Introduction, at_ns: i64) {
        let id = ActorId::Pid(found.pid);
        let is_of_ours = |pid: Option<Pid>| pid.is_some_and(|pid| self.ours.has(ActorId::Pid(pid)));
        if is_of_ours(found.parent) {
            self.ignore(found.pid);
        }
        if self.ours.has(id) {
            return;
        }
        self.now(at_ns);
        let row = self.actors.row(id);
        if row.ended.is_some() {
            return;
        }
        if !row.began_here() && row.introduced_ns.is_none() {
            row.introduced_ns = Some(at_ns);
            self.introduce_process(id, found);
        }
        if found.sample != Sample::default() {
            self.sample(id, &found.sample);
        }
    }

    fn introduce_process(&mut self, id: ActorId, found: &Introduction) {
        let actor = |pid: Option<Pid>| pid.map(ActorId::Pid);
        let parent = actor(found.parent).map(|id| self.actors.actor(id));
        let supervisor = actor(found.supervisor).map(|id| self.actors.actor(id));
        let module = found.module.or(found.initial_call.map(|call| call.module));
        let row = self.actors.row(id);
        row.parent = supervisor.or(parent).or(row.parent);
        row.behaviour = found.behaviour.or(row.behaviour);
        row.is_supervisor |= found.behaviour == Some(Behaviour::Supervisor);
        if let Some(module) = module {
            self.note_module(id, module);
        }
        let payload = introduction_payload(found, module);
        let event = NewEvent {
            peer: parent,
            tag: module,
            payload: &payload,
            meta: &since_before_trace(),
            ..self.event(Kind::Spawn, self.actors.actor(id))
        };
        self.emit(&event);
        if let Some(name) = found.name {
            self.learn_name(id, name);
        }
        if let Some(supervisor) = supervisor {
            self.introduce_child(supervisor, id, found);
        }
        for &peer in &found.links {
            if !self.ours.has(peer) {
                self.introduce_link(id, peer);
            }
        }
        for &watched in &found.monitors {
            if self.ours.has(watched) {
                continue;
            }
            let peer = Some(self.actors.actor(watched));
            let watch =
                NewEvent { peer, meta: &since_before_trace(), ..self.event(Kind::Monitor, self.actors.actor(id)) };
            self.emit(&watch);
        }
    }

    /// The spawn event tells the supervisor; its id and restart type are told here.
    fn introduce_child(&mut self, supervisor: Actor, child: ActorId, found: &Introduction) {
        self.actors.row(supervisor.id).is_supervisor = true;
        let Some(id) = &found.child_id else { return };
        let mut bytes = Vec::new();
        write::version(&mut bytes);
        write::term(&mut bytes, id);
        let Ok((id, _)) = RawTerm::parse(&bytes) else { return };
        let spec = ChildSpec {
            id: Some(id),
            module: None,
            restart: found.restart.map(|restart| Atom::new(restart.as_str())),
            is_supervisor: found.behaviour == Some(Behaviour::Supervisor),
            cause: None,
        };
        self.learn_child(supervisor, child, &spec);
    }

    fn introduce_link(&mut self, id: ActorId, peer: ActorId) {
        let is_new = self.actors.row(id).links.insert(peer);
        self.actors.row(peer).links.insert(id);
        if is_new {
            let peer = Some(self.actors.actor(peer));
            let link = NewEvent { peer, meta: &since_before_trace(), ..self.event(Kind::Link, self.actors.actor(id)) };
            self.emit(&link);
        }
    }

    /// Tells what `process_info` said of a process at `at_ns`; `None` when it has ended since.
    pub fn sampled(&mut self, pid: Pid, at_ns: i64, sample: &Sample) -> Option<Seq> {
        self.now(at_ns);
        let id = ActorId::Pid(pid);
        if self.actors.get(id).is_some_and(|row| row.ended.is_some()) {
            return None;
        }
        Some(self.sample(id, sample))
    }

    pub(super) fn sample(&mut self, id: ActorId, sample: &Sample) -> Seq {
        let mut payload = Fields::default();
        let counts =
            [("memory_bytes", sample.memory_bytes), ("reductions", sample.reductions), ("queue_len", sample.queue_len)];
        for (key, count) in counts {
            if let Some(count) = count {
                payload.int(key, i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        if let Some(status) = sample.status {
            payload.atom("status", status);
        }
        if let Some(function) = sample.current_function {
            payload.function("current_function", function);
        }
        if let Some(label) = &sample.label {
            payload.value("label", label);
        }
        let payload = payload.finish();
        let tag = sample.label.as_ref().and_then(Term::as_atom);
        self.emit(&NewEvent { tag, payload: &payload, ..self.event(Kind::Sample, self.actors.actor(id)) })
    }

    /// Tells the state that `sys:get_state` gave at `at_ns`: `state` is a term in external term format, 131 first.
    /// `None` when it is the one known already, when the process has ended since, and for bytes that are no term.
    pub fn state_seen(&mut self, pid: Pid, at_ns: i64, state: &[u8]) -> Option<Seq> {
        let (state, _) = RawTerm::parse(state).ok()?;
        self.now(at_ns);
        let id = ActorId::Pid(pid);
        let row = self.actors.row(id);
        if row.ended.is_some() {
            return None;
        }
        let behaviour = row.behaviour;
        let process = self.actors.actor(id);
        let before = self.next_seq();
        match (behaviour, state.tuple_of()) {
            (Some(Behaviour::GenStatem), Some([name, data])) => {
                let shown = Shown::Statem { state: Some(name.into()), data: Some(data.into()) };
                self.note_state(process, Atom::new("gen_statem"), shown, Source::Look);
            }
            (Some(Behaviour::GenEvent), _) => self.note_handlers(process, state),
            _ => self.note_state(process, Atom::new("gen_server"), Shown::Whole(state.into()), Source::Look),
        }
        (self.next_seq() > before).then_some(before)
    }

    /// A process is held at a breakpoint, or goes on; `fields` as of [`Kind::Held`] and [`Kind::Released`].
    pub fn held(&mut self, pid: Pid, at_ns: i64, is_held: bool, breakpoint: Atom, fields: &[u8]) -> Seq {
        self.now(at_ns);
        let process = self.actors.actor(ActorId::Pid(pid));
        let kind = if is_held { Kind::Held } else { Kind::Released };
        self.emit(&NewEvent { tag: Some(breakpoint), payload: fields, ..self.event(kind, process) })
    }

    /// A gen_event's `[{Module, Id, State}]`.
    fn note_handlers(&mut self, process: Actor, state: RawTerm<'_>) {
        for handler in state.list().into_iter().flatten() {
            let Some([module, _id, state]) = handler.tuple_of() else { continue };
            if let Some(module) = module.as_atom() {
                self.note_state(process, module, Shown::OfHandler(state.into()), Source::Look);
            }
        }
    }
}

fn introduction_payload(found: &Introduction, module: Option<Atom>) -> Vec<u8> {
    let mut payload = Fields::default();
    if let Some(module) = module {
        payload.atom("module", module);
    }
    if let Some(call) = found.initial_call {
        payload.atom("function", call.name);
        payload.function("initial_call", call);
    }
    if let Some(name) = found.name {
        payload.atom("name", name);
    }
    if let Some(behaviour) = found.behaviour {
        payload.word("behaviour", behaviour.as_str());
    }
    if let Some(supervisor) = found.supervisor {
        payload.actor("supervisor", Actor::from(supervisor));
    }
    if let Some(label) = &found.label {
        payload.value("label", label);
    }
    payload.finish()
}
