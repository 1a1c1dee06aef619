//! Processes of ours as a node sees them: a pid that messages and exit signals come to. What waits in a mailbox
//! is bounded: a message beyond the limits is dropped and counted, so that a peer that floods us costs neither
//! memory nor the other traffic of the connection. Exit signals have room of their own behind that limit, for as
//! many as there may be links; the node's end always comes. It must not know frames.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};

use super::link::Shared;
use crate::codec::etf::{self, EtfError};
use crate::model::limits::{DIST_FRAME_BYTES_MAX, DIST_MAILBOX_BYTES_MAX, DIST_MAILBOX_MESSAGES_MAX, DIST_TIES_MAX};
use crate::model::{Pid, Term};

/// What a mailbox holds now and what it dropped.
#[derive(Default)]
pub(super) struct Held {
    n_messages: AtomicUsize,
    n_bytes: AtomicUsize,
    n_dropped: AtomicU64,
}

/// A message's place in its mailbox, free again when it is dropped.
struct Place {
    n_bytes: usize,
    held: Arc<Held>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.held.n_messages.fetch_sub(1, Ordering::Relaxed);
        self.held.n_bytes.fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}

/// A message as external term bytes, 131 first: one whole checked term. Counts against its mailbox until it is
/// dropped or taken apart.
pub struct Message {
    bytes: Vec<u8>,
    _place: Place,
}

impl Message {
    /// The message as a term. Errors: too deep for a tree.
    pub fn to_term(&self) -> Result<Term, EtfError> {
        etf::decode(&self.bytes)
    }
    /// The bytes, no longer counted against the mailbox.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Deref for Message {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// What comes to a mailbox.
pub enum Received {
    Message(Message),
    /// A linked process is gone, or somebody called `exit(our pid, reason)`.
    Exit {
        from: Pid,
        reason: Message,
    },
    /// The connection is gone; nothing follows.
    NodeDown {
        reason: String,
    },
}

/// A pid of ours. Dropping it ends the process: linked processes get an exit signal `shutdown`.
pub struct Mailbox {
    pid: Pid,
    receiver: Receiver<Received>,
    held: Arc<Held>,
    /// The connection may end before its mailboxes are dropped, and must not wait for that.
    shared: Weak<Shared>,
}

/// The sending side, which the connection keeps.
pub(super) struct Inlet {
    sender: Sender<Received>,
    held: Arc<Held>,
}

/// A mailbox and the side that fills it.
pub(super) fn pair(pid: Pid, shared: Weak<Shared>) -> (Mailbox, Inlet) {
    // Unbounded by itself: `Inlet::message` holds the bounds.
    let (sender, receiver) = unbounded();
    let held = Arc::new(Held::default());
    (Mailbox { pid, receiver, held: Arc::clone(&held), shared }, Inlet { sender, held })
}

impl Inlet {
    /// Puts a message in, or drops and counts it when the mailbox is full.
    pub fn message(&self, bytes: Vec<u8>) {
        if let Some(message) = self.place(bytes, DIST_MAILBOX_MESSAGES_MAX, DIST_MAILBOX_BYTES_MAX) {
            self.signal(Received::Message(message));
        }
    }

    /// Puts an exit signal in; only one beyond all links is dropped and counted.
    pub fn exit(&self, from: Pid, reason: Vec<u8>) {
        let n_messages_max = DIST_MAILBOX_MESSAGES_MAX + DIST_TIES_MAX;
        let n_bytes_max = DIST_MAILBOX_BYTES_MAX + DIST_FRAME_BYTES_MAX;
        if let Some(reason) = self.place(reason, n_messages_max, n_bytes_max) {
            self.signal(Received::Exit { from, reason });
        }
    }

    /// Only the connection's thread puts in, so what is read here only falls in between.
    fn place(&self, bytes: Vec<u8>, n_messages_max: usize, n_bytes_max: usize) -> Option<Message> {
        let n_bytes = bytes.len();
        let is_full = self.held.n_messages.load(Ordering::Relaxed) >= n_messages_max
            || self.held.n_bytes.load(Ordering::Relaxed) + n_bytes > n_bytes_max;
        if is_full {
            self.dropped();
            return None;
        }
        self.held.n_messages.fetch_add(1, Ordering::Relaxed);
        self.held.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        Some(Message { bytes, _place: Place { n_bytes, held: Arc::clone(&self.held) } })
    }

    /// Counts a message that was not put in.
    pub fn dropped(&self) {
        self.held.n_dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub fn signal(&self, signal: Received) {
        // The owner may be gone already.
        let _ = self.sender.send(signal);
    }
}

impl Mailbox {
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for what comes next; `None` when nothing comes in time. After the end of the connection it gives
    /// [`Received::NodeDown`] at once, every time.
    pub fn recv_timeout(&self, timeout: Duration) -> Option<Received> {
        match self.receiver.recv_timeout(timeout) {
            Ok(received) => Some(received),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(self.down()),
        }
    }

    /// What has come already; `None` when nothing has.
    pub fn try_recv(&self) -> Option<Received> {
        match self.receiver.try_recv() {
            Ok(received) => Some(received),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(self.down()),
        }
    }

    /// For `select!` with other channels. It is disconnected after [`Received::NodeDown`].
    pub fn receiver(&self) -> &Receiver<Received> {
        &self.receiver
    }

    /// Messages that did not fit (limits DIST_MAILBOX_MESSAGES_MAX, DIST_MAILBOX_BYTES_MAX,
    /// DIST_FRAME_BYTES_MAX) since the mailbox was made.
    pub fn n_dropped(&self) -> u64 {
        self.held.n_dropped.load(Ordering::Relaxed)
    }

    /// Ends this process with `reason`: linked processes get it as exit signal, monitors as `'DOWN'`.
    pub fn exit(self, reason: &Term) {
        self.end(reason);
    }

    fn end(&self, reason: &Term) {
        if let Some(shared) = self.shared.upgrade() {
            shared.end_mailbox(self.pid, reason);
        }
    }

    fn down(&self) -> Received {
        let reason = self.shared.upgrade().and_then(|shared| shared.down_reason());
        Received::NodeDown { reason: reason.unwrap_or_else(|| "the connection was closed".to_string()) }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.end(&Term::atom("shutdown"));
    }
}
