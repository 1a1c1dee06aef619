//! What a session does with live nodes beyond an operation's own lines: opening them as a source, keeping the
//! recording up with them, breakpoints inside their processes. It must not know how options are written.

use std::time::Duration;

use super::live_options::Keep;
use super::reply::Reply;
use super::value::ProcessRef;
use super::{Session, Source};
use crate::analysis::process;
use crate::codec::redact::is_redacted;
use crate::model::{Failure, Moment, Outcome, Pid, Seq, Term};
use crate::sandbox::beam::Beam;
use crate::sandbox::beam::options::TraceOptions;
use crate::sandbox::beam::trace::TraceStart;
use crate::store::{Recording, RecordingInfo};

/// How long the recording waits for what a node has said already.
const SETTLE: Duration = Duration::from_millis(500);

/// Makes a live source the current one; traces when asked, then does `begin`. Gives what the source is.
pub(super) fn open(
    session: &mut Session,
    title: String,
    mut beam: Beam,
    trace: Option<&TraceOptions>,
    record: Option<Keep>,
    begin: impl FnOnce(&Beam) -> Outcome<()>,
) -> Outcome<Reply> {
    let info = info(&beam, &title);
    let started = trace.map(|trace| beam.start_tracing(trace)).transpose()?;
    begin(&beam)?;
    // Not before: a file that is there already is not written over for nothing.
    let recording = match &record {
        Some(keep) => Recording::create(&keep.path, info, keep.durability)?,
        None => Recording::new(info),
    };
    let mut source = Source::running(title, Box::new(beam), recording);
    source.file = record.map(|keep| keep.path);
    let id = session.add(source);
    settle(session)?;
    started.iter().for_each(|started| tell_refused(session, started));
    if started.is_none() {
        session.warn("nothing is traced yet: start_tracing(\"app:NAME\"), help start_tracing".to_string());
    }
    Ok(Reply::Source(session.source()?.info(id, true)))
}

/// Tells what was asked for and is not traced: of what another tool has, only how much.
pub(super) fn tell_refused(session: &Session, started: &TraceStart) {
    started.refused.iter().for_each(|refused| session.warn(format!("not traced: {refused}")));
    let (n_processes, n_functions) = started.n_taken;
    if n_processes + n_functions > 0 {
        let processes = if n_processes == 1 { "process" } else { "processes" };
        let functions = if n_functions == 1 { "function" } else { "functions" };
        session.warn(format!(
            "{n_processes} {processes} and {n_functions} {functions} are traced by another tool and left alone"
        ));
    }
}

fn info(beam: &Beam, title: &str) -> RecordingInfo {
    let nodes = beam.nodes();
    let mut notes = Vec::new();
    for node in &nodes {
        notes.push(("node".to_string(), node.node.as_str().to_string()));
        notes.push(("OTP".to_string(), node.ready.otp_release.clone()));
        if nodes.len() > 1 {
            let us = |ns: i64| ns / 1_000;
            notes.push((
                format!("clock of {}", node.node.as_str()),
                format!("shifted by {} µs, give or take {} µs", us(node.shift_ns), us(node.shift_error_ns)),
            ));
        }
    }
    notes.push(("redacted by".to_string(), beam.redaction().describe()));
    RecordingInfo {
        source: "beam".into(),
        title: title.to_string(),
        wall_offset_ns: nodes.first().map_or(0, |first| first.ready.offset_ns),
        is_elixir: nodes.iter().any(|node| node.ready.is_elixir),
        notes,
    }
}

/// Records what the current source's nodes have said until now.
pub(super) fn settle(session: &mut Session) -> Outcome<()> {
    session.source_mut()?.beam("be followed")?.catch_up(SETTLE);
    // A drain ends after some 50 ms, or at a hit: what is left comes with the next one.
    for _ in 0..20 {
        session.drain()?;
        if !session.source_mut()?.beam("be followed")?.has_events() {
            break;
        }
    }
    Ok(())
}

/// A process's state as it was recorded.
pub(super) struct RecordedState {
    pid: Pid,
    name: String,
    state: Term,
    seq: Seq,
    n_waiting: u64,
}

/// The state that `process` had at `moment`. Errors: none is recorded, or only parts of it.
pub(super) fn recorded_state(session: &Session, process: &ProcessRef, moment: &Moment) -> Outcome<RecordedState> {
    let source = session.source()?;
    let actor = source.find_process(process, Some(moment))?;
    let at = source.resolve_known(Some(moment))?;
    let recording = source.recording();
    let missing = |why: &str| Failure::not_found(format!("no whole state of {actor} is recorded up to #{}{why}", at.0));
    let info = process::process(&recording, actor, at).ok_or_else(|| missing(""))?;
    let seq = info.state.ok_or_else(|| missing("").hint("get_state(process) asks for it"))?;
    let is_partial = recording.meta(seq).is_some_and(|meta| {
        meta.as_map().and_then(|meta| meta.get_atom("partial")).is_some_and(|partial| partial.is_atom("true"))
    });
    if is_partial {
        return Err(missing(": only watched fields were traced").hint("start_tracing(what, #{capture: \"full\"})"));
    }
    if recording.payload_ref(seq).is_some_and(|bytes| is_redacted(&bytes)) {
        return Err(missing(": something was redacted in it, and the process would lose that"));
    }
    let state = recording.term(seq).ok_or_else(|| missing(": it is too deep to be sent"))?;
    let pid = actor.pid().ok_or_else(|| Failure::usage("a port has no state"))?;
    Ok(RecordedState { pid, name: source.names().at(actor, at), state, seq, n_waiting: info.queue_len.unwrap_or(0) })
}

/// Puts recorded states back into living processes; all are suspended while that is done. Says what is not restored.
pub(super) fn restore(session: &mut Session, states: &[RecordedState], timeout: Duration) -> Outcome<String> {
    let beam = session.source_mut()?.beam("take states")?;
    let mut suspended = Vec::new();
    let mut done = Ok(());
    for state in states {
        done = beam.suspend(state.pid, timeout);
        if done.is_err() {
            break;
        }
        suspended.push(state.pid);
    }
    if done.is_ok() {
        done = states.iter().try_for_each(|state| beam.replace_state(state.pid, state.state.clone(), timeout));
    }
    let resumed: Outcome<()> = suspended.iter().try_for_each(|pid| beam.unsuspend(*pid));
    done.and(resumed)?;
    settle(session)?;
    let names: Vec<String> = states.iter().map(|state| format!("{} (as of #{})", state.name, state.seq.0)).collect();
    let n_waiting: u64 = states.iter().map(|state| state.n_waiting).sum();
    Ok(format!(
        "restored: the state of {}. Not restored: mailboxes ({n_waiting} messages waited then), timers, links, monitors, \
         process dictionaries, ETS tables, and what they have told others since",
        names.join(", ")
    ))
}
