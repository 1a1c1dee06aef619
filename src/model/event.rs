//! Events: one thing that happened in an observed system, as plain data.
//!
//! The table at [`Kind`] is the contract between those who make events (sim, import, beam) and
//! those who read them (fold, analysis, pictures). It must not know how events are stored.

use serde::{Deserialize, Serialize};

use super::atom::Atom;
use super::pid::{Origin, Pid, Port};

/// The identity and order of an event in its recording, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Seq(pub u64);

impl Seq {
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }
}

/// The number by which the two ends of a call find each other ([`super::pid::Reference::key`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CallKey(pub u64);

/// Who acts: a process or a port. Pids are reused, so an incarnation (0, 1, ..) tells them apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Actor {
    pub id: ActorId,
    pub incarnation: u32,
}

/// The BEAM's name for an actor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ActorId {
    Pid(Pid),
    Port(Port),
}

impl ActorId {
    /// The node incarnation that it lives on.
    pub fn origin(self) -> Origin {
        match self {
            ActorId::Pid(pid) => pid.origin,
            ActorId::Port(port) => port.origin,
        }
    }
}

impl Actor {
    /// The node incarnation that it lives on.
    pub fn origin(self) -> Origin {
        self.id.origin()
    }
    pub fn pid(self) -> Option<Pid> {
        match self.id {
            ActorId::Pid(pid) => Some(pid),
            ActorId::Port(_) => None,
        }
    }
}
impl From<Pid> for Actor {
    fn from(pid: Pid) -> Actor {
        Actor { id: ActorId::Pid(pid), incarnation: 0 }
    }
}
impl From<Port> for Actor {
    fn from(port: Port) -> Actor {
        Actor { id: ActorId::Port(port), incarnation: 0 }
    }
}

/// As its pid or port, in Erlang's syntax.
impl Serialize for Actor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

macro_rules! byte_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $value),+ }
        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];
            /// The name that scripts and files use.
            pub fn as_str(self) -> &'static str { match self { $($name::$variant => $text),+ } }
            pub fn from_name(text: &str) -> Option<$name> { match text { $($text => Some($name::$variant),)+ _ => None } }
            pub fn from_byte(byte: u8) -> Option<$name> { match byte { $($value => Some($name::$variant),)+ _ => None } }
        }
    };
}

byte_enum! {
    /// What happened. `process` acts or is acted on, `peer` is the other end; a payload is a term.
    Kind {
        /// `process` = the new one, `peer` = its parent, `tag` = its callback module; payload
        /// `#{module, function, args, name, supervisor, behaviour, label, initial_call, ancestors}`, each optional. With `meta.since`
        /// it ran before the recording began, and this event only introduces it.
        Spawn = 1 "spawn",
        /// `process` ended with reason `normal`, `shutdown` or `{shutdown, _}` (the payload); `cause` = what made it.
        Exit = 2 "exit",
        /// `process` ended with any other reason (the payload), `killed` among them. Exactly one of Exit and Crash ends a process.
        Crash = 3 "crash",
        /// `process` linked to `peer` (recorded once, on the side that asked).
        Link = 4 "link",
        Unlink = 5 "unlink",
        /// `process` watches `peer`; `call` = the monitor's reference.
        Monitor = 6 "monitor",
        Demonitor = 7 "demonitor",
        /// A 'DOWN' message for the end of `peer` arrived at `process`'s mailbox; payload = the whole message.
        Down = 8 "down",
        /// `process` took the name `tag`. With `meta.since` it had the name before the recording began; the payload
        /// `#{module, behaviour}`, each optional, then tells what else is known of it.
        Register = 9 "register",
        Unregister = 10 "unregister",
        /// `process` sent a message (the payload, whole and raw) to `peer`; `class` says which sort,
        /// `tag` is the request's tag inside a `$gen_call` or `$gen_cast`, `call` the reference of a call.
        Send = 11 "send",
        /// Arrival of the message in `process`'s mailbox; `peer` = sender if known; `cause` = the send. Payload as of the send.
        Receive = 12 "receive",
        /// `process` took the message of `cause` (a receive, down, exit_signal or timer_fire) out of its mailbox and
        /// its callback begins. `class` init has no such cause. Payload only where `cause` is unknown: the message.
        HandleStart = 13 "handle_start",
        /// The callback that began at `cause` is over.
        HandleEnd = 14 "handle_end",
        /// `process` answered the call `call` of `peer`: a send of class reply. Payload = the raw message.
        Reply = 15 "reply",
        /// The call `call` that `process` made to `peer` timed out; `cause` = the call's send.
        Timeout = 16 "timeout",
        /// The reply to `process`'s call came after its timeout and was dropped; `peer` = the replier; `cause` = the reply.
        LateReply = 17 "late_reply",
        /// `process` sent a message (payload) to the dead `peer`, or to the unknown name `meta.name` without peer. Stands in place of the send.
        SendToDead = 18 "send_to_dead",
        /// `process`'s state became the payload; `class` and `tag` = the trigger; `cause` = the handle_start. A gen_statem's
        /// is `#{state, data}`, a gen_event's `#{Handler => State}`. With `meta.partial` the payload has only some of the
        /// state's keys: `true`, or `data` when those of its key `data` are not all there either. With `meta.by` (`get_state`) somebody
        /// asked for it, and nothing is known of who made it.
        StateChange = 19 "state_change",
        /// `process` runs new code; payload `#{module, from, to}`.
        CodeChange = 20 "code_change",
        /// Supervisor `process` restarted a child: `peer` = the new one, `tag` = child id, `cause` = the old one's end;
        /// payload `#{id, old, new, reason}`.
        SupervisorRestart = 21 "supervisor_restart",
        /// `process` (a supervisor) changed its children; payload `#{op, id, ..}`; op is added, removed, terminated or gave_up.
        ChildSpecChange = 22 "child_spec_change",
        /// `process` started a timer; `call` = its reference; payload = `{After_ms, Message}`.
        TimerStart = 23 "timer_start",
        /// A timer's message (payload) arrived at `process`'s mailbox; `call` = its reference, `cause` = its start.
        TimerFire = 24 "timer_fire",
        TimerCancel = 25 "timer_cancel",
        /// Garbage collection of `process`; payload = the BEAM's info.
        Gc = 26 "gc",
        /// Events were lost here; payload `#{total, kinds}`.
        Loss = 27 "loss",
        /// A user's mark: `tag` = its name, `meta.text` = a note.
        Mark = 28 "mark",
        /// A new branch begins: the system is again as it was just after the event `cause`; payload `#{branch, name}`.
        Restored = 29 "restored",
        Forked = 30 "forked",
        /// An exit signal of `peer` reached `process`; payload = the reason, or the whole `{'EXIT', Pid, Reason}` when
        /// `tag` is `EXIT`: `process` traps and the message is in its mailbox now.
        ExitSignal = 31 "exit_signal",
        /// `process` wrote a line of output or a log message (payload: a binary, or `{Level, Text}`).
        Log = 32 "log",
        /// An input from outside: the shell started, called, cast, sent, killed, injected; payload = what.
        Input = 33 "input",
        /// `process` was looked at, and this is what `process_info` told: payload `#{memory_bytes, reductions, queue_len,
        /// status, current_function, label}`, each optional; `tag` = the label when it is an atom.
        Sample = 34 "sample",
        /// `process` is held inside its own loop at the breakpoint `tag`; payload `#{phase, message}`: `before` or
        /// `after` the callback. Until `released` its time stands still, and others wait for it.
        Held = 40 "held",
        /// `process` goes on; payload `#{how}`: `resumed`, `deadline` or `died`.
        Released = 41 "released",
    }
}

byte_enum! {
    /// The sort of message or of callback trigger.
    Class {
        None = 0 "none",
        Call = 1 "call",
        Cast = 2 "cast",
        /// Any other message.
        Info = 3 "info",
        Reply = 4 "reply",
        /// An `'EXIT'` message or signal.
        Exit = 5 "exit",
        /// A `'DOWN'` message.
        Down = 6 "down",
        Timer = 7 "timer",
        /// sys messages: suspend, get_state, ..
        System = 8 "system",
        Init = 9 "init",
        Continue = 10 "continue",
        Terminate = 11 "terminate",
        /// A gen_server's own `timeout`.
        Timeout = 12 "timeout",
        CodeChange = 13 "code_change",
        /// An event that a gen_statem inserted itself: `{next_event, internal, _}`.
        Internal = 14 "internal",
        /// A gen_statem enters a state (state enter calls).
        Enter = 15 "enter",
    }
}

/// An event as it is given to a store; the store gives it its [`Seq`].
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// Virtual or BEAM monotonic nanoseconds.
    pub at_ns: i64,
    pub kind: Kind,
    pub class: Class,
    pub process: Actor,
    pub peer: Option<Actor>,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    pub cause: Option<Seq>,
    /// External term format, with the version byte 131; empty for none.
    pub payload: &'a [u8],
    /// A map in external term format: what any event may carry beside its payload; empty for none.
    pub meta: &'a [u8],
}

impl<'a> NewEvent<'a> {
    /// An event with nothing optional set.
    pub fn new(at_ns: i64, kind: Kind, process: impl Into<Actor>) -> NewEvent<'a> {
        NewEvent {
            at_ns,
            kind,
            class: Class::None,
            process: process.into(),
            peer: None,
            tag: None,
            call: None,
            cause: None,
            payload: &[],
            meta: &[],
        }
    }
}

/// An event as it is read back. `Copy`; payloads are fetched by seq when asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Event {
    pub seq: Seq,
    /// Virtual or BEAM monotonic nanoseconds.
    pub at_ns: i64,
    pub kind: Kind,
    pub class: Class,
    pub process: Actor,
    pub peer: Option<Actor>,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    pub cause: Option<Seq>,
    /// Bytes of the payload in external term format; 0 when there is none.
    pub size_bytes: u32,
}

impl Event {
    /// The row of an event that has no seq yet (0 stands in).
    pub fn of(new: &NewEvent<'_>) -> Event {
        Event {
            seq: Seq(0),
            at_ns: new.at_ns,
            kind: new.kind,
            class: new.class,
            process: new.process,
            peer: new.peer,
            tag: new.tag,
            call: new.call,
            cause: new.cause,
            size_bytes: new.payload.len() as u32,
        }
    }
}

impl Event {
    /// Whether a callback begins with a message whose arrival was not recorded.
    pub fn takes_unseen(&self) -> bool {
        let takes =
            matches!(self.class, Class::Call | Class::Cast | Class::Info | Class::Exit | Class::Down | Class::Timer);
        self.kind == Kind::HandleStart && self.cause.is_none() && takes
    }
}

/// The `reason` of a [`Kind::Loss`] of what damage of a file took, in its payload; losses without a reason were dropped while recording.
pub const DAMAGE: &str = "damage";
/// The `reason` of a [`Kind::Loss`] at the end of an import that was interrupted.
pub const INTERRUPTED: &str = "interrupted";

/// In the metadata of an event whose payload was too large to be kept: its size.
pub const OMITTED_BYTES: &str = "omitted_bytes";

impl Kind {
    /// Whether this event puts a message into `process`'s mailbox ([`Kind::ExitSignal`] only with tag `EXIT`).
    pub fn is_arrival(self) -> bool {
        matches!(self, Kind::Receive | Kind::Down | Kind::TimerFire)
    }
    /// Whether this event ends `process`.
    pub fn is_end(self) -> bool {
        matches!(self, Kind::Exit | Kind::Crash)
    }
    /// Whether this event is a message leaving `process`.
    pub fn is_sending(self) -> bool {
        matches!(self, Kind::Send | Kind::Reply | Kind::SendToDead)
    }
}
