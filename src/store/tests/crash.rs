//! Recordings that live in a file and end without warning: at any byte, with pages that never reached the disk, by a kill,
//! on a full disk. What was sealed is there; what is missing is told.

use std::io::{BufRead, BufReader};
use std::path::{Path as FilePath, PathBuf};
use std::time::Duration;

use super::*;
use crate::model::FailureKind;

fn info() -> RecordingInfo {
    RecordingInfo { title: "busy".into(), ..RecordingInfo::default() }
}

/// A recording in a file, not finished: `n_segments` segments of 500 events, and 77 events that are not sealed.
fn running(path: &FilePath, n_segments: u64, durability: Durability) -> Recording {
    let mut recording = Recording::create(path, info(), durability).unwrap();
    for n in 0..n_segments * 500 {
        busy_row(n).append_to(&mut recording);
        if n % 500 == 499 {
            recording.seal();
        }
    }
    for n in n_segments * 500..n_segments * 500 + 77 {
        busy_row(n).append_to(&mut recording);
    }
    recording
}

struct Scratch {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn scratch() -> Scratch {
    let folder = tempfile::tempdir().unwrap();
    Scratch { path: folder.path().join("run.cinema"), _folder: folder }
}

fn check_prefix(opened: &Recording, n_events_min: u64) {
    assert!(opened.len() >= n_events_min, "{} events, {n_events_min} were sealed", opened.len());
    let expected = busy(opened.len());
    for seq in (0..opened.len()).step_by(13).map(Seq) {
        assert_eq!(opened.event(seq), expected.event(seq));
        // What a torn segment carried may be lost, but nothing of what was sealed before.
        let is_torn = seq.0 >= n_events_min && opened.payload(seq).is_none();
        assert!(is_torn || opened.payload(seq) == expected.payload(seq), "{seq:?}");
    }
    if let Some(last) = n_events_min.checked_sub(1) {
        assert_eq!(opened.materialise(Seq(last)), expected.materialise(Seq(last)));
    }
}

#[test]
fn file_is_read_while_it_grows_and_when_it_is_complete() {
    let scratch = scratch();
    let mut recording = running(&scratch.path, 6, Durability::default());
    assert_eq!(recording.segments.len(), 6);
    assert!(recording.segments.iter().all(|segment| segment.owned_len() == 0), "segments are parts of the file");
    check_prefix(&recording, 3_077);
    let (seen, report) = Recording::open(&scratch.path).unwrap();
    assert!(report.is_unfinished() && report.damage[0].what.contains("end is missing"), "{report:?}");
    check_prefix(&seen, 3_000);
    recording.set_mark(Mark { name: "here".into(), at: Seq(40), note: String::new(), is_snapshot: false });
    recording.finish().unwrap();
    let (opened, report) = Recording::open(&scratch.path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((opened.len(), opened.marks()), (3_077, recording.marks()));
    check_prefix(&opened, 3_077);
    // It goes on after it was complete, and is complete again.
    for n in 3_077..4_000 {
        busy_row(n).append_to(&mut recording);
    }
    recording.seal();
    check_prefix(&Recording::open(&scratch.path).unwrap().0, 4_000);
    recording.finish().unwrap();
    let (again, report) = Recording::open(&scratch.path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    check_prefix(&again, 4_000);
}

#[test]
fn file_cut_at_every_byte_of_its_tail_keeps_what_was_sealed_before() {
    let scratch = scratch();
    let mut ends = vec![0];
    let mut recording = Recording::create(&scratch.path, info(), Durability::default()).unwrap();
    for n in 0..400 {
        busy_row(n).append_to(&mut recording);
        if n % 100 == 99 {
            recording.seal();
            ends.push(std::fs::metadata(&scratch.path).unwrap().len() as usize);
        }
    }
    let bytes = std::fs::read(&scratch.path).unwrap();
    let cut = scratch.path.with_file_name("cut.cinema");
    for n in ends[2]..=bytes.len() {
        std::fs::write(&cut, &bytes[..n]).unwrap();
        let (opened, report) = Recording::open(&cut).unwrap();
        let n_whole = ends.iter().rposition(|end| *end <= n).unwrap() as u64;
        assert!(!report.is_whole() && opened.len() >= n_whole * 100, "cut at {n}: {} events", opened.len());
        if n % 97 == 0 {
            check_prefix(&opened, n_whole * 100);
        }
    }
}

#[test]
fn pages_that_never_reached_the_disk_take_only_what_lay_in_them() {
    let scratch = scratch();
    let recording = running(&scratch.path, 8, Durability::default());
    let bytes = std::fs::read(&scratch.path).unwrap();
    let torn = scratch.path.with_file_name("torn.cinema");
    for page in 1..bytes.len() / 4096 {
        let mut damaged = bytes.clone();
        damaged[page * 4096..(page + 1) * 4096].fill(0);
        std::fs::write(&torn, &damaged).unwrap();
        let (opened, report) = Recording::open(&torn).unwrap();
        assert!(!report.is_whole());
        let before = recording.segments.iter().take_while(|s| s.offsets.stored + s.stored().len() <= page * 4096);
        let n_whole = before.last().map_or(0, |segment| segment.head.end());
        assert!(opened.len() >= n_whole, "page {page}: {} events of {n_whole}", opened.len());
        for seq in (0..n_whole).step_by(101).map(Seq) {
            assert_eq!(opened.event(seq), recording.event(seq));
            assert_eq!(opened.payload(seq), recording.payload(seq));
        }
        let _ = opened.materialise(Seq(opened.len()));
    }
}

#[test]
fn damaged_segment_is_replaced_by_losses() {
    let scratch = scratch();
    let mut recording = running(&scratch.path, 5, Durability::default());
    recording.finish().unwrap();
    let mut bytes = std::fs::read(&scratch.path).unwrap();
    let [kinds, ..] = recording.segments[2].head.section("kind");
    bytes[recording.segments[2].offsets.image + kinds as usize + 250] ^= 4;
    std::fs::write(&scratch.path, &bytes).unwrap();
    let (cut, _) = Recording::open(&scratch.path).unwrap();
    assert_eq!(cut.len(), 1_000);
    let (rescued, report) = Recording::rescue(&scratch.path).unwrap();
    let n_lost = report.n_lost();
    assert!(report.damage.len() == 1 && report.damage[0].part == Part::Segment && n_lost > 0, "{report:?}");
    assert_eq!(rescued.len(), 2_577);
    assert_eq!(rescued.count(&Filter::kind(Kind::Loss)), n_lost);
    for seq in [0, 999, 1_500, 2_576].map(Seq) {
        assert_eq!(rescued.event(seq), recording.event(seq));
    }
    assert_eq!(rescued.materialise(Seq(2_576)).n_lost, n_lost);
    assert_eq!(reopened(&rescued).len(), 2_577);
}

#[test]
fn full_disk_ends_the_recording_and_loses_nothing_that_was_there() {
    let scratch = scratch();
    let durability = Durability { file_bytes_max: 200_000, ..Durability::default() };
    let mut recording = Recording::create(&scratch.path, info(), durability).unwrap();
    let mut failure = None;
    for n in 0..100_000 {
        let row = busy_row(n);
        if let Err(error) = recording.append(&NewEvent { payload: &row.payload, meta: &row.meta, ..row.event }) {
            failure = Some(error);
            break;
        }
        if n % 1_000 == 999 {
            recording.seal();
        }
    }
    let failure = failure.expect("the file is full at some time");
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(recording.finish().is_err());
    check_prefix(&recording, 5_000);
    // What the file did not take is in memory still, and can be saved elsewhere.
    assert_eq!(reopened(&recording).len(), recording.len());
    let (opened, _) = Recording::open(&scratch.path).unwrap();
    check_prefix(&opened, 4_000);
    assert!(recording.len() - opened.len() <= 2_000, "only the last segment did not fit");
}

#[test]
fn tail_is_sealed_by_the_events_clock() {
    let scratch = scratch();
    let durability = Durability { seal_after_ns: 1_000_000, sync: SyncPolicy::Segment, ..Durability::default() };
    let mut recording = Recording::create(&scratch.path, info(), durability).unwrap();
    for n in 0..5_000 {
        Row::new(n * 1_000, Kind::Log, 1).append_to(&mut recording);
    }
    recording.settle();
    assert_eq!(recording.segments.len(), 4, "a segment per millisecond and its first event");
    let (opened, _) = Recording::open(&scratch.path).unwrap();
    assert!(opened.len() >= 4_000);
    // What waits does not wait for the next event.
    recording.seal_overdue(5_000_000);
    assert_eq!(recording.segments.len(), 4, "not yet");
    recording.seal_overdue(6_000_000);
    recording.settle();
    assert_eq!(Recording::open(&scratch.path).unwrap().0.len(), 5_000);
}

/// The child of the test below: says what is sealed, until it is killed.
#[test]
#[ignore = "run by writers_killed_at_any_moment_leave_what_they_sealed"]
fn writes_until_killed() {
    let Some(path) = std::env::var_os("CINEMA_TEST_FILE") else { return };
    let durability = Durability { sync: SyncPolicy::Interval(Duration::from_millis(5)), ..Durability::default() };
    let mut recording = Recording::create(FilePath::new(&path), info(), durability).unwrap();
    for n in 0..u64::MAX {
        busy_row(n).append_to(&mut recording);
        if n % 700 == 699 {
            recording.seal();
            println!("\nsealed {}", recording.len());
        }
    }
}

#[test]
fn writers_killed_at_any_moment_leave_what_they_sealed() {
    let scratch = scratch();
    for n_lines in [1, 2, 3, 5, 9, 14, 20, 33] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "--exact", "store::tests::crash::writes_until_killed"])
            .env("CINEMA_TEST_FILE", &scratch.path)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let sealed = lines.filter_map(|line| line.strip_prefix("sealed ")?.parse::<u64>().ok());
        let n_sealed = sealed.take(n_lines).last().expect("the writer says what it has sealed");
        child.kill().unwrap();
        child.wait().unwrap();
        let (opened, report) = Recording::open(&scratch.path).unwrap();
        assert!(!report.is_whole());
        check_prefix(&opened, n_sealed);
        let (rescued, examined) = Recording::rescue(&scratch.path).unwrap();
        assert_eq!((rescued.len(), examined.n_kept()), (opened.len(), opened.len()));
        // One truth, whoever reads the file.
        assert!(!report.is_damaged() && report.unfinished("f").is_some());
        assert_eq!(report.unfinished("f"), examined.unfinished("f"));
    }
}
