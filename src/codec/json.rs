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

use crate::model::Term;
use crate::model::display::Style;
use crate::model::term::{self, Bits};

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
    let hex = || bits.bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match std::str::from_utf8(&bits.bytes) {
        _ if bits.last_bits != 8 => json!({ "$bits": hex(), "last_bits": bits.last_bits }),
        Ok(text) => json!({ "$bin": text }),
        Err(_) => json!({ "$bytes": hex() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Syntax;

    #[test]
    fn each_type_has_its_own_form() {
        let text = r#"{ok,nil,true,1.0,2,16#10000000000000000,[a|b],#{a => #{<<"k">> => []}},#{'$x' => 1},
            <<"text">>,<<255>>,<<5:3>>,<0.7.0>,#Port<0.5>,#Ref<0.3.2.1>,fun lists:map/2}"#;
        let term = Term::parse(text, Syntax::Erlang).expect("a term");
        expect_test::expect![[r##"{"$tuple":["ok",null,true,1.0,2,{"$big":"18446744073709551616"},{"$improper":["a","b"]},{"a":{"$map":[[{"$bin":"k"},[]]]}},{"$map":[["$x",1]]},{"$bin":"text"},{"$bytes":"ff"},{"$bits":"a0","last_bits":3},{"$pid":"<0.7.0>"},{"$port":"#Port<0.5>"},{"$ref":"#Ref<0.3.2.1>"},{"$fun":"fun lists:map/2"}]}"##]]
        .assert_eq(&to_json(&term).to_string());
    }
}
