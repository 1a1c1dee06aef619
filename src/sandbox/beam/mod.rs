//! Live BEAM nodes over the Erlang distribution protocol: attach, trace, stop, look, leave no trace.
//!
//! No code is changed and no module is loaded on the target. In reading order: [`dist`] (the protocol), [`agent`]
//! (our processes on the target), [`facts`] and [`select`] (who is there, who is meant), `patterns` and [`guard`]
//! (what is traced of calls, what the VM tests itself), [`feed`] (from trace bytes to events), `sampler`, [`launch`]
//! (nodes of our own), and [`Beam`], the sandbox of one or several nodes.
//!
//! It must not know the store, breakpoints or scripts.

pub mod agent;
mod clock;
pub mod dist;
pub mod facts;
pub mod feed;
pub mod guard;
mod hold;
mod input;
pub mod launch;
pub mod options;
mod patterns;
mod sampler;
pub mod select;
pub mod trace;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::agent::{Agent, AgentEvent, Ready};
use self::clock::{NodeClock, RecordingClock};
use self::dist::{Config, Cookie, Machine, Node, Target};
use self::facts::Facts;
use self::feed::{Feed, Look, StreamId};
pub use self::hold::{HeldProcess, HoldId};
use self::launch::{LaunchOptions, Launched};
use self::options::{AttachOptions, CookieSource};
use self::sampler::{Sampler, WholeProcesses};
use super::trace::{Redaction, Veil};
use super::{Capabilities, EventSink, Input, RunEnd, RunLimit, Sandbox, Stopped};
use crate::model::{Atom, EventBatch, Failure, Outcome, Pid, Seq, Term};

/// One or several live nodes as a source of events.
pub struct Beam {
    nodes: Vec<Attached>,
    feed: Feed,
    /// What is shown of processes goes through it, as what is recorded does.
    veil: Veil,
    /// The batch that is being recorded, and the next of its events.
    open: Option<(EventBatch, usize)>,
    /// Processes that we have suspended, and when, in the recording's time.
    suspended: BTreeMap<Pid, i64>,
    /// What should be told to the user.
    news: Vec<String>,
    n_marks: i64,
    mark_seed: RandomState,
    launched: Option<Launched>,
}

/// A node that we are attached to.
struct Attached {
    agent: Arc<Agent>,
    stream: StreamId,
    clock: RecordingClock,
    facts: Facts,
    /// Processes whose states are traced whole, however large their heaps: they have breakpoints.
    whole: WholeProcesses,
    /// While it is traced.
    sampler: Option<Sampler>,
    /// Whether its trace port has been opened and not been closed.
    is_open: bool,
    is_gone: bool,
}

impl Attached {
    /// Whether trace messages may be on their way from it.
    fn has_stream(&self) -> bool {
        self.is_open && !self.is_gone
    }
}

/// How long a source of events may keep the session's thread when it is only asked in passing.
const DRAIN: Duration = Duration::from_millis(40);

/// When a mark that has not come is taken for dropped.
const MARK_PATIENCE: Duration = Duration::from_millis(100);

/// How long an input waits for the events that it made.
const SETTLE: Duration = Duration::from_millis(200);

/// What is known of an attached node.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    pub node: Atom,
    pub ready: Ready,
    pub shift_ns: i64,
    pub shift_error_ns: i64,
    pub is_gone: bool,
}

/// What there is to know of all processes, and of the modules that they run.
fn all_facts(agent: &Agent) -> Outcome<Facts> {
    let mut facts = Facts::read(&agent.facts(None, Duration::from_secs(10))?)?;
    let modules: Vec<Atom> = facts.modules().into_iter().collect();
    let answer = agent.modules(&modules)?;
    let known = answer.as_list().unwrap_or_default().iter().filter_map(patterns::ModuleFacts::read);
    facts.behaviours = known.map(|module| (module.module, module.behaviours)).collect();
    Ok(facts)
}

/// A connection as the options want it. Errors come in under 3 s and say what to do.
fn connect(options: &AttachOptions) -> Outcome<Node> {
    let machine = Machine::here();
    let cookie = match &options.cookie {
        CookieSource::Home => Cookie::from_home()?,
        CookieSource::File(path) => Cookie::from_file(path)?,
        CookieSource::Text(cookie) => cookie.clone(),
    };
    let target = Target::parse(&options.node, options.is_long, &machine)
        .map_err(|error| Failure::usage(error.to_string()).hint("cinema attach name@host"))?;
    let mut config = Config::new(target, cookie, machine);
    config.deadline = options.timeout;
    Node::connect(&config)
}

impl Beam {
    /// Attaches to a node: connects, starts the agent, lists what is there. Nothing is traced yet. About 100 ms and
    /// 30 µs per process. `first` is the seq of the first event.
    pub fn attach(options: &AttachOptions, first: Seq) -> Outcome<Beam> {
        let node = connect(options)?;
        Beam::around(node, first, None, options.redact.clone())
    }

    /// As [`Beam::attach`], over a connection that is there already.
    pub fn on(node: Node, first: Seq) -> Outcome<Beam> {
        Beam::around(node, first, None, Redaction::default())
    }

    /// Starts a node of our own, attaches to it, and starts nothing on it yet ([`Beam::start_launched`]).
    pub fn launch(options: &LaunchOptions, first: Seq) -> Outcome<Beam> {
        let launched = launch::launch(options)?;
        let node = launched.node.clone();
        Beam::around(node, first, Some(launched), options.redact.clone())
    }

    fn around(node: Node, first: Seq, launched: Option<Launched>, redaction: Redaction) -> Outcome<Beam> {
        let mut feed = Feed::start(first)?;
        let veil = Veil::new(redaction, []);
        feed.veil(veil.clone());
        let mut beam = Beam {
            nodes: Vec::new(),
            feed,
            veil,
            open: None,
            suspended: BTreeMap::new(),
            news: Vec::new(),
            n_marks: 0,
            mark_seed: RandomState::new(),
            launched,
        };
        beam.join(node)?;
        Ok(beam)
    }

    /// The user's own modules on a launched node; none on another's.
    pub fn own_modules(&self, options: &LaunchOptions) -> Outcome<Vec<Atom>> {
        self.launched.as_ref().map_or(Ok(Vec::new()), |launched| launched.modules(options))
    }

    /// Starts what a launched node was started for.
    pub fn start_launched(&self, options: &LaunchOptions) -> Outcome<()> {
        match &self.launched {
            Some(launched) => launched.start(options),
            None => Ok(()),
        }
    }

    /// Attaches to one more node, into the same recording.
    pub fn attach_more(&mut self, options: &AttachOptions) -> Outcome<()> {
        let node = connect(options)?;
        if self.nodes.iter().any(|attached| attached.agent.node().name() == node.name() && !attached.is_gone) {
            return Err(Failure::usage(format!("{} is attached already", node.name().as_str())));
        }
        self.join(node)
    }

    fn join(&mut self, node: Node) -> Outcome<()> {
        let clock = match self.nodes.first_mut() {
            None => NodeClock::read(&node)?.shifted_to(None),
            Some(first) => {
                if !first.is_gone {
                    first.clock.node = NodeClock::read_well(first.agent.node())?;
                }
                NodeClock::read_well(&node)?.shifted_to(Some(&first.clock.node))
            }
        };
        let stream = self.feed.add_stream(node.name(), clock.shift_ns);
        let ear = hold::ear(self.feed.entrance(), clock.shift_ns);
        let agent = Agent::start(&node, Duration::from_secs(3), ear)?;
        let at_ns = agent.ready().monotonic_ns + clock.shift_ns;
        self.feed.look(Look::Ignore { pids: agent.pids().to_vec(), node: Some(node.own_name()) });
        let mut attached = Attached {
            agent: Arc::new(agent),
            stream,
            clock,
            facts: Facts::default(),
            whole: WholeProcesses::default(),
            sampler: None,
            is_open: false,
            is_gone: false,
        };
        attached.facts = all_facts(&attached.agent)?;
        attached.facts.introductions().into_iter().for_each(|process| {
            self.feed.look(Look::Process { at_ns, process: Box::new(process) });
        });
        self.nodes.push(attached);
        Ok(())
    }

    /// What is known of the nodes.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let info = |attached: &Attached| NodeInfo {
            node: attached.agent.node().name(),
            ready: attached.agent.ready().clone(),
            shift_ns: attached.clock.shift_ns,
            shift_error_ns: attached.clock.error_ns,
            is_gone: attached.is_gone,
        };
        self.nodes.iter().map(info).collect()
    }

    /// What the trace streams gave so far.
    pub fn counts(&self) -> &feed::Counts {
        self.feed.counts()
    }

    /// What is taken out of what is recorded and shown.
    pub fn redaction(&self) -> &Redaction {
        self.veil.redaction()
    }

    /// Takes something else out from now on. All processes are asked anew, to know who is not to be listened to.
    pub fn redact(&mut self, redaction: Redaction) -> Outcome<()> {
        self.refresh()?;
        let is_hidden = |process: &facts::ProcessFacts| {
            [process.name, process.module].into_iter().flatten().any(|name| redaction.hides(name))
        };
        let processes = self.nodes.iter().flat_map(|attached| attached.facts.processes.values());
        let hidden: Vec<Pid> = processes.filter(|process| is_hidden(process)).map(|process| process.pid).collect();
        self.veil = Veil::new(redaction, hidden);
        self.feed.veil(self.veil.clone());
        Ok(())
    }

    /// The node that `pid` lives on.
    fn node_of(&self, pid: Pid) -> Outcome<&Attached> {
        let id = pid.origin.id();
        let found = self.nodes.iter().find(|attached| attached.agent.node().name() == id.node);
        let node = id.node.as_str();
        match found {
            Some(attached) if attached.is_gone => Err(Failure::io(format!("node {node} is gone"))),
            Some(attached) => Ok(attached),
            None => Err(Failure::not_found(format!("{pid} lives on {node}, which is not attached"))),
        }
    }

    /// Asks all processes anew and records what is new of them.
    pub fn refresh(&mut self) -> Outcome<u64> {
        let mut n_new = 0;
        for idx in 0..self.nodes.len() {
            let attached = &mut self.nodes[idx];
            let at_ns = attached.clock.now_ns();
            let facts = all_facts(&attached.agent)?;
            let known = std::mem::replace(&mut attached.facts, facts);
            for process in self.nodes[idx].facts.introductions() {
                if !known.processes.contains_key(&process.pid) {
                    n_new += 1;
                    self.feed.look(Look::Process { at_ns, process: Box::new(process) });
                }
            }
        }
        Ok(n_new)
    }

    /// Records what `process_info` says of a process now. Errors: it is not alive.
    pub fn sample(&mut self, pid: Pid) -> Outcome<()> {
        let attached = self.node_of(pid)?;
        let facts = Facts::read(&attached.agent.facts(Some(&[pid]), Duration::from_secs(2))?)?;
        let at_ns = attached.clock.now_ns();
        let process = facts.processes.get(&pid).ok_or_else(|| Failure::not_found(format!("{pid} is not alive")))?;
        self.feed.look(Look::Sample { pid, at_ns, sample: Box::new(process.sample()) });
        Ok(())
    }

    /// Asks a process for its state and records it. Errors: see [`Agent::state`].
    pub fn look_at_state(&mut self, pid: Pid, n_bytes_max: u64, timeout: Duration) -> Outcome<Term> {
        let attached = self.node_of(pid)?;
        let (at_ns, state) = attached.agent.state(pid, n_bytes_max, timeout)?;
        let at_ns = at_ns + attached.clock.shift_ns;
        let shown = self.veil.bytes(pid, &state);
        let term = crate::codec::etf::decode(&shown).map_err(|error| Failure::bad_input(error.to_string()))?;
        self.feed.look(Look::State { pid, at_ns, state });
        Ok(term)
    }

    /// Takes everything that the nodes had said until now: a mark goes through each stream. False when one did not
    /// come through in `timeout`: a node stands still, or its trace queue is full.
    pub fn catch_up(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let traced: Vec<usize> = (0..self.nodes.len()).filter(|idx| self.nodes[*idx].has_stream()).collect();
        let marks: Vec<(usize, i64)> = traced.into_iter().map(|idx| (idx, self.next_mark())).collect();
        let are_through = self.pass_marks(&marks, deadline);
        // What was learned beside the trace stands behind no mark of a node.
        let nonce = self.next_mark();
        self.feed.look(Look::Mark { nonce });
        self.feed.wait_for(nonce, deadline) && are_through
    }

    /// Sends marks through the streams of nodes, again when they were dropped, until all have come; false at the
    /// deadline.
    fn pass_marks(&mut self, marks: &[(usize, i64)], deadline: Instant) -> bool {
        let mut pending = marks.to_vec();
        while !pending.is_empty() && Instant::now() < deadline {
            pending.iter().for_each(|(idx, nonce)| self.nodes[*idx].agent.mark(*nonce));
            let patience = deadline.min(Instant::now() + MARK_PATIENCE);
            pending.retain(|(_, nonce)| !self.feed.wait_for(*nonce, patience));
        }
        pending.is_empty()
    }

    /// A nonce that nobody can guess who does not see the stream.
    fn next_mark(&mut self) -> i64 {
        self.n_marks += 1;
        let mut hasher = self.mark_seed.build_hasher();
        hasher.write_i64(self.n_marks);
        (hasher.finish() >> 2) as i64
    }

    /// Listens to what the agents tell.
    fn hear(&mut self) {
        for idx in 0..self.nodes.len() {
            let events: Vec<AgentEvent> = self.nodes[idx].agent.events().try_iter().collect();
            events.into_iter().for_each(|event| self.heard(idx, event));
        }
        self.news.extend(self.feed.counts().take_ends());
    }

    fn heard(&mut self, idx: usize, event: AgentEvent) {
        let attached = &mut self.nodes[idx];
        let node = attached.agent.node().name().as_str();
        match event {
            AgentEvent::Stopped { limit } => {
                attached.sampler = None;
                self.news.push(trace::stopped_by(node, &limit));
            }
            AgentEvent::Gone { reason } => {
                attached.sampler = None;
                if !std::mem::replace(&mut attached.is_gone, true) {
                    self.news.push(format!("node {node} is gone: {reason}; what was recorded stays"));
                }
            }
            // Hits are the agent's own to keep.
            _ => {}
        }
    }

    /// Records events that have come, for at most `until`, waiting for more when `is_waiting`.
    fn record(&mut self, sink: &mut dyn EventSink, until: Instant, is_waiting: bool) -> Outcome<RunEnd> {
        loop {
            self.hear();
            for news in self.news.drain(..) {
                sink.tell(news);
            }
            if self.record_batch(sink).is_err() {
                return Ok(RunEnd::Stopped);
            }
            if sink.is_interrupted() {
                return Ok(RunEnd::Interrupted);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(RunEnd::Limit);
            }
            if !is_waiting && !self.has_events() {
                return Ok(RunEnd::Limit);
            }
            if is_waiting && self.nodes.iter().all(|attached| attached.is_gone) && !self.has_events() {
                return Ok(RunEnd::Idle);
            }
            if self.open.is_none() {
                let wait = if is_waiting { left.min(Duration::from_millis(20)) } else { Duration::ZERO };
                self.open = self.feed.next_batch(wait).map(|batch| (batch, 0));
            }
        }
    }

    /// Whether events have come that are not recorded yet.
    pub fn has_events(&self) -> bool {
        self.open.is_some() || self.feed.has_more()
    }

    /// Records what is left of the open batch, up to an event at which the run stops.
    fn record_batch(&mut self, sink: &mut dyn EventSink) -> Result<(), Stopped> {
        let Some((batch, next)) = &mut self.open else { return Ok(()) };
        for event in batch.iter().skip(*next) {
            *next += 1;
            sink.record(&event)?;
        }
        if let Some((batch, _)) = self.open.take() {
            self.feed.give_back(batch);
        }
        Ok(())
    }
}

impl Sandbox for Beam {
    fn capabilities(&self) -> Capabilities {
        let is_attached = self.nodes.iter().any(|attached| !attached.is_gone);
        Capabilities {
            can_run: is_attached,
            can_input: is_attached,
            is_live: is_attached,
            can_trace: is_attached,
            can_pause: is_attached,
            ..Capabilities::default()
        }
    }

    fn describe(&self) -> String {
        let name = |attached: &Attached| {
            let ready = attached.agent.ready();
            let gone = if attached.is_gone { ", gone" } else { "" };
            format!("{} (OTP {}{gone})", attached.agent.node().name().as_str(), ready.otp_release)
        };
        let names: Vec<String> = self.nodes.iter().map(name).collect();
        let redacted = match self.feed.counts().n_redacted() {
            0 => String::new(),
            n => format!("; {n} values redacted"),
        };
        format!("live {}{redacted}", names.join(", "))
    }

    fn input(&mut self, input: Input, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        let end = self.perform_input(input, sink)?;
        if matches!(end, RunEnd::Answered(_)) {
            self.catch_up(SETTLE);
            if self.record(sink, Instant::now() + SETTLE, false)? == RunEnd::Stopped {
                return Ok(RunEnd::Stopped);
            }
        }
        Ok(end)
    }

    /// Lets wall time pass and records what happens meanwhile.
    fn run(&mut self, limit: RunLimit, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        let left_ns = limit.until_ns.map(|until_ns| until_ns.saturating_sub(self.clock_ns().unwrap_or(until_ns)));
        let left = left_ns.map_or(FOREVER, |ns| Duration::from_nanos(u64::try_from(ns).unwrap_or(0)));
        self.record(sink, Instant::now() + left, true)
    }

    fn drain(&mut self, sink: &mut dyn EventSink) -> Outcome<()> {
        self.record(sink, Instant::now() + DRAIN, false).map(drop)
    }

    fn clock_ns(&self) -> Option<i64> {
        self.nodes.first().map(|first| first.clock.now_ns())
    }

    fn restore(&mut self, _at: Option<Seq>, _restored: Seq) -> Outcome<()> {
        Err(Failure::unsupported("a live node does not go back (capability can_restore)")
            .hint("restore_state(process, moment) puts one process's state back, and nothing else"))
    }

    fn as_beam(&mut self) -> Option<&mut Beam> {
        Some(self)
    }
}

/// Longer than anybody waits.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Drop for Beam {
    fn drop(&mut self) {
        for attached in &mut self.nodes {
            attached.sampler = None;
            attached.agent.close();
        }
    }
}
