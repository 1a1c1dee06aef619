//! Analyses that pass over events, against the same ones that look at all of them, on recordings of random events.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::flow::{self, FlowFilter, MessageRow};
use super::join::CallJoin;
use super::latency::{self, CallRow};
use super::patterns::{self, Thresholds};
use crate::model::{Actor, CallKey, Class, Filter, Kind, NewEvent, Pid, Seq};
use crate::store::Recording;

const KINDS: [Kind; 14] = [
    Kind::Send,
    Kind::Receive,
    Kind::Send,
    Kind::Receive,
    Kind::HandleStart,
    Kind::HandleEnd,
    Kind::Reply,
    Kind::Timeout,
    Kind::LateReply,
    Kind::SendToDead,
    Kind::Down,
    Kind::Exit,
    Kind::TimerFire,
    Kind::ExitSignal,
];
const CLASSES: [Class; 4] = [Class::Call, Class::Cast, Class::Reply, Class::Info];

/// Kind, class, process, peer (0: none), call (0: none), how far back the cause is (0: none), whether a segment ends.
type Shape = (usize, usize, u32, u32, u64, u64, bool);

fn shape() -> impl Strategy<Value = Shape> {
    let is_end = prop_oneof![9 => Just(false), 1 => Just(true)];
    (0..KINDS.len(), 0..CLASSES.len(), 1u32..5, 0u32..5, 0u64..6, 0u64..9, is_end)
}

fn recording(shapes: &[Shape], is_sim: bool) -> Recording {
    let mut rec = Recording::default();
    rec.info.source = if is_sim { "sim" } else { "beam" }.to_string();
    for (seq, (kind, class, process, peer, call, back, is_end)) in (0..).zip(shapes) {
        let event = NewEvent {
            class: CLASSES[*class],
            peer: (*peer > 0).then(|| Actor::from(Pid::local(*peer))),
            call: (*call > 0).then_some(CallKey(*call)),
            cause: (*back > 0 && *back <= seq).then(|| Seq(seq - back)),
            ..NewEvent::new(seq as i64 * 1_000_000, KINDS[*kind], Pid::local(*process))
        };
        rec.append(&event).expect("there is room");
        if *is_end {
            rec.seal();
        }
    }
    rec
}

/// Calls from all events.
fn plain_calls(rec: &Recording) -> Vec<CallRow> {
    let mut join = CallJoin::new(rec, &[]);
    let all = Filter::default();
    let mut rows: Vec<CallRow> = rec.scan(&all).filter_map(|event| join.push(&event)).collect();
    rows.extend(join.finish());
    rows.sort_by_key(|row| row.call_seq);
    rows
}

/// Messages, calls, first and last by ends.
type Sums = BTreeMap<(Actor, Option<Actor>), (u64, u64, Seq, Seq)>;

fn plain_pairs(rec: &Recording) -> Sums {
    let mut pairs = Sums::new();
    for event in rec.scan(&Filter::default()) {
        let ends = match event.kind {
            Kind::Receive if event.cause.is_some() => continue,
            Kind::Receive => event.peer.map(|sender| (sender, Some(event.process))),
            Kind::Send | Kind::Reply | Kind::SendToDead => Some((event.process, event.peer)),
            _ => continue,
        };
        let Some(ends) = ends else { continue };
        let sums = pairs.entry(ends).or_insert((0, 0, event.seq, event.seq));
        sums.0 += 1;
        sums.1 += u64::from(event.class == Class::Call);
        sums.3 = event.seq;
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn calls_messages_and_pairs_are_those_of_all_events(shapes in vec(shape(), 0..80), n_max in 0usize..40) {
        let rec = recording(&shapes, false);
        let calls = plain_calls(&rec);
        prop_assert_eq!(&latency::calls(&rec, &[]), &calls);

        let mut expected: Vec<MessageRow> = calls.into_iter().map(MessageRow::from).collect();
        expected.extend(flow::plain(&rec));
        expected.sort_by_key(|row| row.seq);
        let of_calls = FlowFilter { classes: vec![Class::Call], ..FlowFilter::default() };
        let of_others = FlowFilter { classes: vec![Class::Cast, Class::Reply], ..FlowFilter::default() };
        for filter in [FlowFilter::default(), of_calls, of_others] {
            let mut wanted: Vec<MessageRow> = expected.iter().filter(|row| filter.matches(row)).cloned().collect();
            let n_more = wanted.len().saturating_sub(n_max) as u64;
            wanted.truncate(n_max);
            prop_assert_eq!(flow::messages(&rec, &[], &filter, n_max), (wanted, n_more));
        }

        let pairs = flow::pairs(&rec, &[]);
        let found = pairs.iter().map(|row| ((row.from, row.to), (row.n_messages, row.n_calls, row.first, row.last)));
        prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), plain_pairs(&rec));
        prop_assert!(pairs.is_sorted_by_key(|row| (std::cmp::Reverse(row.n_messages), row.from, row.to)));
    }

    #[test]
    fn patterns_are_those_of_all_events(shapes in vec(shape(), 0..120), is_sim in any::<bool>()) {
        let rec = recording(&shapes, is_sim);
        let thresholds = Thresholds {
            slow_callback_ns: 1,
            mailbox_growth: 1,
            bottleneck_busy_percent: 1,
            bottleneck_messages: 1,
            restart_storm_restarts: 1,
            restart_storm_window_ns: 1_000_000_000,
            crash_loop_crashes: 1,
        };
        let options = patterns::Options { only: Vec::new(), thresholds };
        let found = patterns::patterns(&rec, &[], &options).expect("all are known");
        prop_assert_eq!(found, patterns::plain(&rec, &options.thresholds));
    }
}
