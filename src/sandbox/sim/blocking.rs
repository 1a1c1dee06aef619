//! Host functions that block: calls, starts, receive, sleep, work. Those made of several operations
//! log their parts, so each part is done once however often the callback is run again.

use std::sync::Arc;

use crate::model::{Atom, Behaviour as BehaviourKind, CallKey, Class, Kind, Pid, Reference, Term};

use super::atoms::atoms;
use super::behaviour::{Effect, Interrupt, Raise};
use super::context::Context;
use super::effects::Op;
use super::machine::Machine;
use super::messages::Target;
use super::otp::plain;
use super::outbox::{Note, Payload};
use super::process::{Stage, Wait};
use super::signal::Pattern;
use super::spawn::SpawnRequest;
use super::world::{EventIdx, serial};

/// The default timeout of `gen_server:call`; a call with it shows as `call/2` in exit reasons.
pub const CALL_TIMEOUT_MS: u64 = 5_000;

impl Context {
    /// `gen_server:call(Dest, Request, Timeout)`; blocks. `None` is infinity. Raises exit `{Reason, {gen_server, call, Args}}`.
    pub fn gen_call(&mut self, dest: &Term, request: Term, timeout_ms: Option<u64>) -> Effect<Term> {
        let a = atoms();
        let failed = |reason: Term| {
            let mut args = vec![dest.clone(), request.clone()];
            match timeout_ms {
                Some(CALL_TIMEOUT_MS) => {}
                Some(ms) => args.push(Term::Int(ms as i64)),
                None => args.push(Term::Atom(a.infinity)),
            }
            let call = Term::tuple(vec![Term::Atom(a.gen_server), Term::Atom(a.call), Term::list(args)]);
            Interrupt::exit(Term::tuple(vec![reason, call]))
        };
        let has_alias = timeout_ms.is_some();
        let begun = self.operate(Op::CallBegin, [dest.clone(), request.clone()], |machine, [dest, request]| {
            begin_call(machine, dest, request, has_alias)
        })?;
        let Term::Ref(reference) = begun else { return Err(failed(begun)) };
        let pattern = Pattern::Answer(serial(&reference));
        let answer = self.receive_pattern(pattern, timeout_ms)?;
        // An answer that came at the very moment of the timeout still counts, as in gen:do_call.
        let answer = self.act(
            Op::CallEnd,
            [Term::Ref(reference.clone()), answer.unwrap_or(Term::Nil)],
            |machine, [_, answer]| end_call(machine, &reference, answer),
        )?;
        match answer.as_tuple() {
            Some([_, reply]) => Ok(reply.clone()),
            Some([_, _, _, _, reason]) => Err(failed(reason.clone())),
            _ => Err(failed(Term::Atom(a.timeout))),
        }
    }

    /// `supervisor:start_child(Sup, ChildSpec | ExtraArgs)`; blocks.
    pub fn start_child(&mut self, supervisor: &Term, spec: Term) -> Effect<Term> {
        self.ask_supervisor(supervisor, "start_child", spec)
    }
    /// `supervisor:terminate_child(Sup, Id)`; blocks.
    pub fn terminate_child(&mut self, supervisor: &Term, id: Term) -> Effect<Term> {
        self.ask_supervisor(supervisor, "terminate_child", id)
    }
    /// `supervisor:restart_child(Sup, Id)`; blocks.
    pub fn restart_child(&mut self, supervisor: &Term, id: Term) -> Effect<Term> {
        self.ask_supervisor(supervisor, "restart_child", id)
    }
    /// `supervisor:delete_child(Sup, Id)`; blocks.
    pub fn delete_child(&mut self, supervisor: &Term, id: Term) -> Effect<Term> {
        self.ask_supervisor(supervisor, "delete_child", id)
    }
    /// `supervisor:which_children(Sup)`; blocks.
    pub fn which_children(&mut self, supervisor: &Term) -> Effect<Term> {
        self.gen_call(supervisor, Term::atom("which_children"), None)
    }
    /// `supervisor:count_children(Sup)`; blocks.
    pub fn count_children(&mut self, supervisor: &Term) -> Effect<Term> {
        self.gen_call(supervisor, Term::atom("count_children"), None)
    }

    fn ask_supervisor(&mut self, supervisor: &Term, verb: &str, argument: Term) -> Effect<Term> {
        self.gen_call(supervisor, Term::tuple(vec![Term::atom(verb), argument]), None)
    }

    /// `sys:get_state(Dest)` and its like: sends `{system, From, Request}` and waits for the answer.
    pub fn sys(&mut self, dest: &Term, request: Term) -> Effect<Term> {
        let begun = self.operate(Op::CallBegin, [dest.clone(), request], |machine, [dest, request]| {
            begin_tagged(machine, atoms().system, dest, request, true)
        })?;
        let Term::Ref(reference) = begun else { return Err(Interrupt::exit(begun)) };
        let answer = self.receive_pattern(Pattern::Answer(serial(&reference)), Some(CALL_TIMEOUT_MS))?;
        let args = [Term::Ref(reference.clone()), answer.unwrap_or(Term::Nil)];
        let answer = self.act(Op::CallEnd, args, |machine, [_, answer]| end_call(machine, &reference, answer))?;
        match answer.as_tuple() {
            Some([_, reply]) => Ok(reply.clone()),
            Some([_, _, _, _, reason]) => Err(Interrupt::exit(reason.clone())),
            _ => Err(Interrupt::exit(Term::Atom(atoms().timeout))),
        }
    }

    /// `start_link` of a behaviour module; blocks until its init is over. `{ok, Pid}`, `ignore` or `{error, Reason}`.
    pub fn start_link(&mut self, module: Atom, args: Term, name: Option<Atom>) -> Effect<Term> {
        self.start_process(module, args, name, true, false)
    }

    /// `start`: as start_link, without the link.
    pub fn start(&mut self, module: Atom, args: Term, name: Option<Atom>) -> Effect<Term> {
        self.start_process(module, args, name, false, false)
    }

    /// gen:start and proc_lib:start: the name is looked at first, then the child's init acknowledges.
    pub(super) fn start_process(
        &mut self,
        module: Atom,
        args: Term,
        name: Option<Atom>,
        is_linked: bool,
        is_child: bool,
    ) -> Effect<Term> {
        let a = atoms();
        let pair = |tag: Atom, value: Term| Term::tuple(vec![Term::Atom(tag), value]);
        if let Some(name) = name
            && let Some(holder) = self.whereis(name)?
        {
            return Ok(pair(a.error, pair(a.already_started, Term::Pid(holder))));
        }
        let begun = self.operate(Op::Spawn, [Term::Atom(module), args], |machine, [_, args]| {
            let request =
                SpawnRequest { parent: machine.run.pid, module, args: args.clone(), name, is_linked, is_child };
            let started = machine.spawn(request).map(|pid| {
                let kind = machine.world.process(pid).map(|process| process.birth.kind);
                if kind == Some(BehaviourKind::Process) { pair(a.ok, Term::Pid(pid)) } else { Term::Pid(pid) }
            });
            (started, None)
        })?;
        // A plain process has no init to wait for.
        let Term::Pid(pid) = begun else { return Ok(begun) };
        let monitor = if is_linked { None } else { Some(self.watch_silently(pid)?) };
        let pattern = match &monitor {
            Some(monitor) => Pattern::StartedOrDown(pid, serial(monitor)),
            None => Pattern::Started(pid),
        };
        let answer = self.receive_pattern(pattern, None)?;
        if let Some(monitor) = monitor {
            self.unwatch_silently(&monitor)?;
        }
        let answer = answer.unwrap_or(Term::Nil);
        Ok(match answer.as_tuple() {
            Some([Term::Atom(tag), _, result]) if *tag == a.ack => result.clone(),
            Some([_, _, reason] | [_, _, _, _, reason]) => pair(a.error, reason.clone()),
            _ => answer,
        })
    }

    /// A monitor that is part of another operation and not recorded.
    fn watch_silently(&mut self, pid: Pid) -> Effect<Arc<Reference>> {
        let reference = self.attempt(Op::Monitor, [Term::Pid(pid), Term::Nil], |machine, [dest, _]| {
            machine.monitor(machine.run.pid, dest, false, false).map(Term::Ref)
        })?;
        let Term::Ref(reference) = reference else { return Err(Interrupt::badarg()) };
        Ok(reference)
    }

    fn unwatch_silently(&mut self, reference: &Arc<Reference>) -> Effect<()> {
        self.act(Op::Demonitor, [Term::Ref(reference.clone()), Term::Nil], |machine, _| {
            machine.demonitor(machine.run.pid, serial(reference), true, false);
            Term::Nil
        })
        .map(drop)
    }

    /// Stops a child as supervisor:shutdown/1 does: by signal, then after the timeout by kill. It waits for the
    /// monitor, so a child that unlinked cannot hang it. `None` is infinity. Gives the reason of the end.
    pub(super) fn shut_down(&mut self, pid: Pid, signal: Term, timeout_ms: Option<u64>) -> Effect<Term> {
        let monitor = self.watch_silently(pid)?;
        self.exit_signal(pid, signal)?;
        let pattern = Pattern::Down(serial(&monitor));
        let down = match self.receive_pattern(pattern.clone(), timeout_ms)? {
            Some(down) => down,
            None => {
                self.exit_signal(pid, Term::Atom(atoms().kill))?;
                self.receive_pattern(pattern, None)?.unwrap_or(Term::Nil)
            }
        };
        self.unlink(pid)?;
        let exit = self.act(Op::Flush, [Term::Pid(pid), Term::Nil], |machine, _| {
            machine.take_all(machine.run.pid, &Pattern::Exit(pid)).pop().unwrap_or(Term::Nil)
        })?;
        // What the process ended with is in its 'EXIT' when it was dead before the monitor was set.
        Ok(match (exit.as_tuple(), down.as_tuple()) {
            (Some([_, _, reason]), _) | (_, Some([_, _, _, _, reason])) => reason.clone(),
            _ => Term::Atom(atoms().noproc),
        })
    }

    /// Computes for `ns` of virtual time: the process is busy, others run. Blocks.
    pub fn work(&mut self, ns: u64) -> Effect<()> {
        self.pause(ns, true)
    }

    /// `timer:sleep`; blocks.
    pub fn sleep(&mut self, ns: u64) -> Effect<()> {
        self.pause(ns, false)
    }

    fn pause(&mut self, ns: u64, is_busy: bool) -> Effect<()> {
        let args = [Term::Int(i64::try_from(ns).unwrap_or(i64::MAX)), Term::bool(is_busy)];
        if let Some(answer) = self.from_log(Op::Pause, &args)? {
            return answer.map(drop).map_err(Interrupt::Raise);
        }
        let machine = self.machine();
        let due_ns = match machine.run.resume {
            Some(Wait::Until { due_ns, .. }) => due_ns,
            _ => machine.world.now_ns.saturating_add(i64::try_from(ns).unwrap_or(i64::MAX)),
        };
        if machine.world.now_ns < due_ns {
            return Err(self.suspend(Wait::Until { due_ns, is_busy }));
        }
        machine.run.resume = None;
        machine.run.n_operations += if is_busy { ns / 100 } else { 1 };
        machine.log(Op::Pause, args, Ok(Term::Nil), None);
        Ok(())
    }

    /// `receive` with an optional timeout: the oldest message for which `matches` holds, or `None` after the timeout. Blocks.
    /// `matches` must be a function of the message alone.
    pub fn receive(
        &mut self,
        timeout_ms: Option<u64>,
        matches: Option<&mut dyn FnMut(&Term) -> bool>,
    ) -> Effect<Option<Term>> {
        if self.machine().run.stage == Stage::Run {
            // The message before this one has been dealt with.
            self.act(Op::ReceiveBegin, [Term::Nil, Term::Nil], |machine, _| {
                plain::end_handling(machine, machine.run.pid);
                Term::Nil
            })?;
        }
        match matches {
            None => self.receive_where(Pattern::Any, timeout_ms, &mut |_| true),
            Some(matches) => self.receive_where(Pattern::Closure, timeout_ms, matches),
        }
    }

    fn receive_pattern(&mut self, pattern: Pattern, timeout_ms: Option<u64>) -> Effect<Option<Term>> {
        self.receive_where(pattern.clone(), timeout_ms, &mut |message| pattern.matches(message))
    }

    fn receive_where(
        &mut self,
        pattern: Pattern,
        timeout_ms: Option<u64>,
        matches: &mut dyn FnMut(&Term) -> bool,
    ) -> Effect<Option<Term>> {
        let args = [timeout_ms.map_or(Term::Nil, |ms| Term::Int(ms as i64)), Term::Nil];
        if let Some(answer) = self.from_log(Op::Receive, &args)? {
            return answer.map(found).map_err(Interrupt::Raise);
        }
        let machine = self.machine();
        let (pid, now_ns) = (machine.run.pid, machine.world.now_ns);
        let due_ns = match (&machine.run.resume, timeout_ms) {
            (Some(Wait::Message { due_ns, .. }), _) => *due_ns,
            (_, Some(ms)) => {
                let after_ns = i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                Some(now_ns.saturating_add(after_ns))
            }
            (_, None) => None,
        };
        let taken = machine
            .world
            .process_mut(pid)
            .and_then(|process| process.mailbox.take_match(|envelope| matches(&envelope.message)));
        match taken {
            Some(arrived) => {
                machine.run.resume = None;
                let event = if machine.run.stage == Stage::Run && arrived.envelope.class != Class::Reply {
                    let started = machine.emit_handle_start(pid, &arrived);
                    if let Some(process) = machine.world.process_mut(pid) {
                        process.handling = Some((started, arrived.envelope.class));
                    }
                    machine.run.cause = Some(started);
                    Some(started)
                } else {
                    machine.emit_taken(pid, &arrived);
                    None
                };
                let message = arrived.envelope.message.clone();
                machine.log(Op::Receive, args, Ok(some(message.clone())), event);
                Ok(Some(message))
            }
            None if due_ns.is_some_and(|due_ns| due_ns <= now_ns) => {
                machine.run.resume = None;
                if let Some(process) = machine.world.process_mut(pid) {
                    process.mailbox.reset_save();
                }
                machine.log(Op::Receive, args, Ok(Term::Nil), None);
                Ok(None)
            }
            None => Err(self.suspend(Wait::Message { pattern, due_ns })),
        }
    }

    /// The answer of a blocking operation that the log has, if it has come so far.
    #[expect(clippy::wrong_self_convention, reason = "it reads from the log")]
    fn from_log(&mut self, op: Op, args: &[Term; 2]) -> Effect<Option<Result<Term, Raise>>> {
        let machine = self.machine();
        if machine.run.unwinding.is_some() {
            return Err(Interrupt::Suspend);
        }
        let answer = machine.replay(op, &args[0], &args[1]);
        if machine.run.unwinding.is_some() {
            return Err(Interrupt::Suspend);
        }
        Ok(answer)
    }
}

/// Sends `{'$gen_call', {self(), Tag}, Request}` under a monitor: its reference, or why there is nobody to call.
fn begin_call(
    machine: &mut Machine,
    dest: &Term,
    request: &Term,
    has_alias: bool,
) -> (Result<Term, Raise>, Option<EventIdx>) {
    begin_tagged(machine, atoms().gen_call, dest, request, has_alias)
}

/// As [`begin_call`], under the verb of gen_server or of sys.
fn begin_tagged(
    machine: &mut Machine,
    verb: Atom,
    dest: &Term,
    request: &Term,
    has_alias: bool,
) -> (Result<Term, Raise>, Option<EventIdx>) {
    let a = atoms();
    let (pid, cause) = (machine.run.pid, machine.run.cause);
    let target = match machine.resolve(dest) {
        Ok(target) => target,
        Err(raise) => return (Err(raise), None),
    };
    let reference = match target {
        Target::Process(to) if to == pid => return (Ok(Term::Atom(a.calling_self)), None),
        Target::Elsewhere | Target::Alias { .. } => return (Ok(Term::Atom(a.noproc)), None),
        Target::Unknown(_) => Arc::new(machine.world.make_reference(None).0),
        Target::Process(_) => match machine.monitor(pid, dest, has_alias, false) {
            Ok(reference) => reference,
            Err(raise) => return (Err(raise), None),
        },
    };
    let tag = match has_alias {
        true => Term::improper(vec![Term::Atom(a.alias)], Term::Ref(reference.clone())),
        false => Term::Ref(reference.clone()),
    };
    let from = Term::tuple(vec![Term::Pid(pid), tag]);
    let message = Term::tuple(vec![Term::Atom(verb), from, request.clone()]);
    let sent = machine.send_to(pid, target, message, cause);
    match target {
        Target::Unknown(_) => (Ok(Term::Atom(a.noproc)), Some(sent)),
        _ => (Ok(Term::Ref(reference)), Some(sent)),
    }
}

/// Ends a call: the monitor and its alias go; a call without an answer is recorded as timed out.
fn end_call(machine: &mut Machine, reference: &Arc<Reference>, answer: &Term) -> Term {
    let pid = machine.run.pid;
    if *answer == Term::Nil {
        let begun = machine.run.log.iter_rev().find(|entry| {
            entry.op == Op::CallBegin && matches!(&entry.result, Ok(Term::Ref(other)) if other == reference)
        });
        let sent = begun.and_then(|entry| entry.event);
        let server = machine
            .world
            .process(pid)
            .and_then(|process| process.monitors.iter().find(|monitor| monitor.serial == serial(reference))?.target);
        let call = Some(CallKey(reference.key()));
        machine.emit(Note { peer: server, call, cause: sent, ..Note::new(Kind::Timeout, pid) }, Payload::None);
    }
    machine.demonitor(pid, serial(reference), true, false);
    answer.clone()
}

/// A received message in the log; a receive that timed out is `[]` there.
fn some(message: Term) -> Term {
    Term::tuple(vec![message])
}

fn found(logged: Term) -> Option<Term> {
    logged.as_tuple().and_then(|items| items.first().cloned())
}
