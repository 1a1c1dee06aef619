//! What process code is: the trait that Rust types and scripts implement, what it is called with,
//! and what it may answer. It must not know the kernel; it sees the world through [`Context`] only.

use crate::model::{Atom, Behaviour as BehaviourKind, Outcome, Term};

use super::context::Context;
use super::otp::supervisor_spec::SupervisorSpec;

/// Why a callback has no value: it must unwind with this at once, by `?`.
#[derive(Clone, Debug, PartialEq)]
pub enum Interrupt {
    /// A blocking call waits. The callback will be run again from its pre-state against the effect log.
    Suspend,
    /// The user interrupted a script. The turn is undone, as if it had never begun.
    Stopped,
    /// An Erlang exception, which process code may catch.
    Raise(Raise),
}

/// An exception of one of Erlang's three classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Raise {
    /// `erlang:error(Reason)`; uncaught, the exit reason becomes `{Reason, Stack}`.
    Error { reason: Term, stack: Vec<Frame> },
    /// `exit(Reason)`.
    Exit(Term),
    /// `throw(Value)`; in a callback of a gen_server it counts as the callback's return value.
    Throw(Term),
}

/// One entry of a stack trace, printed as `{Module, Function, Arity, [{file, File}, {line, Line}]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    pub module: Atom,
    pub function: Atom,
    pub arity: u8,
    /// Source file and line, when they are known.
    pub location: Option<(String, u32)>,
}

/// The result of a host function: a value, or an [`Interrupt`] that must be passed on.
pub type Effect<T> = Result<T, Interrupt>;

impl Interrupt {
    /// `exit(Reason)` of the process itself: `return Err(Interrupt::exit(reason))`.
    pub fn exit(reason: impl Into<Term>) -> Interrupt {
        Interrupt::Raise(Raise::Exit(reason.into()))
    }
    /// `erlang:error(Reason)` without a stack.
    pub fn error(reason: impl Into<Term>) -> Interrupt {
        Interrupt::Raise(Raise::Error { reason: reason.into(), stack: Vec::new() })
    }
    /// `throw(Value)`.
    pub fn throw(value: impl Into<Term>) -> Interrupt {
        Interrupt::Raise(Raise::Throw(value.into()))
    }
    /// `error(badarg)`.
    pub fn badarg() -> Interrupt {
        Interrupt::error(Term::atom("badarg"))
    }
}

/// A process's code and state in one: an instance of a callback module.
///
/// Invariants that the kernel relies on: the state is plain data; a callback is a function of the
/// state, the [`Callback`] and what the [`Context`] answers, and of nothing else; a callback
/// that got an [`Interrupt`] returns it unchanged. The kernel runs every callback on a copy, so
/// that an interrupted one leaves no trace.
pub trait Behaviour {
    /// Runs one callback. `cx` is the only way to the world.
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return>;

    /// What sort of process this is: `Process` gets [`Callback::Run`], `GenServer` and
    /// `Supervisor` get [`Callback::Init`] first.
    fn kind(&self) -> BehaviourKind;

    /// The state as a term. Called when somebody asks (`sys:get_state`), not per callback.
    fn state(&self) -> Term;

    /// Appends the state in external term format, version byte 131 first; appends nothing when
    /// there is no state worth recording. Called after every callback, so write it without building terms if you can.
    fn encode_state(&self, out: &mut Vec<u8>) {
        crate::codec::etf::encode(&self.state(), out);
    }

    /// Replaces the state (`sys:replace_state`). Errors: the term does not fit, said in words.
    fn replace_state(&mut self, state: &Term) -> Result<(), String>;

    /// A copy. It must be cheap: it is made for every callback.
    fn clone_box(&self) -> Box<dyn Behaviour>;

    /// Estimated memory of the state, for `process_info` and the memory charts.
    fn memory_bytes(&self) -> u64 {
        0
    }
}

/// What a process is asked to do. The names and arguments are those of OTP's callbacks.
#[derive(Clone, Debug, PartialEq)]
pub enum Callback {
    /// `Module:run(Args)` of a plain process; it may block in `receive`.
    Run(Term),
    /// `Module:init(Args)`.
    Init(Term),
    /// `handle_call(Request, From, State)`; `from` is `{Pid, Tag}`.
    Call { request: Term, from: Term },
    /// `handle_cast(Request, State)`.
    Cast(Term),
    /// `handle_info(Message, State)`; a timeout is the message `timeout`. A plain process that
    /// answered [`Return::NoReply`] gets each message like this.
    Info(Term),
    /// `handle_continue(Term, State)`.
    Continue(Term),
    /// `terminate(Reason, State)`; what it returns is ignored.
    Terminate(Term),
}

/// What a callback answers; its new state is the instance itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Return {
    /// From init: `{ok, State}`.
    Ok(After),
    /// From init: `ignore`.
    Ignore,
    /// `{reply, Value, State}`.
    Reply(Term, After),
    /// `{noreply, State}`. From `run` or `Info` of a plain process: wait for the next message, which comes as
    /// [`Callback::Info`]; with [`After::Continue`]: begin `run` anew with that argument (a tail call).
    NoReply(After),
    /// `{stop, Reason, State}` or `{stop, Reason, Reply, State}`.
    Stop { reason: Term, reply: Option<Term> },
    /// From a supervisor's init: `{ok, {Flags, ChildSpecs}}`.
    Supervisor(SupervisorSpec),
    /// `run` came to its end: the process exits `normal`. From terminate: done.
    Done,
    /// Anything else: the process ends with `{bad_return_value, Value}`.
    Bad(Term),
}

/// What a gen_server does before its next message.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum After {
    #[default]
    Nothing,
    /// `Timeout`: the message `timeout`, unless another comes first. Milliseconds.
    TimeoutMs(u64),
    /// `{continue, Term}`: runs handle_continue before any queued message.
    Continue(Term),
    /// `hibernate`.
    Hibernate,
}

/// Where the kernel finds callback modules. Not part of the world: code is outside of time.
pub trait Modules {
    /// A fresh instance of `module`, before its init. Errors: no such module, or it does not compile;
    /// the starter then sees `undef` and the text is logged.
    fn instantiate(&self, module: Atom) -> Outcome<Box<dyn Behaviour>>;

    /// The modules there are, in a stable order.
    fn names(&self) -> Vec<Atom>;
}
