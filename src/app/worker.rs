//! The session's thread: everything that touches the session happens here, one request at a time.
//!
//! Requests come by a channel and answers go back as text, so that the line editor, the notices and
//! Ctrl-C live on threads of their own and a long run never freezes the typing. It must not know
//! who asks.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::host::{Ending, Host, Names};
use super::interrupt::Token;
use crate::model::{Failure, FailureKind, Outcome};

/// Bytes of the session thread's stack: scripts nest, and so do unoptimised evaluators.
const STACK_BYTES: usize = 64 << 20;

/// Something to do with the session.
type Task<H> = Box<dyn FnOnce(&mut H) -> Outcome<Ending> + Send>;

struct Request<H> {
    task: Task<H>,
    done: Box<dyn FnOnce(Outcome<Ending>) + Send>,
    /// It only looks: nothing that could be typed changes by it, and it interrupts no interruption.
    is_glance: bool,
}

/// The names as last published; readers never wait for what the session does.
#[derive(Clone, Default)]
pub struct PublishedNames(Arc<(Mutex<Option<Arc<Names>>>, Condvar)>);

/// How long a reader waits for the very first names: a key may come before the engine is made.
const FIRST_NAMES_WAIT: Duration = Duration::from_millis(500);

impl PublishedNames {
    /// The newest names; empty ones when there are none yet.
    pub fn get(&self) -> Arc<Names> {
        let (names, is_published) = &*self.0;
        let names = names.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = is_published.wait_timeout_while(names, FIRST_NAMES_WAIT, |names| names.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone().unwrap_or_default()
    }
    fn set(&self, names: Names) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(names));
        self.0.1.notify_all();
    }
}

/// A handle on the session's thread; clones are handles on the same one.
pub struct Worker<H> {
    requests: Sender<Request<H>>,
    names: PublishedNames,
    interrupt: Token,
}

impl<H> Clone for Worker<H> {
    fn clone(&self) -> Worker<H> {
        let Worker { requests, names, interrupt } = self;
        Worker { requests: requests.clone(), names: names.clone(), interrupt: Arc::clone(interrupt) }
    }
}

impl<H: Host + 'static> Worker<H> {
    /// Starts the thread; `make` builds the session on it. `interrupt` is lowered before each task.
    ///
    /// With `is_shell`, names are published after every task; a batch run does not pay for that.
    pub fn start(interrupt: Token, is_shell: bool, make: impl FnOnce() -> H + Send + 'static) -> Outcome<Worker<H>> {
        let (requests, inbox) = unbounded();
        let names = PublishedNames::default();
        let worker = Worker { requests, names: names.clone(), interrupt: Arc::clone(&interrupt) };
        let thread = std::thread::Builder::new().name("session".into()).stack_size(STACK_BYTES);
        let serve = move || {
            let mut host = make();
            serve(&mut host, &inbox, is_shell.then_some(&names), &interrupt);
        };
        match thread.spawn(serve) {
            Ok(_) => Ok(worker),
            Err(error) => Err(Failure::io(format!("cannot start the session's thread: {error}"))),
        }
    }

    /// The names that can be typed, as last published.
    pub fn names(&self) -> &PublishedNames {
        &self.names
    }
    /// The names as they are now: waits for what runs.
    pub fn fresh_names(&self) -> Arc<Names> {
        let names = self.names.clone();
        let asked = self.ask(move |host| {
            names.set(host.names());
            Ok(Ending::Value(String::new()))
        });
        // A failure leaves the names that were there.
        drop(asked);
        self.names.get()
    }
    /// The token that ends what runs now.
    pub fn interrupt(&self) {
        self.interrupt.store(true, Ordering::Relaxed);
    }

    /// Asks, without waiting; `done` is called on the session's thread and must not block.
    pub fn submit(
        &self,
        task: impl FnOnce(&mut H) -> Outcome<Ending> + Send + 'static,
        done: impl FnOnce(Outcome<Ending>) + Send + 'static,
    ) {
        // The thread ends only with the process; were it gone, `done` would be dropped, which its waiter notices.
        let _ = self.requests.send(Request { task: Box::new(task), done: Box::new(done), is_glance: false });
    }

    /// Has a look between two tasks: names are not published after it, so it may come 20 times a second.
    pub fn glance(&self, look: impl FnOnce(&mut H) + Send + 'static) {
        let task = Box::new(move |host: &mut H| {
            look(host);
            Ok(Ending::Value(String::new()))
        });
        // As above: a look that is dropped is noticed by its waiter.
        let _ = self.requests.send(Request { task, done: Box::new(drop), is_glance: true });
    }

    /// Asks and waits for the answer.
    pub fn ask(&self, task: impl FnOnce(&mut H) -> Outcome<Ending> + Send + 'static) -> Outcome<Ending> {
        let (sender, answer) = bounded(1);
        self.submit(task, move |answer| {
            // The waiter below cannot be gone.
            let _ = sender.send(answer);
        });
        answer.recv().unwrap_or_else(|_| Err(Failure::new(FailureKind::Script, "the session's thread is gone")))
    }
}

fn serve<H: Host>(host: &mut H, inbox: &Receiver<Request<H>>, names: Option<&PublishedNames>, interrupt: &Token) {
    let publish = |host: &mut H| {
        if let Some(names) = names {
            names.set(host.names());
        }
    };
    publish(host);
    let mut is_live = false;
    loop {
        let request = match inbox.recv_timeout(if is_live { LIVE_PAUSE } else { IDLE_PAUSE }) {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => {
                // Between two lines the recording keeps up with what is live.
                is_live = drain(host);
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // What a task was to be ended by is no business of the next; a look is not ended by it, and leaves it there.
        let is_left = interrupt.swap(false, Ordering::Relaxed) && request.is_glance;
        let outcome = contained(|| (request.task)(host));
        interrupt.fetch_or(is_left, Ordering::Relaxed);
        is_live = drain(host);
        if !request.is_glance {
            publish(host);
        }
        (request.done)(outcome);
    }
}

/// How long the thread waits for a line before it looks what live sources have done.
const LIVE_PAUSE: Duration = Duration::from_millis(15);
/// The same while there are none.
const IDLE_PAUSE: Duration = Duration::from_secs(3600);

/// Records what live sources did; a fault there is told once, by the next line that looks at them.
fn drain<H: Host>(host: &mut H) -> bool {
    std::panic::catch_unwind(AssertUnwindSafe(|| host.drain())).unwrap_or(false)
}

/// Turns a panic into a failure: a fault of ours must not cost the user the session.
fn contained(task: impl FnOnce() -> Outcome<Ending>) -> Outcome<Ending> {
    std::panic::catch_unwind(AssertUnwindSafe(task)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(Failure::new(FailureKind::Script, format!("a fault inside cinema: {text}"))
            .hint("the session goes on; save what you need and please report this line"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::host::fake::Fake;

    #[test]
    fn a_panic_is_an_answer_and_the_session_lives() {
        let worker = Worker::start(Token::default(), true, Fake::default).unwrap();
        let answer = worker.ask(|_| panic!("boom {}", 7));
        assert_eq!(answer.unwrap_err().error, "a fault inside cinema: boom 7");
        assert_eq!(worker.ask(|host: &mut Fake| host.eval("1 + 1", false)), Ok(Ending::Value("<1 + 1>".into())));
        assert_eq!(worker.names().get().position, "#1");
    }

    #[test]
    fn answers_come_in_order_and_the_token_is_lowered() {
        let token = Token::default();
        let worker = Worker::start(Arc::clone(&token), true, Fake::default).unwrap();
        let (sender, seen) = unbounded();
        for line in ["a", "b"] {
            let sender = sender.clone();
            worker.interrupt();
            worker.submit(move |host| host.eval(line, false), move |answer| sender.send(answer).unwrap());
        }
        assert_eq!(seen.recv().unwrap(), Ok(Ending::Value("<a>".into())));
        assert_eq!(seen.recv().unwrap(), Ok(Ending::Value("<b>".into())));
        worker.ask(|host| host.eval("c", false)).unwrap();
        assert!(!token.load(Ordering::Relaxed));
    }
}
