//! Lean traces: the server's side only, without its states (`tests/data/till.erl`).

use cinema::analysis::latency::{CallOutcome, calls, latency};
use cinema::model::{Filter, Kind};
use cinema::store::Recording;
use expect_test::expect;

use super::beam::erl_with;
use super::crafted::check;
use super::{recorded, told};

/// A lean trace of a till; `None` where there is no Erlang.
fn till() -> Option<Recording> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let code = "till:trace(\"till.trace\", '$cinema_omitted'), halt().";
    erl_with(folder.path(), &["till.erl"], code)?;
    let (recording, report) = recorded(&folder.path().join("till.trace"));
    assert_eq!((report.defects.n_total, report.n_late), (0, 0));
    Some(recording)
}

#[test]
fn callbacks_end_where_control_is_back_in_gen_server() {
    let Some(recording) = till() else { return };
    let kinds = [Kind::HandleStart, Kind::StateChange, Kind::HandleEnd, Kind::Timeout, Kind::Send];
    expect![[r#"
        state_change  ~ #{sold => 0}
        handle_start call sell <- receive call
        handle_end call sell <- handle_start call
        state_change call sell ~ #{sold => 2} <- handle_start call
        handle_start call sell_twice <- receive call
        handle_end call sell_twice <- handle_start call
        state_change call sell_twice ~ #{sold => 8} <- handle_start call
        handle_start cast sell <- receive cast
        handle_end cast sell <- handle_start cast
        state_change cast sell ~ #{sold => 9} <- handle_start cast
        handle_start call later <- receive call
        handle_end call later <- handle_start call
        handle_start info answer <- timer_fire timer
        handle_end info answer <- handle_start info
        handle_start call careful <- receive call
        handle_end call careful <- handle_start call
        handle_start info tick <- receive info
        handle_end info tick <- handle_start info
        handle_start call sold <- receive call
        handle_end call sold <- handle_start call
        handle_start continue counted
        handle_end continue counted <- handle_start continue
        handle_start call sleep <- receive call
        handle_end call sleep <- handle_start call
        handle_start call sold <- receive call
        handle_end call sold <- handle_start call
        handle_start continue counted
        handle_end continue counted <- handle_start continue
        handle_start cast stop <- receive cast
        handle_end cast stop <- handle_start cast
        handle_start terminate till
        handle_end terminate till <- handle_start terminate
    "#]]
    .assert_eq(&told(&recording, recording.scan(&Filter::kinds(&kinds))));
}

#[test]
fn watched_fields_may_be_pairs_and_are_told_when_they_change() {
    check(
        "<0.1.0>,call,{m,handle_cast,2},{cinema,[a,'$cinema_omitted'],[{n,1},{who,me}]}
         <0.1.0>,return_to,{gen_server,try_dispatch,4}
         <0.1.0>,call,{m,handle_cast,2},{cinema,[b,'$cinema_omitted'],[{n,1},{who,me}]}
         <0.1.0>,return_to,undefined
         <0.1.0>,call,{m,handle_cast,2},{cinema,[c,'$cinema_omitted'],[{n,2},{who,me}]}
         <0.1.0>,return_to,{m,helper,1}
         <0.1.0>,return_to,{gen_server,try_dispatch,4}
         <0.1.0>,call,{m,handle_cast,2},{m,caller,1}",
        &expect![[r#"
            0 0us state_change <0.1.0> #{n => 1,who => me} #{partial => true}
            1 0us handle_start <0.1.0> class=cast tag=a a
            2 1us handle_end <0.1.0> class=cast tag=a cause=1
            3 2us handle_start <0.1.0> class=cast tag=b b
            4 3us handle_end <0.1.0> class=cast tag=b cause=3
            5 4us state_change <0.1.0> #{n => 2,who => me} #{partial => true}
            6 4us handle_start <0.1.0> class=cast tag=c c
            7 6us handle_end <0.1.0> class=cast tag=c cause=6
            8 7us handle_start <0.1.0> class=cast
        "#]],
    );
}

#[test]
fn a_return_that_was_lost_does_not_hide_the_next_callback() {
    check(
        "<0.1.0>,call,{m,handle_cast,2},{cinema,[a,'$cinema_omitted']}
         <0.1.0>,call,{m,handle_cast,2},{cinema,[within,'$cinema_omitted']}
         {drop,5}
         <0.1.0>,call,{m,handle_cast,2},{cinema,[b,'$cinema_omitted']}
         <0.1.0>,return_to,{gen_server,try_dispatch,4}",
        &expect![[r#"
            0 0us handle_start <0.1.0> class=cast tag=a a
            1 3us loss <0.0.0> #{total => 5}
            2 3us handle_start <0.1.0> class=cast tag=b b
            3 4us handle_end <0.1.0> class=cast tag=b cause=2
        "#]],
    );
}

#[test]
fn calls_are_split_into_their_waits_on_the_servers_side_alone() {
    let Some(recording) = till() else { return };
    let rows = calls(&recording, &[]);
    let tags: Vec<&str> = rows.iter().map(|call| call.tag.expect("a request has a tag").as_str()).collect();
    assert_eq!(tags, ["sell", "sell_twice", "later", "careful", "sold", "sleep", "sold"]);
    for call in &rows {
        // Who called is told with the arrival; nobody but the server was traced.
        assert!(call.caller.is_some() && call.send_seq.is_none() && call.receive_seq.is_some(), "{call:?}");
        assert_eq!((call.outcome, call.total_ns, call.reply_ns), (CallOutcome::Served, None, None), "{call:?}");
        assert!(call.queue_ns.is_some() && call.handling_ns.is_some(), "{call:?}");
    }
    let ms = |ns: Option<i64>| ns.unwrap_or(0) / 1_000_000;
    // The caller of `sleep` gave up after 10 ms and called again: that call waited for the rest of the 40, or more of a busy machine.
    assert!(ms(rows[5].handling_ns) >= 40, "{:?}", rows[5]);
    let rest_ns = rows[5].handling_ns.map(|ns| ns - 10_000_000);
    assert!(rows[6].queue_ns > Some(0) && rows[6].queue_ns <= rest_ns, "{:?} {:?}", rows[5], rows[6]);
    // A timeout is claimed of callers that were traced only.
    assert_eq!(recording.count(&Filter::kinds(&[Kind::Timeout, Kind::LateReply])), 0);
    let worst = &latency(&recording, &[])[0];
    assert_eq!((worst.tag.map(|tag| tag.as_str()), worst.n_calls, worst.n_open), (Some("sleep"), 1, 0));
}
