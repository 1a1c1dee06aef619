//! Joins the events of one call into one row, by the call's reference, as a stream.
//! It must not know who asks: latency, flow and patterns share it.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Scope;
use super::latency::{CallOutcome, CallRow};
use crate::model::{Actor, CallKey, Class, Event, Filter, Kind, Seq};
use crate::store::Recording;

/// The kinds that [`CallJoin::push`] wants to see, in order of seq: besides sends and arrivals, of which it wants those that bear
/// a reference.
pub(super) const CALL_KINDS: [Kind; 9] = [
    Kind::HandleStart,
    Kind::HandleEnd,
    Kind::Reply,
    Kind::Timeout,
    Kind::LateReply,
    Kind::SendToDead,
    Kind::Down,
    Kind::Exit,
    Kind::Crash,
];

/// The events from which calls are joined: few, where most messages are no calls.
pub struct CallEvents {
    messages: Filter,
    others: Filter,
}

impl CallEvents {
    pub fn of(scope: Scope<'_>) -> CallEvents {
        CallEvents::with(scope, &[])
    }
    /// With the events of other kinds.
    pub fn with(scope: Scope<'_>, kinds: &[Kind]) -> CallEvents {
        let of_kinds = |kinds: &[Kind]| Filter { ranges: scope.to_vec(), ..Filter::kinds(kinds) };
        let others = of_kinds(&[&CALL_KINDS[..], kinds].concat());
        CallEvents { messages: of_kinds(&[Kind::Send, Kind::Receive]), others }
    }
    /// Those of one call; its callback's begin, and its callee's end, may lack the reference.
    pub fn one(scope: Scope<'_>, call: CallKey) -> CallEvents {
        let CallEvents { messages, others } = CallEvents::of(scope);
        CallEvents { messages: Filter { call: Some(call), ..messages }, others: Filter { call: Some(call), ..others } }
    }

    pub fn iter<'a>(&'a self, rec: &'a Recording) -> impl Iterator<Item = Event> + 'a {
        in_order(rec.scan_calls(&self.messages), rec.scan(&self.others))
    }
}

/// Events of two sequences, each in order of seq, as one; what is in both comes once.
pub fn in_order(one: impl Iterator<Item = Event>, other: impl Iterator<Item = Event>) -> impl Iterator<Item = Event> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if first.seq == second.seq => {
            other.next();
            one.next()
        }
        (Some(first), Some(second)) if second.seq < first.seq => other.next(),
        (None, _) => other.next(),
        _ => one.next(),
    })
}

/// The calls under way. Memory: the calls that are open or whose late reply may still come.
#[derive(Debug)]
pub struct CallJoin<'r> {
    rec: &'r Recording,
    scope: Scope<'r>,
    open: FxHashMap<CallKey, Open>,
    /// Arrivals of calls that wait for their callback.
    arrivals: FxHashMap<Seq, CallKey>,
    /// Open calls per caller; nearly always one.
    callers: FxHashMap<Actor, SmallVec<[CallKey; 1]>>,
    ends: FxHashMap<Actor, Seq>,
    /// What callees sent first.
    first_sent: FxHashMap<Actor, Option<Seq>>,
}

/// A call under way, with the times that its row does not keep.
#[derive(Debug)]
struct Open {
    row: CallRow,
    arrived_ns: i64,
    started_ns: Option<i64>,
    replied_ns: Option<i64>,
}

impl<'r> CallJoin<'r> {
    pub fn new(rec: &'r Recording, scope: Scope<'r>) -> CallJoin<'r> {
        CallJoin {
            rec,
            scope,
            open: FxHashMap::default(),
            arrivals: FxHashMap::default(),
            callers: FxHashMap::default(),
            ends: FxHashMap::default(),
            first_sent: FxHashMap::default(),
        }
    }

    /// Takes the next event; gives the call that is over with it.
    pub fn push(&mut self, event: &Event) -> Option<CallRow> {
        match (event.kind, event.class, event.call) {
            (Kind::Send, Class::Call, Some(key)) => self.sent(event, key),
            (Kind::SendToDead, Class::Call, Some(key)) => {
                self.sent(event, key);
                return self.over(key, event, CallOutcome::Noproc);
            }
            (Kind::Receive, Class::Call, Some(key)) => self.arrived(event, key),
            (Kind::HandleStart, Class::Call, key) => self.started(event, key),
            (Kind::HandleEnd, Class::Call, Some(key)) => return self.handled(event, key),
            (Kind::Reply, _, Some(key)) | (Kind::Send, Class::Reply, Some(key)) => return self.replied(event, key),
            (Kind::Receive, Class::Reply, Some(key)) => return self.over(key, event, CallOutcome::Received),
            (Kind::Timeout, _, Some(key)) => return self.given_up(event, key),
            (Kind::LateReply, _, Some(key)) => return self.late(key),
            (Kind::Down, _, key) => return self.down(event, key),
            (Kind::Exit | Kind::Crash, _, _) => drop(self.ends.insert(event.process, event.seq)),
            _ => {}
        }
        None
    }

    /// The calls that never ended: open, or lost with a callee whose end no 'DOWN' told.
    pub fn finish(mut self) -> Vec<CallRow> {
        let mut rows: Vec<CallRow> = self.open.drain().map(|(_, open)| open.row).collect();
        for row in rows.iter_mut().filter(|row| row.outcome == CallOutcome::Open && row.reply_seq.is_none()) {
            let end = row.callee.and_then(|callee| self.ends.get(&callee).copied());
            if let Some(end) = end.filter(|end| *end > row.call_seq) {
                let ended_ns = self.rec.event(end).map_or(row.at_ns, |event| event.at_ns);
                row.outcome = CallOutcome::Exit;
                row.end_seq = Some(end);
                row.total_ns = Some(since(row.at_ns, ended_ns));
            }
        }
        rows.sort_unstable_by_key(|row| row.call_seq);
        rows
    }

    fn sent(&mut self, event: &Event, key: CallKey) {
        let row = CallRow { send_seq: Some(event.seq), ..begin(event, key, Some(event.process), event.peer) };
        self.callers.entry(event.process).or_default().push(key);
        self.open.insert(key, Open { row, arrived_ns: event.at_ns, started_ns: None, replied_ns: None });
    }

    fn arrived(&mut self, event: &Event, key: CallKey) {
        let open = self.open.entry(key).or_insert_with(|| Open {
            row: begin(event, key, event.peer, Some(event.process)),
            arrived_ns: event.at_ns,
            started_ns: None,
            replied_ns: None,
        });
        // A call to a name finds its process only here.
        open.row.callee = Some(event.process);
        open.row.receive_seq = Some(event.seq);
        open.arrived_ns = event.at_ns;
        self.arrivals.insert(event.seq, key);
    }

    fn started(&mut self, event: &Event, key: Option<CallKey>) {
        let by_arrival = event.cause.and_then(|arrival| self.arrivals.remove(&arrival));
        let Some(open) = key.or(by_arrival).and_then(|key| self.open.get_mut(&key)) else { return };
        open.row.callee.get_or_insert(event.process);
        open.row.start_seq = Some(event.seq);
        open.row.queue_ns = Some(since(open.arrived_ns, event.at_ns));
        open.started_ns = Some(event.at_ns);
    }

    fn replied(&mut self, event: &Event, key: CallKey) -> Option<CallRow> {
        let open = self.open.get_mut(&key)?;
        open.row.reply_seq = Some(event.seq);
        open.row.handling_ns = open.started_ns.map(|started| since(started, event.at_ns));
        open.replied_ns = Some(event.at_ns);
        if open.row.send_seq.is_none() {
            open.row.outcome = CallOutcome::Served;
            return self.remove(key);
        }
        if open.row.outcome != CallOutcome::Timeout {
            return None;
        }
        open.row.is_late = true;
        self.remove(key)
    }

    /// The callback is over: nothing more will be heard of a call whose caller, and whose callee's sends, are not recorded.
    fn handled(&mut self, event: &Event, key: CallKey) -> Option<CallRow> {
        if self.open.get(&key)?.row.send_seq.is_some() || self.has_sent(event) {
            return None;
        }
        let open = self.open.get_mut(&key)?;
        open.row.handling_ns = open.started_ns.map(|started| since(started, event.at_ns));
        open.row.outcome = CallOutcome::Served;
        self.remove(key)
    }

    /// Whether a send of the event's process is recorded before the event.
    fn has_sent(&mut self, event: &Event) -> bool {
        let (rec, scope) = (self.rec, self.scope);
        let first = self.first_sent.entry(event.process).or_insert_with(|| {
            let sends = [Kind::Send, Kind::Reply, Kind::SendToDead];
            let filter = Filter { ranges: scope.to_vec(), ..Filter::kinds(&sends) }.process(event.process);
            rec.scan(&filter).next().map(|sent| sent.seq)
        });
        first.is_some_and(|first| first < event.seq)
    }

    fn given_up(&mut self, event: &Event, key: CallKey) -> Option<CallRow> {
        let open = self.open.get_mut(&key)?;
        open.row.outcome = CallOutcome::Timeout;
        open.row.end_seq = Some(event.seq);
        open.row.total_ns = Some(since(open.row.at_ns, event.at_ns));
        // The reply is under way already: it can only be dropped.
        open.row.is_late = open.row.reply_seq.is_some();
        let is_over = open.row.is_late;
        self.release(event.process, key);
        if is_over { self.remove(key) } else { None }
    }

    fn late(&mut self, key: CallKey) -> Option<CallRow> {
        self.open.get_mut(&key)?.row.is_late = true;
        self.remove(key)
    }

    /// A 'DOWN' ends the call whose reference it bears, else the caller's open call to that process.
    fn down(&mut self, event: &Event, key: Option<CallKey>) -> Option<CallRow> {
        let key = key.filter(|key| self.open.contains_key(key)).or_else(|| {
            let keys = self.callers.get(&event.process)?;
            let is_to = |key: &CallKey| self.open.get(key).is_some_and(|open| open.row.callee == event.peer);
            keys.iter().copied().find(|key| event.peer.is_some() && is_to(key))
        })?;
        if self.open[&key].row.outcome != CallOutcome::Open {
            return None;
        }
        let message = self.rec.term(event.seq);
        let reason = message.as_ref().and_then(|term| term.as_tuple()).and_then(|items| items.last());
        let is_noproc = reason.is_some_and(|reason| reason.is_atom("noproc"));
        self.over(key, event, if is_noproc { CallOutcome::Noproc } else { CallOutcome::Exit })
    }

    fn over(&mut self, key: CallKey, event: &Event, outcome: CallOutcome) -> Option<CallRow> {
        let open = self.open.get_mut(&key)?;
        open.row.outcome = outcome;
        open.row.end_seq = Some(event.seq);
        open.row.total_ns = Some(since(open.row.at_ns, event.at_ns));
        if outcome == CallOutcome::Received {
            open.row.reply_ns = open.replied_ns.map(|replied| since(replied, event.at_ns));
        }
        self.remove(key)
    }

    fn remove(&mut self, key: CallKey) -> Option<CallRow> {
        let row = self.open.remove(&key)?.row;
        if let Some(caller) = row.caller {
            self.release(caller, key);
        }
        if row.start_seq.is_none()
            && let Some(arrival) = row.receive_seq
        {
            self.arrivals.remove(&arrival);
        }
        Some(row)
    }

    fn release(&mut self, caller: Actor, key: CallKey) {
        if let Some(keys) = self.callers.get_mut(&caller) {
            keys.retain(|open| *open != key);
            if keys.is_empty() {
                self.callers.remove(&caller);
            }
        }
    }
}

fn begin(event: &Event, key: CallKey, caller: Option<Actor>, callee: Option<Actor>) -> CallRow {
    CallRow {
        call_seq: event.seq,
        at_ns: event.at_ns,
        key,
        caller,
        callee,
        tag: event.tag,
        size_bytes: event.size_bytes,
        send_seq: None,
        receive_seq: None,
        start_seq: None,
        reply_seq: None,
        end_seq: None,
        queue_ns: None,
        handling_ns: None,
        reply_ns: None,
        total_ns: None,
        outcome: CallOutcome::Open,
        is_late: false,
    }
}

/// A duration; never negative, as clocks of two processes may differ by a little in a trace.
pub fn since(from_ns: i64, to_ns: i64) -> i64 {
    to_ns.saturating_sub(from_ns).max(0)
}
