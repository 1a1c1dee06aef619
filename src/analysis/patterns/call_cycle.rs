//! Call cycles: processes each of which waits, inside a call, for the next. Found on the graph of who waits for whom
//! at the moment when the last call closes it; dropped again when one of its calls is answered after all.

use rustc_hash::FxHashMap;

use super::watch::Watch;
use super::{Detector, Facts, Finding, Severity, evidence};
use crate::analysis::latency::{CallOutcome, CallRow};
use crate::model::time::show_ns;
use crate::model::{Actor, CallKey, Class, Event, Kind, Seq};

pub(super) const NAME: &str = "call_cycle";

/// Waits that are followed from one process to the next.
const FOLLOWED_MAX: usize = 64;

#[derive(Default)]
pub(super) struct CallCycle {
    /// Whom each caller waits for now.
    waits: FxHashMap<Actor, Wait>,
    cycles: Vec<Cycle>,
    by_call: FxHashMap<CallKey, usize>,
}

#[derive(Clone, Copy)]
struct Wait {
    callee: Actor,
    key: CallKey,
    send: Seq,
}

/// A closed cycle: its processes in the order of waiting, with their calls.
struct Cycle {
    members: Vec<(Actor, Seq)>,
    closed: Seq,
    /// The first of its calls that ended without an answer.
    given_up: Option<(CallOutcome, Seq)>,
    is_resolved: bool,
}

impl CallCycle {
    fn wait(&mut self, caller: Actor, wait: Wait) {
        self.waits.insert(caller, wait);
        let mut members = vec![(caller, wait.send)];
        let mut keys = vec![wait.key];
        let mut at = wait.callee;
        while at != caller {
            let Some(next) = self.waits.get(&at).filter(|_| members.len() < FOLLOWED_MAX) else { return };
            members.push((at, next.send));
            keys.push(next.key);
            at = next.callee;
        }
        for key in keys {
            self.by_call.insert(key, self.cycles.len());
        }
        self.cycles.push(Cycle { members, closed: wait.send, given_up: None, is_resolved: false });
    }

    fn stop(&mut self, caller: Actor, key: CallKey) {
        if self.waits.get(&caller).is_some_and(|wait| wait.key == key) {
            self.waits.remove(&caller);
        }
    }
}

impl Detector for CallCycle {
    fn event(&mut self, event: &Event, _watch: &Watch) {
        match (event.kind, event.class, event.call) {
            (Kind::Send, Class::Call, Some(key)) => {
                if let Some(callee) = event.peer {
                    self.wait(event.process, Wait { callee, key, send: event.seq });
                }
            }
            // A call to a name finds its process on arrival.
            (Kind::Receive, Class::Call, Some(key)) => {
                if let (Some(caller), Some(send)) = (event.peer, event.cause)
                    && self.waits.get(&caller).is_none_or(|wait| wait.key != key)
                    && !self.by_call.contains_key(&key)
                {
                    self.wait(caller, Wait { callee: event.process, key, send });
                }
            }
            (Kind::Reply, _, Some(key)) => {
                if let Some(caller) = event.peer {
                    self.stop(caller, key);
                }
            }
            (Kind::Receive | Kind::Down | Kind::Timeout, _, Some(key)) => self.stop(event.process, key),
            (Kind::Exit | Kind::Crash, _, _) => drop(self.waits.remove(&event.process)),
            _ => {}
        }
    }

    fn call(&mut self, call: &CallRow) {
        let Some(&idx) = self.by_call.get(&call.key) else { return };
        let cycle = &mut self.cycles[idx];
        match (call.outcome, call.end_seq) {
            // Somebody else answered: it was no deadlock.
            (CallOutcome::Received, _) => cycle.is_resolved |= cycle.given_up.is_none(),
            (outcome, Some(end)) if cycle.given_up.is_none_or(|(_, at)| end < at) => {
                cycle.given_up = Some((outcome, end))
            }
            _ => {}
        }
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        let mut groups: Vec<(Vec<Actor>, Vec<Cycle>)> = Vec::new();
        for cycle in self.cycles.into_iter().filter(|cycle| !cycle.is_resolved) {
            let mut actors: Vec<Actor> = cycle.members.iter().map(|(actor, _)| *actor).collect();
            actors.sort_unstable();
            match groups.iter_mut().find(|(known, _)| *known == actors) {
                Some((_, cycles)) => cycles.push(cycle),
                None => groups.push((actors, vec![cycle])),
            }
        }
        groups.into_iter().map(|(actors, cycles)| finding(facts, actors, &cycles)).collect()
    }
}

fn finding(facts: &Facts<'_>, processes: Vec<Actor>, cycles: &[Cycle]) -> Finding {
    let first = &cycles[0];
    // Told from the call that came first.
    let start = (0..first.members.len()).min_by_key(|idx| first.members[*idx].1).unwrap_or(0);
    let ordered: Vec<(Actor, Seq)> = first.members[start..].iter().chain(&first.members[..start]).copied().collect();
    let names: Vec<String> = ordered.iter().map(|(actor, seq)| facts.name(*actor, *seq)).collect();
    let calls: Vec<String> = ordered.iter().map(|(_, seq)| format!("#{}", seq.0)).collect();
    let title = match &names[..] {
        [alone] => format!("{alone} calls itself"),
        [a, b] => format!("{a} and {b} wait for each other"),
        names => format!("{} processes wait for each other in a cycle", names.len()),
    };
    let ended = match first.given_up {
        Some((outcome, end)) => {
            let waited = show_ns(facts.at_ns(end).saturating_sub(facts.at_ns(first.closed)));
            let how = if outcome == CallOutcome::Timeout { "one of the calls timed out" } else { "one of them died" };
            format!("It lasted {waited}, until {how} (#{}).", end.0)
        }
        None => "Nothing in the recording ends it.".to_string(),
    };
    let again = match cycles.len() {
        1 => String::new(),
        n => format!(" It happened {n} times."),
    };
    let what = match &names[..] {
        [alone] => {
            format!("{alone} calls itself inside its own callback ({}), where it cannot take the message.", calls[0])
        }
        names => format!(
            "{} → {} (calls {}): each waits inside a call for the next, so none can take a message.",
            names.join(" → "),
            names[0],
            calls.join(", ")
        ),
    };
    let look = first.given_up.map_or(first.closed, |(_, end)| end);
    Finding {
        pattern: NAME,
        severity: Severity::Error,
        title,
        sentence: format!("{what} {ended}{again}"),
        processes,
        evidence: evidence(
            cycles.iter().flat_map(|cycle| {
                cycle.members.iter().map(|(_, send)| *send).chain(cycle.given_up.map(|(_, end)| end))
            }),
        ),
        first: ordered[0].1,
        last: cycles.iter().map(|cycle| cycle.given_up.map_or(cycle.closed, |(_, end)| end)).max().unwrap_or(look),
        count: cycles.len() as u64,
        suggestion: format!("why(seq({}))", look.0),
    }
}
