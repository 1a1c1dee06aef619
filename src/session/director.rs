//! Between a running sandbox and its recording: looks at each event before it takes effect, stops
//! the run at breakpoints, records the rest. It must not know which sandbox runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::notice::{Notice, Notifier};
use super::source::{RunContext, SharedRecording};
use crate::breakpoint::{self, Action, Candidate, Flow, Hit};
use crate::model::{Event, Failure, Kind, NewEvent, Seq};
use crate::sandbox::{EventSink, Stopped};

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
                    self.notifier.send(log(&hit, text));
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

/// The notice of a hit that stopped while nobody was running anything.
pub fn stop_notice(hit: &Hit) -> Notice {
    log(hit, "")
}

/// The notice of a logpoint: its text, or the event when it has none.
fn log(hit: &Hit, text: &str) -> Notice {
    let event = hit.event;
    let peer = event.peer.map(|peer| format!(" {peer}")).unwrap_or_default();
    let tag = event.tag.map(|tag| format!(" {}", tag.as_str())).unwrap_or_default();
    let what = format!("{} {}{peer}{tag}", event.kind.as_str(), event.process);
    let text = if text.is_empty() { what } else { format!("{text} ({what})") };
    Notice::Hit { breakpoint: hit.breakpoint, name: hit.name.clone(), seq: event.seq, at_ns: event.at_ns, text }
}
