//! Joins send, arrival and handling of every message that is not a call, through the events' causes.

use rustc_hash::FxHashMap;

use super::{MessageResult, MessageRow};
use crate::analysis::Scope;
use crate::analysis::join::since;
use crate::model::{Class, Event, Filter, Kind, Seq};
use crate::store::{Recording, SeqSet};

/// The kinds that [`MessageJoin::push`] wants to see, in order of seq.
pub(super) const MESSAGE_KINDS: [Kind; 7] =
    [Kind::Send, Kind::Reply, Kind::SendToDead, Kind::Receive, Kind::LateReply, Kind::HandleStart, Kind::HandleEnd];
/// Those of them that go on with a message that is there.
const LATER_KINDS: [Kind; 4] = [Kind::Receive, Kind::LateReply, Kind::HandleStart, Kind::HandleEnd];

/// The messages under way, by the event that their next one names as its cause.
pub(super) struct MessageJoin {
    /// The events that have a next one: of the others' messages nothing more will be heard.
    pub(super) continued: SeqSet,
    sent: FxHashMap<Seq, MessageRow>,
    arrived: FxHashMap<Seq, (MessageRow, i64)>,
    handled: FxHashMap<Seq, (MessageRow, i64)>,
}

impl MessageJoin {
    pub(super) fn new(rec: &Recording, scope: Scope<'_>) -> MessageJoin {
        let later = Filter { ranges: scope.to_vec(), ..Filter::kinds(&LATER_KINDS) };
        let (sent, arrived, handled) = Default::default();
        MessageJoin { continued: rec.causes(&later), sent, arrived, handled }
    }

    /// Takes the next event; gives the message whose fate is known with it.
    pub(super) fn push(&mut self, event: &Event) -> Option<MessageRow> {
        match (event.kind, event.class) {
            (_, Class::Call) => None,
            (Kind::Send | Kind::Reply, _) => self.left(event),
            (Kind::SendToDead, _) => Some(MessageRow { result: MessageResult::Dead, ..begin(event) }),
            (Kind::Receive, _) => self.arrive(event),
            (Kind::LateReply, _) => {
                let row = self.sent.remove(&event.cause?)?;
                let total_ns = Some(since(row.at_ns, event.at_ns));
                Some(MessageRow { end_seq: Some(event.seq), total_ns, result: MessageResult::Late, ..row })
            }
            (Kind::HandleStart, _) => {
                let (row, arrived_ns) = self.arrived.remove(&event.cause?)?;
                let queue_ns = Some(since(arrived_ns, event.at_ns));
                let row = MessageRow { start_seq: Some(event.seq), queue_ns, ..row };
                if !self.continued.has(event.seq) {
                    return Some(row);
                }
                self.handled.insert(event.seq, (row, event.at_ns));
                None
            }
            (Kind::HandleEnd, _) => {
                let (row, started_ns) = self.handled.remove(&event.cause?)?;
                let handling_ns = Some(since(started_ns, event.at_ns));
                let total_ns = Some(since(row.at_ns, event.at_ns));
                Some(MessageRow { end_seq: Some(event.seq), handling_ns, total_ns, ..row })
            }
            _ => None,
        }
    }

    /// What went on in an unexpected way, and so did not end.
    pub(super) fn finish(self) -> impl Iterator<Item = MessageRow> {
        let arrived = self.arrived.into_values().chain(self.handled.into_values()).map(|(row, _)| row);
        self.sent.into_values().chain(arrived)
    }

    fn left(&mut self, event: &Event) -> Option<MessageRow> {
        let row = begin(event);
        // A port's side of a message is not recorded.
        if event.peer.is_some_and(|peer| peer.pid().is_none()) || !self.continued.has(event.seq) {
            return Some(row);
        }
        self.sent.insert(event.seq, row);
        None
    }

    fn arrive(&mut self, event: &Event) -> Option<MessageRow> {
        let row = event.cause.and_then(|send| self.sent.remove(&send)).unwrap_or_else(|| MessageRow {
            from: event.peer,
            to: Some(event.process),
            ..begin(event)
        });
        let row = MessageRow {
            to: Some(event.process),
            receive_seq: Some(event.seq),
            result: MessageResult::Received,
            ..row
        };
        // A reply is taken where it arrives: its receiver waits for it.
        if row.class == Class::Reply {
            let total_ns = Some(since(row.at_ns, event.at_ns));
            return Some(MessageRow { end_seq: Some(event.seq), total_ns, ..row });
        }
        if !self.continued.has(event.seq) {
            return Some(row);
        }
        self.arrived.insert(event.seq, (row, event.at_ns));
        None
    }
}

fn begin(event: &Event) -> MessageRow {
    MessageRow {
        seq: event.seq,
        at_ns: event.at_ns,
        from: Some(event.process),
        to: event.peer,
        // Kind::Reply is a send of class reply by definition.
        class: if event.kind == Kind::Reply { Class::Reply } else { event.class },
        tag: event.tag,
        call: event.call,
        size_bytes: event.size_bytes,
        receive_seq: None,
        start_seq: None,
        end_seq: None,
        queue_ns: None,
        handling_ns: None,
        reply_ns: None,
        total_ns: None,
        result: MessageResult::Sent,
    }
}
