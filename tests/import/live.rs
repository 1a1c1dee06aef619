//! A trace that a BEAM writes while the test runs (`tests/data/crew.erl`), imported whole.

use std::path::Path;

use cinema::model::{Actor, Atom, Class, Event, Filter, Kind};
use cinema::store::Recording;
use expect_test::{Expect, expect};

use super::beam::erl_with;
use super::{field, of_kind, recorded, shown, told};

/// Runs the crew, traced to what the Erlang term `to` names; `None` where there is no Erlang.
fn traced(folder: &Path, to: &str) -> Option<()> {
    erl_with(folder, &["crew.erl", "clerk.erl"], &format!("crew:trace({to}), halt().")).map(drop)
}

fn check(recording: &Recording, actor: Actor, kinds: &[Kind], expected: &Expect) {
    let events = recording.scan(&Filter::kinds(kinds).process(actor)).collect::<Vec<_>>();
    expected.assert_eq(&told(recording, events));
}

#[test]
fn a_supervised_worker_from_start_to_shutdown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(()) = traced(folder.path(), "\"crew.trace\"") else { return };
    let (recording, report) = recorded(&folder.path().join("crew.trace"));
    assert_eq!((report.defects.n_total, report.n_dropped, report.n_late), (0, 0, 0));

    let clerks: Vec<Event> =
        of_kind(&recording, Kind::Spawn).into_iter().filter(|spawn| spawn.tag == Some(Atom::new("clerk"))).collect();
    let [first, second] = clerks[..] else { panic!("two clerks: {clerks:?}") };
    assert_eq!(first.peer, second.peer);
    assert_eq!(field(&recording, first.seq, "behaviour"), "gen_server");
    assert_eq!(field(&recording, first.seq, "name"), "clerk");
    assert_eq!(field(&recording, first.seq, "args"), "7");

    let sup = first.peer.expect("a supervisor spawned it");
    let sup_spawn = recording.scan(&Filter::kind(Kind::Spawn).process(sup)).next().expect("it was spawned");
    assert_eq!(sup_spawn.tag, Some(Atom::new("crew")));
    assert_eq!(field(&recording, sup_spawn.seq, "behaviour"), "supervisor");
    assert_eq!(field(&recording, second.seq, "supervisor"), shown(sup.pid().map(Into::into)));

    let handling = [Kind::HandleStart, Kind::StateChange, Kind::HandleEnd, Kind::Exit, Kind::Crash];
    check(
        &recording,
        first.process,
        &handling,
        &expect![[r#"
            handle_start init clerk
            state_change init clerk = 7 <- handle_start init
            handle_end init clerk <- handle_start init
            handle_start call add <- receive call
            state_change call add = 8 <- handle_start call
            handle_end call add <- handle_start call
            handle_start cast add <- receive cast
            state_change cast add = 18 <- handle_start cast
            handle_end cast add <- handle_start cast
            handle_start call get <- receive call
            handle_end call get <- handle_start call
            handle_start info hello <- receive info
            handle_end info hello <- handle_start info
            handle_start call tick_in <- receive call
            handle_end call tick_in <- handle_start call
            handle_start call sleep <- receive call
            handle_end call sleep <- handle_start call
            handle_start timer timeout <- timer_fire timer
            state_change timer timeout = 19 <- handle_start timer
            handle_end timer timeout <- handle_start timer
            handle_start call sleep <- receive call
            handle_end call sleep <- handle_start call
            handle_start call get <- receive call
            handle_end call get <- handle_start call
            handle_start call crash <- receive call
            handle_end call crash <- handle_start call
            handle_start terminate clerk
            handle_end terminate clerk <- handle_start terminate
            crash  <- handle_start call crash
        "#]],
    );
    check(
        &recording,
        second.process,
        &handling,
        &expect![[r#"
            handle_start init clerk
            state_change init clerk = 7 <- handle_start init
            handle_end init clerk <- handle_start init
            handle_start call get <- receive call
            handle_end call get <- handle_start call
            handle_start terminate clerk <- exit_signal exit EXIT
            handle_end terminate clerk <- handle_start terminate
            exit  = shutdown <- exit_signal exit EXIT
        "#]],
    );

    let [timeout] = of_kind(&recording, Kind::Timeout)[..] else { panic!("one call timed out") };
    let [late] = of_kind(&recording, Kind::LateReply)[..] else { panic!("its reply came late") };
    assert_eq!((late.call, late.process, late.peer), (timeout.call, timeout.process, Some(first.process)));
    assert_eq!(timeout.tag, Some(Atom::new("sleep")));

    let [crash] = of_kind(&recording, Kind::Crash)[..] else { panic!("one crash") };
    let [restart] = of_kind(&recording, Kind::SupervisorRestart)[..] else { panic!("one restart") };
    assert_eq!((restart.process, restart.peer, restart.cause), (sup, Some(second.process), Some(crash.seq)));
    assert_eq!((crash.process, restart.tag), (first.process, Some(Atom::new("clerk"))));

    let [to_dead] = of_kind(&recording, Kind::SendToDead)[..] else { panic!("one message to the dead") };
    assert_eq!((to_dead.peer, to_dead.tag), (Some(first.process), Some(Atom::new("too_late"))));
    let [fired] = of_kind(&recording, Kind::TimerFire)[..] else { panic!("one timer") };
    assert_eq!((fired.process, fired.class), (first.process, Class::Timer));
}

#[test]
fn a_wrapped_set_is_one_trace() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(()) = traced(folder.path(), "{\"crew.\", wrap, \".wrp\", 4096, 99}") else { return };
    let names: Vec<_> = std::fs::read_dir(folder.path()).expect("it is there").flatten().collect();
    let files: Vec<_> =
        names.iter().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "wrp")).collect();
    assert!(files.len() > 2, "{files:?}");
    let (recording, report) = recorded(&files[0]);
    assert_eq!((report.defects.n_total, report.n_dropped), (0, 0));
    assert_eq!(of_kind(&recording, Kind::SupervisorRestart).len(), 1);
    assert_eq!(of_kind(&recording, Kind::LateReply).len(), 1);
}
