//! The distribution protocol, as a hidden node speaks it (ERTS User's Guide, "Distribution Protocol").
//! It must not know tracing.
