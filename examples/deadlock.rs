//! A deadlock: two servers that call each other inside their callbacks. Both calls time out; the
//! recording shows each waiting for the other.
//!
//! `cargo run --example deadlock`

use std::rc::Rc;

use cinema::model::{Atom, Kind, Outcome, Term};
use cinema::sandbox::sim::{Context, Effect, GenServer, ModuleSet, Return, Sim, SimOptions, Start};
use cinema::sandbox::{Dest, Input, RunLimit, Sandbox};

#[path = "common/mod.rs"]
mod common;

/// Answers `ask` by asking the other one first.
#[derive(Clone)]
struct Polite {
    other: Term,
}

impl GenServer for Polite {
    fn init(_cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        Ok(Start::Ok(Polite { other: args.clone() }))
    }

    fn handle_call(&mut self, cx: &mut Context, request: &Term, _from: &Term) -> Effect<Return> {
        cx.work(1_000_000)?;
        let answer = cx.gen_call(&self.other, request.clone(), Some(100))?;
        Ok(Return::reply(answer))
    }

    fn handle_cast(&mut self, cx: &mut Context, _request: &Term) -> Effect<Return> {
        cx.gen_call(&self.other, Term::atom("ask"), Some(100))?;
        Ok(Return::noreply())
    }

    fn state(&self) -> Term {
        self.other.clone()
    }
}

fn main() -> Outcome<()> {
    let modules = ModuleSet::new().server::<Polite>("polite");
    let mut sim = Sim::new(SimOptions { title: "deadlock".to_string(), ..SimOptions::default() }, Rc::new(modules));
    let mut tape = common::Tape::new(&sim);

    for (name, other) in [("ann", "ben"), ("ben", "ann")] {
        let (module, name) = (Atom::new("polite"), Some(Atom::new(name)));
        sim.input(Input::Start { module, args: Term::atom(other), name, link: false }, &mut tape)?;
    }
    for name in ["ann", "ben"] {
        let to = Dest::Name(Atom::new(name));
        sim.input(Input::Cast { to, request: Term::atom("begin") }, &mut tape)?;
    }
    println!("the run ended: {:?}\n", sim.run(RunLimit::default(), &mut tape)?);
    tape.retain(&[Kind::Send, Kind::Receive, Kind::HandleStart, Kind::Timeout, Kind::Crash]);
    tape.print();
    Ok(())
}
