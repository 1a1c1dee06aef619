//! When calls began: the times of their requests by call reference, joined column by column. A segment's calls have numbers,
//! so most ends find their beginning in a table; only what is open at a segment's end goes over by its key. It must not know
//! what is asked for.

use rustc_hash::FxHashMap;

use super::columns::Columns;
use crate::model::limits::OPEN_ENDS_MAX;
use crate::model::{Class, Kind};

/// Stands for a call whose request was not in this part.
const UNKNOWN_NS: i64 = i64::MIN;

/// The requests up to the end of the part that was added last.
#[derive(Default)]
pub struct CallStarts {
    /// By place among the part's calls.
    began_ns: Vec<i64>,
    /// Whether the answer arrived in the part.
    is_answered: Vec<bool>,
    /// Calls that were open at the end of the parts before. Beyond [`OPEN_ENDS_MAX`] all are given up.
    open_ns: FxHashMap<u64, i64>,
}

impl CallStarts {
    /// Goes on to the next part.
    pub fn enter(&mut self, columns: &Columns<'_>) {
        self.began_ns.clear();
        self.began_ns.resize(columns.calls.len() + 1, UNKNOWN_NS);
        self.is_answered.clear();
        self.is_answered.resize(columns.calls.len() + 1, false);
        let is_of = |idx: usize, kind: Kind| columns.kind[idx][0] == kind as u8;
        // Place 0, no call, is written and never read.
        columns.class.each_of(Class::Call as usize, 0..columns.len(), |idx| {
            if is_of(idx, Kind::Send) {
                self.began_ns[columns.call.get(idx)] = columns.at_ns(idx);
            }
        });
        columns.class.each_of(Class::Reply as usize, 0..columns.len(), |idx| {
            if is_of(idx, Kind::Receive) {
                self.is_answered[columns.call.get(idx)] = true;
            }
        });
    }

    /// How long after its call's request an event is; `None` when it has no call, or is the request, or that was not recorded.
    #[inline]
    pub fn since_ns(&self, columns: &Columns<'_>, idx: usize) -> Option<i64> {
        let place = columns.call.get(idx).checked_sub(1)?;
        let began_ns = match self.began_ns[place + 1] {
            UNKNOWN_NS => *self.open_ns.get(&u64::from_le_bytes(columns.calls[place]))?,
            began_ns => began_ns,
        };
        let is_request = columns.kind[idx][0] == Kind::Send as u8 && columns.class.get(idx) == Class::Call as usize;
        (!is_request).then(|| columns.at_ns(idx).saturating_sub(began_ns))
    }

    /// Ends a part: what is open goes over to the next.
    pub fn leave(&mut self, columns: &Columns<'_>) {
        if self.open_ns.len() > OPEN_ENDS_MAX {
            self.open_ns.clear();
        }
        for (place, key) in (1..).zip(columns.calls) {
            let key = u64::from_le_bytes(*key);
            match (self.began_ns[place], self.is_answered[place]) {
                (UNKNOWN_NS, true) if !self.open_ns.is_empty() => drop(self.open_ns.remove(&key)),
                (UNKNOWN_NS, _) | (_, true) => {}
                (began_ns, false) => drop(self.open_ns.insert(key, began_ns)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{CallKey, Class, Filter, Kind, NewEvent, Pid};
    use crate::store::{Number, Recording, RecordingInfo, Selection};

    #[test]
    fn answers_find_their_requests_within_and_across_segments() {
        let mut recording = Recording::new(RecordingInfo::default());
        let append = |recording: &mut Recording, at_ns, kind, class, call| {
            let event = NewEvent { class, call: Some(CallKey(call)), ..NewEvent::new(at_ns, kind, Pid::local(1)) };
            recording.append(&event).expect("there is room");
        };
        append(&mut recording, 10, Kind::Send, Class::Call, 1);
        append(&mut recording, 11, Kind::Send, Class::Call, 2);
        append(&mut recording, 15, Kind::Receive, Class::Reply, 1);
        recording.seal();
        append(&mut recording, 20, Kind::Send, Class::Cast, 2);
        append(&mut recording, 21, Kind::Send, Class::Call, 3);
        recording.seal();
        append(&mut recording, 30, Kind::Receive, Class::Reply, 2);
        append(&mut recording, 32, Kind::Receive, Class::Reply, 3);
        append(&mut recording, 33, Kind::Receive, Class::Reply, 4);
        let filter = Filter { classes: vec![Class::Reply], ..Filter::kind(Kind::Receive) };
        let mut waits_ns = Vec::new();
        recording.numbers(&Selection::of(&filter), Number::SinceCallNs, |some| waits_ns.extend_from_slice(some));
        assert_eq!(waits_ns, [5, 19, 11]);
    }
}
