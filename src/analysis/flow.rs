//! Message flow: every message with what became of it, and who talks to whom.
//! It must not know how results are shown.

mod join;

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use self::join::{MESSAGE_KINDS, MessageJoin};
use super::Scope;
use super::latency::{CallOutcome, CallRow, for_each_call};
use super::names::Names;
use crate::model::{Actor, Atom, CallKey, Class, Filter, Seq};
use crate::store::{Recording, Traffic};

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
    pub from_name: Arc<str>,
    pub to_name: Arc<str>,
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

/// Gives each message once its fate is known, calls first. Memory is bounded by the messages under way, and a bit per event.
pub fn for_each_message(rec: &Recording, scope: Scope<'_>, filter: &FlowFilter, mut each: impl FnMut(MessageRow)) {
    let mut give = |row: MessageRow| {
        if filter.matches(&row) {
            each(row);
        }
    };
    // A row of class `call` is one that calls are joined to, and no other is.
    if filter.classes.is_empty() || filter.classes.contains(&Class::Call) {
        for_each_call(rec, scope, |call| give(call.into()));
    }
    if filter.classes.is_empty() || filter.classes.iter().any(|class| *class != Class::Call) {
        let events = Filter { ranges: scope.to_vec(), ..Filter::kinds(&MESSAGE_KINDS) };
        let mut messages = MessageJoin::new(rec, scope);
        for event in rec.scan(&events) {
            messages.push(&event).into_iter().for_each(&mut give);
        }
        messages.finish().for_each(give);
    }
}

/// The first `n_max` messages by seq, and how many more there are.
pub fn messages(rec: &Recording, scope: Scope<'_>, filter: &FlowFilter, n_max: usize) -> (Vec<MessageRow>, u64) {
    let mut rows: Vec<MessageRow> = Vec::new();
    let mut n_more = 0;
    // What comes after it is known not to be among the first.
    let mut last = Seq(u64::MAX);
    for_each_message(rec, scope, filter, |row| {
        if row.seq > last {
            n_more += 1;
            return;
        }
        rows.push(row);
        // Cut back at twice the size: amortised, a constant cost per message.
        if rows.len() >= n_max.saturating_mul(2).max(1024) {
            n_more += keep_first(&mut rows, n_max);
            last = rows.last().map_or(Seq(0), |row| row.seq);
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
    let traffic = rec.traffic(scope);
    let names = Names::of(rec, scope);
    let mut actors: Vec<Actor> = traffic.iter().flat_map(|pair| [Some(pair.from), pair.to]).flatten().collect();
    actors.sort_unstable();
    actors.dedup();
    let known: FxHashMap<Actor, (usize, Arc<str>)> =
        (0..).zip(&actors).map(|(rank, actor)| (*actor, (rank, names.name(*actor).into()))).collect();
    let nobody: Arc<str> = "nobody".into();
    // Ties are by pid, which ranks compare faster.
    let rank = |actor: Option<Actor>| actor.map(|actor| known[&actor].0);
    let order = |pair: &Traffic| (Reverse(pair.sums.n_messages()), rank(Some(pair.from)), rank(pair.to));
    let mut sorted: Vec<_> = traffic.iter().map(|pair| (order(pair), pair)).collect();
    sorted.sort_unstable_by_key(|(order, _)| *order);
    let row = |pair: &Traffic| {
        let to_name = pair.to.map_or(&nobody, |to| &known[&to].1);
        PairRow::new(pair, known[&pair.from].1.clone(), to_name.clone())
    };
    sorted.into_iter().map(|(_, pair)| row(pair)).collect()
}

impl PairRow {
    fn new(pair: &Traffic, from_name: Arc<str>, to_name: Arc<str>) -> PairRow {
        let sums = &pair.sums;
        PairRow {
            from: pair.from,
            to: pair.to,
            from_name,
            to_name,
            n_messages: sums.n_messages(),
            n_calls: sums.n_calls,
            n_casts: sums.n_casts,
            n_replies: sums.n_replies,
            n_others: sums.n_others,
            n_dead: sums.n_dead,
            size_bytes: sums.size_bytes,
            first: sums.first,
            last: sums.last,
        }
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

/// The messages that are no calls as they are when none is known to be over before the end.
#[cfg(test)]
pub(super) fn plain(rec: &Recording) -> Vec<MessageRow> {
    let mut messages = MessageJoin::new(rec, &[]);
    messages.continued = rec.causes(&Filter::default()).full();
    let mut rows: Vec<MessageRow> = rec.scan(&Filter::default()).filter_map(|event| messages.push(&event)).collect();
    rows.extend(messages.finish());
    rows
}

#[cfg(test)]
mod tests;
