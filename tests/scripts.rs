//! Every script that ships is run: tools on a recording, breakpoints on their examples, examples to
//! their end; and each example shows the trouble that it was planted with, the clean one none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The files of a folder, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder ships with the project");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    paths
}

fn cinema(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_cinema")).args(["--format", "table"]).args(args).output();
    output.expect("cinema starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs expressions one after the other; all must succeed.
#[track_caller]
fn eval(lines: &[&str]) -> String {
    let args: Vec<&str> = lines.iter().flat_map(|line| ["-e", line]).collect();
    let output = cinema(&args);
    assert_eq!(output.status.code(), Some(0), "{lines:?}\n{}", text(&output));
    text(&output)
}

#[test]
fn every_script_says_what_it_is_for_and_shows_a_sample() {
    for folder in ["scripts/lib", "scripts/breakpoints", "scripts/tools"] {
        for path in files(folder) {
            let script = std::fs::read_to_string(&path).expect("it is text");
            let head: String = script.lines().take_while(|line| line.starts_with("//")).collect::<Vec<_>>().join("\n");
            for word in ["Usage:", "Sample:"] {
                assert!(head.contains(word), "{} has no {word} on top", path.display());
            }
        }
    }
}

#[test]
fn every_tool_runs_on_a_real_trace() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let folder = out.path().to_str().expect("plain text");
    for (tool, args, code, said) in [
        ("summary", vec!["tests/data/shop-ttb"], 0, "shop"),
        ("slow_calls", vec!["tests/data/shop-ttb", "10"], 3, "audit"),
        ("slow_calls", vec!["tests/data/shop-ttb", "1000"], 0, ""),
        ("why_all", vec!["tests/data/shop-ttb"], 0, "audit"),
        ("gate", vec!["tests/data/shop-ttb"], 3, "slow_callback"),
        ("gate", vec!["tests/data/shop-ttb", "restart_storm"], 0, ""),
        ("pictures", vec!["tests/data/shop-ttb", folder], 0, "timeline.svg"),
        ("gate", vec![], 2, "usage"),
    ] {
        let script = format!("scripts/tools/{tool}.rhai");
        let output = cinema(&[&["run", script.as_str()], args.as_slice()].concat());
        assert_eq!(output.status.code(), Some(code), "{tool} {args:?}\n{}", text(&output));
        assert!(text(&output).contains(said), "{tool} {args:?} does not say {said:?}\n{}", text(&output));
    }
    let n_tools = files("scripts/tools").len();
    assert_eq!(n_tools, 5, "every tool stands in the list above");
    for name in ["timeline", "tree", "matrix", "latency", "queue", "why"] {
        let svg = std::fs::read_to_string(Path::new(folder).join(format!("{name}.svg"))).expect("it was drawn");
        roxmltree::Document::parse(&svg).expect("it is well-formed");
    }
}

#[test]
fn the_library_answers() {
    let said = eval(&[
        r#"open("tests/data/shop-ttb");"#,
        r#"import "scripts/lib/table" as table; table::sum(calls(), "total_ns") > 0"#,
        r#"import "scripts/lib/flows" as flows; flows::callers("shop")"#,
        r#"import "scripts/lib/check" as check; check::no_timeouts()"#,
    ]);
    assert!(said.contains("true"), "{said}");
    assert!(said.contains("1 call timed out"), "{said}");
}

#[test]
fn the_counter_stops_before_it_passes_100() {
    let said = eval(&[
        r#"load("examples/counter/main.rhai");"#,
        r#"load("scripts/breakpoints/counter_over_100.rhai");"#,
        "run()",
        r#"state("counter").count"#,
        r#"breakpoints()[0].hits"#,
    ]);
    assert!(said.contains("stopped at a breakpoint, before its event"), "{said}");
    assert!(said.contains("counter still has the state #{count => 100}"), "{said}");
    assert!(said.ends_with("100\n1\n"), "{said}");
}

#[test]
fn a_restart_pauses_and_marks_the_tree() {
    let said = eval(&[
        r#"sandbox("examples/crash_loop");"#,
        r#"load("scripts/breakpoints/supervisor_restart.rhai");"#,
        r#"start("app_sup", (), "app");"#,
        r#"cast("queue", t("push", #{id: 6, amount: "ten"}));"#,
        r#"run_for("10s")"#,
    ]);
    assert!(said.contains("◀ supervisor_restart"), "{said}");
}

#[test]
fn a_timeout_is_logged_and_the_run_goes_on() {
    let said = eval(&[
        r#"sandbox("examples/bank");"#,
        r#"load("scripts/breakpoints/message_timeout.rhai");"#,
        r#"start_link("bank_sup", (), "bank");"#,
        r#"start("customer", #{name: "dora", transfers: 12, pause_ms: 40}, "dora");"#,
        r#"run_for("200ms");"#,
        r#"cast("ledger", "audit");"#,
        r#"run_for("2s")"#,
    ]);
    assert!(said.contains("a call timed out (timeout"), "{said}");
    assert!(!said.contains("stopped at a breakpoint"), "{said}");
}

/// The patterns that `patterns()` finds in an example.
fn patterns(example: &str) -> String {
    eval(&[&format!(r#"load("examples/{example}/main.rhai");"#), r#"for f in patterns() { print(f.pattern) }"#])
}

#[test]
fn every_example_shows_what_it_was_made_for() {
    let planted = [
        ("bank", "slow_callback"),
        ("chat", ""),
        ("counter", ""),
        ("crash_loop", "crash_loop"),
        ("deadlock", "call_cycle"),
        ("key_value", ""),
        ("worker_pool", "mailbox_growth"),
    ];
    let folders: Vec<String> = files("examples")
        .iter()
        .filter(|path| path.join("main.rhai").is_file())
        .map(|path| path.file_name().expect("a folder has a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, planted.map(|(name, _)| name), "every example stands in the list above");
    for (example, wanted) in planted.iter().filter(|(_, wanted)| !wanted.is_empty()) {
        let found = patterns(example);
        assert!(found.lines().any(|line| line == *wanted), "{example}: {wanted} is not among {found}");
    }
}

#[test]
fn the_detectors_are_quiet_on_a_clean_system() {
    assert_eq!(patterns("key_value"), "");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let saved = |name: &str, seed: &str| {
        let path = out.path().join(name);
        let save = format!("save({:?});", path.to_str().expect("plain text"));
        let output = cinema(&["--seed", seed, "-e", r#"load("examples/worker_pool/main.rhai");"#, "-e", &save]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
        std::fs::read(path).expect("it was saved")
    };
    let first = saved("a.cinema", "7");
    assert_eq!(first, saved("b.cinema", "7"));
    assert_ne!(first, saved("c.cinema", "8"));
}

#[test]
fn a_damaged_recording_is_read_up_to_the_damage_and_ends_with_an_errors_code() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let path = out.path().join("cut.trace");
    let whole = std::fs::read("tests/data/shop-ttb/ttbdemo@localhost-shop").expect("the trace ships with the tests");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("it can be written");
    let output = cinema(&["open", path.to_str().expect("plain text"), "-e", "events().count()"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("damaged: ") && said.contains("byte"), "{said}");
    assert!(!said.starts_with("0\n"), "{said}");
}

#[test]
fn what_was_not_found_is_not_here() {
    let output = cinema(&["open", "tests/data/shop-ttb", "-e", r#"why(events().kind("supervisor_restart").first())"#]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("there is no such event"), "{}", text(&output));
}

#[test]
fn a_limit_cannot_be_set_so_low_that_nothing_runs() {
    let output = cinema(&["-e", r#"set_limit("operations", 0)"#]);
    assert!(text(&output).contains("is too small"), "{}", text(&output));
}

#[test]
fn a_stretch_has_the_events_at_its_ends() {
    let script = r#"
        open("tests/data/shop-ttb");
        let all = events().all();
        let at = |event| `${event.at_ns - all[0].at_ns}ns`;
        let seqs = |from, to| events().between(from, to).map(|event| event.seq);
        for event in all.filter(|event| event.seq % 97 == 0) {
            let same = all.filter(|other| other.at_ns == event.at_ns).map(|other| other.seq);
            if seqs.call(at.call(event), at.call(event)) != same { throw `${event.seq}: ${same}`; }
        }
        [seqs.call("0ns", "1s")[0] == all[0].seq, seqs.call(seq(5), seq(7)).len, seqs.call("0%", "end").len == all.len]
    "#;
    let output = cinema(&["-e", script]);
    assert!(text(&output).contains("[true,3,true]"), "{}", text(&output));
}
