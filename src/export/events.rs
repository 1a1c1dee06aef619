//! Events of a recording as JSON lines, whole and streamed: for other programs and for keeping. `sandbox/import` reads
//! them back.

use std::io::{self, Write};

use serde_json::{Map, Value};

use crate::codec::json::{gives_back, hex, to_json};
use crate::model::pid::Origin;
use crate::model::{Class, Event, Filter, Term};
use crate::store::Recording;

/// Writes an object per event that matches: `seq`, `skipped` (how many seqs just before it are not among the lines because they do
/// not match, are of another branch or evicted; a gap that it does not tell of is a loss), `at_ns` (since the recording's first event, as in tables), `clock_ns` (the same
/// moment on the recorded system's clock, where that does not begin at 0), `kind`, `class`, `process`,
/// `peer`, `tag`, `call`, `cause`, `size_bytes`, `payload`, `meta`; what an event has not is left out. `node` is
/// `[name, creation]` of the process's node, `peer_node` of the peer's where it is another; without them it is
/// `nonode@nohost`. Where the JSON form of a payload does not tell all of it (nodes of pids, funs), `payload_etf` has its
/// bytes in hexadecimal digits; so has `meta_etf`. `lost` names what damage of the file took: a payload that is not there
/// and not in it never was. Gives the number of events. Cost: a payload decode per event.
/// Errors: `out` fails.
pub fn events_jsonl(rec: &Recording, filter: &Filter, out: &mut dyn Write) -> io::Result<u64> {
    let mut n_events = 0;
    let start_ns = rec.time_range_ns().map_or(0, |(start_ns, _)| start_ns);
    let mut next = 0;
    for event in rec.scan(filter) {
        let gap = next..event.seq.0;
        let n_skipped = if gap.is_empty() { 0 } else { gap.end - gap.start - rec.n_unreadable(gap) };
        writeln!(out, "{}", object(rec, &event, n_skipped, start_ns))?;
        next = event.seq.0 + 1;
        n_events += 1;
    }
    Ok(n_events)
}

fn object(rec: &Recording, event: &Event, n_skipped: u64, start_ns: i64) -> Value {
    let mut fields = Map::new();
    let mut tell = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_string(), value);
        }
    };
    let node = event.process.origin();
    let peer_node = event.peer.map_or(node, |peer| peer.origin());
    tell("seq", event.seq.0.into());
    tell("skipped", (n_skipped > 0).then_some(n_skipped).into());
    tell("at_ns", event.at_ns.saturating_sub(start_ns).into());
    tell("clock_ns", (start_ns != 0).then_some(event.at_ns).into());
    tell("kind", event.kind.as_str().into());
    tell("class", (event.class != Class::None).then(|| event.class.as_str()).into());
    tell("process", event.process.to_string().into());
    tell("node", (node != Origin::LOCAL).then(|| node_json(node)).into());
    tell("peer", event.peer.map(|peer| peer.to_string()).into());
    tell("peer_node", (peer_node != node).then(|| node_json(peer_node)).into());
    tell("tag", event.tag.map(|tag| tag.as_str()).into());
    tell("call", event.call.map(|call| call.0).into());
    tell("cause", event.cause.map(|cause| cause.0).into());
    tell("size_bytes", event.size_bytes.into());
    let payload = rec.payload_ref(event.seq);
    let [json, etf] = term_json(rec.term(event.seq), payload.as_deref());
    tell("payload", json);
    tell("payload_etf", etf);
    let lost = rec.lost_fields(event.seq);
    tell("lost", (!lost.is_empty()).then_some(lost).into());
    let [json, etf] = term_json(rec.meta(event.seq), rec.meta_ref(event.seq).as_deref());
    tell("meta", json);
    tell("meta_etf", etf);
    Value::Object(fields)
}

fn node_json(origin: Origin) -> Value {
    let id = origin.id();
    Value::Array(vec![id.node.as_str().into(), id.creation.into()])
}

/// A term's JSON form and, where that does not tell all, its bytes.
fn term_json(term: Option<Term>, bytes: Option<&[u8]>) -> [Value; 2] {
    let json = term.map_or(Value::Null, |term| to_json(&term));
    let etf = bytes.filter(|bytes| json.is_null() || !gives_back(&json, bytes)).map(hex);
    [json, etf.into()]
}
