//! gen_server's loop (stdlib's gen_server.erl and gen.erl, OTP 25): which callback a message
//! calls, and what its answer leads to. Supervisors run on it too.

use std::rc::Rc;

use crate::model::{Class, Kind, Pid, Term};

use crate::sandbox::sim::atoms::atoms;
use crate::sandbox::sim::behaviour::{After, Callback, Raise, Return};
use crate::sandbox::sim::context::Context;
use crate::sandbox::sim::machine::Machine;
use crate::sandbox::sim::mailbox::Arrived;
use crate::sandbox::sim::messages::Target;
use crate::sandbox::sim::outbox::{Note, Payload};
use crate::sandbox::sim::process::{Activity, Process, Stage};
use crate::sandbox::sim::signal::tag_reference;
use crate::sandbox::sim::turn::{Next, Task, bad_return, value_or_reason};
use crate::sandbox::sim::world::{EventIdx, alias_owner, serial};

/// Takes the next message of an idle gen_server, or its timeout.
pub fn next_message(cx: &mut Context, pid: Pid) -> Next {
    let machine = cx.machine();
    let now_ns = machine.world.now_ns;
    let Some(process) = machine.world.process_mut(pid) else { return Next::Wait(None) };
    let taken = if process.is_sys_suspended { take_urgent(process) } else { process.mailbox.take_first() };
    let Some(arrived) = taken else {
        return match process.activity {
            Activity::Idle { timeout_due_ns: Some(due_ns) } if due_ns <= now_ns => {
                Next::Task(Task::new(Stage::Other, Class::Timeout, Callback::Info(Term::Atom(atoms().timeout))))
            }
            // Nothing to take: what woke it was flushed meanwhile. It goes on waiting as it was.
            _ => {
                machine.watch_deadline(pid);
                Next::Stay
            }
        };
    };
    let birth = process.birth.clone();
    let started = machine.emit_handle_start(pid, &arrived);
    let message = &arrived.envelope.message;
    let a = atoms();
    let begun = |stage: Stage, callback: Callback| {
        let task = Task::new(stage, arrived.envelope.class, callback);
        Next::Task(Task { started: Some(started), ..task })
    };
    match message.as_tuple() {
        Some([Term::Atom(tag), from, request]) if *tag == a.gen_call => {
            let callback = Callback::Call { request: request.clone(), from: from.clone() };
            begun(Stage::Call { from: from.clone() }, callback)
        }
        Some([Term::Atom(tag), request]) if *tag == a.gen_cast => begun(Stage::Other, Callback::Cast(request.clone())),
        Some([Term::Atom(tag), from, request]) if *tag == a.system => {
            system(machine, pid, from, request, started);
            machine.emit_handle_end(pid, Class::System, Some(started));
            Next::Wait(None)
        }
        Some([Term::Atom(tag), Term::Pid(from), reason])
            if *tag == a.exit_upper && birth.is_linked && *from == birth.parent =>
        {
            let stage = Stage::Terminate { reason: reason.clone(), reply: None };
            begun(stage, Callback::Terminate(reason.clone()))
        }
        _ => begun(Stage::Other, Callback::Info(message.clone())),
    }
}

/// What a suspended gen_server still takes: system messages and its parent's 'EXIT'.
fn take_urgent(process: &mut Process) -> Option<Arrived> {
    let a = atoms();
    let parent = process.birth.parent;
    process.mailbox.reset_save();
    let urgent = process.mailbox.take_match(|envelope| match envelope.message.as_tuple() {
        Some([Term::Atom(tag), _, _]) if *tag == a.system => true,
        Some([Term::Atom(tag), Term::Pid(from), _]) => *tag == a.exit_upper && *from == parent,
        _ => false,
    });
    process.mailbox.reset_save();
    urgent
}

/// Registers the name of a gen_server that begins. When another has it, the starter hears so and the process ends.
pub fn take_name(machine: &mut Machine, pid: Pid, task: &Task) -> Option<Next> {
    let Stage::Init { starter, name: Some(name) } = task.stage else { return None };
    let holder = machine.world.whereis(name);
    if holder.is_none() && machine.register(name, pid).is_ok() {
        return None;
    }
    let a = atoms();
    let started = Term::tuple(vec![Term::Atom(a.already_started), holder.map_or(Term::Atom(a.undefined), Term::Pid)]);
    acknowledge(machine, pid, starter, Term::tuple(vec![Term::Atom(a.error), started]));
    Some(Next::Exit { reason: Term::Atom(a.normal), cause: task.started })
}

/// What follows a callback of a gen_server.
pub fn finish(machine: &mut Machine, pid: Pid, task: &Task, result: Result<Return, Raise>) -> Next {
    match &task.stage {
        Stage::Init { starter, .. } => finish_init(machine, pid, task, *starter, result),
        Stage::Terminate { reason, reply } => {
            machine.emit_handle_end(pid, task.class, task.started);
            if let Some((from, value)) = reply {
                reply_to(machine, pid, from, value.clone());
            }
            let reason = match value_or_reason(result) {
                Err(other) => other,
                Ok(_) => reason.clone(),
            };
            Next::Exit { reason, cause: task.started }
        }
        stage => {
            let (next, reply) = match value_or_reason(result) {
                Ok(Return::NoReply(after)) => (after_callback(after), None),
                Ok(Return::Reply(value, after)) if matches!(stage, Stage::Call { .. }) => {
                    (after_callback(after), Some(value))
                }
                Ok(Return::Stop { reason, reply }) => (terminate(reason, stage, reply), None),
                Ok(other) => (terminate(bad_return(other), stage, None), None),
                Err(reason) => (terminate(reason, stage, None), None),
            };
            if let (Some(value), Stage::Call { from }) = (reply, stage) {
                reply_to(machine, pid, from, value);
            }
            machine.emit_handle_end(pid, task.class, task.started);
            next
        }
    }
}

fn after_callback(after: After) -> Next {
    match after {
        After::Nothing | After::Hibernate => Next::Wait(None),
        After::TimeoutMs(ms) => Next::Wait(Some(ms)),
        After::Continue(term) => Next::Later(Task::new(Stage::Other, Class::Continue, Callback::Continue(term))),
    }
}

/// Runs terminate, then ends with `reason`. The reply of a stop goes out after terminate, as OTP has it.
fn terminate(reason: Term, stage: &Stage, reply: Option<Term>) -> Next {
    let reply = match stage {
        Stage::Call { from } => reply.map(|value| (from.clone(), value)),
        _ => None,
    };
    let stage = Stage::Terminate { reason: reason.clone(), reply };
    Next::Task(Task::new(stage, Class::Terminate, Callback::Terminate(reason)))
}

fn finish_init(
    machine: &mut Machine,
    pid: Pid,
    task: &Task,
    starter: Option<Pid>,
    result: Result<Return, Raise>,
) -> Next {
    let a = atoms();
    let (result, reason) = match value_or_reason(result) {
        Ok(Return::Ok(after)) => {
            acknowledge(machine, pid, starter, Term::tuple(vec![Term::Atom(a.ok), Term::Pid(pid)]));
            machine.emit_handle_end(pid, Class::Init, task.started);
            return after_callback(after);
        }
        Ok(Return::Ignore) => (Term::Atom(a.ignore), Term::Atom(a.normal)),
        Ok(Return::Stop { reason, reply: None }) | Err(reason) => {
            (Term::tuple(vec![Term::Atom(a.error), reason.clone()]), reason)
        }
        Ok(other) => {
            let reason = bad_return(other);
            (Term::tuple(vec![Term::Atom(a.error), reason.clone()]), reason)
        }
    };
    if let Some(name) = machine.world.process(pid).and_then(|process| process.name) {
        // The name is free before the starter hears of the failure.
        machine.unregister(name).expect("a process's own name is registered");
    }
    acknowledge(machine, pid, starter, result);
    Next::Exit { reason, cause: task.started }
}

/// `proc_lib:init_ack(Starter, Result)`.
fn acknowledge(machine: &mut Machine, pid: Pid, starter: Option<Pid>, result: Term) {
    if let Some(starter) = starter {
        let message = Term::tuple(vec![Term::Atom(atoms().ack), Term::Pid(pid), result]);
        let cause = machine.run.cause;
        machine.send_to(pid, Target::Process(starter), message, cause);
    }
}

/// `gen:reply(From, Value)`: to the alias when the tag holds one. A `from` of another shape is ignored.
pub fn reply_to(machine: &mut Machine, pid: Pid, from: &Term, value: Term) {
    let Some([Term::Pid(to), tag]) = from.as_tuple() else { return };
    let is_alias = matches!(tag, Term::List(_));
    let target = match tag_reference(tag) {
        Some(reference) if is_alias => match alias_owner(reference) {
            Some(owner) => Target::Alias { owner, serial: serial(reference) },
            None => Target::Elsewhere,
        },
        _ => Target::Process(*to),
    };
    let cause = machine.run.cause;
    machine.send_to(pid, target, Term::tuple(vec![tag.clone(), value]), cause);
}

/// Handles `{system, From, Request}`: get_state, replace_state with a term, suspend, resume.
fn system(machine: &mut Machine, pid: Pid, from: &Term, request: &Term, started: EventIdx) {
    let a = atoms();
    let Some(process) = machine.world.process_mut(pid) else { return };
    let answer = match (request, request.as_tuple()) {
        (Term::Atom(verb), _) if *verb == a.get_state => Term::tuple(vec![Term::Atom(a.ok), process.code.state()]),
        (Term::Atom(verb), _) if *verb == a.suspend || *verb == a.resume => {
            process.is_sys_suspended = *verb == a.suspend;
            Term::Atom(a.ok)
        }
        (_, Some([Term::Atom(verb), state])) if *verb == a.replace_state => {
            let mut code = process.code.clone_box();
            match code.replace_state(state) {
                Ok(()) => {
                    process.code = Rc::from(code);
                    record_replaced(machine, pid, started);
                    Term::tuple(vec![Term::Atom(a.ok), state.clone()])
                }
                Err(text) => Term::tuple(vec![Term::Atom(a.error), Term::binary(text)]),
            }
        }
        _ => Term::tuple(vec![Term::Atom(a.error), Term::tuple(vec![Term::Atom(a.unknown_call), request.clone()])]),
    };
    machine.run.cause = Some(started);
    reply_to(machine, pid, from, answer);
}

fn record_replaced(machine: &mut Machine, pid: Pid, started: EventIdx) {
    let Some(process) = machine.world.process_mut(pid) else { return };
    let mut bytes = Vec::new();
    process.code.encode_state(&mut bytes);
    let state: Rc<[u8]> = Rc::from(bytes);
    process.state_bytes = state.clone();
    let note = Note { class: Class::System, cause: Some(started), ..Note::new(Kind::StateChange, pid) };
    machine.emit(note, Payload::State(state));
}
