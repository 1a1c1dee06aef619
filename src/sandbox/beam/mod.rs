//! Live BEAM nodes over the Erlang distribution protocol: attach, trace, stop, look, leave no trace.
//!
//! No code is changed and no module is loaded on the target. It must not know the store, conditions or scripts.

pub mod dist;
