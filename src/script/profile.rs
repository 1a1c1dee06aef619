//! What a script may do, by purpose: which packages it sees and how far it may go. Limits differ between debug and
//! release builds of Rhai, so every one is set here. It must not know sessions.

use std::cell::Cell;
use std::rc::Rc;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BasicTimePackage, BitFieldPackage, LanguageCorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{Engine, Module, Shared, def_package};

use super::term_type;
use crate::model::{Failure, Outcome, limits};

/// The purpose of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// The REPL and batch scripts: everything, wide limits.
    Shell,
    /// Breakpoint conditions and filters: reads only, tight limits.
    Condition,
    /// Code of simulated processes: deterministic functions only, tight limits.
    Process,
}

impl Profile {
    /// The name of the limit on operations that applies.
    pub(super) fn operations_limit(self) -> &'static str {
        match self {
            Profile::Shell => "operations",
            Profile::Condition | Profile::Process => "callback_operations",
        }
    }
}

def_package! {
    /// What every profile has: no clock, no file, no wait.
    PurePackage(module) : ArithmeticPackage, BasicArrayPackage, BasicBlobPackage, BasicFnPackage,
        BasicIteratorPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage, BitFieldPackage,
        LanguageCorePackage, LogicPackage, MoreStringPackage
    {
    }
}

thread_local! {
    /// Filling a package costs 2 ms; engines of one thread share it.
    static PURE: Shared<Module> = PurePackage::new().as_shared_module();
    static TIME: Shared<Module> = BasicTimePackage::new().as_shared_module();
    static TERMS: Shared<Module> = term_type::module().into();
}

/// Limits of scripts that a user may raise from a script; clones are the same limits.
#[derive(Clone, Debug, Default)]
pub struct Limits(Rc<LimitCells>);

#[derive(Debug)]
struct LimitCells {
    operations: Cell<u64>,
    /// What bounds the operations of the shell's script that runs instead, where that is less.
    bound: Cell<Option<u64>>,
    callback_operations: Cell<u64>,
    call_depth: Cell<usize>,
    string_bytes: Cell<usize>,
    array: Cell<usize>,
    map: Cell<usize>,
}

impl Default for LimitCells {
    fn default() -> LimitCells {
        LimitCells {
            operations: Cell::new(limits::SCRIPT_OPERATIONS_MAX),
            bound: Cell::new(None),
            callback_operations: Cell::new(limits::CALLBACK_OPERATIONS_MAX),
            call_depth: Cell::new(limits::SCRIPT_CALL_DEPTH_MAX),
            string_bytes: Cell::new(limits::SCRIPT_STRING_BYTES_MAX),
            array: Cell::new(limits::SCRIPT_ARRAY_MAX),
            map: Cell::new(limits::SCRIPT_MAP_MAX),
        }
    }
}

impl Limits {
    /// The names that [`Limits::set`] knows.
    pub const NAMES: [&str; 6] = ["operations", "callback_operations", "call_depth", "string_bytes", "array", "map"];

    /// Sets a limit by name; engines take it over when they next begin a script.
    pub fn set(&self, name: &str, value: u64) -> Outcome<()> {
        let value = value.max(1);
        let size = usize::try_from(value).unwrap_or(usize::MAX);
        match name {
            "operations" => self.0.operations.set(value),
            "callback_operations" => self.0.callback_operations.set(value),
            "call_depth" => self.0.call_depth.set(size.min(CALL_DEPTH_CEILING)),
            "string_bytes" => self.0.string_bytes.set(size),
            "array" => self.0.array.set(size),
            "map" => self.0.map.set(size),
            _ => {
                let known = Limits::NAMES.join(", ");
                return Err(Failure::not_found(format!("no limit is named {name:?}")).hint(format!("limits: {known}")));
            }
        }
        Ok(())
    }

    /// A limit by name; 0 for an unknown one.
    pub fn get(&self, name: &str) -> u64 {
        match name {
            "operations" => self.0.operations.get(),
            "callback_operations" => self.0.callback_operations.get(),
            "call_depth" => self.0.call_depth.get() as u64,
            "string_bytes" => self.0.string_bytes.get() as u64,
            "array" => self.0.array.get() as u64,
            "map" => self.0.map.get() as u64,
            _ => 0,
        }
    }

    /// Lets the script that the shell's engine runs next have at most `n_operations_max` operations.
    pub(super) fn bound_operations(&self, engine: &mut Engine, n_operations_max: u64) {
        if n_operations_max < self.0.operations.get() {
            self.0.bound.set(Some(n_operations_max));
            engine.set_max_operations(n_operations_max);
        }
    }
    /// What bounds it, when that is less than the limit that users set.
    pub(super) fn operations_bound(&self) -> Option<u64> {
        self.0.bound.get()
    }

    /// Writes every limit into an engine.
    pub(super) fn apply(&self, engine: &mut Engine, profile: Profile) {
        if profile == Profile::Shell {
            self.0.bound.set(None);
        }
        engine
            .set_max_operations(self.get(profile.operations_limit()))
            .set_max_call_levels(self.0.call_depth.get())
            .set_max_expr_depths(limits::SCRIPT_EXPR_DEPTH_MAX, limits::SCRIPT_EXPR_DEPTH_MAX)
            .set_max_string_size(self.0.string_bytes.get())
            .set_max_array_size(self.0.array.get())
            .set_max_map_size(self.0.map.get())
            .set_max_variables(limits::SCRIPT_VARIABLES_MAX)
            .set_max_functions(limits::SCRIPT_FUNCTIONS_MAX)
            .set_max_modules(limits::SCRIPT_MODULES_MAX)
            .set_max_strings_interned(STRINGS_INTERNED);
    }
}

/// Each level takes several KB of our stack.
const CALL_DEPTH_CEILING: usize = 512;
/// Rhai's own default: a cache, not a bound on scripts.
const STRINGS_INTERNED: usize = 256;

/// The packages of `profile`, into an engine that has none.
pub(super) fn add_packages(engine: &mut Engine, profile: Profile) {
    PURE.with(|pure| engine.register_global_module(pure.clone()));
    if profile == Profile::Shell {
        TIME.with(|time| engine.register_global_module(time.clone()));
    }
    TERMS.with(|terms| engine.register_global_module(terms.clone()));
}
