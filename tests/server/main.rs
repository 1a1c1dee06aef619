//! The server from outside: who gets in, what the routes answer, the document against the routes, the assistant's
//! protocol, and, with node and a browser, the channel and the page.

mod browser;
mod client;
mod fuzz;
mod mcp;
mod strict;

use client::{Server, TOKEN};
use serde_json::{Value, json};

const BANK: &str = "/api/v1/sandboxes/0";

#[test]
fn only_the_holder_of_the_token_from_this_place_gets_in() {
    let server = Server::bank(&[]);
    type Try<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str);
    let tries: [Try<'_>; 6] = [
        ("/api/v1/sandboxes", &[("authorization", "")], 401, "token"),
        ("/api/v1/sandboxes", &[("authorization", "Bearer wrong")], 401, "token"),
        ("/api/v1/sandboxes", &[("host", "evil.example")], 421, "foreign_host"),
        ("/", &[("host", "evil.example")], 421, "foreign_host"),
        ("/api/v1/sandboxes", &[("origin", "http://evil.example")], 403, "foreign_origin"),
        ("/socket/websocket?vsn=2.0.0", &[("authorization", "")], 401, "token"),
    ];
    for (path, headers, status, code) in tries {
        let (got, problem) = server.refused("GET", path, headers, b"");
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{path} {headers:?}");
    }
    // The token is not in the page, nor in the document.
    for path in ["/", "/api/openapi.json"] {
        let response = server.send("GET", path, &[("authorization", "")], b"");
        assert_eq!(response.status, 200, "{path}");
        assert!(!response.text().contains(TOKEN));
    }
    let page = server.send("GET", "/", &[], b"");
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{}", page.head);
}

#[test]
fn answers_are_those_of_the_operations() {
    let server = Server::bank(&[]);
    let n_events = server.get(BANK)["data"]["n_events"].as_u64().unwrap();
    let late = server.get(&format!("{BANK}/events?kind=timeout&limit=1"))["data"][0].clone();
    assert_eq!(
        (&late["kind"], &late["process"], &late["peer"]),
        (&json!("timeout"), &json!("teller"), &json!("ledger"))
    );

    server.post(&format!("{BANK}/seek"), json!({"moment": late["seq"]}));
    assert_eq!(server.get(&format!("{BANK}/position"))["data"]["seq"], late["seq"]);
    let why = server.get(&format!("{BANK}/why"));
    assert!(why["data"]["sentences"][0].as_str().unwrap().contains("ledger"), "{why}");
    let waiting = server.get(&format!("{BANK}/processes/ledger/mailbox"));
    assert_eq!(waiting["data"][0]["from"], "teller", "{waiting}");
    let state = server.get(&format!("{BANK}/processes/alice/state?moment=end"));
    assert!(state["meta"]["erlang"].as_str().unwrap().starts_with("#{balance => "), "{state}");

    let same = server.get(&format!("{BANK}/operations/patterns"));
    assert_eq!(server.get(&format!("{BANK}/patterns")), same);
    assert!(same["data"].as_array().unwrap().len() > 1);

    let id = server.post(&format!("{BANK}/breakpoints"), json!({"condition": "on_result(\"timeout\")"}))["data"]["id"]
        .clone();
    let hits = server.get(&format!("{BANK}/breakpoints/hits"));
    assert_eq!(hits["data"][0]["seq"], late["seq"]);
    assert_eq!(server.send("DELETE", &format!("{BANK}/breakpoints/{id}"), &[], b"").status, 200);
    assert_eq!(server.get(&format!("{BANK}/breakpoints"))["data"], json!([]));

    // A sandbox runs on where its recording ends.
    server
        .post(&format!("{BANK}/operations/gen_call"), json!({"dest": "alice", "request": {"$tuple": ["deposit", 50]}}));
    assert!(server.get(BANK)["data"]["n_events"].as_u64().unwrap() > n_events);
}

#[test]
fn pages_of_events_lead_through_the_whole_line() {
    let server = Server::bank(&[]);
    let n_events = server.get(BANK)["data"]["n_events"].as_u64().unwrap();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{BANK}/events?limit=200{after}"));
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()));
        match page["meta"]["next"].as_u64() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..n_events).collect::<Vec<_>>());
    let last = server.get(&format!("{BANK}/events?before={n_events}&limit=3"));
    let seqs: Vec<u64> = last["data"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, [n_events - 3, n_events - 2, n_events - 1]);

    let script = server.get(&format!("{BANK}/events?where=%7Ce%7C%20e.kind%20%3D%3D%20%22crash%22"));
    let column = server.get(&format!("{BANK}/events?kind=crash"));
    assert_eq!(script["data"], column["data"]);
    let text = server.get(&format!("{BANK}/events?q=withdraw&limit=5"));
    assert!(text["data"].as_array().unwrap().iter().all(|row| row.to_string().contains("withdraw")), "{text}");
    let csv = server.send("GET", &format!("{BANK}/events?kind=crash&format=csv"), &[], b"").text();
    assert!(csv.starts_with("seq,at_ns,kind,"), "{csv}");
    let lines = server.send("GET", &format!("{BANK}/events?limit=7&kind=send&format=ndjson"), &[], b"");
    assert_eq!(lines.text().lines().count(), 7);
    // The next page has an address, in any format.
    let link = lines.head.split_once("link: <").unwrap().1.split_once(">; rel=\"next\"").unwrap().0.to_string();
    let next = server.send("GET", &link, &[], b"").text();
    assert_eq!(next.lines().count(), 7);
    assert!(!lines.text().contains(next.lines().next().unwrap()), "{link}: {next}");
}

/// As a value of a query.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[test]
fn scripts_are_what_the_shell_takes_and_errors_point_into_them() {
    let server = Server::bank(&[]);
    let page = |script: &str| server.send("GET", &format!("{BANK}/events?where={}", encoded(script)), &[], b"");
    let plain = page("|e| e.kind == \"crash\"").json()["data"].clone();
    for script in [
        "|e| { let kind = e.kind; kind == \"crash\" }",
        "|e| {\n  if e.kind != \"crash\" { return false; }\n  true\n}",
        "let kind = \"crash\"; |e| e.kind == kind",
    ] {
        let found = page(script);
        assert_eq!((found.status, &found.json()["data"]), (200, &plain), "{script}: {}", found.text());
    }
    let set = json!({"condition": "|e| { let x = e.size; x > 100 }", "action": "|e| { let seq = e.seq; print(seq) }"});
    let id = server.post(&format!("{BANK}/breakpoints"), set)["data"]["id"].clone();
    assert_eq!(server.send("DELETE", &format!("{BANK}/breakpoints/{id}"), &[], b"").status, 200);

    let detail = |problem: &Value| problem["detail"].as_str().unwrap().to_string();
    let wrong = |script: &str| detail(&page(script).json());
    assert!(wrong("|e| {\n  e.knd == 1\n}").contains("--> where:2:"), "{}", wrong("|e| {\n  e.knd == 1\n}"));
    assert!(
        wrong("|e| e.size >").contains("where:1:13") || wrong("|e| e.size >").contains("where:1:12"),
        "{}",
        wrong("|e| e.size >")
    );
    let (_, problem) =
        server.refused("POST", &format!("{BANK}/breakpoints"), &[], br#"{"condition": "on_mesage(\"x\")"}"#);
    assert!(detail(&problem).contains("--> condition:1:1"), "{problem}");
    let (_, problem) = server.refused(
        "POST",
        &format!("{BANK}/breakpoints"),
        &[],
        br#"{"condition": "on_message(\"x\")", "action": "action::nothing()"}"#,
    );
    assert!(detail(&problem).contains("--> action:1:9"), "{problem}");
}

#[test]
fn what_is_wrong_is_said_field_by_field() {
    let server = Server::bank(&[]);
    let post = |path: &str, body: &str| server.refused("POST", &format!("{BANK}/{path}"), &[], body.as_bytes());
    let (status, problem) = post("seek", r#"{"moment": true, "speed": 1}"#);
    assert_eq!((status, &problem["code"]), (422, &json!("usage")));
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["speed", "moment"]);
    let (status, problem) = post("breakpoints", r#"{"condition": "on_mesage(\"x\")"}"#);
    assert_eq!(status, 422);
    assert!(problem["hints"][0].as_str().unwrap().contains("did you mean on_message"), "{problem}");
    let (status, problem) = post("operations/step_back", r#"{"n": 0}"#);
    assert_eq!((status, &problem["hints"][0]), (422, &json!("step_back() goes the other way")), "{problem}");

    for limit in ["0", "10001", "1000000"] {
        let (status, problem) = server.refused("GET", &format!("{BANK}/events?limit={limit}"), &[], b"");
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("limit")));
    }
    let (status, problem) = post("playback/play", r#"{"speed": 1e300}"#);
    assert!(status == 422 && problem["detail"].as_str().unwrap().contains("PLAYBACK_SPEED_MAX"), "{problem}");
    let help = server.post("/api/v1/eval", json!({"line": "help seek"}));
    assert!(help["data"][0]["text"].as_str().unwrap().contains("seek("), "{help}");

    assert_eq!(post("seek", "{").0, 400);
    assert_eq!(post("seek", "[1]").0, 400);
    assert_eq!(post("seek", r#"{"moment": "nowhere"}"#).0, 404);
    assert_eq!(server.refused("POST", "/api/v1/sandboxes/7/step", &[], b"").0, 404);
    assert_eq!(server.refused("GET", "/api/v1/nothing", &[], b"").0, 404);
    assert_eq!(server.refused("PUT", "/api/v1/sandboxes", &[], b"").0, 405);
    server.post(&format!("{BANK}/seek"), json!({"moment": "start"}));
    let (status, problem) = post("step_back", "");
    assert_eq!((status, &problem["code"]), (409, &json!("edge")));
    let large = vec![b' '; (1 << 20) + 1];
    let response = server.send("POST", &format!("{BANK}/seek"), &[], &large);
    assert_eq!(response.status, 413);
    // A script that never ends is ended; the session lives on.
    let endless = server.send("POST", "/api/v1/eval", &[], br#"{"line": "loop {}"}"#);
    assert_eq!(endless.status, 422, "{}", endless.text());
    assert_eq!(server.get(&format!("{BANK}/position"))["data"]["seq"], Value::Null);
    // Where nothing runs, nothing is ended: what is asked next is answered whole.
    assert_eq!(server.send("POST", "/api/v1/interrupt", &[], b"").status, 200);
    for _ in 0..2 {
        let events = server.get(&format!("{BANK}/events?limit=2"));
        assert_eq!(events["data"].as_array().map(Vec::len), Some(2), "{events}");
    }
}

#[test]
fn a_read_only_server_shows_and_moves_and_changes_nothing() {
    let server = Server::bank(&["--read-only"]);
    server.post(&format!("{BANK}/seek"), json!({"moment": "50%"}));
    for (path, body) in [
        ("breakpoints", json!({"condition": "on_result(\"timeout\")"})),
        ("marks", json!({"name": "x"})),
        ("operations/run", json!({})),
        ("operations/save", json!({"path": "/tmp/x.cinema"})),
        ("operations/gen_call", json!({"dest": "alice", "request": "balance"})),
    ] {
        let (status, problem) = server.refused("POST", &format!("{BANK}/{path}"), &[], body.to_string().as_bytes());
        assert_eq!((status, &problem["code"]), (403, &json!("read_only")), "{path}");
    }
    assert_eq!(server.refused("POST", "/api/v1/eval", &[], br#"{"line": "run()"}"#).0, 403);
    assert_eq!(server.refused("POST", "/api/v1/interrupt", &[], b"").0, 403);
    // A filter's script makes a condition, and reaches nothing else.
    for script in [
        "mark(\"x\")",
        "|e| mark(\"x\")",
        "set_limit(\"operations\", 20_000)",
        "sleep(100)",
        "true}); mark(\"x\"); ({true",
    ] {
        let path = format!("{BANK}/events?where={}", encoded(script));
        let response = server.send("GET", &path, &[], b"");
        assert_eq!(response.status, 422, "{script}: {}", response.text());
    }
    assert_eq!(server.get(&format!("{BANK}/marks"))["data"], json!([]));
    // At its end a step would let the sandbox run on.
    server.post(&format!("{BANK}/seek"), json!({"moment": "end"}));
    assert_eq!(server.refused("POST", &format!("{BANK}/step"), &[], b"").0, 403);
}

#[test]
fn a_recording_goes_out_and_comes_in_again() {
    let server = Server::bank(&[]);
    let export = server.send("GET", &format!("{BANK}/export"), &[], b"");
    assert!(export.head.contains("filename=\"bank.cinema\""), "{}", export.head);
    let response = server.send("POST", "/api/v1/import?name=copy.cinema", &[], &export.body);
    let source = response.json();
    assert_eq!(
        (response.status, &source["data"]["id"], &source["data"]["title"]),
        (200, &json!(1), &json!("copy.cinema"))
    );
    let events = |id: u64| server.get(&format!("/api/v1/sandboxes/{id}/events?limit=10000"))["data"].clone();
    assert_eq!(events(1), events(0));
    for format in ["jsonl", "json", "csv", "chrome", "dot"] {
        let response = server.send("GET", &format!("{BANK}/export?format={format}"), &[], b"");
        assert!(response.status == 200 && !response.body.is_empty(), "{format}");
    }
    assert_eq!(server.refused("GET", &format!("{BANK}/export?format=pdf"), &[], b"").0, 422);
    assert_eq!(server.refused("POST", "/api/v1/import?name=x", &[], b"no recording at all").0, 422);
}

#[test]
fn what_is_damaged_is_told_who_opens_it() {
    let server = Server::bank(&[]);
    let mut bytes = server.send("GET", &format!("{BANK}/export"), &[], b"").body;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0xAA);
    let opened = server.send("POST", "/api/v1/import?name=broken.cinema", &[], &bytes).json();
    let warnings = opened["meta"]["warnings"].as_array().unwrap_or_else(|| panic!("{opened}"));
    assert!(!warnings.is_empty() && warnings[0].as_str().unwrap().contains("offset"), "{opened}");
    let whole = server.get(BANK);
    assert_eq!(whole["meta"].get("warnings"), None, "{whole}");
}

#[test]
fn marks_are_moved_with_their_notes_and_removed() {
    let server = Server::bank(&[]);
    let marks = || server.get(&format!("{BANK}/marks"))["data"].clone();
    server.post(&format!("{BANK}/marks"), json!({"name": "here", "moment": "#10"}));
    server.post(&format!("{BANK}/notes"), json!({"moment": "#10", "text": "it begins"}));
    server.post(&format!("{BANK}/marks"), json!({"name": "here", "moment": "#20"}));
    assert_eq!((&marks()[0]["seq"], &marks()[0]["note"]), (&json!(20), &json!("it begins")));
    assert_eq!(server.send("DELETE", &format!("{BANK}/marks/here"), &[], b"").status, 200);
    assert_eq!(marks(), json!([]));
    assert_eq!(server.refused("DELETE", &format!("{BANK}/marks/here"), &[], b"").0, 404);
}

#[test]
fn processes_are_found_by_the_names_they_are_shown_by() {
    let server = Server::start(&[], &["tests/data/ejabberd-small.trace"]);
    let name = server.get(&format!("{BANK}/events?limit=1"))["data"][0]["process"].clone();
    server.post(&format!("{BANK}/seek"), json!({"moment": "start"}));
    for moment in ["start", "#0", "end"] {
        server.post(&format!("{BANK}/seek"), json!({"moment": moment}));
        let found = server.get(&format!("{BANK}/events?limit=3&process={}", name.as_str().unwrap()));
        assert!(!found["data"].as_array().unwrap().is_empty(), "{moment}");
    }
}

#[test]
fn views_are_bounded_and_agree_with_the_events() {
    let server = Server::bank(&[]);
    let n_events = server.get(BANK)["data"]["n_events"].as_u64().unwrap();
    let overview = server.get(&format!("{BANK}/views/overview"))["data"].clone();
    let counted: u64 = overview["density"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|bin| bin.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(counted, n_events);
    let window = server.get(&format!("{BANK}/views/window?from=0&to={n_events}"))["data"].clone();
    let marks = |key: &str| window[key].as_array().unwrap().len();
    assert!(marks("arrows") > 50 && marks("bars") > 50 && marks("arrows") + marks("bars") + marks("points") <= 5_000);
    let shares: Vec<f64> = window["axis"]["shares"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    assert!(shares.is_sorted() && shares[0] == 0.0 && shares[shares.len() - 1] == 1.0, "{shares:?}");
    let graph = server.get(&format!("{BANK}/views/graph"))["data"].clone();
    assert_eq!(graph["nodes"][0]["name"], "bank");
    let alice = server.get(&format!("{BANK}/views/inspect?process=alice"))["data"].clone();
    assert_eq!(alice["path"][0]["name"], "bank");
    assert!(alice["state"]["text"].as_str().unwrap().contains("balance"));
    let callbacks = alice["callbacks"].as_array().unwrap();
    assert!(callbacks.iter().any(|row| row["tag"] == "withdraw" && row["took_ns"] == 300), "{callbacks:?}");
    let range = server.get(&format!("{BANK}/views/range?from=250&to=350"))["data"].clone();
    let sum: u64 = range["groups"].as_array().unwrap().iter().map(|group| group[1].as_u64().unwrap()).sum();
    assert_eq!((range["n_events"].as_u64(), sum), (Some(100), 100), "{range}");
    assert!(range["notable"].as_array().unwrap().iter().any(|row| row["kind"] == "crash"), "{range}");
    let only = server.get(&format!("{BANK}/views/window?only=alice,ledger"))["data"]["lanes"].clone();
    let names: Vec<&str> = only.as_array().unwrap().iter().map(|lane| lane["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bank", "alice", "ledger"], "with their supervisor");
    assert_eq!(server.refused("GET", &format!("{BANK}/views/inspect?process=nobody"), &[], b"").0, 404);
    assert_eq!(server.refused("GET", &format!("{BANK}/views/graph?at=999999"), &[], b"").0, 404);
    assert_eq!(server.refused("GET", &format!("{BANK}/views/window?from=x"), &[], b"").0, 422);
}

/// Every path of the document leads somewhere, and every operation stands in it.
#[test]
fn the_document_and_the_routes_are_the_same() {
    let server = Server::bank(&[]);
    let document = server.get("/api/openapi.json");
    let mut n_paths = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{sandbox}", "0").replace("{process}", "alice").replace("{id}", "1");
        for method in methods.as_object().unwrap().keys() {
            // Not asked in earnest: an empty host is refused at the gate, but only a route that is there answers OPTIONS' 405.
            let response = server.send("OPTIONS", &path, &[], b"");
            assert_eq!(response.status, 405, "{path}");
            let allowed =
                response.head.lines().find(|line| line.starts_with("allow:")).unwrap_or_default().to_uppercase();
            assert!(allowed.contains(&method.to_uppercase()), "{method} {path}: {allowed}");
            n_paths += 1;
        }
    }
    assert!(n_paths > 100);
    let table = server.get("/api/v1/operations")["data"].clone();
    for info in table.as_array().unwrap() {
        let path = format!("/api/v1/sandboxes/{{sandbox}}/operations/{}", info["name"].as_str().unwrap());
        assert!(document["paths"].get(&path).is_some(), "{path}");
    }
}
