//! One process, or the whole system, at a moment; what it waited for, held and changed over a range.
//! The facts come from the store's fold; it must not know how results are shown.

use serde::Serialize;

use super::Scope;
use crate::model::{Actor, Atom, Behaviour, Class, Event, Seq, Status};
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
    pub queue_len: u64,
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
    /// Messages waiting in all mailboxes.
    pub n_queued: u64,
    pub longest_queue: Option<(Actor, u64)>,
    pub memory_bytes: u64,
    pub memory_is_estimated: bool,
    pub reductions: u64,
    pub n_lost: u64,
}

/// One change of a process's state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateRow {
    /// The state_change event: its payload is the state after.
    pub seq: Seq,
    pub at_ns: i64,
    pub actor: Actor,
    /// The trigger.
    pub class: Class,
    pub tag: Option<Atom>,
    /// The callback in which it changed.
    pub handle_start: Option<Seq>,
    /// The state_change event before it.
    pub before: Option<Seq>,
    /// Paths that differ from the state before: `balance`, `orders[3].qty`. Empty for the first state.
    pub changed: Vec<String>,
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

/// A value at a time; where points were merged, the largest value of the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    pub at_ns: i64,
    pub seq: Seq,
    pub value: i64,
}

/// A quantity of one process over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    pub actor: Actor,
    pub name: String,
    /// Ascending in time (a restored branch may step back).
    pub points: Vec<Point>,
}

/// The process just after `at`; `None` when it was not known yet.
pub fn process(rec: &Recording, actor: Actor, at: Seq) -> Option<ProcessInfo> {
    let _ = (rec, actor, at);
    todo!("analysis")
}

/// Every process and port known at `at`, the dead ones too, in order of their pids.
pub fn processes(rec: &Recording, at: Seq) -> Vec<ProcessInfo> {
    let _ = (rec, at);
    todo!("analysis")
}

pub fn summary(rec: &Recording, at: Seq) -> SystemSummary {
    let _ = (rec, at);
    todo!("analysis")
}

/// The process's states in order, with what changed. Costs one decode per state.
pub fn history(rec: &Recording, scope: Scope<'_>, actor: Actor) -> Vec<StateRow> {
    let _ = (rec, scope, actor);
    todo!("analysis")
}

/// What waits in the process's mailbox just after `at`, oldest first.
pub fn mailbox(rec: &Recording, actor: Actor, at: Seq) -> Vec<MailboxRow> {
    let _ = (rec, actor, at);
    todo!("analysis")
}

/// The events of one process, as actor and as the other end, in order: at most `n_max`, and how many more there are.
pub fn timeline(rec: &Recording, scope: Scope<'_>, actor: Actor, n_max: usize) -> (Vec<Event>, u64) {
    let _ = (rec, scope, actor, n_max);
    todo!("analysis")
}

/// Messages waiting, per process; no `actors`: the eight with the longest queues. At most `n_points_max` points each.
pub fn queue_series(rec: &Recording, scope: Scope<'_>, actors: &[Actor], n_points_max: usize) -> Vec<Series> {
    let _ = (rec, scope, actors, n_points_max);
    todo!("analysis")
}

/// Memory in bytes, per process; no `actors`: the eight largest. On the BEAM as of each garbage collection.
pub fn memory_series(rec: &Recording, scope: Scope<'_>, actors: &[Actor], n_points_max: usize) -> Vec<Series> {
    let _ = (rec, scope, actors, n_points_max);
    todo!("analysis")
}

/// Reductions so far, per process; no `actors`: the eight with most.
pub fn reductions_series(rec: &Recording, scope: Scope<'_>, actors: &[Actor], n_points_max: usize) -> Vec<Series> {
    let _ = (rec, scope, actors, n_points_max);
    todo!("analysis")
}

/// The state changes that wrote `path` (or something below it), of one process or of all.
pub fn writes(rec: &Recording, scope: Scope<'_>, actor: Option<Actor>, path: &str) -> Vec<StateRow> {
    let _ = (rec, scope, actor, path);
    todo!("analysis")
}

/// The newest of [`writes`]; searches backwards and stops there.
pub fn last_write(rec: &Recording, scope: Scope<'_>, actor: Option<Actor>, path: &str) -> Option<StateRow> {
    let _ = (rec, scope, actor, path);
    todo!("analysis")
}
