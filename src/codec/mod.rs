//! Floor 1: bytes to model and back, pure.

pub mod etf;
