//! The way from the server's tasks to the session's thread and back. It must not know what is asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::app::host::Ending;
use crate::app::live::Live;
use crate::app::worker::Worker;
use crate::model::{Failure, FailureKind, Outcome, limits};

/// Hands tasks to the session's thread and awaits their results. Clones are the same desk.
#[derive(Clone)]
pub struct Desk(Worker<Live>);

impl Desk {
    pub fn new(worker: Worker<Live>) -> Desk {
        Desk(worker)
    }

    /// Has something done that may change the session. Errors: the task's; the session stays busy for longer than
    /// [`limits::SERVER_WAIT_SECONDS`], and then the task is not done at all. When this is dropped, the task is ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Live) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (sender, answer) = oneshot::channel();
        let waiter = Waiter { desk: self, is_running: Arc::default() };
        let is_running = Arc::clone(&waiter.is_running);
        let task = move |live: &mut Live| {
            let task = |live: &mut Live| {
                let _running = Running::begin(&is_running);
                task(live)
            };
            give(sender, live, task);
            Ok(Ending::Value(String::new()))
        };
        self.0.submit(task, drop);
        let outcome = wait(answer).await;
        waiter.go_on();
        outcome
    }

    /// Has something read: as [`Desk::ask`], but what the shell completes is not made anew afterwards.
    pub async fn look<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Live) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (sender, answer) = oneshot::channel();
        self.0.glance(move |live| give(sender, live, task));
        wait(answer).await
    }

    /// Ends what runs now.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

/// Whoever waits for a task. Who goes away instead, as a client does that is disconnected, ends what runs for it.
struct Waiter<'a> {
    desk: &'a Desk,
    is_running: Arc<Mutex<bool>>,
}

impl Waiter<'_> {
    /// It has an answer, be it that this takes too long: what runs goes on.
    fn go_on(self) {
        *lock(&self.is_running) = false;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        // The task cannot end, and the next one not begin, before the lock is given back.
        let is_running = lock(&self.is_running);
        if *is_running {
            self.desk.interrupt();
        }
    }
}

/// Says that a task runs, while it does.
struct Running<'a>(&'a Mutex<bool>);

impl Running<'_> {
    fn begin(is_running: &Mutex<bool>) -> Running<'_> {
        *lock(is_running) = true;
        Running(is_running)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *lock(self.0) = false;
    }
}

fn lock(flag: &Mutex<bool>) -> MutexGuard<'_, bool> {
    flag.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the task unless nobody waits for it any more.
fn give<T>(sender: oneshot::Sender<Outcome<T>>, live: &mut Live, task: impl FnOnce(&mut Live) -> Outcome<T>) {
    if !sender.is_closed() {
        let outcome = task(live);
        // Whoever asked may have gone meanwhile.
        let _ = sender.send(outcome);
    }
}

async fn wait<T>(answer: oneshot::Receiver<Outcome<T>>) -> Outcome<T> {
    match tokio::time::timeout(Duration::from_secs(limits::SERVER_WAIT_SECONDS), answer).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::new(FailureKind::Script, "a fault inside cinema ended this request")
            .hint("the session goes on; RUST_BACKTRACE=1 tells where it was")),
        Err(_) => {
            let text = limits::tripped("SERVER_WAIT_SECONDS", limits::SERVER_WAIT_SECONDS, "the session is busy");
            Err(Failure::new(FailureKind::Interrupted, text).hint("POST /api/v1/interrupt ends what runs"))
        }
    }
}
