//! Floor 1: bytes to model and back, pure. In reading order: [`etf`] (terms), [`walk`] (terms
//! that stay bytes), [`cursor`] (bytes read on the way), [`write`] (bytes without terms), [`canon`] (one hash for
//! every encoding of a term), [`redact`] (terms without secrets), [`json`].

pub mod canon;
pub mod cursor;
pub mod etf;
mod extent;
pub mod json;
mod read;
pub mod redact;
mod tags;
pub mod texts;
pub mod walk;
pub mod write;
