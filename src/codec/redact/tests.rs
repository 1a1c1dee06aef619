//! What is taken out, what stays, and that nothing slips through.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::{Style, Syntax};

fn bytes_of(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    etf::encode(term, &mut bytes);
    bytes
}

fn redacted(text: &str) -> String {
    let term = Term::parse(text, Syntax::Erlang).unwrap();
    Redactor::default().redact_term(&term).display(Style::erlang()).to_string()
}

fn charlist(text: &str) -> Term {
    Term::list(text.chars().map(|c| Term::Int(i64::from(u32::from(c)))).collect::<Vec<_>>())
}

/// The term with R where something was taken out.
fn check(text: &str, expected: &str) {
    assert_eq!(redacted(text).replace("<<\"[redacted]\">>", "R"), expected, "{text}");
}

#[test]
fn fields_lose_their_values() {
    check("#{password => <<\"x\">>, user => <<\"ann\">>}", "#{password => R,user => <<\"ann\">>}");
    check("#{<<\"apiKey\">> => 7, \"token\" => [1, 2]}", "#{\"token\" => R,<<\"apiKey\">> => R}");
    check("{login, [{user, \"ann\"}, {password, {a, b}}, {n, 1}]}", "{login,[{user,\"ann\"},{password,R},{n,1}]}");
    check("{<<\"Authorization\">>, <<\"Basic x\">>}", "{<<\"Authorization\">>,R}");
    check("[{secret, 1} | {token, 2}]", "[{secret,R}|{token,R}]");
    check("{reply, {ok, #{a => #{b => [#{cookie => c}]}}}, s}", "{reply,{ok,#{a => #{b => [#{cookie => R}]}}},s}");
    check("#{{secret, 1} => 2, a => 3}", "R");
    check("#{k => #{{secret, 1} => 2}, a => 3}", "#{a => 3,k => R}");
}

#[test]
fn what_is_no_secret_stays() {
    for text in [
        "{password,a,b}",
        "password",
        "{token}",
        "#{token_server => <0.1.0>}",
        "{'Elixir.Shop.Token',1}",
        "[password,1]",
        "#{password => undefined,secret => nil,token => []}",
        "{'$gen_call',{<0.1.0>,a},{get,password}}",
    ] {
        assert_eq!(redacted(text), redacted(text));
        let bytes = bytes_of(&Term::parse(text, Syntax::Erlang).unwrap());
        assert!(matches!(Redactor::default().redact(&bytes), Cow::Borrowed(_)), "{text}");
    }
}

#[test]
fn texts_are_secret_whole_however_they_are_cut() {
    check("{http, <<\"a=1&password=x\">>, <<\"a=1\">>}", "{http,R,<<\"a=1\">>}");
    check("{http, \"Cookie: x\"}", "{http,R}");
    check("[<<\"pass\">>, [\"wo\", $r, [\"d\"]], \"=\" | <<\"x\">>]", "R");
    check("[{a, [<<\"toke\">>, \"n: 1\"]}, [<<\"b\">>]]", "[{a,R},[<<\"b\">>]]");
    check("[[a, [<<\"token\">>, <<\": \">>, [<<\"x\">>]]], b]", "[[a,R],b]");
    check("{log, \"p\u{e4}ss \u{442} token: \u{442}\"}", "{log,R}");
}

#[test]
fn terms_in_binaries_are_looked_through() {
    let inner = bytes_of(&Term::parse("#{password => 1}", Syntax::Erlang).unwrap());
    let outer = bytes_of(&Term::tuple([Term::atom("blob"), Term::binary(inner)]));
    let mut redactor = Redactor::default();
    assert_eq!(etf::decode(&redactor.redact(&outer)).unwrap(), Term::tuple([Term::atom("blob"), mark()]));
    // Beyond some levels nothing is looked at any more, and nothing is let through.
    let mut harmless = bytes_of(&Term::Int(1));
    for level in 1..8 {
        harmless = bytes_of(&Term::binary(harmless));
        assert_eq!(is_redacted(&redactor.redact(&harmless)), level > REDACTION_LEVELS_MAX, "{level}");
    }
    let no_term = bytes_of(&Term::binary(b"\x83 is no term"));
    assert!(matches!(redactor.redact(&no_term), Cow::Borrowed(_)));
}

#[test]
fn what_cannot_be_looked_at_is_left_out() {
    let mut redactor = Redactor::default();
    let all = bytes_of(&mark());
    for bytes in [
        &b"\x83"[..],
        b"\x83h\x02a\x01",
        b"x",
        b"\x83a\x01a",
        b"\x83\x50\0\0\0\x05xxxx",
        b"\x83\x50\xff\xff\xff\xff",
        b"\x83t\xff\xff\xff\xffa\x01",
        b"\x83p\0\0\0\x20",
    ] {
        assert_eq!(*redactor.redact(bytes), *all, "{bytes:?}");
        assert_eq!(redactor.redact_values(bytes), all, "{bytes:?}");
    }
    assert_eq!(redactor.n_redacted(), 16);
    assert!(redactor.redact(b"").is_empty());
}

#[test]
fn depth_hides_nothing() {
    let deep = |n: usize, inner: &[u8]| {
        let mut bytes = vec![tags::VERSION];
        bytes.extend(std::iter::repeat_n([tags::SMALL_TUPLE, 1], n).flatten());
        bytes.extend_from_slice(inner);
        bytes
    };
    let pair = |name: &Term, value: &Term| bytes_of(&Term::tuple([name.clone(), value.clone()]))[1..].to_vec();
    let secret = pair(&Term::atom("password"), &Term::binary(b"hunter2"));
    let mut redactor = Redactor::default();
    let bytes = deep(REDACTION_DEPTH_MAX - 1, &secret);
    assert_eq!(*redactor.redact(&bytes), deep(REDACTION_DEPTH_MAX - 1, &pair(&Term::atom("password"), &mark())));
    for n in [REDACTION_DEPTH_MAX, REDACTION_DEPTH_MAX * 3] {
        assert_eq!(*redactor.redact(&deep(n, &secret)), bytes_of(&mark()));
    }
    // After damage deep inside the next term is looked through as any other.
    assert_eq!(*redactor.redact(&deep(10, &secret)), deep(10, &pair(&Term::atom("password"), &mark())));
    // Lists in lists are not put together anew on every level.
    let mut bytes = vec![tags::VERSION];
    let n_lists = REDACTION_DEPTH_MAX - 10;
    bytes.extend(std::iter::repeat_n([tags::LIST, 0, 0, 0, 1], n_lists).flatten());
    bytes.extend_from_slice(&secret);
    bytes.extend(std::iter::repeat_n(tags::NIL, n_lists));
    assert!(is_redacted(&redactor.redact(&bytes)));
}

#[test]
fn what_was_compressed_comes_out_plain() {
    let term = Term::parse("#{token => 1, a => 2}", Syntax::Erlang).unwrap();
    let compress = |term: &Term| {
        use std::io::Write;
        let plain = bytes_of(term);
        let mut bytes = vec![tags::VERSION, tags::COMPRESSED];
        bytes.extend_from_slice(&(plain.len() as u32 - 1).to_be_bytes());
        let mut zlib = flate2::write::ZlibEncoder::new(bytes, flate2::Compression::default());
        zlib.write_all(&plain[1..]).unwrap();
        zlib.finish().unwrap()
    };
    let mut redactor = Redactor::default();
    let changed = redactor.redact(&compress(&term)).into_owned();
    assert_eq!(etf::decode(&changed).unwrap(), redactor.redact_term(&term));
    let inside = bytes_of(&Term::binary(compress(&term)));
    assert_eq!(etf::decode(&redactor.redact(&inside)).unwrap(), mark());
    let harmless = compress(&Term::Int(7));
    assert!(matches!(redactor.redact(&harmless), Cow::Borrowed(_)));
}

#[test]
fn a_fun_that_holds_a_secret_is_one() {
    use crate::model::term::{Fun, LocalFun};
    let fun = |free: Term| {
        let fun = LocalFun {
            module: crate::model::Atom::new("m"),
            arity: 0,
            index: 1,
            uniq: [7; 16],
            old_index: 1,
            old_uniq: 2,
            pid: crate::model::Pid::local(1),
            free: vec![free],
        };
        Term::Fun(Arc::new(Fun::Local(Box::new(fun))))
    };
    let mut redactor = Redactor::default();
    let harmless = Term::tuple([Term::atom("f"), fun(Term::Int(1))]);
    assert_eq!(redactor.redact_term(&harmless), harmless);
    let secret = Term::tuple([Term::atom("password"), Term::Int(1)]);
    assert_eq!(redactor.redact_term(&Term::list([fun(secret), Term::Int(1)])), Term::list([mark(), Term::Int(1)]));
}

#[test]
fn keys_of_our_own_maps_name_nothing() {
    let rules = Rules::new(&["name", "args"], &[] as &[&str]).unwrap();
    let mut redactor = Redactor::new(Arc::new(rules));
    let term = Term::parse("#{args => [{name, 1}], name => stock}", Syntax::Erlang).unwrap();
    let bytes = bytes_of(&term);
    let changed = etf::decode(&redactor.redact_values(&bytes)).unwrap();
    assert_eq!(changed.display(Style::erlang()).to_string(), "#{args => [{name,<<\"[redacted]\">>}],name => stock}");
}

/// What must never be seen.
const SECRET: &[u8] = b"hunter2-5d1c";

/// A secret under a name or in a text, as systems write them.
fn secret() -> impl Strategy<Value = Term> {
    let name = prop_oneof![
        Just(Term::atom("password")),
        Just(Term::binary(b"X-Auth-Token")),
        Just(charlist("dbPassword")),
        Just(Term::atom("Cookie")),
    ];
    let value = prop_oneof![
        Just(Term::binary(SECRET)),
        Just(charlist("hunter2-5d1c")),
        Just(Term::tuple([Term::atom("plain"), Term::binary(SECRET)])),
    ];
    let named = (name, value).prop_flat_map(|(name, value)| {
        prop_oneof![
            Just(Term::tuple([name.clone(), value.clone()])),
            Just(Term::map([(name.clone(), value.clone())])),
            Just(Term::list([Term::tuple([name, value])])),
        ]
    });
    prop_oneof![
        3 => named,
        1 => Just(Term::binary(b"{\"token\": \"hunter2-5d1c\"}")),
        1 => Just(charlist("password=hunter2-5d1c")),
        1 => Just(Term::list([Term::binary(b"cookie"), charlist(": "), Term::binary(SECRET)])),
    ]
}

fn leaf() -> impl Strategy<Value = Term> {
    prop_oneof![
        any::<i64>().prop_map(Term::Int),
        "[a-z]{1,8}".prop_map(|text| Term::atom(&text)),
        "[ -~]{0,12}".prop_map(|text| Term::binary(text.as_bytes())),
        "[ -~\u{430}-\u{44f}]{0,12}".prop_map(|text| charlist(&text)),
        Just(Term::Nil),
        Just(Term::Pid(crate::model::Pid::local(7))),
    ]
}

fn term(secrets: bool) -> impl Strategy<Value = Term> {
    let leaf = if secrets { prop_oneof![3 => leaf().boxed(), 1 => secret().boxed()].boxed() } else { leaf().boxed() };
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Term::tuple),
            vec(inner.clone(), 1..6).prop_map(Term::list),
            (vec(inner.clone(), 1..4), self::leaf()).prop_map(|(items, tail)| Term::improper(items, tail)),
            vec((inner.clone(), inner.clone()), 0..5).prop_map(Term::map),
            inner.prop_map(|inner| Term::binary(bytes_of(&inner))),
        ]
    })
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(bytes, text).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_secret_survives_and_what_is_left_is_a_term(term in term(true)) {
        let bytes = bytes_of(&term);
        let mut redactor = Redactor::default();
        let once = redactor.redact(&bytes).into_owned();
        prop_assert!(!contains(&once, SECRET));
        prop_assert!(etf::decode(&once).is_ok());
        prop_assert_eq!(is_redacted(&once), redactor.n_redacted() > 0 || is_redacted(&bytes));
        let n_redacted = redactor.n_redacted();
        prop_assert!(matches!(redactor.redact(&once), Cow::Borrowed(_)));
        prop_assert_eq!(redactor.n_redacted(), n_redacted);
    }

    #[test]
    fn patterns_find_what_has_no_name(term in term(true), text in "[a-z]{0,6}hunter2-5d1c[a-z]{0,6}") {
        let rules = Rules::new(&[] as &[&str], &["hunter2-[0-9a-f]{4}"]).unwrap();
        let mut redactor = Redactor::new(Arc::new(rules));
        let bytes = bytes_of(&Term::tuple([term, Term::binary(text.as_bytes())]));
        let once = redactor.redact(&bytes).into_owned();
        prop_assert!(!contains(&once, SECRET) && etf::decode(&once).is_ok());
        prop_assert!(matches!(redactor.redact(&once), Cow::Borrowed(_)));
    }

    #[test]
    fn without_rules_nothing_changes(term in term(false)) {
        let rules = Rules::new(&[] as &[&str], &[] as &[&str]).unwrap();
        let bytes = bytes_of(&term);
        let mut redactor = Redactor::new(Arc::new(rules));
        let is_same = matches!(redactor.redact(&bytes), Cow::Borrowed(_));
        prop_assert!(is_same || redactor.n_redacted() > 0);
    }

    #[test]
    fn any_bytes_become_a_term(mut bytes in vec(any::<u8>(), 0..200), term in term(true), cut in any::<prop::sample::Index>()) {
        let mut redactor = Redactor::default();
        bytes.insert(0, tags::VERSION);
        let redacted = redactor.redact(&bytes);
        prop_assert!(etf::plain(&redacted).is_ok());
        let mut damaged = bytes_of(&term);
        let at = cut.index(damaged.len());
        damaged[at] = damaged[at].wrapping_add(bytes.len() as u8);
        let redacted = redactor.redact(&damaged);
        prop_assert!(super::super::walk::RawTerm::parse(&redacted).is_ok());
    }
}

/// What it costs. `cargo test --release --lib codec::redact -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn cost() {
    let shapes = [
        (
            "state of 20 fields",
            "#{a => 1, user => <<\"ann\">>, n_logins => 17, items => [1, 2, 3], {k, 1} => {ok, <<\"value\">>}}",
        ),
        ("call", "{'$gen_call', {<0.11.0>, [alias | b]}, {reserve, <<\"order 17\">>, 3}}"),
        ("proplist", "[{host, \"localhost\"}, {port, 8080}, {name, <<\"x\">>}, {opts, [{a, 1}, {b, 2}]}]"),
    ];
    let text = Term::binary("GET /a/b?c=d HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".repeat(18));
    let json = Term::binary("{\"id\": 17, \"name\": \"ann\", \"items\": [1, 2, 3], \"ok\": true}, ".repeat(17));
    let bytes = Term::binary((0..1024u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<_>>());
    let mut terms: Vec<(&str, Term)> = vec![("HTTP", text), ("JSON", json), ("random bytes", bytes)];
    for (name, shape) in shapes {
        let one = Term::parse(shape, Syntax::Erlang).unwrap();
        let n = 1024usize.div_ceil(bytes_of(&one).len());
        terms.push((name, Term::list(vec![one; n])));
    }
    let regex = Rules::new(DEFAULT_FIELDS, &["AKIA[0-9A-Z]{16}", "(?i)bearer [a-z0-9]{20}"]).unwrap();
    for (rules_name, rules) in [("default fields", Rules::default()), ("and two patterns", regex)] {
        let mut redactor = Redactor::new(Arc::new(rules));
        for (name, term) in &terms {
            let bytes = bytes_of(term);
            let rounds = 20_000;
            let start = std::time::Instant::now();
            for _ in 0..rounds {
                assert!(matches!(redactor.redact(std::hint::black_box(&bytes)), Cow::Borrowed(_)));
            }
            let per_kib = start.elapsed().as_nanos() as f64 / rounds as f64 * 1024.0 / bytes.len() as f64;
            println!("{rules_name}: {name}: {per_kib:.0} ns per KiB");
        }
    }
}
