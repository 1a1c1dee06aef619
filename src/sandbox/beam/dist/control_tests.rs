//! Control messages as bytes.
