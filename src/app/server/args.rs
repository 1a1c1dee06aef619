//! JSON and query strings as arguments of operations: read by the types that the operation table names.
//! It must not know which operation they are for.
//!
//! | type | JSON |
//! |---|---|
//! | moment, event | `"#12"`, `"42%"`, `"5ms"`, `"start"`, a mark's name; `12`; `{"seq": 12}` |
//! | range | `[from, to]`; in a query `from..to` |
//! | duration | `"5ms"`, or an integer of milliseconds |
//! | term | strings are atoms, `{"$bin": ..}`, `{"$tuple": [..]}`, `{"$erl": "{ok, 1}"}`, the rest as it looks |
//! | condition | a script: `"on_message(\"get\")"`, `"\|e\| e.size > 100"` |
//! | action | a script: `"action::pause()"` |

use serde_json::{Map, Value as Json};

use super::effect::{Effect, effect};
use super::problem::{FieldError, Problem};
use crate::app::live::Live;
use crate::model::{Outcome, Syntax, Term, limits};
use crate::script::api::Reach;
use crate::session::operation::{OpInfo, ParamInfo};
use crate::session::value::Value;

/// Names of the types whose text is a script.
const SCRIPTED: [&str; 2] = ["condition", "action"];

/// Arguments as they came: by name, each JSON or the text of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given(pub Vec<(String, Json)>);

impl Given {
    /// From a request's body: an object by name, or nothing.
    pub fn of_body(body: &[u8]) -> Result<Given, Problem> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Given::default());
        }
        match serde_json::from_slice(body) {
            Ok(Json::Object(fields)) => Ok(Given::of_object(fields)),
            Ok(_) => Err(Problem::bad_request("the body is no JSON object: arguments go by name")),
            Err(error) => Err(Problem::bad_request(format!("the body is not JSON: {error}"))),
        }
    }
    pub fn of_object(fields: Map<String, Json>) -> Given {
        Given(fields.into_iter().collect())
    }
    /// Adds what stands in a path or query, where everything is text.
    pub fn add_text(&mut self, info: &OpInfo, name: &str, text: String) {
        let type_name = info.params.iter().find(|param| param.name == name).map_or("text", |param| param.type_name);
        self.0.push((name.to_string(), from_text(type_name, text)));
    }
    /// Takes an argument that is not the operation's own.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let idx = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.remove(idx).1)
    }
}

/// What a query's text stands for where JSON would say more.
fn from_text(type_name: &str, text: String) -> Json {
    let parsed = match type_name {
        "integer" => text.parse::<i64>().ok().map(Json::from),
        "number" => text.parse::<f64>().ok().map(Json::from),
        "boolean" => text.parse::<bool>().ok().map(Json::from),
        "options" => serde_json::from_str(&text).ok(),
        // As in JSON, where a moment may be an event's number.
        "moment" | "event" => text.parse::<u64>().ok().map(Json::from),
        "range" => text
            .split_once("..")
            .map(|(from, to)| Json::from([from, to].map(|end| from_text("moment", end.to_string())).to_vec())),
        _ => None,
    };
    parsed.unwrap_or(Json::String(text))
}

/// Refuses what stands more than once and is no list, rather than to choose one.
pub fn once<'a, T: 'a>(given: impl IntoIterator<Item = &'a (String, T)>) -> Result<(), Problem> {
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    given.into_iter().for_each(|(name, _)| *seen.entry(name).or_default() += 1);
    let twice = seen.into_iter().filter(|(_, n)| *n > 1);
    let error = |(name, n): (&str, usize)| FieldError { field: name.into(), detail: format!("is given {n} times") };
    let errors: Vec<FieldError> = twice.map(error).collect();
    if errors.is_empty() { Ok(()) } else { Err(Problem::fields(errors)) }
}

/// The arguments in the order of the operation's parameters. Errors: each field that cannot be read, and why.
pub fn read(info: &OpInfo, given: Given, live: &mut Live) -> Result<Vec<Value>, Problem> {
    once(&given.0)?;
    let mut errors = Vec::new();
    let mut wrong = |field: &str, detail: String| errors.push(FieldError { field: field.into(), detail });
    for (name, _) in &given.0 {
        if !info.params.iter().any(|param| param.name == name) {
            let known: Vec<&str> = info.params.iter().map(|param| param.name).collect();
            let known = if known.is_empty() { "none".to_string() } else { known.join(", ") };
            wrong(name, format!("{} has no such parameter; known: {known}", info.name));
        }
    }
    // What only answers changes nothing by its arguments either.
    let reach = if effect(info) == Effect::Changes { Reach::Session } else { Reach::Values };
    let mut values: Vec<Option<Value>> = Vec::new();
    for param in info.params {
        let json = given.0.iter().find(|(name, _)| name == param.name).map(|(_, json)| json);
        match json.filter(|json| !json.is_null()) {
            None if param.is_optional => values.push(None),
            None if param.type_name == param.name => wrong(param.name, "is missing".into()),
            None => wrong(param.name, format!("is missing: {}", param.type_name)),
            Some(json) => match value(param, json, live, reach) {
                Ok(value) => values.push(Some(value)),
                Err(detail) => wrong(param.name, detail),
            },
        }
    }
    if !errors.is_empty() {
        return Err(Problem::fields(errors));
    }
    // Arguments go by position: what is left out at the end is not given, before that it is said.
    let n = values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    values.truncate(n);
    let fill = |(value, param): (Option<Value>, &ParamInfo)| value.unwrap_or_else(|| absent(param));
    Ok(values.into_iter().zip(info.params).map(fill).collect())
}

/// What stands for a missing argument before one that is given. "No moment" is said as "here".
fn absent(param: &ParamInfo) -> Value {
    if param.type_name == "moment" { Value::Text("+0".into()) } else { Value::Unit }
}

/// A parameter's value; the error says what was expected.
fn value(param: &ParamInfo, json: &Json, live: &mut Live, reach: Reach) -> Result<Value, String> {
    let expected = |what: &str| Err(format!("expected {what}, got {}", shown(json)));
    match (param.type_name, json) {
        ("integer", Json::Number(n)) if n.is_i64() => plain(json),
        ("integer", _) => expected("an integer of 64 bits"),
        ("number", Json::Number(_)) => plain(json),
        ("number", _) => expected("a number"),
        ("boolean", Json::Bool(_)) => plain(json),
        ("boolean", _) => expected("a boolean"),
        ("text" | "path" | "process", Json::String(_)) => plain(json),
        ("process", Json::Object(map)) if map.contains_key("$pid") => plain(json),
        ("text" | "path" | "process", _) => expected("text"),
        ("moment" | "event", Json::String(_)) => plain(json),
        ("moment" | "event", Json::Number(n)) if n.is_u64() => plain(json),
        ("moment" | "event", Json::Object(map)) if map.contains_key("seq") => plain(json),
        ("moment" | "event", _) => expected("a moment (\"#12\", \"42%\", \"5ms\", an event's number)"),
        ("duration", Json::String(_) | Json::Number(_)) => plain(json),
        ("duration", _) => expected("a duration (\"5ms\", or milliseconds)"),
        ("range", Json::Array(ends)) if ends.len() == 2 => plain(json),
        ("range", _) => expected("a range ([from, to])"),
        ("options", Json::Object(_)) => plain(json),
        ("options", _) => expected("an object"),
        (scripted, Json::String(text)) if SCRIPTED.contains(&scripted) => {
            live.argument(param.name, text, reach).map_err(|failure| failure.to_string())
        }
        (scripted, _) if SCRIPTED.contains(&scripted) => expected("a script, as text"),
        _ => plain(json),
    }
}

/// A wrong value as an error says it: what is short as it is, the rest by its kind.
fn shown(json: &Json) -> String {
    match json {
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        Json::String(text) if text.len() <= SHOWN_BYTES_MAX => format!("{text:?}"),
        _ => kind_of(json).to_string(),
    }
}
const SHOWN_BYTES_MAX: usize = 40;

fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(n) if n.is_f64() => "a float",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// JSON as it looks; objects with one `$..` key are terms.
fn plain(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Unit,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(n) => match n.as_i64() {
            Some(value) => Value::Int(value),
            None if n.is_f64() => Value::Float(n.as_f64().unwrap_or_default()),
            None => return Err(format!("{n} is too large; write {{\"$erl\": \"{n}\"}}")),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(plain).collect::<Result<_, _>>()?),
        Json::Object(fields) => match fields.iter().next().filter(|(key, _)| fields.len() == 1 && key.starts_with('$'))
        {
            Some((key, inner)) => special(key, inner)?,
            None => {
                let entry = |(key, value): (&String, &Json)| Ok((key.clone(), plain(value)?));
                Value::Map(fields.iter().map(entry).collect::<Result<_, String>>()?)
            }
        },
    })
}

fn special(key: &str, inner: &Json) -> Result<Value, String> {
    use crate::session::value::{Param, TermArg};
    match (key, inner) {
        ("$bin", Json::String(text)) => Ok(Value::Term(Term::binary(text.as_bytes()))),
        ("$erl" | "$pid" | "$ref" | "$port", Json::String(text)) => {
            Term::parse(text, Syntax::Erlang).map(Value::Term).map_err(|error| error.to_string())
        }
        ("$tuple", Json::Array(items)) => {
            let term = |item| TermArg::from_value(plain(item)?).map(|term| term.0);
            Ok(Value::Term(Term::tuple(items.iter().map(term).collect::<Result<Vec<_>, String>>()?)))
        }
        _ => Err(format!("no term is written {{{key:?}: {}}}; known: $bin, $erl, $pid, $tuple", kind_of(inner))),
    }
}

impl Live {
    /// A condition or an action from its script, under the limits of lines that come over a socket.
    pub fn argument(&mut self, name: &str, text: &str, reach: Reach) -> Outcome<Value> {
        self.console().argument(name, text, reach, limits::SERVER_SCRIPT_OPERATIONS_MAX)
    }
}
