//! Processes written in Rust, with little around them: a gen_server is a type with [`GenServer`], a
//! plain process and a supervisor are functions. [`ModuleSet`] gives them their module names.

use std::collections::BTreeMap;

use crate::codec::etf;
use crate::model::{Atom, Behaviour as BehaviourKind, Failure, Outcome, Term};

use super::behaviour::{After, Behaviour, Callback, Effect, Interrupt, Modules, Return};
use super::context::Context;
use super::otp::supervisor_spec::SupervisorSpec;

/// What a [`GenServer::init`] answers.
pub enum Start<S> {
    /// `{ok, State}`.
    Ok(S),
    /// `{ok, State, After}`.
    Then(S, After),
    /// `ignore`.
    Ignore,
    /// `{stop, Reason}`.
    Stop(Term),
}

/// A gen_server whose state is a Rust value. A callback that is not written fails with `undef`, but
/// `handle_info`, which drops the message, and `terminate`, which does nothing: as `use GenServer` has it.
pub trait GenServer: Clone + 'static {
    fn init(cx: &mut Context, args: &Term) -> Effect<Start<Self>>;

    fn handle_call(&mut self, _cx: &mut Context, _request: &Term, _from: &Term) -> Effect<Return> {
        Err(Interrupt::error(Term::atom("undef")))
    }
    fn handle_cast(&mut self, _cx: &mut Context, _request: &Term) -> Effect<Return> {
        Err(Interrupt::error(Term::atom("undef")))
    }
    fn handle_info(&mut self, _cx: &mut Context, _message: &Term) -> Effect<Return> {
        Ok(Return::NoReply(After::Nothing))
    }
    fn handle_continue(&mut self, _cx: &mut Context, _term: &Term) -> Effect<Return> {
        Err(Interrupt::error(Term::atom("undef")))
    }
    fn terminate(&mut self, _cx: &mut Context, _reason: &Term) -> Effect<()> {
        Ok(())
    }

    /// The state as a term.
    fn state(&self) -> Term;
    /// As [`Behaviour::encode_state`].
    fn encode_state(&self, out: &mut Vec<u8>) {
        etf::encode(&self.state(), out);
    }
    /// As [`Behaviour::replace_state`].
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("this module does not take a state from outside".to_string())
    }
}

impl Return {
    /// `{reply, Value, State}`.
    pub fn reply(value: impl Into<Term>) -> Return {
        Return::Reply(value.into(), After::Nothing)
    }
    /// `{noreply, State}`.
    pub fn noreply() -> Return {
        Return::NoReply(After::Nothing)
    }
    /// `{stop, Reason, State}`.
    pub fn stop(reason: impl Into<Term>) -> Return {
        Return::Stop { reason: reason.into(), reply: None }
    }
}

/// A [`GenServer`] as a process; `None` before init.
#[derive(Clone)]
struct Server<S>(Option<S>);

impl<S: GenServer> Behaviour for Server<S> {
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        if let Callback::Init(args) = callback {
            let (state, after) = match S::init(cx, args)? {
                Start::Ok(state) => (state, After::Nothing),
                Start::Then(state, after) => (state, after),
                Start::Ignore => return Ok(Return::Ignore),
                Start::Stop(reason) => return Ok(Return::stop(reason)),
            };
            self.0 = Some(state);
            return Ok(Return::Ok(after));
        }
        let state = self.0.as_mut().expect("init comes before every other callback");
        match callback {
            Callback::Call { request, from } => state.handle_call(cx, request, from),
            Callback::Cast(request) => state.handle_cast(cx, request),
            Callback::Info(message) => state.handle_info(cx, message),
            Callback::Continue(term) => state.handle_continue(cx, term),
            Callback::Terminate(reason) => state.terminate(cx, reason).map(|()| Return::Done),
            Callback::Init(_) | Callback::Run(_) => Ok(Return::Done),
        }
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::GenServer
    }
    fn state(&self) -> Term {
        self.0.as_ref().map_or(Term::Nil, GenServer::state)
    }
    fn encode_state(&self, out: &mut Vec<u8>) {
        if let Some(state) = &self.0 {
            state.encode_state(out);
        }
    }
    fn replace_state(&mut self, state: &Term) -> Result<(), String> {
        self.0.as_mut().map_or(Err("the server has not begun".to_string()), |own| own.replace_state(state))
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(self.clone())
    }
    fn memory_bytes(&self) -> u64 {
        size_of::<S>() as u64
    }
}

/// The body of a plain process: it blocks in `receive`, and ends when it returns.
pub type RunFn = fn(&mut Context, &Term) -> Effect<()>;

#[derive(Clone, Copy)]
struct Plain(RunFn);

impl Behaviour for Plain {
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        match callback {
            Callback::Run(args) => (self.0)(cx, args).map(|()| Return::Done),
            _ => Ok(Return::Done),
        }
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::Process
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn encode_state(&self, _out: &mut Vec<u8>) {}
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("a plain process has no state from outside".to_string())
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(*self)
    }
}

/// The init of a supervisor.
pub type SupervisorFn = fn(&Term) -> SupervisorSpec;

#[derive(Clone, Copy)]
struct SupervisorModule(SupervisorFn);

impl Behaviour for SupervisorModule {
    fn callback(&mut self, _cx: &mut Context, callback: &Callback) -> Effect<Return> {
        match callback {
            Callback::Init(args) => Ok(Return::Supervisor((self.0)(args))),
            _ => Ok(Return::Done),
        }
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::Supervisor
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("the state of a supervisor is not replaced".to_string())
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(*self)
    }
}

/// A fixed set of modules, for programs that write their processes in Rust.
#[derive(Default)]
pub struct ModuleSet {
    modules: BTreeMap<Atom, Box<dyn Behaviour>>,
}

impl ModuleSet {
    pub fn new() -> ModuleSet {
        ModuleSet::default()
    }
    /// Adds a module: every process of it starts as a copy of `prototype`.
    pub fn with(mut self, name: &str, prototype: impl Behaviour + 'static) -> ModuleSet {
        self.modules.insert(Atom::new(name), Box::new(prototype));
        self
    }
    /// Adds a gen_server.
    pub fn server<S: GenServer>(self, name: &str) -> ModuleSet {
        self.with(name, Server::<S>(None))
    }
    /// Adds a plain process.
    pub fn process(self, name: &str, run: RunFn) -> ModuleSet {
        self.with(name, Plain(run))
    }
    /// Adds a supervisor.
    pub fn supervisor(self, name: &str, init: SupervisorFn) -> ModuleSet {
        self.with(name, SupervisorModule(init))
    }
}

impl Modules for ModuleSet {
    fn instantiate(&self, module: Atom) -> Outcome<Box<dyn Behaviour>> {
        let prototype = self.modules.get(&module).ok_or_else(|| {
            let names: Vec<&str> = self.modules.keys().map(|name| name.as_str()).collect();
            let missing = format!("there is no module {}", module.as_str());
            Failure::not_found(missing).hint(format!("modules: {}", names.join(", ")))
        })?;
        Ok(prototype.clone_box())
    }
    fn names(&self) -> Vec<Atom> {
        self.modules.keys().copied().collect()
    }
}
