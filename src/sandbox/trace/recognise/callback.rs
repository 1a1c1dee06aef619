//! The callbacks of OTP's behaviours: which function is one, what its arguments mean, and where its return value
//! holds the new state (gen_server.erl, gen_statem.erl, gen_event.erl). It must not know processes or events.

use super::message::{Message, call_key, hash};
use smallvec::SmallVec;

use crate::codec::walk::{Items, RawTerm};
use crate::model::{Atom, Behaviour, CallKey, Class};
use crate::sandbox::trace::lean::OMITTED;

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
    /// gen_event's.
    HandleEvent,
    /// A state function of gen_statem, or its handle_event/4.
    State,
    Terminate,
    CodeChange,
}

/// A function that is a callback, of which behaviour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Callback {
    pub handler: Handler,
    /// gen_server, gen_statem or gen_event.
    pub behaviour: Behaviour,
    pub arity: u8,
}

/// A callback's arguments as they came.
#[derive(Default)]
pub(super) struct Args<'a>(SmallVec<[RawTerm<'a>; 8]>);

/// A term whose bytes cost nothing when it is known what follows it.
#[derive(Clone, Copy)]
pub(super) struct Arg<'a> {
    pub term: RawTerm<'a>,
    next: Option<RawTerm<'a>>,
}

impl<'a> Args<'a> {
    pub fn of(list: RawTerm<'a>) -> Args<'a> {
        Args(list.list().map(Iterator::collect).unwrap_or_default())
    }
    /// An argument, unless it was left out.
    pub fn get(&self, idx: usize) -> Option<Arg<'a>> {
        let term = *self.0.get(idx)?;
        (!term.is_atom(OMITTED)).then(|| Arg { term, next: self.0.get(idx + 1).copied() })
    }
}

impl<'a> Arg<'a> {
    /// Without version byte.
    pub fn bytes(self) -> &'a [u8] {
        match self.next {
            Some(next) => self.term.bytes_until(next),
            None => self.term.bytes(),
        }
    }
}

impl<'a> From<RawTerm<'a>> for Arg<'a> {
    fn from(term: RawTerm<'a>) -> Arg<'a> {
        Arg { term, next: None }
    }
}

/// A callback's arguments by their meaning. What was left out or not traced is `None`.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub message: Option<Message<'a>>,
    pub class: Class,
    pub tag: Option<Atom>,
    /// Who called, and the reference: `{Caller, Tag}`.
    pub from: Option<RawTerm<'a>>,
    pub call: Option<CallKey>,
    pub takes: Takes<'a>,
    pub state: Shown<'a>,
}

/// What a callback takes out of the mailbox, as far as its arguments tell.
#[derive(Clone, Copy)]
pub(super) enum Takes<'a> {
    Nothing,
    /// The call with this reference.
    Call(CallKey),
    /// What bears this term, without its envelope.
    Body(Arg<'a>),
    /// This very message.
    Whole(Message<'a>, Arg<'a>),
}

impl Takes<'_> {
    /// By which its arrival is found, as [`Message::arrival_hash`] makes it.
    pub fn arrival_hash(self) -> Option<u64> {
        match self {
            Takes::Nothing => None,
            Takes::Call(key) => Some(key.0),
            Takes::Body(body) => Some(hash(body.bytes())),
            Takes::Whole(message, whole) => Some(message.arrival_hash(hash(whole.bytes()))),
        }
    }
}

/// As much of a state as the trace shows at once.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    Nothing,
    Whole(Arg<'a>),
    /// gen_statem's: its state (a name, as a rule) and its data.
    Statem {
        state: Option<Arg<'a>>,
        data: Option<Arg<'a>>,
    },
    /// That of one handler of a gen_event.
    OfHandler(Arg<'a>),
}

/// Modules of OTP and its kin that run callbacks: a callback is over when control is back in one of them.
const ENGINES: &[&str] = &[
    "gen_server",
    "gen_statem",
    "gen_event",
    "gen",
    "proc_lib",
    "sys",
    "supervisor",
    "Elixir.DynamicSupervisor",
    "gen_fsm",
    "gen_server2",
    "p1_server",
    "p1_fsm",
];

pub(super) fn is_engine(module: RawTerm<'_>) -> bool {
    module.as_atom_text().is_some_and(|text| ENGINES.contains(&text))
}

/// Whether a term is one of gen_statem's event types.
pub(super) fn is_event_type(term: RawTerm<'_>) -> bool {
    match term.tuple_of() {
        Some([call, from]) if call.is_atom("call") => from.tuple_of().is_some_and(|[pid, _]| pid.as_pid().is_some()),
        Some(_) => is_timeout_type(term),
        None => {
            is_timeout_type(term)
                || ["cast", "info", "internal", "enter"].iter().any(|event_type| term.is_atom(event_type))
        }
    }
}

/// Whether a term is the type of one of gen_statem's own timeouts: what its timers' messages bear.
pub(super) fn is_timeout_type(term: RawTerm<'_>) -> bool {
    match term.tuple_of() {
        Some([timeout, _name]) => timeout.is_atom("timeout"),
        None => term.is_atom("timeout") || term.is_atom("state_timeout"),
    }
}

impl Callback {
    /// A callback of gen_server, or of a behaviour built on it.
    pub fn of_server(module: &str, function: &str, arity: usize) -> Option<Callback> {
        let handler = match (function, arity) {
            ("handle_msg", 5..) if matches!(module, "gen_server" | "p1_server") => Handler::Loop,
            ("init", 1) => Handler::Init,
            ("handle_call", 3) => Handler::HandleCall,
            ("handle_cast", 2) => Handler::HandleCast,
            ("handle_info", 2) => Handler::HandleInfo,
            ("handle_continue", 2) => Handler::HandleContinue,
            ("terminate", 2) => Handler::Terminate,
            ("code_change", 3) => Handler::CodeChange,
            _ => return None,
        };
        Callback::new(handler, Behaviour::GenServer, arity)
    }

    /// A callback of gen_statem. Every function of its module may be a state function: one that is given an event
    /// type is taken for one.
    pub fn of_statem(function: &str, arity: usize, args: &Args<'_>) -> Option<Callback> {
        let handler = match (function, arity) {
            ("init", 1) => Handler::Init,
            ("terminate", 3) => Handler::Terminate,
            ("code_change", 4) => Handler::CodeChange,
            ("handle_event", 4) | (_, 3) if args.get(0).is_some_and(|arg| is_event_type(arg.term)) => Handler::State,
            _ => return None,
        };
        Callback::new(handler, Behaviour::GenStatem, arity)
    }

    /// A callback of a gen_event handler.
    pub fn of_event_handler(function: &str, arity: usize) -> Option<Callback> {
        let handler = match (function, arity) {
            ("init", 1) => Handler::Init,
            ("handle_event", 2) => Handler::HandleEvent,
            ("handle_call", 2) => Handler::HandleCall,
            ("handle_info", 2) => Handler::HandleInfo,
            ("terminate", 2) => Handler::Terminate,
            ("code_change", 3) => Handler::CodeChange,
            _ => return None,
        };
        Callback::new(handler, Behaviour::GenEvent, arity)
    }

    fn new(handler: Handler, behaviour: Behaviour, arity: usize) -> Option<Callback> {
        Some(Callback { handler, behaviour, arity: u8::try_from(arity).ok()? })
    }

    /// The class of what it handles, as far as its name tells.
    fn class(self) -> Class {
        match self.handler {
            Handler::Init => Class::Init,
            Handler::HandleCall => Class::Call,
            Handler::HandleCast | Handler::HandleEvent => Class::Cast,
            Handler::Loop | Handler::HandleInfo | Handler::State => Class::Info,
            Handler::HandleContinue => Class::Continue,
            Handler::Terminate => Class::Terminate,
            Handler::CodeChange => Class::CodeChange,
        }
    }

    /// The arguments' meaning. `function` is the callback's name: in state functions, that of the state.
    pub fn given<'a>(self, function: RawTerm<'a>, args: &Args<'a>) -> Given<'a> {
        let first = args.get(0);
        let message = first.map(|arg| Message::plain(arg.term));
        let plain = Given {
            message,
            class: self.class(),
            tag: message.and_then(|message| message.tag),
            from: None,
            call: None,
            takes: Takes::Nothing,
            state: self.given_state(function, args),
        };
        let body = || first.map_or(Takes::Nothing, Takes::Body);
        match (self.handler, first) {
            (Handler::Loop | Handler::HandleInfo, Some(whole)) => self.given_whole(plain, whole),
            (Handler::State, Some(event_type)) => given_event(plain, event_type, args),
            (Handler::HandleCall, _) if self.behaviour == Behaviour::GenServer => {
                let from = args.get(1).map(|from| from.term);
                let call = from.and_then(reference_of);
                Given { from, call, takes: call.map_or_else(body, Takes::Call), ..plain }
            }
            (Handler::HandleCall | Handler::HandleCast | Handler::HandleEvent, _) => Given { takes: body(), ..plain },
            _ => plain,
        }
    }

    /// What arrived, with its envelope, as handle_info and gen_server's loop are given it.
    fn given_whole<'a>(self, plain: Given<'a>, whole: Arg<'a>) -> Given<'a> {
        let message = Message::of(whole.term);
        let class = match message.class {
            class @ (Class::Call | Class::Cast) if self.handler == Handler::Loop => class,
            _ => class_of_info(&message),
        };
        Given {
            message: Some(message),
            class,
            tag: message.tag,
            call: message.call.filter(|_| class == Class::Call),
            takes: Takes::Whole(message, whole),
            ..plain
        }
    }

    fn given_state<'a>(self, function: RawTerm<'a>, args: &Args<'a>) -> Shown<'a> {
        let idx = match (self.behaviour, self.handler) {
            (_, Handler::Init) => return Shown::Nothing,
            (Behaviour::GenStatem, Handler::State) if self.arity == 3 => {
                return Shown::Statem { state: Some(function.into()), data: args.get(2) };
            }
            (Behaviour::GenStatem, Handler::State) => {
                return Shown::Statem { state: args.get(2), data: args.get(3) };
            }
            (Behaviour::GenStatem, _) => return Shown::Statem { state: args.get(1), data: args.get(2) },
            (_, Handler::Loop) => 3,
            (Behaviour::GenServer, Handler::HandleCall) => 2,
            _ => 1,
        };
        args.get(idx).map_or(Shown::Nothing, |state| self.shown(state))
    }

    /// The new state in a callback's return value.
    pub fn new_state<'a>(self, value: RawTerm<'a>) -> Shown<'a> {
        let Some(mut items) = value.tuple() else { return Shown::Nothing };
        let arity = items.len();
        let Some(tag) = items.next().and_then(RawTerm::as_atom_bytes) else { return Shown::Nothing };
        let is_statem = self.behaviour == Behaviour::GenStatem;
        let idx = match (self.handler, tag, arity) {
            (Handler::Terminate | Handler::Loop, ..) => return Shown::Nothing,
            (Handler::Init | Handler::CodeChange, b"ok", 3 | 4) if is_statem => return both(&mut items),
            (Handler::Init | Handler::CodeChange, b"ok", 2 | 3) => 1,
            (Handler::Init | Handler::CodeChange, ..) => return Shown::Nothing,
            (Handler::State, b"next_state", 3 | 4) => return both(&mut items),
            (Handler::State, b"keep_state" | b"repeat_state", 2 | 3) => 1,
            (Handler::State, b"stop", 3) => 2,
            (Handler::State, b"stop_and_reply", 4) => 3,
            (Handler::State, ..) => return Shown::Nothing,
            (Handler::HandleCall, b"ok", 3 | 4) if self.behaviour == Behaviour::GenEvent => 2,
            (_, b"ok", 2 | 3) if self.behaviour == Behaviour::GenEvent => 1,
            (_, b"reply", 3 | 4) | (_, b"stop", 3) => 2,
            (_, b"noreply", 2 | 3) => 1,
            (_, b"stop", 4) => 3,
            _ => return Shown::Nothing,
        };
        items.nth(idx - 1).map_or(Shown::Nothing, |state| self.shown(state.into()))
    }

    fn shown(self, state: Arg<'_>) -> Shown<'_> {
        match self.behaviour {
            Behaviour::GenEvent => Shown::OfHandler(state),
            Behaviour::GenStatem => Shown::Statem { state: None, data: Some(state) },
            _ => Shown::Whole(state),
        }
    }
}

/// gen_statem's state and data, the next two items.
fn both<'a>(items: &mut Items<'a>) -> Shown<'a> {
    let (state, data) = (items.next(), items.next());
    Shown::Statem { state: state.map(|term| Arg { term, next: data }), data: data.map(Arg::from) }
}

/// An event of gen_statem: type and content.
fn given_event<'a>(plain: Given<'a>, event_type: Arg<'a>, args: &Args<'a>) -> Given<'a> {
    let content = args.get(1);
    let message = content.map(|arg| Message::plain(arg.term));
    let tag = message.and_then(|message| message.tag);
    let plain = Given { message, tag, ..plain };
    let of_class = |class| Given { class, ..plain };
    let kind = event_type.term;
    if is_timeout_type(kind) {
        let name = kind.tuple_of().map_or(kind, |[_timeout, name]| name);
        let tag = name.as_atom().or(tag);
        return Given { tag, takes: Takes::Body(event_type), ..of_class(Class::Timeout) };
    }
    if let Some([_call, from]) = kind.tuple_of() {
        let call = reference_of(from);
        return Given {
            from: Some(from),
            call,
            takes: call.map_or(Takes::Nothing, Takes::Call),
            ..of_class(Class::Call)
        };
    }
    match kind.as_atom_bytes() {
        Some(b"cast") => Given { takes: content.map_or(Takes::Nothing, Takes::Body), ..of_class(Class::Cast) },
        Some(b"internal") => of_class(Class::Internal),
        Some(b"enter") => {
            let state = match plain.state {
                Shown::Statem { state, .. } => state.and_then(|state| state.term.as_atom()),
                _ => None,
            };
            Given { tag: state.or(tag), ..of_class(Class::Enter) }
        }
        _ => match content {
            Some(whole) => {
                let message = Message::of(whole.term);
                Given {
                    message: Some(message),
                    class: class_of_info(&message),
                    tag: message.tag,
                    takes: Takes::Whole(message, whole),
                    ..plain
                }
            }
            None => plain,
        },
    }
}

/// The reference in `{Caller, Tag}`.
fn reference_of(from: RawTerm<'_>) -> Option<CallKey> {
    from.tuple_of().and_then(|[_caller, reference]| call_key(reference))
}

/// The class of a message that handle_info gets.
fn class_of_info(message: &Message<'_>) -> Class {
    match message.class {
        Class::Info if message.whole.is_atom("timeout") => Class::Timeout,
        class @ (Class::Exit | Class::Down | Class::Timer) => class,
        _ => Class::Info,
    }
}

/// Whether a value is `{ok, ..}`.
pub(super) fn is_ok(value: RawTerm<'_>) -> bool {
    value.tuple().and_then(|mut items| items.next()).is_some_and(|tag| tag.is_atom("ok"))
}

/// The answer in `{reply, Answer, ..}`.
pub(super) fn answer(value: RawTerm<'_>) -> Option<RawTerm<'_>> {
    let mut items = value.tuple()?;
    let tag = items.next()?;
    items.next().filter(|_| tag.is_atom("reply"))
}

/// The reason in `{stop, Reason, ..}`, gen_statem's `{stop_and_reply, Reason, ..}` or init's `{error, Reason}`.
pub(super) fn stop_reason(value: RawTerm<'_>) -> Option<RawTerm<'_>> {
    let mut items = value.tuple()?;
    let tag = items.next()?;
    items.next().filter(|_| ["stop", "error", "stop_and_reply"].iter().any(|text| tag.is_atom(text)))
}

/// Whether a return value of gen_statem puts its event back, to be handled in the next state.
pub(super) fn postpones(value: RawTerm<'_>) -> bool {
    let Some(mut items) = value.tuple() else { return false };
    let arity = items.len();
    let idx = match (items.next().and_then(RawTerm::as_atom_bytes), arity) {
        (Some(b"next_state"), 4) => 3,
        (Some(b"keep_state" | b"repeat_state"), 3) => 2,
        (Some(b"keep_state_and_data" | b"repeat_state_and_data"), 2) => 1,
        _ => return false,
    };
    let is_postpone = |action: RawTerm<'_>| match action.tuple_of() {
        Some([postpone, is_on]) => postpone.is_atom("postpone") && is_on.is_atom("true"),
        None => action.is_atom("postpone"),
    };
    let Some(actions) = items.nth(idx - 1) else { return false };
    match actions.list() {
        Some(mut actions) => actions.any(is_postpone),
        None => is_postpone(actions),
    }
}
