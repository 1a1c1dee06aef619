//! Tests of processes written in Rhai: modules and names here, on the real kernel in the files beside.

mod modules;
