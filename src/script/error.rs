//! What went wrong in a script, as a [`Failure`]: the message, the line with a caret, and hints for the traps that
//! Rhai sets. It must not know sessions; a session's own failures travel through scripts unharmed by [`raise`].

use rhai::{Array, Dynamic, Engine, EvalAltResult, ParseError, ParseErrorType, Position};

use super::convert::Unconvertible;
use super::engine::Host;
use super::excerpt::Place;
use super::names::{Names, plain_type};
use super::profile::Profile;
use crate::model::{Failure, FailureKind, limits, nearest};

/// A failure as an error of the script that caused it: scripts can catch it, and it comes out as it went in.
pub fn raise(failure: Failure) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(failure), Position::NONE))
}

/// Registers what `catch (e)` gets when a function of ours failed.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<Failure>("Failure")
        .register_get("error", |failure: &mut Failure| failure.error.clone())
        .register_get("hints", |failure: &mut Failure| {
            failure.hints.iter().cloned().map(Dynamic::from).collect::<Array>()
        })
        .register_fn("to_string", |failure: &mut Failure| failure.error.clone())
        .register_fn("to_debug", |failure: &mut Failure| failure.error.clone());
}

impl From<Unconvertible> for Box<EvalAltResult> {
    fn from(error: Unconvertible) -> Box<EvalAltResult> {
        raise(Failure::new(FailureKind::Script, error.to_string()))
    }
}

/// Collects names only when an error asks for them: it takes milliseconds.
pub(super) trait KnowsNames {
    fn names(&self) -> Names;
}

/// What an explanation may look at.
pub(super) struct Explainer<'a> {
    pub host: &'a Host,
    pub profile: Profile,
    /// The script that was run.
    pub source: &'a str,
    pub names: &'a dyn KnowsNames,
}

/// Function calls shown under an error.
const SHOWN_FRAMES: usize = 6;

impl Explainer<'_> {
    /// The failure for an error of evaluation.
    pub(super) fn explain(&self, error: &EvalAltResult) -> Failure {
        let mut source = self.source.to_string();
        let mut calls = Vec::new();
        let mut innermost = error;
        loop {
            match innermost {
                EvalAltResult::ErrorInFunctionCall(name, called_in, inner, position) => {
                    calls.push((name.clone(), Place::new(&source, *position)));
                    if !called_in.is_empty() {
                        source.clone_from(called_in);
                    }
                    innermost = inner;
                }
                EvalAltResult::ErrorInModule(name, inner, _) => {
                    source.clone_from(name);
                    innermost = inner;
                }
                _ => break,
            }
        }
        let place = Place::new(&source, innermost.position());
        let mut failure = self.describe(innermost, place.as_ref());
        if let Some(place) = place {
            failure.error.push_str(&place.show(&self.host.sources));
        }
        for (name, place) in calls.iter().rev().take(SHOWN_FRAMES) {
            let what = if name.starts_with("anon$") { "a closure".to_string() } else { format!("{name}()") };
            let at = place.as_ref().and_then(Place::label).map(|label| format!(", called at {label}"));
            failure.error.push_str(&format!("\n  in {what}{}", at.unwrap_or_default()));
        }
        failure
    }

    /// The failure for a text that does not parse.
    pub(super) fn explain_parse(&self, error: &ParseError) -> Failure {
        self.explain(&EvalAltResult::ErrorParsing((*error.0).clone(), error.1))
    }

    fn describe(&self, error: &EvalAltResult, place: Option<&Place>) -> Failure {
        use EvalAltResult as E;
        let script = |text: String| Failure::new(FailureKind::Script, text);
        match error {
            E::ErrorParsing(kind, _) => self.parsing(kind, place),
            E::ErrorVariableNotFound(name, _) => {
                let hints =
                    self.did_you_mean(name, place, |names| names.variables.iter().map(String::as_str).collect());
                with_hints(script(format!("unknown variable `{name}`")), hints)
            }
            E::ErrorPropertyNotFound(name, _) => {
                let hints = self.did_you_mean(name, place, |names| names.keys.iter().map(String::as_str).collect());
                with_hints(script(format!("the map has no key `{name}`")), hints)
                    .hint(format!("a key that may be missing: `if \"{name}\" in map {{ .. }}`"))
            }
            E::ErrorDotExpr(text, _) => self.property(text),
            E::ErrorFunctionNotFound(signature, _) => self.function(signature),
            E::ErrorTooManyOperations(_) => {
                match self.host.limits.operations_bound().filter(|_| self.profile == Profile::Shell) {
                    Some(n_max) => {
                        let text = limits::tripped("SERVER_SCRIPT_OPERATIONS_MAX", n_max, "does it loop for ever?");
                        Failure::new(FailureKind::Limit, text)
                            .hint("do less in it; the prompt and `cinema run` have a limit of their own")
                    }
                    None => self.limit(self.profile.operations_limit(), "does it loop for ever?"),
                }
            }
            E::ErrorStackOverflow(_) => self.limit("call_depth", "functions call each other without end?"),
            E::ErrorDataTooLarge(what, _) if what.contains("string") => {
                self.limit("string_bytes", "a string grew too long")
            }
            E::ErrorDataTooLarge(what, _) if what.contains("map") => self.limit("map", "a map grew too large"),
            E::ErrorDataTooLarge(..) => self.limit("array", "an array grew too large"),
            E::ErrorTooManyVariables(_) => {
                let max = limits::SCRIPT_VARIABLES_MAX;
                Failure::new(
                    FailureKind::Limit,
                    limits::tripped("SCRIPT_VARIABLES_MAX", max, "keep values in an array or a map"),
                )
            }
            E::ErrorTooManyModules(_) => {
                let max = limits::SCRIPT_MODULES_MAX;
                Failure::new(FailureKind::Limit, limits::tripped("SCRIPT_MODULES_MAX", max, "import fewer modules"))
            }
            E::ErrorTerminated(..) => Failure::interrupted(),
            E::ErrorRuntime(value, _) => thrown(value),
            E::ErrorMismatchDataType(wanted, got, _) | E::ErrorMismatchOutputType(wanted, got, _) => {
                script(format!("expected {}, got {}", plain_type(wanted), plain_type(got)))
            }
            E::ErrorUnboundThis(_) => script("`this` is not bound: only callbacks and methods have it".to_string()),
            E::ErrorFor(_) => {
                script("`for` needs an array, a range, a map's keys() or another value with items".to_string())
            }
            other => {
                let mut bare = other.to_string();
                if let Some(at) = bare.rfind(" (line ") {
                    bare.truncate(at);
                }
                script(lower_first(&bare))
            }
        }
    }

    fn parsing(&self, kind: &ParseErrorType, place: Option<&Place>) -> Failure {
        let failure = |text: &str| Failure::new(FailureKind::Script, text);
        match kind {
            ParseErrorType::UnexpectedEOF => failure("the script ends in the middle of something"),
            ParseErrorType::Reserved(word) => {
                let failure = failure(&format!("`{word}` is a reserved word of Rhai"));
                match instead_of(word) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                }
            }
            ParseErrorType::VariableUndefined(name) => {
                let hints =
                    self.did_you_mean(name, place, |names| names.variables.iter().map(String::as_str).collect());
                with_hints(failure(&format!("unknown variable `{name}`")), hints)
            }
            ParseErrorType::ExprTooDeep => {
                let max = limits::SCRIPT_EXPR_DEPTH_MAX;
                let raise = "split the expression with `let`";
                Failure::new(FailureKind::Limit, limits::tripped("SCRIPT_EXPR_DEPTH_MAX", max, raise))
            }
            other => failure(&lower_first(&other.to_string())),
        }
    }

    /// Hints from the names that the engine, the scope and the script's own text know.
    fn did_you_mean(&self, name: &str, place: Option<&Place>, pick: impl Fn(&Names) -> Vec<&str>) -> Vec<String> {
        let names = self.names.names();
        let text = place.and_then(|place| self.host.sources.text(&place.source)).unwrap_or_default();
        let known = pick(&names).into_iter().chain(identifiers(&text));
        let mut hints: Vec<String> =
            nearest(name, known).iter().map(|near| format!("did you mean `{near}`?")).collect();
        hints.truncate(1);
        if hints.is_empty() && names.overloads(name).next().is_some() {
            hints.push(format!("`{name}` is a function: {name}()"));
        }
        hints
    }

    /// Rhai reports which limit was tripped, but not its value.
    fn limit(&self, setting: &str, what: &str) -> Failure {
        let value = self.host.limits.get(setting);
        let raise = format!("set_limit(\"{setting}\", {})", value.saturating_mul(10));
        Failure::new(FailureKind::Limit, limits::tripped(setting, value, what)).hint(format!("to raise it: {raise}"))
    }

    /// `Unknown property 'knd' - a getter is not registered for type 'Event'`.
    fn property(&self, text: &str) -> Failure {
        let quoted: Vec<&str> = text.split('\'').collect();
        let [_, name, _, of, ..] = quoted[..] else {
            return Failure::new(FailureKind::Script, lower_first(text));
        };
        let of = plain_type(of);
        let failure = Failure::new(FailureKind::Script, format!("a value of type {of} has no property `{name}`"));
        let names = self.names.names();
        let prefix = format!("{of}.");
        let of_type = names.properties.iter().filter(|p| p.signature.starts_with(&prefix));
        let near = nearest(name, of_type.map(|p| p.name.as_str()));
        with_hints(failure, near.iter().take(1).map(|near| format!("did you mean `{near}`?")).collect())
    }

    /// `seek (i64, &str | ImmutableString | String)`.
    fn function(&self, signature: &str) -> Failure {
        let (name, args) = signature.split_once(" (").unwrap_or((signature, ")"));
        let args: Vec<String> =
            args.trim_end_matches(')').split(", ").filter(|a| !a.is_empty()).map(plain_type).collect();
        let names = self.names.names();
        let overloads: Vec<String> = names.overloads(name).map(|f| f.signature.clone()).collect();
        let call = format!("{name}({})", args.join(", "));
        if overloads.is_empty() {
            let failure = Failure::new(FailureKind::Script, format!("unknown function `{call}`"));
            let near = |is_standard| {
                let known = names.functions.iter().filter(|f| f.is_standard == is_standard);
                nearest(name, known.map(|f| f.name.as_str())).into_iter().next()
            };
            let overload = near(false).or_else(|| near(true)).and_then(|near| names.overloads(near).next());
            return with_hints(
                failure,
                overload.map(|f| format!("did you mean {}?", f.signature)).into_iter().collect(),
            );
        }
        let failure = Failure::new(FailureKind::Script, format!("`{name}` does not take these arguments: {call}"));
        with_hints(failure, overloads)
    }
}

fn with_hints(mut failure: Failure, hints: Vec<String>) -> Failure {
    failure.hints.extend(hints);
    failure
}

/// What a script threw: a failure of ours, a text, or any value.
fn thrown(value: &Dynamic) -> Failure {
    if let Some(failure) = value.read_lock::<Failure>() {
        return failure.clone();
    }
    let text = match value.as_immutable_string_ref() {
        Ok(text) if text.is_empty() => "the script threw an error".to_string(),
        Ok(text) => text.to_string(),
        Err(_) if value.is_unit() => "the script threw an error".to_string(),
        Err(_) => format!("the script threw {value:?}"),
    };
    Failure::new(FailureKind::Script, text)
}

/// What to write in place of a reserved word that users reach for.
fn instead_of(word: &str) -> Option<&'static str> {
    Some(match word {
        "#" => "an event by its number is seq(1234) or \"#1234\"; a map is #{key: value}",
        "goto" => "to go to a moment: seek(moment)",
        "spawn" => "to start a process: start(module, args) or start_link(module, args)",
        "export" => "to write a file: export_to(format, path)",
        "call" => "to call a server: gen_call(dest, request); a closure f is called as f.call(args)",
        "match" | "case" => "Rhai has switch value { pattern => result, _ => otherwise }",
        "nil" | "null" | "void" => "nothing is () in Rhai; it is the atom nil of Erlang",
        "var" | "static" => "variables are declared with let, constants with const",
        "new" => "values are made by functions; a map is #{key: value}",
        "default" => "the default case of a switch is _",
        "is" => "compare with ==, types with type_of(x) == \"array\"",
        "module" | "package" | "use" => "modules are files: import \"lib/name\" as name",
        _ => return None,
    })
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // `FROM` and the like stay as they are.
        Some(first) if !chars.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_string(),
    }
}
