//! Restart storms: a supervisor that restarts one child again and again within a short time.

use rustc_hash::FxHashMap;

use super::watch::Watch;
use super::{Detector, Facts, Finding, Severity, Thresholds, evidence};
use crate::analysis::why;
use crate::model::time::show_ns;
use crate::model::{Actor, Atom, Event, Kind};

pub(super) const NAME: &str = "restart_storm";

pub(super) struct RestartStorm {
    n_min: usize,
    window_ns: i64,
    restarts: FxHashMap<(Actor, Option<Atom>), Vec<Event>>,
}

impl RestartStorm {
    pub(super) fn new(thresholds: &Thresholds) -> RestartStorm {
        RestartStorm {
            n_min: usize::try_from(thresholds.restart_storm_restarts).unwrap_or(usize::MAX).max(2),
            window_ns: thresholds.restart_storm_window_ns,
            restarts: FxHashMap::default(),
        }
    }

    /// The stretches in which each `n_min` restarts lie within the window, as long as they can be made.
    fn storms<'e>(&self, restarts: &'e [Event]) -> Vec<&'e [Event]> {
        let mut storms: Vec<(usize, usize)> = Vec::new();
        for end in self.n_min..=restarts.len() {
            let start = end - self.n_min;
            if restarts[end - 1].at_ns.saturating_sub(restarts[start].at_ns) > self.window_ns {
                continue;
            }
            match storms.last_mut() {
                Some((_, last)) if *last >= start => *last = end,
                _ => storms.push((start, end)),
            }
        }
        storms.into_iter().map(|(start, end)| &restarts[start..end]).collect()
    }
}

impl Detector for RestartStorm {
    fn event(&mut self, event: &Event, _watch: &Watch) {
        if event.kind == Kind::SupervisorRestart {
            self.restarts.entry((event.process, event.tag)).or_default().push(*event);
        }
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for ((supervisor, child), restarts) in &self.restarts {
            let storms = self.storms(restarts);
            findings.extend(storms.into_iter().map(|storm| finding(facts, *supervisor, *child, storm)));
        }
        findings
    }
}

fn finding(facts: &Facts<'_>, supervisor: Actor, child: Option<Atom>, storm: &[Event]) -> Finding {
    let (first, last) = (storm[0], storm[storm.len() - 1]);
    let name = facts.name(supervisor, first.seq);
    let child = child.map_or_else(|| "a child".to_string(), |id| id.display(facts.style.syntax));
    let n = storm.len();
    let span = show_ns(last.at_ns.saturating_sub(first.at_ns));
    // The cause is the same story that why() tells.
    let cause = why::why(facts.rec, facts.scope, first.seq).map(|why| why.text()).unwrap_or_default();
    let children = storm.iter().filter_map(|restart| restart.peer).take(super::EVIDENCE_MAX);
    Finding {
        pattern: NAME,
        severity: Severity::Error,
        title: format!("{name} restarted {child} {n} times within {span}"),
        sentence: cause,
        processes: [supervisor].into_iter().chain(children).collect(),
        evidence: evidence(storm.iter().flat_map(|restart| restart.cause.into_iter().chain([restart.seq]))),
        first: first.seq,
        last: last.seq,
        count: n as u64,
        suggestion: format!("why(seq({}))", first.seq.0),
    }
}
