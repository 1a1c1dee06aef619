//! Charts from analysis results: latency histogram and distribution, quantities over time.

use crate::analysis::latency::{self, CallRow};
use crate::analysis::{histogram, process};
use crate::view::{Axis, Chart, ChartMark, Plot, Series, Unit};

const HISTOGRAM_BINS: usize = 40;

/// How long calls took: a histogram over a logarithmic axis. `None` when no call is over.
pub fn latency_histogram(calls: &[CallRow]) -> Option<Chart> {
    let (values_ns, marks, subtitle) = totals(calls)?;
    let bins = histogram::histogram(&values_ns, HISTOGRAM_BINS);
    let bins = bins.iter().map(|bin| (bin.from_ns as f64, bin.to_ns as f64, bin.n as f64)).collect();
    Some(Chart {
        title: "How long calls took".to_string(),
        subtitle,
        x: Axis::log("total", Unit::Ns),
        y: Axis::new("calls", Unit::Count),
        plot: Plot::Bins(bins),
        marks,
        notes: Vec::new(),
    })
}

/// The share of calls that took at most so long. `None` when no call is over.
pub fn latency_cdf(calls: &[CallRow]) -> Option<Chart> {
    let (values_ns, marks, subtitle) = totals(calls)?;
    let n = values_ns.len() as f64;
    let points = values_ns.iter().enumerate().map(|(idx, ns)| (*ns as f64, (idx + 1) as f64 / n)).collect();
    Some(Chart {
        title: "Share of calls that took at most so long".to_string(),
        subtitle,
        x: Axis::log("total", Unit::Ns),
        y: Axis::new("share", Unit::Share),
        plot: Plot::Steps(vec![Series { name: "all calls".to_string(), points }]),
        marks,
        notes: Vec::new(),
    })
}

/// Durations of the calls that are over (ascending, at least 1 ns: the axis is logarithmic), percentiles, and counts.
fn totals(calls: &[CallRow]) -> Option<(Vec<i64>, Vec<ChartMark>, String)> {
    let mut values_ns: Vec<i64> = calls.iter().filter_map(|call| call.total_ns).map(|ns| ns.max(1)).collect();
    if values_ns.is_empty() {
        return None;
    }
    let p = latency::percentiles(&mut values_ns);
    values_ns.sort_unstable();
    let mark = |ns: i64, label: &str| ChartMark { x: ns as f64, label: label.to_string() };
    let marks = vec![mark(p.p50_ns, "p50"), mark(p.p90_ns, "p90"), mark(p.p99_ns, "p99")];
    let n_open = calls.len() - values_ns.len();
    let open = if n_open > 0 { format!("; {n_open} not over, left out") } else { String::new() };
    Some((values_ns, marks, format!("{} calls{open}", calls.len() - n_open)))
}

/// The name, with the pid where another process has the same.
fn unique_name(all: &[process::Series], one: &process::Series) -> String {
    let is_unique = all.iter().filter(|other| other.name == one.name).count() == 1;
    if is_unique { one.name.clone() } else { format!("{} {}", one.name, one.actor) }
}

/// A quantity per process over time since `start_ns`: queue depth, memory, reductions.
pub fn series_chart(title: &str, label: &str, unit: Unit, series: &[process::Series], start_ns: i64) -> Chart {
    let lines: Vec<Series> = series
        .iter()
        .map(|one| Series {
            name: unique_name(series, one),
            points: one.points.iter().map(|p| ((p.at_ns - start_ns) as f64, p.value as f64)).collect(),
        })
        .collect();
    let n_points: usize = lines.iter().map(|line| line.points.len()).sum();
    Chart {
        title: title.to_string(),
        subtitle: format!("{} processes, {n_points} points", lines.len()),
        x: Axis::new("time since start", Unit::Ns),
        y: Axis::new(label, unit),
        plot: Plot::Steps(lines),
        marks: Vec::new(),
        notes: Vec::new(),
    }
}
