//! One raw trace message, borrowed from its bytes: `{trace_ts, Tracee, Kind, .., Timestamp}` and its
//! relatives (erts, erlang:trace/3). Nothing is built and nothing is interpreted yet.

use smallvec::SmallVec;

use super::EventClock;
use crate::codec::walk::RawTerm;
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
        message: RawTerm<'a>,
        to: RawTerm<'a>,
    },
    SendToNonExisting {
        message: RawTerm<'a>,
        to: RawTerm<'a>,
    },
    /// `extra` is what a receive match spec adds: `{Node, Sender}`.
    Receive {
        message: RawTerm<'a>,
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
        reason: RawTerm<'a>,
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
    Call {
        function: Mfa<'a>,
    },
    ReturnFrom {
        function: Mfa<'a>,
        value: RawTerm<'a>,
    },
    ExceptionFrom {
        function: Mfa<'a>,
        exception: RawTerm<'a>,
    },
    GcStart,
    GcEnd {
        is_major: bool,
        info: RawTerm<'a>,
    },
    /// A port was opened by `owner`.
    Open {
        owner: ActorId,
        driver: RawTerm<'a>,
    },
    Closed {
        reason: RawTerm<'a>,
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
    /// Reads one term of the stream; `None` when it is no trace message. Costs a skip of each part.
    pub fn parse(term: RawTerm<'a>) -> Option<Message<'a>> {
        let parts: SmallVec<[RawTerm<'a>; 8]> = term.tuple()?.collect();
        let (tag, rest) = parts.split_first()?;
        match (tag.as_atom_text()?, rest) {
            ("trace_ts", [who, kind, args @ .., stamp]) => {
                Some(Message::Trace(Trace::of(*who, kind.as_atom_text()?, args, Some(read_stamp(*stamp)?))?))
            }
            ("trace", [who, kind, args @ ..]) => {
                Some(Message::Trace(Trace::of(*who, kind.as_atom_text()?, args, None)?))
            }
            ("seq_trace", _) => Some(Message::Other("seq_trace")),
            ("drop", [n]) => Some(Message::Lost(u64::try_from(n.as_int()?).ok()?)),
            _ => None,
        }
    }
}

impl<'a> Trace<'a> {
    fn of(
        who: RawTerm<'a>,
        kind: &'a str,
        args: &[RawTerm<'a>],
        stamp: Option<(Stamp, EventClock)>,
    ) -> Option<Trace<'a>> {
        let actor = |term: RawTerm<'a>| term.as_actor().map(|actor: Actor| actor.id);
        let what = match (kind, args) {
            ("send", &[message, to, ..]) => What::Send { message, to },
            ("send_to_non_existing_process", &[message, to, ..]) => What::SendToNonExisting { message, to },
            ("receive", &[message]) => What::Receive { message, extra: None },
            ("receive", &[message, extra, ..]) => What::Receive { message, extra: Some(extra) },
            ("call", &[function, ..]) => What::Call { function: Mfa::of(function)? },
            ("return_from", &[function, value, ..]) => What::ReturnFrom { function: Mfa::of(function)?, value },
            ("exception_from", &[function, exception, ..]) => {
                What::ExceptionFrom { function: Mfa::of(function)?, exception }
            }
            ("spawn", &[child, start, ..]) => What::Spawn { child: actor(child)?, start: Mfa::of(start)? },
            ("spawned", &[parent, start, ..]) => What::Spawned { parent: actor(parent)?, start: Mfa::of(start)? },
            ("exit", &[reason, ..]) => What::Exit { reason },
            ("link", &[peer, ..]) => What::Link { peer: actor(peer)? },
            ("getting_linked", &[peer, ..]) => What::GettingLinked { peer: actor(peer)? },
            ("unlink", &[peer, ..]) => What::Unlink { peer: actor(peer)? },
            ("getting_unlinked", &[peer, ..]) => What::GettingUnlinked { peer: actor(peer)? },
            ("register", &[name, ..]) => What::Register { name },
            ("unregister", &[name, ..]) => What::Unregister { name },
            ("gc_minor_start" | "gc_major_start", _) => What::GcStart,
            ("gc_minor_end", &[info, ..]) => What::GcEnd { is_major: false, info },
            ("gc_major_end", &[info, ..]) => What::GcEnd { is_major: true, info },
            ("open", &[owner, driver, ..]) => What::Open { owner: actor(owner)?, driver },
            ("closed", &[reason, ..]) => What::Closed { reason },
            (other, _) => What::Other(other),
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
