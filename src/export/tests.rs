//! Exports as snapshots, and read back by other parsers.

use expect_test::{Expect, expect};

use super::*;
use crate::codec::etf;
use crate::model::{Atom, Class, Filter, Kind, NewEvent, Pid, Seq, Syntax, Term};
use crate::store::{Recording, RecordingInfo};
use crate::view::{Arrow, ArrowKind, At, Cell, Lane, Spacetime, Table, Tree, TreeArcs, TreeRow};

fn check(actual: &str, expected: Expect) {
    expected.assert_eq(actual);
}

fn sample() -> Table {
    let mut table = Table::new("calls", &[">seq", "process", ">queue_ns", "message", "late", "note"]);
    let message = Term::tuple([Term::atom("set"), Term::binary("a,\"b\""), Term::float(1.0)]);
    table.push(vec![
        Cell::Seq(Seq(7)),
        Cell::Text("router, \"the\" first\n".into()),
        Cell::Ns(1_250),
        Cell::Term(message),
        Cell::Bool(true),
        Cell::Empty,
    ]);
    table.push(vec![
        Cell::Seq(Seq(8)),
        Cell::Text("cache".into()),
        Cell::Empty,
        Cell::Term(Term::Nil),
        Cell::Bool(false),
        Cell::Float(f64::NAN),
    ]);
    table
}

#[test]
fn csv_quotes_what_needs_it() {
    check(
        &csv(&sample(), Syntax::Erlang),
        expect![[r#"
        seq,process,queue_ns,message,late,note
        7,"router, ""the"" first
        ",1250,"{set,<<""a,\""b\"""">>,1.0}",true,
        8,cache,,[],false,NaN
    "#]],
    );
}

#[test]
fn json_has_the_columns_as_keys() {
    check(
        &json(&sample()),
        expect![[r#"
        [
          {"seq":7,"process":"router, \"the\" first\n","queue_ns":1250,"message":{"$tuple":["set",{"$bin":"a,\"b\""},1.0]},"late":true,"note":null},
          {"seq":8,"process":"cache","queue_ns":null,"message":[],"late":false,"note":null}
        ]
    "#]],
    );
    check(
        &jsonl(&sample()),
        expect![[r#"
        {"seq":7,"process":"router, \"the\" first\n","queue_ns":1250,"message":{"$tuple":["set",{"$bin":"a,\"b\""},1.0]},"late":true,"note":null}
        {"seq":8,"process":"cache","queue_ns":null,"message":[],"late":false,"note":null}
    "#]],
    );
    check(
        &json(&Table::new("none", &["a"])),
        expect![[r#"
        []
    "#]],
    );
    let parsed: serde_json::Value = serde_json::from_str(&json(&sample())).unwrap();
    assert_eq!(parsed[0]["queue_ns"], 1250);
}

fn recording() -> Recording {
    let mut rec = Recording::new(RecordingInfo::default());
    let (a, b) = (Pid::local(1), Pid::local(2));
    let mut payload = Vec::new();
    etf::encode(&Term::tuple([Term::atom("get"), Term::Int(1)]), &mut payload);
    let tag = Some(Atom::new("get"));
    let send = NewEvent {
        class: Class::Call,
        peer: Some(b.into()),
        tag,
        payload: &payload,
        ..NewEvent::new(1_000, Kind::Send, a)
    };
    let sent = rec.append(&send).unwrap();
    let receive = NewEvent { class: Class::Call, cause: Some(sent), tag, ..NewEvent::new(2_000, Kind::Receive, b) };
    let received = rec.append(&receive).unwrap();
    let start =
        NewEvent { class: Class::Call, cause: Some(received), tag, ..NewEvent::new(2_500, Kind::HandleStart, b) };
    let started = rec.append(&start).unwrap();
    rec.append(&NewEvent { cause: Some(started), ..NewEvent::new(4_000, Kind::HandleEnd, b) }).unwrap();
    rec.append(&NewEvent::new(5_000, Kind::Crash, b)).unwrap();
    rec
}

#[test]
fn events_as_lines() {
    let mut out = Vec::new();
    assert_eq!(events_jsonl(&recording(), &Filter::default(), &mut out).unwrap(), 5);
    check(
        &String::from_utf8(out).unwrap(),
        expect![[r#"
            {"seq":0,"at_ns":0,"clock_ns":1000,"kind":"send","class":"call","process":"<0.1.0>","peer":"<0.2.0>","tag":"get","size_bytes":10,"payload":{"$tuple":["get",1]}}
            {"seq":1,"at_ns":1000,"clock_ns":2000,"kind":"receive","class":"call","process":"<0.2.0>","tag":"get","cause":0,"size_bytes":0}
            {"seq":2,"at_ns":1500,"clock_ns":2500,"kind":"handle_start","class":"call","process":"<0.2.0>","tag":"get","cause":1,"size_bytes":0}
            {"seq":3,"at_ns":3000,"clock_ns":4000,"kind":"handle_end","process":"<0.2.0>","cause":2,"size_bytes":0}
            {"seq":4,"at_ns":4000,"clock_ns":5000,"kind":"crash","process":"<0.2.0>","size_bytes":0}
        "#]],
    );
}

#[test]
fn a_chrome_trace_has_tracks_slices_and_flows() {
    let mut out = Vec::new();
    chrome_trace(&recording(), &Filter::default(), &|actor| format!("name of {actor}"), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    check(
        &text,
        expect![[r#"
        {"displayTimeUnit":"ns","traceEvents":[
        {"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"name of <0.1.0>"}},
        {"ph":"s","name":"call get","pid":1,"tid":1,"ts":0.0,"id":0,"cat":"message"},
        {"ph":"M","pid":1,"tid":2,"name":"thread_name","args":{"name":"name of <0.2.0>"}},
        {"ph":"f","name":"call get","pid":1,"tid":2,"ts":1.0,"id":0,"cat":"message","bp":"e"},
        {"ph":"X","name":"call get","pid":1,"tid":2,"ts":1.5,"dur":1.5,"args":{"seq":2}},
        {"ph":"i","name":"crash","pid":1,"tid":2,"ts":4.0,"s":"t","args":{"seq":4}}
        ]}
    "#]],
    );
}

#[test]
fn diagrams_survive_hostile_names() {
    let hostile = "a\"; drop\n%%{x}: end\\";
    let lane = |name: &str| Lane {
        actor: Pid::local(1).into(),
        name: name.into(),
        id: "<0.1.0>".into(),
        depth: 0,
        is_supervisor: false,
        from: None,
        to: None,
    };
    let arrow = Arrow {
        from_lane: 0,
        to_lane: 1,
        from: At::default(),
        to: At::default(),
        kind: ArrowKind::Call,
        label: hostile.into(),
    };
    let view = Spacetime { lanes: vec![lane(hostile), lane("b")], arrows: vec![arrow], ..Spacetime::default() };
    check(
        &mermaid(&view),
        expect![[r#"
        sequenceDiagram
            participant p0 as a#34;#59; drop?#37;#37;{x}#58; end#92;
            participant p1 as b
            p0->>p1: call a#34;#59; drop?#37;#37;{x}#58; end#92;
    "#]],
    );
    let row = |name: &str, depth| TreeRow {
        name: name.into(),
        depth,
        id: "<0.1.0>".into(),
        status: "alive".into(),
        is_supervisor: depth == 0,
        ..TreeRow::default()
    };
    let tree = Tree { rows: vec![row(hostile, 0), row("b", 1)], ..Tree::default() };
    let arc = crate::view::Arc { from: 0, to: 1, kind: ArrowKind::Cast, n_messages: 3 };
    check(
        &dot(&TreeArcs { tree, arcs: vec![arc], subtitle: String::new() }),
        expect![[r##"
        digraph cinema {
            rankdir=LR;
            node [fontname="sans-serif", style=filled];
            p0 [label="a\"; drop?%%{x}: end\\\n<0.1.0>", shape=box, fillcolor="#ead9ea"];
            p1 [label="b\n<0.1.0>", shape=ellipse, fillcolor="#e3edf6"];
            p0 -> p1 [arrowhead=none, penwidth=2, color="#9aa3ae"];
            p0 -> p1 [label="3 cast", style=dotted, color="#e69f00", constraint=false];
        }
    "##]],
    );
}
