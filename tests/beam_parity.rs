//! The same programs on a real BEAM and on the sim must have the same outcome. The Erlang side is in
//! tests/beam_parity/*.erl; each program there has a twin of its name here. A program says terms;
//! pids, references and stacks are cleaned away on both sides.
//!
//! Needs `erlc` and `erl` (any of OTP 24 to 25; later ones differ in what a failed start leaves behind).
//! Without them the test says so, and fails when `CI=true`.

mod beam_parity {
    pub mod programs;
    pub mod servers;
}

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use cinema::codec::etf;
use cinema::model::{Atom, Kind, NewEvent, Seq, Syntax, Term};
use cinema::sandbox::sim::{ModuleSet, Sim, SimOptions};
use cinema::sandbox::{EventSink, Input, RunEnd, RunLimit, Sandbox, Stopped};

use beam_parity::{programs, servers};

/// Collects what processes log.
#[derive(Default)]
struct Said {
    n_events: u64,
    terms: Vec<Term>,
}

impl EventSink for Said {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        if event.kind == Kind::Log {
            let text = etf::decode(event.payload).expect("the sim writes good terms");
            let text = String::from_utf8_lossy(text.as_binary().expect("say logs text")).into_owned();
            self.terms.push(parse(&text));
        }
        self.n_events += 1;
        Ok(Seq(self.n_events - 1))
    }
}

fn parse(text: &str) -> Term {
    Term::parse(text, Syntax::Erlang).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn show(term: &Term) -> String {
    term.display(cinema::model::Style::erlang()).to_string()
}

/// What the BEAM's programs say: by name. `None`: there is no BEAM here.
fn on_the_beam() -> Option<BTreeMap<String, Term>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beam_parity");
    let made = tempfile::tempdir().expect("a temporary folder");
    let sources = ["parity", "programs", "told", "worker", "sup"].map(|name| folder.join(format!("{name}.erl")));
    let compiled = Command::new("erlc").arg("-o").arg(made.path()).args(&sources).output();
    let Ok(compiled) = compiled else { return None };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
    let run =
        Command::new("erl").args(["-noshell", "-noinput", "-s", "parity", "main", "-pa"]).arg(made.path()).output();
    let Ok(run) = run else { return None };
    let text = String::from_utf8(run.stdout).expect("Erlang prints UTF-8");
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));
    let line = |line: &str| {
        let (name, said) = line.split_once(' ').expect("a name and a term");
        (name.to_string(), parse(said))
    };
    Some(text.lines().map(line).collect())
}

/// What a program says on the sim.
fn on_the_sim(name: &str, seed: u64) -> Term {
    let program = programs::find(name).unwrap_or_else(|| panic!("{name} has no twin"));
    let modules = servers::add(ModuleSet::new().process("main", program));
    let mut sim = Sim::new(SimOptions { seed, ..SimOptions::default() }, Rc::new(modules));
    let mut said = Said::default();
    let main = Input::Start { module: Atom::new("main"), args: Term::Nil, name: None, link: false };
    sim.input(main, &mut said).expect("main starts");
    let end = sim.run(RunLimit { until_ns: Some(100_000_000_000), n_events_max: None }, &mut said);
    assert!(matches!(end, Ok(RunEnd::Idle)), "{name}: {end:?}");
    Term::list(said.terms)
}

#[test]
fn programs_have_the_same_outcome_on_the_beam_and_on_the_sim() {
    let Some(beam) = on_the_beam() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "no erl or erlc: install Erlang to hold the sim to it");
        eprintln!("SKIPPED: no erl or erlc on the path, so nothing was compared with a real BEAM");
        return;
    };
    assert!(beam.len() >= 10, "{beam:?}");
    let mut differences = String::new();
    for (name, expected) in &beam {
        for seed in 1..=3 {
            let got = on_the_sim(name, seed);
            if got != *expected {
                differences += &format!("{name}, seed {seed}\n  BEAM {}\n  sim  {}\n", show(expected), show(&got));
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}");
}
