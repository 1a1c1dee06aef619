//! Numeric charts: bars, steps and lines with their marks, and what there is to say when there is no data.

use cinema::render::svg::{self, SvgOptions};
use cinema::view::{Axis, Chart, ChartMark, Plot, Series, Unit};

use super::{check, keep};

fn mark(x: f64, label: &str) -> ChartMark {
    ChartMark { x, label: label.to_string() }
}

fn chart(plot: Plot, x: Axis, y: Axis) -> Chart {
    let (title, subtitle) = ("How long calls took".into(), "124 calls".into());
    Chart { title, subtitle, x, y, plot, marks: Vec::new(), notes: Vec::new() }
}

fn drawn(name: &str, chart: &Chart) -> String {
    let svg = svg::chart(chart, &SvgOptions::default());
    keep(name, &svg);
    check::well_formed(&svg);
    svg
}

#[test]
fn histogram_over_a_logarithmic_axis() {
    let heights = [3.0, 9.0, 24.0, 41.0, 30.0, 12.0, 0.0, 4.0, 1.0];
    let edge = |n: usize| 20_000.0 * 1.9f64.powi(n as i32);
    let bins: Vec<_> = heights.iter().enumerate().map(|(n, height)| (edge(n), edge(n + 1), *height)).collect();
    let mut histogram = chart(Plot::Bins(bins), Axis::log("total", Unit::Ns), Axis::new("calls", Unit::Count));
    histogram.marks = vec![mark(150_000.0, "p50"), mark(800_000.0, "p90"), mark(900_000.0, "p99")];
    let svg = drawn("histogram.svg", &histogram);
    assert!(svg.contains("p50 150 µs") && svg.contains("p99 900 µs") && svg.contains("41 calls"));
    assert_eq!(histogram.table().columns[0].name, "from_ns");
    assert_eq!(histogram.table().rows.len(), heights.len());
}

#[test]
fn distribution_in_percent() {
    let points = (0..60).map(|n| (20_000.0 * 1.08f64.powi(n), f64::from(n + 1) / 60.0)).collect();
    let series = Series { name: "all calls".into(), points };
    let cdf = chart(Plot::Steps(vec![series]), Axis::log("total", Unit::Ns), Axis::new("share", Unit::Share));
    let svg = drawn("cdf.svg", &cdf);
    assert!(svg.contains("100 %") && svg.contains("50 µs"));
}

#[test]
fn lines_have_names_and_styles() {
    let series = |k: usize| Series {
        name: format!("Worker {k}"),
        points: (0..40).map(|n| (n as f64 * 1.55e6, ((n * (k + 3)) % (5 + 3 * k)) as f64)).collect(),
    };
    let axes = (Axis::new("time since start", Unit::Ns), Axis::new("messages", Unit::Count));
    let mut queues = chart(Plot::Steps((1..7).map(series).collect()), axes.0.clone(), axes.1);
    queues.marks = vec![mark(22e6, "cursor")];
    let svg = drawn("queue.svg", &queues);
    assert!((1..7).all(|k| svg.contains(&format!("Worker {k}"))));
    let points = (0..40).map(|n| (f64::from(n) * 1.55e6, f64::from(n * n * 1400))).collect();
    let memory = Plot::Lines(vec![Series { name: "Cache".into(), points }]);
    let svg = drawn("memory.svg", &chart(memory, axes.0, Axis::new("memory", Unit::Bytes)));
    assert!(svg.contains("MiB"));
}

#[test]
fn charts_without_data_say_so() {
    for plot in [Plot::Bins(vec![]), Plot::Lines(vec![]), Plot::Steps(vec![Series::default()])] {
        for axis in [Axis::new("x", Unit::Ns), Axis::log("x", Unit::Count)] {
            let svg = drawn("empty.svg", &chart(plot.clone(), axis.clone(), Axis::new("y", Unit::Bytes)));
            assert!(svg.contains("nothing was recorded"));
        }
    }
}

#[test]
fn odd_values_do_not_break_a_chart() {
    let odd = [0.0, -5.0, f64::NAN, f64::INFINITY, 1e300, -1e300, 5e-324];
    for axis in [Axis::new("x", Unit::Ns), Axis::log("x", Unit::Bytes), Axis::new("x", Unit::Share)] {
        for value in odd {
            let series = Series { name: "odd".into(), points: vec![(value, value), (1.0, 1.0)] };
            drawn("odd.svg", &chart(Plot::Lines(vec![series]), axis.clone(), axis.clone()));
            let one = Series { name: "one".into(), points: vec![(value, value)] };
            drawn("one.svg", &chart(Plot::Steps(vec![one]), axis.clone(), axis.clone()));
            drawn("bin.svg", &chart(Plot::Bins(vec![(value, value, value)]), axis.clone(), axis.clone()));
        }
    }
}
