//! Timelines over a hand-made recording: ten events, 1 ms apart, two processes in turn.

use super::*;
use crate::model::{NewEvent, Pid};
use crate::store::{Mark, RecordingInfo};

fn recording() -> Recording {
    let mut recording = Recording::new(RecordingInfo::default());
    for i in 0..10 {
        let kind = if i % 4 == 0 { Kind::HandleStart } else { Kind::Log };
        recording.append(&NewEvent::new(i * 1_000_000, kind, Pid::local(1 + i as u32 % 2))).unwrap();
    }
    recording
}

fn seek(timeline: &mut Timeline, recording: &Recording, text: &str) -> Option<u64> {
    timeline.seek(recording, &Moment::parse(text).unwrap()).unwrap();
    timeline.at().map(|seq| seq.0)
}

#[test]
fn every_form_of_moment_finds_its_event() {
    let mut recording = recording();
    recording.set_mark(Mark { name: "here".into(), at: Seq(7), note: String::new(), is_snapshot: false });
    let mut t = Timeline::new(&recording);
    assert_eq!(t.at(), Some(Seq(9)));
    for (text, at) in [
        ("#3", Some(3)),
        ("50%", Some(4)),
        ("0%", None),
        ("100%", Some(9)),
        ("5ms", Some(5)),
        ("5500us", Some(5)),
        ("+2", Some(7)),
        ("-3", Some(4)),
        ("+2ms", Some(6)),
        ("-1ms", Some(5)),
        ("here", Some(7)),
        ("start", None),
        ("end", Some(9)),
        ("1h", Some(9)),
        ("-100", None),
    ] {
        assert_eq!(seek(&mut t, &recording, text), at, "{text}");
    }
    assert!(t.seek(&recording, &Moment::Seq(Seq(99))).unwrap_err().error.contains("no event #99"));
    assert!(t.seek(&recording, &Moment::Mark("nowhere".into())).unwrap_err().hints[0].contains("here"));
}

#[test]
fn steps_stop_at_the_ends_and_say_so() {
    let recording = recording();
    let mut t = Timeline::new(&recording);
    assert!(t.step(&recording, 1).unwrap_err().error.starts_with("end_of_timeline"));
    t.step_back(&recording, 3).unwrap();
    assert_eq!(t.at(), Some(Seq(6)));
    t.step_back(&recording, 100).unwrap();
    assert_eq!(t.at(), None);
    assert!(t.step_back(&recording, 1).unwrap_err().error.starts_with("beginning_of_timeline"));
    t.step(&recording, 1).unwrap();
    assert_eq!(t.at(), Some(Seq(0)));
}

#[test]
fn by_process_and_by_handler() {
    let recording = recording();
    let mut t = Timeline::new(&recording);
    t.to_start();
    assert_eq!(t.next(&recording, None).unwrap().seq, Seq(0));
    assert_eq!(t.next(&recording, None).unwrap().seq, Seq(2));
    assert_eq!(t.next(&recording, Some(Pid::local(2).into())).unwrap().seq, Seq(3));
    assert_eq!(t.prev(&recording, None).unwrap().seq, Seq(1));
    assert_eq!(t.next_handler(&recording, None).unwrap().seq, Seq(4));
    assert_eq!(t.next_handler(&recording, None).unwrap().seq, Seq(8));
    assert_eq!(t.next_handler(&recording, None).unwrap_err().kind, FailureKind::Edge);
    assert_eq!(t.at(), Some(Seq(8)), "a failed move leaves the cursor");
    assert_eq!(t.prev_handler(&recording, None).unwrap().seq, Seq(4));
}

#[test]
fn playback_goes_at_its_speed_both_ways() {
    let recording = recording();
    let mut t = Timeline::new(&recording);
    t.to_start();
    assert!(t.play(0.0).is_err());
    t.play(2.0).unwrap();
    assert_eq!(t.advance(&recording, 0), [Seq(0)], "the first event has no gap before it");
    assert_eq!(t.advance(&recording, 1_000_000), [Seq(1), Seq(2)]);
    assert_eq!(t.advance(&recording, 250_000), []);
    assert_eq!(t.advance(&recording, 250_000), [Seq(3)]);
    t.play(-1.0).unwrap();
    assert_eq!(t.playback().state(), PlaybackState::Rewinding);
    assert_eq!(t.advance(&recording, 2_000_000), [Seq(3), Seq(2)]);
    assert_eq!(t.at(), Some(Seq(1)));
    t.play(1e9).unwrap();
    assert_eq!(t.advance(&recording, 1_000_000).len(), 8);
    assert_eq!(t.playback().state(), PlaybackState::Paused, "it pauses at the end");
}

#[test]
fn a_range_limits_a_timeline() {
    let recording = recording();
    let mut t = Timeline::over(&recording, 2..5).unwrap();
    assert_eq!(t.position(&recording).n_events, 3);
    t.step(&recording, 10).unwrap();
    assert_eq!(t.at(), Some(Seq(4)));
    assert!(Timeline::over(&recording, 20..30).is_err());
}

/// A recording with events at random gaps and one branch.
fn branched(gaps_ns: &[i64], from: u64) -> Recording {
    let mut recording = Recording::new(RecordingInfo::default());
    let mut at_ns = 0;
    for gap_ns in gaps_ns {
        at_ns += gap_ns;
        recording.append(&NewEvent::new(at_ns, Kind::Log, Pid::local(1))).unwrap();
    }
    let from = Seq(from % gaps_ns.len() as u64);
    let back_ns = recording.event(from).unwrap().at_ns;
    recording.begin_branch(Some(from));
    recording.append(&NewEvent::new(back_ns, Kind::Restored, Pid::local(1))).unwrap();
    recording.append(&NewEvent::new(back_ns + 5, Kind::Log, Pid::local(1))).unwrap();
    recording
}

proptest::proptest! {
    #[test]
    fn steps_there_and_back_are_none(gaps_ns in proptest::collection::vec(0i64..50, 1..30), from: u64, at in 0u64..40, n in 1u64..40) {
        let recording = branched(&gaps_ns, from);
        let mut t = Timeline::new(&recording);
        t.to_start();
        if at > 0 {
            t.step(&recording, at).unwrap();
        }
        let before = t.position(&recording);
        if t.step(&recording, n).is_ok() {
            let n_stepped = t.position(&recording).n_passed - before.n_passed;
            t.step_back(&recording, n_stepped).unwrap();
            assert_eq!(t.position(&recording), before);
        }
    }

    #[test]
    fn playing_in_pieces_is_playing_at_once(
        gaps_ns in proptest::collection::vec(0i64..50, 1..30),
        from: u64,
        pieces_ns in proptest::collection::vec(0i64..60, 1..10),
        is_backwards: bool,
    ) {
        let recording = branched(&gaps_ns, from);
        let mut whole = Timeline::new(&recording);
        if !is_backwards {
            whole.to_start();
        }
        whole.play(if is_backwards { -1.0 } else { 1.0 }).unwrap();
        let mut pieces = whole.clone();
        let passed: Vec<Seq> = pieces_ns.iter().flat_map(|ns| pieces.advance(&recording, *ns)).collect();
        assert_eq!(whole.advance(&recording, pieces_ns.iter().sum()), passed);
        assert_eq!(whole.at(), pieces.at());
    }
}
