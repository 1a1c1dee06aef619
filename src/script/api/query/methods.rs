//! The methods of a query as scripts call them. It must not know how events are found.

use std::ops::Range;

use rhai::plugin::*;
use rhai::{Array, FnPtr, INT, Map};

use super::{Query, Raised};
use crate::model::{Atom, Class, Failure, Kind, Outcome, limits, nearest};
use crate::script::api::rows::Rows;
use crate::script::api::values::{NoClosures, from_dynamic, how_many};
use crate::script::error::raise;
use crate::script::event::EventHandle;
use crate::session::value::{Param, Span, Value};
use crate::store::Text;

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
        let failure = Failure::not_found(format!("no {what} {word:?}"));
        match nearest(word, names.iter().copied()).first() {
            Some(near) => failure.hint(format!("did you mean {near:?}?")),
            None => failure.hint(format!("there are: {}", names.join(", "))),
        }
    })
}

fn all_known<T: Copy>(what: &str, value: &Dynamic, all: &[T], name: fn(T) -> &'static str) -> Outcome<Vec<T>> {
    words(value)?.iter().map(|word| known(what, word, all, name)).collect()
}

/// Leaves of what a query holds only what is wanted as well; holding nothing meant everything. Gives whether any is left.
fn narrow<T: PartialEq>(held: &mut Vec<T>, wanted: Vec<T>) -> bool {
    if held.is_empty() {
        *held = wanted;
    } else {
        held.retain(|item| wanted.contains(item));
    }
    !held.is_empty()
}

/// The parts that two lists of ranges have in common; an empty first list means everything.
fn meet(held: &[Range<u64>], wanted: Vec<Range<u64>>) -> Vec<Range<u64>> {
    if held.is_empty() {
        return wanted;
    }
    let both = |a: &Range<u64>, b: &Range<u64>| a.start.max(b.start)..a.end.min(b.end);
    let parts = held.iter().flat_map(|a| wanted.iter().map(move |b| both(a, b)));
    parts.filter(|range| range.start < range.end).collect()
}

#[export_module]
mod functions {
    /// Narrows to events for which a closure `|e| ..` is true. Comparisons of kind, class, tag and size are read from columns.
    #[rhai_fn(name = "where", name = "filter", return_raw, pure)]
    pub fn filter(context: NativeCallContext, query: &mut Query, test: FnPtr) -> Raised<Query> {
        query.tested(&context, test).map_err(raise)
    }
    /// Narrows to events that carry a text: in their tag, or in an atom, binary or string of their payload. Binaries are compared as
    /// UTF-8, strings also a character a byte. Lists of other characters, compressed terms and numbers are not searched.
    #[rhai_fn(return_raw, pure)]
    pub fn grep(query: &mut Query, text: &str) -> Raised<Query> {
        let mut narrowed = query.clone();
        narrowed.texts.push(Text::new(text, false).map_err(raise)?);
        Ok(narrowed)
    }
    /// As `grep(text)`; with `#{any_case: true}` upper and lower case of ASCII letters are the same, and fewer payloads are passed over.
    #[rhai_fn(name = "grep", return_raw, pure)]
    pub fn grep_as(query: &mut Query, text: &str, options: Map) -> Raised<Query> {
        let usage =
            |what: String| raise(Failure::usage(format!("grep: {what}")).hint("grep(\"timeout\", #{any_case: true})"));
        if let Some(other) = options.keys().find(|key| *key != "any_case") {
            return Err(usage(format!("no option {other:?}; known: any_case")));
        }
        let is_any_case = options.get("any_case").map_or(Ok(false), Dynamic::as_bool);
        let is_any_case = is_any_case.map_err(|kind| usage(format!("any_case: expected true or false, got {kind}")))?;
        let mut narrowed = query.clone();
        narrowed.texts.push(Text::new(text, is_any_case).map_err(raise)?);
        Ok(narrowed)
    }
    /// Narrows to a kind, or to any of an array of kinds: `events().kind("crash")`.
    #[rhai_fn(return_raw, pure)]
    pub fn kind(query: &mut Query, kinds: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        let kinds = all_known("kind", &kinds, Kind::ALL, Kind::as_str).map_err(raise)?;
        narrowed.is_empty |= !narrow(&mut narrowed.filter.kinds, kinds);
        Ok(narrowed)
    }
    /// Narrows to a class of messages: `call`, `cast`, `info`, `reply` ..
    #[rhai_fn(return_raw, pure)]
    pub fn class(query: &mut Query, classes: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        let classes = all_known("class", &classes, Class::ALL, Class::as_str).map_err(raise)?;
        narrowed.is_empty |= !narrow(&mut narrowed.filter.classes, classes);
        Ok(narrowed)
    }
    /// Narrows to a message tag, name or module.
    #[rhai_fn(return_raw, pure)]
    pub fn tag(query: &mut Query, tags: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        let atom = |word: &String| Atom::try_new(word).map_err(|error| raise(Failure::usage(error.to_string())));
        let tags = words(&tags).map_err(raise)?.iter().map(atom).collect::<Raised<Vec<_>>>()?;
        narrowed.is_empty |= !narrow(&mut narrowed.filter.tags, tags);
        Ok(narrowed)
    }
    /// Narrows to events of a process, as the one who acts; a name means all who bore it, the restarted too.
    #[rhai_fn(name = "pid", name = "process", return_raw, pure)]
    pub fn process(query: &mut Query, process: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        let actors = query.actors(&process).map_err(raise)?;
        narrowed.is_empty |= !narrow(&mut narrowed.filter.processes, actors);
        Ok(narrowed)
    }
    /// Narrows to events whose other end is a process; a name means all who bore it.
    #[rhai_fn(return_raw, pure)]
    pub fn peer(query: &mut Query, process: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        let actors = query.actors(&process).map_err(raise)?;
        narrowed.is_empty |= !narrow(&mut narrowed.filter.peers, actors);
        Ok(narrowed)
    }
    /// Narrows to events in which a process is either end; a name means all who bore it.
    #[rhai_fn(return_raw, pure)]
    pub fn involving(query: &mut Query, process: Dynamic) -> Raised<Query> {
        let mut narrowed = query.clone();
        let actors = query.actors(&process).map_err(raise)?;
        if !narrowed.filter.involved.is_empty() && narrowed.filter.involved != actors {
            return Err(raise(
                Failure::usage("involving is said of one process already")
                    .hint("events().process(a).peer(b), or with a and b changed, has what is between two"),
            ));
        }
        narrowed.filter.involved = actors;
        Ok(narrowed)
    }
    /// Narrows to events between two moments, those at either among them: `between("1s", "2s")`, `between(seq(5), "end")`. A range
    /// is of events that follow each other as they were recorded, also where the clock went backwards.
    #[rhai_fn(return_raw, pure)]
    pub fn between(query: &mut Query, from: Dynamic, to: Dynamic) -> Raised<Query> {
        let value = |v: &Dynamic| from_dynamic(v, &NoClosures).map_err(raise);
        let span = Span::from_value(Value::List(vec![value(&from)?, value(&to)?]));
        let span = span.map_err(|what| raise(Failure::usage(what)))?;
        let ranges = query.api.borrow().and_then(|session| session.source()?.scope_of(Some(&span))).map_err(raise)?;
        let mut narrowed = query.clone();
        narrowed.filter.ranges = meet(&query.filter.ranges, ranges);
        narrowed.is_empty |= narrowed.filter.ranges.is_empty();
        Ok(narrowed)
    }
    /// Narrows to payloads of at least so many bytes.
    #[rhai_fn(return_raw, pure)]
    pub fn larger(query: &mut Query, n_bytes: INT) -> Raised<Query> {
        let mut narrowed = query.clone();
        let n_bytes = u32::try_from(how_many("larger", n_bytes)?).unwrap_or(u32::MAX);
        narrowed.filter.size_bytes_min = narrowed.filter.size_bytes_min.max(Some(n_bytes));
        Ok(narrowed)
    }
    /// Newest first.
    #[rhai_fn(pure)]
    pub fn reversed(query: &mut Query) -> Query {
        Query { is_reversed: !query.is_reversed, ..query.clone() }
    }
    /// How many events match.
    #[rhai_fn(name = "count", name = "len", return_raw, pure)]
    pub fn count(context: NativeCallContext, query: &mut Query) -> Raised<INT> {
        query.count(&context).map(|n| n as INT)
    }
    /// All that match, as rows.
    #[rhai_fn(return_raw, pure)]
    pub fn all(context: NativeCallContext, query: &mut Query) -> Raised<Rows> {
        query.rows(&context)
    }
    /// The first so many that match, as rows.
    #[rhai_fn(name = "top", return_raw, pure)]
    pub fn top(context: NativeCallContext, query: &mut Query, n: INT) -> Raised<Rows> {
        let mut seqs = Vec::new();
        let n = how_many("top", n)?;
        query.each(&context, |event| {
            if seqs.len() < n {
                seqs.push(event.seq);
            }
            Ok(seqs.len() < n)
        })?;
        Ok(Rows::events(&query.context, seqs, 0))
    }
    /// The so many with the largest `size` (bytes), `delay` (time since their cause) or `latency` (time since the request of their
    /// call), largest first.
    #[rhai_fn(name = "top", return_raw, pure)]
    pub fn largest(context: NativeCallContext, query: &mut Query, n: INT, field: &str) -> Raised<Rows> {
        query.largest(&context, how_many("top", n)?, field)
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
    /// Counts by `kind`, `class`, `tag`, `process`, `peer` or `pair` (process and peer), most first.
    #[rhai_fn(return_raw, pure)]
    pub fn by(context: NativeCallContext, query: &mut Query, field: &str) -> Raised<Rows> {
        query.group(&context, field, limits::GROUPS_MAX)
    }
    /// As `by(field)`, only the n largest groups.
    #[rhai_fn(name = "by", return_raw, pure)]
    pub fn by_most(context: NativeCallContext, query: &mut Query, field: &str, n: INT) -> Raised<Rows> {
        query.group(&context, field, how_many("by", n)?)
    }
    /// Counts by stretches of time: `per("1s")`; those without an event between the first and the last are included.
    #[rhai_fn(return_raw, pure)]
    pub fn per(context: NativeCallContext, query: &mut Query, width: Dynamic) -> Raised<Rows> {
        query.per(&context, &width)
    }
    /// A histogram of `size` (bytes), `gap` (time between one and the next), `delay` (time since the event's cause: of a
    /// handle_start the wait in the mailbox, of a handle_end the handling) or `latency` (time since the request of the event's call).
    #[rhai_fn(return_raw, pure)]
    pub fn hist(context: NativeCallContext, query: &mut Query, field: &str) -> Raised<Rows> {
        query.histogram(&context, field)
    }
    /// How the query is answered: what indexes, columns and text filters leave of the recording, counted by running it.
    #[rhai_fn(return_raw, pure)]
    pub fn explain(query: &mut Query) -> Raised<Rows> {
        query.explained()
    }
    /// The first so many that match, as rows that are all printed.
    #[rhai_fn(name = "table", return_raw, pure)]
    pub fn table(context: NativeCallContext, query: &mut Query, n: INT) -> Raised<Rows> {
        let n = how_many("table", n)?;
        let (seqs, n_more) = query.seqs(&context, n.min(limits::QUERY_ROWS_MAX))?;
        let are_all = n <= limits::QUERY_ROWS_MAX;
        Ok(if are_all {
            Rows::first_events(&query.context, seqs, n_more)
        } else {
            Rows::events(&query.context, seqs, n_more).showing(n)
        })
    }
    /// An array of what a closure makes of each.
    #[rhai_fn(name = "map", return_raw, pure)]
    pub fn map(context: NativeCallContext, query: &mut Query, f: FnPtr) -> Raised<Array> {
        let rows = query.rows(&context)?;
        rows.whole().map_err(raise)?;
        rows.items().map(|row| f.call_within_context(&context, (row,))).collect()
    }
}

/// Registers the methods.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(exported_module!(functions).into());
}
