//! Events as JSON lines, as `export` writes them. A line that is no event is a defect with its place, and reading goes on.
//! It must not know who wrote them.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::outlet::{Hangup, Outlet};
use super::source::OpenFile;
use super::{EventClock, ImportReport};
use crate::codec::etf;
use crate::codec::json::{bytes_of_hex, from_json};
use crate::model::limits::{FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::model::pid::Origin;
use crate::model::{Actor, ActorId, Atom, CallKey, Class, EventBatch, Kind, NewEvent, Seq, Syntax, Term};

/// Whether `path` is a file whose first character begins a JSON object.
pub fn is_lines(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && start.trim_ascii_start().first() == Some(&b'{')
}

/// One line; the fields of `export::events_jsonl`. Others are passed over.
#[derive(Deserialize)]
struct Line<'l> {
    seq: Option<u64>,
    at_ns: i64,
    #[serde(borrow)]
    kind: Cow<'l, str>,
    #[serde(borrow)]
    class: Option<Cow<'l, str>>,
    #[serde(borrow)]
    process: Cow<'l, str>,
    node: Option<(String, u32)>,
    #[serde(borrow)]
    peer: Option<Cow<'l, str>>,
    peer_node: Option<(String, u32)>,
    #[serde(borrow)]
    tag: Option<Cow<'l, str>>,
    call: Option<u64>,
    cause: Option<u64>,
    payload: Option<Value>,
    #[serde(borrow)]
    payload_etf: Option<Cow<'l, str>>,
    meta: Option<Value>,
    #[serde(borrow)]
    meta_etf: Option<Cow<'l, str>>,
}

/// Reads one file of lines.
pub struct Lines<'s> {
    outlet: Outlet<'s>,
    batch: EventBatch,
    seqs: Seqs,
    report: ImportReport,
}

impl<'s> Lines<'s> {
    pub fn new(outlet: Outlet<'s>) -> Lines<'s> {
        Lines { outlet, batch: EventBatch::new(Seq(0)), seqs: Seqs::default(), report: ImportReport::default() }
    }

    /// Reads to the end, or until nobody listens.
    pub fn run(mut self, file: &OpenFile) -> ImportReport {
        // Whether all was sent does not matter for the report of what was read.
        let _ = self.read(file);
        self.report.n_events = self.next().0;
        self.report.clock = EventClock::Monotonic;
        self.report
    }

    fn read(&mut self, file: &OpenFile) -> Result<(), Hangup> {
        let mut offset = 0;
        for (idx, line) in file.bytes().split(|byte| *byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                self.report.n_frames += 1;
                if let Err(what) = self.take(line) {
                    self.report.defects.add(file.name(), offset, format!("line {}: {what}", idx + 1));
                }
            }
            offset += line.len() + 1;
            if Outlet::is_full(&self.batch) {
                self.send(offset)?;
            }
        }
        self.send(file.bytes().len())
    }

    fn next(&self) -> Seq {
        Seq(self.batch.first.0 + self.batch.len() as u64)
    }

    fn send(&mut self, offset: usize) -> Result<(), Hangup> {
        let next = self.next();
        self.outlet.send(offset as u64, |mut empty| {
            empty.clear(next);
            std::mem::replace(&mut self.batch, empty)
        })
    }

    /// Takes one line. Errors say what is wrong with it.
    fn take(&mut self, line: &[u8]) -> Result<(), String> {
        if line.len() > FRAME_BYTES_MAX {
            return Err(format!("{} bytes (limit FRAME_BYTES_MAX: {FRAME_BYTES_MAX})", line.len()));
        }
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let payload = term_bytes("payload", line.payload.as_ref(), line.payload_etf.as_deref())?;
        let meta = term_bytes("meta", line.meta.as_ref(), line.meta_etf.as_deref())?;
        let node = node(line.node.as_ref())?.unwrap_or(Origin::LOCAL);
        let peer_node = node_or(line.peer_node.as_ref(), node)?;
        let unknown = |what: &str, word: &str| format!("no {what} {word:?}");
        let class = line.class.as_deref().map(|word| Class::from_name(word).ok_or_else(|| unknown("class", word)));
        let tag = line.tag.as_deref().map(|text| Atom::try_new(text).map_err(|error| format!("tag: {error}")));
        let next = self.next();
        let event = NewEvent {
            at_ns: line.at_ns,
            kind: Kind::from_name(&line.kind).ok_or_else(|| unknown("kind", &line.kind))?,
            class: class.transpose()?.unwrap_or(Class::None),
            process: actor(&line.process, node)?,
            peer: line.peer.as_deref().map(|text| actor(text, peer_node)).transpose()?,
            tag: tag.transpose()?,
            call: line.call.map(CallKey),
            cause: line.cause.and_then(|cause| self.seqs.find(cause)),
            payload: &payload,
            meta: &meta,
        };
        self.seqs.add(line.seq.unwrap_or(next.0), next);
        self.batch.push(&event);
        Ok(())
    }
}

/// A term's bytes, 131 first: those given, else those of its JSON form; none for none.
fn term_bytes(name: &str, json: Option<&Value>, etf: Option<&str>) -> Result<Vec<u8>, String> {
    let bytes = match (json, etf) {
        (_, Some(hex)) => bytes_of_hex(hex).ok_or_else(|| format!("{name}_etf has no pairs of hexadecimal digits"))?,
        (Some(json), None) => {
            let term = from_json(json).ok_or_else(|| format!("{name} is not the JSON form of a term"))?;
            let mut bytes = Vec::new();
            etf::encode(&term, &mut bytes);
            bytes
        }
        (None, None) => Vec::new(),
    };
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("{name} of {} bytes (limit PAYLOAD_BYTES_MAX: {PAYLOAD_BYTES_MAX})", bytes.len()));
    }
    Ok(bytes)
}

fn node(given: Option<&(String, u32)>) -> Result<Option<Origin>, String> {
    let Some((name, creation)) = given else { return Ok(None) };
    let name = Atom::try_new(name).map_err(|error| format!("node: {error}"))?;
    Origin::intern(name, *creation).map(Some).ok_or_else(|| "more than 65536 node incarnations".to_string())
}
fn node_or(given: Option<&(String, u32)>, other: Origin) -> Result<Origin, String> {
    node(given).map(|node| node.unwrap_or(other))
}

/// The actor that `text` names on `node`: `<0.12.0>`, `#Port<0.5>`, with `~1` behind it when its pid was used before.
fn actor(text: &str, node: Origin) -> Result<Actor, String> {
    let wrong = || format!("{text:?} is no pid or port such as \"<0.12.0>\"");
    let (id, incarnation) = match text.split_once('~') {
        Some((id, incarnation)) => (id, incarnation.parse().map_err(|_| wrong())?),
        None => (text, 0),
    };
    let id = match Term::parse(id, Syntax::Erlang) {
        Ok(Term::Pid(pid)) => ActorId::Pid(crate::model::Pid { origin: node, ..pid }),
        Ok(Term::Port(port)) => ActorId::Port(crate::model::Port { origin: node, ..port }),
        _ => return Err(wrong()),
    };
    Ok(Actor { id, incarnation })
}

/// The seqs that events had and have. Where those of the file follow each other, so do ours: a run takes 16 bytes.
#[derive(Default)]
struct Seqs {
    /// The first seq in the file and here, of each run; ascending in both.
    runs: Vec<(u64, Seq)>,
    next: (u64, Seq),
}

impl Seqs {
    fn add(&mut self, theirs: u64, ours: Seq) {
        if self.runs.is_empty() || self.next != (theirs, ours) {
            self.runs.push((theirs, ours));
        }
        self.next = (theirs.saturating_add(1), ours.next());
    }

    /// Ours for theirs; `None` for an event that the file does not have, or has later.
    fn find(&self, theirs: u64) -> Option<Seq> {
        let place = self.runs.partition_point(|(first, _)| *first <= theirs).checked_sub(1)?;
        let (first, ours) = self.runs[place];
        let end = self.runs.get(place + 1).map_or(self.next.1, |(_, next)| *next);
        let seq = Seq(ours.0.checked_add(theirs.checked_sub(first)?)?);
        (seq < end).then_some(seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seqs_are_found_over_gaps() {
        let mut seqs = Seqs::default();
        for (ours, theirs) in [5, 6, 9, 10, 20].into_iter().enumerate() {
            seqs.add(theirs, Seq(ours as u64));
        }
        let found = [4, 5, 6, 7, 9, 10, 11, 20, 21].map(|theirs| seqs.find(theirs).map(|seq| seq.0));
        assert_eq!(found, [None, Some(0), Some(1), None, Some(2), Some(3), None, Some(4), None]);
        assert_eq!(seqs.runs.len(), 3);
    }
}
