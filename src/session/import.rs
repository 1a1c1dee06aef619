//! Foreign recordings into ours: the importer reads on its own thread, this one appends.
//! It must not know the formats.

use std::path::Path;

use super::Session;
use crate::model::{EventBatch, NewEvent, Outcome};
use crate::sandbox::import::{ImportReport, import};
use crate::sandbox::trace::{Redaction, Veil};
use crate::store::{Recording, RecordingInfo};

/// Imports a trace file or folder, without what is to be redacted. Damage becomes warnings; everything before it is
/// there.
pub(super) fn recording(session: &Session, path: &Path, title: &str, redaction: &Redaction) -> Outcome<Recording> {
    let mut recording =
        Recording::new(RecordingInfo { source: "import".into(), title: title.into(), ..Default::default() });
    let mut veil = (!redaction.is_none()).then(|| Veil::new(redaction.clone(), []));
    let mut append = |batch: &EventBatch| {
        batch.iter().try_for_each(|event| match &mut veil {
            None => recording.append(&event).map(drop),
            Some(veil) => {
                let (payload, meta) = veil.event(&event);
                recording.append(&NewEvent { payload: &payload, meta: &meta, ..event }).map(drop)
            }
        })
    };
    let report = import(path, &mut append, &mut |_| !session.is_interrupted())?;
    describe(&mut recording, &report);
    if let Some(veil) = &veil {
        let what = format!("{}: {} values", redaction.describe(), veil.n_redacted());
        recording.info.notes.push(("redacted".to_string(), what));
    }
    for defect in &report.defects.kept {
        session.report_damage(defect.to_string());
    }
    if report.defects.n_total > report.defects.kept.len() as u64 {
        session.report_damage(format!("{title}: {} damaged places in all", report.defects.n_total));
    }
    Ok(recording)
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
}
