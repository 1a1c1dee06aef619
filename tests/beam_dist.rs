//! The distribution client against real Erlang nodes. Needs `erl` on the path; without it, or without epmd, a test
//! says loudly that it was skipped, and fails where `CI` is set.

#[path = "beam_dist/node.rs"]
mod node;

use std::time::{Duration, Instant};

use cinema::codec::etf;
use cinema::model::{FailureKind, Style, Syntax, Term};
use cinema::sandbox::beam::dist::{CallError, Config, Cookie, Machine, Node, Received, Target};

use node::{Names, RealNode};

const WAIT: Duration = Duration::from_secs(5);

fn term(text: &str) -> Term {
    Term::parse(text, Syntax::Erlang).unwrap()
}

fn shown(term: &Term) -> String {
    term.display(Style::erlang()).to_string()
}

/// A node that is skipped when there is no Erlang here.
macro_rules! real_node {
    ($names:expr) => {
        match RealNode::start($names) {
            Some(real) => real,
            None => return,
        }
    };
}

fn config(real: &RealNode) -> Config {
    let target = Target::parse(&real.address(), false, &Machine::here()).unwrap();
    Config::new(target, Cookie::from_text(&real.cookie).unwrap(), Machine::here())
}

fn connect(real: &RealNode) -> Node {
    Node::connect(&config(real)).unwrap_or_else(|failure| panic!("{failure}"))
}

#[test]
fn calls_and_their_errors() {
    let real = real_node!(Names::Short);
    let node = connect(&real);
    assert_eq!(node.name(), &*real.name);
    assert!(node.otp_release() >= 25 && node.is_up());
    assert_eq!(node.call("erlang", "node", vec![], WAIT), Ok(Term::Atom(node.name())));
    let hidden = node.call("erlang", "nodes", vec![Term::atom("hidden")], WAIT).unwrap();
    assert_eq!(hidden, Term::list([Term::Atom(node.own_name())]), "the node sees us by the name that it gave us");
    assert_eq!(node.call("erlang", "nodes", vec![], WAIT), Ok(Term::Nil), "and only as a hidden node");

    let error = |module: &str, function: &str, args: &str| {
        let args = term(args).as_list().unwrap().to_vec();
        match node.try_call(module, function, args, WAIT).unwrap_err() {
            CallError::Raised { class, reason, stack, call } => {
                format!("{call} {class} {} {}", shown(&reason), stack != Term::Nil)
            }
            other => other.to_string(),
        }
    };
    assert_eq!(error("erlang", "throw", "[oops]"), "erlang:throw/1 throw oops false");
    assert_eq!(error("erlang", "exit", "[{shutdown, 1}]"), "erlang:exit/1 exit {shutdown,1} false");
    assert_eq!(error("erlang", "error", "[bad]"), "erlang:error/1 error bad true");
    assert_eq!(error("erlang", "atom_to_list", "[1]"), "erlang:atom_to_list/1 error badarg true");
    assert!(error("no_such_module", "f", "[]").starts_with("no_such_module:f/0 error undef"));
    assert_eq!(
        error("erlang", "apply", "[erlang, exit, [normal]]"),
        "erlang:apply/3 exit normal false",
        "an exit with reason normal is an exit"
    );
    let failure = node.call("erlang", "error", vec![Term::atom("bad")], WAIT).unwrap_err();
    assert_eq!((failure.kind, &*failure.error), (FailureKind::Io, "erlang:error/1 raised error: bad"));
}
