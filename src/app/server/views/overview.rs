//! The scrubber's view: how dense the whole line is, what stands out, and the axis.

use serde_json::{Value as Json, json};

use super::{Wanted, axis, rounded};
use crate::analysis::pyramid::{Detail, Group};
use crate::app::server::glass::Glass;
use crate::app::server::problem::Problem;
use crate::app::server::stage::Stage;
use crate::view::build::Bins;
use crate::view::{At, TimeScale};

/// Bins of the density.
const BINS: usize = 300;
/// Markers of crashes, restarts, timeouts, losses.
const MARKERS_MAX: usize = 400;

pub fn make(stage: &Stage, glass: &Glass, _: &Wanted) -> Result<Json, Problem> {
    // Before the densities are held: it may take a while at the first time.
    let names = glass.names();
    let pyramid = stage.pyramid();
    let (rec, start_ns) = (&glass.recording, glass.start_ns());
    let bins = Bins::new(rec, &pyramid, &glass.line, BINS, Detail::Totals);
    let scale = TimeScale::new(&bins.edges, &bins.gaps);
    let n_max = MARKERS_MAX / glass.line.len().max(1);
    let notable = glass.line.iter().flat_map(|range| pyramid.notable(rec, range.clone(), n_max));
    let markers: Vec<Json> = notable
        .filter_map(|event| {
            let at_ns = rec.event(event.seq)?.at_ns;
            let share = rounded(scale.share(At { seq: event.seq, at_ns }));
            Some(json!({ "seq": event.seq.0, "share": share, "kind": event.kind.as_str(), "process": names.at(event.process, event.seq) }))
        })
        .collect();
    Ok(json!({
        "n_events": glass.n_events(),
        "n_recorded": rec.len(),
        "n_covered": pyramid.n_covered(),
        "is_complete": pyramid.is_nearly_complete(rec),
        "ranges": glass.line.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
        "groups": Group::ALL,
        "density": bins.counts.iter().map(|counts| counts.groups).collect::<Vec<_>>(),
        "edges": bins.edges.iter().map(|at| rounded(scale.share(*at))).collect::<Vec<_>>(),
        "axis": axis(&scale, &bins.edges, start_ns),
        "markers": markers,
    }))
}
