//! A source of the session: a sandbox that can run, or a recording that cannot; with its timelines
//! and breakpoints. It must not know other sources.

use std::cell::{Ref, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::director::{Director, stop_notice};
use super::notice::{Notice, Notifier};
use super::opened::OpenedFile;
use super::reply::{SourceInfo, StopReport};
use super::sites::Site;
use super::value::{ProcessRef, Span};
use crate::analysis::names::Names;
use crate::breakpoint;
use crate::model::{
    Actor, Atom, Failure, Filter, Kind, Moment, NewEvent, Outcome, Pid, Seq, SystemState, Term, nearest,
};
use crate::sandbox::beam::Beam;
use crate::sandbox::{Capabilities, Input, RunEnd, RunLimit, Sandbox};
use crate::store::{Mark, Recording};
use crate::timeline::{Position, Timeline};

/// A source's position among the session's sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SourceId(pub usize);

/// A timeline's position among its source's timelines; 0 is the main one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TimelineId(pub usize);

/// A recording that handles and conditions read while the session appends to it between events.
pub type SharedRecording = Rc<RefCell<Recording>>;

/// A sandbox or an opened recording.
pub struct Source {
    pub title: String,
    pub breakpoints: breakpoint::Table,
    /// The file that the recording lives in while it runs.
    pub file: Option<PathBuf>,
    /// The file that the recording was opened from and is read from.
    pub opened: Option<OpenedFile>,
    sandbox: Option<Box<dyn Sandbox>>,
    recording: SharedRecording,
    timelines: Vec<Timeline>,
    current: TimelineId,
    /// Where the cursor was, oldest first, and how many of these `back` has undone.
    visited: Vec<Option<Seq>>,
    n_undone: usize,
    /// The event before which the last run stopped: its breakpoints do not stop the next run again.
    stopped_before: Option<Seq>,
    /// Whether the main timeline goes along with what a live system does, as long as it stands at the end.
    is_following: bool,
    /// Breakpoints inside live processes.
    pub(super) sites: Vec<Site>,
    /// Damage of the file as it was told: when it was opened, and since.
    pub damage: Vec<String>,
    told_damage: BTreeSet<String>,
    /// Why the newest events of a live system could not be recorded, as it was told.
    told_failure: Option<Failure>,
}

/// What a run needs beside the source.
pub struct RunContext<'a> {
    pub notifier: &'a Notifier,
    pub interrupt: &'a Arc<AtomicBool>,
}

impl Source {
    /// A source over a finished recording.
    pub fn recorded(title: String, recording: Recording) -> Source {
        Source::new(title, None, recording)
    }
    /// A source that runs; what it does is recorded into `recording`.
    pub fn running(title: String, sandbox: Box<dyn Sandbox>, recording: Recording) -> Source {
        Source::new(title, Some(sandbox), recording)
    }

    fn new(title: String, sandbox: Option<Box<dyn Sandbox>>, recording: Recording) -> Source {
        let main = Timeline::new(&recording);
        Source {
            title,
            breakpoints: breakpoint::Table::default(),
            file: None,
            opened: None,
            sandbox,
            recording: Rc::new(RefCell::new(recording)),
            timelines: vec![main],
            current: TimelineId(0),
            visited: Vec::new(),
            n_undone: 0,
            stopped_before: None,
            is_following: true,
            sites: Vec::new(),
            damage: Vec::new(),
            told_damage: BTreeSet::new(),
            told_failure: None,
        }
    }

    /// Errors: the file that it is read from was written over since it was opened.
    pub fn check_file(&self) -> Outcome<()> {
        self.opened.as_ref().map_or(Ok(()), OpenedFile::check)
    }

    pub fn recording(&self) -> Ref<'_, Recording> {
        self.recording.borrow()
    }
    pub fn shared_recording(&self) -> &SharedRecording {
        &self.recording
    }
    pub fn capabilities(&self) -> Capabilities {
        self.sandbox.as_ref().map(|sandbox| sandbox.capabilities()).unwrap_or_default()
    }
    /// Damage that reading has met since the last time: a large file is not checked when it is opened. What can be saved of a
    /// damaged segment is there from then on.
    pub fn new_damage(&mut self) -> Vec<String> {
        let mut met: Vec<String> = self.recording.borrow_mut().mend().iter().map(ToString::to_string).collect();
        met.extend(self.recording.borrow().damage());
        met.retain(|text| self.told_damage.insert(text.clone()));
        self.damage.extend_from_slice(&met);
        met
    }
    pub fn info(&self, id: SourceId, is_current: bool) -> SourceInfo {
        let recording = self.recording();
        let mut notes = recording.info.notes.clone();
        if recording.evicted().n_events > 0 {
            let gone = recording.evicted();
            notes.push(("evicted".into(), format!("{}; begins at #{}", gone.describe(), recording.first().0)));
            let more = [("marks evicted", gone.n_marks), ("ended processes forgotten", gone.n_forgotten)];
            notes.extend(more.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.into(), n.to_string())));
        }
        let n_losses = recording.count(&Filter::kind(Kind::Loss));
        if n_losses > 0 {
            let say = if n_losses == 1 { "1 event says".to_string() } else { format!("{n_losses} events say") };
            notes.push(("losses".into(), format!("{say} that something is lost: loss() lists what")));
        }
        SourceInfo {
            id,
            is_current,
            title: self.title.clone(),
            description: self.sandbox.as_ref().map_or_else(|| "recording".to_string(), |s| s.describe()),
            capabilities: self.capabilities(),
            n_events: recording.n_held(),
            n_branches: recording.branches().len().max(1) as u64,
            time_range_ns: recording.time_range_ns(),
            notes,
        }
    }

    // Timelines.

    pub fn timeline(&self) -> &Timeline {
        &self.timelines[self.current.0]
    }
    /// The current timeline to move it, with the recording that it stands on.
    pub fn timeline_mut(&mut self) -> (&mut Timeline, Ref<'_, Recording>) {
        (&mut self.timelines[self.current.0], self.recording.borrow())
    }
    pub fn timelines(&self) -> &[Timeline] {
        &self.timelines
    }
    pub fn current_timeline(&self) -> TimelineId {
        self.current
    }
    pub fn add_timeline(&mut self, timeline: Timeline) -> TimelineId {
        self.timelines.push(timeline);
        TimelineId(self.timelines.len() - 1)
    }
    /// Makes another timeline the current one; gives the one that was.
    pub fn select_timeline(&mut self, id: TimelineId) -> Outcome<TimelineId> {
        if id.0 >= self.timelines.len() {
            return Err(Failure::not_found(format!("no timeline {}: there are {}", id.0, self.timelines.len())));
        }
        Ok(std::mem::replace(&mut self.current, id))
    }
    /// Whether the current timeline is the one that follows a run.
    pub fn is_on_main_timeline(&self) -> bool {
        self.current == TimelineId(0)
    }
    /// Moves the current timeline and remembers where it was, for [`Source::go_back`].
    pub fn move_cursor<T>(&mut self, step: impl FnOnce(&mut Timeline, &Recording) -> Outcome<T>) -> Outcome<T> {
        let before = self.timeline().at();
        let (timeline, recording) = self.timeline_mut();
        let moved = step(timeline, &recording)?;
        drop(recording);
        self.is_following = true;
        self.visited.truncate(self.visited.len() - std::mem::take(&mut self.n_undone));
        self.visited.push(before);
        Ok(moved)
    }
    /// Undoes the newest move that is not undone yet.
    pub fn go_back(&mut self) -> Outcome<()> {
        self.travel(self.n_undone + 1, "no earlier position")
    }
    /// Undoes the newest undoing.
    pub fn go_forward(&mut self) -> Outcome<()> {
        let n = self.n_undone.checked_sub(1).unwrap_or(usize::MAX);
        self.travel(n, "no later position")
    }
    fn travel(&mut self, n_undone: usize, edge: &str) -> Outcome<()> {
        let failure = || Failure::new(crate::model::FailureKind::Edge, edge);
        // The slot of the move that is undone or done again holds the other end of it meanwhile.
        let slot = self.visited.len().checked_sub(n_undone.max(self.n_undone)).ok_or_else(failure)?;
        let other = std::mem::replace(&mut self.visited[slot], self.timelines[self.current.0].at());
        let (timeline, recording) = self.timeline_mut();
        match other {
            Some(seq) => timeline.seek(&recording, &Moment::Seq(seq))?,
            None => timeline.to_start(),
        }
        drop(recording);
        self.n_undone = n_undone;
        Ok(())
    }
    /// The sandbox's clock, which may be past the last event; else that of the recording's end.
    pub fn clock_ns(&mut self) -> i64 {
        if let Some(sandbox) = &mut self.sandbox {
            let now_ns = sandbox.clock_ns().or_else(|| sandbox.as_sim().map(|sim| sim.now_ns()));
            if let Some(now_ns) = now_ns {
                return now_ns;
            }
        }
        let recording = self.recording();
        let last = self.timelines[0].line(&recording).last();
        last.and_then(|seq| recording.event(seq)).map_or(0, |event| event.at_ns)
    }
    pub fn position(&self) -> Position {
        self.timeline().position(&self.recording())
    }
    /// The seqs of the current timeline: the scope of every question without a range.
    pub fn scope(&self) -> Vec<Range<u64>> {
        self.timeline().line(&self.recording()).ranges().to_vec()
    }
    /// The seqs from after `span.from` through `span.to`.
    pub fn scope_of(&self, span: Option<&Span>) -> Outcome<Vec<Range<u64>>> {
        let Some(span) = span else { return Ok(self.scope()) };
        let (recording, timeline) = (self.recording(), self.timeline());
        // A range that begins at a time includes the event at that very time: it is what comes after all that was earlier.
        let before = match span.from {
            Moment::SinceStartNs(ns) => Moment::SinceStartNs(ns.saturating_sub(1)),
            Moment::OffsetNs(ns) => Moment::OffsetNs(ns.saturating_sub(1)),
            ref other => other.clone(),
        };
        let (from, to) = (timeline.resolve(&recording, &before)?, timeline.resolve(&recording, &span.to)?);
        if from > to {
            let shown = |seq: Option<Seq>| seq.map_or("the start".to_string(), |seq| format!("#{}", seq.0));
            let what = format!("from {} to {}: the range goes backwards", shown(from), shown(to));
            return Err(Failure::usage(what).hint("the earlier moment comes first"));
        }
        let Some(to) = to else { return Ok(Vec::new()) };
        // A range that begins with an event by name includes it.
        let from = match (&span.from, from) {
            (Moment::Seq(_) | Moment::Mark(_), Some(seq)) => seq.0,
            (_, from) => from.map_or(0, |seq| seq.0 + 1),
        };
        let cut = |r: Range<u64>| r.start.max(from)..r.end.min(to.0 + 1);
        Ok(self.scope().into_iter().map(cut).filter(|r| r.start < r.end).collect())
    }
    /// The event after which `moment` lies, the cursor's without one.
    pub fn resolve(&self, moment: Option<&Moment>) -> Outcome<Option<Seq>> {
        match moment {
            None => Ok(self.timeline().at()),
            Some(moment) => self.timeline().resolve(&self.recording(), moment),
        }
    }
    /// As [`Source::resolve`], where there must be an event.
    pub fn resolve_event(&self, moment: Option<&Moment>) -> Outcome<Seq> {
        self.resolve(moment)?.ok_or_else(|| {
            Failure::not_found("nothing has happened yet at the start of the timeline")
                .hint("step()")
                .hint("seek(\"end\")")
        })
    }
    /// As [`Source::resolve`], for a question about the system: at the start it is as what came before left it, the events
    /// that a ring evicted, or those before a timeline's range. `None`: nothing did.
    pub fn resolve_system(&self, moment: Option<&Moment>) -> Outcome<Option<Seq>> {
        Ok(self.resolve(moment)?.or_else(|| self.timeline().before_start(&self.recording())))
    }
    /// As [`Source::resolve_system`], where something must have happened.
    pub fn resolve_known(&self, moment: Option<&Moment>) -> Outcome<Seq> {
        self.resolve_system(moment)?.map_or_else(|| self.resolve_event(moment), Ok)
    }
    /// As [`Source::resolve`], but an event or mark of any branch will do.
    pub fn resolve_anywhere(&self, moment: &Moment) -> Outcome<Option<Seq>> {
        let recording = self.recording();
        let anywhere = match moment {
            Moment::Seq(seq) => Some(*seq),
            Moment::Mark(name) => recording.marks().iter().find(|mark| mark.name == *name).map(|mark| mark.at),
            _ => None,
        };
        match anywhere.filter(|seq| (recording.first().0..recording.len()).contains(&seq.0)) {
            Some(seq) => Ok(Some(seq)),
            None => self.timeline().resolve(&recording, moment),
        }
    }
    /// The system as it was at a moment; empty when nothing has happened before it.
    pub fn system_at(&self, moment: Option<&Moment>) -> Outcome<SystemState> {
        Ok(self.resolve_system(moment)?.map(|seq| self.recording().materialise(seq)).unwrap_or_default())
    }

    // Processes.

    /// Finds a process as a user names it: pid, registered name at the moment, else label or module of one process; one
    /// that is not there yet, as it is named at the line's end.
    pub fn find_process(&self, wanted: &ProcessRef, moment: Option<&Moment>) -> Outcome<Actor> {
        let text = match wanted {
            ProcessRef::Actor(actor) => return Ok(*actor),
            ProcessRef::Named(text) => text.as_str(),
        };
        let recording = self.recording();
        let Some(last) = self.timeline().line(&recording).last() else { return Err(unknown_process(text, &[])) };
        let at = self.resolve_system(moment)?.unwrap_or(last);
        let found = super::find::process(&recording, at, text);
        let found = found.or_else(|known| super::find::process(&recording, last, text).map_err(|_| known));
        found.map_err(|known| unknown_process(text, &known))
    }
    /// Every process that a filter means by `wanted`: of a name all who bore it, whatever became of them. Errors: those
    /// of [`Source::find_process`].
    pub fn find_processes(&self, wanted: &ProcessRef) -> Outcome<Vec<Actor>> {
        let mut found = vec![self.find_process(wanted, None)?];
        if let ProcessRef::Named(text) = wanted {
            found.extend(super::find::all(&self.recording(), &self.scope(), text));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
    /// Whether this is a sandbox that runs here, and none of its processes has the registered name now.
    pub fn is_nobody(&mut self, name: Atom) -> bool {
        let sim = self.sandbox.as_mut().and_then(|sandbox| sandbox.as_sim());
        sim.is_some_and(|sim| sim.whereis(name).is_none())
    }
    /// The names of this timeline's processes.
    pub fn names(&self) -> Arc<Names> {
        Names::of(&self.recording(), &self.scope())
    }

    // Running.

    /// Runs until `limit`, a breakpoint or idleness. Errors: the source is a recording.
    pub fn run(&mut self, context: &RunContext<'_>, limit: RunLimit) -> Outcome<StopReport> {
        self.drive(context, "run", |sandbox, sink| sandbox.run(limit, sink))
    }
    /// Does an input and what it needs of the run.
    pub fn input(&mut self, context: &RunContext<'_>, input: Input) -> Outcome<StopReport> {
        if !self.capabilities().can_input {
            return Err(self.cannot("can_input", "take input"));
        }
        self.drive(context, "input", |sandbox, sink| sandbox.input(input, sink))
    }

    /// Records what a live system did since the last time; gives whether there is one. At a hit the cursor stays.
    pub fn drain(&mut self, context: &RunContext<'_>) -> Outcome<bool> {
        let Some(sandbox) = self.sandbox.as_mut().filter(|sandbox| sandbox.capabilities().is_live) else {
            return Ok(false);
        };
        let is_following = self.is_following && self.timelines[0].is_at_end(&self.recording.borrow());
        let mut director = Director::new(&self.recording, &mut self.breakpoints, context, None);
        let drained = sandbox.drain(&mut director);
        let (hits, failure, _) = director.finish();
        self.seal_overdue(context);
        if is_following {
            self.timelines[0].to_end(&self.recording.borrow());
        }
        self.is_following &= hits.is_empty();
        hits.iter().for_each(|hit| context.notifier.send(stop_notice(hit, &self.recording.borrow())));
        // What fails each time is told once.
        let failure = failure.or(drained.err());
        if failure.is_some() && failure != self.told_failure {
            self.told_failure.clone_from(&failure);
            return failure.map_or(Ok(true), Err);
        }
        self.renew_sites();
        Ok(true)
    }

    /// A system that has become silent must not keep its last events from the file. Tells how the file's disk is.
    fn seal_overdue(&mut self, context: &RunContext<'_>) {
        let now_ns = self.sandbox.as_mut().and_then(|sandbox| sandbox.clock_ns());
        if let Some(now_ns) = now_ns {
            self.recording.borrow_mut().seal_overdue(now_ns);
        }
        let news = self.recording.borrow_mut().disk_news();
        news.into_iter().for_each(|news| context.notifier.send(Notice::Warning(news)));
    }

    /// Goes along with a live system again, from the end on.
    pub fn follow(&mut self) {
        self.is_following = true;
        self.timelines[0].to_end(&self.recording.borrow());
    }

    /// The live nodes behind this source. Errors: it has none.
    pub fn beam(&mut self, what: &str) -> Outcome<&mut Beam> {
        let failure = self.cannot("can_trace", what);
        self.sandbox.as_mut().and_then(|sandbox| sandbox.as_beam()).ok_or(failure)
    }

    fn drive(
        &mut self,
        context: &RunContext<'_>,
        what: &str,
        go: impl FnOnce(&mut dyn Sandbox, &mut Director<'_>) -> Outcome<RunEnd>,
    ) -> Outcome<StopReport> {
        let failure = self.cannot("can_run", what);
        let Some(sandbox) = self.sandbox.as_mut() else { return Err(failure) };
        let first = Seq(self.recording.borrow().len());
        let mut director = Director::new(&self.recording, &mut self.breakpoints, context, self.stopped_before.take());
        let end = go(sandbox.as_mut(), &mut director);
        let (hits, failure, stopped_before) = director.finish();
        self.seal_overdue(context);
        self.stopped_before = stopped_before;
        self.timelines[0].to_end(&self.recording.borrow());
        self.is_following = hits.is_empty();
        if let Some(failure) = failure {
            return Err(failure);
        }
        let end = end?;
        let n_events = self.recording.borrow().len() - first.0;
        let position = self.timelines[0].position(&self.recording.borrow());
        let has_happened = self.capabilities().is_live;
        Ok(StopReport { end, n_events, hits, has_happened, position, asked_ns: None, clock_ns: self.clock_ns() })
    }

    /// Goes back to a moment of the past and begins a branch there. Errors: the source cannot restore.
    pub fn restore(&mut self, at: Option<Seq>, kind: Kind, name: &str) -> Outcome<u32> {
        let failure = self.cannot("can_restore", "be restored");
        let Some(sandbox) = self.sandbox.as_mut().filter(|s| s.capabilities().can_restore) else { return Err(failure) };
        let mut recording = self.recording.borrow_mut();
        sandbox.restore(at, Seq(recording.len()))?;
        let branch = recording.begin_branch(at);
        let at_ns = at.and_then(|seq| recording.event(seq)).map_or(0, |event| event.at_ns);
        let mut payload = Vec::new();
        let entries =
            [(Term::atom("branch"), Term::Int(i64::from(branch))), (Term::atom("name"), Term::binary(name.as_bytes()))];
        crate::codec::etf::encode(&Term::map(entries), &mut payload);
        let event = NewEvent { cause: at, payload: &payload, ..NewEvent::new(at_ns, kind, SYSTEM) };
        recording.append(&event)?;
        self.breakpoints.follow(&recording);
        self.timelines[0].to_end(&recording);
        self.stopped_before = None;
        Ok(branch)
    }

    /// Names an event. A mark of that name is moved there: it keeps its note when there is no new one, and stays a
    /// snapshot when it was one.
    pub fn set_mark(&mut self, mut mark: Mark) {
        let mut recording = self.recording.borrow_mut();
        if let Some(before) = recording.marks().iter().find(|before| before.name == mark.name) {
            mark.is_snapshot |= before.is_snapshot;
            if mark.note.is_empty() {
                mark.note.clone_from(&before.note);
            }
        }
        recording.set_mark(mark);
    }
    /// Removes a mark; gives whether there was one of that name.
    pub fn remove_mark(&mut self, name: &str) -> bool {
        self.recording.borrow_mut().remove_mark(name)
    }

    /// The failure of an operation that the source is not capable of.
    pub fn cannot(&self, capability: &str, what: &str) -> Failure {
        let failure = Failure::unsupported(format!("{} cannot {what} (capability {capability})", self.title));
        match self.sandbox {
            None => {
                failure.hint("a recording is only read: seek, step, why, patterns .. work on it; run needs sandbox(..)")
            }
            Some(_) => failure.hint("info() shows what this source is capable of"),
        }
    }
}

/// The actor of events that the shell itself makes (marks, restores).
pub const SYSTEM: Pid = Pid { serial: 0, id: 0, origin: crate::model::Origin::LOCAL };

fn unknown_process(text: &str, known: &[String]) -> Failure {
    let failure = Failure::not_found(format!("no process {text:?}"));
    match nearest(text, known.iter().map(String::as_str)).first() {
        Some(near) => failure.hint(format!("did you mean {near:?}?")).hint("processes() lists them"),
        None => failure.hint("processes() lists them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events before a ring's first are gone, not what they did: at its start the system is known.
    #[test]
    fn start_of_a_ring_is_the_system_that_it_was_given() {
        let mut recording = Recording::default();
        let process = Actor::from(Pid::local(7));
        let mut append = |kind, at_ns: i64, tag, payload: &[u8]| {
            let event = NewEvent { tag, payload, ..NewEvent::new(at_ns, kind, process) };
            recording.append(&event).unwrap();
        };
        append(Kind::Spawn, 0, None, &[]);
        append(Kind::Register, 1, Some(crate::model::Atom::new("pool")), &[]);
        append(Kind::StateChange, 2, None, &[131, 97, 42]);
        (3..500).for_each(|n| append(Kind::Log, n, None, &[]));
        let mut ring = recording.clone();
        ring.set_ring(Some(crate::store::RingLimits { events_min: Some(100), ..Default::default() })).unwrap();
        assert_eq!(ring.first(), Seq(0), "one segment is never cut");
        for n in 500..1_000 {
            ring.append(&NewEvent::new(n, Kind::Log, process)).unwrap();
        }
        let before = Seq(ring.first().0 - 1);
        let mut source = Source::recorded("ring".into(), ring);
        for moment in [Some(Moment::Start), None] {
            source.move_cursor(|timeline, recording| timeline.seek(recording, &Moment::Start)).unwrap();
            let moment = moment.as_ref();
            assert_eq!((source.resolve(moment).unwrap(), source.resolve_known(moment).unwrap()), (None, before));
            assert_eq!(source.find_process(&ProcessRef::Named("pool".into()), moment).unwrap(), process);
            let system = source.system_at(moment).unwrap();
            let state = system.processes[&process].state.unwrap();
            assert_eq!(source.recording().term(state), Some(Term::Int(42)));
        }
        // Of a range the start is what came before it; of a whole recording nothing did.
        let mut whole = Source::recorded("whole".into(), recording);
        assert!(whole.resolve_known(Some(&Moment::Start)).is_err());
        let part = Timeline::over(&whole.recording(), 200..300).unwrap();
        let id = whole.add_timeline(part);
        whole.select_timeline(id).unwrap();
        assert_eq!(whole.resolve_known(Some(&Moment::Start)), Ok(Seq(199)));
    }

    #[test]
    fn damage_that_reading_meets_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.cinema");
        let mut recording = Recording::default();
        for n in 0..2_000 {
            let event = NewEvent { payload: &[131, 97, n as u8], ..NewEvent::new(n, Kind::Log, Pid::local(1)) };
            recording.append(&event).unwrap();
        }
        recording.save(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[3_000] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let (opened, report) = Recording::open_as_large(&path).unwrap();
        let mut source = Source::recorded("large".into(), opened);
        // The timeline looks at the events when it is made.
        let _ = source.recording().event(Seq(7));
        let told = source.new_damage();
        assert!(report.is_whole() && told.len() == 1 && told[0].contains("segment at offset"), "{told:?}");
        assert!(source.recording().event(Seq(7)).is_some(), "what can be saved is there");
        assert!(source.new_damage().is_empty());
    }
}
