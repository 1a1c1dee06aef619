//! `why(event)`: the cause in sentences, the events that prove it, and the events to draw in focus.
//!
//! Nothing is claimed without an event to show for it; what is inferred is said in `notes`.
//! One file per question.

use serde::Serialize;

use super::Scope;
use crate::model::{Kind, Outcome, Seq};
use crate::store::Recording;

/// One event that supports the explanation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    pub seq: Seq,
    /// `call sent`, `holder`, `late reply`, ..
    pub role: &'static str,
    pub text: String,
}

/// The answer to "why did this happen?".
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    pub event: Seq,
    pub kind: Kind,
    /// One paragraph, sentence by sentence.
    pub sentences: Vec<String>,
    /// In order of seq.
    pub evidence: Vec<Evidence>,
    /// The events at full ink in the focus picture, ascending.
    pub focus: Vec<Seq>,
    /// What is inferred rather than recorded, and what is missing.
    pub notes: Vec<String>,
    /// Commands that show more.
    pub next: Vec<String>,
}

impl Explanation {
    /// The sentences as one paragraph.
    pub fn text(&self) -> String {
        self.sentences.join(" ")
    }
}

/// Explains a timeout, a crash, an exit, a restart, a supervisor that gave up, or any event by its causal chain.
/// Errors: there is no such event.
pub fn why(rec: &Recording, scope: Scope<'_>, seq: Seq) -> Outcome<Explanation> {
    let _ = (rec, scope, seq);
    todo!("analysis")
}
