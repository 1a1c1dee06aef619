//! Requests whose answers tell of more than themselves: what a supervisor did with its children, whose code was
//! changed (supervisor.erl, Elixir's DynamicSupervisor and Task.Supervisor, sys.erl). A request is remembered until it
//! is answered; only what the answer confirms is told.

use super::Recogniser;
use super::family::ChildSpec;
use super::fields::Fields;
use super::message::Message;
use crate::codec::walk::RawTerm;
use crate::codec::write;
use crate::model::{Actor, ActorId, Atom, CallKey, Kind, NewEvent, Seq};

/// A request, by its tag.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// `{start_child, Spec}`, also Elixir's, or `{start_child, ExtraArgs}`.
    StartChild,
    /// `{restart_child, Id}`.
    RestartChild,
    /// `{start_task, Args, Restart, Shutdown}` of Task.Supervisor.
    StartTask,
    /// `{terminate_child, IdOrPid}`.
    TerminateChild,
    /// `{delete_child, Id}`.
    DeleteChild,
    /// `which_children`.
    WhichChildren,
    /// `{change_code, Module, OldVsn, Extra}`: a system message.
    ChangeCode,
}

impl Asked {
    pub fn of(tag: Option<Atom>) -> Option<Asked> {
        Some(match tag?.as_str() {
            "start_child" => Asked::StartChild,
            "restart_child" => Asked::RestartChild,
            "start_task" => Asked::StartTask,
            "terminate_child" => Asked::TerminateChild,
            "delete_child" => Asked::DeleteChild,
            "which_children" => Asked::WhichChildren,
            "change_code" => Asked::ChangeCode,
            _ => return None,
        })
    }

    /// Whether the supervisor starts a child now, because somebody wants it.
    pub fn starts_child(self) -> bool {
        matches!(self, Asked::StartChild | Asked::RestartChild | Asked::StartTask)
    }
}

/// A request that waits for its answer.
pub(super) struct Request {
    asked: Asked,
    /// The request without its envelope, 131 first.
    body: Box<[u8]>,
}

impl Recogniser {
    /// Remembers a request that was sent or that arrived.
    pub(super) fn asked(&mut self, asked: Asked, key: CallKey, message: &Message<'_>) {
        if self.requests.get(&key).is_some() {
            return;
        }
        let mut body = Vec::new();
        write::version(&mut body);
        body.extend_from_slice(message.body().bytes());
        self.requests.insert(key, Request { asked, body: body.into() });
    }

    /// `process` gave the answer of a call: `cause` is the callback that did, or the answer.
    pub(super) fn answered(&mut self, process: Actor, key: CallKey, answer: RawTerm<'_>, cause: Seq) {
        let Some(Request { asked, body }) = self.requests.remove(&key) else { return };
        let Ok((request, _)) = RawTerm::parse(&body) else { return };
        if asked == Asked::ChangeCode {
            return self.code_changed(process, request, answer, cause);
        }
        if !self.actors.row(process.id).is_supervisor {
            return;
        }
        match asked {
            Asked::WhichChildren => self.children_listed(process, answer),
            Asked::TerminateChild if answer.is_atom("ok") => self.child_gone(process, request, "terminated", cause),
            Asked::DeleteChild if answer.is_atom("ok") => self.child_gone(process, request, "removed", cause),
            _ if asked.starts_child() => {
                // `{ok, Child}` or `{ok, Child, Info}`.
                let Some(mut items) = answer.tuple().filter(|items| matches!(items.len(), 2 | 3)) else { return };
                let (Some(tag), Some(child)) = (items.next(), items.next().and_then(RawTerm::as_pid)) else { return };
                if tag.is_atom("ok") {
                    let spec = requested_spec(asked, request);
                    self.learn_child(process, ActorId::Pid(child), &ChildSpec { cause: Some(cause), ..spec });
                }
            }
            _ => {}
        }
    }

    /// The answer of `which_children`: `[{Id, Child, Type, Modules}]`.
    fn children_listed(&mut self, supervisor: Actor, answer: RawTerm<'_>) {
        for entry in answer.list().into_iter().flatten() {
            let Some([id, child, kind, modules]) = entry.tuple_of() else { continue };
            let Some(child) = child.as_pid() else { continue };
            let spec = ChildSpec {
                // A simple_one_for_one's children, and those of a DynamicSupervisor, have none.
                id: Some(id).filter(|id| !id.is_atom("undefined")),
                module: modules.list().and_then(|mut modules| modules.next()).and_then(RawTerm::as_atom),
                is_supervisor: kind.is_atom("supervisor"),
                ..ChildSpec::default()
            };
            self.learn_child(supervisor, ActorId::Pid(child), &spec);
        }
    }

    /// `request` names the child by its id or its pid.
    fn child_gone(&mut self, supervisor: Actor, request: RawTerm<'_>, op: &str, cause: Seq) {
        let Some([_, named]) = request.tuple_of() else { return };
        let child = named.as_pid().map(ActorId::Pid);
        let mut payload = Fields::default();
        payload.word("op", op);
        if child.is_none() {
            payload.term("id", named);
        }
        let payload = payload.finish();
        let event = NewEvent {
            peer: child.map(|child| self.actors.actor(child)),
            tag: named.as_atom(),
            cause: Some(cause),
            payload: &payload,
            ..self.event(Kind::ChildSpecChange, supervisor)
        };
        self.emit(&event);
    }

    /// The callback code_change is over, before the request for it is answered.
    pub(super) fn code_change_done(&mut self, process: Actor, start: Seq) {
        const OK: &[u8] = b"\x83w\x02ok";
        if let Some(key) = self.actors.row(process.id).more().code_change.take()
            && let Ok((ok, _)) = RawTerm::parse(OK)
        {
            self.answered(process, key, ok, start);
        }
    }

    fn code_changed(&mut self, process: Actor, request: RawTerm<'_>, answer: RawTerm<'_>, cause: Seq) {
        let Some([_, module, from, _extra]) = request.tuple_of().filter(|_| answer.is_atom("ok")) else { return };
        let mut payload = Fields::default();
        payload.term("module", module);
        payload.term("from", from);
        let payload = payload.finish();
        let event = NewEvent {
            tag: module.as_atom(),
            cause: Some(cause),
            payload: &payload,
            ..self.event(Kind::CodeChange, process)
        };
        self.emit(&event);
    }
}

/// What a request to start a child says of its spec: a map, supervisor's tuple `{Id, Mfa, Restart, ..}`, Elixir's
/// `{Mfa, Restart, ..}`, or no more than an id.
fn requested_spec(asked: Asked, request: RawTerm<'_>) -> ChildSpec<'_> {
    let Some(mut items) = request.tuple() else { return ChildSpec::default() };
    let Some(spec) = items.nth(1) else { return ChildSpec::default() };
    match asked {
        Asked::RestartChild => return ChildSpec { id: Some(spec), ..ChildSpec::default() },
        Asked::StartTask => {
            // `nil` is the supervisor's own default.
            let restart = items.next().and_then(RawTerm::as_atom).filter(|restart| *restart != "nil");
            return ChildSpec { restart, ..ChildSpec::default() };
        }
        _ => {}
    }
    let module_of = |mfa: RawTerm<'_>| mfa.tuple().and_then(|mut items| items.next()).and_then(RawTerm::as_atom);
    if spec.map().is_some() {
        return ChildSpec {
            id: spec.get("id"),
            module: spec.get("start").and_then(module_of),
            restart: spec.get("restart").and_then(RawTerm::as_atom),
            is_supervisor: spec.get("type").is_some_and(|kind| kind.is_atom("supervisor")),
            cause: None,
        };
    }
    let (id, mfa, restart, kind) = match (spec.tuple_of(), spec.tuple_of()) {
        (Some([id, mfa, restart, _shutdown, kind, _modules]), _) => (Some(id), mfa, restart, kind),
        (_, Some([mfa, restart, _shutdown, kind, _modules])) => (None, mfa, restart, kind),
        _ => return ChildSpec::default(),
    };
    ChildSpec {
        id,
        module: module_of(mfa),
        restart: restart.as_atom(),
        is_supervisor: kind.is_atom("supervisor"),
        cause: None,
    }
}
