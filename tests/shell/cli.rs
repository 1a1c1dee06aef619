//! The command line: exit codes, formats, scripts from files and standard input, usage errors.

use std::path::Path;

use expect_test::{Expect, expect};

use super::common::{self, run, run_in};

/// Runs without input; compares `code`, standard output and the error stream in one text.
fn check(args: &[&str], expected: Expect) {
    check_with_input(args, "", expected);
}

fn check_with_input(args: &[&str], input: &str, expected: Expect) {
    let done = run(args, input);
    expected.assert_eq(&format!("[{}]\n{}{}", done.code, done.stdout, done.stderr));
}

fn script(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("tool.rhai"), text).unwrap();
    dir
}

fn run_tool(dir: &Path, args: &[&str]) -> String {
    let done = run_in(dir, &[&["run", "tool.rhai"], args].concat(), "");
    format!("[{}]\n{}{}", done.code, done.stdout, done.stderr)
}

#[test]
fn help_shows_the_commands_and_examples() {
    let done = run(&["--help"], "");
    assert_eq!(done.code, 0);
    for word in ["demo", "run", "open", "play", "bench", "Examples:", "Exit codes:", "--format", "--seed"] {
        assert!(done.stdout.contains(word), "{word} is missing in\n{}", done.stdout);
    }
    assert_eq!(run(&["help"], "").stdout, done.stdout);
    assert_eq!(run(&["--version"], "").stdout, format!("cinema {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn usage_errors_say_what_was_meant() {
    check(
        &["dmo"],
        expect![[r#"
        [2]
        error: unrecognized subcommand 'dmo'

          tip: a similar subcommand exists: 'demo'

        Usage: cinema [OPTIONS] [COMMAND]

        For more information, try '--help'.
    "#]],
    );
    let done = run(&["tool.rhai"], "");
    assert_eq!((done.code, done.stderr.contains("hint: cinema run tool.rhai")), (2, true), "{}", done.stderr);
    let done = run(&["Cargo.toml"], "");
    assert!(done.stderr.contains("hint: cinema open Cargo.toml"), "{}", done.stderr);
    assert_eq!(run(&["--format", "xml"], "").code, 2);
    assert_eq!(run(&["run"], "").code, 2);
}

#[test]
fn a_script_has_arguments_and_ends_with_its_own_code() {
    let dir = script("print(`got ${args}`); [1, 2].map(|x| exit(7)); print(\"never\");");
    expect![[r#"
        [7]
        got ["a", "-b"]
    "#]]
    .assert_eq(&run_tool(dir.path(), &["a", "--", "-b"]));
}

#[test]
fn a_failing_script_names_its_place() {
    let dir = script("let x = 1;\nlet y = x + nothing;\n");
    expect![[r#"
        [1]
        error: unknown variable `nothing`
          --> tool.rhai:2:13
           2 | let y = x + nothing;
             |             ^^^^^^^
    "#]]
    .assert_eq(&run_tool(dir.path(), &[]));
    let dir = script("let x = (1;\n");
    expect![[r#"
        [1]
        error: expecting ')' for a matching ( in this expression
          --> tool.rhai:1:11
           1 | let x = (1;
             |           ^
    "#]]
    .assert_eq(&run_tool(dir.path(), &[]));
}

#[test]
fn scripts_come_from_standard_input() {
    check_with_input(
        &["run", "-"],
        "let a = 20;\nprint(a + 22);\n",
        expect![[r#"
        [0]
        42
    "#]],
    );
    check_with_input(
        &[],
        "let a = 20\na + 22\nnope()\na\n",
        expect![[r#"
            [1]
            42
            20
            error: unknown function `nope()`
                 | nope()
                 | ^^^^
              hint: did you mean note(moment: moment, text: text)?
        "#]],
    );
    check_with_input(
        &["run", "absent.rhai"],
        "",
        expect![[r#"
        [1]
        error: cannot read absent.rhai: No such file or directory (os error 2)
          hint: cinema run PATH/TO/SCRIPT.rhai
    "#]],
    );
}

#[test]
fn values_print_in_every_format() {
    let line = "[#{name: \"a,b\", n: 1}, #{name: \"c\", n: 2}]";
    for format in ["table", "json", "jsonl", "csv"] {
        let done = run(&["-e", line, "--format", format], "");
        assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{format}");
    }
    check(
        &["-e", line, "--format", "table"],
        expect![[r#"
        [0]
        n  name
        ───────
        1  a,b
        2  c
    "#]],
    );
    check(
        &["-e", line, "--json"],
        expect![[r#"
        [0]
        [
          {"n":1,"name":"a,b"},
          {"n":2,"name":"c"}
        ]
    "#]],
    );
    check(
        &["-e", line],
        expect![[r#"
        [0]
        {"n":1,"name":"a,b"}
        {"n":2,"name":"c"}
    "#]],
    );
    check(
        &["-e", line, "--format", "csv"],
        expect![[r#"
        [0]
        n,name
        1,"a,b"
        2,c
    "#]],
    );
}

#[test]
fn csv_has_values_beside_tables() {
    check(
        &["-e", "1 + 1", "-e", "[#{n: 1}]", "-e", "\"a,b\"", "--format", "csv"],
        expect![[r#"
        [0]
        2
        n
        1
        "a,b"
    "#]],
    );
}

#[test]
fn what_is_less_than_nothing_or_goes_backwards_is_an_error() {
    let load = "load(\"examples/bank/main.rhai\"); ";
    for (line, told, hint) in [
        ("events().top(-1)", "top: -1 is not how many", "a number from 0 on"),
        ("events().all().top(-5)", "top: -5 is not how many", "a number from 0 on"),
        ("events().top(-2, \"size\")", "top: -2 is not how many", "a number from 0 on"),
        ("events().by(\"kind\", -1)", "by: -1 is not how many", "a number from 0 on"),
        ("events().larger(-1).count()", "larger: -1 is not how many", "a number from 0 on"),
        ("processes().table(-1)", "table: -1 is not how many", "a number from 0 on"),
        (
            "events().between(seq(9), seq(3)).count()",
            "from #9 to #3: the range goes backwards",
            "the earlier moment comes first",
        ),
        ("latency([\"9ms\", \"start\"])", "to the start: the range goes backwards", "the earlier moment comes first"),
    ] {
        let done = run(&["-e", &format!("{load}{line}")], "");
        let hint = format!("hint: {hint}\n");
        assert!(
            done.code == 1 && done.stderr.contains(told) && done.stderr.ends_with(&hint),
            "{line}: {}",
            done.stderr
        );
    }
    let done = run(&["-e", &format!("{load}events().between(seq(3), seq(3)).count()")], "");
    assert_eq!((done.code, done.stdout.lines().last()), (0, Some("1")), "{}", done.stderr);
}

#[test]
fn hints_name_types_as_scripts_know_them() {
    for (line, told) in [
        ("events(1)", "hint: events() -> query\n"),
        ("load(\"examples/bank/main.rhai\"); events().first().knd", "hint: did you mean `kind`?\n"),
        ("load(\"examples/bank/main.rhai\"); events().top(\"x\")", "hint: top(query: query, n: int) -> rows\n"),
    ] {
        let done = run(&["-e", line], "");
        assert!(done.code == 1 && done.stderr.contains(told), "{line}: {}", done.stderr);
    }
    let reference = std::fs::read_to_string("docs/reference.md").unwrap();
    let heads = reference.lines().filter(|line| line.starts_with("### "));
    let leaks: Vec<&str> =
        heads.filter(|line| line.contains(['<', '&']) || line.contains(|c: char| c.is_uppercase())).collect();
    assert_eq!(leaks, [""; 0]);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_is_told_but_for_a_pipe_that_nobody_reads() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for args in [&["-e", "1 + 1"][..], &["--help"], &["reference"]] {
        let done = common::cinema(args).stdout(full()).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{args:?}: {told}");
        assert!(told.starts_with("error: cannot write to standard output: No space left"), "{args:?}: {told}");
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done = common::cinema(&["reference"]).stdout(writer).output().unwrap();
    assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(1), ""));
}

#[test]
fn an_export_that_fails_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.csv"), "mine").unwrap();
    let load = format!("load({:?}); ", Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bank/main.rhai"));
    let line = format!("{load}export_to(events().where(|e| 1 / (e.seq - 5) > -9), \"csv\", \"mine.csv\")");
    let done = run_in(dir.path(), &["-e", &line], "");
    assert!(done.code == 1 && done.stderr.contains("division by zero"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(dir.path().join("mine.csv")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing beside it");
    let done = run_in(dir.path(), &["-e", &format!("{load}export_to(\"jsonl\", \"/dev/full\")")], "");
    assert!(done.code == 1 && done.stderr.contains("cannot write /dev/full: No space left"), "{}", done.stderr);
    let done = run_in(dir.path(), &["soak", "--dir", "absent"], "");
    assert!(done.code == 1 && done.stderr.contains("no folder absent"), "{}", done.stderr);
    assert!(!dir.path().join("absent").exists());
}

#[test]
fn the_demo_leads_to_the_cause_wherever_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let done = run_in(dir.path(), &["demo"], "");
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{}", done.stdout);
    assert!(done.stdout.contains("All that time ledger was busy with the cast audit"), "{}", done.stdout);
    let picture = std::fs::read_to_string(dir.path().join("cinema-demo.svg")).unwrap();
    roxmltree::Document::parse(&picture).unwrap();
}

#[test]
fn bad_files_are_errors_with_code_one() {
    check(
        &["open", "absent.cinema"],
        expect![[r#"
        [1]
        error: no file absent.cinema
             | open("absent.cinema")
             | ^^^^
          hint: ls shows what is there; paths are relative to where cinema runs
    "#]],
    );
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.cinema");
    std::fs::write(&bad, [0xFFu8; 64]).unwrap();
    let done = run(&["open", bad.to_str().unwrap(), "-e", "1"], "");
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    let done = run(&["run", bad.to_str().unwrap()], "");
    assert!(done.stderr.contains("byte 0 is not UTF-8"), "{}", done.stderr);
}

#[test]
fn scripts_that_never_end_are_ended_by_a_limit() {
    let dir = script("set_limit(\"SCRIPT_OPERATIONS_MAX\", 10000); loop { }");
    let done = run_tool(dir.path(), &[]);
    assert!(done.starts_with("[1]\n") && done.contains("SCRIPT_OPERATIONS_MAX"), "{done}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_script_ends_with_130() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child = common::cinema(&["-e", "print(\"ready\"); loop { }"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Whoever ends an import, by Ctrl-C or by SIGTERM, finds what was read until then under its name, and no other file.
#[cfg(unix)]
#[test]
fn an_import_that_is_ended_leaves_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let line = |n: usize| format!("{{\"at_ns\":{n},\"kind\":\"log\",\"process\":\"<0.{}.0>\"}}\n", n % 1000);
    std::fs::write(dir.path().join("many.jsonl"), (0..400_000).map(line).collect::<String>()).unwrap();
    let names = || std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    for signal in ["-INT", "-TERM"] {
        let mut child = common::cinema(&["import", "many.jsonl", "-o", "out.cinema", "--force"]);
        let mut child = child.current_dir(dir.path()).spawn().unwrap();
        while !names().iter().any(|name| name.to_string_lossy().ends_with(".part")) {
            assert_eq!(child.try_wait().unwrap(), None, "it works still");
            std::thread::yield_now();
        }
        assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(130), "{signal}");
        let mut names = names();
        names.sort();
        assert_eq!(names, ["many.jsonl", "out.cinema"], "{signal}");
    }
}

/// Who is asked to end in the middle of a file leaves none behind.
#[cfg(unix)]
#[test]
fn an_export_that_is_ended_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let line = |n: usize| format!("{{\"at_ns\":{n},\"kind\":\"log\",\"process\":\"<0.{}.0>\"}}\n", n % 1000);
    std::fs::write(dir.path().join("many.jsonl"), (0..100_000).map(line).collect::<String>()).unwrap();
    let names = || std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    for (signal, code) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let mut child = common::cinema(&["open", "many.jsonl", "-e", "export_to(\"jsonl\", \"out.jsonl\")"]);
        let mut child = child.current_dir(dir.path()).stderr(std::process::Stdio::null()).spawn().unwrap();
        while !names().iter().any(|name| name.to_string_lossy().ends_with(".part")) {
            assert_eq!(child.try_wait().unwrap(), None, "it works still");
            std::thread::yield_now();
        }
        assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
        assert_eq!(names(), ["many.jsonl"], "{signal}");
    }
}

#[test]
fn lines_from_a_pipe_give_answers_and_nothing_else() {
    let done = run(&["open", "tests/format/files/bank-v3.cinema"], "events().count()\n");
    assert_eq!((done.code, done.stdout.as_str(), done.stderr.as_str()), (0, "69\n", ""));
    let done = run(&["open", "tests/format/files/bank-v3.cinema", "-e", "info()", "--json"], "");
    let info: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((info["events"].as_u64(), info["seed"].is_u64()), (Some(69), true), "{info}");
}

#[test]
fn what_a_recorder_is_not_to_do_is_told_at_once() {
    for (args, told) in [
        (&["--events", "0"][..], "0 is not in 1.."),
        (&["--time", "-1s"], "-1s is no time at all"),
        (&["--progress", "0s"], "0s is no time at all"),
        (&["--sync", "0s"], "0s is no time at all"),
        (&["--rotate", "0"], "0 is nothing at all"),
        (&["--limit", "rate=0"], "0 lets nothing through"),
    ] {
        let done = run(&[&["record", "nobody@nowhere", "--out", "x.cinema"], args].concat(), "");
        assert!(done.code == 2 && done.stderr.contains(told), "{args:?}: {} {}", done.code, done.stderr);
        assert!(!done.stderr.contains("recording:") && !done.stderr.contains("tip:"), "{}", done.stderr);
    }
}

#[test]
fn a_trace_file_is_opened_without_its_secrets() {
    let trace = "tests/data/ejabberd-small.trace";
    let payloads = "events().kind(\"send\").all()";
    let told = |options: &str| {
        let open = format!("open({trace:?}{options})");
        let run = run(&["-e", &open, "-e", payloads, "-e", "info()", "--format", "jsonl"], "");
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout
    };
    let whole = told("");
    assert!(!whole.contains("[redacted]") && !whole.contains("\"redacted\""), "{whole}");
    let without = told(", #{redact: #{patterns: [\".\"]}}");
    assert!(without.contains("[redacted]") && without.contains("26 field names, 1 pattern"), "{without}");

    let dir = tempfile::tempdir().unwrap();
    let save = format!(
        "open({:?}); save(\"a.cinema\")",
        Path::new(env!("CARGO_MANIFEST_DIR")).join(trace).display().to_string()
    );
    assert_eq!(run_in(dir.path(), &["-e", &save], "").code, 0);
    let run = run_in(dir.path(), &["-e", "open(\"a.cinema\", #{redact: #{}})"], "");
    assert!(run.stderr.contains("a session file is opened as it was saved"), "{}", run.stderr);
    let run = run_in(dir.path(), &["-e", "open(\"a.cinema\", #{redact: #{patterns: [\"(\"]}})"], "");
    assert!(run.stderr.contains("unclosed group"), "{}", run.stderr);
}

#[test]
fn a_trace_is_imported_into_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ejabberd-small.trace");
    let done = run_in(dir.path(), &["import", trace.to_str().unwrap(), "-o", "small.cinema"], "");
    assert_eq!(
        (done.code, done.stdout.as_str(), done.stderr.as_str()),
        (0, "small.cinema: 10 826 events of 13 399 messages\n", "")
    );
    let lines = run_in(dir.path(), &["open", "small.cinema", "-e", "export_to(\"jsonl\", \"small.jsonl\")"], "");
    assert_eq!(lines.code, 0, "{}", lines.stderr);
    let again = run_in(dir.path(), &["import", "small.jsonl", "-o", "again.cinema"], "");
    assert_eq!(again.stdout, "again.cinema: 10 826 events of 10 826 messages\n");
    // Everything comes back; `at_ns` is the same number as in tables.
    let export = "export_to(\"jsonl\", \"again.jsonl\")";
    let rows = run_in(
        dir.path(),
        &["open", "again.cinema", "-e", export, "-e", "events().between(\"#5000\", \"#5000\").all()"],
        "",
    );
    let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(text("again.jsonl") == text("small.jsonl"), "an export of what was imported is the export");
    let at_ns = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["at_ns"].clone();
    let exported = text("again.jsonl").lines().nth(5000).map(at_ns);
    assert_eq!(rows.stdout.lines().last().map(at_ns), exported, "{}", rows.stderr);
    let over = run_in(dir.path(), &["import", trace.to_str().unwrap(), "-o", "small.cinema"], "");
    assert!(over.code == 1 && over.stderr.contains("small.cinema is there already"), "{} {}", over.code, over.stderr);
    // Another name of what is read keeps it.
    std::fs::copy(&trace, dir.path().join("copy.trace")).unwrap();
    std::fs::hard_link(dir.path().join("copy.trace"), dir.path().join("link.cinema")).unwrap();
    let linked = run_in(dir.path(), &["import", "copy.trace", "-o", "link.cinema", "--force"], "");
    assert_eq!(linked.stdout, "link.cinema: 10 826 events of 13 399 messages\n");
    let itself = run_in(dir.path(), &["import", "absent.trace", "-o", "small.cinema"], "");
    assert_eq!((itself.code, itself.stderr.contains("no file absent.trace")), (1, true), "{}", itself.stderr);
}

#[test]
fn a_damaged_trace_is_imported_and_the_recording_remembers_it() {
    let dir = tempfile::tempdir().unwrap();
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ejabberd-small.trace");
    let bytes = std::fs::read(trace).unwrap();
    std::fs::write(dir.path().join("cut.trace"), &bytes[..bytes.len() / 2]).unwrap();
    let done = run_in(dir.path(), &["import", "cut.trace", "-o", "cut.cinema"], "");
    assert_eq!(done.code, 1, "{}", done.stderr);
    assert!(done.stderr.starts_with("damaged: cut.trace: truncated frame"), "{}", done.stderr);
    let place = done.stderr.trim().strip_prefix("damaged: ").unwrap();

    let asked = |what: &str| run_in(dir.path(), &["open", "cut.cinema", "-e", what, "--format", "csv"], "");
    let info = asked("info()");
    assert_eq!(info.code, 0, "the file itself is whole");
    assert!(info.stderr.contains("is damaged in 1 place: loss() lists it"), "{}", info.stderr);
    assert!(info.stdout.contains(&format!("damaged,{place}\n")), "{}", info.stdout);
    let loss = asked("loss()").stdout;
    assert!(loss.lines().count() == 2 && loss.contains(place), "{loss}");
}

#[test]
fn an_import_that_fails_leaves_nothing_and_takes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let names = || {
        let names =
            std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    std::fs::write(dir.path().join("a.txt"), "no trace").unwrap();
    std::fs::write(dir.path().join("kept.cinema"), "mine").unwrap();
    let done = run_in(dir.path(), &["import", "a.txt", "-o", "kept.cinema", "--force"], "");
    assert_eq!((done.code, std::fs::read_to_string(dir.path().join("kept.cinema")).unwrap().as_str()), (1, "mine"));
    let done = run_in(dir.path(), &["import", "a.txt", "-o", "new.cinema", "--offset", "nonsense"], "");
    assert_eq!((done.code, done.stderr.contains("\"nonsense\" is no FILE=TIME")), (2, true), "{}", done.stderr);
    // Only a recording's name is written to, whatever is forced.
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ejabberd-small.trace");
    let done = run_in(dir.path(), &["import", trace.to_str().unwrap(), "-o", "a.txt", "--force"], "");
    assert!(done.code == 1 && done.stderr.contains("\"a.txt\" does not end with .cinema"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(dir.path().join("a.txt")).unwrap(), "no trace");
    assert_eq!(names(), ["a.txt", "kept.cinema"]);
}

#[test]
fn hints_of_commands_name_flags() {
    for (command, flags, hint) in [
        ("record", ["--trace", ""], "--trace app:shop"),
        ("attach", ["--trace", ""], "--trace app:shop"),
        ("record", ["--seal-after", "0s"], "--seal-after 100ms"),
        ("attach", ["--record", "x.txt"], "x.txt.cinema"),
    ] {
        let files = if command == "record" { &["--out", "x.cinema"][..] } else { &[] };
        let login = ["nobody@127.0.0.1:1", "--cookie", "none"];
        let done = run(&[&[command][..], &login, files, &flags].concat(), "");
        let told = done.stderr.lines().last().unwrap_or_default();
        assert!(done.code != 0 && told == format!("  hint: {hint}"), "{command} {flags:?}: {}", done.stderr);
    }
}

#[test]
fn only_near_names_are_offered() {
    let load = "load(\"examples/bank/main.rhai\"); ";
    for (line, hint) in [
        ("tree(\"legder\")", Some("ledger")),
        ("state(\"alcie\")", Some("alice")),
        ("tree(\"x\")", None),
        ("state(\"tomorrow\")", None),
        ("on_process(any, \"zzz\")", None),
    ] {
        let done = run(&["-e", &format!("{load}{line}")], "");
        let offered = done.stderr.lines().find_map(|line| line.trim().strip_prefix("hint: did you mean "));
        assert_eq!(
            (done.code, offered),
            (1, hint.map(|name| format!("{name:?}?")).as_deref()),
            "{line}: {}",
            done.stderr
        );
    }
}

#[test]
fn what_reaches_nothing_is_told() {
    let load = "load(\"examples/bank/main.rhai\"); ";
    for (line, code, told) in [
        ("seek(\"99h\")", 0, "warning: the timeline ends at 2.2 s: this is its end"),
        ("seek(\"-99h\")", 0, "warning: nothing is before the timeline's start"),
        ("seek(\"end\")", 0, ""),
        (
            "send(\"ledgr\", \"x\")",
            0,
            "nobody is registered as \"ledgr\": nobody gets it (hint: did you mean \"ledger\"?",
        ),
        ("cast(\"nobody\", \"x\")", 0, "nobody is registered as \"nobody\""),
        ("kill(\"nobody\")", 0, "nobody is registered as \"nobody\""),
        ("kill(\"alice\")", 0, ""),
        ("brk(on_state(\"leger\", \"x\", gt(1)))", 0, "no process \"leger\" so far: the breakpoint waits for one"),
        ("brk(on_state(\"ledger\", \"x\", gt(1)))", 0, ""),
        ("run_for(\"99999999h\")", 1, "\"99999999h\" is too long: a duration is at most 292 years"),
        ("events().per(0)", 1, "longer than nothing"),
        ("events().per(\"1ns\")", 1, "hint: per(\"1s\"); a number without a unit is of milliseconds"),
        ("exit(\"x\")", 1, "exit: x is no exit code: a number from 0 to 255"),
        ("exit(300)", 1, "exit: 300 is no exit code"),
        ("exit(255)", 255, ""),
    ] {
        let done = run(&["-e", &format!("{load}{line}")], "");
        assert!(done.code == code && done.stderr.contains(told), "{line}: {} {}", done.code, done.stderr);
        assert!(!told.is_empty() || done.stderr.is_empty(), "{line}: {}", done.stderr);
    }
    let done = run(&["soak", "--for", "0s"], "");
    assert!(done.code == 2 && done.stderr.contains("\"0s\" is no time at all"), "{}", done.stderr);
}

#[test]
fn a_snapshot_of_a_moment_answers_with_its_position_and_a_row_is_of_one_process() {
    let load = "load(\"examples/bank/main.rhai\"); ";
    let done = run(&["-e", &format!("{load}let s = snapshot(\"s\", \"#12\"); [s.seq, when().seq]"), "--json"], "");
    assert_eq!(done.stdout.trim(), "[12,738]", "{}", done.stderr);
    let done = run(&["-e", &format!("{load}latency()"), "--format", "csv"], "");
    let names: Vec<&str> = done.stdout.lines().filter_map(|line| line.split(',').next()).collect();
    let tellers: Vec<&&str> = names.iter().filter(|name| name.starts_with("teller <0.")).collect();
    assert!(tellers.len() == 2 && tellers[0] != tellers[1] && names.contains(&"ledger"), "{names:?}");
}
