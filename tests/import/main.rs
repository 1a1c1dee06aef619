//! Importing what real tracers wrote: recorded traces whose truth is known (`tests/data/README.md`),
//! a trace that a BEAM writes while the test runs, and damaged files.

mod beam;
mod behaviours;
mod crafted;
mod damage;
mod elixir;
mod files;
mod fuzz;
mod lean;
mod lines;
mod live;
mod looks;
mod ours;
mod speed;
mod stream;
mod truth;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use cinema::codec::etf;
use cinema::model::{Class, Event, EventBatch, Filter, Kind, Seq, Style, Syntax, Term};
use cinema::sandbox::import::{ImportReport, import};
use cinema::store::{Recording, RecordingInfo};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Imports `path` into a recording. Panics when it is no trace.
fn recorded(path: &Path) -> (Recording, ImportReport) {
    let mut recording = Recording::new(RecordingInfo::default());
    let mut append = |batch: &EventBatch| {
        recording.begin_at(batch.first);
        for (idx, event) in batch.iter().enumerate() {
            assert_eq!(recording.append(&event)?, Seq(batch.first.0 + idx as u64));
            assert!(event.cause.is_none_or(|cause| cause.0 < batch.first.0 + idx as u64), "a cause comes first");
        }
        Ok(())
    };
    let report = import(path, &mut append, &mut |_| true).expect("the file is a trace");
    assert_eq!(report.n_events, recording.n_held());
    (recording, report)
}

/// One event per line, without what differs from run to run.
fn told(recording: &Recording, events: impl IntoIterator<Item = Event>) -> String {
    let line = |event: Event| {
        let class = if event.class == Class::None { "" } else { event.class.as_str() };
        let tag = event.tag.map_or(String::new(), |tag| format!(" {tag:?}"));
        let partial = recording.meta(event.seq).and_then(|meta| meta.as_map()?.get_atom("partial").cloned());
        let equals = if partial.is_some() { "~" } else { "=" };
        let state = match event.kind {
            Kind::StateChange | Kind::Exit => format!(" {equals} {}", shown(recording.term(event.seq))),
            _ => String::new(),
        };
        let cause = event.cause.and_then(|cause| recording.event(cause));
        let cause = cause.map_or(String::new(), |cause| {
            let tag = cause.tag.map_or(String::new(), |tag| format!(" {tag:?}"));
            let tag = if cause.tag == event.tag { String::new() } else { tag };
            format!(" <- {} {}{tag}", cause.kind.as_str(), cause.class.as_str())
        });
        format!("{} {class}{tag}{state}{cause}\n", event.kind.as_str())
    };
    events.into_iter().map(line).collect()
}

/// A trace file of these terms.
fn frames(messages: &[Term]) -> Vec<u8> {
    let mut file = Vec::new();
    for message in messages {
        let mut body = Vec::new();
        etf::encode(message, &mut body);
        file.push(0);
        file.extend_from_slice(&(body.len() as u32).to_be_bytes());
        file.extend_from_slice(&body);
    }
    file
}

/// Imports `bytes` as a file.
fn recorded_bytes(bytes: &[u8]) -> (Recording, ImportReport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("damaged.trace");
    std::fs::write(&path, bytes).expect("the folder is writable");
    recorded(&path)
}

fn of_kind(recording: &Recording, kind: Kind) -> Vec<Event> {
    recording.scan(&Filter::kind(kind)).collect()
}

fn count(recording: &Recording, kinds: &[Kind]) -> u64 {
    recording.count(&Filter::kinds(kinds))
}

fn shown(term: Option<Term>) -> String {
    term.map_or(String::new(), |term| term.display(Style::erlang().chars_max(120)).to_string())
}

/// The value at `key` of an event's payload.
fn field(recording: &Recording, seq: Seq, key: &str) -> String {
    shown(recording.term(seq).and_then(|term| term.as_map()?.get_atom(key).cloned()))
}

/// One line per event: seq, time since the first, kind, process, then what is there of the other columns.
fn listing(recording: &Recording) -> String {
    let mut out = String::new();
    let start_ns = recording.time_range_ns().map_or(0, |(start, _)| start);
    for event in recording.scan(&Filter::default()) {
        let _ = write!(out, "{} {}us {}", event.seq.0, (event.at_ns - start_ns) / 1_000, event.kind.as_str());
        let _ = write!(out, " {}", event.process.display(Syntax::Erlang));
        if event.class.as_str() != "none" {
            let _ = write!(out, " class={}", event.class.as_str());
        }
        if let Some(peer) = event.peer {
            let _ = write!(out, " peer={}", peer.display(Syntax::Erlang));
        }
        if let Some(tag) = event.tag {
            let _ = write!(out, " tag={tag:?}");
        }
        if let Some(call) = event.call {
            let _ = write!(out, " call={:04x}", call.0 & 0xffff);
        }
        if let Some(cause) = event.cause {
            let _ = write!(out, " cause={}", cause.0);
        }
        let line = format!(" {} {}", shown(recording.term(event.seq)), shown(recording.meta(event.seq)));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}
