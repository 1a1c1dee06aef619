//! Events as JSON lines: what is exported comes back, and what is odd, damaged or missing is told.

use cinema::export::events_jsonl;
use cinema::model::{Filter, Kind, NewEvent, Pid, Seq};
use cinema::sandbox::import::ImportReport;
use cinema::session::import::into_file;
use cinema::store::{Recording, RecordingInfo, RingLimits};

use super::files::{imported, losses, told};
use super::{data, recorded};

/// Imports a file of this text.
fn imported_text(text: &[u8]) -> (Recording, ImportReport) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("some.jsonl");
    std::fs::write(&path, text).expect("the folder is writable");
    imported(&[path])
}

/// A line of the event `seq`, with more fields.
fn line(seq: u64, more: &str) -> String {
    format!(r#"{{"seq":{seq},"at_ns":{},"kind":"log","process":"<0.1.0>"{more}}}"#, seq.min(9))
}

fn lines(lines: &[String]) -> (Recording, ImportReport) {
    imported_text(lines.join("\n").as_bytes())
}

/// The seqs of events that are no losses.
fn seqs(recording: &Recording) -> Vec<u64> {
    let is_some = |event: &cinema::model::Event| event.kind != Kind::Loss;
    recording.scan(&Filter::default()).filter(is_some).map(|event| event.seq.0).collect()
}

fn cause(recording: &Recording, seq: u64) -> Option<u64> {
    recording.event(Seq(seq)).and_then(|event| event.cause).map(|cause| cause.0)
}

fn exported(recording: &Recording, filter: &Filter) -> Vec<String> {
    let mut out = Vec::new();
    events_jsonl(recording, filter, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("JSON is text").lines().map(str::to_string).collect()
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
    let (again, report) = imported(&[path]);
    for (theirs, ours) in recording.scan(&filter).zip(again.scan(&Filter::default())) {
        assert_eq!((ours.seq, ours.cause), (theirs.seq, theirs.cause), "numbers stay");
    }
    assert_eq!((again.n_held(), again.first().0), (part.end - part.start, part.start));
    assert_eq!((report.n_events, report.defects.n_total, report.assumed.len()), (again.n_held(), 0, 0));
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
        hand.jsonl: line 9, column 46: payload is not the JSON form of a term at byte 402
        hand.jsonl: line 10, column 60: payload_etf has no pairs of hexadecimal digits at byte 471
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
    assert_eq!(recording.n_held(), 7, "two of them stand for #5 and #6");
    assert_eq!(cause(&recording, 9), Some(4));
    assert_eq!(
        report.assumed,
        [
            "the lines begin with #4: what came before is not in the file",
            "line 3: seq 3 comes late: the order of the lines is kept (once in all)",
            "line 2: seq 4 comes again: the event is kept, and no cause leads to it (once in all)",
            "line 2: at_ns goes back by 4 ns: the order of the lines is kept (2 times in all)"
        ]
    );
}

#[test]
fn an_odd_number_costs_no_cause_of_others() {
    let mut all: Vec<String> = (0..6).map(|seq| line(seq, "")).collect();
    all[2] = line(99_999_999_999, "").replace(r#""at_ns":9"#, r#""at_ns":2"#);
    all[5] = line(5, r#","cause":4"#);
    let (recording, report) = lines(&all);
    assert_eq!((seqs(&recording), cause(&recording, 5)), (vec![0, 1, 2, 3, 4, 5], Some(4)));
    assert_eq!(report.defects.n_total, 0);
    assert_eq!(
        report.assumed,
        ["line 3: seq 99999999999 stands before a smaller one: the order of the lines is kept (once in all)"]
    );
}

#[test]
fn lines_that_are_missing_are_losses_in_their_place() {
    let some = [0, 1, 4, 5, 9].map(|seq| line(seq, if seq == 9 { r#","cause":4"# } else { "" }));
    let (recording, report) = lines(&some);
    assert_eq!((seqs(&recording), cause(&recording, 9)), (vec![0, 1, 4, 5, 9], Some(4)), "numbers stay");
    assert_eq!(
        told(&report),
        [
            "some.jsonl: line 3: 2 events are missing between #1 and #4 at byte 106",
            "some.jsonl: line 5: 3 events are missing between #5 and #9 at byte 212"
        ]
    );
    let found = recording.losses(&recording.lineage(0));
    let found: Vec<_> = found.iter().map(|loss| (loss.seqs.clone(), loss.n_events, loss.reason)).collect();
    assert_eq!(found, [(2..4, Some(2), "damage"), (6..9, Some(3), "damage")]);
    // Of a number beyond all bounds one loss tells, and nothing overflows.
    let (recording, _) = lines(&[line(0, ""), line(u64::MAX - 1, ""), line(u64::MAX, "")]);
    let n_lost: u64 = recording.losses(&recording.lineage(0)).iter().filter_map(|loss| loss.n_events).sum();
    assert!(recording.len() < 100_000 && n_lost > 1 << 62, "{n_lost}");
}

#[test]
fn what_an_export_leaves_out_is_not_missing() {
    let (recording, _) = recorded(&data("shop-ttb"));
    let ranges = vec![3..10, 20..30, 40..recording.len()];
    let some = exported(&recording, &Filter { ranges, ..Filter::default() });
    let (again, report) = lines(&some);
    assert_eq!((report.defects.n_total, report.assumed.len()), (0, 0));
    assert_eq!((again.first(), again.n_held()), (Seq(3), some.len() as u64));
    // But a line that goes on the way is.
    let (_, report) = lines(&[&some[..8], &some[10..]].concat());
    assert!(told(&report)[0].contains("line 9: 2 events are missing between #20 and #23"), "{:?}", told(&report));
}

#[test]
fn the_lines_of_a_ring_keep_their_numbers_in_a_file_too() {
    let mut ring = Recording::new(RecordingInfo::default());
    ring.set_ring(Some(RingLimits { events_min: Some(1_000), ..RingLimits::default() })).expect("it is in memory");
    for n in 0..5_000u64 {
        let cause = n.checked_sub(1).map(Seq);
        ring.append(&NewEvent { cause, ..NewEvent::new(n as i64, Kind::Log, Pid::local(1)) }).expect("there is room");
    }
    let first = ring.first().0;
    assert!(first > 0);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [path, out, saved] = ["ring.jsonl", "ring.cinema", "saved.cinema"].map(|name| folder.path().join(name));
    std::fs::write(&path, exported(&ring, &Filter::default()).join("\n")).expect("the folder is writable");
    into_file(&[path], &[], &out, &mut |_| true).expect("it can be imported");
    let (again, report) = Recording::open(&out).expect("it was completed");
    assert_eq!((report.is_whole(), again.first().0, again.len()), (true, first, 5_000));
    assert_eq!((cause(&again, first), cause(&again, 4_999)), (Some(first - 1), Some(4_998)));
    assert_eq!(again.materialise(Seq(4_999)).processes.len(), 1);
    again.save(&saved).expect("the folder is writable");
    let (rescued, report) = Recording::rescue(&saved).expect("it is whole");
    assert_eq!((report.is_whole(), rescued.first().0, rescued.len()), (true, first, 5_000));
    assert!(exported(&rescued, &Filter::default()) == exported(&ring, &Filter::default())[..]);
}

#[test]
fn where_a_part_begins_is_told() {
    let (recording, report) = lines(&[line(500, ""), line(501, r#","cause":500"#)]);
    assert_eq!((seqs(&recording), cause(&recording, 501)), (vec![500, 501], Some(500)));
    assert_eq!(report.assumed, ["the lines begin with #500: what came before is not in the file"]);
    let (recording, report) = lines(&[line(u64::MAX - 1, ""), line(u64::MAX, r#","cause":18446744073709551614"#)]);
    assert_eq!((seqs(&recording), cause(&recording, 1)), (vec![0, 1], Some(0)));
    assert!(report.assumed[1].contains("is counted as #0 here (limit FIRST_SEQ_MAX"), "{:?}", report.assumed);
    // A line that is none stands for what is missing before the first.
    let (recording, _) = imported_text(format!("{{\n{}", line(1, "")).as_bytes());
    assert_eq!((recording.len(), seqs(&recording)), (2, vec![1]));
}

#[test]
fn a_cause_that_does_not_come_before_is_told() {
    let (recording, report) = lines(&[line(0, r#","cause":0"#), line(1, r#","cause":7"#), line(2, r#","cause":1"#)]);
    assert_eq!([0, 1, 2].map(|seq| cause(&recording, seq)), [None, None, Some(1)]);
    let why = "a cause comes before its effect; the event is kept without (2 times in all)";
    assert_eq!(report.assumed, [format!("line 1: seq 0 has the cause 0: {why}")]);
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let bad = format!("\u{feff}{}\n{{\n", line(0, ""));
    let (recording, report) = imported_text(bad.as_bytes());
    assert_eq!((recording.len(), report.n_frames), (2, 2));
    assert_eq!(
        told(&report),
        [format!("some.jsonl: line 2, column 1: EOF while parsing an object at byte {}", bad.len() - 2)]
    );
}

#[test]
fn bytes_that_are_no_term_are_told_with_their_column() {
    for (etf, what) in [
        ("836c0000", "is no term: "),
        ("8361", "is no term: "),
        ("83610161", "has 1 bytes behind its term"),
        ("", "is no term: "),
        ("8", "has no pairs"),
    ] {
        let (recording, report) = lines(&[line(0, &format!(r#","payload_etf":"{etf}""#))]);
        assert_eq!((recording.len(), losses(&recording).len()), (1, 1));
        let told = told(&report).join("");
        assert!(told.contains(&format!("line 1, column 67: payload_etf {what}")), "{told}");
    }
}
