//! The example system that the program brings along: the demo needs no files. A folder of that name on
//! disk comes first. It must not know how modules are compiled.

use std::path::Path;

/// Module names with their texts.
pub(super) type Texts = &'static [(&'static str, &'static str)];

macro_rules! module {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../examples/bank/", $name, ".rhai")))
    };
}

const BANK: Texts =
    &[module!("account"), module!("bank_sup"), module!("customer"), module!("ledger"), module!("teller")];

/// The modules that stand for a folder of this path.
pub(super) fn find(path: &Path) -> Option<Texts> {
    (path == Path::new("examples/bank")).then_some(BANK)
}
