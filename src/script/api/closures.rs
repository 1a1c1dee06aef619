//! A script's closures as conditions and actions of breakpoints: what they get to see.
//! It must not know when they are called.

use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::values::TakesClosures;
use crate::breakpoint::{Action, Candidate, Condition, Hit};
use crate::model::Outcome;
use crate::script::closure::Closure;
use crate::script::engine::Host;
use crate::script::event::{self, Context, EventHandle};
use crate::script::predicate::{Evaluator, ScriptAction, ScriptPredicate};
use crate::session::value;
use crate::store::Recording;

/// The engines in which conditions and actions run.
pub struct Closures {
    conditions: Evaluator,
    actions: Evaluator,
}

impl Closures {
    pub fn new(host: &Host) -> Closures {
        let register: fn(&mut Engine) = event::register;
        Closures {
            conditions: Evaluator::for_conditions(host, register),
            actions: Evaluator::for_actions(host, register),
        }
    }

    /// For the arguments of one call: closures keep the scripts that they were written in.
    pub fn within<'c>(&'c self, call: &'c NativeCallContext<'c>, handles: Option<&Rc<Context>>) -> Capture<'c> {
        let handles = handles.cloned().unwrap_or_else(|| Context::new(Rc::new(Recording::default().into())));
        Capture { closures: self, call, handles }
    }
}

/// Takes the closures of one call.
pub struct Capture<'c> {
    closures: &'c Closures,
    call: &'c NativeCallContext<'c>,
    handles: Rc<Context>,
}

impl TakesClosures for Capture<'_> {
    fn closure(&self, function: FnPtr) -> Rc<dyn value::Closure> {
        Rc::new(Captured {
            closure: Closure::capture(self.call, function),
            conditions: self.closures.conditions.clone(),
            actions: self.closures.actions.clone(),
            handles: self.handles.clone(),
        })
    }
}

struct Captured {
    closure: Closure,
    conditions: Evaluator,
    actions: Evaluator,
    handles: Rc<Context>,
}

impl value::Closure for Captured {
    fn condition(&self) -> Outcome<Condition> {
        let handles = self.handles.clone();
        let make = move |candidate: &Candidate<'_>| Dynamic::from(handle(&handles, candidate));
        let predicate = ScriptPredicate::new(&self.conditions, self.closure.clone(), Rc::new(make))?;
        Ok(Condition::script(Rc::new(predicate)))
    }

    fn action(&self) -> Outcome<Action> {
        let handles = self.handles.clone();
        let make = move |hit: &Hit, candidate: &Candidate<'_>| {
            let fields = Map::from([
                ("event".into(), Dynamic::from(handle(&handles, candidate))),
                ("breakpoint".into(), Dynamic::from_int(hit.breakpoint.0.into())),
                ("name".into(), hit.name.clone().into()),
                ("n".into(), Dynamic::from_int(hit.n_hits as i64)),
            ]);
            Dynamic::from(fields)
        };
        Ok(Action::Script(Rc::new(ScriptAction::new(&self.actions, self.closure.clone(), Rc::new(make)))))
    }
}

/// The event as the closure sees it; one that has not happened yet brings its payload along.
fn handle(handles: &Rc<Context>, candidate: &Candidate<'_>) -> EventHandle {
    if candidate.is_coming() {
        let payload = candidate.payload().unwrap_or_default();
        EventHandle::pending(handles, candidate.event, &payload)
    } else {
        EventHandle::recorded(handles, candidate.event)
    }
}
