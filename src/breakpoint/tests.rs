//! Each kind of condition on a small hand-made recording, while it runs and over its past.

mod random;

use std::rc::Rc;

use expect_test::{Expect, expect};

use super::*;
use crate::codec::etf;
use crate::model::{
    Actor, Atom, CallKey, Class, Event, Failure, Kind, NewEvent, Outcome, Path, Pid, Seq, Syntax, Term,
};
use crate::store::{Recording, RecordingInfo};

fn process(id: u32) -> Actor {
    Actor::from(Pid::local(id))
}

fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    etf::encode(&Term::parse(text, Syntax::Erlang).expect("a term"), &mut out);
    out
}

/// A row of the recording: process, kind, tag, peer, call, class, payload.
struct Row(u32, Kind, &'static str, u32, u64, Class, &'static str);

/// A bank: 1 is the supervisor, 2 the account, 3 a client, 4 the account's successor.
const BANK: &[Row] = &[
    Row(1, Kind::Spawn, "bank_sup", 0, 0, Class::None, ""),
    Row(2, Kind::Spawn, "account", 1, 0, Class::None, ""),
    Row(2, Kind::Register, "acc", 0, 0, Class::None, ""),
    Row(2, Kind::StateChange, "", 0, 0, Class::Init, "#{balance => 90, orders => [#{qty => 1}]}"),
    Row(3, Kind::Spawn, "client", 0, 0, Class::None, ""),
    Row(3, Kind::Send, "deposit", 2, 7, Class::Call, "x"),
    Row(2, Kind::Receive, "deposit", 3, 7, Class::Call, "x"),
    Row(2, Kind::HandleStart, "deposit", 0, 0, Class::Call, ""),
    Row(2, Kind::StateChange, "deposit", 0, 0, Class::Call, "#{balance => 120, orders => [#{qty => 1}]}"),
    Row(2, Kind::StateChange, "note", 0, 0, Class::Cast, "#{balance => 120, orders => [#{qty => 5}]}"),
    Row(3, Kind::Timeout, "", 2, 7, Class::None, ""),
    Row(2, Kind::Crash, "", 0, 0, Class::None, "boom"),
    Row(3, Kind::Down, "", 2, 7, Class::Down, "{'DOWN',#Ref<0.7>,process,<0.2.0>,boom}"),
    Row(4, Kind::Spawn, "account", 1, 0, Class::None, ""),
    Row(4, Kind::Register, "acc", 0, 0, Class::None, ""),
    Row(1, Kind::SupervisorRestart, "acc", 4, 0, Class::None, "#{id => acc}"),
    Row(4, Kind::StateChange, "", 0, 0, Class::Init, "#{balance => 101.5}"),
    Row(3, Kind::SendToDead, "deposit", 2, 0, Class::Cast, "x"),
    Row(4, Kind::Exit, "", 0, 0, Class::None, "normal"),
];

fn with_event<R>(row: &Row, at_ns: i64, act: impl FnOnce(&NewEvent<'_>) -> R) -> R {
    let payload = if row.6.is_empty() { Vec::new() } else { bytes(row.6) };
    act(&NewEvent {
        class: row.5,
        peer: (row.3 > 0).then(|| process(row.3)),
        tag: (!row.2.is_empty()).then(|| Atom::new(row.2)),
        call: (row.4 > 0).then_some(CallKey(row.4)),
        payload: &payload,
        ..NewEvent::new(at_ns, row.1, process(row.0))
    })
}

/// Runs the bank under `table`; gives the seqs at which it hit.
fn run(table: &mut Table) -> (Recording, Vec<u64>) {
    let mut recording = Recording::new(RecordingInfo::default());
    let mut seqs = Vec::new();
    for (at_ns, row) in BANK.iter().enumerate() {
        with_event(row, at_ns as i64, |new| {
            let (hits, failed) = table.check(&Candidate::coming(new, &recording));
            assert!(failed.is_empty());
            seqs.extend(hits.iter().map(|hit| hit.event.seq.0));
            let seq = recording.append(new).expect("room");
            table.observe(&recording.event(seq).expect("just appended"));
        });
    }
    (recording, seqs)
}

/// The hits while running, which must be the hits over the recording, forwards and backwards.
fn check(condition: Condition, expected: Expect) {
    let mut table = Table::new();
    let id = table.add("", condition.clone(), Action::Pause, false).expect("room");
    let (recording, live) = run(&mut table);
    let line = recording.lineage(0);
    let search = Search::new(&recording, 0, &condition);
    let seqs = |events: Vec<Event>| events.iter().map(|event| event.seq.0).collect::<Vec<_>>();
    assert_eq!(seqs(search.all(&line, 100).expect("no script")), live);

    let past = Past { recording: &recording, branch: 0, line: &line };
    let (mut forwards, mut at) = (Vec::new(), None);
    while let Some((event, ids)) = table.next_hit(past, at).expect("no script") {
        assert_eq!(ids, [id]);
        forwards.push(event.seq.0);
        at = Some(event.seq);
    }
    assert_eq!(forwards, live);
    let (mut backwards, mut at) = (Vec::new(), None);
    while let Some((event, _)) = table.prev_hit(past, at).expect("no script") {
        backwards.insert(0, event.seq.0);
        at = Some(event.seq);
    }
    assert_eq!(backwards, live);
    expected.assert_eq(&format!("{condition}: {live:?}"));
}

fn named(name: &str) -> Selector {
    Selector::Name(Atom::new(name))
}

fn on_balance(test: Test) -> Condition {
    Condition::on_state(Selector::Any, Path::parse("balance").expect("a path"), test)
}

#[test]
fn messages() {
    let deposit = || Condition::on_message(Some(Atom::new("deposit")));
    check(deposit(), expect!["message deposit arrives at any: [6]"]);
    check(deposit().of(named("acc")), expect!["message deposit arrives at acc: [6]"]);
    check(deposit().of(named("nobody")), expect!["message deposit arrives at nobody: []"]);
    check(Condition::on_message(Some(Atom::new("DOWN"))), expect!["message 'DOWN' arrives at any: [12]"]);
    let of_class = |class, point| Condition::from(What::Message { tag: None, class: Some(class), point });
    check(of_class(Class::Cast, MessagePoint::Sent), expect!["cast sent by any: [17]"]);
    check(of_class(Class::Call, MessagePoint::Handled), expect!["call handled by any: [7]"]);
}

#[test]
fn states() {
    check(on_balance(Test::Greater(Term::Int(100))), expect!["state of any: balance > 100: [8, 16]"]);
    check(on_balance(Test::Changed), expect!["state of any: balance changed: [3, 8, 16]"]);
    check(on_balance(Test::Equal(Term::float(120.0))).of(named("acc")), expect!["state of acc: balance == 120.0: [8]"]);
    check(on_balance(Test::Greater(Term::atom("a"))), expect!["state of any: balance > a: []"]);
    check(
        Condition::on_state(named("acc"), Path::parse("orders[0].qty").expect("a path"), Test::Changed),
        expect!["state of acc: orders[0].qty changed: [3, 9]"],
    );
    check(
        Condition::on_state(Selector::Any, Path::default(), Test::Changed),
        expect!["state of any changed: [3, 8, 9, 16]"],
    );
}

#[test]
fn process_events_follow_names() {
    let on = |process, name| Condition::on_process(process, name).expect("a known event");
    check(on(Selector::Any, "supervisor_restart"), expect!["supervisor_restart of any: [15]"]);
    check(on(named("acc"), "restart"), expect!["supervisor_restart of acc: [15]"]);
    check(on(named("acc"), "end"), expect!["exit or crash of acc: [11, 18]"]);
    check(on(Selector::Module(Atom::new("account")), "spawn"), expect!["spawn of module account: [1, 13]"]);
    check(on(Selector::Id(process(4).id), "exit"), expect!["exit of <0.4.0>: [18]"]);
    check(on(Selector::Actor(process(2)), "exit"), expect!["exit of <0.2.0>: []"]);
    let error = event_kinds("supervisor_restrt").expect_err("a misspelt name");
    assert_eq!(error.hints[0], "did you mean \"supervisor_restart\"?");
}

#[test]
fn results() {
    let on = |name| Condition::on_result(name).expect("a known result");
    check(on("timeout"), expect!["result timeout at any: [10]"]);
    check(on("noproc"), expect!["result noproc at any: [17]"]);
    check(on("exit"), expect!["result exit at any: [12]"]);
    check(on("late"), expect!["result late at any: []"]);
    assert!(Condition::on_result("lost").is_err());
}

/// Holds for every crash; fails for exits.
struct Crashes;

impl Predicate for Crashes {
    fn kinds(&self) -> Vec<Kind> {
        vec![Kind::Crash, Kind::Exit]
    }
    fn test(&self, candidate: &Candidate<'_>) -> Outcome<bool> {
        match candidate.event.kind {
            Kind::Exit => Err(Failure::new(crate::model::FailureKind::Script, "no such field")),
            _ => Ok(candidate.term().is_some_and(|reason| reason.is_atom("boom"))),
        }
    }
    fn describe(&self) -> String {
        "|e| e.reason == \"boom\"".into()
    }
}

#[test]
fn a_script_that_fails_is_disabled_and_says_why() {
    let mut table = Table::new();
    let id = table.add("crashes", Condition::script(Rc::new(Crashes)), Action::Pause, false).expect("room");
    let recording = Recording::new(RecordingInfo::default());
    let (hits, _) = with_event(&BANK[11], 0, |new| table.check(&Candidate::coming(new, &recording)));
    assert_eq!(hits.len(), 1);
    let (hits, failed) = with_event(&BANK[18], 1, |new| table.check(&Candidate::coming(new, &recording)));
    assert!(hits.is_empty());
    assert_eq!(failed, [id]);
    let breakpoint = table.get(id).expect("still there");
    assert!(!breakpoint.is_enabled);
    assert_eq!(breakpoint.failure.as_ref().map(|failure| failure.error.as_str()), Some("no such field"));
}

#[test]
fn the_table_keeps_ids_counts_and_kinds() {
    let mut table = Table::new();
    let any = || Condition::on_message(None);
    let first = table.add("", any(), Action::Log("seen".into()), false).expect("room");
    let once = table.add("once", any(), Action::Pause, true).expect("room");
    assert!(table.add("once", any(), Action::Pause, false).is_err());
    assert!(table.is_watching(Kind::Receive) && !table.is_watching(Kind::Send));

    let (_, hits) = run(&mut table);
    assert_eq!(hits, [6, 6, 12]);
    assert!(table.get(once).is_err(), "a temporary breakpoint is gone after its hit");
    assert_eq!((table.get(first).expect("there").n_hits, &*table.get(first).expect("there").name), (2, "b1"));

    table.enable(first, false).expect("there");
    assert!(!table.is_watching(Kind::Receive));
    table.remove(first).expect("there");
    let third = table.add("", any(), Action::Pause, false).expect("room");
    assert_eq!(third, BreakpointId(3));
}
