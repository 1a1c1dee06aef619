//! The socket's side of a connection: one thread that reads frames into the switchboard, writes what waits, sends a
//! tick when it has nothing to say and takes long silence for the end (kernel, `net_ticktime`). It must not know
//! how a connection is made.

use std::cell::Cell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::switchboard::Switchboard;
use crate::model::limits::{DIST_CONTROL_BYTES_MAX, DIST_FRAME_BYTES_MAX, DIST_UNSENT_BYTES_MAX};
use crate::model::{Atom, Origin, Pid, Reference, Term};

/// A frame without anything in it: "I am here".
const TICK: [u8; 4] = [0; 4];
/// Bytes that one read or write takes.
const CHUNK_BYTES: usize = 64 << 10;
/// How long a closing connection may go on writing what waits.
const FLUSH: Duration = Duration::from_secs(1);
/// Silence is looked at again after this long: a machine that slept has its news in the socket.
const SECOND_LOOK: Duration = Duration::from_millis(100);

/// What goes to the socket's thread.
pub(super) enum Outgoing {
    Frame(Vec<u8>),
    /// Write what waits and hang up.
    Close,
}

/// Why a frame is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    Down(String),
    /// The node does not read.
    Full,
    TooLong {
        n_bytes: usize,
    },
}

/// What the socket's thread and the callers have in common.
pub(super) struct Shared {
    pub peer: Atom,
    pub peer_creation: u32,
    /// Where the node was reached.
    pub peer_address: IpAddr,
    pub own_name: Atom,
    origin: Origin,
    switchboard: Mutex<Switchboard>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    n_unsent_bytes: AtomicUsize,
    /// Rings when bytes were sent.
    sent: Notify,
    closing: Notify,
    down: OnceLock<String>,
    next_pid: AtomicU32,
    next_reference: AtomicU64,
    /// Makes references of two connections differ even when a creation comes again.
    salt: u32,
    ticktime_ms: AtomicU64,
}

impl Shared {
    /// Of a connection that has just been made; the receiver is for [`serve`].
    pub fn new(
        peer: (Atom, u32, IpAddr),
        own: (Atom, Origin),
        salt: u32,
        ticktime: Duration,
    ) -> (Shared, mpsc::UnboundedReceiver<Outgoing>) {
        // Unbounded by itself: `post` holds the bound.
        let (outgoing, receiver) = mpsc::unbounded_channel();
        let (own_name, origin) = own;
        let shared = Shared {
            peer: peer.0,
            peer_creation: peer.1,
            peer_address: peer.2,
            own_name,
            origin,
            switchboard: Mutex::new(Switchboard::new(base(origin))),
            outgoing,
            n_unsent_bytes: AtomicUsize::new(0),
            sent: Notify::new(),
            closing: Notify::new(),
            down: OnceLock::new(),
            next_pid: AtomicU32::new(base(origin).id + 1),
            next_reference: AtomicU64::new(1),
            salt,
            ticktime_ms: AtomicU64::new(millis(ticktime)),
        };
        (shared, receiver)
    }

    pub fn switchboard(&self) -> MutexGuard<'_, Switchboard> {
        self.switchboard.lock().expect("no panic holds the switchboard")
    }

    pub fn base(&self) -> Pid {
        base(self.origin)
    }
    pub fn make_pid(&self) -> Pid {
        Pid { id: self.next_pid.fetch_add(1, Ordering::Relaxed), ..self.base() }
    }
    /// Three words, the first of 18 bits, as OTP's own have it.
    pub fn make_reference(&self) -> Reference {
        let n = self.next_reference.fetch_add(1, Ordering::Relaxed);
        let words = [(n & 0x3_ffff) as u32, (n >> 18) as u32, self.salt, 0, 0];
        Reference { origin: self.origin, n_words: 3, words }
    }

    pub fn down_reason(&self) -> Option<String> {
        self.down.get().cloned()
    }

    pub fn set_ticktime(&self, ticktime: Duration) {
        self.ticktime_ms.store(millis(ticktime), Ordering::Relaxed);
        // A tick wakes the writer, which still waits by the old time.
        self.enqueue(TICK.to_vec());
    }
    fn ticktime(&self) -> Duration {
        Duration::from_millis(self.ticktime_ms.load(Ordering::Relaxed))
    }

    /// Hands a frame (with its length) to the socket's thread. Never waits.
    pub fn post(&self, frame: Vec<u8>) -> Result<(), NotSent> {
        if let Some(reason) = self.down.get() {
            return Err(NotSent::Down(reason.clone()));
        }
        let n_bytes = frame.len();
        if n_bytes > DIST_FRAME_BYTES_MAX {
            return Err(NotSent::TooLong { n_bytes });
        }
        if self.n_unsent_bytes.load(Ordering::Relaxed) + n_bytes > DIST_UNSENT_BYTES_MAX {
            return Err(NotSent::Full);
        }
        self.enqueue(frame);
        Ok(())
    }

    fn enqueue(&self, frame: Vec<u8>) {
        self.n_unsent_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        // The thread may just have ended: then there is nobody to send to.
        let _ = self.outgoing.send(Outgoing::Frame(frame));
    }

    /// Ends a mailbox of ours. Signals go out even when the queue is full: they are few and short.
    pub fn end_mailbox(&self, pid: Pid, reason: &Term) {
        let mut out = Vec::new();
        self.switchboard().end(pid, reason, &mut out);
        out.into_iter().for_each(|frame| self.enqueue(frame));
    }

    /// Gives up waiting for `request` and ends what it started.
    pub fn give_up(&self, request: &Reference) {
        let mut out = Vec::new();
        self.switchboard().give_up(request, &mut out);
        out.into_iter().for_each(|frame| self.enqueue(frame));
    }

    /// Asks the socket's thread to write what waits and to end, within a second.
    pub fn close(&self) {
        let _ = self.outgoing.send(Outgoing::Close);
        self.closing.notify_one();
    }

    fn go_down(&self, reason: String) {
        let reason = self.down.get_or_init(|| reason);
        self.switchboard().down(reason);
    }
}

/// The pid that our calls come from.
fn base(origin: Origin) -> Pid {
    Pid { serial: 0, id: 1, origin }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// Runs the connection to its end and tells everybody why it ended.
pub(super) async fn serve(stream: TcpStream, shared: &Shared, outgoing: mpsc::UnboundedReceiver<Outgoing>) {
    let (reader, writer) = stream.into_split();
    let heard = Cell::new(Instant::now());
    let closed = async {
        shared.closing.notified().await;
        sleep(FLUSH).await;
        "closed by cinema".to_string()
    };
    let reason = tokio::select! {
        reason = read_frames(reader, shared, &heard) => reason,
        reason = write_frames(writer, shared, outgoing) => reason,
        reason = watch_silence(shared, &heard) => reason,
        reason = closed => reason,
    };
    shared.go_down(reason);
}

/// Feeds the switchboard until the connection ends; gives the reason.
async fn read_frames(reader: impl AsyncRead + Unpin, shared: &Shared, heard: &Cell<Instant>) -> String {
    let mut reader = BufReader::with_capacity(CHUNK_BYTES, reader);
    let mut offset = 0_u64;
    loop {
        let n_bytes = match reader.read_u32().await {
            Ok(n_bytes) => n_bytes as usize,
            Err(error) => return ended(&error),
        };
        heard.set(Instant::now());
        if n_bytes > 0 {
            let read = match read_frame(&mut reader, n_bytes, heard).await {
                Ok(frame) => frame,
                Err(error) => return ended(&error),
            };
            let mut out = Vec::new();
            let taken = if read.len() == n_bytes {
                shared.switchboard().receive(read, &mut out)
            } else {
                shared.switchboard().receive_cut(&read, n_bytes, &mut out)
            };
            if let Err(error) = taken {
                return format!("the node sent a broken frame at byte {offset} of the connection: {error}");
            }
            out.into_iter().for_each(|frame| shared.enqueue(frame));
            // A node that asks and does not read the answers is not read from either.
            while shared.n_unsent_bytes.load(Ordering::Relaxed) > DIST_UNSENT_BYTES_MAX {
                shared.sent.notified().await;
            }
        }
        offset += 4 + n_bytes as u64;
    }
}

/// Reads a frame of `n_bytes`, or of one that is too long its beginning, passing over the rest. Memory grows only
/// with what has come: the length is a claim.
async fn read_frame(
    reader: &mut (impl AsyncRead + Unpin),
    n_bytes: usize,
    heard: &Cell<Instant>,
) -> std::io::Result<Vec<u8>> {
    let n_kept = if n_bytes > DIST_FRAME_BYTES_MAX { DIST_CONTROL_BYTES_MAX } else { n_bytes };
    let mut frame = Vec::with_capacity(n_kept.min(CHUNK_BYTES));
    let mut rest = reader.take(n_bytes as u64);
    while frame.len() < n_kept {
        let n_wanted = (n_kept - frame.len()).min(CHUNK_BYTES);
        if (&mut rest).take(n_wanted as u64).read_buf(&mut frame).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        heard.set(Instant::now());
    }
    let mut passed_over = Vec::new();
    while rest.limit() > 0 {
        passed_over.clear();
        passed_over.reserve(CHUNK_BYTES);
        if rest.read_buf(&mut passed_over).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        heard.set(Instant::now());
    }
    Ok(frame)
}

fn ended(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the node closed the connection".to_string(),
        _ => format!("the connection broke: {error}"),
    }
}

/// Writes what waits, and a tick when nothing did for a quarter of the tick time; gives the reason of the end.
async fn write_frames(
    mut writer: impl AsyncWrite + Unpin,
    shared: &Shared,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
) -> String {
    let mut chunk: Vec<u8> = Vec::with_capacity(CHUNK_BYTES);
    loop {
        chunk.clear();
        let mut is_closing = false;
        match timeout(shared.ticktime() / 4, outgoing.recv()).await {
            Ok(Some(Outgoing::Frame(frame))) => chunk = frame,
            Ok(Some(Outgoing::Close) | None) => is_closing = true,
            Err(_) => chunk.extend_from_slice(&TICK),
        }
        while !is_closing && chunk.len() < CHUNK_BYTES {
            match outgoing.try_recv() {
                Ok(Outgoing::Frame(frame)) => chunk.extend_from_slice(&frame),
                Ok(Outgoing::Close) => is_closing = true,
                Err(_) => break,
            }
        }
        if let Err(error) = writer.write_all(&chunk).await {
            return ended(&error);
        }
        // A tick was not counted in.
        let count = |n: usize| Some(n.saturating_sub(chunk.len()));
        let _ = shared.n_unsent_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        shared.sent.notify_one();
        if is_closing {
            let _ = writer.shutdown().await;
            return "closed by cinema".to_string();
        }
    }
}

/// Ends when nothing at all has come for a tick time and a quarter.
async fn watch_silence(shared: &Shared, heard: &Cell<Instant>) -> String {
    loop {
        let patience = shared.ticktime() * 5 / 4;
        sleep(patience / 8).await;
        let at = heard.get();
        if at.elapsed() < patience {
            continue;
        }
        sleep(SECOND_LOOK.min(patience)).await;
        if heard.get() == at {
            return format!("nothing came from the node for {} s", at.elapsed().as_secs());
        }
    }
}
