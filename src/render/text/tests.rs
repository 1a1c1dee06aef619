//! Tables and trees as text, as snapshots.

use expect_test::{Expect, expect};

use super::*;
use crate::model::Seq;
use crate::view::EventLine;

fn check(actual: &str, expected: Expect) {
    expected.assert_eq(actual);
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_string())
}

fn sample() -> Table {
    let mut table = Table::new("latency", &[">seq", "process", "result", ">queue", ">size"]);
    table.push(vec![Cell::Seq(Seq(7)), text("router"), text("received"), Cell::Ns(1_250_000), Cell::Bytes(120)]);
    table.push(vec![Cell::Seq(Seq(1234)), text("cache"), text("timeout"), Cell::Ns(730), Cell::Bytes(14_000)]);
    table.note("times are virtual")
}

#[test]
fn a_table_aligns_numbers_and_says_what_it_holds() {
    check(
        &table(&sample(), &TextOptions::default()),
        expect![[r#"
        latency (2 rows)
          seq  process  result      queue      size
        ───────────────────────────────────────────
           #7  router   received  1.25 ms     120 B
        #1234  cache    timeout    730 ns  13.7 KiB
        times are virtual
    "#]],
    );
}

#[test]
fn a_long_table_says_how_to_see_the_rest() {
    let mut long = Table::new("events", &[">n"]);
    (0..3).for_each(|n| long.push(vec![Cell::Int(n)]));
    long.n_more = 13_396;
    let options = TextOptions { n_rows_max: 2, more_hint: ".table(1000) shows more".into(), ..TextOptions::default() };
    check(
        &table(&long, &options),
        expect![[r#"
        events (13 399 rows)
        n
        ─
        0
        1
        … 13 397 more rows: .table(1000) shows more
    "#]],
    );
}

#[test]
fn an_empty_table_still_has_a_title() {
    check(
        &table(&Table::new("crashes", &["process"]), &TextOptions::default()),
        expect![[r#"
        crashes (0 rows)
    "#]],
    );
}

#[test]
fn foreign_text_cannot_steer_the_terminal() {
    let mut hostile = Table::new("x\u{1b}[2J", &["na\0me"]);
    hostile.push(vec![text("\u{1b}]0;title\u{7}\r\nnext\u{202e}evil")]);
    hostile.push(vec![text(&"long ".repeat(2_000))]);
    check(
        &table(&hostile, &TextOptions::default()),
        expect![[r#"
            x\x1b[2J (2 rows)
            na\x00me
            ────────────────────────────────────────────────────────────────────────────────
            \x1b]0;title\x07\r\nnext\u{202e}evil
            long long long long long long long long long long long long long long long long
            long long long long long long long long long long long long long long long long
            long long long long long long long long long long long long long long long long
            long long long long long long long long long long long long long long long long
            long long long long long long long long long long long long long long long long…
        "#]],
    );
}

#[test]
fn a_narrow_terminal_gets_short_lines() {
    let mut wide = sample();
    wide.rows[0][1] = text("a process with a name that is far too long for the line");
    for width in [30, 50, 80] {
        let shown = table(&wide, &TextOptions { width: Some(width), ..TextOptions::default() });
        assert!(
            shown.lines().skip(1).take(4).all(|line| line.chars().count() <= usize::from(width)),
            "{width}:\n{shown}"
        );
    }
    check(
        &table(&wide, &TextOptions { width: Some(50), ..TextOptions::default() }),
        expect![[r#"
            latency (2 rows)
              seq  process         result      queue      size
            ──────────────────────────────────────────────────
               #7  a process with  received  1.25 ms     120 B
                   a name that is
                   far too long
                   for the line
            #1234  cache           timeout    730 ns  13.7 KiB
            times are virtual
        "#]],
    );
}

/// Numbers stay whole, names break at underscores, then constant columns go, then the rightmost.
#[test]
fn a_table_with_many_columns_gives_way_in_order() {
    let columns = ["callee", "tag", ">calls", ">failed", ">queue_p50_ns", ">queue_max_ns", ">total_p99_ns"];
    let mut wide = Table::new("latency", &columns);
    for n in 1..4 {
        let tag = text("terminate_child_of_a_supervisor");
        let (queue, worst) = (Cell::Ns(n * 6_450), Cell::Ns(n * 11_100));
        wide.push(vec![
            text("ejabberd_router"),
            tag,
            Cell::Int(n),
            Cell::Int(0),
            queue,
            worst,
            Cell::Ns(n * 13_500_000),
        ]);
    }
    let show = |width| table(&wide, &TextOptions { width: Some(width), ..TextOptions::default() });
    check(
        &[show(100), show(66), show(48), show(30)].join("\n"),
        expect![[r#"
            latency (3 rows)
            callee           tag                              calls  failed  queue_p50  queue_max  total_p99
            ────────────────────────────────────────────────────────────────────────────────────────────────
            ejabberd_router  terminate_child_of_a_supervisor      1       0    6.45 µs    11.1 µs    13.5 ms
            ejabberd_router  terminate_child_of_a_supervisor      2       0    12.9 µs    22.2 µs    27.0 ms
            ejabberd_router  terminate_child_of_a_supervisor      3       0    19.4 µs    33.3 µs    40.5 ms

            latency (3 rows)
            callee       tag          calls  failed   queue_   queue_   total_
                                                         p50      max      p99
            ──────────────────────────────────────────────────────────────────
            ejabberd_r…  terminate_…      1       0  6.45 µs  11.1 µs  13.5 ms
            ejabberd_r…  terminate_…      2       0  12.9 µs  22.2 µs  27.0 ms
            ejabberd_r…  terminate_…      3       0  19.4 µs  33.3 µs  40.5 ms

            latency (3 rows)
            callee      tag         calls   queue_   queue_
                                               p50      max
            ───────────────────────────────────────────────
            ejabberd_…  terminate…      1  6.45 µs  11.1 µs
            ejabberd_…  terminate…      2  12.9 µs  22.2 µs
            ejabberd_…  terminate…      3  19.4 µs  33.3 µs
            no room for: failed, total_p99; widen the terminal to see them

            latency (3 rows)
            callee      tag         calls
            ─────────────────────────────
            ejabberd_…  terminate…      1
            ejabberd_…  terminate…      2
            ejabberd_…  terminate…      3
            no room for: failed, queue_p50, queue_max, total_p99; widen the terminal to see them
        "#]],
    );
}

#[test]
fn sentences_wrap() {
    let mut findings = Table::new("patterns", &["severity", ">seq", "finding", "next"]);
    let sentence = "ledger was in its callback for the cast audit for 900 ms (#260 to #329), while 2 messages waited; \
                    the longest waited for 899 ms, and one call timed out meanwhile (#282).";
    findings.push(vec![text("warning"), Cell::Seq(Seq(260)), text(sentence), text("process_timeline(\"ledger\")")]);
    findings.push(vec![text("info"), Cell::Seq(Seq(332)), text("a short one"), text("why(seq(286))")]);
    let show = |width| table(&findings, &TextOptions { width, ..TextOptions::default() });
    check(
        &[show(None), show(Some(80))].join("\n"),
        expect![[r#"
        patterns (2 rows)
        severity   seq  finding                                                                           next
        ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        warning   #260  ledger was in its callback for the cast audit for 900 ms (#260 to #329), while 2  process_timeline("ledger")
                        messages waited; the longest waited for 899 ms, and one call timed out meanwhile
                        (#282).
        info      #332  a short one                                                                       why(seq(286))

        patterns (2 rows)
        severity   seq  finding                              next
        ───────────────────────────────────────────────────────────────────────────────
        warning   #260  ledger was in its callback for the   process_timeline("ledger")
                        cast audit for 900 ms (#260 to
                        #329), while 2 messages waited; the
                        longest waited for 899 ms, and one
                        call timed out meanwhile (#282).
        info      #332  a short one                          why(seq(286))
    "#]],
    );
}

#[test]
fn colour_only_when_asked() {
    assert!(!table(&sample(), &TextOptions::default()).contains('\u{1b}'));
    let coloured = table(&sample(), &TextOptions { is_coloured: true, ..TextOptions::default() });
    check(
        &coloured.replace('\u{1b}', "ESC"),
        expect![[r#"
        ESC[1mlatency (2 rows)ESC[0m
        ESC[1m  seq ESC[0m ESC[1mprocess ESC[0m ESC[1mresult   ESC[0m ESC[1m  queue ESC[0m ESC[1m    sizeESC[0m
        ───────────────────────────────────────────
           #7  router   ESC[38;5;10mreceived ESC[39m 1.25 ms     120 B
        #1234  cache    ESC[38;5;9mtimeout  ESC[39m  730 ns  13.7 KiB
        ESC[2mtimes are virtualESC[0m
    "#]],
    );
}

#[test]
fn a_tree_has_branches() {
    let row = |depth, name: &str, is_supervisor, n_restarts| TreeRow {
        depth,
        name: name.to_string(),
        id: format!("<0.{}.0>", 100 + depth),
        is_supervisor,
        status: if n_restarts == 9 { "dead" } else { "alive" }.to_string(),
        n_restarts,
        ..TreeRow::default()
    };
    let tree = Tree {
        title: "supervision tree at 12 ms".to_string(),
        rows: vec![
            row(0, "app_sup", true, 0),
            row(1, "router", false, 0),
            row(1, "pool_sup", true, 0),
            row(2, "worker_1", false, 1),
            row(2, "worker_2", false, 9),
            row(1, "cache", false, 0),
            row(0, "client", false, 0),
        ],
        notes: vec![],
    };
    check(
        &super::tree(&tree, &TextOptions::default()),
        expect![[r#"
        supervision tree at 12 ms
        app_sup         <0.100.0>  alive
        ├─ router       <0.101.0>  alive
        ├─ pool_sup     <0.101.0>  alive
        │  ├─ worker_1  <0.102.0>  alive  1 restart
        │  └─ worker_2  <0.102.0>  dead  9 restarts
        └─ cache        <0.101.0>  alive
        client          <0.100.0>  alive
    "#]],
    );
}

#[test]
fn numbers_are_short() {
    let shown: Vec<String> =
        [0.0, 1.0, 0.123_456, 1234.5, 99_999.0, 1e-7, f64::NAN].iter().map(|v| float(*v)).collect();
    check(&shown.join(" | "), expect!["0 | 1 | 0.1235 | 1234 | 99999 | 1.000e-7 | NaN"]);
    check(
        &[bytes(0), bytes(1536), bytes(5 << 20), bytes(3 << 30)].join(" | "),
        expect!["0 B | 1.5 KiB | 5 MiB | 3 GiB"],
    );
    check(&[grouped(1), grouped(1234), grouped(13_399_000)].join(" | "), expect!["1 | 1 234 | 13 399 000"]);
}

#[test]
fn an_event_is_one_line() {
    let line = EventLine {
        seq: Seq(1234),
        at_ns: 12_500_000,
        kind: "send".into(),
        class: "call".into(),
        process: "router <0.111.0>".into(),
        peer: Some("cache <0.119.0>".into()),
        is_towards_peer: true,
        detail: "{get, k}\n".into(),
    };
    let show = |width| crate::render::event_line::event_line(&line, &TextOptions { width, ..TextOptions::default() });
    check(
        &format!("of any width:\n{}\nof 60:\n{}", show(None), show(Some(60))),
        expect![[r#"
            of any width:
              #1234   12.5 ms  send call           router <0.111.0> → cache <0.119.0>  {get, k}
            of 60:
              #1234   12.5 ms  send call           router <0.111.0> → c…"#]],
    );
}
