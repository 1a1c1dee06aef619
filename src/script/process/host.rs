//! The host functions of processes: each passes its arguments to the kernel's [`Context`] and its answer back.
//! It must not know how the context comes here ([`super::lent`]).

use rhai::plugin::*;
use rhai::{Dynamic, INT};

use super::super::convert::{to_dynamic, to_term};
use super::super::error::raise;
use super::exception::bad_argument;
use super::lent::{Raised, effect};
use crate::model::display::Style;
use crate::model::time::parse_duration_ns;
use crate::model::{Atom, Pid, Term};
use crate::sandbox::sim::{Context, Interrupt};

fn atom(value: &Dynamic, what: &str) -> Raised<Atom> {
    to_term(value)?.as_atom().ok_or_else(|| bad_argument(format!("{what} is a name: a string")))
}

fn a_pid(term: &Term) -> Raised<Pid> {
    let shown = || term.display(Style::erlang().chars_max(80)).to_string();
    term.as_pid().ok_or_else(|| bad_argument(format!("expected a pid, got {}", shown())))
}

fn ms(value: INT) -> Raised<u64> {
    u64::try_from(value).map_err(|_| bad_argument(format!("{value} ms: a time is not negative")))
}

/// Milliseconds as a number, a duration as text, or `"infinity"`.
fn timeout(value: &Dynamic) -> Raised<Option<u64>> {
    if let Ok(value) = value.as_int() {
        return ms(value).map(Some);
    }
    match value.as_immutable_string_ref() {
        Ok(text) if *text == "infinity" => Ok(None),
        Ok(_) => Ok(Some(duration_ns(value)? / 1_000_000)),
        Err(_) => Err(bad_argument("a timeout is milliseconds, \"500ms\" or \"infinity\"")),
    }
}

/// A duration: `"5ms"`, or milliseconds as a number.
fn duration_ns(value: &Dynamic) -> Raised<u64> {
    if let Ok(value) = value.as_int() {
        return Ok(ms(value)?.saturating_mul(1_000_000));
    }
    let text = value.as_immutable_string_ref().map_err(|_| bad_argument("a duration is \"5ms\" or milliseconds"))?;
    let ns = parse_duration_ns(&text).map_err(raise)?;
    u64::try_from(ns).map_err(|_| bad_argument(format!("{:?}: a time is not negative", text.as_str())))
}

fn value_of(effect: Raised<Term>) -> Raised<Dynamic> {
    effect.map(|term| to_dynamic(&term))
}

/// The host functions with their documentation.
pub fn host_functions() -> Module {
    let mut module = exported_module!(functions);
    module.build_index();
    module
}

#[export_module]
mod functions {
    /// The pid of this process.
    #[rhai_fn(name = "self", volatile, return_raw)]
    pub fn own_pid() -> Raised<Term> {
        effect(|cx| Ok(Term::Pid(cx.self_pid())))
    }
    /// Sends a message to a pid or a registered name. An unknown name is an error, a dead pid is not.
    #[rhai_fn(volatile, return_raw)]
    pub fn send(dest: Dynamic, message: Dynamic) -> Raised<()> {
        let (dest, message) = (to_term(&dest)?, to_term(&message)?);
        effect(|cx| cx.send(&dest, message))
    }
    /// Sends a message after so many milliseconds; gives the timer.
    #[rhai_fn(volatile, return_raw)]
    pub fn send_after(after_ms: INT, dest: Dynamic, message: Dynamic) -> Raised<Dynamic> {
        let (after_ms, dest, message) = (ms(after_ms)?, to_term(&dest)?, to_term(&message)?);
        value_of(effect(|cx| cx.send_after(after_ms, &dest, message)))
    }
    /// Sends `{timeout, Ref, message}` after so many milliseconds; gives the timer.
    #[rhai_fn(volatile, return_raw)]
    pub fn start_timer(after_ms: INT, dest: Dynamic, message: Dynamic) -> Raised<Dynamic> {
        let (after_ms, dest, message) = (ms(after_ms)?, to_term(&dest)?, to_term(&message)?);
        value_of(effect(|cx| cx.start_timer(after_ms, &dest, message)))
    }
    /// Cancels a timer: the milliseconds that were left, or false.
    #[rhai_fn(volatile, return_raw)]
    pub fn cancel_timer(timer: Dynamic) -> Raised<Dynamic> {
        let timer = to_term(&timer)?;
        value_of(effect(|cx| cx.cancel_timer(&timer)))
    }
    /// Calls a server and waits up to 5 s for its reply; exits when there is none.
    #[rhai_fn(volatile, return_raw)]
    pub fn gen_call(dest: Dynamic, request: Dynamic) -> Raised<Dynamic> {
        let (dest, request) = (to_term(&dest)?, to_term(&request)?);
        value_of(effect(|cx| cx.gen_call(&dest, request, Some(5_000))))
    }
    /// Calls a server and waits so many milliseconds (or "infinity") for its reply.
    #[rhai_fn(name = "gen_call", volatile, return_raw)]
    pub fn gen_call_timeout(dest: Dynamic, request: Dynamic, timeout_ms: Dynamic) -> Raised<Dynamic> {
        let (dest, request, timeout_ms) = (to_term(&dest)?, to_term(&request)?, timeout(&timeout_ms)?);
        value_of(effect(|cx| cx.gen_call(&dest, request, timeout_ms)))
    }
    /// Sends a server a request that needs no reply. Never fails.
    #[rhai_fn(volatile, return_raw)]
    pub fn cast(dest: Dynamic, request: Dynamic) -> Raised<()> {
        let (dest, request) = (to_term(&dest)?, to_term(&request)?);
        effect(|cx| cx.cast(&dest, request))
    }
    /// Answers a call that `handle_call` left open with `noreply()`; `from` is what it got.
    #[rhai_fn(volatile, return_raw)]
    pub fn reply_to(from: Dynamic, value: Dynamic) -> Raised<()> {
        let (from, value) = (to_term(&from)?, to_term(&value)?);
        effect(|cx| cx.reply(&from, value))
    }
    /// Links this process to another: when one ends, the other gets an exit signal.
    #[rhai_fn(volatile, return_raw)]
    pub fn link(pid: Dynamic) -> Raised<()> {
        let pid = a_pid(&to_term(&pid)?)?;
        effect(|cx| cx.link(pid))
    }
    /// Removes a link.
    #[rhai_fn(volatile, return_raw)]
    pub fn unlink(pid: Dynamic) -> Raised<()> {
        let pid = a_pid(&to_term(&pid)?)?;
        effect(|cx| cx.unlink(pid))
    }
    /// Watches a process: its end comes as `{'DOWN', Ref, process, Pid, Reason}`. Gives the reference.
    #[rhai_fn(volatile, return_raw)]
    pub fn monitor(dest: Dynamic) -> Raised<Dynamic> {
        let dest = to_term(&dest)?;
        value_of(effect(|cx| cx.monitor(&dest)))
    }
    /// Stops watching, and drops a DOWN message that is already there.
    #[rhai_fn(volatile, return_raw)]
    pub fn demonitor(reference: Dynamic) -> Raised<()> {
        let reference = to_term(&reference)?;
        effect(|cx| cx.demonitor(&reference, true))
    }
    /// Ends this process with a reason.
    #[rhai_fn(volatile, return_raw)]
    pub fn exit(reason: Dynamic) -> Raised<()> {
        let reason = to_term(&reason)?;
        effect(|_| Err(Interrupt::exit(reason)))
    }
    /// Sends an exit signal to a process.
    #[rhai_fn(name = "exit", volatile, return_raw)]
    pub fn exit_other(pid: Dynamic, reason: Dynamic) -> Raised<()> {
        let (pid, reason) = (a_pid(&to_term(&pid)?)?, to_term(&reason)?);
        effect(|cx| cx.exit_signal(pid, reason))
    }
    /// Fails with an error: the process ends with `{reason, Stack}` unless caught.
    #[rhai_fn(volatile, return_raw)]
    pub fn error(reason: Dynamic) -> Raised<()> {
        let reason = to_term(&reason)?;
        effect(|_| Err(Interrupt::error(reason)))
    }
    /// Throws a value, as Erlang's throw does: out of a callback it counts as the callback's return value.
    #[rhai_fn(volatile, return_raw)]
    pub fn throw_term(value: Dynamic) -> Raised<()> {
        let value = to_term(&value)?;
        effect(|_| Err(Interrupt::throw(value)))
    }
    /// Whether exit signals come as messages `{'EXIT', Pid, Reason}`; gives the old setting.
    #[rhai_fn(volatile, return_raw)]
    pub fn trap_exit(flag: bool) -> Raised<bool> {
        effect(|cx| cx.trap_exit(flag))
    }
    /// Registers a name for a process.
    #[rhai_fn(volatile, return_raw)]
    pub fn register(name: Dynamic, pid: Dynamic) -> Raised<()> {
        let (name, pid) = (atom(&name, "the first argument of register")?, a_pid(&to_term(&pid)?)?);
        effect(|cx| cx.register(name, pid))
    }
    /// Gives a name up.
    #[rhai_fn(volatile, return_raw)]
    pub fn unregister(name: Dynamic) -> Raised<()> {
        let name = atom(&name, "the argument of unregister")?;
        effect(|cx| cx.unregister(name))
    }
    /// The pid that has a name, or "undefined".
    #[rhai_fn(volatile, return_raw)]
    pub fn whereis(name: Dynamic) -> Raised<Dynamic> {
        let name = atom(&name, "the argument of whereis")?;
        let pid = effect(|cx| cx.whereis(name))?;
        Ok(to_dynamic(&pid.map_or_else(|| Term::atom("undefined"), Term::Pid)))
    }
    /// Starts a process of a module, linked to this one: `{ok, Pid}`, "ignore" or `{error, Reason}`.
    #[rhai_fn(volatile, return_raw)]
    pub fn start_link(module: Dynamic, args: Dynamic) -> Raised<Dynamic> {
        let (module, args) = (atom(&module, "a module")?, to_term(&args)?);
        value_of(effect(|cx| cx.start_link(module, args, None)))
    }
    /// As `start_link`, and registers a name.
    #[rhai_fn(name = "start_link", volatile, return_raw)]
    pub fn start_link_named(module: Dynamic, args: Dynamic, name: Dynamic) -> Raised<Dynamic> {
        let (module, args, name) = (atom(&module, "a module")?, to_term(&args)?, atom(&name, "a registered name")?);
        value_of(effect(|cx| cx.start_link(module, args, Some(name))))
    }
    /// Starts a process of a module, not linked: `{ok, Pid}`, "ignore" or `{error, Reason}`.
    #[rhai_fn(volatile, return_raw)]
    pub fn start(module: Dynamic, args: Dynamic) -> Raised<Dynamic> {
        let (module, args) = (atom(&module, "a module")?, to_term(&args)?);
        value_of(effect(|cx| cx.start(module, args, None)))
    }
    /// As `start`, and registers a name.
    #[rhai_fn(name = "start", volatile, return_raw)]
    pub fn start_named(module: Dynamic, args: Dynamic, name: Dynamic) -> Raised<Dynamic> {
        let (module, args, name) = (atom(&module, "a module")?, to_term(&args)?, atom(&name, "a registered name")?);
        value_of(effect(|cx| cx.start(module, args, Some(name))))
    }
    /// Adds a child to a supervisor: a child map, or under simple_one_for_one an array of arguments.
    #[rhai_fn(volatile, return_raw)]
    pub fn start_child(supervisor: Dynamic, spec: Dynamic) -> Raised<Dynamic> {
        let (supervisor, spec) = (to_term(&supervisor)?, to_term(&spec)?);
        value_of(effect(|cx| cx.start_child(&supervisor, spec)))
    }
    /// Ends a supervisor's child; its specification stays.
    #[rhai_fn(volatile, return_raw)]
    pub fn terminate_child(supervisor: Dynamic, id: Dynamic) -> Raised<Dynamic> {
        let (supervisor, id) = (to_term(&supervisor)?, to_term(&id)?);
        value_of(effect(|cx| cx.terminate_child(&supervisor, id)))
    }
    /// Starts a supervisor's child that was ended.
    #[rhai_fn(volatile, return_raw)]
    pub fn restart_child(supervisor: Dynamic, id: Dynamic) -> Raised<Dynamic> {
        let (supervisor, id) = (to_term(&supervisor)?, to_term(&id)?);
        value_of(effect(|cx| cx.restart_child(&supervisor, id)))
    }
    /// Removes the specification of a supervisor's child that was ended.
    #[rhai_fn(volatile, return_raw)]
    pub fn delete_child(supervisor: Dynamic, id: Dynamic) -> Raised<Dynamic> {
        let (supervisor, id) = (to_term(&supervisor)?, to_term(&id)?);
        value_of(effect(|cx| cx.delete_child(&supervisor, id)))
    }
    /// A supervisor's children: tuples `{Id, Pid, Type, Modules}`.
    #[rhai_fn(volatile, return_raw)]
    pub fn which_children(supervisor: Dynamic) -> Raised<Dynamic> {
        let supervisor = to_term(&supervisor)?;
        value_of(effect(|cx| cx.which_children(&supervisor)))
    }
    /// How many children a supervisor has, by sort.
    #[rhai_fn(volatile, return_raw)]
    pub fn count_children(supervisor: Dynamic) -> Raised<Dynamic> {
        let supervisor = to_term(&supervisor)?;
        value_of(effect(|cx| cx.count_children(&supervisor)))
    }
    /// Whether a process lives.
    #[rhai_fn(volatile, return_raw)]
    pub fn is_alive(pid: Dynamic) -> Raised<bool> {
        let pid = a_pid(&to_term(&pid)?)?;
        effect(|cx| cx.is_alive(pid))
    }
    /// What is known of a process, as a map; "undefined" when it is dead.
    #[rhai_fn(volatile, return_raw)]
    pub fn process_info(pid: Dynamic) -> Raised<Dynamic> {
        let pid = a_pid(&to_term(&pid)?)?;
        value_of(effect(|cx| cx.process_info(pid)))
    }
    /// Puts a value into this process's dictionary; gives the old one, or "undefined".
    #[rhai_fn(volatile, return_raw)]
    pub fn put(key: Dynamic, value: Dynamic) -> Raised<Dynamic> {
        let (key, value) = (to_term(&key)?, to_term(&value)?);
        value_of(effect(|cx| cx.put(key, value)))
    }
    /// A value of this process's dictionary, or "undefined".
    #[rhai_fn(volatile, return_raw)]
    pub fn get(key: Dynamic) -> Raised<Dynamic> {
        let key = to_term(&key)?;
        value_of(effect(|cx| cx.get(&key)))
    }
    /// Removes a value from this process's dictionary; gives it, or "undefined".
    #[rhai_fn(volatile, return_raw)]
    pub fn erase(key: Dynamic) -> Raised<Dynamic> {
        let key = to_term(&key)?;
        value_of(effect(|cx| cx.erase(&key)))
    }
    /// The virtual clock in milliseconds.
    #[rhai_fn(volatile, return_raw)]
    pub fn now_ms() -> Raised<INT> {
        effect(|cx| Ok(cx.now_ns()?.div_euclid(1_000_000)))
    }
    /// The virtual clock in nanoseconds.
    #[rhai_fn(volatile, return_raw)]
    pub fn now_ns() -> Raised<INT> {
        effect(Context::now_ns)
    }
    /// A random number from 0 to n - 1; the seed decides it.
    #[rhai_fn(volatile, return_raw)]
    pub fn random(n: INT) -> Raised<INT> {
        let n = u64::try_from(n).map_err(|_| bad_argument(format!("random({n}): the bound is not negative")))?;
        effect(|cx| Ok(cx.random(n)? as INT))
    }
    /// A reference that nobody else has.
    #[rhai_fn(volatile, return_raw)]
    pub fn make_ref() -> Raised<Dynamic> {
        value_of(effect(Context::make_ref))
    }
    /// Writes a line to the log.
    #[rhai_fn(volatile, return_raw)]
    pub fn log(text: &str) -> Raised<()> {
        effect(|cx| cx.log(text))
    }
    /// Computes for a time, `work("5ms")`: the process is busy, others go on. The model of a slow callback.
    #[rhai_fn(volatile, return_raw)]
    pub fn work(duration: Dynamic) -> Raised<()> {
        let ns = duration_ns(&duration)?;
        effect(|cx| cx.work(ns))
    }
    /// Waits for so many milliseconds. (Typed, for it has to hide Rhai's own, which waits for real.)
    #[rhai_fn(volatile, return_raw)]
    pub fn sleep(duration_ms: INT) -> Raised<()> {
        let ns = ms(duration_ms)?.saturating_mul(1_000_000);
        effect(|cx| cx.sleep(ns))
    }
    /// Waits for a time: `sleep("250us")`.
    #[rhai_fn(name = "sleep", volatile, return_raw)]
    pub fn sleep_text(duration: &str) -> Raised<()> {
        let ns = duration_ns(&duration.into())?;
        effect(|cx| cx.sleep(ns))
    }
    #[rhai_fn(name = "sleep", volatile, return_raw)]
    pub fn sleep_fraction(_duration: f64) -> Raised<()> {
        Err(bad_argument("sleep takes whole milliseconds or a text: sleep(5), sleep(\"1.5ms\")"))
    }
    /// Waits for the next message.
    #[rhai_fn(volatile, return_raw)]
    pub fn receive() -> Raised<Dynamic> {
        let message = effect(|cx| cx.receive(None, None))?;
        Ok(message.map_or(Dynamic::UNIT, |message| to_dynamic(&message)))
    }
    /// Waits for the next message up to a time (milliseconds or "5ms"); () when none came.
    #[rhai_fn(name = "receive", volatile, return_raw)]
    pub fn receive_timeout(timeout_ms: Dynamic) -> Raised<Dynamic> {
        let timeout_ms = timeout(&timeout_ms)?;
        let message = effect(|cx| cx.receive(timeout_ms, None))?;
        Ok(message.map_or(Dynamic::UNIT, |message| to_dynamic(&message)))
    }
    /// Gives this process a label that lists and pictures show.
    #[rhai_fn(volatile, return_raw)]
    pub fn label(text: &str) -> Raised<()> {
        effect(|cx| cx.label(text))
    }
}
