//! `import "lib/x" as x`: finds scripts beside the importing one and under given roots, and nowhere else.
//! It must not know what scripts do.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};

use super::sources::Sources;

/// A resolver that never leaves its roots: no absolute paths, no `..`, no symbolic links that lead out.
pub(super) struct RootedResolver {
    roots: Rc<RefCell<Vec<PathBuf>>>,
    sources: Sources,
    /// Modules by canonical path; a module that is being loaded is there as `None`.
    loaded: RefCell<BTreeMap<PathBuf, Option<Shared<Module>>>>,
}

impl RootedResolver {
    pub(super) fn new(roots: Rc<RefCell<Vec<PathBuf>>>, sources: Sources) -> RootedResolver {
        RootedResolver { roots, sources, loaded: RefCell::default() }
    }

    /// The file for an import, or the places that were tried.
    fn find(&self, path: &str, importer: Option<&str>) -> Result<PathBuf, String> {
        let wanted = Path::new(path);
        if wanted.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(format!(
                "cannot import {path:?}: an import stays inside the script roots (no \"..\", no \"/\" in front)"
            ));
        }
        let roots = self.roots.borrow();
        let beside = importer.and_then(|name| Path::new(name).parent()).map(Path::to_path_buf);
        let mut tried = Vec::new();
        for dir in beside.iter().chain(roots.iter()) {
            let file = dir.join(wanted).with_extension("rhai");
            match file.canonicalize() {
                Ok(real) if self.is_inside(&real, &roots) => return Ok(real),
                Ok(_) => tried.push(format!("{} (outside the script roots)", file.display())),
                Err(_) => tried.push(file.display().to_string()),
            }
        }
        Err(format!("cannot import {path:?}; tried {}", tried.join(", ")))
    }

    fn is_inside(&self, real: &Path, roots: &[PathBuf]) -> bool {
        roots.iter().filter_map(|root| root.canonicalize().ok()).any(|root| real.starts_with(root))
    }

    fn load(&self, engine: &Engine, file: &Path) -> Result<Module, Box<EvalAltResult>> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
        self.sources.insert(&name, &text);
        let mut ast = engine.compile(&text)?;
        ast.set_source(&name);
        Module::eval_ast_as_new(Scope::new(), &ast, engine)
    }
}

impl ModuleResolver for RootedResolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        pos: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let raise = |text: String| Box::new(EvalAltResult::ErrorRuntime(text.into(), pos));
        let file = self.find(path, source).map_err(raise)?;
        match self.loaded.borrow().get(&file) {
            Some(Some(module)) => return Ok(module.clone()),
            Some(None) => return Err(raise(format!("{path:?} imports itself, directly or by others"))),
            None => {}
        }
        self.loaded.borrow_mut().insert(file.clone(), None);
        let loaded = self.load(engine, &file);
        self.loaded.borrow_mut().remove(&file);
        let module: Shared<Module> = loaded
            .map_err(|error| Box::new(EvalAltResult::ErrorInModule(file.display().to_string(), error, pos)))?
            .into();
        self.loaded.borrow_mut().insert(file, Some(module.clone()));
        Ok(module)
    }
}
