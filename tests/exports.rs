//! `export_to` as scripts use it, on a real trace: every format, and what cannot be written.

use std::path::Path;

use cinema::script::ScriptEnd;
use cinema::script::api::{Console, ConsoleOptions, Output};

fn console() -> Console {
    let options = ConsoleOptions { interrupt: Default::default(), roots: vec![".".into()], seed: 1, n_rows_max: 40 };
    let output = Output { print: Box::new(|_| {}), show: Box::new(|_, _| Ok(())), notify: Box::new(|_| {}) };
    let mut console = Console::new(options, output);
    assert!(console.shell.eval_line("open(\"tests/data/shop-ttb\");").is_ok());
    console
}

/// Runs a line in which PATH stands for a file; gives the file's text, or the error.
fn written(console: &mut Console, line: &str) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    match console.shell.eval_line(&line.replace("PATH", &format!("{:?}", path.display().to_string()))) {
        Ok(_) => Ok(std::fs::read_to_string(Path::new(&path)).unwrap()),
        Err(ScriptEnd::Failed(failure)) => Err(failure.to_string()),
        Err(ScriptEnd::Exited(code)) => Err(format!("exit {code}")),
    }
}

#[test]
fn a_recording_in_every_format() {
    let mut console = console();
    let mut export = |format: &str| written(&mut console, &format!("export_to(\"{format}\", PATH)")).unwrap();
    assert!(export("jsonl").lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    let chrome: serde_json::Value = serde_json::from_str(&export("chrome")).unwrap();
    assert!(chrome["traceEvents"].as_array().unwrap().len() > 20);
    let rows: serde_json::Value = serde_json::from_str(&export("json")).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), export("jsonl").lines().count());
    assert!(export("csv").starts_with("seq,at_ns,kind,class,process,peer,tag,payload\n0,0,spawn,"));
    assert!(export("mermaid").starts_with("sequenceDiagram\n"));
    assert!(export("dot").starts_with("digraph cinema {\n"));
}

#[test]
fn results_in_table_formats() {
    let mut console = console();
    let csv = written(&mut console, "export_to(calls(), \"csv\", PATH)").unwrap();
    assert!(csv.contains(",timeout,"), "{csv}");
    let same = written(&mut console, "calls().export_to(\"csv\", PATH)").unwrap();
    assert_eq!(csv, same);
    assert!(written(&mut console, "export_to(patterns(), \"jsonl\", PATH)").is_ok());
}

#[test]
fn what_cannot_be_written_says_what_can() {
    let mut console = console();
    let error = written(&mut console, "export_to(\"pdf\", PATH)").unwrap_err();
    assert!(error.contains("\"pdf\"") && error.contains("mermaid"), "{error}");
    let error = written(&mut console, "export_to(calls(), \"dot\", PATH)").unwrap_err();
    assert!(error.contains("csv, json, jsonl"), "{error}");
    let error = written(&mut console, "export_to(1, \"csv\", PATH)").unwrap_err();
    assert!(error.contains("has no table"), "{error}");
    let error = written(&mut console, "export_to(\"csv\", \"/no/such/folder/x\")").unwrap_err();
    assert!(error.contains("/no/such/folder/x"), "{error}");
}

#[cfg(unix)]
#[test]
fn what_was_opened_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let [lines, other, info, link] =
        ["events.jsonl", "other.csv", "node.trace.ti", "link.csv"].map(|name| dir.path().join(name));
    let mut console = console();
    let mut run = |line: String| match console.shell.eval_line(&line) {
        Err(ScriptEnd::Failed(failure)) => failure.to_string(),
        end => end.map(|_| String::new()).unwrap(),
    };
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    // An export may be renewed; what is open may not, by no name and in no format.
    assert_eq!(run(format!("export_to(\"jsonl\", {0}); export_to(\"jsonl\", {0}); open({0});", quoted(&lines))), "");
    let before = std::fs::read(&lines).unwrap();
    std::os::unix::fs::symlink(&lines, &link).unwrap();
    std::fs::copy("tests/data/shop-ttb/ttbdemo@localhost-shop.ti", &info).unwrap();
    for line in [
        "export_to(\"jsonl\", PATH)",
        "export_to(\"csv\", LINK)",
        "export_to(events(), \"csv\", PATH)",
        "export_to(latency(), \"csv\", PATH)",
        "svg(latency_chart(), PATH)",
        "export_to(\"csv\", INFO)",
    ] {
        let line = line.replace("PATH", &quoted(&lines)).replace("LINK", &quoted(&link));
        let error = run(line.replace("INFO", &quoted(&info)));
        let is_told =
            error.contains("is a recording: nothing is written over it") && error.contains("hint: another name");
        assert!(is_told, "{line}: {error}");
    }
    assert_eq!(std::fs::read(&lines).unwrap(), before);
    assert_eq!(run(format!("export_to(\"csv\", {0}); export_to(\"csv\", {0})", quoted(&other))), "");
}
