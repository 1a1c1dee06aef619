//! What `analysis::causality` finds in small recordings that are made by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::Fixture;

fn check(links: &[Link], expected: Expect) {
    let line = |link: &Link| format!("#{} -> #{} {:?}\n", link.from.0, link.to.0, link.relation);
    expected.assert_eq(&links.iter().map(line).collect::<String>());
}

/// A cast whose callback calls another server, and a cast that has nothing to do with it.
fn relay() -> (Fixture, Seq) {
    let mut fx = Fixture::new();
    let (client, front, back) =
        (fx.spawn("client", Some("client")), fx.spawn("front", Some("front")), fx.spawn("back", Some("back")));
    let arrival = fx.message(Class::Cast, client, front, "go");
    let other = fx.message(Class::Cast, client, back, "other");
    let start = fx.start(arrival);
    let other_start = fx.start(other);
    fx.state(other_start, "1");
    fx.end(other_start);
    fx.served(front, back, "ask", 1.0);
    fx.state(start, "2");
    fx.end(start);
    (fx, arrival)
}

#[test]
fn a_chain_goes_back_to_the_origin_and_forth_to_the_last_effect() {
    let (fx, arrival) = relay();
    let chain = chain(&fx.rec, &[], arrival, 100);
    check(
        &chain.back,
        expect![[r#"
        #6 -> #7 Caused
        #0 -> #6 Inside
    "#]],
    );
    check(
        &chain.forth,
        expect![[r#"
        #7 -> #10 Caused
        #10 -> #14 Inside
        #14 -> #15 Caused
        #15 -> #16 Caused
        #16 -> #17 Inside
        #16 -> #18 Caused
        #17 -> #19 Caused
        #10 -> #20 Caused
        #10 -> #21 Caused
    "#]],
    );
    assert!(!chain.is_cut);
}

#[test]
fn effects_are_the_direct_ones() {
    let (fx, arrival) = relay();
    check(
        &effects(&fx.rec, &[], arrival, 100),
        expect![[r#"
        #7 -> #10 Caused
    "#]],
    );
}

#[test]
fn a_bound_cuts_and_says_so() {
    let (fx, arrival) = relay();
    let cut = chain(&fx.rec, &[], arrival, 2);
    assert_eq!((cut.forth.len(), cut.is_cut), (2, true));
}

#[test]
fn a_receive_inside_a_run_gives_way_to_the_run_again() {
    let mut fx = Fixture::new();
    let (client, loner) = (fx.spawn("client", None), fx.spawn("loner", None));
    let run = fx.start_init(loner);
    let arrival = fx.message(Class::Info, client, loner, "go");
    let inner = fx.start(arrival);
    let inside = fx.message(Class::Info, loner, client, "inside");
    fx.end(inner);
    let after = fx.message(Class::Info, loner, client, "after");
    // A message's send is the event before its arrival.
    let cause_of = |arrival: Seq| cause(&fx.rec, &[], Seq(arrival.0 - 1)).map(|link| link.from);
    assert_eq!(cause_of(inside), Some(inner));
    assert_eq!(cause_of(after), Some(run));
}
