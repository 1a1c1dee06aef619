//! The program itself, on a node under test. Must not know what it is asked.

use std::process::{Command, Output, Stdio};

use crate::node::TestNode;

/// `cinema COMMAND NODE`, with the node's cookie, where the node can be found.
pub fn cinema(command: &str, node: &TestNode) -> Command {
    let mut cinema = Command::new(env!("CARGO_BIN_EXE_cinema"));
    cinema.args([command, &node.address(), "--cookie-file"]).arg(node.cookie_file()).arg("--no-color");
    cinema.stdin(Stdio::null()).current_dir(node.home());
    if let Some(port) = node.epmd_port() {
        cinema.env("ERL_EPMD_PORT", port.to_string());
    }
    cinema
}

/// What it printed, on both streams.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
