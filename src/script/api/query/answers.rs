//! What a query answers besides rows: counts by group and by time, histograms, the largest, the plan. The store does it where
//! no closure is to be asked. It must not know how tables are drawn.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rhai::plugin::*;

use super::{Query, Raised};
use crate::analysis::histogram::Histogram;
use crate::model::time::show_ns;
use crate::model::{Failure, FailureKind, Outcome, Seq, limits};
use crate::script::api::rows::{Rows, too_many};
use crate::script::api::values::{NoClosures, from_dynamic};
use crate::script::error::raise;
use crate::session::value::{Duration, Param};
use crate::store::{By, GroupKey, Groups, Number};
use crate::view::{Cell, Table, tables};

const HISTOGRAM_BINS: usize = 20;

impl Query {
    /// Counts by a field, the `n_max` largest groups, most first.
    pub(super) fn group(&self, call: &NativeCallContext, field: &str, n_max: usize) -> Raised<Rows> {
        let by = by(field).map_err(raise)?;
        let Groups { mut largest, n_groups, n_events } = self.groups(call, by, n_max)?;
        largest.sort_unstable_by_key(|(key, n)| (Reverse(*n), word(*key), *key));
        let fields: &[&str] = if by == By::Pair { &["process", "peer"] } else { &[field] };
        let mut table = Table::new(format!("events by {field}"), &[fields, &[">events", ">percent"]].concat());
        if n_groups > largest.len() as u64 {
            table.notes.push(format!("the {} largest of {n_groups} groups", largest.len()));
        }
        let last = Seq(self.context.recording().borrow().len().saturating_sub(1));
        let name =
            |actor: Option<_>| actor.map_or(Cell::Empty, |actor| Cell::Text(self.context.names(last).name(actor)));
        for (key, n) in largest {
            let mut row = match key {
                GroupKey::Kind(_) | GroupKey::Class(_) => vec![Cell::Text(word(key).into())],
                GroupKey::Tag(tag) => vec![tag.map_or(Cell::Empty, |tag| Cell::Text(tag.as_str().into()))],
                GroupKey::Actor(actor) => vec![name(actor)],
                GroupKey::Pair(process, peer) => vec![name(Some(process)), name(peer)],
                GroupKey::Time(number) => vec![Cell::Int(number)],
            };
            let percent = (n as f64 * 1000.0 / n_events as f64).round() / 10.0;
            row.extend([Cell::Int(n as i64), Cell::Float(percent)]);
            table.push(row);
        }
        Ok(Rows::table(table))
    }

    fn groups(&self, call: &NativeCallContext, by: By, n_max: usize) -> Raised<Groups> {
        self.ask_chosen(call, |recording, selection| recording.group(selection, by, n_max))
    }

    /// Counts by stretches of time.
    pub(super) fn per(&self, call: &NativeCallContext, width: &Dynamic) -> Raised<Rows> {
        let usage = |what: String| raise(Failure::usage(format!("per: {what}")).hint("per(\"1s\")"));
        let width = from_dynamic(width, &NoClosures).map_err(raise)?;
        let width_ns = Duration::from_value(width).map_err(usage)?.ns;
        if width_ns <= 0 {
            return Err(usage("a stretch of time is longer than nothing".into()));
        }
        let origin_ns = self.context.recording().borrow().time_range_ns().map_or(0, |(first_ns, _)| first_ns);
        let groups = self.groups(call, By::Time { origin_ns, width_ns }, usize::MAX)?;
        let counts: BTreeMap<GroupKey, u64> = groups.largest.into_iter().collect();
        let mut table = Table::new("events by time", &[">at_ns", ">events"]);
        let ends = [counts.first_key_value(), counts.last_key_value()].map(|end| end.map(|(key, _)| *key));
        if let [Some(GroupKey::Time(first)), Some(GroupKey::Time(last))] = ends {
            if last.saturating_sub(first) >= limits::GROUPS_MAX as i64 {
                let (n, width) = (last.saturating_sub(first).saturating_add(1), show_ns(width_ns));
                let raise_it =
                    format!("per: {n} stretches of {width} are too many; take longer ones, or between(from, to)");
                let error = limits::tripped("GROUPS_MAX", limits::GROUPS_MAX, &raise_it);
                let failure = Failure::new(FailureKind::Limit, error);
                return Err(raise(failure.hint("per(\"1s\"); a number without a unit is of milliseconds")));
            }
            for number in first..=last {
                let n = counts.get(&GroupKey::Time(number)).copied().unwrap_or(0);
                table.push(vec![Cell::Ns(number.saturating_mul(width_ns)), Cell::Int(n as i64)]);
            }
        }
        Ok(Rows::table(table))
    }

    pub(super) fn histogram(&self, call: &NativeCallContext, field: &str) -> Raised<Rows> {
        let number = match field {
            "gap" => Number::AtNs,
            _ => number(field, "size, gap, delay or latency").map_err(raise)?,
        };
        let mut histogram = Histogram::default();
        let mut last_ns: Option<i64> = None;
        let mut take = |value: i64| match field {
            "gap" => {
                let before = last_ns.replace(value);
                before.into_iter().for_each(|before| histogram.add(value.saturating_sub(before).saturating_abs()));
            }
            _ => histogram.add(value),
        };
        self.ask_chosen(call, |recording, selection| {
            recording.numbers(selection, number, |values| values.iter().for_each(|value| take(*value)));
        })?;
        let cell = |value: i64| if field == "size" { Cell::Bytes(value as u64) } else { Cell::Ns(value) };
        let mut table = Table::new(format!("{field} of events"), &[">from", ">to", ">events"]);
        for bin in histogram.bins(HISTOGRAM_BINS) {
            table.push(vec![cell(bin.from_ns), cell(bin.to_ns), Cell::Int(bin.n as i64)]);
        }
        Ok(Rows::table(table))
    }

    /// The events with the largest numbers.
    pub(super) fn largest(&self, call: &NativeCallContext, n: usize, field: &str) -> Raised<Rows> {
        let number = number(field, "size, delay or latency").map_err(raise)?;
        if n > limits::QUERY_ROWS_MAX {
            return Err(raise(too_many(n as u64)));
        }
        let found = self.ask_chosen(call, |recording, selection| recording.largest(selection, number, n))?;
        Ok(Rows::events(&self.context, found.into_iter().map(|(_, seq)| seq).collect(), 0))
    }

    /// The plan, with what is left to closures.
    pub(super) fn explained(&self) -> Raised<Rows> {
        let n_sealed = self.context.recording().borrow().n_segments();
        let steps = self.ask(|recording, selection| recording.explain(selection))?;
        let n_left = steps.last().map_or(0, |step| step.n_events);
        let mut table = tables::plan(&steps, n_sealed, &self.texts);
        let mut row = |step: &str, how: &str, n: Cell| {
            table.push(vec![Cell::Text(step.into()), Cell::Text(how.into()), Cell::Empty, n]);
        };
        for test in &self.tests {
            match (test.native.is_whole, test.native.filter == Default::default()) {
                (true, _) => row("closure", "compiled: its comparisons are tests of columns", Cell::Empty),
                (false, true) => row("closure", "interpreted for each event that is left; not run here", Cell::Empty),
                (false, false) => {
                    row(
                        "closure",
                        "in part compiled; the rest is interpreted for each event that is left, not run here",
                        Cell::Empty,
                    );
                }
            }
        }
        row(if self.is_native() { "rows" } else { "rows before closures" }, "", Cell::Int(n_left as i64));
        Ok(Rows::table(table))
    }
}

fn by(field: &str) -> Outcome<By> {
    Ok(match field {
        "kind" => By::Kind,
        "class" => By::Class,
        "tag" => By::Tag,
        "process" => By::Process,
        "peer" => By::Peer,
        "pair" => By::Pair,
        _ => {
            return Err(Failure::not_found(format!("no grouping by {field:?}"))
                .hint("group by kind, class, tag, process, peer or pair")
                .hint("per(\"1s\") counts by time"));
        }
    })
}

fn number(field: &str, known: &str) -> Outcome<Number> {
    match field {
        "size" => Ok(Number::SizeBytes),
        "delay" => Ok(Number::SinceCauseNs),
        "latency" => Ok(Number::SinceCallNs),
        _ => {
            Err(Failure::not_found(format!("events have no number {field:?} here")).hint(format!("there are {known}")))
        }
    }
}

/// The word of a kind or class, by which equal counts are put in order.
fn word(key: GroupKey) -> &'static str {
    match key {
        GroupKey::Kind(kind) => kind.as_str(),
        GroupKey::Class(class) => class.as_str(),
        _ => "",
    }
}
