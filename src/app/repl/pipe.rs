//! The shell without a terminal: lines from standard input, results on standard output, no prompt.
//! It must not know what lines mean.

use std::io::BufRead;

use super::{Flow, Lines, lex};
use crate::app::console;
use crate::app::host::Host;
use crate::app::terminal::Place;
use crate::app::worker::Worker;

/// Evaluates the lines of `input` one after the other; a line whose brackets are open goes on in the next.
///
/// A line that fails does not end it; the exit code is that of the last failure. With `is_echoed`,
/// prompt and line are printed before each result, so that the output reads as a transcript.
pub fn read_lines<H: Host + 'static>(worker: &Worker<H>, place: Place, is_echoed: bool, input: impl BufRead) -> u8 {
    let mut lines = Lines::new(worker, place, None);
    let mut whole = String::new();
    let mut reader = input.lines();
    loop {
        let next = match reader.next() {
            Some(Ok(line)) => Some(line),
            Some(Err(error)) => {
                console::talk(&format!("error: standard input: {error}"));
                return console::EXIT_ERROR;
            }
            None => None,
        };
        let is_end = next.is_none();
        if let Some(line) = next {
            if is_echoed {
                let prompt = if whole.is_empty() { lines.prompt().0 } else { "     … ".to_string() };
                console::print(&format!("{prompt}{line}\n"));
            }
            whole.push_str(&line);
            whole.push('\n');
        }
        if (is_end || !lex::is_open(&whole))
            && let Flow::Leave(code) = lines.take(&std::mem::take(&mut whole))
        {
            return code;
        }
        if is_end {
            return lines.code;
        }
    }
}
