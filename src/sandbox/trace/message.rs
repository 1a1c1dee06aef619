//! One raw trace message, borrowed from its bytes: `{trace_ts, Tracee, Kind, .., Timestamp}` and its
//! relatives (erts, erlang:trace/3). Nothing is built and nothing is interpreted yet.

use super::EventClock;
use crate::codec::cursor::Cursor;
use crate::codec::walk::{Part, RawTerm};
use crate::model::ActorId;

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

/// Arguments of a trace message that mean something to us; erlang:trace/3 may append more.
const ARGS_MAX: usize = 3;

impl<'a> Message<'a> {
    /// Reads the one term in `bytes` (131 first); `None` when that is no trace message, or damaged.
    pub fn read(bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut terms = Cursor::new(bytes)?;
        let n_more = terms.tuple()?.checked_sub(1)?;
        let message = match terms.atom()? {
            tag @ (b"trace_ts" | b"trace") => Message::Trace(Trace::read(&mut terms, n_more, tag == b"trace_ts")?),
            b"drop" if n_more == 1 => Message::Lost(u64::try_from(terms.int()?).ok()?),
            b"seq_trace" => {
                skip(&mut terms, n_more)?;
                Message::Other("seq_trace")
            }
            _ => return None,
        };
        terms.is_at_end().then_some(message)
    }
}

fn skip(terms: &mut Cursor<'_>, n: usize) -> Option<()> {
    (0..n).try_for_each(|_| terms.part().map(drop))
}

impl<'a> Trace<'a> {
    /// Reads the `n` elements after the tag: the tracee, the kind, its arguments, and perhaps a timestamp.
    #[inline]
    fn read(terms: &mut Cursor<'a>, n: usize, has_stamp: bool) -> Option<Trace<'a>> {
        let n_args = n.checked_sub(2 + usize::from(has_stamp))?;
        let who = terms.actor()?;
        let kind = terms.atom()?;
        let mut args = [Part::NIL; ARGS_MAX];
        let n_read = n_args.min(ARGS_MAX);
        for arg in &mut args[..n_read] {
            *arg = terms.part()?;
        }
        skip(terms, n_args - n_read)?;
        let stamp = if has_stamp { Some(read_stamp(terms)?) } else { None };
        Some(Trace { who, stamp, what: What::of(kind, &args[..n_read])? })
    }
}

impl<'a> What<'a> {
    fn of(kind: &'a [u8], args: &[Part<'a>]) -> Option<What<'a>> {
        let actor = |part: Part<'a>| part.term().as_actor().map(|actor| actor.id);
        let mfa = |part: Part<'a>| Mfa::of(part.term());
        Some(match (kind, args) {
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
            _ => What::Other(std::str::from_utf8(kind).ok().filter(|kind| kind.is_ascii())?),
        })
    }
}

/// `{MegaSecs, Secs, MicroSecs}`, `{MonotonicNs, Unique}` or `MonotonicNs`.
fn read_stamp(terms: &mut Cursor<'_>) -> Option<(Stamp, EventClock)> {
    match terms.tuple() {
        Some(2) => Some((Stamp { at_ns: terms.int()?, unique: terms.int()? }, EventClock::Monotonic)),
        Some(3) => {
            let (mega, secs, micros) = (terms.int()?, terms.int()?, terms.int()?);
            let seconds = mega.checked_mul(1_000_000)?.checked_add(secs)?;
            let at_ns = seconds.checked_mul(1_000_000)?.checked_add(micros)?.checked_mul(1_000)?;
            Some((Stamp { at_ns, unique: 0 }, EventClock::Wall))
        }
        Some(_) => None,
        None => Some((Stamp { at_ns: terms.int()?, unique: 0 }, EventClock::Monotonic)),
    }
}
