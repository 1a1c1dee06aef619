//! What a user does to a live system: calls, casts, messages, exit signals, made on the node by processes of ours.
//! It must not know what the trace shows of them.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::bounded;

use super::Beam;
use crate::model::{Atom, Failure, Outcome, Pid, Term};
use crate::sandbox::{Dest, EventSink, Input, RunEnd};

/// How much longer than the call itself we wait for its outcome.
const GRACE: Duration = Duration::from_secs(1);

impl Beam {
    pub(super) fn perform_input(&mut self, input: Input, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        let done = RunEnd::Answered(Term::atom("ok"));
        match input {
            Input::Call { to, request, timeout_ns } => self.call(&to, request, timeout_ns, sink),
            Input::Cast { to, request } => {
                let message = Term::tuple([Term::atom("$gen_cast"), request]);
                self.deliver(&to, &message).map(|()| done)
            }
            Input::Send { to, message } => self.deliver(&to, &message).map(|()| done),
            Input::Exit { to, reason } => {
                let (node, to) = self.receiver(&to)?;
                let node = self.nodes[node].agent.node();
                let pid = match to {
                    Term::Pid(pid) => pid,
                    name => whereis(node, name)?,
                };
                node.exit(pid, &reason).map(|()| done)
            }
            Input::Start { .. } => Err(Failure::unsupported("modules of scripts run on a sim, not on a live node")
                .hint("beam(#{start: \"shop:start/0\"}) starts code on a node of our own")),
        }
    }

    /// Calls from a process of ours. What happens meanwhile is recorded; a breakpoint that holds the server ends the
    /// waiting, and the answer is then nobody's.
    fn call(&mut self, to: &Dest, request: Term, timeout_ns: Option<i64>, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        let timeout = timeout_ns.map_or(Duration::from_secs(5), |ns| Duration::from_nanos(ns.max(0) as u64));
        let (node, to) = self.receiver(to)?;
        let node = self.nodes[node].agent.node().clone();
        let ms = Term::Int(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let (send, answer) = bounded(1);
        let server = to.clone();
        let caller = move || {
            // Whoever asked may have stopped at a breakpoint.
            let _ = send.send(node.try_call("gen_server", "call", vec![to, request, ms], timeout + GRACE));
        };
        let thread = thread::Builder::new().name("beam call".into()).spawn(caller);
        thread.map_err(|error| Failure::io(format!("cannot start a thread: {error}")))?;
        loop {
            match answer.try_recv() {
                Ok(Ok(reply)) => {
                    let reply = self.veil.term(&server, &reply);
                    return Ok(RunEnd::Answered(Term::tuple([Term::atom("ok"), reply])));
                }
                Ok(Err(error)) => {
                    let Some(reason) = error.raised("exit").cloned() else { return Err(error.into()) };
                    let reason = self.veil.term(&server, &reason);
                    return Ok(RunEnd::Answered(Term::tuple([Term::atom("exit"), reason])));
                }
                Err(_) => {}
            }
            let end = self.record(sink, Instant::now() + Duration::from_millis(1), true)?;
            if matches!(end, RunEnd::Stopped | RunEnd::Interrupted) {
                return Ok(end);
            }
        }
    }

    fn deliver(&self, to: &Dest, message: &Term) -> Outcome<()> {
        let (node, to) = self.receiver(to)?;
        let node = self.nodes[node].agent.node();
        match to {
            Term::Pid(pid) => node.send(pid, message),
            Term::Atom(name) => node.send_name(name.as_str(), message),
            _ => Err(Failure::usage("a message goes to a pid or a name")),
        }
    }

    /// The node and the pid or name there. Of several nodes, a name means the first that knows it.
    fn receiver(&self, to: &Dest) -> Outcome<(usize, Term)> {
        let knows = |name: Atom| self.nodes.iter().position(|attached| attached.facts.named(name).is_some());
        let idx = match to {
            Dest::Pid(pid) => {
                let node = pid.origin.id().node;
                self.nodes.iter().position(|attached| attached.agent.node().name() == node).ok_or_else(|| {
                    Failure::not_found(format!("{pid} lives on {}, which is not attached", node.as_str()))
                })?
            }
            Dest::Name(name) => knows(*name).unwrap_or(0),
        };
        if self.nodes[idx].is_gone {
            return Err(Failure::io(format!("node {} is gone", self.nodes[idx].agent.node().name().as_str())));
        }
        let to = match to {
            Dest::Pid(pid) => Term::Pid(*pid),
            Dest::Name(name) => Term::Atom(*name),
        };
        Ok((idx, to))
    }
}

/// Who is registered as `name`.
fn whereis(node: &super::Node, name: Term) -> Outcome<Pid> {
    let shown = name.display(crate::model::Style::erlang()).to_string();
    let found = node.call("erlang", "whereis", vec![name], GRACE)?;
    found.as_pid().ok_or_else(|| Failure::not_found(format!("no process is registered as {shown} on the node")))
}
