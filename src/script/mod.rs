//! Floor 7: the Rhai engine.
