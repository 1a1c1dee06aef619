//! Events as JSON lines, as `export` writes them. A line that is no event is a defect with its place, and reading goes on: a
//! loss stands for it. Events are numbered by their lines; their own numbers tell causes. It must not know who wrote them.

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
use crate::model::limits::{CLOCK_NS_MAX, DEFECTS_KEPT_MAX, FRAME_BYTES_MAX, PAYLOAD_BYTES_MAX};
use crate::model::pid::Origin;
use crate::model::time::show_ns;
use crate::model::{
    Actor, ActorId, Atom, CallKey, Class, DAMAGE, EventBatch, Kind, NewEvent, Pid, Seq, Syntax, Term, nearest,
};

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
    /// Since the first event of the recording that it was part of.
    at_ns: i64,
    /// On the clock of the recorded system; where it is missing, `at_ns`.
    clock_ns: Option<i64>,
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
    /// Time of the last event.
    last_ns: Option<i64>,
    /// What is wrong with the lines before the first event.
    damaged_before: Vec<String>,
    repeated: Oddity,
    backwards: Oddity,
    report: ImportReport,
}

/// Something that is taken as it is, and told: how often, and where first.
#[derive(Default)]
struct Oddity {
    n: u64,
    first: String,
}

impl Oddity {
    fn note(&mut self, first: impl FnOnce() -> String) {
        if self.n == 0 {
            self.first = first();
        }
        self.n += 1;
    }
    fn tell(&self, told: &mut Vec<String>, what: &str) {
        if self.n > 0 {
            let times = if self.n == 1 { "once".to_string() } else { format!("{} times", self.n) };
            told.push(format!("{}{what} ({times} in all)", self.first));
        }
    }
}

/// Why a line is no event, and where in the line, from 1; 0 when that is not known.
struct Wrong {
    column: usize,
    what: String,
}

impl From<String> for Wrong {
    fn from(what: String) -> Wrong {
        Wrong { column: 0, what }
    }
}

impl Wrong {
    /// A word that is not known, where it stands in the line.
    fn unknown<'k>(line: &[u8], what: &str, word: &str, known: impl Iterator<Item = &'k str> + Clone) -> Wrong {
        let hint = match nearest(word, known.clone()).first() {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("it is one of {}", known.collect::<Vec<_>>().join(", ")),
        };
        Wrong::word(line, word, format!("no {what} {word:?}: {hint}"))
    }

    fn word(line: &[u8], word: &str, what: String) -> Wrong {
        let quoted = format!("{word:?}");
        let at = line.windows(quoted.len()).position(|part| part == quoted.as_bytes());
        Wrong { column: at.map_or(0, |at| at + 1), what }
    }

    /// What serde says of a line, in a user's words.
    fn json(error: &serde_json::Error) -> Wrong {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        let what = what.replace("expected u64", "expected a whole number from 0 on");
        let what = what
            .replace("expected i64", "expected a whole number")
            .replace("expected struct Line", "expected an object");
        Wrong { column: error.column(), what }
    }

    fn at_line(self, number: usize) -> String {
        match self.column {
            0 => format!("line {number}: {}", self.what),
            column => format!("line {number}, column {column}: {}", self.what),
        }
    }
}

impl<'s> Lines<'s> {
    pub fn new(outlet: Outlet<'s>) -> Lines<'s> {
        Lines {
            outlet,
            batch: EventBatch::new(Seq(0)),
            seqs: Seqs::default(),
            last_ns: None,
            damaged_before: Vec::new(),
            repeated: Oddity::default(),
            backwards: Oddity::default(),
            report: ImportReport::default(),
        }
    }

    /// Reads to the end, or until nobody listens.
    pub fn run(mut self, file: &OpenFile) -> ImportReport {
        // Whether all was sent does not matter for the report of what was read.
        let _ = self.read(file);
        self.report.n_events = self.next().0;
        self.report.clock = EventClock::Monotonic;
        self.repeated.tell(&mut self.report.assumed, ": numbers ascend; the event is kept, and no cause leads to it");
        self.backwards.tell(&mut self.report.assumed, ": the order of the lines is kept");
        self.report
    }

    fn read(&mut self, file: &OpenFile) -> Result<(), Hangup> {
        let mut offset = 0;
        for (idx, line) in file.bytes().split(|byte| *byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                self.report.n_frames += 1;
                if let Err(wrong) = self.take(line, idx + 1) {
                    let n_defects = self.report.defects.n_total;
                    self.report.defects.add(file.name(), offset, wrong.at_line(idx + 1));
                    let what = self.report.defects.first_of(&(n_defects..n_defects + 1));
                    self.lose(what);
                }
            }
            offset += line.len() + 1;
            if Outlet::is_full(&self.batch) {
                self.send(offset)?;
            }
        }
        self.lose_before(0);
        self.send(file.bytes().len())
    }

    /// Puts a loss in the place of a line that is no event. One before the first event waits for that one's time.
    fn lose(&mut self, what: String) {
        match self.last_ns {
            Some(at_ns) => self.push_loss(at_ns, &what),
            None if self.damaged_before.len() < DEFECTS_KEPT_MAX => self.damaged_before.push(what),
            None => {}
        }
    }
    fn lose_before(&mut self, at_ns: i64) {
        std::mem::take(&mut self.damaged_before).iter().for_each(|what| self.push_loss(at_ns, what));
    }
    fn push_loss(&mut self, at_ns: i64, what: &str) {
        let entries = [
            (Term::atom("reason"), Term::atom(DAMAGE)),
            (Term::atom("total"), Term::Int(1)),
            (Term::atom("what"), Term::binary(what)),
        ];
        let mut payload = Vec::new();
        etf::encode(&Term::map(entries), &mut payload);
        self.batch.push(&NewEvent { payload: &payload, ..NewEvent::new(at_ns, Kind::Loss, Pid::local(0)) });
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
    fn take(&mut self, text: &[u8], number: usize) -> Result<(), Wrong> {
        if text.len() > FRAME_BYTES_MAX {
            return Err(format!("{} bytes (limit FRAME_BYTES_MAX: {FRAME_BYTES_MAX})", text.len()).into());
        }
        let line: Line<'_> = serde_json::from_slice(text).map_err(|error| Wrong::json(&error))?;
        let at_ns = line.clock_ns.unwrap_or(line.at_ns);
        if at_ns.checked_abs().is_none_or(|distance_ns| distance_ns > CLOCK_NS_MAX) {
            return Err(format!("a clock at {at_ns} ns (limit CLOCK_NS_MAX: {CLOCK_NS_MAX})").into());
        }
        let payload = term_bytes("payload", line.payload.as_ref(), line.payload_etf.as_deref())?;
        let meta = term_bytes("meta", line.meta.as_ref(), line.meta_etf.as_deref())?;
        let node = node(line.node.as_ref())?.unwrap_or(Origin::LOCAL);
        let peer_node = node_or(line.peer_node.as_ref(), node)?;
        let kind = Kind::from_name(&line.kind);
        let kinds = || Kind::ALL.iter().map(|kind| kind.as_str());
        let class = line.class.as_deref().map(|word| {
            let classes = Class::ALL.iter().map(|class| class.as_str());
            Class::from_name(word).ok_or_else(|| Wrong::unknown(text, "class", word, classes))
        });
        let actor_of = |word: &str, node| actor(word, node).map_err(|what| Wrong::word(text, word, what));
        let tag = line.tag.as_deref().map(|text| Atom::try_new(text).map_err(|error| format!("tag: {error}")));
        let event = NewEvent {
            at_ns,
            kind: kind.ok_or_else(|| Wrong::unknown(text, "kind", &line.kind, kinds()))?,
            class: class.transpose()?.unwrap_or(Class::None),
            process: actor_of(&line.process, node)?,
            peer: line.peer.as_deref().map(|word| actor_of(word, peer_node)).transpose()?,
            tag: tag.transpose()?,
            call: line.call.map(CallKey),
            cause: line.cause.and_then(|cause| self.seqs.find(cause)),
            payload: &payload,
            meta: &meta,
        };
        self.lose_before(event.at_ns);
        let ours = self.next();
        let theirs = line.seq.unwrap_or(ours.0.max(self.seqs.next.0));
        if !self.seqs.add(theirs, ours) {
            self.repeated.note(|| format!("line {number}: seq {theirs} comes again, or late"));
        }
        if let Some(last_ns) = self.last_ns.replace(event.at_ns).filter(|last_ns| *last_ns > event.at_ns) {
            let by = show_ns(last_ns.saturating_sub(event.at_ns));
            self.backwards.note(|| format!("line {number}: at_ns goes back by {by}"));
        }
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
    /// Gives whether theirs is greater than all before it, as it has to be.
    fn add(&mut self, theirs: u64, ours: Seq) -> bool {
        if theirs < self.next.0 {
            return false;
        }
        if self.runs.is_empty() || self.next != (theirs, ours) {
            self.runs.push((theirs, ours));
        }
        self.next = (theirs.saturating_add(1), ours.next());
        true
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
            assert!(seqs.add(theirs, Seq(ours as u64)));
        }
        assert!(!seqs.add(20, Seq(5)) && !seqs.add(7, Seq(6)), "not greater than those before");
        let found = [4, 5, 6, 7, 9, 10, 11, 20, 21].map(|theirs| seqs.find(theirs).map(|seq| seq.0));
        assert_eq!(found, [None, Some(0), Some(1), None, Some(2), Some(3), None, Some(4), None]);
        assert_eq!(seqs.runs.len(), 3);
    }
}
