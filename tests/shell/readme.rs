//! The README is tried: every command of its blocks runs, and the reference is what the code prints.
//!
//! A block marked `sh` runs line by line in one shell, a block marked `rhai` as lines of one session.

use std::path::Path;
use std::process::Command;

use super::common;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The fenced blocks of `language`, each with its line number.
fn blocks(language: &str) -> Vec<(usize, String)> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}");
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (idx, line) in text.lines().enumerate() {
        match &mut open {
            None if line == fence => open = Some((idx + 1, String::new())),
            Some(_) if line == "```" => found.extend(open.take()),
            Some((_, block)) => {
                block.push_str(line);
                block.push('\n');
            }
            None => {}
        }
    }
    found
}

/// A folder to run in: the project's files by links, so that what is written stays out of the project.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for shared in ["examples", "scripts", "tests"] {
        std::os::unix::fs::symlink(root().join(shared), dir.path().join(shared)).unwrap();
    }
    dir
}

#[test]
fn the_tour_runs_as_it_is_written() {
    let tour: String = blocks("rhai").into_iter().map(|(_, block)| block).collect();
    assert!(tour.lines().count() > 10, "there is a tour");
    let dir = workplace();
    let done = common::run_in(dir.path(), &["--echo"], &tour);
    assert_eq!((done.code, done.stderr.contains("error:")), (0, false), "{}\n{}", done.stdout, done.stderr);
    assert!(!done.stdout.contains("(0 rows)"), "every question has an answer\n{}", done.stdout);
}

#[test]
fn the_last_step_asks_the_file_of_the_step_before() {
    let dir = workplace();
    let (_, questions) = blocks("rhai").into_iter().find(|(_, block)| block.contains("grep(")).unwrap();
    let commands: Vec<(usize, String)> = blocks("sh");
    let make = commands.iter().flat_map(|(_, block)| block.lines()).find(|line| line.contains("save(")).unwrap();
    let line = make.strip_prefix("cinema -e '").and_then(|rest| rest.strip_suffix('\'')).unwrap();
    assert_eq!(common::run_in(dir.path(), &["-e", line], "").code, 0);
    let done = common::run_in(dir.path(), &["open", "bank.cinema", "--echo"], &questions);
    assert_eq!((done.code, done.stdout.contains("(0 rows)")), (0, false), "{}\n{}", done.stdout, done.stderr);
}

#[test]
fn the_commands_run_as_they_are_written() {
    let dir = workplace();
    let bin = Path::new(env!("CARGO_BIN_EXE_cinema")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let commands = blocks("sh");
    assert!(!commands.is_empty(), "there are commands");
    // What sets the path is done above; what builds and tests the project is how this test came to run.
    let is_setup = |block: &str| block.contains("export PATH") || block.contains("tests/run");
    for (line, block) in commands.into_iter().filter(|(_, block)| !is_setup(block)) {
        let script = format!("set -eu\n{block}");
        let done = Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir.path())
            .env("PATH", &path)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "README.md:{line}\n{}{}", text(&done.stdout), text(&done.stderr));
    }
}

#[test]
fn the_reference_is_what_the_code_prints() {
    let reference = common::run(&["reference"], "");
    assert_eq!(reference.code, 0, "{}", reference.stderr);
    expect_test::expect_file![root().join("docs/reference.md")].assert_eq(&reference.stdout);
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "src/README.md"] {
        let path = root().join(page);
        let text = std::fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_file = !target.starts_with("http");
            let file = path.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(!is_file || file.exists(), "{page} links to {target}");
        }
    }
}
