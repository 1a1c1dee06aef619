//! Runs without a user: a script file, `-e` expressions, a recording to open first. Each gives an exit code.
//! It must not know what scripts do.

use std::io::Read;
use std::path::Path;

use super::commands::{self, Command};
use super::console;
use super::demo;
use super::host::{Ending, Host};
use super::terminal::Place;
use super::worker::Worker;
use crate::model::{Failure, Outcome};

/// Bytes of a script; more is not a script.
const SCRIPT_BYTES_MAX: u64 = 16 << 20;

/// Evaluates one line and waits.
pub fn eval<H: Host + 'static>(worker: &Worker<H>, line: &str) -> Outcome<Ending> {
    let line = line.to_string();
    worker.ask(move |host| host.eval(&line, false))
}

/// Evaluates expressions in order and prints their values; the first failure ends it.
pub fn eval_all<H: Host + 'static>(worker: &Worker<H>, place: Place, lines: &[String]) -> Outcome<u8> {
    for line in lines {
        let outcome = match commands::read(line) {
            Command::Nothing => continue,
            Command::Quit => return Ok(0),
            Command::Demo => demo::run(place, &mut |line| eval(worker, line)).map(|()| Ending::Value(String::new())),
            Command::Help(topic) => commands::help(topic, &worker.fresh_names()).map(Ending::Value),
            Command::Script { text, .. } => eval(worker, text),
        };
        match outcome? {
            Ending::Value(text) => console::print_line(&text),
            Ending::Exit(code) => return Ok(code),
        }
    }
    Ok(0)
}

/// Runs a script file, or standard input for `-`.
pub fn run_script<H: Host + 'static>(worker: &Worker<H>, path: &Path, args: Vec<String>) -> Outcome<u8> {
    let text = read_script(path)?;
    let name = if is_stdin(path) { "standard input".to_string() } else { path.display().to_string() };
    code_of(worker.ask(move |host| host.run(&name, &text, &args)))
}

/// Prints an ending's value; gives the exit code.
pub fn code_of(outcome: Outcome<Ending>) -> Outcome<u8> {
    match outcome? {
        Ending::Value(text) => {
            console::print_line(&text);
            Ok(0)
        }
        Ending::Exit(code) => Ok(code),
    }
}

/// Opens a recording; gives what is told about it.
pub fn open<H: Host + 'static>(worker: &Worker<H>, path: &Path) -> Outcome<String> {
    let path = path.to_str().ok_or_else(|| {
        Failure::usage(format!("{}: the path is not UTF-8, and scripts could not name it", path.display()))
    })?;
    let path = path.to_string();
    worker.ask(move |host| host.open(&path)).map(value_of)
}

/// The text of an ending; none for an exit.
pub fn value_of(ending: Ending) -> String {
    match ending {
        Ending::Value(text) => text,
        Ending::Exit(_) => String::new(),
    }
}

/// Errors: there is no such script. For those who do something slow before they run it.
pub fn check_script(path: Option<&Path>) -> Outcome<()> {
    match path {
        Some(path) if !is_stdin(path) && !path.exists() => {
            Err(Failure::not_found(format!("no script {}", path.display()))
                .hint("paths are relative to where cinema runs"))
        }
        _ => Ok(()),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read_script(path: &Path) -> Outcome<String> {
    let unreadable = |error: std::io::Error| {
        let failure = Failure::io(format!("cannot read {}: {error}", path.display()));
        if error.kind() == std::io::ErrorKind::NotFound {
            failure.hint("cinema run PATH/TO/SCRIPT.rhai")
        } else {
            failure
        }
    };
    let mut bytes = Vec::new();
    let mut source: Box<dyn Read> = if is_stdin(path) {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(unreadable)?)
    };
    let n_bytes = source.by_ref().take(SCRIPT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)? as u64;
    if n_bytes > SCRIPT_BYTES_MAX {
        return Err(Failure::bad_input(format!(
            "{}: more than {SCRIPT_BYTES_MAX} bytes, the most that a script may have",
            path.display()
        ))
        .hint(format!("if it is a recording: cinema open {}", path.display())));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::bad_input(format!("{}: byte {at} is not UTF-8: not a script", path.display()))
            .hint(format!("if it is a recording: cinema open {}", path.display()))
    })
}
