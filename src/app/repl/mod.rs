//! The interactive shell: reads lines from a terminal or a pipe, has the session evaluate them, prints.
//!
//! Three threads share the work: this one edits lines, the session's evaluates them, the notices'
//! prints above the prompt. Invariant: the editor never waits for the session while the user types.

mod complete;
mod editor;
mod helper;
mod lex;
mod notices;
mod pipe;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossterm::style::{ContentStyle, Stylize};

pub use editor::Terminal;
pub use notices::Notices;
pub use pipe::read_lines;

use super::commands::{self, Command};
use super::console;
use super::demo;
use super::host::{Ending, Host};
use super::interrupt::{self, EXIT_INTERRUPTED};
use super::terminal::Place;
use super::terminal::paint;
use super::worker::Worker;
use crate::model::Outcome;

/// What the reader of lines does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Continue,
    Leave(u8),
}

/// The part of the shell that is the same on a terminal and in a pipe.
struct Lines<'w, H> {
    worker: &'w Worker<H>,
    place: Place,
    /// Where background results and notices go; a pipe has none and runs everything in order.
    notices: Option<Notices>,
    n_running: Arc<AtomicUsize>,
    /// The exit code so far: in a pipe that of the last line that failed; a user has seen what failed.
    code: u8,
}

impl<'w, H: Host + 'static> Lines<'w, H> {
    fn new(worker: &'w Worker<H>, place: Place, notices: Option<Notices>) -> Lines<'w, H> {
        Lines { worker, place, notices, n_running: Arc::default(), code: 0 }
    }

    /// Does what a line asks for and prints what comes of it.
    fn take(&mut self, line: &str) -> Flow {
        match commands::read(line) {
            Command::Nothing => {}
            Command::Quit => return Flow::Leave(self.code),
            Command::Help(topic) => {
                let text = commands::help(topic, &self.worker.fresh_names());
                return self.show(text.map(Ending::Value));
            }
            Command::Demo => {
                return demo::run(self.place, &mut |line| self.eval(line))
                    .map_or_else(|failure| self.show(Err(failure)), |()| Flow::Continue);
            }
            Command::Script { text, is_background: true } if self.notices.is_some() => self.begin(text),
            Command::Script { text, .. } => {
                let outcome = self.eval(text);
                return self.show(outcome);
            }
        }
        Flow::Continue
    }

    /// Evaluates a line and waits for its end.
    fn eval(&self, text: &str) -> Outcome<Ending> {
        if self.n_running.load(Ordering::Relaxed) > 0 {
            console::talk("(waits for the line in the background; Ctrl-C interrupts that one)");
        }
        let line = text.to_string();
        self.worker.ask(move |host| host.eval(&line, false))
    }

    /// Evaluates a line in the background; its result appears above the prompt.
    fn begin(&self, text: &str) {
        let Some(notices) = self.notices.clone() else { return };
        let (line, place, n_running) = (text.to_string(), self.place, Arc::clone(&self.n_running));
        n_running.fetch_add(1, Ordering::Relaxed);
        self.worker.submit(
            move |host| host.eval(&line, true),
            move |outcome| {
                n_running.fetch_sub(1, Ordering::Relaxed);
                notices.result(match outcome {
                    Ok(Ending::Value(text)) if text.is_empty() => "(done)\n".to_string(),
                    Ok(Ending::Value(text)) => console::with_newline(&text),
                    Ok(Ending::Exit(_)) => "exit() in the background does not end the shell\n".to_string(),
                    Err(failure) => console::failure_text(&failure, place),
                });
            },
        );
    }

    fn show(&mut self, outcome: Outcome<Ending>) -> Flow {
        if let Some(notices) = &self.notices {
            notices.flush();
        }
        match outcome {
            Ok(Ending::Value(text)) => console::print_line(&text),
            Ok(Ending::Exit(code)) => return Flow::Leave(code),
            Err(failure) => {
                if self.notices.is_none() {
                    self.code = console::exit_code(&failure);
                }
                console::talk(&console::failure_text(&failure, self.place));
            }
        }
        Flow::Continue
    }

    /// The prompt, plain and styled.
    fn prompt(&self) -> (String, String) {
        let position = &self.worker.names().get().position;
        let here = if position.is_empty() { String::new() } else { format!("{position} ") };
        let bold = |text| paint(self.place.has_color, ContentStyle::new().bold(), text);
        let styled = format!("{} {here}{} ", bold("cinema"), bold("▸"));
        (format!("cinema {here}▸ "), styled)
    }

    /// Ctrl-C at the prompt, `n_presses` in a row: the second one interrupts what runs in the background, or leaves when
    /// it follows at once.
    fn interrupt_at_prompt(&self, n_presses: u32) -> Flow {
        match (self.n_running.load(Ordering::Relaxed), n_presses) {
            (0, _) if interrupt::insists() => return Flow::Leave(EXIT_INTERRUPTED),
            (0, 1) => {}
            (0, _) => console::talk("(Ctrl-D or quit leaves)"),
            (_, 1) => console::talk("(a line runs in the background: Ctrl-C again interrupts it)"),
            _ => self.worker.interrupt(),
        }
        Flow::Continue
    }
}
