//! Between a running sandbox and its recording: looks at each event before it takes effect, stops
//! the run at breakpoints, records the rest. It must not know which sandbox runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::notice::{Notice, Notifier};
use super::source::{RunContext, SharedRecording};
use crate::breakpoint::{self, Action, Candidate, Flow, Hit};
use crate::model::{Event, Failure, Kind, NewEvent, Seq, Style, Syntax, Term};
use crate::sandbox::{EventSink, Stopped};
use crate::store::Recording;

/// The sink of one run.
pub struct Director<'a> {
    recording: &'a SharedRecording,
    breakpoints: &'a mut breakpoint::Table,
    notifier: &'a Notifier,
    interrupt: &'a Arc<AtomicBool>,
    /// The event at which this run begins was looked at before: its breakpoints stopped the last run.
    resume_at: Option<Seq>,
    stopped_before: Option<Seq>,
    hits: Vec<Hit>,
    failure: Option<Failure>,
}

impl<'a> Director<'a> {
    pub fn new(
        recording: &'a SharedRecording,
        breakpoints: &'a mut breakpoint::Table,
        context: &RunContext<'a>,
        resume_at: Option<Seq>,
    ) -> Director<'a> {
        Director {
            recording,
            breakpoints,
            notifier: context.notifier,
            interrupt: context.interrupt,
            resume_at,
            stopped_before: None,
            hits: Vec::new(),
            failure: None,
        }
    }

    /// The hits that stopped the run, a failure of its own, and the event before which it stopped.
    pub fn finish(self) -> (Vec<Hit>, Option<Failure>, Option<Seq>) {
        (self.hits, self.failure, self.stopped_before)
    }

    /// Whether one of the breakpoints at this event stops the run.
    fn stops(&mut self, seq: Seq, event: &NewEvent<'_>) -> Result<bool, Failure> {
        let was_asked = self.resume_at.take() == Some(seq);
        if was_asked || !self.breakpoints.is_watching(event.kind) {
            return Ok(false);
        }
        let recording = self.recording.borrow();
        let candidate = Candidate::coming(event, &recording);
        let (hits, failed) = self.breakpoints.check(&candidate);
        for id in failed {
            let breakpoint = self.breakpoints.get(id)?;
            let why = breakpoint.failure.as_ref().map(Failure::to_string).unwrap_or_default();
            self.notifier.send(Notice::Warning(format!("breakpoint {} is disabled: {why}", breakpoint.name)));
        }
        for hit in hits {
            let flow = match &hit.action {
                Action::Pause | Action::Inspect(_) | Action::Highlight(_) => Flow::Pause,
                Action::Log(text) => {
                    self.notifier.send(log(&hit, text, &recording));
                    Flow::Continue
                }
                Action::Script(script) => script.run(&hit, &candidate)?,
            };
            if flow == Flow::Pause {
                self.hits.push(hit);
            }
        }
        Ok(!self.hits.is_empty())
    }

    /// Whether a process that is held at one of the breakpoints stops the run. Its condition was tested where it is.
    fn is_held(&mut self, seq: Seq, event: &NewEvent<'_>) -> bool {
        let Some(name) = event.tag.filter(|_| event.kind == Kind::Held) else { return false };
        let hit = self.breakpoints.hit_on_site(name.as_str(), Event { seq, ..Event::of(event) });
        let is_hit = hit.is_some();
        self.hits.extend(hit);
        is_hit
    }

    fn append(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        let recorded = self.recording.borrow_mut().append(event);
        let seq = recorded.map_err(|failure| self.fail(failure))?;
        self.breakpoints.observe(&Event { seq, ..Event::of(event) });
        Ok(seq)
    }

    fn fail(&mut self, failure: Failure) -> Stopped {
        self.failure = Some(failure);
        Stopped
    }
}

impl EventSink for Director<'_> {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        let seq = Seq(self.recording.borrow().len());
        if self.stops(seq, event).map_err(|failure| self.fail(failure))? {
            self.stopped_before = Some(seq);
            return Err(Stopped);
        }
        self.append(event)
    }

    fn record(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        let seq = Seq(self.recording.borrow().len());
        let stops = self.stops(seq, event).map_err(|failure| self.fail(failure))? | self.is_held(seq, event);
        let seq = self.append(event)?;
        if stops { Err(Stopped) } else { Ok(seq) }
    }

    fn tell(&mut self, news: String) {
        self.notifier.send(Notice::Warning(news));
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

/// The notice of a hit: `text`, or the event when it has none.
fn log(hit: &Hit, text: &str, recording: &Recording) -> Notice {
    let event = hit.event;
    let peer = event.peer.map(|peer| format!(" {peer}")).unwrap_or_default();
    let tag = event.tag.map(|tag| format!(" {}", tag.as_str())).unwrap_or_default();
    let what = format!("{} {}{peer}{tag}", event.kind.as_str(), event.process);
    let text = if text.is_empty() { what } else { format!("{text} ({what})") };
    notice(hit, text, recording)
}

/// A notice with the time since the recording's start.
fn notice(hit: &Hit, text: String, recording: &Recording) -> Notice {
    let start_ns = recording.time_range_ns().map_or(hit.event.at_ns, |(first_ns, _)| first_ns);
    let (seq, since_start_ns) = (hit.event.seq, hit.event.at_ns - start_ns);
    Notice::Hit { breakpoint: hit.breakpoint, name: hit.name.clone(), seq, since_start_ns, text }
}

/// The notice of a hit on a live system while nobody was running anything: who is held, with what message and state.
pub fn stop_notice(hit: &Hit, recording: &Recording) -> Notice {
    let event = hit.event;
    if event.kind != Kind::Held {
        return log(hit, "", recording);
    }
    let syntax = if recording.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang };
    let style = Style { syntax, ..Style::erlang() }.chars_max(HELD_CHARS_MAX);
    let shown = |term: Term| term.unwrapped().display(style).to_string();
    let fields = recording.term(event.seq);
    let field = |key: &str| fields.as_ref()?.as_map()?.get_atom(key).cloned();
    let when = if field("phase").is_some_and(|phase| phase.is_atom("before")) { "before" } else { "after" };
    let message = field("message").map_or_else(|| "a callback".to_string(), shown);
    let row = recording.materialise(event.seq).processes.get(&event.process).cloned();
    let name = row.as_ref().and_then(|row| row.names.first()).map(|name| name.display(syntax));
    let name = name.unwrap_or_else(|| event.process.display(syntax));
    let state = row.and_then(|row| recording.term(row.state?)).map(shown);
    let state = state.map_or_else(String::new, |state| format!("; its state: {state}"));
    notice(hit, format!("{} holds {name} {when} {message}{state}. resume() lets it go on", hit.name), recording)
}

/// Characters of a message or a state in a notice.
const HELD_CHARS_MAX: usize = 120;
