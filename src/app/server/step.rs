//! A step as HTTP and the channel ask for it: how far, which way, whose. It must not know who asks.

use serde_json::{Value as Json, json};

use super::args::Given;
use super::problem::Problem;

/// The fields, and what they mean.
pub const FIELDS: &[(&str, &str)] = &[
    ("n", "How many events; one when left out. With unit event only."),
    (
        "unit",
        "`event` when left out; `process`: its events only, `handler`: beginnings of callbacks, `hit`: breakpoints.",
    ),
    ("direction", "`forward` when left out, or `back`."),
    ("process", "Whose events or callbacks; the one of the cursor's event when left out."),
];
pub const UNITS: [&str; 4] = ["event", "process", "handler", "hit"];
pub const DIRECTIONS: [&str; 2] = ["forward", "back"];

/// The operation that steps so, and its arguments; fields of no step are left to it to refuse.
pub fn read(mut given: Given) -> Result<(&'static str, Given), Problem> {
    let unit = word(&mut given, "unit", &UNITS)?;
    let direction = word(&mut given, "direction", &DIRECTIONS)?;
    let name = match (unit, direction) {
        ("event", "forward") => "step",
        ("event", _) => "step_back",
        ("process", "forward") => "next",
        ("process", _) => "prev",
        ("handler", "forward") => "next_handler",
        ("handler", _) => "prev_handler",
        (_, "forward") => "cont",
        _ => "rcont",
    };
    // What does not belong to this unit is no mistake: a client may send all that it has.
    given.0.retain(|(name, _)| match name.as_str() {
        "n" => unit == "event",
        "process" => matches!(unit, "process" | "handler"),
        _ => true,
    });
    Ok((name, given))
}

/// A word of `known`; the first of them when it is left out.
fn word(given: &mut Given, name: &str, known: &[&'static str]) -> Result<&'static str, Problem> {
    let expected = || Problem::field(name, format!("expected {}", known.join(", ")));
    match given.take(name) {
        None | Some(Json::Null) => known.first().copied().ok_or_else(expected),
        Some(Json::String(text)) => known.iter().find(|word| **word == text).copied().ok_or_else(expected),
        Some(_) => Err(expected()),
    }
}

/// The schema of the fields.
pub fn schema() -> Json {
    let property = |(name, about): &(&str, &str)| {
        let mut schema = match *name {
            "n" => json!({ "type": "integer", "minimum": 1, "format": "int64" }),
            "unit" => json!({ "enum": UNITS }),
            "direction" => json!({ "enum": DIRECTIONS }),
            _ => json!({ "type": "string", "minLength": 1 }),
        };
        schema["description"] = json!(about);
        (name.to_string(), schema)
    };
    let properties: serde_json::Map<String, Json> = FIELDS.iter().map(property).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operation and its arguments, or the field that is wrong.
    fn of(fields: Json) -> Result<(&'static str, Json), String> {
        let Json::Object(fields) = fields else { return Err("no object".into()) };
        let step = read(Given::of_object(fields)).map_err(|problem| problem.errors[0].field.clone());
        step.map(|(name, given)| (name, Json::Object(given.0.into_iter().collect())))
    }

    #[test]
    fn every_unit_goes_both_ways() {
        assert_eq!(of(json!({})), Ok(("step", json!({}))));
        assert_eq!(of(json!({"n": 3, "direction": "back"})), Ok(("step_back", json!({"n": 3}))));
        let of_alice = json!({"unit": "process", "process": "alice", "n": 3});
        assert_eq!(of(of_alice), Ok(("next", json!({"process": "alice"}))));
        assert_eq!(of(json!({"unit": "handler", "direction": "back"})), Ok(("prev_handler", json!({}))));
        assert_eq!(of(json!({"unit": "hit", "process": "alice"})), Ok(("cont", json!({}))));
        assert_eq!(of(json!({"unit": "mile"})), Err("unit".into()));
        assert_eq!(of(json!({"direction": 1})), Err("direction".into()));
    }
}
