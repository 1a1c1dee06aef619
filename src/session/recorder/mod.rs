//! The flight recorder: lets a live source record until something ends it, and keeps in files what is asked for:
//! everything, the newest, or the time around what matters. It must not know nodes or command lines.
//!
//! Invariant: however it ends, by a limit, a signal, a node that dies, what was recorded is saved first, and the end is told
//! after it. A full disk does not end it: what is not written waits, and is tried again.

mod files;
pub mod plan;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::files::Files;
use self::plan::{Amount, Plan, Trigger};
use super::{Notice, Session};
use crate::breakpoint::{Action, BreakpointId, Hit};
use crate::model::limits::UNWRITTEN_BYTES_MAX;
use crate::model::{Failure, FailureKind, Outcome, time};
use crate::sandbox::{RunEnd, RunLimit};
use crate::store::{Mark, RingLimits};

/// What a recorder has done.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What is there now: older files of a rotation are gone.
    pub files: Vec<PathBuf>,
    /// Events in these files; without any, those that memory has.
    pub n_events: u64,
    pub n_triggers: u64,
    /// Why it ended.
    pub end: &'static str,
}

/// Time between two looks at limits and triggers.
const STEP_NS: i64 = 50_000_000;
/// Time between two tries to write a file to a disk that is full.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How long messages that are on their way are waited for.
const SETTLE: Duration = Duration::from_millis(500);

/// Why the recorder ends.
enum End {
    /// A limit that was asked for, the first trigger, a signal: as it was meant.
    Meant(&'static str),
    /// A node that died, a disk that is full.
    Failed(Failure),
}

struct Recorder {
    plan: Plan,
    files: Files,
    trigger_id: Option<BreakpointId>,
    /// The event at which a trigger was met and whose time after it is not over.
    open: Option<Hit>,
    /// Those that were met after that time.
    waiting: Vec<Hit>,
    n_triggers: u64,
    began: Instant,
    /// The number of events when it began.
    n_before: u64,
    /// Clock of the source when the newest file began.
    file_since_ns: i64,
    told: (Instant, u64),
    full: Option<Full>,
}

/// A disk that did not take a file.
struct Full {
    /// What the system said.
    told: String,
    retry_at: Instant,
    /// Events that were gone by then.
    n_evicted: u64,
}

/// Records the current source as `plan` says. Errors: it is not live or not traced; the node died, or recording
/// failed: then what was recorded is saved, and the error says where.
pub(super) fn record(session: &mut Session, plan: Plan) -> Outcome<Recorded> {
    let mut recorder = Recorder::begin(session, plan)?;
    let end = recorder.run(session);
    let saved = recorder.close(session);
    session.source_mut()?.follow();
    recorder.files.written().iter().for_each(|file| session.note_own(file));
    let files: Vec<String> = recorder.files.written().iter().map(|file| file.display().to_string()).collect();
    let n_events = recorder.files.n_events().unwrap_or_else(|| recorder.n_held(session));
    let end = match (end, saved) {
        (End::Meant(end), Ok(())) => end,
        (End::Meant(_), Err(failure))
            if recorder.files.is_elsewhere() || session.source()?.recording().is_in_file() =>
        {
            return Err(failure);
        }
        (End::Meant(_), Err(failure)) => {
            let n_held = recorder.n_held(session);
            return Err(Failure { error: format!("{}; {n_held} events are in memory only", failure.error), ..failure });
        }
        (End::Failed(failure), Ok(())) => {
            let place =
                if files.is_empty() { "in memory".to_string() } else { format!("saved to {}", files.join(", ")) };
            return Err(Failure::new(failure.kind, format!("{}; {n_events} events are {place}", failure.error)));
        }
        // What ended it is most often why nothing can be saved.
        (End::Failed(failure), Err(unsaved)) if failure.error == unsaved.error => return Err(unsaved),
        (End::Failed(failure), Err(unsaved)) => {
            return Err(Failure::new(failure.kind, format!("{}, and {}", failure.error, unsaved.error)));
        }
    };
    // A signal ended the recording, and nothing else.
    session.interrupt.store(false, std::sync::atomic::Ordering::Relaxed);
    Ok(Recorded { files: recorder.files.written(), n_events, n_triggers: recorder.n_triggers, end })
}

impl Recorder {
    fn begin(session: &mut Session, plan: Plan) -> Outcome<Recorder> {
        if !session.source_mut()?.beam("record")?.is_tracing() {
            return Err(Failure::usage("record: nothing is traced").hint("start_tracing(\"applications\")"));
        }
        // Numbered files never meet one that is there.
        if let Some(out) = plan.out.as_deref().filter(|_| !plan.is_forced && plan.rotate.is_none()) {
            session.check_own(out)?;
        }
        let source = session.source_mut()?;
        let is_in_file = source.recording().is_in_file();
        if is_in_file && (plan.ring.is_some() || plan.rotate.is_some() || plan.out.is_some()) {
            return Err(Failure::usage(
                "record: this recording goes to its file as it grows: only its end can be chosen",
            ));
        }
        source.shared_recording().borrow_mut().set_ring(plan.ring)?;
        let trigger_id = match &plan.trigger {
            Some(trigger) => Some(source.breakpoints.add("", trigger.condition.clone(), Action::Pause, false)?),
            None => None,
        };
        let n_before = source.recording().len();
        let file_since_ns = source.clock_ns();
        Ok(Recorder {
            files: Files::new(plan.out.clone(), plan.rotate.and_then(|(_, keep)| keep)),
            plan,
            trigger_id,
            open: None,
            waiting: Vec::new(),
            n_triggers: 0,
            began: Instant::now(),
            n_before,
            file_since_ns,
            told: (Instant::now(), n_before),
            full: None,
        })
    }

    /// Events of its time that memory has.
    fn n_held(&self, session: &Session) -> u64 {
        session.source().map_or(0, |source| {
            let recording = source.recording();
            recording.n_held().min(recording.len() - self.n_before)
        })
    }

    fn run(&mut self, session: &mut Session) -> End {
        loop {
            match self.step(session) {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(failure) => return End::Failed(failure),
            }
        }
    }

    fn step(&mut self, session: &mut Session) -> Outcome<Option<End>> {
        if let Some(end) = self.advance(session, STEP_NS)? {
            return Ok(Some(end));
        }
        if let (Some(trigger), Some(hit)) = (&self.plan.trigger, &self.open) {
            let (due_ns, is_once) = (hit.event.at_ns.saturating_add(trigger.after_ns), trigger.is_once);
            let is_due = session.source_mut()?.clock_ns() > due_ns && self.may_write();
            if is_due && self.save_around(session)? && is_once {
                return Ok(Some(End::Meant("trigger")));
            }
        }
        self.rotate(session)?;
        self.tell(session)?;
        self.limit(session)
    }

    /// Lets time pass and collects the triggers that are met. Gives the end that came by itself.
    fn advance(&mut self, session: &mut Session, ns: i64) -> Outcome<Option<End>> {
        let (source, context) = session.source_to_run()?;
        let until_ns = source.clock_ns().saturating_add(ns);
        let report = source.run(&context, RunLimit { until_ns: Some(until_ns), ..RunLimit::default() })?;
        let trigger_id = self.trigger_id;
        for hit in report.hits.into_iter().filter(|hit| Some(hit.breakpoint) == trigger_id) {
            self.meet(session, hit);
        }
        if let Some(id) = self.trigger_id
            && let Some(failure) = &session.source()?.breakpoints.get(id)?.failure
        {
            return Err(Failure::new(failure.kind, format!("the trigger failed: {}", failure.error)));
        }
        Ok(match report.end {
            RunEnd::Interrupted => Some(End::Meant("interrupt")),
            RunEnd::Idle => {
                let title = &session.source()?.title;
                Some(End::Failed(Failure::io(format!("{title} is gone"))))
            }
            _ if !session.source_mut()?.beam("record")?.is_tracing() && session.source()?.capabilities().is_live => {
                Some(End::Meant("trace limit"))
            }
            _ => None,
        })
    }

    fn meet(&mut self, session: &Session, hit: Hit) {
        let Some(trigger) = &self.plan.trigger else { return };
        match &self.open {
            // It is in the file that is being waited for.
            Some(open) if hit.event.at_ns <= open.event.at_ns.saturating_add(trigger.after_ns) => {}
            Some(_) => self.waiting.push(hit),
            // What it is to save, it has.
            None if trigger.is_once && self.n_triggers > 0 => {}
            None => {
                self.n_triggers += 1;
                let after = time::show_ns(trigger.after_ns);
                let at = hit.event.seq.0;
                session.tell(Notice::Progress(format!("trigger met at #{at}: saving what follows for {after}, too")));
                self.open = Some(hit);
            }
        }
    }

    /// Whether it is not too early to try a full disk again.
    fn may_write(&self) -> bool {
        self.full.as_ref().is_none_or(|full| full.retry_at <= Instant::now())
    }

    /// Tells what became of a file; gives whether it was written. What the disk does not take stays in memory, which may take
    /// [`UNWRITTEN_BYTES_MAX`] more for it, and is to be tried again.
    fn written(&mut self, session: &Session, written: Outcome<String>) -> Outcome<bool> {
        let recording = session.source()?.shared_recording();
        let n_evicted = recording.borrow().evicted().n_events;
        let failure = match written {
            Ok(told) => {
                if let Some(full) = self.full.take() {
                    recording.borrow_mut().set_ring(self.plan.ring)?;
                    let n_gone = n_evicted - full.n_evicted;
                    let gone = if n_gone > 0 { format!("; {n_gone} events found no room") } else { String::new() };
                    session.warn(format!("files are written again{gone}"));
                }
                session.tell(Notice::Progress(told));
                return Ok(true);
            }
            Err(failure) if failure.kind == FailureKind::Io => failure,
            Err(failure) => return Err(failure),
        };
        if self.full.is_none() {
            let bytes_max = Some(recording.borrow().held_bytes() + UNWRITTEN_BYTES_MAX as u64);
            recording.borrow_mut().set_ring(Some(RingLimits { bytes_max, ..RingLimits::default() }))?;
        }
        if self.full.as_ref().is_none_or(|full| full.told != failure.error) {
            let (error, n_mb) = (&failure.error, UNWRITTEN_BYTES_MAX >> 20);
            session.warn(format!(
                "{error}: what is recorded waits in memory, up to {n_mb} MB more, and is written when there is room"
            ));
        }
        let n_evicted = self.full.as_ref().map_or(n_evicted, |full| full.n_evicted);
        self.full = Some(Full { told: failure.error, retry_at: Instant::now() + RETRY_AFTER, n_evicted });
        Ok(false)
    }

    /// Saves the time around the open trigger; gives whether nothing is left to be saved of it.
    fn save_around(&mut self, session: &mut Session) -> Outcome<bool> {
        self.settle(session)?;
        let (Some(trigger), Some(hit)) = (&self.plan.trigger, self.open.take()) else { return Ok(true) };
        let Trigger { before_ns, after_ns, is_once, .. } = *trigger;
        let at_ns = hit.event.at_ns;
        let name = format!("trigger {}", self.n_triggers);
        let note = format!("{} {}", hit.event.kind.as_str(), hit.event.process);
        let source = session.source_mut()?;
        source.set_mark(Mark { name, at: hit.event.seq, note, is_snapshot: false });
        let recording = source.recording();
        let (from_ns, to_ns) = (at_ns.saturating_sub(before_ns), at_ns.saturating_add(after_ns));
        let save = |path: &std::path::Path| recording.save_range(path, from_ns, to_ns);
        let saved = if is_once { self.files.write(save) } else { self.files.write_next(save) };
        drop(recording);
        if !self.written(session, saved)? {
            self.open = Some(hit);
            return Ok(false);
        }
        for hit in std::mem::take(&mut self.waiting) {
            self.meet(session, hit);
        }
        Ok(true)
    }

    /// Records what is on its way.
    fn settle(&mut self, session: &mut Session) -> Outcome<()> {
        session.source_mut()?.beam("record")?.catch_up(SETTLE);
        let deadline = Instant::now() + SETTLE;
        while session.source_mut()?.beam("record")?.has_events() && Instant::now() < deadline {
            // An end is met again by the next step.
            self.advance(session, 1_000_000)?;
        }
        Ok(())
    }

    /// Begins the next file when this one is full.
    fn rotate(&mut self, session: &mut Session) -> Outcome<()> {
        let Some((amount, _)) = self.plan.rotate else { return Ok(()) };
        let now_ns = session.source_mut()?.clock_ns();
        let source = session.source()?;
        let recording = source.recording();
        let is_full = match amount {
            Amount::Bytes(n) => recording.held_bytes() >= n,
            Amount::Events(n) => recording.n_held() >= n,
            Amount::Ns(ns) => now_ns - self.file_since_ns >= ns,
        };
        if !is_full || recording.n_held() == 0 || !self.may_write() {
            return Ok(());
        }
        let saved = self.files.write_next(|path| recording.save(path).map(|()| recording.n_held()));
        drop(recording);
        if self.written(session, saved)? {
            session.source()?.shared_recording().borrow_mut().forget();
            self.file_since_ns = now_ns;
        }
        Ok(())
    }

    fn limit(&self, session: &Session) -> Outcome<Option<End>> {
        let source = session.source()?;
        let recording = source.recording();
        let n_events = recording.len() - self.n_before;
        let ns = i64::try_from(self.began.elapsed().as_nanos()).unwrap_or(i64::MAX);
        let n_in_file =
            source.file.as_deref().and_then(|file| std::fs::metadata(file).ok()).map_or(0, |meta| meta.len());
        let n_bytes = self.files.n_bytes() + recording.held_bytes() + n_in_file;
        Ok(if self.plan.n_events_max.is_some_and(|max| n_events >= max) {
            Some(End::Meant("events"))
        } else if self.plan.ns_max.is_some_and(|max| ns >= max) {
            Some(End::Meant("time"))
        } else if self.plan.bytes_max.is_some_and(|max| n_bytes >= max) {
            Some(End::Meant("size"))
        } else {
            None
        })
    }

    /// Says how far it is, when it is time.
    fn tell(&mut self, session: &mut Session) -> Outcome<()> {
        let (last, n_last) = self.told;
        let passed = last.elapsed();
        if self.plan.progress_ns.is_none_or(|ns| i128::from(ns) > passed.as_nanos() as i128) {
            return Ok(());
        }
        let n_dropped = session.source_mut()?.beam("record")?.counts().n_dropped();
        let (n_now, n_held) = {
            let recording = session.source()?.recording();
            (recording.len(), recording.n_held())
        };
        let per_s = ((n_now - n_last) as f64 / passed.as_secs_f64()).round();
        let held = if n_held < n_now { format!(", {n_held} held") } else { String::new() };
        let n_events = n_now - self.n_before;
        session.tell(Notice::Progress(format!("{n_events} events, {per_s} /s, {n_dropped} dropped{held}")));
        self.told = (Instant::now(), n_now);
        Ok(())
    }

    /// Saves what is not in a file yet. The recording is bounded no longer.
    fn close(&mut self, session: &mut Session) -> Outcome<()> {
        // A node that is gone has nothing on its way, and an interrupt ends the waiting, too.
        if self.plan.stops {
            let _ = session.source_mut()?.beam("record").and_then(|beam| beam.stop_tracing());
        }
        let _ = self.settle(session);
        let unsaved = |full: &Option<Full>| full.as_ref().map_or(Ok(()), |full| Err(Failure::io(full.told.clone())));
        let around = if self.open.is_some() { self.save_around(session) } else { Ok(true) };
        let mut saved = match around {
            Ok(true) => Ok(()),
            Ok(false) => unsaved(&self.full),
            Err(failure) => Err(failure),
        };
        if let Some(id) = self.trigger_id {
            session.source_mut()?.breakpoints.remove(id)?;
        }
        let is_saved = self.plan.trigger.as_ref().is_some_and(|trigger| trigger.is_once) && self.n_triggers > 0;
        {
            let source = session.source()?;
            let mut recording = source.shared_recording().borrow_mut();
            if recording.is_in_file() {
                recording.finish()?;
                let told = source.file.as_deref().map(|file| self.files.note(file, recording.n_held()));
                told.into_iter().for_each(|told| session.tell(Notice::Progress(told)));
                return Ok(());
            }
            if !is_saved && recording.n_held() > 0 && self.plan.out.is_some() {
                let save = |path: &std::path::Path| recording.save(path).map(|()| recording.n_held());
                let rest = match self.plan.rotate {
                    Some(_) => self.files.write_next(save),
                    None => self.files.write(save),
                };
                let rest = rest.map_err(|failure| self.files.write_elsewhere(failure, save));
                saved = saved.and(rest.map(|told| session.tell(Notice::Progress(told))));
            }
            recording.set_ring(None)?;
        }
        saved
    }
}
