//! The assistant's protocol on standard input and output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Sends messages, one a line; gives the answers.
fn talk(messages: &[Value]) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cinema"))
        .args(["mcp", "examples/bank/main.rhai"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for message in messages {
        writeln!(input, "{message}").unwrap();
    }
    drop(input);
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let answers = lines.map(|line| serde_json::from_str(&line.unwrap()).expect("standard output holds only answers"));
    let answers = answers.collect();
    assert!(child.wait().unwrap().success());
    answers
}

fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

#[test]
fn an_assistant_asks_why() {
    let answers = talk(&[
        request(
            1,
            "initialize",
            json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
        ),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        request(2, "tools/list", json!({})),
        request(3, "tools/call", json!({"name": "why", "arguments": {}})),
        request(4, "tools/call", json!({"name": "writes", "arguments": {"path": "balance", "process": "alice"}})),
        request(5, "tools/call", json!({"name": "seek", "arguments": {"moment": "nowhere"}})),
        request(6, "tools/call", json!({"name": "run", "arguments": {}})),
        request(7, "no/such", json!({})),
        request(8, "tools/call", json!({"name": "events", "arguments": {"kind": "crash", "limit": 1}})),
        json!("not a request"),
        json!({ "id": 9 }),
        json!([]),
        json!([
            request(10, "ping", json!({})),
            json!({"jsonrpc": "2.0", "method": "notifications/x"}),
            request(11, "ping", json!({}))
        ]),
        json!([json!({"jsonrpc": "2.0", "method": "notifications/x"})]),
        json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }),
        json!({ "jsonrpc": "2.0", "id": 12, "result": {} }),
    ]);
    // A batch is answered by one; what is no request has no id to answer to.
    let invalid = answers.iter().filter(|answer| answer["error"]["code"] == -32600);
    let ids: Vec<&Value> = invalid.map(|answer| &answer["id"]).collect();
    assert_eq!(ids, [&Value::Null, &json!(9), &Value::Null, &Value::Null]);
    let batch = answers.iter().find_map(Value::as_array).unwrap();
    assert_eq!(batch.iter().map(|answer| &answer["id"]).collect::<Vec<_>>(), [10, 11]);
    assert_eq!(answers.len(), 8 + 4 + 1);
    let result = |id: u64| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(result(1)["result"]["protocolVersion"], "2025-03-26");
    let tools = result(2)["result"]["tools"].as_array().unwrap();
    assert!(tools.iter().any(|tool| tool["name"] == "patterns" && tool["inputSchema"]["type"] == "object"));
    let text = |id: u64| result(id)["result"]["content"][0]["text"].as_str().unwrap().to_string();
    assert!(text(3).contains("teller crashed"), "{}", text(3));
    let writes: Value = serde_json::from_str(&text(4)).unwrap();
    assert!(writes["data"].as_array().unwrap().iter().all(|row| row["process"] == "alice"));
    let crash: Value = serde_json::from_str(&text(8)).unwrap();
    assert_eq!((&crash["data"][0]["kind"], &crash["data"][0]["process"]), (&json!("crash"), &json!("teller")));
    assert_eq!(result(5)["result"]["isError"], true);
    assert!(text(5).contains("nowhere"));
    assert_eq!(result(6)["error"]["code"], -32602, "what changes the session is not offered");
    assert_eq!(result(7)["error"]["code"], -32601);
}

#[test]
fn who_does_not_greet_is_told_to() {
    let answers = talk(&[request(1, "tools/list", json!({})), request(2, "ping", json!({}))]);
    assert_eq!((&answers[0]["error"]["code"], &answers[1]["result"]), (&json!(-32002), &json!({})));
}

#[test]
fn errors_are_bounded_and_name_tools() {
    let long = "x".repeat(1_000_000);
    let hello =
        json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let call =
        |id, name: &str, arguments: Value| request(id, "tools/call", json!({ "name": name, "arguments": arguments }));
    let answers = talk(&[
        request(1, "initialize", hello),
        call(2, "why", json!({ "event": long })),
        call(3, &long, json!({})),
        call(4, "seek", json!({ "moment": "zzz" })),
        call(5, "events", json!({ "kind": ["crash", "timeout"], "from": 1 })),
        request(6, "tools/list", json!({})),
    ]);
    assert!(answers.iter().filter(|answer| answer["id"] != 6).all(|answer| answer.to_string().len() < 30_000));
    let text = |n: usize| answers[n]["result"]["content"][0]["text"].as_str().unwrap().to_string();
    assert!(text(3).contains("zzz") && !text(3).contains("mark("), "{}", text(3));
    assert!(text(4).contains("\"crash\"") && text(4).contains("\"timeout\""), "{}", text(4));
    let tools = answers[5]["result"]["tools"].as_array().unwrap();
    let seek = tools.iter().find(|tool| tool["name"] == "seek").unwrap();
    assert_eq!(seek["annotations"]["readOnlyHint"], false);
    assert!(seek["description"].as_str().unwrap().contains("Moves the cursor"), "{seek}");
}
