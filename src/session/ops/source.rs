//! Opening sandboxes and recordings, and choosing among them.

use std::path::Path;

use crate::model::{Failure, INTERRUPTED, Outcome, limits};
use crate::sandbox::sim::{Sim, SimOptions};
use crate::sandbox::trace::Redaction;
use crate::session::import::{DAMAGED_PLACES, is_session_file};
use crate::session::opened::OpenedFile;
use crate::session::operation::{Perform, operations};
use crate::session::reply::Reply;
use crate::session::value::{Options, Value};
use crate::session::{Session, Source, SourceId, live_options};
use crate::store::{Part, Recording, RecordingInfo, Report};

operations! { SOURCE:
    /// Makes a simulated OTP system from process modules and makes it the current source.
    ///
    /// Every `.rhai` file of the folder (or the one file) is a callback module named as the file. Nothing runs yet:
    /// `start_link` starts the first process.
    Source "sandbox" MakeSandbox {
        /// A folder or file of modules, or `#{path: .., seed: 7, root_every: 64}`.
        what: Value,
    } -> "the source", "sandbox(\"examples/bank\")";

    /// Opens a recording: a `.cinema` session file, or a trace file or folder as `dbg` and `ttb` write them, or
    /// events as JSON lines.
    ///
    /// Options, for trace files: `redact`: what is taken out, as of `attach`; nothing when left out, `#{}` for the
    /// usual names of secrets.
    Source "open" Open {
        /// The file or folder.
        path: String,
        /// `#{redact: #{fields: ["pin"]}}`.
        options: Option<Options>,
    } -> "the source", "open(\"outage.cinema\")";

    /// Lists the sources of this session.
    Source "sandboxes" ListSources {} -> "a row per source", "sandboxes()";

    /// Makes another source the current one.
    Source "use_sandbox" UseSource {
        /// The id as `sandboxes()` lists it.
        id: i64,
    } -> "the source", "use_sandbox(0)";

    /// Tells what the current source is, what it can do, and what is known of its making.
    Source "info" Info {} -> "the source", "info()";
}

impl Perform for MakeSandbox {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let usage = |what: String| Failure::usage(format!("sandbox: {what}")).hint(Self::EXAMPLE);
        let (path, seed, root_every) = match self.what {
            Value::Text(path) => (path, None, None),
            Value::Map(entries) => {
                let mut options = Options(entries);
                let path = options.take::<String>("path").map_err(usage)?;
                let seed = options.take::<i64>("seed").map_err(usage)?;
                let root_every = options.take::<i64>("root_every").map_err(usage)?;
                options.finish("path, seed, root_every").map_err(usage)?;
                (path.ok_or_else(|| usage("path is missing".into()))?, seed, root_every)
            }
            _ => return Err(usage("expected a path or a map with one".into())),
        };
        let (modules, title) = session.loader.load(&path)?;
        let seed = seed.map_or(session.seed, |seed| seed as u64);
        let mut options = SimOptions { seed, title: title.clone(), ..SimOptions::default() };
        if let Some(n) = root_every {
            options.root_every_n_events = u64::try_from(n).map_err(|_| usage("root_every is at least 0".into()))?;
        }
        let info = RecordingInfo {
            source: "sim".into(),
            title: title.clone(),
            notes: vec![("seed".into(), seed.to_string())],
            ..RecordingInfo::default()
        };
        let sandbox = Box::new(Sim::new(options, modules));
        let id = session.add(Source::running(title, sandbox, Recording::new(info)));
        source_reply(session, id)
    }
}

impl MakeSandbox {
    const EXAMPLE: &'static str = "sandbox(\"examples/bank\") or sandbox(#{path: \"examples/bank\", seed: 7})";
}

impl Perform for Open {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let path = Path::new(&self.path);
        let title = path.file_name().map_or_else(|| self.path.clone(), |name| name.to_string_lossy().into_owned());
        let redaction = self.options.map_or(Ok(Redaction::none()), |mut options| {
            let redaction = live_options::redaction(&mut options)?.unwrap_or_else(Redaction::none);
            options.finish("redact").map_err(|what| Failure::usage(format!("open: {what}")))?;
            Ok::<_, Failure>(redaction)
        })?;
        let is_mapped = path.is_file() && is_session_file(path)?;
        let recording = open_recording(session, path, &title, &redaction)?;
        session.note_own(path);
        let mut source = Source::recorded(title, recording);
        // Anything else was read whole.
        source.opened = if is_mapped { OpenedFile::at(path).ok() } else { None };
        let id = session.add(source);
        source_reply(session, id)
    }
}

impl Perform for ListSources {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let current = session.current();
        let infos = session.sources().iter().enumerate();
        Ok(Reply::Sources(infos.map(|(n, source)| source.info(SourceId(n), current == Some(SourceId(n)))).collect()))
    }
}

impl Perform for UseSource {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let id = SourceId(usize::try_from(self.id).unwrap_or(usize::MAX));
        session.select(id)?;
        source_reply(session, id)
    }
}

impl Perform for Info {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        session.source()?;
        source_reply(session, session.current().expect("there is a current source"))
    }
}

fn source_reply(session: &Session, id: SourceId) -> Outcome<Reply> {
    Ok(Reply::Source(session.source()?.info(id, true)))
}

/// Opens a session file. Of one that is damaged there is what can be saved of it, with losses where something is gone: what is
/// saved later tells of them, too. A large one that is damaged where a directory would tell what lies behind it is read whole (a second per
/// million events); of one with a directory what is damaged is met, and mended, when it is read.
fn read_session_file(path: &Path) -> Outcome<(Recording, Report)> {
    let (recording, report) = Recording::open(path)?;
    let is_checked = report.n_bytes <= limits::CHECKED_AT_OPEN_BYTES as u64;
    let may_have_more = !report.is_complete && report.damage.iter().any(|damage| damage.part != Part::End);
    if report.is_damaged() && (is_checked || may_have_more) { Recording::rescue(path) } else { Ok((recording, report)) }
}

/// Reads whatever kind of recording stands at `path`; damage becomes warnings.
fn open_recording(session: &Session, path: &Path, title: &str, redaction: &Redaction) -> Outcome<Recording> {
    path.metadata().map_err(|error| Failure::unreadable(path, &error))?;
    if path.is_file() && is_session_file(path)? {
        if !redaction.is_none() {
            return Err(Failure::unsupported("a session file is opened as it was saved: nothing is redacted in it"));
        }
        let (mut recording, report) = read_session_file(path)?;
        if let Some((_, n)) = recording.info.notes.iter().find(|(name, _)| name == DAMAGED_PLACES) {
            let places = if n == "1" { "1 place: loss() lists it" } else { &format!("{n} places: loss() lists them") };
            session.warn(format!("what this was imported from is damaged in {places}"));
        }
        if let Some((_, what)) = recording.info.notes.iter().find(|(name, _)| name == INTERRUPTED) {
            session.warn(what.clone());
        }
        recording.info.notes.extend(report.note());
        let name = path.display().to_string();
        if let Some(unfinished) = report.unfinished(&name) {
            session.warn(unfinished);
        } else if report.is_damaged() {
            report.damage.iter().for_each(|damage| session.report_damage(damage.to_string()));
            session.warn(format!("cinema repair {name} OUT.cinema saves what can be saved"));
        }
        return Ok(recording);
    }
    crate::session::import::recording(session, path, title, redaction)
}
