//! The observed system at one moment: a fold over events. Plain data; rows refer to state terms
//! and messages by the seq of the event that carries them, and never copy them. What each event
//! does to it is in [`fold`].

mod fold;
#[cfg(test)]
mod tests;

pub use fold::{Rows, Usage, fold, label_of};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::atom::Atom;
use super::event::{Actor, ActorId, CallKey, Event, Seq};
use super::pid::Pid;
use super::term::Term;

/// The system just after event `at`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SystemState {
    /// The last event that was folded; `None` before the first.
    pub at: Option<Seq>,
    pub at_ns: i64,
    /// Every actor seen so far, the dead ones too. Shared rows make clones cheap.
    pub processes: BTreeMap<Actor, Arc<ProcessRow>>,
    /// Registered names in force, by name and node: each node has names of its own.
    pub names: BTreeMap<(Atom, Atom), Actor>,
    /// Events lost until here.
    pub n_lost: u64,
}

/// One process or port at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRow {
    pub actor: Actor,
    pub status: Status,
    pub names: Vec<Atom>,
    /// Callback module (or initial call's module).
    pub module: Option<Atom>,
    /// Process label (OTP 27) or the `name` of its start.
    pub label: Option<Atom>,
    pub behaviour: Behaviour,
    pub parent: Option<Actor>,
    pub supervisor: Option<Actor>,
    pub child_id: Option<Atom>,
    /// As its child spec has it; `None` when the recording does not tell.
    pub restart_type: Option<RestartType>,
    /// Children in start order, for supervisors.
    pub children: Vec<Actor>,
    pub spawned: Option<Seq>,
    /// The exit or crash event.
    pub ended: Option<Seq>,
    /// The event whose payload is the current state.
    pub state: Option<Seq>,
    /// The handle_start of the callback that runs now.
    pub handling: Option<Seq>,
    /// Arrival events of the messages that wait, oldest first. When [`ProcessRow::is_mailbox_known`] does not
    /// hold, only the newest [`UNTAKEN_KEPT_MAX`](super::limits::UNTAKEN_KEPT_MAX) arrivals: how many wait is not known then.
    pub mailbox: VecDeque<Seq>,
    /// Messages that wait although the recording has no arrival of them: older than it, or lost.
    pub n_unseen: u64,
    /// The length of the mailbox when the process was last sampled.
    pub sampled_len: Option<u64>,
    pub links: BTreeSet<Actor>,
    /// Processes that this one watches, with the monitor's reference.
    pub monitors: BTreeMap<CallKey, Actor>,
    /// How often this child (its id under its supervisor) was restarted so far.
    pub n_restarts: u32,
    pub n_sent: u64,
    pub n_received: u64,
    pub n_handled: u64,
    pub reductions: u64,
    /// Estimated on the sim; as of the last gc or probe on the BEAM; 0 when unknown.
    pub memory_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Alive,
    /// Ended so that its living supervisor is to restart it, and has not done so or given up yet.
    Restarting,
    Dead,
}

/// When a supervisor restarts a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartType {
    Permanent,
    Transient,
    Temporary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Behaviour {
    #[default]
    Process,
    GenServer,
    GenStatem,
    GenEvent,
    Supervisor,
    Port,
}

impl Behaviour {
    /// Keyframes number them by their place here: append only.
    pub const ALL: [Behaviour; 6] = [
        Behaviour::Process,
        Behaviour::GenServer,
        Behaviour::GenStatem,
        Behaviour::GenEvent,
        Behaviour::Supervisor,
        Behaviour::Port,
    ];

    /// The name that payloads, scripts and tables use.
    pub fn as_str(self) -> &'static str {
        match self {
            Behaviour::Process => "process",
            Behaviour::GenServer => "gen_server",
            Behaviour::GenStatem => "gen_statem",
            Behaviour::GenEvent => "gen_event",
            Behaviour::Supervisor => "supervisor",
            Behaviour::Port => "port",
        }
    }

    pub fn from_name(text: &str) -> Option<Behaviour> {
        Behaviour::ALL.into_iter().find(|behaviour| behaviour.as_str() == text)
    }
}

impl ProcessRow {
    /// Whether the recording shows the process taking messages out, so that what is left of them is its mailbox.
    /// Always so on the sim; on a trace without calls, only arrivals are known.
    pub fn is_mailbox_known(&self) -> bool {
        self.n_handled > 0 || self.handling.is_some()
    }

    /// Messages that wait, as far as is known: those that were seen to arrive and not to be taken, and what a sample
    /// told beyond them; where nothing is ever seen taken, what the last sample told.
    pub fn queue_len(&self) -> u64 {
        match self.sampled_len {
            Some(sampled) if !self.is_mailbox_known() => sampled,
            _ => self.mailbox.len() as u64 + self.n_unseen,
        }
    }

    /// A row about which nothing is known yet.
    pub fn new(actor: Actor) -> ProcessRow {
        let is_port = actor.pid().is_none();
        ProcessRow {
            actor,
            status: Status::Alive,
            names: Vec::new(),
            module: None,
            label: None,
            behaviour: if is_port { Behaviour::Port } else { Behaviour::Process },
            parent: None,
            supervisor: None,
            child_id: None,
            restart_type: None,
            children: Vec::new(),
            spawned: None,
            ended: None,
            state: None,
            handling: None,
            mailbox: VecDeque::new(),
            n_unseen: 0,
            sampled_len: None,
            links: BTreeSet::new(),
            monitors: BTreeMap::new(),
            n_restarts: 0,
            n_sent: 0,
            n_received: 0,
            n_handled: 0,
            reductions: 0,
            memory_bytes: 0,
        }
    }
}

impl RestartType {
    /// The name that child specs use.
    pub fn as_str(self) -> &'static str {
        match self {
            RestartType::Permanent => "permanent",
            RestartType::Transient => "transient",
            RestartType::Temporary => "temporary",
        }
    }

    pub fn from_atom(atom: Atom) -> Option<RestartType> {
        match atom.as_str() {
            "permanent" => Some(RestartType::Permanent),
            "transient" => Some(RestartType::Transient),
            "temporary" => Some(RestartType::Temporary),
            _ => None,
        }
    }
}

impl SystemState {
    /// Who has the registered name, on one node or on several.
    pub fn named(&self, name: Atom) -> impl Iterator<Item = Actor> + '_ {
        let from = (name, Atom::new(""));
        self.names.range(from..).take_while(move |((held, _), _)| *held == name).map(|(_, actor)| *actor)
    }

    /// Folds one event in. `payload` decodes its payload; it is called only for the kinds that need it.
    /// After `restored` or `forked` the caller puts the state at their cause in place of this one.
    pub fn apply(&mut self, event: &Event, payload: &mut dyn FnMut() -> Option<Term>) {
        fold(self, event, payload);
        self.at = Some(event.seq);
        self.at_ns = event.at_ns;
    }
}

impl Rows for SystemState {
    fn get(&self, actor: Actor) -> Option<&ProcessRow> {
        self.processes.get(&actor).map(|row| &**row)
    }
    fn see(&mut self, actor: Actor) {
        self.processes.entry(actor).or_insert_with(|| Arc::new(ProcessRow::new(actor)));
    }
    fn row(&mut self, actor: Actor) -> &mut ProcessRow {
        Arc::make_mut(self.processes.entry(actor).or_insert_with(|| Arc::new(ProcessRow::new(actor))))
    }
    fn newest(&self, pid: Pid) -> Option<Actor> {
        let incarnation = |incarnation| Actor { id: ActorId::Pid(pid), incarnation };
        self.processes.range(incarnation(0)..=incarnation(u32::MAX)).next_back().map(|(actor, _)| *actor)
    }
    fn set_name(&mut self, name: Atom, process: Actor, is_taken: bool) -> Option<Actor> {
        let key = (name, process.origin().id().node);
        if is_taken { self.names.insert(key, process) } else { self.names.remove(&key) }
    }
    fn add_lost(&mut self, n_events: u64) {
        self.n_lost = self.n_lost.saturating_add(n_events);
    }
}
