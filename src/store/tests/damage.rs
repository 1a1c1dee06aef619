//! Files that were cut, flipped or made up: never a panic, and what lies before the damage is readable.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

/// A saved recording with several segments, a branch, marks and keyframes.
fn sample() -> (Recording, Vec<u8>) {
    let mut recording = Recording::new(RecordingInfo { source: "sim".into(), ..RecordingInfo::default() });
    for n in 0..1_200 {
        busy_row(n).append_to(&mut recording);
        if n % 400 == 399 {
            recording.seal();
            recording.add_checkpoint(recording.len());
        }
    }
    recording.begin_branch(Some(Seq(900)));
    let mut restored = Row::new(0, Kind::Restored, 1);
    restored.event.cause = Some(Seq(900));
    restored.append_to(&mut recording);
    recording.set_mark(Mark { name: "here".into(), at: Seq(10), note: "why".into(), is_snapshot: true });
    let scratch = Scratch::new();
    recording.save(&scratch.path).unwrap();
    let bytes = std::fs::read(&scratch.path).unwrap();
    (recording, bytes)
}

struct Scratch {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Scratch {
    fn new() -> Scratch {
        let folder = tempfile::tempdir().unwrap();
        Scratch { path: folder.path().join("x.cinema"), _folder: folder }
    }
    fn open(&self, bytes: &[u8]) -> Outcome<(Recording, Report)> {
        std::fs::write(&self.path, bytes).unwrap();
        Recording::open(&self.path)
    }
}

/// Reads everything of `opened`: each event that is there must be the one that was recorded.
fn check_prefix(opened: &Recording, original: &Recording) {
    let mut has_all_payloads = true;
    for seq in (0..opened.len()).map(Seq) {
        assert_eq!(opened.event(seq), original.event(seq));
        match opened.payload_ref(seq) {
            Some(payload) => assert_eq!(Some(payload.to_vec()), original.payload(seq)),
            None => has_all_payloads &= original.payload(seq).is_none(),
        }
    }
    let everything = Filter::default();
    assert_eq!(opened.scan(&everything).count() as u64, opened.len());
    let texts = [Text::new("order", false).unwrap()];
    let found = opened.seqs(&Selection::of(&everything).texts(&texts)).count();
    let has_text = |seq: &Seq| opened.payload_ref(*seq).is_some_and(|payload| texts[0].is_in_term(&payload));
    assert_eq!(found, (0..opened.len()).map(Seq).filter(has_text).count(), "what can be read is found");
    if let Some(last) = opened.len().checked_sub(1).map(Seq).filter(|_| has_all_payloads) {
        assert!(opened.materialise(last) == original.materialise(last), "the system at {last:?}");
    }
}

#[test]
fn whole_file_reads_back() {
    let (original, bytes) = sample();
    let (opened, report) = Scratch::new().open(&bytes).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(opened.len(), original.len());
    check_prefix(&opened, &original);
    assert_eq!((&opened.info, opened.marks()), (&original.info, original.marks()));
    assert_eq!((opened.branches(), opened.actors()), (original.branches(), original.actors()));
}

#[test]
fn cut_files_keep_what_is_whole() {
    let (original, bytes) = sample();
    let scratch = Scratch::new();
    let near_the_end = bytes.len() - 4096..bytes.len();
    let elsewhere = (0..bytes.len()).step_by(bytes.len() / 61);
    let mut n_events_before = 0;
    for n in elsewhere.chain(near_the_end) {
        match scratch.open(&bytes[..n]) {
            Ok((opened, report)) => {
                assert!(!report.is_whole(), "cut at {n}");
                assert!(opened.len() >= n_events_before, "a longer file has no fewer events");
                n_events_before = opened.len();
                // Checking all of it for each of 4 096 cuts would only be slow.
                if n % 251 == 0 {
                    check_prefix(&opened, &original);
                }
            }
            Err(failure) => assert!(n < 16, "cut at {n}: {failure}"),
        }
    }
    assert_eq!(n_events_before, original.len(), "only the last bytes were missing");
}

#[test]
fn flipped_bits_are_noticed() {
    let (original, bytes) = sample();
    let scratch = Scratch::new();
    let mut random = 7u64;
    for _ in 0..100 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = (random >> 16) as usize % bytes.len();
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (random % 8);
        match scratch.open(&damaged) {
            Ok((opened, _)) => check_prefix(&opened, &original),
            Err(failure) => assert!(place < 12, "flip at {place}: {failure}"),
        }
    }
}

#[test]
fn damage_is_told_with_its_offset() {
    let (original, bytes) = sample();
    let scratch = Scratch::new();
    let mut damaged = bytes.clone();
    let segment = &original.segments[1];
    let image = segment.plain().unwrap().1;
    let at = bytes.windows(image.len()).position(|window| window == image).unwrap();
    damaged[at + 2_000] ^= 1;
    let (opened, report) = scratch.open(&damaged).unwrap();
    assert_eq!(opened.len(), 400);
    assert_eq!(
        report.damage.iter().map(Damage::to_string).collect::<Vec<_>>(),
        [format!("segment at offset {at}: its checksum is wrong: the 801 events from #400 on are left out")]
    );
    let (_, report) = scratch.open(&bytes[..bytes.len() - 5]).unwrap();
    assert!(report.damage[0].what.contains("end is missing"), "{report:?}");
}

#[test]
fn damage_met_later_is_told() {
    let (original, bytes) = sample();
    let scratch = Scratch::new();
    let image = original.segments[1].plain().unwrap().1;
    let at = bytes.windows(image.len()).position(|window| window == image).unwrap();
    let mut damaged = bytes;
    damaged[at + 2_000] ^= 1;
    std::fs::write(&scratch.path, &damaged).unwrap();
    // As a file that is too large to be checked when it is opened.
    let (opened, report) = super::super::file::open_checked(&scratch.path, 0).unwrap();
    assert!(report.is_whole() && opened.damage().is_empty());
    assert_eq!((opened.len(), opened.event(Seq(500))), (original.len(), None));
    assert_eq!(opened.event(Seq(100)), original.event(Seq(100)));
    assert_eq!(opened.event(Seq(900)), original.event(Seq(900)));
    assert_eq!(opened.scan(&Filter::default()).count() as u64, original.len() - 400);
    let _ = opened.materialise(Seq(500));
    let why = "its checksum is wrong";
    assert_eq!(
        opened.damage(),
        [format!("the segment at offset {at} is damaged ({why}): events #400 to #799 are not there")]
    );
}

#[test]
fn foreign_files_are_refused() {
    let scratch = Scratch::new();
    for bytes in [&b""[..], b"x", b"\x89CINEMA", b"PK\x03\x04 and so on, for more than sixteen bytes"] {
        assert!(scratch.open(bytes).is_err());
    }
    let (_, mut bytes) = sample();
    bytes[8] = 9;
    let failure = scratch.open(&bytes).unwrap_err();
    assert!(failure.error.contains("format version 9"), "{failure}");
    let missing = Recording::open(&scratch.path.with_extension("not-there")).unwrap_err();
    assert_eq!(missing.kind, crate::model::FailureKind::NotFound);
}

#[test]
fn made_up_contents_with_right_checksums_do_not_panic() {
    let (_, bytes) = sample();
    let scratch = Scratch::new();
    let mut random = 99u64;
    for _ in 0..200 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut damaged = bytes.clone();
        // One bit somewhere, with the checksums made right again, as a forger would.
        damaged[(random >> 16) as usize % bytes.len()] ^= 1 << (random % 8);
        Recording::forge(&mut damaged);
        if let Ok((opened, _)) = scratch.open(&damaged) {
            for seq in (0..opened.len()).step_by(7).map(Seq) {
                let _ = (opened.event(seq), opened.payload(seq), opened.meta(seq));
            }
            let _ = opened.scan(&Filter::default().process(Actor::from(Pid::local(12)))).count();
            let _ = opened.seek_time(&opened.lineage(0), 3_000_000);
            let _ = opened.materialise(Seq(opened.len().saturating_sub(1)));
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let scratch = Scratch::new();
        let mut file = b"\x89CINEMA\n\x03\0\0\0\0\0\0\0".to_vec();
        file.extend_from_slice(&bytes);
        let (opened, report) = scratch.open(&file).unwrap();
        prop_assert!(opened.is_empty() && !report.is_whole());
        super::super::file::read_all_forms(&bytes);
    }
}
