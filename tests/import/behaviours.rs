//! Real gen_statems, gen_events and supervisors, traced while the test runs (`tests/data/behaviours.erl`).

use cinema::analysis::latency::{CallOutcome, calls};
use cinema::model::{Event, Filter, Kind};
use cinema::store::Recording;
use expect_test::{Expect, expect};

use super::beam::erl_with;
use super::{of_kind, recorded, shown, told};

const MODULES: &[&str] = &["behaviours.erl", "door.erl", "lift.erl", "tally.erl", "diary.erl", "clerk.erl"];

/// The trace of a story; `None` where there is no Erlang.
fn story(name: &str) -> Option<Recording> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    erl_with(folder.path(), MODULES, &format!("behaviours:trace(\"story.trace\", {name}), halt()."))?;
    let (recording, report) = recorded(&folder.path().join("story.trace"));
    assert_eq!((report.defects.n_total, report.n_late), (0, 0));
    Some(recording)
}

const HANDLING: [Kind; 4] = [Kind::HandleStart, Kind::StateChange, Kind::HandleEnd, Kind::CodeChange];

fn check(recording: &Recording, kinds: &[Kind], expected: &Expect) {
    expected.assert_eq(&told(recording, recording.scan(&Filter::kinds(kinds))));
}

#[test]
fn a_gen_statem_with_state_functions() {
    let Some(recording) = story("doors") else { return };
    check(
        &recording,
        &HANDLING,
        &expect![[r#"
        handle_start init door
        state_change init door = #{data => #{code => 42,tries => 0},state => locked} <- handle_start init
        handle_end init door <- handle_start init
        handle_start enter locked
        handle_end enter locked <- handle_start enter
        handle_start call code <- receive call
        state_change call code = #{data => #{code => 42,tries => 1},state => locked} <- handle_start call
        handle_end call code <- handle_start call
        handle_start cast push <- receive cast
        handle_end cast push <- handle_start cast
        handle_start call code <- receive call
        state_change call code = #{data => #{code => 42,tries => 0},state => open} <- handle_start call
        handle_end call code <- handle_start call
        handle_start enter open
        handle_end enter open <- handle_start enter
        handle_start internal greet
        handle_end internal greet <- handle_start internal
        handle_start cast push <- receive cast
        state_change cast push = #{data => #{code => 42,pushed => true,tries => 0},state => open} <- handle_start cast
        handle_end cast push <- handle_start cast
        handle_start info knock <- receive info
        handle_end info knock <- handle_start info
        handle_start timeout bell
        handle_end timeout bell <- handle_start timeout
        handle_start call state <- receive call
        handle_end call state <- handle_start call
        handle_start timeout state_timeout <- timer_fire timer timeout
        state_change timeout state_timeout = #{data => #{code => 42,pushed => true,tries => 0},state => locked} <- handle_start timeout
        handle_end timeout state_timeout <- handle_start timeout
        handle_start enter locked
        handle_end enter locked <- handle_start enter
        handle_start code_change
        state_change code_change = #{data => #{code => 42,pushed => true,tries => 0,version => 2},state => locked} <- handle_start code_change
        code_change  door <- handle_start code_change
        handle_end code_change <- handle_start code_change
        handle_start terminate door
        handle_end terminate door <- handle_start terminate
    "#]],
    );
    let outcomes: Vec<CallOutcome> = calls(&recording, &[]).iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [CallOutcome::Received; 3]);
}

#[test]
fn a_gen_statem_with_one_handler() {
    let Some(recording) = story("lifts") else { return };
    check(
        &recording,
        &HANDLING,
        &expect![[r#"
        handle_start init lift
        state_change init lift = #{data => {data,closed,0},state => {floor,0}} <- handle_start init
        handle_end init lift <- handle_start init
        handle_start call go <- receive call
        state_change call go = #{data => {data,closed,1},state => {floor,3}} <- handle_start call
        handle_end call go <- handle_start call
        handle_start cast open <- receive cast
        state_change cast open = #{data => {data,open,1},state => {floor,3}} <- handle_start cast
        handle_end cast open <- handle_start cast
        handle_start info stop <- receive info
        handle_end info stop <- handle_start info
    "#]],
    );
}

#[test]
fn the_handlers_of_a_gen_event() {
    let Some(recording) = story("events") else { return };
    check(
        &recording,
        &HANDLING,
        &expect![[r#"
            handle_start init tally
            state_change init tally ~ #{tally => 1} <- handle_start init
            handle_end init tally <- handle_start init
            handle_start init diary
            state_change init diary ~ #{diary => []} <- handle_start init
            handle_end init diary <- handle_start init
            handle_start cast add <- receive cast
            state_change cast add ~ #{diary => [{add,2}]} <- handle_start cast
            handle_end cast add <- handle_start cast
            handle_start cast add <- receive cast
            state_change cast add ~ #{tally => 3} <- handle_start cast
            handle_end cast add <- handle_start cast
            handle_start call add <- receive call
            state_change call add ~ #{diary => [{add,3},{add,2}]} <- handle_start call
            handle_end call add <- handle_start call
            handle_start call add <- receive call
            state_change call add ~ #{tally => 6} <- handle_start call
            handle_end call add <- handle_start call
            handle_start call total <- receive call
            handle_end call total <- handle_start call
            handle_start info hello <- receive info
            handle_end info hello <- handle_start info
            handle_start info hello <- receive info
            state_change info hello ~ #{tally => 106} <- handle_start info
            handle_end info hello <- handle_start info
            handle_start call total <- receive call
            handle_end call total <- handle_start call
            handle_start cast leave <- receive cast
            state_change cast leave ~ #{diary => [leave,{add,3},{add,2}]} <- handle_start cast
            handle_end cast leave <- handle_start cast
            handle_start cast leave <- receive cast
            handle_end cast leave <- handle_start cast
            handle_start terminate tally
            handle_end terminate tally <- handle_start terminate
            handle_start call read <- receive call
            handle_end call read <- handle_start call
        "#]],
    );
    let bus = of_kind(&recording, Kind::Register)[0].process;
    let to_bus = of_kind(&recording, Kind::Send).into_iter().filter(|send| send.peer == Some(bus));
    let sent: Vec<String> =
        to_bus.filter_map(|send| Some(format!("{} {:?}", send.class.as_str(), send.tag?))).collect();
    expect![[r#"
        call add_handler
        call add_handler
        cast add
        call add
        call total
        info hello
        call total
        cast leave
        call read
        system terminate"#]]
    .assert_eq(&sent.join("\n"));
    let outcomes: Vec<CallOutcome> = calls(&recording, &[]).iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [CallOutcome::Received; 6]);
}

#[test]
fn children_come_and_go_on_request() {
    let Some(recording) = story("children") else { return };
    let line = |event: Event| {
        let peer = event.peer.and_then(|peer| recording.scan(&Filter::kind(Kind::Spawn).process(peer)).next()?.tag);
        let cause = event.cause.and_then(|cause| recording.event(cause)).map(|cause| cause.kind.as_str());
        format!("{:?} {peer:?} {} <- {cause:?}\n", event.tag, shown(recording.term(event.seq)))
    };
    let changes: String = of_kind(&recording, Kind::ChildSpecChange).into_iter().map(line).collect();
    expect![[r#"
        Some(first) Some(clerk) #{id => first,module => clerk,op => added,restart => transient,type => worker} <- Some("reply")
        Some(first) None #{id => first,op => terminated} <- Some("reply")
        Some(first) Some(clerk) #{id => first,op => added,type => worker} <- Some("reply")
        Some(first) None #{id => first,op => terminated} <- Some("reply")
        Some(first) None #{id => first,op => removed} <- Some("reply")
        None Some(clerk) #{op => added,type => worker} <- Some("reply")
        None Some(clerk) #{op => terminated} <- Some("reply")
    "#]].assert_eq(&changes);
    assert_eq!(of_kind(&recording, Kind::SupervisorRestart), []);
}

#[test]
fn proc_lib_tells_the_family() {
    let Some(recording) = story("labels") else { return };
    let spawns = of_kind(&recording, Kind::Spawn);
    let payload = shown(recording.term(spawns.last().expect("one was spawned").seq));
    assert!(payload.contains("ancestors => [labeller]"), "{payload}");
    assert!(payload.contains("module => behaviours"), "{payload}");
}
