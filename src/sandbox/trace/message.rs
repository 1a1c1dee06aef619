//! One raw trace message, borrowed from its bytes: `{trace_ts, Tracee, Kind, .., Timestamp}` and its
//! relatives (erts, erlang:trace/3). Nothing is built and nothing is interpreted yet.

use super::EventClock;
use crate::codec::walk::{Part, RawTerm};
use crate::model::{Actor, ActorId};

/// The place of a trace message in time: nanoseconds, and the unique integer of `strict_monotonic`
/// (0 with other clocks). Within one VM both grow together, so either orders the causally related.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Stamp {
    /// BEAM monotonic time; wall time since 1970 when the trace has `timestamp` (erlang:now()).
    pub at_ns: i64,
    pub unique: i64,
}

impl Stamp {
    pub const MIN: Stamp = Stamp { at_ns: i64::MIN, unique: i64::MIN };
}

/// A trace message.
#[derive(Clone, Copy)]
pub struct Trace<'a> {
    /// The traced process or port.
    pub who: ActorId,
    pub stamp: Option<(Stamp, EventClock)>,
    pub what: What<'a>,
}

/// What was traced. Names follow erlang:trace/3.
#[derive(Clone, Copy)]
pub enum What<'a> {
    Send {
        message: Part<'a>,
        to: RawTerm<'a>,
    },
    SendToNonExisting {
        message: Part<'a>,
        to: RawTerm<'a>,
    },
    /// `extra` is what a receive match spec adds: `{Node, Sender}`.
    Receive {
        message: Part<'a>,
        extra: Option<RawTerm<'a>>,
    },
    Spawn {
        child: ActorId,
        start: Mfa<'a>,
    },
    Spawned {
        parent: ActorId,
        start: Mfa<'a>,
    },
    Exit {
        reason: Part<'a>,
    },
    Link {
        peer: ActorId,
    },
    GettingLinked {
        peer: ActorId,
    },
    Unlink {
        peer: ActorId,
    },
    GettingUnlinked {
        peer: ActorId,
    },
    Register {
        name: RawTerm<'a>,
    },
    Unregister {
        name: RawTerm<'a>,
    },
    /// `extra` is what a match spec adds: `{message, Extra}`.
    Call {
        function: Mfa<'a>,
        extra: Option<RawTerm<'a>>,
    },
    ReturnFrom {
        function: Mfa<'a>,
        value: RawTerm<'a>,
    },
    ExceptionFrom {
        function: Mfa<'a>,
        exception: RawTerm<'a>,
    },
    /// Control is back in `caller`; `None`: in no function at all.
    ReturnTo {
        caller: Option<Mfa<'a>>,
    },
    GcStart,
    GcEnd {
        is_major: bool,
        info: Part<'a>,
    },
    /// A port was opened by `owner`.
    Open {
        owner: ActorId,
        driver: RawTerm<'a>,
    },
    Closed {
        reason: Part<'a>,
    },
    /// Kinds that make no event, by their name.
    Other(&'a str),
}

/// Module, function, and either the arguments or their number.
#[derive(Clone, Copy)]
pub struct Mfa<'a> {
    pub module: RawTerm<'a>,
    pub function: RawTerm<'a>,
    pub args: RawTerm<'a>,
}

impl<'a> Mfa<'a> {
    fn of(term: RawTerm<'a>) -> Option<Mfa<'a>> {
        let [module, function, args] = term.tuple_of()?;
        Some(Mfa { module, function, args })
    }

    /// The number of arguments.
    pub fn arity(self) -> Option<usize> {
        match self.args.list() {
            Some(items) => Some(items.len()),
            None => self.args.as_int().and_then(|n| usize::try_from(n).ok()),
        }
    }
}

/// What a term of the stream is.
pub enum Message<'a> {
    Trace(Trace<'a>),
    /// `{drop, N}`: so many trace messages were dropped.
    Lost(u64),
    /// Not about one tracee: `seq_trace`.
    Other(&'a str),
}

impl<'a> Message<'a> {
    /// Reads one tuple of the stream; `None` when it is no trace message.
    pub fn parse(parts: &[Part<'a>]) -> Option<Message<'a>> {
        let (tag, rest) = parts.split_first()?;
        match (tag.term().as_atom_bytes()?, rest) {
            (b"trace_ts", [who, kind, args @ .., stamp]) => {
                Some(Message::Trace(Trace::of(*who, *kind, args, Some(read_stamp(stamp.term())?))?))
            }
            (b"trace", [who, kind, args @ ..]) => Some(Message::Trace(Trace::of(*who, *kind, args, None)?)),
            (b"seq_trace", _) => Some(Message::Other("seq_trace")),
            (b"drop", [n]) => Some(Message::Lost(u64::try_from(n.term().as_int()?).ok()?)),
            _ => None,
        }
    }
}

impl<'a> Trace<'a> {
    fn of(who: Part<'a>, kind: Part<'a>, args: &[Part<'a>], stamp: Option<(Stamp, EventClock)>) -> Option<Trace<'a>> {
        let actor = |part: Part<'a>| part.term().as_actor().map(|actor: Actor| actor.id);
        let mfa = |part: Part<'a>| Mfa::of(part.term());
        let what = match (kind.term().as_atom_bytes()?, args) {
            (b"send", &[message, to, ..]) => What::Send { message, to: to.term() },
            (b"send_to_non_existing_process", &[message, to, ..]) => What::SendToNonExisting { message, to: to.term() },
            (b"receive", &[message]) => What::Receive { message, extra: None },
            (b"receive", &[message, extra, ..]) => What::Receive { message, extra: Some(extra.term()) },
            (b"call", &[function]) => What::Call { function: mfa(function)?, extra: None },
            (b"call", &[function, extra, ..]) => What::Call { function: mfa(function)?, extra: Some(extra.term()) },
            (b"return_from", &[function, value, ..]) => {
                What::ReturnFrom { function: mfa(function)?, value: value.term() }
            }
            (b"exception_from", &[function, exception, ..]) => {
                What::ExceptionFrom { function: mfa(function)?, exception: exception.term() }
            }
            (b"return_to", &[caller, ..]) => What::ReturnTo { caller: mfa(caller) },
            (b"spawn", &[child, start, ..]) => What::Spawn { child: actor(child)?, start: mfa(start)? },
            (b"spawned", &[parent, start, ..]) => What::Spawned { parent: actor(parent)?, start: mfa(start)? },
            (b"exit", &[reason, ..]) => What::Exit { reason },
            (b"link", &[peer, ..]) => What::Link { peer: actor(peer)? },
            (b"getting_linked", &[peer, ..]) => What::GettingLinked { peer: actor(peer)? },
            (b"unlink", &[peer, ..]) => What::Unlink { peer: actor(peer)? },
            (b"getting_unlinked", &[peer, ..]) => What::GettingUnlinked { peer: actor(peer)? },
            (b"register", &[name, ..]) => What::Register { name: name.term() },
            (b"unregister", &[name, ..]) => What::Unregister { name: name.term() },
            (b"gc_minor_start" | b"gc_major_start", _) => What::GcStart,
            (b"gc_minor_end", &[info, ..]) => What::GcEnd { is_major: false, info },
            (b"gc_major_end", &[info, ..]) => What::GcEnd { is_major: true, info },
            (b"open", &[owner, driver, ..]) => What::Open { owner: actor(owner)?, driver: driver.term() },
            (b"closed", &[reason, ..]) => What::Closed { reason },
            _ => What::Other(kind.term().as_atom_text()?),
        };
        Some(Trace { who: actor(who)?, stamp, what })
    }
}

/// `{MegaSecs, Secs, MicroSecs}`, `{MonotonicNs, Unique}` or `MonotonicNs`.
fn read_stamp(term: RawTerm<'_>) -> Option<(Stamp, EventClock)> {
    if let Some([ns, unique]) = term.tuple_of() {
        return Some((Stamp { at_ns: ns.as_int()?, unique: unique.as_int()? }, EventClock::Monotonic));
    }
    if let Some([mega, secs, micros]) = term.tuple_of() {
        let seconds = mega.as_int()?.checked_mul(1_000_000)?.checked_add(secs.as_int()?)?;
        let at_ns = seconds.checked_mul(1_000_000)?.checked_add(micros.as_int()?)?.checked_mul(1_000)?;
        return Some((Stamp { at_ns, unique: 0 }, EventClock::Wall));
    }
    Some((Stamp { at_ns: term.as_int()?, unique: 0 }, EventClock::Monotonic))
}
