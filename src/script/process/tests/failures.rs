//! Errors in callbacks: reasons, frames, limits, and that the kernel and the shell live on.

use std::sync::atomic::Ordering;

use expect_test::{Expect, expect};

use super::World;
use crate::model::{Kind, Term};
use crate::sandbox::RunEnd;

/// Crashes a server by calling it; shows the reason of its end and what was logged.
fn check(body: &str, expected: Expect) {
    let server = format!("fn init(args) {{ ok(#{{a: 1}}) }}\nfn handle_call(m, from) {{\n    {body}\n}}\nfn helper(x) {{ x.missing }}");
    let mut world = World::new(&[("server", &server)]);
    world.start("server", Term::Nil, Some("server"));
    world.call("server", "{go, 0}");
    world.run(10);
    let reasons = world.payloads(Kind::Crash).join("\n");
    let log = world.log().join("\n");
    expected.assert_eq(&world.without_path(&format!("{reasons}\n{log}")));
}

#[test]
fn rhai_errors_have_erlang_reasons_and_frames() {
    check("reply(1 / msg_value(m))\n}\nfn msg_value(m) { m[1]", expect![[""]]);
    check("reply([1].map(|x| helper(#{x: x})))", expect![[""]]);
    check("reply(unknown(m))", expect![[""]]);
    check("reply(m[5])", expect![[""]]);
    check("throw #{code: 3}", expect![[""]]);
    check("loop {}", expect![[""]]);
    check("helper2(1)\n}\nfn helper2(n) { helper2(n + 1)", expect![[""]]);
    check("this.f = |x| x; reply(1)", expect![[""]]);
}

#[test]
fn exits_errors_and_throws_are_erlangs() {
    check("exit(t(\"shutdown\", \"tired\"))", expect![[""]]);
    check("exit(\"boom\")", expect![[""]]);
    check("error(t(\"bad\", m))", expect![[""]]);
    check("send(\"nobody\", 1)", expect![[""]]);
    check("let x = #{}; throw_term(x)", expect![[""]]);
}

#[test]
fn a_caught_failure_leaves_no_trace() {
    check("try { [1].map(|x| error(\"inside\")); } catch (e) { this.a = 2; } exit(t(\"shutdown\", this.a))", expect![[""]]);
}

#[test]
fn callbacks_that_are_missing() {
    let mut world = World::new(&[("bare", "fn init(args) { ok(1) }")]);
    world.start("bare", Term::Nil, Some("bare"));
    world.send("bare", "{hello, 1}");
    world.run(10);
    assert_eq!(world.log(), ["bare has no handle_info(message) for {hello,1}"]);
    assert!(world.call("bare", "x").contains("undef"), "the server is undef for calls");
}

#[test]
fn a_missing_module_is_undef() {
    let mut world = World::new(&[("only", "fn init(args) { ok(1) }")]);
    assert!(world.start("other", Term::Nil, None).contains("undef"));
}

#[test]
fn an_interrupt_stops_a_callback_and_the_turn_is_done_again() {
    let mut world = World::new(&[("p", "fn run(args) { log(\"begun\"); let n = 0; while n < 1000 { n += 1; } log(\"done\"); }")]);
    world.start("p", Term::Nil, None);
    world.host.control.interrupt().store(true, Ordering::Relaxed);
    assert_eq!(world.run(10), RunEnd::Interrupted);
    world.host.control.take();
    world.run(10);
    assert_eq!(world.log(), ["begun", "done"]);
}
