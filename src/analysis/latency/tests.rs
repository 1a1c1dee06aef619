//! What `analysis::latency` finds in small recordings that are made by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::{Fixture, term};

fn check(rows: &[CallRow], expected: Expect) {
    let ms = |ns: Option<i64>| ns.map_or("-".to_string(), |ns| format!("{}", ns as f64 / 1e6));
    let line = |row: &CallRow| {
        format!(
            "#{} {:?} queue {} handling {} reply {} total {}{}\n",
            row.call_seq.0,
            row.outcome,
            ms(row.queue_ns),
            ms(row.handling_ns),
            ms(row.reply_ns),
            ms(row.total_ns),
            if row.is_late { " late" } else { "" }
        )
    };
    expected.assert_eq(&rows.iter().map(line).collect::<String>());
}

#[test]
fn splits_a_call_into_its_waits() {
    let mut fx = Fixture::new();
    let client = fx.spawn("client", None);
    let shop = fx.spawn("shop", Some("shop"));
    let audit = fx.call(client, shop, "audit");
    let buy = fx.at(1.0).call(client, shop, "{buy,1}");
    let start = fx.at(2.0).start(audit.arrival);
    let reply = fx.at(10.0).reply(audit, "ok");
    fx.end(start);
    fx.at(11.0).replied(audit, reply);
    fx.start(buy.arrival);
    check(
        &calls(&fx.rec, &[]),
        expect![[r#"
        #3 Received queue 2 handling 8 reply 1 total 11
        #5 Open queue 10 handling - reply - total -
    "#]],
    );
    assert_eq!(call_of(&fx.rec, &[], start), calls(&fx.rec, &[]).first().cloned());
}

#[test]
fn tells_how_a_call_failed() {
    let mut fx = Fixture::new();
    let client = fx.spawn("client", None);
    let shop = fx.spawn("shop", Some("shop"));
    let slow = fx.call(client, shop, "slow");
    let start = fx.start(slow.arrival);
    fx.at(5.0).timeout(slow);
    let reply = fx.at(7.0).reply(slow, "ok");
    fx.late_reply(slow, reply);
    fx.end(start);
    let fatal = fx.call(client, shop, "fatal");
    fx.start(fatal.arrival);
    let crash = fx.at(8.0).dies(shop, "boom", None);
    let down = term("{'DOWN',1,process,<0.1.0>,boom}");
    fx.event_with(Kind::Down, client, Some(&down), |e| (e.peer, e.cause) = (Some(shop), Some(crash)));
    let after = fx.call_lost(client, shop, "after");
    let down = term("{'DOWN',1,process,<0.1.0>,noproc}");
    fx.event_with(Kind::Down, client, Some(&down), |e| (e.peer, e.call) = (Some(shop), Some(after.key)));
    check(
        &calls(&fx.rec, &[]),
        expect![[r#"
        #3 Timeout queue 0 handling 7 reply - total 5 late
        #10 Exit queue 0 handling - reply - total 1
        #15 Noproc queue - handling - reply - total 0
    "#]],
    );
}

#[test]
fn a_call_to_the_dying_ends_with_them_even_without_a_down() {
    let mut fx = Fixture::new();
    let client = fx.spawn("client", None);
    let shop = fx.spawn("shop", Some("shop"));
    fx.call(client, shop, "fatal");
    fx.at(3.0).dies(shop, "boom", None);
    check(
        &calls(&fx.rec, &[]),
        expect![[r#"
        #3 Exit queue - handling - reply - total 3
    "#]],
    );
}

#[test]
fn percentiles_are_of_nearest_rank() {
    let mut values: Vec<i64> = (1..=100).rev().collect();
    let got = percentiles(&mut values);
    assert_eq!((got.n, got.p50_ns, got.p90_ns, got.p99_ns, got.max_ns, got.mean_ns), (100, 50, 90, 99, 100, 50));
    assert_eq!(percentiles(&mut [7]).p50_ns, 7);
    assert_eq!(percentiles(&mut []), Percentiles::default());
}

#[test]
fn groups_by_callee_and_tag() {
    let mut fx = Fixture::new();
    let client = fx.spawn("client", None);
    let shop = fx.spawn("shop", Some("shop"));
    for ms in 1..=10 {
        fx.served(client, shop, "audit", f64::from(ms));
        fx.served(client, shop, "{buy,1}", 0.5);
    }
    let rows = latency(&fx.rec, &[]);
    let shown: Vec<String> = rows
        .iter()
        .map(|r| format!("{} {:?} n {} p50 {} max {}", r.name, r.tag, r.n_calls, r.total.p50_ns, r.total.max_ns))
        .collect();
    expect![[r#"
        [
            "shop Some(audit) n 10 p50 5000000 max 10000000",
            "shop Some(buy) n 10 p50 500000 max 500000",
        ]
    "#]]
    .assert_debug_eq(&shown);
}
