//! `load(path)`: runs a script file from a script or the prompt, for sets of breakpoints and examples.
//! It must not know what is in it.

use std::path::Path;

use rhai::{Dynamic, Engine, EvalAltResult, FuncRegistration, NativeCallContext, Scope};

use crate::model::Failure;
use crate::script::engine::Host;
use crate::script::error::raise;

/// Registers `load`.
pub fn register(engine: &mut Engine, host: &Host) {
    let host = host.clone();
    FuncRegistration::new("load")
        .with_params_info(["path: text", "what the script gives"])
        .with_comments(["/// Runs a script file here: its breakpoints are set, its sandbox becomes the current one."])
        .register_into_engine(engine, move |context: NativeCallContext, path: &str| load(&context, &host, path));
}

fn load(context: &NativeCallContext, host: &Host, path: &str) -> Result<Dynamic, Box<EvalAltResult>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| raise(Failure::io(format!("cannot read script {path}: {error}"))))?;
    if let Some(dir) = Path::new(path).parent() {
        host.add_root(if dir.as_os_str().is_empty() { Path::new(".") } else { dir });
    }
    host.sources.insert(path, &text);
    let engine = context.engine();
    let mut ast = engine.compile(&text).map_err(|error| {
        let place = format!("{path}:{}:{}", error.1.line().unwrap_or(0), error.1.position().unwrap_or(0));
        raise(Failure::new(crate::model::FailureKind::Script, format!("{place}: {}", error.0)))
    })?;
    ast.set_source(path);
    let mut scope = Scope::new();
    scope.push("args", rhai::Array::new());
    engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast)
}
