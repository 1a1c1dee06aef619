//! Callbacks: a call and a return of a behaviour's functions become handle_start, state_change and handle_end.
//!
//! Only what was traced is told. `gen_server:handle_msg` marks the moment when a message leaves the
//! mailbox; a callback within it is the same handling. The state comes from the arguments (before) and
//! from the return value (after), and is told when its bytes differ from the last ones known.
//!
//! A state that is first seen in the arguments of a callback was made by the callback before it, when nothing
//! else can have been handled in between: mailboxes are first in, first out, so that is so when the messages of
//! both arrived one right after the other.

use smallvec::SmallVec;

use super::callback::{self, Args, Callback, Given, Handler};
use super::fields::Fields;
use super::message::hash;
use super::states::Source;
use super::{Recogniser, end_key};
use crate::codec::walk::RawTerm;
use crate::model::limits::OPEN_ENDS_MAX;
use crate::model::{Actor, ActorId, Atom, Behaviour, CallKey, Class, Kind, NewEvent, Seq};
use crate::sandbox::trace::lean::Lean;
use crate::sandbox::trace::look::Sample;
use crate::sandbox::trace::message::Mfa;

/// A callback that runs.
#[derive(Clone, Copy)]
pub(super) struct Running {
    pub module: Atom,
    pub function: Atom,
    pub callback: Callback,
    /// Its handle_start.
    pub start: Seq,
    pub class: Class,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    /// Called by another callback of the same process: no event of its own.
    pub is_nested: bool,
    /// It answers a call of ours: no event of its own either.
    pub is_ours: bool,
    /// Whether control's return from it is traced for sure.
    is_lean: bool,
    /// How often messages were lost before it began: its end may be among those lost since.
    n_losses: u32,
    /// The message that it took, by its key in the arrivals.
    taken: Option<(u64, Arrival)>,
    /// The place of that message among those that arrived; 0 for init, of what takes no message that of the
    /// message before.
    ordinal: Option<u32>,
}

/// A message in a mailbox.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub seq: Seq,
    /// Its place among the messages that the process has to handle, from 1; 0 when it may be none of these.
    pub ordinal: u32,
}

/// The message that a gen_event's handlers are given one after the other.
pub(super) struct Shared {
    key: u64,
    arrival: Arrival,
    handlers: SmallVec<[Atom; 4]>,
}

impl Running {
    fn is(&self, function: &Mfa<'_>) -> bool {
        let is_same = |term: RawTerm<'_>, atom: Atom| term.as_atom_bytes() == Some(atom.as_str().as_bytes());
        self.callback.handler != Handler::Loop
            && is_same(function.function, self.function)
            && is_same(function.module, self.module)
            && function.arity() == Some(usize::from(self.callback.arity))
    }
}

impl Recogniser {
    pub(super) fn call(&mut self, who: ActorId, function: Mfa<'_>, extra: Option<RawTerm<'_>>) {
        let lean = extra.and_then(Lean::of);
        let (Some(module), Some(name), Some(arity)) =
            (function.module.as_atom(), function.function.as_atom_text(), function.arity())
        else {
            return self.count("call");
        };
        let given = lean.map_or(function.args, |lean| lean.args);
        let args = Args::of(given);
        let Some(callback) = self.callback_of(who, module, name, arity, &args) else {
            return self.called_other(who, module, name, &args);
        };
        let Ok(name) = Atom::try_new(name) else { return self.count("call") };
        self.arrivals.wake().raise(OPEN_ENDS_MAX);
        self.forget_unreturned(who, module, callback.handler);
        let outer = self.actors.row(who).running.last().copied();
        let is_loop = callback.handler == Handler::Loop;
        let module = if is_loop { self.note_loop(who, &args).unwrap_or(module) } else { module };
        if outer.is_none() && !is_loop {
            self.note_callback_module(who, module, callback);
        }
        let mut given = callback.given(function.function, &args);
        if matches!(callback.handler, Handler::Init | Handler::Terminate) {
            given.tag = Some(module);
        }
        if let Some(outer) = outer {
            // Within the loop it is the very handling that the loop began.
            let is_nested = outer.callback.handler != Handler::Loop;
            let class = if is_nested { outer.class } else { given.class };
            let running = Running { module, function: name, callback, class, is_nested, ..outer };
            self.actors.row(who).running.push(running);
            return;
        }
        let is_ours = given.from.is_some_and(|from| self.is_call_of_ours(from));
        let process = self.actors.actor(who);
        let (taken, ordinal) = self.take_arrival(process, module, callback, &given);
        let maker = self.maker(who, ordinal, taken.is_some());
        self.note_state(process, module, given.state, maker.as_ref().into());
        if let Some(watched) = lean.and_then(|lean| lean.watched) {
            self.note_watched(process, watched, maker.as_ref().into());
        }
        if callback.behaviour == Behaviour::GenEvent
            && let Some(call) = taken.and_then(|(key, _)| self.manager_calls.get(&key).copied())
        {
            (given.call, given.class) = (Some(call), Class::Call);
        }
        let Given { class, tag, call, .. } = given;
        let start = match is_ours {
            true => self.next_seq(),
            false => self.begin_callback(process, callback.handler, &given, taken.map(|(_, arrival)| arrival)),
        };
        self.actors.row(who).running.push(Running {
            module,
            function: name,
            callback,
            start,
            class,
            tag,
            call,
            is_nested: false,
            is_ours,
            is_lean: lean.is_some(),
            n_losses: self.n_losses,
            taken,
            ordinal,
        });
    }

    /// A function that is no callback: `proc_lib:set_label/1` tells something all the same.
    fn called_other(&mut self, who: ActorId, module: Atom, name: &str, args: &Args<'_>) {
        let label = args.get(0).filter(|_| module == "proc_lib" && name == "set_label");
        let Some(label) = label.and_then(|label| label.term.to_term().ok()) else {
            return self.count("call of a function that is no callback");
        };
        self.sample(who, &Sample { label: Some(label), ..Sample::default() });
    }

    /// Which callback a function is, by what is known of the process; of one whose behaviour is not known, what
    /// it is given may tell.
    fn callback_of(
        &mut self,
        who: ActorId,
        module: Atom,
        name: &str,
        arity: usize,
        args: &Args<'_>,
    ) -> Option<Callback> {
        let row = self.actors.row(who);
        let is_own = row.module.is_none_or(|own| own == module) || !row.running.is_empty();
        match row.behaviour {
            Some(Behaviour::GenStatem) => Callback::of_statem(name, arity, args).filter(|_| is_own),
            Some(Behaviour::GenEvent) => Callback::of_event_handler(name, arity),
            Some(_) => Callback::of_server(module.as_str(), name, arity),
            None => {
                let callback = Callback::of_server(module.as_str(), name, arity)
                    .or_else(|| self.statem_by_its_event(who, name, arity, args))
                    .or_else(|| self.manager_by_its_event(who, name, arity))?;
                if callback.behaviour != Behaviour::GenServer {
                    self.actors.row(who).behaviour = Some(callback.behaviour);
                }
                Some(callback)
            }
        }
    }

    /// A function that is given an event type, and with it the message that waits in the mailbox, is gen_statem's;
    /// so is handle_event/4 with an event type.
    fn statem_by_its_event(&mut self, who: ActorId, name: &str, arity: usize, args: &Args<'_>) -> Option<Callback> {
        let event_type = args.get(0).filter(|arg| callback::is_event_type(arg.term))?.term;
        let callback = Callback::of_statem(name, arity, args).filter(|found| found.handler == Handler::State)?;
        if name == "handle_event" && arity == 4 {
            return Some(callback);
        }
        let key = callback.given(event_type, args).takes.arrival_hash()?;
        self.arrivals.wake().contains(&end_key(self.actors.actor(who), key)).then_some(callback)
    }

    /// handle_event/2 in a process that was sent a `{notify, Event}` is gen_event's.
    fn manager_by_its_event(&self, who: ActorId, name: &str, arity: usize) -> Option<Callback> {
        let is_manager = self.actors.get(who).is_some_and(|row| row.is_notified);
        Callback::of_event_handler(name, arity).filter(|found| is_manager && found.handler == Handler::HandleEvent)
    }

    /// Drops callbacks that must be over, or may be, although no return was seen.
    fn forget_unreturned(&mut self, who: ActorId, module: Atom, handler: Handler) {
        let Some(row) = self.actors.get_mut(who) else { return };
        let Some(outer) = row.running.first() else { return };
        let loops_again = handler == Handler::Loop;
        let is_return_lost = outer.n_losses != self.n_losses;
        let never_returns = outer.callback.handler != Handler::Loop
            && outer.module == module
            && !outer.is_lean
            && !self.returning.contains(&(outer.module, outer.callback.handler));
        if loops_again || is_return_lost || never_returns {
            row.last = row.running.iter().copied().find(|running| !running.is_nested);
            row.running.clear();
        }
    }

    /// Takes the message that the callback is given out of the mailbox: its key there and itself, and the place of
    /// the callback among those of the process.
    fn take_arrival(
        &mut self,
        process: Actor,
        module: Atom,
        callback: Callback,
        given: &Given<'_>,
    ) -> (Option<(u64, Arrival)>, Option<u32>) {
        if callback.handler == Handler::Init {
            return (None, Some(0));
        }
        let Some(content) = given.takes.arrival_hash() else {
            // What takes no message follows upon the callback before it.
            return (None, self.actors.row(process.id).last.and_then(|last| last.ordinal));
        };
        let key = end_key(process, content);
        let arrival = match callback.behaviour {
            Behaviour::GenEvent => self.take_shared(process, module, key),
            _ => self.arrivals.wake().pop(&key),
        };
        match arrival {
            Some(arrival) => (Some((key, arrival)), Some(arrival.ordinal).filter(|ordinal| *ordinal > 0)),
            None if given.class == Class::Timeout => {
                (None, self.actors.row(process.id).last.and_then(|last| last.ordinal))
            }
            None => (None, None),
        }
    }

    /// As each handler of a gen_event is given the same message.
    fn take_shared(&mut self, process: Actor, module: Atom, key: u64) -> Option<Arrival> {
        let shared = &mut self.actors.row(process.id).more().shared;
        if let Some(shared) = shared.as_mut().filter(|shared| shared.key == key && !shared.handlers.contains(&module)) {
            shared.handlers.push(module);
            return Some(shared.arrival);
        }
        let arrival = self.arrivals.wake().pop(&key)?;
        let handlers = SmallVec::from_slice(&[module]);
        self.actors.row(process.id).more().shared = Some(Shared { key, arrival, handlers });
        Some(arrival)
    }

    /// The callback that ran last, when nothing else can have run between it and the one that begins now: then it
    /// made the state that this one is given.
    fn maker(&mut self, who: ActorId, ordinal: Option<u32>, takes_message: bool) -> Option<Running> {
        let row = self.actors.row(who);
        let before = row.last.and_then(|last| last.ordinal)?;
        let is_next = match takes_message {
            true => ordinal?.checked_sub(before)? <= 1,
            false => row.n_arrivals == before,
        };
        row.last.filter(|_| is_next)
    }

    fn begin_callback(&mut self, process: Actor, handler: Handler, given: &Given<'_>, arrival: Option<Arrival>) -> Seq {
        let cause = match handler {
            Handler::Terminate => {
                let reason = given.message.as_ref().map(|message| hash(message.whole.bytes()));
                let signal = self.actors.row(process.id).signals.exit_message;
                signal.filter(|(signalled, _)| Some(*signalled) == reason).map(|(_, seq)| seq)
            }
            _ => arrival.map(|arrival| arrival.seq),
        };
        let Given { class, tag, call, .. } = *given;
        let event = NewEvent { class, tag, call, cause, ..self.event(Kind::HandleStart, process) };
        let start = match &given.message {
            Some(message) if cause.is_none() => self.emit_term(&event, message.whole.bytes()),
            _ => self.emit(&event),
        };
        if let Some(call) = call.and_then(|key| self.calls.get_mut(&key)) {
            call.handled = Some(start);
        }
        start
    }

    pub(super) fn callback_returned(&mut self, who: ActorId, function: Mfa<'_>, value: RawTerm<'_>) {
        let Some(running) = self.end_of(who, &function) else { return };
        let process = self.actors.actor(who);
        let is_supervisor = self.actors.row(who).is_supervisor;
        // A supervisor's own init returns child specs to `supervisor`, whose state is another.
        let is_own = matches!(running.module.as_str(), "supervisor" | "Elixir.DynamicSupervisor");
        let has_state = running.callback.handler != Handler::Init || !is_supervisor || is_own;
        if has_state {
            self.note_state(process, running.module, running.callback.new_state(value), Source::from(&running));
        }
        if running.is_ours {
            return;
        }
        if running.callback.handler == Handler::CodeChange && callback::is_ok(value) {
            self.code_change_done(process, running.start);
        }
        if let (Some(key), Some(answer)) = (running.call, callback::answer(value)) {
            self.answered(process, key, answer, running.start);
        }
        if let Some(reason) = callback::stop_reason(value) {
            self.actors.row(who).signals.stop = Some((hash(reason.bytes()), running.start));
        }
        if is_supervisor {
            self.supervisor_returned(process, value, &running);
        }
        if let Some((key, arrival)) = running.taken.filter(|_| callback::postpones(value)) {
            self.arrivals.push(key, arrival);
        }
        self.end_callback(process, &running, &[]);
    }

    pub(super) fn callback_failed(&mut self, who: ActorId, function: Mfa<'_>, exception: RawTerm<'_>) {
        let Some(running) = self.end_of(who, &function) else { return };
        if running.is_ours {
            return;
        }
        let process = self.actors.actor(who);
        if let Some([_class, value]) = exception.tuple_of() {
            self.actors.row(who).signals.exception = Some((hash(value.bytes()), running.start));
        }
        let mut meta = Fields::default();
        meta.term("exception", exception);
        self.end_callback(process, &running, &meta.finish());
    }

    /// Control is back in `caller`: that ends the callback when it is OTP's code that called it.
    pub(super) fn returned_to(&mut self, who: ActorId, caller: Option<Mfa<'_>>) {
        let Some(row) = self.actors.get_mut(who) else { return };
        if let Some(idx) = caller.and_then(|caller| row.running.iter().rposition(|running| running.is(&caller))) {
            row.running.truncate(idx + 1);
            return;
        }
        let outermost = |running: &&Running| !running.is_nested && running.callback.handler != Handler::Loop;
        let Some(ended) = row.running.iter().find(outermost).copied() else { return };
        let is_engines = |caller: Mfa<'_>| {
            callback::is_engine(caller.module)
                && caller.module.as_atom_bytes() != Some(ended.module.as_str().as_bytes())
        };
        if !caller.is_none_or(is_engines) {
            return;
        }
        row.running.clear();
        row.last = Some(ended);
        self.returning.insert((ended.module, ended.callback.handler));
        if !ended.is_ours {
            let process = self.actors.actor(who);
            self.end_callback(process, &ended, &[]);
        }
    }

    /// The outermost callback, when this return or exception ends it.
    fn end_of(&mut self, who: ActorId, function: &Mfa<'_>) -> Option<Running> {
        let row = self.actors.get_mut(who)?;
        let idx = row.running.iter().rposition(|running| running.is(function))?;
        let ended = row.running[idx];
        row.running.truncate(idx);
        self.returning.insert((ended.module, ended.callback.handler));
        if ended.is_nested {
            return None;
        }
        row.running.clear();
        row.last = Some(ended);
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

    /// `handle_msg` names the process and its module; gives the module.
    fn note_loop(&mut self, who: ActorId, args: &Args<'_>) -> Option<Atom> {
        let module = args.get(4)?.term.as_atom()?;
        if self.actors.row(who).began_here() {
            return Some(module);
        }
        if let Some(parent) = args.get(1).and_then(|parent| parent.term.as_actor()) {
            let parent = self.actors.actor(parent.id);
            self.actors.row(who).parent.get_or_insert(parent);
        }
        self.note_server_module(who, module);
        let row = self.actors.row(who);
        row.behaviour = Some(if row.is_supervisor { Behaviour::Supervisor } else { Behaviour::GenServer });
        if let Some(name) = args.get(2).and_then(|name| name.term.as_atom()) {
            self.learn_name(who, name);
        }
        Some(module)
    }

    /// The module of a manager's handlers is not its own.
    fn note_callback_module(&mut self, who: ActorId, module: Atom, callback: Callback) {
        if callback.behaviour != Behaviour::GenEvent {
            self.note_server_module(who, module);
        }
    }

    fn note_server_module(&mut self, who: ActorId, module: Atom) {
        if super::start::is_supervisor_module(module.as_str()) {
            self.actors.row(who).is_supervisor = true;
        }
        if self.actors.row(who).module.is_none() {
            self.note_module(who, module);
        }
    }
}
