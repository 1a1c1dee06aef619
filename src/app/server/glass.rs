//! A recording to look at from the server's own threads: sealed segments are shared with the session, and the open
//! tail is copied, so that no picture ever waits for the session's thread, nor it for them. It must not know HTTP.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::analysis::names::Names;
use crate::analysis::tree::{SupervisionTree, tree};
use crate::model::{Seq, Syntax};
use crate::session::Source;
use crate::store::Recording;

/// A recording as of one moment of its making, seen along its main timeline.
pub struct Glass {
    pub recording: Recording,
    /// Ascending, disjoint.
    pub line: Vec<Range<u64>>,
    names: OnceLock<Arc<Names>>,
    tree: OnceLock<SupervisionTree>,
}

impl Glass {
    /// Copies the open tail: about a millisecond.
    pub fn of(source: &Source) -> Glass {
        let recording = source.recording().clone();
        Glass { recording, line: source.scope(), names: OnceLock::new(), tree: OnceLock::new() }
    }

    /// What must be the same for two glasses to show the same.
    pub fn version(source: &Source) -> (u64, u32) {
        let recording = source.recording();
        (recording.len(), recording.current_branch())
    }

    pub fn syntax(&self) -> Syntax {
        if self.recording.info.is_elixir { Syntax::Elixir } else { Syntax::Erlang }
    }
    pub fn n_events(&self) -> u64 {
        self.line.iter().map(|range| range.end - range.start).sum()
    }
    pub fn names(&self) -> &Names {
        self.names.get_or_init(|| Names::of(&self.recording, &self.line))
    }
    /// The supervision tree at the end, the dead in their places: the order of all lanes.
    pub fn tree(&self) -> &SupervisionTree {
        self.tree.get_or_init(|| tree(&self.recording, self.last(), true))
    }
    /// The newest event; 0 when there is none.
    pub fn last(&self) -> Seq {
        Seq(self.line.last().map_or(0, |range| range.end.saturating_sub(1)))
    }
    /// Clock of the first event.
    pub fn start_ns(&self) -> i64 {
        let first = self.line.first().and_then(|range| self.recording.event(Seq(range.start)));
        first.map_or(0, |event| event.at_ns)
    }

    /// The seqs of the events at positions `ranks` of the line.
    pub fn seqs_of(&self, ranks: Range<u64>) -> Vec<Range<u64>> {
        let mut before = 0;
        let mut found = Vec::new();
        for range in &self.line {
            let n = range.end - range.start;
            let from = ranks.start.saturating_sub(before).min(n);
            let to = ranks.end.saturating_sub(before).min(n);
            if from < to {
                found.push(range.start + from..range.start + to);
            }
            before += n;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_and_seqs_are_two_ways_to_say_the_same() {
        let glass = Glass {
            recording: Recording::default(),
            line: vec![0..10, 20..30],
            names: OnceLock::new(),
            tree: OnceLock::new(),
        };
        assert_eq!(glass.n_events(), 20);
        assert_eq!(glass.seqs_of(8..12), [8..10, 20..22]);
        assert_eq!(glass.seqs_of(5..15), [5..10, 20..25]);
        assert_eq!(glass.seqs_of(99..120), []);
    }
}
