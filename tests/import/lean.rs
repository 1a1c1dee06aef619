//! Lean traces: the server's side only, without its states (`tests/data/till.erl`).

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
