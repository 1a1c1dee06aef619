//! The OpenAPI document, made from the tables that the routes are made of. It must not know handlers.

mod records;

pub use records::events_input;

use serde_json::{Map, Value as Json, json};

use super::api::{NAMED, SANDBOX, entry};
use super::effect::{Effect, effect};
use super::views::VIEWS;
use crate::session::operation::{OpInfo, ParamInfo, join_doc};
use crate::session::ops;

/// The whole document.
pub fn document() -> Json {
    let mut paths = Map::new();
    for named in NAMED {
        let info = entry(named.operation).expect("named routes are of operations").info;
        let path = if named.of_sandbox { format!("{SANDBOX}{}", named.path) } else { format!("/api/v1{}", named.path) };
        insert(&mut paths, &path, named.method, operation(info, &path, named.method, "named"));
    }
    for entry in ops::entries() {
        let path = format!("{SANDBOX}/operations/{}", entry.info.name);
        insert(&mut paths, &path, "POST", operation(entry.info, &path, "POST", "operation"));
        if effect(entry.info) == Effect::Reads {
            insert(&mut paths, &path, "GET", operation(entry.info, &path, "GET", "operation"));
        }
    }
    for (name, summary, _) in VIEWS {
        insert(&mut paths, &format!("{SANDBOX}/views/{name}"), "GET", view(name, summary));
    }
    records::add(&mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cinema",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The operations of a cinema session: the same as the functions of its shell. Answers are {data, meta}; errors are RFC 9457 problem documents.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": components(),
    })
}

fn insert(paths: &mut Map<String, Json>, path: &str, method: &str, operation: Json) {
    let methods = paths.entry(path.to_string()).or_insert_with(|| json!({}));
    methods[method.to_lowercase()] = operation;
}

/// An operation of the table at a path: parameters in the path, the query of a GET, the body of others.
fn operation(info: &OpInfo, path: &str, method: &str, sort: &str) -> Json {
    let mut parameters = if path.contains("{sandbox}") { vec![sandbox_parameter()] } else { Vec::new() };
    let in_path = |param: &&ParamInfo| path.contains(&format!("{{{}}}", param.name));
    for param in info.params.iter().filter(in_path) {
        let schema = schema(param.type_name, true);
        parameters.push(json!({ "name": param.name, "in": "path", "required": true, "schema": schema, "description": join_doc(param.doc) }));
    }
    let rest: Vec<&ParamInfo> = info.params.iter().filter(|param| !in_path(param)).collect();
    let doc = info.doc_text();
    let mut operation = json!({
        "operationId": format!("{sort}_{}_{}", method.to_lowercase(), info.name),
        "tags": [info.group],
        "summary": doc.lines().next().unwrap_or_default(),
        "description": format!("{doc}\n\nIn the shell: `{}`\n\nGives: {}.", info.example, info.reply),
        "responses": answer(),
    });
    if method == "GET" {
        parameters.extend(rest.iter().map(|param| {
            json!({
                "name": param.name,
                "in": "query",
                "required": !param.is_optional,
                "schema": schema(param.type_name, true),
                "description": join_doc(param.doc),
            })
        }));
    } else if !rest.is_empty() {
        let is_required = rest.iter().any(|param| !param.is_optional);
        let schema = object_schema(&rest);
        operation["requestBody"] =
            json!({ "required": is_required, "content": { "application/json": { "schema": schema } } });
    }
    operation["parameters"] = json!(parameters);
    operation
}

/// The schema of an operation's arguments by name.
pub fn input_schema(info: &OpInfo) -> Json {
    object_schema(&info.params.iter().collect::<Vec<_>>())
}

fn object_schema(params: &[&ParamInfo]) -> Json {
    let property = |param: &&ParamInfo| {
        let mut schema = schema(param.type_name, false);
        schema["description"] = json!(join_doc(param.doc));
        (param.name.to_string(), schema)
    };
    let required: Vec<&str> = params.iter().filter(|param| !param.is_optional).map(|param| param.name).collect();
    json!({
        "type": "object",
        "properties": params.iter().map(property).collect::<Map<_, _>>(),
        "required": required,
        "additionalProperties": false,
    })
}

fn sandbox_parameter() -> Json {
    json!({
        "name": "sandbox",
        "in": "path",
        "required": true,
        "description": "The sandbox's number, as GET /api/v1/sandboxes lists it.",
        "schema": { "type": "integer", "minimum": 0 },
    })
}

/// The schema of a parameter's type; in a path or query everything is written as text.
fn schema(type_name: &str, is_text: bool) -> Json {
    let text = |examples: &[&str]| json!({ "type": "string", "minLength": 1, "examples": examples });
    match (type_name, is_text) {
        ("integer", _) => json!({ "type": "integer", "format": "int64" }),
        ("number", _) => json!({ "type": "number" }),
        ("boolean", _) => json!({ "type": "boolean" }),
        ("moment" | "event", true) => text(&["#12", "42%", "5ms", "+10", "start", "end", "a mark's name"]),
        ("moment" | "event", false) => json!({
            "oneOf": [
                { "type": "string", "minLength": 1 },
                { "type": "integer", "minimum": 0 },
            ],
            "examples": ["#12", 12],
        }),
        ("duration", true) => text(&["5ms", "1.5s"]),
        ("duration", false) => {
            json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }], "examples": ["5ms", 5] })
        }
        ("range", true) => text(&["#12..#40", "start..50%"]),
        ("range", false) => json!({
            "type": "array",
            "items": schema("moment", false),
            "minItems": 2,
            "maxItems": 2,
            "examples": [["#12", "#40"]],
        }),
        ("options", true) => json!({ "type": "string", "description": "a JSON object" }),
        ("options", false) => json!({ "type": "object" }),
        ("process", _) => json!({ "type": "string", "minLength": 1, "examples": ["alice", "<0.102.0>"] }),
        ("condition", _) => text(&["on_message(\"get\")", "on_result(\"timeout\")", "|e| e.size > 100"]),
        ("action", _) => text(&["action::pause()", "action::log(\"text\")"]),
        ("term" | "any", false) => json!({}),
        _ => json!({ "type": "string" }),
    }
}

fn view(name: &str, summary: &str) -> Json {
    let integer = json!({ "type": "integer", "minimum": 0 });
    let mut parameters = vec![sandbox_parameter()];
    if matches!(name, "window" | "graph" | "range") {
        parameters.push(optional("from", &integer, "The stretch's first event, counted along the line."));
        parameters.push(optional("to", &integer, "The first event after the stretch."));
    }
    if name == "window" {
        parameters.push(optional("lanes", &integer, "Lanes at most."));
        parameters.push(optional(
            "only",
            &json!({ "type": "string" }),
            "Only these processes: pids or names with commas between.",
        ));
    }
    if matches!(name, "graph" | "inspect") {
        parameters.push(optional("at", &integer, "As of just after this event; the last one when left out."));
    }
    if name == "graph" {
        parameters.push(optional(
            "dead",
            &json!({ "enum": ["true", "few", "false"] }),
            "Dead processes, too; few: where all have room.",
        ));
    }
    if name == "inspect" {
        parameters.push(json!({ "name": "process", "in": "query", "required": true, "schema": { "type": "string" }, "description": "A pid or a registered name." }));
        let syntaxes = json!({ "enum": ["erlang", "elixir"] });
        parameters.push(optional(
            "terms",
            &syntaxes,
            "In which syntax terms are written; the recording's own when left out.",
        ));
    }
    json!({
        "operationId": format!("view_{name}"),
        "tags": ["views"],
        "summary": summary,
        "parameters": parameters,
        "responses": answer(),
    })
}

/// A parameter of the query that may be left out.
fn optional(name: &str, schema: &Json, description: &str) -> Json {
    json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": description })
}

fn answer() -> Json {
    responses(&json!({ "$ref": "#/components/schemas/Answer" }))
}

fn responses(answer: &Json) -> Json {
    let problem = |description: &str| {
        json!({
            "description": description,
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
        })
    };
    json!({
        "200": { "description": "The answer.", "content": { "application/json": { "schema": answer } } },
        "400": problem("The request cannot be read."),
        "401": problem("The token is missing or wrong."),
        "403": problem("The server is read-only, or the page is foreign."),
        "404": problem("There is no such thing."),
        "409": problem("The source cannot do this, or the timeline ends here."),
        "413": problem("The body is too large."),
        "422": problem("An argument is wrong; `errors` says which."),
        "500": problem("The system said no."),
        "503": problem("The session is busy, or was interrupted."),
    })
}

fn components() -> Json {
    json!({
        "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        "schemas": {
            "Answer": {
                "type": "object",
                "properties": { "data": {}, "meta": { "type": "object" } },
                "required": ["data", "meta"],
            },
            "Problem": {
                "type": "object",
                "properties": {
                    "type": { "type": "string" },
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "code": { "type": "string" },
                    "detail": { "type": "string" },
                    "hints": { "type": "array", "items": { "type": "string" } },
                    "errors": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": { "field": { "type": "string" }, "detail": { "type": "string" } },
                            "required": ["field", "detail"],
                        },
                    },
                },
                "required": ["type", "title", "status", "code", "detail"],
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_documented_and_every_id_is_its_own() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        for entry in ops::entries() {
            assert!(paths.contains_key(&format!("{SANDBOX}/operations/{}", entry.info.name)), "{}", entry.info.name);
        }
        let mut ids = std::collections::BTreeSet::new();
        for (path, methods) in paths {
            for (method, operation) in methods.as_object().unwrap() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_string()), "{method} {path}: {id} stands twice");
                for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                    let name = part.trim_end_matches('}');
                    let parameters = operation["parameters"].as_array().unwrap();
                    assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "path"), "{path}: {name}");
                }
            }
        }
    }
}
