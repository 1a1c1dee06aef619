//! Foreign recordings into ours: the importer reads on its own thread, this one appends.
//! It must not know the formats.

use std::path::{Path, PathBuf};

use super::{Fresh, Session, check_name};
use crate::codec::etf;
use crate::model::limits::PAYLOAD_BYTES_MAX;
use crate::model::{EventBatch, Failure, FailureKind, INTERRUPTED, Kind, NewEvent, Outcome, Pid, Term};
use crate::sandbox::import::{self, ImportReport, Omitted, import_all};
pub use crate::sandbox::import::{ClockOffset, Progress};
use crate::sandbox::trace::{Redaction, Veil};
use crate::store::{Durability, Recording, RecordingInfo};

/// Damaged places that are told one by one; the recording's losses tell them all.
const SHOWN_DEFECTS: usize = 20;

/// Notes of a recording about its import.
pub(super) const DAMAGED_PLACES: &str = "damaged places";
const DAMAGED: &str = "damaged";
const ASSUMED: &str = "assumed";
const LEFT_OUT: &str = "left out";

/// Whether `path` is a session file, by its name or its first bytes, unless these are of something else.
pub(super) fn is_session_file(path: &Path) -> Outcome<bool> {
    Ok(Recording::is_session_file(path)? && !import::is_foreign(path))
}

/// Imports trace files, a folder or JSON lines, without what is to be redacted. Damage becomes warnings; everything before it
/// is there.
pub(super) fn recording(session: &Session, path: &Path, title: &str, redaction: &Redaction) -> Outcome<Recording> {
    let mut recording = Recording::new(info(title));
    let paths = [path.to_path_buf()];
    let report = fill(&mut recording, &paths, &[], redaction, &mut |_| !session.is_interrupted())?;
    damage(&report).into_iter().for_each(|warning| session.report_damage(warning));
    report.assumed.iter().for_each(|what| session.warn(what.clone()));
    left_out(&report).into_iter().for_each(|what| session.warn(what));
    Ok(recording)
}

/// A recording that was imported into a file, what was damaged, and what was taken for granted.
pub struct Imported {
    pub n_frames: u64,
    pub n_events: u64,
    pub damage: Vec<String>,
    pub assumed: Vec<String>,
    /// What was too large to be kept, told in a line.
    pub left_out: Option<String>,
}

/// Imports `paths`, trace files merged by time or one of JSON lines, into the session file `out`, which is there when all is
/// read: memory is bounded. `progress` is called every few thousand events; its `false` interrupts: what was imported until then
/// is in the file, with a loss at its end, unless a file was there already, which stays. Errors: those of the files, of `out`,
/// which is left as it was and has a name that does not end with `.cinema`; interruption.
pub fn into_file(
    paths: &[PathBuf],
    offsets: &[ClockOffset],
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Outcome<Imported> {
    if let Some(path) = paths.iter().find(|path| path.is_file() && Recording::begins_as_session(path)) {
        return Err(Failure::usage(format!("{} is a session file: there is nothing to import", path.display()))
            .hint(format!("cinema open {}", path.display())));
    }
    check_name(out)?;
    // What cannot be imported, and what is imported, is not to be overwritten.
    import::check(paths, offsets)?;
    let is_out =
        |path: &&PathBuf| path.canonicalize().is_ok_and(|path| out.canonicalize().is_ok_and(|out| out == path));
    if let Some(path) = paths.iter().find(is_out) {
        return Err(
            Failure::usage(format!("{} cannot be imported into itself", path.display())).hint("-o OTHER.cinema")
        );
    }
    let names = paths.iter().map(|path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy());
    let title = names.collect::<Vec<_>>().join(", ");
    let durability = Durability { seal_after_ns: i64::MAX, ..Durability::default() };
    let fresh = Fresh::at(out)?;
    // What failed is told of the file that was asked for; what was written of it goes.
    let failed = |failure: Failure| match failure.kind {
        FailureKind::Io => {
            Failure::io(failure.error.replace(&fresh.path().display().to_string(), &out.display().to_string()))
        }
        _ => failure,
    };
    let mut recording = Recording::create(fresh.path(), info(&title), durability).map_err(failed)?;
    let report = fill(&mut recording, paths, offsets, &Redaction::none(), progress).map_err(failed);
    let is_interrupted = report.as_ref().is_err_and(|failure| failure.kind == FailureKind::Interrupted);
    let is_part = is_interrupted && !fresh.is_replacing();
    if is_part {
        interrupted(&mut recording)?;
    }
    if report.is_ok() || is_part {
        recording.finish().map_err(failed)?;
        drop(recording);
        fresh.keep()?;
    }
    let report = report.map_err(|failure| match (is_interrupted, is_part) {
        (true, true) => failure.hint(format!("{} has what was read until then", out.display())),
        (true, false) => failure.hint(format!("{} is as it was", out.display())),
        _ => failure,
    })?;
    let (damage, left_out) = (damage(&report), left_out(&report));
    let ImportReport { n_frames, n_events, assumed, .. } = report;
    Ok(Imported { n_frames, n_events, damage, assumed, left_out })
}

/// Says, in its notes and by a loss at its end, that a recording lacks what was not imported.
fn interrupted(recording: &mut Recording) -> Outcome<()> {
    let what = "the import was interrupted: what comes next in its files is missing";
    recording.info.notes.push((INTERRUPTED.to_string(), what.to_string()));
    let at_ns = recording.time_range_ns().map_or(0, |(_, last_ns)| last_ns);
    let mut payload = Vec::new();
    let entries = [("reason", Term::atom(INTERRUPTED)), ("what", Term::binary(what))];
    etf::encode(&Term::map(entries.map(|(key, value)| (Term::atom(key), value))), &mut payload);
    recording.append(&NewEvent { payload: &payload, ..NewEvent::new(at_ns, Kind::Loss, Pid::local(0)) }).map(drop)
}

fn info(title: &str) -> RecordingInfo {
    RecordingInfo { source: "import".into(), title: title.into(), ..RecordingInfo::default() }
}

/// Appends what is imported, and notes what was found out.
fn fill(
    recording: &mut Recording,
    paths: &[PathBuf],
    offsets: &[ClockOffset],
    redaction: &Redaction,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> Outcome<ImportReport> {
    let mut veil = (!redaction.is_none()).then(|| Veil::new(redaction.clone(), []));
    let mut append = |batch: &EventBatch| {
        recording.begin_at(batch.first);
        batch.iter().try_for_each(|event| match &mut veil {
            None => recording.append(&event).map(drop),
            Some(veil) => {
                let (payload, meta) = veil.event(&event);
                recording.append(&NewEvent { payload: &payload, meta: &meta, ..event }).map(drop)
            }
        })
    };
    let report = import_all(paths, offsets, &mut append, progress)?;
    describe(recording, &report);
    if let Some(veil) = &veil {
        let notes = [("redacted by", redaction.describe()), ("redacted values", veil.n_redacted().to_string())];
        recording.info.notes.extend(notes.map(|(name, what)| (name.to_string(), what)));
    }
    Ok(report)
}

/// What was damaged, a line each.
fn damage(report: &ImportReport) -> Vec<String> {
    let defects = &report.defects;
    let mut lines: Vec<String> = defects.kept.iter().take(SHOWN_DEFECTS).map(ToString::to_string).collect();
    if defects.n_total > lines.len() as u64 {
        lines.push(format!("{} damaged places in all: loss() lists them", defects.n_total));
    }
    lines
}

/// What was too large to be kept.
fn left_out(report: &ImportReport) -> Option<String> {
    let Omitted { n, n_bytes_max } = report.omitted;
    let mib = |n_bytes: usize| n_bytes.div_ceil(1 << 20);
    let what = match n {
        0 => return None,
        1 => format!("what 1 event carries, {} MiB", mib(n_bytes_max)),
        n => format!("what {n} events carry, up to {} MiB each", mib(n_bytes_max)),
    };
    Some(format!(
        "{what}, was left out (limit PAYLOAD_BYTES_MAX: {} MiB); `lost` has \"payload\" there, and `meta` the size",
        mib(PAYLOAD_BYTES_MAX)
    ))
}

/// Writes what the import found out into the recording's notes.
fn describe(recording: &mut Recording, report: &ImportReport) {
    recording.info.is_elixir = report.is_elixir;
    let mut note = |name: &str, value: String| recording.info.notes.push((name.to_string(), value));
    if let Some(node) = report.node {
        note("node", node.as_str().to_string());
    }
    note("frames", report.n_frames.to_string());
    if report.n_dropped > 0 {
        note("dropped by the tracer", report.n_dropped.to_string());
    }
    for (kind, n) in &report.unstored {
        note(&format!("not stored: {kind}"), n.to_string());
    }
    if report.n_late > 0 {
        note("late", report.n_late.to_string());
    }
    if report.defects.n_total > 0 {
        note(DAMAGED_PLACES, report.defects.n_total.to_string());
        report.defects.kept.iter().take(SHOWN_DEFECTS).for_each(|defect| note(DAMAGED, defect.to_string()));
    }
    report.assumed.iter().for_each(|what| note(ASSUMED, what.clone()));
    left_out(report).into_iter().for_each(|what| note(LEFT_OUT, what));
}
