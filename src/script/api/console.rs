//! A session with its shell: what the REPL and batch runs drive. It must not know terminals.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, Module, NativeCallContext};

use super::closures::Closures;
use super::operations::{self, Api};
use super::query::Query;
use super::record::Record;
use super::rows::Rows;
use super::show::{Shown, shown, syntax_of};
use super::values::from_dynamic;
use super::{conditions, files, pictures, query, record, rows, timeline};
use crate::model::{Failure, Outcome, Syntax};
use crate::render::text::TextOptions;
use crate::sandbox::sim::Modules;
use crate::script::control::Control;
use crate::script::engine::Host;
use crate::script::error::raise;
use crate::script::process::RhaiModules;
use crate::script::{Shell, event};
use crate::session::value::Value;
use crate::session::{ModuleLoader, Notice, Session, SharedSession, ops};

/// How a console is set up.
pub struct ConsoleOptions {
    /// The token that Ctrl-C sets.
    pub interrupt: Arc<AtomicBool>,
    /// Directories that `import` may read; the folders of scripts are added as they are run.
    pub roots: Vec<PathBuf>,
    /// The seed of sandboxes that do not name one.
    pub seed: u64,
    /// Rows that `show` gives to [`Output::show`]; the rest is counted.
    pub n_rows_max: usize,
}

/// Takes what `show(value)` shows, with the syntax of its terms.
pub type Show = Box<dyn Fn(&Shown, Syntax) -> Outcome<()>>;

/// What `serve(..)` asks for.
#[derive(Clone, Debug, Default)]
pub struct Serve {
    pub port: Option<u16>,
    pub token: Option<String>,
    pub is_read_only: bool,
}

/// Shows the session in a browser; gives the address.
pub type ServeFunction = Box<dyn Fn(Serve) -> Outcome<String>>;

/// Where a console's output goes.
pub struct Output {
    /// Takes lines that scripts print.
    pub print: Box<dyn FnMut(&str)>,
    /// Takes what `show(value)` shows.
    pub show: Show,
    /// Takes what happens beside results; must not block.
    pub notify: Box<dyn Fn(Notice)>,
}

/// A session and the shell over it. It lives on one thread.
pub struct Console {
    pub shell: Shell,
    pub session: SharedSession,
    /// A shell that knows no session, for arguments of what only answers.
    apart: Shell,
    /// What `cinema::argument` was given last.
    argument: Rc<RefCell<Option<Value>>>,
    serve: Rc<RefCell<Option<ServeFunction>>>,
}

impl Console {
    /// A console without sources.
    pub fn new(options: ConsoleOptions, output: Output) -> Console {
        let host = Host::new(Control::new(options.interrupt.clone()), options.roots, output.print);
        let loader = Loader(host.clone());
        let mut session = Session::new(Box::new(loader), options.interrupt);
        session.seed = options.seed;
        session.set_notifier(output.notify);
        let session: SharedSession = Rc::new(RefCell::new(session));
        let api = Api::new(session.clone(), Closures::new(&host));
        let (argument, serve) = (Rc::default(), Rc::default());
        let shared = session.clone();
        let apart = Shell::for_arguments(host.clone(), |engine| {
            register_values(engine);
            register_taker(engine, &api, &argument);
        });
        let shell = Shell::new(host, |engine| {
            register(engine, &api);
            register_taker(engine, &api, &argument);
            register_print(engine, &shared);
            register_show(engine, shared, output.show, options.n_rows_max);
            register_serve(engine, &serve);
        });
        Console { shell, session, apart, argument, serve }
    }

    /// Says what `serve()` does; before that it cannot do anything.
    pub fn set_serve(&mut self, serve: ServeFunction) {
        *self.serve.borrow_mut() = Some(serve);
    }

    /// A script as the argument `name` of an operation: a condition, an action, a closure `|e| ..`; `n_operations_max`
    /// steps at most. `reach` says what the script may call on its way. Errors: it does not evaluate, or is of a type
    /// that no operation takes.
    pub fn argument(&mut self, name: &str, text: &str, reach: Reach, n_operations_max: u64) -> Outcome<Value> {
        let shell = match reach {
            Reach::Session => &mut self.shell,
            Reach::Values => &mut self.apart,
        };
        shell.hand_over("cinema::argument", name, text, n_operations_max)?;
        let value = self.argument.borrow_mut().take();
        value.ok_or_else(|| Failure::usage(format!("{name}: {text:?} gives no value")))
    }
}

/// What the script of an argument may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What the shell may.
    Session,
    /// What makes conditions, actions and values, and nothing that the session would notice.
    Values,
}

/// Registers `cinema::argument(value)`, which keeps what it is given: only during a call can a closure be kept with
/// the script it belongs to.
fn register_taker(engine: &mut Engine, api: &Rc<Api>, argument: &Rc<RefCell<Option<Value>>>) {
    let mut module = Module::new();
    let (api, argument) = (api.clone(), argument.clone());
    module.set_native_fn(
        "argument",
        move |context: NativeCallContext, value: Dynamic| -> Result<(), Box<EvalAltResult>> {
            let handles = api.context().ok();
            let taken = from_dynamic(&value, &api.closures().within(&context, handles.as_ref())).map_err(raise)?;
            *argument.borrow_mut() = Some(taken);
            Ok(())
        },
    );
    module.build_index();
    engine.register_static_module("cinema", module.into());
}

/// Finds process modules where users keep them.
struct Loader(Host);

impl ModuleLoader for Loader {
    fn load(&self, path: &str) -> Outcome<(Rc<dyn Modules>, String)> {
        let modules = RhaiModules::open(Path::new(path), &self.0)?;
        let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
        Ok((Rc::new(modules), name.into_owned()))
    }
}

/// Registers what knows no session.
fn register_values(engine: &mut Engine) {
    event::register(engine);
    record::register(engine);
    rows::register(engine);
    conditions::register(engine);
    engine.register_fn("seq", |n: i64| Dynamic::from(format!("#{n}")));
}

/// Registers the whole api.
fn register(engine: &mut Engine, api: &Rc<Api>) {
    register_values(engine);
    timeline::register(engine);
    query::register(engine, api);
    pictures::register(engine, api);
    files::register(engine, api);
    operations::register(engine, api, ops::entries());
}

/// Has `print(value)` and `"${value}"` write results as they read best: tables and trees.
fn register_print(engine: &mut Engine, session: &SharedSession) {
    fn register<T: Clone + 'static>(engine: &mut Engine, session: &SharedSession) {
        let session = session.clone();
        engine.register_fn("to_string", move |value: &mut T| {
            let syntax = session.try_borrow().map_or(Syntax::Erlang, |session| syntax_of(session.source().ok()));
            let options = TextOptions { more_hint: ".table(1000) shows more".into(), syntax, ..TextOptions::default() };
            let shown = shown(&Dynamic::from(value.clone()), syntax, options.n_rows_max);
            shown.to_text(&options).trim_end().to_string()
        });
    }
    register::<Rows>(engine, session);
    register::<Record>(engine, session);
    register::<Query>(engine, session);
}

/// Registers `show(value)`: prints in the middle of a script what a line of the shell would print.
fn register_show(engine: &mut Engine, session: SharedSession, show: Show, n_rows_max: usize) {
    FuncRegistration::new("show")
        .with_params_info(["value: any"])
        .with_comments([
            "/// Prints a value as the shell prints results: rows as a table, in the format that was asked for.",
        ])
        .register_into_engine(engine, move |value: Dynamic| -> Result<(), Box<EvalAltResult>> {
            let syntax = session.try_borrow().map_or(Syntax::Erlang, |session| syntax_of(session.source().ok()));
            show(&shown(&value, syntax, n_rows_max), syntax).map_err(raise)
        });
}

/// Registers `serve()` and `serve(#{..})`.
fn register_serve(engine: &mut Engine, serve: &Rc<RefCell<Option<ServeFunction>>>) {
    let begin = |serve: &RefCell<Option<ServeFunction>>, wanted: Serve| match &*serve.borrow() {
        Some(serve) => serve(wanted),
        None => Err(Failure::unsupported("this session cannot be served")),
    };
    let shared = serve.clone();
    FuncRegistration::new("serve")
        .with_params_info(["string"])
        .with_comments(["/// Shows the session in a browser: gives the address to open there."])
        .register_into_engine(engine, move || -> Result<String, Box<EvalAltResult>> {
            begin(&shared, Serve::default()).map_err(raise)
        });
    let shared = serve.clone();
    FuncRegistration::new("serve")
        .with_params_info(["options: map", "string"])
        .with_comments(["/// As `serve()`, with `#{port: 4800, token: \"..\", read_only: true}`, each optional."])
        .register_into_engine(engine, move |options: rhai::Map| -> Result<String, Box<EvalAltResult>> {
            serve_options(options).and_then(|wanted| begin(&shared, wanted)).map_err(raise)
        });
}

fn serve_options(options: rhai::Map) -> Outcome<Serve> {
    let usage = |what: String| Failure::usage(format!("serve: {what}")).hint("serve(#{port: 4800, read_only: true})");
    let mut wanted = Serve::default();
    for (key, value) in options {
        let wrong = |expected: &str| usage(format!("{key}: expected {expected}, got {}", value.type_name()));
        match key.as_str() {
            "port" => {
                let port = value.as_int().map_err(|_| wrong("a port"))?;
                wanted.port = Some(u16::try_from(port).map_err(|_| usage(format!("{port} is no port")))?);
            }
            "token" => wanted.token = Some(value.clone().into_string().map_err(|_| wrong("text"))?),
            "read_only" => wanted.is_read_only = value.as_bool().map_err(|_| wrong("a boolean"))?,
            _ => return Err(usage(format!("no option {key:?}; known: port, token, read_only"))),
        }
    }
    Ok(wanted)
}
