//! What `analysis::flow` finds in small recordings that are made by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::Fixture;

/// A call, a cast, a plain message that nobody takes, and a call that times out.
fn traffic() -> Fixture {
    let mut fx = Fixture::new();
    let (client, shop) = (fx.spawn("client", Some("client")), fx.spawn("shop", Some("shop")));
    fx.served(client, shop, "{buy,1}", 2.0);
    let cast = fx.message(Class::Cast, client, shop, "{restock,5}");
    let start = fx.wait(1.0).start(cast);
    fx.wait(3.0).end(start);
    fx.message(Class::Info, shop, client, "note");
    let call = fx.call(client, shop, "audit");
    fx.wait(5.0).timeout(call);
    fx
}

fn check(rows: &[MessageRow], expected: Expect) {
    let ms = |ns: Option<i64>| ns.map_or("-".to_string(), |ns| format!("{}", ns as f64 / 1e6));
    let line = |row: &MessageRow| {
        format!(
            "#{} {} {:?} {:?} queue {} handling {} total {}\n",
            row.seq.0,
            row.class.as_str(),
            row.tag,
            row.result,
            ms(row.queue_ns),
            ms(row.handling_ns),
            ms(row.total_ns)
        )
    };
    expected.assert_eq(&rows.iter().map(line).collect::<String>());
}

#[test]
fn every_message_has_a_row_with_its_fate() {
    let (rows, n_more) = messages(&traffic().rec, &[], &FlowFilter::default(), 100);
    assert_eq!(n_more, 0);
    check(
        &rows,
        expect![[r#"
        #4 call Some(buy) Received queue 0 handling 2 total 2
        #7 reply None Received queue - handling - total 0
        #10 cast Some(restock) Received queue 1 handling 3 total 4
        #14 info Some(note) Received queue - handling - total -
        #16 call Some(audit) Timeout queue - handling - total 5
    "#]],
    );
}

#[test]
fn filters_and_limits_keep_the_first() {
    let fx = traffic();
    let calls = FlowFilter { classes: vec![Class::Call], ..FlowFilter::default() };
    check(
        &messages(&fx.rec, &[], &calls, 100).0,
        expect![[r#"
        #4 call Some(buy) Received queue 0 handling 2 total 2
        #16 call Some(audit) Timeout queue - handling - total 5
    "#]],
    );
    let failed = FlowFilter { results: vec![MessageResult::Timeout], ..FlowFilter::default() };
    check(
        &messages(&fx.rec, &[], &failed, 100).0,
        expect![[r#"
        #16 call Some(audit) Timeout queue - handling - total 5
    "#]],
    );
    let (rows, n_more) = messages(&fx.rec, &[], &FlowFilter::default(), 2);
    assert_eq!((rows.len(), n_more), (2, 3));
}

#[test]
fn pairs_count_each_message_once() {
    let rows = pairs(&traffic().rec, &[]);
    let line = |row: &PairRow| {
        format!(
            "{} -> {}: {} ({} calls, {} casts, {} replies, {} others)\n",
            row.from_name, row.to_name, row.n_messages, row.n_calls, row.n_casts, row.n_replies, row.n_others
        )
    };
    expect![[r#"
        client -> shop: 3 (2 calls, 1 casts, 0 replies, 0 others)
        shop -> client: 2 (0 calls, 0 casts, 1 replies, 1 others)
    "#]]
    .assert_eq(&rows.iter().map(line).collect::<String>());
}
