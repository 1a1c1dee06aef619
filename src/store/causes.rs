//! Which events have effects: a set of seqs, a bit each, so that one pass over the effects tells a later one over the causes
//! what is worth keeping. It must not know what causes mean.

use super::Recording;
use super::plan::{Query, Selection};
use crate::model::Seq;

/// A set of events.
pub struct SeqSet {
    start: u64,
    bits: Vec<u64>,
}

impl SeqSet {
    pub fn has(&self, seq: Seq) -> bool {
        let place = seq.0.wrapping_sub(self.start);
        self.bits.get((place / 64) as usize).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    /// With every event.
    #[cfg(test)]
    pub fn full(self) -> SeqSet {
        SeqSet { bits: vec![u64::MAX; self.bits.len()], ..self }
    }

    fn insert(&mut self, seq: Seq) {
        let place = seq.0.wrapping_sub(self.start);
        if let Some(word) = self.bits.get_mut((place / 64) as usize) {
            *word |= 1 << (place % 64);
        }
    }
}

/// The events that those of a selection name as their causes. Memory: a bit per event of the recording.
pub fn causes(recording: &Recording, selection: &Selection<'_>) -> SeqSet {
    let start = recording.first().0;
    let mut set = SeqSet { start, bits: vec![0; (recording.len() - start).div_ceil(64) as usize] };
    let query = Query::new(recording, selection);
    for plan in (0..recording.n_parts()).filter_map(|part| query.plan_whole(part)) {
        plan.each(|idx| plan.columns.cause(idx).into_iter().for_each(|cause| set.insert(cause)));
    }
    set
}
