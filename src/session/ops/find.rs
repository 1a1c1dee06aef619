//! Latency, message flow, texts and known patterns of trouble.

use crate::analysis::{flow, latency, patterns};
use crate::model::{Atom, Class, Failure, Filter, Outcome, limits};
use crate::session::Session;
use crate::session::operation::{Perform, operations};
use crate::session::reply::Reply;
use crate::session::value::{Options, ProcessRef, Span};
use crate::store::{Selection, Text};

operations! { FIND:
    /// Percentiles of the calls by callee and tag, each wait apart: queue, handling, reply.
    Find "latency" Latency {
        /// `[from, to]`; the whole timeline when left out.
        range: Option<Span>,
    } -> "a row per callee and tag", "latency()";

    /// Lists the calls with their waits and how they ended.
    Find "calls" Calls {
        /// `[from, to]`; the whole timeline when left out.
        range: Option<Span>,
    } -> "a row per call", "calls()";

    /// Lists the messages with what became of each: received, timeout, exit, noproc, dead, late.
    Find "flow" Flow {
        /// `#{from: .., to: .., process: .., tag: .., class: .., range: [a, b]}`, each optional.
        options: Option<Options>,
    } -> "a row per message", "flow(#{to: \"alice\", class: \"call\"})";

    /// Lists who talks to whom: messages, bytes, calls, casts, replies.
    Find "pairs" Pairs {
        /// `[from, to]`; the whole timeline when left out.
        range: Option<Span>,
    } -> "a row per pair", "pairs()";

    /// Finds the events that carry a text: in their tag, or in an atom, binary, string or fun of their payload.
    ///
    /// Text filters pass over most payloads, the others are decompressed; Ctrl-C ends the search. `events()..grep(text)` does the
    /// same within a query. A function is found by its name, and as it is written: `lists:map/2`, `Enum.map/2`; a closure by its
    /// module and by what it holds.
    Find "grep" Grep {
        /// The text, as UTF-8. Strings are compared a character a byte, too.
        text: String,
        /// `#{any_case: true, range: [a, b]}`, each optional: upper and lower case of ASCII letters are the same.
        options: Option<Options>,
    } -> "events", "grep(\"timeout\")";

    /// Looks for known trouble: call cycles, slow callbacks, growing mailboxes, bottlenecks, late replies, messages to the
    /// dead, restart storms, crash loops.
    Find "patterns" Patterns {
        /// `#{only: [..], range: [a, b]}` and thresholds by name (`slow_callback: "10ms"`, `mailbox_growth: 50`).
        options: Option<Options>,
    } -> "a row per finding, worst first", "patterns()";
}

impl Perform for Latency {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let scope = source.scope_of(self.range.as_ref())?;
        Ok(Reply::Latency(latency::latency(&source.recording(), &scope)))
    }
}

impl Perform for Calls {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let scope = source.scope_of(self.range.as_ref())?;
        Ok(Reply::Calls(latency::calls(&source.recording(), &scope)))
    }
}

impl Perform for Flow {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let usage = |what: String| Failure::usage(format!("flow: {what}"));
        let mut options = self.options.unwrap_or(Options(Vec::new()));
        let source = session.source()?;
        let mut filter = flow::FlowFilter::default();
        for (key, list) in [("from", &mut filter.from), ("to", &mut filter.to), ("process", &mut filter.involved)] {
            if let Some(process) = options.take::<ProcessRef>(key).map_err(usage)? {
                list.extend(source.find_processes(&process)?);
            }
        }
        if let Some(tag) = options.take::<String>("tag").map_err(usage)? {
            filter.tags.push(Atom::try_new(&tag).map_err(|error| usage(error.to_string()))?);
        }
        if let Some(class) = options.take::<String>("class").map_err(usage)? {
            let known = || Class::ALL.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ");
            filter.classes.push(
                Class::from_name(&class).ok_or_else(|| usage(format!("no class {class:?}; known: {}", known())))?,
            );
        }
        let range = options.take::<Span>("range").map_err(usage)?;
        options.finish("from, to, process, tag, class, range").map_err(usage)?;
        let scope = source.scope_of(range.as_ref())?;
        let (rows, n_more) = flow::messages(&source.recording(), &scope, &filter, limits::QUERY_ROWS_MAX);
        Ok(Reply::Messages { rows, n_more })
    }
}

impl Perform for Grep {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let usage = |what: String| Failure::usage(format!("grep: {what}"));
        let mut options = self.options.unwrap_or(Options(Vec::new()));
        let is_any_case = options.take::<bool>("any_case").map_err(usage)?.unwrap_or(false);
        let range = options.take::<Span>("range").map_err(usage)?;
        options.finish("any_case, range").map_err(usage)?;
        let texts = [Text::new(&self.text, is_any_case)?];
        let source = session.source()?;
        let filter = Filter { ranges: source.scope_of(range.as_ref())?, ..Filter::default() };
        if filter.ranges.is_empty() {
            return Ok(Reply::Events { seqs: Vec::new(), n_more: 0 });
        }
        let recording = source.recording();
        let mut found = recording.seqs(&Selection::of(&filter).texts(&texts).until(session.interrupt()));
        let seqs = found.by_ref().take(limits::QUERY_ROWS_MAX).collect();
        let n_more = found.count() as u64;
        if session.is_interrupted() { Err(Failure::interrupted()) } else { Ok(Reply::Events { seqs, n_more }) }
    }
}

impl Perform for Pairs {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let scope = source.scope_of(self.range.as_ref())?;
        Ok(Reply::Pairs(flow::pairs(&source.recording(), &scope)))
    }
}

impl Perform for Patterns {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let (options, range) = pattern_options(self.options.unwrap_or(Options(Vec::new())))?;
        let scope = source.scope_of(range.as_ref())?;
        Ok(Reply::Findings(patterns::patterns(&source.recording(), &scope, &options)?))
    }
}

fn pattern_options(mut given: Options) -> Outcome<(patterns::Options, Option<Span>)> {
    use crate::session::value::{Duration, Value};
    let usage = |what: String| Failure::usage(format!("patterns: {what}"));
    let mut options = patterns::Options::default();
    let known: Vec<&str> = patterns::detectors().into_iter().map(|(name, _)| name).collect();
    if let Some(only) = given.take::<Value>("only").map_err(usage)? {
        let names = if let Value::List(names) = only { names } else { vec![only] };
        for name in names {
            match name {
                Value::Text(name) if known.contains(&name.as_str()) => options.only.push(name),
                Value::Text(name) => return Err(usage(format!("no detector {name:?}; known: {}", known.join(", ")))),
                _ => return Err(usage("only: expected detector names".into())),
            }
        }
    }
    let range = given.take::<Span>("range").map_err(usage)?;
    let thresholds = &mut options.thresholds;
    let times = [
        ("slow_callback", &mut thresholds.slow_callback_ns),
        ("restart_storm_window", &mut thresholds.restart_storm_window_ns),
    ];
    for (key, threshold_ns) in times {
        if let Some(duration) = given.take::<Duration>(key).map_err(usage)? {
            *threshold_ns = duration.ns;
        }
    }
    let counts = [
        ("mailbox_growth", &mut thresholds.mailbox_growth),
        ("bottleneck_busy_percent", &mut thresholds.bottleneck_busy_percent),
        ("bottleneck_messages", &mut thresholds.bottleneck_messages),
        ("restart_storm_restarts", &mut thresholds.restart_storm_restarts),
        ("crash_loop_crashes", &mut thresholds.crash_loop_crashes),
    ];
    for (key, threshold) in counts {
        if let Some(n) = given.take::<i64>(key).map_err(usage)? {
            *threshold = u64::try_from(n).map_err(|_| usage(format!("{key}: {n} is not a count")))?;
        }
    }
    let names = "only, range, slow_callback, restart_storm_window, mailbox_growth, bottleneck_busy_percent, bottleneck_messages, restart_storm_restarts, crash_loop_crashes";
    given.finish(names).map_err(usage)?;
    Ok((options, range))
}
