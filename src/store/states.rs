//! States that outlive their events: what evicted events of a ring recording carried that still is the state of a process
//! at its start, so that states can be read right after an eviction. It must not know when something is evicted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Seq;

/// Payloads by the seq of the event that carried them.
#[derive(Clone, Debug, Default)]
pub struct States {
    by_seq: BTreeMap<Seq, Arc<Vec<u8>>>,
}

impl States {
    pub fn get(&self, seq: Seq) -> Option<&Arc<Vec<u8>>> {
        self.by_seq.get(&seq)
    }
    pub fn is_empty(&self) -> bool {
        self.by_seq.is_empty()
    }
    pub fn n_bytes(&self) -> usize {
        self.by_seq.values().map(|state| state.len()).sum()
    }

    /// Those of `wanted` that are known or can be read, as many as fit into `n_bytes_max`, the first ones first.
    pub fn renewed(
        &self,
        wanted: impl IntoIterator<Item = Seq>,
        n_bytes_max: usize,
        read: impl Fn(Seq) -> Option<Vec<u8>>,
    ) -> States {
        let mut n_left = n_bytes_max;
        let fits = |seq| {
            let state = self.get(seq).cloned().or_else(|| read(seq).map(Arc::new))?;
            n_left = n_left.checked_sub(state.len())?;
            Some((seq, state))
        };
        States { by_seq: wanted.into_iter().filter_map(fits).collect() }
    }
}

impl FromIterator<(Seq, Vec<u8>)> for States {
    fn from_iter<I: IntoIterator<Item = (Seq, Vec<u8>)>>(states: I) -> States {
        States { by_seq: states.into_iter().map(|(seq, state)| (seq, Arc::new(state))).collect() }
    }
}
