//! Properties of terms: bytes, text and diffs, on random terms and on damaged bytes.

use std::sync::Arc;

use cinema::codec::walk::RawTerm;
use cinema::codec::{etf, json, write};
use cinema::model::term::{Bits, Fun, LocalFun};
use cinema::model::{Atom, Origin, Path, Pid, Port, Reference, Style, Syntax, Term, diff};
use num_bigint::BigInt;
use proptest::collection::vec;
use proptest::prelude::*;

fn atom() -> impl Strategy<Value = Term> {
    let name = prop_oneof![
        prop::sample::select(vec!["ok", "nil", "true", "Elixir.Shop.Cart", "$gen_call", "end", "a b", "", "x?"])
            .prop_map(String::from),
        "[a-z][a-z_@0-9]{0,6}",
        "\\PC{0,4}",
        any::<String>().prop_map(|text| text.chars().take(20).collect()),
    ];
    name.prop_map(|name| Term::atom(&name))
}

fn pid() -> impl Strategy<Value = Pid> {
    (any::<u32>(), any::<u32>()).prop_map(|(id, serial)| Pid { id, serial, origin: Origin::LOCAL })
}

fn leaf() -> impl Strategy<Value = Term> {
    let float = prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
        (-1000i32..1000).prop_map(|n| f64::from(n) / 8.0),
        (0i32..60, 1u32..99999).prop_map(|(e, m)| f64::from(m) * 10f64.powi(e - 30)),
    ];
    let big = (any::<bool>(), vec(any::<u8>(), 8..300)).prop_map(|(negative, bytes)| {
        let sign = if negative { num_bigint::Sign::Minus } else { num_bigint::Sign::Plus };
        Term::integer(BigInt::from_bytes_le(sign, &bytes))
    });
    let bits = (vec(any::<u8>(), 1..6), 1u8..=8).prop_map(|(mut bytes, last_bits)| {
        *bytes.last_mut().expect("not empty") &= 0xff << (8 - last_bits);
        Term::Bits(Arc::new(Bits { bytes, last_bits }))
    });
    let reference = (any::<[u32; 5]>(), 1u8..=5).prop_map(|(mut words, n_words)| {
        words[usize::from(n_words)..].fill(0);
        Term::Ref(Arc::new(Reference { origin: Origin::LOCAL, n_words, words }))
    });
    let external = (any::<u8>(), "[a-z]{1,5}", "[a-zA-Z!? ]{1,5}").prop_map(|(arity, module, function)| {
        let (module, function) = (Atom::new(&module), Atom::new(&function));
        Term::Fun(Arc::new(Fun::External { module, function, arity }))
    });
    prop_oneof![
        4 => atom(),
        2 => prop_oneof![any::<i64>(), any::<i32>().prop_map(i64::from), 0i64..300].prop_map(Term::Int),
        1 => big,
        2 => float.prop_map(Term::float),
        2 => any::<String>().prop_map(Term::binary),
        1 => bits,
        1 => vec(0i64..256, 0..8).prop_map(|bytes| Term::list(bytes.into_iter().map(Term::Int).collect::<Vec<_>>())),
        1 => pid().prop_map(Term::Pid),
        1 => any::<(u32, u32)>()
            .prop_map(|(id_high, id_low)| Term::Port(Port { id_high, id_low, origin: Origin::LOCAL })),
        1 => reference,
        1 => external,
        1 => Just(Term::Nil),
    ]
}

fn term() -> impl Strategy<Value = Term> {
    leaf().prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Term::tuple),
            vec(inner.clone(), 0..6).prop_map(Term::list),
            (vec(inner.clone(), 1..4), leaf()).prop_map(|(items, tail)| Term::improper(items, tail)),
            vec((inner.clone(), inner.clone()), 0..5).prop_map(Term::map),
            vec((atom(), inner), 0..5).prop_map(Term::map),
        ]
    })
}

/// A closure holding `free`: it has no text that reads back, so it is apart from [`term`].
fn closure() -> impl Strategy<Value = Term> {
    (pid(), vec(term(), 0..3), any::<[u8; 16]>(), any::<i32>()).prop_map(|(pid, free, uniq, old_uniq)| {
        let module = Atom::new("m");
        let old_uniq = i64::from(old_uniq);
        let fun = LocalFun { module, arity: 1, index: 2, uniq, old_index: 3, old_uniq, pid, free };
        Term::Fun(Arc::new(Fun::Local(Box::new(fun))))
    })
}

fn encoded(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    etf::encode(term, &mut bytes);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn bytes_read_back(term in prop_oneof![term(), closure()]) {
        let bytes = encoded(&term);
        prop_assert_eq!(etf::decode(&bytes), Ok(term));
        let (raw, n_used) = RawTerm::parse(&bytes).expect("what we write can be walked");
        prop_assert_eq!((raw.bytes(), n_used), (&bytes[1..], bytes.len()));
    }

    #[test]
    fn walking_agrees_with_building(items in vec(term(), 0..6)) {
        let bytes = encoded(&Term::tuple(items.clone()));
        let (raw, _) = RawTerm::parse(&bytes).expect("what we write can be walked");
        let parts: Vec<RawTerm<'_>> = raw.tuple().expect("a tuple").collect();
        prop_assert_eq!(parts.len(), items.len());
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].bytes_until(pair[1]), pair[0].bytes());
        }
        for (part, item) in parts.into_iter().zip(&items) {
            prop_assert_eq!(&part.to_term().expect("legal"), item);
            prop_assert_eq!(part.as_atom(), item.as_atom());
            prop_assert_eq!(part.as_int(), item.as_int());
            prop_assert_eq!(part.as_pid(), item.as_pid());
            prop_assert_eq!(part.as_binary(), item.as_binary());
            prop_assert_eq!(part.tag(), item.tag());
        }
    }

    #[test]
    fn damaged_bytes_never_panic(term in prop_oneof![term(), closure()], hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let mut bytes = encoded(&term);
        for (at, byte) in hits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let walked = RawTerm::parse(&bytes);
        if let Ok((term, n_used)) = etf::decode_prefix(&bytes) {
            prop_assert!(json::to_json(&term).to_string().len() < 1 << 20);
            if bytes[1] != 80 {
                prop_assert_eq!(walked.expect("what can be built can be walked").1, n_used);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in vec(any::<u8>(), 0..200)) {
        let _ = etf::decode(&bytes);
        if let Some(first) = bytes.first_mut() {
            *first = 131;
        }
        let _ = etf::decode(&bytes);
        let _ = RawTerm::parse(&bytes);
    }

    #[test]
    fn truncation_is_an_error_within_the_bytes(term in term(), at in any::<prop::sample::Index>()) {
        let bytes = encoded(&term);
        let cut = &bytes[..at.index(bytes.len())];
        let error = etf::decode(cut).expect_err("a cut term is no term");
        prop_assert!(error.offset <= cut.len());
        prop_assert!(RawTerm::parse(cut).is_err());
    }

    #[test]
    fn text_reads_back(term in term()) {
        for style in [Style::erlang(), Style::elixir()] {
            let text = term.display(style).to_string();
            prop_assert_eq!(Term::parse(&text, style.syntax), Ok(term.clone()), "{}", text);
        }
    }

    #[test]
    fn shown_text_is_bounded_and_safe(term in term(), chars_max in 0usize..60, depth_max in 0usize..4) {
        for syntax in [Syntax::Erlang, Syntax::Elixir] {
            let text = term.display(Style { syntax, depth_max, chars_max }).to_string();
            prop_assert!(text.chars().all(|c| !c.is_control()), "{:?}", text);
            // A short leaf, a struct's name and the closing of what is open may come on top.
            prop_assert!(text.chars().count() < chars_max + 100 + depth_max * 80, "{}", text);
        }
    }

    #[test]
    fn parsing_any_text_never_panics(text in "\\PC{0,40}|[\\[\\]{}()<>#%:,.|'\"$?&a-c0-2 /\\\\]{0,30}") {
        let _ = Term::parse(&text, Syntax::Erlang);
        let _ = Term::parse(&text, Syntax::Elixir);
        if let Ok(path) = Path::parse(&text) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }

    #[test]
    fn a_diff_is_empty_only_for_equal_terms_and_its_paths_lead_there(before in term(), after in term()) {
        prop_assert!(diff::diff(&before, &before).is_empty());
        let changes = diff::diff(&before, &after);
        prop_assert_eq!(changes.is_empty(), before == after);
        for change in changes {
            let path = Path::parse(&change.path.to_string()).expect("a path reads back");
            prop_assert_eq!(&path, &change.path);
            match (&change.before, &change.after) {
                (_, Some(value)) => prop_assert_eq!(path.get(&after), Some(value)),
                (Some(value), None) => prop_assert_eq!(path.get(&before), Some(value)),
                (None, None) => prop_assert!(false, "a change has a side"),
            }
        }
    }

    #[test]
    fn order_is_total_and_equality_follows_bytes(a in term(), b in term(), c in term()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, encoded(&a) == encoded(&b));
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }
}

#[test]
fn a_message_is_written_without_a_term() {
    let pid = Pid::local(5);
    let mut bytes = Vec::new();
    write::version(&mut bytes);
    write::tuple_header(&mut bytes, 3);
    write::atom(&mut bytes, Atom::new("set"));
    write::pid(&mut bytes, pid);
    write::int(&mut bytes, -70_000);
    let term = Term::tuple([Term::atom("set"), Term::Pid(pid), Term::Int(-70_000)]);
    assert_eq!(etf::decode(&bytes), Ok(term.clone()));
    assert_eq!(bytes, encoded(&term));
}
