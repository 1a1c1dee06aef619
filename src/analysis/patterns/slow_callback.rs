//! Slow callbacks: one that runs long while messages wait behind it.

use rustc_hash::FxHashMap;

use super::watch::Done;
use super::{Detector, Facts, Finding, Severity, Thresholds, count, evidence};
use crate::model::time::show_ns;
use crate::model::{Actor, Atom, Class, Seq};

pub(super) const NAME: &str = "slow_callback";

pub(super) struct SlowCallback {
    slow_ns: i64,
    groups: FxHashMap<(Actor, Class, Option<Atom>), Group>,
}

/// The slow callbacks of one process for one sort of message.
#[derive(Default)]
struct Group {
    n: u64,
    total_ns: i64,
    longest: Option<Longest>,
    first: Seq,
    last: Seq,
    starts: Vec<Seq>,
}

#[derive(Clone, Copy)]
struct Longest {
    start: Seq,
    end: Seq,
    is_over: bool,
    duration_ns: i64,
    blocked_ns: i64,
    n_waiting: u64,
}

impl SlowCallback {
    pub(super) fn new(thresholds: &Thresholds) -> SlowCallback {
        SlowCallback { slow_ns: thresholds.slow_callback_ns, groups: FxHashMap::default() }
    }
}

impl Detector for SlowCallback {
    fn done(&mut self, done: &Done) {
        let duration_ns = done.duration_ns();
        // The run of a plain process takes its messages itself, and a process in its terminate takes none.
        let is_service = !matches!(done.start.class, Class::Init | Class::Terminate);
        if duration_ns < self.slow_ns || done.n_waiting == 0 || !is_service {
            return;
        }
        let start = done.start;
        let group = self.groups.entry((start.process, start.class, start.tag)).or_default();
        if group.n == 0 {
            group.first = start.seq;
        }
        group.n += 1;
        group.total_ns = group.total_ns.saturating_add(duration_ns);
        group.last = done.end;
        if group.starts.len() < super::EVIDENCE_MAX {
            group.starts.push(start.seq);
        }
        if group.longest.is_none_or(|longest| duration_ns > longest.duration_ns) {
            group.longest = Some(Longest {
                start: start.seq,
                end: done.end,
                is_over: done.is_over,
                duration_ns,
                blocked_ns: done.blocked_ns,
                n_waiting: done.n_waiting,
            });
        }
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        self.groups.into_iter().filter_map(|(key, group)| finding(facts, key, &group)).collect()
    }
}

fn finding(facts: &Facts<'_>, (actor, class, tag): (Actor, Class, Option<Atom>), group: &Group) -> Option<Finding> {
    let longest = group.longest?;
    let name = facts.name(actor, longest.start);
    let message = match tag {
        Some(tag) => format!("the {} {}", class.as_str(), tag.display(facts.style.syntax)),
        None => format!("a {}", class.as_str()),
    };
    let is_blocked = longest.blocked_ns.saturating_mul(2) > longest.duration_ns;
    let blocked = match is_blocked {
        true => format!(", {} of it waiting in a call of its own", show_ns(longest.blocked_ns)),
        false => String::new(),
    };
    let until = if longest.is_over { format!("to #{}", longest.end.0) } else { "and it is not over".to_string() };
    let others = match group.n {
        1 => String::new(),
        n => format!(" It did so {n} times, {} in all.", show_ns(group.total_ns)),
    };
    let duration = show_ns(longest.duration_ns);
    Some(Finding {
        pattern: NAME,
        severity: Severity::Warning,
        title: format!("{name} takes {duration} for {message}"),
        sentence: format!(
            "{name} was in its callback for {message} for {duration} (#{} {until}){blocked}, while {} waited behind it.{others}",
            longest.start.0,
            count(longest.n_waiting, "message"),
        ),
        processes: vec![actor],
        evidence: evidence(group.starts.iter().copied().chain([longest.start, longest.end])),
        first: group.first,
        last: group.last,
        count: group.n,
        suggestion: match is_blocked {
            true => format!("chain(seq({}))", longest.start.0),
            false => format!("process_timeline(\"{name}\")"),
        },
    })
}
