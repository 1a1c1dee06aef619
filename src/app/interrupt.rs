//! Ctrl-C: sets the one token that scripts and native loops poll. A second one within a second
//! ends the program, as does being asked to end (SIGTERM); where that is wanted, it is the same as Ctrl-C. It must not know what is being
//! interrupted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use tokio::signal::unix::{SignalKind, signal};

/// Exit code of a run that Ctrl-C ended.
pub const EXIT_INTERRUPTED: u8 = 130;

/// What a shell adds to a signal's number for the exit code of whom it ended.
const EXIT_SIGNAL: i32 = 128;

/// What a program is sent that would make a file larger than it may; the same number on Linux and macOS.
const SIGXFSZ: i32 = 25;

/// A second Ctrl-C within this time ends the program.
const INSIST_WITHIN: Duration = Duration::from_secs(1);

/// When Ctrl-C came last, as a signal or as a key at the prompt.
static LAST: Mutex<Option<Instant>> = Mutex::new(None);

/// Notes a Ctrl-C; gives whether it follows another within a second.
pub fn insists() -> bool {
    let before = LAST.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
    before.is_some_and(|before| before.elapsed() < INSIST_WITHIN)
}

/// The token that everything long polls; cloned freely.
pub type Token = Arc<AtomicBool>;

/// Starts the thread that listens for Ctrl-C and gives the token that it sets.
///
/// SIGTERM and SIGHUP end the program at once, and what it is writing is not left half. With `is_ended_gently` they set the
/// token, too, for who saves something then.
///
/// On return the listening has begun: the line editor saves and restores the signal's handler around each
/// line, and must find ours. Where signals cannot be had, Ctrl-C ends the program as usual.
pub fn listen(is_ended_gently: bool) -> Token {
    let token = Token::default();
    let shared = Arc::clone(&token);
    let (ready, is_ready) = bounded(1);
    let thread = std::thread::Builder::new().name("interrupt".into());
    let listening = thread.spawn(move || wait_for_signals(&shared, &ready, is_ended_gently)).map(|_| is_ready.recv());
    if !matches!(listening, Ok(Ok(()))) {
        eprintln!("warning: signals cannot be had: Ctrl-C will end the program");
    }
    token
}

/// Ends the program, whatever it is doing.
fn end(code: i32) -> ! {
    super::terminal::restore();
    crate::store::remove_temporaries();
    std::process::exit(code)
}

/// Whether who started us wants that nothing comes of a signal, as `nohup` does; known where the system has `/proc`.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// Says by `ready` that the handler is installed; dropping it says that it cannot be.
fn wait_for_signals(token: &Token, ready: &Sender<()>, is_ended_gently: bool) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    runtime.block_on(async {
        let Ok(mut signals) = signal(SignalKind::interrupt()) else { return };
        // With a handler, a limit of the shell (ulimit -f) is an error of the write, told like a full disk.
        let _large_files = signal(SignalKind::from_raw(SIGXFSZ));
        for kind in [SignalKind::terminate(), SignalKind::hangup()].into_iter().filter(|kind| !is_ignored(*kind)) {
            let Ok(mut signals) = signal(kind) else { return };
            let token = Arc::clone(token);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    if !is_ended_gently {
                        end(EXIT_SIGNAL + kind.as_raw_value());
                    }
                    token.store(true, Ordering::Relaxed);
                }
            });
        }
        if ready.send(()).is_err() {
            return;
        }
        while signals.recv().await.is_some() {
            if insists() {
                end(i32::from(EXIT_INTERRUPTED));
            }
            token.store(true, Ordering::Relaxed);
        }
    });
}
