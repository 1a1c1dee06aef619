//! Questions about processes, states, mailboxes and trees at a moment. `events()`, the query over
//! events, is a value with methods of its own and lives with the scripts.

use crate::analysis::{process, tree};
use crate::model::{Failure, Moment, Outcome, Seq, Term};
use crate::session::operation::{Perform, operations};
use crate::session::reply::Reply;
use crate::session::value::{ProcessRef, Span};
use crate::session::{Session, compare};
use crate::store::{Recording, ranges};

operations! { ASK:
    /// Lists the processes and ports known at a moment, the dead ones too.
    Ask "processes" Processes {
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "a row per process", "processes()";

    /// Tells all about one process at a moment: status, queue, links, monitors, supervisor, memory (estimated on a sim).
    Ask "process" GetProcess {
        /// A pid, a registered name, a label or module.
        process: ProcessRef,
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "the process", "process(\"alice\")";

    /// Sums the system up at a moment: processes by status, queues, memory.
    Ask "system" GetSystem {
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "the summary", "system(\"50%\")";

    /// Gives a process's state at a moment, as a value. Where events are lost between that state and the moment, a warning says so.
    Ask "state" GetState {
        /// Which process.
        process: ProcessRef,
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "the state", "state(\"alice\").balance";

    /// Lists the changes of a process's state, with the paths that changed and what triggered each.
    Ask "history" History {
        /// Which process.
        process: ProcessRef,
        /// `[from, to]`; the whole timeline when left out.
        range: Option<Span>,
    } -> "a row per change", "history(\"alice\")";

    /// Lists the events of one process, as actor and as the other end.
    Ask "process_timeline" ProcessTimeline {
        /// Which process.
        process: ProcessRef,
        /// `[from, to]`; the whole timeline when left out.
        range: Option<Span>,
    } -> "events", "process_timeline(\"alice\", [\"start\", \"10ms\"])";

    /// Lists the messages that wait in a process's mailbox at a moment, oldest first.
    Ask "mailbox" Mailbox {
        /// Which process.
        process: ProcessRef,
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "a row per message", "mailbox(\"pool\", \"20ms\")";

    /// Gives the supervision tree at a moment, or what is at and below one process.
    Ask "tree" Tree {
        /// When, or a process by its name or pid as text; the whole tree at the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "the tree", "tree(\"bank_sup\")";

    /// Compares two moments: processes that came, went or changed, and the paths that differ in their states.
    Ask "diff" Diff {
        /// The earlier moment, a snapshot's name for example.
        a: Moment,
        /// The later moment; the cursor's when left out.
        b: Option<Moment>,
    } -> "a row per difference", "diff(\"start\", \"end\")";

    /// Gives the message, reason or state that an event carries.
    Ask "payload" Payload {
        /// Which event.
        event: Moment,
    } -> "a value", "payload(\"#12\")";

    /// Lists what is lost: events that were dropped while recording, and those that damage of the file took, a row per stretch
    /// with how many (empty when nobody knows), why, and where in the file.
    Ask "loss" Loss {} -> "a row per loss", "loss()";
}

impl Perform for Processes {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let Some(at) = source.resolve_system(self.moment.as_ref())? else { return Ok(Reply::Processes(Vec::new())) };
        Ok(Reply::Processes(process::processes(&source.recording(), at)))
    }
}

impl Perform for GetProcess {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let at = source.resolve_known(self.moment.as_ref())?;
        let actor = source.find_process(&self.process, self.moment.as_ref())?;
        let info = process::process(&source.recording(), actor, at);
        let info = info.ok_or_else(|| Failure::not_found(format!("the process was not known at #{}", at.0)))?;
        Ok(Reply::Process(Box::new(info)))
    }
}

impl Perform for GetSystem {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let at = source.resolve_known(self.moment.as_ref())?;
        Ok(Reply::System(process::summary(&source.recording(), at)))
    }
}

impl Perform for GetState {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let at = source.resolve_known(self.moment.as_ref())?;
        let actor = source.find_process(&self.process, self.moment.as_ref())?;
        let recording = source.recording();
        let seq = process::process(&recording, actor, at).and_then(|info| info.state);
        let Some(seq) = seq else {
            let failure = Failure::not_found(format!("no state of this process is recorded up to #{}", at.0));
            return Err(if source.capabilities().is_live {
                failure.hint("get_state(process) asks the process itself, now").hint(
                    "a state is recorded when a traced process with a small heap handles a message; capture: \"full\" records all",
                )
            } else {
                failure.hint(
                    "states are recorded on a sim, and in traces that hold calls and returns of handle_* functions",
                )
            });
        };
        let term = payload_of(&recording, seq)?;
        let lost = lost_between(&recording, seq, at);
        lost.iter().for_each(|lost| session.warn(lost.clone()));
        Ok(Reply::State { term, seq, lost })
    }
}

impl Perform for History {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let actor = source.find_process(&self.process, None)?;
        let scope = source.scope_of(self.range.as_ref())?;
        Ok(Reply::History(process::history(&source.recording(), &scope, actor)))
    }
}

impl Perform for ProcessTimeline {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let actor = source.find_process(&self.process, None)?;
        let scope = source.scope_of(self.range.as_ref())?;
        let n_max = crate::model::limits::QUERY_ROWS_MAX;
        let (events, n_more) = process::timeline(&source.recording(), &scope, actor, n_max);
        Ok(Reply::Events { seqs: events.into_iter().map(|event| event.seq).collect(), n_more })
    }
}

impl Perform for Mailbox {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let at = source.resolve_known(self.moment.as_ref())?;
        let actor = source.find_process(&self.process, self.moment.as_ref())?;
        let recording = source.recording();
        let info = process::process(&recording, actor, at);
        if let Some(info) = info.filter(|info| info.queue_len.is_none()) {
            let what = "is not known: the recording has what arrived, not what was taken out (calls were not traced)";
            return Err(Failure::not_found(format!("what waits in the mailbox of {} {what}", info.name))
                .hint(format!("events().kind(\"receive\").process({:?})", info.name))
                .hint("trace calls, too (the README's command for dbg), and mailboxes are known"));
        }
        Ok(Reply::Mailbox(process::mailbox(&recording, actor, at)))
    }
}

impl Perform for Tree {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let is_mark = |name: &String| source.recording().marks().iter().any(|mark| mark.name == *name);
        let (moment, root) = match self.moment {
            Some(Moment::Mark(name)) if !is_mark(&name) => (None, Some(ProcessRef::Named(name))),
            moment => (moment, None),
        };
        let at = source.resolve_known(moment.as_ref())?;
        let whole = tree::tree(&source.recording(), at, false);
        let Some(root) = root else { return Ok(Reply::Tree(whole)) };
        let actor = source.find_process(&root, None)?;
        let part = whole.below(actor);
        let missing = || Failure::not_found(format!("{actor} is not alive at #{}", at.0));
        part.map(Reply::Tree).ok_or_else(missing)
    }
}

impl Perform for Diff {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let (from, to) = (source.resolve_system(Some(&self.a))?, source.resolve_system(self.b.as_ref())?);
        Ok(Reply::Diff(compare::moments(&source.recording(), from, to)))
    }
}

impl Perform for Payload {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let seq = source.resolve_event(Some(&self.event))?;
        let recording = source.recording();
        if recording.payload(seq).is_none() {
            return Ok(Reply::Nothing);
        }
        payload_of(&recording, seq).map(Reply::Term)
    }
}

impl Perform for Loss {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        Ok(Reply::Losses(source.recording().losses(&source.scope())))
    }
}

/// What is to be told of events that are lost between a state and the moment at which it was asked for.
fn lost_between(recording: &Recording, state: Seq, at: Seq) -> Option<String> {
    let past = recording.lineage(recording.branch_of(at)).into_iter();
    let between = past.map(|range| range.start.max(state.0 + 1)..range.end.min(at.0 + 1)).filter(|r| !r.is_empty());
    let losses = recording.losses(&between.collect::<Vec<_>>());
    let n_lost = losses.iter().try_fold(0u64, |sum, loss| Some(sum.saturating_add(loss.n_events?)));
    let n_lost = n_lost.map_or("an unknown number of".to_string(), |n| n.to_string());
    let seqs: Vec<_> = losses.into_iter().map(|loss| loss.seqs).collect();
    (!seqs.is_empty()).then(|| {
        let places = ranges(&seqs);
        format!(
            "the state is of #{}: {n_lost} events between it and #{} are lost ({places}), it may have changed",
            state.0, at.0
        )
    })
}

/// The payload as a term; one that is missing, too deep or damaged says so.
fn payload_of(recording: &Recording, seq: Seq) -> Outcome<Term> {
    let Some(bytes) = recording.payload(seq).filter(|bytes| !bytes.is_empty()) else {
        let (seq, first) = (seq.0, recording.first().0);
        let is_lost = recording.lost_fields(Seq(seq)).iter().any(|field| field == "payload");
        return Err(if seq < first {
            Failure::not_found(format!("what #{seq} carried is gone: the recording begins at #{first}"))
                .hint("info() tells what was evicted")
        } else if is_lost {
            Failure::not_found(format!("what #{seq} carried is lost: the file was damaged there"))
                .hint("loss(), and cinema fsck FILE, tell what is missing")
        } else {
            Failure::not_found(format!("#{seq} carries nothing"))
        });
    };
    crate::codec::etf::decode(&bytes)
        .map_err(|error| Failure::bad_input(format!("the payload of #{} ({} bytes): {error}", seq.0, bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::{Kind, NewEvent, Pid};

    #[test]
    fn events_that_are_lost_since_a_state_are_told() {
        let mut recording = Recording::default();
        let mut lost = Vec::new();
        let fields = [("total", Term::Int(1)), ("reason", Term::atom("damage")), ("offset", Term::Int(77))];
        etf::encode(&Term::map(fields.map(|(name, value)| (Term::atom(name), value))), &mut lost);
        for (at_ns, kind) in
            [Kind::StateChange, Kind::Loss, Kind::Loss, Kind::Log, Kind::StateChange].iter().enumerate()
        {
            let payload = if *kind == Kind::Loss { &lost[..] } else { &[] };
            recording.append(&NewEvent { payload, ..NewEvent::new(at_ns as i64, *kind, Pid::local(7)) }).unwrap();
        }
        assert_eq!(lost_between(&recording, Seq(0), Seq(0)), None);
        assert_eq!(
            lost_between(&recording, Seq(0), Seq(3)).unwrap(),
            "the state is of #0: 2 events between it and #3 are lost (#1 to #2), it may have changed"
        );
        assert_eq!(lost_between(&recording, Seq(4), Seq(4)), None);
        assert_eq!(recording.losses(&recording.lineage(0)).len(), 1);
    }
}
