//! One event in words, for lists that scroll by.

use crate::model::Seq;

/// One event as playback shows it; all text is raw (the renderer escapes it).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventLine {
    pub seq: Seq,
    /// Nanoseconds since the recording's start.
    pub at_ns: i64,
    pub kind: String,
    /// Empty where the class says nothing.
    pub class: String,
    /// The process by name and pid.
    pub process: String,
    pub peer: Option<String>,
    /// Whether the message goes from `process` to `peer`.
    pub is_towards_peer: bool,
    /// The tag and what else fits.
    pub detail: String,
}
