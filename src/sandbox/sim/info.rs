//! What a process can be asked about itself or another: `process_info`, its dictionary.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::model::{Pid, Term};

use super::atoms::atoms;
use super::machine::Machine;
use super::process::{Activity, Wait};

impl Machine {
    /// The dictionary of the process that runs.
    pub fn own_dictionary(&mut self) -> Option<&mut BTreeMap<Term, Term>> {
        let process = self.world.process_mut(self.run.pid)?;
        Some(Rc::make_mut(&mut process.dictionary))
    }
}

/// `process_info(Pid)` as a map: status, message_queue_len, links, monitors, monitored_by, registered_name, trap_exit,
/// dictionary, memory (estimated), reductions, parent, initial_call. `undefined` for the dead.
pub fn process_info(machine: &Machine, pid: Pid) -> Term {
    let a = atoms();
    let Some(process) = machine.world.process(pid) else { return Term::Atom(a.undefined) };
    let is_running = pid == machine.run.pid;
    let status = match &process.activity {
        _ if is_running => a.running,
        Activity::Suspended(suspended) if matches!(suspended.wait, Wait::Until { is_busy: true, .. }) => a.running,
        _ => a.waiting,
    };
    let pids = |pids: Vec<Pid>| Term::list(pids.into_iter().map(Term::Pid).collect::<Vec<_>>());
    let pair = |(key, value): (&Term, &Term)| Term::tuple(vec![key.clone(), value.clone()]);
    Term::map(
        [
            ("status", Term::Atom(status)),
            ("message_queue_len", Term::Int(process.mailbox.len() as i64)),
            ("links", pids(process.links.iter().copied().collect())),
            ("monitors", pids(process.monitors.iter().filter_map(|monitor| monitor.target).collect())),
            ("monitored_by", pids(process.watchers.iter().map(|watcher| watcher.0).collect())),
            ("registered_name", process.name.map_or(Term::Nil, Term::Atom)),
            ("trap_exit", Term::bool(process.traps_exit)),
            ("dictionary", Term::list(process.dictionary.iter().map(pair).collect::<Vec<_>>())),
            ("memory", Term::Int(process.memory_bytes() as i64)),
            ("reductions", Term::Int(process.reductions as i64)),
            ("parent", Term::Pid(process.birth.parent)),
            ("initial_call", Term::tuple(vec![Term::Atom(process.birth.module), process.birth.args.clone()])),
        ]
        .map(|(key, value)| (Term::atom(key), value)),
    )
}
