//! What breakpoints are made of, as script functions: `on_message("get")`, `gt(100)`, `action::pause()`.
//! It must not know how they are evaluated.

use rhai::Shared;
use rhai::plugin::*;

use crate::breakpoint::{Action, Condition, Selector, Test};
use crate::model::diff::Path;
use crate::model::{ActorId, Atom, Failure, Syntax, Term};
use crate::script::convert::to_term;
use crate::script::error::raise;
use crate::script::event::ProcessHandle;

type Raised<T> = Result<T, Box<EvalAltResult>>;

fn usage(text: impl Into<String>) -> Box<EvalAltResult> {
    raise(Failure::usage(text))
}

/// A process, or any: a name, a pid, a handle, `any`.
fn selector(value: &Dynamic) -> Raised<Selector> {
    if let Some(process) = value.read_lock::<ProcessHandle>() {
        return Ok(Selector::Actor(process.actor));
    }
    if let Some(Term::Pid(pid)) = value.read_lock::<Term>().as_deref() {
        return Ok(Selector::Actor((*pid).into()));
    }
    if let Some(selector) = value.read_lock::<Selector>() {
        return Ok(*selector);
    }
    let Ok(text) = value.as_immutable_string_ref() else {
        return Err(usage("which process? give a name, a pid, a process or \"any\""));
    };
    if text.starts_with('<') {
        let pid = Term::parse(&text, Syntax::Erlang).ok().and_then(|term| term.as_pid());
        return pid
            .map(|pid| Selector::Id(ActorId::Pid(pid)))
            .ok_or_else(|| usage(format!("{} is not a pid", text.as_str())));
    }
    match text.as_str() {
        "any" => Ok(Selector::Any),
        name => Ok(Selector::Name(atom(name)?)),
    }
}

fn atom(text: &str) -> Raised<Atom> {
    Atom::try_new(text).map_err(|error| usage(error.to_string()))
}

fn test(value: &Dynamic, make: impl Fn(Term) -> Test) -> Raised<Test> {
    to_term(value).map(make).map_err(|error| usage(error.to_string()))
}

#[export_module]
mod functions {
    /// A message with this tag arrives, at anyone.
    #[rhai_fn(name = "on_message", return_raw)]
    pub fn on_message(tag: &str) -> Raised<Condition> {
        Ok(Condition::on_message(Some(atom(tag)?)))
    }
    /// A message with this tag arrives at a process.
    #[rhai_fn(name = "on_message", return_raw)]
    pub fn on_message_at(tag: &str, process: Dynamic) -> Raised<Condition> {
        Ok(on_message(tag)?.of(selector(&process)?))
    }
    /// A field of a process's state changes.
    #[rhai_fn(name = "on_state", return_raw)]
    pub fn on_state_change(process: Dynamic, path: &str) -> Raised<Condition> {
        on_state(process, path, Test::Changed)
    }
    /// A field of a process's state changes to a value that passes the test: `on_state("counter", "count", gt(100))`.
    /// A field is a path: `"orders[3].qty"`; an element of a tuple or record is `"[2]"`, from 0, where 0 is a record's tag.
    #[rhai_fn(name = "on_state", return_raw)]
    pub fn on_state(process: Dynamic, path: &str, test: Test) -> Raised<Condition> {
        let path = Path::parse(path).map_err(|error| usage(error.to_string()))?;
        Ok(Condition::on_state(selector(&process)?, path, test))
    }
    /// Something happens to a process: `spawn`, `exit`, `crash`, `supervisor_restart` ..
    #[rhai_fn(name = "on_process", return_raw)]
    pub fn on_process(process: Dynamic, event: &str) -> Raised<Condition> {
        Condition::on_process(selector(&process)?, event).map_err(raise)
    }
    /// A message ends so: `timeout`, `exit`, `noproc`, `late`.
    #[rhai_fn(name = "on_result", return_raw)]
    pub fn on_result(result: &str) -> Raised<Condition> {
        Condition::on_result(result).map_err(raise)
    }
    /// A message of this process ends so.
    #[rhai_fn(name = "on_result", return_raw)]
    pub fn on_result_of(result: &str, process: Dynamic) -> Raised<Condition> {
        Ok(on_result(result)?.of(selector(&process)?))
    }
    /// Narrows a condition to one process: `on_result("timeout").of("client")`.
    #[rhai_fn(name = "of", return_raw)]
    pub fn of(condition: Condition, process: Dynamic) -> Raised<Condition> {
        Ok(condition.of(selector(&process)?))
    }
    /// Every process of a module, for `on_state` and the like.
    #[rhai_fn(return_raw)]
    pub fn of_module(name: &str) -> Raised<Selector> {
        atom(name).map(Selector::Module)
    }
    /// Greater than.
    #[rhai_fn(return_raw)]
    pub fn gt(value: Dynamic) -> Raised<Test> {
        test(&value, Test::Greater)
    }
    /// At least.
    #[rhai_fn(return_raw)]
    pub fn ge(value: Dynamic) -> Raised<Test> {
        test(&value, Test::AtLeast)
    }
    /// Less than.
    #[rhai_fn(return_raw)]
    pub fn lt(value: Dynamic) -> Raised<Test> {
        test(&value, Test::Less)
    }
    /// At most.
    #[rhai_fn(return_raw)]
    pub fn le(value: Dynamic) -> Raised<Test> {
        test(&value, Test::AtMost)
    }
    /// Equal to.
    #[rhai_fn(return_raw)]
    pub fn eq(value: Dynamic) -> Raised<Test> {
        test(&value, Test::Equal)
    }
    /// Different from.
    #[rhai_fn(return_raw)]
    pub fn ne(value: Dynamic) -> Raised<Test> {
        test(&value, Test::NotEqual)
    }
    /// Any change.
    pub fn changed() -> Test {
        Test::Changed
    }
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn condition_text(condition: &mut Condition) -> String {
        condition.to_string()
    }
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn action_text(action: &mut Action) -> String {
        action.to_string()
    }
}

#[export_module]
mod actions {
    /// Stops before the event takes effect.
    pub fn pause() -> Action {
        Action::Pause
    }
    /// Stops and shows the process: `state`, `mailbox`, `process`.
    pub fn inspect(what: &str) -> Action {
        Action::Inspect(what.into())
    }
    /// Stops and shows a picture or tree with the processes of the event marked: `supervision_tree`.
    pub fn highlight(what: &str) -> Action {
        Action::Highlight(what.into())
    }
    /// Writes a line and goes on.
    pub fn log(text: &str) -> Action {
        Action::Log(text.into())
    }
}

/// Registers conditions, tests and the namespace `action`.
pub fn register(engine: &mut rhai::Engine) {
    engine
        .register_type_with_name::<Condition>("condition")
        .register_type_with_name::<Action>("action")
        .register_type_with_name::<Test>("test")
        .register_type_with_name::<Selector>("selector");
    engine.register_global_module(exported_module!(functions).into());
    engine.register_static_module("action", Shared::new(exported_module!(actions)));
}
