//! `why(event)`: the cause in sentences, the events that prove it, and the events to draw in focus.
//!
//! Nothing is claimed without an event to show for it; what is inferred is said in `notes`.
//! One file per question, all made from one [`case::Case`].

mod activity;
mod case;
mod crash;
mod other;
mod restart;
mod timeout;

use serde::Serialize;

use self::case::Case;
use super::{Scope, latency};
use crate::model::{Class, Event, Failure, Kind, Outcome, Seq};
use crate::store::Recording;

/// One event that supports the explanation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    pub seq: Seq,
    /// `call`, `holder`, `late reply`, ..
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
/// A call that timed out and its late reply are explained as the timeout. Errors: there is no such event.
pub fn why(rec: &Recording, scope: Scope<'_>, seq: Seq) -> Outcome<Explanation> {
    let event = rec.event(seq).ok_or_else(|| {
        Failure::not_found(format!("there is no event #{} (the recording has {})", seq.0, rec.len()))
            .hint("events() lists them")
    })?;
    let mut case = Case::new(rec, scope, event);
    match event.kind {
        Kind::Crash | Kind::Exit => crash::explain(&mut case, event),
        Kind::SupervisorRestart => restart::explain(&mut case, event),
        Kind::ChildSpecChange => match restart::of_give_up(&case, event) {
            Some(last) => restart::explain(&mut case, last),
            None => other::explain(&mut case, event),
        },
        _ => match timeout_of(rec, scope, event) {
            Some(timeout) => timeout::explain(&mut case, timeout),
            None => other::explain(&mut case, event),
        },
    }
    Ok(case.finish())
}

/// The timeout of the call that the event is, sends, or answers too late.
fn timeout_of(rec: &Recording, scope: Scope<'_>, event: Event) -> Option<Event> {
    let is_of_call = match event.kind {
        Kind::Timeout => return Some(event),
        Kind::LateReply => true,
        Kind::Send => event.class == Class::Call,
        _ => false,
    };
    let call = latency::call_of(rec, scope, event.seq).filter(|_| is_of_call)?;
    rec.event(call.end_seq?).filter(|end| end.kind == Kind::Timeout)
}

#[cfg(test)]
mod tests;
