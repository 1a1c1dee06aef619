//! What can be imported besides a single trace file: sets of files, files of several nodes, and JSON lines.

use std::path::{Path, PathBuf};

use cinema::export::events_jsonl;
use cinema::model::{Atom, EventBatch, FailureKind, Filter, Kind, Origin, Pid, Seq, Syntax, Term};
use cinema::sandbox::import::{ClockOffset, ImportReport, check, import_all};
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
    let report = import_all(paths, &[], &mut append, &mut |_| true).expect("they can be imported");
    (recording, report)
}

/// What is lost, as the losses say, each with the event before it.
fn losses(recording: &Recording) -> Vec<(Option<&'static str>, String)> {
    let mut before = None;
    let mut losses = Vec::new();
    for event in recording.scan(&Filter::default()) {
        match event.kind {
            Kind::Loss => losses.push((before, super::shown(recording.term(event.seq)))),
            _ => before = event.tag.map(|tag| tag.as_str()),
        }
    }
    losses
}

fn told(report: &ImportReport) -> Vec<String> {
    report.defects.kept.iter().map(ToString::to_string).collect()
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
fn a_file_that_is_missing_in_a_set_is_a_loss_in_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |n: u32| folder.path().join(format!("node.{n}.wrp"));
    write_trace(&path(0), &[("a", 1)]);
    write_trace(&path(1), &[("b", 2)]);
    write_trace(&path(3), &[("d", 4)]);
    let what = "node.3.wrp: a file is missing of the set before it at byte 0";
    for paths in [vec![path(1)], vec![path(0), path(1), path(3)]] {
        let (recording, report) = imported(&paths);
        assert_eq!(tags(&recording), ["a", "b", "d"]);
        assert_eq!(told(&report), [what]);
        assert_eq!(
            losses(&recording),
            [(Some("b"), format!("#{{places => 1,reason => damage,what => <<\"{what}\">>}}"))]
        );
    }
    // Where the numbers have gone round, the one gap is where the set begins.
    write_trace(&path(0), &[("e", 5)]);
    write_trace(&path(1), &[("f", 6)]);
    let (recording, report) = imported(&[path(0)]);
    assert_eq!((tags(&recording), told(&report)), (vec!["d", "e", "f"], vec![]));
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

#[test]
fn what_clocks_are_taken_for_is_told_and_an_offset_shifts_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = ["left.trace", "right.trace"].map(|name| folder.path().join(name));
    let message = |node: &str, name: &str, stamp: &str| {
        let text = format!("{{trace_ts,<0.7.0>,register,{name},{stamp}}}");
        let Ok(Term::Tuple(parts)) = Term::parse(&text, Syntax::Erlang) else { panic!("a trace message: {text}") };
        let origin = Origin::intern(Atom::new(node), 1).expect("a node");
        let who = Term::Pid(Pid { origin, ..Pid::local(7) });
        let mut parts = parts.to_vec();
        parts[1] = who;
        Term::tuple(parts)
    };
    let merged = |nodes: [&str; 2], stamps: [&str; 2], offsets: &[ClockOffset]| {
        std::fs::write(&paths[0], frames(&[message(nodes[0], "l", stamps[0])])).expect("the folder is writable");
        std::fs::write(&paths[1], frames(&[message(nodes[1], "r", stamps[1])])).expect("the folder is writable");
        let mut recording = Recording::new(RecordingInfo::default());
        let mut append = |batch: &EventBatch| batch.iter().try_for_each(|event| recording.append(&event).map(drop));
        import_all(&paths, offsets, &mut append, &mut |_| true)
            .map(|report| (tags(&recording).join(""), report.assumed))
    };
    let (nodes, monotonic) = (["a@host", "b@host"], ["{5,5}", "{90000000000,6}"]);
    let (order, assumed) = merged(nodes, monotonic, &[]).expect("they are traces");
    assert_eq!(order, "lr");
    assert_eq!(
        assumed,
        [
            "left.trace and right.trace were merged as their times are, so that right.trace begins 90 s after left.trace, \
          but the clocks of two nodes have nothing in common: --offset right.trace=TIME adds to its times"
        ]
    );
    let offset = |file: &str| ClockOffset { file: file.into(), ns: -90_000_000_000 };
    let shifted = merged(nodes, monotonic, &[offset("right.trace")]).expect("they are traces");
    assert_eq!(shifted, ("rl".to_string(), vec![]));
    let unknown = merged(nodes, monotonic, &[offset("other.trace")]).expect_err("there is no such file");
    assert!(unknown.to_string().starts_with("no trace file other.trace to shift in time"), "{unknown}");
    // One node has one clock, and the time of day is everybody's.
    assert_eq!(merged(["a@host", "a@host"], monotonic, &[]).expect("they are traces").1, [""; 0]);
    let hours = |a: u32, b: u32| [format!("{{1700,{a},0}}"), format!("{{1700,{b},0}}")];
    let wall = hours(0, 0);
    assert_eq!(merged(nodes, [&wall[0], &wall[1]], &[]).expect("they are traces").1, [""; 0]);
    let apart = hours(0, 36_000);
    let (_, assumed) = merged(nodes, [&apart[0], &apart[1]], &[]).expect("they are traces");
    assert!(
        assumed[0].contains("begins 10 h after left.trace, but the two nodes have no time in common"),
        "{assumed:?}"
    );
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
        r#"{"at_ns":1,"kind":"sned","process":"<0.1.0>"}"#,
        r#"{"at_ns":1.5,"kind":"send","process":"<0.1.0>"}"#,
        r#"{"at_ns":-9223372036854775808,"kind":"send","process":"<0.1.0>"}"#,
        r#"{"seq":-1,"at_ns":1,"kind":"send","process":"<0.1.0>"}"#,
        r#"{"at_ns":1,"kind":"send","process":"lists"}"#,
        r#"{"at_ns":1,"kind":"send","process":"<0.1.0>","payload":{"$tuple":1}}"#,
        r#"{"at_ns":1,"kind":"send","process":"<0.1.0>","payload_etf":"8"}"#,
    ];
    std::fs::write(&path, format!("{}\n{good}\n{}\n\n{good}", bad[0], bad[1..].join("\n")))
        .expect("the folder is writable");
    let (recording, report) = imported(&[path]);
    expect_test::expect![[r#"
        hand.jsonl: line 1, column 18: EOF while parsing a value at byte 0
        hand.jsonl: line 3, column 19: no kind "nothing": it is one of spawn, exit, crash, link, unlink, monitor, demonitor, down, register, unregister, send, receive, handle_start, handle_end, reply, timeout, late_reply, send_to_dead, state_change, code_change, supervisor_restart, child_spec_change, timer_start, timer_fire, timer_cancel, gc, loss, mark, restored, forked, exit_signal, log, input, sample, held, released at byte 95
        hand.jsonl: line 4, column 19: no kind "sned": did you mean "send"? at byte 144
        hand.jsonl: line 5, column 12: invalid type: floating point `1.5`, expected a whole number at byte 190
        hand.jsonl: line 6: a clock at -9223372036854775808 ns (limit CLOCK_NS_MAX: 4611686018427387903) at byte 238
        hand.jsonl: line 7, column 9: invalid value: integer `-1`, expected a whole number from 0 on at byte 303
        hand.jsonl: line 8, column 36: "lists" is no pid or port such as "<0.12.0>" at byte 358
        hand.jsonl: line 9: payload is not the JSON form of a term at byte 402
        hand.jsonl: line 10: payload_etf has no pairs of hexadecimal digits at byte 471
    "#]].assert_eq(&format!("{}\n", told(&report).join("\n")));
    // A loss stands in the place of each; one before the first event has its time.
    let kinds: Vec<&str> = recording.scan(&Filter::default()).map(|event| event.kind.as_str()).collect();
    let n_bad = bad.len();
    assert_eq!(kinds[..3], ["loss", "send", "loss"]);
    assert_eq!((kinds.len(), kinds[n_bad + 1], losses(&recording).len()), (n_bad + 2, "send", n_bad));
    assert_eq!(recording.time_range_ns(), Some((1, 1)));
}

#[test]
fn what_is_odd_in_lines_is_taken_and_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("odd.jsonl");
    let line = |seq: u64, at_ns: i64, cause: &str| {
        format!(r#"{{"seq":{seq},"at_ns":{at_ns},"kind":"receive","process":"<0.1.0>"{cause}}}"#)
    };
    let far = cinema::model::limits::CLOCK_NS_MAX;
    let lines = [line(4, 9, ""), line(4, 5, ""), line(3, 5, ""), line(7, -far, r#","cause":4"#), line(8, far, "")];
    std::fs::write(&path, lines.join("\n")).expect("the folder is writable");
    let (recording, report) = imported(&[path]);
    assert_eq!(recording.len(), 5);
    assert_eq!(recording.event(Seq(3)).and_then(|event| event.cause), Some(Seq(0)));
    assert_eq!(
        report.assumed,
        [
            "line 2: seq 4 comes again, or late: numbers ascend; the event is kept, and no cause leads to it (2 times in all)",
            "line 2: at_ns goes back by 4 ns: the order of the lines is kept (2 times in all)"
        ]
    );
}

#[test]
fn a_file_is_imported_into_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("small.cinema");
    let source = data("ejabberd-small.trace");
    let mut last = None;
    let imported = into_file(std::slice::from_ref(&source), &[], &out, &mut |progress| {
        last = Some(progress);
        true
    })
    .expect("it is a trace");
    assert!(last.is_some_and(|progress| progress.n_bytes_read == progress.n_bytes_total));
    let (kept, report) = Recording::open(&out).expect("it was completed");
    assert_eq!((report.is_whole(), kept.len()), (true, imported.n_events));
    assert_eq!(listing(&kept), listing(&recorded(&source).0));
    let mut n_looks = 0;
    let cut = into_file(std::slice::from_ref(&source), &[], &out, &mut |_| {
        n_looks += 1;
        n_looks < 2
    });
    assert_eq!(cut.err().map(|failure| failure.kind), Some(FailureKind::Interrupted));
    let (part, report) = Recording::open(&out).expect("what was read is kept");
    assert!(report.is_whole() && !part.is_empty() && part.len() < imported.n_events);
    assert!(part.info.notes.iter().any(|(name, _)| name == "interrupted"), "and says that it is a part");
    let itself = into_file(std::slice::from_ref(&out), &[], &out, &mut |_| true);
    assert!(itself.is_err() && Recording::open(&out).is_ok(), "nothing is overwritten by itself");
    assert!(check(&[folder.path().join("absent")], &[]).is_err());
}
