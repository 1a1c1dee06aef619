//! Beside the trace of one node: samples of its traced processes, callbacks of modules that appear, and who is too
//! large to be traced whole. A thread of its own, so that a slow node never holds the session up. It must not know
//! the feed's insides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::agent::Agent;
use super::clock::RecordingClock;
use super::facts::{Facts, ProcessFacts};
use super::feed::{Entrance, Look};
use super::options::{Capture, TraceOptions};
use super::patterns::{Detail, ModuleFacts, SUPERVISOR_LOOPS};
use crate::model::limits::{LEAN_PROCESSES_MAX, SAMPLED_PROCESSES_MAX};
use crate::model::{Atom, Failure, Outcome, Pid};

/// Processes that stay traced whole, whatever they weigh; shared with who says so.
pub type WholeProcesses = Arc<Mutex<BTreeSet<Pid>>>;

/// What is traced on a node now.
pub struct Tracing {
    pub options: TraceOptions,
    pub detail: Detail,
    /// Processes that were selected or were seen to be spawned, newest last, at most [`SAMPLED_PROCESSES_MAX`].
    pub processes: BTreeSet<Pid>,
    /// Modules whose callbacks are traced.
    pub modules: BTreeMap<Atom, ModuleFacts>,
    whole: WholeProcesses,
    /// Whose heaps were too large at the last look: garbage comes and goes, a state stays.
    suspects: BTreeSet<Pid>,
}

impl Tracing {
    pub fn new(options: TraceOptions, whole: WholeProcesses) -> Tracing {
        let detail = Detail {
            is_all_lean: options.capture == Capture::Lean,
            watched: options.watched.clone(),
            lean: BTreeSet::new(),
        };
        let (processes, modules) = (BTreeSet::new(), BTreeMap::new());
        Tracing { options, detail, processes, modules, whole, suspects: BTreeSet::new() }
    }

    /// Whether this process's state is too large to be copied at each callback.
    pub fn is_lean(&self, process: &ProcessFacts) -> bool {
        match self.options.capture {
            Capture::Auto => process.heap_words.saturating_mul(8) > self.options.state_bytes_max,
            Capture::Lean => true,
            Capture::Full | Capture::Received => false,
        }
    }

    /// Traces the callbacks of modules that are not traced yet. Gives what was refused.
    pub fn trace_modules(
        &mut self,
        agent: &Agent,
        modules: impl IntoIterator<Item = Atom>,
    ) -> Outcome<Vec<(String, String)>> {
        if self.options.capture == Capture::Received {
            return Ok(Vec::new());
        }
        let fresh: Vec<Atom> = modules.into_iter().filter(|module| !self.modules.contains_key(module)).collect();
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let answer = agent.modules(&fresh)?;
        let known: Vec<ModuleFacts> =
            answer.as_list().unwrap_or_default().iter().filter_map(ModuleFacts::read).collect();
        let patterns: Vec<_> = known.iter().flat_map(|module| module.patterns(&self.detail)).collect();
        self.modules.extend(known.into_iter().map(|module| (module.module, module)));
        let refused = agent.set_patterns(&patterns)?;
        Ok(refused.into_iter().map(|((m, f, a), why)| (format!("{}:{}/{a}", m.as_str(), f.as_str()), why)).collect())
    }

    /// Goes on by other options; gives whether [`Tracing::detail`] has changed.
    pub fn turn_to(&mut self, options: &TraceOptions) -> bool {
        let before = self.detail.clone();
        self.options = options.clone();
        self.detail.is_all_lean = options.capture == Capture::Lean;
        self.detail.watched.clone_from(&options.watched);
        if options.capture == Capture::Full {
            self.detail.lean.clear();
        }
        self.detail != before
    }

    /// Sets all patterns anew, after [`Tracing::detail`] has changed.
    pub fn renew_patterns(&self, agent: &Agent) -> Outcome<()> {
        self.renew(agent, self.modules.values())
    }

    fn renew<'m>(&self, agent: &Agent, modules: impl Iterator<Item = &'m ModuleFacts>) -> Outcome<()> {
        let patterns: Vec<_> = modules.flat_map(|module| module.patterns(&self.detail)).collect();
        agent.set_patterns(&patterns).map(drop)
    }

    /// The modules whose callbacks tell of these processes.
    pub fn modules_of<'f>(processes: impl IntoIterator<Item = &'f ProcessFacts>) -> BTreeSet<Atom> {
        let mut modules = BTreeSet::new();
        for process in processes {
            modules.extend(process.module);
            if process.may_be_agent() {
                modules.insert(Atom::new("Elixir.Agent.Server"));
            }
            if process.is_supervisor {
                modules.extend(SUPERVISOR_LOOPS.iter().map(|module| Atom::new(module)));
            }
        }
        modules
    }

    /// Turns to lean traces where heaps have been too large twice in a row. One that shrinks again stays lean: it
    /// would only grow anew.
    fn weigh<'f>(&mut self, agent: &Agent, processes: impl IntoIterator<Item = &'f ProcessFacts>) -> Outcome<()> {
        let whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_free = |pid: &Pid| !whole.contains(pid) && !self.detail.lean.contains(pid);
        let large = processes.into_iter().filter(|process| self.is_lean(process) && is_free(&process.pid));
        let large: Vec<&ProcessFacts> = large.collect();
        let n_free = LEAN_PROCESSES_MAX.saturating_sub(self.detail.lean.len());
        let lean = large.iter().filter(|process| self.suspects.contains(&process.pid)).take(n_free);
        let lean: Vec<&ProcessFacts> = lean.copied().collect();
        self.suspects = large.iter().map(|process| process.pid).collect();
        if !lean.is_empty() && !self.detail.is_all_lean {
            let pids: Vec<Pid> = lean.iter().map(|process| process.pid).collect();
            self.detail.lean.extend(&pids);
            // Their own modules' patterns name them; where they run others' callbacks, as event managers do, all may.
            let is_known =
                lean.iter().all(|process| process.module.is_some_and(|name| self.modules.contains_key(&name)));
            let theirs = Tracing::modules_of(lean);
            let are_theirs = |module: &&ModuleFacts| !is_known || theirs.contains(&module.module);
            self.renew(agent, self.modules.values().filter(are_theirs))?;
            agent.trace_processes(&pids, &self.options.flags(true))?;
        }
        Ok(())
    }
}

/// A running sampler; it ends when it is dropped.
pub struct Sampler {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Tracing>>,
}

impl Sampler {
    /// Starts sampling. `spawned` tells of processes that appear in the trace, with their modules.
    pub fn start(
        agent: Arc<Agent>,
        mut tracing: Tracing,
        clock: RecordingClock,
        entrance: Entrance,
        spawned: Receiver<(Pid, Option<Atom>)>,
    ) -> Outcome<Sampler> {
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("beam sampler".into()).spawn({
            let is_over = Arc::clone(&is_over);
            move || {
                let mut next = Instant::now();
                while !is_over.load(Ordering::Acquire) && agent.node().is_up() {
                    take_spawned(&agent, &mut tracing, &spawned);
                    if Instant::now() < next {
                        continue;
                    }
                    next = Instant::now() + tracing.options.sample_every.unwrap_or(Duration::from_secs(1));
                    // A node that does not answer now is asked again.
                    let _ = sample(&agent, &mut tracing, clock, &entrance);
                }
                tracing
            }
        });
        let thread = thread.map_err(|error| Failure::io(format!("cannot start a thread: {error}")))?;
        Ok(Sampler { is_over, thread: Some(thread) })
    }
}

impl Sampler {
    /// Ends it and gives what it knows. Waits for a node that it has just asked. `None` when it had failed.
    pub fn end(mut self) -> Option<Tracing> {
        self.is_over.store(true, Ordering::Release);
        self.thread.take().and_then(|thread| thread.join().ok())
    }
}

/// Does not wait: its thread may be asking a node that is slow.
impl Drop for Sampler {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
    }
}

/// Waits a moment for new processes; traces the callbacks of their modules.
fn take_spawned(agent: &Agent, tracing: &mut Tracing, spawned: &Receiver<(Pid, Option<Atom>)>) {
    let first = match spawned.recv_timeout(Duration::from_millis(50)) {
        Ok(first) => first,
        Err(RecvTimeoutError::Timeout) => return,
        Err(RecvTimeoutError::Disconnected) => return thread::sleep(Duration::from_millis(50)),
    };
    let mut modules = BTreeSet::new();
    let mut fresh = Vec::new();
    for (pid, module) in std::iter::once(first).chain(spawned.try_iter().take(10_000)) {
        modules.extend(module);
        fresh.push(pid);
        if tracing.processes.len() < SAMPLED_PROCESSES_MAX {
            tracing.processes.insert(pid);
        }
    }
    // A node that does not answer now is asked again when it is sampled.
    let _ = tracing.trace_modules(agent, modules);
    // The children of a lean process have inherited its flags, but not the clauses that are for it alone.
    if !tracing.detail.lean.is_empty() && !tracing.detail.is_all_lean {
        let _ = agent.trace_processes(&fresh, &tracing.options.flags(false));
    }
}

fn sample(agent: &Agent, tracing: &mut Tracing, clock: RecordingClock, entrance: &Entrance) -> Outcome<()> {
    let asked: Vec<Pid> = tracing.processes.iter().copied().collect();
    let facts = Facts::read(&agent.facts(Some(&asked), Duration::from_secs(2))?)?;
    tracing.processes.retain(|pid| facts.processes.contains_key(pid));
    tracing.weigh(agent, facts.processes.values())?;
    if tracing.options.sample_every.is_some() {
        let at_ns = clock.now_ns();
        for process in facts.processes.values() {
            entrance.look(Look::Sample { pid: process.pid, at_ns, sample: Box::new(process.sample()) });
        }
    }
    Ok(())
}
