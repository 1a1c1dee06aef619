//! The state of a session as viewers follow it: one small document, taken on the session's thread up to 20 times a
//! second; and the beat that lets wall time pass for a timeline that plays. It must not know who looks.

use serde_json::{Map, Value as Json, json};

use super::answer::printed;
use crate::app::live::Live;
use crate::breakpoint::{BreakpointId, Past};
use crate::model::{Event, Filter, Kind, Moment, Outcome, Pid, Seq, Syntax, Term};
use crate::sandbox::RunLimit;
use crate::session::{Session, Source, SourceId};
use crate::store::Recording;
use crate::timeline::{PlaybackState, Position};

/// Breakpoints and marks that the document lists; the whole lists are operations of their own.
const LISTED_MAX: usize = 200;
/// Characters of a message or a state of a process that is held.
const HELD_CHARS_MAX: usize = 160;
/// Damaged places that the document lists.
const DAMAGE_LISTED_MAX: usize = 20;
/// Loss events that are added up at each beat.
const LOSSES_MAX: usize = 1_000;
/// Events that one beat lets a sandbox do.
const EVENTS_PER_BEAT_MAX: u64 = 50_000;

/// What a beat found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulse {
    /// The document: what differs from one to the next is what viewers are sent.
    pub document: Map<String, Json>,
    /// Breakpoints that were hit during the beat.
    pub hits: Vec<Json>,
}

/// Lets `elapsed_ns` of wall time pass for sandbox `id` and tells how it stands.
///
/// With `may_run`, a timeline that plays at the end of a sandbox's recording lets the sandbox run on.
pub fn beat(live: &mut Live, id: SourceId, elapsed_ns: i64, may_run: bool) -> Outcome<Pulse> {
    let mut session = live.session().borrow_mut();
    let current = session.current();
    session.on_source(id, |session| {
        let hits = advance(session, elapsed_ns, may_run)?;
        let mut document = document(session.source()?, id);
        document.insert("held".into(), held(session.source_mut()?));
        document.insert("current_sandbox".into(), json!(current.map(|id| id.0)));
        document.insert("n_sandboxes".into(), json!(session.sources().len()));
        Ok(Pulse { document, hits })
    })
}

/// Moves a timeline that plays; gives the breakpoints that stopped it.
fn advance(session: &mut Session, elapsed_ns: i64, may_run: bool) -> Outcome<Vec<Json>> {
    let source = session.source_mut()?;
    let playback = source.timeline().playback();
    let (state, speed) = (playback.state(), playback.speed());
    if state == PlaybackState::Paused {
        return Ok(Vec::new());
    }
    let is_at_end = source.timeline().is_at_end(&source.recording());
    let capabilities = source.capabilities();
    // What lives runs by itself.
    let can_run = may_run && capabilities.can_run && !capabilities.is_live && source.is_on_main_timeline();
    if is_at_end && can_run && state == PlaybackState::Playing {
        return run_on(session, (elapsed_ns as f64 * speed) as i64);
    }
    let before = source.timeline().at();
    let (timeline, recording) = source.timeline_mut();
    let passed = timeline.advance(&recording, elapsed_ns);
    let is_over = timeline.playback().state() == PlaybackState::Paused;
    drop(recording);
    if let Some((event, ids)) = first_hit(source, before, &passed)? {
        source.move_cursor(|timeline, recording| timeline.seek(recording, &Moment::Seq(event.seq)))?;
        source.timeline_mut().0.pause();
        return Ok(ids.into_iter().map(|id| hit(source, id, &event)).collect());
    }
    if is_over && (can_run || source.capabilities().is_live) && state == PlaybackState::Playing {
        // Playing goes on into what has not happened yet.
        source.timeline_mut().0.play(speed)?;
    }
    Ok(Vec::new())
}

/// Lets a sandbox run for as long as wall time has passed, at the timeline's speed.
fn run_on(session: &mut Session, elapsed_ns: i64) -> Outcome<Vec<Json>> {
    use crate::sandbox::RunEnd;
    let now_ns = session.source_mut()?.clock_ns();
    let limit =
        RunLimit { until_ns: Some(now_ns.saturating_add(elapsed_ns.max(1))), n_events_max: Some(EVENTS_PER_BEAT_MAX) };
    let (source, context) = session.source_to_run()?;
    let report = source.run(&context, limit)?;
    if !matches!(report.end, RunEnd::Limit) {
        source.timeline_mut().0.pause();
    }
    let hits = report.hits.iter().map(|stopped| hit(source, stopped.breakpoint, &stopped.event)).collect();
    Ok(hits)
}

/// The first event of those that went by, going forward, at which a breakpoint stops.
fn first_hit(source: &Source, before: Option<Seq>, passed: &[Seq]) -> Outcome<Option<(Event, Vec<BreakpointId>)>> {
    let is_forward = source.timeline().playback().speed() > 0.0;
    let (Some(first), Some(last)) = (passed.first(), passed.last()) else { return Ok(None) };
    if !is_forward || source.breakpoints.list().iter().all(|breakpoint| !breakpoint.is_enabled) {
        return Ok(None);
    }
    let recording = source.recording();
    let line: Vec<_> = source
        .timeline()
        .line(&recording)
        .ranges()
        .iter()
        .map(|range| range.start.max(first.0)..range.end.min(last.0 + 1))
        .filter(|range| range.start < range.end)
        .collect();
    let past = Past { recording: &recording, branch: source.position().branch, line: &line };
    source.breakpoints.next_hit(past, before)
}

fn hit(source: &Source, id: BreakpointId, event: &Event) -> Json {
    let start_ns = start_ns(&source.position());
    let name = source.breakpoints.get(id).map(|breakpoint| breakpoint.name.clone()).unwrap_or_default();
    json!({ "breakpoint": id.0, "name": name, "event": event_json(event, start_ns) })
}

/// The clock at the timeline's first event.
fn start_ns(position: &Position) -> i64 {
    position.at_ns - position.since_start_ns
}

/// An event's columns, without its payload; `start_ns` is the clock from which its time counts.
pub fn event_json(event: &Event, start_ns: i64) -> Json {
    json!({
        "seq": event.seq.0,
        "at_ns": event.at_ns - start_ns,
        "clock_ns": event.at_ns,
        "kind": event.kind.as_str(),
        "class": event.class.as_str(),
        "process": event.process.to_string(),
        "peer": event.peer.map(|peer| peer.to_string()),
        "tag": event.tag.map(|tag| tag.as_str()),
        "cause": event.cause.map(|cause| cause.0),
        "size_bytes": event.size_bytes,
    })
}

/// Events that were lost while recording, as the loss events tell: of very many, the first [`LOSSES_MAX`].
fn n_lost(recording: &Recording) -> u64 {
    let filter = Filter::kind(Kind::Loss);
    let total = |event: Event| {
        let payload = recording.term(event.seq)?;
        payload.as_map()?.get_atom("total")?.as_int().and_then(|n| u64::try_from(n).ok())
    };
    recording.scan(&filter).take(LOSSES_MAX).filter_map(total).fold(0, u64::saturating_add)
}

/// Live processes that wait: at a breakpoint, or because somebody suspended them.
fn held(source: &mut Source) -> Json {
    let Ok(beam) = source.beam("hold processes") else { return json!([]) };
    let (at_breakpoint, suspended) = (beam.held(), beam.suspended());
    let recording = source.recording();
    let start_ns = recording.time_range_ns().map_or(0, |(first_ns, _)| first_ns);
    let syntax = if recording.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang };
    let text = |term: Option<Term>| term.map(|term| printed(&term.unwrapped(), syntax, HELD_CHARS_MAX));
    let row = |pid: Pid, at_ns: i64| {
        let event = recording.scan(&Filter::kind(Kind::Held).process(pid.into())).next_back();
        json!({
            "process": pid.to_string(),
            "at_ns": at_ns - start_ns,
            "seq": event.filter(|event| event.at_ns >= at_ns).map(|event| event.seq.0),
        })
    };
    let at_breakpoint = at_breakpoint.into_iter().take(LISTED_MAX).map(|held| {
        let mut row = row(held.pid, held.at_ns);
        row["breakpoint"] = json!(held.hold.as_str());
        row["is_before"] = json!(held.is_before);
        row["message"] = json!(text(held.message));
        row["state"] = json!(text(held.state));
        row
    });
    let suspended = suspended.into_iter().take(LISTED_MAX).map(|(pid, at_ns)| row(pid, at_ns));
    Json::Array(at_breakpoint.chain(suspended).collect())
}

fn document(source: &Source, id: SourceId) -> Map<String, Json> {
    let recording = source.recording();
    let position = source.position();
    let playback = source.timeline().playback();
    let here = position.seq.and_then(|seq| recording.event(seq));
    let breakpoints = source.breakpoints.list().iter().take(LISTED_MAX).map(|breakpoint| {
        json!({
            "id": breakpoint.id.0,
            "name": breakpoint.name,
            "condition": breakpoint.condition.to_string(),
            "action": breakpoint.action.to_string(),
            "is_enabled": breakpoint.is_enabled,
            "is_temporary": breakpoint.is_temporary,
            "n_hits": breakpoint.n_hits,
            "failure": breakpoint.failure.as_ref().map(|failure| failure.error.clone()),
        })
    });
    let marks =
        recording.marks().iter().take(LISTED_MAX).map(
            |mark| json!({ "name": mark.name, "seq": mark.at.0, "note": mark.note, "is_snapshot": mark.is_snapshot }),
        );
    let capabilities = source.capabilities();
    let document = json!({
        "sandbox": id.0,
        "title": source.title,
        "n_recorded": recording.len(),
        "n_events": position.n_events,
        "time_range_ns": recording.time_range_ns(),
        "is_busy": false,
        "n_lost": n_lost(&recording),
        "n_damaged": source.damage.len(),
        "damage": source.damage.iter().take(DAMAGE_LISTED_MAX).collect::<Vec<_>>(),
        "wall_offset_ns": recording.info.wall_offset_ns,
        "is_elixir": recording.info.is_elixir,
        "branch": position.branch,
        "n_branches": recording.branches().len().max(1),
        "seq": position.seq.map(|seq| seq.0),
        "n_passed": position.n_passed,
        "at_ns": position.since_start_ns,
        "clock_ns": position.at_ns,
        "event": here.as_ref().map(|event| event_json(event, start_ns(&position))),
        "state": playback.state().as_str(),
        "speed": playback.speed(),
        "breakpoints": breakpoints.collect::<Vec<_>>(),
        "marks": marks.collect::<Vec<_>>(),
        "can": capabilities,
    });
    match document {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::etf;
    use crate::model::{NewEvent, Pid, Term};

    #[test]
    fn losses_are_added_up() {
        let mut recording = Recording::default();
        for total in [3, 4] {
            let mut payload = Vec::new();
            etf::encode(&Term::map([(Term::atom("total"), Term::Int(total))]), &mut payload);
            recording
                .append(&NewEvent { payload: &payload, ..NewEvent::new(total, Kind::Loss, Pid::local(1)) })
                .unwrap();
        }
        recording.append(&NewEvent::new(9, Kind::Send, Pid::local(1))).unwrap();
        assert_eq!(n_lost(&recording), 7);
    }
}
