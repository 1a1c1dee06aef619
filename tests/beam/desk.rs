//! A user at cinema's desk, in two ways: a console of the library, and the program itself. Must not know what is
//! tried on them.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use cinema::model::{Failure, Syntax};
use cinema::render::text::{self, TextOptions};
use cinema::script::ScriptEnd;
use cinema::script::api::{Block, Console, ConsoleOptions, Output, shown};
use cinema::session::Notice;

use crate::node::TestNode;

/// More than anything needs that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A console of the library.
pub struct Desk {
    console: Console,
    told: Rc<RefCell<Vec<String>>>,
}

impl Desk {
    /// A console without sources.
    pub fn new() -> Desk {
        let told = Rc::new(RefCell::new(Vec::new()));
        let notices = told.clone();
        let options =
            ConsoleOptions { interrupt: Default::default(), roots: vec![".".into()], seed: 1, n_rows_max: 10_000 };
        let output = Output {
            print: Box::new(|_| {}),
            show: Box::new(|_, _| Ok(())),
            notify: Box::new(move |notice| notices.borrow_mut().push(notice_text(&notice))),
        };
        Desk { console: Console::new(options, output), told }
    }

    /// A console that is attached to `node`; `options` are further entries of the map.
    pub fn attach(node: &TestNode, options: &str) -> Desk {
        let mut desk = Desk::new();
        desk.eval(&attach_line(node, options));
        desk
    }

    /// What a line gives, as text without colour.
    pub fn try_eval(&mut self, line: &str) -> Result<String, Failure> {
        match self.console.shell.eval_line(line) {
            Ok(value) => {
                let shown = shown(&value, Syntax::Erlang, 10_000);
                Ok(shown.blocks.iter().map(block).collect::<String>().trim_end().to_string())
            }
            Err(ScriptEnd::Failed(failure)) => Err(failure),
            Err(ScriptEnd::Exited(code)) => panic!("{line}: exit {code}"),
        }
    }

    /// As [`Desk::try_eval`].
    ///
    /// # Panics
    /// When it fails.
    pub fn eval(&mut self, line: &str) -> String {
        self.try_eval(line)
            .unwrap_or_else(|failure| panic!("{line}: {failure} {:?}\n{:#?}", failure.hints, self.told()))
    }

    /// The failure of a line, with its hints.
    pub fn fails(&mut self, line: &str) -> String {
        match self.try_eval(line) {
            Ok(text) => panic!("{line} gave {text}"),
            Err(failure) => format!("{} | {}", failure.error, failure.hints.join(" | ")),
        }
    }

    /// Evaluates a line again and again, while the recording follows what is live, until its text is as wanted.
    ///
    /// # Panics
    /// After [`PATIENCE`], with the last text.
    pub fn until(&mut self, line: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            self.drain();
            let text = self.eval(line);
            if is_wanted(&text) {
                return text;
            }
            if start.elapsed() > PATIENCE {
                let newest = self.eval("events().reversed().top(40)");
                panic!("{line} stays {text}\ntold: {:#?}\nthe newest events: {newest}", self.told.borrow());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until something has been told that has `text` in it, and gives it.
    pub fn until_told(&mut self, text: &str) -> String {
        let start = Instant::now();
        loop {
            self.drain();
            if let Some(line) = self.told.borrow().iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(start.elapsed() < PATIENCE, "nobody tells {text}: {:#?}", self.told.borrow());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Records what live sources did, as the shell does between two lines.
    pub fn drain(&mut self) {
        self.console.session.borrow_mut().drain().expect("the recording follows");
    }

    /// Everything that was told beside results, and forgets it.
    pub fn told(&self) -> Vec<String> {
        self.told.take()
    }

    /// What `process` did, an event a line: kind, class, tag, peer; `before` for what is older than the recording.
    pub fn story(&mut self, process: &str) -> String {
        self.eval(&format!(
            "let told = []; for e in events().pid({process:?}).all() {{
                let words = [e.kind, e.class, e.tag].filter(|word| type_of(word) == \"string\" && word != \"\");
                told.push(words.reduce(|line, word| if line == () {{ word }} else {{ line + ' ' + word }}));
            }} let text = \"\"; for line in told {{ text += line + \"\\n\"; }} text"
        ))
    }

    /// A number that a line gives.
    pub fn int(&mut self, line: &str) -> i64 {
        let text = self.eval(line);
        text.parse().unwrap_or_else(|_| panic!("{line} gives no number: {text}"))
    }
}

fn notice_text(notice: &Notice) -> String {
    match notice {
        Notice::Hit { name, text, .. } => format!("hit {name}: {text}"),
        Notice::Damage(text) => format!("damage: {text}"),
        Notice::Warning(text) | Notice::Progress(text) => text.clone(),
    }
}

fn block(block: &Block) -> String {
    let options = TextOptions { width: Some(400), n_rows_max: 10_000, ..TextOptions::default() };
    match block {
        Block::Text(text) => format!("{text}\n"),
        Block::Table(table) => text::table(table, &options),
        Block::Tree(tree) => text::tree(tree, &options),
    }
}

/// `attach("..", #{..})`.
pub fn attach_line(node: &TestNode, options: &str) -> String {
    let comma = if options.is_empty() { "" } else { ", " };
    format!("attach({:?}, #{{cookie_file: {:?}{comma}{options}}})", node.address_by_port(), node.cookie_file())
}

/// The program, at work in the background with its shell on a pipe. Dropped, it is killed.
pub struct Program {
    child: Child,
    input: Option<ChildStdin>,
    /// Lines of both outputs, in the order in which they came.
    lines: Receiver<String>,
    /// All of them so far.
    pub said: String,
}

/// The program as a command, in an environment without the user's settings.
pub fn cinema(epmd_port: Option<u16>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cinema"));
    command.env_remove("ERL_EPMD_PORT").env("NO_COLOR", "1");
    command.envs(epmd_port.map(|port| ("ERL_EPMD_PORT", port.to_string())));
    command
}

impl Program {
    /// Starts it; its shell reads what [`Program::type_line`] types.
    pub fn start(mut command: Command) -> Program {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let read = |source: Box<dyn std::io::Read + Send>| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                BufReader::new(source).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            });
        };
        read(Box::new(out));
        read(Box::new(err));
        let input = child.stdin.take();
        Program { child, input, lines, said: String::new() }
    }

    /// Attaches to `node`, with further arguments.
    pub fn attach(node: &TestNode, args: &[&str]) -> Program {
        let mut command = cinema(node.epmd_port());
        command.arg("attach").arg(node.address()).arg("--cookie-file").arg(node.cookie_file()).args(args);
        Program::start(command)
    }

    pub fn type_line(&mut self, line: &str) {
        let input = self.input.as_mut().expect("open until the end");
        // Where it has ended, what it said is looked at.
        let _ = writeln!(input, "{line}").and_then(|()| input.flush());
    }

    /// Reads until a line has `text` in it.
    ///
    /// # Panics
    /// After [`PATIENCE`], or at the program's end, with what it said.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|error| panic!("cinema does not say {text:?} ({error}): {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    /// Closes its input, waits for its end and gives all that it said.
    pub fn finish(mut self) -> String {
        drop(self.input.take());
        self.finish_reading()
    }

    fn finish_reading(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        let _ = self.child.wait();
        std::mem::take(&mut self.said)
    }

    pub fn os_pid(&self) -> u32 {
        self.child.id()
    }
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.os_pid().to_string()]).status();
        assert!(sent.expect("kill is a program").success());
    }
    /// Kills it, as a power cut would, and gives all that it said.
    pub fn kill(mut self) -> String {
        let _ = self.child.kill();
        self.finish_reading()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program that ends by itself has printed: both outputs, and whether it went well.
pub fn output(command: &mut Command) -> (String, bool) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (said, output.status.success())
}

/// A path for a file that a test writes, in a folder that goes with the test.
pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let file = folder.path().join("session.cinema");
    (folder, file)
}
