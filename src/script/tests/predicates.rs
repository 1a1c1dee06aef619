//! Closures as conditions and actions, on a plain event type with the properties that matter here.

use std::cell::RefCell;
use std::rc::Rc;

use expect_test::{Expect, expect};
use rhai::{Dynamic, Engine, FnPtr, NativeCallContext};

use super::shell;
use crate::breakpoint::{Candidate, Predicate};
use crate::model::{Class, Event, Kind, NewEvent, Pid};
use crate::script::Shell;
use crate::script::closure::Closure;
use crate::script::convert::atom_text;
use crate::script::predicate::{Evaluator, ScriptPredicate};
use crate::store::Recording;

fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Event>("event")
        .register_get("kind", |e: &mut Event| e.kind.as_str().to_string())
        .register_get("class", |e: &mut Event| e.class.as_str().to_string())
        .register_get("size", |e: &mut Event| i64::from(e.size_bytes))
        .register_get("tag", |e: &mut Event| e.tag.map_or(Dynamic::UNIT, |tag| atom_text(tag).into()));
}

/// A shell in which `set(|e| ..)` hands a closure over.
struct Bench {
    shell: Shell,
    set: Rc<RefCell<Option<Closure>>>,
}

impl Bench {
    fn new() -> Bench {
        let set = Rc::new(RefCell::new(None));
        let slot = set.clone();
        let host = shell().host().clone();
        let shell = Shell::new(host, move |engine| {
            engine.register_fn("set", move |context: NativeCallContext, closure: FnPtr| {
                *slot.borrow_mut() = Some(Closure::capture(&context, closure));
            });
        });
        Bench { shell, set }
    }

    fn predicate(&mut self, script: &str) -> Result<ScriptPredicate, String> {
        let _ = self.shell.eval_line(script).map_err(|end| format!("{end:?}"))?;
        let closure = self.set.take().unwrap();
        let evaluator = Evaluator::for_conditions(self.shell.host(), register);
        let make = Rc::new(|candidate: &Candidate<'_>| Dynamic::from(candidate.event));
        ScriptPredicate::new(&evaluator, closure, make).map_err(|failure| failure.to_string())
    }
}

fn recording() -> Recording {
    let mut recording = Recording::default();
    for (n, kind) in Kind::ALL.iter().enumerate() {
        for (class, tag) in [(Class::Call, Some("pay")), (Class::Info, Some("tick")), (Class::None, None)] {
            let payload = vec![131; n * 4];
            let event = NewEvent {
                class,
                tag: tag.map(Into::into),
                payload: &payload,
                ..NewEvent::new(0, *kind, Pid::local(1))
            };
            recording.append(&event).unwrap();
        }
    }
    recording
}

/// How many of the sample recording's events pass.
fn hits(script: &str) -> Result<usize, String> {
    let mut bench = Bench::new();
    let predicate = bench.predicate(script)?;
    let recording = recording();
    let kinds = predicate.kinds();
    let events = (0..recording.len()).filter_map(|seq| recording.event(crate::model::Seq(seq)));
    let asked = events.filter(|event| kinds.is_empty() || kinds.contains(&event.kind));
    let passed = asked.map(|event| predicate.test(&Candidate::stored(event, &recording, 0)).map_err(|f| f.to_string()));
    Ok(passed.collect::<Result<Vec<bool>, String>>()?.into_iter().filter(|passed| *passed).count())
}

#[test]
fn native_comparisons_agree_with_the_script() {
    for body in [
        "e.kind == \"send\"",
        "\"send\" == e.kind && e.tag == \"pay\"",
        "e.kind == \"send\" || e.kind == \"crash\"",
        "(e.kind == \"send\" || e.kind == \"crash\") && e.class == \"info\"",
        "e.size >= 40 && e.class == \"call\"",
        "e.size > 40",
        "40 > e.size",
        "e.kind == \"send\" && e.kind == \"crash\"",
        "e.tag == \"pay\" || e.kind == \"send\"",
        "e.kind == \"send\" && e.tag != \"pay\"",
    ] {
        // A second statement keeps the script from being read as a comparison.
        let read = hits(&format!("set(|e| {body})")).unwrap();
        let evaluated = hits(&format!("set(|e| {{ let x = 1; {body} }})")).unwrap();
        assert_eq!(read, evaluated, "{body}");
    }
    assert_eq!(hits("set(|e| e.kind == \"send\" && e.tag == \"pay\")").unwrap(), 1);
}

#[test]
fn conditions_reach_captured_variables_and_functions() {
    assert_eq!(hits("let wanted = \"tick\"; set(|e| e.kind == \"send\" && e.tag == wanted)").unwrap(), 1);
    let n_big = (0..Kind::ALL.len()).filter(|n| n * 4 > 100).count();
    assert_eq!(hits("fn is_big(e) { e.size > 100 } set(|e| is_big(e) && e.class == \"call\")").unwrap(), n_big);
}

#[test]
fn what_does_not_exist_is_an_error_when_set() {
    let check = |script: &str, expected: Expect| expected.assert_eq(&hits(script).unwrap_err());
    check(
        "set(|e| e.tga == \"pay\")",
        expect![[r#"
        a value of type event has no property `tga`
             | set(|e| e.tga == "pay")
             |           ^^^
          in a closure
          hint: did you mean `tag`?"#]],
    );
    check(
        "set(|e| e.kind == \"snd\")",
        expect![[r#"
        no event has the kind "snd"
          hint: did you mean "send"?"#]],
    );
    check(
        "set(|e| e.kind == \"crash\" && is_bad(e))",
        expect![[r#"
        unknown function `is_bad(event)`
             | set(|e| e.kind == "crash" && is_bad(e))
             |                              ^^^^^^
          in a closure
          hint: did you mean is_nan(x: float) -> bool?"#]],
    );
    check(
        "set(|e| e.size > limit)",
        expect![[
            r#"Failed(Failure { kind: Script, error: "unknown variable `limit`\n     | set(|e| e.size > limit)\n     |                  ^^^^^", hints: [] })"#
        ]],
    );
    check(
        "set(|e| { exit(1); true })",
        expect![[r#"
        exit is not available in a condition
             | set(|e| { exit(1); true })
             |           ^^^^
          in a closure"#]],
    );
}

#[test]
fn a_condition_that_fails_later_says_so() {
    let check = |script: &str, expected: Expect| expected.assert_eq(&hits(script).unwrap_err());
    check(
        "set(|e| e.size)",
        expect![[r#"
        a condition is true or false, this one gave int for event #0
          hint: compare: |e| e.kind == "send""#]],
    );
    check(
        "set(|e| e.size / 0 == 1)",
        expect![[r#"
        division by zero: 0 / 0
             | set(|e| e.size / 0 == 1)
             |                ^
          in a closure"#]],
    );
    check(
        "set_limit(\"callback_operations\", 1000); set(|e| { while e.size >= 0 { } true })",
        expect![[r#"
        limit callback_operations (1000): does it loop for ever?
          hint: to raise it: set_limit("callback_operations", 10000)"#]],
    );
}

#[test]
fn a_condition_that_takes_too_long_is_refused_when_it_is_set() {
    // Each step costs more than the one before it: the limit on steps would be reached after minutes.
    let grows = "set(|e| { let all = []; loop { all.push(\"aaaaaaaaaaaaaaaa\"); } })";
    expect![[r#"
        limit CONDITION_SECONDS_MAX (2 s): the script takes too long
          hint: do less in it; the prompt and `cinema run` have no such limit"#]]
    .assert_eq(&hits(grows).unwrap_err());
}
