//! What the sim costs: messages between plain Rust processes and calls of a Rust gen_server, without
//! recording, recorded to nowhere with different densities of history roots, and into the store.

use std::rc::Rc;
use std::time::Duration;

use super::{Options, Section, timed};
use crate::codec::write;
use crate::model::{Atom, Behaviour as BehaviourKind, NewEvent, Outcome, Pid, Seq, Term};
use crate::sandbox::sim::{
    After, Behaviour, Callback, Context, Effect, GenServer, Interrupt, ModuleSet, Return, Sim, SimOptions, Start,
};
use crate::sandbox::{EventSink, Input, RunLimit, Sandbox, Stopped};
use crate::store::{Recording, RecordingInfo};
use crate::view::Table;

/// Counts events and forgets them: what is left is the sim's own cost of recording.
#[derive(Default)]
struct Nowhere(u64);

impl EventSink for Nowhere {
    fn emit(&mut self, _event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        self.0 += 1;
        Ok(Seq(self.0 - 1))
    }
}

struct Store(Recording);

impl EventSink for Store {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        self.0.append(event).map_err(|_| Stopped)
    }
}

/// Half of a ping-pong: sends `{ball, self(), N}` back with `N - 1` until it is 0.
#[derive(Clone, Copy)]
struct Player;

fn throw(cx: &mut Context, to: Pid, n: i64) -> Effect<Return> {
    let me = Term::Pid(cx.self_pid());
    cx.send(&Term::Pid(to), Term::tuple([Term::atom("ball"), me, Term::Int(n)]))?;
    Ok(Return::noreply())
}

impl Behaviour for Player {
    fn callback(&mut self, cx: &mut Context, callback: &Callback) -> Effect<Return> {
        match callback {
            Callback::Run(Term::Int(n)) => {
                let other = started(&cx.start(Atom::new("player"), Term::Nil, None)?)?;
                throw(cx, other, *n)
            }
            Callback::Info(message) => match message.as_tuple() {
                Some([_, Term::Pid(other), Term::Int(n)]) if *n > 0 => throw(cx, *other, n - 1),
                _ => Ok(Return::noreply()),
            },
            _ => Ok(Return::noreply()),
        }
    }
    fn kind(&self) -> BehaviourKind {
        BehaviourKind::Process
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn encode_state(&self, _out: &mut Vec<u8>) {}
    fn replace_state(&mut self, _state: &Term) -> Result<(), String> {
        Err("a player has no state".to_string())
    }
    fn clone_box(&self) -> Box<dyn Behaviour> {
        Box::new(*self)
    }
}

fn started(answer: &Term) -> Effect<Pid> {
    answer.tagged("ok", 2).and_then(|items| items[1].as_pid()).ok_or_else(Interrupt::badarg)
}

/// A gen_server with a state of three fields, one of which each call changes.
#[derive(Clone)]
struct Counter {
    n: i64,
}

impl GenServer for Counter {
    fn init(_cx: &mut Context, _args: &Term) -> Effect<Start<Self>> {
        Ok(Start::Ok(Counter { n: 0 }))
    }
    fn handle_call(&mut self, _cx: &mut Context, _request: &Term, _from: &Term) -> Effect<Return> {
        self.n += 1;
        Ok(Return::reply(self.n))
    }
    fn state(&self) -> Term {
        Term::map([("limit", 1_000_000), ("n", self.n), ("step", 1)].map(|(key, n)| (Term::atom(key), Term::Int(n))))
    }
    fn encode_state(&self, out: &mut Vec<u8>) {
        write::version(out);
        write::map_header(out, 3);
        for (key, n) in [("limit", 1_000_000), ("n", self.n), ("step", 1)] {
            write::atom_text(out, key);
            write::int(out, n);
        }
    }
}

/// Calls the counter, then itself again for the next call: one callback per call, as a client's loop is.
#[derive(Clone)]
struct Client {
    server: Term,
    n_left: i64,
}

impl GenServer for Client {
    fn init(cx: &mut Context, args: &Term) -> Effect<Start<Self>> {
        let server = started(&cx.start(Atom::new("counter"), Term::Nil, None)?)?;
        let client = Client { server: Term::Pid(server), n_left: args.as_int().unwrap_or(0) };
        Ok(Start::Then(client, After::Continue(Term::Nil)))
    }
    fn handle_continue(&mut self, cx: &mut Context, _term: &Term) -> Effect<Return> {
        cx.gen_call(&self.server, Term::atom("count"), Some(5_000))?;
        self.n_left -= 1;
        Ok(Return::NoReply(if self.n_left > 0 { After::Continue(Term::Nil) } else { After::Nothing }))
    }
    fn state(&self) -> Term {
        Term::Nil
    }
    fn encode_state(&self, _out: &mut Vec<u8>) {}
}

/// How a run is recorded.
#[derive(Clone, Copy)]
enum Recorded {
    No,
    /// To nowhere, with a root per so many events.
    Nowhere(u64),
    /// Into the store, with a root per so many events.
    Store(u64),
}

/// No root but the first.
const NO_ROOTS: u64 = u64::MAX >> 1;

/// Runs `module` with `n` as its argument until nothing is left to do.
fn round(module: &str, n: u64, recorded: Recorded) -> Duration {
    let (is_recorded, root_every_n_events) = match recorded {
        Recorded::No => (false, NO_ROOTS),
        Recorded::Nowhere(every) | Recorded::Store(every) => (true, every),
    };
    let modules = ModuleSet::new().with("player", Player).server::<Counter>("counter").server::<Client>("client");
    let options = SimOptions { is_recorded, root_every_n_events, ..SimOptions::default() };
    let mut sim = Sim::new(options, Rc::new(modules));
    let mut nowhere = Nowhere::default();
    let mut store = Store(Recording::new(RecordingInfo::default()));
    let sink: &mut dyn EventSink = match recorded {
        Recorded::Store(_) => &mut store,
        _ => &mut nowhere,
    };
    let start = Input::Start { module: Atom::new(module), args: Term::Int(n as i64), name: None, link: false };
    let (ended, took) = timed(|| sim.input(start, sink).and_then(|_| sim.run(RunLimit::default(), sink)));
    ended.expect("a benchmark stays below SIM_STEPS_MAX");
    took
}

/// Messages and calls per second, with and without recording.
pub fn native(options: &Options) -> Outcome<Table> {
    let n = if options.is_quick { 20_000 } else { 200_000 };
    let mut section = Section::new("sim: native processes", options);
    let ways = [
        ("not recorded", Recorded::No),
        ("recorded, no roots", Recorded::Nowhere(NO_ROOTS)),
        ("recorded, a root per 64 events", Recorded::Nowhere(64)),
        ("recorded, a root per turn", Recorded::Nowhere(1)),
        ("recorded into the store, a root per 64 events", Recorded::Store(64)),
    ];
    for (way, recorded) in ways {
        let unit_ns = section.measure(&format!("message, {way}"), "message", n, || round("player", n, recorded));
        match recorded {
            Recorded::Nowhere(NO_ROOTS) => section.aim_ns(unit_ns, 250.0),
            Recorded::Nowhere(1) => section.aim_ns(unit_ns, 700.0),
            _ => {}
        }
    }
    for (way, recorded) in ways {
        section.measure(&format!("gen_server call, {way}"), "call", n, || round("client", n, recorded));
    }
    section.note(
        "a message is 4 events (send, receive, handle_start, handle_end); its payload {ball, Pid, N} is encoded once and kept",
    );
    section.note(
        "a call is 9 events; the server's state of 3 fields is encoded and recorded after each; the client blocks",
    );
    Ok(section.finish())
}
