//! Tests of the sim from outside: a system of small Rust modules, and its events as text.

mod otp;
mod primitives;
mod time_travel;

use std::rc::Rc;

use super::*;
use crate::model::{Actor, CallKey, Class, Kind, NewEvent, Style};

/// A sink that keeps everything, and stops where it is told.
#[derive(Default)]
pub struct Tape {
    pub events: Vec<Taped>,
    /// Seqs before which it stops the run, each once.
    pub stops: std::collections::BTreeSet<u64>,
    /// Seqs that others took, so that the sim's own have gaps.
    pub n_foreign: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Taped {
    pub seq: Seq,
    pub at_ns: i64,
    pub kind: Kind,
    pub class: Class,
    pub process: Actor,
    pub peer: Option<Actor>,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    pub cause: Option<Seq>,
    pub payload: Vec<u8>,
    pub meta: Vec<u8>,
}

impl Tape {
    pub fn next_seq(&self) -> Seq {
        Seq(self.events.len() as u64 + self.n_foreign)
    }

    fn of(&self, seq: Seq) -> Option<&Taped> {
        self.events.iter().rev().find(|event| event.seq == seq)
    }

    /// One line per event of `kinds` (all when empty): `kind class pid peer tag payload <- cause`.
    pub fn lines(&self, kinds: &[Kind]) -> String {
        let mut text = String::new();
        for event in self.events.iter().filter(|event| kinds.is_empty() || kinds.contains(&event.kind)) {
            let id = |actor: Actor| actor.pid().map_or("?".to_string(), |pid| format!("<{}>", pid.id));
            let mut words = vec![format!("{} {}", event.seq.0, event.kind.as_str()), id(event.process)];
            if event.class != Class::None {
                words.insert(1, event.class.as_str().to_string());
            }
            words.extend(event.peer.map(|peer| format!("~{}", id(peer))));
            words.extend(event.tag.map(|tag| tag.as_str().to_string()));
            if !event.payload.is_empty() && event.kind != Kind::HandleEnd {
                let term = crate::codec::etf::decode(&event.payload).expect("the sim writes good terms");
                words.push(term.display(Style::erlang()).to_string());
            }
            let cause = event.cause.map(|cause| match self.of(cause) {
                Some(found) => format!("<- {} {}", cause.0, found.kind.as_str()),
                None => format!("<- {} ?", cause.0),
            });
            words.extend(cause);
            text += &(words.join(" ") + "\n");
        }
        text
    }

    /// The outcome lines that processes logged, in order.
    pub fn logged(&self) -> Vec<String> {
        let logs = self.events.iter().filter(|event| event.kind == Kind::Log);
        logs.map(|event| match crate::codec::etf::decode(&event.payload).expect("a term").as_binary() {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => "?".to_string(),
        })
        .collect()
    }
}

impl EventSink for Tape {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        let seq = self.next_seq();
        if self.stops.remove(&seq.0) {
            return Err(Stopped);
        }
        self.events.push(Taped {
            seq,
            at_ns: event.at_ns,
            kind: event.kind,
            class: event.class,
            process: event.process,
            peer: event.peer,
            tag: event.tag,
            call: event.call,
            cause: event.cause,
            payload: event.payload.to_vec(),
            meta: event.meta.to_vec(),
        });
        Ok(seq)
    }
}

/// Shorthand: a term from Erlang's syntax.
pub fn term(text: &str) -> Term {
    Term::parse(text, crate::model::Syntax::Erlang).expect("the test writes good terms")
}

pub fn show(term: &Term) -> String {
    term.display(Style::erlang()).to_string()
}

pub fn sim(seed: u64, modules: ModuleSet) -> Sim {
    Sim::new(SimOptions { seed, ..SimOptions::default() }, Rc::new(modules))
}

pub fn start(module: &str, args: Term) -> Input {
    Input::Start { module: Atom::new(module), args, name: None, link: true }
}

/// Starts `main` of `modules` and runs until nothing is left to do.
pub fn play(seed: u64, modules: ModuleSet) -> Tape {
    let (mut sim, mut tape) = (sim(seed, modules), Tape::default());
    let end = sim.input(start("main", Term::Nil), &mut tape).expect("main starts");
    assert!(matches!(end, RunEnd::Answered(_)), "{end:?}");
    let end = sim.run(RunLimit::default(), &mut tape).expect("main runs");
    assert_eq!(end, RunEnd::Idle);
    tape
}

/// What a single plain process logs.
pub fn outcome(run: native::RunFn) -> String {
    play(1, ModuleSet::new().process("main", run).process("idle", idle)).logged().join("\n")
}

/// A process that waits for ever, or ends with the reason in `{stop, Reason}`.
pub fn idle(cx: &mut Context, _args: &Term) -> Effect<()> {
    while let Some(message) = cx.receive(None, None)? {
        if let Some([_, reason]) = message.tagged("stop", 2) {
            return Err(Interrupt::exit(reason.clone()));
        }
    }
    Ok(())
}

/// Logs a term.
pub fn say(cx: &mut Context, term: &Term) -> Effect<()> {
    let text = show(term);
    cx.log(&text)
}

/// Starts a plain process and gives its pid.
pub fn spawn(cx: &mut Context, module: &str, args: Term, is_linked: bool) -> Effect<Pid> {
    let started = match is_linked {
        true => cx.start_link(Atom::new(module), args, None)?,
        false => cx.start(Atom::new(module), args, None)?,
    };
    Ok(started.as_tuple().and_then(|items| items[1].as_pid()).expect("the test's processes start"))
}

use crate::model::{Atom, Pid};
