//! Processes that are stopped inside their own loop, and their states put back. It must not know breakpoints: a
//! hold has a name, a guard and a deadline.

use std::time::Duration;

use super::agent::{AgentEvent, Held, HoldOptions, Phase, Seen};
use super::feed::{Entrance, Look, StreamId};
use super::guard::Guard;
use super::{Beam, Term};
use crate::codec::redact::is_redacted;
use crate::codec::{etf, write};
use crate::model::{Atom, Failure, Outcome, Pid};

/// The name of a hold, as the target knows it; the breakpoint's.
pub type HoldId = Atom;

/// A process that is held now.
#[derive(Clone, Debug)]
pub struct HeldProcess {
    pub pid: Pid,
    pub hold: HoldId,
    /// Before the callback; else after it.
    pub is_before: bool,
    pub at_ns: i64,
    pub message: Option<Term>,
    /// After the callback its new state; before it the old one, when it is known.
    pub state: Option<Term>,
}

/// What listens to an agent on its own thread: frames and hits go straight to the feed, in their place in time.
pub(super) fn ear(feed: Entrance, stream: StreamId, shift_ns: i64) -> impl Fn(&AgentEvent) + Send {
    move |event| match event {
        AgentEvent::Frames(bytes) => feed.push_frames(stream, bytes.clone()),
        AgentEvent::Held(held) => {
            let at_ns = held.at_ns + shift_ns;
            if let Seen::Bytes(state) = &held.state {
                feed.look(Look::State { pid: held.pid, at_ns, state: state.clone() });
            }
            let fields = fields(held);
            feed.look(Look::Hold { pid: held.pid, at_ns, is_held: true, breakpoint: held.breakpoint, fields });
        }
        AgentEvent::Released { breakpoint, pid, at_ns, how } => {
            let mut fields = Vec::new();
            write::version(&mut fields);
            write::map_header(&mut fields, 1);
            write::atom_text(&mut fields, "how");
            write::atom(&mut fields, *how);
            let at_ns = at_ns + shift_ns;
            feed.look(Look::Hold { pid: *pid, at_ns, is_held: false, breakpoint: *breakpoint, fields });
        }
        AgentEvent::Ready(_) | AgentEvent::Stopped { .. } | AgentEvent::Gone { .. } => {}
    }
}

/// `#{phase, message}`, without what was too large.
fn fields(held: &Held) -> Vec<u8> {
    let message = match &held.message {
        Seen::Bytes(bytes) => Some(&bytes[1..]),
        Seen::TooLarge { .. } | Seen::Unknown => None,
    };
    let mut out = Vec::new();
    write::version(&mut out);
    write::map_header(&mut out, 1 + usize::from(message.is_some()));
    write::atom_text(&mut out, "phase");
    write::atom_text(&mut out, if held.is_before { "before" } else { "after" });
    if let Some(message) = message {
        write::atom_text(&mut out, "message");
        out.extend_from_slice(message);
    }
    out
}

impl Beam {
    /// Puts a hold into a process: it stops inside its own loop, before or after the callback, when the guard holds,
    /// and goes on by itself after the options' deadline. Errors: not an OTP process, busy for longer than the
    /// options' timeout, a guard that the VM cannot test.
    pub fn hold_at(&mut self, pid: Pid, id: HoldId, phase: Phase, guard: &Guard, options: &HoldOptions) -> Outcome<()> {
        if !guard.is_compilable() {
            return Err(Failure::unsupported(
                "this condition cannot be tested inside the node: its path has too many positions",
            ));
        }
        self.node_of(pid)?.agent.install(pid, id, phase, guard.hold_spec(), options)
    }

    /// Takes a hold out of a process; a held process goes on.
    pub fn remove_hold(&mut self, pid: Pid, id: HoldId) -> Outcome<()> {
        self.node_of(pid)?.agent.remove(pid, id)
    }

    /// The processes that are held now.
    pub fn held(&mut self) -> Vec<HeldProcess> {
        self.hear();
        self.held.values().cloned().collect()
    }

    /// Lets a held process go on. Errors: it is not held.
    pub fn resume(&mut self, pid: Pid) -> Outcome<()> {
        self.hear();
        let Some(held) = self.held.get(&pid) else {
            return Err(Failure::not_found(format!("{pid} is not held")).hint("paused()"));
        };
        let hold = held.hold;
        self.node_of(pid)?.agent.resume(pid, hold)?;
        self.held.remove(&pid);
        Ok(())
    }

    pub(super) fn note_held(&mut self, held: Held) {
        let veil = &mut self.veil;
        let mut term = |seen: &Seen| match seen {
            Seen::Bytes(bytes) => etf::decode(&veil.bytes(held.pid, bytes)).ok(),
            Seen::TooLarge { .. } | Seen::Unknown => None,
        };
        let row = HeldProcess {
            pid: held.pid,
            hold: held.breakpoint,
            is_before: held.is_before,
            at_ns: held.at_ns,
            message: term(&held.message),
            state: term(&held.state),
        };
        self.held.insert(held.pid, row);
    }

    /// Suspends a process between two callbacks until [`Beam::unsuspend`], or our end.
    pub fn suspend(&mut self, pid: Pid, timeout: Duration) -> Outcome<()> {
        self.node_of(pid)?.agent.suspend(pid, timeout)
    }

    pub fn unsuspend(&mut self, pid: Pid) -> Outcome<()> {
        self.node_of(pid)?.agent.unsuspend(pid)
    }

    /// Replaces a process's state and records the new one. Only the state: not its mailbox, timers, links, nor
    /// what it has told others. Errors: not an OTP process, no answer in time (a held process answers when it goes on).
    pub fn replace_state(&mut self, pid: Pid, new: Term, timeout: Duration) -> Outcome<()> {
        if self.held.contains_key(&pid) {
            return Err(Failure::unsupported(format!("{pid} is held inside its loop and takes no new state there"))
                .hint("resume(process) first; suspend(process) stops it between two messages"));
        }
        let mut bytes = Vec::new();
        etf::encode(&new, &mut bytes);
        if is_redacted(&bytes) {
            return Err(Failure::unsupported("something was redacted in this state: the process would lose it")
                .hint("start_tracing(what, #{redact: ()}) records and shows states whole from then on"));
        }
        let attached = self.node_of(pid)?;
        let (at_ns, state) = attached.agent.replace_state(pid, new, timeout)?;
        self.feed.look(Look::State { pid, at_ns: at_ns + attached.clock.shift_ns, state });
        Ok(())
    }
}
