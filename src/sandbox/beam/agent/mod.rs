//! The agent on a target node: a few expressions that the target itself evaluates (`agent.erl` beside this file).
//!
//! It is started by rpc (`erl_scan`, `erl_parse`, `erl_eval`: all of stdlib), so nothing is loaded. One thread here
//! listens to it, hands answers to those who asked, and beats its heart; when the beating or the connection ends,
//! the agent undoes all that it did and ends. It must not know what the trace messages mean.

mod event;
mod request;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};

pub use event::{AgentEvent, Held, Ready, Seen};
pub use request::{HoldOptions, Mfa, Phase, TraceSource};

use super::dist::{Mailbox, Node, Received};
use crate::codec::etf;
use crate::codec::walk::RawTerm;
use crate::model::limits::{AGENT_BEAT_MS, AGENT_EVENTS_MAX, AGENT_SILENCE_MS};
use crate::model::{Failure, Outcome, Pid, Term};

/// The agent's source, without its leading comment's need of a compiler.
const SOURCE: &str = include_str!("agent.erl");

/// How long a request to the agent may take that does not wait for a process of the target.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A running agent. Dropping it says goodbye; so does the end of our process, without a word.
pub struct Agent {
    shared: Arc<Shared>,
    holder: Pid,
    ready: Ready,
    /// What the agent tells by itself.
    events: Receiver<AgentEvent>,
    listener: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    node: Node,
    /// Who waits for which answer, by [`crate::model::Reference::key`].
    waiting: Mutex<HashMap<u64, Sender<Vec<u8>>>>,
    is_closing: AtomicBool,
}

impl Agent {
    /// Starts the agent on `node`; about 15 ms. `ear` hears every event first, on the listening thread. Errors: the node refuses to evaluate, or is not ready in `timeout`.
    pub fn start(node: &Node, timeout: Duration, ear: impl Fn(&AgentEvent) + Send + 'static) -> Outcome<Agent> {
        let deadline = Instant::now() + timeout;
        let mailbox = node.mailbox()?;
        let expressions = parse(node, timeout)?;
        let bindings = Term::list([
            Term::tuple([Term::atom("Beat_ms"), Term::Int(AGENT_SILENCE_MS as i64)]),
            Term::tuple([Term::atom("Owner"), Term::Pid(mailbox.pid())]),
        ]);
        let holder = node.spawn_link("erl_eval", "exprs", vec![expressions, bindings], &mailbox)?;
        let ready = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match mailbox.recv_timeout(left) {
                Some(Received::Message(bytes)) => {
                    if let Some(AgentEvent::Ready(ready)) = event::read(&bytes) {
                        break ready;
                    }
                }
                Some(Received::Exit { reason, .. }) => {
                    let reason = shown(&reason);
                    return Err(Failure::unsupported(format!("{}: the agent did not start: {reason}", name_of(node))));
                }
                Some(Received::NodeDown { reason }) => return Err(down(node, &reason)),
                None => {
                    return Err(Failure::io(format!(
                        "{}: the agent was not ready within {} ms",
                        name_of(node),
                        timeout.as_millis()
                    ))
                    .hint("the node may be overloaded; try again"));
                }
            }
        };
        let shared = Arc::new(Shared {
            node: node.clone(),
            waiting: Mutex::new(HashMap::new()),
            is_closing: AtomicBool::new(false),
        });
        let (send, events) = bounded(AGENT_EVENTS_MAX);
        let listener = thread::Builder::new().name("beam agent".into()).spawn({
            let shared = Arc::clone(&shared);
            move || listen(&shared, &mailbox, holder, &ear, &send)
        });
        let listener = listener.map_err(|error| Failure::io(format!("cannot start a thread: {error}")))?;
        Ok(Agent { shared, holder, ready, events, listener: Mutex::new(Some(listener)) })
    }

    /// What it said of the node when it was ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }
    /// What the agent tells by itself; closed when it is gone.
    pub fn events(&self) -> &Receiver<AgentEvent> {
        &self.events
    }
    pub fn node(&self) -> &Node {
        &self.shared.node
    }
    /// The holder and the janitor: processes of ours on the target.
    pub fn pids(&self) -> [Pid; 2] {
        [self.holder, self.ready.janitor]
    }

    /// Asks and waits; gives the answer as external term bytes, 131 first. Errors: no answer within `timeout`
    /// (beyond what the request itself may wait), node down.
    fn ask_raw(&self, request: Term, timeout: Duration) -> Outcome<Vec<u8>> {
        let node = &self.shared.node;
        let reference = node.make_ref();
        let (send, answer) = bounded(1);
        let waiting = || self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().insert(reference.key(), send);
        let message = Term::tuple([Term::Ref(Arc::new(reference)), request]);
        let answered = match node.send(self.holder, &message) {
            Ok(()) => answer.recv_timeout(timeout).map_err(|_| match node.down_reason() {
                Some(reason) => down(node, &reason),
                None => Failure::io(format!("{}: no answer within {} ms", name_of(node), timeout.as_millis())),
            }),
            Err(failure) => Err(failure),
        };
        waiting().remove(&reference.key());
        answered
    }

    /// As [`Agent::ask_raw`], built as a term.
    fn ask(&self, request: Term) -> Outcome<Term> {
        let bytes = self.ask_raw(request, ANSWER_TIMEOUT)?;
        etf::decode(&bytes).map_err(|error| Failure::bad_input(format!("an answer of the agent: {error}")))
    }

    /// Undoes everything on the target and ends the agent. Waits for it at most a second.
    pub fn close(&self) {
        let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        // Whether it answered or not: what follows ends it in any case.
        let _ = self.ask_raw(Term::atom("bye"), Duration::from_secs(1));
        self.shared.is_closing.store(true, Ordering::Relaxed);
        let _ = self.shared.node.exit(self.holder, &Term::atom("kill"));
        let _ = listener.join();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.close();
    }
}

/// The source as the target's own parser sees it.
fn parse(node: &Node, timeout: Duration) -> Outcome<Term> {
    let refused = |answer: &Term| {
        Failure::unsupported(format!("{} does not parse the agent: {}", name_of(node), answer.display(SHOWN)))
    };
    let text = Term::list(SOURCE.chars().map(|c| Term::Int(i64::from(u32::from(c)))).collect::<Vec<_>>());
    let scanned = node.call("erl_scan", "string", vec![text], timeout)?;
    let Some([_, tokens, _]) = scanned.tagged("ok", 3) else { return Err(refused(&scanned)) };
    let parsed = node.call("erl_parse", "parse_exprs", vec![tokens.clone()], timeout)?;
    match parsed.tagged("ok", 2) {
        Some([_, expressions]) => Ok(expressions.clone()),
        _ => Err(refused(&parsed)),
    }
}

/// How much of an unexpected answer an error shows.
const SHOWN: crate::model::Style = crate::model::Style::erlang().chars_max(200);

fn down(node: &Node, reason: &str) -> Failure {
    Failure::io(format!("node {} is gone: {reason}", name_of(node)))
}

fn name_of(node: &Node) -> &'static str {
    node.name().as_str()
}

/// A reason in external term format, for people.
fn shown(bytes: &[u8]) -> String {
    etf::decode(bytes).map_or_else(|error| error.to_string(), |reason| reason.display(SHOWN).to_string())
}

/// Hands messages on and beats, until the agent or the connection ends.
fn listen(shared: &Shared, mailbox: &Mailbox, holder: Pid, ear: &dyn Fn(&AgentEvent), events: &Sender<AgentEvent>) {
    let beat = Term::atom("beat");
    let mut next_beat = Instant::now();
    while !shared.is_closing.load(Ordering::Relaxed) {
        if Instant::now() >= next_beat {
            next_beat = Instant::now() + Duration::from_millis(AGENT_BEAT_MS);
            if shared.node.send(holder, &beat).is_err() {
                break;
            }
        }
        match mailbox.recv_timeout(next_beat.saturating_duration_since(Instant::now()).min(Duration::from_millis(50))) {
            Some(Received::Message(bytes)) => deliver(shared, &bytes, ear, events),
            Some(Received::Exit { from, reason }) if from == holder => {
                let _ = events.try_send(AgentEvent::Gone { reason: shown(&reason) });
                break;
            }
            Some(Received::NodeDown { reason }) => {
                let _ = events.try_send(AgentEvent::Gone { reason });
                break;
            }
            Some(Received::Exit { .. }) | None => {}
        }
    }
    // Nobody will answer any more: who waits is told by the closed channel.
    shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// A message of the agent: an answer or an event.
fn deliver(shared: &Shared, bytes: &[u8], ear: &dyn Fn(&AgentEvent), events: &Sender<AgentEvent>) {
    if let Some(event) = event::read(bytes) {
        ear(&event);
        if !matches!(event, AgentEvent::Frames(_)) {
            // The session takes them within moments; what is held is also in the recording.
            let _ = events.send_timeout(event, Duration::from_secs(1));
        }
        return;
    }
    let Ok((message, _)) = RawTerm::parse(bytes) else { return };
    let Some([reference, answer]) = message.tuple_of() else { return };
    let Some(reference) = reference.as_ref() else { return };
    let asker = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&reference.key());
    if let Some(asker) = asker {
        let mut whole = vec![131];
        whole.extend_from_slice(answer.bytes());
        // Whoever asked may have given up.
        let _ = asker.try_send(whole);
    }
}
