//! Recordings that forget: bounds hold, what is gone is told, and the system right after an eviction is right.

use super::*;
use crate::model::FailureKind;

fn ring(limits: RingLimits) -> Recording {
    let mut recording = Recording::default();
    recording.set_ring(Some(limits)).unwrap();
    recording
}

#[test]
fn events_bound_the_ring() {
    let limits = RingLimits { events_min: Some(10_000), ..RingLimits::default() };
    let mut recording = ring(limits);
    let whole = busy(60_000);
    for n in 0..60_000 {
        busy_row(n).append_to(&mut recording);
        assert!(recording.n_held() <= 10_000 + 10_000 / 8 && recording.n_held() >= 10_000.min(n + 1));
    }
    let first = recording.first();
    assert!(first.0 > 48_000 && first.0 + recording.n_held() == 60_000);
    assert_eq!(recording.event(Seq(first.0 - 1)), None);
    assert_eq!(recording.scan(&Filter::default()).next().map(|event| event.seq), Some(first));
    assert_eq!(recording.lineage(0), vec![first.0..60_000]);
    assert_eq!(recording.seek_time(&recording.lineage(0), i64::MIN), Some(first));
    let evicted = recording.evicted();
    assert_eq!(evicted.n_events, first.0);
    let n_sent = whole.count(&Filter::kind(Kind::Send).range(0..first.0));
    assert!(evicted.kinds.contains(&(Kind::Send, n_sent)));
    let opened = reopened(&recording);
    assert_eq!((opened.first(), opened.evicted()), (first, evicted));
    for at in [first.0, first.0 + 1, first.0 + 3_000, 59_999].map(Seq) {
        assert_eq!(recording.materialise(at), whole.materialise(at), "at {at:?}");
        assert_eq!(opened.materialise(at), whole.materialise(at), "at {at:?}, opened");
    }
    // What was evicted is the moment just before the first event.
    assert_eq!(recording.materialise(Seq(5)).processes, whole.materialise(Seq(first.0 - 1)).processes);
}

/// States are there after the events that carried them are gone, in memory and in a file.
#[test]
fn states_outlive_their_events() {
    let mut recording = ring(RingLimits { events_min: Some(1_000), ..RingLimits::default() });
    let whole = busy(20_000);
    Row::new(0, Kind::StateChange, 7).payload(&Term::atom("early")).append_to(&mut recording);
    for n in 1..20_000 {
        busy_row(n).append_to(&mut recording);
    }
    let first = recording.first();
    let again = reopened(&reopened(&recording));
    for at in [first, Seq(first.0 + 700)] {
        for row in recording.materialise(at).processes.values() {
            let Some(state) = row.state else { continue };
            let expected = if state.0 == 0 { Some(Term::atom("early")) } else { whole.term(state) };
            assert_eq!((recording.term(state), again.term(state)), (expected.clone(), expected), "{state:?}");
        }
    }
    assert_eq!(recording.term(Seq(0)), Some(Term::atom("early")));
    assert!(recording.term(Seq(3)).is_none(), "what is no state any more is gone");
    let mut rotated = recording.clone();
    rotated.forget();
    assert_eq!((rotated.n_held(), rotated.term(Seq(0))), (0, Some(Term::atom("early"))));
}

/// A ring's file that was cut has lost its directory, not how it begins; and the cut is told as damage: a ring was saved.
#[test]
fn a_ring_that_was_cut_knows_how_it_began() {
    let mut recording = ring(RingLimits { events_min: Some(10_000), ..RingLimits::default() });
    for n in 0..60_000 {
        busy_row(n).append_to(&mut recording);
    }
    let first = recording.first();
    let folder = tempfile::tempdir().unwrap();
    for (form, is_archive) in [("plain", false), ("archive", true)] {
        let path = folder.path().join(format!("{form}.cinema"));
        if is_archive {
            recording.compact(&path).unwrap()
        } else {
            recording.save(&path).unwrap()
        }
        let bytes = std::fs::read(&path).unwrap();
        for n_cut in [1, 24, 30, bytes.len() / 3] {
            let cut = bytes[..bytes.len() - n_cut].to_vec();
            for read in [Recording::read, Recording::read_rescued] {
                let (opened, report) = read(cut.clone()).unwrap();
                assert!(report.is_damaged() && report.unfinished("f").is_none(), "{form}, {n_cut}: {report:?}");
                assert!(report.damage.iter().all(|damage| damage.offset > 0));
                assert_eq!((opened.first(), opened.evicted()), (first, recording.evicted()), "{form}, {n_cut}");
                let last = Seq(opened.len() - 1);
                assert!(n_cut > 30 || last.0 == 59_999, "nothing but the directory was cut");
                for at in [Seq(first.0 - 1), first, last] {
                    assert_eq!(opened.materialise(at), recording.materialise(at), "{form}, {n_cut}, at {at:?}");
                }
                assert_eq!(reopened(&opened).evicted(), recording.evicted());
            }
        }
    }
    // Where the block that tells it is damaged as well, that is told, and what can be saved is a whole file.
    let mut bytes = std::fs::read(folder.path().join("plain.cinema")).unwrap();
    bytes.truncate(bytes.len() - 30);
    let start = bytes.windows(8).position(|window| window == b"CBLK\x09\0\0\0").unwrap();
    bytes[start + 30] ^= 1;
    for read in [Recording::read, Recording::read_rescued] {
        let (opened, report) = read(bytes.clone()).unwrap();
        assert!(report.damage.iter().any(|damage| damage.part == Part::Start), "{report:?}");
        assert_eq!(reopened(&opened).len(), opened.len());
    }
}

#[test]
fn small_rings_keep_what_was_asked_for() {
    for asked in [1, 10, 500, 1_000] {
        let mut recording = ring(RingLimits { events_min: Some(asked), ..RingLimits::default() });
        for n in 0..5_000 {
            busy_row(n).append_to(&mut recording);
            let most = asked + (asked / 8).max(128);
            let n_held = recording.n_held();
            assert!((asked.min(n + 1)..=most).contains(&n_held), "{n_held} held of a ring of {asked} after {n}");
        }
    }
}

#[test]
fn bytes_bound_the_ring() {
    let mut recording = ring(RingLimits { bytes_max: Some(2 << 20), ..RingLimits::default() });
    for n in 0..200_000 {
        busy_row(n).append_to(&mut recording);
        assert!(recording.n_bytes() <= (2 << 20) + (300 << 10));
    }
    assert!(recording.first().0 > 0 && recording.n_held() > 10_000, "{} events are held", recording.n_held());
}

#[test]
fn age_bounds_the_ring_and_keeps_at_least_it() {
    let mut recording = ring(RingLimits { age_ns_max: Some(1_000_000), ..RingLimits::default() });
    for n in 0..20_000u64 {
        Row::new(n as i64 * 1_000, Kind::Log, 1).append_to(&mut recording);
        let (first_ns, last_ns) = recording.time_range_ns().unwrap();
        assert!(n < 1_001 || last_ns - first_ns >= 1_000_000, "nothing young goes");
        assert!(last_ns - first_ns <= 1_300_000, "what is old goes");
    }
}

#[test]
fn bound_that_is_set_later_evicts_at_once_and_marks_go_along() {
    let mut recording = busy(150_000);
    for (name, at) in [("early", 10), ("late", 149_000)] {
        recording.set_mark(Mark { name: name.into(), at: Seq(at), note: String::new(), is_snapshot: false });
    }
    recording.set_ring(Some(RingLimits { events_min: Some(80_000), ..RingLimits::default() })).unwrap();
    assert_eq!(recording.first(), Seq(65_536));
    assert_eq!(recording.marks().iter().map(|mark| &mark.name[..]).collect::<Vec<_>>(), ["late"]);
    assert_eq!(recording.evicted().n_marks, 1);
    assert_eq!(recording.evicted().describe().split(' ').next(), Some("65536"));
    recording.set_ring(None).unwrap();
    for n in 150_000..300_000 {
        busy_row(n).append_to(&mut recording);
    }
    assert_eq!(recording.first(), Seq(65_536), "nothing goes any more");
}

#[test]
fn rows_of_the_long_dead_are_forgotten() {
    let mut recording = ring(RingLimits { events_min: Some(4_000), ..RingLimits::default() });
    for n in 0..60_000u32 {
        Row::new(n.into(), Kind::Spawn, n).append_to(&mut recording);
        Row::new(n.into(), Kind::Exit, n).append_to(&mut recording);
    }
    let n_rows = recording.materialise(Seq(recording.len())).processes.len();
    assert!(n_rows < limits::RING_DEAD_ROWS_MAX + 4_000, "{n_rows} rows");
    assert!(recording.evicted().n_forgotten > 40_000);
    assert_eq!(reopened(&recording).materialise(Seq(119_000)), recording.materialise(Seq(119_000)));
}

#[test]
fn range_of_time_is_saved_by_itself() {
    let mut recording = Recording::default();
    for n in 0..10_000u64 {
        busy_row(n).append_to(&mut recording);
        if n % 1_000 == 999 {
            recording.seal();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part.cinema");
    recording.save_range(&path, 4_500_000, 6_500_000).unwrap();
    let (part, report) = Recording::open(&path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((part.first(), part.len()), (Seq(4_000), 7_000));
    assert_eq!(part.event(Seq(5_000)), recording.event(Seq(5_000)));
    assert_eq!(part.payload(Seq(5_004)), recording.payload(Seq(5_004)));
    assert_eq!(part.materialise(Seq(6_999)), recording.materialise(Seq(6_999)));
    let nothing = recording.save_range(&path, i64::MAX - 1, i64::MAX).unwrap_err();
    assert_eq!(nothing.kind, FailureKind::NotFound);
}
