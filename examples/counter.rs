//! A counter: the smallest gen_server in Rust, driven from outside, and what was recorded of it.
//!
//! `cargo run --example counter`

use std::rc::Rc;

use cinema::model::{Atom, Outcome, Term};
use cinema::sandbox::sim::{Context, Effect, GenServer, ModuleSet, Return, Sim, SimOptions, Start};
use cinema::sandbox::{Dest, Input, RunEnd, RunLimit, Sandbox};

#[path = "common/mod.rs"]
mod common;

#[derive(Clone)]
struct Counter {
    count: i64,
}

impl GenServer for Counter {
    fn init(_cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        Ok(Start::Ok(Counter { count: args.as_int().unwrap_or(0) }))
    }

    fn handle_call(&mut self, _cx: &mut Context, request: &Term, _from: &Term) -> Effect<Return> {
        match request.as_tuple() {
            Some([verb, Term::Int(n)]) if verb.is_atom("add") => self.count += n,
            _ => {}
        }
        Ok(Return::reply(self.count))
    }

    fn state(&self) -> Term {
        Term::map([(Term::atom("count"), Term::Int(self.count))])
    }
}

fn main() -> Outcome<()> {
    let modules = ModuleSet::new().server::<Counter>("counter");
    let mut sim = Sim::new(SimOptions { title: "counter".to_string(), ..SimOptions::default() }, Rc::new(modules));
    let mut tape = common::Tape::new(&sim);

    let name = Atom::new("counter");
    sim.input(Input::Start { module: name, args: Term::Int(40), name: Some(name), link: true }, &mut tape)?;
    let request = Term::tuple([Term::atom("add"), Term::Int(2)]);
    sim.input(Input::Call { to: Dest::Name(name), request, timeout_ns: Some(5_000_000_000) }, &mut tape)?;
    if let RunEnd::Answered(answer) = sim.run(RunLimit::default(), &mut tape)? {
        println!("the counter answered {}\n", common::show(&answer));
    }
    tape.print();
    Ok(())
}
