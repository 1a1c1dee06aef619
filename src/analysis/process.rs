//! One process, or the whole system, at a moment: counts, mailbox, events.
//! The facts come from the store's fold; it must not know how results are shown.

mod history;
mod series;

use serde::Serialize;

pub use self::history::{StateRow, history, last_write, writes};
pub use self::series::{Point, Series, memory_series, queue_series, reductions_series};
use super::Scope;
use super::join::since;
use super::names::Names;
use crate::model::platform::actors_of_otp;
use crate::model::{Actor, Atom, Behaviour, Class, Event, Filter, ProcessRow, Seq, Status};
use crate::store::Recording;

/// A process (or port) at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessInfo {
    pub actor: Actor,
    /// As a person would name it: registered name, else label or module, else the pid.
    pub name: String,
    pub names: Vec<Atom>,
    pub module: Option<Atom>,
    pub label: Option<Atom>,
    pub behaviour: Behaviour,
    pub status: Status,
    /// Messages that wait; `None` where that is not known, see [`queue_len`].
    pub queue_len: Option<u64>,
    /// `None` when nothing was recorded about it.
    pub memory_bytes: Option<u64>,
    /// The sim's estimate, not the BEAM's count.
    pub memory_is_estimated: bool,
    pub reductions: u64,
    pub links: Vec<Actor>,
    pub monitors: Vec<Actor>,
    pub parent: Option<Actor>,
    pub supervisor: Option<Actor>,
    pub child_id: Option<Atom>,
    pub n_restarts: u32,
    /// The event whose payload is the current state.
    pub state: Option<Seq>,
    /// The handle_start of the callback that runs.
    pub handling: Option<Seq>,
    /// `None` also for a process that is older than the recording.
    pub spawned: Option<Seq>,
    pub ended: Option<Seq>,
    pub n_sent: u64,
    pub n_received: u64,
    pub n_handled: u64,
}

/// The system at a moment. Counts are of processes; ports are counted apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SystemSummary {
    pub at: Option<Seq>,
    pub at_ns: i64,
    pub n_alive: u64,
    pub n_restarting: u64,
    pub n_dead: u64,
    pub n_ports: u64,
    pub n_names: u64,
    /// Messages waiting in the mailboxes that are known.
    pub n_queued: u64,
    pub longest_queue: Option<(Actor, u64)>,
    pub memory_bytes: u64,
    pub memory_is_estimated: bool,
    pub reductions: u64,
    pub n_lost: u64,
}

/// A message that waits in a mailbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MailboxRow {
    /// Its arrival, which holds its payload.
    pub seq: Seq,
    pub at_ns: i64,
    pub from: Option<Actor>,
    pub class: Class,
    pub tag: Option<Atom>,
    pub size_bytes: u32,
    pub waited_ns: i64,
}

/// The process just after `at`; `None` when it was not known yet.
pub fn process(rec: &Recording, actor: Actor, at: Seq) -> Option<ProcessInfo> {
    let state = rec.materialise(at);
    let names = Names::of(rec, &rec.lineage(rec.branch_of(at)));
    state.processes.get(&actor).map(|row| ProcessInfo::new(rec, &names, row, at))
}

/// Every process and port known at `at`, the dead ones too, in order of their pids; OTP's own behind the others.
pub fn processes(rec: &Recording, at: Seq) -> Vec<ProcessInfo> {
    let state = rec.materialise(at);
    let names = Names::of(rec, &rec.lineage(rec.branch_of(at)));
    let of_otp = actors_of_otp(&state);
    let mut rows: Vec<_> = state.processes.values().collect();
    rows.sort_by_key(|row| of_otp.contains(&row.actor));
    rows.into_iter().map(|row| ProcessInfo::new(rec, &names, row, at)).collect()
}

impl ProcessInfo {
    fn new(rec: &Recording, names: &Names, row: &ProcessRow, at: Seq) -> ProcessInfo {
        ProcessInfo {
            actor: row.actor,
            name: names.row(row, at),
            names: row.names.clone(),
            module: row.module,
            label: row.label,
            behaviour: row.behaviour,
            status: row.status,
            queue_len: queue_len(rec, row),
            memory_bytes: (row.memory_bytes > 0).then_some(row.memory_bytes),
            memory_is_estimated: is_exact(rec),
            reductions: row.reductions,
            links: row.links.iter().copied().collect(),
            monitors: row.monitors.values().copied().collect(),
            parent: row.parent,
            supervisor: row.supervisor,
            child_id: row.child_id,
            n_restarts: row.n_restarts,
            state: row.state,
            handling: row.handling,
            spawned: row.spawned.filter(|seq| rec.event(*seq).is_some_and(|spawn| !rec.is_introduction(&spawn))),
            ended: row.ended,
            n_sent: row.n_sent,
            n_received: row.n_received,
            n_handled: row.n_handled,
        }
    }
}

/// Messages that wait in a mailbox. `None` where the recording never shows the process taking a message out, and nobody asked
/// how many wait: a trace without calls has arrivals only.
pub fn queue_len(rec: &Recording, row: &ProcessRow) -> Option<u64> {
    let is_known = is_exact(rec) || row.is_mailbox_known() || row.sampled_len.is_some() || row.mailbox.is_empty();
    is_known.then(|| row.queue_len())
}

/// Whether every message that a process takes is recorded, and its memory estimated: so on the sim.
pub(in crate::analysis) fn is_exact(rec: &Recording) -> bool {
    rec.info.source == "sim"
}

pub fn summary(rec: &Recording, at: Seq) -> SystemSummary {
    let state = rec.materialise(at);
    let rows = || state.processes.values();
    let n = |status| rows().filter(|row| row.behaviour != Behaviour::Port && row.status == status).count() as u64;
    let queues = rows().filter_map(|row| Some((row.actor, queue_len(rec, row)?)));
    SystemSummary {
        at: state.at,
        at_ns: state.at_ns,
        n_alive: n(Status::Alive),
        n_restarting: n(Status::Restarting),
        n_dead: n(Status::Dead),
        n_ports: rows().filter(|row| row.behaviour == Behaviour::Port).count() as u64,
        n_names: state.names.len() as u64,
        n_queued: queues.clone().map(|(_, len)| len).sum(),
        longest_queue: queues.filter(|(_, len)| *len > 0).max_by_key(|(_, len)| *len),
        memory_bytes: rows().map(|row| row.memory_bytes).sum(),
        memory_is_estimated: is_exact(rec),
        reductions: rows().map(|row| row.reductions).sum(),
        n_lost: state.n_lost,
    }
}

/// What waits in the process's mailbox just after `at`, oldest first.
pub fn mailbox(rec: &Recording, actor: Actor, at: Seq) -> Vec<MailboxRow> {
    let state = rec.materialise(at);
    let Some(row) = state.processes.get(&actor) else { return Vec::new() };
    let waiting = row.mailbox.iter().filter_map(|seq| rec.event(*seq));
    let to_row = |event: Event| MailboxRow {
        seq: event.seq,
        at_ns: event.at_ns,
        from: event.peer,
        class: event.class,
        tag: event.tag,
        size_bytes: event.size_bytes,
        waited_ns: since(event.at_ns, state.at_ns),
    };
    waiting.map(to_row).collect()
}

/// The events of one process, as actor and as the other end, in order: at most `n_max`, and how many more there are.
pub fn timeline(rec: &Recording, scope: Scope<'_>, actor: Actor, n_max: usize) -> (Vec<Event>, u64) {
    let filter = Filter { ranges: scope.to_vec(), involved: vec![actor], ..Filter::default() };
    let events: Vec<Event> = rec.scan(&filter).take(n_max).collect();
    let n_more = if events.len() < n_max { 0 } else { rec.count(&filter) - events.len() as u64 };
    (events, n_more)
}

#[cfg(test)]
mod tests;
