//! What sort of message a term is, by OTP's conventions (gen.erl, gen_server.erl, proc_lib, timer,
//! the reference manual on signals). It must not know who sent it or what happened before.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use super::callback::is_timeout_type;
use crate::codec::walk::{Items, RawTerm};
use crate::model::{ActorId, Atom, CallKey, Class};

/// What OTP's envelope around a message says.
#[derive(Clone, Copy)]
pub(super) struct Envelope {
    pub class: Class,
    /// The request's tag inside a call or cast, else the message's own.
    pub tag: Option<Atom>,
    /// The reference of a call, of its reply, of a monitor or of a timer.
    pub call: Option<CallKey>,
    /// Whether a reply bears its call's alias and not the bare reference.
    pub is_alias: bool,
    /// A call's caller; who ended, for `'EXIT'` and `'DOWN'`.
    pub about: Option<ActorId>,
    /// Whether it has the form of what is sent to a gen_event's manager: `{notify, _}`, or a call of its own sort.
    pub is_for_manager: bool,
    /// Whether it has the form of what one of Elixir's tasks is sent to do.
    pub is_for_task: bool,
}

/// A message and what its envelope says.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub envelope: Envelope,
    pub whole: RawTerm<'a>,
}

impl std::ops::Deref for Message<'_> {
    type Target = Envelope;
    fn deref(&self) -> &Envelope {
        &self.envelope
    }
}

impl Envelope {
    const BARE: Envelope = Envelope {
        class: Class::Info,
        tag: None,
        call: None,
        is_alias: false,
        about: None,
        is_for_manager: false,
        is_for_task: false,
    };

    /// Of a message without any envelope.
    fn plain(whole: RawTerm<'_>) -> Envelope {
        Envelope { tag: whole.tag(), ..Envelope::BARE }
    }

    fn of(whole: RawTerm<'_>) -> Envelope {
        let Some(mut items) = whole.tuple() else { return Envelope::plain(whole) };
        let arity = items.len();
        let (Some(first), Some(second)) = (items.next(), items.next()) else { return Envelope::plain(whole) };
        let Some(text) = first.as_atom_bytes() else {
            return match call_key(first) {
                Some(key) if arity == 2 => {
                    let is_alias = first.as_ref().is_none();
                    Envelope { class: Class::Reply, tag: second.tag(), call: Some(key), is_alias, ..Envelope::BARE }
                }
                None if arity == 3 => Envelope::of_manager_call(first, second, items.next()).unwrap_or(Envelope::BARE),
                None if arity == 5 => Envelope::of_task(first, second, items).unwrap_or(Envelope::BARE),
                _ => Envelope::BARE,
            };
        };
        let tagged = |class| Envelope { class, tag: first.as_atom(), ..Envelope::BARE };
        match (text, arity) {
            (b"$gen_call" | b"$gen_sync_event" | b"$gen_sync_all_state_event", 3) => {
                Envelope::of_request(Class::Call, second, items.next()).unwrap_or(tagged(Class::Info))
            }
            (b"system", 3) => Envelope::of_request(Class::System, second, items.next()).unwrap_or(tagged(Class::Info)),
            (b"$gen_cast" | b"$gen_event" | b"$gen_all_state_event", 2) => {
                Envelope { class: Class::Cast, tag: second.tag(), ..Envelope::BARE }
            }
            (b"notify", 2) => Envelope { is_for_manager: true, ..tagged(Class::Info) },
            (b"EXIT", 3) => Envelope { about: second.as_actor().map(|actor| actor.id), ..tagged(Class::Exit) },
            (b"DOWN", 5) => {
                let about = items.nth(1).and_then(RawTerm::as_actor).map(|actor| actor.id);
                Envelope { call: call_key(second), about, ..tagged(Class::Down) }
            }
            (b"timeout", 3) => match second.as_ref() {
                Some(timer) => Envelope { call: Some(CallKey(timer.key())), ..tagged(Class::Timer) },
                None => tagged(Class::Info),
            },
            _ => tagged(Class::Info),
        }
    }

    /// `from` is `{Caller, Reference}` or `{Caller, [alias | Reference]}`.
    fn of_request(class: Class, from: RawTerm<'_>, request: Option<RawTerm<'_>>) -> Option<Envelope> {
        let [caller, reference] = from.tuple_of()?;
        let about = caller.as_actor().map(|actor| actor.id);
        let call = call_key(reference);
        Some(Envelope { class, tag: request?.tag(), call, about, ..Envelope::BARE })
    }

    /// `{Caller, {Caller, Reference}, Request}`: how gen_event is called.
    fn of_manager_call(caller: RawTerm<'_>, from: RawTerm<'_>, request: Option<RawTerm<'_>>) -> Option<Envelope> {
        let caller = ActorId::Pid(caller.as_pid()?);
        let envelope = Envelope::of_request(Class::Call, from, request)?;
        let is_one = envelope.about == Some(caller) && envelope.call.is_some();
        is_one.then(|| Envelope {
            tag: request.and_then(|term| event_or_query(term).tag()),
            is_for_manager: true,
            ..envelope
        })
    }
}

impl Envelope {
    /// `{Owner, Reference, ReplyTo, Callers, {Module, Function, Args}}`: what Elixir's Task.async has a task do. The
    /// task answers `{Reference, Value}`, and the owner watches it by the same reference.
    fn of_task(owner: RawTerm<'_>, reference: RawTerm<'_>, mut rest: Items<'_>) -> Option<Envelope> {
        let (owner, call) = (ActorId::Pid(owner.as_pid()?), call_key(reference)?);
        let (_reply_to, callers, work) = (rest.next()?, rest.next()?, rest.next()?);
        let [module, function, args] = work.tuple_of().filter(|_| callers.list().is_some())?;
        let fun = args.list()?.next().and_then(RawTerm::fun_module).filter(|_| module.is_atom("erlang"));
        let tag = fun.or_else(|| function.as_atom());
        Some(Envelope { tag, call: Some(call), about: Some(owner), is_for_task: true, ..Envelope::BARE })
    }
}

impl<'a> Message<'a> {
    /// Reads it as what one of Elixir's tasks is to do, if it is sent as to one.
    pub fn read_as_tasks(&mut self) {
        if self.envelope.is_for_task {
            self.envelope.class = Class::Call;
        }
    }

    /// A message without any envelope: what a callback is given.
    pub fn plain(whole: RawTerm<'a>) -> Message<'a> {
        Message { envelope: Envelope::plain(whole), whole }
    }

    pub fn of(whole: RawTerm<'a>) -> Message<'a> {
        Message { envelope: Envelope::of(whole), whole }
    }

    /// Reads it as a manager of gen_event does, if it is sent as to one.
    pub fn read_as_managers(&mut self) {
        if self.envelope.is_for_manager && self.envelope.class == Class::Info {
            self.envelope.class = Class::Cast;
            self.envelope.tag = self.body().tag();
        }
    }

    /// What a callback is given: the request of a cast or a call, else the whole message.
    pub fn body(&self) -> RawTerm<'a> {
        let mut items = self.whole.tuple();
        let request = match self.class {
            Class::Call if self.is_for_manager => items.as_mut().and_then(|items| items.nth(2)).map(event_or_query),
            Class::Info if self.is_for_manager => items.as_mut().and_then(|items| items.nth(1)),
            Class::Call if self.is_for_task => items.as_mut().and_then(|items| items.nth(4)),
            Class::Call | Class::System => items.as_mut().and_then(|items| items.nth(2)),
            Class::Cast => items.as_mut().and_then(|items| items.nth(1)),
            _ => None,
        };
        request.unwrap_or(self.whole)
    }

    /// By which an arrival and the callback that takes it find each other. `whole` is the hash of the whole message.
    pub fn arrival_hash(&self, whole: u64) -> u64 {
        match (self.class, self.call) {
            _ if self.is_for_manager => hash(self.body().bytes()),
            _ if self.is_for_task => whole,
            (Class::Call, Some(key)) => key.0,
            (Class::Cast | Class::System, _) => hash(self.body().bytes()),
            _ => whole,
        }
    }

    /// The type of the timeout whose message a gen_statem's timer sends: it is all that the callback is given of it.
    pub fn timeout_type(&self) -> Option<RawTerm<'a>> {
        let [_timeout, _timer, timeout_type] = self.whole.tuple_of().filter(|_| self.class == Class::Timer)?;
        is_timeout_type(timeout_type).then_some(timeout_type)
    }

    /// The reason inside an `'EXIT'` or a `'DOWN'`: its last element.
    pub fn reason(&self) -> Option<RawTerm<'a>> {
        self.whole.tuple()?.last()
    }
}

/// What the handlers of a gen_event are given of a call's request.
fn event_or_query(request: RawTerm<'_>) -> RawTerm<'_> {
    match request.tuple_of() {
        Some([sync_notify, event]) if sync_notify.is_atom("sync_notify") => return event,
        _ => {}
    }
    match request.tuple_of() {
        Some([call, _handler, query]) if call.is_atom("call") => query,
        _ => request,
    }
}

/// The key of a plain reference or of `[alias | Reference]`.
pub(super) fn call_key(term: RawTerm<'_>) -> Option<CallKey> {
    if let Some(reference) = term.as_ref() {
        return Some(CallKey(reference.key()));
    }
    let mut items = term.list().filter(|items| items.len() == 1)?;
    items.next().filter(|first| first.is_atom("alias"))?;
    Some(CallKey(items.tail()?.as_ref()?.key()))
}

/// Bytes to 64 bits; equal bytes are taken for equal terms.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    hasher.finish()
}

/// Whether an end for `reason` is an orderly one: `normal`, `shutdown`, `{shutdown, _}`, or the way in
/// which the process of a remote call hands over its result (erpc.erl).
pub(super) fn is_orderly(reason: RawTerm<'_>) -> bool {
    if let Some(text) = reason.as_atom_text() {
        return matches!(text, "normal" | "shutdown");
    }
    match reason.tuple_of() {
        Some([first, _]) => first.is_atom("shutdown"),
        None => reason.tuple_of().is_some_and(|[call, how, _]| call.as_ref().is_some() && how.is_atom("return")),
    }
}
