//! Events of a recording as JSON lines, whole and streamed: for other programs and for keeping.

use std::io::Write;

use serde_json::{Value, json};

use crate::codec::json::to_json;
use crate::model::{Class, Event, Failure, Filter, Outcome};
use crate::store::Recording;

/// Writes an object per event that matches: `seq`, `at_ns` (the event's own clock), `kind`, `class`, `process`,
/// `peer`, `tag`, `call`, `cause`, `size_bytes`, `payload`, `meta`; what an event has not is left out. Gives the
/// number of events. Cost: a payload decode per event. Errors: `out` fails.
pub fn events_jsonl(rec: &Recording, filter: &Filter, out: &mut dyn Write) -> Outcome<u64> {
    let mut n_events = 0;
    for event in rec.scan(filter) {
        writeln!(out, "{}", object(rec, &event))
            .map_err(|error| Failure::io(format!("cannot write events: {error}")))?;
        n_events += 1;
    }
    Ok(n_events)
}

fn object(rec: &Recording, event: &Event) -> Value {
    let fields = [
        ("seq", json!(event.seq.0)),
        ("at_ns", json!(event.at_ns)),
        ("kind", json!(event.kind.as_str())),
        ("class", json!((event.class != Class::None).then(|| event.class.as_str()))),
        ("process", json!(event.process.to_string())),
        ("peer", json!(event.peer.map(|peer| peer.to_string()))),
        ("tag", json!(event.tag.map(|tag| tag.as_str()))),
        ("call", json!(event.call.map(|call| call.0))),
        ("cause", json!(event.cause.map(|cause| cause.0))),
        ("size_bytes", json!(event.size_bytes)),
        ("payload", rec.term(event.seq).map_or(Value::Null, |term| to_json(&term))),
        ("meta", rec.meta(event.seq).map_or(Value::Null, |term| to_json(&term))),
    ];
    let told = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(told.map(|(name, value)| (name.to_string(), value)).collect())
}
