//! `patterns()`: known shapes of trouble, each found by its own detector in one shared pass.
//!
//! A detector sees the events in order, beside them each callback that is over ([`watch::Done`]) and each call that is
//! over ([`CallRow`]), and keeps memory bounded by what is open at once and by what it will report. To add one: a
//! file here, a line in [`DETECTORS`], a planted recording in the tests.

mod bottleneck;
mod call_cycle;
mod crash_loop;
mod dead_letter;
mod late_reply;
mod mailbox_growth;
mod restart_storm;
mod slow_callback;
mod watch;

use std::sync::Arc;

use serde::Serialize;

use self::watch::{Done, Watch};
#[cfg(test)]
use super::join::CALL_KINDS;
use super::join::{CallEvents, CallJoin, in_order};
use super::latency::CallRow;
use super::names::Names;
use super::process::is_exact;
use super::{Scope, within};
use crate::model::{Actor, Event, Failure, Filter, Kind, Outcome, Seq, Style, Syntax, Term};
use crate::store::{By, GroupKey, Recording, Selection};

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The detector: `call_cycle`, `slow_callback`, ..
    pub pattern: &'static str,
    pub severity: Severity,
    /// A few words: `account_a and account_b wait for each other`.
    pub title: String,
    /// One or two sentences with names, counts, durations and event numbers.
    pub sentence: String,
    pub processes: Vec<Actor>,
    /// Events to look at, ascending; the first few where there are many.
    pub evidence: Vec<Seq>,
    pub first: Seq,
    pub last: Seq,
    pub count: u64,
    /// The next command to type.
    pub suggestion: String,
}

/// When a detector speaks. Durations in ns of the recording's clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// A callback that runs so long while others wait is slow.
    pub slow_callback_ns: i64,
    /// Messages waiting at once.
    pub mailbox_growth: u64,
    /// Share of its active time that a bottleneck spends in callbacks, in percent.
    pub bottleneck_busy_percent: u64,
    /// Messages that a bottleneck has handled at least.
    pub bottleneck_messages: u64,
    /// Restarts of one child ..
    pub restart_storm_restarts: u64,
    /// .. within this time.
    pub restart_storm_window_ns: i64,
    /// Crashes of one child or module with one reason.
    pub crash_loop_crashes: u64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            slow_callback_ns: 50_000_000,
            mailbox_growth: 100,
            bottleneck_busy_percent: 80,
            bottleneck_messages: 50,
            restart_storm_restarts: 3,
            restart_storm_window_ns: 5_000_000_000,
            crash_loop_crashes: 3,
        }
    }
}

/// Which detectors run, with which thresholds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Detector names; empty = all.
    pub only: Vec<String>,
    pub thresholds: Thresholds,
}

/// Finds one pattern.
trait Detector {
    /// Sees the next event; `watch` knows the events before it and this one.
    fn event(&mut self, event: &Event, watch: &Watch) {
        let _ = (event, watch);
    }
    /// Sees a callback that is over, or that still runs when the scope ends.
    fn done(&mut self, done: &Done) {
        let _ = done;
    }
    /// Sees a call that is over, or still open when the scope ends.
    fn call(&mut self, call: &CallRow) {
        let _ = call;
    }
    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding>;
}

/// A detector: its name, what it finds, how to make one.
struct Entry {
    name: &'static str,
    what: &'static str,
    make: fn(&Thresholds) -> Box<dyn Detector>,
}

const DETECTORS: [Entry; 8] = [
    Entry {
        name: call_cycle::NAME,
        what: "processes that wait in calls for each other: a deadlock until one gives up",
        make: |_| Box::<call_cycle::CallCycle>::default(),
    },
    Entry {
        name: restart_storm::NAME,
        what: "a supervisor that restarts one child again and again",
        make: |thresholds| Box::new(restart_storm::RestartStorm::new(thresholds)),
    },
    Entry {
        name: crash_loop::NAME,
        what: "crashes of one child or module for one reason",
        make: |thresholds| Box::new(crash_loop::CrashLoop::new(thresholds)),
    },
    Entry {
        name: slow_callback::NAME,
        what: "a callback that runs long while messages wait behind it",
        make: |thresholds| Box::new(slow_callback::SlowCallback::new(thresholds)),
    },
    Entry {
        name: mailbox_growth::NAME,
        what: "a mailbox that fills faster than its process empties it",
        make: |thresholds| Box::new(mailbox_growth::MailboxGrowth::new(thresholds)),
    },
    Entry {
        name: bottleneck::NAME,
        what: "a process that is busy nearly all the time while its senders wait",
        make: |thresholds| Box::new(bottleneck::Bottleneck::new(thresholds)),
    },
    Entry {
        name: late_reply::NAME,
        what: "replies that come after their callers gave up",
        make: |_| Box::<late_reply::LateReplies>::default(),
    },
    Entry {
        name: dead_letter::NAME,
        what: "messages to dead processes and unknown names",
        make: |_| Box::<dead_letter::DeadLetters>::default(),
    },
];

/// All detectors: name and what it finds.
pub fn detectors() -> Vec<(&'static str, &'static str)> {
    DETECTORS.iter().map(|entry| (entry.name, entry.what)).collect()
}

/// Runs the detectors over the scope; worst first, then by first event. One pass.
/// Errors: an unknown detector's name.
pub fn patterns(rec: &Recording, scope: Scope<'_>, options: &Options) -> Outcome<Vec<Finding>> {
    let is_known = |name: &&String| !DETECTORS.iter().any(|entry| entry.name == **name);
    if let Some(unknown) = options.only.iter().find(is_known) {
        let names: Vec<&str> = DETECTORS.iter().map(|entry| entry.name).collect();
        return Err(
            Failure::usage(format!("there is no pattern {unknown:?}")).hint(format!("patterns: {}", names.join(", ")))
        );
    }
    let is_wanted = |entry: &&Entry| options.only.is_empty() || options.only.iter().any(|name| name == entry.name);
    let mut running: Vec<Box<dyn Detector>> =
        DETECTORS.iter().filter(is_wanted).map(|entry| (entry.make)(&options.thresholds)).collect();
    run(rec, scope, &mut running);
    Ok(finish(rec, scope, running))
}

fn finish(rec: &Recording, scope: Scope<'_>, detectors: Vec<Box<dyn Detector>>) -> Vec<Finding> {
    let facts = Facts::new(rec, scope);
    let mut findings: Vec<Finding> = detectors.into_iter().flat_map(|detector| detector.finish(&facts)).collect();
    findings.sort_by(|a, b| {
        let by_severity = b.severity.cmp(&a.severity);
        by_severity.then_with(|| (a.first, a.pattern, &a.title).cmp(&(b.first, b.pattern, &b.title)))
    });
    findings
}

/// The kinds that detectors want to see besides those of calls.
const OTHER_KINDS: [Kind; 4] = [Kind::HandleEnd, Kind::TimerFire, Kind::ExitSignal, Kind::SupervisorRestart];

/// The shared pass. Of arrivals that are no part of a call it reads those of processes that are seen taking messages: only there
/// something is known of the mailbox, but on the sim, where everything is.
fn run(rec: &Recording, scope: Scope<'_>, detectors: &mut [Box<dyn Detector>]) {
    let of_kind = |kind| Filter { ranges: scope.to_vec(), ..Filter::kind(kind) };
    let mut arrivals = of_kind(Kind::Receive);
    let mut are_all_of_calls = false;
    if !is_exact(rec) {
        let taken = rec.group(&Selection::of(&of_kind(Kind::HandleStart)), By::Process, usize::MAX);
        let taker = |(key, _): &(GroupKey, u64)| if let GroupKey::Actor(actor) = key { *actor } else { None };
        arrivals.processes = taken.largest.iter().filter_map(taker).collect();
        are_all_of_calls = arrivals.processes.is_empty();
    }
    let call_events = CallEvents::with(scope, &OTHER_KINDS);
    let arrived = (!are_all_of_calls).then(|| rec.scan(&arrivals)).into_iter().flatten();
    feed(rec, scope, in_order(call_events.iter(rec), arrived), detectors);
}

/// Gives events to detectors, with what they lead to.
fn feed(rec: &Recording, scope: Scope<'_>, events: impl Iterator<Item = Event>, detectors: &mut [Box<dyn Detector>]) {
    let mut calls = CallJoin::new(rec, scope);
    let mut watch = Watch::new(rec, scope);
    for event in events {
        let done = watch.push(&event);
        let call = calls.push(&event);
        for detector in detectors.iter_mut() {
            detector.event(&event, &watch);
            if let Some(done) = &done {
                detector.done(done);
            }
            if let Some(call) = &call {
                detector.call(call);
            }
        }
    }
    let messages = Filter { ranges: scope.to_vec(), ..Filter::kinds(&[Kind::Send, Kind::Receive]) };
    for done in watch.finish(rec.scan(&messages).next_back()) {
        detectors.iter_mut().for_each(|detector| detector.done(&done));
    }
    for call in calls.finish() {
        detectors.iter_mut().for_each(|detector| detector.call(&call));
    }
}

/// Events that a finding lists.
const EVIDENCE_MAX: usize = 12;

/// What findings are written with.
struct Facts<'r> {
    rec: &'r Recording,
    scope: Scope<'r>,
    names: Arc<Names>,
    style: Style,
}

impl<'r> Facts<'r> {
    fn new(rec: &'r Recording, scope: Scope<'r>) -> Facts<'r> {
        let syntax = if rec.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang };
        Facts { rec, scope, names: Names::of(rec, scope), style: Style::cell(syntax) }
    }

    fn name(&self, actor: Actor, at: Seq) -> String {
        self.names.at(actor, at)
    }

    fn show(&self, term: &Term) -> String {
        term.display(self.style).to_string()
    }

    fn at_ns(&self, seq: Seq) -> i64 {
        self.rec.event(seq).map_or(0, |event| event.at_ns)
    }

    /// The events of `process` with one of `kinds` in `range`.
    fn events_of(&self, process: Actor, kinds: &[Kind], range: std::ops::Range<u64>) -> Filter {
        Filter { ranges: within(self.rec, self.scope, range), ..Filter::kinds(kinds).process(process) }
    }
}

/// `one message`, `12 messages`.
fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("one {one}") } else { format!("{n} {one}s") }
}

/// Ascending and at most [`EVIDENCE_MAX`].
fn evidence(seqs: impl IntoIterator<Item = Seq>) -> Vec<Seq> {
    let mut seqs: Vec<Seq> = seqs.into_iter().collect();
    seqs.sort_unstable();
    seqs.dedup();
    seqs.truncate(EVIDENCE_MAX);
    seqs
}

#[cfg(test)]
mod tests;

/// Findings as they are when every event is looked at.
#[cfg(test)]
pub(super) fn plain(rec: &Recording, thresholds: &Thresholds) -> Vec<Finding> {
    let mut running: Vec<Box<dyn Detector>> = DETECTORS.iter().map(|entry| (entry.make)(thresholds)).collect();
    let mut kinds = [&CALL_KINDS[..], &OTHER_KINDS].concat();
    kinds.extend([Kind::Send, Kind::Receive]);
    feed(rec, &[], rec.scan(&Filter::kinds(&kinds)), &mut running);
    finish(rec, &[], running)
}
