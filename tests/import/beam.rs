//! Real nodes that write traces while a test runs. Where Erlang or Elixir is missing, a test says so and is skipped;
//! with `CI` set it fails.

use std::path::Path;
use std::process::{Command, Output};

use super::data;

/// Runs a command in `folder`. `None` where it is not installed.
fn run(folder: &Path, command: &str, args: &[&str]) -> Option<Output> {
    match Command::new(command).current_dir(folder).args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "cannot run {command}: {error}");
            eprintln!("SKIPPED: cannot run {command}: {error}");
            None
        }
    }
}

fn text_of(command: &str, output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command} failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Runs Erlang code and gives what it printed.
pub fn erl(folder: &Path, code: &str) -> Option<String> {
    let output = run(folder, "erl", &["-noshell", "-eval", code])?;
    Some(text_of("erl", &output))
}

/// Compiles modules of `tests/data` into `folder` and runs Erlang code with them.
pub fn erl_with(folder: &Path, modules: &[&str], code: &str) -> Option<String> {
    let sources: Vec<String> = modules.iter().map(|name| data(name).display().to_string()).collect();
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    text_of("erlc", &run(folder, "erlc", &sources)?);
    erl(folder, code)
}

/// Runs an Elixir script of `tests/data` in `folder`.
pub fn elixir(folder: &Path, script: &str, args: &[&str]) -> Option<String> {
    let script = data(script).display().to_string();
    let output = run(folder, "elixir", &[&[script.as_str()], args].concat())?;
    Some(text_of("elixir", &output))
}
