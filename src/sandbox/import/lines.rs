//! Events as JSON lines, as `export` writes them. A line that is no event is a defect with its place, and reading goes on: a
//! loss stands for it, and for each event that is missing. Events have the numbers of the file as long as nothing is left out of
//! it; then they are counted on, and their own numbers tell causes. It must not know who wrote them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::outlet::{Hangup, Outlet};
use super::seqs::{Order, Seqs};
use super::source::OpenFile;
use super::{EventClock, ImportReport};
use crate::codec::etf;
use crate::codec::json::{bytes_of_hex, from_json};
use crate::codec::walk::RawTerm;
use crate::model::limits::{
    CLOCK_NS_MAX, DEFECTS_KEPT_MAX, FIRST_SEQ_MAX, FRAME_BYTES_MAX, LINES_MISSING_MAX, PAYLOAD_BYTES_MAX,
};
use crate::model::pid::Origin;
use crate::model::time::show_ns;
use crate::model::{
    Actor, ActorId, Atom, CallKey, Class, DAMAGE, EventBatch, Kind, NewEvent, Pid, Seq, Syntax, Term, nearest,
};

/// What some programs begin a text of UTF-8 with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Whether a file that begins so has a JSON object as its first character.
pub fn is_lines(start: &[u8]) -> bool {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    text.trim_ascii_start().first() == Some(&b'{')
}

/// One line; the fields of `export::events_jsonl`. Others are passed over.
#[derive(Deserialize)]
struct Line<'l> {
    seq: Option<u64>,
    /// How many seqs before it are of events that the file leaves out: those of other branches, or evicted ones.
    #[serde(default)]
    skipped: u64,
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

/// As much of a line as its number takes.
#[derive(Deserialize)]
struct Number {
    seq: Option<u64>,
}

/// Reads one file of lines.
pub struct Lines<'s> {
    outlet: Outlet<'s>,
    batch: EventBatch,
    seqs: Seqs,
    /// The number that the first event has in the file and here; 0 when it has others.
    first: u64,
    /// Time of the last event.
    last_ns: Option<i64>,
    /// What is wrong with the lines before the first event.
    damaged_before: Vec<Told>,
    /// How many losses may still stand for one missing event each.
    n_single_losses: u64,
    unordered: Oddity,
    repeated: Oddity,
    backwards: Oddity,
    causes: Oddity,
    report: ImportReport,
}

/// What is wrong with the file, as a loss tells it.
struct Told {
    offset: usize,
    what: String,
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
            first: 0,
            last_ns: None,
            damaged_before: Vec::new(),
            n_single_losses: LINES_MISSING_MAX as u64,
            unordered: Oddity::default(),
            repeated: Oddity::default(),
            backwards: Oddity::default(),
            causes: Oddity::default(),
            report: ImportReport::default(),
        }
    }

    /// Reads to the end, or until nobody listens.
    pub fn run(mut self, file: &OpenFile) -> ImportReport {
        // Whether all was sent does not matter for the report of what was read.
        let _ = self.read(file);
        self.report.clock = EventClock::Monotonic;
        let assumed = &mut self.report.assumed;
        self.unordered.tell(assumed, ": the order of the lines is kept");
        self.repeated.tell(assumed, ": the event is kept, and no cause leads to it");
        self.backwards.tell(assumed, ": the order of the lines is kept");
        self.causes.tell(assumed, ": a cause comes before its effect; the event is kept without");
        self.report
    }

    fn read(&mut self, file: &OpenFile) -> Result<(), Hangup> {
        let mut offset = file.bytes().len() - text_of(file).len();
        let mut n_forgotten = 0;
        for (idx, line) in text_of(file).split(|byte| *byte == b'\n').enumerate() {
            if !line.trim_ascii().is_empty() {
                self.report.n_frames += 1;
                if let Err(wrong) = self.take(file, Place { number: idx + 1, offset }, line) {
                    self.damaged(file, offset, &wrong.at_line(idx + 1));
                }
            }
            offset += line.len() + 1;
            if Outlet::is_full(&self.batch) {
                self.send(offset)?;
                n_forgotten = file.forget(n_forgotten, offset);
            }
        }
        self.lose_before(0);
        self.send(file.bytes().len())
    }

    /// A line that is no event. A loss stands for it; before the first event it waits for that one's time.
    fn damaged(&mut self, file: &OpenFile, offset: usize, what: &str) {
        self.seqs.n_damaged += 1;
        let what = self.defect(file, offset, what);
        match self.last_ns {
            Some(at_ns) => self.push_loss(at_ns, 1, &what),
            None if self.damaged_before.len() < DEFECTS_KEPT_MAX => self.damaged_before.push(what),
            None => {}
        }
    }
    fn lose_before(&mut self, at_ns: i64) {
        std::mem::take(&mut self.damaged_before).iter().for_each(|what| self.push_loss(at_ns, 1, what));
    }
    /// Lines that are not there: a loss for each, so that the others have their numbers; of very many, one for the rest.
    fn missing(&mut self, at_ns: i64, n_events: u64, what: &Told) {
        let n_single = n_events.min(self.n_single_losses);
        self.n_single_losses -= n_single;
        (0..n_single).for_each(|_| self.push_loss(at_ns, 1, what));
        if n_events > n_single {
            self.push_loss(at_ns, n_events - n_single, what);
        }
    }
    /// Notes what is wrong at `offset`.
    fn defect(&mut self, file: &OpenFile, offset: usize, what: &str) -> Told {
        let defects = &mut self.report.defects;
        defects.add(file.name(), offset, what);
        Told { offset, what: defects.first_of(&(defects.n_total - 1..defects.n_total)) }
    }
    fn push_loss(&mut self, at_ns: i64, n_events: u64, told: &Told) {
        let int = |n: u64| Term::Int(i64::try_from(n).unwrap_or(i64::MAX));
        let entries = [
            (Term::atom("reason"), Term::atom(DAMAGE)),
            (Term::atom("total"), int(n_events)),
            (Term::atom("offset"), int(told.offset as u64)),
            (Term::atom("what"), Term::binary(told.what.as_str())),
        ];
        let mut payload = Vec::new();
        etf::encode(&Term::map(entries), &mut payload);
        self.push(&NewEvent { payload: &payload, ..NewEvent::new(at_ns, Kind::Loss, Pid::local(0)) });
    }
    fn push(&mut self, event: &NewEvent<'_>) {
        self.batch.push(event);
        self.report.n_events += 1;
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
    fn take(&mut self, file: &OpenFile, place: Place, text: &[u8]) -> Result<(), Wrong> {
        if text.len() > FRAME_BYTES_MAX {
            return Err(format!("{} bytes (limit FRAME_BYTES_MAX: {FRAME_BYTES_MAX})", text.len()).into());
        }
        let line: Line<'_> = serde_json::from_slice(text).map_err(|error| Wrong::json(&error))?;
        let at_ns = line.clock_ns.unwrap_or(line.at_ns);
        if at_ns.checked_abs().is_none_or(|distance_ns| distance_ns > CLOCK_NS_MAX) {
            return Err(format!("a clock at {at_ns} ns (limit CLOCK_NS_MAX: {CLOCK_NS_MAX})").into());
        }
        let payload = term_bytes(text, "payload", line.payload.as_ref(), line.payload_etf.as_deref())?;
        let meta = term_bytes(text, "meta", line.meta.as_ref(), line.meta_etf.as_deref())?;
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
            cause: None,
            payload: &payload,
            meta: &meta,
        };
        let theirs = self.number(file, place, &line, at_ns);
        let cause = self.cause(line.cause, theirs, place);
        self.push(&NewEvent { cause, ..event });
        Ok(())
    }

    /// Gives the event's number in the file, and the loss of those that are missing before it; tells what is odd about it.
    fn number(&mut self, file: &OpenFile, place: Place, line: &Line<'_>, at_ns: i64) -> u64 {
        let after = || number_after(file, place);
        if self.last_ns.is_none() {
            self.begin(line, after);
        }
        self.lose_before(at_ns);
        let theirs = line.seq.unwrap_or(self.seqs.next);
        let before = self.seqs.next.checked_sub(1);
        match self.seqs.place(theirs, line.skipped, after) {
            Order::Behind { n_missing: 0 } => {}
            Order::Behind { n_missing } => {
                let between = match before.filter(|_| self.last_ns.is_some()) {
                    Some(before) => format!("between #{before} and #{theirs}"),
                    None => format!("before #{theirs}"),
                };
                let are = if n_missing == 1 { "1 event is".to_string() } else { format!("{n_missing} events are") };
                let what = format!("line {}: {are} missing {between}", place.number);
                let what = self.defect(file, place.offset, &what);
                self.missing(self.last_ns.unwrap_or(at_ns), n_missing, &what);
            }
            Order::Ahead => {
                self.unordered.note(|| format!("line {}: seq {theirs} stands before a smaller one", place.number))
            }
            Order::Late => self.unordered.note(|| format!("line {}: seq {theirs} comes late", place.number)),
            Order::Again => self.repeated.note(|| format!("line {}: seq {theirs} comes again", place.number)),
        }
        self.seqs.insert(theirs, self.next());
        if let Some(last_ns) = self.last_ns.replace(at_ns).filter(|last_ns| *last_ns > at_ns) {
            let by = show_ns(last_ns.saturating_sub(at_ns));
            self.backwards.note(|| format!("line {}: at_ns goes back by {by}", place.number));
        }
        theirs
    }

    /// Takes the first event's number as that of the first event here: what came before it is not in the file.
    fn begin(&mut self, line: &Line<'_>, after: impl FnOnce() -> Option<u64>) {
        let Some(seq) = line.seq.filter(|seq| *seq > 0) else { return };
        let first = match line.skipped.min(seq) {
            0 => {
                let first = after().map_or(seq, |after| after.min(seq)).saturating_sub(self.seqs.n_damaged);
                if first > 0 {
                    let what = format!("the lines begin with #{first}: what came before is not in the file");
                    self.report.assumed.push(what);
                }
                self.seqs.next = first;
                first
            }
            n_skipped => n_skipped,
        };
        if first > FIRST_SEQ_MAX {
            let what = format!("#{first} is counted as #0 here (limit FIRST_SEQ_MAX: {FIRST_SEQ_MAX})");
            self.report.assumed.push(what);
        } else {
            self.first = first;
            self.batch.first = Seq(first);
        }
    }

    /// The event here that `theirs` is said to be caused by.
    fn cause(&mut self, cause: Option<u64>, theirs: u64, place: Place) -> Option<Seq> {
        let cause = cause?;
        if cause < theirs {
            // What came before the file has the number here that it had there.
            return self.seqs.find(cause).or((cause < self.first).then_some(Seq(cause)));
        }
        self.causes.note(|| format!("line {}: seq {theirs} has the cause {cause}", place.number));
        None
    }
}

/// Where a line stands: its number, from 1, and the offset of its first byte.
#[derive(Clone, Copy)]
struct Place {
    number: usize,
    offset: usize,
}

/// A file without what marks its text as UTF-8.
fn text_of(file: &OpenFile) -> &[u8] {
    file.bytes().strip_prefix(BYTE_ORDER_MARK).unwrap_or(file.bytes())
}

/// The number of the event in the line behind `place`, where there is one.
fn number_after(file: &OpenFile, place: Place) -> Option<u64> {
    let lines = file.bytes()[place.offset..].split(|byte| *byte == b'\n').skip(1);
    let line = lines.map(<[u8]>::trim_ascii).find(|line| !line.is_empty() && line.len() <= FRAME_BYTES_MAX)?;
    serde_json::from_slice::<Number>(line).ok()?.seq
}

/// A term's bytes, 131 first: those given, else those of its JSON form; none for none.
fn term_bytes(line: &[u8], name: &str, json: Option<&Value>, etf: Option<&str>) -> Result<Vec<u8>, Wrong> {
    let bytes = match (json, etf) {
        (_, Some(hex)) => bytes_of_etf(hex).map_err(|what| Wrong::word(line, hex, format!("{name}_etf {what}")))?,
        (Some(json), None) => {
            let wrong = || Wrong::word(line, name, format!("{name} is not the JSON form of a term"));
            let mut bytes = Vec::new();
            etf::encode(&from_json(json).ok_or_else(wrong)?, &mut bytes);
            bytes
        }
        (None, None) => Vec::new(),
    };
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("{name} of {} bytes (limit PAYLOAD_BYTES_MAX: {PAYLOAD_BYTES_MAX})", bytes.len()).into());
    }
    Ok(bytes)
}

/// The bytes of one whole term that `hex` has, or what is wrong with it.
fn bytes_of_etf(hex: &str) -> Result<Vec<u8>, String> {
    let bytes = bytes_of_hex(hex).ok_or("has no pairs of hexadecimal digits")?;
    match RawTerm::parse(&bytes) {
        Ok((_, n_bytes)) if n_bytes == bytes.len() => Ok(bytes),
        Ok((_, n_bytes)) => Err(format!("has {} bytes behind its term", bytes.len() - n_bytes)),
        Err(error) => Err(format!("is no term: {}", error.what)),
    }
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
