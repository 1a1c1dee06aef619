//! What is traced of calls: the callbacks of behaviours, with the state where it is small and without it where it is
//! large. It must not know how patterns are set.

use std::collections::BTreeSet;

use super::agent::Mfa;
use super::guard;
use crate::model::{Atom, Path, Pid, Term};
use crate::sandbox::trace::lean::{OMITTED, TAG};

/// A loaded module, as the agent describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleFacts {
    pub module: Atom,
    pub behaviours: Vec<Atom>,
    /// Its exported functions of three arguments, and `handle_event/4`.
    pub exports: Vec<(Atom, u8)>,
}

/// How much of a callback is traced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detail {
    /// Processes whose states are too large to be copied at every call: only the message, and the watched fields.
    pub lean: BTreeSet<Pid>,
    /// Whether every process is traced so.
    pub is_all_lean: bool,
    /// Fields of the state that lean traces tell.
    pub watched: Vec<Path>,
}

/// Behaviours whose processes receive messages in a loop of OTP's.
const SERVERS: &[&str] = &["gen_server", "Elixir.GenServer"];

/// Behaviours whose only callback is init: the loop is another module's.
const SUPERVISORS: &[&str] = &["supervisor", "Elixir.Supervisor", "Elixir.DynamicSupervisor"];

/// Modules that run supervisors: their callbacks are traced where a supervisor is.
pub const SUPERVISOR_LOOPS: &[&str] = &["supervisor", "Elixir.DynamicSupervisor"];

/// A callback: its name, its arity, and which argument is the state, from 0.
type Callback = (&'static str, u8, Option<usize>);

const OF_SERVER: &[Callback] = &[
    ("init", 1, None),
    ("handle_call", 3, Some(2)),
    ("handle_cast", 2, Some(1)),
    ("handle_info", 2, Some(1)),
    ("handle_continue", 2, Some(1)),
    ("terminate", 2, Some(1)),
    ("code_change", 3, Some(1)),
];
const OF_EVENT: &[Callback] = &[
    ("init", 1, None),
    ("handle_event", 2, Some(1)),
    ("handle_call", 2, Some(1)),
    ("handle_info", 2, Some(1)),
    ("terminate", 2, Some(1)),
    ("code_change", 3, Some(1)),
];

impl ModuleFacts {
    /// Reads `{Module, Behaviours, [{Function, Arity}]}`.
    pub fn read(term: &Term) -> Option<ModuleFacts> {
        let [Term::Atom(module), behaviours, exports] = term.as_tuple()? else { return None };
        let export = |item: &Term| match item.as_tuple()? {
            [Term::Atom(name), Term::Int(arity)] => Some((*name, u8::try_from(*arity).ok()?)),
            _ => None,
        };
        Some(ModuleFacts {
            module: *module,
            behaviours: behaviours.as_list().unwrap_or_default().iter().filter_map(Term::as_atom).collect(),
            exports: exports.as_list().unwrap_or_default().iter().filter_map(export).collect(),
        })
    }

    fn is(&self, names: &[&str]) -> bool {
        self.behaviours.iter().any(|behaviour| names.contains(&behaviour.as_str()))
    }

    /// The patterns that trace its callbacks; none for a module of no behaviour.
    pub fn patterns(&self, detail: &Detail) -> Vec<(Mfa, Term)> {
        let mut found = Vec::new();
        let mut add = |name: Atom, arity: u8, state: Option<usize>| {
            let mfa = (self.module, name, arity);
            if !found.iter().any(|(known, _)| *known == mfa) {
                found.push((mfa, detail.spec(arity, state)));
            }
        };
        let is_known = self.is(SERVERS) || self.is(SUPERVISORS) || self.is(&["gen_event", "gen_statem"]);
        if self.is(SUPERVISORS) {
            add(Atom::new("init"), 1, None);
        }
        if self.is(SERVERS) || !is_known && self.exports.iter().any(|(name, _)| name.as_str() == "handle_call") {
            OF_SERVER.iter().for_each(|(name, arity, state)| add(Atom::new(name), *arity, *state));
        }
        if self.is(&["gen_event"]) {
            OF_EVENT.iter().for_each(|(name, arity, state)| add(Atom::new(name), *arity, *state));
        }
        if self.is(&["gen_statem"]) {
            add(Atom::new("init"), 1, None);
            add(Atom::new("terminate"), 3, Some(2));
            let handles_event = self.exports.iter().any(|(name, arity)| name.as_str() == "handle_event" && *arity == 4);
            if handles_event {
                add(Atom::new("handle_event"), 4, Some(3));
            } else {
                // A state is an exported function of three arguments; processes of other modules are not traced in it.
                let states = self.exports.iter().filter(|(name, arity)| *arity == 3 && name.as_str() != "terminate");
                states.for_each(|(name, _)| add(*name, 3, Some(2)));
            }
        }
        found
    }
}

impl Detail {
    /// Whether this process's callbacks are traced without its state.
    pub fn is_lean(&self, pid: Pid) -> bool {
        self.is_all_lean || self.lean.contains(&pid)
    }

    /// The match specification of a callback with `arity` arguments of which number `state` is the state.
    fn spec(&self, arity: u8, state: Option<usize>) -> Term {
        let whole = Term::tuple([Term::atom("_"), Term::Nil, Term::list([action("exception_trace")])]);
        if self.is_all_lean {
            return Term::list([self.lean_clause(arity, state, Vec::new())]);
        }
        if self.lean.is_empty() {
            return Term::list([whole]);
        }
        let is = |pid: &Pid| Term::tuple([Term::atom("=:="), action("self"), Term::Pid(*pid)]);
        let any_of = std::iter::once(Term::atom("orelse")).chain(self.lean.iter().map(is)).collect::<Vec<_>>();
        // `orelse` wants two operands.
        let guard = if any_of.len() == 2 { any_of[1].clone() } else { Term::tuple(any_of) };
        Term::list([self.lean_clause(arity, state, vec![guard]), whole])
    }

    /// A clause that tells the arguments but the state, as [`crate::sandbox::trace::recognise`] reads it.
    fn lean_clause(&self, arity: u8, state: Option<usize>, guards: Vec<Term>) -> Term {
        let variable = |idx: usize| Term::atom(&format!("${}", idx + 1));
        let head = Term::list((0..usize::from(arity)).map(variable).collect::<Vec<_>>());
        let told = |idx: usize| if Some(idx) == state { Term::atom(OMITTED) } else { variable(idx) };
        let args = Term::list((0..usize::from(arity)).map(told).collect::<Vec<_>>());
        let mut message = vec![Term::atom(TAG), args];
        if let Some(state) = state.filter(|_| !self.watched.is_empty()) {
            let field = |path: &Path| {
                let reading = guard::readings(path, &variable(state)).swap_remove(0);
                // A tuple is written with one brace more.
                Term::tuple([Term::tuple([Term::binary(path.to_string().into_bytes()), reading])])
            };
            message.push(Term::list(self.watched.iter().map(field).collect::<Vec<_>>()));
        }
        let body = Term::tuple([Term::atom("message"), Term::tuple([Term::tuple(message)])]);
        Term::tuple([head, Term::list(guards), Term::list([body])])
    }
}

fn action(name: &str) -> Term {
    Term::tuple([Term::atom(name)])
}

/// The match specification of received messages: adds `{Node, Sender}`, and leaves out messages whose tag is in
/// `without`, in whatever envelope.
pub fn received_spec(without: &[Atom]) -> Term {
    let variables = |message: Term| Term::list([Term::atom("$1"), Term::atom("$2"), message]);
    let body = |value: Term| Term::list([Term::tuple([Term::atom("message"), value])]);
    let from = Term::tuple([Term::tuple([Term::atom("$1"), Term::atom("$2")])]);
    let told = Term::tuple([variables(Term::atom("_")), Term::Nil, body(from)]);
    let silent = |message: Term, guards: Vec<Term>| {
        Term::tuple([variables(message), Term::list(guards), body(Term::atom("false"))])
    };
    let mut clauses = Vec::new();
    for tag in without {
        let is_tag = |term: Term| Term::tuple([Term::atom("=:="), term, guard::literal(&Term::Atom(*tag))]);
        let first = Term::tuple([Term::atom("element"), Term::Int(1), Term::atom("$3")]);
        let is_tuple = Term::tuple([Term::atom("is_tuple"), Term::atom("$3")]);
        let request = || Term::atom("$3");
        let envelopes = [
            request(),
            Term::tuple([Term::atom("$gen_cast"), request()]),
            Term::tuple([Term::atom("$gen_call"), Term::atom("_"), request()]),
        ];
        for message in envelopes {
            clauses.push(silent(message.clone(), vec![is_tag(request())]));
            clauses.push(silent(message, vec![is_tuple.clone(), is_tag(first.clone())]));
        }
    }
    clauses.push(told);
    Term::list(clauses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn module(behaviour: &str, exports: &[(&str, u8)]) -> ModuleFacts {
        ModuleFacts {
            module: Atom::new("stock"),
            behaviours: vec![Atom::new(behaviour)],
            exports: exports.iter().map(|(name, arity)| (Atom::new(name), *arity)).collect(),
        }
    }

    fn names(module: &ModuleFacts) -> Vec<String> {
        let patterns = module.patterns(&Detail::default());
        patterns.iter().map(|((_, name, arity), _)| format!("{}/{arity}", name.as_str())).collect()
    }

    #[test]
    fn callbacks_follow_the_behaviour() {
        assert_eq!(names(&module("gen_server", &[])).len(), OF_SERVER.len());
        let door = module("gen_statem", &[("locked", 3), ("open", 3), ("terminate", 3)]);
        assert_eq!(names(&door), ["init/1", "terminate/3", "locked/3", "open/3"]);
        let order = module("gen_statem", &[("handle_event", 4), ("place", 3)]);
        assert_eq!(names(&order), ["init/1", "terminate/3", "handle_event/4"]);
        assert!(names(&module("application", &[])).is_empty());
    }

    #[test]
    fn large_states_are_left_out_for_those_that_have_them() {
        let detail = Detail {
            lean: BTreeSet::from([Pid::local(7)]),
            is_all_lean: false,
            watched: vec![Path::parse("count").unwrap()],
        };
        expect![[r#"[{['$1','$2'],[{'=:=',{self},<0.7.0>}],[{message,{{cinema,['$1','$cinema_omitted'],[{{<<"count">>,{map_get,{const,count},'$2'}}}]}}}]},{'_',[],[{exception_trace}]}]"#]]
            .assert_eq(&detail.spec(2, Some(1)).display(crate::model::Style::erlang()).to_string());
    }

    #[test]
    fn messages_can_be_left_out_at_the_source() {
        expect![[r#"[{['$1','$2','$3'],[{'=:=','$3',{const,tick}}],[{message,false}]},{['$1','$2','$3'],[{is_tuple,'$3'},{'=:=',{element,1,'$3'},{const,tick}}],[{message,false}]},{['$1','$2',{'$gen_cast','$3'}],[{'=:=','$3',{const,tick}}],[{message,false}]},{['$1','$2',{'$gen_cast','$3'}],[{is_tuple,'$3'},{'=:=',{element,1,'$3'},{const,tick}}],[{message,false}]},{['$1','$2',{'$gen_call','_','$3'}],[{'=:=','$3',{const,tick}}],[{message,false}]},{['$1','$2',{'$gen_call','_','$3'}],[{is_tuple,'$3'},{'=:=',{element,1,'$3'},{const,tick}}],[{message,false}]},{['$1','$2','_'],[],[{message,{{'$1','$2'}}}]}]"#]]
            .assert_eq(&received_spec(&[Atom::new("tick")]).display(crate::model::Style::erlang()).to_string());
    }
}
