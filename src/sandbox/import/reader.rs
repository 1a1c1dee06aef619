//! The reading thread of an import: messages of all logs, put in order, recognised, sent on in batches.

use std::ops::Range;

use super::files::MANGLED;
use super::outlet::{Hangup, Outlet};
use super::source::{Item, Merge, OpenLog};
use super::{ImportReport, clocks, info};
use crate::model::Seq;
use crate::model::limits::REORDER_EVENTS;
use crate::sandbox::trace::EventClock;
use crate::sandbox::trace::message::Stamp;
use crate::sandbox::trace::recognise::Recogniser;
use crate::sandbox::trace::reorder::{Ordered, Reorder};

pub struct Reader<'s> {
    recogniser: Recogniser,
    report: ImportReport,
    outlet: Outlet<'s>,
}

impl<'s> Reader<'s> {
    pub fn new(outlet: Outlet<'s>) -> Reader<'s> {
        Reader { recogniser: Recogniser::new(Seq(0)), report: ImportReport::default(), outlet }
    }

    /// Reads the logs to their ends, or until nobody listens.
    pub fn run(mut self, logs: &[OpenLog]) -> ImportReport {
        // Whether all was sent does not matter for the report of what was read.
        let _ = self.read(logs);
        let recogniser = &self.recogniser;
        self.report.n_events = recogniser.next_seq().0;
        self.report.n_dropped = recogniser.n_lost();
        self.report.unstored = recogniser.unstored().clone();
        self.report.omitted = recogniser.omitted();
        self.report.is_elixir = recogniser.is_elixir();
        self.report
    }

    fn read(&mut self, logs: &[OpenLog]) -> Result<(), Hangup> {
        let Reader { recogniser, report, .. } = self;
        let mut merge = Merge::new(logs, &mut report.defects, &mut |kind| recogniser.count(kind));
        let first = merge.peek().map(|item| item.trace);
        report.clock = first.map_or(EventClock::None, |trace| trace.stamp.map_or(EventClock::None, |(_, clock)| clock));
        report.node = first.map(|trace| trace.who.origin().id().node);
        self.read_infos(logs);

        let mut reorder = Reorder::new(REORDER_EVENTS);
        let mut n_items = 0;
        loop {
            let Reader { recogniser, report, .. } = self;
            let Some(item) = merge.next(&mut report.defects, &mut |kind| recogniser.count(kind)) else { break };
            let stamp = match report.clock {
                EventClock::None => Some(Stamp { at_ns: n_items, unique: 0 }),
                _ => item.trace.stamp.map(|(stamp, _)| stamp),
            };
            n_items += 1;
            if let Some(ordered) = reorder.push(stamp, item) {
                self.feed(&ordered, &merge)?;
            }
        }
        while let Some(ordered) = reorder.pop() {
            self.feed(&ordered, &merge)?;
        }
        for damage in merge.damage_at_end() {
            self.lose_damaged(reorder.last_ns(), &damage);
        }
        let n_lost = merge.take_lost();
        if n_lost > 0 {
            self.recogniser.lose(reorder.last_ns(), n_lost);
        }
        self.report.assumed = clocks::assumed(logs, &merge.spans());
        if self.report.clock == EventClock::None && n_items > 0 {
            self.report.assumed.push(clocks::without_times(logs));
        }
        let empty = logs.iter().flat_map(OpenLog::empty).map(|name| format!("{name} is empty and was passed over"));
        self.report.assumed.extend(empty);
        if self.report.defects.n_total > 0 {
            let mangled = logs.iter().flat_map(OpenLog::mangled).map(|name| format!("{name} is {MANGLED}"));
            self.report.assumed.extend(mangled);
        }
        self.report.n_frames = merge.n_frames();
        self.send(&merge)
    }

    fn read_infos(&mut self, logs: &[OpenLog]) {
        for (file, bytes) in logs.iter().filter_map(OpenLog::info) {
            let info = info::read(bytes, file, &mut self.report.defects);
            self.report.node = self.report.node.or(info.node);
            for (pid, name) in info.names {
                self.recogniser.hint_name(pid, name);
            }
        }
    }

    fn feed(&mut self, ordered: &Ordered<Item<'_>>, merge: &Merge<'_>) -> Result<(), Hangup> {
        let Ordered { at_ns, late_ns, item } = ordered;
        if !item.damage.is_empty() {
            self.lose_damaged(*at_ns, &item.damage);
        }
        if item.n_lost > 0 {
            self.recogniser.lose(*at_ns, item.n_lost);
        }
        self.report.n_late += u64::from(*late_ns > 0);
        self.recogniser.feed(&item.trace, *at_ns, *late_ns);
        if Outlet::is_full(self.recogniser.batch()) { self.send(merge) } else { Ok(()) }
    }

    fn lose_damaged(&mut self, at_ns: i64, damage: &Range<u64>) {
        let (n_places, defects) = (damage.end - damage.start, &self.report.defects);
        let first = defects.first_of(damage);
        let what = if n_places > 1 { format!("{first}, the first of {n_places} places") } else { first };
        self.recogniser.lose_damaged(at_ns, &what, defects.offset_of(damage.start), n_places);
    }

    fn send(&mut self, merge: &Merge<'_>) -> Result<(), Hangup> {
        self.report.n_frames = merge.n_frames();
        self.outlet.send(merge.n_bytes_read(), |empty| self.recogniser.take_batch(empty))
    }
}
