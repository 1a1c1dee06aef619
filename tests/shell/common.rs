//! Runs the binary for the tests of the command line and the shell.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The binary with a clean environment: no colours, no history, working in the project's folder.
pub fn cinema(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cinema"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env("CINEMA_HISTORY", "");
    command.env_remove("NO_COLOR").env_remove("RUST_BACKTRACE");
    command
}

/// What a run gave: both streams and the exit code.
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// Runs to the end with `input` on standard input.
pub fn run(args: &[&str], input: &str) -> Run {
    run_in(Path::new(env!("CARGO_MANIFEST_DIR")), args, input)
}

/// As [`run`], in another folder.
pub fn run_in(dir: &Path, args: &[&str], input: &str) -> Run {
    let mut command = cinema(args);
    command.current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A run may end before it has read everything: a closed pipe is no failure of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { stdout: text(stdout), stderr: text(stderr), code: status.code().unwrap_or(-1) }
}
