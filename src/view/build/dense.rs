//! The space-time view of a stretch that is too long to look at event by event: lanes with their density, from the
//! counts of a [`Pyramid`]. It must not know how anything is drawn.

use std::collections::BTreeMap;
use std::ops::Range;

use super::label;
use super::lanes::Lanes;
use crate::analysis::pyramid::{BIN_EVENTS, Counts, Detail, Pyramid};
use crate::analysis::tree::SupervisionTree;
use crate::model::{Actor, Seq, limits, time};
use crate::store::Recording;
use crate::view::{At, Density, GapFinder, Spacetime};

/// Where a stretch is cut into bins, and what is in each.
pub struct Bins {
    /// One more than there are bins; the last is the end of the stretch.
    pub edges: Vec<At>,
    pub counts: Vec<Counts>,
    pub gaps: Vec<crate::view::Gap>,
}

impl Bins {
    /// Cuts `ranges` (ascending, disjoint) into about `n_bins` bins of equally many events. A bin that is larger than
    /// a bin of the pyramid begins where one of those begins.
    pub fn new(rec: &Recording, pyramid: &Pyramid, ranges: &[Range<u64>], n_bins: usize, detail: Detail) -> Bins {
        let n_events: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        let n_per_bin = n_events.div_ceil(n_bins.max(1) as u64).max(1);
        let grid = if n_per_bin >= BIN_EVENTS { BIN_EVENTS } else { 1 };
        let mut bins = Bins { edges: Vec::new(), counts: Vec::new(), gaps: Vec::new() };
        let mut gaps = GapFinder::default();
        let mut last_ns = i64::MIN;
        let mut edge = |seq: u64| {
            let at_ns = rec.event(Seq(seq)).map_or(last_ns, |event| event.at_ns).max(last_ns);
            last_ns = at_ns;
            At { seq: Seq(seq), at_ns }
        };
        for range in ranges {
            let mut at = range.start;
            while at < range.end {
                let to = ((at + n_per_bin).div_ceil(grid) * grid).min(range.end);
                let counts = pyramid.counts(rec, at..to, detail);
                let before = (at > range.start).then(|| rec.event(Seq(at - 1))).flatten();
                let here = edge(at);
                gaps.push_pause(before.map_or(here.at_ns, |event| event.at_ns), here.at_ns);
                if let Some((from_ns, to_ns)) = counts.pause_ns {
                    gaps.push_pause(from_ns, to_ns);
                }
                bins.edges.push(here);
                bins.counts.push(counts);
                at = to;
            }
        }
        if let Some(last) = ranges.last().filter(|range| !range.is_empty()) {
            let end = edge(last.end - 1);
            gaps.push_pause(end.at_ns, end.at_ns);
            bins.edges.push(At { seq: Seq(last.end), ..end });
        }
        bins.gaps = gaps.finish();
        bins
    }
}

/// The lanes of a stretch with their density. `keep` have a lane in any case.
pub fn dense(rec: &Recording, bins: &Bins, keep: &[Actor], tree: &SupervisionTree, n_lanes_max: usize) -> Spacetime {
    let mut weights: BTreeMap<Actor, u64> = keep.iter().map(|actor| (*actor, 0)).collect();
    for counts in &bins.counts {
        for (actor, n) in &counts.actors {
            *weights.entry(*actor).or_default() += n;
        }
    }
    let lanes = Lanes::new(tree, &weights, n_lanes_max, label::syntax(rec));
    let mut counts = vec![vec![0_u32; bins.counts.len()]; lanes.lanes.len()];
    for (bin, of_bin) in bins.counts.iter().enumerate() {
        for (actor, n) in &of_bin.actors {
            if let Some(lane) = lanes.of(*actor) {
                counts[lane][bin] = u32::try_from(*n).unwrap_or(u32::MAX);
            }
        }
    }
    let n_events: u64 = bins.counts.iter().map(|counts| counts.n_events).sum();
    let mut notes = Vec::new();
    if lanes.n_hidden > 0 {
        let raise = format!("{} quieter processes are hidden; choose some to see them", lanes.n_hidden);
        notes.push(limits::tripped("PICTURE_LANES_MAX", n_lanes_max, &raise));
    }
    notes.push(format!("{n_events} events are too many for arrows: shade shows the events of each process; zoom in"));
    let ends = bins.edges.first().zip(bins.edges.last());
    let span_ns = ends.map_or(0, |(first, last)| last.at_ns - first.at_ns);
    Spacetime {
        title: "Message flow".to_string(),
        subtitle: format!("{} processes, {n_events} events, {}", lanes.lanes.len(), time::show_ns(span_ns)),
        density: Some(Density { n_bins: bins.counts.len(), counts }),
        lanes: lanes.lanes,
        moments: bins.edges.clone(),
        gaps: bins.gaps.clone(),
        start_ns: rec.time_range_ns().map_or(0, |(first, _)| first),
        notes,
        ..Spacetime::default()
    }
}
