//! Each detector on a recording with its pattern planted, and all of them on a clean one.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::{Fixture, term};
use crate::model::{Atom, Class};

fn find(fx: &Fixture, only: &str) -> Vec<Finding> {
    let only = if only.is_empty() { Vec::new() } else { vec![only.to_string()] };
    patterns(&fx.rec, &[], &Options { only, ..Options::default() }).expect("a known detector")
}

fn check(findings: &[Finding], expected: Expect) {
    let show = |finding: &Finding| {
        let seqs: Vec<String> = finding.evidence.iter().map(|seq| format!("#{}", seq.0)).collect();
        format!(
            "{:?} {}: {}\n  {}\n  {} times, {}; next: {}\n",
            finding.severity,
            finding.pattern,
            finding.title,
            finding.sentence,
            finding.count,
            seqs.join(" "),
            finding.suggestion
        )
    };
    expected.assert_eq(&findings.iter().map(show).collect::<String>());
}

/// A server whose clients call, cast and get their answers; a worker that is restarted once.
fn clean() -> Fixture {
    let mut fx = Fixture::new();
    let top = fx.spawn("top", Some("top"));
    let server = fx.spawn_under(top, "server", Some("server"));
    let clients: Vec<_> = (0..3).map(|_| fx.spawn("client", None)).collect();
    for round in 0..100 {
        for client in &clients {
            fx.served(*client, server, "{get,key}", 0.2);
            let arrival = fx.message(Class::Cast, *client, server, "{put,key}");
            let start = fx.start(arrival);
            fx.wait(0.1);
            fx.state(start, &format!("#{{n => {round}}}"));
            fx.end(start);
            fx.wait(2.0);
        }
    }
    let end = fx.dies(server, "{boom,1}", None);
    fx.restart(top, "server", end, "server", Some("server"));
    fx
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    check(&find(&clean(), ""), expect![[""]]);
}

#[test]
fn an_unknown_detector_is_an_error_that_names_the_known_ones() {
    let options = Options { only: vec!["deadlock".into()], ..Options::default() };
    let failure = patterns(&clean().rec, &[], &options).expect_err("there is none of that name");
    expect![[r#"
        there is no pattern "deadlock"
          hint: patterns: call_cycle, restart_storm, crash_loop, slow_callback, mailbox_growth, bottleneck, late_reply, dead_letter"#]]
    .assert_eq(&failure.to_string());
}

#[test]
fn call_cycle_of_two_ends_with_a_timeout() {
    let mut fx = Fixture::new();
    let (client, a, b) =
        (fx.spawn("client", None), fx.spawn("account", Some("alice")), fx.spawn("account", Some("bob")));
    let (one, two) = (fx.call(client, a, "{pay,bob}"), fx.call(client, b, "{pay,alice}"));
    let (start_a, _start_b) = (fx.start(one.arrival), fx.start(two.arrival));
    let to_b = fx.at(1.0).call(a, b, "{deposit,1}");
    fx.at(2.0).call(b, a, "{deposit,1}");
    fx.at(5001.0).timeout(to_b);
    fx.end(start_a);
    check(
        &find(&fx, "call_cycle"),
        expect![[r#"
        Error call_cycle: alice and bob wait for each other
          alice → bob → alice (calls #11, #13): each waits inside a call for the next, so none can take a message. It lasted 5 s, until one of the calls timed out (#15).
          1 times, #11 #13 #15; next: why(seq(15))
    "#]],
    );
}

#[test]
fn a_cycle_that_somebody_else_resolves_is_none() {
    let mut fx = Fixture::new();
    let (a, b) = (fx.spawn("a", Some("a")), fx.spawn("b", Some("b")));
    let to_b = fx.call(a, b, "one");
    fx.start(to_b.arrival);
    fx.call(b, a, "two");
    let reply = fx.reply(to_b, "ok");
    fx.replied(to_b, reply);
    check(&find(&fx, "call_cycle"), expect![[""]]);
}

#[test]
fn a_call_to_oneself_is_a_cycle_of_one() {
    let mut fx = Fixture::new();
    let (client, a) = (fx.spawn("client", None), fx.spawn("a", Some("a")));
    let call = fx.call(client, a, "one");
    fx.start(call.arrival);
    fx.call(a, a, "two");
    check(
        &find(&fx, "call_cycle"),
        expect![[r#"
            Error call_cycle: a calls itself
              a calls itself inside its own callback (#6), where it cannot take the message. Nothing in the recording ends it.
              1 times, #6; next: why(seq(6))
        "#]],
    );
}

#[test]
fn slow_callback_is_told_with_those_who_wait() {
    let mut fx = Fixture::new();
    let (client, shop) = (fx.spawn("client", None), fx.spawn("shop", Some("shop")));
    let audit = fx.call(client, shop, "audit");
    let start = fx.start(audit.arrival);
    fx.at(10.0).call(client, shop, "{buy,1}");
    let reply = fx.at(150.0).reply(audit, "ok");
    fx.end(start);
    fx.replied(audit, reply);
    check(
        &find(&fx, ""),
        expect![[r#"
        Warning slow_callback: shop takes 150 ms for the call audit
          shop was in its callback for the call audit for 150 ms (#5 to #9), while one message waited behind it.
          1 times, #5 #9; next: process_timeline("shop")
    "#]],
    );
}

#[test]
fn slow_callback_says_when_it_waited_itself() {
    let mut fx = Fixture::new();
    let (client, shop, db) = (fx.spawn("client", None), fx.spawn("shop", Some("shop")), fx.spawn("db", Some("db")));
    let buy = fx.call(client, shop, "{buy,1}");
    let start = fx.start(buy.arrival);
    fx.at(1.0).call(client, shop, "{buy,2}");
    let query = fx.call(shop, db, "query");
    let db_start = fx.start(query.arrival);
    let answer = fx.at(99.0).reply(query, "ok");
    fx.end(db_start);
    fx.replied(query, answer);
    let reply = fx.at(100.0).reply(buy, "ok");
    fx.end(start);
    fx.replied(buy, reply);
    check(
        &find(&fx, "slow_callback"),
        expect![[r#"
        Warning slow_callback: shop takes 100 ms for the call buy
          shop was in its callback for the call buy for 100 ms (#7 to #17), 98 ms of it waiting in a call of its own, while one message waited behind it.
          1 times, #7 #17; next: chain(seq(7))
    "#]],
    );
}

/// Two senders cast twice as fast as the pool works.
fn overloaded(n: u64) -> Fixture {
    let mut fx = Fixture::new();
    let (a, b, pool) = (fx.spawn("feed", None), fx.spawn("feed", None), fx.spawn("pool", Some("pool")));
    let mut arrivals = std::collections::VecDeque::new();
    for _ in 0..n {
        arrivals.push_back(fx.message(Class::Cast, a, pool, "{job,1}"));
        arrivals.push_back(fx.message(Class::Cast, b, pool, "{job,2}"));
        let start = fx.start(arrivals.pop_front().expect("just put in"));
        fx.wait(1.0);
        fx.end(start);
    }
    fx
}

#[test]
fn mailbox_growth_and_bottleneck_of_an_overloaded_pool() {
    check(
        &find(&overloaded(300), ""),
        expect![[r#"
        Error mailbox_growth: pool's mailbox grew to 301 messages
          pool's mailbox grew from empty (#5) to 301 messages (#1801) within 299 ms: 600 arrived while it took out 299. Most of them are job (cast). At the end 300 still wait.
          301 times, #5 #1801; next: queue_chart("pool")
        Warning bottleneck: pool is a bottleneck
          pool was busy for 100 % of the 300 ms in which it handled 300 messages of 2 processes; they waited 75 ms on average for 1 ms of handling, the longest 150 ms (#1802). That is 100 % of all the time that messages waited in mailboxes.
          300 times, #8 #1802 #1803; next: queue_chart("pool")
    "#]],
    );
}

/// A dispatcher that hands jobs to its workers by calls, each of which takes 1 ms; two senders bring two jobs a ms.
fn serialised(n_workers: usize) -> Fixture {
    let mut fx = Fixture::new();
    let (a, b, dispatcher) =
        (fx.spawn("web", None), fx.spawn("mail", None), fx.spawn("dispatcher", Some("dispatcher")));
    let workers: Vec<_> = (0..n_workers).map(|n| fx.spawn("worker", Some(&format!("worker_{n}")))).collect();
    let mut arrivals = std::collections::VecDeque::new();
    for n in 0..60 {
        arrivals.push_back(fx.message(Class::Cast, a, dispatcher, "{job,1}"));
        arrivals.push_back(fx.message(Class::Cast, b, dispatcher, "{job,2}"));
        let start = fx.start(arrivals.pop_front().expect("just put in"));
        fx.served(dispatcher, workers[n % n_workers], "{job,1}", 1.0);
        fx.end(start);
    }
    fx
}

#[test]
fn bottleneck_that_waits_for_its_workers_one_after_the_other() {
    check(
        &find(&serialised(4), "bottleneck"),
        expect![[r#"
        Warning bottleneck: dispatcher is a bottleneck
          dispatcher was busy for 100 % of the 60 ms in which it handled 60 messages of 2 processes; they waited 15 ms on average for 1 ms of handling, the longest 30 ms (#724). That is 100 % of all the time that messages waited in mailboxes. For 100 % of its busy time it was waiting itself, in calls to 4 processes one after the other.
          60 times, #16 #724 #731; next: queue_chart("dispatcher")
    "#]],
    );
    check(
        &find(&serialised(1), "bottleneck"),
        expect![[r#"
        Warning bottleneck: dispatcher is a bottleneck
          dispatcher was busy for 100 % of the 60 ms in which it handled 60 messages of 2 processes; they waited 15 ms on average for 1 ms of handling, the longest 30 ms (#718). That is 100 % of all the time that messages waited in mailboxes. For 100 % of its busy time it was waiting itself, for worker_0.
          60 times, #10 #718 #725; next: queue_chart("dispatcher")
    "#]],
    );
}

#[test]
fn a_process_that_waits_for_a_bottleneck_is_none() {
    let mut fx = Fixture::new();
    let fronts: Vec<_> = (0..3).map(|n| fx.spawn("front", Some(&format!("front_{n}")))).collect();
    let (a, b, db) = (fx.spawn("client", None), fx.spawn("client", None), fx.spawn("db", Some("db")));
    let mut queues = vec![std::collections::VecDeque::new(); 3];
    let mut open: Vec<Option<(Seq, crate::analysis::fixture::Call)>> = vec![None; 3];
    for _ in 0..100 {
        for n in 0..3 {
            queues[n].push_back(fx.message(Class::Cast, a, fronts[n], "{ask,1}"));
            queues[n].push_back(fx.message(Class::Cast, b, fronts[n], "{ask,2}"));
            if open[n].is_none() {
                let start = fx.start(queues[n].pop_front().expect("just put in"));
                open[n] = Some((start, fx.call(fronts[n], db, "{query,1}")));
            }
        }
        // The database answers the fronts in turn, a millisecond each.
        for open in &mut open {
            let (front_start, query) = open.take().expect("each front waits");
            let start = fx.start(query.arrival);
            let reply = fx.wait(1.0).reply(query, "ok");
            fx.end(start);
            fx.replied(query, reply);
            fx.end(front_start);
        }
    }
    let findings = find(&fx, "bottleneck");
    assert_eq!(findings.iter().map(|f| f.title.as_str()).collect::<Vec<_>>(), ["db is a bottleneck"]);
}

/// Run by hand, in release: `cargo test --release --lib measures_ -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn measures_a_million_events() {
    let mut fx = Fixture::new();
    let servers: Vec<_> = (0..50).map(|_| fx.spawn("server", None)).collect();
    let clients: Vec<_> = (0..200).map(|_| fx.spawn("client", None)).collect();
    let mut n = 0;
    while fx.rec.len() < 1_000_000 {
        fx.served(clients[n % 200], servers[n % 50], "{get,key}", 0.01);
        n += 1;
    }
    let n_events = fx.rec.len() as f64;
    let measure = |what: &str, run: &dyn Fn() -> usize| {
        let start = std::time::Instant::now();
        let n = run();
        let ms = start.elapsed().as_secs_f64() * 1e3;
        println!("{what}: {ms:.0} ms, {:.1} M events/s ({n} results)", n_events / ms / 1e3);
    };
    measure("scan", &|| fx.rec.scan(&Filter::default()).count());
    measure("latency", &|| crate::analysis::latency::latency(&fx.rec, &[]).len());
    measure("flow", &|| {
        let mut n = 0;
        crate::analysis::flow::for_each_message(&fx.rec, &[], &Default::default(), |_| n += 1);
        n
    });
    measure("pairs", &|| crate::analysis::flow::pairs(&fx.rec, &[]).len());
    measure("patterns", &|| patterns(&fx.rec, &[], &Options::default()).map_or(0, |found| found.len()));
}

#[test]
fn late_replies_are_counted_by_callee_and_tag() {
    let mut fx = Fixture::new();
    let (client, shop) = (fx.spawn("client", None), fx.spawn("shop", Some("shop")));
    for _ in 0..2 {
        let call = fx.call(client, shop, "{buy,1}");
        let start = fx.start(call.arrival);
        fx.wait(10.0).timeout(call);
        let reply = fx.wait(5.0).reply(call, "ok");
        fx.end(start);
        fx.late_reply(call, reply);
    }
    check(
        &find(&fx, ""),
        expect![[r#"
        Warning late_reply: shop answers the call buy too late 2 times
          shop answered the call buy too late 2 times: the first came 5 ms after the caller had given up (#6), with the reply #7, which was dropped.
          2 times, #6 #7 #13 #14; next: why(seq(6))
    "#]],
    );
}

#[test]
fn dead_letters_go_to_the_dead_and_to_nobody() {
    let mut fx = Fixture::new();
    let (client, worker) = (fx.spawn("client", Some("client")), fx.spawn("worker", None));
    fx.dies(worker, "normal", None);
    for _ in 0..2 {
        fx.event_with(Kind::SendToDead, client, Some(&term("{job,1}")), |e| {
            (e.class, e.tag, e.peer) = (Class::Info, Some(Atom::new("job")), Some(worker));
        });
    }
    let mut meta = Vec::new();
    crate::codec::etf::encode(&term("#{name => audit_log}"), &mut meta);
    let letter = crate::model::NewEvent {
        class: Class::Cast,
        tag: Some(Atom::new("note")),
        meta: &meta,
        ..crate::model::NewEvent::new(0, Kind::SendToDead, client)
    };
    fx.rec.append(&letter).expect("a small recording");
    check(
        &find(&fx, ""),
        expect![[r#"
            Warning dead_letter: 2 messages to worker <0.102.0>, which is not there
              2 messages went to worker <0.102.0>, which had ended (#3), the first one the info job of client (#4).
              2 times, #3 #4 #5; next: why(seq(3))
            Warning dead_letter: one message to audit_log, which is not there
              client sent the cast note to the name audit_log, which nobody held (#6).
              1 times, #6; next: why(seq(6))
        "#]],
    );
}

#[test]
fn restart_storm_and_crash_loop_of_one_worker() {
    let mut fx = Fixture::new();
    let top = fx.spawn("top", Some("top"));
    let client = fx.spawn("client", None);
    let mut worker = fx.spawn_under(top, "worker", Some("worker"));
    for round in 0..4 {
        let arrival = fx.wait(10.0).message(Class::Cast, client, worker, "{job,0}");
        fx.start(arrival);
        let reason =
            format!("{{{{badmatch,{round}}},[{{worker,handle_cast,2,[{{file,\"worker.erl\"}},{{line,17}}]}}]}}");
        let end = fx.dies(worker, &reason, None);
        worker = fx.restart(top, "worker", end, "worker", Some("worker")).0;
    }
    check(
        &find(&fx, ""),
        expect![[r#"
            Error crash_loop: worker crashed 4 times with one reason
              worker crashed 4 times within 30 ms with the same sort of reason, always while handling the cast job: no match of the value 0 (badmatch), raised in worker:handle_cast/2 (worker.erl:17) (first #8, last #29).
              4 times, #8 #15 #22 #29; next: why(seq(8))
            Error restart_storm: top restarted worker 4 times within 30 ms
              worker crashed while handling the cast {job,0} of client <0.102.0> (#7): no match of the value 0 (badmatch), raised in worker:handle_cast/2 (worker.erl:17) (#8). top, its supervisor, restarted it four times within 30 ms (#11 to #32), each time as a new process. Three of the four new processes died again of the same sort of reason. The last one, <0.107.0>, has run since.
              4 times, #8 #11 #15 #18 #22 #25 #29 #32; next: why(seq(11))
        "#]],
    );
}

#[test]
fn restarts_far_apart_are_no_storm() {
    let mut fx = Fixture::new();
    let top = fx.spawn("top", Some("top"));
    let mut worker = fx.spawn_under(top, "worker", Some("worker"));
    for _ in 0..10 {
        let end = fx.wait(60_000.0).dies(worker, "{boom,1}", None);
        worker = fx.restart(top, "worker", end, "worker", Some("worker")).0;
    }
    check(&find(&fx, "restart_storm"), expect![[""]]);
}
