//! `events()`: a query over events, narrowed by methods and ended by `.count()`, `.all()`, `.by(..)`, `.hist(..)`.
//! What is a plain comparison goes to the store's columns; closures are asked event by event, outside of
//! any borrow. It must not know how results are drawn.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use rhai::plugin::*;
use rhai::{Array, FnPtr, FuncRegistration, INT};

use super::operations::Api;
use super::record::Block;
use super::rows::Rows;
use super::show::Shown;
use super::values::{NoClosures, from_dynamic};
use crate::analysis::latency::histogram;
use crate::model::{Actor, Atom, Class, Event, Failure, Filter, Kind, Outcome, Seq, limits};
use crate::script::error::raise;
use crate::script::event::{Context, EventHandle};
use crate::session::value::{Param, ProcessRef, Span, Value};
use crate::view::{Cell, Table};

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// Events between two runs of closures: bounds how long the recording is borrowed.
const CHUNK: usize = 1024;

/// A query. Every method that narrows gives a new one.
#[derive(Clone)]
pub struct Query {
    api: Rc<Api>,
    context: Rc<Context>,
    filter: Filter,
    tests: Vec<FnPtr>,
    is_reversed: bool,
    /// Nothing can match: a narrowing to a range without events.
    is_empty: bool,
}

impl Query {
    fn new(api: &Rc<Api>) -> Outcome<Query> {
        let context = api.context()?;
        let ranges = api.borrow()?.source()?.scope();
        let is_empty = ranges.is_empty();
        let filter = Filter { ranges, ..Filter::default() };
        Ok(Query { api: api.clone(), context, filter, tests: Vec::new(), is_reversed: false, is_empty })
    }

    fn actor(&self, value: &Dynamic) -> Outcome<Actor> {
        let value = from_dynamic(value, &NoClosures)?;
        let process = ProcessRef::from_value(value).map_err(Failure::usage)?;
        self.api.borrow()?.source()?.find_process(&process, None)
    }

    /// Gives the matching events in order until `each` says stop.
    fn each(&self, call: &NativeCallContext, mut each: impl FnMut(Event) -> Raised<bool>) -> Raised<()> {
        if self.is_empty {
            return Ok(());
        }
        let mut filter = self.filter.clone();
        loop {
            let chunk: Vec<Event> = {
                let recording = self.context.recording().borrow();
                let scan = recording.scan(&filter);
                if self.is_reversed { scan.rev().take(CHUNK).collect() } else { scan.take(CHUNK).collect() }
            };
            for event in &chunk {
                if self.passes(call, *event)? && !each(*event)? {
                    return Ok(());
                }
            }
            let Some(last) = chunk.last().filter(|_| chunk.len() == CHUNK) else { return Ok(()) };
            let rest = if self.is_reversed { 0..last.seq.0 } else { last.seq.0 + 1..u64::MAX };
            filter.ranges = cut(&filter.ranges, rest);
            if filter.ranges.is_empty() {
                return Ok(());
            }
        }
    }

    fn passes(&self, call: &NativeCallContext, event: Event) -> Raised<bool> {
        for test in &self.tests {
            let handle = EventHandle::recorded(&self.context, event);
            if !test.call_within_context::<bool>(call, (handle,))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn seqs(&self, call: &NativeCallContext, n_max: usize) -> Raised<(Vec<Seq>, u64)> {
        let (mut seqs, mut n_more) = (Vec::new(), 0);
        self.each(call, |event| {
            if seqs.len() < n_max {
                seqs.push(event.seq)
            } else {
                n_more += 1
            }
            Ok(true)
        })?;
        Ok((seqs, n_more))
    }

    /// The events as rows, for printing a query that was not ended.
    pub fn rows(&self, call: &NativeCallContext) -> Raised<Rows> {
        let (seqs, n_more) = self.seqs(call, limits::QUERY_ROWS_MAX)?;
        Ok(Rows::events(&self.context, seqs, n_more))
    }

    /// What a query shows that was not ended: how many match by the columns, and what to add.
    pub fn shown(&self, n_rows_max: usize) -> Shown {
        if !self.tests.is_empty() {
            let text = "a query with closures; end it with .all(), .count(), .first() or .by(\"kind\")";
            return Shown { blocks: vec![Block::Text(text.into())], ..Shown::default() };
        }
        let recording = self.context.recording().borrow();
        let seqs: Vec<Seq> = match (self.is_empty, self.is_reversed) {
            (true, _) => Vec::new(),
            (_, false) => recording.scan(&self.filter).take(n_rows_max).map(|event| event.seq).collect(),
            (_, true) => recording.scan(&self.filter).rev().take(n_rows_max).map(|event| event.seq).collect(),
        };
        let n_all = if self.is_empty { 0 } else { recording.count(&self.filter) };
        drop(recording);
        let n_more = n_all - seqs.len() as u64;
        let table = Rows::events(&self.context, seqs, n_more).to_table(n_rows_max);
        Shown { blocks: vec![Block::Table(table)], ..Shown::default() }
    }

    fn group(&self, call: &NativeCallContext, field: &str) -> Raised<Rows> {
        let key = group_key(field).map_err(raise)?;
        let mut counts: BTreeMap<Key, u64> = BTreeMap::new();
        self.each(call, |event| {
            *counts.entry(key(&event)).or_default() += 1;
            Ok(true)
        })?;
        let total: u64 = counts.values().sum();
        let names = self.context.names(Seq(self.context.recording().borrow().len().saturating_sub(1)));
        let mut rows: Vec<(Key, u64)> = counts.into_iter().collect();
        rows.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut table = Table::new(format!("events by {field}"), &[field, ">events", ">percent"]);
        for (key, n) in rows {
            let name = match key {
                Key::Text(text) => Cell::Text(text.to_string()),
                Key::Actor(actor) => Cell::Text(names.name(actor)),
                Key::Nothing => Cell::Empty,
            };
            let percent = (n as f64 * 1000.0 / total as f64).round() / 10.0;
            table.push(vec![name, Cell::Int(n as i64), Cell::Float(percent)]);
        }
        Ok(Rows::table(table))
    }

    fn histogram(&self, call: &NativeCallContext, field: &str) -> Raised<Rows> {
        let mut values = Vec::new();
        let mut last_ns: Option<i64> = None;
        self.each(call, |event| {
            match field {
                "size" => values.push(i64::from(event.size_bytes)),
                "gap" => values.extend(last_ns.map(|last| (event.at_ns - last).abs())),
                _ => {
                    let hint = "hist(\"size\") counts bytes, hist(\"gap\") the time between one and the next";
                    return Err(raise(Failure::not_found(format!("no histogram of {field:?}")).hint(hint)));
                }
            }
            last_ns = Some(event.at_ns);
            Ok(true)
        })?;
        let cell = |value: i64| if field == "size" { Cell::Bytes(value as u64) } else { Cell::Ns(value) };
        let mut table = Table::new(format!("{field} of events"), &[">from", ">to", ">events"]);
        for bin in histogram(&values, HISTOGRAM_BINS) {
            table.push(vec![cell(bin.from_ns), cell(bin.to_ns), Cell::Int(bin.n as i64)]);
        }
        Ok(Rows::table(table))
    }
}

const HISTOGRAM_BINS: usize = 20;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Nothing,
    Text(&'static str),
    Actor(Actor),
}

fn group_key(field: &str) -> Outcome<fn(&Event) -> Key> {
    Ok(match field {
        "kind" => |event| Key::Text(event.kind.as_str()),
        "class" => |event| Key::Text(event.class.as_str()),
        "tag" => |event| event.tag.map_or(Key::Nothing, |tag| Key::Text(tag.as_str())),
        "process" => |event| Key::Actor(event.process),
        "peer" => |event| event.peer.map_or(Key::Nothing, Key::Actor),
        _ => {
            return Err(Failure::not_found(format!("no grouping by {field:?}"))
                .hint("group by kind, class, tag, process or peer"));
        }
    })
}

/// The parts of `ranges` inside `window`; an empty list means everything.
fn cut(ranges: &[Range<u64>], window: Range<u64>) -> Vec<Range<u64>> {
    if ranges.is_empty() {
        return std::iter::once(window).collect();
    }
    let meet = |range: &Range<u64>| range.start.max(window.start)..range.end.min(window.end);
    ranges.iter().map(meet).filter(|range| range.start < range.end).collect()
}

/// One word or an array of words.
fn words(value: &Dynamic) -> Outcome<Vec<String>> {
    let word = |value: &Dynamic| {
        value.clone().into_string().map_err(|kind| Failure::usage(format!("expected a name, got {kind}")))
    };
    match value.as_array_ref() {
        Ok(items) => items.iter().map(word).collect(),
        Err(_) => word(value).map(|word| vec![word]),
    }
}

fn known<T: Copy>(what: &str, word: &str, all: &[T], name: fn(T) -> &'static str) -> Outcome<T> {
    all.iter().copied().find(|item| name(*item) == word).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|item| name(*item)).collect();
        let near = crate::script::names::nearest(word, names.iter().copied()).first().map(|near| near.to_string());
        let failure = Failure::not_found(format!("no {what} {word:?}"));
        match near {
            Some(near) => failure.hint(format!("did you mean {near:?}?")),
            None => failure.hint(format!("there are: {}", names.join(", "))),
        }
    })
}

#[export_module]
mod functions {
    /// Narrows to events for which a closure `|e| ..` is true.
    #[rhai_fn(name = "where", name = "filter", pure)]
    pub fn filter(query: &mut Query, test: FnPtr) -> Query {
        let mut narrowed = query.clone();
        narrowed.tests.push(test);
        narrowed
    }
    /// Narrows to a kind, or to any of an array of kinds: `events().kind("crash")`.
    #[rhai_fn(return_raw, pure)]
    pub fn kind(query: &mut Query, kinds: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        for word in words(&kinds).map_err(raise)? {
            narrowed.filter.kinds.push(known("kind", &word, Kind::ALL, Kind::as_str).map_err(raise)?);
        }
        Ok(narrowed)
    }
    /// Narrows to a class of messages: `call`, `cast`, `info`, `reply` ..
    #[rhai_fn(return_raw, pure)]
    pub fn class(query: &mut Query, classes: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        for word in words(&classes).map_err(raise)? {
            narrowed.filter.classes.push(known("class", &word, Class::ALL, Class::as_str).map_err(raise)?);
        }
        Ok(narrowed)
    }
    /// Narrows to a message tag, name or module.
    #[rhai_fn(return_raw, pure)]
    pub fn tag(query: &mut Query, tags: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        for word in words(&tags).map_err(raise)? {
            let tag = Atom::try_new(&word).map_err(|error| raise(Failure::usage(error.to_string())))?;
            narrowed.filter.tags.push(tag);
        }
        Ok(narrowed)
    }
    /// Narrows to events of a process, as the one who acts.
    #[rhai_fn(name = "pid", name = "process", return_raw, pure)]
    pub fn process(query: &mut Query, process: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        narrowed.filter.processes.push(query.actor(&process).map_err(raise)?);
        Ok(narrowed)
    }
    /// Narrows to events whose other end is a process.
    #[rhai_fn(return_raw, pure)]
    pub fn peer(query: &mut Query, process: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        narrowed.filter.peers.push(query.actor(&process).map_err(raise)?);
        Ok(narrowed)
    }
    /// Narrows to events in which a process is either end.
    #[rhai_fn(return_raw, pure)]
    pub fn involving(query: &mut Query, process: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        narrowed.filter.involved.push(query.actor(&process).map_err(raise)?);
        Ok(narrowed)
    }
    /// Narrows to events between two moments.
    #[rhai_fn(return_raw, pure)]
    pub fn between(query: &mut Query, from: Dynamic, to: Dynamic) -> Raised<Query> {
        let value = |v: &Dynamic| from_dynamic(v, &NoClosures).map_err(raise);
        let span = Span::from_value(Value::List(vec![value(&from)?, value(&to)?]));
        let span = span.map_err(|what| raise(Failure::usage(what)))?;
        let ranges = query.api.borrow().and_then(|session| session.source()?.scope_of(Some(&span))).map_err(raise)?;
        let mut narrowed = query.clone();
        narrowed.filter.ranges = ranges;
        narrowed.is_empty = narrowed.filter.ranges.is_empty();
        Ok(narrowed)
    }
    /// Narrows to payloads of at least so many bytes.
    #[rhai_fn(pure)]
    pub fn larger(query: &mut Query, n_bytes: INT) -> Query {
        let mut narrowed = query.clone();
        narrowed.filter.size_bytes_min = Some(u32::try_from(n_bytes.max(0)).unwrap_or(u32::MAX));
        narrowed
    }
    /// Newest first.
    #[rhai_fn(pure)]
    pub fn reversed(query: &mut Query) -> Query {
        Query { is_reversed: !query.is_reversed, ..query.clone() }
    }
    /// How many events match.
    #[rhai_fn(name = "count", name = "len", return_raw, pure)]
    pub fn count(context: NativeCallContext, query: &mut Query) -> Raised<INT> {
        if query.tests.is_empty() && !query.is_empty {
            return Ok(query.context.recording().borrow().count(&query.filter) as INT);
        }
        let mut n = 0;
        query.each(&context, |_| {
            n += 1;
            Ok(true)
        })?;
        Ok(n)
    }
    /// All that match, as rows.
    #[rhai_fn(return_raw, pure)]
    pub fn all(context: NativeCallContext, query: &mut Query) -> Raised<Rows> {
        query.rows(&context)
    }
    /// The first so many that match, as rows.
    #[rhai_fn(name = "top", return_raw, pure)]
    pub fn top(context: NativeCallContext, query: &mut Query, n: INT) -> Raised<Rows> {
        let n = usize::try_from(n).unwrap_or(0);
        let mut seqs = Vec::new();
        query.each(&context, |event| {
            if seqs.len() < n {
                seqs.push(event.seq);
            }
            Ok(seqs.len() < n)
        })?;
        Ok(Rows::events(&query.context, seqs, 0))
    }
    /// The first that matches, or `()`.
    #[rhai_fn(return_raw, pure)]
    pub fn first(context: NativeCallContext, query: &mut Query) -> Raised<Dynamic> {
        let mut found = Dynamic::UNIT;
        query.each(&context, |event| {
            found = Dynamic::from(EventHandle::recorded(&query.context, event));
            Ok(false)
        })?;
        Ok(found)
    }
    /// The last that matches, or `()`.
    #[rhai_fn(return_raw, pure)]
    pub fn last(context: NativeCallContext, query: &mut Query) -> Raised<Dynamic> {
        first(context, &mut reversed(query))
    }
    /// Counts by `kind`, `class`, `tag`, `process` or `peer`, most first.
    #[rhai_fn(return_raw, pure)]
    pub fn by(context: NativeCallContext, query: &mut Query, field: &str) -> Raised<Rows> {
        query.group(&context, field)
    }
    /// A histogram of `size` (bytes) or `gap` (time between one and the next).
    #[rhai_fn(return_raw, pure)]
    pub fn hist(context: NativeCallContext, query: &mut Query, field: &str) -> Raised<Rows> {
        query.histogram(&context, field)
    }
    /// All that match, as rows of which up to n are printed.
    #[rhai_fn(name = "table", return_raw, pure)]
    pub fn table(context: NativeCallContext, query: &mut Query, n: INT) -> Raised<Rows> {
        Ok(query.rows(&context)?.showing(n))
    }
    /// An array of what a closure makes of each.
    #[rhai_fn(name = "map", return_raw, pure)]
    pub fn map(context: NativeCallContext, query: &mut Query, f: FnPtr) -> Raised<Array> {
        let rows = query.rows(&context)?;
        rows.items().map(|row| f.call_within_context(&context, (row,))).collect()
    }
}

/// Registers `events()` and the query's methods.
pub fn register(engine: &mut rhai::Engine, api: &Rc<Api>) {
    engine.register_type_with_name::<Query>("query");
    engine.register_global_module(exported_module!(functions).into());
    let api = api.clone();
    FuncRegistration::new("events")
        .with_comments(["/// A query over the timeline's events: `events().kind(\"crash\").all()`."])
        .register_into_engine(engine, move || Query::new(&api).map_err(raise));
}
