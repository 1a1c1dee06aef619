//! Finds and compiles Rhai modules: `account` is `account.rhai` in the directory, the one file that was given, or a
//! text in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{AST, ASTFlags, ASTNode, Engine, EvalAltResult, Expr, Scope, Stmt};

use super::super::engine::{self, Host};
use super::super::error::{Explainer, KnowsNames};
use super::super::names::Names;
use super::super::profile::Profile;
use super::instance::RhaiProcess;
use super::{answer, builtin, exception, host, lent};
use crate::model::{Atom, Behaviour as BehaviourKind, Failure, FailureKind, Outcome};
use crate::sandbox::sim::{Behaviour, Interrupt, Modules};

/// A script that drives a system lies beside its modules under this name.
const DRIVER: &str = "main";

/// The Rhai modules of one directory or file. Files are read and compiled when first needed, then kept: code does not
/// change under a running system.
pub struct RhaiModules {
    engine: Rc<Engine>,
    host: Host,
    place: Place,
    compiled: RefCell<BTreeMap<Atom, Rc<Compiled>>>,
}

enum Place {
    Directory(PathBuf),
    File(PathBuf),
    /// Texts by module name; the path is what errors and stack frames show.
    Memory(PathBuf, BTreeMap<Atom, String>),
}

/// A compiled module.
pub(super) struct Compiled {
    pub engine: Rc<Engine>,
    pub host: Host,
    pub name: Atom,
    /// As shown in stack frames.
    pub file: String,
    pub ast: AST,
    pub kind: BehaviourKind,
    /// Whether imports must be evaluated before each call.
    pub has_imports: bool,
    /// Arity and line by function.
    functions: BTreeMap<String, (u8, u32)>,
}

impl RhaiModules {
    /// The modules at `path`: a directory of `.rhai` files, one file, or an example that this program brings along
    /// (`examples/bank`). Errors: there is no such path.
    pub fn open(path: &Path, host: &Host) -> Outcome<RhaiModules> {
        let (place, dir) = match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => (Place::Directory(path.to_path_buf()), path),
            Ok(_) => (Place::File(path.to_path_buf()), path.parent().unwrap_or(path)),
            Err(error) => match builtin::find(path) {
                Some(texts) => return Ok(RhaiModules::in_memory(path, texts, host)),
                None => return Err(no_modules(path, &error)),
            },
        };
        host.add_root(if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
        Ok(RhaiModules::new(place, host))
    }

    /// Modules given as name and text; `folder` is where errors and stack frames say they are.
    pub fn in_memory(folder: &Path, modules: &[(&str, &str)], host: &Host) -> RhaiModules {
        let texts = modules.iter().map(|(name, text)| (Atom::new(name), (*text).to_string())).collect();
        RhaiModules::new(Place::Memory(folder.to_path_buf(), texts), host)
    }

    fn new(place: Place, host: &Host) -> RhaiModules {
        RhaiModules { engine: Rc::new(process_engine(host)), host: host.clone(), place, compiled: RefCell::default() }
    }

    /// A module's file, as it is shown, and its text.
    fn source(&self, module: Atom) -> Outcome<(String, String)> {
        let name = module.as_str();
        let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let file = match &self.place {
            Place::Directory(dir) | Place::Memory(dir, _) => dir.join(format!("{name}.rhai")),
            Place::File(file) => file.clone(),
        };
        let shown = file.display().to_string();
        let is_there = is_plain && file.file_stem().is_some_and(|stem| stem == name);
        match &self.place {
            Place::Memory(_, texts) if texts.contains_key(&module) => return Ok((shown, texts[&module].clone())),
            Place::Directory(_) | Place::File(_) if is_there && file.is_file() => {}
            _ => {
                let known: Vec<&str> = self.names().iter().map(|name| name.as_str()).collect();
                return Err(Failure::not_found(format!("no module {name:?}: tried {shown}"))
                    .hint(format!("modules here: {}", known.join(", "))));
            }
        }
        let text = std::fs::read_to_string(&file);
        text.map(|text| (shown, text)).map_err(|error| Failure::io(format!("cannot read {}: {error}", file.display())))
    }

    fn compiled(&self, module: Atom) -> Outcome<Rc<Compiled>> {
        if let Some(compiled) = self.compiled.borrow().get(&module) {
            return Ok(compiled.clone());
        }
        let (file, text) = self.source(module)?;
        let compiled = Rc::new(self.compile(module, file, &text)?);
        self.compiled.borrow_mut().insert(module, compiled.clone());
        Ok(compiled)
    }

    fn compile(&self, name: Atom, source: String, text: &str) -> Outcome<Compiled> {
        self.host.sources.insert(&source, text);
        let names = EngineNames(&self.engine);
        let explainer = Explainer { host: &self.host, profile: Profile::Process, source: &source, names: &names };
        let parse = |scope: &Scope| {
            self.engine.compile_with_scope(scope, text).map_err(|error| explainer.explain_parse(&error))
        };
        let first = parse(&Scope::new())?;
        only_definitions(&first, &source)?;
        // Constants become part of the functions that name them, which Rhai does only for those of an outer scope.
        let constants: Scope = first.iter_literal_variables(true, false).map(|(n, _, v)| (n, true, v)).collect();
        let mut ast = parse(&constants)?;
        ast.set_source(&source);
        let functions: BTreeMap<String, (u8, u32)> =
            ast.iter_functions().map(|f| (f.name.to_string(), (f.params.len() as u8, line_of(text, f.name)))).collect();
        let has = |name: &str| functions.contains_key(name);
        let kind = match (has("run"), has("init")) {
            (true, _) => BehaviourKind::Process,
            (false, true) if calls(&ast, "sup") => BehaviourKind::Supervisor,
            (false, true) => BehaviourKind::GenServer,
            (false, false) => {
                let text = format!("{source} is no process module: it has neither init(args) nor run(args)");
                return Err(
                    Failure::new(FailureKind::Script, text).hint("a server begins with: fn init(args) { ok(#{}) }")
                );
            }
        };
        let has_imports = ast.statements().iter().any(|statement| matches!(statement, Stmt::Import(..)));
        let engine = self.engine.clone();
        Ok(Compiled { engine, host: self.host.clone(), name, file: source, ast, kind, has_imports, functions })
    }
}

impl Modules for RhaiModules {
    fn instantiate(&self, module: Atom) -> Outcome<Box<dyn Behaviour>> {
        Ok(Box::new(RhaiProcess::new(self.compiled(module)?)))
    }

    fn names(&self) -> Vec<Atom> {
        let stem = |path: &Path| path.file_stem().and_then(|stem| Atom::try_new(stem.to_str()?).ok());
        let mut names: Vec<Atom> = match &self.place {
            Place::File(file) => stem(file).into_iter().collect(),
            Place::Memory(_, texts) => texts.keys().copied().collect(),
            Place::Directory(dir) => {
                let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
                let scripts = entries.filter(|path| path.extension().is_some_and(|ext| ext == "rhai"));
                scripts.filter_map(|path| stem(&path)).filter(|name| *name != DRIVER).collect()
            }
        };
        names.sort();
        names
    }
}

impl Compiled {
    /// How many arguments a function of the module takes.
    pub(super) fn arity(&self, function: &str) -> Option<u8> {
        self.functions.get(function).map(|(arity, _)| *arity)
    }
    /// The line where a function of the module is defined; 0 for an unknown one.
    pub(super) fn line_of(&self, function: &str) -> u32 {
        self.functions.get(function).map_or(0, |(_, line)| *line)
    }
    /// What went wrong, in words and with the line.
    pub(super) fn explain(&self, error: &EvalAltResult) -> Failure {
        let names = EngineNames(&self.engine);
        let source = &self.file;
        Explainer { host: &self.host, profile: Profile::Process, source, names: &names }.explain(error)
    }
}

struct EngineNames<'a>(&'a Engine);

impl KnowsNames for EngineNames<'_> {
    fn names(&self) -> Names {
        Names::of_engine(self.0)
    }
}

/// An engine for processes: pure packages, answers, host functions; `print` writes to the process's log.
pub(super) fn process_engine(host: &Host) -> Engine {
    let mut engine = engine::build(Profile::Process, host);
    engine.register_global_module(host::host_functions().into());
    engine.register_global_module(answer::module().into());
    exception::register(&mut engine);
    engine.on_print(lent::log_line);
    engine.on_debug(|text, _, _| lent::log_line(text));
    let control = host.control.clone();
    engine.on_progress(move |_| {
        if control.pending().is_some() && !lent::is_ending() {
            lent::end(Interrupt::Stopped);
        }
        lent::is_ending().then_some(rhai::Dynamic::UNIT)
    });
    engine
}

fn no_modules(path: &Path, error: &std::io::Error) -> Failure {
    let known: Vec<String> = builtin::EXAMPLES.iter().map(|(folder, _)| format!("examples/{folder}")).collect();
    Failure::not_found(format!("no modules at {}: {error}", path.display()))
        .hint(format!("a folder of .rhai files, or one that comes along: {}", known.join(", ")))
}

/// A module's top level runs before every callback, so it may only define.
fn only_definitions(ast: &AST, source: &str) -> Outcome<()> {
    let defines = |statement: &&Stmt| match statement {
        Stmt::Import(..) | Stmt::Noop(_) => true,
        Stmt::Var(_, flags, _) => flags.contains(ASTFlags::CONSTANT),
        _ => false,
    };
    match ast.statements().iter().find(|statement| !defines(statement)) {
        None => Ok(()),
        Some(statement) => {
            let line = statement.position().line().unwrap_or(0);
            let text = format!("{source}:{line}: a process module holds functions, constants and imports only");
            Err(Failure::new(FailureKind::Script, text).hint("what runs belongs into init(args), or into main.rhai"))
        }
    }
}

/// Whether some function of the script calls `name`.
fn calls(ast: &AST, name: &str) -> bool {
    !ast.walk(&mut |path: &[ASTNode]| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _))) => Some(call),
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => Some(call),
            _ => None,
        };
        call.is_none_or(|call| call.name != name)
    })
}

fn line_of(text: &str, function: &str) -> u32 {
    let defines =
        |line: &str| line.trim_start().strip_prefix("fn ").is_some_and(|rest| rest.trim_start().starts_with(function));
    text.lines().position(defines).map_or(0, |idx| idx as u32 + 1)
}
