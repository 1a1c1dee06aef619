//! What `analysis::process` finds in small recordings that are made by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::Fixture;
use crate::model::{Kind, Path};

/// A server with three states, two messages in its mailbox, and a client that died.
fn shop() -> (Fixture, Actor, Actor) {
    let mut fx = Fixture::new();
    let (client, shop) = (fx.spawn("client", None), fx.spawn("shop", Some("shop")));
    let init = fx.start_init(shop);
    fx.state(init, "#{stock => 10,sold => 0}");
    fx.end(init);
    for (message, state) in [("{buy,1}", "#{stock => 9,sold => 1}"), ("{restock,1}", "#{stock => 10,sold => 1}")] {
        let arrival = fx.wait(1.0).message(Class::Cast, client, shop, message);
        let start = fx.start(arrival);
        fx.state(start, state);
        fx.end(start);
    }
    fx.message(Class::Cast, client, shop, "{buy,2}");
    fx.wait(2.0).message(Class::Info, client, shop, "stray");
    fx.wait(3.0).dies(client, "normal", None);
    (fx, client, shop)
}

fn end(fx: &Fixture) -> Seq {
    Seq(fx.rec.len() - 1)
}

fn check(rows: &[StateRow], expected: Expect) {
    let line = |row: &StateRow| {
        let before = row.before.map_or("-".to_string(), |seq| format!("#{}", seq.0));
        format!("#{} {} {:?} after {before}: {}\n", row.seq.0, row.class.as_str(), row.tag, row.changed.join(" "))
    };
    expected.assert_eq(&rows.iter().map(line).collect::<String>());
}

#[test]
fn a_process_is_told_as_of_a_moment() {
    let (fx, client, shop) = shop();
    let info = process(&fx.rec, shop, end(&fx)).expect("the shop is known");
    assert_eq!((info.name.as_str(), info.status, info.queue_len), ("shop", Status::Alive, Some(2)));
    assert_eq!((info.n_handled, info.reductions, info.memory_bytes), (3, 1000, Some(2000)));
    assert!(info.memory_is_estimated);
    let info = process(&fx.rec, client, end(&fx)).expect("the client is known");
    assert_eq!((info.name.as_str(), info.status), ("client <0.101.0>", Status::Dead));
    assert_eq!(process(&fx.rec, shop, Seq(0)), None);
}

#[test]
fn the_system_is_summed_up() {
    let (fx, _, shop) = shop();
    let all = summary(&fx.rec, end(&fx));
    assert_eq!((all.n_alive, all.n_dead, all.n_queued, all.n_names), (1, 1, 2, 1));
    assert_eq!((all.longest_queue, all.memory_bytes), (Some((shop, 2)), 2000));
}

#[test]
fn a_mailbox_holds_what_waits_and_since_when() {
    let (fx, _, shop) = shop();
    let rows = mailbox(&fx.rec, shop, end(&fx));
    let shown: Vec<(&str, i64)> =
        rows.iter().map(|row| (row.tag.expect("a tag").as_str(), row.waited_ns / 1_000_000)).collect();
    assert_eq!(shown, [("buy", 5), ("stray", 3)]);
}

#[test]
fn states_are_told_with_the_paths_that_changed() {
    let (fx, _, shop) = shop();
    check(
        &history(&fx.rec, &[], shop),
        expect![[r#"
        #4 init None after -: 
        #9 cast Some(buy) after #4: sold stock
        #14 cast Some(restock) after #9: stock
    "#]],
    );
}

#[test]
fn writes_of_a_path_are_those_that_gave_it_another_value() {
    let (fx, _, shop) = shop();
    let path = |text: &str| Path::parse(text).expect("a path");
    check(
        &writes(&fx.rec, &[], Some(shop), &path("sold")),
        expect![[r#"
        #4 init None after -: 
        #9 cast Some(buy) after #4: sold stock
    "#]],
    );
    check(
        &last_write(&fx.rec, &[], None, &path("stock")).into_iter().collect::<Vec<_>>(),
        expect![[r#"
        #14 cast Some(restock) after #9: stock
    "#]],
    );
    check(&last_write(&fx.rec, &[], None, &path("price")).into_iter().collect::<Vec<_>>(), expect![[""]]);
}

#[test]
fn a_queue_series_follows_the_mailbox() {
    let (fx, _, shop) = shop();
    let series = queue_series(&fx.rec, &[], &[], 100);
    assert_eq!(series.len(), 1);
    assert_eq!((series[0].actor, series[0].name.as_str()), (shop, "shop"));
    let values: Vec<i64> = series[0].points.iter().map(|point| point.value).collect();
    assert_eq!(values, [1, 0, 1, 0, 1, 2]);
    assert_eq!(memory_series(&fx.rec, &[], &[shop], 100)[0].points.len(), 3);
    assert_eq!(reductions_series(&fx.rec, &[], &[shop], 100)[0].points[0].value, 1000);
}

#[test]
fn a_long_series_is_cut_to_its_peaks_and_keeps_its_end() {
    let mut fx = Fixture::new();
    let (client, sink) = (fx.spawn("client", None), fx.spawn("sink", Some("sink")));
    let mut arrivals = Vec::new();
    for _ in 0..1000 {
        arrivals.push(fx.wait(1.0).message(Class::Cast, client, sink, "job"));
    }
    for arrival in arrivals {
        let start = fx.wait(1.0).start(arrival);
        fx.end(start);
    }
    let points = &queue_series(&fx.rec, &[], &[], 50)[0].points;
    assert!(points.len() <= 50, "{}", points.len());
    assert_eq!(points.iter().map(|point| point.value).max(), Some(1000));
    assert_eq!(points.last().map(|point| point.value), Some(0));
    assert!(points.is_sorted_by_key(|point| point.at_ns));
}

/// The state changes that gave `path` another value, found by looking at all of them.
fn writes_by_looking(fx: &Fixture, scope: &[std::ops::Range<u64>], actor: Option<Actor>, path: &Path) -> Vec<Seq> {
    let filter = Filter { ranges: scope.to_vec(), ..Filter::kind(Kind::StateChange) };
    let mut before = std::collections::HashMap::new();
    let of_actor = |event: &crate::model::Event| actor.is_none_or(|actor| event.process == actor);
    let is_write = |event: &crate::model::Event| {
        let state = fx.rec.term(event.seq).expect("a state");
        let old = before.insert(event.process, state.clone());
        old.as_ref().and_then(|old| path.get(old)) != path.get(&state)
    };
    fx.rec.scan(&filter).filter(of_actor).filter(is_write).map(|event| event.seq).collect()
}

#[test]
fn the_index_of_changed_paths_finds_every_write() {
    let mut fx = Fixture::new();
    let servers = [fx.spawn("a", None), fx.spawn("b", None)];
    let starts = servers.map(|server| fx.start_init(server));
    let mut random = 7u64;
    for n in 0..400 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (x, y, which) = (random >> 33 & 1, random >> 40 & 3, (random >> 50 & 1) as usize);
        let state = match random >> 55 & 15 {
            0 => format!("{{state,{x},{y}}}"),
            1 => format!("#{{x => {x}}}"),
            _ => format!("#{{x => {x},y => {{{y},[{x}]}},{{1,2}} => {y}}}"),
        };
        fx.state(starts[which], &state);
        if n % 37 == 0 {
            fx.rec.seal();
        }
        if n == 200 || n == 300 {
            let from = Seq(n / 2);
            fx.rec.begin_branch(Some(from));
            fx.event(Kind::Restored, servers[0], |event| event.cause = Some(from));
        }
    }
    for branch in fx.rec.branches() {
        let scope = fx.rec.lineage(branch.id);
        for path in ["x", "y", "y[1]", "[0]", "nothing"] {
            let path = Path::parse(path).expect("a path");
            for actor in [None, Some(servers[0]), Some(servers[1])] {
                let seqs = |rows: &[StateRow]| rows.iter().map(|row| row.seq).collect::<Vec<_>>();
                let expected = writes_by_looking(&fx, &scope, actor, &path);
                assert_eq!(seqs(&writes(&fx.rec, &scope, actor, &path)), expected, "{path} of {actor:?}");
                let last = last_write(&fx.rec, &scope, actor, &path);
                assert_eq!(last.map(|row| row.seq), expected.last().copied());
            }
        }
    }
}
