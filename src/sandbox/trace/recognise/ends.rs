//! How processes end, and why: the exit signal, the linked process or the supervisor that took them
//! along, as far as the trace shows one with the same reason.

use super::Recogniser;
use super::message::{Message, hash, is_orderly};
use crate::codec::walk::{Part, RawTerm};
use crate::model::{Actor, ActorId, Kind, NewEvent, Seq};

impl Recogniser {
    pub(super) fn exit(&mut self, who: ActorId, reason: Part<'_>) {
        let process = self.actors.actor(who);
        let (bytes, reason) = (reason.bytes(), reason.term());
        let reason_hash = hash(bytes);
        let kind = if is_orderly(reason) { Kind::Exit } else { Kind::Crash };
        let cause = self.cause_of_end(process, reason, reason_hash);
        let seq = self.emit_term(&NewEvent { cause, ..self.event(kind, process) }, bytes);

        let row = self.actors.row(who);
        row.ended = Some(seq);
        row.running.clear();
        row.waits.clear();
        row.family = None;
        let parent = row.parent;
        for linked in std::mem::take(&mut row.links) {
            let linked = self.actors.row(linked);
            linked.links.remove(&who);
            linked.signals.linked_end = Some((reason_hash, seq));
        }
        if let Some(parent) = parent {
            self.child_ended(parent, process, seq, bytes);
        }
    }

    /// The event that made `process` end for `reason`; of several the one that says most.
    fn cause_of_end(&mut self, process: Actor, reason: RawTerm<'_>, reason_hash: u64) -> Option<Seq> {
        let row = self.actors.row(process.id);
        let (signals, parent) = (row.signals, row.parent);
        let own = row.handling();
        // An error's reason is `{Value, Stack}`, an exit's the value itself.
        let raised = reason.tuple_of().map_or(reason_hash, |[value, _stack]| hash(value.bytes()));
        let by_exception = || signals.exception.filter(|(hash, _)| *hash == raised || *hash == reason_hash);
        let is_same = |signal: Option<(u64, Seq)>| signal.filter(|(hash, _)| *hash == reason_hash).map(|(_, seq)| seq);
        let is_told_to = ["shutdown", "killed"].iter().any(|text| reason.is_atom(text));
        let by_supervisor = || {
            let parent = self.actors.get(parent?.id).filter(|row| row.is_supervisor && is_told_to)?;
            signals.unlink.or_else(|| parent.handling())
        };
        is_same(signals.exit_message)
            .or_else(|| is_same(signals.linked_end))
            .or_else(|| is_same(signals.stop))
            .or_else(|| by_exception().map(|(_, seq)| seq))
            .or_else(by_supervisor)
            .or(own)
    }

    /// An `'EXIT'` message arrived at a process that traps exits.
    pub(super) fn exit_message(&mut self, process: Actor, message: &Message<'_>, seq: Seq) {
        let Some(reason) = message.reason() else { return };
        let bytes = reason.bytes();
        self.actors.row(process.id).signals.exit_message = Some((hash(bytes), seq));
        let Some(ended) = message.about else { return };
        let is_unknown_child = self.actors.get(ended).is_some_and(|row| row.parent.is_none() && row.ended.is_some());
        if is_unknown_child {
            let end = self.actors.row(ended).ended.unwrap_or(seq);
            let ended = self.actors.actor(ended);
            self.child_ended(process, ended, end, bytes);
        }
    }
}
