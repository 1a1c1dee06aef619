//! The example systems as this program brings them along: `sandbox("examples/bank")` works wherever it runs.

use std::path::Path;

/// Modules of one folder: name and text.
pub(super) type Texts = &'static [(&'static str, &'static str)];

macro_rules! examples {
    ($($folder:literal: $($module:literal)+;)+) => {
        /// Folders with their process modules; `main.rhai` drives a system and is none.
        pub(super) const EXAMPLES: &[(&str, Texts)] = &[$(($folder, &[$((
            $module,
            include_str!(concat!("../../../examples/", $folder, "/", $module, ".rhai")),
        )),+])),+];
    };
}

examples! {
    "bank": "account" "bank_sup" "customer" "ledger" "teller";
    "chat": "member" "room";
    "counter": "counter";
    "crash_loop": "app_sup" "consumer" "queue";
    "deadlock": "client" "orders" "shop_sup" "stock";
    "key_value": "kv_client" "kv_store" "kv_sup";
    "worker_pool": "dispatcher" "health" "pool_sup" "producer" "worker";
}

/// The modules for a path like `examples/bank`.
pub(super) fn find(path: &Path) -> Option<Texts> {
    let name = path.strip_prefix("examples").ok()?.to_str()?;
    EXAMPLES.iter().find(|(folder, _)| *folder == name).map(|(_, texts)| *texts)
}
