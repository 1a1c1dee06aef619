//! Errors in callbacks: reasons, frames, limits, and that the kernel and the shell live on.

use std::sync::atomic::Ordering;

use expect_test::{Expect, expect};

use super::World;
use crate::model::{Kind, Term};
use crate::sandbox::RunEnd;

/// Crashes a server by calling it; shows the reason of its end and what was logged.
fn check(body: &str, expected: Expect) {
    let server = format!(
        "fn init(args) {{ ok(#{{a: 1}}) }}\nfn handle_call(m, from) {{\n    {body}\n}}\nfn helper(x) {{ x.missing }}"
    );
    let mut world = World::new(&[("server", &server)]);
    world.start("server", Term::Nil, Some("server"));
    world.call("server", "{go, 0}");
    world.run(10);
    let lines = [world.payloads(Kind::Exit), world.payloads(Kind::Crash), world.log()].concat();
    expected.assert_eq(&world.without_path(&lines.join("\n")));
}

#[test]
fn rhai_errors_have_erlang_reasons_and_frames() {
    check(
        "reply(1 / msg_value(m))\n}\nfn msg_value(m) { m[1]",
        expect![[r#"
        {badarith,[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}
        division by zero: 1 / 0
          --> DIR/server.rhai:3:13
           3 |     reply(1 / msg_value(m))
             |             ^"#]],
    );
    check(
        "reply([1].map(|x| helper(#{x: x})))",
        expect![[r#"
        {{badkey,missing},[{server,helper,1,[{file,"DIR/server.rhai"},{line,5}]},{server,'-handle_call/fun-',0,[{file,"DIR/server.rhai"},{line,3}]},{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}
        the map has no key `missing`
          --> DIR/server.rhai:5:18
           5 | fn helper(x) { x.missing }
             |                  ^^^^^^^
          in helper(), called at DIR/server.rhai:3:23
          in a closure, called at DIR/server.rhai:3:15
          in map(), called at DIR/server.rhai:3:15
          hint: a key that may be missing: `if "missing" in map { .. }`"#]],
    );
    check(
        "reply(unknown(m))",
        expect![[r#"
            {{undef,<<"unknown">>},[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}
            unknown function `unknown(term)`
              --> DIR/server.rhai:3:11
               3 |     reply(unknown(m))
                 |           ^^^^^^^"#]],
    );
    check(
        "reply(m[5])",
        expect![[r#"
        {badarg,[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}
        array index 5 out of bounds: only 2 elements in array
          --> DIR/server.rhai:3:12
           3 |     reply(m[5])
             |            ^"#]],
    );
    check(
        "throw #{code: 3}",
        expect![[r#"
        {#{code => 3},[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}
        the script threw #{"code": 3}
          --> DIR/server.rhai:3:5
           3 |     throw #{code: 3}
             |     ^^^^^"#]],
    );
    check(
        "loop {}",
        expect![[r#"
        {system_limit,[{server,handle_call,2,[]}]}
        limit callback_operations (5000000): does it loop for ever?
          hint: to raise it: set_limit("callback_operations", 50000000)"#]],
    );
    check(
        "helper2(1)\n}\nfn helper2(n) { helper2(n + 1)",
        expect![[r#"
        {system_limit,[{server,handle_call,2,[]}]}
        limit call_depth (64): functions call each other without end?
          hint: to raise it: set_limit("call_depth", 640)"#]],
    );
    check(
        "this.f = |x| x; reply(1)",
        expect![[
            r#"{{bad_state,<<"state at .f: a closure cannot be a term">>},[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,2}]}]}"#
        ]],
    );
}

#[test]
fn exits_errors_and_throws_are_erlangs() {
    check("exit(t(\"shutdown\", \"tired\"))", expect!["{shutdown,tired}"]);
    check("exit(\"boom\")", expect!["boom"]);
    check(
        "error(t(\"bad\", m))",
        expect![[r#"{{bad,{go,0}},[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}"#]],
    );
    check("send(\"nobody\", 1)", expect![[r#"{badarg,[{server,handle_call,2,[{file,"DIR/server.rhai"},{line,3}]}]}"#]]);
    check("let x = #{}; throw_term(x)", expect!["{bad_return_value,#{}}"]);
}

#[test]
fn a_caught_failure_leaves_no_trace() {
    check(
        "try { [1].map(|x| error(\"inside\")); } catch (e) { this.a = 2; } exit(t(\"shutdown\", this.a))",
        expect!["{shutdown,2}"],
    );
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
    let mut world =
        World::new(&[("p", "fn run(args) { log(\"begun\"); let n = 0; while n < 1000 { n += 1; } log(\"done\"); }")]);
    world.start("p", Term::Nil, None);
    world.host.control.interrupt().store(true, Ordering::Relaxed);
    assert_eq!(world.run(10), RunEnd::Interrupted);
    world.host.control.take();
    world.run(10);
    assert_eq!(world.log(), ["begun", "done"]);
}
