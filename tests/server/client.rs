//! The program as a server, and an HTTP client of a few lines.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

pub const TOKEN: &str = "a-token-for-the-tests-0123456789";

/// A server of the program; ends with this.
pub struct Server {
    child: Child,
    pub port: u16,
}

/// What came back.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Server {
    /// Serves the bank, run through; `flags` stand before it.
    pub fn bank(flags: &[&str]) -> Server {
        Server::start(flags, &["examples/bank/main.rhai"])
    }

    pub fn start(flags: &[&str], what: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cinema"))
            .args(["serve", "--port", "0", "--token", TOKEN])
            .args(flags)
            .args(what)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CINEMA_HISTORY", "")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| line.unwrap().strip_prefix("http://").map(str::to_string)).unwrap();
        assert!(url.ends_with(&format!("/#token={TOKEN}")), "{url}");
        let port = url.split(['/', ':']).nth(1).unwrap().parse().unwrap();
        // Scripts may go on printing; a full pipe must not stop the server.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, port }
    }

    /// Sends a request with the token; `headers` come on top.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let bearer = format!("Bearer {TOKEN}");
        let mut all = vec![("authorization", bearer.as_str())];
        all.retain(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        all.extend(headers.iter().copied().filter(|(_, value)| !value.is_empty()));
        let host = format!("127.0.0.1:{}", self.port);
        if !headers.iter().any(|(name, _)| *name == "host") {
            all.push(("host", &host));
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let lines: String = all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head =
            format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n{lines}\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses early may close while we still write.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let at = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap().to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response { status, head, body: bytes.split_off(at + 4) }
    }

    pub fn get(&self, path: &str) -> Value {
        let response = self.send("GET", path, &[], b"");
        assert_eq!(response.status, 200, "GET {path}: {}", response.text());
        response.json()
    }
    pub fn post(&self, path: &str, body: Value) -> Value {
        let response = self.send("POST", path, &[], body.to_string().as_bytes());
        assert_eq!(response.status, 200, "POST {path}: {}", response.text());
        response.json()
    }
    /// A request that must fail; gives status and problem.
    pub fn refused(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        let response = self.send(method, path, headers, body);
        assert!(response.head.contains("content-type: application/problem+json"), "{}", response.text());
        let problem = response.json();
        assert_eq!(problem["status"], response.status, "{problem}");
        (response.status, problem)
    }
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
