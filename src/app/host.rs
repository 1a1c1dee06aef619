//! What the shell needs of the session: evaluate a line, name things, say where it stands.
//!
//! The line editor and the command line know the session only through [`Host`]; everything that
//! crosses threads is plain text and names. It must not know terms or terminals.

use std::sync::Arc;

use crate::model::{Outcome, nearest};
use crate::script::api::FunctionHelp;

/// The session as the shell drives it. It lives on one thread and is made there.
pub trait Host {
    /// Evaluates one line of the REPL; the session's variables stay. In the background nothing may touch the
    /// terminal: what a script prints is told as a notice.
    fn eval(&mut self, line: &str, is_background: bool) -> Outcome<Ending>;
    /// Runs a whole script as a batch; `name` stands in error messages.
    fn run(&mut self, name: &str, text: &str, args: &[String]) -> Outcome<Ending>;
    /// Opens a recording, makes it the current source and says what it is.
    fn open(&mut self, path: &str) -> Outcome<Ending>;
    /// Plays the current source from its start as a list of events; live where output is a terminal.
    fn play(&mut self, speed: f64) -> Outcome<Ending>;
    /// Records what live sources have done; gives whether there are any. Takes some 50 ms at most.
    fn drain(&mut self) -> bool {
        false
    }
    /// What can be typed now. Called after every line: its cost is bounded, whatever is open.
    fn names(&mut self) -> Names;
}

/// How an evaluation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A value, rendered; empty for `()`.
    Value(String),
    /// `exit(n)` was called.
    Exit(u8),
}

/// What can be typed and where the session stands, published after every line.
#[derive(Clone, Default)]
pub struct Names {
    /// The current moment for the prompt: `#1234 +5.2ms`; empty when nothing is open.
    pub position: String,
    /// In the order of the reference; Rhai's own come last, in no chapter.
    pub functions: Arc<[FunctionHelp]>,
    pub variables: Vec<String>,
    /// Keys of the maps that variables hold, and properties of values.
    pub keys: Vec<String>,
    /// As they are typed: `<0.123.0>`.
    pub pids: Vec<String>,
    pub registered: Vec<String>,
    /// Marks and snapshots.
    pub marks: Vec<String>,
}

impl Names {
    /// The overloads of a function.
    pub fn overloads<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n FunctionHelp> {
        self.functions.iter().filter(move |f| f.name == name)
    }
    /// The known function that is spelt most like `name`, if any is near enough to be meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.functions.iter().map(|f| f.name.as_str())).first().copied()
    }
}

#[cfg(test)]
pub(super) mod fake {
    //! A host that repeats what it hears and counts it.
    use super::*;

    #[derive(Default)]
    pub struct Fake {
        n_lines: u32,
    }

    impl Host for Fake {
        fn eval(&mut self, line: &str, _: bool) -> Outcome<Ending> {
            self.n_lines += 1;
            Ok(Ending::Value(format!("<{line}>")))
        }
        fn run(&mut self, _name: &str, text: &str, _args: &[String]) -> Outcome<Ending> {
            self.eval(text, false)
        }
        fn open(&mut self, path: &str) -> Outcome<Ending> {
            self.eval(path, false)
        }
        fn play(&mut self, speed: f64) -> Outcome<Ending> {
            self.eval(&speed.to_string(), false)
        }
        fn names(&mut self) -> Names {
            Names { position: format!("#{}", self.n_lines), ..Names::default() }
        }
    }
}
