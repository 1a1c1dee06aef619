//! How processes and ports begin: what their initial call says of module, behaviour, name and supervisor
//! (proc_lib:init_p, gen:init_it, supervisor:init_it), and the spawn event.

use smallvec::SmallVec;

use super::actors::{Row, Side};
use super::fields::Fields;
use super::{Recogniser, node_of};
use crate::codec::walk::RawTerm;
use crate::model::display::Syntax;
use crate::model::{Actor, ActorId, Atom, Behaviour, Kind, NewEvent, Term};
use crate::sandbox::trace::message::Mfa;

/// What an initial call says.
#[derive(Clone, Copy, Default)]
pub(super) struct Start<'a> {
    pub module: Option<Atom>,
    function: Option<RawTerm<'a>>,
    pub args: Option<RawTerm<'a>>,
    /// A local, global or via name.
    pub name: Option<Atom>,
    /// A name in a registry that is no atom.
    label: Option<RawTerm<'a>>,
    /// What proc_lib is given of its family: the parent's name or pid, and the parent's own `$ancestors`.
    ancestry: Option<[RawTerm<'a>; 2]>,
    behaviour: Option<Behaviour>,
    /// Whether it was started linked, by the one whom OTP calls its parent.
    pub is_start_link: bool,
    pub is_supervisor: bool,
    /// One of Elixir's tasks.
    is_task: bool,
}

type Args<'a> = SmallVec<[RawTerm<'a>; 8]>;

/// Modules whose gen_server is a supervisor.
pub(super) fn is_supervisor_module(module: &str) -> bool {
    matches!(module, "supervisor" | "Elixir.DynamicSupervisor" | "Elixir.PartitionSupervisor")
}

impl<'a> Start<'a> {
    pub fn of(mfa: Mfa<'a>) -> Start<'a> {
        let plain = Start {
            module: mfa.module.as_atom(),
            function: Some(mfa.function),
            args: Some(mfa.args),
            ..Start::default()
        };
        let args: Args<'a> = mfa.args.list().map(Iterator::collect).unwrap_or_default();
        match (plain.module.map(Atom::as_str), mfa.function.as_atom_text(), &args[..]) {
            (Some("proc_lib"), Some("init_p"), &[parent, ancestors, module, function, args]) => {
                Start { ancestry: Some([parent, ancestors]), ..Start::of_proc_lib(module, function, args) }
            }
            (Some("proc_lib"), Some("init_p"), &[parent, ancestors, fun]) => {
                Start { module: fun.fun_module(), ancestry: Some([parent, ancestors]), ..plain }
            }
            (Some("erlang"), Some("apply"), &[fun, _]) => Start { module: fun.fun_module().or(plain.module), ..plain },
            (Some("erlang"), Some("apply"), &[module, function, args]) => {
                Start { module: module.as_atom(), function: Some(function), args: Some(args), ..plain }
            }
            // Elixir 1.18 spawns them so.
            (Some("Elixir.Task.Supervised"), ..) => plain.of_task(args.last().copied()),
            _ => plain,
        }
    }

    fn of_proc_lib(module: RawTerm<'a>, function: RawTerm<'a>, args: RawTerm<'a>) -> Start<'a> {
        let plain = Start { module: module.as_atom(), function: Some(function), args: Some(args), ..Start::default() };
        let items: Args<'a> = args.list().map(Iterator::collect).unwrap_or_default();
        if module.is_atom("Elixir.Task.Supervised") {
            return plain.of_task(items.last().copied());
        }
        if !(module.is_atom("gen") && function.is_atom("init_it")) {
            return plain;
        }
        match items[..] {
            [behaviour, _starter, parent, module, args, _opts] => Start::of_gen(behaviour, parent, None, module, args),
            [behaviour, _starter, parent, name, module, args, _opts] => {
                Start::of_gen(behaviour, parent, Some(name), module, args)
            }
            _ => plain,
        }
    }

    /// A task's own function is the last argument of its start, `{Module, Function, Args}`, or comes with a message.
    fn of_task(self, work: Option<RawTerm<'a>>) -> Start<'a> {
        let task = Start { is_task: true, ..self };
        let Some([module, function, args]) = work.and_then(RawTerm::tuple_of) else { return task };
        let fun = args.list().and_then(|mut args| args.next()).and_then(RawTerm::fun_module);
        match (fun, module.as_atom()) {
            (Some(module), _) if function.is_atom("apply") => Start { module: Some(module), ..task },
            (_, Some(module)) => Start { module: Some(module), function: Some(function), args: Some(args), ..task },
            _ => task,
        }
    }

    fn of_gen(
        behaviour: RawTerm<'a>,
        parent: RawTerm<'a>,
        name: Option<RawTerm<'a>>,
        module: RawTerm<'a>,
        args: RawTerm<'a>,
    ) -> Start<'a> {
        let is_supervisor = module.as_atom_text().is_some_and(is_supervisor_module);
        // `{Name, Module, Args}` for a supervisor, `{Module, Args, ..}` for Elixir's dynamic one.
        let inner: Args<'a> = args.tuple().filter(|_| is_supervisor).map(Iterator::collect).unwrap_or_default();
        let (module, args) = match inner[..] {
            [_name, inner, args] if module.is_atom("supervisor") => (inner, args),
            [inner, args, ..] if inner.as_atom().is_some() => (inner, args),
            _ => (module, args),
        };
        let is_manager = behaviour.is_atom("gen_event");
        Start {
            // Its handlers have modules, a gen_event itself has none.
            module: if is_manager { behaviour.as_atom() } else { module.as_atom() },
            function: None,
            args: Some(args),
            name: name.and_then(name_atom),
            label: name.and_then(registered_key),
            ancestry: None,
            is_task: false,
            behaviour: match behaviour.as_atom_text() {
                _ if is_supervisor => Some(Behaviour::Supervisor),
                Some("gen_server" | "p1_server") => Some(Behaviour::GenServer),
                Some("gen_statem" | "gen_fsm" | "p1_fsm") => Some(Behaviour::GenStatem),
                Some("gen_event") => Some(Behaviour::GenEvent),
                _ => None,
            },
            is_start_link: parent.as_actor().is_some(),
            is_supervisor,
        }
    }
}

/// The atom in `{local, Name}`, `{global, Name}` or `{via, Module, Name}`.
fn name_atom(name: RawTerm<'_>) -> Option<Atom> {
    name.tuple()?.last()?.as_atom()
}

/// The key in Elixir's `{via, Module, {Registry, Key}}`, when it is no atom.
fn registered_key(name: RawTerm<'_>) -> Option<RawTerm<'_>> {
    let [via, _module, in_registry] = name.tuple_of()?;
    let [_registry, key] = in_registry.tuple_of().filter(|_| via.is_atom("via"))?;
    Some(key)
}

impl Recogniser {
    pub(super) fn spawn(&mut self, child: ActorId, parent: ActorId, mfa: Mfa<'_>, side: Side) {
        let Some(process) = self.actors.begin(child, side, self.at_ns - self.late_ns) else { return };
        let start = Start::of(mfa);
        let parent = self.actors.actor(parent);
        if let Some([name, _ancestors]) = start.ancestry {
            self.note_parents_name(parent, name);
        }
        let is_child = start.is_start_link || start.ancestry.is_some();
        let supervisor = (is_child && self.is_supervising(parent)).then_some(parent);
        let row = self.actors.row(child);
        (row.parent, row.name, row.is_supervisor) = (Some(parent), start.name, start.is_supervisor);
        (row.behaviour, row.is_task) = (start.behaviour, start.is_task);
        if let Some(module) = start.module {
            self.note_module(child, module);
        }
        let payload = spawn_payload(&start, supervisor);
        let event = NewEvent {
            peer: Some(parent),
            tag: start.module,
            cause: self.actors.get(parent.id).and_then(Row::handling),
            payload: &payload,
            ..self.event(Kind::Spawn, process)
        };
        self.emit(&event);
        if start.is_start_link || supervisor.is_some() {
            self.child_started(parent, process, &start);
        }
    }

    /// proc_lib gives a parent's registered name in place of its pid.
    fn note_parents_name(&mut self, parent: Actor, name: RawTerm<'_>) {
        let Some(name) = name.as_atom() else { return };
        let is_known = self.names.contains_key(&(node_of(parent.id), name));
        if !is_known && !self.actors.row(parent.id).began_here() {
            self.learn_name(parent.id, name);
        }
    }

    /// Whether `parent` is known for a supervisor, by its module or by the name that OTP's custom gives one.
    fn is_supervising(&mut self, parent: Actor) -> bool {
        let row = self.actors.row(parent.id);
        let is_named_so = row.name.is_some_and(|name| {
            let name = name.as_str();
            name.ends_with("_sup") || name.ends_with("Supervisor")
        });
        row.is_supervisor |= is_named_so;
        row.is_supervisor
    }

    pub(super) fn open_port(&mut self, port: ActorId, owner: ActorId, driver: RawTerm<'_>) {
        let Some(process) = self.actors.begin(port, Side::Spawned, self.at_ns - self.late_ns) else { return };
        let owner = self.actors.actor(owner);
        let mut payload = Fields::default();
        payload.word("behaviour", "port");
        payload.term("function", driver);
        let payload = payload.finish();
        self.emit(&NewEvent { peer: Some(owner), payload: &payload, ..self.event(Kind::Spawn, process) });
    }
}

fn spawn_payload(start: &Start<'_>, supervisor: Option<Actor>) -> Vec<u8> {
    let mut payload = Fields::default();
    if let Some(module) = start.module {
        payload.atom("module", module);
    }
    match start.function {
        Some(function) => payload.term("function", function),
        None => payload.word("function", "init"),
    }
    if let Some(args) = start.args {
        payload.term("args", args);
    }
    if let Some(name) = start.name {
        payload.atom("name", name);
    }
    match (start.label, start.module) {
        (Some(label), _) => payload.term("label", label),
        // Its module is that of the function which somebody gave it; it is not one of that module's processes.
        (None, Some(module)) if start.is_task && module != "Elixir.Task.Supervised" => {
            let label = format!("Task of {}", module.display(Syntax::Elixir));
            payload.value("label", &Term::binary(label));
        }
        _ => {}
    }
    if start.is_task {
        // By Task's own child spec; what a supervisor tells of it comes before.
        payload.word("restart", "temporary");
    }
    if let Some(behaviour) = start.behaviour {
        payload.word("behaviour", behaviour.as_str());
    }
    if let Some(supervisor) = supervisor {
        payload.actor("supervisor", supervisor);
    }
    if let Some([parent, ancestors]) = start.ancestry {
        payload.list("ancestors", parent, ancestors);
    }
    payload.finish()
}
