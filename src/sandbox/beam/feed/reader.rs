//! One thread per stream: reads the trace port's socket, or takes what a process forwards, and hands whole frames on.
//! It must not know what the frames hold.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};

use super::{Chunk, StreamId};
use crate::model::limits::FRAME_BYTES_MAX;
use crate::model::{Failure, Outcome};

/// Bytes asked of the socket at once.
const READ_BYTES: usize = 256 << 10;

/// Bytes of a frame's header: op and length, or count.
const HEADER_BYTES: usize = 5;

/// Starts the thread that reads `socket` to its end. A full channel stops the reading: then the node's own trace
/// queue fills, drops and counts.
pub(super) fn read_socket(stream: StreamId, socket: TcpStream, out: Sender<Chunk>) -> Outcome<()> {
    spawn(move || {
        let reason = read_all(stream, socket, &out);
        // Nobody listens any more when the feed was closed first.
        let _ = out.send(Chunk::End { stream, reason });
    })
}

/// Starts the thread that takes what a process forwards, until nothing more can come. A full channel stops the taking,
/// and the asking for more: then that process drops and counts.
pub(super) fn take_forwarded(
    stream: StreamId,
    frames: Receiver<Vec<u8>>,
    ask: impl Fn() + Send + 'static,
    out: Sender<Chunk>,
) -> Outcome<()> {
    spawn(move || {
        for bytes in frames {
            if whole_frames(&bytes) == Ok(bytes.len()) && out.send(Chunk::Frames { stream, bytes }).is_err() {
                return;
            }
            ask();
        }
    })
}

fn spawn(run: impl FnOnce() + Send + 'static) -> Outcome<()> {
    let thread = thread::Builder::new().name("trace reader".into()).spawn(run);
    thread.map(drop).map_err(|error| Failure::io(format!("cannot start a thread: {error}")))
}

/// Reads until the end; says why it ended when it should not have.
fn read_all(stream: StreamId, mut socket: TcpStream, out: &Sender<Chunk>) -> Option<String> {
    // A short time: the feed's end is noticed by a refused send only.
    if let Err(error) = socket.set_read_timeout(Some(Duration::from_millis(200))) {
        return Some(error.to_string());
    }
    let mut pending = Vec::new();
    loop {
        let start = pending.len();
        pending.resize(start + READ_BYTES, 0);
        let n_read = match socket.read(&mut pending[start..]) {
            Ok(0) => return None,
            Ok(n_read) => n_read,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
            {
                0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            Err(error) => return Some(error.to_string()),
        };
        pending.truncate(start + n_read);
        if n_read == 0 {
            // Wakes the feed, and learns whether it still listens.
            if out.send(Chunk::Idle).is_err() {
                return None;
            }
            continue;
        }
        let n_whole = match whole_frames(&pending) {
            Ok(n_whole) => n_whole,
            Err(n_bytes) => {
                return Some(format!(
                    "a trace frame claims {n_bytes} bytes (limit FRAME_BYTES_MAX: {FRAME_BYTES_MAX})"
                ));
            }
        };
        if n_whole > 0 {
            let rest = pending.split_off(n_whole);
            if out.send(Chunk::Frames { stream, bytes: std::mem::replace(&mut pending, rest) }).is_err() {
                return None;
            }
        }
    }
}

/// Bytes of the whole frames at the start of `bytes`. The error is a frame's claim beyond the limit.
fn whole_frames(bytes: &[u8]) -> Result<usize, usize> {
    let mut at = 0;
    while let [op, a, b, c, d, ..] = bytes[at..] {
        let n_body = if op == 0 { u32::from_be_bytes([a, b, c, d]) as usize } else { 0 };
        if n_body > FRAME_BYTES_MAX {
            return Err(n_body);
        }
        if bytes.len() - at < HEADER_BYTES + n_body {
            break;
        }
        at += HEADER_BYTES + n_body;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_they_end() {
        let bytes = [&[0, 0, 0, 0, 2, 9, 9][..], &[1, 0, 0, 1, 0], &[0, 0, 0, 0, 3, 7]].concat();
        assert_eq!(whole_frames(&bytes), Ok(12));
        assert_eq!(whole_frames(&bytes[..6]), Ok(0));
        assert_eq!(whole_frames(&[]), Ok(0));
        assert_eq!(whole_frames(&[0, 255, 255, 255, 255, 1]), Err(u32::MAX as usize));
    }
}
