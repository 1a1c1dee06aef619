//! Bottlenecks: a process that is busy with its own work nearly all the time while several senders wait for it.
//! Time that it waits in calls of its own does not count: then the one behind it is the bottleneck.

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
    own_ns: i64,
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
        let busy = i128::from(load.own_ns) * 100 >= i128::from(active_ns) * i128::from(self.busy_percent);
        let waits = i128::from(load.queue_ns) >= 2 * i128::from(load.own_ns);
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
        load.own_ns = load.own_ns.saturating_add(done.own_ns());
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
        let busy = loads.into_iter().filter(|(_, load)| self.is_bottleneck(load));
        busy.map(|(actor, load)| finding(facts, actor, &load, all_queue_ns)).collect()
    }
}

fn finding(facts: &Facts<'_>, actor: Actor, load: &Load, all_queue_ns: i128) -> Finding {
    let name = facts.name(actor, load.last);
    let n = load.n_handled as i64;
    let active_ns = since(load.from_ns, load.to_ns);
    let percent = (i128::from(load.own_ns) * 100 / i128::from(active_ns.max(1))).min(100);
    let share = i128::from(load.queue_ns) * 100 / all_queue_ns.max(1);
    let senders = match load.senders.len() {
        SENDERS_MAX.. => format!("{SENDERS_MAX} processes and more"),
        n => format!("{n} processes"),
    };
    Finding {
        pattern: NAME,
        severity: Severity::Warning,
        title: format!("{name} is a bottleneck"),
        sentence: format!(
            "{name} was busy for {percent} % of the {} in which it handled {n} messages of {senders}; they waited {} on average for {} \
             of handling, the longest {} (#{}). That is {share} % of all the time that messages waited in mailboxes.",
            show_ns(active_ns),
            show_ns(load.queue_ns / n),
            show_ns(load.own_ns / n),
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
