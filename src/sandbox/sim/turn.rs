//! One turn of the world: the next job is taken and carried out to its end. A callback runs on a
//! copy of its process's state; it comes to its end, or it suspends and is run again later against its log.

use std::rc::Rc;

use crate::model::{Behaviour as BehaviourKind, Class, Kind, Pid, Term, limits};
use crate::sandbox::Input;

use super::atoms::atoms;
use super::behaviour::{Behaviour, Callback, Interrupt, Raise, Return};
use super::context::Context;
use super::effects::Entry;
use super::machine::{Machine, Run, Unwinding};
use super::mailbox::Arrived;
use super::otp::{gen_server, plain, shell};
use super::outbox::{Note, Payload};
use super::process::{Activity, Stage, Suspended, Wait};
use super::pvec::PVec;
use super::scheduler::Job;
use super::world::{EventIdx, FIRST_PID};

/// A callback to run, from its beginning or again.
#[derive(Clone, Debug)]
pub struct Task {
    pub stage: Stage,
    pub callback: Callback,
    /// Its handle_start; `None`: it has not begun.
    pub started: Option<EventIdx>,
    pub class: Class,
    pub log: PVec<Entry>,
    pub resume: Option<Wait>,
    pub n_blocking: usize,
}

/// What a process does when a callback is over.
#[derive(Clone, Debug)]
pub enum Next {
    /// Runs another callback at once.
    Task(Task),
    /// Runs another callback in a turn of its own, before any message: so that a process that goes on for ever can be
    /// stopped between two of them, and others run.
    Later(Task),
    /// Waits for a message, or for so many milliseconds.
    Wait(Option<u64>),
    /// Goes on waiting as it was.
    Stay,
    Exit {
        reason: Term,
        cause: Option<EventIdx>,
    },
}

impl Task {
    /// A callback that has not begun.
    pub fn new(stage: Stage, class: Class, callback: Callback) -> Task {
        Task { stage, callback, started: None, class, log: PVec::default(), resume: None, n_blocking: 0 }
    }
}

/// When the next turn is due. Drops jobs that have nothing to do any more, which takes no virtual time.
pub fn next_due_ns(machine: &mut Machine) -> Option<i64> {
    loop {
        let (due_ns, to, job) = machine.world.queue.peek()?;
        let (pid, due_ns) = (Pid::local(to), due_ns);
        let is_stale = match job {
            Job::Message(_) | Job::Control(_) => false,
            Job::Timer(serial) => !machine.world.timers.contains_key(serial),
            Job::Run => !machine.world.is_alive(pid),
            Job::Wake => is_wake_stale(machine, pid, due_ns),
        };
        if !is_stale {
            return Some(due_ns);
        }
        if let Some((_, _, Job::Timer(_))) = machine.world.queue.pop() {
            machine.world.n_stale_timers = machine.world.n_stale_timers.saturating_sub(1);
        }
    }
}

/// Whether a wake has nothing to wake. One that comes before the deadline is set again.
fn is_wake_stale(machine: &mut Machine, pid: Pid, due_ns: i64) -> bool {
    let Some(process) = machine.world.process(pid) else { return true };
    if process.wake_due_ns != Some(due_ns) {
        return true;
    }
    if process.deadline_ns().is_some_and(|deadline_ns| deadline_ns <= due_ns) {
        return false;
    }
    if let Some(process) = machine.world.process_mut(pid) {
        process.wake_due_ns = None;
    }
    machine.watch_deadline(pid);
    true
}

/// Carries out the next job; [`next_due_ns`] has said that there is one.
pub fn turn(cx: &mut Context) {
    let machine = cx.machine();
    let Some((due_ns, to, job)) = machine.world.queue.pop() else { return };
    machine.begin_turn(due_ns);
    let pid = Pid::local(to);
    machine.run.cause = None;
    match job {
        Job::Message(envelope) => machine.arrive(pid, envelope),
        Job::Control(control) => machine.arrive_control(pid, &control),
        Job::Timer(serial) => machine.fire_timer(serial),
        Job::Run => {
            if let Some(process) = machine.world.process_mut(pid) {
                process.is_scheduled = false;
            }
            run_process(cx, pid);
        }
        Job::Wake => {
            if let Some(process) = machine.world.process_mut(pid) {
                process.wake_due_ns = None;
            }
            run_process(cx, pid);
        }
    }
    cx.machine().end_turn();
}

/// Lets a process take a message, or go on with its suspended callback.
fn run_process(cx: &mut Context, pid: Pid) {
    let Some(process) = cx.machine().world.process(pid) else { return };
    let next = match &process.activity {
        Activity::Suspended(suspended) => {
            let suspended = suspended.clone();
            if let Wait::Until { due_ns, .. } = suspended.wait
                && due_ns > cx.machine().world.now_ns
            {
                return;
            }
            Next::Task(Task {
                stage: suspended.stage.clone(),
                callback: suspended.callback.clone(),
                started: suspended.started,
                class: suspended.class,
                log: suspended.log.clone(),
                // A callback that has not begun waits for nothing of its own.
                resume: suspended.started.map(|_| suspended.wait.clone()),
                n_blocking: suspended.n_blocking,
            })
        }
        Activity::Idle { .. } if process.birth.kind == BehaviourKind::Process => plain::next_message(cx, pid),
        Activity::Idle { .. } => gen_server::next_message(cx, pid),
    };
    follow(cx, pid, next);
}

/// Carries out what comes next, until the process waits or ends.
pub fn follow(cx: &mut Context, pid: Pid, mut next: Next) {
    loop {
        match next {
            Next::Task(task) => match run_task(cx, pid, task) {
                Some(after) => next = after,
                None => return,
            },
            Next::Later(task) => {
                run_later(cx.machine(), pid, task);
                return;
            }
            Next::Stay => return,
            Next::Wait(timeout_ms) => {
                wait(cx.machine(), pid, timeout_ms);
                return;
            }
            Next::Exit { reason, cause } => {
                cx.machine().end_process(pid, reason, cause);
                return;
            }
        }
    }
}

fn wait(machine: &mut Machine, pid: Pid, timeout_ms: Option<u64>) {
    let now_ns = machine.world.now_ns;
    let due_ns = |ms: u64| now_ns.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    let Some(process) = machine.world.process_mut(pid) else { return };
    process.activity = Activity::Idle { timeout_due_ns: timeout_ms.map(due_ns) };
    if process.mailbox.is_empty() {
        machine.watch_deadline(pid);
    } else {
        machine.schedule(pid);
    }
}

fn run_later(machine: &mut Machine, pid: Pid, task: Task) {
    let wait = Wait::Until { due_ns: machine.world.now_ns, is_busy: true };
    let Some(process) = machine.world.process_mut(pid) else { return };
    process.activity = Activity::Suspended(Rc::new(Suspended {
        stage: task.stage,
        callback: task.callback,
        started: None,
        class: task.class,
        log: PVec::default(),
        wait,
        n_blocking: 0,
    }));
    machine.schedule(pid);
}

/// Runs a callback; `None` when it suspended or its process is gone.
fn run_task(cx: &mut Context, pid: Pid, mut task: Task) -> Option<Next> {
    let machine = cx.machine();
    let process = machine.world.process(pid)?;
    let mut code = process.code.clone_box();
    let is_new = task.started.is_none();
    if is_new && task.stage != Stage::Input {
        let note = Note { class: task.class, tag: trigger_tag(&task.callback), ..Note::new(Kind::HandleStart, pid) };
        task.started = Some(match &task.callback {
            Callback::Continue(term) | Callback::Terminate(term) => machine.emit_term(note, term),
            _ => machine.emit(note, Payload::None),
        });
        if task.stage == Stage::Run
            && let Some(process) = machine.world.process_mut(pid)
        {
            process.handling = task.started.map(|started| (started, task.class));
        }
    }
    machine.run = Run {
        pid,
        stage: task.stage.clone(),
        cause: task.started,
        log: task.log.clone(),
        cursor: 0,
        resume: task.resume.take(),
        unwinding: None,
        n_blocking: task.n_blocking,
        n_operations: 0,
    };
    if is_new && let Some(refused) = gen_server::take_name(machine, pid, &task) {
        return Some(refused);
    }
    let result = match &task.stage {
        Stage::Input => shell::perform(cx, &task.callback),
        _ => code.callback(cx, &task.callback),
    };
    settle(cx, pid, task, code, result)
}

/// Commits a callback that came to its end, or puts away one that suspended.
fn settle(
    cx: &mut Context,
    pid: Pid,
    task: Task,
    code: Box<dyn Behaviour>,
    result: Result<Return, Interrupt>,
) -> Option<Next> {
    let machine = cx.machine();
    match machine.run.unwinding.take() {
        Some(Unwinding::Suspend(wait)) => {
            suspend(machine, pid, task, wait);
            return None;
        }
        Some(Unwinding::Fatal(reason)) => return Some(Next::Exit { reason, cause: machine.run.cause }),
        None => {}
    }
    let result = match result {
        Ok(value) => Ok(value),
        Err(Interrupt::Raise(raise)) => Err(raise),
        Err(Interrupt::Stopped) => {
            machine.is_interrupted = true;
            return None;
        }
        Err(Interrupt::Suspend) => {
            let text = "callback_broken: it said that it waits, but no blocking call was made";
            return Some(Next::Exit { reason: Term::binary(text), cause: machine.run.cause });
        }
    };
    let n_operations = machine.run.n_operations;
    let process = machine.world.process_mut(pid)?;
    process.reductions += 10 + n_operations;
    if result.is_ok() && task.stage != Stage::Input {
        process.code = Rc::from(code);
        emit_state(machine, pid, &task);
    }
    Some(match &task.stage {
        Stage::Input => shell::finish(machine, result),
        _ if machine.world.process(pid)?.birth.kind == BehaviourKind::Process => plain::finish(machine, pid, result),
        _ => gen_server::finish(machine, pid, &task, result),
    })
}

fn suspend(machine: &mut Machine, pid: Pid, task: Task, wait: Wait) {
    let is_limited = task.stage != Stage::Input
        && machine.world.process(pid).is_some_and(|process| process.birth.kind != BehaviourKind::Supervisor);
    if is_limited && machine.run.n_blocking > limits::CALLBACK_BLOCKING_CALLS_MAX {
        let raise = "end the callback and go on by a message or noreply_continue(args)";
        let text = limits::tripped("CALLBACK_BLOCKING_CALLS_MAX", limits::CALLBACK_BLOCKING_CALLS_MAX, raise);
        let cause = machine.run.cause;
        machine.end_process(pid, Term::binary(text), cause);
        return;
    }
    let suspended = Suspended {
        stage: task.stage,
        callback: task.callback,
        started: task.started,
        class: task.class,
        log: std::mem::take(&mut machine.run.log),
        wait,
        n_blocking: machine.run.n_blocking,
    };
    if let Some(process) = machine.world.process_mut(pid) {
        process.activity = Activity::Suspended(Rc::new(suspended));
        machine.watch_deadline(pid);
    }
}

/// Records the state when it is another than before.
fn emit_state(machine: &mut Machine, pid: Pid, task: &Task) {
    if !machine.records {
        return;
    }
    let Some(process) = machine.world.process(pid) else { return };
    let mut bytes = std::mem::take(&mut machine.scratch);
    bytes.clear();
    process.code.encode_state(&mut bytes);
    if !bytes.is_empty() && *bytes != *process.state_bytes {
        let state: Rc<[u8]> = Rc::from(bytes.as_slice());
        let note = Note {
            class: task.class,
            tag: trigger_tag(&task.callback),
            cause: task.started,
            ..Note::new(Kind::StateChange, pid)
        };
        machine.emit(note, Payload::State(state.clone()));
        if let Some(process) = machine.world.process_mut(pid) {
            process.state_bytes = state;
        }
    }
    machine.scratch = bytes;
}

fn trigger_tag(callback: &Callback) -> Option<crate::model::Atom> {
    match callback {
        Callback::Call { request: message, .. }
        | Callback::Cast(message)
        | Callback::Info(message)
        | Callback::Continue(message) => message.tag(),
        Callback::Run(_) | Callback::Init(_) | Callback::Terminate(_) => None,
    }
}

impl Machine {
    /// Records that a process took a message: the beginning of its handling.
    pub fn emit_handle_start(&mut self, pid: Pid, arrived: &Arrived) -> EventIdx {
        let envelope = &arrived.envelope;
        let note = Note {
            kind: Kind::HandleStart,
            class: envelope.class,
            process: pid,
            peer: envelope.from,
            tag: envelope.tag,
            call: envelope.call,
            cause: Some(arrived.event),
        };
        self.emit(note, Payload::None)
    }

    /// Records that a process took a message inside a callback. Answers to calls are not: the fold takes them on arrival.
    pub fn emit_taken(&mut self, pid: Pid, arrived: &Arrived) {
        if arrived.envelope.class != Class::Reply {
            let started = self.emit_handle_start(pid, arrived);
            self.emit_handle_end(pid, arrived.envelope.class, Some(started));
        }
    }
}

/// The reason of an uncaught exception of `result`, or the value.
pub fn value_or_reason(result: Result<Return, Raise>) -> Result<Return, Term> {
    match result {
        Ok(value) => Ok(value),
        Err(Raise::Throw(value)) => Ok(Return::Bad(value)),
        Err(raise) => Err(super::exits::exit_reason(raise)),
    }
}

/// `{bad_return_value, Value}`, with a value that stands for what the callback answered.
pub fn bad_return(value: Return) -> Term {
    let a = atoms();
    let shown = match value {
        Return::Bad(value) => value,
        Return::Ignore => Term::Atom(a.ignore),
        Return::Reply(value, _) => Term::tuple(vec![Term::atom("reply"), value]),
        Return::NoReply(_) => Term::atom("noreply"),
        Return::Ok(_) | Return::Supervisor(_) => Term::Atom(a.ok),
        Return::Done => Term::Atom(a.nil),
        Return::Stop { reason, .. } => Term::tuple(vec![Term::atom("stop"), reason]),
    };
    Term::tuple(vec![Term::Atom(a.bad_return_value), shown])
}

/// Whether the shell waits inside a call or start.
pub fn is_shell_busy(machine: &Machine) -> bool {
    let shell = machine.world.process(Pid::local(FIRST_PID));
    shell.is_some_and(|shell| matches!(shell.activity, Activity::Suspended(_)))
}

/// A turn that does an input in the shell's name. One that needs no answer leaves a waiting shell waiting.
pub fn input_turn(cx: &mut Context, input: &Input) {
    let machine = cx.machine();
    let shell = Pid::local(FIRST_PID);
    machine.begin_turn(machine.world.now_ns);
    let waiting = machine.world.process(shell).map(|shell| shell.activity.clone());
    let payload = shell::input_term(input);
    let event = machine.emit_term(Note { tag: payload.tag(), ..Note::new(Kind::Input, shell) }, &payload);
    let task = Task::new(Stage::Input, Class::None, Callback::Info(payload));
    follow(cx, shell, Next::Task(Task { started: Some(event), ..task }));
    let machine = cx.machine();
    if let Some(Activity::Suspended(suspended)) = waiting
        && let Some(process) = machine.world.process_mut(shell)
    {
        process.activity = Activity::Suspended(suspended);
    }
    machine.end_turn();
}
