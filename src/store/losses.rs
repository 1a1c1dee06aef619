//! What is not there: events that were dropped while recording, and those that damage took. One answer per stretch, whether
//! loss events tell of it or a segment that cannot be read. It must not know how it is shown.

use std::ops::Range;

use super::{Recording, file};
use crate::model::{DAMAGE, Filter, INTERRUPTED, Kind, Seq};

/// Events that are lost, of one reason and at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// From the first to the last of them, where not all between need be lost; of events that never had a number, the loss event
    /// that stands for them.
    pub seqs: Range<u64>,
    /// `None` when nobody knows how many.
    pub n_events: Option<u64>,
    /// `dropped` while recording, `damage` of the file, or an import that was `interrupted`.
    pub reason: &'static str,
    /// Where the damage lies, in the file in which it was found.
    pub offset: Option<u64>,
    /// What is damaged, where an import tells it: the file, and the place in it.
    pub what: Option<String>,
}

const DROPPED: &str = "dropped";

impl Recording {
    /// The losses in `ranges`, in order. Costs a look at each loss event.
    pub fn losses(&self, ranges: &[Range<u64>]) -> Vec<Loss> {
        let mut losses: Vec<Loss> = Vec::new();
        if ranges.is_empty() {
            // A filter without ranges would let all pass.
            return losses;
        }
        let filter = Filter { ranges: ranges.to_vec(), ..Filter::kind(Kind::Loss) };
        for event in self.scan(&filter) {
            let loss = self.loss_of(event.seq);
            let is_more = |last: &&mut Loss| {
                loss.reason == DAMAGE && (last.reason, last.offset, &last.what) == (DAMAGE, loss.offset, &loss.what)
            };
            match losses.last_mut().filter(is_more) {
                Some(last) => {
                    last.seqs.end = loss.seqs.end;
                    last.n_events = last.n_events.zip(loss.n_events).map(|(sum, n)| sum.saturating_add(n));
                }
                None => losses.push(loss),
            }
        }
        losses.extend(self.unreadable(ranges));
        losses.sort_by_key(|loss| loss.seqs.start);
        losses
    }

    fn loss_of(&self, seq: Seq) -> Loss {
        let payload = self.term(seq);
        let fields = payload.as_ref().and_then(|payload| payload.as_map());
        let number = |name: &str| fields?.get_atom(name)?.as_int().and_then(|n| u64::try_from(n).ok());
        let reason = fields.and_then(|fields| fields.get_atom("reason")?.as_atom());
        Loss {
            seqs: seq.0..seq.0 + 1,
            n_events: number("total"),
            reason: [DAMAGE, INTERRUPTED]
                .into_iter()
                .find(|known| reason.is_some_and(|at| at == *known))
                .unwrap_or(DROPPED),
            offset: number("offset"),
            what: fields
                .and_then(|fields| fields.get_atom("what")?.as_binary())
                .map(|text| String::from_utf8_lossy(text).into_owned()),
        }
    }

    /// Segments that were found to be damaged when they were read.
    fn unreadable<'r>(&'r self, ranges: &'r [Range<u64>]) -> impl Iterator<Item = Loss> + 'r {
        let damaged = self.segments.iter().filter(|segment| segment.known_damage().is_some());
        let loss = |segment: &'r std::sync::Arc<super::Segment>| {
            let inside = |range: &Range<u64>| range.start.max(segment.head.start)..range.end.min(segment.head.end());
            let offset = Some(segment.offsets.image as u64);
            let of = move |seqs: Range<u64>| Loss {
                n_events: Some(seqs.end - seqs.start),
                seqs,
                reason: DAMAGE,
                offset,
                what: None,
            };
            ranges.iter().map(inside).filter(|seqs| !seqs.is_empty()).map(of).collect::<Vec<_>>()
        };
        damaged.flat_map(loss)
    }

    /// How many of these events are in segments that were found to be damaged.
    pub fn n_unreadable(&self, seqs: Range<u64>) -> u64 {
        self.unreadable(&[seqs]).map(|loss| loss.seqs.end - loss.seqs.start).sum()
    }

    /// What damage took of an event that is there: names of its fields, whether a repair noted them or reading finds it now.
    pub fn lost_fields(&self, seq: Seq) -> Vec<String> {
        let meta = self.meta(seq);
        let lost = meta.as_ref().and_then(|meta| meta.as_map()?.get_atom("lost")?.as_list());
        let mut names: Vec<String> =
            lost.into_iter().flatten().filter_map(|name| Some(name.as_atom()?.as_str().to_string())).collect();
        let Some((event, (part, columns, idx))) = self.event(seq).zip(self.locate(seq)) else { return names };
        let has_meta = columns.meta_number(idx).is_some_and(|n| self.payload_numbered(part, &columns, n).is_some());
        let found = [
            ("payload", event.size_bytes > 0 && self.payload_ref(seq).is_none()),
            ("meta", columns.meta_number(idx).is_some() && !has_meta),
            ("process", file::is_lost_actor(event.process)),
            ("peer", event.peer.is_some_and(file::is_lost_actor)),
            ("tag", event.tag.is_some_and(file::is_lost_tag)),
        ];
        for (name, _) in found.into_iter().filter(|(_, is_lost)| *is_lost) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        }
        names
    }
}
