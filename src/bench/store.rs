//! The store against a memcpy of the same bytes, SQLite and DuckDB on the same rows.

use std::path::PathBuf;

use super::workload::Workload;
use super::{Options, Section, peers, timed};
use crate::model::{Actor, Event, Failure, Filter, Kind, Outcome, Pid, Seq};
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
    section.figure("cinema: size", saved(&workload, n, &scratch)?.1 as f64 / n as f64, "B/event");
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

/// A recording of `n_events`, saved: its path and its size.
fn saved(workload: &Workload, n_events: u64, scratch: &Scratch) -> Outcome<(PathBuf, u64)> {
    let path = scratch.0.join(format!("{n_events}.cinema"));
    record(workload, n_events)?.save(&path)?;
    let n_bytes = std::fs::metadata(&path).map_err(|error| Failure::io(format!("{}: {error}", path.display())))?.len();
    Ok((path, n_bytes))
}

/// Reading a recording of 1 M events.
pub fn read_1m(options: &Options) -> Outcome<Table> {
    read(options, if options.is_quick { 100_000 } else { 1_000_000 })
}

/// Reading a recording of 10 M events.
pub fn read_10m(options: &Options) -> Outcome<Table> {
    read(options, if options.is_quick { 1_000_000 } else { 10_000_000 })
}

/// Opening, seeking, filtering and scanning a saved recording of `n_events`.
fn read(options: &Options, n_events: u64) -> Outcome<Table> {
    let workload = Workload::new(100_000.min(n_events as usize));
    let scratch = Scratch::new()?;
    let (path, n_bytes) = saved(&workload, n_events, &scratch)?;
    let mut section = Section::new(&format!("store: read {n_events} events"), options);
    let open = || Recording::open(&path).map(|(recording, _)| recording);
    let recording = open()?;
    let n = recording.len();

    let everything = Filter::default();
    let rows: Vec<Event> = recording.scan(&everything).take(1_000_000).collect();
    let receives = Filter::kind(Kind::Receive);
    section.measure("Vec<Event>: count a kind", "event", rows.len() as u64, || {
        timed(|| std::hint::black_box(rows.iter().filter(|event| receives.matches(event)).count())).1
    });
    drop(rows);

    let unit_ns = section.measure("open the file", "file", 1, || timed(|| open().map(|r| r.len())).1);
    section.aim_ns(unit_ns, 10e6);
    let copy = scratch.0.join("copy.cinema");
    section.measure("save, synced", "event", n, || timed(|| recording.save(&copy).is_ok()).1);
    section.figure("file size", n_bytes as f64 / n as f64, "B/event");
    let unit_ns = section.measure("count a kind", "event", n, || timed(|| recording.count(&receives)).1);
    section.aim_per_s(unit_ns, 1e9);
    let calls = Filter { size_bytes_min: Some(60), ..Filter::kinds(&[Kind::Send, Kind::Receive]) };
    section.measure("count by kinds and size", "event", n, || timed(|| recording.count(&calls)).1);
    section.measure("scan all, every row built", "event", n, || {
        timed(|| std::hint::black_box(recording.scan(&everything).map(|event| event.at_ns).fold(0, i64::max))).1
    });

    let server = Filter::default().process(Actor::from(Pid::local(117)));
    section.measure("count one process", "count", 1, || timed(|| recording.count(&server)).1);
    let handles = Filter::kind(Kind::HandleStart).process(Actor::from(Pid::local(117)));
    let n_own = recording.count(&server);
    section.measure("scan one process for a kind", "own event", n_own, || {
        timed(|| std::hint::black_box(recording.scan(&handles).count())).1
    });
    section.measure("last event of a process", "look-up", 1, || timed(|| recording.scan(&server).next_back()).1);

    // Multiples of the golden ratio spread evenly.
    let places: Vec<u64> =
        (1..=1_000).map(|k| (k as f64 * 0.618_033_988_75).fract() * n as f64).map(|p| p as u64).collect();
    let n_places = places.len() as u64;
    section.measure("event by seq, at random", "event", n_places, || {
        timed(|| places.iter().filter_map(|place| recording.event(Seq(*place))).map(|e| e.at_ns).max()).1
    });
    let times: Vec<i64> = places.iter().filter_map(|p| recording.event(Seq(*p))).map(|event| event.at_ns).collect();
    let trunk = recording.lineage(0);
    section.measure("seek by time, at random", "seek", n_places, || {
        timed(|| times.iter().filter_map(|at_ns| recording.seek_time(&trunk, *at_ns)).max()).1
    });
    section.measure("seek and 100 payloads", "seek", 100, || timed(|| read_payloads(&recording, &places[..100])).1);
    let unit_ns = section.measure("materialise, at random", "state", 50, || {
        let state = |place: &u64| recording.materialise(Seq(*place)).processes.len();
        timed(|| places[..50].iter().map(state).max()).1
    });
    section.aim_ns(unit_ns, 2e6);
    section.note(format!(
        "a saved and mapped file, warm; {} processes; a keyframe each {} events",
        recording.actors().len(),
        crate::model::limits::KEYFRAME_EVENTS
    ));
    Ok(section.finish())
}

fn read_payloads(recording: &Recording, places: &[u64]) -> usize {
    let of_place = |place: &u64| -> usize {
        let seqs = (*place..).map(Seq).take_while(|seq| seq.0 < recording.len());
        seqs.filter_map(|seq| recording.payload_ref(seq)).take(100).map(|payload| payload.len()).sum()
    };
    places.iter().map(of_place).sum()
}
