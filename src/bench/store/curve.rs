//! What an event costs as a recording grows, as a chart: it is to cost the same at 100 M events as at 1 M.

use std::path::Path;

use super::{DURABILITY, GOLDEN, Scratch, file_bytes};
use crate::bench::harness::{cpu_timed, median_of};
use crate::bench::{Options, Workload};
use crate::model::{Failure, Filter, Kind, Outcome, Seq};
use crate::render::svg::{self, SvgOptions};
use crate::store::{Recording, RecordingInfo};
use crate::view::{Axis, Cell, Chart, Plot, Series, Table, Unit};

/// Events at which the recording is looked at.
const SIZES_M: [u64; 7] = [1, 2, 5, 10, 20, 50, 100];
const SIZES_QUICK: usize = 3;
const N_ROUNDS: usize = 5;
/// States and payloads that are looked at.
const N_PLACES: u64 = 50;

/// What is measured at each size, in ns.
const COSTS: [&str; 5] =
    ["append, per event", "count a kind, per 1 000 events", "seek and payload", "the system at an event", "open"];

/// One recording in a file grows to 100 M events; its costs at each size go to the chart `path` and to the table.
pub fn curve(options: &Options, path: &Path) -> Outcome<Table> {
    let scratch = Scratch::new()?;
    let file = scratch.0.join("growing.cinema");
    let sizes = &SIZES_M[..if options.is_quick { SIZES_QUICK } else { SIZES_M.len() }];
    let mut columns = vec![">events".to_string(), ">bytes_per_event".to_string()];
    columns.extend(COSTS.iter().map(|cost| format!(">{}_ns", cost.replace([',', ' '], "_").replace("__", "_"))));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut table = Table::new("store: cost as a recording grows", &columns);
    let workload = Workload::new(100_000);
    let mut recording = Recording::create(&file, RecordingInfo::default(), DURABILITY)?;
    let mut points: [Vec<(f64, f64)>; COSTS.len()] = Default::default();
    for size in sizes.iter().map(|millions| millions * 1_000_000) {
        let n_before = recording.len();
        let (grown, append_ns) = cpu_timed(|| grow(&mut recording, &workload, size));
        grown?;
        let append_ns = append_ns / (recording.len() - n_before) as f64;
        let n = recording.len() as f64;
        let costs = costs(&file, append_ns)?;
        let mut row = vec![Cell::Int(n as i64), Cell::Float((file_bytes(&file)? / n * 10.0).round() / 10.0)];
        row.extend(costs.iter().map(|ns| Cell::Ns(ns.round() as i64)));
        table.push(row);
        points.iter_mut().zip(costs).for_each(|(points, ns)| points.push((n / 1e6, ns)));
    }
    let series = COSTS.iter().zip(points).map(|(name, points)| Series { name: name.to_string(), points }).collect();
    let chart = Chart {
        title: "What an event costs as a recording grows".to_string(),
        subtitle: "One recording in a file, synthetic events of 1 068 processes; CPU time".to_string(),
        x: Axis::log("million events in the recording", Unit::Count),
        y: Axis::log("CPU time", Unit::Ns),
        plot: Plot::Lines(series),
        marks: Vec::new(),
        notes: vec!["Opening checks a file of up to 64 MiB whole; a larger one is checked as it is read.".to_string()],
    };
    std::fs::write(path, svg::chart(&chart, &SvgOptions::default()))
        .map_err(|error| Failure::io(format!("{}: {error}", path.display())))?;
    Ok(table.note(format!("drawn in {}", path.display())))
}

fn grow(recording: &mut Recording, workload: &Workload, n: u64) -> Outcome<()> {
    while recording.len() < n {
        workload.events(recording.len()).try_for_each(|event| recording.append(&event).map(drop))?;
    }
    recording.finish()
}

fn costs(file: &Path, append_ns: f64) -> Outcome<[f64; COSTS.len()]> {
    let (opened, _) = Recording::open(file)?;
    let n = opened.len();
    let receives = Filter::kind(Kind::Receive);
    // What was never read is mapped and checked first.
    opened.count(&receives);
    let count_ns = median_of(N_ROUNDS, || cpu_timed(|| opened.count(&receives)).1) * 1e3 / n as f64;
    let places: Vec<u64> = (1..=N_PLACES).map(|k| ((k as f64 * GOLDEN).fract() * n as f64) as u64).collect();
    let times: Vec<i64> = places.iter().filter_map(|seq| opened.event(Seq(*seq))).map(|event| event.at_ns).collect();
    let trunk = opened.lineage(0);
    let payload = |at_ns: &i64| {
        let first = opened.seek_time(&trunk, *at_ns).map_or(n, |seq| seq.0);
        (first..n).find_map(|seq| opened.payload_ref(Seq(seq))).map_or(0, |payload| payload.len())
    };
    let per_place = |took_ns: f64| took_ns / N_PLACES as f64;
    let seek_ns = per_place(median_of(N_ROUNDS, || cpu_timed(|| times.iter().map(payload).max()).1));
    let state = |seq: &u64| opened.materialise(Seq(*seq)).processes.len();
    let state_ns = per_place(median_of(N_ROUNDS, || cpu_timed(|| places.iter().map(state).max()).1));
    let open_ns = median_of(N_ROUNDS, || cpu_timed(|| Recording::open(file).is_ok()).1);
    Ok([append_ns, count_ns, seek_ns, state_ns, open_ns])
}
