//! What a soak compares: each event of a recording with the place of the workload that it was made from, and the
//! answers of different ways to ask with each other. It must not know who writes.

use crate::model::{Filter, Kind, Seq};
use crate::store::Recording;

use super::super::Workload;

/// Findings that are told; more are counted.
const TOLD_MAX: usize = 10;
/// Events of a view that are compared one by one.
const COMPARED: u64 = 300;

/// Which place of the workload each seq was made from: runs of both.
#[derive(Clone, Default)]
pub struct Order(Vec<(u64, u64)>);

impl Order {
    /// The workload as it is.
    pub fn plain() -> Order {
        Order(vec![(0, 0)])
    }
    /// From `seq` on, events were made from `place` on.
    pub fn add(&mut self, seq: u64, place: u64) {
        self.0.push((seq, place));
    }
    fn place(&self, seq: u64) -> u64 {
        let run = self.0.partition_point(|(first, _)| *first <= seq).saturating_sub(1);
        self.0.get(run).map_or(seq, |(first, place)| place + seq - first)
    }
}

/// Counts, and the first findings.
#[derive(Default)]
pub struct Checks {
    pub n_appended: u64,
    pub n_read: u64,
    pub n_views: u64,
    pub n_opened: u64,
    pub n_killed: u64,
    pub n_checks: u64,
    pub n_wrong: u64,
    pub told: Vec<String>,
}

impl Checks {
    pub fn is_true(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        self.n_checks += 1;
        if !is_right {
            self.wrong(what());
        }
    }
    pub fn wrong(&mut self, what: String) {
        self.n_wrong += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(what);
        }
    }
    pub fn add(&mut self, other: Checks) {
        self.n_read += other.n_read;
        self.n_views += other.n_views;
        self.n_checks += other.n_checks;
        self.n_wrong += other.n_wrong;
        self.told.extend(other.told);
        self.told.truncate(TOLD_MAX);
    }

    /// Looks at a recording in all ways.
    pub fn view(&mut self, view: &Recording, workload: &Workload, order: &Order, seed: u64) {
        self.n_views += 1;
        let (first, end) = (view.first().0, view.len());
        if first == end {
            return;
        }
        let n_scanned = view.scan(&Filter::default()).count() as u64;
        self.n_read += n_scanned;
        self.is_true(n_scanned == view.n_held(), || format!("{n_scanned} of {} events are scanned", view.n_held()));
        self.is_true(view.evicted().n_events == first, || {
            format!("#{first} is the first, {} are evicted", view.evicted().n_events)
        });
        let calls = Filter::kind(Kind::HandleStart);
        let (counted, scanned) = (view.count(&calls), view.scan(&calls).count() as u64);
        self.is_true(counted == scanned, || format!("{counted} are counted, {scanned} scanned"));
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for n in 0..COMPARED {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let seq = first + (random >> 16) % (end - first);
            self.event(view, workload, order, seq);
            if n % 100 == 0 {
                self.moment(view, seq);
            }
        }
    }

    fn event(&mut self, view: &Recording, workload: &Workload, order: &Order, seq: u64) {
        let expected = workload.event(order.place(seq));
        let is_it = view.event(Seq(seq)).is_some_and(|event| {
            (event.at_ns, event.kind, event.process, event.peer, event.tag, event.call)
                == (expected.at_ns, expected.kind, expected.process, expected.peer, expected.tag, expected.call)
        });
        self.is_true(is_it, || format!("event #{seq} is {:?}", view.event(Seq(seq))));
        let payload = view.payload(Seq(seq)).unwrap_or_default();
        self.is_true(payload == expected.payload, || format!("event #{seq} has another payload"));
    }

    fn moment(&mut self, view: &Recording, seq: u64) {
        let state = view.materialise(Seq(seq));
        self.is_true(state.at == Some(Seq(seq)), || format!("the system at #{seq} is that at {:?}", state.at));
        let at_ns = view.event(Seq(seq)).map_or(0, |event| event.at_ns);
        let found = view.seek_time(&view.lineage(0), at_ns);
        let is_there = found.is_some_and(|found| found.0 <= seq && view.event(found).is_some_and(|e| e.at_ns >= at_ns));
        self.is_true(is_there, || format!("{at_ns} ns are sought at #{seq} and found at {found:?}"));
    }
}
