//! The tests in `tests/browser`, which need node, its packages and Chromium. Where those are missing the test says so,
//! and fails when `CI=true`.

use std::path::Path;
use std::process::Command;

/// Runs one of node's test files; gives whether there was node to run it.
fn node_test(file: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let is_there = folder.join("node_modules").is_dir() && Command::new("node").arg("--version").output().is_ok();
    if !is_there {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "node or tests/browser/node_modules is missing");
        eprintln!("skipped: node or tests/browser/node_modules is missing; tests/run installs them");
        return;
    }
    let run = Command::new("node")
        .args(["--test", "--test-reporter=spec", file])
        .current_dir(&folder)
        .env("CINEMA", env!("CARGO_BIN_EXE_cinema"))
        .output()
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    println!("{said}");
    assert!(run.status.success(), "{said}");
}

#[test]
fn the_unmodified_phoenix_client() {
    node_test("channel.test.mjs");
}

#[test]
fn the_words_of_the_filter() {
    node_test("filter.test.mjs");
}

#[test]
fn the_page_in_a_browser() {
    node_test("page.test.mjs");
}
