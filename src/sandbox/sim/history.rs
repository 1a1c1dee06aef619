//! The past of a sim: roots (whole worlds, sharing structure), the inputs in between, and which
//! seq each event got. A past moment is the nearest root and what follows it, executed again.
//!
//! Each branch is a segment of its own that begins with a root, so nothing is ever truncated.
//! Roots are dense near the present and thinned with age: going back re-executes at most
//! `max(density, age / 64)` events and one turn, where `age` counts events from there to the present.

use crate::model::Seq;
use crate::sandbox::Input;

use super::world::{EventIdx, World};

/// What came from outside, by the turn at which it came.
#[derive(Clone, Debug)]
pub enum Logged {
    Input(Input),
    /// A run's limit let the clock pass to here.
    Clock(i64),
}

/// Which seq each event of a line of history got: runs of consecutive seqs, for a sink may put its own in between.
#[derive(Clone, Debug, Default)]
pub struct Seqs {
    /// First event and its seq, per run; ascending in both.
    runs: Vec<(u64, u64)>,
    len: u64,
}

impl Seqs {
    /// Adds the next event.
    pub fn push(&mut self, seq: Seq) {
        let expected = self.runs.last().map(|(idx, first)| first + (self.len - idx));
        if expected != Some(seq.0) {
            self.runs.push((self.len, seq.0));
        }
        self.len += 1;
    }

    pub fn get(&self, event: EventIdx) -> Option<Seq> {
        if event.0 >= self.len {
            return None;
        }
        let run = match self.runs.last() {
            Some(last) if last.0 <= event.0 => last,
            _ => &self.runs[self.runs.partition_point(|(idx, _)| *idx <= event.0) - 1],
        };
        Some(Seq(run.1 + (event.0 - run.0)))
    }

    /// How many events have a seq up to `at`.
    pub fn n_through(&self, at: Seq) -> u64 {
        let n_runs = self.runs.partition_point(|(_, seq)| *seq <= at.0);
        let Some((idx, seq)) = n_runs.checked_sub(1).map(|last| self.runs[last]) else { return 0 };
        let end = self.runs.get(n_runs).map_or(self.len, |next| next.0);
        (idx + (at.0 - seq) + 1).min(end)
    }

    fn truncated(&self, len: u64) -> Seqs {
        let runs = self.runs.iter().copied().filter(|(idx, _)| *idx < len).collect();
        Seqs { runs, len: len.min(self.len) }
    }
}

/// One branch, from the moment where it left its parent.
struct Segment {
    /// The seq of its `restored` event; `None` for the trunk.
    restored: Option<Seq>,
    /// Events of its past that belong to its ancestors.
    n_inherited: u64,
    /// At the ends of turns, ascending. The first is where the segment begins; it may lie up to one turn before.
    roots: Vec<World>,
    /// By the number of the turn.
    inputs: Vec<(u64, Logged)>,
    seqs: Seqs,
    n_roots_after_thinning: usize,
}

/// Where to begin a re-execution, and how far to go.
pub struct Plan {
    segment_idx: usize,
    pub root: World,
    /// Events that have happened at the wanted moment.
    pub n_events: u64,
}

/// All branches. The last one is where the sim is.
pub struct History {
    segments: Vec<Segment>,
    root_every_n_events: u64,
}

/// Roots below which thinning is not worth its time.
const THIN_FROM: usize = 256;
/// A root is kept when the one before it is further away than its age divided by this.
const AGE_DIVISOR: u64 = 128;

impl History {
    pub fn new(start: World, root_every_n_events: u64) -> History {
        let trunk = Segment {
            restored: None,
            n_inherited: 0,
            roots: vec![start],
            inputs: Vec::new(),
            seqs: Seqs::default(),
            n_roots_after_thinning: 0,
        };
        History { segments: vec![trunk], root_every_n_events: root_every_n_events.max(1) }
    }

    fn current(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("the trunk is always there")
    }

    pub fn seqs(&self) -> &Seqs {
        &self.segments.last().expect("the trunk is always there").seqs
    }

    /// Notes the seq that the sink gave to the next event.
    pub fn push_seq(&mut self, seq: Seq) {
        self.current().seqs.push(seq);
    }

    /// Notes what comes from outside before turn `n_turns`.
    pub fn log(&mut self, n_turns: u64, logged: Logged) {
        self.current().inputs.push((n_turns, logged));
    }

    /// Forgets what came before turn `n_turns`, which is undone.
    pub fn unlog(&mut self, n_turns: u64) {
        self.current().inputs.retain(|(at, _)| *at < n_turns);
    }

    /// Keeps a root when the last one is far enough away.
    pub fn keep_root(&mut self, world: &World) {
        let every = self.root_every_n_events;
        let segment = self.current();
        let last = segment.roots.last().expect("a segment begins with a root");
        if world.n_events < last.n_events + every {
            return;
        }
        segment.roots.push(world.clone());
        if segment.roots.len() >= THIN_FROM.max(2 * segment.n_roots_after_thinning) {
            thin(&mut segment.roots);
            segment.n_roots_after_thinning = segment.roots.len();
        }
    }

    /// Number of roots that are kept.
    pub fn n_roots(&self) -> usize {
        self.segments.iter().map(|segment| segment.roots.len()).sum()
    }

    /// How to come to the moment just after `at`, of any branch; `None`: before the first event.
    pub fn plan(&self, at: Option<Seq>) -> Plan {
        let began_before = |segment: &Segment| match (segment.restored, at) {
            (None, _) => true,
            (Some(restored), Some(at)) => restored <= at,
            (Some(_), None) => false,
        };
        let segment_idx = self.segments.iter().rposition(began_before).expect("the trunk began before everything");
        let segment = &self.segments[segment_idx];
        let n_events = at.map_or(0, |at| segment.seqs.n_through(at).max(segment.n_inherited));
        self.plan_in(segment_idx, n_events)
    }

    /// How to come to the end of the turn before the current one is over: where turn `n_turns` began.
    pub fn plan_turn(&self, n_turns: u64) -> Plan {
        let segment_idx = self.segments.len() - 1;
        let roots = &self.segments[segment_idx].roots;
        let root = roots.iter().rev().find(|root| root.n_turns <= n_turns).unwrap_or(&roots[0]);
        Plan { segment_idx, root: root.clone(), n_events: root.n_events }
    }

    fn plan_in(&self, segment_idx: usize, n_events: u64) -> Plan {
        let roots = &self.segments[segment_idx].roots;
        // A root with exactly so many events may be later than the moment: turns without events follow it.
        let n_before = roots.partition_point(|root| root.n_events < n_events);
        Plan { segment_idx, root: roots[n_before.saturating_sub(1)].clone(), n_events }
    }

    /// What came from outside before turn `n_turns`, on the plan's branch.
    pub fn logged(&self, plan: &Plan, n_turns: u64) -> Option<&Logged> {
        let inputs = &self.segments[plan.segment_idx].inputs;
        let idx = inputs.binary_search_by_key(&n_turns, |(at, _)| *at).ok()?;
        Some(&inputs[idx].1)
    }

    /// Begins a new branch where a plan led: `before` is the world at the start of the turn that `plan` ended in.
    pub fn branch(&mut self, plan: &Plan, before: World, restored: Seq) {
        let parent = &self.segments[plan.segment_idx];
        let inputs = parent.inputs.iter().filter(|(at, _)| *at == before.n_turns && before.n_events < plan.n_events);
        let segment = Segment {
            restored: Some(restored),
            n_inherited: plan.n_events,
            inputs: inputs.cloned().collect(),
            roots: vec![before],
            seqs: parent.seqs.truncated(plan.n_events),
            n_roots_after_thinning: 0,
        };
        self.segments.push(segment);
    }
}

/// Drops roots so that their distance grows with their age; the first and the newest stay.
fn thin(roots: &mut Vec<World>) {
    let Some(now) = roots.last().map(|root| root.n_events) else { return };
    let mut last_kept: Option<u64> = None;
    roots.retain(|root| {
        let keeps = match last_kept {
            None => true,
            Some(last) => root.n_events == now || root.n_events - last > (now - root.n_events) / AGE_DIVISOR,
        };
        if keeps {
            last_kept = Some(root.n_events);
        }
        keeps
    });
}
