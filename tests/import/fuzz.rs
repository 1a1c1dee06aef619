//! Arbitrary bytes and arbitrary trace messages: no panic, and what is counted adds up.

use cinema::model::{Origin, Pid, Reference, Term};
use proptest::prelude::*;

use super::{data, frames, recorded_bytes};

fn shop_bytes() -> Vec<u8> {
    std::fs::read(data("shop-ttb/ttbdemo@localhost-shop")).expect("the file is in the repository")
}

fn small_term() -> impl Strategy<Value = Term> {
    let leaf = prop_oneof![
        (0u32..4).prop_map(|id| Term::Pid(Pid::local(id))),
        (0u32..4).prop_map(reference),
        (0u32..4).prop_map(|n| Term::improper(vec![Term::atom("alias")], reference(n))),
        (-9i64..99).prop_map(Term::Int),
        prop::sample::select(ATOMS).prop_map(Term::atom),
        Just(Term::Nil),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..6).prop_map(Term::tuple),
            2 => prop::collection::vec(inner.clone(), 0..8).prop_map(Term::list),
            1 => prop::collection::vec((inner.clone(), inner), 0..3).prop_map(Term::map),
        ]
    })
}

fn reference(n: u32) -> Term {
    Term::Ref(std::sync::Arc::new(Reference { origin: Origin::LOCAL, n_words: 3, words: [n, 2, 3, 0, 0] }))
}

const ATOMS: &[&str] = &[
    "$gen_call",
    "$gen_cast",
    "EXIT",
    "DOWN",
    "ack",
    "error",
    "normal",
    "shutdown",
    "killed",
    "timeout",
    "system",
    "ok",
    "stop",
    "reply",
    "noreply",
    "gen_server",
    "supervisor",
    "proc_lib",
    "init_p",
    "gen",
    "init_it",
    "handle_msg",
    "handle_call",
    "handle_cast",
    "handle_info",
    "init",
    "terminate",
    "local",
    "start_child",
    "child",
    "state",
    "process",
];

const KINDS: &[&str] = &[
    "send",
    "send_to_non_existing_process",
    "receive",
    "call",
    "return_from",
    "exception_from",
    "spawn",
    "spawned",
    "exit",
    "link",
    "unlink",
    "getting_linked",
    "getting_unlinked",
    "register",
    "unregister",
    "gc_minor_start",
    "gc_minor_end",
    "open",
    "closed",
    "in",
    "out",
    "something_new",
];

/// A trace message that is right on the outside: only so do its parts reach the recogniser.
fn message() -> impl Strategy<Value = Term> {
    let mfa = (prop::sample::select(ATOMS), prop::sample::select(ATOMS), prop::collection::vec(small_term(), 0..9))
        .prop_map(|(module, function, args)| Term::tuple([Term::atom(module), Term::atom(function), Term::list(args)]));
    let part = prop_oneof![2 => small_term(), 1 => (0u32..4).prop_map(|id| Term::Pid(Pid::local(id))), 2 => mfa];
    let stamp = (-50i64..50, -50i64..50).prop_map(|(ns, unique)| Term::tuple([Term::Int(ns), Term::Int(unique)]));
    (0u32..4, prop::sample::select(KINDS), prop::collection::vec(part, 0..4), stamp).prop_map(
        |(who, kind, parts, stamp)| {
            let mut items = vec![Term::atom("trace_ts"), Term::Pid(Pid::local(who)), Term::atom(kind)];
            items.extend(parts);
            items.push(stamp);
            Term::tuple(items)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_messages_in_any_order(messages in prop::collection::vec(message(), 1..60)) {
        let (recording, report) = recorded_bytes(&frames(&messages));
        prop_assert_eq!(report.n_frames, messages.len() as u64);
        let times: Vec<i64> = recording.scan(&Default::default()).map(|event| event.at_ns).collect();
        prop_assert!(times.is_sorted());
    }

    #[test]
    fn any_damage_to_a_real_trace(changes in prop::collection::vec((0usize..17_000, any::<u8>(), 0u8..3), 1..20)) {
        let mut bytes = shop_bytes();
        let first = boundary_after(&bytes, 1);
        for (at, value, how) in changes {
            let at = first + at % (bytes.len() - first);
            match how {
                0 => bytes[at] = value,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, value),
            }
        }
        let (recording, report) = recorded_bytes(&bytes);
        prop_assert!(report.n_frames >= 1);
        prop_assert!(!recording.is_empty());
        for defect in &report.defects.kept {
            prop_assert!((first as u64..=bytes.len() as u64).contains(&defect.offset), "{}", defect);
        }
    }
}

/// The end of the `n`-th frame.
fn boundary_after(bytes: &[u8], n: usize) -> usize {
    (0..n).fold(0, |at, _| at + 5 + u32::from_be_bytes(bytes[at + 1..at + 5].try_into().expect("four bytes")) as usize)
}
