//! Finds and compiles Rhai modules: `account` is `account.rhai` in the directory, or the one file that was given.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rhai::{AST, ASTFlags, ASTNode, Engine, EvalAltResult, Expr, Scope, Stmt};

use super::super::engine::{self, Host};
use super::super::error::{Explainer, KnowsNames};
use super::super::names::Names;
use super::super::profile::Profile;
use super::built_in::{self, Texts};
use super::instance::RhaiProcess;
use super::{answer, exception, host, lent};
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
    BuiltIn(PathBuf, Texts),
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
    /// The modules at `path`: a directory of `.rhai` files, one file, or the built-in example. Errors: there is no
    /// such path.
    pub fn open(path: &Path, host: &Host) -> Outcome<RhaiModules> {
        let place = match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => Place::Directory(path.to_path_buf()),
            Ok(_) => Place::File(path.to_path_buf()),
            Err(error) => match built_in::find(path) {
                Some(texts) => Place::BuiltIn(path.to_path_buf(), texts),
                None => return Err(Failure::not_found(format!("no modules at {}: {error}", path.display()))),
            },
        };
        let dir = match &place {
            Place::Directory(dir) => Some(dir.clone()),
            Place::File(file) => Some(file.parent().map(Path::to_path_buf).unwrap_or_default()),
            Place::BuiltIn(..) => None,
        };
        if let Some(dir) = dir {
            host.add_root(if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir });
        }
        Ok(RhaiModules {
            engine: Rc::new(process_engine(host)),
            host: host.clone(),
            place,
            compiled: RefCell::default(),
        })
    }

    fn file(&self, module: Atom) -> Outcome<PathBuf> {
        let name = module.as_str();
        let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        let (file, is_there) = match &self.place {
            Place::Directory(dir) => {
                let file = dir.join(format!("{name}.rhai"));
                (file.clone(), file.is_file())
            }
            Place::File(file) => (file.clone(), file.is_file()),
            Place::BuiltIn(dir, texts) => {
                (dir.join(format!("{name}.rhai")), texts.iter().any(|(known, _)| *known == name))
            }
        };
        if is_plain && is_there && file.file_stem().is_some_and(|stem| stem == name) {
            return Ok(file);
        }
        let known: Vec<&str> = self.names().iter().map(|name| name.as_str()).collect();
        Err(Failure::not_found(format!("no module {name:?}: tried {}", file.display()))
            .hint(format!("modules here: {}", known.join(", "))))
    }

    fn compiled(&self, module: Atom) -> Outcome<Rc<Compiled>> {
        if let Some(compiled) = self.compiled.borrow().get(&module) {
            return Ok(compiled.clone());
        }
        let file = self.file(module)?;
        let compiled = Rc::new(self.compile(module, &file)?);
        self.compiled.borrow_mut().insert(module, compiled.clone());
        Ok(compiled)
    }

    fn text(&self, name: Atom, file: &Path) -> Outcome<String> {
        if let Place::BuiltIn(_, texts) = &self.place {
            let found = texts.iter().find(|(known, _)| *known == name.as_str());
            return Ok(found.map(|(_, text)| text.to_string()).expect("a built-in module was found by its name"));
        }
        std::fs::read_to_string(file)
            .map_err(|error| Failure::io(format!("cannot read module {}: {error}", file.display())))
    }

    fn compile(&self, name: Atom, file: &Path) -> Outcome<Compiled> {
        let source = file.display().to_string();
        let text = self.text(name, file)?;
        self.host.sources.insert(&source, &text);
        let names = EngineNames(&self.engine);
        let explainer = Explainer { host: &self.host, profile: Profile::Process, source: &source, names: &names };
        let parse = |scope: &Scope| {
            self.engine.compile_with_scope(scope, &text).map_err(|error| explainer.explain_parse(&error))
        };
        let first = parse(&Scope::new())?;
        only_definitions(&first, &source)?;
        // Constants become part of the functions that name them, which Rhai does only for those of an outer scope.
        let constants: Scope = first.iter_literal_variables(true, false).map(|(n, _, v)| (n, true, v)).collect();
        let mut ast = parse(&constants)?;
        ast.set_source(&source);
        let functions: BTreeMap<String, (u8, u32)> = ast
            .iter_functions()
            .map(|f| (f.name.to_string(), (f.params.len() as u8, line_of(&text, f.name))))
            .collect();
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
            Place::BuiltIn(_, texts) => texts.iter().map(|(name, _)| Atom::new(name)).collect(),
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
