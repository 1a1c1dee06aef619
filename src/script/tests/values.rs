//! Values: terms and scripts' values, both ways and to bytes.

use std::rc::Rc;

use proptest::prelude::*;
use rhai::{Dynamic, Engine};

use crate::codec::etf;
use crate::model::{Atom, Pid, Term};
use crate::script::control::Control;
use crate::script::convert::{to_dynamic, to_term};
use crate::script::encode::encode_dynamic;
use crate::script::engine::{self, Host};
use crate::script::profile::Profile;

fn shell() -> Engine {
    engine::build(Profile::Shell, &Host::new(Control::default(), Vec::new(), |_| {}))
}

/// The term that a script's last expression is, in ETF and back so that encoding is part of every check.
fn term_of(script: &str) -> Term {
    let value: Dynamic = shell().eval(script).unwrap();
    let mut bytes = Vec::new();
    encode_dynamic(&value, &mut bytes).unwrap();
    let term = to_term(&value).unwrap();
    assert_eq!(etf::decode(&bytes).unwrap(), term, "both ways give the same term for {script}");
    term
}

fn error_of(script: &str) -> String {
    let value: Dynamic = shell().eval(script).unwrap();
    let error = to_term(&value).unwrap_err().to_string();
    assert_eq!(encode_dynamic(&value, &mut Vec::new()).unwrap_err().to_string(), error);
    error
}

#[test]
fn scripts_values_are_terms() {
    let atom = Term::atom;
    assert_eq!(term_of("\"hello\""), atom("hello"));
    assert_eq!(term_of("true"), atom("true"));
    assert_eq!(term_of("()"), atom("nil"));
    assert_eq!(term_of("bin(\"hi\")"), Term::binary("hi"));
    assert_eq!(term_of("t(\"a\", 1, [2.5, -3])"), {
        Term::tuple([atom("a"), Term::Int(1), Term::list([Term::float(2.5), Term::Int(-3)])])
    });
    assert_eq!(term_of("#{b: 1, a: []}"), Term::map([(atom("a"), Term::Nil), (atom("b"), Term::Int(1))]));
    assert_eq!(term_of("[1, 2, 255]"), Term::list([Term::Int(1), Term::Int(2), Term::Int(255)]));
    assert_eq!(term_of("'a'"), Term::Int(97));
    assert_eq!(term_of("map_of([[1, \"one\"], [bin(\"k\"), 2]])"), {
        Term::map([(Term::Int(1), atom("one")), (Term::binary("k"), Term::Int(2))])
    });
    assert_eq!(term_of("big(\"-18446744073709551616\")"), Term::integer(-num_bigint::BigInt::from(1u128 << 64)));
}

#[test]
fn what_is_no_term_is_named_with_its_path() {
    let check = |script, error: &str| assert_eq!(error_of(script), error, "{script}");
    check("#{a: [1, |x| x]}", "at .a[1]: a closure cannot be a term");
    check("[0.0 / 0.0]", "at [0]: NaN is not a float of Erlang: they are finite");
    check(
        "let s = \"x\"; s.pad(300, 'y'); #{long: s}",
        "at .long: an atom has at most 255 characters, this one has 300; for longer text write bin(\"..\")",
    );
    check("let a = []; for i in 0..300 { a = [a]; } a.len; a", &{
        let path = "[0]".repeat(256);
        format!("at {path}: limit TERM_DEPTH_MAX (256): nest values less deep")
    });
}

#[test]
fn a_state_refuses_captured_variables() {
    let value: Dynamic = shell().eval("let n = 1; let f = || n; #{n: n}").unwrap();
    let mut shared = value.clone();
    shared.as_map_mut().unwrap().insert("n".into(), Dynamic::from(1_i64).into_shared());
    let mut out = vec![7];
    let error = encode_dynamic(&shared, &mut out).unwrap_err().to_string();
    assert_eq!(error, "at .n: a variable that a closure captured is shared; a state holds copies only");
    assert_eq!(out, [7]);
    assert_eq!(to_term(&shared).unwrap(), Term::map([(Term::atom("n"), Term::Int(1))]));
}

#[test]
fn terms_can_be_taken_apart() {
    let mut engine = shell();
    let term = Rc::new(Term::tuple([
        Term::atom("put"),
        Term::Pid(Pid::local(7)),
        Term::map([(Term::Int(1), Term::atom("x"))]),
    ]));
    engine.register_fn("msg", move || to_dynamic(&term));
    let check = |script: &str, value: &str| {
        let text: Dynamic = engine.eval(script).unwrap();
        assert_eq!(text.to_string(), value, "{script}");
    };
    check("tag(msg())", "put");
    check("msg()[0]", "put");
    check("msg()[-1][1]", "x");
    check("msg().len + msg().len()", "6");
    check("let n = 0; for part in msg() { n += 1; } n", "3");
    check("\"put\" in msg()", "true");
    check("msg() == t(\"put\", msg()[1], map_of([[1, \"x\"]]))", "true");
    check("t(1) == t(1.0) && t(1) < t(2) && msg() != 5", "true");
    check("kind_of(msg()) + kind_of(msg()[1]) + kind_of(#{}) + kind_of(1)", "tuplepidmapinteger");
    check("tag(\"stop\") + \" \" + type_of(tag([1])) + \" \" + type_of(msg())", "stop () Term");
    check("bin(\"text\").text() + \" \" + bin(\"ab\").to_array().len()", "text 2");
    let error = |script: &str, text: &str| {
        let error = engine.eval::<Dynamic>(script).unwrap_err().to_string();
        assert!(error.starts_with(text), "{script}: {error}");
    };
    error("msg()[3]", "Array index 3 out of bounds: only 3 elements in array (line 1,");
    error("msg().amount", "Runtime error: a tuple has no property amount (line 1,");
    error("msg()[1].len", "Runtime error: a pid has no length (line 1,");
}

fn terms() -> impl Strategy<Value = Term> {
    let text = "[a-zA-Zé ]{0,12}";
    let leaf = prop_oneof![
        any::<i64>().prop_map(Term::Int),
        (0..300_i64).prop_map(Term::Int),
        any::<i128>().prop_map(|n| Term::integer(n.into())),
        (-1e300..1e300).prop_map(Term::float),
        text.prop_map(|text| Term::Atom(Atom::new(&text))),
        prop_oneof!["true", "false", "nil"].prop_map(|text| Term::Atom(Atom::new(&text))),
        any::<Vec<u8>>().prop_map(Term::binary),
        any::<u32>().prop_map(|id| Term::Pid(Pid::local(id))),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let items = || prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            items().prop_map(Term::tuple),
            items().prop_map(Term::list),
            (items(), inner.clone()).prop_map(|(items, tail)| Term::improper(items, tail)),
            prop::collection::vec((inner.clone(), inner.clone()), 0..4).prop_map(Term::map),
            prop::collection::vec((text, inner.clone()), 0..4)
                .prop_map(|entries| Term::map(entries.into_iter().map(|(key, value)| (Term::atom(&key), value)))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn terms_survive_the_way_through_a_script(term in terms()) {
        let value = to_dynamic(&term);
        prop_assert!(to_term(&value).unwrap() == term);
        let (mut direct, mut by_term) = (Vec::new(), Vec::new());
        encode_dynamic(&value, &mut direct).unwrap();
        etf::encode(&term, &mut by_term);
        prop_assert_eq!(direct, by_term);
    }
}
