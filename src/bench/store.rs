//! The store against a memcpy of the same bytes, SQLite and DuckDB on the same rows.

use std::path::PathBuf;

use super::workload::Workload;
use super::{Options, Section, peers, timed};
use crate::model::{Failure, Outcome};
use crate::store::{Recording, RecordingInfo};
use crate::view::Table;

/// A folder for files that the measurements need; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Outcome<Scratch> {
        let path = std::env::temp_dir().join(format!("cinema-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| Failure::io(format!("{}: {error}", path.display())))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch folder that cannot be removed is the temp folder's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn record(workload: &Workload, n_events: u64) -> Outcome<Recording> {
    let mut recording = Recording::new(RecordingInfo::default());
    while recording.len() < n_events {
        for event in workload.events(recording.len()) {
            recording.append(&event)?;
        }
    }
    Ok(recording)
}

/// Append rate and size.
pub fn append(options: &Options) -> Outcome<Table> {
    let n_events = if options.is_quick { 100_000 } else { 1_000_000 };
    let workload = Workload::new(n_events);
    let n = workload.len() as u64;
    let mut section = Section::new("store: append", options);
    let row_bytes = workload.payload_bytes() as f64 / n as f64 + ROW_BYTES as f64;

    section.measure("memcpy of the same bytes", "event", n, || timed(|| copy(&workload)).1);
    section.figure("memcpy: size", row_bytes, "B/event");

    let mut failure = None;
    let unit_ns = section.measure("cinema append", "event", n, || {
        let (recorded, took) = timed(|| record(&workload, n));
        failure = failure.take().or(recorded.err());
        took
    });
    section.aim_per_s(unit_ns, 4e6);
    failure.map_or(Ok(()), Err)?;

    let scratch = Scratch::new()?;
    for peer in ["sqlite", "duckdb"] {
        match peers::insert(peer, &workload, &scratch.0) {
            Ok(taken) => {
                section.record(&format!("{peer} insert, one transaction"), "event", n, taken.took);
                section.figure(&format!("{peer}: size"), taken.file_bytes as f64 / n as f64, "B/event");
            }
            Err(why) => section.note(format!("skipped {peer}: {}", why.error)),
        }
    }
    section.note("one thread; payloads encoded beforehand; append includes dedup, compression, indexes, keyframes");
    Ok(section.finish())
}

/// A row without payload as a plain array of structs has it.
const ROW_BYTES: usize = 56;

/// What any store must do at least: move rows and payloads to where they stay.
fn copy(workload: &Workload) -> usize {
    let mut bytes: Vec<u8> = Vec::with_capacity(workload.payload_bytes() + workload.len() * ROW_BYTES);
    for event in workload.events(0) {
        let mut row = [0u8; ROW_BYTES];
        row[..8].copy_from_slice(&event.at_ns.to_le_bytes());
        row[8] = event.kind as u8;
        bytes.extend_from_slice(&row);
        bytes.extend_from_slice(event.payload);
    }
    std::hint::black_box(&bytes).len()
}
