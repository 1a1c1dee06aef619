//! The shell on a real (pseudo) terminal: typing through a flood of notices, Ctrl-C, completion, playback.
//! Waits are for things to appear on the screen, never for time to pass.

use std::io::{Read, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take to appear, on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// The screen as the program draws it, with a count of the chunks that were read.
struct Screen {
    parser: vt100::Parser,
    n_chunks: u64,
    is_closed: bool,
    /// All that was printed: in a flood a line may be gone from the screen before anybody looks.
    printed: Vec<u8>,
}

/// `cinema` on a terminal.
struct Terminal {
    screen: Arc<(Mutex<Screen>, Condvar)>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    _home: tempfile::TempDir,
}

impl Terminal {
    /// Starts the binary and waits for its prompt.
    fn start(args: &[&str]) -> Terminal {
        let home = tempfile::tempdir().unwrap();
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_cinema"));
        command.args(args);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.env("CINEMA_HISTORY", home.path().join("history"));
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = vt100::Parser::new(ROWS, COLUMNS, 0);
        let screen = Arc::new((
            Mutex::new(Screen { parser, n_chunks: 0, is_closed: false, printed: Vec::new() }),
            Condvar::new(),
        ));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                // A terminal whose program is gone gives an error instead of an end.
                let n_read = output.read(&mut chunk).unwrap_or(0);
                // The test may have failed while it held the screen.
                let Ok(mut screen) = shared.0.lock() else { return };
                screen.parser.process(&chunk[..n_read]);
                screen.n_chunks += 1;
                screen.printed.extend_from_slice(&chunk[..n_read]);
                screen.is_closed = n_read == 0;
                shared.1.notify_all();
                if n_read == 0 {
                    return;
                }
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Terminal { screen, keyboard, child, _master: pair.master, _home: home }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until `holds` says yes to the screen's text; gives that text.
    fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        self.wait_for(what, |screen| holds(&screen.parser.screen().contents()))
    }

    fn wait_for(&self, what: &str, holds: impl Fn(&Screen) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut screen = self.screen.0.lock().unwrap();
        loop {
            if holds(&screen) {
                return screen.parser.screen().contents();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let contents = screen.parser.screen().contents();
            assert!(!left.is_zero() && !screen.is_closed, "{what} did not appear on the screen:\n{contents}");
            screen = self.screen.1.wait_timeout(screen, left).unwrap().0;
        }
    }

    /// Waits until more output than now has come.
    fn wait_for_output(&self) {
        let before = self.screen.0.lock().unwrap().n_chunks;
        self.wait_for("more output", |screen| screen.n_chunks > before);
    }

    /// Waits until `text` is printed, from what was printed before on.
    fn wait_for_text(&self, what: &str, text: &str, printed_before: usize) {
        self.wait_for(what, |screen| String::from_utf8_lossy(&screen.printed[printed_before..]).contains(text));
    }

    fn n_printed(&self) -> usize {
        self.screen.0.lock().unwrap().printed.len()
    }

    fn wait_for_prompt(&self) -> String {
        self.wait("a prompt", |text| last_line(text).trim_end().ends_with('▸'))
    }

    /// Types a line and waits for the prompt after it.
    fn line(&mut self, line: &str) -> String {
        self.press(&format!("{line}\r"));
        self.wait("the line's end", |text| text.contains(line) && last_line(text).trim_end().ends_with('▸'))
    }

    /// Waits until the program has closed the terminal; gives its exit code.
    fn exit_code(mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        let mut screen = self.screen.0.lock().unwrap();
        while !screen.is_closed {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it does not end:\n{}", screen.parser.screen().contents());
            screen = self.screen.1.wait_timeout(screen, left).unwrap().0;
        }
        drop(screen);
        self.child.wait().unwrap().exit_code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.child.kill();
    }
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("")
}

#[test]
fn a_line_typed_through_a_flood_of_hits_stays_intact() {
    let mut terminal = Terminal::start(&[]);
    terminal.wait_for_prompt();
    terminal.line("let s = sandbox(\"examples/bank\")");
    terminal.line("start_link(\"bank_sup\", (), \"bank\")");
    terminal.line("start(\"customer\", #{name: \"dora\", transfers: 1000000, pause_ms: 1}, \"dora\")");
    terminal.line("brk(|e| true, action::log(\"flood\"))");
    terminal.press("loop { run_for(\"1s\") } &\r");
    terminal.wait("the flood", |text| text.matches("flood").count() > 10);
    for key in "40 + 2 // typed through it".chars() {
        terminal.press(&key.to_string());
        terminal.wait_for_output();
    }
    let text = terminal.wait("the typed line", |text| last_line(text).ends_with("▸ 40 + 2 // typed through it"));
    assert_eq!(text.matches("typed through it").count(), 1, "{text}");
    // Ctrl-C clears the line; again, with nothing typed between, it interrupts what runs in the background.
    let before = terminal.n_printed();
    terminal.press("\x03");
    terminal.wait_for_text("a word on how to interrupt", "Ctrl-C again", before);
    terminal.press("\x03");
    terminal.wait_for_text("the interruption", "interrupted", before);
    let text = terminal.line("60 * 7");
    assert!(text.contains("420"), "{text}");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn ctrl_c_interrupts_an_endless_loop_and_the_session_lives() {
    let mut terminal = Terminal::start(&[]);
    terminal.wait_for_prompt();
    terminal.line("let kept = 6");
    terminal.press("print(\"looping\"); loop { }\r");
    terminal.wait("the loop", |text| text.lines().any(|line| line.trim() == "looping"));
    terminal.press("\x03");
    terminal.wait("the interruption", |text| text.contains("interrupted") && last_line(text).trim_end().ends_with('▸'));
    let text = terminal.line("kept * 7");
    assert!(text.contains("42"), "{text}");
    terminal.press("quit\r");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn ctrl_c_twice_at_the_prompt_ends_the_program() {
    let mut terminal = Terminal::start(&[]);
    terminal.wait_for_prompt();
    terminal.press("\x03");
    terminal.wait("the prompt again", |text| text.matches('▸').count() > 1);
    terminal.press("\x03");
    assert_eq!(terminal.exit_code(), 130);
}

#[test]
fn tab_completes_and_ctrl_c_clears_the_line() {
    let mut terminal = Terminal::start(&[]);
    terminal.wait_for_prompt();
    terminal.press("sandboxe\t");
    terminal.wait("the completion", |text| last_line(text).contains("sandboxes()"));
    terminal.press("\x03");
    terminal.wait_for_prompt();
    terminal.press("if true {\r7 * 6 }\r");
    let text = terminal.wait("the value", |text| text.contains("42") && last_line(text).trim_end().ends_with('▸'));
    assert!(!text.contains("error"), "{text}");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn playback_pauses_steps_and_gives_the_terminal_back() {
    let mut terminal = Terminal::start(&["open", "tests/data/ejabberd-small.trace"]);
    terminal.wait_for_prompt();
    terminal.press("play(1)\r");
    terminal.wait("the list", |text| text.contains("playing"));
    terminal.press(" ");
    terminal.wait("the pause", |text| text.contains("paused"));
    terminal.press("\x1b[C");
    terminal.wait_for_output();
    terminal.press("q");
    terminal.wait_for_prompt();
    let text = terminal.line("40 + 2");
    assert!(text.contains("42"), "{text}");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn the_demo_waits_for_enter_and_its_history_is_kept() {
    let mut terminal = Terminal::start(&[]);
    terminal.wait_for_prompt();
    terminal.press("demo()\r");
    terminal.wait("the first step", |text| last_line(text).contains("Enter goes on"));
    terminal.press("\r");
    terminal.wait("the second step", |text| text.contains("2 of 7") && last_line(text).contains("Enter goes on"));
    terminal.press("q\r");
    terminal.wait_for_prompt();
    // What the demo made is there to be asked, and the line is in the history.
    let text = terminal.line("processes().len()");
    assert!(text.lines().any(|line| line.trim() == "8"), "{text}");
    terminal.press("\x1b[A\x1b[A");
    terminal.wait("the line before", |text| last_line(text).ends_with("▸ demo()"));
    terminal.press("\x03");
    terminal.wait_for_prompt();
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
}
