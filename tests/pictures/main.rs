//! Pictures of a synthetic system: well-formed whatever the names, every mark with its tooltip, dense ones fall back.

mod sample;

use std::collections::BTreeMap;

use cinema::analysis::flow::PairRow;
use cinema::analysis::tree::{SupervisionTree, TreeNode};
use cinema::model::{Behaviour, Seq, Status, Syntax};
use cinema::render::svg::{self, SvgOptions};
use cinema::view::build::{self, SpacetimeQuery};
use cinema::view::{ArrowKind, Axis, Chart, ChartMark, Plot, Series, Spacetime, Unit};

fn node(idx: usize) -> TreeNode {
    let (name, _, _) = sample::PROCESSES[idx];
    let children = (0..sample::PROCESSES.len()).filter(|child| sample::PROCESSES[*child].2 == Some(idx));
    TreeNode {
        actor: sample::pid(idx).into(),
        name: name.to_string(),
        module: None,
        behaviour: if sample::is_supervisor(idx) { Behaviour::Supervisor } else { Behaviour::GenServer },
        child_id: None,
        status: if name == "Worker 4" { Status::Dead } else { Status::Alive },
        strategy: None,
        intensity: None,
        n_restarts: 0,
        queue_len: 0,
        ended: None,
        children: children.map(node).collect(),
    }
}

fn tree() -> SupervisionTree {
    SupervisionTree { at: None, at_ns: 0, roots: vec![node(sample::APP_SUP)], unsupervised: (0..4).map(node).collect() }
}

/// Where pictures go to be looked at: `CINEMA_PICTURES=/tmp/x cargo test --test pictures`.
fn keep(name: &str, svg: &str) {
    if let Ok(dir) = std::env::var("CINEMA_PICTURES") {
        std::fs::write(std::path::Path::new(&dir).join(name), svg).expect("the folder exists");
    }
}

#[test]
fn spacetime_of_the_sample() {
    let rec = sample::recording(1);
    let query = SpacetimeQuery { cursor: Some(Seq(300)), ..SpacetimeQuery::default() };
    let view = build::spacetime_in(&rec, &query, &tree());
    keep("spacetime.svg", &svg::spacetime(&view, &SvgOptions::default()));
}

#[test]
fn dense() {
    let rec = sample::recording(20);
    let view = build::spacetime_in(&rec, &SpacetimeQuery::default(), &tree());
    keep("dense.svg", &svg::spacetime(&view, &SvgOptions::default()));
}

#[test]
fn focus() {
    let rec = sample::recording(1);
    // One request: every event that shares the call, and what led from one to the next.
    let call = rec.event(Seq(400)).and_then(|e| (e.seq.0..rec.len()).find_map(|s| rec.event(Seq(s))?.call)).unwrap();
    let focus: Vec<Seq> = (0..rec.len()).map(Seq).filter(|s| rec.event(*s).unwrap().call == Some(call)).collect();
    let query = SpacetimeQuery { cursor: Some(focus[1]), focus, ..SpacetimeQuery::default() };
    let view = build::spacetime_in(&rec, &query, &tree());
    keep("focus.svg", &svg::spacetime(&view, &SvgOptions::default()));
}

/// The traffic of the sample, counted from its arrows.
fn pairs(view: &Spacetime) -> Vec<PairRow> {
    let mut counts: BTreeMap<(usize, usize), [u64; 4]> = BTreeMap::new();
    for arrow in &view.arrows {
        let kind = match arrow.kind {
            ArrowKind::Call => 0,
            ArrowKind::Cast => 1,
            ArrowKind::Reply => 2,
            _ => 3,
        };
        counts.entry((arrow.from_lane, arrow.to_lane)).or_default()[kind] += 1;
    }
    let row = |((from, to), n): ((usize, usize), [u64; 4])| PairRow {
        from: view.lanes[from].actor,
        to: Some(view.lanes[to].actor),
        from_name: view.lanes[from].name.clone(),
        to_name: view.lanes[to].name.clone(),
        n_messages: n.iter().sum(),
        n_calls: n[0],
        n_casts: n[1],
        n_replies: n[2],
        n_others: n[3],
        n_dead: 0,
        size_bytes: 0,
        first: Seq(0),
        last: Seq(0),
    };
    counts.into_iter().map(row).collect()
}

#[test]
fn tree_and_matrix() {
    let rec = sample::recording(1);
    let pairs = pairs(&build::spacetime_in(&rec, &SpacetimeQuery::default(), &tree()));
    keep("tree_arcs.svg", &svg::tree_arcs(&build::tree_arcs(&tree(), &pairs, Syntax::Erlang), &SvgOptions::default()));
    keep("matrix.svg", &svg::matrix(&build::matrix(&tree(), &pairs, Syntax::Erlang), &SvgOptions::default()));
}

#[test]
fn charts() {
    let bins = [3.0, 9.0, 24.0, 41.0, 30.0, 12.0, 0.0, 4.0, 1.0];
    let mut from = 20_000.0;
    let bins = bins.map(|n| {
        let bin = (from, from * 1.9, n);
        from *= 1.9;
        bin
    });
    let mark = |x: f64, label: &str| ChartMark { x, label: label.to_string() };
    let marks = vec![mark(150_000.0, "p50"), mark(800_000.0, "p90"), mark(900_000.0, "p99")];
    let histogram = Chart {
        title: "How long calls took".into(),
        subtitle: "124 calls".into(),
        x: Axis::log("total", Unit::Ns),
        y: Axis::new("calls", Unit::Count),
        plot: Plot::Bins(bins.to_vec()),
        marks: marks.clone(),
        notes: vec![],
    };
    keep("histogram.svg", &svg::chart(&histogram, &SvgOptions::default()));
    let n = 60;
    let points = (0..n).map(|i| (20_000.0 * 1.08f64.powi(i), f64::from(i + 1) / f64::from(n))).collect();
    let cdf = Chart {
        x: Axis::log("total", Unit::Ns),
        y: Axis::new("share", Unit::Share),
        plot: Plot::Steps(vec![Series { name: "all calls".into(), points }]),
        ..histogram.clone()
    };
    keep("cdf.svg", &svg::chart(&cdf, &SvgOptions::default()));
    let series = |k: usize| Series {
        name: format!("Worker {k}"),
        points: (0..40).map(|i| (i as f64 * 1.55e6, ((i * (k + 3)) % (5 + 3 * k)) as f64)).collect(),
    };
    let queues = Chart {
        title: "Messages waiting".into(),
        subtitle: "6 processes".into(),
        x: Axis::new("time since start", Unit::Ns),
        y: Axis::new("messages", Unit::Count),
        plot: Plot::Steps((1..7).map(series).collect()),
        marks: vec![mark(22e6, "cursor")],
        notes: vec![],
    };
    keep("queue.svg", &svg::chart(&queues, &SvgOptions::default()));
    let memory = |k: usize| Series {
        name: format!("Cache {k}"),
        points: (0..40).map(|i| (i as f64 * 1.55e6, (i * i * k * 700 + 2048) as f64)).collect(),
    };
    let memory = Chart {
        title: "Memory".into(),
        y: Axis::new("memory", Unit::Bytes),
        plot: Plot::Lines((1..3).map(memory).collect()),
        ..queues
    };
    keep("memory.svg", &svg::chart(&memory, &SvgOptions::default()));
}
