//! Dead letters: messages to processes that had ended, and to names that nobody holds.

use rustc_hash::FxHashMap;

use super::watch::Watch;
use super::{Detector, Facts, Finding, Severity, count, evidence};
use crate::model::{Actor, Class, Event, Kind, Seq, Term};

pub(super) const NAME: &str = "dead_letter";

#[derive(Default)]
pub(super) struct DeadLetters {
    groups: FxHashMap<Option<Actor>, Group>,
}

/// The messages to one dead process; those to names are told apart when they are reported.
#[derive(Default)]
struct Group {
    n: u64,
    n_replies: u64,
    first: Vec<Event>,
    last: Seq,
}

/// Messages to names that are looked at one by one; more of them count as of the names seen.
const NAMED_MAX: usize = 10_000;

impl Detector for DeadLetters {
    fn event(&mut self, event: &Event, _watch: &Watch) {
        if event.kind != Kind::SendToDead {
            return;
        }
        let kept_max = if event.peer.is_some() { super::EVIDENCE_MAX } else { NAMED_MAX };
        let group = self.groups.entry(event.peer).or_default();
        group.add(event, kept_max);
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (peer, group) in self.groups {
            let Some(peer) = peer else {
                findings.extend(by_name(facts, &group));
                continue;
            };
            let end = facts.names.end(peer);
            let name = facts.name(peer, group.first[0].seq);
            let whom = match end {
                Some(end) => format!("{name}, which had ended (#{})", end.0),
                None => format!("{name}, which is not alive"),
            };
            findings.push(finding(facts, &group, &name, &whom, Some(peer), end));
        }
        findings
    }
}

impl Group {
    fn add(&mut self, event: &Event, kept_max: usize) {
        self.n += 1;
        self.n_replies += u64::from(event.class == Class::Reply);
        self.last = event.seq;
        if self.first.len() < kept_max {
            self.first.push(*event);
        }
    }
}

/// One finding per name.
fn by_name(facts: &Facts<'_>, group: &Group) -> Vec<Finding> {
    let mut names: Vec<(String, Group)> = Vec::new();
    for event in &group.first {
        let meta = facts.rec.meta(event.seq);
        let name = meta.as_ref().and_then(Term::as_map).and_then(|map| map.get_atom("name"));
        let name = name.map_or_else(|| "nobody".to_string(), |name| facts.show(name));
        let idx = names.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            names.push((name, Group::default()));
            names.len() - 1
        });
        names[idx].1.add(event, super::EVIDENCE_MAX);
    }
    let to_finding = |(name, group): &(String, Group)| {
        let whom = format!("the name {name}, which nobody held");
        finding(facts, group, name, &whom, None, None)
    };
    names.iter().map(to_finding).collect()
}

fn finding(facts: &Facts<'_>, group: &Group, name: &str, whom: &str, peer: Option<Actor>, end: Option<Seq>) -> Finding {
    let first = &group.first[0];
    let sender = facts.name(first.process, first.seq);
    let what = match first.tag {
        Some(tag) => format!("{} {}", first.class.as_str(), tag.display(facts.style.syntax)),
        None => first.class.as_str().to_string(),
    };
    let sent = match group.n {
        1 => format!("{sender} sent the {what} to {whom} (#{}).", first.seq.0),
        n => {
            format!("{} went to {whom}, the first one the {what} of {sender} (#{}).", count(n, "message"), first.seq.0)
        }
    };
    // Answers to callers who did not wait for them are no fault of the sender.
    let severity = if group.n_replies == group.n { Severity::Info } else { Severity::Warning };
    let mut processes: Vec<Actor> = group.first.iter().take(super::EVIDENCE_MAX).map(|event| event.process).collect();
    processes.extend(peer);
    processes.sort_unstable();
    processes.dedup();
    Finding {
        pattern: NAME,
        severity,
        title: format!("{} to {name}, which is not there", count(group.n, "message")),
        sentence: sent,
        processes,
        evidence: evidence(group.first.iter().map(|event| event.seq).chain(end)),
        first: first.seq,
        last: group.last,
        count: group.n,
        suggestion: end.map_or_else(|| format!("why(seq({}))", first.seq.0), |end| format!("why(seq({}))", end.0)),
    }
}
