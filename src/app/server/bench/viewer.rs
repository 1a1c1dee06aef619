//! A viewer of the channel in a few lines: what is needed of WebSockets, and no more. It must not know what is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json, json};

use super::PATIENCE;
use crate::model::{Failure, Outcome};

/// What a viewer saw.
#[derive(Default)]
pub struct Seen {
    pub n_frames: u64,
    pub n_bytes: u64,
    /// Had every frame been the whole document.
    pub n_bytes_whole: u64,
    pub n_events: u64,
    /// The recording's length as told, and when.
    pub lengths: Vec<(u64, Instant)>,
}

/// A client that has joined the first sandbox.
pub struct Viewer {
    stream: BufReader<TcpStream>,
    document: Map<String, Json>,
}

const TOPIC: &str = "cinema_debugger:0";
/// Client frames are masked; any mask will do.
const MASK: [u8; 4] = [7, 1, 9, 3];

impl Viewer {
    pub fn join(port: u16, token: &str) -> Outcome<Viewer> {
        let path = format!("/socket/websocket?vsn=2.0.0&token={token}");
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y2luZW1hIGJlbmNoIGtleQ==\r\n";
        let mut viewer = Viewer { stream: request(port, &path, upgrade)?, document: Map::new() };
        viewer.send(&json!(["1", "1", TOPIC, "phx_join", {}]))?;
        let reply = viewer.receive()?;
        if let Some(Json::Object(state)) = reply.pointer("/4/response/state").cloned() {
            viewer.document = state;
        }
        Ok(viewer)
    }

    /// Reads and acknowledges frames until it is over.
    pub fn look(mut self, is_over: &AtomicBool) -> Seen {
        let mut seen = Seen::default();
        let length = |document: &Map<String, Json>| document.get("n_recorded").and_then(Json::as_u64).unwrap_or(0);
        let first = length(&self.document);
        // A frame that does not come for so long means that nothing changes any more.
        let _ = self.stream.get_ref().set_read_timeout(Some(Duration::from_millis(300)));
        while !is_over.load(Ordering::Relaxed) {
            let Ok(message) = self.receive() else { continue };
            let at = Instant::now();
            if message.get(3).and_then(Json::as_str) != Some("timeline_update") {
                continue;
            }
            let changed = message.pointer("/4/changed").and_then(Json::as_object).cloned().unwrap_or_default();
            self.document.extend(changed);
            seen.n_frames += 1;
            seen.n_bytes += message.to_string().len() as u64;
            seen.n_bytes_whole += Json::Object(self.document.clone()).to_string().len() as u64;
            seen.lengths.push((length(&self.document), at));
            let frame = message.pointer("/4/frame").cloned().unwrap_or_default();
            if self.send(&json!(["1", null, TOPIC, "ack", { "frame": frame }])).is_err() {
                break;
            }
        }
        seen.n_events = length(&self.document).saturating_sub(first);
        seen
    }

    fn send(&mut self, message: &Json) -> Outcome<()> {
        let text = message.to_string();
        let mut frame = vec![0x81];
        match u8::try_from(text.len()) {
            Ok(n) if n < 126 => frame.push(0x80 | n),
            _ => {
                frame.push(0x80 | 126);
                frame.extend((text.len() as u16).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.stream.get_mut().write_all(&frame).map_err(broken)
    }

    fn receive(&mut self) -> Outcome<Json> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).map_err(broken)?;
        let n_bytes = match head[1] & 0x7f {
            126 => {
                let mut size = [0; 2];
                self.stream.read_exact(&mut size).map_err(broken)?;
                u64::from(u16::from_be_bytes(size))
            }
            127 => {
                let mut size = [0; 8];
                self.stream.read_exact(&mut size).map_err(broken)?;
                u64::from_be_bytes(size)
            }
            n => u64::from(n),
        };
        let mut payload = vec![0; n_bytes as usize];
        self.stream.read_exact(&mut payload).map_err(broken)?;
        serde_json::from_slice(&payload).map_err(|error| Failure::bad_input(format!("a frame: {error}")))
    }
}

/// The body of an answer, as text.
pub fn get(port: u16, token: &str, path: &str) -> Outcome<String> {
    let headers = format!("Authorization: Bearer {token}\r\nConnection: close\r\n");
    let mut stream = request(port, path, &headers)?;
    let mut body = String::new();
    stream.read_to_string(&mut body).map_err(broken)?;
    Ok(body)
}

/// Sends a request and reads the head of the answer.
fn request(port: u16, path: &str, headers: &str) -> Outcome<BufReader<TcpStream>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(broken)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
    stream.set_nodelay(true).map_err(broken)?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).map_err(broken)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).map_err(broken)?;
    if !line.contains(" 101 ") && !line.contains(" 200 ") {
        return Err(Failure::io(format!("the server answered {path} with {}", line.trim())));
    }
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line).map_err(broken)?;
    }
    Ok(stream)
}

fn broken(error: std::io::Error) -> Failure {
    Failure::io(format!("the connection: {error}"))
}
