//! The session as scripts drive it: lines in, tables and sentences out, on real recordings.

use std::cell::RefCell;
use std::rc::Rc;

use cinema::model::Syntax;
use cinema::render::text::{self, TextOptions};
use cinema::script::ScriptEnd;
use cinema::script::api::{Block, Console, ConsoleOptions, Output, shown};
use expect_test::{Expect, expect};

/// A console whose printed lines and notices are collected.
struct Bench {
    console: Console,
    printed: Rc<RefCell<Vec<String>>>,
}

impl Bench {
    fn new() -> Bench {
        let printed = Rc::new(RefCell::new(Vec::new()));
        let (lines, shows, notices) = (printed.clone(), printed.clone(), printed.clone());
        let options =
            ConsoleOptions { interrupt: Default::default(), roots: vec![".".into()], seed: 1, n_rows_max: 40 };
        let console = Console::new(
            options,
            Output {
                print: Box::new(move |line| lines.borrow_mut().push(line.to_string())),
                show: Box::new(move |shown, _| {
                    shows.borrow_mut().extend(shown.blocks.iter().map(block));
                    Ok(())
                }),
                notify: Box::new(move |notice| notices.borrow_mut().push(format!("{notice:?}"))),
            },
        );
        Bench { console, printed }
    }

    /// What a line shows, as text without colour.
    fn eval(&mut self, line: &str) -> String {
        let mut text = match self.console.shell.eval_line(line) {
            Ok(value) => shown(&value, Syntax::Erlang, 40).blocks.iter().map(block).collect(),
            Err(ScriptEnd::Failed(failure)) => format!("error: {failure}\n"),
            Err(ScriptEnd::Exited(code)) => format!("exit {code}\n"),
        };
        for line in self.printed.borrow_mut().drain(..) {
            text = format!("{line}\n{text}");
        }
        text
    }
}

fn block(block: &Block) -> String {
    match block {
        Block::Text(text) => format!("{text}\n"),
        Block::Table(table) => text::table(table, &TextOptions::default()),
        Block::Tree(tree) => text::tree(tree, &TextOptions::default()),
    }
}

#[track_caller]
fn check(lines: &[&str], expected: Expect) {
    let mut bench = Bench::new();
    let transcript: String = lines.iter().map(|line| format!("> {line}\n{}", bench.eval(line))).collect();
    expected.assert_eq(&transcript);
}

const SHOP: &str = r#"open("tests/data/shop-ttb")"#;

#[test]
fn a_recording_says_what_it_is_and_what_it_cannot() {
    check(
        &[SHOP, "run()", "when()", r#"state("shop")"#],
        expect![[r#"
            > open("tests/data/shop-ttb")
            sandbox 0
            field                        value
            ──────────────────────────────────────────────
            id                           0
            title                        shop-ttb
            what                         recording
            can                          read only
            events                       81
            branches                     1
            length_ns                    278 ms
            node                         ttbdemo@localhost
            frames                       78
            not stored: receive timeout  4
            > run()
            error: shop-ttb cannot run (capability can_run)
                 | run()
                 | ^^^
              hint: a recording is only read: seek, step, why, patterns .. work on it; run needs sandbox(..)
            > when()
            position
            field           value
            ──────────────────────
            seq             #80
            since_start_ns  278 ms
            percent         100
            passed          81
            events          81
            branch          0
            > state("shop")
            #{sold => 7,stock => 23}
        "#]],
    );
}

#[test]
fn a_timeout_is_explained() {
    check(
        &[SHOP, "why()", "calls()", "latency()", r#"events().kind("timeout").all()"#],
        expect![[r#"
            > open("tests/data/shop-ttb")
            sandbox 0
            field                        value
            ──────────────────────────────────────────────
            id                           0
            title                        shop-ttb
            what                         recording
            can                          read only
            events                       81
            branches                     1
            length_ns                    278 ms
            node                         ttbdemo@localhost
            frames                       78
            not stored: receive timeout  4
            > why()
            shop crashed while handling the call boom of erl_eval <0.88.0> (#64): {boom,7}, raised in shop:handle_call/3 (shop.erl:9) (#77). erl_eval <0.88.0>, which waited for the answer, got the exit instead (#79). Its state was #{sold => 7,stock => 23} (since #54).
            evidence (4 rows)
            seq      at  role          what
            ───────────────────────────────────────────────────────────────────────────────
            #54  153 ms  state before  #{sold => 7,stock => 23}
            #64  265 ms  callback      shop begins the call boom of erl_eval <0.88.0> (#64)
            #77  278 ms  end           shop ends: {boom,7}
            #79  278 ms  caller told   erl_eval <0.88.0>'s call fails
            next: chain(seq(77))
            > calls()
            calls (7 rows)
            seq       at  caller             callee  tag    outcome   late   queue  handling  reply    total
            ────────────────────────────────────────────────────────────────────────────────────────────────
             #6   142 µs  erl_eval <0.88.0>  shop    buy    received          5 µs      8 µs   7 µs    29 µs
            #14   176 µs  erl_eval <0.88.0>  shop    buy    received          4 µs      4 µs   4 µs    17 µs
            #21   197 µs  erl_eval <0.88.0>  shop    buy    received          3 µs      4 µs   5 µs    16 µs
            #28   216 µs  erl_eval <0.88.0>  shop    buy    received          7 µs      4 µs   6 µs    22 µs
            #42   284 µs  shop <0.90.0>      shop    audit  received          9 µs    152 ms  90 µs   152 ms
            #48  12.5 ms  erl_eval <0.88.0>  shop    buy    timeout   late  140 ms     10 µs         51.0 ms
            #61   265 ms  erl_eval <0.88.0>  shop    boom   exit             19 µs                   13.3 ms
            > latency()
            latency (3 rows)
            callee  tag    calls  timeouts  failed  late  queue_p50  queue_max  handling_p50  handling_max  total_p50  total_p99  total_max
            ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────
            shop    audit      1         0       0     0       9 µs       9 µs        152 ms        152 ms     152 ms     152 ms     152 ms
            shop    buy        5         1       0     1       5 µs     140 ms          4 µs         10 µs      22 µs    51.0 ms    51.0 ms
            shop    boom       1         0       1     0      19 µs      19 µs                                13.3 ms    13.3 ms    13.3 ms
            > events().kind("timeout").all()
            events (1 row)
            seq       at  kind     class  process            peer  tag  payload
            ───────────────────────────────────────────────────────────────────
            #50  63.4 ms  timeout  call   erl_eval <0.88.0>  shop  buy
        "#]],
    );
}

#[test]
fn a_file_that_is_written_over_while_it_is_open_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one.cinema", "other.cinema"].map(|name| folder.path().join(name));
    let mut bench = Bench::new();
    for (seed, path) in [(7, &one), (8, &other)] {
        let path = path.display();
        bench.eval(&format!(r#"sandbox(#{{path: "examples/worker_pool", seed: {seed}}}); run(); save("{path}")"#));
    }
    let whole = std::fs::read(&one).unwrap();
    for bytes in [&std::fs::read(&other).unwrap()[..], &whole[..whole.len() / 2]] {
        std::fs::write(&one, &whole).unwrap();
        let mut bench = Bench::new();
        bench.eval(&format!(r#"let recording = open("{}");"#, one.display()));
        std::fs::write(&one, bytes).unwrap();
        for line in ["events().count()", "latency()", "info()"] {
            let said = bench.eval(line);
            assert!(said.contains("while it was open"), "{line}: {said}");
        }
        let there = bench.eval(&format!(r#"open("{}"); events().count()"#, one.display()));
        assert!(!there.contains("error"), "{there}");
    }
}
