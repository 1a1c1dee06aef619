//! What can be imported besides a single trace file: sets of files, files of several nodes, and JSON lines.

use std::path::{Path, PathBuf};

use cinema::export::events_jsonl;
use cinema::model::{EventBatch, Filter, Seq, Syntax, Term};
use cinema::sandbox::import::{ImportReport, check, import_all};
use cinema::session::import::into_file;
use cinema::store::{Recording, RecordingInfo};

use super::{data, frames, listing, recorded};

/// A trace file with one register event per name and time (ns).
fn write_trace(path: &Path, names: &[(&str, i64)]) {
    let message = |(name, at_ns): &(&str, i64)| {
        Term::parse(&format!("{{trace_ts,<0.7.0>,register,{name},{{{at_ns},{at_ns}}}}}"), Syntax::Erlang)
            .expect("a trace message")
    };
    std::fs::write(path, frames(&names.iter().map(message).collect::<Vec<_>>())).expect("the folder is writable");
}

fn imported(paths: &[PathBuf]) -> (Recording, ImportReport) {
    let mut recording = Recording::new(RecordingInfo::default());
    let mut append = |batch: &EventBatch| batch.iter().try_for_each(|event| recording.append(&event).map(drop));
    let report = import_all(paths, &mut append, &mut |_| true).expect("they can be imported");
    (recording, report)
}

fn tags(recording: &Recording) -> Vec<&'static str> {
    recording.scan(&Filter::default()).filter_map(|event| event.tag).map(|tag| tag.as_str()).collect()
}

#[test]
fn a_wrapped_set_is_read_from_its_oldest_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |n: u32| folder.path().join(format!("node{n}.trace"));
    write_trace(&path(0), &[("e", 5), ("f", 6)]);
    write_trace(&path(2), &[("a", 1), ("b", 2)]);
    write_trace(&path(10), &[("c", 3), ("d", 4)]);
    let (recording, report) = imported(&[path(0), path(10), path(2)]);
    assert_eq!(tags(&recording), ["a", "b", "c", "d", "e", "f"]);
    assert_eq!((report.n_frames, report.n_late), (6, 0));
}

#[test]
fn files_of_several_tracers_are_merged_by_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = ["left.trace", "right.trace"].map(|name| folder.path().join(name));
    write_trace(&paths[0], &[("a", 1), ("d", 4), ("e", 5)]);
    write_trace(&paths[1], &[("b", 2), ("c", 3), ("f", 6)]);
    assert_eq!(tags(&imported(&paths).0), ["a", "b", "c", "d", "e", "f"]);
    let twice = [paths[0].clone(), paths[0].clone()];
    assert_eq!(tags(&imported(&twice).0), ["a", "d", "e"], "a file counts once");
}

/// Exports, imports, and compares everything that an event has.
fn round_trip(recording: &Recording) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.jsonl");
    let mut lines = Vec::new();
    events_jsonl(recording, &Filter::default(), &mut lines).expect("a vector takes all");
    std::fs::write(&path, &lines).expect("the folder is writable");
    let (again, report) = imported(&[path]);
    assert_eq!(report.defects.kept, []);
    assert_eq!(again.len(), recording.len());
    for (theirs, ours) in recording.scan(&Filter::default()).zip(again.scan(&Filter::default())) {
        assert_eq!(theirs, ours);
        let bytes =
            |recording: &Recording| (recording.payload(ours.seq), recording.meta_ref(ours.seq).map(|m| m.to_vec()));
        assert_eq!(bytes(recording), bytes(&again), "event {}", ours.seq.0);
    }
}

#[test]
fn exported_lines_give_the_same_events() {
    for name in ["ejabberd-small.trace", "shop-ttb"] {
        round_trip(&recorded(&data(name)).0);
    }
}

#[test]
fn a_part_that_was_exported_keeps_its_causes() {
    let (recording, _) = recorded(&data("shop-ttb"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("part.jsonl");
    let part = 40..recording.len();
    let mut lines = Vec::new();
    let filter = Filter { ranges: vec![part.clone()], ..Filter::default() };
    events_jsonl(&recording, &filter, &mut lines).expect("a vector takes all");
    std::fs::write(&path, &lines).expect("the folder is writable");
    let (again, _) = imported(&[path]);
    for (theirs, ours) in recording.scan(&filter).zip(again.scan(&Filter::default())) {
        let cause = theirs.cause.filter(|cause| part.contains(&cause.0)).map(|cause| Seq(cause.0 - part.start));
        assert_eq!((ours.seq.0, ours.cause), (theirs.seq.0 - part.start, cause));
    }
}

#[test]
fn a_line_that_is_no_event_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("hand.jsonl");
    let good = r#"{"at_ns":1,"kind":"send","process":"<0.1.0>","payload":{"$tuple":["ok",1]}}"#;
    let bad = [
        r#"{"at_ns":1,"kind":"#,
        r#"{"at_ns":1,"kind":"nothing","process":"<0.1.0>"}"#,
        r#"{"at_ns":1,"kind":"send","process":"lists"}"#,
        r#"{"at_ns":1,"kind":"send","process":"<0.1.0>","payload":{"$tuple":1}}"#,
        r#"{"at_ns":1,"kind":"send","process":"<0.1.0>","payload_etf":"8"}"#,
    ];
    std::fs::write(&path, format!("{good}\n{}\n\n{good}", bad.join("\n"))).expect("the folder is writable");
    let (recording, report) = imported(&[path]);
    assert_eq!(recording.len(), 2);
    let told: String = report.defects.kept.iter().map(|defect| format!("{defect}\n")).collect();
    expect_test::expect![[r#"
        hand.jsonl: line 2: EOF while parsing a value at line 1 column 18 at byte 76
        hand.jsonl: line 3: no kind "nothing" at byte 95
        hand.jsonl: line 4: "lists" is no pid or port such as "<0.12.0>" at byte 144
        hand.jsonl: line 5: payload is not the JSON form of a term at byte 188
        hand.jsonl: line 6: payload_etf has no pairs of hexadecimal digits at byte 257
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_file_is_imported_into_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("small.cinema");
    let source = data("ejabberd-small.trace");
    let mut last = None;
    let imported = into_file(std::slice::from_ref(&source), &out, &mut |progress| {
        last = Some(progress);
        true
    })
    .expect("it is a trace");
    assert!(last.is_some_and(|progress| progress.n_bytes_read == progress.n_bytes_total));
    let (kept, report) = Recording::open(&out).expect("it was completed");
    assert_eq!((report.is_whole(), kept.len()), (true, imported.n_events));
    assert_eq!(listing(&kept), listing(&recorded(&source).0));
    let itself = into_file(std::slice::from_ref(&out), &out, &mut |_| true);
    assert!(itself.is_err() && Recording::open(&out).is_ok(), "nothing is overwritten by itself");
    assert!(check(&[folder.path().join("absent")]).is_err());
}
