//! The shell on a terminal: rustyline's editor with our helper, history and prompt.
//! It must not know what lines mean.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor, ExternalPrinter};

use super::helper::LineHelper;
use super::notices::Notices;
use super::{Flow, Lines};
use crate::app::console;
use crate::app::host::Host;
use crate::app::terminal::Place;
use crate::app::worker::Worker;
use crate::model::{Failure, Outcome};

/// Lines of history that are kept.
const HISTORY_LINES_MAX: usize = 10_000;

/// The line editor, and the notices that print above its prompt.
pub struct Terminal {
    editor: Editor<LineHelper, DefaultHistory>,
    notices: Notices,
    place: Place,
    history: Option<PathBuf>,
}

impl Terminal {
    /// Takes the terminal. Errors: it cannot be opened.
    pub fn open(place: Place) -> Outcome<Terminal> {
        let config = Config::builder()
            .max_history_size(HISTORY_LINES_MAX)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(unusable)?
            .completion_type(CompletionType::List)
            .color_mode(if place.has_color { ColorMode::Enabled } else { ColorMode::Disabled })
            .build();
        let mut editor = Editor::with_config(config).map_err(unusable)?;
        let notices = match editor.create_external_printer() {
            // Errors here mean that the terminal is gone: nothing can be shown.
            Ok(mut printer) => Notices::start(move |text| drop(printer.print(text))),
            // A dumb terminal has no such printer; lines then come as they come.
            Err(_) => Notices::start(|text| console::print(&text)),
        };
        let notices = notices.map_err(|error| unusable(error.into()))?;
        Ok(Terminal { editor, notices, place, history: history_path() })
    }

    /// Where the session sends its notices.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Reads and evaluates lines until the user leaves; gives the exit code.
    pub fn run<H: Host + 'static>(mut self, worker: &Worker<H>) -> u8 {
        self.editor.set_helper(Some(LineHelper::new(worker.names().clone())));
        self.load_history();
        let mut lines = Lines::new(worker, self.place, Some(self.notices.clone()));
        let mut n_interrupts = 0;
        loop {
            match self.editor.readline(&lines.prompt()) {
                Ok(line) => {
                    n_interrupts = 0;
                    self.remember(&line);
                    if let Flow::Leave(code) = lines.take(&line) {
                        return code;
                    }
                }
                Err(ReadlineError::Interrupted) => {
                    n_interrupts += 1;
                    if let Flow::Leave(code) = lines.interrupt_at_prompt(n_interrupts) {
                        return code;
                    }
                }
                Err(ReadlineError::Eof) => return 0,
                Err(error) => {
                    console::talk(&console::failure_text(&unusable(error), self.place));
                    return console::EXIT_ERROR;
                }
            }
        }
    }

    fn load_history(&mut self) {
        let Some(path) = &self.history else { return };
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        if let Err(error) = made {
            console::talk(&format!("history is not kept: {}: {error}", path.display()));
            self.history = None;
            return;
        }
        if path.exists()
            && let Err(error) = self.editor.load_history(path)
        {
            console::talk(&format!("history cannot be read: {}: {error}", path.display()));
        }
    }

    /// Keeps the line, at once: a crash must not cost what was typed.
    fn remember(&mut self, line: &str) {
        let is_new = self.editor.add_history_entry(line).unwrap_or(false);
        if let (true, Some(path)) = (is_new, &self.history)
            && let Err(error) = self.editor.append_history(path)
        {
            console::talk(&format!("history is not kept any more: {}: {error}", path.display()));
            self.history = None;
        }
    }
}

fn unusable(error: ReadlineError) -> Failure {
    Failure::io(format!("the terminal cannot be used: {error}"))
        .hint("run a script instead: cinema run SCRIPT, cinema -e EXPR, or lines on standard input")
}

/// `CINEMA_HISTORY` (empty: none), else `cinema/history` in the user's state directory.
fn history_path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if let Some(path) = set("CINEMA_HISTORY") {
        return (!path.as_os_str().is_empty()).then_some(path);
    }
    let state = set("XDG_STATE_HOME").filter(|dir| dir.is_absolute());
    let state = state.or_else(|| set("HOME").map(|home| home.join(".local/state")));
    state.map(|dir| dir.join("cinema").join("history"))
}
