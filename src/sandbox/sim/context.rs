//! What process code can do: the host functions. Each is an operation of the effect log
//! ([`super::effects`]): done once, answered from the log when the callback is run again. Those that
//! block are in [`super::blocking`].

use std::sync::Arc;

use crate::model::{Atom, Kind, Pid, Term};

use super::atoms::atoms;
use super::behaviour::{Effect, Interrupt, Raise};
use super::effects::Op;
use super::machine::{Machine, Unwinding};
use super::messages::{Target, badarg};
use super::otp::gen_server;
use super::outbox::Note;
use super::process::Wait;
use super::world::{EventIdx, serial};

/// The world as one running callback sees it.
///
/// It is owned data, so that a driver whose host functions are `'static` closures can
/// [`Context::lend`] it to them for the length of a callback and [`Context::give_back`] afterwards.
#[derive(Default)]
pub struct Context(Option<Box<Machine>>);

impl Context {
    pub(super) fn new(machine: Machine) -> Context {
        Context(Some(Box::new(machine)))
    }
    pub(super) fn machine(&mut self) -> &mut Machine {
        self.0.as_mut().expect("a lent context is given back before the callback returns")
    }
    fn machine_ref(&self) -> &Machine {
        self.0.as_ref().expect("a lent context is given back before the callback returns")
    }

    /// Moves the context out, for a driver that must own it. Before the callback returns it has to be given back.
    pub fn lend(&mut self) -> Context {
        std::mem::take(self)
    }
    /// Puts back what [`Context::lend`] took.
    pub fn give_back(&mut self, lent: Context) {
        *self = lent;
    }

    /// Does an operation, or answers it from the log. Its second value is an event that later operations need.
    pub(super) fn operate(
        &mut self,
        op: Op,
        args: [Term; 2],
        perform: impl FnOnce(&mut Machine, &[Term; 2]) -> (Result<Term, Raise>, Option<EventIdx>),
    ) -> Effect<Term> {
        let machine = self.machine();
        if machine.run.unwinding.is_some() {
            return Err(Interrupt::Suspend);
        }
        if let Some(answer) = machine.replay(op, &args[0], &args[1]) {
            return answer.map_err(Interrupt::Raise);
        }
        if machine.run.unwinding.is_some() {
            return Err(Interrupt::Suspend);
        }
        machine.run.n_operations += 1;
        let (result, event) = perform(machine, &args);
        machine.log(op, args, result.clone(), event);
        result.map_err(Interrupt::Raise)
    }

    /// An operation that cannot fail and leaves nothing for later ones.
    pub(super) fn act(
        &mut self,
        op: Op,
        args: [Term; 2],
        perform: impl FnOnce(&mut Machine, &[Term; 2]) -> Term,
    ) -> Effect<Term> {
        self.operate(op, args, |machine, args| (Ok(perform(machine, args)), None))
    }

    /// An operation that may raise.
    pub(super) fn attempt(
        &mut self,
        op: Op,
        args: [Term; 2],
        perform: impl FnOnce(&mut Machine, &[Term; 2]) -> Result<Term, Raise>,
    ) -> Effect<Term> {
        self.operate(op, args, |machine, args| (perform(machine, args), None))
    }

    /// Interrupts the callback until `wait` is over.
    pub(super) fn suspend(&mut self, wait: Wait) -> Interrupt {
        let run = &mut self.machine().run;
        if run.resume.take().is_none() {
            run.n_blocking += 1;
        }
        run.unwinding = Some(Unwinding::Suspend(wait));
        Interrupt::Suspend
    }

    /// `self()`.
    pub fn self_pid(&self) -> Pid {
        self.machine_ref().run.pid
    }

    /// Whether an [`Interrupt`] is on its way out. A driver that evaluates scripts must trust this, not the
    /// error that it sees: scripts can swallow errors. While it is true every host function fails.
    pub fn is_unwinding(&self) -> bool {
        self.machine_ref().run.unwinding.is_some()
    }

    /// `Dest ! Message`. `dest`: a pid, a registered name, `{Name, Node}` or an alias. Raises badarg for an unknown plain name.
    pub fn send(&mut self, dest: &Term, message: Term) -> Effect<()> {
        self.attempt(Op::Send, [dest.clone(), message], |machine, [dest, message]| {
            let target = machine.resolve(dest)?;
            if let (Target::Unknown(_), Term::Atom(_)) = (target, dest) {
                return Err(badarg());
            }
            let (pid, cause) = (machine.run.pid, machine.run.cause);
            machine.send_to(pid, target, message.clone(), cause);
            Ok(Term::Nil)
        })
        .map(drop)
    }

    /// `erlang:send_after(Ms, Dest, Message)`: the timer's reference.
    pub fn send_after(&mut self, after_ms: u64, dest: &Term, message: Term) -> Effect<Term> {
        self.timer(after_ms, dest, message, false)
    }

    /// `erlang:start_timer(Ms, Dest, Message)`: as send_after, but the message is `{timeout, Ref, Message}`.
    pub fn start_timer(&mut self, after_ms: u64, dest: &Term, message: Term) -> Effect<Term> {
        self.timer(after_ms, dest, message, true)
    }

    fn timer(&mut self, after_ms: u64, dest: &Term, message: Term, wraps: bool) -> Effect<Term> {
        self.attempt(Op::StartTimer, [dest.clone(), message], |machine, [dest, message]| {
            if !matches!(dest, Term::Pid(_) | Term::Atom(_)) {
                return Err(badarg());
            }
            Ok(machine.start_timer(machine.run.pid, after_ms, dest, message.clone(), wraps))
        })
    }

    /// `erlang:cancel_timer(Ref)`: milliseconds left, or `false`.
    pub fn cancel_timer(&mut self, timer: &Term) -> Effect<Term> {
        self.attempt(Op::CancelTimer, [timer.clone(), Term::Nil], |machine, [timer, _]| match timer {
            Term::Ref(reference) => Ok(machine.cancel_timer(machine.run.pid, reference)),
            _ => Err(badarg()),
        })
    }

    /// `gen_server:cast(Dest, Request)`; never fails.
    pub fn cast(&mut self, dest: &Term, request: Term) -> Effect<()> {
        self.act(Op::Cast, [dest.clone(), request], |machine, [dest, request]| {
            let message = Term::tuple(vec![Term::Atom(atoms().gen_cast), request.clone()]);
            if let Ok(target) = machine.resolve(dest) {
                let (pid, cause) = (machine.run.pid, machine.run.cause);
                machine.send_to(pid, target, message, cause);
            }
            Term::Nil
        })
        .map(drop)
    }

    /// `gen_server:reply(From, Value)`.
    pub fn reply(&mut self, from: &Term, value: Term) -> Effect<()> {
        self.act(Op::Send, [from.clone(), value], |machine, [from, value]| {
            gen_server::reply_to(machine, machine.run.pid, from, value.clone());
            Term::Nil
        })
        .map(drop)
    }

    /// `link(Pid)`.
    pub fn link(&mut self, pid: Pid) -> Effect<()> {
        self.attempt(Op::Link, [Term::Pid(pid), Term::Nil], |machine, _| {
            machine.link(machine.run.pid, pid).map(|()| Term::Nil)
        })
        .map(drop)
    }

    /// `unlink(Pid)`.
    pub fn unlink(&mut self, pid: Pid) -> Effect<()> {
        self.act(Op::Unlink, [Term::Pid(pid), Term::Nil], |machine, _| {
            machine.unlink(machine.run.pid, pid);
            Term::Nil
        })
        .map(drop)
    }

    /// `monitor(process, Dest)`: the monitor's reference.
    pub fn monitor(&mut self, dest: &Term) -> Effect<Term> {
        self.attempt(Op::Monitor, [dest.clone(), Term::Nil], |machine, [dest, _]| {
            machine.monitor(machine.run.pid, dest, false, true).map(Term::Ref)
        })
    }

    /// `demonitor(Ref, [flush])`, or without flush.
    pub fn demonitor(&mut self, monitor: &Term, flush: bool) -> Effect<()> {
        self.attempt(Op::Demonitor, [monitor.clone(), Term::Nil], |machine, [monitor, _]| match monitor {
            Term::Ref(reference) => {
                machine.demonitor(machine.run.pid, serial(reference), flush, true);
                Ok(Term::Nil)
            }
            _ => Err(badarg()),
        })
        .map(drop)
    }

    /// `exit(Pid, Reason)`: an exit signal. A process ends itself by `return Err(Interrupt::exit(reason))`.
    pub fn exit_signal(&mut self, pid: Pid, reason: Term) -> Effect<()> {
        self.act(Op::ExitSignal, [Term::Pid(pid), reason], |machine, [_, reason]| {
            machine.exit_signal(machine.run.pid, pid, reason.clone());
            Term::Nil
        })
        .map(drop)
    }

    /// `process_flag(trap_exit, Flag)`: the old flag.
    pub fn trap_exit(&mut self, flag: bool) -> Effect<bool> {
        let old = self.act(Op::TrapExit, [Term::bool(flag), Term::Nil], |machine, _| {
            let pid = machine.run.pid;
            let old = machine.world.process_mut(pid).map(|process| std::mem::replace(&mut process.traps_exit, flag));
            Term::bool(old.unwrap_or(false))
        })?;
        Ok(old.is_atom("true"))
    }

    /// `register(Name, Pid)`. Raises badarg when the name or the process has one already, or is dead.
    pub fn register(&mut self, name: Atom, pid: Pid) -> Effect<()> {
        let args = [Term::Atom(name), Term::Pid(pid)];
        self.attempt(Op::Register, args, |machine, _| machine.register(name, pid).map(|()| Term::Nil)).map(drop)
    }

    /// `unregister(Name)`. Raises badarg for an unknown name.
    pub fn unregister(&mut self, name: Atom) -> Effect<()> {
        let args = [Term::Atom(name), Term::Nil];
        self.attempt(Op::Unregister, args, |machine, _| machine.unregister(name).map(|()| Term::Nil)).map(drop)
    }

    /// `whereis(Name)`.
    pub fn whereis(&mut self, name: Atom) -> Effect<Option<Pid>> {
        let found = self.act(Op::Whereis, [Term::Atom(name), Term::Nil], |machine, _| {
            machine.world.whereis(name).map_or(Term::Nil, Term::Pid)
        })?;
        Ok(found.as_pid())
    }

    /// `is_process_alive(Pid)`.
    pub fn is_alive(&mut self, pid: Pid) -> Effect<bool> {
        let args = [Term::Pid(pid), Term::Nil];
        Ok(self.act(Op::IsAlive, args, |machine, _| Term::bool(machine.world.is_alive(pid)))?.is_atom("true"))
    }

    /// `process_info(Pid)` as a map of the keys that the sim knows; `undefined` for the dead.
    pub fn process_info(&mut self, pid: Pid) -> Effect<Term> {
        self.act(Op::ProcessInfo, [Term::Pid(pid), Term::Nil], |machine, _| super::info::process_info(machine, pid))
    }

    /// `put(Key, Value)`: the old value, or `undefined`.
    pub fn put(&mut self, key: Term, value: Term) -> Effect<Term> {
        self.act(Op::Put, [key, value], |machine, [key, value]| {
            machine.own_dictionary().and_then(|own| own.insert(key.clone(), value.clone())).unwrap_or_else(undefined)
        })
    }

    /// `get(Key)`: the value, or `undefined`.
    pub fn get(&mut self, key: &Term) -> Effect<Term> {
        self.act(Op::Get, [key.clone(), Term::Nil], |machine, [key, _]| {
            let process = machine.world.process(machine.run.pid);
            process.and_then(|process| process.dictionary.get(key).cloned()).unwrap_or_else(undefined)
        })
    }

    /// `erase(Key)`: the old value, or `undefined`.
    pub fn erase(&mut self, key: &Term) -> Effect<Term> {
        self.act(Op::Erase, [key.clone(), Term::Nil], |machine, [key, _]| {
            machine.own_dictionary().and_then(|own| own.remove(key)).unwrap_or_else(undefined)
        })
    }

    /// The virtual clock in nanoseconds.
    pub fn now_ns(&mut self) -> Effect<i64> {
        let now = self.act(Op::Now, [Term::Nil, Term::Nil], |machine, _| Term::Int(machine.world.now_ns))?;
        Ok(now.as_int().unwrap_or(0))
    }

    /// A number from 0 to `n - 1`, from the world's seeded generator. Raises badarg for 0.
    pub fn random(&mut self, n: u64) -> Effect<u64> {
        let drawn = self.attempt(Op::Random, [Term::Int(n as i64), Term::Nil], |machine, _| match n {
            0 => Err(badarg()),
            n => Ok(Term::Int(machine.world.choices.pick(n) as i64)),
        })?;
        Ok(drawn.as_int().unwrap_or(0) as u64)
    }

    /// `make_ref()`.
    pub fn make_ref(&mut self) -> Effect<Term> {
        self.act(Op::MakeRef, [Term::Nil, Term::Nil], |machine, _| {
            Term::Ref(Arc::new(machine.world.make_reference(None).0))
        })
    }

    /// Writes a line of output: a log event.
    pub fn log(&mut self, text: &str) -> Effect<()> {
        self.act(Op::Log, [Term::binary(text), Term::Nil], |machine, [text, _]| {
            let note = Note { cause: machine.run.cause, ..Note::new(Kind::Log, machine.run.pid) };
            machine.emit_term(note, text);
            Term::Nil
        })
        .map(drop)
    }

    /// `proc_lib:set_label(Text)`.
    pub fn label(&mut self, text: &str) -> Effect<()> {
        let key = Term::atom("$process_label");
        self.act(Op::Label, [Term::binary(text), Term::Nil], |machine, [text, _]| {
            if let Some(own) = machine.own_dictionary() {
                own.insert(key, text.clone());
            }
            Term::Nil
        })
        .map(drop)
    }

    /// Records what only a supervisor knows; `old` is the process whose end is the cause, else the running callback is.
    pub(super) fn note_supervision(
        &mut self,
        kind: Kind,
        id: Option<Atom>,
        child: Option<Pid>,
        old: Option<Pid>,
        payload: Term,
    ) -> Effect<()> {
        self.act(Op::Note, [payload, Term::Nil], |machine, [payload, _]| {
            let ended = old.and_then(|old| machine.world.ended(old));
            let cause = ended.or(machine.run.cause);
            machine.emit_term(Note { tag: id, peer: child, cause, ..Note::new(kind, machine.run.pid) }, payload);
            Term::Nil
        })
        .map(drop)
    }
}

fn undefined() -> Term {
    Term::Atom(atoms().undefined)
}
