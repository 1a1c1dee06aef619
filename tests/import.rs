//! Importing what real tracers wrote: two recorded traces whose truth is known (see `tests/data/README.md`).

use std::fmt::Write;
use std::path::{Path, PathBuf};

use cinema::model::{Filter, Seq, Style, Syntax, Term};
use cinema::sandbox::import::{ImportReport, import};
use cinema::store::{Recording, RecordingInfo};
use expect_test::expect_file;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn recorded(path: &Path) -> (Recording, ImportReport) {
    let mut recording = Recording::new(RecordingInfo::default());
    let mut append = |batch: &cinema::model::EventBatch| {
        for (idx, event) in batch.iter().enumerate() {
            assert_eq!(recording.append(&event)?, Seq(batch.first.0 + idx as u64));
        }
        Ok(())
    };
    let report = import(path, &mut append, &mut |_| true).expect("the file is a trace");
    (recording, report)
}

fn brief(term: Option<Term>) -> String {
    term.map_or(String::new(), |term| term.display(Style::erlang().chars_max(120)).to_string())
}

/// One line per event: what is there, left to right as in the columns.
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
        let _ = writeln!(out, " {} {}", brief(recording.term(event.seq)), brief(recording.meta(event.seq)));
    }
    out.lines().map(str::trim_end).map(|line| format!("{line}\n")).collect()
}

#[test]
fn shop_ttb_event_by_event() {
    let (recording, report) = recorded(&data("shop-ttb"));
    assert_eq!((report.n_frames, report.n_dropped, report.defects.n_total), (78, 0, 0));
    expect_file!["data/shop-ttb.events"].assert_eq(&listing(&recording));
}
