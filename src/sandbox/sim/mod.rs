//! The embedded deterministic OTP runtime: processes with mailboxes, links, monitors, names and
//! timers on a virtual clock, gen_server and supervisor on them, in one thread and from one seed.
//!
//! From the ground up: [`pvec`] and [`choices`]; [`world`] with [`process`], [`mailbox`], [`signal`] and
//! [`scheduler`] is the state; [`machine`] moves it ([`messages`], [`exits`], [`spawn`], [`turn`]) and makes
//! events ([`outbox`]); [`behaviour`], [`context`] and [`blocking`] are what process code sees; [`otp`] stands on them;
//! [`history`] keeps the past; [`Sim`] drives it all as a [`Sandbox`].
//!
//! What of OTP is there and what is not (a missing thing fails, it does not behave otherwise):
//!
//! | part | there | not there |
//! |---|---|---|
//! | signals | order per pair, links, monitors (stacking, by name), exit signals, aliases of calls | `alias/1` by itself, priority messages (OTP 28) |
//! | processes | plain `run`, selective receive, dictionary, labels, names | `spawn/3`, hibernate beyond waiting, group leaders, ETS, ports, code change (`CodeChange` is never called) |
//! | gen_server | init, call, cast, info, continue, timeouts, stop, terminate, sys get_state, replace_state (a term, not a fun), suspend, resume | init timeout, `hibernate_after`, multi_call, `format_status` |
//! | supervisor | four strategies, intensity, restart and shutdown modes, significant children, start, terminate, restart, delete, which, count | `get_childspec`, `code_change`, start functions other than `Module:start_link` |
//! | other | | gen_statem, gen_event (a module of that kind cannot be written), distribution: a message to another node is sent to the dead, a call exits `noproc` |
//!
//! Where OTP releases differ, it is OTP 25: a start that fails in init also gives the linked, trapping parent an 'EXIT'.

mod atoms;
pub mod behaviour;
pub mod blocking;
mod choices;
pub mod context;
mod effects;
mod exits;
mod history;
mod info;
mod machine;
mod mailbox;
mod messages;
pub mod native;
pub mod otp;
mod outbox;
mod process;
mod pvec;
mod scheduler;
mod signal;
mod spawn;
mod turn;
mod world;

pub use behaviour::{After, Behaviour, Callback, Effect, Frame, Interrupt, Modules, Raise, Return};
pub use context::Context;
pub use native::{GenServer, ModuleSet, Start};
pub use otp::supervisor_spec::{AutoShutdown, ChildSpec, Flags, Restart, Shutdown, Strategy, SupervisorSpec};

use std::collections::VecDeque;
use std::rc::Rc;

use crate::model::{Atom, Failure, FailureKind, Outcome, Pid, Seq, Term, limits};
use crate::sandbox::{Capabilities, EventSink, Input, RunEnd, RunLimit, Sandbox, Stopped};

use history::{History, Logged, Plan};
use machine::Machine;
use world::World;

/// How a sim is set up.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Decides every choice: who runs, how long things take, `random`.
    pub seed: u64,
    /// Shown by `describe`.
    pub title: String,
    /// A history root is kept about every so many events; 1 = a root per turn. Restoring and stepping back
    /// re-execute at most this many events near the present.
    pub root_every_n_events: u64,
    /// Without recording there are no events and no past: for measuring what recording costs.
    pub is_recorded: bool,
}

impl Default for SimOptions {
    fn default() -> SimOptions {
        SimOptions { seed: 0, title: "sim".to_string(), root_every_n_events: 64, is_recorded: true }
    }
}

/// Turns between two looks at the sink's interrupt.
const TURNS_PER_POLL: u64 = 64;

/// A simulated OTP system.
pub struct Sim {
    options: SimOptions,
    modules: Rc<dyn Modules>,
    cx: Context,
    history: History,
    /// Inputs that wait for the end of a turn in which the sink stopped the run.
    inputs: VecDeque<Input>,
}

/// What a drive of the sim is for.
#[derive(Clone, Copy, PartialEq)]
enum Goal {
    /// Run on.
    Run,
    /// The waiting inputs are done; starts have their answer.
    Inputs { needs_answer: bool },
}

impl Sim {
    /// A system without processes but the shell; modules are found in `modules`.
    pub fn new(options: SimOptions, modules: Rc<dyn Modules>) -> Sim {
        let world = World::new(options.seed);
        let history = History::new(world.clone(), options.root_every_n_events);
        let cx = Context::new(Machine::new(world, modules.clone(), options.is_recorded));
        Sim { options, modules, cx, history, inputs: VecDeque::new() }
    }

    pub fn options(&self) -> &SimOptions {
        &self.options
    }
    /// The modules that processes can be started from.
    pub fn modules(&self) -> &Rc<dyn Modules> {
        &self.modules
    }
    /// The virtual clock.
    pub fn now_ns(&mut self) -> i64 {
        self.cx.machine().world.now_ns
    }
    /// Who has the registered name now.
    pub fn whereis(&mut self, name: Atom) -> Option<Pid> {
        self.cx.machine().world.whereis(name)
    }
    /// Processes that live, the shell among them.
    pub fn n_processes(&mut self) -> usize {
        self.cx.machine().world.n_live
    }
    /// History roots that are kept.
    pub fn n_roots(&self) -> usize {
        self.history.n_roots()
    }

    /// Gives the events of the last turn to the sink. `Some`: why the run ends here.
    fn flush(&mut self, n_left: &mut Option<u64>, sink: &mut dyn EventSink) -> Option<RunEnd> {
        let machine = self.cx.machine();
        while machine.outbox.n_waiting() > 0 {
            if *n_left == Some(0) {
                return Some(RunEnd::Limit);
            }
            let seqs = self.history.seqs();
            match machine.outbox.take_next(|event| seqs.get(event), |event| sink.emit(event))? {
                Ok(seq) => self.history.push_seq(seq),
                Err(Stopped) => return Some(RunEnd::Stopped),
            }
            if let Some(n_left) = n_left {
                *n_left -= 1;
            }
        }
        None
    }

    /// Does turns until the goal is reached or the run ends.
    fn drive(&mut self, goal: Goal, limit: RunLimit, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        let mut n_left = limit.n_events_max;
        for n_turns in 0..limits::SIM_STEPS_MAX {
            if let Some(end) = self.flush(&mut n_left, sink) {
                return Ok(end);
            }
            if n_turns % TURNS_PER_POLL == 0 && sink.is_interrupted() {
                return Ok(RunEnd::Interrupted);
            }
            if self.cx.machine().world.n_turns == 0 {
                self.boot();
                continue;
            }
            if let Some(input) = self.inputs.pop_front() {
                match self.do_input(&input) {
                    Some(end) => return Ok(end),
                    None => continue,
                }
            }
            let answer = &mut self.cx.machine().world.answer;
            match goal {
                Goal::Inputs { needs_answer: false } => return Ok(RunEnd::Answered(Term::Atom(atoms::atoms().ok))),
                _ => {
                    if let Some(answer) = answer.take() {
                        return Ok(RunEnd::Answered(answer));
                    }
                }
            }
            if n_left == Some(0) {
                return Ok(RunEnd::Limit);
            }
            if let Some(end) = self.step(limit.until_ns) {
                return Ok(end);
            }
        }
        let raise = "run again to go on, or give a duration: run_for(\"1s\")";
        Err(Failure::new(FailureKind::Limit, limits::tripped("SIM_STEPS_MAX", limits::SIM_STEPS_MAX, raise)))
    }

    /// Does the next turn, unless there is none or it is due after `until_ns`.
    fn step(&mut self, until_ns: Option<i64>) -> Option<RunEnd> {
        let machine = self.cx.machine();
        let due_ns = turn::next_due_ns(machine);
        let now_ns = machine.world.now_ns;
        let n_turns = machine.world.n_turns;
        let is_over = match (due_ns, until_ns) {
            (None, _) => true,
            (Some(due_ns), Some(until_ns)) => due_ns.max(now_ns) > until_ns,
            (Some(_), None) => false,
        };
        if is_over {
            if let Some(until_ns) = until_ns.filter(|until_ns| *until_ns > now_ns) {
                self.history.log(n_turns, Logged::Clock(until_ns));
                self.pass_time(until_ns);
            }
            return Some(if due_ns.is_none() { RunEnd::Idle } else { RunEnd::Limit });
        }
        turn::turn(&mut self.cx);
        self.end_turn(n_turns)
    }

    /// Keeps a root, or undoes turn `n_turns` when its script gave way to the user's interrupt.
    fn end_turn(&mut self, n_turns: u64) -> Option<RunEnd> {
        let machine = self.cx.machine();
        if std::mem::take(&mut machine.is_interrupted) {
            self.history.unlog(n_turns);
            let plan = self.history.plan_turn(n_turns);
            self.repeat(&plan, |world| world.n_turns < n_turns);
            self.cx.machine().outbox.clear();
            return Some(RunEnd::Interrupted);
        }
        if self.options.is_recorded {
            self.history.keep_root(&machine.world);
        }
        None
    }

    /// The first turn: the shell.
    fn boot(&mut self) {
        let machine = self.cx.machine();
        machine.begin_turn(0);
        machine.spawn_shell();
        machine.end_turn();
    }

    fn do_input(&mut self, input: &Input) -> Option<RunEnd> {
        let n_turns = self.cx.machine().world.n_turns;
        self.history.log(n_turns, Logged::Input(input.clone()));
        turn::input_turn(&mut self.cx, input);
        self.end_turn(n_turns)
    }

    fn pass_time(&mut self, until_ns: i64) {
        let world = &mut self.cx.machine().world;
        world.now_ns = until_ns;
        world.n_turns += 1;
    }

    /// Executes again from the plan's root while `goes_on` holds: the world before the last turn. The outbox holds
    /// that turn's events. It stops early only when the code is not deterministic.
    fn repeat(&mut self, plan: &Plan, goes_on: impl Fn(&World) -> bool) -> World {
        let machine = self.cx.machine();
        machine.world = plan.root.clone();
        machine.outbox.clear();
        let mut before = plan.root.clone();
        while goes_on(&self.cx.machine().world) {
            before = self.cx.machine().world.clone();
            match self.history.logged(plan, before.n_turns).cloned() {
                _ if before.n_turns == 0 => self.boot(),
                Some(Logged::Input(input)) => turn::input_turn(&mut self.cx, &input),
                Some(Logged::Clock(until_ns)) => {
                    self.cx.machine().outbox.clear();
                    self.pass_time(until_ns);
                }
                None if turn::next_due_ns(self.cx.machine()).is_some() => turn::turn(&mut self.cx),
                None => break,
            }
            self.cx.machine().world.answer = None;
        }
        before
    }
}

impl Sandbox for Sim {
    fn capabilities(&self) -> Capabilities {
        Capabilities { can_run: true, can_input: true, can_restore: true, can_fork: true, ..Capabilities::default() }
    }

    fn describe(&self) -> String {
        format!("{}, seed {}", self.options.title, self.options.seed)
    }

    fn input(&mut self, input: Input, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        let waits = matches!(input, Input::Start { .. } | Input::Call { .. });
        if waits && turn::is_shell_busy(self.cx.machine()) {
            return Err(Failure::usage("the shell waits for the answer of another call or start")
                .hint("run() until it is answered, or timed out"));
        }
        let needs_answer = !matches!(input, Input::Call { .. });
        self.inputs.push_back(input);
        self.drive(Goal::Inputs { needs_answer }, RunLimit::default(), sink)
    }

    fn run(&mut self, limit: RunLimit, sink: &mut dyn EventSink) -> Outcome<RunEnd> {
        self.drive(Goal::Run, limit, sink)
    }

    fn restore(&mut self, at: Option<Seq>, restored: Seq) -> Outcome<()> {
        if !self.options.is_recorded {
            return Err(Failure::unsupported("this sim does not record: it has no past to restore (can_restore)"));
        }
        let plan = self.history.plan(at);
        let before = self.repeat(&plan, |world| world.n_events < plan.n_events);
        self.inputs.clear();
        let machine = self.cx.machine();
        if machine.world.n_events < plan.n_events {
            let (wanted, got) = (plan.n_events, machine.world.n_events);
            return Err(Failure::bad_input(format!(
                "re-execution ended after {got} of {wanted} events: a process's code is not deterministic"
            )));
        }
        let is_inside_turn = machine.world.n_events > plan.n_events;
        if is_inside_turn {
            machine.outbox.skip(plan.n_events - before.n_events);
            self.history.branch(&plan, before, restored);
        } else {
            machine.outbox.clear();
            let world = machine.world.clone();
            self.history.branch(&plan, world, restored);
        }
        Ok(())
    }

    fn as_sim(&mut self) -> Option<&mut Sim> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
