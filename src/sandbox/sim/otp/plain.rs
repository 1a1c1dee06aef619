//! Processes without an OTP behaviour: `run(Args)`, which may block in `receive`; or, after it
//! answered that it wants one, a callback per message.

use crate::model::{Pid, Term};

use crate::model::Class;
use crate::sandbox::sim::atoms::atoms;
use crate::sandbox::sim::behaviour::{After, Callback, Raise, Return};
use crate::sandbox::sim::context::Context;
use crate::sandbox::sim::exits::exit_reason;
use crate::sandbox::sim::machine::Machine;
use crate::sandbox::sim::process::{Activity, Stage};
use crate::sandbox::sim::turn::{Next, Task, bad_return};

/// Takes the next message of a plain process that asked for one, or its timeout.
pub fn next_message(cx: &mut Context, pid: Pid) -> Next {
    let machine = cx.machine();
    let now_ns = machine.world.now_ns;
    let Some(process) = machine.world.process_mut(pid) else { return Next::Stay };
    let task = match (process.mailbox.take_first(), &process.activity) {
        (Some(arrived), _) => {
            let started = machine.emit_handle_start(pid, &arrived);
            let task =
                Task::new(Stage::Other, arrived.envelope.class, Callback::Info(arrived.envelope.message.clone()));
            Task { started: Some(started), ..task }
        }
        (None, Activity::Idle { timeout_due_ns: Some(due_ns) }) if *due_ns <= now_ns => {
            Task::new(Stage::Other, Class::Timeout, Callback::Info(Term::Atom(atoms().timeout)))
        }
        (None, _) => {
            machine.watch_deadline(pid);
            return Next::Stay;
        }
    };
    if let Some(process) = machine.world.process_mut(pid) {
        process.handling = task.started.map(|started| (started, task.class));
    }
    Next::Task(task)
}

/// What follows `run` or a message's callback.
pub fn finish(machine: &mut Machine, pid: Pid, result: Result<Return, Raise>) -> Next {
    let cause = machine.run.cause;
    end_handling(machine, pid);
    match result {
        Ok(Return::NoReply(After::Nothing | After::Hibernate)) => Next::Wait(None),
        Ok(Return::NoReply(After::TimeoutMs(ms))) => Next::Wait(Some(ms)),
        Ok(Return::NoReply(After::Continue(args))) => {
            Next::Later(Task::new(Stage::Run, Class::Continue, Callback::Run(args)))
        }
        Ok(Return::Done) => Next::Exit { reason: Term::Atom(atoms().normal), cause },
        Ok(Return::Stop { reason, .. }) => Next::Exit { reason, cause },
        Ok(other) => Next::Exit { reason: bad_return(other), cause },
        Err(raise) => Next::Exit { reason: exit_reason(raise), cause },
    }
}

/// Ends the handling of the message that the process took last.
pub fn end_handling(machine: &mut Machine, pid: Pid) {
    let Some(process) = machine.world.process_mut(pid) else { return };
    if let Some((started, class)) = process.handling.take() {
        machine.emit_handle_end(pid, class, Some(started));
    }
}
