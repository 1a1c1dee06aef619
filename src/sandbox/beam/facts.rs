//! What is known of a node's processes without tracing them: `process_info/2` of each, as the agent gathers it,
//! and who is whose child. It must not know how it was asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::walk::RawTerm;
use crate::model::{ActorId, Atom, Behaviour, Failure, Outcome, Pid, Term};
use crate::sandbox::trace::look::{Function, Introduction, Sample};

/// One process, as it was when it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessFacts {
    pub pid: Pid,
    pub name: Option<Atom>,
    /// As `proc_lib:translate_initial_call/1` gives it: the callback module, and `supervisor` for every supervisor.
    pub initial_call: Option<Function>,
    /// The callback module.
    pub module: Option<Atom>,
    pub is_supervisor: bool,
    /// OTP 27: `proc_lib:set_label/1`.
    pub label: Option<Term>,
    pub parent: Option<Pid>,
    pub group_leader: Option<Pid>,
    pub links: Vec<ActorId>,
    pub status: Option<Atom>,
    pub current_function: Option<Function>,
    pub queue_len: u64,
    pub memory_bytes: u64,
    pub heap_words: u64,
    pub reductions: u64,
    pub traps_exits: bool,
}

impl ProcessFacts {
    /// Whether it idles in gen_server's loop.
    fn is_in_loop(&self) -> bool {
        self.current_function.is_some_and(|function| function.module == "gen_server")
    }

    /// Whether it may be one of Elixir's agents. They say that they began with the function that makes their state,
    /// and are gen_servers of Agent.Server.
    pub fn may_be_agent(&self) -> bool {
        let is_elixir = self.module.is_some_and(|module| module.as_str().starts_with("Elixir."));
        is_elixir && self.is_in_loop() && self.initial_call.is_some_and(|call| call.name != "init")
    }

    /// Whether it is a gen_event: its callbacks are those of its handlers' modules.
    pub fn is_event_manager(&self) -> bool {
        self.initial_call.is_some_and(|call| call.module == "gen_event")
    }
}

/// All processes of a node at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    pub processes: BTreeMap<Pid, ProcessFacts>,
    /// The behaviours of their callback modules, as far as they were asked for.
    pub behaviours: BTreeMap<Atom, Vec<Atom>>,
}

impl Facts {
    /// Reads the agent's list. Errors: it is no such list; a row that cannot be read is left out.
    pub fn read(bytes: &[u8]) -> Outcome<Facts> {
        let damaged = || Failure::bad_input("the node's list of processes cannot be read");
        let (list, _) = RawTerm::parse(bytes).map_err(|_| damaged())?;
        let rows = list.list().ok_or_else(damaged)?.filter_map(read_row);
        Ok(Facts { processes: rows.map(|row| (row.pid, row)).collect(), behaviours: BTreeMap::new() })
    }

    pub fn named(&self, name: Atom) -> Option<&ProcessFacts> {
        self.processes.values().find(|process| process.name == Some(name))
    }

    /// `root` and everything that descends from it, by parents. A process of OTP 24 and older has none.
    pub fn subtree(&self, root: Pid) -> BTreeSet<Pid> {
        let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
        for process in self.processes.values() {
            if let Some(parent) = process.parent {
                children.entry(parent).or_default().push(process.pid);
            }
        }
        let mut found = BTreeSet::from([root]);
        let mut open = vec![root];
        while let Some(pid) = open.pop() {
            let fresh = children.get(&pid).into_iter().flatten().filter(|child| found.insert(**child));
            open.extend(fresh.copied().collect::<Vec<_>>());
        }
        found
    }

    /// The processes whose group leader is `master`, and the master.
    pub fn led_by(&self, master: Pid) -> BTreeSet<Pid> {
        let led = self.processes.values().filter(|process| process.group_leader == Some(master));
        led.map(|process| process.pid).chain([master]).collect()
    }

    pub fn of_module(&self, module: Atom) -> BTreeSet<Pid> {
        self.processes.values().filter(|process| process.module == Some(module)).map(|process| process.pid).collect()
    }

    /// All processes as the recording is told of them.
    pub fn introductions(&self) -> Vec<Introduction> {
        let introduction = |process: &ProcessFacts| Introduction {
            parent: process.parent.filter(|parent| self.processes.contains_key(parent)),
            name: process.name,
            module: process.module,
            behaviour: self.behaviour(process),
            label: process.label.clone(),
            initial_call: process.initial_call,
            supervisor: self.supervisor(process),
            links: process.links.clone(),
            sample: process.sample(),
            ..Introduction::of(process.pid)
        };
        self.processes.values().map(introduction).collect()
    }

    /// The callback modules of its processes.
    pub fn modules(&self) -> BTreeSet<Atom> {
        self.processes.values().filter_map(|process| process.module).collect()
    }

    /// What a process is, by its initial call and its module's behaviours.
    fn behaviour(&self, process: &ProcessFacts) -> Option<Behaviour> {
        if process.is_supervisor {
            return Some(Behaviour::Supervisor);
        }
        // The callback modules of a gen_event are its handlers': the process itself runs gen_event.
        if process.module? == "gen_event" {
            return Some(Behaviour::GenEvent);
        }
        let behaviours = self.behaviours.get(&process.module?).map(Vec::as_slice).unwrap_or_default();
        let declared = behaviours.iter().find_map(|behaviour| match behaviour.as_str() {
            "gen_server" | "Elixir.GenServer" => Some(Behaviour::GenServer),
            "gen_statem" => Some(Behaviour::GenStatem),
            _ => None,
        });
        declared.or_else(|| process.is_in_loop().then_some(Behaviour::GenServer))
    }

    /// The supervisor that a process belongs to: its parent, if that is one.
    pub fn supervisor(&self, process: &ProcessFacts) -> Option<Pid> {
        let parent = self.processes.get(&process.parent?)?;
        parent.is_supervisor.then_some(parent.pid)
    }
}

fn read_row(row: RawTerm<'_>) -> Option<ProcessFacts> {
    let [pid, info, initial_call, label] = row.tuple_of()?;
    let mut process = ProcessFacts {
        pid: pid.as_pid()?,
        name: None,
        initial_call: None,
        module: None,
        is_supervisor: false,
        label: Some(label).filter(|label| !label.is_atom("undefined")).and_then(|label| label.to_term().ok()),
        parent: None,
        group_leader: None,
        links: Vec::new(),
        status: None,
        current_function: None,
        queue_len: 0,
        memory_bytes: 0,
        heap_words: 0,
        reductions: 0,
        traps_exits: false,
    };
    for item in info.list()? {
        let [key, value] = item.tuple_of()?;
        note(&mut process, key.as_atom_text()?, value);
    }
    // What `translate_initial_call` says of a process that proc_lib did not start is no news.
    let translated = function(initial_call).filter(|call| call.module != "proc_lib");
    process.initial_call = translated.or(process.initial_call);
    if let Some(call) = process.initial_call {
        // `{supervisor, Module, 1}`: its second word is the callback module.
        process.is_supervisor = call.module == "supervisor";
        process.module = Some(if process.is_supervisor { call.name } else { call.module });
    }
    Some(process)
}

/// `{Module, Function, Arity}`.
fn function(term: RawTerm<'_>) -> Option<Function> {
    let [module, name, arity] = term.tuple_of()?;
    Some(Function { module: module.as_atom()?, name: name.as_atom()?, arity: u8::try_from(arity.as_int()?).ok()? })
}

impl ProcessFacts {
    /// What a sample records of it.
    pub fn sample(&self) -> Sample {
        Sample {
            memory_bytes: Some(self.memory_bytes),
            reductions: Some(self.reductions),
            queue_len: Some(self.queue_len),
            status: self.status,
            current_function: self.current_function,
            label: self.label.clone(),
        }
    }
}

fn note(process: &mut ProcessFacts, key: &str, value: RawTerm<'_>) {
    let n = || value.as_int().map_or(0, i64::unsigned_abs);
    match key {
        "registered_name" => process.name = value.as_atom(),
        "parent" => process.parent = value.as_pid(),
        "group_leader" => process.group_leader = value.as_pid(),
        "links" => process.links = value.list().into_iter().flatten().filter_map(|l| Some(l.as_actor()?.id)).collect(),
        "status" => process.status = value.as_atom(),
        "initial_call" => process.initial_call = function(value),
        "current_function" => process.current_function = function(value),
        "message_queue_len" => process.queue_len = n(),
        "memory" => process.memory_bytes = n(),
        "total_heap_size" => process.heap_words = n(),
        "reductions" => process.reductions = n(),
        "trap_exit" => process.traps_exits = value.is_atom("true"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;

    /// `{Pid, Info, InitialCall, undefined}`.
    fn row(id: u32, name: &str, parent: u32, call: [&str; 2]) -> Term {
        let pair = |key: &str, value: Term| Term::tuple([Term::atom(key), value]);
        let info = [
            pair("registered_name", if name.is_empty() { Term::Nil } else { Term::atom(name) }),
            pair("parent", if parent == 0 { Term::atom("undefined") } else { Term::Pid(Pid::local(parent)) }),
            pair("group_leader", Term::Pid(Pid::local(1))),
            pair("message_queue_len", Term::Int(3)),
            pair("something_new", Term::Nil),
        ];
        let call = Term::tuple([Term::atom(call[0]), Term::atom(call[1]), Term::Int(1)]);
        Term::tuple([Term::Pid(Pid::local(id)), Term::list(info), call, Term::atom("undefined")])
    }

    fn facts() -> Facts {
        let rows = [
            row(1, "master", 0, ["application_master", "init"]),
            row(2, "shop_sup", 1, ["supervisor", "shop_sup"]),
            row(3, "stock", 2, ["stock", "init"]),
            row(4, "", 3, ["worker", "init"]),
            Term::atom("damage"),
        ];
        let mut bytes = Vec::new();
        etf::encode(&Term::list(rows), &mut bytes);
        Facts::read(&bytes).unwrap()
    }

    #[test]
    fn rows_are_read_and_what_is_no_row_is_left_out() {
        let facts = facts();
        let stock = facts.named(Atom::new("stock")).unwrap();
        assert_eq!((stock.module, stock.queue_len), (Some(Atom::new("stock")), 3));
        assert_eq!(facts.supervisor(stock), Some(Pid::local(2)));
        let sup = facts.named(Atom::new("shop_sup")).unwrap();
        assert!(sup.is_supervisor && sup.module == Some(Atom::new("shop_sup")));
        assert_eq!(facts.processes.len(), 4);
        assert!(Facts::read(b"\x83w\x01a").is_err());
    }

    #[test]
    fn a_subtree_is_what_descends() {
        assert_eq!(facts().subtree(Pid::local(2)), BTreeSet::from([2, 3, 4].map(Pid::local)));
    }
}
