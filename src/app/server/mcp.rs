//! The operation table for assistants: the Model Context Protocol, JSON-RPC by lines on standard input and output.
//!
//! Every operation that only answers is a tool, and so are the moves; answers are bounded, and say what was cut.
//! It must not know what operations do.

use std::io::{BufRead, Write};

use serde_json::{Map, Value as Json, json};

use super::answer::Answer;
use super::api;
use super::args::Given;
use super::effect::{Effect, effect};
use super::openapi::{events_input, input_schema};
use super::pages;
use super::problem::{Problem, clipped};
use crate::app::host::Ending;
use crate::app::live::Live;
use crate::app::worker::Worker;
use crate::model::{Failure, Outcome, limits};
use crate::session::ops;

/// Versions of the protocol that are spoken, newest first.
const VERSIONS: &[&str] = &["2025-06-18", "2025-03-26", "2024-11-05"];

/// The tool that is no operation: events as the route gives them.
const EVENTS: &str = "events";

/// Said of every tool that moves.
const MOVES: &str = " Moves the cursor: later answers are as of there.";

const INSTRUCTIONS: &str = "A recording of an OTP (Erlang/Elixir) system: every message, callback, state change, crash and restart, by seq. Begin with `info`, then `patterns` (known trouble) and `why` (the cause of a timeout, crash or restart); `events` finds single ones. Moments are written \"#1234\", \"42%\", \"5ms\", \"start\", \"end\". Answers are bounded; narrow the question when meta.cut says that rows are missing. Questions are answered as of the cursor, which stands at the end: give a `moment` where a tool takes one; seek, step, next, cont and the like move the cursor, and later answers with it. What examples and hints write as f(x) is the tool f, or a function of Cinema's shell where there is no such tool.";

/// Answers until standard input ends.
pub fn serve(worker: &Worker<Live>) -> Outcome<()> {
    let (input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut talk = Talk { worker, is_initialized: false };
    for line in input.lines() {
        let line = line.map_err(|error| Failure::io(format!("cannot read standard input: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let Some(answer) = talk.answer(&line) else { continue };
        let written = writeln!(output, "{answer}").and_then(|()| output.flush());
        written.map_err(|error| Failure::io(format!("cannot write to standard output: {error}")))?;
    }
    Ok(())
}

/// Codes of JSON-RPC, and the one of servers that were not greeted yet.
const NOT_JSON: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const NO_METHOD: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NOT_INITIALIZED: i64 = -32002;

/// One client's conversation.
struct Talk<'a> {
    worker: &'a Worker<Live>,
    is_initialized: bool,
}

impl Talk<'_> {
    /// The answer to a line: a message, or a batch of them. Notifications have none.
    fn answer(&mut self, line: &str) -> Option<Json> {
        match serde_json::from_str(line) {
            Err(error) => Some(failed(&Json::Null, NOT_JSON, &format!("not JSON: {error}"))),
            Ok(Json::Array(batch)) if batch.is_empty() => {
                Some(failed(&Json::Null, INVALID_REQUEST, "an empty batch asks nothing"))
            }
            Ok(Json::Array(batch)) => {
                let answers: Vec<Json> = batch.iter().filter_map(|message| self.answer_one(message)).collect();
                (!answers.is_empty()).then(|| Json::Array(answers))
            }
            Ok(message) => self.answer_one(&message),
        }
    }

    fn answer_one(&mut self, message: &Json) -> Option<Json> {
        // Nothing was asked of the client that it could answer.
        if message.get("method").is_none() && (message.get("result").or(message.get("error"))).is_some() {
            return None;
        }
        let id = message.get("id");
        let invalid = |why: &str| Some(failed(id.unwrap_or(&Json::Null), INVALID_REQUEST, why));
        if message.get("jsonrpc").and_then(Json::as_str) != Some("2.0") {
            return invalid("no message of JSON-RPC 2.0: an object with \"jsonrpc\": \"2.0\"");
        }
        let Some(method) = message.get("method").and_then(Json::as_str) else {
            return invalid("a request names its method");
        };
        match id? {
            Json::String(_) | Json::Number(_) => {}
            _ => return Some(failed(&Json::Null, INVALID_REQUEST, "an id is text or a number")),
        }
        let params = message.get("params").cloned().unwrap_or(json!({}));
        Some(match self.result(method, &params) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            Err((code, why)) => failed(id?, code, &why),
        })
    }

    fn result(&mut self, method: &str, params: &Json) -> Result<Json, (i64, String)> {
        match method {
            "initialize" => {
                self.is_initialized = true;
                Ok(initialize(params))
            }
            "ping" => Ok(json!({})),
            _ if !self.is_initialized => Err((NOT_INITIALIZED, "the first request is initialize".into())),
            "tools/list" => Ok(json!({ "tools": tools() })),
            "tools/call" => call(self.worker, params).map_err(|why| (INVALID_PARAMS, why)),
            "resources/list" => Ok(json!({ "resources": [] })),
            "prompts/list" => Ok(json!({ "prompts": [] })),
            other => Err((NO_METHOD, format!("no method {other:?}"))),
        }
    }
}

fn failed(id: &Json, code: i64, message: &str) -> Json {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": clipped(message) } })
}

fn initialize(params: &Json) -> Json {
    let wanted = params.get("protocolVersion").and_then(Json::as_str);
    let version = wanted.filter(|wanted| VERSIONS.contains(wanted)).unwrap_or(VERSIONS[0]);
    json!({
        "protocolVersion": version,
        "capabilities": { "tools": { "listChanged": false } },
        "serverInfo": { "name": "cinema", "version": env!("CARGO_PKG_VERSION") },
        "instructions": INSTRUCTIONS,
    })
}

fn is_offered(info: &crate::session::operation::OpInfo) -> bool {
    effect(info) != Effect::Changes
        && !matches!(info.name, "play" | "rewind" | "fast_forward" | "pause" | "advance" | "timeline")
}

fn tools() -> Vec<Json> {
    let offered = ops::entries().filter(|entry| is_offered(entry.info));
    let tool = |entry: &crate::session::operation::Entry| {
        let info = entry.info;
        let moves = if effect(info) == Effect::Moves { MOVES } else { "" };
        json!({
            "name": info.name,
            "description": format!("{}{moves}\n\nGives: {}.", info.doc_text(), info.reply),
            "inputSchema": input_schema(info),
            "annotations": { "readOnlyHint": effect(info) == Effect::Reads },
        })
    };
    let events = json!({
        "name": EVENTS,
        "description": "Events by pages, chosen by kind, process, tag, text or a script; meta.next is the `after` of the next page.\n\nGives: events.",
        "inputSchema": events_input(),
        "annotations": { "readOnlyHint": true },
    });
    offered.map(tool).chain([events]).collect()
}

/// Calls a tool. What the operation refuses is a result that says so: the assistant can mend its question.
fn call(worker: &Worker<Live>, params: &Json) -> Result<Json, String> {
    let name = params.get("name").and_then(Json::as_str).unwrap_or_default();
    let fields = match params.get("arguments") {
        Some(Json::Object(fields)) => fields.clone(),
        None | Some(Json::Null) => Map::new(),
        Some(_) => return Err("arguments go by name: an object".into()),
    };
    let entry = api::entry(name).filter(|entry| is_offered(entry.info));
    if entry.is_none() && name != EVENTS {
        return Err(format!("no tool {name:?}; tools/list lists them"));
    }
    let (sender, result) = std::sync::mpsc::sync_channel(1);
    let asked = worker.ask(move |live| {
        // The waiter below cannot be gone.
        let _ = sender.send(match entry {
            Some(entry) => api::call(live, None, entry, Given::of_object(fields), true),
            None => pages::of_current(live, query(fields)),
        });
        Ok(Ending::Value(String::new()))
    });
    let (text, is_error) = match (asked, result.try_recv()) {
        (_, Ok(Ok(answer))) => (bounded(answer), false),
        (_, Ok(Err(problem))) => (for_assistants(problem).to_json().to_string(), true),
        (Err(failure), Err(_)) => (clipped(&failure.to_string()), true),
        (Ok(_), Err(_)) => ("the answer is lost".to_string(), true),
    };
    Ok(json!({ "content": [{ "type": "text", "text": text }], "isError": is_error }))
}

/// Without the hints to call what is an operation of the shell, and no tool.
fn for_assistants(mut problem: Problem) -> Problem {
    let called = |hint: &str| hint.split_once('(').and_then(|(name, _)| api::entry(name));
    problem.hints.retain(|hint| called(hint).is_none_or(|entry| is_offered(entry.info)));
    problem
}

/// Arguments as a query: text as it is, numbers as they are written, lists item by item.
fn query(fields: Map<String, Json>) -> Vec<(String, String)> {
    let text = |value: Json| if let Json::String(text) = value { text } else { value.to_string() };
    let items = |value: Json| if let Json::Array(items) = value { items } else { vec![value] };
    let all =
        fields.into_iter().flat_map(|(name, value)| items(value).into_iter().map(move |item| (name.clone(), item)));
    all.map(|(name, item)| (name, text(item))).collect()
}

/// The answer as text of at most [`limits::MCP_ANSWER_BYTES_MAX`]: rows are left out from the end, and said to be.
fn bounded(mut answer: Answer) -> String {
    let fits = |answer: &Answer| answer.to_json().to_string().len() <= limits::MCP_ANSWER_BYTES_MAX;
    if fits(&answer) {
        return answer.to_json().to_string();
    }
    let Json::Array(rows) = &mut answer.data else { return cut_text(&answer) };
    let rows = std::mem::take(rows);
    let (mut few, mut many) = (0, rows.len());
    while few + 1 < many {
        let n = few.midpoint(many);
        if fits(&with_rows(&answer.meta, &rows, n)) {
            few = n;
        } else {
            many = n;
        }
    }
    with_rows(&answer.meta, &rows, few).to_json().to_string()
}

fn with_rows(meta: &Map<String, Json>, rows: &[Json], n: usize) -> Answer {
    let cut = format!("the first {n} of {} rows; narrow the question to see others", rows.len());
    Answer { data: Json::Array(rows[..n].to_vec()), meta: meta.clone() }.meta("cut", cut)
}

/// An answer that is no list of rows and does not fit: its beginning.
fn cut_text(answer: &Answer) -> String {
    let text = answer.to_json().to_string();
    let mut end = limits::MCP_ANSWER_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … cut after {end} of {} bytes; ask for a part of it", &text[..end], text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_fit_says_what_was_cut() {
        let rows: Vec<Json> =
            (0..5_000).map(|n| json!({ "seq": n, "text": "something that takes its room" })).collect();
        let text = bounded(Answer::of(rows));
        assert!(text.len() <= limits::MCP_ANSWER_BYTES_MAX, "{}", text.len());
        assert!(text.len() > limits::MCP_ANSWER_BYTES_MAX - 200, "as many rows as fit: {}", text.len());
        let json: Json = serde_json::from_str(&text).unwrap();
        assert!(json["meta"]["cut"].as_str().unwrap().ends_with("of 5000 rows; narrow the question to see others"));
    }

    #[test]
    fn only_what_changes_nothing_is_offered() {
        let names: Vec<String> = tools().iter().map(|tool| tool["name"].as_str().unwrap().to_string()).collect();
        for name in ["why", "patterns", "writes", "seek", "info", EVENTS] {
            assert!(names.contains(&name.to_string()), "{name}");
        }
        for name in ["run", "save", "brk", "open", "restore", "gen_call"] {
            assert!(!names.contains(&name.to_string()), "{name}");
        }
    }
}
