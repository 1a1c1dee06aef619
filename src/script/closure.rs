//! A script's closure that is called later: by a breakpoint, a filter, an action. Rhai's function pointer finds its
//! function only among the scripts that were loaded when it was made, so these are kept with it.

use std::fmt;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, FnPtr, GlobalRuntimeState, NativeCallContext, Position, Shared};

/// A function pointer with the scripts it belongs to. Cheap to clone.
#[derive(Clone)]
pub struct Closure {
    function: FnPtr,
    global: Rc<GlobalRuntimeState>,
    source: String,
    /// Where it was handed over.
    position: Position,
}

impl Closure {
    /// Keeps `function`, which a script passed to the native function that `context` belongs to.
    pub fn capture(context: &NativeCallContext, function: FnPtr) -> Closure {
        let mut global = context.global_runtime_state().clone();
        // Each call is counted for itself.
        global.num_operations = Default::default();
        global.level = 0;
        let source = context.call_source().unwrap_or_default().to_string();
        Closure { function, global: Rc::new(global), source, position: context.call_position() }
    }

    /// Calls it in `engine`, whose profile holds: the functions and limits are that engine's.
    pub fn call(&self, engine: &Engine, mut args: impl AsMut<[Dynamic]>) -> Result<Dynamic, Box<EvalAltResult>> {
        let name = self.function.fn_name();
        let context = NativeCallContext::new_with_all_fields(engine, name, None, &self.global, Position::NONE);
        self.function.call_raw(&context, None, args.as_mut())
    }

    /// The script in which it was handed over, for errors.
    pub fn source(&self) -> &str {
        &self.source
    }
    /// The line where it was handed over.
    pub fn line(&self) -> Option<usize> {
        self.position.line()
    }

    /// The scripts whose functions it may reach, as syntax trees.
    pub(super) fn scripts(&self) -> impl Iterator<Item = AST> {
        self.global.lib.iter().map(|module| AST::new_from_module(Shared::clone(module)))
    }
    pub(super) fn function_name(&self) -> &str {
        self.function.fn_name()
    }
}

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "closure at {}:{}", self.source, self.line().unwrap_or(0))
    }
}
