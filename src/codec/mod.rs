//! Floor 1: bytes to model and back, pure. In reading order: [`etf`] (terms), [`walk`] (terms
//! that stay bytes), [`write`] (bytes without terms), [`json`].

pub mod etf;
pub mod json;
mod read;
mod tags;
pub mod walk;
pub mod write;
