//! Sums of bins against counting event by event.

use super::*;
use crate::model::{NewEvent, Origin, Pid};

fn pid(id: u32) -> Pid {
    Pid { serial: 0, id, origin: Origin::LOCAL }
}

/// Three processes that talk in turn; every 500th event is a crash, and there is one long pause.
fn recording(n_events: u64) -> Recording {
    let mut rec = Recording::default();
    for n in 0..n_events {
        let kind = if n % 500 == 7 { Kind::Crash } else { Kind::Send };
        let at_ns = n as i64 * 10 + if n > 2_000 { 1_000_000 } else { 0 };
        let process = pid((n % 3) as u32 + 1);
        let event = NewEvent {
            peer: Some(pid((n as u32 + 1) % 3 + 1).into()),
            class: if n % 2 == 0 { Class::Call } else { Class::Cast },
            ..NewEvent::new(at_ns, kind, process)
        };
        rec.append(&event).unwrap();
    }
    rec
}

/// The counts with every detail, in order.
fn counted(pyramid: &Pyramid, rec: &Recording, range: Range<u64>) -> Counts {
    let mut counts = pyramid.counts(rec, range.clone(), Detail::Actors);
    counts.pairs = pyramid.counts(rec, range.clone(), Detail::Pairs).pairs;
    assert_eq!(counts.groups, pyramid.counts(rec, range, Detail::Totals).groups);
    counts.actors.sort_unstable();
    counts.pairs.sort_unstable();
    counts
}

#[test]
fn sums_of_bins_are_the_counts_of_their_events() {
    let rec = recording(70_000);
    let mut pyramid = Pyramid::default();
    while pyramid.extend(&rec, 7) {}
    assert_eq!(pyramid.n_covered(), 70_000 / BIN_EVENTS * BIN_EVENTS);
    for range in [0..70_000, 5..69_999, 1_024..2_048, 8_192..65_536, 100..200, 69_000..80_000, 3..3] {
        let (fast, slow) = (counted(&pyramid, &rec, range.clone()), counted(&Pyramid::default(), &rec, range.clone()));
        assert_eq!((fast.n_events, fast.groups), (slow.n_events, slow.groups), "{range:?}");
        assert_eq!((&fast.actors, &fast.pairs), (&slow.actors, &slow.pairs), "{range:?}");
    }
    assert_eq!(pyramid.counts(&rec, 0..70_000, Detail::Totals).pause_ns, Some((20_000, 1_020_010)));
}

#[test]
fn notable_events_are_found_in_what_is_covered_and_after_it() {
    let rec = recording(3_000);
    let mut pyramid = Pyramid::default();
    while pyramid.extend(&rec, 100) {}
    let found = pyramid.notable(&rec, 0..3_000, 100);
    assert_eq!(found.iter().map(|event| event.seq.0).collect::<Vec<_>>(), [7, 507, 1_007, 1_507, 2_007, 2_507]);
    assert!(pyramid.notable(&rec, 0..3_000, 3).len() <= 3);
}
