//! Gives what the fuzzer makes to the reader that `CINEMA_FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static READ: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("CINEMA_FUZZ_TARGET").expect("CINEMA_FUZZ_TARGET names a target of src/fuzz");
    cinema::fuzz::target(&name).unwrap_or_else(|| panic!("no target {name}")).read
});

fuzz_target!(|bytes: &[u8]| READ(bytes));
