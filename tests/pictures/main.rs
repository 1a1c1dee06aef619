//! Pictures of a synthetic system and of a real trace: well-formed whatever the names, every mark with its words,
//! dense ones fall back, every picture with its table.

mod charts;
mod check;
mod hostile;
mod sample;

use cinema::analysis::flow;
use cinema::analysis::tree;
use cinema::model::{Kind, Seq, Syntax, limits};
use cinema::render::svg::{self, SvgOptions};
use cinema::store::Recording;
use cinema::view::build::{self, SpacetimeQuery};
use cinema::view::{ArrowKind, Cell, PointKind};
use expect_test::expect;

/// Where pictures go to be looked at: `CINEMA_PICTURES=/tmp/x cargo test --test pictures`.
fn keep(name: &str, svg: &str) {
    if let Ok(dir) = std::env::var("CINEMA_PICTURES") {
        std::fs::write(std::path::Path::new(&dir).join(name), svg).expect("the folder exists");
    }
}

fn whole_tree(rec: &Recording) -> tree::SupervisionTree {
    tree::tree(rec, Seq(rec.len() - 1), true)
}

/// The names of a row's first columns.
fn first_rows(table: &cinema::view::Table, n: usize) -> String {
    let shown = cinema::view::Table { rows: table.rows[..n].to_vec(), title: String::new(), ..table.clone() };
    cinema::render::text::table(&shown, &Default::default())
}

#[test]
fn spacetime_shows_what_happened() {
    let rec = sample::recording(1);
    let query = SpacetimeQuery { cursor: Some(Seq(300)), ..SpacetimeQuery::default() };
    let view = build::spacetime(&rec, &query);
    let svg = svg::spacetime(&view, &SvgOptions::default());
    keep("spacetime.svg", &svg);
    let document = check::well_formed(&svg);
    assert_eq!(view.lanes.len(), sample::PROCESSES.len());
    for kind in ArrowKind::ALL {
        let n = view.arrows.iter().filter(|arrow| arrow.kind == kind).count();
        assert_eq!(check::count(&document, kind.as_str()), n, "{kind:?}");
    }
    let arrivals = rec.count(&cinema::model::Filter::kinds(&[Kind::Receive, Kind::ExitSignal]));
    assert_eq!(view.arrows.len() as u64, arrivals);
    let words = ["crash", "restart", "timeout", "late", "cursor"];
    assert_eq!(words.map(|class| check::count(&document, class)), [1, 1, 1, 1, 1]);
    assert!(view.density.is_none() && view.notes.is_empty(), "{:?}", view.notes);
    expect!["20 processes, 214 messages, 61.6 ms; quiet stretches are cut out"].assert_eq(&view.subtitle);
    assert_eq!(svg, svg::spacetime(&build::spacetime(&rec, &query), &SvgOptions::default()), "the same twice");
}

#[test]
fn lanes_are_in_the_order_of_the_tree() {
    let view = build::spacetime(&sample::recording(1), &SpacetimeQuery::default());
    let lanes: Vec<String> = view.lanes.iter().map(|l| format!("{}{}\n", "  ".repeat(l.depth), l.name)).collect();
    expect![[r#"
        client_1
        client_2
        client_3
        client_4
        app_sup
          router
          pool_sup
            worker_1
            worker_2
            worker_3
            worker_4
            worker_5
            worker_6
            worker_4
          cache
          db_sup
            db_conn_1
            db_conn_2
          logger
          metrics
    "#]]
    .assert_eq(&lanes.concat());
}

#[test]
fn spacetime_has_a_table() {
    let view = build::spacetime(&sample::recording(1), &SpacetimeQuery::default());
    let table = view.table();
    assert_eq!(table.rows.len(), view.arrows.len() + view.bars.len() + view.points.len());
    expect![[r#"
        #17     0 ns  spawn   logger <0.123.0>                                  #{behaviour => gen_server,label => logger,supervisor => <0.110.0>}
        #18     0 ns  spawn   metrics <0.124.0>                                 #{behaviour => gen_server,label => metrics,supervisor => <0.110.0>}
        #19   400 µs  call    client_4 <0.128.0>   router <0.111.0>     198 µs  {get,k}
        #21   598 µs  handle  router <0.111.0>     router <0.111.0>     110 µs  handle_call get
        #22   658 µs  cast    router <0.111.0>     worker_1 <0.113.0>    71 µs  {job,k}
        #25   729 µs  handle  worker_1 <0.113.0>   worker_1 <0.113.0>  3.53 ms  handle_cast job
        #26   819 µs  call    worker_1 <0.113.0>   cache <0.119.0>      193 µs  {lookup,k}
        #28  1.01 ms  handle  cache <0.119.0>      cache <0.119.0>      140 µs  handle_call lookup
        #29  1.14 ms  reply   cache <0.119.0>      worker_1 <0.113.0>    73 µs  k"#]].assert_eq(&first_rows(&table, 26).lines().skip(19).collect::<Vec<_>>().join("\n"));
}

#[test]
fn too_many_messages_become_shade() {
    let rec = sample::recording(20);
    let view = build::spacetime(&rec, &SpacetimeQuery::default());
    let svg = svg::spacetime(&view, &SvgOptions::default());
    keep("dense.svg", &svg);
    let document = check::well_formed(&svg);
    assert!(view.arrows.is_empty() && view.bars.is_empty());
    assert_eq!(check::count(&document, "crash"), 1, "what matters is still there");
    assert!(check::marks(&document).len() <= limits::PICTURE_MARKS_MAX);
    assert!(svg.contains("too many for arrows"));
    let n_events: i64 = view.table().rows.iter().map(|row| if let Cell::Int(n) = row[1] { n } else { 0 }).sum();
    assert!(n_events > 9_000, "the table counts what the shade shows: {n_events}");
}

#[test]
fn too_many_processes_are_counted() {
    let rec = sample::crowd(limits::PICTURE_LANES_MAX as u32 + 15);
    let view = build::spacetime(&rec, &SpacetimeQuery::default());
    check::well_formed(&svg::spacetime(&view, &SvgOptions::default()));
    assert_eq!(view.lanes.len(), limits::PICTURE_LANES_MAX);
    assert!(view.notes[0].contains("PICTURE_LANES_MAX (60): 15 quieter processes"), "{:?}", view.notes);
    let tree = whole_tree(&rec);
    let pairs = flow::pairs(&rec, &[]);
    assert_eq!(build::matrix(&tree, &pairs, Syntax::Erlang).names.len(), limits::PICTURE_LANES_MAX);
    let arcs = build::tree_arcs(&tree, &pairs, Syntax::Erlang);
    assert_eq!(arcs.tree.rows.len(), limits::PICTURE_LANES_MAX);
    assert!(arcs.tree.notes.iter().any(|note| note.contains("are hidden")), "{:?}", arcs.tree.notes);
}

/// Every event of one call.
fn one_call(rec: &Recording, from: u64) -> Vec<Seq> {
    let events = || (0..rec.len()).filter_map(|seq| rec.event(Seq(seq)));
    let call = events().skip(from as usize).find_map(|event| event.call).expect("a call follows");
    events().filter(|event| event.call == Some(call)).map(|event| event.seq).collect()
}

#[test]
fn a_focus_is_at_full_ink_and_labelled() {
    let rec = sample::recording(1);
    let focus = one_call(&rec, 400);
    let query = SpacetimeQuery { cursor: Some(focus[1]), focus, ..SpacetimeQuery::default() };
    let view = build::spacetime(&rec, &query);
    let svg = svg::spacetime(&view, &SvgOptions::default());
    keep("focus.svg", &svg);
    let document = check::well_formed(&svg);
    assert_eq!(check::count(&document, "strong"), 2, "the call and its reply");
    assert!(check::count(&document, "faint") > 100);
}

#[test]
fn a_focus_in_a_crowd_narrows_the_picture() {
    let rec = sample::recording(40);
    let query = SpacetimeQuery { focus: one_call(&rec, 9_000), ..SpacetimeQuery::default() };
    let view = build::spacetime(&rec, &query);
    let svg = svg::spacetime(&view, &SvgOptions::default());
    keep("focus-narrow.svg", &svg);
    let document = check::well_formed(&svg);
    assert_eq!(check::count(&document, "strong"), 2);
    assert!(view.arrows.len() < 260 && view.moments.len() < 1_000, "{} arrows", view.arrows.len());
}

#[test]
fn tree_and_matrix_count_messages() {
    let rec = sample::recording(1);
    let (tree, pairs) = (whole_tree(&rec), flow::pairs(&rec, &[]));
    let arcs = build::tree_arcs(&tree, &pairs, Syntax::Erlang);
    let svg = svg::tree_arcs(&arcs, &SvgOptions::default());
    keep("tree_arcs.svg", &svg);
    check::well_formed(&svg);
    let matrix = build::matrix(&tree, &pairs, Syntax::Erlang);
    let svg = svg::matrix(&matrix, &SvgOptions::default());
    keep("matrix.svg", &svg);
    check::well_formed(&svg);
    let sum: u64 = matrix.counts.iter().flatten().sum();
    assert_eq!(sum, arcs.arcs.iter().map(|arc| arc.n_messages).sum::<u64>());
    expect![[r#"
        from      to        messages
        ────────────────────────────
        client_1  router           9
        client_2  router           9
        client_3  router           9
        client_4  router           9
        router    worker_1         6
    "#]]
    .assert_eq(&first_rows(&matrix.table(), 5));
    let svg = svg::matrix(&matrix, &SvgOptions { width: 400.0 });
    check::well_formed(&svg);
}

/// The trace of a call that times out, as `ttb` left it.
#[test]
fn a_real_trace_shows_its_timeout() {
    let mut rec = Recording::default();
    let path = std::path::Path::new("tests/data/shop-ttb");
    let mut append =
        |batch: &cinema::model::EventBatch| batch.iter().try_for_each(|event| rec.append(&event).map(drop));
    cinema::sandbox::import::import(path, &mut append, &mut |_| true).unwrap();
    let view = build::spacetime(&rec, &SpacetimeQuery { title: "shop".into(), ..SpacetimeQuery::default() });
    let svg = svg::spacetime(&view, &SvgOptions::default());
    keep("shop.svg", &svg);
    let document = check::well_formed(&svg);
    let kinds = [PointKind::Timeout, PointKind::LateReply, PointKind::Crash];
    assert_eq!(kinds.map(|kind| view.points.iter().filter(|point| point.kind == kind).count()), [1, 1, 1]);
    assert_eq!(check::count(&document, "timeout"), 1);
    assert!(view.arrows.iter().any(|arrow| arrow.label == "{buy,1}"));
}
