//! Tests of the script floor, by part.

mod values;
