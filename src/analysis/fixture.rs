//! Recordings made by hand, for the tests of the analysis: small words that append the events which
//! the sim would record. Times are in milliseconds, terms in Erlang's syntax.

use crate::codec::etf;
use crate::model::{Actor, Atom, CallKey, Class, Kind, NewEvent, Pid, Seq, Syntax, Term};
use crate::store::{Recording, RecordingInfo};

pub struct Fixture {
    pub rec: Recording,
    at_ns: i64,
    n_pids: u32,
    n_calls: u64,
}

/// A call that was sent.
#[derive(Clone, Copy)]
pub struct Call {
    pub key: CallKey,
    pub caller: Actor,
    pub callee: Actor,
    pub tag: Atom,
    pub send: Seq,
    /// Its arrival, or the send when it never arrived.
    pub arrival: Seq,
}

pub fn term(text: &str) -> Term {
    Term::parse(text, Syntax::Erlang).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn encode(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    etf::encode(term, &mut bytes);
    bytes
}

fn tag_of(message: &Term) -> Option<Atom> {
    message.tag()
}

impl Fixture {
    pub fn new() -> Fixture {
        let info = RecordingInfo { source: "sim".into(), ..RecordingInfo::default() };
        Fixture { rec: Recording::new(info), at_ns: 0, n_pids: 100, n_calls: 0 }
    }

    /// Sets the clock, in milliseconds.
    pub fn at(&mut self, ms: f64) -> &mut Fixture {
        self.at_ns = (ms * 1e6) as i64;
        self
    }

    pub fn event(&mut self, kind: Kind, process: Actor, edit: impl FnOnce(&mut NewEvent<'_>)) -> Seq {
        self.event_with(kind, process, None, edit)
    }

    pub fn event_with(
        &mut self,
        kind: Kind,
        process: Actor,
        payload: Option<&Term>,
        edit: impl FnOnce(&mut NewEvent<'_>),
    ) -> Seq {
        let bytes = payload.map(encode).unwrap_or_default();
        let mut event = NewEvent::new(self.at_ns, kind, process);
        edit(&mut event);
        event.payload = &bytes;
        self.rec.append(&event).expect("a small recording")
    }

    /// A process of `module`; with a name it is registered.
    pub fn spawn(&mut self, module: &str, name: Option<&str>) -> Actor {
        self.n_pids += 1;
        let actor = Actor::from(Pid::local(self.n_pids));
        self.spawn_as(actor, module, name, None);
        actor
    }

    pub fn spawn_under(&mut self, supervisor: Actor, module: &str, name: Option<&str>) -> Actor {
        self.n_pids += 1;
        let actor = Actor::from(Pid::local(self.n_pids));
        self.spawn_as(actor, module, name, Some(supervisor));
        actor
    }

    fn spawn_as(&mut self, actor: Actor, module: &str, name: Option<&str>, supervisor: Option<Actor>) {
        let payload =
            supervisor.and_then(Actor::pid).map(|sup| Term::map([(Term::atom("supervisor"), Term::Pid(sup))]));
        self.event_with(Kind::Spawn, actor, payload.as_ref(), |e| {
            e.tag = Some(Atom::new(module));
            e.peer = supervisor;
        });
        if let Some(name) = name {
            self.event(Kind::Register, actor, |e| e.tag = Some(Atom::new(name)));
        }
    }

    /// A call that arrives at once.
    pub fn call(&mut self, caller: Actor, callee: Actor, request: &str) -> Call {
        let call = self.call_lost(caller, callee, request);
        let payload = self.rec.term(call.send).expect("a call has a payload");
        let arrival = self.event_with(Kind::Receive, callee, Some(&payload), |e| {
            (e.class, e.tag, e.call) = (Class::Call, Some(call.tag), Some(call.key));
            (e.peer, e.cause) = (Some(caller), Some(call.send));
        });
        Call { arrival, ..call }
    }

    /// A call that never arrives.
    pub fn call_lost(&mut self, caller: Actor, callee: Actor, request: &str) -> Call {
        self.n_calls += 1;
        let key = CallKey(self.n_calls);
        let request = term(request);
        let tag = tag_of(&request).expect("a request with a tag");
        let from = Term::tuple([Term::Pid(caller.pid().expect("a process")), Term::Int(self.n_calls as i64)]);
        let payload = Term::tuple([Term::atom("$gen_call"), from, request]);
        let send = self.event_with(Kind::Send, caller, Some(&payload), |e| {
            (e.class, e.tag, e.call, e.peer) = (Class::Call, Some(tag), Some(key), Some(callee));
        });
        Call { key, caller, callee, tag, send, arrival: send }
    }

    /// A cast, or (class info) a plain message; gives its arrival.
    pub fn message(&mut self, class: Class, from: Actor, to: Actor, message: &str) -> Seq {
        let body = term(message);
        let tag = tag_of(&body);
        let payload = if class == Class::Cast { Term::tuple([Term::atom("$gen_cast"), body]) } else { body };
        let send = self.event_with(Kind::Send, from, Some(&payload), |e| {
            (e.class, e.tag, e.peer) = (class, tag, Some(to));
        });
        self.event_with(Kind::Receive, to, Some(&payload), |e| {
            (e.class, e.tag, e.peer, e.cause) = (class, tag, Some(from), Some(send));
        })
    }

    /// The callback for the arrival begins.
    pub fn start(&mut self, arrival: Seq) -> Seq {
        let arrived = self.rec.event(arrival).expect("an arrival");
        self.event(Kind::HandleStart, arrived.process, |e| {
            (e.class, e.tag, e.call) = (arrived.class, arrived.tag, arrived.call);
            e.cause = Some(arrival);
        })
    }

    /// The callback of `init` begins.
    pub fn start_init(&mut self, process: Actor) -> Seq {
        self.event(Kind::HandleStart, process, |e| e.class = Class::Init)
    }

    /// The callback is over.
    pub fn end(&mut self, start: Seq) -> Seq {
        let started = self.rec.event(start).expect("a handle_start");
        let payload = term("{1000,2000}");
        self.event_with(Kind::HandleEnd, started.process, Some(&payload), |e| {
            (e.class, e.tag, e.cause) = (started.class, started.tag, Some(start));
        })
    }

    /// The callee answers; gives the reply. It still has to arrive.
    pub fn reply(&mut self, call: Call, value: &str) -> Seq {
        let payload = Term::tuple([Term::Int(call.key.0 as i64), term(value)]);
        self.event_with(Kind::Reply, call.callee, Some(&payload), |e| {
            (e.class, e.call, e.peer) = (Class::Reply, Some(call.key), Some(call.caller));
        })
    }

    /// The reply arrives.
    pub fn replied(&mut self, call: Call, reply: Seq) -> Seq {
        self.event(Kind::Receive, call.caller, |e| {
            (e.class, e.call, e.peer, e.cause) = (Class::Reply, Some(call.key), Some(call.callee), Some(reply));
        })
    }

    pub fn timeout(&mut self, call: Call) -> Seq {
        self.event(Kind::Timeout, call.caller, |e| {
            (e.call, e.tag) = (Some(call.key), Some(call.tag));
            (e.peer, e.cause) = (Some(call.callee), Some(call.send));
        })
    }

    pub fn late_reply(&mut self, call: Call, reply: Seq) -> Seq {
        self.event(Kind::LateReply, call.caller, |e| {
            (e.call, e.peer, e.cause) = (Some(call.key), Some(call.callee), Some(reply));
        })
    }

    /// A whole call: sent, handled for `ms`, answered.
    pub fn served(&mut self, caller: Actor, callee: Actor, request: &str, ms: f64) -> Call {
        let call = self.call(caller, callee, request);
        let start = self.start(call.arrival);
        self.wait(ms);
        let reply = self.reply(call, "ok");
        self.end(start);
        self.replied(call, reply);
        call
    }

    /// Lets time pass, in milliseconds.
    pub fn wait(&mut self, ms: f64) -> &mut Fixture {
        self.at_ns += (ms * 1e6) as i64;
        self
    }

    pub fn state(&mut self, start: Seq, state: &str) -> Seq {
        let started = self.rec.event(start).expect("a handle_start");
        self.event_with(Kind::StateChange, started.process, Some(&term(state)), |e| {
            (e.class, e.tag, e.cause) = (started.class, started.tag, Some(start));
        })
    }

    /// The process ends: an exit for normal and shutdown, else a crash.
    pub fn dies(&mut self, process: Actor, reason: &str, cause: Option<Seq>) -> Seq {
        let reason = term(reason);
        let is_exit = reason.is_atom("normal") || reason.is_atom("shutdown") || reason.tagged("shutdown", 2).is_some();
        let kind = if is_exit { Kind::Exit } else { Kind::Crash };
        self.event_with(kind, process, Some(&reason), |e| e.cause = cause)
    }

    /// An exit signal of `from` arrives at `process`.
    pub fn exit_signal(&mut self, from: Actor, process: Actor, reason: &str, cause: Option<Seq>) -> Seq {
        self.event_with(Kind::ExitSignal, process, Some(&term(reason)), |e| (e.peer, e.cause) = (Some(from), cause))
    }

    pub fn link(&mut self, a: Actor, b: Actor) -> Seq {
        self.event(Kind::Link, a, |e| e.peer = Some(b))
    }

    /// The supervisor restarts the child that ended with event `end`: a new process in its place.
    pub fn restart(&mut self, supervisor: Actor, id: &str, end: Seq, module: &str, name: Option<&str>) -> (Actor, Seq) {
        let old = self.rec.event(end).expect("an end").process.pid().expect("a process");
        let reason = self.rec.term(end).expect("an end has a reason");
        let new = self.spawn_under(supervisor, module, name);
        let new_pid = new.pid().expect("a process");
        let fields = [("id", Term::atom(id)), ("old", Term::Pid(old)), ("new", Term::Pid(new_pid)), ("reason", reason)];
        let payload = Term::map(fields.map(|(key, value)| (Term::atom(key), value)));
        let seq = self.event_with(Kind::SupervisorRestart, supervisor, Some(&payload), |e| {
            (e.peer, e.tag, e.cause) = (Some(new), Some(Atom::new(id)), Some(end));
        });
        (new, seq)
    }
}
