//! What process code can do: the host functions, each a logged operation.

use crate::model::{Atom, Pid, Term};

use super::behaviour::Effect;

/// The world as one running callback sees it.
///
/// It is owned data, so that a driver whose host functions are `'static` closures can
/// [`Context::lend`] it to them for the length of a callback and [`Context::give_back`] afterwards.
#[derive(Default)]
pub struct Context(Option<()>);

impl Context {
    /// Moves the context out, for a driver that must own it. Before the callback returns it has to be given back.
    pub fn lend(&mut self) -> Context {
        std::mem::take(self)
    }
    /// Puts back what [`Context::lend`] took.
    pub fn give_back(&mut self, lent: Context) {
        *self = lent;
    }
    /// `self()`.
    pub fn self_pid(&self) -> Pid {
        todo!("kernel")
    }
    /// Whether an [`Interrupt`] is on its way out. A driver that evaluates scripts must trust this, not the
    /// error that it sees: scripts can swallow errors. While it is true every host function fails.
    pub fn is_unwinding(&self) -> bool {
        todo!("kernel")
    }
    /// `Dest ! Message`. `dest`: a pid, a registered name, `{Name, Node}` or an alias. Raises badarg for an unknown plain name.
    pub fn send(&mut self, dest: &Term, message: Term) -> Effect<()> {
        let _ = (dest, message);
        todo!("kernel")
    }
    /// `erlang:send_after(Ms, Dest, Message)`: the timer's reference.
    pub fn send_after(&mut self, after_ms: u64, dest: &Term, message: Term) -> Effect<Term> {
        let _ = (after_ms, dest, message);
        todo!("kernel")
    }
    /// `erlang:start_timer(Ms, Dest, Message)`: as send_after, but the message is `{timeout, Ref, Message}`.
    pub fn start_timer(&mut self, after_ms: u64, dest: &Term, message: Term) -> Effect<Term> {
        let _ = (after_ms, dest, message);
        todo!("kernel")
    }
    /// `erlang:cancel_timer(Ref)`: milliseconds left, or `false`.
    pub fn cancel_timer(&mut self, timer: &Term) -> Effect<Term> {
        let _ = timer;
        todo!("kernel")
    }
    /// `gen_server:call(Dest, Request, Timeout)`; blocks. `None` is infinity. Raises exit `{Reason, {gen_server, call, Args}}`.
    pub fn gen_call(&mut self, dest: &Term, request: Term, timeout_ms: Option<u64>) -> Effect<Term> {
        let _ = (dest, request, timeout_ms);
        todo!("kernel")
    }
    /// `gen_server:cast(Dest, Request)`; never fails.
    pub fn cast(&mut self, dest: &Term, request: Term) -> Effect<()> {
        let _ = (dest, request);
        todo!("kernel")
    }
    /// `gen_server:reply(From, Value)`.
    pub fn reply(&mut self, from: &Term, value: Term) -> Effect<()> {
        let _ = (from, value);
        todo!("kernel")
    }
    /// `link(Pid)`.
    pub fn link(&mut self, pid: Pid) -> Effect<()> {
        let _ = pid;
        todo!("kernel")
    }
    /// `unlink(Pid)`.
    pub fn unlink(&mut self, pid: Pid) -> Effect<()> {
        let _ = pid;
        todo!("kernel")
    }
    /// `monitor(process, Dest)`: the monitor's reference.
    pub fn monitor(&mut self, dest: &Term) -> Effect<Term> {
        let _ = dest;
        todo!("kernel")
    }
    /// `demonitor(Ref, [flush])`, or without flush.
    pub fn demonitor(&mut self, monitor: &Term, flush: bool) -> Effect<()> {
        let _ = (monitor, flush);
        todo!("kernel")
    }
    /// `exit(Pid, Reason)`: an exit signal. A process ends itself by `return Err(Interrupt::exit(reason))`.
    pub fn exit_signal(&mut self, pid: Pid, reason: Term) -> Effect<()> {
        let _ = (pid, reason);
        todo!("kernel")
    }
    /// `process_flag(trap_exit, Flag)`: the old flag.
    pub fn trap_exit(&mut self, flag: bool) -> Effect<bool> {
        let _ = flag;
        todo!("kernel")
    }
    /// `register(Name, Pid)`. Raises badarg when the name or the process has one already, or is dead.
    pub fn register(&mut self, name: Atom, pid: Pid) -> Effect<()> {
        let _ = (name, pid);
        todo!("kernel")
    }
    /// `unregister(Name)`. Raises badarg for an unknown name.
    pub fn unregister(&mut self, name: Atom) -> Effect<()> {
        let _ = name;
        todo!("kernel")
    }
    /// `whereis(Name)`.
    pub fn whereis(&mut self, name: Atom) -> Effect<Option<Pid>> {
        let _ = name;
        todo!("kernel")
    }
    /// `start_link` of a behaviour module; blocks until its init is over. `{ok, Pid}`, `ignore` or `{error, Reason}`.
    pub fn start_link(&mut self, module: Atom, args: Term, name: Option<Atom>) -> Effect<Term> {
        let _ = (module, args, name);
        todo!("kernel")
    }
    /// `start`: as start_link, without the link.
    pub fn start(&mut self, module: Atom, args: Term, name: Option<Atom>) -> Effect<Term> {
        let _ = (module, args, name);
        todo!("kernel")
    }
    /// `supervisor:start_child(Sup, ChildSpec | ExtraArgs)`; blocks.
    pub fn start_child(&mut self, supervisor: &Term, spec: Term) -> Effect<Term> {
        let _ = (supervisor, spec);
        todo!("kernel")
    }
    /// `supervisor:terminate_child(Sup, Id)`; blocks.
    pub fn terminate_child(&mut self, supervisor: &Term, id: Term) -> Effect<Term> {
        let _ = (supervisor, id);
        todo!("kernel")
    }
    /// `supervisor:restart_child(Sup, Id)`; blocks.
    pub fn restart_child(&mut self, supervisor: &Term, id: Term) -> Effect<Term> {
        let _ = (supervisor, id);
        todo!("kernel")
    }
    /// `supervisor:delete_child(Sup, Id)`; blocks.
    pub fn delete_child(&mut self, supervisor: &Term, id: Term) -> Effect<Term> {
        let _ = (supervisor, id);
        todo!("kernel")
    }
    /// `supervisor:which_children(Sup)`; blocks.
    pub fn which_children(&mut self, supervisor: &Term) -> Effect<Term> {
        let _ = supervisor;
        todo!("kernel")
    }
    /// `supervisor:count_children(Sup)`; blocks.
    pub fn count_children(&mut self, supervisor: &Term) -> Effect<Term> {
        let _ = supervisor;
        todo!("kernel")
    }
    /// `is_process_alive(Pid)`.
    pub fn is_alive(&mut self, pid: Pid) -> Effect<bool> {
        let _ = pid;
        todo!("kernel")
    }
    /// `process_info(Pid)` as a map of the keys that the sim knows; `undefined` for the dead.
    pub fn process_info(&mut self, pid: Pid) -> Effect<Term> {
        let _ = pid;
        todo!("kernel")
    }
    /// `put(Key, Value)`: the old value, or `undefined`.
    pub fn put(&mut self, key: Term, value: Term) -> Effect<Term> {
        let _ = (key, value);
        todo!("kernel")
    }
    /// `get(Key)`: the value, or `undefined`.
    pub fn get(&mut self, key: &Term) -> Effect<Term> {
        let _ = key;
        todo!("kernel")
    }
    /// `erase(Key)`: the old value, or `undefined`.
    pub fn erase(&mut self, key: &Term) -> Effect<Term> {
        let _ = key;
        todo!("kernel")
    }
    /// The virtual clock in nanoseconds.
    pub fn now_ns(&mut self) -> Effect<i64> {
        todo!("kernel")
    }
    /// A number from 0 to `n - 1`, from the world's seeded generator. Raises badarg for 0.
    pub fn random(&mut self, n: u64) -> Effect<u64> {
        let _ = n;
        todo!("kernel")
    }
    /// `make_ref()`.
    pub fn make_ref(&mut self) -> Effect<Term> {
        todo!("kernel")
    }
    /// Writes a line of output: a log event.
    pub fn log(&mut self, text: &str) -> Effect<()> {
        let _ = text;
        todo!("kernel")
    }
    /// Computes for `ns` of virtual time: the process is busy, others run. Blocks.
    pub fn work(&mut self, ns: u64) -> Effect<()> {
        let _ = ns;
        todo!("kernel")
    }
    /// `timer:sleep`; blocks.
    pub fn sleep(&mut self, ns: u64) -> Effect<()> {
        let _ = ns;
        todo!("kernel")
    }
    /// `receive` with an optional timeout: the oldest message for which `matches` holds, or `None` after the timeout. Blocks.
    /// `matches` must be a function of the message alone.
    pub fn receive(
        &mut self,
        timeout_ms: Option<u64>,
        matches: Option<&mut dyn FnMut(&Term) -> bool>,
    ) -> Effect<Option<Term>> {
        let _ = (timeout_ms, matches, self.0);
        todo!("kernel")
    }
    /// `proc_lib:set_label(Text)`.
    pub fn label(&mut self, text: &str) -> Effect<()> {
        let _ = text;
        todo!("kernel")
    }
}
