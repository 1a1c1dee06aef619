//! Tests of processes written in Rhai: modules and names, then callbacks, suspension and errors on the real kernel.

mod callbacks;
mod failures;
mod modules;
mod suspension;

use std::path::Path;
use std::rc::Rc;

use super::RhaiModules;
use crate::model::{Atom, Filter, Kind, NewEvent, Seq, Style, Term};
use crate::sandbox::sim::{Sim, SimOptions};
use crate::sandbox::{Dest, EventSink, Input, RunEnd, RunLimit, Sandbox, Stopped};
use crate::script::control::Control;
use crate::script::engine::Host;
use crate::store::Recording;

/// A sim over modules that are given as text.
struct World {
    sim: Sim,
    sink: Sink,
    host: Host,
    dir: tempfile::TempDir,
}

#[derive(Default)]
struct Sink(Recording);

impl EventSink for Sink {
    fn emit(&mut self, event: &NewEvent<'_>) -> Result<Seq, Stopped> {
        Ok(self.0.append(event).expect("the test's recording is small"))
    }
}

impl World {
    /// Modules as `(name, text)`.
    fn new(modules: &[(&str, &str)]) -> World {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in modules {
            std::fs::write(dir.path().join(format!("{name}.rhai")), text).unwrap();
        }
        World::at(dir)
    }

    fn at(dir: tempfile::TempDir) -> World {
        let host = Host::new(Control::default(), Vec::new(), |line| panic!("a process printed {line:?} to the shell"));
        let modules = Rc::new(RhaiModules::open(dir.path(), &host).unwrap());
        let sim = Sim::new(SimOptions { seed: 7, ..SimOptions::default() }, modules);
        World { sim, sink: Sink::default(), host, dir }
    }

    /// Starts a process; gives the answer as text.
    fn start(&mut self, module: &str, args: Term, name: Option<&str>) -> String {
        let input = Input::Start { module: Atom::new(module), args, name: name.map(Atom::new), link: false };
        self.answer(input)
    }

    /// Calls a server; gives `{ok, Reply}` or `{exit, Reason}` as text.
    fn call(&mut self, name: &str, request: &str) -> String {
        let request = Term::parse(request, crate::model::Syntax::Erlang).unwrap();
        let to = Dest::Name(Atom::new(name));
        self.sim.input(Input::Call { to, request, timeout_ns: Some(5_000_000_000) }, &mut self.sink).unwrap();
        let end = self.sim.run(RunLimit::default(), &mut self.sink).unwrap();
        self.shown(end)
    }

    fn send(&mut self, name: &str, message: &str) {
        let message = Term::parse(message, crate::model::Syntax::Erlang).unwrap();
        self.sim.input(Input::Send { to: Dest::Name(Atom::new(name)), message }, &mut self.sink).unwrap();
    }

    fn answer(&mut self, input: Input) -> String {
        let end = self.sim.input(input, &mut self.sink).unwrap();
        self.shown(end)
    }

    fn shown(&self, end: RunEnd) -> String {
        match end {
            RunEnd::Answered(answer) => self.without_path(&answer.display(Style::erlang()).to_string()),
            end => format!("{end:?}"),
        }
    }

    fn run(&mut self, for_ms: i64) -> RunEnd {
        let until_ns = Some(self.sim.now_ns() + for_ms * 1_000_000);
        self.sim.run(RunLimit { until_ns, n_events_max: None }, &mut self.sink).unwrap()
    }

    /// Payloads of the events of a kind, as text.
    fn payloads(&self, kind: Kind) -> Vec<String> {
        let recording = &self.sink.0;
        let filter = Filter::kind(kind);
        let terms = recording.scan(&filter).map(|event| recording.term(event.seq));
        terms.map(|term| term.map_or("-".to_string(), |term| term.display(Style::erlang()).to_string())).collect()
    }

    /// What processes logged, without paths.
    fn log(&self) -> Vec<String> {
        let recording = &self.sink.0;
        let filter = Filter::kind(Kind::Log);
        let terms = recording.scan(&filter).filter_map(|event| recording.term(event.seq));
        let text = |term: Term| match term.as_binary() {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => term.display(Style::erlang()).to_string(),
        };
        terms.map(|term| self.without_path(&text(term))).collect()
    }

    fn without_path(&self, text: &str) -> String {
        let dir: &Path = self.dir.path();
        text.replace(&dir.display().to_string(), "DIR")
    }
}
