//! Crash loops: one child or module that crashes again and again for one reason.

use rustc_hash::FxHashMap;

use super::watch::{Done, Watch};
use super::{Detector, Facts, Finding, Severity, Thresholds, evidence};
use crate::analysis::reason;
use crate::model::time::show_ns;
use crate::model::{Actor, Atom, Class, Event, Kind, Term};

pub(super) const NAME: &str = "crash_loop";

pub(super) struct CrashLoop {
    n_min: u64,
    crashes: Vec<Crash>,
    /// The callback that each living process was done with last, its terminate left out.
    last: FxHashMap<Actor, Handling>,
}

type Handling = (Class, Option<Atom>);

/// A crash and what the process was handling.
#[derive(Clone, Copy)]
struct Crash {
    event: Event,
    handling: Option<Handling>,
}

impl CrashLoop {
    pub(super) fn new(thresholds: &Thresholds) -> CrashLoop {
        CrashLoop { n_min: thresholds.crash_loop_crashes.max(2), crashes: Vec::new(), last: FxHashMap::default() }
    }
}

impl Detector for CrashLoop {
    fn event(&mut self, event: &Event, _watch: &Watch) {
        if event.kind.is_end() {
            let handling = self.last.remove(&event.process);
            if event.kind == Kind::Crash {
                self.crashes.push(Crash { event: *event, handling });
            }
        }
    }

    /// The callback that a crash cuts short comes right after the crash.
    fn done(&mut self, done: &Done) {
        let start = done.start;
        let handling = (start.class, start.tag);
        match self.crashes.last_mut().filter(|crash| crash.event.seq == done.end) {
            Some(crash) if start.class != Class::Terminate => crash.handling = Some(handling),
            None if start.class != Class::Terminate => drop(self.last.insert(start.process, handling)),
            _ => {}
        }
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        let mut groups: FxHashMap<(Atom, Term), Vec<Crash>> = FxHashMap::default();
        for crash in &self.crashes {
            let Crash { event, .. } = crash;
            let who = facts.names.registered(event.process, event.seq).or_else(|| facts.names.module(event.process));
            let (Some(who), Some(reason)) = (who, facts.rec.term(event.seq)) else { continue };
            if !reason.is_atom("killed") {
                groups.entry((who, reason::shape(&reason))).or_default().push(*crash);
            }
        }
        let loops = groups.into_iter().filter(|(_, crashes)| crashes.len() as u64 >= self.n_min);
        loops.map(|((who, _), crashes)| finding(facts, who, &crashes)).collect()
    }
}

fn finding(facts: &Facts<'_>, who: Atom, crashes: &[Crash]) -> Finding {
    let (first, last) = (crashes[0].event, crashes[crashes.len() - 1].event);
    let n = crashes.len();
    let who = subject(facts, who, crashes);
    let words = facts.rec.term(first.seq).map(|term| reason::in_words(&term, &|term| facts.show(term)));
    let (text, site) = words.map_or_else(|| (String::new(), None), |words| (words.text, words.site));
    let site = site.map(|site| format!(", raised in {site}")).unwrap_or_default();
    let same = crashes.iter().all(|crash| crash.handling == crashes[0].handling);
    let handling = match crashes[0].handling.filter(|_| same) {
        Some((Class::Init, _)) => ", always in its init".to_string(),
        Some((class, Some(tag))) => {
            format!(", always while handling the {} {}", class.as_str(), tag.display(facts.style.syntax))
        }
        _ => String::new(),
    };
    let mut processes: Vec<_> = crashes.iter().map(|crash| crash.event.process).collect();
    processes.dedup();
    processes.truncate(super::EVIDENCE_MAX);
    Finding {
        pattern: NAME,
        severity: Severity::Error,
        title: format!("{who} crashed {n} times with one reason"),
        sentence: format!(
            "{who} crashed {n} times within {} with the same sort of reason{handling}: {text}{site} (first #{}, last #{}).",
            show_ns(last.at_ns.saturating_sub(first.at_ns)),
            first.seq.0,
            last.seq.0
        ),
        processes,
        evidence: evidence(crashes.iter().map(|crash| crash.event.seq)),
        first: first.seq,
        last: last.seq,
        count: n as u64,
        suggestion: format!("why(seq({}))", first.seq.0),
    }
}

/// Who crashed: the owner of a registered name, what all are labelled, or else a module.
fn subject(facts: &Facts<'_>, who: Atom, crashes: &[Crash]) -> String {
    let name = who.display(facts.style.syntax);
    let first = crashes[0].event;
    if facts.names.registered(first.process, first.seq).is_some() {
        return name;
    }
    let label = facts.names.label(first.process);
    let is_shared = crashes.iter().all(|crash| facts.names.label(crash.event.process) == label);
    label.filter(|_| is_shared).unwrap_or(name)
}
