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

/// Everything that followed, by one pass over all later events.
fn forth_by_looking(rec: &Recording, seq: Seq) -> Vec<Link> {
    let mut found = std::collections::HashSet::from([seq]);
    let mut running: std::collections::HashMap<Actor, Running> = Default::default();
    if let Some(event) = rec.event(seq).filter(|event| opens(rec, event)) {
        running.insert(event.process, Running::at(&event));
    }
    let mut links = Vec::new();
    for event in (seq.0 + 1..rec.len()).filter_map(|at| rec.event(Seq(at))) {
        let inside = || running.get(&actor_of(&event)?)?.innermost().filter(|start| found.contains(start));
        links.extend(match event.cause {
            Some(from) => found.contains(&from).then_some(Link { from, to: event.seq, relation: Relation::Caused }),
            None => inside().map(|from| Link { from, to: event.seq, relation: Relation::Inside }),
        });
        if event.kind == Kind::HandleEnd || opens(rec, &event) {
            running.entry(event.process).or_default().push(&event);
        }
        if links.last().is_some_and(|link| link.to == event.seq) {
            found.insert(event.seq);
        }
    }
    links
}

#[test]
fn indexes_find_what_a_pass_over_everything_finds() {
    let mut fx = Fixture::new();
    let actors: Vec<Actor> = (0..4).map(|_| fx.spawn("server", None)).collect();
    let mut random = 11u64;
    let mut below = |n: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % n
    };
    let kinds =
        [Kind::HandleStart, Kind::HandleEnd, Kind::Send, Kind::Receive, Kind::StateChange, Kind::Spawn, Kind::Link];
    for n in 0..1_500 {
        let (kind, process) = (kinds[below(7) as usize], actors[below(4) as usize]);
        let (peer, class) = (actors[below(4) as usize], [Class::None, Class::Init, Class::Call][below(3) as usize]);
        // Some causes are far, most events have none.
        let back = if below(20) == 0 { below(1_000) } else { below(12) };
        let cause = fx.rec.len().checked_sub(1 + back).map(Seq).filter(|_| below(2) == 0);
        fx.event(kind, process, |event| (event.peer, event.class, event.cause) = (Some(peer), class, cause));
        if n % 400 == 399 {
            fx.rec.seal();
        }
    }
    for seq in (0..fx.rec.len()).step_by(37).map(Seq) {
        let expected = forth_by_looking(&fx.rec, seq);
        let direct: Vec<Link> = expected.iter().filter(|link| link.from == seq).copied().collect();
        assert_eq!(effects(&fx.rec, &[], seq, usize::MAX), direct, "effects of {seq:?}");
        assert_eq!(chain(&fx.rec, &[], seq, 10_000).forth, expected, "what follows {seq:?}");
        let first = chain(&fx.rec, &[], seq, 3);
        assert_eq!(first.forth, expected[..expected.len().min(3)]);
    }
}
