//! Ctrl-C: sets the one token that scripts and native loops poll. A second one within a second
//! ends the program. Where that is wanted, being asked to end (SIGTERM) is the same. It must not know what is being
//! interrupted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use tokio::signal::unix::{SignalKind, signal};

/// Exit code of a run that Ctrl-C ended.
pub const EXIT_INTERRUPTED: u8 = 130;

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
/// On return the listening has begun: the line editor saves and restores the signal's handler around each
/// line, and must find ours. Where signals cannot be had, Ctrl-C ends the program as usual. With `is_ended_gently`,
/// SIGTERM and SIGHUP set the token, too, for who saves something then.
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

/// Says by `ready` that the handler is installed; dropping it says that it cannot be.
fn wait_for_signals(token: &Token, ready: &Sender<()>, is_ended_gently: bool) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
    runtime.block_on(async {
        let Ok(mut signals) = signal(SignalKind::interrupt()) else { return };
        // With a handler, a limit of the shell (ulimit -f) is an error of the write, told like a full disk.
        let _large_files = signal(SignalKind::from_raw(SIGXFSZ));
        let others = if is_ended_gently { &[SignalKind::terminate(), SignalKind::hangup()][..] } else { &[] };
        for kind in others {
            let Ok(mut signals) = signal(*kind) else { return };
            let token = Arc::clone(token);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    token.store(true, Ordering::Relaxed);
                }
            });
        }
        if ready.send(()).is_err() {
            return;
        }
        while signals.recv().await.is_some() {
            if insists() {
                super::terminal::restore();
                std::process::exit(i32::from(EXIT_INTERRUPTED));
            }
            token.store(true, Ordering::Relaxed);
        }
    });
}
