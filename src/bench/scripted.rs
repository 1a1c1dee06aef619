//! Processes written in Rhai on the sim: a server with a state of three keys, cast to and called by a client in Rust.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::{Options, Section, timed};
use crate::model::{Atom, Behaviour as BehaviourKind, NewEvent, Outcome, Seq, Term};
use crate::sandbox::sim::{After, Behaviour, Callback, Context, Effect, ModuleSet, Modules, Return, Sim, SimOptions};
use crate::sandbox::{EventSink, Input, RunLimit, Sandbox, Stopped};
use crate::script::control::Control;
use crate::script::engine::Host;
use crate::script::process::RhaiModules;
use crate::store::{Recording, RecordingInfo};
use crate::view::Table;

/// Counts, adds up, remembers the last: each message changes all three keys.
const SERVER: &str = r#"
fn init(args) { ok(#{ count: 0, total: 0, last: 0 }) }
fn handle_cast(msg) { this.count += 1; this.total += msg; this.last = msg; }
fn handle_call(msg, from) { this.count += 1; this.total += msg; this.last = msg; reply(this.total) }
"#;

/// Rhai modules, and Rust ones for the clients.
struct Both(RhaiModules, ModuleSet);

impl Modules for Both {
    fn instantiate(&self, module: Atom) -> Outcome<Box<dyn Behaviour>> {
        self.1.instantiate(module).or_else(|_| self.0.instantiate(module))
    }
    fn names(&self) -> Vec<Atom> {
        [self.0.names(), self.1.names()].concat()
    }
}

/// Casts without waiting; the argument is the number of messages.
fn cast_client(cx: &mut Context, args: &Term) -> Effect<()> {
    let server = Term::atom("server");
    for n in 0..args.as_int().unwrap_or(0) {
        cx.cast(&server, Term::Int(n))?;
    }
    Ok(())
}

/// Calls so many times, once per run of its body: a longer body would be run again for every call in it.
#[derive(Clone, Copy)]
struct CallClient;

impl Behaviour for CallClient {
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        let Callback::Run(Term::Int(n @ 1..)) = callback else { return Ok(Return::Done) };
        cx.gen_call(&Term::atom("server"), Term::Int(*n), None)?;
        Ok(Return::NoReply(After::Continue(Term::Int(n - 1))))
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::Process
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn encode_state(&self, _out: &mut Vec<u8>) {}
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("a client has no state".to_string())
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(*self)
    }
}

struct Recorder(Recording);

impl EventSink for Recorder {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        self.0.append(event).map_err(|_| Stopped)
    }
}

/// Messages that one client sends: the server's mailbox stays short.
const MESSAGES_PER_CLIENT: u64 = 100;

/// Runs `n_messages` through a fresh system; only the run itself is timed.
fn round(client: &str, n_messages: u64, is_recorded: bool) -> Outcome<Duration> {
    let host = Host::new(Control::default(), Vec::new(), |_| {});
    let rhai = RhaiModules::in_memory(Path::new("bench"), &[("server", SERVER)], &host);
    let rust = ModuleSet::new().process("cast_client", cast_client).with("call_client", CallClient);
    let options = SimOptions { is_recorded, ..SimOptions::default() };
    let mut sim = Sim::new(options, Rc::new(Both(rhai, rust)));
    let mut sink = Recorder(Recording::new(RecordingInfo::default()));
    let start = |module: &str, args: Term, name: Option<&str>| Input::Start {
        module: Atom::new(module),
        args,
        name: name.map(Atom::new),
        link: false,
    };
    sim.input(start("server", Term::Nil, Some("server")), &mut sink)?;
    let mut took = Duration::ZERO;
    for _ in 0..n_messages / MESSAGES_PER_CLIENT {
        sim.input(start(client, Term::Int(MESSAGES_PER_CLIENT as i64), None), &mut sink)?;
        let (end, part) = timed(|| sim.run(RunLimit::default(), &mut sink));
        end?;
        took += part;
    }
    Ok(took)
}

/// Messages per second of a Rhai server.
pub fn server(options: &Options) -> Outcome<Table> {
    let n_messages = if options.is_quick { 10_000 } else { 100_000 };
    let mut section = Section::new("sim: a Rhai server with a state of 3 keys", options);
    let mut failure = None;
    let mut took = |client: &'static str, is_recorded: bool| {
        round(client, n_messages, is_recorded).unwrap_or_else(|error| {
            failure = Some(error);
            Duration::ZERO
        })
    };
    section.measure("casts, not recorded", "message", n_messages, || took("cast_client", false));
    let cast_ns = section.measure("casts, recorded", "message", n_messages, || took("cast_client", true));
    section.aim_per_s(cast_ns, 300_000.0);
    section.measure("calls, not recorded", "call", n_messages, || took("call_client", false));
    section.measure("calls, recorded", "call", n_messages, || took("call_client", true));
    section.note("one thread; a root per 64 events; each message changes the state, which is encoded and recorded");
    failure.map_or(Ok(section.finish()), Err)
}
