//! What can be imported besides a single trace file: sets of files, and files of several nodes; and imports into a file.

use std::path::{Path, PathBuf};

use cinema::model::{Atom, EventBatch, FailureKind, Filter, Kind, Origin, Pid, Syntax, Term};
use cinema::sandbox::import::{ClockOffset, ImportReport, check, import_all};
use cinema::session::import::into_file;
use cinema::store::{Recording, RecordingInfo};

use super::{data, frames, listing, of_kind, recorded};

/// A trace file with one register event per name and time (ns).
fn write_trace(path: &Path, names: &[(&str, i64)]) {
    let message = |(name, at_ns): &(&str, i64)| {
        Term::parse(&format!("{{trace_ts,<0.7.0>,register,{name},{{{at_ns},{at_ns}}}}}"), Syntax::Erlang)
            .expect("a trace message")
    };
    std::fs::write(path, frames(&names.iter().map(message).collect::<Vec<_>>())).expect("the folder is writable");
}

pub fn imported(paths: &[PathBuf]) -> (Recording, ImportReport) {
    let mut recording = Recording::new(RecordingInfo::default());
    let mut append = |batch: &EventBatch| {
        recording.begin_at(batch.first);
        batch.iter().try_for_each(|event| recording.append(&event).map(drop))
    };
    let report = import_all(paths, &[], &mut append, &mut |_| true).expect("they can be imported");
    (recording, report)
}

/// What is lost, as the losses say, each with the event before it.
pub fn losses(recording: &Recording) -> Vec<(Option<&'static str>, String)> {
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

pub fn told(report: &ImportReport) -> Vec<String> {
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
            [(Some("b"), format!("#{{offset => 0,places => 1,reason => damage,what => <<\"{what}\">>}}"))]
        );
    }
    // Where the numbers have gone round, the one gap is where the set begins.
    write_trace(&path(0), &[("e", 5)]);
    write_trace(&path(1), &[("f", 6)]);
    let (recording, report) = imported(&[path(0)]);
    assert_eq!((tags(&recording), told(&report)), (vec!["d", "e", "f"], vec![]));
}

#[test]
fn an_empty_file_of_a_set_is_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    for names in [["tw1.trace", "tw2.trace", "tw3.trace"], ["tw.1.wrp", "tw.2.wrp", "tw.3.wrp"]] {
        let paths = names.map(path);
        write_trace(&paths[0], &[("a", 1)]);
        std::fs::write(&paths[1], "").expect("the folder is writable");
        write_trace(&paths[2], &[("b", 2)]);
        let (recording, report) = imported(&paths);
        assert_eq!((tags(&recording), told(&report)), (vec!["a", "b"], vec![]), "nothing is missing");
        assert_eq!(report.assumed, [format!("{} is empty and was passed over", names[1])]);
    }
    let failure = check(&[path("tw2.trace")], &[]).expect_err("nothing is there");
    assert!(failure.to_string().contains("tw2.trace is empty\n  hint: a tracer writes when its buffer is full"));
}

#[test]
fn a_trace_without_times_says_so_and_is_not_merged_with_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [bare, other, timed] = ["bare.trace", "other.trace", "timed.trace"].map(|name| folder.path().join(name));
    let message =
        |name: &str| Term::parse(&format!("{{trace,<0.7.0>,register,{name}}}"), Syntax::Erlang).expect("it is one");
    std::fs::write(&bare, frames(&[message("a"), message("b")])).expect("the folder is writable");
    std::fs::write(&other, frames(&[message("c")])).expect("the folder is writable");
    write_trace(&timed, &[("d", 5)]);
    let (recording, report) = imported(std::slice::from_ref(&bare));
    assert_eq!((tags(&recording).join(""), report.assumed.len()), ("ab".to_string(), 1));
    assert!(
        report.assumed[0].starts_with("the trace messages have no times: events are counted 1 ns apart, and durations")
    );
    let (recording, report) = imported(&[bare.clone(), other]);
    assert_eq!(tags(&recording).join(""), "abc");
    assert!(report.assumed[0].contains("1 ns apart, one file after the other, and"), "{:?}", report.assumed);
    let failure = check(&[bare, timed], &[]).expect_err("nothing tells their order").to_string();
    assert!(failure.contains("bare.trace have no times, those of ") && failure.contains("cannot be merged by time"));
}

#[test]
fn what_is_too_large_is_left_out_and_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [trace, out] = ["large.trace", "large.cinema"].map(|name| folder.path().join(name));
    let message = |n_bytes: usize, at: u64| {
        let who = Term::Pid(Pid::local(7));
        let text = Term::tuple([Term::atom("text"), Term::binary(&vec![b'x'; n_bytes][..])]);
        let stamp = Term::tuple([Term::Int(at as i64), Term::Int(at as i64)]);
        Term::tuple([Term::atom("trace_ts"), who, Term::atom("receive"), text, stamp])
    };
    let mib = 1 << 20;
    let messages = [message(5, 1), message(65 * mib, 2), message(70 * mib, 3)];
    std::fs::write(&trace, frames(&messages)).expect("the folder is writable");
    let imported = into_file(std::slice::from_ref(&trace), &[], &out, &mut |_| true).expect("it is a trace");
    let what = "what 2 events carry, up to 71 MiB each, was left out (limit PAYLOAD_BYTES_MAX: 64 MiB); `lost` has \"payload\" \
                there, and `meta` the size";
    assert_eq!(imported.left_out.as_deref(), Some(what));
    let (recording, report) = Recording::open(&out).expect("it was completed");
    assert!(report.is_whole() && recording.info.notes.contains(&("left out".to_string(), what.to_string())));
    let events: Vec<_> = of_kind(&recording, Kind::Receive);
    assert_eq!(
        events.iter().map(|event| recording.lost_fields(event.seq).join("")).collect::<Vec<_>>(),
        ["", "payload", "payload"]
    );
    let meta = super::shown(recording.meta(events[1].seq));
    assert!(meta.contains("omitted_bytes => 68157") && meta.contains("lost => [payload]"), "{meta}");
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
    let twice = [offset("right.trace"), offset("right.trace")];
    let twice = merged(nodes, monotonic, &twice).expect_err("one or the other");
    assert!(twice.to_string().starts_with("right.trace is shifted in time twice: by which?"), "{twice}");
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
    let interrupt = |out: &Path| {
        let mut n_looks = 0;
        let cut = into_file(std::slice::from_ref(&source), &[], out, &mut |_| {
            n_looks += 1;
            n_looks < 2
        });
        let failure = cut.err().expect("it was interrupted");
        assert_eq!(failure.kind, FailureKind::Interrupted);
        failure.hints.join("").replace(&folder.path().display().to_string(), "")
    };
    assert_eq!(interrupt(&out), "/small.cinema is as it was");
    assert_eq!(Recording::open(&out).expect("it is as it was").0.len(), imported.n_events);
    let part = folder.path().join("part.cinema");
    assert_eq!(interrupt(&part), "/part.cinema has what was read until then");
    let (part, report) = Recording::open(&part).expect("what was read is kept");
    let losses = part.losses(&part.lineage(0));
    assert_eq!((losses.len(), losses[0].reason, losses[0].seqs.end), (1, "interrupted", part.len()));
    assert!(report.is_whole() && !part.is_empty() && part.len() < imported.n_events);
    assert!(part.info.notes.iter().any(|(name, _)| name == "interrupted"), "and says that it is a part");
    let itself = into_file(std::slice::from_ref(&out), &[], &out, &mut |_| true);
    assert!(itself.is_err() && Recording::open(&out).is_ok(), "nothing is overwritten by itself");
    assert!(check(&[folder.path().join("absent")], &[]).is_err());
}

#[test]
fn a_copy_is_not_merged_and_a_file_is_read_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [one, copy] = ["one.trace", "copy.trace"].map(|name| folder.path().join(name));
    write_trace(&one, &[("a", 5), ("b", 6)]);
    let again = folder.path().join(".").join("one.trace");
    let linked = folder.path().join("link.trace");
    std::os::unix::fs::symlink(&one, &linked).expect("the folder is writable");
    assert_eq!(imported(&[one.clone(), again, linked]).0.len(), imported(std::slice::from_ref(&one)).0.len());
    std::fs::copy(&one, &copy).expect("the folder is writable");
    let failure = check(&[one, copy], &[]).expect_err("it is a copy");
    let told = "have the same bytes: each event would be there twice\n  hint: leave one of them out";
    assert!(failure.to_string().contains(told), "{failure}");
}

#[test]
fn what_is_no_trace_says_what_it_may_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("some");
    let told = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("the folder is writable");
        let failure = check(std::slice::from_ref(&path), &[]).expect_err("it is no trace");
        failure.to_string().replace(&path.display().to_string(), "some")
    };
    assert!(told(b"").starts_with("some is empty\n  hint: a tracer writes when its buffer is full"));
    assert!(told(b"\x1f\x8b\x08").starts_with("some is compressed by gzip\n  hint: zcat some > node.trace, and open"));
    assert!(told(b"\xff\xfe{\0").starts_with("some is text in UTF-16\n  hint: iconv"));
    assert!(told(b"\0\0\r\n\r\n\x83h\r\n").starts_with("some is damaged all over, as a transfer as text does it"));
    assert!(told(b"anything").starts_with("some is neither a binary trace file"));
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("it is there").success());
    let failure = check(&[pipe], &[]).expect_err("nobody writes into it, and nobody waits for that");
    assert!(failure.to_string().contains("is no regular file: what is imported is mapped"), "{failure}");
}

#[test]
fn a_trace_that_went_through_a_text_transfer_is_told() {
    let bytes = std::fs::read(data("ejabberd-small.trace")).expect("it is there");
    let mangled: Vec<u8> = bytes.iter().flat_map(|byte| if *byte == 10 { vec![13, 10] } else { vec![*byte] }).collect();
    let (recording, report) = super::recorded_bytes(&mangled);
    let what = "damaged.trace is damaged all over, as a transfer as text does it: before each byte 10 is a byte 13";
    assert_eq!(report.assumed, [what]);
    // Nobody knows how much is lost; the place is known.
    let losses = recording.losses(&recording.lineage(0));
    let first = report.defects.kept.first().expect("it is damaged");
    assert_eq!((losses[0].n_events, losses[0].offset, losses[0].reason), (None, Some(first.offset), "damage"));
    assert!(losses[0].what.as_ref().is_some_and(|what| what.starts_with(&first.to_string())), "{losses:?}");
    // A trace with damage that is none of that is not told so.
    assert_eq!(super::recorded_bytes(&bytes[..bytes.len() / 2]).1.assumed, [""; 0]);
}
