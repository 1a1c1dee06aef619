//! The Chrome trace event format (JSON), which Perfetto and chrome://tracing open: a track per process, callbacks
//! as slices, messages as flow arrows, ends and timeouts as instants.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::model::{Actor, Event, Filter, Kind, Seq};
use crate::store::Recording;

const KINDS: &[Kind] = &[
    Kind::HandleStart,
    Kind::HandleEnd,
    Kind::Receive,
    Kind::Spawn,
    Kind::Exit,
    Kind::Crash,
    Kind::Timeout,
    Kind::LateReply,
    Kind::SupervisorRestart,
];

/// Writes the events of `filter`'s ranges and processes; `name` gives the tracks' names. Gives the number of trace
/// events. Memory is bounded by the processes. Errors: `out` fails.
pub fn chrome_trace(
    rec: &Recording,
    filter: &Filter,
    name: &dyn Fn(Actor) -> String,
    out: &mut dyn Write,
) -> io::Result<u64> {
    let start_ns = rec.time_range_ns().map_or(0, |(first, _)| first);
    let mut tracer = Tracer { start_ns, name, tracks: BTreeMap::new(), open: BTreeMap::new(), out, n_events: 0 };
    tracer.run(rec, filter)?;
    Ok(tracer.n_events)
}

struct Tracer<'a> {
    start_ns: i64,
    name: &'a dyn Fn(Actor) -> String,
    tracks: BTreeMap<Actor, usize>,
    /// The callback that runs in each process.
    open: BTreeMap<Actor, Event>,
    out: &'a mut dyn Write,
    n_events: u64,
}

impl Tracer<'_> {
    fn run(&mut self, rec: &Recording, filter: &Filter) -> std::io::Result<()> {
        self.out.write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n")?;
        let filter = Filter { kinds: KINDS.to_vec(), ..filter.clone() };
        for event in rec.scan(&filter) {
            self.take(rec, &event)?;
        }
        for start in std::mem::take(&mut self.open).into_values() {
            self.slice(&start, start.at_ns)?;
        }
        self.out.write_all(b"\n]}\n")
    }

    fn take(&mut self, rec: &Recording, event: &Event) -> std::io::Result<()> {
        match event.kind {
            Kind::HandleStart => {
                self.open.insert(event.process, *event);
                Ok(())
            }
            Kind::HandleEnd => match self.open.remove(&event.process) {
                Some(start) => self.slice(&start, event.at_ns),
                None => Ok(()),
            },
            Kind::Receive => match event.cause.and_then(|cause| rec.event(cause)) {
                Some(sent) => {
                    let label = format!("{} {}", sent.class.as_str(), sent.tag.map_or("", |tag| tag.as_str()));
                    let id = sent.seq.0;
                    self.put("s", label.trim_end(), &sent, json!({ "id": id, "cat": "message" }))?;
                    self.put("f", label.trim_end(), event, json!({ "id": id, "cat": "message", "bp": "e" }))
                }
                None => Ok(()),
            },
            Kind::Spawn if rec.is_introduction(event) => Ok(()),
            kind => {
                let name =
                    event.tag.map_or(kind.as_str().to_string(), |tag| format!("{} {}", kind.as_str(), tag.as_str()));
                self.put("i", &name, event, json!({ "s": "t", "args": { "seq": event.seq.0 } }))
            }
        }
    }

    fn slice(&mut self, start: &Event, end_ns: i64) -> std::io::Result<()> {
        let name = format!("{} {}", start.class.as_str(), start.tag.map_or("", |tag| tag.as_str()));
        let duration_us = (end_ns - start.at_ns) as f64 / 1e3;
        let Seq(seq) = start.seq;
        self.put("X", name.trim_end(), start, json!({ "dur": duration_us, "args": { "seq": seq } }))
    }

    /// One trace event, with those fields that all have; `more` is an object.
    fn put(&mut self, phase: &str, name: &str, event: &Event, more: Value) -> std::io::Result<()> {
        let n_known = self.tracks.len();
        let track = *self.tracks.entry(event.process).or_insert(n_known + 1);
        if track > n_known {
            let name = (self.name)(event.process);
            self.line(&json!({ "ph": "M", "pid": 1, "tid": track, "name": "thread_name", "args": { "name": name } }))?;
        }
        let at_us = (event.at_ns - self.start_ns) as f64 / 1e3;
        let mut fields = json!({ "ph": phase, "name": name, "pid": 1, "tid": track, "ts": at_us });
        if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
            fields.extend(more);
        }
        self.line(&fields)
    }

    fn line(&mut self, fields: &Value) -> std::io::Result<()> {
        let separator = if self.n_events > 0 { ",\n" } else { "" };
        self.n_events += 1;
        write!(self.out, "{separator}{fields}")
    }
}
