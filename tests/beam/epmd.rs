//! The Erlang port mapper for the nodes under test. Must not know nodes.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::otp::Otp;

/// How long it may take to listen: more than it needs.
const START_MAX: Duration = Duration::from_secs(60);

/// An epmd on a port of its own, so that neither the machine's is disturbed nor ours stays behind.
pub struct Epmd {
    pub port: u16,
    guard: Child,
}

impl Epmd {
    pub fn start(otp: Otp) -> Epmd {
        let port = free_port();
        let epmd = otp.command("epmd");
        // The guard outlives us by a moment: it kills epmd when our end of the pipe is closed, also by a kill -9.
        let guard = Command::new("sh")
            .args(["-c", "\"$@\" & read -r _; kill $!", "sh"])
            .arg(epmd.get_program())
            .args(["-address", "127.0.0.1", "-port", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let epmd = Epmd { port, guard };
        let start = Instant::now();
        // It does not say when it listens.
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(start.elapsed() < START_MAX, "epmd does not listen on {port}");
            std::thread::sleep(Duration::from_millis(2));
        }
        epmd
    }
}

impl Drop for Epmd {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
