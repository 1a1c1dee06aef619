//! The two streams: results on standard output, talk on standard error; failures with their hints and
//! exit codes. It must not know what results are about.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::style::{ContentStyle, Stylize};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupt::EXIT_INTERRUPTED;
use super::terminal::{Place, paint};
use crate::model::{Failure, FailureKind};

/// Exit code of a run that failed.
pub const EXIT_ERROR: u8 = 1;
/// Exit code when a condition was met, or something found.
pub const EXIT_FOUND: u8 = 3;

/// Whether standard output speaks a protocol: then results are talk.
static IS_OUTPUT_TAKEN: AtomicBool = AtomicBool::new(false);

/// From now on nothing but the caller's own lines goes to standard output.
pub fn take_output() {
    IS_OUTPUT_TAKEN.store(true, Ordering::Relaxed);
}

/// Writes a result to standard output.
pub fn print(text: &str) {
    if IS_OUTPUT_TAKEN.load(Ordering::Relaxed) {
        return talk(text);
    }
    let mut out = std::io::stdout().lock();
    or_end(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Ends the program when standard output cannot be written: quietly where nobody reads any more (`cinema .. | head`), with
/// the reason where there is one (a full disk).
pub fn or_end(written: std::io::Result<()>) {
    let Err(error) = written else { return };
    if error.kind() != std::io::ErrorKind::BrokenPipe {
        talk(&format!("error: cannot write to standard output: {error}"));
    }
    std::process::exit(i32::from(EXIT_ERROR));
}

/// Standard output as a writer that never fails: see [`or_end`].
pub struct Out;

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        or_end(std::io::stdout().lock().write_all(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        or_end(std::io::stdout().lock().flush());
        Ok(())
    }
}

/// Writes a result as a line of its own, if there is any.
pub fn print_line(text: &str) {
    if !text.is_empty() {
        print(&with_newline(text));
    }
}

/// `text` ending with exactly one line break more than it needs to be whole lines.
pub fn with_newline(text: &str) -> String {
    if text.ends_with('\n') { text.to_string() } else { format!("{text}\n") }
}

/// Tells something beside the results. There is nobody to tell when that fails.
pub fn talk(text: &str) {
    let _ = std::io::stderr().lock().write_all(with_newline(text).as_bytes());
}

/// A bar on standard error that shows how far a long work is, where somebody looks.
pub fn progress_bar(template: &str) -> ProgressBar {
    let is_seen = std::io::stderr().is_terminal();
    let bar = ProgressBar::with_draw_target(
        None,
        if is_seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    bar.set_style(ProgressStyle::with_template(template).expect("the templates of this program are templates"));
    bar
}

/// A failure as the user reads it, hints below.
pub fn failure_text(failure: &Failure, place: Place) -> String {
    let style = ContentStyle::new();
    let head = if failure.kind == FailureKind::Interrupted { style.yellow() } else { style.red().bold() };
    let mut text = format!("{} {}\n", paint(place.has_color, head, "error:"), failure.error);
    for hint in &failure.hints {
        text.push_str(&format!("  {} {hint}\n", paint(place.has_color, style.cyan(), "hint:")));
    }
    text
}

/// The exit code that a failure ends a batch run with.
pub fn exit_code(failure: &Failure) -> u8 {
    if failure.kind == FailureKind::Interrupted { EXIT_INTERRUPTED } else { EXIT_ERROR }
}
