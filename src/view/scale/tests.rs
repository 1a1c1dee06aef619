//! The axis only grows, and cuts what dominates.

use proptest::prelude::*;

use super::*;
use crate::model::Seq;

fn cuts(clocks_ns: &[i64]) -> Vec<(i64, i64)> {
    let mut finder = GapFinder::default();
    clocks_ns.iter().for_each(|at_ns| finder.push(*at_ns));
    finder.finish().into_iter().map(|gap| (gap.from_ns, gap.to_ns)).collect()
}

#[test]
fn what_dominates_is_cut() {
    assert_eq!(cuts(&[0, 10, 20, 30, 1_000, 1_010, 1_020]), [(30, 1_000)]);
    assert_eq!(cuts(&[0, 1, 2, 3, 500, 501, 502, 503, 100_000, 100_001]), [(3, 500), (503, 100_000)]);
}

#[test]
fn an_even_beat_is_not_cut() {
    let beat: Vec<i64> = (0..30).map(|n| n * 10).collect();
    assert_eq!(cuts(&beat), []);
    assert_eq!(cuts(&[]), []);
    assert_eq!(cuts(&[5]), []);
    assert_eq!(cuts(&[0, 100]), [], "two moments have nothing but a gap");
}

/// Cutting some of many like pauses would make them look different.
#[test]
fn like_gaps_are_cut_together_or_not_at_all() {
    let bursts = |n: i64| -> Vec<i64> { (0..n).flat_map(|n| (0..4).map(move |k| n * 1_000 + k)).collect() };
    assert_eq!(cuts(&bursts(4)).len(), 3);
    assert_eq!(cuts(&bursts(40)).len(), 0);
}

proptest! {
    #[test]
    fn later_events_are_never_to_the_left(steps in prop::collection::vec(0_i64..1_000_000, 1..60)) {
        let mut at_ns = 0;
        let moments: Vec<At> = steps
            .iter()
            .enumerate()
            .map(|(n, step)| {
                // Most steps are short, a few are very long.
                at_ns += if step % 7 == 0 { step * 1_000 } else { step % 50 };
                At { seq: Seq(n as u64 * 3), at_ns }
            })
            .collect();
        let mut finder = GapFinder::default();
        moments.iter().for_each(|at| finder.push(at.at_ns));
        let gaps = finder.finish();
        let scale = TimeScale::new(&moments, &gaps);
        let shares: Vec<f64> = moments.iter().map(|at| scale.share(*at)).collect();
        prop_assert!(shares.is_sorted(), "{shares:?}");
        prop_assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        let by_clock: Vec<f64> = (0..100).map(|n| scale.share_of_ns(at_ns * n / 100)).collect();
        prop_assert!(by_clock.is_sorted(), "{by_clock:?}");
    }
}
