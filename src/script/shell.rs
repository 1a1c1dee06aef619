//! A script session: lines typed one after another, and whole scripts. Functions, variables and imports persist over
//! lines. It must not know terminals, nor what the registered functions do.

use std::cell::OnceCell;
use std::path::Path;

use rhai::{AST, Array, Dynamic, Engine, Scope, Stmt};

use super::control::{Stop, TimeLimit};
use super::engine::{self, Host};
use super::error::{Explainer, KnowsNames};
use super::excerpt::{SHELL_SOURCE, argument_source};
use super::files;
use super::names::Names;
use super::profile::Profile;
use crate::model::{Failure, FailureKind, Outcome, limits};

/// Why a script gave no value.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptEnd {
    Failed(Failure),
    /// `exit(code)`.
    Exited(i64),
}

/// Results that `out[n]` still holds; older ones become `()`.
const RESULTS_KEPT: usize = 1_000;
/// Lines after which the shell's text begins anew: Rhai's positions end at 65 535.
const SHELL_LINES_MAX: usize = 60_000;
/// Variables at which shadowed ones are swept out.
const SCOPE_SWEEP: usize = 256;

/// An engine with what persists between lines.
pub struct Shell {
    engine: Engine,
    profile: Profile,
    host: Host,
    scope: Scope<'static>,
    /// Functions and imports of earlier lines.
    base: AST,
    /// All lines so far: functions of earlier lines keep their positions in it.
    text: String,
    n_lines: usize,
    /// Expressions evaluated by [`Shell::hand_over`].
    n_arguments: u64,
    engine_names: OnceCell<Names>,
}

impl Shell {
    /// A shell whose engine `register` completes with what scripts may call.
    pub fn new(host: Host, register: impl FnOnce(&mut Engine)) -> Shell {
        let files = files::module(&host);
        Shell::with(Profile::Shell, host, |engine| {
            engine.register_global_module(files.into());
            register(engine);
        })
    }

    /// A shell for arguments alone: it reads no file, waits for nothing and raises no limit.
    pub fn for_arguments(host: Host, register: impl FnOnce(&mut Engine)) -> Shell {
        Shell::with(Profile::Condition, host, register)
    }

    fn with(profile: Profile, host: Host, register: impl FnOnce(&mut Engine)) -> Shell {
        let mut engine = engine::build(profile, &host);
        register(&mut engine);
        let mut scope = Scope::new();
        scope.push("it", Dynamic::UNIT);
        scope.push("out", Array::new());
        let mut base = AST::empty();
        base.set_source(SHELL_SOURCE);
        Shell {
            engine,
            profile,
            host,
            scope,
            base,
            text: String::new(),
            n_lines: 0,
            n_arguments: 0,
            engine_names: OnceCell::new(),
        }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Evaluates what was typed. A value other than `()` becomes `it` and the next `out[n]`; a line that ends with `;`
    /// wants none.
    pub fn eval_line(&mut self, line: &str) -> Result<Dynamic, ScriptEnd> {
        self.eval_within(line, u64::MAX)
    }

    /// As [`Shell::eval_line`] for lines that come over a socket: with at most `n_operations_max` steps, and in
    /// [`TimeLimit::SERVER`].
    pub fn eval_foreign(&mut self, line: &str, n_operations_max: u64) -> Result<Dynamic, ScriptEnd> {
        let control = self.host.control.clone();
        control
            .within(TimeLimit::SERVER, || self.eval_within(line, n_operations_max))
            .unwrap_or_else(|late| Err(ScriptEnd::Failed(late)))
    }

    fn eval_within(&mut self, line: &str, n_operations_max: u64) -> Result<Dynamic, ScriptEnd> {
        self.host.limits.apply(&mut self.engine, self.profile);
        self.host.limits.bound_operations(&mut self.engine, n_operations_max);
        let padded = self.add_text(line);
        let mut ast = match self.engine.compile_with_scope(&self.scope, &padded) {
            Ok(ast) => ast,
            Err(error) => return Err(ScriptEnd::Failed(self.explainer(SHELL_SOURCE).explain_parse(&error))),
        };
        ast.set_source(SHELL_SOURCE);
        let whole = self.base.merge(&ast);
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut self.scope, &whole);
        self.keep_functions(&ast);
        let value = self.finish(SHELL_SOURCE, result)?;
        self.keep_imports(&ast);
        if line.trim_end().ends_with(';') {
            return Ok(Dynamic::UNIT);
        }
        self.remember(&value);
        Ok(value)
    }

    /// Evaluates a text apart from the shell's variables, as the argument of the native function `taker`; errors call
    /// it by `name`.
    pub fn hand_over(&mut self, taker: &str, name: &str, text: &str, n_operations_max: u64) -> Outcome<()> {
        self.host.limits.apply(&mut self.engine, self.profile);
        self.host.limits.bound_operations(&mut self.engine, n_operations_max);
        self.n_arguments += 1;
        let name = argument_source(name, self.n_arguments);
        self.host.sources.insert(&name, text);
        // On lines of its own: columns in errors are those of the text. It has to be a script by itself, too, so that
        // it ends where it seems to.
        let alone = self.engine.compile(format!("\n{text}"));
        let mut ast = match alone.and_then(|_| self.engine.compile(format!("{taker}({{\n{text}\n}})"))) {
            Ok(ast) => ast,
            Err(error) => return Err(self.explainer(&name).explain_parse(&error)),
        };
        ast.set_source(name.as_str());
        let evaluate = || self.engine.eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast);
        let result = self.host.control.within(TimeLimit::SERVER, evaluate)?;
        match self.finish(&name, result) {
            Ok(_) => Ok(()),
            Err(ScriptEnd::Failed(failure)) => Err(failure),
            Err(ScriptEnd::Exited(_)) => Err(Failure::usage("exit() is no argument")),
        }
    }

    /// The index of the newest result in `out`, when there is one.
    pub fn last_index(&self) -> Option<usize> {
        let out = self.scope.get("out")?.as_array_ref().ok()?;
        out.len().checked_sub(1)
    }

    /// Runs a script file in a scope of its own; `args` are its `args`. `import` finds what lies beside it.
    pub fn run_file(&mut self, path: &Path, args: &[String]) -> Result<Dynamic, ScriptEnd> {
        let (name, text) = files::read(&self.host, path).map_err(ScriptEnd::Failed)?;
        self.run_text(&name, &text, args)
    }

    /// Runs a whole script that has no file (standard input): `name` is what errors call it.
    pub fn run_text(&mut self, name: &str, text: &str, args: &[String]) -> Result<Dynamic, ScriptEnd> {
        self.host.limits.apply(&mut self.engine, self.profile);
        self.host.sources.insert(name, text);
        let mut scope = Scope::new();
        scope.push("args", args.iter().cloned().map(Dynamic::from).collect::<Array>());
        let mut ast = match self.engine.compile_with_scope(&scope, text) {
            Ok(ast) => ast,
            Err(error) => return Err(ScriptEnd::Failed(self.explainer(name).explain_parse(&error))),
        };
        ast.set_source(name);
        let result = self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast);
        self.finish(name, result)
    }

    /// All that a line typed now could name.
    pub fn names(&self) -> Names {
        let mut names = self.engine_names.get_or_init(|| Names::of_engine(&self.engine)).clone();
        names.functions.extend(Names::of_script(&self.base));
        names.add_scope(&self.scope);
        names
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<Dynamic> {
        self.scope.get(name).map(Dynamic::flatten_clone)
    }
    /// Sets a variable of the shell.
    pub fn set_variable(&mut self, name: &str, value: Dynamic) {
        self.scope.set_or_push(name, value);
    }

    /// A failure for an error that `source` gave: for those who call functions of scripts by themselves.
    pub fn explain(&self, source: &str, error: &rhai::EvalAltResult) -> Failure {
        self.explainer(source).explain(error)
    }

    /// Adds a line to the shell's text; gives it with as many empty lines in front as came before.
    fn add_text(&mut self, line: &str) -> String {
        if self.n_lines > SHELL_LINES_MAX {
            self.text.clear();
            self.n_lines = 0;
        }
        let padded = "\n".repeat(self.n_lines) + line;
        self.text.push_str(line);
        self.text.push('\n');
        self.n_lines = self.text.lines().count().max(self.n_lines + 1);
        self.host.sources.insert(SHELL_SOURCE, &self.text);
        padded
    }

    /// Keeps the functions of a line for those that follow, closures that variables may hold among them.
    fn keep_functions(&mut self, line: &AST) {
        self.base.combine(line.clone_functions_only());
        self.base.set_source(SHELL_SOURCE);
    }

    /// Repeats the imports of a line, which went well, at every line that follows; the modules stay loaded.
    fn keep_imports(&mut self, line: &AST) {
        let imports: String = line.statements().iter().filter_map(import_text).collect();
        if !imports.is_empty()
            && let Ok(imports) = self.engine.compile(imports)
        {
            self.base.combine(imports);
            self.base.set_source(SHELL_SOURCE);
        }
    }

    /// Turns the end of an evaluation into a value or a [`ScriptEnd`]; a request to stop outranks both.
    fn finish(&self, source: &str, result: Result<Dynamic, Box<rhai::EvalAltResult>>) -> Result<Dynamic, ScriptEnd> {
        match self.host.control.take() {
            Some(Stop::Exit(code)) => return Err(ScriptEnd::Exited(code)),
            Some(Stop::Interrupted) => return Err(ScriptEnd::Failed(Failure::interrupted())),
            Some(Stop::OutOfTime(limit)) => return Err(ScriptEnd::Failed(limit.failure())),
            Some(Stop::OutOfMemory) => return Err(ScriptEnd::Failed(out_of_memory())),
            None => {}
        }
        match result {
            Ok(value) => Ok(value.flatten()),
            Err(error) => Err(ScriptEnd::Failed(self.explainer(source).explain(&error))),
        }
    }

    fn remember(&mut self, value: &Dynamic) {
        if value.is_unit() {
            return;
        }
        self.scope.set_or_push("it", value.clone());
        if let Some(mut out) = self.scope.get_mut("out").and_then(|out| out.write_lock::<Array>()) {
            out.push(value.clone());
            if let Some(old) = out.len().checked_sub(RESULTS_KEPT + 1) {
                out[old] = Dynamic::UNIT;
            }
        }
        if self.scope.len() > SCOPE_SWEEP {
            self.scope = self.scope.clone_visible();
        }
    }

    fn explainer<'a>(&'a self, source: &'a str) -> Explainer<'a> {
        Explainer { host: &self.host, profile: self.profile, source, names: self }
    }
}

fn out_of_memory() -> Failure {
    let max = limits::SCRIPT_MEMORY_BYTES_MAX;
    let text = limits::tripped("SCRIPT_MEMORY_BYTES_MAX", max, "the script keeps too much in memory");
    Failure::new(FailureKind::Limit, text).hint("ask for less at a time: filter, count or sum instead of collecting")
}

impl KnowsNames for Shell {
    fn names(&self) -> Names {
        Shell::names(self)
    }
}

/// An import statement as text again: `import "lib/x" as x;`.
fn import_text(statement: &Stmt) -> Option<String> {
    let Stmt::Import(import, _) = statement else { return None };
    let path = import.0.get_literal_value(None)?.into_immutable_string().ok()?;
    Some(format!("import {:?} as {};", path.as_str(), import.1.name))
}
