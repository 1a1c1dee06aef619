//! Causes: why something happened, what led to it, who wrote a field last.

use crate::analysis::{causality, process, why};
use crate::breakpoint::{Condition, Search};
use crate::model::{Filter, Kind, Moment, Outcome, Path, Seq};
use crate::session::operation::{Perform, operations};
use crate::session::reply::{Reply, TimeSpan};
use crate::session::value::ProcessRef;
use crate::session::{Session, Source};

operations! { WHY:
    /// Explains a timeout, a crash or a restart: a paragraph, the events that prove it, and a picture by `svg(it, path)`.
    ///
    /// Without an event it explains the one at the cursor or, failing that, the nearest one before it.
    Why "why" Why {
        /// The event.
        event: Option<Moment>,
    } -> "the explanation", "why()";

    /// Gives the event that directly made an event happen.
    Why "cause" Cause {
        /// The event; the cursor's when left out.
        event: Option<Moment>,
    } -> "an event, or ()", "cause(\"#120\")";

    /// Lists the events that directly followed from an event.
    Why "effects" Effects {
        /// The event; the cursor's when left out.
        event: Option<Moment>,
    } -> "events", "effects(\"#120\")";

    /// Gives the causal chain through an event: back to its origin and forth to what followed.
    Why "chain" GetChain {
        /// The event; the cursor's when left out.
        event: Option<Moment>,
    } -> "the chain", "chain(\"#120\")";

    /// Lists the state changes that wrote a field.
    Why "writes" Writes {
        /// The path: `balance`, `orders[3].qty`.
        path: Path,
        /// Of one process; of all when left out.
        process: Option<ProcessRef>,
    } -> "a row per write", "writes(\"balance\", \"alice\")";

    /// Gives the newest write of a field before the cursor: who changed it last.
    Why "last" LastWrite {
        /// The path.
        path: Path,
        /// Of one process; of all when left out.
        process: Option<ProcessRef>,
    } -> "a row, or ()", "last(\"balance\", \"alice\")";

    /// Finds the first event of the timeline that satisfies a condition.
    Why "first" First {
        /// A condition or a closure `|e| ..`.
        condition: Condition,
    } -> "an event, or ()", "first(|e| e.kind == \"crash\")";

    /// Lists the stretches of the timeline throughout which a condition held.
    Why "spans" Spans {
        /// A condition or a closure `|e| ..`.
        condition: Condition,
    } -> "a row per stretch", "spans(|e| e.size > 1000)";
}

/// Links that `effects` and `chain` give each way.
const LINKS_MAX: usize = 1_000;

impl Perform for Why {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let seq = match &self.event {
            Some(moment) => source.resolve_event(Some(moment))?,
            None => explainable(source)?,
        };
        why::why(&source.recording(), &source.scope(), seq).map(Reply::Explanation)
    }
}

/// The cursor's event when it is one that `why` explains, else the nearest before it, else the first after it.
fn explainable(source: &Source) -> Outcome<Seq> {
    let recording = source.recording();
    let kinds = [Kind::Timeout, Kind::Crash, Kind::SupervisorRestart];
    let line = source.timeline().line(&recording);
    let at = source.timeline().at();
    let with_here = at.map(Seq::next);
    let before = Filter { ranges: line.before(with_here), ..Filter::kinds(&kinds) };
    let after = Filter { ranges: line.after(at), ..Filter::kinds(&kinds) };
    let nearest = (!before.ranges.is_empty()).then(|| recording.scan(&before).next_back()).flatten();
    let found = nearest.or_else(|| (!after.ranges.is_empty()).then(|| recording.scan(&after).next()).flatten());
    found.map(|event| event.seq).ok_or_else(|| {
        crate::model::Failure::not_found("nothing here needs explaining: no timeout, crash or restart is recorded")
            .hint("why(event) explains any event that has a cause")
            .hint("patterns()")
    })
}

impl Perform for Cause {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let seq = source.resolve_event(self.event.as_ref())?;
        let link = causality::cause(&source.recording(), &source.scope(), seq);
        Ok(link.map_or(Reply::NoEvent, |link| Reply::Event(link.from)))
    }
}

impl Perform for Effects {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let seq = source.resolve_event(self.event.as_ref())?;
        let links = causality::effects(&source.recording(), &source.scope(), seq, LINKS_MAX);
        Ok(Reply::Events { seqs: links.into_iter().map(|link| link.to).collect(), n_more: 0 })
    }
}

impl Perform for GetChain {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let seq = source.resolve_event(self.event.as_ref())?;
        Ok(Reply::Chain(causality::chain(&source.recording(), &source.scope(), seq, LINKS_MAX)))
    }
}

impl Perform for Writes {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let actor = self.process.map(|process| source.find_process(&process, None)).transpose()?;
        Ok(Reply::History(process::writes(&source.recording(), &source.scope(), actor, &self.path)))
    }
}

impl Perform for LastWrite {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let actor = self.process.map(|process| source.find_process(&process, None)).transpose()?;
        let here = source.timeline().at().map(Seq::next);
        let scope = source.timeline().line(&source.recording()).before(here);
        if scope.is_empty() {
            return Ok(Reply::NoEvent);
        }
        let row = process::last_write(&source.recording(), &scope, actor, &self.path);
        Ok(row.map_or(Reply::NoEvent, |row| Reply::History(vec![row])))
    }
}

impl Perform for First {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let recording = source.recording();
        let search = Search::new(&recording, source.position().branch, &self.condition);
        let found = search.after(&source.scope(), None)?;
        Ok(found.map_or(Reply::NoEvent, |event| Reply::Event(event.seq)))
    }
}

impl Perform for Spans {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let recording = source.recording();
        let line = source.timeline().line(&recording);
        let search = Search::new(&recording, source.position().branch, &self.condition);
        let hits = search.all(line.ranges(), crate::model::limits::QUERY_ROWS_MAX)?;
        let mut spans: Vec<TimeSpan> = Vec::new();
        for hit in hits {
            match spans.last_mut().filter(|span| line.prev(hit.seq) == Some(span.last)) {
                Some(span) => {
                    (span.last, span.to_ns) = (hit.seq, hit.at_ns);
                    span.n_events += 1;
                }
                None => spans.push(TimeSpan {
                    first: hit.seq,
                    last: hit.seq,
                    n_events: 1,
                    from_ns: hit.at_ns,
                    to_ns: hit.at_ns,
                }),
            }
        }
        Ok(Reply::Spans(spans))
    }
}
