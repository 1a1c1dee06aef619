//! The fold, kind by kind, on hand-made events.

use super::*;
use crate::model::{Class, Kind, limits};

/// Folds events that are told one by one.
#[derive(Default)]
struct System {
    state: SystemState,
    next: u64,
}

fn pid(id: u32) -> Actor {
    Actor::from(Pid::local(id))
}

fn map(entries: &[(&str, Term)]) -> Option<Term> {
    let entries = entries.iter().map(|(key, value)| (Term::atom(key), value.clone()));
    Some(Term::Map(Arc::new(entries.collect())))
}

fn event(kind: Kind, process: u32) -> Event {
    Event {
        seq: Seq(0),
        at_ns: 0,
        kind,
        class: Class::None,
        process: pid(process),
        peer: None,
        tag: None,
        call: None,
        cause: None,
        size_bytes: 0,
    }
}

impl System {
    fn tell(&mut self, event: Event, payload: Option<Term>) -> Seq {
        let seq = Seq(self.next);
        self.next += 1;
        self.state.apply(&Event { seq, at_ns: seq.0 as i64 * 10, ..event }, &mut || payload.clone());
        seq
    }
    fn row(&self, id: u32) -> &ProcessRow {
        &self.state.processes[&pid(id)]
    }
    /// Supervisor 1 with a child 2 of id `a`.
    fn supervised(restart: &str) -> System {
        let mut system = System::default();
        let behaviour = map(&[("behaviour", Term::atom("supervisor"))]);
        system.tell(event(Kind::Spawn, 1), behaviour);
        let spawned = Event { peer: Some(pid(1)), tag: Some(Atom::new("account")), ..event(Kind::Spawn, 2) };
        system.tell(spawned, map(&[("supervisor", Term::from(Pid::local(1)))]));
        let added = map(&[("op", Term::atom("added")), ("id", Term::atom("a")), ("restart", Term::atom(restart))]);
        system.tell(Event { peer: Some(pid(2)), ..event(Kind::ChildSpecChange, 1) }, added);
        system
    }
}

#[test]
fn mailbox_holds_what_arrived_and_was_not_taken() {
    let mut system = System::default();
    let receive = Event { peer: Some(pid(2)), class: Class::Cast, ..event(Kind::Receive, 1) };
    let first = system.tell(receive, None);
    let second = system.tell(receive, None);
    system.tell(Event { class: Class::Reply, ..receive }, None);
    assert_eq!(system.row(1).mailbox, [first, second]);
    assert_eq!(system.row(1).n_received, 3);

    let start = system.tell(Event { cause: Some(first), ..event(Kind::HandleStart, 1) }, None);
    assert_eq!(system.row(1).mailbox, [second]);
    assert_eq!(system.row(1).handling, Some(start));
    system.tell(event(Kind::HandleEnd, 1), Some(Term::tuple([Term::Int(70), Term::Int(4096)])));
    let row = system.row(1);
    assert_eq!((row.handling, row.n_handled, row.reductions, row.memory_bytes), (None, 1, 70, 4096));
    assert!(system.state.processes.contains_key(&pid(2)), "a peer is an actor that was seen");
}

#[test]
fn receive_in_a_callback_chooses_and_the_loop_takes_the_oldest() {
    let mut system = System::default();
    let arrivals: Vec<Seq> = (0..4).map(|_| system.tell(event(Kind::Receive, 1), None)).collect();
    let outer = system.tell(Event { cause: Some(arrivals[0]), ..event(Kind::HandleStart, 1) }, None);
    system.tell(Event { cause: Some(arrivals[2]), ..event(Kind::HandleStart, 1) }, None);
    assert_eq!(system.row(1).mailbox, [arrivals[1], arrivals[3]]);
    system.tell(Event { cause: Some(outer), ..event(Kind::HandleEnd, 1) }, None);
    system.tell(Event { cause: Some(arrivals[3]), ..event(Kind::HandleStart, 1) }, None);
    assert!(system.row(1).mailbox.is_empty(), "what lay before it was taken unseen");
}

#[test]
fn callback_goes_on_after_a_message_taken_inside_it() {
    let mut system = System::default();
    let outer = system.tell(event(Kind::HandleStart, 1), None);
    let inner = system.tell(event(Kind::HandleStart, 1), None);
    system.tell(Event { cause: Some(inner), ..event(Kind::HandleEnd, 1) }, None);
    assert_eq!(system.row(1).handling, Some(outer));
    system.tell(Event { cause: Some(outer), ..event(Kind::HandleEnd, 1) }, None);
    assert_eq!(system.row(1).handling, None);
}

#[test]
fn mailbox_of_a_process_that_never_takes_is_bounded() {
    let mut system = System::default();
    for _ in 0..1000 {
        system.tell(event(Kind::Receive, 1), None);
    }
    assert_eq!(system.row(1).mailbox.len(), limits::UNTAKEN_KEPT_MAX);
    assert_eq!(system.row(1).mailbox.back(), Some(&Seq(999)));
}

#[test]
fn exit_signal_is_an_arrival_only_when_trapped() {
    let mut system = System::default();
    system.tell(Event { peer: Some(pid(2)), ..event(Kind::ExitSignal, 1) }, None);
    assert!(system.row(1).mailbox.is_empty());
    let trapped = Event { tag: Some(Atom::new("EXIT")), ..event(Kind::ExitSignal, 1) };
    let seq = system.tell(trapped, None);
    assert_eq!(system.row(1).mailbox, [seq]);
}

#[test]
fn end_releases_names_links_monitors_and_mailbox() {
    let mut system = System::default();
    let bank = Atom::new("bank");
    system.tell(Event { tag: Some(bank), ..event(Kind::Register, 1) }, None);
    system.tell(Event { peer: Some(pid(2)), ..event(Kind::Link, 1) }, None);
    system.tell(Event { peer: Some(pid(3)), call: Some(CallKey(9)), ..event(Kind::Monitor, 1) }, None);
    system.tell(event(Kind::Receive, 1), None);
    let state = system.tell(event(Kind::StateChange, 1), None);
    assert_eq!(system.state.named(bank).collect::<Vec<_>>(), [pid(1)]);
    assert!(system.row(2).links.contains(&pid(1)));

    let ended = system.tell(event(Kind::Exit, 1), Some(Term::atom("normal")));
    let row = system.row(1);
    assert_eq!((row.status, row.ended, row.state), (Status::Dead, Some(ended), Some(state)));
    assert!(row.names.is_empty() && row.links.is_empty() && row.monitors.is_empty() && row.mailbox.is_empty());
    assert!(system.row(2).links.is_empty());
    assert!(system.state.names.is_empty());
}

#[test]
fn name_moves_from_owner_to_owner() {
    let mut system = System::default();
    let name = Atom::new("bank");
    system.tell(Event { tag: Some(name), ..event(Kind::Register, 1) }, None);
    system.tell(Event { tag: Some(name), ..event(Kind::Register, 2) }, None);
    assert!(system.row(1).names.is_empty());
    system.tell(event(Kind::Exit, 1), None);
    assert_eq!(system.state.named(name).collect::<Vec<_>>(), [pid(2)]);
    system.tell(Event { tag: Some(name), ..event(Kind::Unregister, 2) }, None);
    assert!(system.state.names.is_empty() && system.row(2).names.is_empty());
}

#[test]
fn down_ends_the_monitor_and_arrives() {
    let mut system = System::default();
    let key = Some(CallKey(5));
    system.tell(Event { peer: Some(pid(2)), call: key, ..event(Kind::Monitor, 1) }, None);
    system.tell(Event { peer: Some(pid(2)), call: Some(CallKey(6)), ..event(Kind::Monitor, 1) }, None);
    let down = system.tell(Event { peer: Some(pid(2)), call: key, ..event(Kind::Down, 1) }, None);
    assert_eq!(system.row(1).monitors.len(), 1);
    assert_eq!(system.row(1).mailbox, [down]);
    system.tell(Event { peer: Some(pid(2)), ..event(Kind::Demonitor, 1) }, None);
    assert!(system.row(1).monitors.is_empty());
}

#[test]
fn crashed_child_is_restarting_until_its_successor_takes_its_place() {
    let mut system = System::supervised("permanent");
    assert_eq!(system.row(1).children, [pid(2)]);
    assert_eq!(system.row(2).child_id, Some(Atom::new("a")));
    for (old, new) in [(2, 3), (3, 4)] {
        system.tell(event(Kind::Crash, old), Some(Term::atom("boom")));
        assert_eq!(system.row(old).status, Status::Restarting);
        system.tell(event(Kind::Spawn, new), map(&[("supervisor", Term::from(Pid::local(1)))]));
        let restarted = Event { peer: Some(pid(new)), tag: Some(Atom::new("a")), ..event(Kind::SupervisorRestart, 1) };
        system.tell(restarted, map(&[("old", Term::from(Pid::local(old)))]));
        assert_eq!(system.row(old).status, Status::Dead);
        assert_eq!(system.row(1).children, [pid(new)]);
    }
    let row = system.row(4);
    assert_eq!((row.n_restarts, row.supervisor, row.status), (2, Some(pid(1)), Status::Alive));
    assert_eq!(row.restart_type, Some(RestartType::Permanent));
}

#[test]
fn child_whose_end_is_told_after_its_successor_is_dead() {
    let mut system = System::supervised("permanent");
    let restarted = Event { peer: Some(pid(3)), tag: Some(Atom::new("a")), ..event(Kind::SupervisorRestart, 1) };
    system.tell(restarted, None);
    system.tell(event(Kind::Crash, 2), Some(Term::atom("boom")));
    assert_eq!((system.row(2).status, system.row(3).status), (Status::Dead, Status::Alive));
    assert_eq!(system.row(1).children, [pid(3)]);
}

#[test]
fn nobody_waits_for_a_restart_that_cannot_come() {
    for (restart, kind, reason, expected) in [
        ("temporary", Kind::Crash, "boom", Status::Dead),
        ("transient", Kind::Exit, "normal", Status::Dead),
        ("transient", Kind::Crash, "boom", Status::Restarting),
        ("permanent", Kind::Exit, "normal", Status::Restarting),
        ("permanent", Kind::Exit, "shutdown", Status::Dead),
    ] {
        let mut system = System::supervised(restart);
        system.tell(event(kind, 2), Some(Term::atom(reason)));
        assert_eq!(system.row(2).status, expected, "{restart} {reason}");
    }
    for last in [event(Kind::Exit, 1), event(Kind::ChildSpecChange, 1)] {
        let mut system = System::supervised("permanent");
        system.tell(event(Kind::Crash, 2), Some(Term::atom("boom")));
        system.tell(last, map(&[("op", Term::atom("gave_up"))]));
        assert_eq!(system.row(2).status, Status::Dead);
    }
    let mut system = System::supervised("permanent");
    system.tell(event(Kind::Crash, 2), Some(Term::atom("killed")));
    system.tell(event(Kind::ChildSpecChange, 1), map(&[("op", Term::atom("terminated")), ("id", Term::atom("a"))]));
    assert_eq!(system.row(2).status, Status::Dead);
    assert!(system.row(1).children.is_empty());
}

#[test]
fn losses_and_memory_are_counted() {
    let mut system = System::default();
    system.tell(event(Kind::Loss, 1), map(&[("total", Term::Int(12))]));
    system.tell(event(Kind::Loss, 1), map(&[("total", Term::Int(3))]));
    assert_eq!(system.state.n_lost, 15);
    assert!(system.state.processes.is_empty());
    let words = |key: &str, n: i64| Term::tuple([Term::atom(key), Term::Int(n)]);
    let info = Term::list([words("heap_block_size", 100), words("old_heap_block_size", 50), words("stack_size", 7)]);
    system.tell(event(Kind::Gc, 1), Some(info));
    assert_eq!(system.row(1).memory_bytes, 1200);
}
