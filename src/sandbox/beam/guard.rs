//! Conditions that the VM itself can test: match specifications (ERTS User's Guide, "Match Specifications in
//! Erlang"). One form serves both places, call trace patterns and the debug function inside a held process.
//!
//! A guard that fails (a key that is not there, a state of another shape) is false, as in Erlang. It must not
//! know breakpoints.

use crate::model::diff::Step;
use crate::model::{Atom, Class, Path, Term};

/// How a value in a state is tested.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    Changed,
    Greater(Term),
    Less(Term),
    AtLeast(Term),
    AtMost(Term),
    Equal(Term),
    NotEqual(Term),
}

/// A condition inside the VM.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// Every callback.
    Always,
    /// The message has this tag, and is of this class when one is given.
    Message { tag: Option<Atom>, class: Option<Class> },
    /// The state's value at `path` has just become one that passes.
    State { path: Path, test: Comparison },
}

/// Positions that a path step may mean both in a tuple and in a list; each doubles the clauses.
const INDEX_STEPS_MAX: usize = 3;

impl Guard {
    /// Whether the VM can test it: a path of at most three positions.
    pub fn is_compilable(&self) -> bool {
        match self {
            Guard::Always | Guard::Message { .. } => true,
            Guard::State { path, .. } => {
                path.steps.iter().filter(|step| matches!(step, Step::Index(_))).count() <= INDEX_STEPS_MAX
            }
        }
    }

    /// The match specification over `{Phase, Message, State, StateBefore}` as the agent's debug function has them;
    /// the state before is `'$cinema_unknown'` at the first callback.
    pub fn hold_spec(&self) -> Term {
        let clauses = match self {
            Guard::Always => vec![clause(any4(), Vec::new())],
            Guard::Message { tag, class } => message_clauses(*tag, *class),
            Guard::State { path, test } => state_clauses(path, test),
        };
        Term::list(clauses)
    }
}

fn atom(text: &str) -> Term {
    Term::atom(text)
}

fn tuple<const N: usize>(items: [Term; N]) -> Term {
    Term::tuple(items)
}

/// A term that is meant as it stands: tuples and atoms with a meaning are quoted.
pub(super) fn literal(term: &Term) -> Term {
    match term {
        Term::Int(_) | Term::Big(_) | Term::Float(_) | Term::Bits(_) | Term::Nil | Term::Pid(_) => term.clone(),
        other => tuple([atom("const"), other.clone()]),
    }
}

fn any4() -> Term {
    tuple([atom("_"), atom("_"), atom("_"), atom("_")])
}

fn clause(head: Term, guards: Vec<Term>) -> Term {
    tuple([head, Term::list(guards), Term::list([atom("true")])])
}

/// Messages as the loops see them: calls and casts in their envelopes, anything else bare.
fn message_clauses(tag: Option<Atom>, class: Option<Class>) -> Vec<Term> {
    let head = |message: Term| tuple([atom("_"), message, atom("_"), atom("_")]);
    let envelope = |name: &str, request: Term| match name {
        "$gen_call" => tuple([atom(name), atom("_"), request]),
        _ => tuple([atom(name), request]),
    };
    // gen_statem shows an event as `{Type, Content}`, calls as `{{call, From}, Content}`.
    let statem = |sort: Term, content: Term| tuple([sort, content]);
    let call_from = || tuple([atom("call"), atom("_")]);
    let mut clauses = Vec::new();
    let mut add = |wrap: &dyn Fn(Term) -> Term| {
        let Some(tag) = tag else { return clauses.push(clause(head(wrap(atom("_"))), Vec::new())) };
        let is_tag = |var: Term| tuple([atom("=:="), var, literal(&Term::Atom(tag))]);
        clauses.push(clause(head(wrap(atom("$1"))), vec![is_tag(atom("$1"))]));
        let first = tuple([atom("element"), Term::Int(1), atom("$1")]);
        clauses.push(clause(head(wrap(atom("$1"))), vec![tuple([atom("is_tuple"), atom("$1")]), is_tag(first)]));
    };
    let wants = |wanted: Class| class.is_none_or(|class| class == wanted);
    if wants(Class::Call) {
        add(&|request| envelope("$gen_call", request));
        add(&|request| statem(call_from(), request));
    }
    if wants(Class::Cast) {
        add(&|request| envelope("$gen_cast", request));
        add(&|request| statem(atom("cast"), request));
    }
    if class.is_none() {
        // gen_event.
        add(&|event| tuple([atom("notify"), event]));
        add(&|event| tuple([atom("_"), atom("_"), tuple([atom("sync_notify"), event])]));
        add(&|request| tuple([atom("_"), atom("_"), tuple([atom("call"), atom("_"), request])]));
    }
    if class.is_none_or(|class| !matches!(class, Class::Call | Class::Cast)) {
        add(&|message| message);
        add(&|message| statem(atom("info"), message));
    }
    clauses
}

fn state_clauses(path: &Path, test: &Comparison) -> Vec<Term> {
    let head = tuple([atom("_"), atom("_"), atom("$1"), atom("$2")]);
    let unknown = || tuple([atom("=:="), atom("$2"), literal(&atom("$cinema_unknown"))]);
    let mut clauses = Vec::new();
    for now in readings(path, &atom("$1")) {
        let passes = comparison(test, &now);
        clauses.push(clause(head.clone(), passes.iter().cloned().chain([unknown()]).collect()));
        for before in readings(path, &atom("$2")) {
            let has_changed = tuple([atom("=/="), now.clone(), before]);
            clauses.push(clause(head.clone(), passes.iter().cloned().chain([has_changed]).collect()));
        }
    }
    clauses
}

/// The expressions that may read `path` in `state`: a position means an element of a tuple or an item of a list.
pub(super) fn readings(path: &Path, state: &Term) -> Vec<Term> {
    path.steps.iter().fold(vec![state.clone()], |found, step| match step {
        Step::Key(key) => found.into_iter().map(|inner| tuple([atom("map_get"), literal(key), inner])).collect(),
        Step::Index(idx) => found
            .into_iter()
            .flat_map(|inner| {
                let element = tuple([atom("element"), Term::Int(*idx as i64 + 1), inner.clone()]);
                let tail = (0..*idx).fold(inner, |list, _| tuple([atom("tl"), list]));
                [element, tuple([atom("hd"), tail])]
            })
            .collect(),
    })
}

/// The guards of a test on `value`. As in a condition outside the VM, order holds only between numbers, or between
/// two terms of one type.
fn comparison(test: &Comparison, value: &Term) -> Vec<Term> {
    let compare = |operator: &str, limit: &Term| tuple([atom(operator), value.clone(), literal(limit)]);
    let ordered = |operator: &str, limit: &Term| {
        let is_of_type = type_test(limit).map(|test| tuple([atom(test), value.clone()]));
        is_of_type.into_iter().chain([compare(operator, limit)]).collect()
    };
    match test {
        // Reading the value at all is the test.
        Comparison::Changed => vec![tuple([atom("=:="), value.clone(), value.clone()])],
        Comparison::Greater(limit) => ordered(">", limit),
        Comparison::Less(limit) => ordered("<", limit),
        Comparison::AtLeast(limit) => ordered(">=", limit),
        Comparison::AtMost(limit) => ordered("=<", limit),
        Comparison::Equal(wanted) => vec![compare("==", wanted)],
        Comparison::NotEqual(other) => vec![compare("/=", other)],
    }
}

fn type_test(limit: &Term) -> Option<&'static str> {
    Some(match limit {
        Term::Int(_) | Term::Big(_) | Term::Float(_) => "is_number",
        Term::Atom(_) => "is_atom",
        Term::Bits(_) => "is_binary",
        Term::Tuple(_) => "is_tuple",
        Term::Nil | Term::List(_) => "is_list",
        Term::Map(_) => "is_map",
        Term::Pid(_) => "is_pid",
        Term::Port(_) => "is_port",
        Term::Ref(_) => "is_reference",
        Term::Fun(_) => "is_function",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_state_condition_reads_maps_and_records() {
        let guard =
            |path: &str| Guard::State { path: Path::parse(path).unwrap(), test: Comparison::Greater(Term::Int(100)) };
        expect![[r#"[{{'_','_','$1','$2'},[{is_number,{map_get,{const,count},'$1'}},{'>',{map_get,{const,count},'$1'},100},{'=:=','$2',{const,'$cinema_unknown'}}],[true]},{{'_','_','$1','$2'},[{is_number,{map_get,{const,count},'$1'}},{'>',{map_get,{const,count},'$1'},100},{'=/=',{map_get,{const,count},'$1'},{map_get,{const,count},'$2'}}],[true]}]"#]]
            .assert_eq(&guard("count").hold_spec().display(crate::model::Style::erlang()).to_string());
        assert!(guard("a[1].b[2]").is_compilable());
        assert!(!guard("a[1][2][3][4]").is_compilable());
    }

    #[test]
    fn a_message_condition_knows_the_envelopes() {
        let guard = Guard::Message { tag: Some(Atom::new("add")), class: Some(Class::Cast) };
        expect![[r#"[{{'_',{'$gen_cast','$1'},'_','_'},[{'=:=','$1',{const,add}}],[true]},{{'_',{'$gen_cast','$1'},'_','_'},[{is_tuple,'$1'},{'=:=',{element,1,'$1'},{const,add}}],[true]},{{'_',{cast,'$1'},'_','_'},[{'=:=','$1',{const,add}}],[true]},{{'_',{cast,'$1'},'_','_'},[{is_tuple,'$1'},{'=:=',{element,1,'$1'},{const,add}}],[true]}]"#]]
            .assert_eq(&guard.hold_spec().display(crate::model::Style::erlang()).to_string());
    }
}
