//! A live node that others look at, too: two browsers beside the shell on one session, and an assistant. Must not know
//! how pages and tools look.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apps::App;
use crate::desk::{PATIENCE, Program, cinema};
use crate::node::{Setup, TestNode};
use crate::otp::{Otp, each_otp};

/// What a tracer and its going away may take.
const SOON: Duration = Duration::from_secs(5);

/// A shop in which something happens: customers buy, and the pong server crashes.
fn busy(otp: Otp) -> TestNode {
    Setup::new(otp, App::Shop).arg("-shop").arg("scenarios").arg("[buy,crash]").arg("every_ms").arg("200").start()
}

each_otp! {
    fn two_browsers_and_the_shell_are_on_one_live_session(otp) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
        if !folder.join("node_modules").is_dir() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "tests/browser/node_modules is missing");
            eprintln!("SKIPPED: tests/browser/node_modules is missing; tests/run installs it");
            return;
        }
        let node = busy(otp);
        let mut shell = Program::attach(&node, &["--trace", "app:shop", "--serve"]);
        shell.wait_for("http://");
        let url = shell.said.lines().find_map(|line| line.find("http://").map(|at| line[at..].to_string())).unwrap();
        let mut browsers = Command::new("node")
            .args(["live.mjs", &url])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut seen = BufReader::new(browsers.stdout.take().unwrap()).lines();
        let mut wait_for = |what: &str| assert_eq!(seen.next().and_then(Result::ok).as_deref(), Some(what));
        wait_for("both look on");
        shell.type_line("mark(\"from the shell\")");
        wait_for("both see the mark");
        wait_for("both see the breakpoint");
        shell.type_line("breakpoints()");
        shell.wait_for("from a browser");
        wait_for("both see the hit");
        wait_for("both see who waits");
        assert!(browsers.wait().unwrap().success());
        shell.finish();
        node.settled(SOON).assert_none();
    }

    fn an_assistant_asks_a_node(otp) {
        let node = busy(otp);
        let mut command = cinema(node.epmd_port());
        command.args(["mcp", &node.address(), "--cookie-file"]).arg(node.cookie_file()).args(["--trace", "app:shop"]);
        let mut assistant = Program::start(command);
        let mut id = 0;
        let mut request = |method: &str, params: Value| -> Value {
            id += 1;
            assistant.type_line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
            assistant.wait_for("\"jsonrpc\"");
            let answer: Value = serde_json::from_str(assistant.said.lines().last().unwrap()).unwrap();
            assert_eq!(answer["id"].as_u64(), Some(id), "{answer}");
            answer
        };
        let client = json!({ "name": "test", "version": "1" });
        let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        assert_eq!(request("initialize", hello)["result"]["serverInfo"]["name"], "cinema");
        let mut ask = |tool: &str, arguments: Value| -> Value {
            let answer = request("tools/call", json!({ "name": tool, "arguments": arguments }));
            assert_eq!(answer["result"]["isError"], false, "{answer}");
            serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap()
        };
        let deadline = Instant::now() + PATIENCE;
        while ask("info", json!({}))["data"]["n_events"].as_u64() < Some(100) {
            assert!(Instant::now() < deadline, "nothing is recorded");
        }
        let tree = ask("tree", json!({}));
        assert!(tree.to_string().contains("shop_sup"), "{tree}");
        assert!(ask("events", json!({}))["data"].as_array().is_some_and(|rows| !rows.is_empty()));
        assistant.finish();
        node.settled(SOON).assert_none();
    }
}
