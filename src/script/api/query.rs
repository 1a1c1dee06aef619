//! `events()`: a query over events, narrowed by methods and ended by `.count()`, `.all()`, `.by(..)`, `.hist(..)`.
//! What is a plain comparison goes to the store's columns; closures are asked event by event, outside of
//! any borrow. It must not know how results are drawn.

mod answers;
mod methods;

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::plugin::*;
use rhai::{FnPtr, FuncRegistration};

use super::operations::Api;
use super::record::Block;
use super::rows::Rows;
use super::show::Shown;
use super::values::{NoClosures, from_dynamic};
use crate::model::{Actor, Event, Failure, FailureKind, Filter, Outcome, Seq, limits};
use crate::script::closure::Closure;
use crate::script::control::terminated;
use crate::script::error::raise;
use crate::script::event::{Context, EventHandle};
use crate::script::native::{self, Native};
use crate::session::value::{Param, ProcessRef};
use crate::store::{Recording, Selection, Text};
use crate::view::{Table, tables};

type Raised<T> = Result<T, Box<EvalAltResult>>;

/// A query. Every method that narrows gives a new one.
#[derive(Clone)]
pub struct Query {
    api: Rc<Api>,
    context: Rc<Context>,
    filter: Filter,
    tests: Vec<Test>,
    texts: Vec<Text>,
    is_reversed: bool,
    /// Nothing can match: a narrowing to a range without events.
    is_empty: bool,
    interrupt: Arc<AtomicBool>,
}

/// A closure `|e| ..`, and what of it the store's columns can tell.
#[derive(Clone)]
struct Test {
    closure: FnPtr,
    native: Native,
}

impl Query {
    fn new(api: &Rc<Api>) -> Outcome<Query> {
        let context = api.context()?;
        let session = api.borrow()?;
        let ranges = session.source()?.scope();
        Ok(Query {
            api: api.clone(),
            context,
            is_empty: ranges.is_empty(),
            filter: Filter { ranges, ..Filter::default() },
            tests: Vec::new(),
            texts: Vec::new(),
            is_reversed: false,
            interrupt: session.interrupt().clone(),
        })
    }

    /// The processes that a filter names.
    fn actors(&self, value: &Dynamic) -> Outcome<Vec<Actor>> {
        let value = from_dynamic(value, &NoClosures)?;
        let process = ProcessRef::from_value(value).map_err(Failure::usage)?;
        self.api.borrow()?.source()?.find_processes(&process)
    }

    /// Takes a closure as a test. Errors: it compares with a kind or class that no event has.
    fn tested(&self, call: &NativeCallContext, closure: FnPtr) -> Outcome<Query> {
        let native = native::read(&Closure::capture(call, closure.clone()))?;
        let mut narrowed = self.clone();
        narrowed.tests.push(Test { closure, native });
        Ok(narrowed)
    }

    /// The filter with what the closures compare; `None` when nothing can match.
    fn narrowed(&self) -> Option<Filter> {
        let mut filter = self.filter.clone();
        let is_possible = self.tests.iter().all(|test| test.native.narrow(&mut filter));
        (is_possible && !self.is_empty).then_some(filter)
    }
    /// The closures that say more than their filter.
    fn interpreted(&self) -> impl Iterator<Item = &FnPtr> {
        self.tests.iter().filter(|test| !test.native.is_whole).map(|test| &test.closure)
    }
    /// Whether the store's columns and payloads decide alone.
    fn is_native(&self) -> bool {
        self.interpreted().next().is_none()
    }

    /// What `ask` makes of the recording; `T::default()` when nothing can match. For what the store does alone. Errors: Ctrl-C.
    fn ask<T: Default>(&self, ask: impl FnOnce(&Recording, &Selection<'_>) -> T) -> Raised<T> {
        let Some(filter) = self.narrowed() else { return Ok(T::default()) };
        let answer = ask(&self.context.recording().borrow(), &self.selection(&filter));
        self.go_on().map(|()| answer)
    }
    /// As [`Query::ask`], of the events that the closures chose. Errors: Ctrl-C, those of closures, [`limits::CHOSEN_RANGES_MAX`].
    fn ask_chosen<T: Default>(
        &self,
        call: &NativeCallContext,
        ask: impl FnOnce(&Recording, &Selection<'_>) -> T,
    ) -> Raised<T> {
        if self.is_native() {
            return self.ask(ask);
        }
        let forwards = Query { is_reversed: false, ..self.clone() };
        let mut ranges: Vec<Range<u64>> = Vec::new();
        forwards.each(call, |event| {
            match ranges.last_mut() {
                Some(last) if last.end == event.seq.0 => last.end += 1,
                _ => ranges.push(event.seq.0..event.seq.0 + 1),
            }
            if ranges.len() > limits::CHOSEN_RANGES_MAX {
                let advice =
                    "the closures chose too many stretches of events; narrow the query by kind, pid or between";
                let error = limits::tripped("CHOSEN_RANGES_MAX", limits::CHOSEN_RANGES_MAX, advice);
                return Err(raise(Failure::new(FailureKind::Limit, error)));
            }
            Ok(true)
        })?;
        let is_empty = ranges.is_empty();
        let filter = Filter { ranges, ..Filter::default() };
        Query { filter, is_empty, tests: Vec::new(), texts: Vec::new(), ..forwards }.ask(ask)
    }
    fn selection<'a>(&'a self, filter: &'a Filter) -> Selection<'a> {
        Selection::of(filter).texts(&self.texts).until(&self.interrupt)
    }
    /// Errors: Ctrl-C, after which an answer of the store is not whole.
    fn go_on(&self) -> Raised<()> {
        if self.interrupt.load(Ordering::Relaxed) { Err(terminated()) } else { Ok(()) }
    }

    /// Gives the matching events in order until `each` says stop. Holds the seqs of one segment at a time.
    fn each(&self, call: &NativeCallContext, mut each: impl FnMut(Event) -> Raised<bool>) -> Raised<()> {
        let Some(filter) = self.narrowed() else { return Ok(()) };
        let mut left = filter.ranges.clone();
        while let Some(window) = self.next_window(&mut left) {
            let filter = Filter { ranges: vec![window], ..filter.clone() };
            let seqs: Vec<Seq> = {
                let recording = self.context.recording().borrow();
                let seqs = recording.seqs(&self.selection(&filter));
                if self.is_reversed { seqs.rev().collect() } else { seqs.collect() }
            };
            self.go_on()?;
            for seq in seqs {
                let event = self.context.recording().borrow().event(seq);
                let Some(event) = event else { continue };
                if self.passes(call, event)? && !each(event)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes from `left` the seqs that are searched together, the first ones or the last ones.
    fn next_window(&self, left: &mut Vec<Range<u64>>) -> Option<Range<u64>> {
        let recording = self.context.recording().borrow();
        left.retain(|range| !range.is_empty());
        let range = if self.is_reversed { left.last_mut()? } else { left.first_mut()? };
        range.end = range.end.min(recording.len()).max(range.start);
        let at = if self.is_reversed { range.end.saturating_sub(1) } else { range.start };
        let stretch = recording.stretch(Seq(at));
        // A stretch that does not hold the seq belongs to what a ring forgot.
        let stretch = if stretch.contains(&at) { stretch } else { range.clone() };
        let window = stretch.start.max(range.start)..stretch.end.min(range.end);
        if self.is_reversed {
            range.end = window.start
        } else {
            range.start = window.end
        }
        Some(window)
    }

    fn passes(&self, call: &NativeCallContext, event: Event) -> Raised<bool> {
        for test in self.interpreted() {
            let handle = EventHandle::recorded(&self.context, event);
            if !test.call_within_context::<bool>(call, (handle,))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn count(&self, call: &NativeCallContext) -> Raised<u64> {
        if self.is_native() {
            return self.ask(|recording, selection| recording.count_of(selection));
        }
        let mut n = 0;
        self.each(call, |_| {
            n += 1;
            Ok(true)
        })?;
        Ok(n)
    }

    /// The first `n_max`, and how many more there are.
    fn seqs(&self, call: &NativeCallContext, n_max: usize) -> Raised<(Vec<Seq>, u64)> {
        let (mut seqs, mut n_more) = (Vec::new(), 0);
        let is_native = self.is_native();
        self.each(call, |event| {
            if seqs.len() < n_max {
                seqs.push(event.seq)
            } else {
                n_more += 1
            }
            Ok(seqs.len() < n_max || !is_native)
        })?;
        if is_native && seqs.len() >= n_max {
            n_more = self.count(call)? - seqs.len() as u64;
        }
        Ok((seqs, n_more))
    }

    /// The events as rows, for printing a query that was not ended.
    pub fn rows(&self, call: &NativeCallContext) -> Raised<Rows> {
        let (seqs, n_more) = self.seqs(call, limits::QUERY_ROWS_MAX)?;
        Ok(Rows::events(&self.context, seqs, n_more))
    }

    /// Gives tables of the events, a few rows each, all with the same columns; the first has none.
    pub fn tables(&self, call: &NativeCallContext, mut each: impl FnMut(&Table) -> Outcome<()>) -> Raised<()> {
        const ROWS: usize = 1024;
        let mut seqs = Vec::with_capacity(ROWS);
        let mut give = |seqs: &mut Vec<Seq>| {
            let names = self.context.names(seqs.last().copied().unwrap_or_default());
            let table = tables::events(&self.context.recording().borrow(), &names, seqs);
            seqs.clear();
            each(&table).map_err(raise)
        };
        give(&mut seqs)?;
        self.each(call, |event| {
            seqs.push(event.seq);
            if seqs.len() == ROWS {
                give(&mut seqs)?;
                self.go_on()?;
            }
            Ok(true)
        })?;
        give(&mut seqs)
    }

    /// What a query shows that was not ended: how many match by the columns, and what to add.
    pub fn shown(&self, n_rows_max: usize) -> Shown {
        if !self.is_native() {
            let text = "a query with closures; end it with .all(), .count(), .first() or .by(\"kind\")";
            return Shown { blocks: vec![Block::Text(text.into())], ..Shown::default() };
        }
        let (mut seqs, mut n_all) = (Vec::new(), 0);
        if let Some(filter) = self.narrowed() {
            let recording = self.context.recording().borrow();
            let selection = self.selection(&filter);
            let matching = recording.seqs(&selection);
            seqs = if self.is_reversed {
                matching.rev().take(n_rows_max).collect()
            } else {
                matching.take(n_rows_max).collect()
            };
            n_all = recording.count_of(&selection);
        }
        // After Ctrl-C the count is a part.
        let n_more = n_all.saturating_sub(seqs.len() as u64);
        let table = Rows::events(&self.context, seqs, n_more).to_table(n_rows_max);
        Shown { blocks: vec![Block::Table(table)], ..Shown::default() }
    }
}

/// Registers `events()` and the query's methods.
pub fn register(engine: &mut rhai::Engine, api: &Rc<Api>) {
    engine.register_type_with_name::<Query>("query");
    methods::register(engine);
    let api = api.clone();
    FuncRegistration::new("events")
        .with_comments(["/// A query over the timeline's events: `events().kind(\"crash\").all()`."])
        .register_into_engine(engine, move || Query::new(&api).map_err(raise));
}
