//! What a diff says of maps, tuples and lists, and how its paths are written.

use expect_test::{Expect, expect};

use super::*;

fn erl(text: &str) -> Term {
    Term::parse(text, Syntax::Erlang).expect("a term")
}

fn check(before: &str, after: &str, expected: Expect) {
    let (before, after) = (erl(before), erl(after));
    let show = |side: &Option<Term>| side.as_ref().map_or("-".to_string(), |term| format!("{term:?}"));
    let lines: String = diff(&before, &after)
        .iter()
        .map(|c| format!("{}: {} -> {}\n", c.path, show(&c.before), show(&c.after)))
        .collect();
    expected.assert_eq(&lines);
}

#[test]
fn maps_tuples_and_lists() {
    check(
        "#{balance => 1, gone => x, orders => [#{qty => 1}, #{qty => 2}], t => {a, b}}",
        "#{balance => 2, orders => [#{qty => 1}, #{qty => 3}], t => {a, c}, fresh => []}",
        expect![[r#"
            balance: 1 -> 2
            fresh: - -> []
            gone: x -> -
            orders[1].qty: 2 -> 3
            t[1]: b -> c
        "#]],
    );
}

#[test]
fn an_item_in_front_is_one_change() {
    check(
        "[b,c,d]",
        "[a,b,c,d]",
        expect![[r#"
        [0]: - -> a
    "#]],
    );
    check(
        "[a,b,c,d]",
        "[a,d]",
        expect![[r#"
        [1]: b -> -
        [2]: c -> -
    "#]],
    );
    check(
        "[]",
        "[a]",
        expect![[r#"
        [0]: - -> a
    "#]],
    );
}

#[test]
fn other_shapes_change_as_a_whole() {
    check(
        "{a}",
        "{a,b}",
        expect![[r#"
        : {a} -> {a,b}
    "#]],
    );
    check(
        "1",
        "1.0",
        expect![[r#"
        : 1 -> 1.0
    "#]],
    );
    check(
        "[a|b]",
        "[a|c]",
        expect![[r#"
        : [a|b] -> [a|c]
    "#]],
    );
    check("#{x => [1]}", "#{x => [1]}", expect![""]);
}

#[test]
fn a_path_reads_back() {
    for text in ["", "balance", "orders[3].qty", r#"prices{<<"eur">>}.'Odd key'[0]"#, "{{1,a}}.x", "'Elixir.A'"] {
        let path = Path::parse(text).expect("a path");
        assert_eq!(path.to_string(), text);
    }
    let term = erl(r#"#{prices => #{<<"eur">> => {1, [5, 6]}}}"#);
    let path = Path::parse(r#"prices{<<"eur">>}[1][0]"#).expect("a path");
    assert_eq!(path.get(&term), Some(&Term::Int(5)));
    let errors = ["a[x]", "a..b", "a{1", "a[1"].map(|text| Path::parse(text).expect_err("not a path").to_string());
    expect![[r#"
        expected a position at column 3
        expected a field name at column 3
        expected } after the key at column 4
        no ] after [ at column 2"#]]
    .assert_eq(&errors.join("\n"));
}

#[test]
fn too_many_changes_become_one() {
    let list = |first: i64| Term::list((first..first + 20_000).map(Term::Int).collect::<Vec<_>>());
    assert_eq!(diff(&list(0), &list(100_000)).len(), 1);
}
