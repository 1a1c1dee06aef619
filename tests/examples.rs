//! The example systems tell the stories that their headers promise: each is run as a user runs it, then asked.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cinema::script::ScriptEnd;
use cinema::script::api::{Console, ConsoleOptions, Output};

/// Runs an example's `main.rhai`, then evaluates lines in the same session; gives the last value as text.
fn after(example: &str, lines: &[&str]) -> String {
    // `sandbox("examples/..")` is relative to where cinema runs, as are tests: the package's root.
    let main = Path::new("examples").join(example).join("main.rhai");
    let options =
        ConsoleOptions { interrupt: Arc::new(AtomicBool::new(false)), roots: Vec::new(), seed: 1, n_rows_max: 40 };
    let output = Output { print: Box::new(|_| {}), show: Box::new(|_, _| Ok(())), notify: Box::new(|_| {}) };
    let mut console = Console::new(options, output);
    let shown = |end: ScriptEnd| match end {
        ScriptEnd::Failed(failure) => panic!("{example}: {failure}"),
        ScriptEnd::Exited(code) => panic!("{example}: exit {code}"),
    };
    let mut value = console.shell.run_file(&main, &[]).unwrap_or_else(shown);
    for line in lines {
        value = console.shell.eval_line(line).unwrap_or_else(shown);
    }
    value.to_string()
}

/// The names of the patterns that are found, each once.
fn patterns(example: &str) -> String {
    after(example, &["let names = patterns().column(\"pattern\"); names.sort(); names.dedup(); names"])
}

#[test]
fn the_bank_has_a_slow_audit_and_a_transfer_that_fails() {
    assert_eq!(patterns("bank"), r#"["dead_letter", "slow_callback"]"#);
    let why = after("bank", &["why().text"]);
    assert!(why.contains("ledger") && why.contains("500 ms") && why.contains("audit"), "{why}");
}

#[test]
fn the_worker_pool_has_one_process_that_does_all_the_work() {
    assert_eq!(patterns("worker_pool"), r#"["bottleneck", "dead_letter", "late_reply", "mailbox_growth"]"#);
}

#[test]
fn the_crash_loop_ends_the_application() {
    assert_eq!(patterns("crash_loop"), r#"["crash_loop", "restart_storm"]"#);
    assert_eq!(after("crash_loop", &["processes().filter(|p| p.status == \"alive\").column(\"name\").len"]), "1");
}

#[test]
fn the_deadlock_is_a_call_cycle() {
    assert_eq!(patterns("deadlock"), r#"["call_cycle", "slow_callback"]"#);
}

#[test]
fn the_chat_sends_to_one_who_is_gone() {
    assert_eq!(patterns("chat"), r#"["dead_letter"]"#);
    assert_eq!(after("chat", &["state(\"lobby\").members.map(|m| m.name)"]), r#"["cleo", "dan"]"#);
}

#[test]
fn the_healthy_store_has_no_findings() {
    assert_eq!(patterns("key_value"), "[]");
}
