//! Each sort of term in both syntaxes, and what is left out where room is short.

use expect_test::{Expect, expect};

use super::*;
use crate::model::Origin;

fn check(term: Term, expected: Expect) {
    let erlang = term.display(Style::erlang());
    let elixir = term.display(Style::elixir());
    expected.assert_eq(&format!("{erlang}\n{elixir}"));
}

#[test]
fn atoms() {
    let names = ["ok", "Elixir.Shop.Cart", "hello world", "end", "nil", "valid?", "$gen_call", "it's", "żółw", ""];
    check(
        Term::tuple(names.map(Term::atom)),
        expect![[r#"
            {ok,'Elixir.Shop.Cart','hello world','end',nil,'valid?','$gen_call','it\'s','żółw',''}
            {:ok, Shop.Cart, :"hello world", :end, nil, :valid?, :"$gen_call", :"it's", :"żółw", :""}"#]],
    );
}

#[test]
fn texts() {
    let charlist = |text: &str| Term::list(text.bytes().map(|b| Term::Int(i64::from(b))).collect::<Vec<_>>());
    check(
        Term::tuple([
            Term::binary("plain"),
            Term::binary("ż \"q\" #{x}\n"),
            Term::binary(vec![0xff, 0]),
            Term::binary(""),
            charlist("hi\t"),
            Term::list([Term::Int(1)]),
        ]),
        expect![[r#"
            {<<"plain">>,<<"ż \"q\" #{x}\n"/utf8>>,<<255,0>>,<<>>,"hi\t",[1]}
            {"plain", "ż \"q\" \#{x}\n", <<255, 0>>, "", ~c"hi\t", [1]}"#]],
    );
}

#[test]
fn compound_terms() {
    let point = Term::map([
        (Term::atom("__struct__"), Term::atom("Elixir.Point")),
        (Term::atom("x"), Term::Int(1)),
        (Term::atom("y z"), Term::float(2.0)),
    ]);
    let keyword = Term::list([Term::tuple([Term::atom("a"), Term::Int(1)])]);
    let mixed = Term::map([(Term::Int(1), Term::Nil), (Term::atom("b"), Term::Nil)]);
    check(
        Term::list([point, keyword, mixed, Term::improper(vec![Term::Int(1)], Term::Int(2)), Term::tuple([])]),
        expect![[r#"
            [#{'__struct__' => 'Elixir.Point',x => 1,'y z' => 2.0},[{a,1}],#{1 => [],b => []},[1|2],{}]
            [%Point{x: 1, "y z": 2.0}, [a: 1], %{1 => [], :b => []}, [1 | 2], {}]"#]],
    );
}

#[test]
fn identities_and_funs() {
    let external = Fun::External { module: Atom::new("lists"), function: Atom::new("map"), arity: 2 };
    let reference = Reference { origin: Origin::LOCAL, n_words: 3, words: [1, 2, 3, 0, 0] };
    check(
        Term::list([
            Term::Pid(Pid::local(7)),
            Term::Port(Port { id_high: 0, id_low: 5, origin: Origin::LOCAL }),
            Term::Ref(reference.into()),
            Term::Fun(external.into()),
        ]),
        expect![[r#"
            [<0.7.0>,#Port<0.5>,#Ref<0.3.2.1>,fun lists:map/2]
            [#PID<0.7.0>, #Port<0.5>, #Reference<0.3.2.1>, &:lists.map/2]"#]],
    );
}

#[test]
fn foreign_text_cannot_steer_a_terminal() {
    check(
        Term::list([Term::binary("\u{1b}[31m\u{202e}"), Term::atom("a\u{1b}\u{9b}"), Term::binary(vec![0x1b, 0xff])]),
        expect![[r#"
            [<<"\e[31m\x{202E}"/utf8>>,'a\e\x{9B}',<<27,255>>]
            ["\e[31m\u{202E}", :"a\e\u{9B}", <<27, 255>>]"#]],
    );
}

#[test]
fn cells_say_what_they_leave_out() {
    let show = |term: &Term| term.display(Style::cell(Syntax::Erlang)).to_string();
    let deep = (0..20).fold(Term::Int(1), |term, _| Term::tuple([term, Term::atom("x")]));
    let long = Term::tuple([Term::binary("a".repeat(2000)), Term::list(vec![Term::atom("item"); 1000])]);
    expect!["{{{{{{{… 2 more},x},x},x},x},x},x}"].assert_eq(&show(&deep));
    expect![[r#"
        {<<"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"… 1 923 more>>,… 1 more}"#]]
    .assert_eq(&show(&long));
}
