//! Beginning and ending to trace: flags, patterns, the socket, the limits. It must not know what the trace says.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Beam;
use super::agent::Agent;
use super::facts::ProcessFacts;
use super::feed::RateLimits;
use super::options::{Capture, TraceOptions};
use super::patterns;
use super::sampler::{Sampler, Tracing};
use super::select::Selection;
use crate::model::limits::{LEAN_PROCESSES_MAX, SAMPLED_PROCESSES_MAX, TRACE_QUEUE_LEN_MIN};
use crate::model::platform::is_of_otp;
use crate::model::{Atom, Failure, Outcome, Pid, nearest};

/// What was begun.
#[derive(Clone, Debug, Default)]
pub struct TraceStart {
    pub n_processes: u64,
    pub n_modules: usize,
    /// Processes whose states are too large to be traced whole.
    pub n_lean: usize,
    /// What could not be set, and why.
    pub refused: Vec<String>,
    /// Processes and functions that another tool traces already: told, and left alone.
    pub n_taken: (usize, usize),
}

/// Why a process or a function is refused that another tool traces.
const TAKEN: &str = "traced_by_another";

/// How long a trace port's first mark may take.
const PROOF: Duration = Duration::from_secs(2);

/// How long each event manager may take to name its handlers.
const HANDLERS: Duration = Duration::from_millis(100);

/// What tripping a limit means, for people.
pub(super) fn stopped_by(node: &str, limit: &str) -> String {
    let (name, raise) = match limit {
        "until_ms" => ("time", "limits: #{time: \"1h\"} (--limit time=1h)"),
        "memory_bytes" => ("memory", "limits: #{memory_bytes: 2_000_000_000} (--limit memory_bytes=2000000000)"),
        "queue_len" => ("queue", "limits: #{queue: 1_000_000} (--limit queue=1000000)"),
        "rate" => ("rate", "limits: #{rate: 1_000_000} (--limit rate=1000000), or trace less: capture: \"received\""),
        "events" => ("events", "limits: #{events: 100_000_000} (--limit events=100000000)"),
        other => (other, "the limits of start_tracing"),
    };
    format!("tracing of {node} has ended by its limit `{name}`; start_tracing goes on, {raise} raises it")
}

impl Beam {
    /// Begins to trace. On every attached node, or where the selected processes are. Errors: nothing is selected on
    /// any node, the trace port cannot be opened or is read by another.
    pub fn start_tracing(&mut self, options: &TraceOptions) -> Outcome<TraceStart> {
        if options.queue_len < TRACE_QUEUE_LEN_MIN {
            return Err(Failure::usage(format!(
                "queue {}: less than {TRACE_QUEUE_LEN_MIN} could crash the node",
                options.queue_len
            )));
        }
        if self.nodes.iter().all(|attached| attached.is_gone) {
            return Err(Failure::io("every attached node is gone").hint("attach(node) begins a new recording"));
        }
        if let Some(redaction) = &options.redact {
            self.redact(redaction.clone())?;
        }
        let was_tracing = self.is_tracing();
        let mut whole = TraceStart::default();
        for (idx, selected) in self.selected_everywhere(options)? {
            let start = self.trace_node(idx, options, selected).inspect_err(|_| self.nodes[idx].untrace())?;
            whole.n_processes += start.n_processes;
            whole.n_modules += start.n_modules;
            whole.n_lean += start.n_lean;
            whole.refused.extend(start.refused);
            whole.n_taken.0 += start.n_taken.0;
            whole.n_taken.1 += start.n_taken.1;
        }
        let (n_taken, _) = whole.n_taken;
        if n_taken > 0 && whole.n_processes == 0 && !options.follows_all_new {
            if !was_tracing {
                self.stop_tracing()?;
            }
            return Err(Failure::unsupported(format!(
                "nothing is left to trace: another tool traces all {n_taken} processes that were asked for"
            ))
            .hint("before OTP 27 a process has one tracer: end the other, or ask for other processes"));
        }
        Ok(whole)
    }

    /// What the options mean on each attached node, by its index; what is asked for is traced where it is. Errors: some of
    /// it is on no node.
    fn selected_everywhere(&mut self, options: &TraceOptions) -> Outcome<Vec<(usize, Vec<ProcessFacts>)>> {
        let mut found = Vec::new();
        let mut missing: Vec<Option<Failure>> = vec![None; options.what.len()];
        let mut is_found = vec![false; options.what.len()];
        for idx in (0..self.nodes.len()).filter(|idx| !self.nodes[*idx].is_gone).collect::<Vec<_>>() {
            let mut pids: BTreeSet<Pid> = BTreeSet::new();
            for (place, selected) in self.selected(idx, options)?.into_iter().enumerate() {
                match selected {
                    Ok(selected) => {
                        is_found[place] = true;
                        pids.extend(selected);
                    }
                    Err(failure) => {
                        let node = self.nodes[idx].agent.node().name();
                        missing[place] = Some(match missing[place].take() {
                            Some(first) => first.hint(format!("nor is it on {}", node.as_str())),
                            None => failure,
                        });
                    }
                }
            }
            let attached = &self.nodes[idx];
            let own = attached.agent.pids();
            let known = pids.into_iter().filter(|pid| !own.contains(pid));
            found.push((idx, known.filter_map(|pid| attached.facts.processes.get(&pid).cloned()).collect()));
        }
        match missing.into_iter().zip(is_found).find_map(|(missing, is_found)| missing.filter(|_| !is_found)) {
            Some(failure) if !options.follows_all_new => Err(failure),
            _ => Ok(found),
        }
    }

    /// Ends the tracing of every node: no flag, pattern or port of ours is left.
    pub fn stop_tracing(&mut self) -> Outcome<()> {
        for attached in self.nodes.iter_mut().filter(|attached| attached.has_stream()) {
            attached.sampler = None;
            attached.agent.quieten()?;
        }
        self.catch_up(PROOF);
        for attached in self.nodes.iter_mut().filter(|attached| attached.has_stream()) {
            attached.is_open = false;
            attached.agent.close_tracer()?;
        }
        Ok(())
    }

    /// Whether any node is traced now.
    pub fn is_tracing(&self) -> bool {
        self.nodes.iter().any(|attached| attached.sampler.is_some())
    }

    /// The processes of node `idx` that each of the options' choices means; facts are asked anew.
    fn selected(&mut self, idx: usize, options: &TraceOptions) -> Outcome<Vec<Outcome<BTreeSet<Pid>>>> {
        self.refresh()?;
        let attached = &self.nodes[idx];
        let wants_all = options.what.iter().any(|selection| selection.applications().is_none());
        let named: Vec<Atom> = options.what.iter().filter_map(Selection::applications).flatten().collect();
        let applications = if wants_all { running_applications(&attached.agent)? } else { named };
        let masters = if applications.is_empty() { Vec::new() } else { attached.agent.masters(&applications)? };
        let node = attached.agent.node().name();
        let resolve = |selection: &Selection| {
            let found = selection.resolve(&attached.facts, &masters, node.as_str());
            found.map_err(|failure| match selection {
                Selection::Application(name) => with_applications(failure, *name, &attached.agent),
                _ => failure,
            })
        };
        Ok(options.what.iter().map(resolve).collect())
    }

    fn trace_node(&mut self, idx: usize, options: &TraceOptions, selected: Vec<ProcessFacts>) -> Outcome<TraceStart> {
        let mut start = TraceStart::default();
        let running = self.nodes[idx].sampler.take().and_then(Sampler::end);
        let is_running = running.is_some();
        if !is_running {
            self.open_stream(idx, options)?;
        }
        let whole = Arc::clone(&self.nodes[idx].whole);
        let mut tracing = running.unwrap_or_else(|| Tracing::new(options.clone(), whole));
        let attached = &self.nodes[idx];
        let agent = &attached.agent;
        if let Err(failure) = agent.match_received(patterns::received_spec(&options.without)) {
            start.refused.push(failure.error);
        }
        if is_running && tracing.turn_to(options) {
            tracing.renew_patterns(agent)?;
        }
        for process in &selected {
            if tracing.is_lean(process) && tracing.detail.lean.len() < LEAN_PROCESSES_MAX {
                tracing.detail.lean.insert(process.pid);
            }
        }
        let managers: Vec<Pid> =
            selected.iter().filter(|process| process.is_event_manager()).map(|process| process.pid).collect();
        let handlers = if managers.is_empty() { Vec::new() } else { agent.handlers(&managers, HANDLERS)? };
        let modules = Tracing::modules_of(&selected).into_iter().chain(handlers).chain(options.modules.iter().copied());
        for (function, why) in tracing.trace_modules(agent, modules)? {
            match why.as_str() {
                TAKEN => start.n_taken.1 += 1,
                _ => start.refused.push(format!("{function}: {why}")),
            }
        }
        let (lean, whole): (Vec<Pid>, Vec<Pid>) =
            selected.iter().map(|process| process.pid).partition(|pid| tracing.detail.is_lean(*pid));
        for (pids, is_lean) in [(&whole, false), (&lean, true)] {
            if !pids.is_empty() {
                let (n, refused) = agent.trace_processes(pids, &options.flags(is_lean))?;
                start.n_processes += n;
                for (pid, why) in refused {
                    match why.to_string().as_str() {
                        TAKEN => start.n_taken.0 += 1,
                        why => start.refused.push(format!("{pid}: {why}")),
                    }
                }
            }
        }
        if options.follows_all_new {
            agent.trace_new(&options.flags(options.capture == Capture::Lean))?;
        }
        agent.set_limits(&limits(options))?;
        (start.n_modules, start.n_lean) = (tracing.modules.len(), lean.len());
        tracing.processes.extend(selected.iter().map(|process| process.pid).take(SAMPLED_PROCESSES_MAX));
        let spawned = self.feed.spawned(attached.stream);
        let sampler = Sampler::start(Arc::clone(agent), tracing, attached.clock, self.feed.entrance(), spawned)?;
        self.nodes[idx].sampler = Some(sampler);
        Ok(start)
    }

    /// Opens the node's trace port and proves that it is we who read it.
    fn open_stream(&mut self, idx: usize, options: &TraceOptions) -> Outcome<()> {
        let (agent, stream) = (Arc::clone(&self.nodes[idx].agent), self.nodes[idx].stream);
        self.nodes[idx].is_open = true;
        self.feed.limit(stream, rate_limits(options, Arc::clone(&agent)));
        if let Err(failure) = agent.start_tracing(options.queue_len).and_then(|port| self.read_port(idx, port)) {
            let (forwarder, frames) = agent.start_forwarding(options.queue_len)?;
            self.news.push(format!("{}; the trace comes over the distribution instead", failure.error));
            let asking = Arc::clone(&agent);
            self.feed.take(stream, frames, move || asking.ask_for_more(forwarder))?;
        }
        let nonce = self.next_mark();
        if !self.pass_marks(&[(idx, nonce)], Instant::now() + PROOF) {
            return Err(Failure::io("the trace port gives no events: another program may have connected to it first")
                .hint("start_tracing once more opens another port"));
        }
        Ok(())
    }
}

impl super::Attached {
    /// After a beginning that failed: whatever was set is taken back.
    fn untrace(&mut self) {
        (self.sampler, self.is_open) = (None, false);
        // The failure that led here is the one to tell.
        let _ = self.agent.quieten().and_then(|()| self.agent.close_tracer());
    }
}

impl Beam {
    fn read_port(&self, idx: usize, port: u16) -> Outcome<()> {
        let attached = &self.nodes[idx];
        let address = SocketAddr::new(attached.agent.node().address(), port);
        let socket = TcpStream::connect_timeout(&address, PROOF)
            .map_err(|error| Failure::io(format!("the node's trace port {address} is out of reach: {error}")))?;
        self.feed.read(attached.stream, socket)
    }
}

/// The limits that the target watches itself.
fn limits(options: &TraceOptions) -> Vec<(&'static str, u64)> {
    let limits = &options.limits;
    let mut list = Vec::new();
    list.extend(limits.time.map(|time| ("time_ms", u64::try_from(time.as_millis()).unwrap_or(u64::MAX))));
    list.extend(limits.queue_len.map(|n| ("queue_len", n)));
    list.extend(limits.memory_bytes.map(|n| ("memory_growth_bytes", n)));
    list
}

/// The limits that are watched here: they need the stream.
fn rate_limits(options: &TraceOptions, agent: Arc<Agent>) -> RateLimits {
    RateLimits {
        n_events_max: options.limits.n_events,
        n_per_second_max: options.limits.n_per_second,
        stop: Box::new(move |limit| agent.stop_for(limit)),
    }
}

/// A failure that also says which applications run there.
fn with_applications(failure: Failure, name: Atom, agent: &Agent) -> Failure {
    let running = running_applications(agent).unwrap_or_default();
    let is_own = |application: &Atom| !is_of_otp(*application);
    let own: Vec<&str> = running.into_iter().filter(is_own).map(|application| application.as_str()).collect();
    let failure = match nearest(name.as_str(), own.iter().copied()).first() {
        Some(near) => failure.hint(format!("did you mean app:{near}?")),
        None => failure,
    };
    match own.join(", ") {
        names if names.is_empty() => failure.hint("only OTP's own applications run there"),
        names => failure.hint(format!("applications that run there, besides OTP's own: {names}")),
    }
}

/// The applications that run there.
fn running_applications(agent: &Agent) -> Outcome<Vec<Atom>> {
    let answer = agent.node().call("application", "which_applications", Vec::new(), Duration::from_secs(2))?;
    let name = |item: &crate::model::Term| item.as_tuple()?.first()?.as_atom();
    Ok(answer.as_list().unwrap_or_default().iter().filter_map(name).collect())
}
