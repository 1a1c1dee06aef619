//! Late replies: work done for callers who had given up already.

use rustc_hash::FxHashMap;

use super::{Detector, Facts, Finding, Severity, evidence};
use crate::analysis::join::since;
use crate::analysis::latency::{CallOutcome, CallRow};
use crate::model::time::show_ns;
use crate::model::{Actor, Atom, Seq};

pub(super) const NAME: &str = "late_reply";

#[derive(Default)]
pub(super) struct LateReplies {
    groups: FxHashMap<(Option<Actor>, Option<Atom>), Group>,
}

/// The late replies of one callee to one sort of call.
#[derive(Default)]
struct Group {
    n: u64,
    /// Timeout and reply of the first ones.
    pairs: Vec<(Seq, Seq)>,
    last: Seq,
}

impl Detector for LateReplies {
    fn call(&mut self, call: &CallRow) {
        let Some(timeout) = call.end_seq.filter(|_| call.is_late && call.outcome == CallOutcome::Timeout) else {
            return;
        };
        let reply = call.reply_seq.unwrap_or(timeout);
        let group = self.groups.entry((call.callee, call.tag)).or_default();
        group.n += 1;
        group.last = group.last.max(reply).max(timeout);
        if group.pairs.len() < super::EVIDENCE_MAX / 2 {
            group.pairs.push((timeout, reply));
        }
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        self.groups.into_iter().filter_map(|((callee, tag), group)| finding(facts, callee, tag, &group)).collect()
    }
}

fn finding(facts: &Facts<'_>, callee: Option<Actor>, tag: Option<Atom>, group: &Group) -> Option<Finding> {
    let &(timeout, reply) = group.pairs.first()?;
    let name = callee.map_or_else(|| "an unknown process".to_string(), |actor| facts.name(actor, reply));
    let call = tag.map_or_else(|| "a call".to_string(), |tag| format!("the call {}", tag.display(facts.style.syntax)));
    let late = show_ns(since(facts.at_ns(timeout), facts.at_ns(reply)));
    let times = match group.n {
        1 => "too late".to_string(),
        n => format!("too late {n} times"),
    };
    Some(Finding {
        pattern: NAME,
        severity: Severity::Warning,
        title: format!("{name} answers {call} {times}"),
        sentence: format!(
            "{name} answered {call} {times}: {} {late} after the caller had given up (#{}), with the reply #{}, which was dropped.",
            if group.n == 1 { "it came" } else { "the first came" },
            timeout.0,
            reply.0
        ),
        processes: callee.into_iter().collect(),
        evidence: evidence(group.pairs.iter().flat_map(|(timeout, reply)| [*timeout, *reply])),
        first: timeout,
        last: group.last,
        count: group.n,
        suggestion: format!("why(seq({}))", timeout.0),
    })
}
