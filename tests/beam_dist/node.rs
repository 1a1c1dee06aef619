//! A real Erlang node for a test: own cookie, unique name, loopback only, killed when it goes out of scope.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// How the node is named and found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `name@host`, by epmd.
    Short,
    /// `name@127.0.0.1`, by epmd.
    Long,
    /// `name@host` at a fixed port, no epmd.
    Port,
}

pub struct RealNode {
    /// `name@host`.
    pub name: String,
    pub cookie: String,
    port: Option<u16>,
    child: Child,
}

static N_STARTED: AtomicU32 = AtomicU32::new(0);

impl RealNode {
    /// Starts a node and waits until it is alive; `None` when there is no Erlang here (a failure with `CI` set).
    pub fn start(names: Names) -> Option<RealNode> {
        RealNode::start_with(names, &[])
    }

    /// [`RealNode::start`] with more flags for `erl`.
    pub fn start_with(names: Names, flags: &[&str]) -> Option<RealNode> {
        let n = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("cinema_test_{}_{n}", std::process::id());
        let cookie = format!("{:016x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), n));
        let mut command = Command::new("erl");
        match names {
            Names::Short | Names::Port => command.args(["-sname", &name]),
            Names::Long => command.args(["-name", &format!("{name}@127.0.0.1")]),
        };
        let port = (names == Names::Port).then(free_port);
        if let Some(port) = port {
            command.args(["-start_epmd", "false", "-erl_epmd_port", &port.to_string()]);
        }
        let alive = "io:format(\"~n~s~n\", [node()]).";
        let child = command
            .args(["-setcookie", &cookie, "-kernel", "inet_dist_use_interface", "{127,0,0,1}"])
            .args(["-hidden", "-noshell", "-noinput", "-eval", alive])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => return skipped(&format!("erl does not start: {error}")),
        };
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let said = lines.map_while(Result::ok).find(|line| line.starts_with(&name));
        let Some(name) = said else {
            let _ = child.kill();
            let _ = child.wait();
            return skipped("the Erlang node did not come up (is epmd there?)");
        };
        Some(RealNode { name, cookie, port, child })
    }

    /// What a user types to reach it.
    pub fn address(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.name),
            None => self.name.clone(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RealNode {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Says loudly that a test did not run.
pub fn skipped<T>(why: &str) -> Option<T> {
    eprintln!("\n*** SKIPPED: {why} ***\n");
    assert!(std::env::var_os("CI").is_none(), "nothing may be skipped where CI is set: {why}");
    None
}
