//! Message flow: every message with what became of it, and who talks to whom.
//! It must not know how results are shown.

use serde::Serialize;

use super::Scope;
use crate::model::{Actor, Atom, CallKey, Class, Seq};
use crate::store::Recording;

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageResult {
    /// Sent; no arrival was recorded.
    Sent,
    /// It arrived; a call: its reply arrived.
    Received,
    /// A call whose caller gave up.
    Timeout,
    /// A call whose callee died.
    Exit,
    /// A call to nobody.
    Noproc,
    /// Sent to a dead process or an unknown name.
    Dead,
    /// A reply that came after its caller had given up.
    Late,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageRow {
    /// Its send, or its arrival when the sender was not recorded. The event that holds its payload.
    pub seq: Seq,
    pub at_ns: i64,
    pub from: Option<Actor>,
    pub to: Option<Actor>,
    pub class: Class,
    pub tag: Option<Atom>,
    pub call: Option<CallKey>,
    pub size_bytes: u32,
    pub receive_seq: Option<Seq>,
    pub start_seq: Option<Seq>,
    /// Handled: end of the callback. A call: what ended the caller's wait.
    pub end_seq: Option<Seq>,
    pub queue_ns: Option<i64>,
    pub handling_ns: Option<i64>,
    /// Calls only.
    pub reply_ns: Option<i64>,
    /// A call: what the caller waited; others: from the send to the end of their callback.
    pub total_ns: Option<i64>,
    pub result: MessageResult,
}

/// Which messages; an empty list means "any".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlowFilter {
    /// Sender or receiver is one of these.
    pub involved: Vec<Actor>,
    pub from: Vec<Actor>,
    pub to: Vec<Actor>,
    pub classes: Vec<Class>,
    pub tags: Vec<Atom>,
    pub results: Vec<MessageResult>,
}

/// The traffic from one process to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairRow {
    pub from: Actor,
    /// `None`: a name that nobody held.
    pub to: Option<Actor>,
    pub from_name: String,
    pub to_name: String,
    pub n_messages: u64,
    pub n_calls: u64,
    pub n_casts: u64,
    pub n_replies: u64,
    /// Everything else: plain messages, exits, system messages.
    pub n_others: u64,
    /// Sent to the dead.
    pub n_dead: u64,
    pub size_bytes: u64,
    pub first: Seq,
    pub last: Seq,
}

/// Gives each message once its fate is known (the rest at the end). One pass; memory is bounded by the messages under way.
pub fn for_each_message(rec: &Recording, scope: Scope<'_>, filter: &FlowFilter, each: impl FnMut(MessageRow)) {
    let _ = (rec, scope, filter, each);
    todo!("analysis")
}

/// The first `n_max` messages by seq, and how many more there are.
pub fn messages(rec: &Recording, scope: Scope<'_>, filter: &FlowFilter, n_max: usize) -> (Vec<MessageRow>, u64) {
    let _ = (rec, scope, filter, n_max);
    todo!("analysis")
}

/// Who talks to whom, the busiest pair first.
pub fn pairs(rec: &Recording, scope: Scope<'_>) -> Vec<PairRow> {
    let _ = (rec, scope);
    todo!("analysis")
}
