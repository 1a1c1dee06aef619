//! Callbacks: `call` and `return_from` of a behaviour's functions become handle_start, state_change and handle_end.
//!
//! Only what was traced is told. `gen_server:handle_msg` marks the moment when a message leaves the
//! mailbox; a callback within it is the same handling. The state comes from the arguments (before) and
//! from the return value (after), and is told when its bytes differ from the last ones known.

use smallvec::SmallVec;

use super::fields::Fields;
use super::message::{Message, call_key, hash};
use super::{Recogniser, end_key};
use crate::codec::walk::RawTerm;
use crate::model::limits::OPEN_ENDS_MAX;
use crate::model::{Actor, ActorId, Atom, CallKey, Class, Kind, NewEvent, Seq};
use crate::sandbox::trace::message::Mfa;

/// The functions that tell of handling.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Handler {
    /// `gen_server:handle_msg(Message, Parent, Name, State, Module, ..)`: a loop that never returns.
    Loop,
    Init,
    HandleCall,
    HandleCast,
    HandleInfo,
    HandleContinue,
    Terminate,
    CodeChange,
}

/// A callback that runs.
#[derive(Clone, Copy)]
pub(super) struct Running {
    pub module: Atom,
    pub handler: Handler,
    /// Its handle_start.
    pub start: Seq,
    pub class: Class,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    /// Called by another callback of the same process: no event of its own.
    pub is_nested: bool,
}

/// A callback's arguments by their meaning.
struct Given<'a> {
    message: Option<Message<'a>>,
    class: Class,
    /// The reference in `From`.
    call: Option<CallKey>,
    state: Option<RawTerm<'a>>,
}

impl Handler {
    fn of(module: &str, function: &str, arity: usize) -> Option<Handler> {
        Some(match (function, arity) {
            ("handle_msg", 5..) if matches!(module, "gen_server" | "p1_server") => Handler::Loop,
            ("init", 1) => Handler::Init,
            ("handle_call", 3) => Handler::HandleCall,
            ("handle_cast", 2) => Handler::HandleCast,
            ("handle_info", 2) => Handler::HandleInfo,
            ("handle_continue", 2) => Handler::HandleContinue,
            ("terminate", 2) => Handler::Terminate,
            ("code_change", 3) => Handler::CodeChange,
            _ => return None,
        })
    }

    /// The class of what it handles, as far as the function's name tells.
    fn class(self) -> Class {
        match self {
            Handler::Init => Class::Init,
            Handler::HandleCall => Class::Call,
            Handler::HandleCast => Class::Cast,
            Handler::Loop | Handler::HandleInfo => Class::Info,
            Handler::HandleContinue => Class::Continue,
            Handler::Terminate => Class::Terminate,
            Handler::CodeChange => Class::CodeChange,
        }
    }

    /// The arguments' meaning; nothing is known when only their number was traced.
    fn given<'a>(self, args: &[RawTerm<'a>]) -> Given<'a> {
        let first = args.first().copied();
        let plain = |state| Given { message: first.map(Message::plain), class: self.class(), call: None, state };
        match (self, args) {
            (Handler::Loop, &[whole, _, _, state, ..]) => {
                let message = Message::of(whole);
                let class = match message.class {
                    class @ (Class::Call | Class::Cast) => class,
                    _ => class_of_info(&message),
                };
                let call = message.call.filter(|_| class == Class::Call);
                Given { message: Some(message), class, call, state: Some(state) }
            }
            (Handler::HandleInfo, &[whole, state]) => {
                let message = Message::of(whole);
                Given { message: Some(message), class: class_of_info(&message), ..plain(Some(state)) }
            }
            (Handler::HandleCall, &[_, from, state]) => {
                Given { call: from.tuple_of().and_then(|[_, reference]| call_key(reference)), ..plain(Some(state)) }
            }
            (Handler::HandleCast | Handler::HandleContinue | Handler::Terminate, &[_, state])
            | (Handler::CodeChange, &[_, state, _]) => plain(Some(state)),
            _ => plain(None),
        }
    }

    /// The new state in a callback's return value.
    fn new_state(self, value: RawTerm<'_>) -> Option<RawTerm<'_>> {
        let mut items = value.tuple()?;
        let arity = items.len();
        let idx = match (self, items.next()?.as_atom_bytes()?, arity) {
            (Handler::Init | Handler::CodeChange, b"ok", 2 | 3) => 1,
            (Handler::Init | Handler::CodeChange | Handler::Terminate | Handler::Loop, ..) => return None,
            (_, b"reply", 3 | 4) | (_, b"stop", 3) => 2,
            (_, b"noreply", 2 | 3) => 1,
            (_, b"stop", 4) => 3,
            _ => return None,
        };
        items.nth(idx - 1)
    }
}

/// The class of a message that handle_info gets.
fn class_of_info(message: &Message<'_>) -> Class {
    match message.class {
        Class::Info if message.whole.is_atom("timeout") => Class::Timeout,
        class @ (Class::Exit | Class::Down | Class::Timer) => class,
        _ => Class::Info,
    }
}

/// The reason in `{stop, Reason, ..}` or init's `{error, Reason}`.
fn stop_reason(value: RawTerm<'_>) -> Option<RawTerm<'_>> {
    let mut items = value.tuple()?;
    let tag = items.next()?;
    items.next().filter(|_| tag.is_atom("stop") || tag.is_atom("error"))
}

impl Recogniser {
    pub(super) fn call(&mut self, who: ActorId, function: Mfa<'_>) {
        let (Some(module), Some(name), Some(arity)) =
            (function.module.as_atom(), function.function.as_atom_text(), function.arity())
        else {
            return self.count("call");
        };
        let Some(handler) = Handler::of(module.as_str(), name, arity) else {
            return self.count("call of a function that is no callback");
        };
        let args: SmallVec<[RawTerm<'_>; 8]> = function.args.list().map(Iterator::collect).unwrap_or_default();
        self.arrivals.raise(OPEN_ENDS_MAX);
        self.forget_unreturned(who, module, handler);
        let outer = self.actors.row(who).running.last().copied();
        let module = if handler == Handler::Loop { self.note_loop(who, &args).unwrap_or(module) } else { module };
        if outer.is_none() && handler != Handler::Loop {
            self.note_callback_module(who, module);
        }
        let given = handler.given(&args);
        if let Some(outer) = outer {
            // Within the loop it is the very handling that the loop began.
            let is_nested = outer.handler != Handler::Loop;
            let class = if is_nested { outer.class } else { given.class };
            self.actors.row(who).running.push(Running { module, handler, class, is_nested, ..outer });
            return;
        }
        let process = self.actors.actor(who);
        if let Some(state) = given.state {
            self.note_state(process, state, None);
        }
        let running = self.begin_callback(process, module, handler, &given);
        self.actors.row(who).running.push(running);
    }

    /// Drops callbacks that must be over although no return was traced.
    fn forget_unreturned(&mut self, who: ActorId, module: Atom, handler: Handler) {
        let Some(row) = self.actors.get_mut(who) else { return };
        let Some(outer) = row.running.first() else { return };
        let loops_again = handler == Handler::Loop;
        let never_returns = outer.handler != Handler::Loop
            && outer.module == module
            && !self.returning.contains(&(outer.module, outer.handler));
        if loops_again || never_returns {
            row.running.clear();
        }
    }

    fn begin_callback(&mut self, process: Actor, module: Atom, handler: Handler, given: &Given<'_>) -> Running {
        let arrival = given.message.as_ref().and_then(|message| {
            let content = match given.call {
                Some(key) => key.0,
                None => message.arrival_hash(hash(message.whole.bytes())),
            };
            self.arrivals.pop(&end_key(process, content))
        });
        let tag = match handler {
            Handler::Init | Handler::Terminate => Some(module),
            _ => given.message.as_ref().and_then(|message| message.tag),
        };
        let cause = match handler {
            Handler::Init => None,
            Handler::Terminate => {
                let reason = given.message.as_ref().map(|message| hash(message.whole.bytes()));
                let signal = self.actors.row(process.id).signals.exit_message;
                signal.filter(|(signalled, _)| Some(*signalled) == reason).map(|(_, seq)| seq)
            }
            _ => arrival,
        };
        let event =
            NewEvent { class: given.class, tag, call: given.call, cause, ..self.event(Kind::HandleStart, process) };
        let start = match &given.message {
            Some(message) if cause.is_none() => self.emit_term(&event, message.whole.bytes()),
            _ => self.emit(&event),
        };
        if let Some(call) = given.call.and_then(|key| self.calls.get_mut(&key)) {
            call.handled = Some(start);
        }
        Running { module, handler, start, class: given.class, tag, call: given.call, is_nested: false }
    }

    pub(super) fn callback_returned(&mut self, who: ActorId, function: Mfa<'_>, value: RawTerm<'_>) {
        let Some(running) = self.end_of(who, function) else { return };
        let process = self.actors.actor(who);
        let is_supervisor = self.actors.row(who).is_supervisor;
        // A supervisor's own init returns child specs to `supervisor`, whose state is another.
        let has_state = running.handler != Handler::Init || !is_supervisor || running.module == "supervisor";
        if let Some(state) = running.handler.new_state(value).filter(|_| has_state) {
            self.note_state(process, state, Some(&running));
        }
        if let Some(reason) = stop_reason(value) {
            self.actors.row(who).signals.stop = Some((hash(reason.bytes()), running.start));
        }
        if is_supervisor {
            self.supervisor_returned(process, value, &running);
        }
        self.end_callback(process, &running, &[]);
    }

    pub(super) fn callback_failed(&mut self, who: ActorId, function: Mfa<'_>, exception: RawTerm<'_>) {
        let Some(running) = self.end_of(who, function) else { return };
        let process = self.actors.actor(who);
        if let Some([_class, value]) = exception.tuple_of() {
            self.actors.row(who).signals.exception = Some((hash(value.bytes()), running.start));
        }
        let mut meta = Fields::default();
        meta.term("exception", exception);
        self.end_callback(process, &running, &meta.finish());
    }

    /// The outermost callback, when this return or exception ends it.
    fn end_of(&mut self, who: ActorId, function: Mfa<'_>) -> Option<Running> {
        let module = function.module.as_atom()?;
        let handler = Handler::of(module.as_str(), function.function.as_atom_text()?, function.arity()?)?;
        if handler == Handler::Loop {
            return None;
        }
        self.returning.insert((module, handler));
        let running = &mut self.actors.row(who).running;
        let idx = running.iter().rposition(|running| running.module == module && running.handler == handler)?;
        let ended = running[idx];
        running.truncate(idx);
        if ended.is_nested {
            return None;
        }
        running.clear();
        Some(ended)
    }

    fn end_callback(&mut self, process: Actor, running: &Running, meta: &[u8]) {
        let event = NewEvent {
            class: running.class,
            tag: running.tag,
            call: running.call,
            cause: Some(running.start),
            meta,
            ..self.event(Kind::HandleEnd, process)
        };
        self.emit(&event);
    }

    /// The state as it is known now: told when it differs from the last. `by` is the callback that made it;
    /// without one it was only seen, made by something that was not traced.
    fn note_state(&mut self, process: Actor, state: RawTerm<'_>, by: Option<&Running>) {
        let bytes = state.bytes();
        let hash = hash(bytes);
        let row = self.actors.row(process.id);
        if row.state_hash.replace(hash) == Some(hash) {
            return;
        }
        let event = NewEvent {
            class: by.map_or(Class::None, |running| running.class),
            tag: by.and_then(|running| running.tag),
            call: by.and_then(|running| running.call),
            cause: by.map(|running| running.start),
            ..self.event(Kind::StateChange, process)
        };
        self.emit_term(&event, bytes);
        if self.actors.row(process.id).is_supervisor {
            self.learn_children(process, state);
        }
    }

    /// `handle_msg` names the process and its module; gives the module.
    fn note_loop(&mut self, who: ActorId, args: &[RawTerm<'_>]) -> Option<Atom> {
        let [_, parent, name, _, module, ..] = args else { return None };
        let module = module.as_atom()?;
        if self.actors.row(who).began_here() {
            return Some(module);
        }
        if let Some(parent) = parent.as_actor() {
            let parent = self.actors.actor(parent.id);
            self.actors.row(who).parent.get_or_insert(parent);
        }
        self.note_callback_module(who, module);
        let row = self.actors.row(who);
        row.behaviour = Some(if row.is_supervisor { "supervisor" } else { "gen_server" });
        if let Some(name) = name.as_atom() {
            self.learn_name(who, name);
        }
        Some(module)
    }

    fn note_callback_module(&mut self, who: ActorId, module: Atom) {
        if super::start::is_supervisor_module(module.as_str()) {
            self.actors.row(who).is_supervisor = true;
        }
        if self.actors.row(who).module.is_none() {
            self.note_module(who, module);
        }
    }
}
