//! Starting processes: a place in the table, the code, the first run.

use std::rc::Rc;

use crate::codec::write;
use crate::model::{Atom, Behaviour as BehaviourKind, Class, Kind, Pid, Term, limits};

use super::atoms::atoms;
use super::behaviour::{Behaviour, Callback, Effect, Frame, Interrupt, Raise, Return};
use super::context::Context;
use super::machine::Machine;
use super::mailbox::Mailbox;
use super::otp::supervisor::Supervisor;
use super::outbox::{Note, Payload};
use super::process::{Activity, Birth, Process, Stage, Suspended, Wait};
use super::pvec::PVec;
use super::world::EventIdx;

/// What a new process is to be.
#[derive(Clone, Debug)]
pub struct SpawnRequest {
    pub parent: Pid,
    pub module: Atom,
    pub args: Term,
    pub name: Option<Atom>,
    pub is_linked: bool,
    /// Whether the parent is a supervisor that starts a child.
    pub is_child: bool,
}

impl Machine {
    /// Makes a process and lets it run. Errors: the limit of processes.
    pub fn spawn(&mut self, request: SpawnRequest) -> Result<Pid, Raise> {
        if self.world.n_live >= limits::SIM_PROCESSES_MAX {
            return Err(Raise::Error { reason: Term::Atom(atoms().system_limit), stack: Vec::new() });
        }
        let pid = self.world.next_pid();
        let code = self.instantiate(request.parent, request.module);
        let kind = code.kind();
        let spawned = self.emit_spawn(pid, kind, &request);
        let callback = match kind {
            BehaviourKind::Process => Callback::Run(request.args.clone()),
            _ => Callback::Init(request.args.clone()),
        };
        let stage = match kind {
            BehaviourKind::Process => Stage::Run,
            _ => Stage::Init { starter: Some(request.parent), name: request.name },
        };
        let mut links = std::collections::BTreeSet::new();
        if request.is_linked {
            links.insert(request.parent);
            if let Some(parent) = self.world.process_mut(request.parent) {
                Rc::make_mut(&mut parent.links).insert(pid);
            }
            let cause = self.run.cause;
            self.emit(Note { peer: Some(pid), cause, ..Note::new(Kind::Link, request.parent) }, Payload::None);
        }
        let begin = Suspended {
            stage,
            callback,
            started: None,
            class: Class::Init,
            log: PVec::default(),
            wait: Wait::Until { due_ns: self.world.now_ns, is_busy: true },
            n_blocking: 0,
        };
        let SpawnRequest { parent, module, args, is_linked, .. } = request;
        let birth = Birth { module, kind, args, parent, is_linked, spawned };
        self.world.insert(new_process(pid, birth, code, links, Activity::Suspended(Rc::new(begin))));
        self.schedule(pid);
        Ok(pid)
    }

    /// Makes the shell, the process in whose name inputs are done. It is always there, and traps exits.
    pub fn spawn_shell(&mut self) {
        let pid = self.world.next_pid();
        let module = atoms().shell;
        let request =
            SpawnRequest { parent: pid, module, args: Term::Nil, name: None, is_linked: false, is_child: false };
        let spawned = self.emit_spawn(pid, BehaviourKind::Process, &request);
        let birth =
            Birth { module, kind: BehaviourKind::Process, args: Term::Nil, parent: pid, is_linked: false, spawned };
        let idle = Activity::Idle { timeout_due_ns: None };
        let code = Rc::new(super::otp::shell::Shell);
        let mut shell = new_process(pid, birth, code, std::collections::BTreeSet::new(), idle);
        shell.traps_exit = true;
        self.world.insert(shell);
    }

    fn instantiate(&mut self, parent: Pid, module: Atom) -> Rc<dyn Behaviour> {
        match self.modules.instantiate(module) {
            Ok(code) if code.kind() == BehaviourKind::Supervisor => Rc::new(Supervisor::new(code)),
            Ok(code) => Rc::from(code),
            Err(failure) => {
                let note = Note { cause: self.run.cause, ..Note::new(Kind::Log, parent) };
                self.emit_term(note, &Term::tuple(vec![Term::Atom(atoms().error), Term::binary(failure.to_string())]));
                Rc::new(Undefined { module })
            }
        }
    }

    fn emit_spawn(&mut self, pid: Pid, kind: BehaviourKind, request: &SpawnRequest) -> EventIdx {
        let a = atoms();
        let (function, behaviour) = match kind {
            BehaviourKind::Process => (a.run, None),
            BehaviourKind::Supervisor => (a.init, Some(a.supervisor)),
            _ => (a.init, Some(a.gen_server)),
        };
        let note = Note {
            peer: (pid != request.parent).then_some(request.parent),
            tag: Some(request.module),
            cause: self.run.cause,
            ..Note::new(Kind::Spawn, pid)
        };
        self.emit_with(note, |out| {
            let n_optional = [behaviour.is_some(), request.name.is_some(), request.is_child];
            write::version(out);
            write::map_header(out, 3 + n_optional.into_iter().filter(|is_there| *is_there).count());
            let mut entry = |key: Atom, value: Term| {
                write::atom(out, key);
                write::term(out, &value);
            };
            entry(a.args, request.args.clone());
            if let Some(behaviour) = behaviour {
                entry(a.behaviour, Term::Atom(behaviour));
            }
            entry(a.function, Term::Atom(function));
            entry(a.module, Term::Atom(request.module));
            if let Some(name) = request.name {
                entry(a.name, Term::Atom(name));
            }
            if request.is_child {
                entry(a.supervisor, Term::Pid(request.parent));
            }
        })
    }
}

fn new_process(
    pid: Pid,
    birth: Birth,
    code: Rc<dyn Behaviour>,
    links: std::collections::BTreeSet<Pid>,
    activity: Activity,
) -> Process {
    Process {
        pid,
        birth: Rc::new(birth),
        code,
        state_bytes: Rc::from([]),
        mailbox: Mailbox::default(),
        links: Rc::new(links),
        monitors: Rc::default(),
        watchers: Rc::default(),
        dictionary: Rc::default(),
        name: None,
        traps_exit: false,
        activity,
        is_scheduled: false,
        wake_due_ns: None,
        is_sys_suspended: false,
        handling: None,
        reductions: 0,
    }
}

/// Stands for a module that does not exist: its init fails with `undef`.
#[derive(Clone)]
struct Undefined {
    module: Atom,
}

impl Behaviour for Undefined {
    fn callback(&mut self, _cx: &mut Context, _callback: &Callback) -> Effect<Return> {
        let frame = Frame { module: self.module, function: atoms().init, arity: 1, location: None };
        Err(Interrupt::Raise(Raise::Error { reason: Term::Atom(atoms().undef), stack: vec![frame] }))
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::GenServer
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn encode_state(&self, _out: &mut Vec<u8>) {}
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("a module that does not exist has no state".to_string())
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(self.clone())
    }
}
