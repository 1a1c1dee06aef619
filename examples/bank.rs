//! A bank: two accounts under a supervisor. A bad deposit crashes one account; the supervisor starts it
//! again, with the balance it began with, and the other one never notices.
//!
//! `cargo run --example bank`

use std::rc::Rc;

use cinema::model::{Atom, Kind, Outcome, Term};
use cinema::sandbox::sim::{
    ChildSpec, Context, Effect, Flags, GenServer, Interrupt, ModuleSet, Return, Sim, SimOptions, Start, SupervisorSpec,
};
use cinema::sandbox::{Dest, Input, RunEnd, RunLimit, Sandbox};

#[path = "common/mod.rs"]
mod common;

#[derive(Clone)]
struct Account {
    balance: i64,
}

impl GenServer for Account {
    fn init(_cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        Ok(Start::Ok(Account { balance: args.as_int().unwrap_or(0) }))
    }

    fn handle_call(&mut self, cx: &mut Context, request: &Term, _from: &Term) -> Effect<Return> {
        match request.as_tuple() {
            Some([verb, Term::Int(amount)]) if verb.is_atom("deposit") => {
                self.balance += amount;
                Ok(Return::reply(self.balance))
            }
            // The other account is called from inside this callback: only this account waits.
            Some([verb, Term::Int(amount), payee]) if verb.is_atom("pay") => {
                let deposit = Term::tuple([Term::atom("deposit"), Term::Int(*amount)]);
                cx.gen_call(payee, deposit, Some(1_000))?;
                self.balance -= amount;
                Ok(Return::reply(self.balance))
            }
            _ => Err(Interrupt::error(Term::tuple([Term::atom("bad_request"), request.clone()]))),
        }
    }

    fn state(&self) -> Term {
        Term::map([(Term::atom("balance"), Term::Int(self.balance))])
    }
}

fn supervisor(_args: &Term) -> SupervisorSpec {
    let account = |name: &str| ChildSpec {
        name: Some(Atom::new(name)),
        ..ChildSpec::worker(Term::atom(name), Atom::new("account"), vec![Term::Int(100)])
    };
    SupervisorSpec { flags: Flags::default(), children: vec![account("alice"), account("bob")] }
}

fn main() -> Outcome<()> {
    let modules = ModuleSet::new().server::<Account>("account").supervisor("bank", supervisor);
    let mut sim = Sim::new(SimOptions { title: "bank".to_string(), ..SimOptions::default() }, Rc::new(modules));
    let mut tape = common::Tape::new(&sim);

    let bank = Input::Start { module: Atom::new("bank"), args: Term::Nil, name: None, link: true };
    sim.input(bank, &mut tape)?;
    let requests = [
        Term::tuple([Term::atom("pay"), Term::Int(30), Term::atom("bob")]),
        Term::tuple([Term::atom("deposit"), Term::atom("a lot")]),
        Term::tuple([Term::atom("deposit"), Term::Int(5)]),
    ];
    for request in requests {
        let call = Input::Call { to: Dest::Name(Atom::new("alice")), request, timeout_ns: Some(1_000_000_000) };
        sim.input(call, &mut tape)?;
        if let RunEnd::Answered(answer) = sim.run(RunLimit::default(), &mut tape)? {
            println!("alice: {}", common::show(&answer));
        }
        // The call is answered before the supervisor has started the account again: let it.
        sim.run(RunLimit::default(), &mut tape)?;
    }
    println!();
    tape.retain(&[Kind::Spawn, Kind::Send, Kind::Reply, Kind::StateChange, Kind::Crash, Kind::SupervisorRestart]);
    tape.print();
    Ok(())
}
