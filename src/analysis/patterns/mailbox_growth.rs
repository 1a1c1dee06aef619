//! Mailbox growth: a queue that fills faster than its process empties it.

use rustc_hash::FxHashMap;

use super::watch::Watch;
use super::{Detector, Facts, Finding, Severity, Thresholds, count, evidence};
use crate::analysis::join::since;
use crate::model::time::show_ns;
use crate::model::{Actor, Atom, Event, Filter, Kind, Seq};

pub(super) const NAME: &str = "mailbox_growth";

const ARRIVALS: [Kind; 3] = [Kind::Receive, Kind::Down, Kind::TimerFire];

pub(super) struct MailboxGrowth {
    n_min: u64,
    processes: FxHashMap<Actor, Growth>,
}

/// One process's queue since it was empty last, and the worst such stretch.
#[derive(Clone, Copy, Default)]
struct Growth {
    /// The arrival that ended the last emptiness.
    began: Seq,
    began_ns: i64,
    n_arrived: u64,
    n_taken: u64,
    peak: Option<Peak>,
    len: u64,
}

#[derive(Clone, Copy)]
struct Peak {
    len: u64,
    at: Seq,
    at_ns: i64,
    began: Seq,
    began_ns: i64,
    n_arrived: u64,
    n_taken: u64,
}

impl MailboxGrowth {
    pub(super) fn new(thresholds: &Thresholds) -> MailboxGrowth {
        MailboxGrowth { n_min: thresholds.mailbox_growth.max(1), processes: FxHashMap::default() }
    }
}

impl Detector for MailboxGrowth {
    fn event(&mut self, event: &Event, watch: &Watch) {
        let is_arrival = event.kind.is_arrival() || event.kind == Kind::ExitSignal;
        if !is_arrival && event.kind != Kind::HandleStart {
            return;
        }
        let Some(len) = watch.n_waiting(event.process) else { return };
        let growth = self.processes.entry(event.process).or_default();
        if growth.len == 0 && len > 0 {
            *growth = Growth { began: event.seq, began_ns: event.at_ns, peak: growth.peak, ..Growth::default() };
        }
        growth.n_arrived += u64::from(len > growth.len);
        growth.n_taken += u64::from(len < growth.len);
        growth.len = len;
        if len >= self.n_min && growth.peak.is_none_or(|peak| len > peak.len) {
            let Growth { began, began_ns, n_arrived, n_taken, .. } = *growth;
            growth.peak = Some(Peak { len, at: event.seq, at_ns: event.at_ns, began, began_ns, n_arrived, n_taken });
        }
    }

    fn finish(self: Box<Self>, facts: &Facts<'_>) -> Vec<Finding> {
        let grown = self.processes.into_iter().filter_map(|(actor, growth)| Some((actor, growth.len, growth.peak?)));
        grown.map(|(actor, len_at_end, peak)| finding(facts, actor, len_at_end, peak)).collect()
    }
}

fn finding(facts: &Facts<'_>, actor: Actor, len_at_end: u64, peak: Peak) -> Finding {
    let name = facts.name(actor, peak.at);
    let duration_ns = since(peak.began_ns, peak.at_ns);
    let is_growing = len_at_end.saturating_mul(2) >= peak.len;
    let outcome = match len_at_end {
        0 => "It was worked off later.".to_string(),
        n if is_growing => format!("At the end {n} still wait."),
        n => format!("At the end {n} are left."),
    };
    let commonest = commonest(facts, actor, peak);
    let sort = commonest.map_or(String::new(), |(tag, class)| format!(" Most of them are {tag} ({class})."));
    Finding {
        pattern: NAME,
        severity: if is_growing { Severity::Error } else { Severity::Warning },
        title: format!("{name}'s mailbox grew to {} messages", peak.len),
        sentence: format!(
            "{name}'s mailbox grew from empty (#{}) to {} (#{}) within {}: {} arrived while it took out {}.{sort} {outcome}",
            peak.began.0,
            count(peak.len, "message"),
            peak.at.0,
            show_ns(duration_ns),
            peak.n_arrived,
            peak.n_taken,
        ),
        processes: vec![actor],
        evidence: evidence([peak.began, peak.at]),
        first: peak.began,
        last: peak.at,
        count: peak.len,
        suggestion: format!("queue_chart(\"{name}\")"),
    }
}

/// The commonest sort among the messages that made the queue.
fn commonest(facts: &Facts<'_>, actor: Actor, peak: Peak) -> Option<(String, &'static str)> {
    let mut n_by_sort: FxHashMap<(Atom, &'static str), u64> = FxHashMap::default();
    let filter: Filter = facts.events_of(actor, &ARRIVALS, peak.began.0..peak.at.0 + 1);
    for event in facts.rec.scan(&filter) {
        if let Some(tag) = event.tag {
            *n_by_sort.entry((tag, event.class.as_str())).or_default() += 1;
        }
    }
    let ((tag, class), n) = n_by_sort.into_iter().max_by_key(|(sort, n)| (*n, std::cmp::Reverse(sort.0)))?;
    (n.saturating_mul(2) > peak.n_arrived).then(|| (tag.display(facts.style.syntax), class))
}
