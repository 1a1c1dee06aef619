//! Terms as JSON, for `--format json` and other programs. Stable, and no two terms look alike
//! (nodes of identities aside):
//!
//! | term | JSON |
//! |---|---|
//! | integer of 64 bits, float | number (a float always with a point or an exponent) |
//! | `true`, `false`, `nil` | `true`, `false`, `null` |
//! | other atom | string |
//! | proper list | array |
//! | map whose keys are atoms without a leading `$` | object |
//! | other map | `{"$map": [[key, value], ..]}` |
//! | tuple | `{"$tuple": [..]}` |
//! | improper list | `{"$improper": [item, .., tail]}` |
//! | binary | `{"$bin": text}` when it is UTF-8, else `{"$bytes": hex}` |
//! | bitstring | `{"$bits": hex, "last_bits": n}` |
//! | big integer | `{"$big": digits}` |
//! | pid, port, reference, fun | `{"$pid": "<0.1.0>"}`, `{"$port": ..}`, `{"$ref": ..}`, `{"$fun": ..}` |

use serde_json::{Map, Value, json};

use super::etf;
use crate::model::display::Style;
use crate::model::term::{self, Bits};
use crate::model::{Atom, Syntax, Term, limits};

/// The JSON form of `term`, whole. Recursion is bounded by the term's depth.
pub fn to_json(term: &Term) -> Value {
    match term {
        Term::Atom(atom) => match atom.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "nil" => Value::Null,
            text => Value::from(text),
        },
        Term::Int(value) => Value::from(*value),
        Term::Big(value) => json!({ "$big": value.to_string() }),
        Term::Float(value) => Value::from(value.0),
        Term::Bits(bits) => bits_to_json(bits),
        Term::Tuple(items) => json!({ "$tuple": array(items) }),
        Term::Nil => Value::Array(Vec::new()),
        Term::List(list) if list.tail == Term::Nil => array(&list.items),
        Term::List(list) => {
            let tail = std::iter::once(&list.tail);
            json!({ "$improper": list.items.iter().chain(tail).map(to_json).collect::<Vec<_>>() })
        }
        Term::Map(map) => map_to_json(map),
        Term::Pid(pid) => json!({ "$pid": pid.to_string() }),
        Term::Port(port) => json!({ "$port": port.to_string() }),
        Term::Ref(reference) => json!({ "$ref": reference.to_string() }),
        Term::Fun(_) => json!({ "$fun": term.display(Style::erlang()).to_string() }),
    }
}

fn array(items: &[Term]) -> Value {
    Value::Array(items.iter().map(to_json).collect())
}

fn map_to_json(map: &term::Map) -> Value {
    let field = |(key, value): &(Term, Term)| {
        let key = key.as_atom().map(|atom| atom.as_str()).filter(|text| !text.starts_with('$'))?;
        Some((key.to_string(), to_json(value)))
    };
    match map.entries().iter().map(field).collect::<Option<Map<String, Value>>>() {
        Some(fields) => Value::Object(fields),
        None => {
            let pairs = map.entries().iter().map(|(key, value)| Value::Array(vec![to_json(key), to_json(value)]));
            json!({ "$map": pairs.collect::<Vec<_>>() })
        }
    }
}

fn bits_to_json(bits: &Bits) -> Value {
    match std::str::from_utf8(&bits.bytes) {
        _ if bits.last_bits != 8 => json!({ "$bits": hex(&bits.bytes), "last_bits": bits.last_bits }),
        Ok(text) => json!({ "$bin": text }),
        Err(_) => json!({ "$bytes": hex(&bits.bytes) }),
    }
}

/// The term of a JSON form; identities are of the local node. `None`: no form of a term, a fun that is no
/// `fun m:f/a`, or one that nests deeper than [`limits::TERM_DEPTH_MAX`].
pub fn from_json(value: &Value) -> Option<Term> {
    term_of(value, limits::TERM_DEPTH_MAX)
}

fn term_of(value: &Value, depth: usize) -> Option<Term> {
    let depth = depth.checked_sub(1)?;
    let terms = |items: &[Value]| items.iter().map(|item| term_of(item, depth)).collect::<Option<Vec<Term>>>();
    Some(match value {
        Value::Null => Term::atom("nil"),
        Value::Bool(value) => Term::atom(if *value { "true" } else { "false" }),
        Value::String(text) => Term::Atom(Atom::try_new(text).ok()?),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Term::Int(int),
            (None, Some(float)) if number.is_f64() => Term::float(float),
            _ => return None,
        },
        Value::Array(items) => Term::list(terms(items)?),
        Value::Object(fields) => match fields.iter().next() {
            Some((name, first)) if name.starts_with('$') => marked(name, first, fields, depth)?,
            _ => {
                let pair = |(key, value): (&String, &Value)| {
                    Some((Term::Atom(Atom::try_new(key).ok()?), term_of(value, depth)?))
                };
                map_of(fields.iter().map(pair).collect::<Option<Vec<_>>>()?)?
            }
        },
    })
}

/// The term of an object whose first name says what it is.
fn marked(name: &str, first: &Value, fields: &Map<String, Value>, depth: usize) -> Option<Term> {
    let items = || first.as_array()?.iter().map(|item| term_of(item, depth)).collect::<Option<Vec<Term>>>();
    let text = || first.as_str();
    let printed = || Term::parse(text()?, Syntax::Erlang).ok();
    Some(match name {
        "$tuple" => Term::tuple(items()?),
        "$improper" => {
            let mut items = items()?;
            let tail = items.pop().filter(|tail| !items.is_empty() && !matches!(tail, Term::Nil | Term::List(_)))?;
            Term::improper(items, tail)
        }
        "$map" => {
            let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
                Some([key, value]) => Some((term_of(key, depth)?, term_of(value, depth)?)),
                _ => None,
            };
            map_of(first.as_array()?.iter().map(pair).collect::<Option<Vec<_>>>()?)?
        }
        "$bin" => Term::binary(text()?.as_bytes()),
        "$bytes" => Term::binary(bytes_of_hex(text()?)?),
        "$bits" => {
            let last_bits = u8::try_from(fields.get("last_bits")?.as_u64()?).ok().filter(|n| (1..8).contains(n))?;
            Term::Bits(Bits { bytes: bytes_of_hex(text()?)?, last_bits }.into())
        }
        "$big" => Term::integer(text()?.parse().ok()?),
        "$pid" => printed().filter(|term| matches!(term, Term::Pid(_)))?,
        "$port" => printed().filter(|term| matches!(term, Term::Port(_)))?,
        "$ref" => printed().filter(|term| matches!(term, Term::Ref(_)))?,
        "$fun" => printed().filter(|term| matches!(term, Term::Fun(_)))?,
        _ => return None,
    })
}

/// `None` when a key comes twice.
fn map_of(pairs: Vec<(Term, Term)>) -> Option<Term> {
    let n_pairs = pairs.len();
    let map: term::Map = pairs.into_iter().collect();
    (map.len() == n_pairs).then(|| Term::Map(map.into()))
}

/// Bytes as pairs of hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of pairs of hexadecimal digits.
pub fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect::<Option<Vec<u8>>>();
    bytes.filter(|_| rest.is_empty())
}

/// Whether `value`, the JSON form of the term that `bytes` are (131 first), gives these very bytes back.
pub fn gives_back(value: &Value, bytes: &[u8]) -> bool {
    let mut again = Vec::with_capacity(bytes.len());
    from_json(value).is_some_and(|term| {
        etf::encode(&term, &mut again);
        again == bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_own_form() {
        let text = r#"{ok,nil,true,1.0,2,16#10000000000000000,[a|b],#{a => #{<<"k">> => []}},#{'$x' => 1},
            <<"text">>,<<255>>,<<5:3>>,<0.7.0>,#Port<0.5>,#Ref<0.3.2.1>,fun lists:map/2}"#;
        let term = Term::parse(text, Syntax::Erlang).expect("a term");
        expect_test::expect![[r##"{"$tuple":["ok",null,true,1.0,2,{"$big":"18446744073709551616"},{"$improper":["a","b"]},{"a":{"$map":[[{"$bin":"k"},[]]]}},{"$map":[["$x",1]]},{"$bin":"text"},{"$bytes":"ff"},{"$bits":"a0","last_bits":3},{"$pid":"<0.7.0>"},{"$port":"#Port<0.5>"},{"$ref":"#Ref<0.3.2.1>"},{"$fun":"fun lists:map/2"}]}"##]]
        .assert_eq(&to_json(&term).to_string());
    }
    #[test]
    fn the_forms_read_back() {
        let text = r#"{ok,nil,true,1.0,-0.0,2,16#10000000000000000,[a|b],[],#{a => #{<<"k">> => []}},#{'$x' => 1},
            <<"text">>,<<255>>,<<5:3>>,<0.7.0>,#Port<0.5>,#Ref<0.3.2.1>,fun lists:map/2}"#;
        let term = Term::parse(text, Syntax::Erlang).expect("a term");
        let mut bytes = Vec::new();
        etf::encode(&term, &mut bytes);
        assert!(gives_back(&to_json(&term), &bytes));
    }

    #[test]
    fn what_is_no_form_is_no_term() {
        for text in [
            r#"{"$bytes":"f"}"#,
            r#"{"$bytes":"zz"}"#,
            r#"{"$pid":"lists"}"#,
            r#"{"$tuple":1}"#,
            r#"{"$what":1}"#,
            r#"{"$bits":"a0","last_bits":8}"#,
            r#"{"$improper":[1]}"#,
            r#"{"$map":[[1,2],[1,3]]}"#,
            r#"18446744073709551615"#,
        ] {
            let value: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(from_json(&value), None, "{text}");
        }
    }
}
