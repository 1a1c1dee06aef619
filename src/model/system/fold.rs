//! The fold: what each kind of event does to the observed system. The table at [`Kind`] is its
//! specification. It must not know where rows are kept ([`Rows`]) or how events are stored.
//!
//! Invariants:
//! - A mailbox holds arrival seqs in ascending order, so taking one out is a binary search.
//! - `links` is symmetric: `a` has `b` exactly while `b` has `a`.
//! - A supervisor's `children` holds those that are alive or [`Status::Restarting`].
//! - A dead row has no names, links, monitors, mailbox or memory; its last state stays readable.

use super::{Behaviour, ProcessRow, RestartType, Status};
use crate::model::display::Syntax;
use crate::model::term::Map;
use crate::model::{Actor, Atom, CallKey, Class, Event, Kind, Pid, Seq, Style, Term, limits};

/// Where a fold keeps its rows. Rows are never removed, except by replacing the whole.
pub trait Rows {
    fn get(&self, actor: Actor) -> Option<&ProcessRow>;
    /// Makes a row about which nothing is known when there is none.
    fn see(&mut self, actor: Actor);
    /// The row for writing, seen or not.
    fn row(&mut self, actor: Actor) -> &mut ProcessRow;
    /// The newest incarnation of `pid` that was seen.
    fn newest(&self, pid: Pid) -> Option<Actor>;
    /// `name` now stands for `process` on its node, or (not taken) for nobody there; gives who had it.
    fn set_name(&mut self, name: Atom, process: Actor, is_taken: bool) -> Option<Actor>;
    fn add_lost(&mut self, n_events: u64);
}

/// Applies one event. `payload` decodes its payload and is called only for the kinds that need it.
/// [`Kind::Restored`] and [`Kind::Forked`] change nothing here: the reset is the caller's.
/// Cost: one or two row look-ups; the mailbox takes O(log n).
pub fn fold<R: Rows>(rows: &mut R, event: &Event, payload: &mut dyn FnMut() -> Option<Term>) {
    if matches!(event.kind, Kind::Mark | Kind::Restored | Kind::Forked | Kind::Input) {
        return;
    }
    if event.kind == Kind::Loss {
        let n_lost = payload().and_then(|term| term.as_map()?.get_atom("total")?.as_int());
        rows.add_lost(u64::try_from(n_lost.unwrap_or(0)).unwrap_or(0));
        return;
    }
    if let Some(peer) = event.peer {
        rows.see(peer);
    }
    let process = event.process;
    match event.kind {
        Kind::Send | Kind::Reply | Kind::SendToDead => rows.row(process).n_sent += 1,
        Kind::Receive | Kind::Down | Kind::TimerFire => arrive(rows, event),
        Kind::ExitSignal if event.tag.is_some_and(|tag| tag == "EXIT") => arrive(rows, event),
        Kind::HandleStart => {
            let row = rows.row(process);
            // A message taken in the middle of a callback: the callback goes on after it.
            let is_inside = row.handling.is_some();
            row.handling = row.handling.or(Some(event.seq));
            match event.cause {
                Some(cause) => take(row, cause, is_inside),
                None if event.takes_unseen() => row.n_unseen = row.n_unseen.saturating_sub(1),
                None => {}
            }
        }
        Kind::HandleEnd => {
            let row = rows.row(process);
            if event.cause.is_none_or(|start| row.handling == Some(start)) {
                row.handling = None;
            }
            row.n_handled += 1;
            note_usage(row, event.kind, payload());
        }
        Kind::StateChange => rows.row(process).state = Some(event.seq),
        Kind::Spawn => spawn(rows, event, payload()),
        Kind::Exit | Kind::Crash => end(rows, event, payload),
        Kind::Link | Kind::Unlink => {
            if let Some(peer) = event.peer {
                set_link(rows, process, peer, event.kind == Kind::Link);
            }
        }
        Kind::Monitor => {
            if let Some(peer) = event.peer {
                let reference = event.call.unwrap_or(CallKey(event.seq.0));
                rows.row(process).monitors.insert(reference, peer);
            }
        }
        Kind::Demonitor => forget_monitor(rows.row(process), event),
        Kind::Register | Kind::Unregister => {
            if let Some(name) = event.tag {
                register(rows, name, process, event.kind == Kind::Register);
            }
            if event.size_bytes > 0 {
                introduce(rows.row(process), payload().as_ref().and_then(Term::as_map));
            }
        }
        Kind::SupervisorRestart => restart(rows, event, payload()),
        Kind::ChildSpecChange => child_spec_change(rows, event, payload()),
        Kind::Gc => note_usage(rows.row(process), event.kind, payload()),
        Kind::Sample => sample(rows.row(process), payload()),
        _ => {
            rows.row(process);
        }
    }
}

/// A message is in the mailbox now. A reply is taken at once: its receiver blocks in the call.
fn arrive<R: Rows>(rows: &mut R, event: &Event) {
    let row = rows.row(event.process);
    row.n_received += 1;
    if event.kind == Kind::Down {
        forget_monitor(row, event);
    }
    if event.class == Class::Reply || row.status != Status::Alive {
        return;
    }
    row.mailbox.push_back(event.seq);
    if row.mailbox.len() > limits::UNTAKEN_KEPT_MAX && !row.is_mailbox_known() {
        row.mailbox.pop_front();
    }
}

/// Takes a message out. A process between two callbacks takes the oldest: what lay before it was taken unseen
/// (a callback that is not traced, a receive in the code). Inside a callback a receive may choose.
fn take(row: &mut ProcessRow, arrival: Seq, is_inside: bool) {
    match row.mailbox.binary_search(&arrival) {
        Ok(place) if is_inside => _ = row.mailbox.remove(place),
        Ok(place) => {
            row.mailbox.drain(..=place);
            row.n_unseen = 0;
        }
        Err(_) => {}
    }
}

/// What `process_info` told. Where takes are recorded the mailbox is known better than from a look, which may be a
/// little behind or ahead of the stream: there it only tells of what waits unseen.
fn sample(row: &mut ProcessRow, payload: Option<Term>) {
    let Some(payload) = payload else { return };
    note_usage(row, Kind::Sample, Some(payload.clone()));
    let Some(fields) = payload.as_map() else { return };
    if let Some(label) = fields.get_atom("label") {
        row.label = label_of(label, Syntax::Erlang);
    }
    let Some(len) = fields.get_atom("queue_len").and_then(count) else { return };
    row.sampled_len = Some(len);
    let n_seen = row.mailbox.len();
    row.n_unseen = len.saturating_sub(n_seen as u64);
    if !row.is_mailbox_known() {
        let n_gone = n_seen.saturating_sub(usize::try_from(len).unwrap_or(usize::MAX));
        row.mailbox.drain(..n_gone);
    }
}

/// A label as an atom: itself, or the text of what is none, as long as an atom may be.
pub fn label_of(label: &Term, syntax: Syntax) -> Option<Atom> {
    let style = Style { syntax, ..Style::erlang() }.chars_max(LABEL_CHARS);
    match label {
        Term::Atom(atom) => Some(*atom),
        Term::Bits(bits) if bits.last_bits == 8 => Atom::try_new(std::str::from_utf8(&bits.bytes).ok()?).ok(),
        other => Atom::try_new(&other.display(style).to_string()).ok(),
    }
}

/// Characters of a label that is no atom.
const LABEL_CHARS: usize = 60;

/// Drops the monitor with the event's reference; when there is none, the first that watches its peer.
fn forget_monitor(row: &mut ProcessRow, event: &Event) {
    let found = match event.call.filter(|reference| row.monitors.contains_key(reference)) {
        Some(reference) => Some(reference),
        None => row.monitors.iter().find(|(_, watched)| Some(**watched) == event.peer).map(|(key, _)| *key),
    };
    if let Some(reference) = found {
        row.monitors.remove(&reference);
    }
}

fn set_link<R: Rows>(rows: &mut R, a: Actor, b: Actor, is_linked: bool) {
    for (from, to) in [(a, b), (b, a)] {
        let links = &mut rows.row(from).links;
        if is_linked {
            links.insert(to);
        } else {
            links.remove(&to);
        }
    }
}

fn register<R: Rows>(rows: &mut R, name: Atom, process: Actor, is_taken: bool) {
    let before = rows.set_name(name, process, is_taken);
    for owner in before.into_iter().chain([process]) {
        rows.row(owner).names.retain(|held| *held != name);
    }
    if is_taken {
        rows.row(process).names.push(name);
    }
}

fn spawn<R: Rows>(rows: &mut R, event: &Event, payload: Option<Term>) {
    let process = event.process;
    let fields = payload.as_ref().and_then(Term::as_map);
    let atom = |key: &str| fields.and_then(|map| map.get_atom(key)).and_then(Term::as_atom);
    let behaviour = atom("behaviour").and_then(behaviour_of);
    let supervisor = fields.and_then(|map| map.get_atom("supervisor")).and_then(|term| actor_of(rows, event, term));

    let row = rows.row(process);
    if row.ended.is_some() {
        *row = ProcessRow::new(process);
    }
    row.spawned = Some(event.seq);
    row.parent = event.peer.or(row.parent);
    row.module = event.tag.or_else(|| atom("module")).or(row.module);
    let label = fields.and_then(|map| map.get_atom("label")).and_then(|label| label_of(label, Syntax::Erlang));
    row.label = label.or_else(|| atom("name")).or(row.label);
    row.behaviour = behaviour.unwrap_or(row.behaviour);
    row.restart_type = row.restart_type.or_else(|| atom("restart").and_then(RestartType::from_atom));
    if let Some(supervisor) = supervisor {
        adopt(rows, supervisor, process);
    }
}

fn behaviour_of(name: Atom) -> Option<Behaviour> {
    Behaviour::from_name(name.as_str())
}

/// What a register event tells of a process that is older than the recording.
fn introduce(row: &mut ProcessRow, fields: Option<&Map>) {
    let atom = |key: &str| fields.and_then(|map| map.get_atom(key)).and_then(Term::as_atom);
    row.module = row.module.or_else(|| atom("module"));
    if row.behaviour == Behaviour::Process {
        row.behaviour = atom("behaviour").and_then(behaviour_of).unwrap_or(row.behaviour);
    }
}

/// Makes `child` the last child of `supervisor`, once.
fn adopt<R: Rows>(rows: &mut R, supervisor: Actor, child: Actor) {
    let before = rows.row(child).supervisor.replace(supervisor);
    let row = rows.row(supervisor);
    row.behaviour = Behaviour::Supervisor;
    // A new child is asked about from the end, or not at all: a supervisor may have very many.
    if before != Some(supervisor) || !row.children.iter().rev().any(|held| *held == child) {
        row.children.push(child);
    }
}

fn end<R: Rows>(rows: &mut R, event: &Event, payload: &mut dyn FnMut() -> Option<Term>) {
    let process = event.process;
    let row = rows.row(process);
    let supervisor = row.supervisor;
    let will_restart = match row.restart_type {
        Some(RestartType::Temporary) => false,
        Some(RestartType::Permanent) => event.kind == Kind::Crash || payload().is_some_and(|r| r.is_atom("normal")),
        Some(RestartType::Transient) | None => event.kind == Kind::Crash,
    };
    let row = rows.row(process);
    row.ended = Some(event.seq);
    row.status = Status::Dead;
    row.handling = None;
    row.memory_bytes = 0;
    row.mailbox.clear();
    (row.n_unseen, row.sampled_len) = (0, None);
    row.monitors.clear();
    let (names, links) = (std::mem::take(&mut row.names), std::mem::take(&mut row.links));
    let orphans = row.children.clone();
    for name in names {
        rows.set_name(name, process, false);
    }
    for linked in links {
        rows.row(linked).links.remove(&process);
    }
    for child in orphans {
        give_up(rows, child);
    }
    // Without a place among the children it has its successor already.
    let Some(supervisor) = supervisor.filter(|supervisor| rows.get(*supervisor).is_some()) else { return };
    let sup = rows.row(supervisor);
    let Some(place) = sup.children.iter().rposition(|child| *child == process) else { return };
    if will_restart && sup.status == Status::Alive {
        rows.row(process).status = Status::Restarting;
    } else {
        sup.children.remove(place);
    }
}

/// Nobody will restart `child` any more.
fn give_up<R: Rows>(rows: &mut R, child: Actor) {
    if rows.get(child).is_some_and(|row| row.status == Status::Restarting) {
        rows.row(child).status = Status::Dead;
    }
}

/// The child that holds `id` under `supervisor`, other than `except`.
fn holder<R: Rows>(rows: &R, supervisor: Actor, id: Option<Atom>, except: Option<Actor>) -> Option<Actor> {
    let id = id?;
    let children = &rows.get(supervisor)?.children;
    let has_id = |child: &Actor| rows.get(*child).is_some_and(|row| row.child_id == Some(id));
    children.iter().copied().find(|child| Some(*child) != except && has_id(child))
}

fn restart<R: Rows>(rows: &mut R, event: &Event, payload: Option<Term>) {
    let supervisor = event.process;
    let fields = payload.as_ref().and_then(Term::as_map);
    let named = |rows: &R, key: &str| fields.and_then(|m| m.get_atom(key)).and_then(|t| actor_of(rows, event, t));
    let id = event.tag.or_else(|| child_id(fields));
    let Some(new) = event.peer.or_else(|| named(rows, "new")) else { return };
    let old = holder(rows, supervisor, id, Some(new)).or_else(|| named(rows, "old")).filter(|old| *old != new);

    let (n_restarts, restart_type, old_id) =
        old.and_then(|old| rows.get(old)).map_or((0, None, None), |r| (r.n_restarts, r.restart_type, r.child_id));
    let row = rows.row(new);
    row.child_id = id.or(old_id).or(row.child_id);
    row.restart_type = row.restart_type.or(restart_type);
    row.n_restarts = n_restarts + 1;
    row.supervisor = Some(supervisor);
    if let Some(old) = old {
        give_up(rows, old);
        let children = &mut rows.row(supervisor).children;
        if let Some(idx) = children.iter().position(|child| *child == old) {
            children[idx] = new;
            let mut place = 0;
            children.retain(|child| {
                place += 1;
                *child != new || place == idx + 1
            });
        }
    }
    adopt(rows, supervisor, new);
}

fn child_spec_change<R: Rows>(rows: &mut R, event: &Event, payload: Option<Term>) {
    let supervisor = event.process;
    rows.row(supervisor).behaviour = Behaviour::Supervisor;
    let Some(fields) = payload.as_ref().and_then(Term::as_map) else { return };
    let id = event.tag.or_else(|| child_id(Some(fields)));
    let pid = ["pid", "child"].iter().find_map(|key| fields.get_atom(key));
    let child = event.peer.or_else(|| pid.and_then(|term| actor_of(rows, event, term)));
    match fields.get_atom("op").and_then(Term::as_atom).map(Atom::as_str) {
        Some("added") => {
            let Some(child) = child else { return };
            let row = rows.row(child);
            row.child_id = id.or(row.child_id);
            let restart = fields.get_atom("restart").and_then(Term::as_atom).and_then(RestartType::from_atom);
            row.restart_type = restart.or(row.restart_type);
            row.module = row.module.or_else(|| fields.get_atom("module").and_then(Term::as_atom));
            if fields.get_atom("type").is_some_and(|sort| sort.is_atom("supervisor")) {
                row.behaviour = Behaviour::Supervisor;
            }
            adopt(rows, supervisor, child);
        }
        Some("removed" | "terminated") => {
            let Some(child) = child.or_else(|| holder(rows, supervisor, id, None)) else { return };
            give_up(rows, child);
            if rows.get(child).is_some_and(|row| row.status == Status::Dead) {
                rows.row(supervisor).children.retain(|c| *c != child);
            }
        }
        Some("gave_up") => {
            for child in rows.row(supervisor).children.clone() {
                give_up(rows, child);
            }
        }
        _ => {}
    }
}

fn child_id(fields: Option<&Map>) -> Option<Atom> {
    fields?.get_atom("id")?.as_atom()
}

/// The actor that a pid inside a payload means: the event's own peer, else the newest incarnation.
fn actor_of<R: Rows>(rows: &R, event: &Event, term: &Term) -> Option<Actor> {
    let pid = term.as_pid()?;
    let own = event.peer.filter(|peer| peer.pid() == Some(pid));
    Some(own.or_else(|| rows.newest(pid)).unwrap_or_else(|| Actor::from(pid)))
}

/// What an event tells of a process's use of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    pub reductions: Option<u64>,
    pub memory_bytes: Option<u64>,
}

impl Usage {
    /// Reads the payload of a handle_end (`{Reductions, MemoryBytes}`), a gc or a sample; other kinds tell nothing.
    pub fn read(kind: Kind, payload: &Term) -> Option<Usage> {
        match (kind, payload.as_tuple()) {
            (Kind::HandleEnd, Some([Term::Int(reductions), Term::Int(memory_bytes)])) => Some(Usage {
                reductions: Some((*reductions).max(0) as u64),
                memory_bytes: Some((*memory_bytes).max(0) as u64),
            }),
            (Kind::Gc, _) => Some(Usage { reductions: None, memory_bytes: gc_memory_bytes(payload) }),
            (Kind::Sample, _) => {
                let field = |key| payload.as_map().and_then(|map| map.get_atom(key)).and_then(count);
                Some(Usage { reductions: field("reductions"), memory_bytes: field("memory_bytes") })
            }
            _ => None,
        }
    }
}

fn count(term: &Term) -> Option<u64> {
    u64::try_from(term.as_int()?).ok()
}

fn note_usage(row: &mut ProcessRow, kind: Kind, payload: Option<Term>) {
    let Some(usage) = payload.and_then(|term| Usage::read(kind, &term)) else { return };
    row.reductions = usage.reductions.unwrap_or(row.reductions);
    row.memory_bytes = usage.memory_bytes.unwrap_or(row.memory_bytes);
}

/// Heap sizes of the BEAM's garbage collection info, words of 8 bytes.
fn gc_memory_bytes(info: &Term) -> Option<u64> {
    let of_heap = |item: &Term| {
        let [Term::Atom(key), Term::Int(words)] = item.as_tuple()? else { return None };
        let counts = matches!(key.as_str(), "heap_block_size" | "old_heap_block_size" | "mbuf_size");
        counts.then_some((*words).max(0) as u64)
    };
    let words = info.as_list()?.iter().filter_map(of_heap).fold(0u64, u64::saturating_add);
    Some(words.saturating_mul(8))
}
