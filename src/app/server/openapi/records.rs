//! The document's part on what is more than one operation's call.

use crate::model::limits;
use serde_json::{Map, Value as Json, json};

use super::super::api::SANDBOX;
use super::super::records::media_type;
use super::super::step;
use super::{answer, insert, optional, sandbox_parameter};

/// Adds the paths of events, files and lines of script.
pub fn add(paths: &mut Map<String, Json>) {
    let of_sandbox = |path: &str| format!("{SANDBOX}/{path}");
    insert(paths, &of_sandbox("events"), "GET", events());
    let formats = json!({ "enum": FORMATS });
    let parameters = vec![sandbox_parameter(), optional("format", &formats, "cinema when left out.")];
    let mut export = record("export", "The recording as a file.", parameters);
    let types = FORMATS.iter().map(|format| (media_type(format).to_string(), json!({})));
    let content: Map<String, Json> = types.collect();
    export["responses"]["200"] = json!({ "description": "The file.", "content": content });
    insert(paths, &of_sandbox("export"), "GET", export);
    let about = "Where to connect: the sandbox, its position, the socket and topic of the channel.";
    insert(paths, &of_sandbox("cinema"), "POST", record("start_cinema_debugger", about, vec![sandbox_parameter()]));

    let about = "Steps: forward or back, by events, events of a process, callbacks or breakpoint hits.";
    let mut by = record("step", about, vec![sandbox_parameter()]);
    by["requestBody"] = json!({ "required": false, "content": { "application/json": { "schema": step::schema() } } });
    insert(paths, &of_sandbox("step"), "POST", by);

    let about = "Opens a recording that comes as bytes: a .cinema file, or a trace file of dbg or ttb.";
    let name = optional("name", &json!({ "type": "string" }), "The file's name, for people.");
    let mut import = record("import", about, vec![name]);
    import["requestBody"] = json!({ "required": true, "content": { "application/octet-stream": { "schema": {} } } });
    insert(paths, "/api/v1/import", "POST", import);

    let mut eval = record("eval", "Evaluates a line of the shell.", Vec::new());
    let line = json!({
        "type": "object",
        "properties": { "line": { "type": "string" }, "terms": terms_schema() },
        "required": ["line"],
        "additionalProperties": false,
    });
    eval["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": line } } });
    insert(paths, "/api/v1/eval", "POST", eval);

    let about = "Ends what runs now, as Ctrl-C does.";
    insert(paths, "/api/v1/interrupt", "POST", record("interrupt", about, Vec::new()));
    let about = "The table of operations that all this is made from.";
    insert(paths, "/api/v1/operations", "GET", record("operations", about, Vec::new()));
}

/// The formats of exports.
const FORMATS: [&str; 7] = ["cinema", "jsonl", "json", "csv", "chrome", "mermaid", "dot"];

fn record(id: &str, summary: &str, parameters: Vec<Json>) -> Json {
    json!({
        "operationId": id,
        "tags": ["records"],
        "summary": summary,
        "parameters": parameters,
        "responses": answer(),
    })
}

/// What chooses events, beside the format: name, whether it is a number, and what it means.
const EVENTS: &[(&str, bool, &str)] = &[
    ("kind", false, "Kinds with commas between."),
    ("class", false, "Classes with commas between."),
    ("tag", false, "Message tags with commas between."),
    ("process", false, "Processes with commas between, at either end; a name means all who bore it."),
    ("where", false, "A script: |e| e.size > 100"),
    ("q", false, "Text in the event's words or payload."),
    ("from", false, "A moment."),
    ("to", false, "A moment."),
    ("after", true, "Only events after this one."),
    ("before", true, "Only events before this one: the newest of them."),
    ("limit", true, "Rows of the page."),
];

fn schema(name: &str, is_number: bool) -> Json {
    match (name, is_number) {
        ("limit", _) => json!({ "type": "integer", "minimum": 1, "maximum": limits::SERVER_ROWS_MAX }),
        (_, true) => json!({ "type": "integer", "minimum": 0 }),
        (_, false) => json!({ "type": "string" }),
    }
}

/// The schema of the events' query as one object, for assistants.
pub fn events_input() -> Json {
    let property = |(name, is_number, about): &(&str, bool, &str)| {
        let mut schema = schema(name, *is_number);
        schema["description"] = json!(about);
        (name.to_string(), schema)
    };
    let properties: Map<String, Json> = EVENTS.iter().map(property).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Forms in which terms are given.
fn terms_schema() -> Json {
    json!({ "enum": ["json", "erlang", "elixir"] })
}

fn events() -> Json {
    let mut parameters = vec![sandbox_parameter()];
    let parameter = |(name, is_number, about): &(&str, bool, &str)| optional(name, &schema(name, *is_number), about);
    parameters.extend(EVENTS.iter().map(parameter));
    parameters.push(optional("format", &json!({ "enum": ["json", "ndjson", "csv"] }), "json when left out."));
    parameters.push(optional("terms", &terms_schema(), "How JSON gives terms: as data, or as text in a syntax."));
    let mut events = record("events", "Events by pages: meta.next is the cursor of the next page.", parameters);
    events["responses"]["200"]["headers"] =
        json!({ "link": { "description": "The next page, rel=next, in any format.", "schema": { "type": "string" } } });
    for kind in ["application/x-ndjson", "text/csv"] {
        events["responses"]["200"]["content"][kind] = json!({});
    }
    events
}
