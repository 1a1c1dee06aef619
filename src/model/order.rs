//! The order of terms, exact and loose. Follows "Term Comparisons" of the Erlang reference manual.

use std::cmp::Ordering;

use num_bigint::BigInt;

use super::term::{Fun, Term};

/// How numbers of different types compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// By value, an integer before the float that equals it.
    Exact,
    /// By value only.
    Loose,
}

/// Compares two terms. Recursion is bounded by the terms' depth (`TERM_DEPTH_MAX`).
pub(super) fn compare(a: &Term, b: &Term, numbers: Numbers) -> Ordering {
    match (a, b) {
        (Term::Int(x), Term::Int(y)) => x.cmp(y),
        (Term::Atom(x), Term::Atom(y)) => x.cmp(y),
        (Term::Ref(x), Term::Ref(y)) => x.cmp(y),
        (Term::Fun(x), Term::Fun(y)) => compare_funs(x, y, numbers),
        (Term::Port(x), Term::Port(y)) => x.cmp(y),
        (Term::Pid(x), Term::Pid(y)) => x.cmp(y),
        (Term::Tuple(x), Term::Tuple(y)) => x.len().cmp(&y.len()).then_with(|| compare_all(x, y, numbers)),
        (Term::Map(x), Term::Map(y)) => x.len().cmp(&y.len()).then_with(|| {
            let keys = |m: &super::term::Map| m.entries().iter().map(|e| e.0.clone()).collect::<Vec<_>>();
            compare_all(&keys(x), &keys(y), Numbers::Exact).then_with(|| {
                let pairs = x.entries().iter().zip(y.entries());
                pairs.map(|(p, q)| compare(&p.1, &q.1, numbers)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
            })
        }),
        (Term::List(x), Term::List(y)) => compare_lists(x, y, numbers),
        (Term::Bits(x), Term::Bits(y)) => x.bytes.cmp(&y.bytes).then(x.last_bits.cmp(&y.last_bits)),
        _ => match (class(a), class(b)) {
            (0, 0) => compare_numbers(a, b, numbers),
            (x, y) => x.cmp(&y),
        },
    }
}

fn compare_all(a: &[Term], b: &[Term], numbers: Numbers) -> Ordering {
    a.iter().zip(b).map(|(x, y)| compare(x, y, numbers)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare_lists(a: &super::term::List, b: &super::term::List, numbers: Numbers) -> Ordering {
    let common = a.items.len().min(b.items.len());
    compare_all(&a.items[..common], &b.items[..common], numbers).then_with(|| {
        match a.items.len().cmp(&b.items.len()) {
            Ordering::Equal => compare(&a.tail, &b.tail, numbers),
            // The shorter one's tail is compared with a list: anything but bits sorts before it.
            Ordering::Less if class(&a.tail) > LIST_CLASS => Ordering::Greater,
            Ordering::Less => Ordering::Less,
            Ordering::Greater if class(&b.tail) > LIST_CLASS => Ordering::Less,
            Ordering::Greater => Ordering::Greater,
        }
    })
}

fn compare_funs(a: &Fun, b: &Fun, numbers: Numbers) -> Ordering {
    match (a, b) {
        (Fun::Local(x), Fun::Local(y)) => (x.module, x.index, x.old_uniq, x.uniq)
            .cmp(&(y.module, y.index, y.old_uniq, y.uniq))
            .then(x.free.len().cmp(&y.free.len()))
            .then_with(|| compare_all(&x.free, &y.free, numbers))
            .then_with(|| (x.arity, x.old_index, x.pid).cmp(&(y.arity, y.old_index, y.pid))),
        (Fun::Local(_), Fun::External { .. }) => Ordering::Less,
        (Fun::External { .. }, Fun::Local(_)) => Ordering::Greater,
        (
            Fun::External { module: m1, function: f1, arity: a1 },
            Fun::External { module: m2, function: f2, arity: a2 },
        ) => (m1, f1, a1).cmp(&(m2, f2, a2)),
    }
}

const LIST_CLASS: u8 = 9;

fn class(term: &Term) -> u8 {
    match term {
        Term::Int(_) | Term::Big(_) | Term::Float(_) => 0,
        Term::Atom(_) => 1,
        Term::Ref(_) => 2,
        Term::Fun(_) => 3,
        Term::Port(_) => 4,
        Term::Pid(_) => 5,
        Term::Tuple(_) => 6,
        Term::Map(_) => 7,
        Term::Nil => 8,
        Term::List(_) => LIST_CLASS,
        Term::Bits(_) => 10,
    }
}

fn compare_numbers(a: &Term, b: &Term, numbers: Numbers) -> Ordering {
    let by_value = match (a, b) {
        (Term::Float(x), Term::Float(y)) => match numbers {
            Numbers::Loose => x.0.partial_cmp(&y.0).unwrap_or(Ordering::Equal),
            Numbers::Exact => x.0.total_cmp(&y.0),
        },
        (Term::Float(x), y) => compare_big_to_float(&to_big(y), x.0).reverse(),
        (x, Term::Float(y)) => compare_big_to_float(&to_big(x), y.0),
        (x, y) => to_big(x).cmp(&to_big(y)),
    };
    by_value.then_with(|| match numbers {
        Numbers::Loose => Ordering::Equal,
        Numbers::Exact => matches!(a, Term::Float(_)).cmp(&matches!(b, Term::Float(_))),
    })
}

fn to_big(term: &Term) -> BigInt {
    match term {
        Term::Int(value) => BigInt::from(*value),
        Term::Big(value) => (**value).clone(),
        _ => unreachable!("only integers are widened"),
    }
}

fn compare_big_to_float(integer: &BigInt, float: f64) -> Ordering {
    if float.is_nan() {
        return Ordering::Less;
    }
    if float.is_infinite() {
        return if float > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    let whole = float.trunc();
    let mantissa_exponent = exact_integer(whole);
    integer.cmp(&mantissa_exponent).then_with(|| 0.0f64.partial_cmp(&(float - whole)).unwrap_or(Ordering::Equal))
}

/// A whole, finite float as an integer, without rounding.
fn exact_integer(whole: f64) -> BigInt {
    let bits = whole.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1075;
    let mantissa = if (bits >> 52) & 0x7ff == 0 { 0 } else { (bits & ((1 << 52) - 1)) | (1 << 52) };
    let magnitude = BigInt::from(mantissa);
    let magnitude = if exponent >= 0 { magnitude << exponent } else { magnitude >> -exponent };
    if whole < 0.0 { -magnitude } else { magnitude }
}
