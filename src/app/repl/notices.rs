//! What appears above the prompt while the user types: hits of breakpoints, warnings, results of
//! lines that ran in the background.
//!
//! A thread of its own prints, because the line editor takes one message at a time and blocks the
//! sender meanwhile. Invariant: sending a notice never blocks; at most
//! [`limits::HIT_NOTICES_MAX`] wait, more are counted and the count is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, select_biased, unbounded};

use crate::model::limits;

/// How long a result waits for the notices before it. The printer may be held up by the editor,
/// which takes its last message only when it reads the next line.
const FLUSH_WAIT: Duration = Duration::from_millis(200);

/// The sending side; cloned freely.
#[derive(Clone)]
pub struct Notices {
    lines: Sender<String>,
    texts: Sender<Text>,
    n_dropped: Arc<AtomicU64>,
}

enum Text {
    /// Printed whole, after the notices before it. At most one per typed line.
    Result(String),
    /// Answered when everything before it is printed.
    Flush(Sender<()>),
}

impl Notices {
    /// Starts the printing thread. `print` writes one or more whole lines and may block.
    pub fn start(print: impl FnMut(String) + Send + 'static) -> std::io::Result<Notices> {
        let (lines, line_inbox) = bounded(limits::HIT_NOTICES_MAX);
        let (texts, text_inbox) = unbounded();
        let notices = Notices { lines, texts, n_dropped: Arc::default() };
        let n_dropped = Arc::clone(&notices.n_dropped);
        std::thread::Builder::new()
            .name("notices".into())
            .spawn(move || Printer { lines: line_inbox, texts: text_inbox, n_dropped, print }.serve())?;
        Ok(notices)
    }

    /// Queues one line, or counts it when too many wait.
    pub fn notice(&self, line: String) {
        if self.lines.try_send(line).is_err() {
            self.n_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
    /// Queues the result of a line that ran in the background.
    pub fn result(&self, text: String) {
        // The printer lives as long as the process: it holds the other end.
        let _ = self.texts.send(Text::Result(text));
    }
    /// Waits until what was queued is printed, or for [`FLUSH_WAIT`].
    pub fn flush(&self) {
        let (sender, done) = bounded(1);
        if self.texts.send(Text::Flush(sender)).is_ok() {
            // A time-out only means that the rest is printed later.
            let _ = done.recv_timeout(FLUSH_WAIT);
        }
    }
}

struct Printer<P> {
    lines: Receiver<String>,
    texts: Receiver<Text>,
    n_dropped: Arc<AtomicU64>,
    print: P,
}

impl<P: FnMut(String)> Printer<P> {
    fn serve(mut self) {
        loop {
            select_biased! {
                recv(self.lines) -> line => match line {
                    Ok(line) => self.print_waiting(Some(line)),
                    Err(_) => return,
                },
                recv(self.texts) -> text => {
                    self.print_waiting(None);
                    match text {
                        Ok(Text::Result(text)) => (self.print)(text),
                        // The asker may have stopped waiting.
                        Ok(Text::Flush(done)) => drop(done.send(())),
                        Err(_) => return,
                    }
                }
            }
        }
    }

    /// Prints `first` and all lines that wait in one go: the editor redraws once for them.
    fn print_waiting(&mut self, first: Option<String>) {
        let mut lines: Vec<String> = first.into_iter().chain(self.lines.try_iter()).collect();
        let n_dropped = self.n_dropped.swap(0, Ordering::Relaxed);
        if n_dropped > 0 {
            lines.push(format!("… {n_dropped} more notices came too fast to show; hits are kept: breakpoints()"));
        }
        if !lines.is_empty() {
            (self.print)(lines.join("\n") + "\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam::channel::unbounded;

    /// Notices whose printer waits for a permit before each print, and what it printed.
    fn stalled() -> (Notices, Sender<()>, Receiver<String>) {
        let (permit, permits) = unbounded::<()>();
        let (printed, output) = unbounded();
        let print = move |text: String| {
            permits.recv().unwrap();
            printed.send(text).unwrap();
        };
        (Notices::start(print).unwrap(), permit, output)
    }

    #[test]
    fn a_flood_is_bounded_and_the_excess_is_said() {
        let (notices, permit, output) = stalled();
        let n_sent = 3 * limits::HIT_NOTICES_MAX;
        for n in 0..n_sent {
            notices.notice(format!("hit {n}"));
        }
        notices.result("done\n".into());
        for _ in 0..4 {
            permit.send(()).unwrap();
        }
        let mut printed = String::new();
        while !printed.ends_with("done\n") {
            printed += &output.recv().unwrap();
        }
        let n_hits = printed.lines().filter(|l| l.starts_with("hit ")).count();
        let said: usize =
            printed.lines().filter_map(|l| l.strip_prefix("… ")?.split(' ').next()?.parse::<usize>().ok()).sum();
        assert!(n_hits >= limits::HIT_NOTICES_MAX, "{n_hits} were printed");
        assert_eq!(n_hits + said, n_sent, "every notice is printed or counted");
    }

    #[test]
    fn flush_returns_after_the_lines_before_it() {
        let (notices, permit, output) = stalled();
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        notices.notice("one".into());
        notices.flush();
        assert_eq!(output.try_recv().unwrap(), "one\n");
    }
}
