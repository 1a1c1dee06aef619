//! Closures of scripts as breakpoint conditions and actions. They are compiled once, tried on sample events when they
//! are set, and evaluated under tight limits. It must not know sessions: who sets a breakpoint says how an event
//! becomes a script's value.

use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult};

use super::closure::Closure;
use super::control::{Stop, TimeLimit};
use super::engine::{self, Host};
use super::error::{Explainer, KnowsNames};
use super::names::{Names, plain_type};
use super::native::{self, Native};
use super::profile::Profile;
use crate::breakpoint::{Candidate, Flow, Hit, HitScript, Predicate};
use crate::model::{Actor, Atom, Class, Event, Failure, FailureKind, Kind, Outcome, Pid, Seq};
use crate::store::Recording;

/// Makes the value that a condition's closure gets.
pub type EventMaker = Rc<dyn Fn(&Candidate<'_>) -> Dynamic>;
/// Makes the value that an action's closure gets.
pub type HitMaker = Rc<dyn Fn(&Hit, &Candidate<'_>) -> Dynamic>;

/// An engine in which closures run, with what errors need.
#[derive(Clone)]
pub struct Evaluator {
    engine: Rc<Engine>,
    host: Host,
    profile: Profile,
}

impl Evaluator {
    /// An engine for conditions; `register` adds the values that they read.
    pub fn for_conditions(host: &Host, register: impl FnOnce(&mut Engine)) -> Evaluator {
        Evaluator::new(host, Profile::Condition, register)
    }
    /// An engine for actions, which may print and do all that `register` offers.
    pub fn for_actions(host: &Host, register: impl FnOnce(&mut Engine)) -> Evaluator {
        Evaluator::new(host, Profile::Shell, register)
    }

    fn new(host: &Host, profile: Profile, register: impl FnOnce(&mut Engine)) -> Evaluator {
        let mut engine = engine::build(profile, host);
        register(&mut engine);
        Evaluator { engine: Rc::new(engine), host: host.clone(), profile }
    }

    /// Calls `closure` with one value.
    pub fn call(&self, closure: &Closure, value: Dynamic) -> Outcome<Dynamic> {
        let result = self.bounded(|| closure.call(&self.engine, [value]))?;
        match self.host.control.pending() {
            Some(Stop::Interrupted) => Err(Failure::interrupted()),
            // `exit` and the memory limit end the script that set the breakpoint, too: it takes the request.
            Some(_) => Err(Failure::new(FailureKind::Script, "the script was ended")),
            None => result.map_err(|error| self.explain(closure, &error)),
        }
    }

    /// Conditions are to be quick; actions may take their time.
    fn bounded<T>(&self, work: impl FnOnce() -> T) -> Outcome<T> {
        match self.profile {
            Profile::Condition => self.host.control.within(TimeLimit::CONDITION, work),
            _ => Ok(work()),
        }
    }

    fn explain(&self, closure: &Closure, error: &EvalAltResult) -> Failure {
        Explainer { host: &self.host, profile: self.profile, source: closure.source(), names: self }.explain(error)
    }

    /// The line in which a closure was written, for lists.
    fn text_of(&self, closure: &Closure) -> String {
        let line = closure.line().and_then(|line| self.host.sources.line(closure.source(), line));
        match line {
            Some(line) => line.trim().to_string(),
            None => "closure".to_string(),
        }
    }
}

impl KnowsNames for Evaluator {
    fn names(&self) -> Names {
        Names::of_engine(&self.engine)
    }
}

/// A closure `|e| ..` as a condition.
pub struct ScriptPredicate {
    evaluator: Evaluator,
    closure: Closure,
    event: EventMaker,
    native: Native,
    text: String,
}

impl ScriptPredicate {
    /// Compiles what is a plain comparison and tries the rest on a sample event of each kind. Errors: unknown
    /// functions, variables, properties, kinds; a limit that is reached; other errors depend on the event and
    /// are reported when they happen.
    pub fn new(evaluator: &Evaluator, closure: Closure, event: EventMaker) -> Outcome<ScriptPredicate> {
        let native = native::read(&closure)?;
        let text = evaluator.text_of(&closure);
        let predicate = ScriptPredicate { evaluator: evaluator.clone(), closure, event, native, text };
        predicate.try_samples()?;
        Ok(predicate)
    }

    fn try_samples(&self) -> Outcome<()> {
        let recording = Recording::default();
        for kind in Kind::ALL {
            for has_all in [true, false] {
                let candidate = Candidate::stored(sample(*kind, has_all), &recording, 0);
                let value = (self.event)(&candidate);
                let tried = self.evaluator.bounded(|| self.closure.call(&self.evaluator.engine, [value]))?;
                match tried {
                    Err(error) if is_about_names(&error, &self.evaluator) || is_endless(&error) => {
                        return Err(self.evaluator.explain(&self.closure, &error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// An event as none is recorded, to try a condition on.
fn sample(kind: Kind, has_all: bool) -> Event {
    let actor = Actor::from(Pid::local(1));
    Event {
        seq: Seq(0),
        at_ns: 0,
        kind,
        class: if has_all { Class::Call } else { Class::None },
        process: actor,
        peer: has_all.then_some(actor),
        tag: if has_all { Atom::try_new("sample").ok() } else { None },
        call: None,
        cause: None,
        size_bytes: 0,
    }
}

/// Whether an error says that a limit on what a condition may do was reached: an event would not change that.
fn is_endless(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => is_endless(inner),
        EvalAltResult::ErrorTooManyOperations(_) | EvalAltResult::ErrorStackOverflow(_) => true,
        EvalAltResult::ErrorDataTooLarge(..) => true,
        _ => false,
    }
}

/// Whether an error says that something does not exist at all, whatever the event.
fn is_about_names(error: &EvalAltResult, evaluator: &Evaluator) -> bool {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => is_about_names(inner, evaluator),
        EvalAltResult::ErrorVariableNotFound(..) | EvalAltResult::ErrorModuleNotFound(..) => true,
        // A value that a sample lacks is (): it has no properties.
        EvalAltResult::ErrorDotExpr(text, _) => !text.contains("'()'"),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let name = signature.split(" (").next().unwrap_or(signature);
            rhai::is_valid_identifier(name) && evaluator.names().overloads(name).next().is_none()
        }
        _ => false,
    }
}

impl Predicate for ScriptPredicate {
    fn kinds(&self) -> Vec<Kind> {
        self.native.filter.kinds.clone()
    }

    fn test(&self, candidate: &Candidate<'_>) -> Outcome<bool> {
        if !self.native.filter.matches(&candidate.event) {
            return Ok(false);
        }
        if self.native.is_whole {
            return Ok(true);
        }
        let value = self.evaluator.call(&self.closure, (self.event)(candidate))?;
        value.as_bool().map_err(|kind| {
            let (kind, seq) = (plain_type(kind), candidate.event.seq.0);
            let text = format!("a condition is true or false, this one gave {kind} for event #{seq}");
            Failure::new(FailureKind::Script, text).hint("compare: |e| e.kind == \"send\"")
        })
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}

/// A closure `|hit| ..` as an action. What it gives decides: `true` or `"pause"` pauses, anything else goes on.
pub struct ScriptAction {
    evaluator: Evaluator,
    closure: Closure,
    hit: HitMaker,
    text: String,
}

impl ScriptAction {
    pub fn new(evaluator: &Evaluator, closure: Closure, hit: HitMaker) -> ScriptAction {
        let text = evaluator.text_of(&closure);
        ScriptAction { evaluator: evaluator.clone(), closure, hit, text }
    }
}

impl HitScript for ScriptAction {
    fn run(&self, hit: &Hit, candidate: &Candidate<'_>) -> Outcome<Flow> {
        let said = self.evaluator.call(&self.closure, (self.hit)(hit, candidate))?;
        let pauses =
            said.as_bool().unwrap_or(false) || said.as_immutable_string_ref().is_ok_and(|text| *text == "pause");
        Ok(if pauses { Flow::Pause } else { Flow::Continue })
    }

    fn describe(&self) -> String {
        self.text.clone()
    }
}
