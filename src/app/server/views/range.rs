//! What happened in a stretch that somebody selected, in sum: how much, by whom, between whom, and what stands out.

use std::cmp::Reverse;

use serde_json::{Value as Json, json};

use super::Wanted;
use crate::analysis::pyramid::{Detail, Group, Pair};
use crate::app::server::glass::Glass;
use crate::app::server::problem::Problem;
use crate::app::server::stage::Stage;
use crate::model::{Actor, Seq};

/// Processes, and pairs of them, that are named: the busiest.
const BUSIEST: usize = 8;
/// Crashes, timeouts and the like that are named.
const NOTABLE_MAX: usize = 20;

pub fn make(stage: &Stage, glass: &Glass, wanted: &Wanted) -> Result<Json, Problem> {
    let ranges = glass.seqs_of(wanted.ranks(glass)?);
    let (names, rec) = (glass.names(), &glass.recording);
    let pyramid = stage.pyramid();
    let mut groups = [0; 4];
    let (mut actors, mut pairs, mut notable) = (Vec::new(), Vec::new(), Vec::new());
    for range in &ranges {
        let counts = pyramid.counts(rec, range.clone(), Detail::Actors);
        groups.iter_mut().zip(counts.groups).for_each(|(sum, n)| *sum += n);
        actors.extend(counts.actors);
        pairs.extend(pyramid.counts(rec, range.clone(), Detail::Pairs).pairs);
        notable.extend(pyramid.notable(rec, range.clone(), NOTABLE_MAX - notable.len().min(NOTABLE_MAX)));
    }
    drop(pyramid);
    let at_ns = |seq: Option<u64>| seq.and_then(|seq| rec.event(Seq(seq))).map(|event| event.at_ns);
    let last = Seq(ranges.last().map_or(0, |range| range.end - 1));
    let name = |actor: Actor| json!({ "process": actor.to_string(), "name": names.at(actor, last) });
    let busiest = |(actor, n): &(Actor, u64)| json!({ "of": name(*actor), "n": n });
    let pair = |((from, to, class), n): &(Pair, u64)| json!({ "from": name(*from), "to": name(*to), "class": class.as_str(), "n": n });
    Ok(json!({
        "n_events": ranges.iter().map(|range| range.end - range.start).sum::<u64>(),
        "from_ns": at_ns(ranges.first().map(|range| range.start)),
        "to_ns": at_ns(ranges.last().map(|range| range.end - 1)),
        "groups": Group::ALL.iter().zip(groups).map(|(group, n)| json!([group, n])).collect::<Vec<_>>(),
        "n_processes": actors.len(),
        "busiest": most(&mut actors).iter().map(busiest).collect::<Vec<_>>(),
        "pairs": most(&mut pairs).iter().map(pair).collect::<Vec<_>>(),
        "notable": notable.iter().map(|event| {
            json!({ "seq": event.seq.0, "kind": event.kind.as_str(), "process": names.at(event.process, event.seq) })
        }).collect::<Vec<_>>(),
    }))
}

/// Rows of the same thing added up; the largest, in the same order for the same counts.
fn most<T: Copy + Ord>(rows: &mut Vec<(T, u64)>) -> &[(T, u64)] {
    rows.sort_unstable_by_key(|(item, _)| *item);
    rows.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        kept.1 += if is_same { next.1 } else { 0 };
        is_same
    });
    rows.sort_by_key(|(_, n)| Reverse(*n));
    &rows[..rows.len().min(BUSIEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_from_two_stretches_is_added_up() {
        let mut rows = vec![("b", 2), ("a", 1), ("c", 9), ("a", 4)];
        assert_eq!(most(&mut rows), [("c", 9), ("a", 5), ("b", 2)]);
    }
}
