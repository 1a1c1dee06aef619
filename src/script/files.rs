//! Scripts in files: reading them, and `load(path)` for the shell. It must not know what they do.

use std::path::Path;

use rhai::{Array, Dynamic, EvalAltResult, FuncRegistration, Module, NativeCallContext, Scope};

use super::engine::Host;
use super::error::raise;
use crate::model::{Failure, Outcome};

/// The name and text of a script; what lies beside it can be imported from now on.
pub(super) fn read(host: &Host, path: &Path) -> Outcome<(String, String)> {
    let name = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::io(format!("cannot read script {name}: {error}")))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    host.add_root(dir);
    host.sources.insert(&name, &text);
    Ok((name, text))
}

/// The function `load`.
pub(super) fn module(host: &Host) -> Module {
    let mut module = Module::new();
    let host = host.clone();
    FuncRegistration::new("load")
        .in_global_namespace()
        .with_params_info(["path: &str", "Dynamic"])
        .with_comments(["/// Runs a script file here and gives its last value: its breakpoints are set, its sandbox becomes the current one."])
        .set_into_module(&mut module, move |context: NativeCallContext, path: &str| load(&host, &context, path));
    module.build_index();
    module
}

fn load(host: &Host, context: &NativeCallContext, path: &str) -> Result<Dynamic, Box<EvalAltResult>> {
    let (name, text) = read(host, Path::new(path)).map_err(raise)?;
    let within = |error| Box::new(EvalAltResult::ErrorInModule(name.clone(), error, context.call_position()));
    let mut scope = Scope::new();
    scope.push("args", Array::new());
    let engine = context.engine();
    let mut script = engine.compile_with_scope(&scope, &text).map_err(|error| within(error.into()))?;
    script.set_source(&name);
    engine.eval_ast_with_scope(&mut scope, &script).map_err(within)
}
