//! Tests of processes written in Rhai, on the real kernel.
