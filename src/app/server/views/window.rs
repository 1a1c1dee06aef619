//! A stretch of the line: lanes with callbacks and messages, or how dense each lane is.

use std::ops::Range;

use serde_json::{Value as Json, json};

use super::{Wanted, axis, rounded};
use crate::analysis::pyramid::Detail;
use crate::app::server::glass::Glass;
use crate::app::server::problem::Problem;
use crate::app::server::stage::Stage;
use crate::model::{Actor, Seq, limits};
use crate::view::build::{self, Bins, SpacetimeQuery};
use crate::view::{At, Lane, Spacetime, TimeScale};

/// Events that are looked at one by one; a longer stretch is shown by the pyramid.
const EVENTS_EXACT_MAX: u64 = 20_000;
/// Arrows that can be told apart on a wide screen.
const ARROWS_MAX: usize = 900;
/// Cells of a density: lanes times bins.
const CELLS_MAX: usize = limits::PICTURE_MARKS_MAX;

pub fn make(stage: &Stage, glass: &Glass, wanted: &Wanted) -> Result<Json, Problem> {
    let ranks = wanted.ranks(glass)?;
    let only = wanted.actors("only", glass);
    let n_lanes_max = wanted.number("lanes")?.map_or(limits::PICTURE_LANES_MAX, |n| n as usize);
    let n_lanes_max = n_lanes_max.clamp(1, limits::PICTURE_LANES_MAX);
    let ranges = glass.seqs_of(ranks.clone());
    let keep = lanes_to_keep(glass, &only, n_lanes_max);
    let view = if ranges.is_empty() {
        Spacetime::default()
    } else if ranks.end - ranks.start <= EVENTS_EXACT_MAX {
        let query = SpacetimeQuery {
            ranges,
            actors: only,
            lanes: keep.clone(),
            n_arrows_max: ARROWS_MAX,
            ..SpacetimeQuery::default()
        };
        let view = build::spacetime_in(&glass.recording, &query, glass.tree());
        if view.density.is_some() { dense(stage, glass, &query.ranges, &keep, n_lanes_max) } else { view }
    } else {
        dense(stage, glass, &ranges, if only.is_empty() { &keep } else { &only }, n_lanes_max)
    };
    let is_complete = view.density.is_none() || stage.pyramid().is_nearly_complete(&glass.recording);
    Ok(to_json(glass, &view, ranks, is_complete))
}

fn dense(stage: &Stage, glass: &Glass, ranges: &[Range<u64>], keep: &[Actor], n_lanes_max: usize) -> Spacetime {
    let n_lanes = if keep.is_empty() { n_lanes_max } else { keep.len().clamp(1, n_lanes_max) };
    let n_bins = (CELLS_MAX / n_lanes).clamp(40, 200);
    let bins = Bins::new(&glass.recording, &stage.pyramid(), ranges, n_bins, Detail::Actors);
    build::dense(&glass.recording, &bins, keep, glass.tree(), n_lanes)
}

/// Where all processes have room they all keep their lanes, and none jumps while one looks along the line.
fn lanes_to_keep(glass: &Glass, only: &[Actor], n_lanes_max: usize) -> Vec<Actor> {
    if !only.is_empty() {
        return only.to_vec();
    }
    let mut actors = glass.recording.actors();
    actors.retain(|actor| actor.pid().is_some_and(|pid| pid.id > 0 || pid.serial > 0));
    if actors.len() <= n_lanes_max { actors } else { Vec::new() }
}

fn to_json(glass: &Glass, view: &Spacetime, ranks: Range<u64>, is_complete: bool) -> Json {
    let scale = TimeScale::new(&view.moments, &view.gaps);
    let share = |at: At| rounded(scale.share(at));
    let start_ns = glass.start_ns();
    let bars = view.bars.iter().map(|bar| {
        json!([
            bar.lane,
            share(bar.from),
            share(bar.to),
            bar.from.seq.0,
            bar.to.seq.0,
            bar.to.at_ns - bar.from.at_ns,
            bar.label
        ])
    });
    let arrows = view.arrows.iter().map(|arrow| {
        json!([
            arrow.from_lane,
            arrow.to_lane,
            share(arrow.from),
            share(arrow.to),
            arrow.from.seq.0,
            arrow.to.seq.0,
            arrow.kind.as_str(),
            arrow.label,
        ])
    });
    let points = view
        .points
        .iter()
        .map(|point| json!([point.lane, share(point.at), point.at.seq.0, point.kind.as_str(), point.label]));
    json!({
        "n_recorded": glass.recording.len(),
        "from": ranks.start,
        "to": ranks.end,
        "is_complete": is_complete,
        "subtitle": view.subtitle,
        "notes": view.notes,
        "lanes": view.lanes.iter().map(|lane| lane_json(glass, lane)).collect::<Vec<_>>(),
        "axis": axis(&scale, &view.moments, start_ns),
        "gaps": view.gaps.iter().map(|gap| [gap.from_ns - start_ns, gap.to_ns - start_ns]).collect::<Vec<_>>(),
        "bars": bars.collect::<Vec<_>>(),
        "arrows": arrows.collect::<Vec<_>>(),
        "points": points.collect::<Vec<_>>(),
        "density": view.density.as_ref().map(|density| &density.counts),
        "density_edges": view.density.is_some().then(|| view.moments.iter().map(|at| share(*at)).collect::<Vec<_>>()),
    })
}

fn lane_json(glass: &Glass, lane: &Lane) -> Json {
    let names = glass.names();
    json!({
        "process": lane.actor.to_string(),
        "name": lane.name,
        "id": lane.id,
        "depth": lane.depth,
        "is_supervisor": lane.is_supervisor,
        "born": names.spawn(lane.actor).map(|event| event.seq.0),
        "died": names.end(lane.actor).map(|seq: Seq| seq.0),
    })
}
