//! Blocking calls anywhere in a callback: every effect happens exactly once.

use super::World;
use crate::model::{Kind, Term};

/// Adds what it is asked to; each request is one effect.
const COUNTER: &str = r#"
fn init(args) { ok(#{asked: []}) }
fn handle_call(m, from) {
    if m == "asked" { return reply(this.asked); }
    this.asked.push(m);
    reply(m * 10)
}
fn handle_cast(m) { this.asked.push(m); noreply() }
"#;

/// Runs `body` as a plain process with a counter server; gives the log and what the counter was asked.
fn check(body: &str, log: &[&str], asked: &str) {
    let client = format!("fn run(args) {{ {body} }}\nfn ask(n) {{ gen_call(\"counter\", n) }}");
    let mut world = World::new(&[("counter", COUNTER), ("client", &client)]);
    world.start("counter", Term::Nil, Some("counter"));
    world.start("client", Term::Nil, None);
    world.run(60_000);
    assert_eq!(world.log(), log, "{body}");
    assert_eq!(world.call("counter", "asked"), format!("{{ok,{asked}}}"), "{body}");
    assert_eq!(world.payloads(Kind::Crash), [""; 0], "{body}");
}

#[test]
fn in_a_loop() {
    check("let sum = 0; for n in 1..=3 { sum += ask(n); log(`${sum}`); }", &["10", "30", "60"], "[1,2,3]");
    check("let n = 0; while n < 2 { n += 1; log(`${ask(n)}`); }", &["10", "20"], "[1,2]");
}

#[test]
fn in_map_filter_and_reduce() {
    check("log(`${[1, 2, 3].map(|n| ask(n))}`);", &["[10, 20, 30]"], "[1,2,3]");
    check("log(`${[1, 2, 3].filter(|n| ask(n) > 10)}`);", &["[2, 3]"], "[1,2,3]");
    check("log(`${[1, 2, 3].reduce(|sum, n| sum + ask(n), 0)}`);", &["60"], "[1,2,3]");
}

#[test]
fn in_sort() {
    // A comparison is asked twice; how often, sort decides. What counts: each answer is asked for once per comparison.
    check("let a = [3, 1]; a.sort(|a, b| ask(a) - ask(b)); log(`${a}`);", &["[1, 3]"], "[1,3]");
}

#[test]
fn in_try() {
    check("try { log(`${ask(1)}`); } catch { log(\"caught\"); } log(`${ask(2)}`);", &["10", "20"], "[1,2]");
    check("try { [1, 2].map(|n| ask(n)); } catch { log(\"caught\"); } log(`${ask(3)}`);", &["30"], "[1,2,3]");
    check(
        "let r = try_it(); log(`${r}`); } fn try_it() { try { [4].map(|n| { try { ask(n) } catch { 0 } })[0] } catch { -1 }",
        &["40"],
        "[4]",
    );
}

#[test]
fn in_eval() {
    check("let n = 5; log(`${eval(\"ask(n) + 1\")}`);", &["51"], "[5]");
    check("try { log(`${eval(\"ask(1)\")}`); } catch { log(\"caught\"); }", &["10"], "[1]");
}

#[test]
fn between_other_effects() {
    check(
        "cast(\"counter\", 7); log(\"a\"); let x = ask(8); sleep(5); log(`${x}`); cast(\"counter\", 9); work(\"3ms\"); log(`${ask(10)}`);",
        &["a", "80", "100"],
        "[7,8,9,10]",
    );
}

#[test]
fn reads_are_the_same_when_run_again() {
    check(
        "let a = [now_ns(), random(1000000), make_ref()]; ask(1); let b = [now_ns() > a[0], random(1000000) == a[1]]; log(`${b}`);",
        &["[true, false]"],
        "[1]",
    );
}

#[test]
fn in_nested_servers_with_a_changed_state() {
    let middle = r#"
fn init(args) { ok(#{calls: 0}) }
fn handle_call(m, from) {
    this.calls += 1;
    let answer = gen_call("counter", m);
    this.calls += 100;
    reply(t(answer, this.calls))
}"#;
    let mut world = World::new(&[("counter", COUNTER), ("middle", middle)]);
    world.start("counter", Term::Nil, Some("counter"));
    world.start("middle", Term::Nil, Some("middle"));
    assert_eq!(world.call("middle", "4"), "{ok,{40,101}}");
    assert_eq!(world.call("middle", "5"), "{ok,{50,202}}");
    assert_eq!(world.call("counter", "asked"), "{ok,[4,5]}");
}

#[test]
fn a_timeout_can_be_caught_and_the_state_is_kept() {
    let slow = "fn init(args) { ok(1) } fn handle_call(m, from) { sleep(100); reply(m) }";
    let client = r#"
fn init(args) { ok(#{failed: 0}) }
fn handle_call(m, from) {
    try { gen_call("slow", m, 10); } catch (e) { this.failed += 1; log(`${e.class} ${tag(e.reason)}`); }
    reply(this.failed)
}"#;
    let mut world = World::new(&[("slow", slow), ("client", client)]);
    world.start("slow", Term::Nil, Some("slow"));
    world.start("client", Term::Nil, Some("client"));
    assert_eq!(world.call("client", "1"), "{ok,1}");
    assert_eq!(world.log(), ["exit timeout"]);
}

#[test]
fn two_servers_that_call_each_other_wait_for_ever() {
    let caller = r#"
fn init(other) { ok(#{other: other}) }
fn handle_call(m, from) { sleep(1); if m == "ping" { return reply("pong"); } reply(gen_call(this.other, "ping")) }"#;
    let client = "fn run(server) { try { log(`${gen_call(server, \"go\")}`); } catch (e) { log(`${e.class}`); } }";
    let mut world = World::new(&[("caller", caller), ("client", client)]);
    world.start("caller", Term::atom("b"), Some("a"));
    world.start("caller", Term::atom("a"), Some("b"));
    world.start("client", Term::atom("a"), None);
    world.start("client", Term::atom("b"), None);
    world.run(20_000);
    assert_eq!(world.log().iter().filter(|line| *line == "exit").count(), 2);
    assert!(!world.payloads(Kind::Timeout).is_empty());
}
