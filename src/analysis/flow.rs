//! Message flow: every message with what became of it, and who talks to whom.
//! It must not know how results are shown.

mod join;

use rustc_hash::FxHashMap;
use serde::Serialize;

use self::join::MessageJoin;
use super::Scope;
use super::join::{CALL_KINDS, CallJoin};
use super::latency::{CallOutcome, CallRow};
use super::names::Names;
use crate::model::{Actor, Atom, CallKey, Class, Event, Filter, Kind, Seq};
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

/// Gives each message once its fate is known (the rest at the end). One pass; memory is bounded by the messages under
/// way, among them those that no recorded callback ever took.
pub fn for_each_message(rec: &Recording, scope: Scope<'_>, filter: &FlowFilter, mut each: impl FnMut(MessageRow)) {
    let mut kinds = CALL_KINDS.to_vec();
    kinds.push(Kind::HandleEnd);
    let events = Filter { ranges: scope.to_vec(), ..Filter::kinds(&kinds) };
    let mut calls = CallJoin::new(rec);
    let mut others = MessageJoin::default();
    let mut give = |row: MessageRow| {
        if filter.matches(&row) {
            each(row);
        }
    };
    for event in rec.scan(&events) {
        calls.push(&event).map(MessageRow::from).into_iter().for_each(&mut give);
        others.push(&event).into_iter().for_each(&mut give);
    }
    calls.finish().into_iter().map(MessageRow::from).for_each(&mut give);
    others.finish().for_each(&mut give);
}

/// The first `n_max` messages by seq, and how many more there are.
pub fn messages(rec: &Recording, scope: Scope<'_>, filter: &FlowFilter, n_max: usize) -> (Vec<MessageRow>, u64) {
    let mut rows: Vec<MessageRow> = Vec::new();
    let mut n_more = 0;
    for_each_message(rec, scope, filter, |row| {
        rows.push(row);
        // Cut back at twice the size: amortised, a constant cost per message.
        if rows.len() >= n_max.saturating_mul(2).max(1024) {
            n_more += keep_first(&mut rows, n_max);
        }
    });
    n_more += keep_first(&mut rows, n_max);
    (rows, n_more)
}

fn keep_first(rows: &mut Vec<MessageRow>, n_max: usize) -> u64 {
    rows.sort_unstable_by_key(|row| row.seq);
    let n_cut = rows.len().saturating_sub(n_max);
    rows.truncate(n_max);
    n_cut as u64
}

/// Who talks to whom, the busiest pair first.
pub fn pairs(rec: &Recording, scope: Scope<'_>) -> Vec<PairRow> {
    let kinds = [Kind::Send, Kind::Reply, Kind::SendToDead, Kind::Receive];
    let events = Filter { ranges: scope.to_vec(), ..Filter::kinds(&kinds) };
    let mut pairs: FxHashMap<(Actor, Option<Actor>), PairRow> = FxHashMap::default();
    for event in rec.scan(&events) {
        let (from, to) = match event.kind {
            // An arrival counts only when its send was not recorded.
            Kind::Receive if event.cause.is_some() => continue,
            Kind::Receive => match event.peer {
                Some(sender) => (sender, Some(event.process)),
                None => continue,
            },
            _ => (event.process, event.peer),
        };
        pairs.entry((from, to)).or_insert_with(|| PairRow::new(from, to, event.seq)).add(&event);
    }
    let names = Names::of(rec, scope);
    let mut rows: Vec<PairRow> = pairs.into_values().collect();
    for row in &mut rows {
        row.from_name = names.name(row.from);
        row.to_name = row.to.map_or_else(|| "nobody".to_string(), |to| names.name(to));
    }
    rows.sort_by(|a, b| b.n_messages.cmp(&a.n_messages).then_with(|| (a.from, a.to).cmp(&(b.from, b.to))));
    rows
}

impl PairRow {
    fn new(from: Actor, to: Option<Actor>, first: Seq) -> PairRow {
        PairRow {
            from,
            to,
            from_name: String::new(),
            to_name: String::new(),
            n_messages: 0,
            n_calls: 0,
            n_casts: 0,
            n_replies: 0,
            n_others: 0,
            n_dead: 0,
            size_bytes: 0,
            first,
            last: first,
        }
    }

    fn add(&mut self, event: &Event) {
        self.n_messages += 1;
        match event.class {
            Class::Call => self.n_calls += 1,
            Class::Cast => self.n_casts += 1,
            Class::Reply => self.n_replies += 1,
            _ => self.n_others += 1,
        }
        self.n_dead += u64::from(event.kind == Kind::SendToDead);
        self.size_bytes += u64::from(event.size_bytes);
        self.last = event.seq;
    }
}

impl FlowFilter {
    pub fn matches(&self, row: &MessageRow) -> bool {
        let any = |wanted: &[Actor], end: Option<Actor>| end.is_some_and(|actor| wanted.contains(&actor));
        (self.involved.is_empty() || any(&self.involved, row.from) || any(&self.involved, row.to))
            && (self.from.is_empty() || any(&self.from, row.from))
            && (self.to.is_empty() || any(&self.to, row.to))
            && (self.classes.is_empty() || self.classes.contains(&row.class))
            && (self.tags.is_empty() || row.tag.is_some_and(|tag| self.tags.contains(&tag)))
            && (self.results.is_empty() || self.results.contains(&row.result))
    }
}

impl From<CallRow> for MessageRow {
    fn from(call: CallRow) -> MessageRow {
        MessageRow {
            seq: call.call_seq,
            at_ns: call.at_ns,
            from: call.caller,
            to: call.callee,
            class: Class::Call,
            tag: call.tag,
            call: Some(call.key),
            size_bytes: call.size_bytes,
            receive_seq: call.receive_seq,
            start_seq: call.start_seq,
            end_seq: call.end_seq,
            queue_ns: call.queue_ns,
            handling_ns: call.handling_ns,
            reply_ns: call.reply_ns,
            total_ns: call.total_ns,
            result: match call.outcome {
                CallOutcome::Received | CallOutcome::Served => MessageResult::Received,
                CallOutcome::Timeout => MessageResult::Timeout,
                CallOutcome::Exit => MessageResult::Exit,
                CallOutcome::Noproc => MessageResult::Noproc,
                CallOutcome::Open if call.receive_seq.is_some() => MessageResult::Received,
                CallOutcome::Open => MessageResult::Sent,
            },
        }
    }
}

#[cfg(test)]
mod tests;
