//! What travels between processes: messages and the other signals. Order is kept per pair of
//! sender and receiver, messages and signals together, because all of them go through
//! [`super::scheduler::Queue`] with a latency that is fixed per pair.

use crate::model::{Atom, CallKey, Class, Pid, Reference, Term};

use super::atoms::atoms;
use super::world::{EventIdx, serial};

/// A message on its way or in a mailbox.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub message: Term,
    /// The message in external term format; empty when nothing is recorded.
    pub bytes: Box<[u8]>,
    /// Who sent it; `None` for what the kernel makes (timers).
    pub from: Option<Pid>,
    /// The send, or for a timer its start.
    pub cause: Option<EventIdx>,
    pub class: Class,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    /// The alias it was sent to; when that is not active on arrival, the message is dropped.
    pub alias: Option<u64>,
}

/// A signal that is not a message.
#[derive(Clone, Debug)]
pub enum Control {
    /// `exit(Pid, Reason)`, or the end of a linked process.
    Exit {
        from: Pid,
        reason: Term,
        is_link: bool,
        cause: Option<EventIdx>,
    },
    Link {
        from: Pid,
    },
    Unlink {
        from: Pid,
    },
    Monitor {
        from: Pid,
        serial: u64,
    },
    Demonitor {
        from: Pid,
        serial: u64,
    },
    /// The end of a monitored process.
    Down {
        from: Pid,
        serial: u64,
        reason: Term,
        cause: Option<EventIdx>,
    },
}

/// What a message is to OTP, by its shape.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub class: Class,
    /// Of a call or cast, the request's tag; else the message's.
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
}

/// Recognises OTP's message shapes: `{'$gen_call', {Pid, Tag}, Request}`, `{'$gen_cast', Request}`,
/// `{'EXIT', Pid, Reason}`, `{'DOWN', Ref, process, Object, Reason}`, `{system, From, Request}`, and replies
/// `{Ref, Reply}`, `{[alias | Ref], Reply}`.
pub fn shape(message: &Term) -> Shape {
    let info = Shape { class: Class::Info, tag: message.tag(), call: None };
    let Some(items) = message.as_tuple() else { return info };
    let a = atoms();
    match items {
        [Term::Atom(tag), from, request] if *tag == a.gen_call => {
            Shape { class: Class::Call, tag: request.tag(), call: from_key(from) }
        }
        [Term::Atom(tag), request] if *tag == a.gen_cast => {
            Shape { class: Class::Cast, tag: request.tag(), call: None }
        }
        [Term::Atom(tag), _, _] if *tag == a.exit_upper => Shape { class: Class::Exit, ..info },
        [Term::Atom(tag), Term::Ref(reference), _, _, _] if *tag == a.down_upper => {
            Shape { class: Class::Down, call: Some(CallKey(reference.key())), ..info }
        }
        [Term::Atom(tag), from, request] if *tag == a.system => {
            Shape { class: Class::System, tag: request.tag(), call: from_key(from) }
        }
        // What proc_lib's start functions wait for is an answer too.
        [Term::Atom(tag), Term::Pid(_), _] if *tag == a.ack => Shape { class: Class::Reply, ..info },
        [tag, _] => match tag_reference(tag) {
            Some(reference) => Shape { class: Class::Reply, tag: None, call: Some(CallKey(reference.key())) },
            None => info,
        },
        _ => info,
    }
}

/// The reference inside a call's tag: `Ref`, or `[alias | Ref]`.
pub fn tag_reference(tag: &Term) -> Option<&Reference> {
    match tag {
        Term::Ref(reference) => Some(reference),
        Term::List(list) if list.items.len() == 1 && list.items[0] == Term::Atom(atoms().alias) => match &list.tail {
            Term::Ref(reference) => Some(reference),
            _ => None,
        },
        _ => None,
    }
}

fn from_key(from: &Term) -> Option<CallKey> {
    let [_, tag] = from.as_tuple()? else { return None };
    Some(CallKey(tag_reference(tag)?.key()))
}

/// Which messages a kernel-made receive takes; plain data, so that an arrival can be judged without running the process.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    Any,
    /// The answer to a call, or the 'DOWN' of its monitor.
    Answer(u64),
    /// `{ack, Pid, _}` or `{'EXIT', Pid, _}`.
    Started(Pid),
    /// The same, or the 'DOWN' of a monitor.
    StartedOrDown(Pid, u64),
    /// The 'DOWN' of a monitor.
    Down(u64),
    /// The 'EXIT' of a process.
    Exit(Pid),
    /// A closure of the process decides: run it.
    Closure,
}

impl Pattern {
    pub fn matches(&self, message: &Term) -> bool {
        let Some(items) = message.as_tuple() else { return matches!(self, Pattern::Any | Pattern::Closure) };
        let a = atoms();
        let is_down = |wanted: u64| match items {
            [Term::Atom(tag), Term::Ref(r), _, _, _] => *tag == a.down_upper && serial(r) == wanted,
            _ => false,
        };
        let is_from = |wanted: Atom, pid: Pid| match items {
            [Term::Atom(tag), Term::Pid(from), _] => *tag == wanted && *from == pid,
            _ => false,
        };
        match self {
            Pattern::Any | Pattern::Closure => true,
            Pattern::Answer(wanted) => {
                is_down(*wanted)
                    || matches!(items, [tag, _] if tag_reference(tag).is_some_and(|r| serial(r) == *wanted))
            }
            Pattern::Started(pid) => is_from(a.ack, *pid) || is_from(a.exit_upper, *pid),
            Pattern::StartedOrDown(pid, wanted) => is_from(a.ack, *pid) || is_down(*wanted),
            Pattern::Down(wanted) => is_down(*wanted),
            Pattern::Exit(pid) => is_from(a.exit_upper, *pid),
        }
    }
}
