//! Director controls: moving the cursor, playing, several timelines on one recording.

use crate::breakpoint::{BreakpointId, Past};
use crate::model::time::show_ns;
use crate::model::{Actor, Event, Failure, FailureKind, Moment, Outcome, Seq};
use crate::sandbox::RunLimit;
use crate::session::operation::{Perform, operations};
use crate::session::reply::Reply;
use crate::session::value::{Duration, ProcessRef, Span};
use crate::session::{Session, Source};
use crate::store::Recording;
use crate::timeline::Timeline;

operations! { TIME:
    /// Makes another timeline on the same recording, over a range or the whole; its verbs are methods: `t.seek("5ms")`.
    Time "timeline" NewTimeline {
        /// `[from, to]`, two moments; the newest branch when left out.
        range: Option<Span>,
    } -> "the timeline", "let t = timeline([\"10%\", \"20%\"])";

    /// Tells where the cursor stands: the last event that has happened.
    Time "when" When {} -> "the position", "when()";

    /// Moves the cursor to a moment.
    ///
    /// Moments: `"#1234"` or `seq(1234)`, `"42%"`, `"5ms"` since the start, `"+5ms"`, `"-10"` from here, `"start"`, `"end"`,
    /// a mark's name, a table's row.
    Time "seek" Seek {
        /// Where to.
        moment: Moment,
    } -> "the position", "seek(\"50%\")";

    /// Goes forward over events; at the end of a sandbox's recording it lets the next ones happen.
    Time "step" Step {
        /// How many; 1 when left out.
        n: Option<i64>,
    } -> "the event now stood on", "step()";

    /// Goes back over events.
    Time "step_back" StepBack {
        /// How many; 1 when left out.
        n: Option<i64>,
    } -> "the event now stood on", "step_back(10)";

    /// Goes to the next event of the same process, or of the one named.
    Time "next" Next {
        /// Which process.
        process: Option<ProcessRef>,
    } -> "the event", "next(\"alice\")";

    /// Goes to the previous event of the same process, or of the one named.
    Time "prev" Prev {
        /// Which process.
        process: Option<ProcessRef>,
    } -> "the event", "prev()";

    /// Goes to where the callback that runs here ends.
    Time "finish" Finish {} -> "the event", "finish()";

    /// Goes back to where the callback that runs here began.
    Time "rfinish" RFinish {} -> "the event", "rfinish()";

    /// Goes to the next beginning of a callback, of any process or of the one named.
    Time "next_handler" NextHandler {
        /// Which process.
        process: Option<ProcessRef>,
    } -> "the event", "next_handler(\"alice\")";

    /// Goes to the previous beginning of a callback.
    Time "prev_handler" PrevHandler {
        /// Which process.
        process: Option<ProcessRef>,
    } -> "the event", "prev_handler()";

    /// Goes to the next hit of a breakpoint: in the recorded past first, then by running the sandbox on.
    Time "cont" Cont {
        /// One breakpoint's id; any enabled one when left out.
        breakpoint: Option<i64>,
    } -> "the event, or how the run ended", "cont()";

    /// Goes back to the previous hit of a breakpoint.
    Time "rcont" RCont {
        /// One breakpoint's id; any enabled one when left out.
        breakpoint: Option<i64>,
    } -> "the event", "rcont()";

    /// Plays from the cursor at a speed; on a terminal as a live list of events that any key pauses.
    Time "play" Play {
        /// 1 is the recorded pace, 10 ten times as fast.
        speed: Option<f64>,
    } -> "the playback state", "play(10)";

    /// Plays backwards.
    Time "rewind" Rewind {
        /// How fast; 1 when left out.
        speed: Option<f64>,
    } -> "the playback state", "rewind(2)";

    /// Plays forward fast.
    Time "fast_forward" FastForward {
        /// How fast; 10 when left out.
        speed: Option<f64>,
    } -> "the playback state", "fast_forward(100)";

    /// Stops playing.
    Time "pause" Pause {} -> "the playback state", "pause()";

    /// Tells whether the timeline is `paused`, `playing` or `rewinding`.
    Time "playback_state" GetPlaybackState {} -> "text", "playback_state()";

    /// Lets wall time pass for a timeline that plays: for scripts, which have no clock of their own.
    Time "advance" Advance {
        /// How much wall time.
        duration: Duration,
    } -> "the events that went by", "play(1); advance(\"5ms\")";

    /// Returns to where the cursor was before the last move.
    Time "back" Back {} -> "the position", "back()";

    /// Undoes `back`.
    Time "forward" Forward {} -> "the position", "forward()";
}

impl Perform for NewTimeline {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        let ranges = source.scope_of(self.range.as_ref())?;
        let timeline = match (&self.range, ranges.first(), ranges.last()) {
            (Some(_), Some(first), Some(last)) => Timeline::over(&source.recording(), first.start..last.end)?,
            (Some(_), ..) => Timeline::over(&source.recording(), 0..0)?,
            (None, ..) => Timeline::new(&source.recording()),
        };
        Ok(Reply::Timeline(source.add_timeline(timeline)))
    }
}

impl Perform for When {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        Ok(Reply::Position(session.source()?.position()))
    }
}

impl Perform for Seek {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        let beyond = beyond(source, &self.moment);
        source.move_cursor(|timeline, recording| timeline.seek(recording, &self.moment))?;
        let position = source.position();
        beyond.into_iter().for_each(|what| session.warn(what));
        Ok(Reply::Position(position))
    }
}

/// What is to be told of a time that the timeline does not reach.
fn beyond(source: &mut Source, moment: &Moment) -> Option<String> {
    let here = source.position();
    let since_start_ns = match moment {
        Moment::SinceStartNs(ns) => *ns,
        Moment::OffsetNs(ns) => here.since_start_ns.saturating_add(*ns),
        _ => return None,
    };
    let end_ns = source.clock_ns().saturating_sub(here.at_ns).saturating_add(here.since_start_ns);
    if since_start_ns > end_ns {
        return Some(format!("the timeline ends at {}: this is its end", show_ns(end_ns)));
    }
    (since_start_ns < 0).then(|| "nothing is before the timeline's start: this is it".to_string())
}

impl Perform for Step {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let n = at_least_one(self.n)?;
        let source = session.source()?;
        let is_at_end = source.timeline().is_at_end(&source.recording());
        if is_at_end && source.capabilities().can_run && source.is_on_main_timeline() {
            let limit = RunLimit { n_events_max: Some(n), ..RunLimit::default() };
            let report = super::run::run(session, limit)?;
            return match report.n_events {
                0 => Ok(Reply::Stop(report)),
                _ => here(session.source()?),
            };
        }
        let source = session.source_mut()?;
        source.move_cursor(|timeline, recording| timeline.step(recording, n))?;
        here(source)
    }
}

impl Perform for StepBack {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let n = at_least_one(self.n)?;
        let source = session.source_mut()?;
        source.move_cursor(|timeline, recording| timeline.step_back(recording, n))?;
        here(source)
    }
}

/// A move to an event, perhaps of one process.
fn go(
    session: &mut Session,
    process: Option<ProcessRef>,
    step: impl FnOnce(&mut Timeline, &Recording, Option<Actor>) -> Outcome<Event>,
) -> Outcome<Reply> {
    let source = session.source_mut()?;
    let actor = process.map(|process| source.find_process(&process, None)).transpose()?;
    let event = source.move_cursor(|timeline, recording| step(timeline, recording, actor))?;
    Ok(Reply::Event(event.seq))
}

impl Perform for Next {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        go(session, self.process, Timeline::next)
    }
}
impl Perform for Prev {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        go(session, self.process, Timeline::prev)
    }
}
impl Perform for NextHandler {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        go(session, self.process, Timeline::next_handler)
    }
}
impl Perform for PrevHandler {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        go(session, self.process, Timeline::prev_handler)
    }
}
impl Perform for Finish {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        go(session, None, |timeline, recording, _| timeline.finish(recording))
    }
}
impl Perform for RFinish {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        go(session, None, |timeline, recording, _| timeline.rfinish(recording))
    }
}

impl Perform for Cont {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        if let Some(event) = nearest_hit(source, self.breakpoint, Direction::Forth)? {
            source.move_cursor(|timeline, recording| timeline.seek(recording, &Moment::Seq(event.seq)))?;
            return Ok(Reply::Event(event.seq));
        }
        if source.capabilities().can_run && source.is_on_main_timeline() {
            return super::run::run(session, RunLimit::default()).map(Reply::Stop);
        }
        Err(no_hit("after", source))
    }
}

impl Perform for RCont {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        let event = nearest_hit(source, self.breakpoint, Direction::Back)?.ok_or_else(|| no_hit("before", source))?;
        source.move_cursor(|timeline, recording| timeline.seek(recording, &Moment::Seq(event.seq)))?;
        Ok(Reply::Event(event.seq))
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forth,
    Back,
}

/// The nearest hit of one breakpoint, or of any that is enabled, on the cursor's timeline.
fn nearest_hit(source: &Source, only: Option<i64>, direction: Direction) -> Outcome<Option<Event>> {
    let recording = source.recording();
    let line = source.timeline().line(&recording);
    let past = Past { recording: &recording, branch: source.position().branch, line: line.ranges() };
    let at = source.timeline().at();
    if let Some(id) = only {
        let search = source.breakpoints.search(super::stop::id(id)?, past)?;
        return match direction {
            Direction::Forth => search.after(past.line, at),
            Direction::Back => search.before(past.line, at),
        };
    }
    let found: Option<(Event, Vec<BreakpointId>)> = match (direction, at) {
        (Direction::Forth, at) => source.breakpoints.next_hit(past, at)?,
        (Direction::Back, None) => None,
        (Direction::Back, at) => source.breakpoints.prev_hit(past, at)?,
    };
    Ok(found.map(|(event, _)| event))
}

fn no_hit(side: &str, source: &Source) -> Failure {
    let failure = Failure::new(FailureKind::Edge, format!("no breakpoint is hit {side} this moment"));
    if source.breakpoints.list().is_empty() {
        failure.hint("there is no breakpoint: brk(on_result(\"timeout\"))")
    } else {
        failure.hint("hits() lists every hit of the recorded past")
    }
}

fn play(session: &mut Session, speed: f64) -> Outcome<Reply> {
    let (timeline, _) = session.source_mut()?.timeline_mut();
    timeline.play(speed)?;
    Ok(Reply::Text(timeline.playback().state().as_str().into()))
}

impl Perform for Play {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        play(session, self.speed.unwrap_or(1.0))
    }
}
impl Perform for Rewind {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        play(session, -self.speed.unwrap_or(1.0).abs())
    }
}
impl Perform for FastForward {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        play(session, self.speed.unwrap_or(10.0))
    }
}
impl Perform for Pause {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let (timeline, _) = session.source_mut()?.timeline_mut();
        timeline.pause();
        Ok(Reply::Text(timeline.playback().state().as_str().into()))
    }
}
impl Perform for GetPlaybackState {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        Ok(Reply::Text(session.source()?.timeline().playback().state().as_str().into()))
    }
}
impl Perform for Advance {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let (timeline, recording) = session.source_mut()?.timeline_mut();
        Ok(Reply::Events { seqs: timeline.advance(&recording, self.duration.ns), n_more: 0 })
    }
}
impl Perform for Back {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        source.go_back()?;
        Ok(Reply::Position(source.position()))
    }
}
impl Perform for Forward {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        source.go_forward()?;
        Ok(Reply::Position(source.position()))
    }
}

/// The event that the cursor stands on.
fn here(source: &Source) -> Outcome<Reply> {
    let at: Option<Seq> = source.timeline().at();
    Ok(at.map_or(Reply::NoEvent, Reply::Event))
}

fn at_least_one(n: Option<i64>) -> Outcome<u64> {
    match n.unwrap_or(1) {
        n if n >= 1 => Ok(n as u64),
        n => Err(Failure::usage(format!("{n} is not a number of events")).hint("step_back() goes the other way")),
    }
}
