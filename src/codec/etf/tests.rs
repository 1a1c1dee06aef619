//! Every variant there and back, and the bounds that hostile bytes meet.

use super::*;
use crate::codec::walk::RawTerm;
use crate::model::{Origin, Pid, Port, Reference};

fn round_trip(term: &Term) {
    let mut bytes = Vec::new();
    encode(term, &mut bytes);
    assert_eq!(decode(&bytes).as_ref(), Ok(term));
    assert_eq!(RawTerm::parse(&bytes).expect("what we write can be walked").1, bytes.len());
}

#[test]
fn every_variant_survives() {
    let origin = Origin::intern(Atom::new("a@b"), 7).expect("room for a node");
    let pid = Pid { serial: 3, id: 2, origin };
    let items = vec![
        Term::Int(0),
        Term::Int(255),
        Term::Int(-1),
        Term::Int(1 << 31),
        Term::Int(i64::MIN),
        Term::Int(i64::MAX),
        Term::integer(num_bigint::BigInt::from(1) << 3000),
        Term::integer(num_bigint::BigInt::from(-1) << 64),
        Term::float(-1.5),
        Term::atom(""),
        Term::atom("żółw"),
        Term::atom(&"ж".repeat(255)),
        Term::binary(*b"hello"),
        Term::Bits(Arc::new(Bits { bytes: vec![1, 0b1010_0000], last_bits: 3 })),
        Term::list([Term::Int(104), Term::Int(105)]),
        Term::improper(vec![Term::Int(1)], Term::atom("tail")),
        Term::map([(Term::Int(1), Term::Nil), (Term::float(1.0), Term::tuple([]))]),
        Term::tuple(vec![Term::Nil; 300]),
        Term::Pid(pid),
        Term::Port(Port { id_high: 1, id_low: 2, origin }),
        Term::Ref(Arc::new(Reference { origin, n_words: 3, words: [1, 2, 3, 0, 0] })),
        Term::Fun(Arc::new(Fun::External { module: Atom::new("lists"), function: Atom::new("map"), arity: 2 })),
        Term::Fun(Arc::new(Fun::Local(Box::new(LocalFun {
            module: Atom::new("m"),
            arity: 1,
            index: 4,
            uniq: [9; 16],
            old_index: 4,
            old_uniq: 123_456_789,
            pid,
            free: vec![Term::Int(1), Term::atom("x")],
        })))),
    ];
    items.iter().for_each(round_trip);
    round_trip(&Term::list(items));
}

/// A tuple in a tuple in a tuple, `depth` times.
fn nested_bytes(depth: usize) -> Vec<u8> {
    let mut bytes = vec![tags::VERSION];
    bytes.extend([tags::SMALL_TUPLE, 1].repeat(depth));
    bytes.push(tags::NIL);
    bytes
}

#[test]
fn depth_is_bounded_and_deep_bytes_can_still_be_walked() {
    assert!(decode(&nested_bytes(limits::TERM_DEPTH_MAX)).is_ok());
    let deep = nested_bytes(1_000_000);
    assert!(decode(&deep).is_err_and(|error| error.is_too_deep()));
    assert_eq!(RawTerm::parse(&deep).map(|found| found.1), Ok(deep.len()));
}

#[test]
fn a_claim_beyond_the_bytes_is_refused() {
    let mut hostile = vec![tags::VERSION];
    for _ in 0..100 {
        hostile.extend([tags::LARGE_TUPLE, 0x7f, 0xff, 0xff, 0xff]);
    }
    let error = decode(&hostile).expect_err("no such tuple");
    assert_eq!(error.to_string(), "2147483647 terms cannot be in 495 bytes at byte 6");
    assert!(RawTerm::parse(&hostile).is_err());
}

#[test]
fn a_compressed_term_inflates_within_its_claim() {
    let mut plain_bytes = Vec::new();
    encode(&Term::binary(vec![7; 10_000]), &mut plain_bytes);
    let mut packed = vec![tags::VERSION, tags::COMPRESSED];
    packed.extend((plain_bytes.len() as u32 - 1).to_be_bytes());
    let mut zlib = flate2::read::ZlibEncoder::new(&plain_bytes[1..], flate2::Compression::fast());
    zlib.read_to_end(&mut packed).expect("writing to memory");
    assert_eq!(decode(&packed), Ok(Term::binary(vec![7; 10_000])));
    assert_eq!(plain(&packed).expect("legal").as_ref(), plain_bytes);

    packed.push(9);
    assert_eq!(decode_prefix(&packed).map(|found| found.1), Ok(packed.len() - 1));
    packed[5] -= 1;
    assert!(matches!(decode(&packed), Err(EtfError { what: Defect::Zlib, .. })));
}

#[test]
fn tails_that_are_lists_make_one_list() {
    // [1 | [2 | "ab"]]
    let bytes = [131, 108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 107, 0, 2, 97, 98];
    assert_eq!(decode(&bytes), Ok(Term::list([1, 2, 97, 98].map(Term::Int))));
}
