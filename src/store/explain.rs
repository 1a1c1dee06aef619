//! How a selection is answered: what each step leaves of the recording, counted by running it. It must not know how this
//! is shown.

use std::collections::BTreeMap;

use super::Recording;
use super::plan::{Index, Pruned, Query, Selection};
use super::text::Searched;

/// What is left after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub stage: Stage,
    /// Segments, the open tail among them.
    pub n_parts: u64,
    pub n_events: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The recording.
    All,
    /// Parts passed over by what is known of them, for a reason.
    Pruned(Pruned),
    /// Events that must be looked at, and in how many parts an index gave them.
    Candidates(Vec<(Index, u64)>),
    /// A column was read for the candidates that were left.
    Test(&'static str),
    /// Texts were looked for.
    Texts(Searched),
}

/// The steps in order; the last one leaves what matches. Does all the work of counting without its short cuts.
pub fn explain(recording: &Recording, selection: &Selection<'_>) -> Vec<Step> {
    let query = Query::new(recording, selection);
    let mut tally = Tally::default();
    for part in 0..recording.n_parts() {
        let n_events = recording.part_summary(part).seqs;
        let n_events = n_events.end - n_events.start;
        if n_events > 0 {
            tally.add(&query, part, n_events);
        }
    }
    tally.steps(!selection.texts.is_empty())
}

/// What was removed by each step.
#[derive(Default)]
struct Tally {
    n_parts: u64,
    n_events: u64,
    pruned: BTreeMap<Pruned, (u64, u64)>,
    indexes: BTreeMap<Index, u64>,
    n_not_candidates: u64,
    /// By column, in the order in which they were read first.
    tests: Vec<(&'static str, u64)>,
    searched: Searched,
    n_without_text: u64,
}

impl Tally {
    fn add(&mut self, query: &Query<'_>, part: usize, n_events: u64) {
        self.n_parts += 1;
        self.n_events += n_events;
        let plan = match query.plan(part) {
            Ok(plan) => plan,
            Err(why) => {
                let (n_parts, n_pruned) = self.pruned.entry(why).or_default();
                *n_parts += 1;
                *n_pruned += n_events;
                return;
            }
        };
        plan.indexes.iter().for_each(|index| *self.indexes.entry(*index).or_default() += 1);
        self.n_not_candidates += n_events - plan.candidates.len() as u64;
        let mut indexes = Vec::new();
        let mut n_left = 0;
        for chunk in 0..plan.n_chunks() {
            plan.take(chunk, &mut indexes);
            for test in &plan.tests {
                let n_before = indexes.len();
                plan.keep(test, &mut indexes);
                self.removed(test.column(), (n_before - indexes.len()) as u64);
            }
            n_left += indexes.len() as u64;
        }
        if !query.texts.is_empty() {
            let n_with_text = query.search(part, &plan, &mut self.searched).map_or(0, |having| having.len() as u64);
            self.n_without_text += n_left - n_with_text;
        }
    }

    fn removed(&mut self, column: &'static str, n: u64) {
        match self.tests.iter_mut().find(|(known, _)| *known == column) {
            Some((_, n_removed)) => *n_removed += n,
            None => self.tests.push((column, n)),
        }
    }

    fn steps(self, has_texts: bool) -> Vec<Step> {
        let mut steps = vec![Step { stage: Stage::All, n_parts: self.n_parts, n_events: self.n_events }];
        let mut push = |stage, n_parts, n_events| {
            let last = steps.last().expect("begins with one");
            let (n_parts, n_events) = (last.n_parts - n_parts, last.n_events - n_events);
            steps.push(Step { stage, n_parts, n_events });
        };
        for (why, (n_parts, n_events)) in self.pruned {
            push(Stage::Pruned(why), n_parts, n_events);
        }
        push(Stage::Candidates(self.indexes.into_iter().collect()), 0, self.n_not_candidates);
        for (column, n_removed) in self.tests {
            push(Stage::Test(column), 0, n_removed);
        }
        if has_texts {
            push(Stage::Texts(self.searched), 0, self.n_without_text);
        }
        steps
    }
}
