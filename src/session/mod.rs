//! Floor 4: what the shell works on. A [`Session`] owns sources (a sandbox or an opened recording,
//! each with its recording, timelines and breakpoints) and performs the operations of one table.
//!
//! It lives on one thread and knows neither scripts nor pictures: conditions and actions come as
//! trait objects, results go out as [`reply::Reply`].

mod compare;
mod director;
mod find;
mod fresh;
pub mod import;
mod live;
mod live_options;
mod notice;
mod opened;
pub mod operation;
pub mod ops;
mod recorder;
pub mod reply;
mod sites;
mod source;
pub mod value;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::model::limits::HOLD_MS_MAX;
use crate::model::{Failure, Outcome};
use crate::sandbox::beam::options::CookieSource;
use crate::sandbox::import::is_of_trace;
use crate::sandbox::sim::Modules;
use crate::store::Recording;

pub use fresh::Fresh;
pub use notice::{Notice, Notifier};
pub use recorder::Recorded;
pub use recorder::plan::{Amount, check_name, check_new};
pub use reply::Reply;
pub use source::{SharedRecording, Source, SourceId, TimelineId};

/// What the operations work on. Cheap to make; nothing runs before a source is opened.
pub struct Session {
    sources: Vec<Source>,
    /// Files that were opened, or session files that were written here, by their real names.
    own_files: BTreeSet<PathBuf>,
    current: Option<SourceId>,
    /// The seed of sandboxes that do not name one.
    pub seed: u64,
    /// The cookie of nodes that are attached to without naming one.
    pub cookie: CookieSource,
    /// How long a live process is held at a breakpoint before it goes on by itself.
    pub hold_deadline: Duration,
    loader: Box<dyn ModuleLoader>,
    notifier: Notifier,
    /// Damage that was told while a file is opened: its source will keep it.
    told_damage: RefCell<Vec<String>>,
    interrupt: Arc<AtomicBool>,
}

/// A session as the script functions share it. One operation borrows it at a time, never across a script's closure.
pub type SharedSession = Rc<RefCell<Session>>;

/// Makes process code from what a user names: a folder or file of scripts, a built-in example.
pub trait ModuleLoader {
    /// The modules at `path`, with a title for people.
    fn load(&self, path: &str) -> Outcome<(Rc<dyn Modules>, String)>;
}

impl Session {
    /// A session without sources. `interrupt` is the one token that Ctrl-C sets.
    pub fn new(loader: Box<dyn ModuleLoader>, interrupt: Arc<AtomicBool>) -> Session {
        Session {
            sources: Vec::new(),
            own_files: BTreeSet::new(),
            current: None,
            seed: 1,
            cookie: CookieSource::Home,
            hold_deadline: Duration::from_millis(HOLD_MS_MAX),
            loader,
            notifier: Notifier::default(),
            told_damage: RefCell::default(),
            interrupt,
        }
    }

    /// Sends notices (hits, log lines) to `notifier` as they happen; it must not block.
    pub fn set_notifier(&mut self, notifier: impl Fn(Notice) + 'static) {
        self.notifier = Notifier::new(notifier);
    }

    /// The current source. Errors: nothing is open, or its file was written over meanwhile.
    pub fn source(&self) -> Outcome<&Source> {
        let source = self.current.and_then(|id| self.sources.get(id.0)).ok_or_else(no_source)?;
        source.check_file()?;
        Ok(source)
    }
    /// The current source, to change it.
    pub fn source_mut(&mut self) -> Outcome<&mut Source> {
        self.source()?;
        self.current.and_then(|id| self.sources.get_mut(id.0)).ok_or_else(no_source)
    }
    /// Every source of the session, in the order of opening; ids are positions.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }
    /// The current source's id, if there is one.
    pub fn current(&self) -> Option<SourceId> {
        self.current
    }
    /// Adds a source and makes it the current one.
    pub fn add(&mut self, mut source: Source) -> SourceId {
        source.damage.append(self.told_damage.get_mut());
        let id = SourceId(self.sources.len());
        self.sources.push(source);
        self.current = Some(id);
        id
    }
    /// Makes another source the current one.
    pub fn select(&mut self, id: SourceId) -> Outcome<()> {
        if id.0 >= self.sources.len() {
            return Err(Failure::not_found(format!("no sandbox {}: there are {}", id.0, self.sources.len()))
                .hint("sandboxes()"));
        }
        self.current = Some(id);
        Ok(())
    }

    /// Notes a file that this session opened or wrote.
    fn note_own(&mut self, path: &Path) {
        self.own_files.extend(path.canonicalize());
    }
    fn is_own(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|real| self.own_files.contains(&real))
    }
    /// Errors: there is a file at `path` that is not one of this session.
    fn check_own(&self, path: &Path) -> Outcome<()> {
        if self.is_own(path) { Ok(()) } else { check_new(path) }
    }
    /// A file for what is no recording. Errors: a recording is there, or whatever else this session opened; the system's.
    pub fn export_file(&self, path: &Path) -> Outcome<Fresh> {
        if path.is_file() && (self.is_own(path) || is_recording(path)) {
            return Err(Failure::usage(format!("{} is a recording: nothing is written over it", path.display()))
                .hint("another name; save(path) writes recordings"));
        }
        Fresh::at(path)
    }

    /// The current source with what a run of it needs.
    pub(crate) fn source_to_run(&mut self) -> Outcome<(&mut Source, source::RunContext<'_>)> {
        let id = self.current.ok_or_else(no_source)?;
        let context = source::RunContext { notifier: &self.notifier, interrupt: &self.interrupt };
        Ok((self.sources.get_mut(id.0).ok_or_else(no_source)?, context))
    }
    /// Records what live systems did since the last time, and tells of damage that reading has met; gives whether
    /// something is live. Call it while nothing runs.
    pub fn drain(&mut self) -> Outcome<bool> {
        let context = source::RunContext { notifier: &self.notifier, interrupt: &self.interrupt };
        let mut is_live = false;
        for source in self.sources.iter_mut().filter(|source| source.check_file().is_ok()) {
            is_live |= source.drain(&context)?;
            source.new_damage().into_iter().for_each(|text| self.notifier.send(Notice::Damage(text)));
        }
        Ok(is_live)
    }
    /// Tells a user something that is no result.
    pub fn warn(&self, text: String) {
        self.notifier.send(Notice::Warning(text));
    }
    /// Tells a user something while an operation works.
    fn tell(&self, notice: Notice) {
        self.notifier.send(notice);
    }
    /// Tells a user that what was opened is not whole.
    pub fn report_damage(&self, text: String) {
        self.told_damage.borrow_mut().push(text.clone());
        self.notifier.send(Notice::Damage(text));
    }

    /// Completes the recordings that live in files. Call it before the session ends. Errors: the first that failed.
    pub fn finish(&mut self) -> Outcome<()> {
        let _ = self.drain();
        let mut done = Ok(());
        for source in &self.sources {
            done = done.and(source.shared_recording().borrow_mut().finish());
        }
        done
    }

    /// The token that Ctrl-C sets.
    pub fn interrupt(&self) -> &Arc<AtomicBool> {
        &self.interrupt
    }
    /// Whether Ctrl-C was pressed since the last line began.
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }

    /// Does `what` while source `id` is the current one; afterwards the current one is what it was, unless `what`
    /// itself chose another.
    pub fn on_source<T>(&mut self, id: SourceId, what: impl FnOnce(&mut Session) -> Outcome<T>) -> Outcome<T> {
        let before = self.current;
        self.select(id)?;
        let result = what(self);
        if self.current == Some(id) {
            self.current = before;
        }
        result
    }

    /// Does `what` while another timeline of the current source is its current one.
    pub(crate) fn on_timeline<T>(
        &mut self,
        id: TimelineId,
        what: impl FnOnce(&mut Session) -> Outcome<T>,
    ) -> Outcome<T> {
        let before = self.source_mut()?.select_timeline(id)?;
        let result = what(self);
        self.source_mut()?.select_timeline(before)?;
        result
    }
}

/// Whether a file is a session's, or of a trace. One that cannot be read is none.
fn is_recording(path: &Path) -> bool {
    is_of_trace(path) || Recording::is_session_file(path).unwrap_or(false)
}

fn no_source() -> Failure {
    Failure::not_found("nothing is open yet")
        .hint("demo()")
        .hint("sandbox(\"examples/bank\")")
        .hint("open(\"session.cinema\")")
}
