//! The sentences, on recordings made by hand.

use expect_test::{Expect, expect};

use super::*;
use crate::analysis::fixture::{Fixture, term};
use crate::model::{Actor, Atom};

fn check(fx: &Fixture, seq: Seq, expected: Expect) {
    let why = why(&fx.rec, &[], seq).expect("the event exists");
    let focus: Vec<String> = why.focus.iter().map(|seq| seq.0.to_string()).collect();
    let notes: String = why.notes.iter().map(|note| format!("note: {note}\n")).collect();
    expected.assert_eq(&format!("{}\nfocus: {}\n{notes}", why.sentences.join("\n"), focus.join(" ")));
}

fn servers<const N: usize>(names: [&str; N]) -> (Fixture, [Actor; N]) {
    let mut fx = Fixture::new();
    let actors = names.map(|name| fx.spawn(name, Some(name)));
    (fx, actors)
}

#[test]
fn a_timeout_behind_a_slow_callback() {
    let (mut fx, [client, auditor, shop]) = servers(["client", "auditor", "shop"]);
    let audit = fx.call(auditor, shop, "audit");
    let start = fx.start(audit.arrival);
    let buy = fx.at(10.0).call(client, shop, "{buy,1}");
    let timeout = fx.at(60.0).timeout(buy);
    let reply = fx.at(150.0).reply(audit, "ok");
    fx.end(start);
    fx.replied(audit, reply);
    let start = fx.start(buy.arrival);
    let late = fx.at(151.0).reply(buy, "ok");
    fx.late_reply(buy, late);
    fx.end(start);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #9, given up #11).
        All that time shop was busy with the call audit of auditor (#8), which took 150 ms (#8 to #13).
        shop's reply came 91 ms after the timeout (#16), too late, and was dropped.
        focus: 7 8 9 10 11 13 16 17
    "#]],
    );
    // The send and the late reply are the same story.
    assert_eq!(why(&fx.rec, &[], buy.send).map(|w| w.sentences), why(&fx.rec, &[], timeout).map(|w| w.sentences));
    assert_eq!(why(&fx.rec, &[], late.next()).map(|w| w.sentences), why(&fx.rec, &[], timeout).map(|w| w.sentences));
}

#[test]
fn a_timeout_in_the_callees_own_callback() {
    let (mut fx, [client, shop]) = servers(["client", "shop"]);
    let buy = fx.call(client, shop, "{buy,1}");
    let start = fx.at(1.0).start(buy.arrival);
    let timeout = fx.at(50.0).timeout(buy);
    let reply = fx.at(80.0).reply(buy, "ok");
    fx.end(start);
    fx.late_reply(buy, reply);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #4, given up #7).
        shop took it up after 1 ms (#6) and was still in that callback when the caller gave up, 49 ms later; it took 79 ms in all (#9).
        shop's reply came 30 ms after the timeout (#8), too late, and was dropped.
        focus: 4 5 6 7 8 10
    "#]],
    );
}

#[test]
fn a_timeout_that_is_due_to_a_call_further_on() {
    let (mut fx, [client, shop, db, disk]) = servers(["client", "shop", "db", "disk"]);
    let other = fx.call(client, disk, "flush");
    let flush = fx.start(other.arrival);
    let buy = fx.call(client, shop, "{buy,1}");
    fx.start(buy.arrival);
    let query = fx.at(1.0).call(shop, db, "{query,1}");
    fx.start(query.arrival);
    fx.at(2.0).call(db, disk, "read");
    let timeout = fx.at(50.0).timeout(buy);
    fx.at(90.0).end(flush);
    check(
        &fx,
        timeout,
        expect![[r#"
            client gave up on its call {buy,1} to shop after 50 ms (sent #11, given up #19).
            shop took it up at once (#13) and was still in that callback when the caller gave up, 50 ms later.
            shop was not computing: it was itself waiting, for 49 ms, for the answer to its call {query,1} to db (#14).
            db was not computing: it was itself waiting, for 48 ms, for the answer to its call read to disk (#17).
            All that time disk was busy with the call flush of client (#10), which took 90 ms (#10 to #20).
            focus: 9 10 11 12 13 14 16 17 19 20
        "#]],
    );
}

#[test]
fn a_timeout_in_a_deadlock() {
    let (mut fx, [client, alice, bob]) = servers(["client", "alice", "bob"]);
    let one = fx.call(client, alice, "{pay,bob}");
    let two = fx.call(client, bob, "{pay,alice}");
    fx.start(one.arrival);
    fx.start(two.arrival);
    let to_bob = fx.at(1.0).call(alice, bob, "{deposit,1}");
    fx.call(bob, alice, "{deposit,2}");
    let timeout = fx.at(5001.0).timeout(to_bob);
    check(
        &fx,
        timeout,
        expect![[r#"
            alice gave up on its call {deposit,1} to bob after 5 s (sent #12, given up #16).
            All that time bob was busy with the call {pay,alice} of client (#11), which was not over after 5 s (from #11).
            But in that callback bob was waiting for alice: its call {deposit,2} (#14) closes the cycle alice → bob → alice. None of them can take a message while it waits for the next: a deadlock, until alice gave up (#16).
            focus: 9 11 12 13 14 16
        "#]],
    );
}

#[test]
fn a_timeout_of_an_overloaded_server() {
    let (mut fx, [client, feed, pool]) = servers(["client", "feed", "pool"]);
    let jobs: Vec<Seq> = (0..20).map(|n| fx.message(Class::Cast, feed, pool, &format!("{{job,{n}}}"))).collect();
    let ask = fx.call(client, pool, "status");
    for job in &jobs[..10] {
        let start = fx.start(*job);
        fx.wait(5.0).end(start);
    }
    let timeout = fx.timeout(ask);
    check(
        &fx,
        timeout,
        expect![[r#"
            client gave up on its call status to pool after 50 ms (sent #46, given up #68).
            20 messages were waiting there before it. In that time pool worked through 10 callbacks (50 ms in all); the longest, the cast {job,9} of feed (#66), took 5 ms (#66 to #67). It was overloaded, not stuck.
            focus: 46 47 48 50 52 54 56 58 60 62 64 66 68
        "#]],
    );
}

#[test]
fn timeouts_without_an_arrival_without_a_callee_and_without_a_reply() {
    let (mut fx, [client, shop]) = servers(["client", "shop"]);
    let lost = fx.call_lost(client, shop, "{buy,1}");
    let timeout = fx.at(50.0).timeout(lost);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #4, given up #5).
        The call never arrived in shop's mailbox.
        focus: 4 5
    "#]],
    );

    let deferred = fx.call(client, shop, "subscribe");
    let start = fx.start(deferred.arrival);
    fx.wait(1.0).end(start);
    let timeout = fx.wait(49.0).timeout(deferred);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call subscribe to shop after 50 ms (sent #6, given up #10).
        shop took it up at once (#8) and its callback was over 1 ms later (#9) without a reply: it left the answer for later, and none was sent before the timeout.
        focus: 6 7 8 9 10
    "#]],
    );

    let ignored = fx.call(client, shop, "anybody");
    let timeout = fx.wait(50.0).timeout(ignored);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call anybody to shop after 50 ms (sent #11, given up #13).
        shop took no message out of its mailbox in that time, and no callback of it ran (#12 to #13).
        focus: 11 12 13
    "#]],
    );

    let fatal = fx.call(client, shop, "fatal");
    fx.wait(1.0).dies(shop, "boom", None);
    let timeout = fx.wait(50.0).timeout(fatal);
    check(
        &fx,
        timeout,
        expect![[r#"
            client gave up on its call fatal to shop after 51 ms (sent #14, given up #17).
            shop took no message out of its mailbox in that time, and no callback of it ran (#15 to #16).
            shop ended before it answered (#16: boom).
            focus: 14 16 17
        "#]],
    );
}

#[test]
fn a_timeout_where_no_callbacks_were_traced() {
    let (mut fx, [client, auditor, shop]) = servers(["client", "auditor", "shop"]);
    let audit = fx.call(auditor, shop, "audit");
    let buy = fx.at(10.0).call(client, shop, "{buy,1}");
    let timeout = fx.at(60.0).timeout(buy);
    let reply = fx.at(150.0).reply(audit, "ok");
    fx.replied(audit, reply);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #8, given up #10).
        When it arrived, shop had not answered an earlier call yet: audit of auditor (#7), which it answered only after 150 ms (#11).
        focus: 7 8 9 10 11
        note: No callbacks of shop were recorded (calls of its handle_* functions were not traced).
        note: That the earlier call held it is inferred from the order of arrivals and replies.
    "#]],
    );
}

#[test]
fn a_crash_with_message_state_caller_and_restart() {
    let mut fx = Fixture::new();
    let top = fx.spawn("top", Some("top"));
    let client = fx.spawn("client", Some("client"));
    let shop = fx.spawn_under(top, "shop", Some("shop"));
    let init = fx.start_init(shop);
    fx.state(init, "#{stock => 10}");
    fx.end(init);
    let call = fx.at(5.0).call(client, shop, "{buy,apple}");
    fx.start(call.arrival);
    let end = fx.dies(shop, "{badarith,[{shop,handle_call,3,[{file,\"shop.erl\"},{line,12}]}]}", None);
    fx.event_with(Kind::Down, client, Some(&term("{'DOWN',1,process,<0.1.0>,badarith}")), |e| {
        (e.peer, e.call, e.cause) = (Some(shop), Some(call.key), Some(end));
    });
    let (_, restart) = fx.at(5.1).restart(top, "shop", end, "shop", Some("shop"));
    check(
        &fx,
        end,
        expect![[r#"
        shop crashed while handling the call {buy,apple} of client (#11): a bad argument in an arithmetic expression (badarith), raised in shop:handle_call/3 (shop.erl:12) (#12).
        client, which waited for the answer, got the exit instead (#13).
        Its state was #{stock => 10} (since #7).
        top restarted it 100 µs later (#16).
        focus: 7 9 10 11 12 13 16
    "#]],
    );
    check(
        &fx,
        restart,
        expect![[r#"
            shop crashed while handling the call {buy,apple} of client (#11): a bad argument in an arithmetic expression (badarith), raised in shop:handle_call/3 (shop.erl:12) (#12).
            client, which waited for the answer, got the exit instead (#13).
            top, its supervisor, restarted it as <0.104.0> 100 µs later (#16).
            It has run since.
            focus: 9 10 11 12 13 16
        "#]],
    );
}

#[test]
fn a_crash_that_came_along_links() {
    let (mut fx, [a, b, c]) = servers(["a", "b", "c"]);
    fx.link(a, b);
    fx.link(b, c);
    let message = fx.message(Class::Info, c, a, "go");
    fx.start(message);
    let first = fx.dies(a, "{boom,1}", None);
    let signal = fx.exit_signal(a, b, "{boom,1}", Some(first));
    let second = fx.dies(b, "{boom,1}", Some(signal));
    let signal = fx.exit_signal(b, c, "{boom,1}", Some(second));
    let third = fx.dies(c, "{boom,1}", Some(signal));
    check(
        &fx,
        third,
        expect![[r#"
        c died of b's exit signal (#14): the two were linked, and b had ended (#13).
        b died of a's exit signal (#12): the two were linked, and a had ended (#11).
        a crashed while handling the message go of c (#10): {boom,1} (#11).
        focus: 9 10 11 12 13 14 15
    "#]],
    );
    check(
        &fx,
        first,
        expect![[r#"
        a crashed while handling the message go of c (#10): {boom,1} (#11).
        2 other processes died of it, along links (the last one at #15).
        focus: 9 10 11 13 15
    "#]],
    );
}

#[test]
fn a_kill_by_somebody_who_lives_and_by_nobody_known() {
    let (mut fx, [client, reaper, victim, other]) = servers(["client", "reaper", "victim", "other"]);
    let arrival = fx.message(Class::Cast, client, reaper, "{reap,victim}");
    let start = fx.start(arrival);
    let signal = fx.exit_signal(reaper, victim, "killed", Some(start));
    let end = fx.dies(victim, "killed", Some(signal));
    check(
        &fx,
        end,
        expect![[r#"
        victim ended with killed (#12): reaper, which lived on, sent it that exit signal (#11).
        reaper did so while handling the cast {reap,victim} of client (#10).
        focus: 10 11 12
    "#]],
    );
    let end = fx.dies(other, "killed", None);
    check(
        &fx,
        end,
        expect![[r#"
            other was killed (#13). No recorded process sent the signal: it came from outside.
            focus: 13
        "#]],
    );
}

#[test]
fn a_crash_because_a_call_timed_out_tells_why_it_did() {
    let (mut fx, [client, auditor, shop]) = servers(["client", "auditor", "shop"]);
    let audit = fx.call(auditor, shop, "audit");
    fx.start(audit.arrival);
    let buy = fx.at(10.0).call(client, shop, "{buy,1}");
    let timeout = fx.at(60.0).timeout(buy);
    let end = fx.dies(client, "{timeout,{gen_server,call,[shop,{buy,1},50]}}", None);
    check(
        &fx,
        end,
        expect![[r#"
            client ended because its call {buy,1} to shop timed out and it did not catch that (#12).
            It had waited 50 ms (sent #9, given up #11).
            All that time shop was busy with the call audit of auditor (#8), which was not over after 60 ms (from #8).
            focus: 7 8 9 10 11 12
            note: What client was doing when it ended was not recorded.
        "#]],
    );
    check(
        &fx,
        timeout,
        expect![[r#"
            client gave up on its call {buy,1} to shop after 50 ms (sent #9, given up #11).
            All that time shop was busy with the call audit of auditor (#8), which was not over after 60 ms (from #8).
            Nobody caught the timeout, so client ended with it (#12).
            focus: 7 8 9 10 11 12
        "#]],
    );
}

#[test]
fn a_supervisor_that_gives_up() {
    let mut fx = Fixture::new();
    let top = fx.spawn("top", Some("top"));
    let sup = fx.spawn_under(top, "sup", Some("sup"));
    let init = fx.start_init(sup);
    fx.state(init, "#{strategy => one_for_one,intensity => 1,period => 5}");
    fx.end(init);
    let sibling = fx.spawn_under(sup, "sibling", Some("sibling"));
    let worker = fx.spawn_under(sup, "worker", Some("worker"));
    let end = fx.dies(worker, "{boom,1}", None);
    let (worker, restart) = fx.wait(1.0).restart(sup, "worker", end, "worker", Some("worker"));
    fx.wait(1.0).dies(worker, "{boom,2}", None);
    let gave_up = fx.event_with(Kind::ChildSpecChange, sup, Some(&term("#{op => gave_up,id => worker}")), |e| {
        e.tag = Some(Atom::new("worker"));
    });
    let signal = fx.exit_signal(sup, sibling, "shutdown", None);
    let sibling_end = fx.dies(sibling, "shutdown", Some(signal));
    let sup_end = fx.wait(1.0).dies(sup, "shutdown", None);
    check(
        &fx,
        restart,
        expect![[r#"
            worker ended with {boom,1} (#11).
            sup, its supervisor, restarted it as <0.105.0> 1 ms later (#14).
            The new process died again of the same sort of reason.
            sup allows one restart within 5 s; the next one was too many, and it gave up (#16).
            The collapse that followed is its effect: it took down the one process below it (#18) and then ended itself with shutdown (#19), 1 ms after giving up.
            focus: 11 14 15 16 18 19
            note: What worker was doing when it ended was not recorded.
        "#]],
    );
    check(
        &fx,
        sibling_end,
        expect![[r#"
            sibling ended with shutdown (#18): its supervisor sup shut it down (#17).
            sup was going down because it had given up on restarting worker (#16).
            focus: 16 17 18
        "#]],
    );
    for same in [gave_up, sup_end] {
        assert_eq!(why(&fx.rec, &[], same).map(|w| w.sentences), why(&fx.rec, &[], restart).map(|w| w.sentences));
    }
}

#[test]
fn any_other_event_is_told_by_its_chain() {
    let (mut fx, [client, shop]) = servers(["client", "shop"]);
    let arrival = fx.message(Class::Cast, client, shop, "{restock,5}");
    let start = fx.start(arrival);
    let state = fx.state(start, "#{stock => 15}");
    check(
        &fx,
        state,
        expect![[r#"
            shop's state became #{stock => 15} (#7).
            Before that, shop was handling the cast {restock,5} of client (#6).
            Before that, the cast {restock,5} of client arrived at shop (#5).
            Before that, client sent the cast {restock,5} to shop (#4).
            Nothing more is recorded as its cause; client was started (#0).
            focus: 0 4 5 6 7
        "#]],
    );
    let failure = why(&fx.rec, &[], Seq(99)).expect_err("there are fewer");
    assert_eq!(failure.error, "there is no event #99 (the recording has 8)");
}

/// As [`servers`], on a BEAM: what is not there was not traced.
fn traced_servers<const N: usize>(names: [&str; N]) -> (Fixture, [Actor; N]) {
    let (mut fx, actors) = servers(names);
    fx.rec.info.source = "trace".into();
    (fx, actors)
}

#[test]
fn a_timeout_tells_what_it_cannot_know() {
    // Only the caller was traced.
    let (mut fx, [client, shop]) = traced_servers(["client", "shop"]);
    let lost = fx.call_lost(client, shop, "{buy,1}");
    let timeout = fx.at(50.0).timeout(lost);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #4, given up #5).
        Whether it arrived, and what shop did meanwhile, is not recorded.
        focus: 4 5
        note: shop itself was not traced: trace it too, to see what keeps it.
    "#]],
    );

    // The callee's messages and callbacks were traced, not what it sends.
    let (mut fx, [client, shop]) = traced_servers(["client", "shop"]);
    let call = fx.call(client, shop, "{buy,1}");
    let start = fx.start(call.arrival);
    fx.wait(1.0).end(start);
    let timeout = fx.wait(49.0).timeout(call);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #4, given up #8).
        shop took it up at once (#6) and its callback was over 1 ms later (#7). Whether it had answered by then is not recorded.
        focus: 4 5 6 7 8
        note: What shop sends was not traced.
    "#]],
    );

    // The callee's messages only.
    let (mut fx, [client, auditor, shop]) = traced_servers(["client", "auditor", "shop"]);
    fx.call(auditor, shop, "audit");
    let call = fx.at(10.0).call(client, shop, "{buy,1}");
    let timeout = fx.at(60.0).timeout(call);
    check(
        &fx,
        timeout,
        expect![[r#"
        client gave up on its call {buy,1} to shop after 50 ms (sent #8, given up #10).
        What shop was doing meanwhile was not recorded.
        focus: 8 9 10
        note: No callbacks of shop were recorded (calls of its handle_* functions were not traced).
    "#]],
    );
}
