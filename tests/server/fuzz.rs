//! The document against the server by a schema-driven fuzzer, schemathesis: what the document allows is answered as the
//! document says, whatever it is. Where it is missing the test says so, and fails when `CI=true`.

use std::path::Path;
use std::process::Command;

use crate::client::{Server, TOKEN};

/// The paths that are left out: scripts and files of the machine that runs the test.
const LEFT_OUT: &str = "(interrupt|eval|import|/open)$|operations/(save|record|open|beam|attach|export_to|load)";
/// The same inputs each time.
const SEED: &str = "5180";

#[test]
fn whatever_the_document_allows_is_answered_as_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join("target/schemathesis/bin/schemathesis");
    let program = if installed.is_file() { installed } else { "schemathesis".into() };
    if Command::new(&program).arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "schemathesis is missing");
        eprintln!("skipped: schemathesis is missing; tests/run installs it");
        return;
    }
    let server = Server::bank(&[]);
    let run = Command::new(&program)
        .current_dir(root.join("target"))
        .args(["--config-file", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/schemathesis.toml"), "run"])
        .arg(format!("http://127.0.0.1:{}/api/openapi.json", server.port))
        .args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--exclude-path-regex", LEFT_OUT])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "3", "--seed", SEED, "--no-color"])
        .args(["--generation-database", "none"])
        .output()
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
    println!("{}", said.lines().filter(|line| line.contains("generated")).collect::<String>());
}
