//! Erlang's exceptions in scripts and scripts' errors as Erlang's. A script catches what a host function raised as a
//! value with `class` and `reason`; what it does not catch becomes the reason of the process's end, with stack frames
//! of the script's functions and lines. It must not know the kernel's machinery.

use rhai::{AST, Dynamic, Engine, EvalAltResult, Position};

use super::super::convert::{to_dynamic, to_term};
use super::super::error::raise;
use crate::model::display::Style;
use crate::model::{Atom, Failure, FailureKind, Term};
use crate::sandbox::sim::{Frame, Raise};

/// An exception as a script's value: what `catch (e)` gets.
#[derive(Clone, Debug)]
pub(super) struct Exception(pub Raise);

impl Exception {
    fn class(&self) -> &'static str {
        match self.0 {
            Raise::Error { .. } => "error",
            Raise::Exit(_) => "exit",
            Raise::Throw(_) => "throw",
        }
    }
    fn reason(&self) -> &Term {
        match &self.0 {
            Raise::Error { reason, .. } | Raise::Exit(reason) | Raise::Throw(reason) => reason,
        }
    }
    fn text(&self) -> String {
        format!("{}: {}", self.class(), self.reason().display(Style::erlang()))
    }
}

/// Registers the type with its properties.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Exception>("Exception")
        .register_get("class", |e: &mut Exception| e.class())
        .register_get("reason", |e: &mut Exception| to_dynamic(e.reason()))
        .register_fn("to_string", |e: &mut Exception| e.text())
        .register_fn("to_debug", |e: &mut Exception| e.text());
}

/// The script error that carries an exception; a script can catch it.
pub(super) fn carry(exception: Raise) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(Exception(exception)), Position::NONE))
}

/// Whether an error was raised as an exception, by a host function or with `error(reason)`.
pub(super) fn is_exception(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
            is_exception(inner)
        }
        EvalAltResult::ErrorRuntime(value, _) => value.is::<Exception>(),
        _ => false,
    }
}

/// Where a callback of `module` failed: what its stack frames are made from.
pub(super) struct Site<'a> {
    pub module: Atom,
    /// The callback's name, outermost of the frames.
    pub function: &'a str,
    pub file: &'a str,
    pub ast: &'a AST,
}

/// The exception for an error that left a callback. `reason` of Rhai's own errors is named as Erlang names its like.
pub(super) fn from_error(error: &EvalAltResult, site: &Site) -> Raise {
    let mut frames = Vec::new();
    let mut function = site.function;
    let mut innermost = error;
    loop {
        let position = innermost.position();
        frames.extend(frame(site, function, position));
        match innermost {
            EvalAltResult::ErrorInFunctionCall(name, _, inner, _) => {
                function = name;
                innermost = inner;
            }
            EvalAltResult::ErrorInModule(_, inner, _) => innermost = inner,
            _ => break,
        }
    }
    frames.reverse();
    match innermost {
        EvalAltResult::ErrorRuntime(value, _) => match value.read_lock::<Exception>() {
            Some(exception) => with_frames(exception.0.clone(), frames),
            None => Raise::Error { reason: thrown(value), stack: frames },
        },
        other => Raise::Error { reason: reason(other), stack: frames },
    }
}

fn with_frames(exception: Raise, frames: Vec<Frame>) -> Raise {
    match exception {
        Raise::Error { reason, stack } if stack.is_empty() => Raise::Error { reason, stack: frames },
        other => other,
    }
}

/// A frame for a function of the module; native functions in between have none.
fn frame(site: &Site, function: &str, position: Position) -> Option<Frame> {
    let (name, arity) = match function.starts_with("anon$") {
        // Rhai's own names of closures differ from run to run.
        true => (format!("-{}/fun-", site.function), 0),
        false => (function.to_string(), site.ast.iter_functions().find(|f| f.name == function)?.params.len()),
    };
    let location = position.line().map(|line| (site.file.to_string(), line as u32));
    Some(Frame { module: site.module, function: Atom::try_new(&name).ok()?, arity: arity as u8, location })
}

/// The reason for `throw value` in a script: `erlang:error(value)`.
fn thrown(value: &Dynamic) -> Term {
    match value.read_lock::<Failure>() {
        Some(failure) => text(&failure.error),
        None => to_term(value).unwrap_or_else(|error| text(&error.to_string())),
    }
}

fn reason(error: &EvalAltResult) -> Term {
    use EvalAltResult as E;
    let pair = |tag: &str, value: Term| Term::tuple([Term::atom(tag), value]);
    match error {
        E::ErrorArithmetic(..) => Term::atom("badarith"),
        E::ErrorFunctionNotFound(signature, _) => {
            pair("undef", text(signature.split(" (").next().unwrap_or(signature)))
        }
        E::ErrorPropertyNotFound(key, _) => pair("badkey", to_term(&key.into()).unwrap_or_else(|_| text(key))),
        E::ErrorIndexNotFound(key, _) => pair("badkey", to_term(key).unwrap_or_else(|_| text(&key.to_string()))),
        E::ErrorVariableNotFound(name, _) => pair("unbound", text(name)),
        E::ErrorMismatchDataType(..) | E::ErrorMismatchOutputType(..) | E::ErrorArrayBounds(..) => Term::atom("badarg"),
        E::ErrorTooManyOperations(_)
        | E::ErrorStackOverflow(_)
        | E::ErrorDataTooLarge(..)
        | E::ErrorTooManyVariables(_)
        | E::ErrorTooManyModules(_) => Term::atom("system_limit"),
        other => pair("script_error", text(&other.to_string())),
    }
}

fn text(text: &str) -> Term {
    Term::binary(text.as_bytes())
}

/// A wrong argument of a host function, said in words; it ends the process like any other error unless caught.
pub(super) fn bad_argument(text: impl Into<String>) -> Box<EvalAltResult> {
    raise(Failure::new(FailureKind::Script, text))
}
