//! Names and messages that try to break out: controls, XML, scripts, endless text.

use cinema::model::{Actor, Pid, Seq};
use cinema::render::svg::{self, SvgOptions};
use cinema::view::{
    Arc, Arrow, ArrowKind, At, Axis, Bar, Chart, ChartMark, Density, Gap, Lane, Matrix, Plot, Point, PointKind, Series,
    Spacetime, Tree, TreeArcs, TreeRow, Unit,
};
use proptest::prelude::*;

use super::check;

fn at(n: u64) -> At {
    At { seq: Seq(n), at_ns: n as i64 * 1_000 }
}

fn lane(n: u32, text: &str) -> Lane {
    let actor = Actor::from(Pid::local(n));
    Lane { actor, name: text.into(), id: text.into(), depth: n as usize, is_supervisor: n == 0, from: None, to: None }
}

/// A view with `text` wherever text can be.
fn spacetime(text: &str) -> Spacetime {
    let arrow = |kind, to_lane| Arrow { from_lane: 0, to_lane, from: at(0), to: at(3), kind, label: text.into() };
    let point = |kind| Point { lane: 1, at: at(2), kind, label: text.into() };
    Spacetime {
        title: text.into(),
        subtitle: text.into(),
        lanes: vec![lane(0, text), lane(1, text)],
        bars: vec![Bar { lane: 1, from: at(1), to: at(3), is_supervisor: false, label: text.into() }],
        arrows: ArrowKind::ALL.iter().flat_map(|kind| [arrow(*kind, 1), arrow(*kind, 0)]).collect(),
        points: PointKind::ALL.iter().map(|kind| point(*kind)).collect(),
        density: Some(Density { counts: vec![vec![0, 1, 9], vec![7, 0, 100]], n_bins: 3 }),
        moments: (0..4).map(at).collect(),
        gaps: vec![Gap { from_ns: 1_000, to_ns: 2_000 }],
        cursor: Some(at(2)),
        notes: vec![text.into()],
        ..Spacetime::default()
    }
}

fn check_all(text: &str) {
    let options = SvgOptions::default();
    check::well_formed(&svg::spacetime(&spacetime(text), &options));
    let focused = Spacetime { focus: vec![Seq(3)], density: None, ..spacetime(text) };
    check::well_formed(&svg::spacetime(&focused, &options));
    let row = |depth| TreeRow { name: text.into(), id: text.into(), depth, status: text.into(), ..TreeRow::default() };
    let tree = Tree { title: text.into(), rows: vec![row(0), row(1)], notes: vec![text.into()] };
    let arcs = vec![Arc { from: 0, to: 1, kind: ArrowKind::Call, n_messages: 5 }];
    check::well_formed(&svg::tree_arcs(&TreeArcs { tree, arcs, subtitle: text.into() }, &options));
    let matrix = Matrix {
        title: text.into(),
        subtitle: text.into(),
        names: vec![text.into(); 2],
        counts: vec![vec![0, 1], vec![u64::MAX / 4, 3]],
        notes: vec![text.into()],
    };
    check::well_formed(&svg::matrix(&matrix, &options));
    let chart = Chart {
        title: text.into(),
        subtitle: text.into(),
        x: Axis::new(text, Unit::Ns),
        y: Axis::new(text, Unit::Count),
        plot: Plot::Steps(vec![Series { name: text.into(), points: vec![(0.0, 1.0), (2.0, 3.0)] }; 2]),
        marks: vec![ChartMark { x: 1.0, label: text.into() }],
        notes: vec![text.into()],
    };
    check::well_formed(&svg::chart(&chart, &options));
}

#[test]
fn hostile_texts_stay_text() {
    let nasty = [
        "\0\u{1}\u{1b}[31m\u{7f}\u{85}",
        "<script>alert(1)</script>",
        "\"/><svg onload=\"x\">'&amp;]]>",
        "\u{202e}evil\u{feff}\u{fffe}\u{ffff}\u{1fffe}",
        "",
        "   ",
        "漢字かな交じり文 🦀🦀🦀 e\u{301}",
        "line\nbreak\r\n\ttab",
    ];
    for text in nasty {
        // Words for the blind are checked with a text that has some.
        check_all(&format!("a{text}"));
    }
    let endless = "x".repeat(10_000);
    let svg = svg::spacetime(&spacetime(&endless), &SvgOptions::default());
    assert!(svg.len() < 60_000, "{} bytes", svg.len());
    check_all(&endless);
    check_all(&"many words ".repeat(1_000));
}

#[test]
fn nothing_at_all_is_still_a_picture() {
    let options = SvgOptions::default();
    check::well_formed(&svg::spacetime(&Spacetime::default(), &options));
    check::well_formed(&svg::matrix(&Matrix::default(), &options));
    check::well_formed(&svg::tree_arcs(&TreeArcs::default(), &options));
    check::well_formed(&svg::spacetime(&spacetime("tiny"), &SvgOptions { width: 50.0 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn any_text_stays_text(text in any::<String>()) {
        check_all(&format!("a{text}"));
    }
}
