//! A recording played as a list of events: live on a terminal, where any key pauses and arrows step;
//! at full speed elsewhere. It must not know recordings: a [`Film`] gives the lines.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::style::Stylize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::interrupt::Token;
use super::terminal::RawMode;
use crate::model::{Failure, Outcome};

/// Longest wait between two events: a quiet hour is not watched in real time.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Events that are drawn in one go when they are nearer to each other than this.
const FRAME: Duration = Duration::from_millis(16);
/// How often the key thread looks whether it is still wanted, and Ctrl-C is looked for.
const POLL: Duration = Duration::from_millis(100);
const SPEED_MIN: f64 = 1.0 / 1024.0;
const SPEED_MAX: f64 = 1024.0 * 1024.0;

/// Which way time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Back,
}

/// A cursor over events that gives each as a line.
pub trait Film {
    /// Moves by one event and gives the line of the one now stood on; `None` at the edge.
    fn step(&mut self, direction: Direction) -> Option<String>;
    /// Recorded time from the current event to the one that [`Film::step`] would give, in ns; `None` at the edge.
    fn gap_ns(&self, direction: Direction) -> Option<i64>;
    /// Where it stands: `#1234 of 13 399  +5.2 ms`.
    fn position(&self) -> String;
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    TogglePause,
    Step(Direction),
    Faster,
    Slower,
    Quit,
}

/// Prints what is left of the film without waiting, as far as the token lets it.
pub fn print_all(film: &mut dyn Film, direction: Direction, interrupt: &Token, out: &mut dyn Write) -> Outcome<()> {
    while let Some(line) = film.step(direction) {
        if interrupt.load(Ordering::Relaxed) {
            return Err(Failure::interrupted());
        }
        writeln!(out, "{line}").map_err(unwritable)?;
    }
    Ok(())
}

fn unwritable(error: std::io::Error) -> Failure {
    Failure::io(format!("cannot write to the terminal: {error}"))
}

/// Plays the film on the terminal at `speed` times the recorded one (more than 0), until `q`.
pub fn play_live(film: &mut dyn Film, direction: Direction, speed: f64, interrupt: &Token) -> Outcome<()> {
    let raw_mode = RawMode::enter().map_err(unwritable)?;
    let keys = Keys::listen().map_err(unwritable)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(unwritable)?;
    let speed = speed.clamp(SPEED_MIN, SPEED_MAX);
    let mut player = Player { film, direction, speed, is_paused: false, is_over: false };
    let ended = runtime.block_on(player.run(keys, interrupt));
    drop(raw_mode);
    ended
}

/// Keys from a thread of their own; it ends when this is dropped.
struct Keys {
    wishes: mpsc::Receiver<Wish>,
    is_wanted: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Keys {
    fn listen() -> std::io::Result<Keys> {
        let (sender, wishes) = mpsc::channel(16);
        let is_wanted = Arc::new(AtomicBool::new(true));
        let wanted = Arc::clone(&is_wanted);
        let thread = std::thread::Builder::new().name("keys".into()).spawn(move || {
            while wanted.load(Ordering::Relaxed) {
                let wish = match crossterm::event::poll(POLL) {
                    Ok(false) => continue,
                    Ok(true) => crossterm::event::read().ok().and_then(|event| wish_of(&event)),
                    Err(_) => Some(Wish::Quit),
                };
                if wish.is_some_and(|wish| sender.blocking_send(wish).is_err()) {
                    return;
                }
            }
        })?;
        Ok(Keys { wishes, is_wanted, thread: Some(thread) })
    }
}

impl Drop for Keys {
    /// Waits for the thread, so that it never takes a key from the line editor.
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::Relaxed);
        self.wishes.close();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, there is nothing left to end.
            let _ = thread.join();
        }
    }
}

/// What a key means; any key that has no other meaning pauses.
fn wish_of(event: &Event) -> Option<Wish> {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) = event else { return None };
    Some(match code {
        KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => Wish::Quit,
        KeyCode::Char('q') | KeyCode::Esc => Wish::Quit,
        KeyCode::Right | KeyCode::Char('l') => Wish::Step(Direction::Forward),
        KeyCode::Left | KeyCode::Char('h') => Wish::Step(Direction::Back),
        KeyCode::Char('+' | '=') | KeyCode::Up => Wish::Faster,
        KeyCode::Char('-') | KeyCode::Down => Wish::Slower,
        _ => Wish::TogglePause,
    })
}

struct Player<'f> {
    film: &'f mut dyn Film,
    direction: Direction,
    speed: f64,
    is_paused: bool,
    is_over: bool,
}

impl Player<'_> {
    async fn run(&mut self, mut keys: Keys, interrupt: &Token) -> Outcome<()> {
        self.show_status()?;
        let mut due = Instant::now() + self.wait();
        loop {
            let tick = due.min(Instant::now() + POLL);
            tokio::select! {
                biased;
                wish = keys.wishes.recv() => match wish {
                    Some(Wish::Quit) | None => break,
                    Some(Wish::TogglePause) if self.is_over => break,
                    Some(wish) => {
                        self.follow(wish)?;
                        due = Instant::now() + self.wait();
                    }
                },
                () = tokio::time::sleep_until(tick) => {}
            }
            if interrupt.load(Ordering::Relaxed) {
                break;
            }
            if self.is_paused || self.is_over {
                due = Instant::now() + POLL;
            } else if Instant::now() >= due {
                self.advance()?;
                due = Instant::now() + self.wait();
            }
        }
        self.write("\r\x1b[K")
    }

    /// Real time until the next event.
    fn wait(&self) -> Duration {
        let gap_ns = self.film.gap_ns(self.direction).unwrap_or(0).max(0) as f64 / self.speed;
        Duration::from_nanos(gap_ns.min(PAUSE_MAX.as_nanos() as f64) as u64)
    }

    /// Shows the next event and those that follow within a frame of the screen.
    fn advance(&mut self) -> Outcome<()> {
        let mut lines = Vec::new();
        let mut shown = Duration::ZERO;
        loop {
            match self.film.step(self.direction) {
                Some(line) => lines.push(line),
                None => self.is_over = true,
            }
            shown += self.wait();
            if self.is_over || shown >= FRAME || lines.len() >= 500 {
                break;
            }
        }
        self.show(&lines)
    }

    fn follow(&mut self, wish: Wish) -> Outcome<()> {
        match wish {
            Wish::Quit => {}
            Wish::TogglePause => self.is_paused = !self.is_paused,
            Wish::Faster => self.speed = (self.speed * 2.0).min(SPEED_MAX),
            Wish::Slower => self.speed = (self.speed / 2.0).max(SPEED_MIN),
            Wish::Step(direction) => {
                let line = self.film.step(direction);
                self.is_over = line.is_none() && direction == self.direction;
                self.is_paused = !self.is_over;
                return self.show(line.as_slice());
            }
        }
        self.show_status()
    }

    fn show(&self, lines: &[String]) -> Outcome<()> {
        let text: String = lines.iter().map(|line| format!("\r\x1b[K{line}\r\n")).collect();
        self.write(&text)?;
        self.show_status()
    }

    /// The line under the list: state, position, speed, keys.
    fn show_status(&self) -> Outcome<()> {
        let state = match (self.is_over, self.is_paused, self.direction) {
            (true, _, Direction::Forward) => "end",
            (true, _, Direction::Back) => "beginning",
            (_, true, _) => "paused",
            (_, _, Direction::Forward) => "playing",
            (_, _, Direction::Back) => "rewinding",
        };
        let keys =
            if self.is_over { "←/→ step · q quit" } else { "space pause · ←/→ step · +/- speed · q quit" };
        let status = format!("{state}  {}  {}  {keys}", self.film.position(), show_speed(self.speed));
        let width = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns)).max(2);
        let status: String = status.chars().take(width - 1).collect();
        self.write(&format!("\r\x1b[K{}", status.reverse()))
    }

    fn write(&self, text: &str) -> Outcome<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(unwritable)
    }
}

/// `×2`, or `×1/4`.
fn show_speed(speed: f64) -> String {
    if speed >= 1.0 { format!("×{speed:.0}") } else { format!("×1/{:.0}", 1.0 / speed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events one millisecond apart.
    struct Numbers {
        at: i64,
        n: i64,
    }

    impl Film for Numbers {
        fn step(&mut self, direction: Direction) -> Option<String> {
            let next = if direction == Direction::Forward { self.at + 1 } else { self.at - 1 };
            (1..=self.n).contains(&next).then(|| {
                self.at = next;
                format!("event {next}")
            })
        }
        fn gap_ns(&self, _: Direction) -> Option<i64> {
            Some(1_000_000)
        }
        fn position(&self) -> String {
            format!("#{}", self.at)
        }
    }

    #[test]
    fn without_a_terminal_everything_is_printed_at_once() {
        let mut out = Vec::new();
        print_all(&mut Numbers { at: 0, n: 3 }, Direction::Forward, &Token::default(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "event 1\nevent 2\nevent 3\n");
    }

    #[test]
    fn the_token_ends_it() {
        let token = Token::new(AtomicBool::new(true));
        let ended = print_all(&mut Numbers { at: 0, n: 3 }, Direction::Forward, &token, &mut Vec::new());
        assert_eq!(ended, Err(Failure::interrupted()));
    }

    #[test]
    fn any_other_key_pauses() {
        let key = |code| wish_of(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        assert_eq!(key(KeyCode::Char(' ')), Some(Wish::TogglePause));
        assert_eq!(key(KeyCode::F(5)), Some(Wish::TogglePause));
        assert_eq!(key(KeyCode::Left), Some(Wish::Step(Direction::Back)));
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(wish_of(&Event::Key(ctrl_c)), Some(Wish::Quit));
        assert_eq!(wish_of(&Event::Resize(1, 1)), None);
    }
}
