//! Tests of the script floor, by part.

mod errors;
mod predicates;
mod shell;
mod values;

use std::cell::RefCell;
use std::rc::Rc;

use super::control::Control;
use super::engine::Host;
use super::{ScriptEnd, Shell};

/// A shell that prints into a vector.
fn shell_with_output() -> (Shell, Rc<RefCell<Vec<String>>>) {
    let lines = Rc::new(RefCell::new(Vec::new()));
    let sink = lines.clone();
    let host = Host::new(Control::default(), Vec::new(), move |line: &str| sink.borrow_mut().push(line.to_string()));
    let shell = Shell::new(host, |engine| {
        engine.register_fn("seek", |moment: &str| moment.len() as i64);
        engine.register_fn("seek", |seq: i64| seq);
    });
    (shell, lines)
}

fn shell() -> Shell {
    shell_with_output().0
}

/// What a user sees after a line: the value, the failure, or the exit code.
fn outcome(result: Result<rhai::Dynamic, ScriptEnd>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(ScriptEnd::Failed(failure)) => format!("{:?}: {failure}", failure.kind),
        Err(ScriptEnd::Exited(code)) => format!("exit {code}"),
    }
}
