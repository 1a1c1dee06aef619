//! The BEAM's trace stream, whoever delivers it: frames of bytes, trace messages in them, their order,
//! and what they mean for OTP. `import` reads it from files, `beam` from a live node's trace port.
//!
//! ```text
//! bytes ─► frames ─► trace messages ─► reorder ─► recognise ─► veil ─► EventBatch
//! ```
//!
//! It must not know files, sockets or the store.

pub mod frames;
pub mod lean;
pub mod look;
pub mod message;
pub mod recognise;
pub mod reorder;
mod veil;

pub use frames::{Defect, Defects};
pub use veil::{Redaction, Veil};

/// What the event times of a trace are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventClock {
    /// The BEAM's monotonic clock: its zero means nothing.
    #[default]
    Monotonic,
    /// Wall time since 1970, as the trace flag `timestamp` gives it.
    Wall,
    /// The trace has no timestamps: the position in the stream, one nanosecond per message.
    None,
}
