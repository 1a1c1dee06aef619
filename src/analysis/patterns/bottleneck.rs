//! Bottlenecks: a process that is in its callbacks nearly all the time while several senders wait for it. One that
//! only waits, in calls of its own, for another bottleneck is none: the one behind it is.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::watch::Done;
use super::{Detector, Facts, Finding, Severity, Thresholds, evidence};
use crate::analysis::join::since;
use crate::model::time::show_ns;
use crate::model::{Actor, Seq};

pub(super) const NAME: &str = "bottleneck";

/// Distinct senders that are told apart; more are "many".
const SENDERS_MAX: usize = 64;

pub(super) struct Bottleneck {
    busy_percent: u64,
    n_min: u64,
    processes: FxHashMap<Actor, Load>,
}

/// What one process had to do.
#[derive(Default)]
struct Load {
    n_handled: u64,
    busy_ns: i64,
    blocked_ns: i64,
    waited_for: FxHashMap<Actor, i64>,
    queue_ns: i64,
    /// The arrival of its first message, as far as its wait tells.
    from_ns: i64,
    to_ns: i64,
    first: Seq,
    last: Seq,
    /// The message that waited longest: its callback and its wait.
    longest: (Seq, i64),
    senders: SmallVec<[Actor; 4]>,
}

impl Bottleneck {
    pub(super) fn new(thresholds: &Thresholds) -> Bottleneck {
        Bottleneck {
            busy_percent: thresholds.bottleneck_busy_percent,
            n_min: thresholds.bottleneck_messages.max(1),
            processes: FxHashMap::default(),
        }
    }

    fn is_bottleneck(&self, load: &Load) -> bool {
        let active_ns = since(load.from_ns, load.to_ns);
        let busy = i128::from(load.busy_ns) * 100 >= i128::from(active_ns) * i128::from(self.busy_percent);
        let waits = load.queue_ns >= load.busy_ns;
        load.n_handled >= self.n_min && active_ns > 0 && busy && waits && load.senders.len() > 1
    }
}

impl Detector for Bottleneck {
    fn done(&mut self, done: &Done) {
        // What nobody waited for (init, its own timers) is no load that others see.
        let Some(queue_ns) = done.queue_ns else { return };
        let start = done.start;
        let load = self.processes.entry(start.process).or_default();
        if load.n_handled == 0 {
            (load.first, load.from_ns) = (start.seq, start.at_ns.saturating_sub(queue_ns));
        }
        load.n_handled += 1;
        load.busy_ns = load.busy_ns.saturating_add(done.duration_ns());
        load.blocked_ns = load.blocked_ns.saturating_add(done.blocked_ns);
        for (callee, ns) in &done.waited_for {
            *load.waited_for.entry(*callee).or_default() += ns;
        }
        load.queue_ns = load.queue_ns.saturating_add(queue_ns);
        (load.last, load.to_ns) = (done.end, done.end_ns);
        if queue_ns > load.longest.1 {
            load.longest = (start.seq, queue_ns);
        }
        if let Some(sender) = done.from
            && load.senders.len() < SENDERS_MAX
            && !load.senders.contains(&sender)
        {
            load.senders.push(sender);
        }
    }

    fn finish(mut self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        let all_queue_ns: i128 = self.processes.values().map(|load| i128::from(load.queue_ns)).sum();
        let loads: Vec<(Actor, Load)> = std::mem::take(&mut self.processes).into_iter().collect();
        let suspects: Vec<(Actor, Load)> = loads.into_iter().filter(|(_, load)| self.is_bottleneck(load)).collect();
        let is_suspect = |actor: &Actor| suspects.iter().any(|(suspect, _)| suspect == actor);
        // Whoever spends most of its time waiting for another suspect only passes that one's slowness on.
        let passes_on = |load: &Load| {
            let behind = load.waited_for.iter().filter(|(callee, _)| is_suspect(callee)).map(|(_, ns)| ns);
            behind.sum::<i64>().saturating_mul(2) > load.busy_ns
        };
        let own = suspects.iter().filter(|(_, load)| !passes_on(load));
        own.map(|(actor, load)| finding(facts, *actor, load, all_queue_ns)).collect()
    }
}

fn finding(facts: &Facts<'_>, actor: Actor, load: &Load, all_queue_ns: i128) -> Finding {
    let name = facts.name(actor, load.last);
    let n = load.n_handled as i64;
    let active_ns = since(load.from_ns, load.to_ns);
    let percent = (i128::from(load.busy_ns) * 100 / i128::from(active_ns.max(1))).min(100);
    let share = i128::from(load.queue_ns) * 100 / all_queue_ns.max(1);
    let senders = match load.senders.len() {
        SENDERS_MAX.. => format!("{SENDERS_MAX} processes and more"),
        n => format!("{n} processes"),
    };
    let blocked_percent = i128::from(load.blocked_ns) * 100 / i128::from(load.busy_ns.max(1));
    let waiting = match load.waited_for.len() {
        _ if blocked_percent < 50 => String::new(),
        1 => format!(" For {blocked_percent} % of its busy time it was waiting itself, for {}.", callee(facts, load)),
        n => format!(
            " For {blocked_percent} % of its busy time it was waiting itself, in calls to {n} processes one after the other."
        ),
    };
    Finding {
        pattern: NAME,
        severity: Severity::Warning,
        title: format!("{name} is a bottleneck"),
        sentence: format!(
            "{name} was busy for {percent} % of the {} in which it handled {n} messages of {senders}; they waited {} on average for {} \
             of handling, the longest {} (#{}). That is {share} % of all the time that messages waited in mailboxes.{waiting}",
            show_ns(active_ns),
            show_ns(load.queue_ns / n),
            show_ns(load.busy_ns / n),
            show_ns(load.longest.1),
            load.longest.0.0,
        ),
        processes: vec![actor],
        evidence: evidence([load.first, load.longest.0, load.last]),
        first: load.first,
        last: load.last,
        count: load.n_handled,
        suggestion: format!("queue_chart(\"{name}\")"),
    }
}

fn callee(facts: &Facts<'_>, load: &Load) -> String {
    load.waited_for.keys().next().map_or_else(String::new, |actor| facts.name(*actor, load.last))
}
