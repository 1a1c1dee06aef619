//! What a newcomer tries who reads the answers closely: names and numbers mean one thing, what is wrong is said, and
//! nothing is left out in silence.

use std::io::Write;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::client::{Server, TOKEN};
use crate::{BANK, encoded};

fn seqs(page: &Value) -> Vec<u64> {
    page["data"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect()
}

#[test]
fn a_name_in_a_filter_means_all_who_bore_it() {
    let server = Server::bank(&[]);
    let all = server.get(&format!("{BANK}/events?kind=crash"));
    let of_teller = server.get(&format!("{BANK}/events?kind=crash&process=teller"));
    assert_eq!(of_teller["data"], all["data"]);
    assert_eq!(seqs(&all).len(), 1, "{all}");
    // The same in a script, and one incarnation by its pid.
    let line = json!({"line": "events().kind(\"crash\").process(\"teller\").count()"});
    assert_eq!(server.post("/api/v1/eval", line)["data"][0]["text"].as_str().map(str::trim), Some("1"));
    let newest = server.get(&format!("{BANK}/processes/teller"))["data"]["pid"].as_str().unwrap().to_string();
    let page = server.get(&format!("{BANK}/events?kind=crash&process={}", encoded(&newest)));
    assert_eq!(page["data"], json!([]));
    // A name with commas is written in quotes.
    let page = server.get(&format!("{BANK}/events?kind=crash&process={}", encoded("\"teller\",alice")));
    assert_eq!(page["data"], all["data"]);
}

#[test]
fn what_is_given_twice_is_a_list_or_refused() {
    let server = Server::bank(&[]);
    let both = server.get(&format!("{BANK}/events?kind=crash&kind=timeout"));
    assert_eq!(both["data"], server.get(&format!("{BANK}/events?kind=crash,timeout"))["data"]);
    assert!(seqs(&both).len() > 1);
    for path in ["events?limit=1&limit=2", "why?event=3&event=4", "export?format=csv&format=json", "export?as=csv"] {
        let (status, problem) = server.refused("GET", &format!("{BANK}/{path}"), &[], b"");
        let field = path.split(['?', '=']).nth(1).unwrap();
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{path}: {problem}");
    }
    let (status, _) = server.refused("POST", &format!("{BANK}/seek?moment=3"), &[], br##"{"moment": "#4"}"##);
    assert_eq!(status, 422);
}

#[test]
fn a_number_is_an_event_and_at_ns_counts_from_the_first() {
    let server = Server::start(&[], &["tests/data/ejabberd-small.trace"]);
    let row = server.get(&format!("{BANK}/events?after=298&limit=1"))["data"][0].clone();
    let stepped = {
        server.post(&format!("{BANK}/seek"), json!({"moment": 296}));
        server.post(&format!("{BANK}/step"), json!({"n": 3}))
    };
    assert_eq!(stepped["data"]["seq"], 299);
    let position = &stepped["meta"]["position"];
    assert_eq!((&stepped["data"]["at_ns"], &position["at_ns"]), (&row["at_ns"], &row["at_ns"]), "{stepped}");
    let ns = |json: &Value, key: &str| json[key].as_i64().unwrap();
    let start_ns = server.get(BANK)["data"]["time_range_ns"][0].as_i64().unwrap();
    assert_eq!(ns(position, "clock_ns") - ns(position, "at_ns"), start_ns);
    assert_ne!(start_ns, 0, "a clock that begins elsewhere");
    let here = server.get(&format!("{BANK}/position"))["data"].clone();
    assert_eq!((&here["at_ns"], &here["clock_ns"]), (&position["at_ns"], &position["clock_ns"]));
    let alike = |a: &str, b: &str| assert_eq!(server.get(&format!("{BANK}/{a}")), server.get(&format!("{BANK}/{b}")));
    alike("operations/chain?event=299", "operations/chain?event=%23299");
    alike("events?from=290&to=299", "events?from=%23290&to=%23299");
    alike("latency?range=10..299", "latency?range=%2310..%23299");
}

#[test]
fn steps_go_by_words() {
    let server = Server::bank(&[]);
    let seek = |seq: u64| server.post(&format!("{BANK}/seek"), json!({"moment": seq}));
    let step = |body: Value| server.post(&format!("{BANK}/step"), body)["data"].clone();
    seek(100);
    assert_eq!(step(json!({}))["seq"], 101);
    assert_eq!(step(json!({"n": 3, "direction": "back"}))["seq"], 98);
    assert_eq!(step(json!({"unit": "process", "process": "alice"}))["process"], "alice");
    assert_eq!(step(json!({"unit": "handler", "direction": "back"}))["kind"], "handle_start");
    for (body, field) in
        [(json!({"unit": "mile"}), "unit"), (json!({"direction": 1}), "direction"), (json!({"m": 1}), "m")]
    {
        let (status, problem) = server.refused("POST", &format!("{BANK}/step"), &[], body.to_string().as_bytes());
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}

#[test]
fn every_error_is_a_problem_document_of_a_bounded_size() {
    let server = Server::bank(&[]);
    for path in ["processes/%ff%fe", "views/window?from=%ff", "operations/why?event=%ff%fe"] {
        let (status, _) = server.refused("GET", &format!("{BANK}/{path}"), &[], b"");
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    let long = "x".repeat(500_000);
    for body in [format!("{{\"moment\": \"{long}\"}}"), format!("{{\"moment\": 1, \"{long}\": 1}}")] {
        let (_, problem) = server.refused("POST", &format!("{BANK}/seek"), &[], body.as_bytes());
        assert!(problem.to_string().len() < 40_000, "{}", problem.to_string().len());
    }
    let many: serde_json::Map<String, Value> = (0..20_000).map(|n| (format!("f{n}"), json!(n))).collect();
    let (_, problem) = server.refused("POST", &format!("{BANK}/seek"), &[], json!(many).to_string().as_bytes());
    assert!(problem["errors"].as_array().unwrap().len() == 20 && problem["detail"].as_str().unwrap().contains("more"));
}

#[test]
fn errors_say_what_came_and_their_hints_stand_apart() {
    let server = Server::bank(&[]);
    let detail = |method: &str, path: &str, body: &str| {
        let (_, problem) = server.refused(method, path, &[], body.as_bytes());
        let detail = problem["detail"].as_str().unwrap().to_string();
        assert!(!detail.contains("hint:"), "{detail}");
        detail
    };
    let seek = format!("{BANK}/seek");
    assert_eq!(detail("POST", &seek, "{}"), "moment: is missing");
    let n = "99999999999999999999999";
    let said = detail("GET", &format!("{BANK}/operations/hits?id={n}"), "");
    assert_eq!(said, format!("id: expected an integer of 64 bits, got \"{n}\""));
    let said = detail("POST", &format!("{BANK}/operations/step"), "{\"n\": \"three\"}");
    assert_eq!(said, "n: expected an integer of 64 bits, got \"three\"");
    assert_eq!(detail("GET", &format!("{BANK}/events?limit=-1"), ""), "limit: expected a number from 0 on, got \"-1\"");
    detail("POST", &seek, "{\"moment\": \"5 parsecs\"}");
    let said = detail("POST", "/api/v1/eval", "{\"line\": \"loop {}\"}");
    assert!(said.contains("SERVER_SCRIPT_OPERATIONS_MAX (5000000)"), "{said}");
    let said = detail("POST", "/api/v1/import?name=holiday.jpg", "no recording");
    assert!(said.contains("holiday.jpg") && !said.contains("/cinema-"), "{said}");
}

#[test]
fn what_is_answered_is_what_was_made() {
    let server = Server::bank(&[]);
    server.post(&format!("{BANK}/seek"), json!({"moment": "end"}));
    let made = server.post(&format!("{BANK}/snapshots"), json!({"name": "early", "moment": "#20"}));
    assert_eq!(made["data"]["seq"], 20, "{made}");
    for (format, kind) in [("csv", "text/csv"), ("json", "application/json"), ("cinema", "application/octet-stream")] {
        let file = server.send("GET", &format!("{BANK}/export?format={format}"), &[], b"");
        assert!(file.head.contains(&format!("content-type: {kind}")), "{format}: {}", file.head);
    }
}

#[test]
fn the_page_speaks_to_its_server_only_and_begins_no_other() {
    let server = Server::bank(&[]);
    let head = server.send("GET", "/", &[], b"").head;
    assert!(head.contains(&format!("connect-src 'self' ws://127.0.0.1:{};", server.port)), "{head}");
    let (status, problem) = server.refused("POST", "/api/v1/eval", &[], br#"{"line": "serve()"}"#);
    assert!(status == 409 || status == 422, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("served already"), "{problem}");
}

/// A script whose asker has gone ends at once, and not when its limit is reached.
#[test]
fn what_nobody_waits_for_is_ended() {
    let server = Server::bank(&[]);
    let line = json!({"line": "loop { patterns(); latency(); }"}).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let head = format!(
        "POST /api/v1/eval HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: {}\r\n\r\n{line}",
        server.port,
        line.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let started = std::time::Instant::now();
    // It runs by the time that another request has come through the gate; the next ones wait for it.
    assert_eq!(server.send("GET", "/api/openapi.json", &[], b"").status, 200);
    drop(stream);
    server.get(&format!("{BANK}/position"));
    assert!(started.elapsed().as_secs() < 15, "it ran for {} s", started.elapsed().as_secs());
}
