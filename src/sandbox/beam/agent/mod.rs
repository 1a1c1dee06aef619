//! The agent on a target node: a few expressions that the target itself evaluates (`agent.erl` beside this file).
//!
//! It is started by rpc (`erl_scan`, `erl_parse`, `erl_eval`: all of stdlib), so nothing is loaded. One thread here
//! listens to it and hands answers to those who asked; another beats its heart. When the beating or the connection
//! ends, the agent undoes all that it did and ends. It must not know what the trace messages mean.
//!
//! Invariant: the listening thread waits for nobody, so that an answer always reaches who asked, whatever the session
//! is busy with.

pub mod event;
mod request;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

pub use event::{AgentEvent, Held, Ready, Seen};
pub use request::{HoldOptions, Mfa, Phase};

use super::dist::{Mailbox, Node, Received};
use crate::codec::etf;
use crate::codec::walk::RawTerm;
use crate::model::limits::{AGENT_BEAT_MS, AGENT_EVENTS_MAX, AGENT_SILENCE_MS, FORWARDED_AHEAD};
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
    /// What the agent tells by itself, but for hits.
    events: Receiver<AgentEvent>,
    listener: Mutex<Option<thread::JoinHandle<()>>>,
    /// Dropped, it ends the heart.
    _heart: Sender<()>,
}

struct Shared {
    node: Node,
    /// Who waits for which answer, by [`crate::model::Reference::key`].
    waiting: Mutex<HashMap<u64, Sender<Vec<u8>>>>,
    /// The processes that are held now.
    held: Mutex<BTreeMap<Pid, Held>>,
    /// Who takes the frames that a process at the node forwards.
    frames: Mutex<Option<Sender<Vec<u8>>>>,
    is_closing: AtomicBool,
    /// Nobody listens any more.
    is_over: AtomicBool,
}

impl Agent {
    /// Starts the agent on `node`; about 15 ms. `ear` hears of hits and workers on the listening thread, and must not wait.
    /// Errors: the node refuses to evaluate, or is not ready in `timeout`.
    pub fn start(node: &Node, timeout: Duration, ear: impl Fn(&AgentEvent) + Send + 'static) -> Outcome<Agent> {
        let deadline = Instant::now() + timeout;
        let mailbox = node.mailbox()?;
        let expressions = parse(node, timeout)?;
        let bindings = Term::list([
            Term::tuple([Term::atom("Beat_ms"), Term::Int(AGENT_SILENCE_MS as i64)]),
            Term::tuple([Term::atom("Owner"), Term::Pid(mailbox.pid())]),
        ]);
        let holder = node.spawn_link("erl_eval", "exprs", vec![expressions, bindings], &mailbox)?;
        let ready = await_ready(node, &mailbox, deadline, timeout)?;
        let shared = Arc::new(Shared {
            node: node.clone(),
            waiting: Mutex::new(HashMap::new()),
            held: Mutex::new(BTreeMap::new()),
            frames: Mutex::new(None),
            is_closing: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        let (sender, events) = bounded(AGENT_EVENTS_MAX);
        let listener = Listener { shared: Arc::clone(&shared), mailbox, holder, events: sender };
        let listener = spawn("beam agent", move || listener.listen(&ear))?;
        let (heart, stop) = bounded(0);
        let (beating, janitor) = (node.clone(), ready.janitor);
        drop(spawn("beam heart", move || beat(&beating, janitor, &stop))?);
        Ok(Agent { shared, holder, ready, events, listener: Mutex::new(Some(listener)), _heart: heart })
    }

    /// What it said of the node when it was ready.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }
    /// What the agent tells by itself, but for hits; closed when it is gone.
    pub fn events(&self) -> &Receiver<AgentEvent> {
        &self.events
    }
    /// The processes that are held at hits now.
    pub fn held(&self) -> Vec<Held> {
        locked(&self.shared.held).values().cloned().collect()
    }
    /// The frames that a forwarder sends from now on, a batch at a time.
    fn forwarded(&self) -> Receiver<Vec<u8>> {
        let (sender, frames) = bounded(FORWARDED_AHEAD);
        *locked(&self.shared.frames) = Some(sender);
        frames
    }
    /// Lets a forwarder send one batch more.
    pub fn ask_for_more(&self, forwarder: Pid) {
        // A node that is gone sends no more.
        let _ = self.node().send(forwarder, &Term::atom("more"));
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
        let waiting = || locked(&self.shared.waiting);
        waiting().insert(reference.key(), send);
        if self.shared.is_over.load(Ordering::Acquire) {
            // The listener has said so to all who waited, and will not look again.
            waiting().remove(&reference.key());
            return Err(down(node, &node.down_reason().unwrap_or_else(|| "our agent there has ended".to_string())));
        }
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
        let Some(listener) = locked(&self.listener).take() else { return };
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

/// What these hold is whole at any moment: a panic elsewhere leaves nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the agent's first word.
fn await_ready(node: &Node, mailbox: &Mailbox, deadline: Instant, timeout: Duration) -> Outcome<Ready> {
    loop {
        match mailbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Some(Received::Message(bytes)) => {
                if let Some(AgentEvent::Ready(ready)) = event::read(&bytes) {
                    return Ok(ready);
                }
            }
            Some(Received::Exit { reason, .. }) => {
                let reason = shown(&reason);
                return Err(Failure::unsupported(format!("{}: the agent did not start: {reason}", name_of(node))));
            }
            Some(Received::NodeDown { reason }) => return Err(down(node, &reason)),
            None => {
                let late = format!("{}: the agent was not ready within {} ms", name_of(node), timeout.as_millis());
                return Err(Failure::io(late).hint("the node may be overloaded; try again"));
            }
        }
    }
}

fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> Outcome<thread::JoinHandle<T>> {
    let thread = thread::Builder::new().name(name.to_string()).spawn(run);
    thread.map_err(|error| Failure::io(format!("cannot start a thread: {error}")))
}

/// Beats until the agent is closed or the connection ends.
fn beat(node: &Node, janitor: Pid, stop: &Receiver<()>) {
    let beat = Term::atom("beat");
    while node.send(janitor, &beat).is_ok() || node.is_up() {
        match stop.recv_timeout(Duration::from_millis(AGENT_BEAT_MS)) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return,
        }
    }
}

/// What the listening thread has.
struct Listener {
    shared: Arc<Shared>,
    mailbox: Mailbox,
    holder: Pid,
    events: Sender<AgentEvent>,
}

impl Listener {
    /// Hands messages on until the agent or the connection ends.
    fn listen(&self, ear: &dyn Fn(&AgentEvent)) {
        while !self.shared.is_closing.load(Ordering::Relaxed) {
            match self.mailbox.recv_timeout(Duration::from_millis(50)) {
                Some(Received::Message(bytes)) => self.deliver(&bytes, ear),
                Some(Received::Exit { from, reason }) if from == self.holder => {
                    let reason = match shown(&reason).as_str() {
                        "{cinema,owner_is_silent}" => "it heard nothing of us for some seconds, and has taken back \
                             all that was ours; attach to it again"
                            .to_string(),
                        reason => format!("our agent there has ended: {reason}"),
                    };
                    self.tell(AgentEvent::Gone { reason });
                    break;
                }
                Some(Received::NodeDown { reason }) => {
                    self.tell(AgentEvent::Gone { reason });
                    break;
                }
                Some(Received::Exit { .. }) | None => {}
            }
        }
        self.shared.is_over.store(true, Ordering::Release);
        locked(&self.shared.held).clear();
        locked(&self.shared.frames).take();
        // Nobody will answer any more: who waits is told by the closed channel.
        locked(&self.shared.waiting).clear();
    }

    /// A limit is tripped once, and a node ends once: there is room.
    fn tell(&self, event: AgentEvent) {
        let _ = self.events.try_send(event);
    }

    /// A message of the agent: an answer or an event.
    fn deliver(&self, bytes: &[u8], ear: &dyn Fn(&AgentEvent)) {
        let Some(event) = event::read(bytes) else { return self.answer(bytes) };
        match &event {
            AgentEvent::Held(held) => drop(locked(&self.shared.held).insert(held.pid, held.clone())),
            AgentEvent::Released { pid, .. } => drop(locked(&self.shared.held).remove(pid)),
            AgentEvent::Ready(_) | AgentEvent::Stopped { .. } | AgentEvent::Gone { .. } => return self.tell(event),
            AgentEvent::Worker { .. } | AgentEvent::Frames { .. } => {}
        }
        let AgentEvent::Frames { bytes } = event else { return ear(&event) };
        if let Some(frames) = &*locked(&self.shared.frames) {
            // It sends no more ahead than there is room.
            let _ = frames.try_send(bytes);
        }
    }

    fn answer(&self, bytes: &[u8]) {
        let Ok((message, _)) = RawTerm::parse(bytes) else { return };
        let Some([reference, answer]) = message.tuple_of() else { return };
        let Some(reference) = reference.as_ref() else { return };
        let asker = locked(&self.shared.waiting).remove(&reference.key());
        if let Some(asker) = asker {
            let mut whole = vec![131];
            whole.extend_from_slice(answer.bytes());
            // Whoever asked may have given up.
            let _ = asker.try_send(whole);
        }
    }
}
