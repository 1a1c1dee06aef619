//! Snapshots, branches, marks and session files.

use std::path::Path;

use crate::model::{Failure, Kind, Moment, Outcome, Seq};
use crate::session::Session;
use crate::session::operation::{Perform, operations};
use crate::session::recorder::{self, plan, plan::Plan};
use crate::session::reply::Reply;
use crate::session::value::Options;
use crate::store::Mark;

operations! { KEEP:
    /// Names a moment to come back to; on a sandbox it can be restored.
    Keep "snapshot" Snapshot {
        /// Its name.
        name: String,
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "its position", "snapshot(\"before\")";

    /// Lists the snapshots.
    Keep "snapshots" Snapshots {} -> "a row per snapshot", "snapshots()";

    /// Returns the sandbox to a moment and goes on from there on a new branch; what came after stays recorded.
    Keep "restore" Restore {
        /// A snapshot's name or any moment.
        moment: Moment,
    } -> "the position", "restore(\"before\")";

    /// Begins a branch at a moment, as `restore` does, under a name.
    Keep "fork" Fork {
        /// Where the branch leaves the past; the cursor's moment when left out.
        moment: Option<Moment>,
        /// A name for lists.
        name: Option<String>,
    } -> "the position", "fork(\"#100\", \"what if\")";

    /// Lists the branches: where each left its parent.
    Keep "branches" Branches {} -> "a row per branch", "branches()";

    /// Marks a moment by a name; a mark of that name is moved, with its note.
    Keep "mark" SetMark {
        /// Its name.
        name: String,
        /// When; the cursor's moment when left out.
        moment: Option<Moment>,
    } -> "nothing", "mark(\"here it starts\")";

    /// Removes a mark or a snapshot, with its note.
    Keep "unmark" RemoveMark {
        /// Its name.
        name: String,
    } -> "nothing", "unmark(\"here it starts\")";

    /// Lists the marks, snapshots among them.
    Keep "marks" Marks {} -> "a row per mark", "marks()";

    /// Writes a note at a moment.
    Keep "note" Note {
        /// When.
        moment: Moment,
        /// The text.
        text: String,
    } -> "nothing", "note(\"#120\", \"the pool is full from here on\")";

    /// Saves the recording with its marks as a `.cinema` session file. One that is there is written over only when this
    /// session wrote or opened it, or with `force: true`.
    Keep "save" Save {
        /// The file.
        path: String,
        /// `#{force: true}`.
        options: Option<Options>,
    } -> "what was written", "save(\"outage.cinema\")";

    /// Records what is traced on a live node until something ends it: a flight recorder.
    ///
    /// Options: `out`: the file; `ring`: keep only the newest `"64MB"`, `"5min"` or `100_000` events; `trigger`: a condition
    /// or closure, at which the time from `before` (30 s) to `after` (10 s) it is saved, in numbered files, or with `once:
    /// true` in `out`, and that ends it; `rotate`: a numbered file per so much, of which the newest `keep` stay; `events`,
    /// `time`, `size`: what ends it; `progress`: how often it tells how far it is (`"5s"`; `()` for never); `force`: what is at
    /// `out` is written over; `stop`: the tracing ends with it. Ctrl-C ends it, too, and so do a limit of the tracing and the node's end; what is recorded is saved before anything else.
    Keep "record" Record {
        /// `#{out: "flight.cinema", trigger: on_result("timeout"), before: "30s", after: "10s"}`.
        options: Options,
    } -> "`ended_by`, `events`, `triggers`, `files`", "record(#{out: \"flight.cinema\", ring: \"5min\", time: \"1h\"})";
}

impl Perform for Snapshot {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let at = set_mark(session, self.name, self.moment.as_ref(), String::new(), true)?;
        let source = session.source()?;
        let (mut there, recording) = (source.timeline().clone(), source.recording());
        there.seek(&recording, &Moment::Seq(at))?;
        Ok(Reply::Position(there.position(&recording)))
    }
}

impl Perform for Snapshots {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source()?;
        let marks = source.recording().marks().iter().filter(|mark| mark.is_snapshot).cloned().collect();
        Ok(Reply::Marks(marks))
    }
}

impl Perform for Restore {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        let at = source.resolve_anywhere(&self.moment)?;
        let name = if let Moment::Mark(name) = &self.moment { name.as_str() } else { "" };
        source.restore(at, Kind::Restored, name)?;
        Ok(Reply::Position(source.position()))
    }
}

impl Perform for Fork {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let source = session.source_mut()?;
        let at = match &self.moment {
            Some(moment) => source.resolve_anywhere(moment)?,
            None => source.timeline().at(),
        };
        source.restore(at, Kind::Forked, self.name.as_deref().unwrap_or(""))?;
        Ok(Reply::Position(source.position()))
    }
}

impl Perform for Branches {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        Ok(Reply::Branches(session.source()?.recording().branches().to_vec()))
    }
}

impl Perform for SetMark {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        set_mark(session, self.name, self.moment.as_ref(), String::new(), false)?;
        Ok(Reply::Nothing)
    }
}

impl Perform for RemoveMark {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        if session.source_mut()?.remove_mark(&self.name) {
            return Ok(Reply::Nothing);
        }
        Err(Failure::not_found(format!("no mark {:?}", self.name)).hint("marks() lists them"))
    }
}

impl Perform for Marks {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        Ok(Reply::Marks(session.source()?.recording().marks().to_vec()))
    }
}

impl Perform for Note {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let seq = session.source()?.resolve_event(Some(&self.moment))?;
        let existing = session.source()?.recording().marks().iter().find(|mark| mark.at == seq).cloned();
        let name = existing.as_ref().map_or_else(|| format!("note {}", seq.0), |mark| mark.name.clone());
        let is_snapshot = existing.is_some_and(|mark| mark.is_snapshot);
        set_mark(session, name, Some(&Moment::Seq(seq)), self.text, is_snapshot)?;
        Ok(Reply::Nothing)
    }
}

impl Perform for Save {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let path = Path::new(&self.path);
        plan::check_name(path)?;
        let is_forced = self.options.map_or(Ok(false), |mut options| {
            let is_forced = options.take::<bool>("force")?.unwrap_or(false);
            options.finish("force").map(|()| is_forced)
        });
        if !is_forced.map_err(|what| Failure::usage(format!("save: {what}")).hint("help save"))? {
            session.check_own(path)?;
        }
        session.source()?.recording().save_while(path, &mut |_| !session.is_interrupted())?;
        session.note_own(path);
        let recording = session.source()?.recording();
        let n_bytes = std::fs::metadata(path).map(|meta| meta.len()).unwrap_or(0);
        Ok(Reply::Said(format!("saved {} events, {n_bytes} bytes, to {}", recording.n_held(), path.display())))
    }
}

impl Perform for Record {
    fn perform(self, session: &mut Session) -> Outcome<Reply> {
        let plan = Plan::read(self.options)?;
        recorder::record(session, plan).map(Reply::Recorded)
    }
}

fn set_mark(
    session: &mut Session,
    name: String,
    moment: Option<&Moment>,
    note: String,
    is_snapshot: bool,
) -> Outcome<Seq> {
    if name.is_empty() || Moment::parse(&name) != Ok(Moment::Mark(name.clone())) {
        return Err(Failure::usage(format!("{name:?} cannot name a mark: it would be read as another moment"))
            .hint("begin the name with a letter; start, end and now are taken"));
    }
    let source = session.source_mut()?;
    let at = source.resolve_event(moment)?;
    source.set_mark(Mark { name, at, note, is_snapshot });
    Ok(at)
}
