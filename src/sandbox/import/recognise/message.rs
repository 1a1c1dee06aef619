//! What sort of message a term is, by OTP's conventions (gen.erl, gen_server.erl, proc_lib, timer,
//! the reference manual on signals). It must not know who sent it or what happened before.

use std::hash::Hasher;

use rustc_hash::FxHasher;

use crate::codec::walk::RawTerm;
use crate::model::{ActorId, Atom, CallKey, Class};

/// A message with its OTP envelope taken off.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub class: Class,
    /// The request's tag inside a call or cast, else the message's own.
    pub tag: Option<Atom>,
    /// The reference of a call, of its reply, of a monitor or of a timer.
    pub call: Option<CallKey>,
    /// Whether a reply bears its call's alias and not the bare reference.
    pub is_alias: bool,
    /// A call's caller; who ended, for `'EXIT'` and `'DOWN'`.
    pub about: Option<ActorId>,
    /// What a callback is given: the request, or the whole message.
    pub body: RawTerm<'a>,
    pub whole: RawTerm<'a>,
}

impl<'a> Message<'a> {
    /// A message without any envelope: what a callback is given.
    pub fn plain(whole: RawTerm<'a>) -> Message<'a> {
        let tag = whole.tag();
        Message { class: Class::Info, tag, call: None, is_alias: false, about: None, body: whole, whole }
    }

    pub fn of(whole: RawTerm<'a>) -> Message<'a> {
        let plain = Message::plain(whole);
        let Some(mut items) = whole.tuple() else { return plain };
        let arity = items.len();
        let Some(first) = items.next() else { return plain };
        let Some(text) = first.as_atom_text() else {
            return match (call_key(first), items.next()) {
                (Some(key), Some(answer)) if arity == 2 => {
                    let is_alias = first.as_ref().is_none();
                    Message { class: Class::Reply, tag: answer.tag(), call: Some(key), is_alias, ..plain }
                }
                _ => plain,
            };
        };
        let (Some(second), third) = (items.next(), items.next()) else { return plain };
        match (text, arity, third) {
            ("$gen_call" | "$gen_sync_event" | "$gen_sync_all_state_event", 3, Some(request)) => {
                plain.request(Class::Call, second, request)
            }
            ("system", 3, Some(request)) => plain.request(Class::System, second, request),
            ("$gen_cast" | "$gen_event" | "$gen_all_state_event", 2, None) => {
                Message { class: Class::Cast, tag: second.tag(), body: second, ..plain }
            }
            ("EXIT", 3, Some(_)) => {
                Message { class: Class::Exit, about: second.as_actor().map(|actor| actor.id), ..plain }
            }
            ("DOWN", 5, Some(_)) => {
                let about = items.next().and_then(RawTerm::as_actor).map(|actor| actor.id);
                Message { class: Class::Down, call: call_key(second), about, ..plain }
            }
            ("timeout", 3, Some(_)) => match second.as_ref() {
                Some(timer) => Message { class: Class::Timer, call: Some(CallKey(timer.key())), ..plain },
                None => plain,
            },
            _ => plain,
        }
    }

    /// `from` is `{Caller, Reference}` or `{Caller, [alias | Reference]}`.
    fn request(self, class: Class, from: RawTerm<'a>, request: RawTerm<'a>) -> Message<'a> {
        let Some([caller, reference]) = from.tuple_of() else { return self };
        let about = caller.as_actor().map(|actor| actor.id);
        Message { class, tag: request.tag(), call: call_key(reference), about, body: request, ..self }
    }

    /// By which an arrival and the callback that takes it find each other.
    pub fn arrival_hash(&self) -> u64 {
        match (self.class, self.call) {
            (Class::Call, Some(key)) => key.0,
            _ => hash(self.body.bytes()),
        }
    }

    /// The reason inside an `'EXIT'` or a `'DOWN'`: its last element.
    pub fn reason(&self) -> Option<RawTerm<'a>> {
        self.whole.tuple()?.last()
    }
}

/// The key of a plain reference or of `[alias | Reference]`.
pub(super) fn call_key(term: RawTerm<'_>) -> Option<CallKey> {
    if let Some(reference) = term.as_ref() {
        return Some(CallKey(reference.key()));
    }
    let mut items = term.list().filter(|items| items.len() == 1)?;
    items.next().filter(|first| first.is_atom("alias"))?;
    Some(CallKey(term.tail()?.as_ref()?.key()))
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
