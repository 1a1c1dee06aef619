//! Callbacks: every return form, state, messages, timers, names, supervision, plain processes.

use super::World;
use crate::model::{Kind, Term};

const ACCOUNT: &str = r#"
fn init(args) { ok(#{ balance: args }) }
fn handle_call(msg, from) {
    switch tag(msg) {
        "balance" => reply(this.balance),
        "deposit" => { this.balance += msg[1]; reply("ok") }
        "later" => { send_after(10, self(), t("answer", from)); noreply() }
        "stop" => stop_reply("normal", "bye"),
        "who" => reply(t(self() == whereis("account"), kind_of(from), is_alive(from[0]))),
    }
}
fn handle_cast(msg) { this.balance = msg; }
fn handle_info(msg) {
    if tag(msg) == "answer" { reply_to(msg[1], "at_last"); }
    noreply()
}
fn terminate(reason) { log(`over: ${reason}`); }
"#;

#[test]
fn a_server_answers_changes_its_state_and_stops() {
    let mut world = World::new(&[("account", ACCOUNT)]);
    assert!(world.start("account", Term::Int(100), Some("account")).starts_with("{ok,"));
    assert_eq!(world.call("account", "balance"), "{ok,100}");
    assert_eq!(world.call("account", "{deposit, 20}"), "{ok,ok}");
    assert_eq!(world.call("account", "balance"), "{ok,120}");
    assert_eq!(world.call("account", "later"), "{ok,at_last}");
    assert_eq!(world.call("account", "who"), "{ok,{true,tuple,true}}");
    assert_eq!(world.call("account", "stop"), "{ok,bye}");
    world.run(10);
    assert_eq!(world.log(), ["over: normal"]);
    assert_eq!(world.payloads(Kind::StateChange), ["#{balance => 100}", "#{balance => 120}"]);
    assert!(world.call("account", "balance").starts_with("{exit,{noproc,"));
}

#[test]
fn init_can_refuse_and_every_return_form_is_understood() {
    let mut world = World::new(&[(
        "forms",
        r#"
fn init(args) {
    switch args {
        "ignore" => ignore(),
        "stop" => stop("no_way"),
        "bad" => 5,
        "timeout" => ok_timeout(#{seen: []}, 20),
        "continue" => ok_continue(#{seen: []}, "first"),
        "hibernate" => ok_hibernate(#{seen: []}),
    }
}
fn handle_continue(c) { this.seen.push(t("continue", c)); if c == "first" { noreply_continue("second") } else { noreply() } }
fn handle_info(m) { this.seen.push(m); noreply() }
fn handle_call(m, from) {
    switch m {
        "seen" => reply(this.seen),
        "soon" => reply_timeout("ok", 5),
        "go_on" => reply_continue("ok", "more"),
        "wait" => { reply_to(from, "early"); noreply_timeout(5) }
        "odd" => "not_an_answer",
    }
}
"#,
    )]);
    let atom = Term::atom;
    assert_eq!(world.start("forms", atom("ignore"), None), "ignore");
    assert_eq!(world.start("forms", atom("stop"), None), "{error,no_way}");
    assert_eq!(world.start("forms", atom("bad"), None), "{error,{bad_return_value,5}}");
    assert!(world.start("forms", atom("timeout"), Some("a")).starts_with("{ok,"));
    world.run(100);
    assert_eq!(world.call("a", "seen"), "{ok,[timeout]}");
    assert_eq!(world.call("a", "soon"), "{ok,ok}");
    world.run(100);
    assert_eq!(world.call("a", "wait"), "{ok,early}");
    world.run(100);
    assert_eq!(world.call("a", "go_on"), "{ok,ok}");
    assert_eq!(world.call("a", "seen"), "{ok,[timeout,timeout,timeout,{continue,more}]}");
    assert!(world.start("forms", atom("continue"), Some("b")).starts_with("{ok,"));
    assert_eq!(world.call("b", "seen"), "{ok,[{continue,first},{continue,second}]}");
    assert!(world.start("forms", atom("hibernate"), Some("c")).starts_with("{ok,"));
    assert!(world.call("c", "odd").starts_with("{exit,{{bad_return_value,not_an_answer},"));
}

#[test]
fn a_supervisor_restarts_its_children() {
    let mut world = World::new(&[
        ("account", ACCOUNT),
        (
            "top",
            r#"fn init(args) {
                sup(#{strategy: "one_for_one", intensity: 3, period: 5},
                    [#{id: "a", start: ["account", 5], name: "account", restart: "permanent", shutdown: 5000, type: "worker"}])
            }"#,
        ),
    ]);
    assert!(world.start("top", Term::Nil, Some("top")).starts_with("{ok,"));
    assert_eq!(world.call("account", "{deposit, 1}"), "{ok,ok}");
    assert_eq!(world.call("account", "stop"), "{ok,bye}");
    world.run(10);
    assert_eq!(world.call("account", "balance"), "{ok,5}");
    assert_eq!(world.payloads(Kind::SupervisorRestart).len(), 1);
}

#[test]
fn a_plain_process_receives_links_and_traps() {
    let mut world = World::new(&[
        (
            "boss",
            r#"fn run(args) {
                trap_exit(true);
                register("boss", self());
                let worker = start_link("worker", 3, "worker")[1];
                let watch = monitor(worker);
                send(worker, t("job", self()));
                log(`got ${receive()}`);
                log(`nothing: ${receive(5)}`);
                exit(worker, "enough");
                let seen = [tag(receive()), tag(receive())];
                seen.sort();
                log(`saw ${seen}`);
                put("key", 1);
                log(`${get("key")} ${erase("key")} ${get("key")} ${now_ms() > 0} ${random(1)}`);
            }"#,
        ),
        ("worker", r#"fn run(n) { let job = receive(); send(job[1], t("done", n)); receive(); }"#),
    ]);
    world.start("boss", Term::Nil, None);
    world.run(1_000);
    assert_eq!(world.log(), ["got {done,3}", "nothing: ", "saw [\"DOWN\", \"EXIT\"]", "1 1 undefined true 0"]);
    assert_eq!(world.payloads(Kind::Exit), ["normal"]);
}

#[test]
fn constants_imports_and_helpers_work_in_callbacks() {
    let mut world = World::new(&[
        (
            "server",
            r#"import "helper" as helper;
               const LIMIT = 10;
               fn init(args) { ok(#{n: LIMIT}) }
               fn handle_call(m, from) { reply(helper::twice(this.n) + own(m)) }
               fn own(m) { m + LIMIT }"#,
        ),
        ("helper", "fn twice(n) { log(\"helping\"); n * 2 }"),
    ]);
    assert!(world.start("server", Term::Nil, Some("s")).starts_with("{ok,"));
    assert_eq!(world.call("s", "1"), "{ok,31}");
    assert_eq!(world.log(), ["helping"]);
}

#[test]
fn print_goes_to_the_log_of_the_process() {
    let mut world = World::new(&[("p", "fn run(args) { print(t(\"a\", 1)); debug(\"x\"); }")]);
    world.start("p", Term::Nil, None);
    world.run(10);
    assert_eq!(world.log(), ["{a,1}", "\"x\""]);
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let run = || {
        let mut world = World::new(&[(
            "p",
            "fn run(n) { for i in 0..n { sleep(random(10) + 1); log(`${random(100)} ${make_ref()}`); } }",
        )]);
        world.start("p", Term::Int(20), None);
        world.run(1_000);
        world.log()
    };
    assert_eq!(run(), run());
    assert_eq!(run().len(), 20);
}
