//! Processes that are stopped inside their own loop, and their states put back. It must not know breakpoints: a
//! hold has a name, a guard and a deadline.

use std::sync::PoisonError;
use std::time::Duration;

use super::agent::{AgentEvent, Held, HoldOptions, Phase, Seen};
use super::feed::{Entrance, Look};
use super::guard::Guard;
use super::{Beam, Term};
use crate::codec::redact::is_redacted;
use crate::codec::{etf, write};
use crate::model::{Atom, Failure, Outcome, Pid};
use crate::sandbox::trace::Veil;

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
    /// After the callback its new state; before it the old one, when it is known. Of a gen_statem only `#{state}`.
    pub state: Option<Term>,
}

impl HeldProcess {
    /// What may be shown of it.
    fn of(held: Held, veil: &mut Veil) -> HeldProcess {
        let mut term = |seen: &Seen| match seen {
            Seen::Bytes(bytes) | Seen::Part(bytes) => etf::decode(&veil.bytes(held.pid, bytes)).ok(),
            Seen::TooLarge { .. } | Seen::Unknown => None,
        };
        HeldProcess {
            pid: held.pid,
            hold: held.breakpoint,
            is_before: held.is_before,
            at_ns: held.at_ns,
            message: term(&held.message),
            state: term(&held.state),
        }
    }
}

/// What listens to an agent on its own thread: hits go straight to the feed, in their place in time, and so do the
/// processes that work for us. Where thousands of looks wait, the hit is still known to [`Beam::held`].
pub(super) fn ear(feed: Entrance, shift_ns: i64) -> impl Fn(&AgentEvent) + Send {
    move |event| match event {
        AgentEvent::Held(held) => {
            let at_ns = held.at_ns + shift_ns;
            if let Seen::Bytes(state) = &held.state {
                feed.try_look(Look::State { pid: held.pid, at_ns, state: state.clone() });
            }
            let fields = fields(held);
            feed.try_look(Look::Hold { pid: held.pid, at_ns, is_held: true, breakpoint: held.breakpoint, fields });
        }
        AgentEvent::Worker { pid, has_ended: false } => {
            feed.try_look(Look::Ignore { pids: vec![*pid], node: None });
        }
        AgentEvent::Worker { pid, has_ended: true } => _ = feed.try_look(Look::Forget { pid: *pid }),
        AgentEvent::Released { breakpoint, pid, at_ns, how } => {
            let mut fields = Vec::new();
            write::version(&mut fields);
            write::map_header(&mut fields, 1);
            write::atom_text(&mut fields, "how");
            write::atom(&mut fields, *how);
            let at_ns = at_ns + shift_ns;
            feed.try_look(Look::Hold { pid: *pid, at_ns, is_held: false, breakpoint: *breakpoint, fields });
        }
        _ => {}
    }
}

/// `#{phase, message}`, without what was too large.
fn fields(held: &Held) -> Vec<u8> {
    let message = match &held.message {
        Seen::Bytes(bytes) | Seen::Part(bytes) => Some(&bytes[1..]),
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
        let attached = self.node_of(pid)?;
        // What runs there for us makes its heap larger: that says nothing of its state.
        attached.whole.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        attached.agent.install(pid, id, phase, guard.hold_spec(), options)
    }

    /// Takes a hold out of a process; a held process goes on.
    pub fn remove_hold(&mut self, pid: Pid, id: HoldId) -> Outcome<()> {
        self.node_of(pid)?.agent.remove(pid, id)
    }

    /// The processes that are held now.
    pub fn held(&mut self) -> Vec<HeldProcess> {
        let held: Vec<Held> = self.nodes.iter().flat_map(|attached| attached.agent.held()).collect();
        held.into_iter().map(|held| HeldProcess::of(held, &mut self.veil)).collect()
    }

    /// Lets a held process go on. Errors: it is not held.
    pub fn resume(&mut self, pid: Pid) -> Outcome<()> {
        let agent = &self.node_of(pid)?.agent;
        let held = agent.held().into_iter().find(|held| held.pid == pid);
        let held = held.ok_or_else(|| Failure::not_found(format!("{pid} is not held")).hint("paused()"))?;
        agent.resume(pid, held.breakpoint)
    }

    /// Suspends a process between two callbacks until [`Beam::unsuspend`], or our end.
    pub fn suspend(&mut self, pid: Pid, timeout: Duration) -> Outcome<()> {
        self.node_of(pid)?.agent.suspend(pid, timeout)?;
        let at_ns = self.node_of(pid)?.clock.now_ns();
        self.suspended.insert(pid, at_ns);
        Ok(())
    }

    /// The processes that are suspended by us, and since when.
    pub fn suspended(&self) -> Vec<(Pid, i64)> {
        self.suspended.iter().map(|(pid, at_ns)| (*pid, *at_ns)).collect()
    }

    /// Lets a suspended process go on. Errors: it is not suspended by us.
    pub fn unsuspend(&mut self, pid: Pid) -> Outcome<()> {
        self.node_of(pid)?;
        if self.suspended.remove(&pid).is_none() {
            return Err(Failure::not_found(format!("{pid} is neither held nor suspended")).hint("paused()"));
        }
        self.node_of(pid)?.agent.unsuspend(pid)
    }

    /// Replaces a process's state and records the new one. Only the state: not its mailbox, timers, links, nor
    /// what it has told others. Errors: not an OTP process, no answer in time (a held process answers when it goes on).
    pub fn replace_state(&mut self, pid: Pid, new: Term, timeout: Duration) -> Outcome<()> {
        if self.held().iter().any(|held| held.pid == pid) {
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
        let at_ns = at_ns + attached.clock.shift_ns;
        self.feed.look(Look::State { pid, at_ns, state });
        Ok(())
    }
}
