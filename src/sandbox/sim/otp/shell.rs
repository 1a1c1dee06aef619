//! The shell: the process in whose name a user's inputs are done. Inputs that wait for an answer
//! (start, call) run like any callback of any process, so breakpoints stop them too.

use crate::model::{Behaviour as BehaviourKind, Term};

use crate::sandbox::sim::atoms::atoms;
use crate::sandbox::sim::behaviour::{After, Behaviour, Callback, Effect, Interrupt, Raise, Return};
use crate::sandbox::sim::context::Context;
use crate::sandbox::sim::exits::exit_reason;
use crate::sandbox::sim::machine::Machine;
use crate::sandbox::sim::turn::Next;
use crate::sandbox::{Dest, Input};

/// The shell's own code: it drops whatever is sent to it.
#[derive(Clone, Copy)]
pub struct Shell;

impl Behaviour for Shell {
    fn callback(&mut self, _cx: &mut Context, _callback: &Callback) -> Effect<Return> {
        Ok(Return::NoReply(After::Nothing))
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::Process
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn encode_state(&self, _out: &mut Vec<u8>) {}
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("the shell has no state".to_string())
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(*self)
    }
}

/// An input as the payload of its event: `{start, Module, Args, Name, IsLinked}`, `{call, Dest, Request, TimeoutMs}`,
/// `{cast, Dest, Request}`, `{send, Dest, Message}`, `{exit, Dest, Reason}`.
pub fn input_term(input: &Input) -> Term {
    let dest = |dest: &Dest| match dest {
        Dest::Pid(pid) => Term::Pid(*pid),
        Dest::Name(name) => Term::Atom(*name),
    };
    match input {
        Input::Start { module, args, name, link } => Term::tuple(vec![
            Term::Atom(atoms().start),
            Term::Atom(*module),
            args.clone(),
            Term::Atom(name.unwrap_or(atoms().undefined)),
            Term::bool(*link),
        ]),
        Input::Call { to, request, timeout_ns } => {
            let timeout = match timeout_ns {
                Some(ns) => Term::Int(ns.unsigned_abs().div_ceil(1_000_000) as i64),
                None => Term::Atom(atoms().infinity),
            };
            Term::tuple(vec![Term::Atom(atoms().call), dest(to), request.clone(), timeout])
        }
        Input::Cast { to, request } => Term::tuple(vec![Term::atom("cast"), dest(to), request.clone()]),
        Input::Send { to, message } => Term::tuple(vec![Term::atom("send"), dest(to), message.clone()]),
        Input::Exit { to, reason } => Term::tuple(vec![Term::Atom(atoms().exit), dest(to), reason.clone()]),
    }
}

/// Does an input in the shell's name. Its value is the answer of the run.
pub fn perform(cx: &mut Context, callback: &Callback) -> Effect<Return> {
    let Callback::Info(input) = callback else { return Err(Interrupt::badarg()) };
    let items = input.as_tuple().ok_or_else(Interrupt::badarg)?;
    let verb = items.first().and_then(Term::as_atom).ok_or_else(Interrupt::badarg)?;
    let ok = Term::Atom(atoms().ok);
    let answer = match (verb.as_str(), &items[1..]) {
        ("start", [Term::Atom(module), args, Term::Atom(name), is_linked]) => {
            let name = (*name != atoms().undefined).then_some(*name);
            match is_linked.is_atom("true") {
                true => cx.start_link(*module, args.clone(), name)?,
                false => cx.start(*module, args.clone(), name)?,
            }
        }
        ("call", [dest, request, timeout]) => {
            let timeout_ms = timeout.as_int().map(|ms| ms.max(0) as u64);
            let reply = cx.gen_call(dest, request.clone(), timeout_ms)?;
            Term::tuple(vec![ok, reply])
        }
        ("cast", [dest, request]) => cx.cast(dest, request.clone()).map(|()| ok)?,
        ("send", [dest, message]) => cx.send(dest, message.clone()).map(|()| ok)?,
        ("exit", [dest, reason]) => {
            let pid = match dest {
                Term::Atom(name) => cx.whereis(*name)?.ok_or_else(Interrupt::badarg)?,
                other => other.as_pid().ok_or_else(Interrupt::badarg)?,
            };
            cx.exit_signal(pid, reason.clone()).map(|()| ok)?
        }
        _ => return Err(Interrupt::badarg()),
    };
    Ok(Return::Reply(answer, After::Nothing))
}

/// Keeps the outcome of an input for the run that waits for it: its value, or `{exit, Reason}`.
pub fn finish(machine: &mut Machine, result: Result<Return, Raise>) -> Next {
    machine.world.answer = Some(match result {
        Ok(Return::Reply(answer, _)) => answer,
        Ok(_) => Term::Atom(atoms().ok),
        Err(raise) => Term::tuple(vec![Term::Atom(atoms().exit), exit_reason(raise)]),
    });
    Next::Wait(None)
}
