//! Sealing: the open tail becomes an immutable segment. Local numbers go into dictionary order, small numbers are
//! packed, indexes are built, payloads compressed. It runs on the writer's thread (`writer`) and must not know where the
//! segment goes.

use super::columns::{Columns, FAR_BYTES, KIND_CHUNK_EVENTS, far, far_entry};
use super::packed::{BlockedBuf, NIBBLE, Packed, PackedBuf, width_of};
use super::paths::{PathIndex, States};
use super::payloads::Stored;
use super::segment::Segment;
use super::tail::Tail;
use super::{payloads, postings};

/// The widest near cause: an effect is searched among so many events after its cause, the others in a table.
pub const CAUSE_WIDTH_MAX: u32 = 12;

/// The events of `tail` as a sealed segment. `states` are the newest states before it. Costs about 0.1 µs per event and 2 ns
/// per byte of distinct payload.
pub fn seal(tail: &Tail, states: &mut States) -> Segment {
    let open = tail.columns();
    let (stream, ends) = tail.stream();
    let paths = states.index(&open, |number| tail.payload(number));
    seal_columns(&open, payloads::compress(stream, ends), &paths)
}

/// Open columns as a sealed segment, whose payloads are compressed and whose changed paths are known.
pub fn seal_columns(open: &Columns<'_>, stored: Stored, paths: &PathIndex) -> Segment {
    let n = open.len();
    let (actors, actor_places) = ascending(open.actors, |number| u32::from_le_bytes(*number));
    let (tags, tag_places) = ascending(open.tags, |number| u32::from_le_bytes(*number));
    let (calls, call_places) = ascending(open.calls, |key| u64::from_le_bytes(*key));
    let processes: Vec<u16> = renumbered(open.process, n, &actor_places);
    // Peers, tags and calls are numbered from 1: 0, none, stays what it is.
    let peers = renumbered(open.peer, n, &after_none(&actor_places));
    let tags_of = renumbered(open.tag, n, &after_none(&tag_places));
    let calls_of = renumbered(open.call, n, &after_none(&call_places));
    let (process_starts, process_lists) = postings::build(&processes, 0, actors.len());
    let (peer_starts, peer_lists) = postings::build(&peers, 1, actors.len());
    let (tag_starts, tag_lists) = postings::build(&tags_of, 1, tags.len());
    let times = BlockedBuf::of((0..n).map(|idx| open.at_ns(idx)));
    let ends_packed = BlockedBuf::of(open.end_open.iter().map(|end| i64::from(u32::from_le_bytes(*end))));
    let causes = Causes::of(open);
    let kinds = chunk_kinds(open.kind);
    let class = PackedBuf::of_width((0..n).map(|idx| open.class.get(idx) as u64), NIBBLE);
    let [processes, peers, tag_column, call_column] = [processes, peers, tags_of, calls_of].map(|c| PackedBuf::of(&c));
    let payload = PackedBuf::of(&open.payload.to_u16s(n));
    let sealed = Columns {
        start: open.start,
        n_payloads: open.n_payloads,
        time_min: &times.base,
        time_max: open.time_max,
        time_starts: &times.starts,
        time_bits: &times.bits,
        kind: open.kind,
        cause_far: &causes.far,
        cause_order: &causes.order,
        meta: open.meta,
        actors: &actors,
        tags: &tags,
        calls: &calls,
        end_base: &ends_packed.base,
        end_starts: &ends_packed.starts,
        end_bits: &ends_packed.bits,
        blocks: &stored.blocks,
        gram_starts: &stored.gram_starts,
        grams: &stored.grams,
        process_starts: &process_starts,
        process_lists: &process_lists,
        peer_starts: &peer_starts,
        peer_lists: &peer_lists,
        tag_starts: &tag_starts,
        tag_lists: &tag_lists,
        chunk_kinds: &kinds,
        path_keys: &paths.keys,
        path_starts: &paths.starts,
        path_list: &paths.list,
        class: class.view(),
        process: processes.view(),
        peer: peers.view(),
        tag: tag_column.view(),
        call: call_column.view(),
        cause: causes.near.view(),
        payload: payload.view(),
        ..Columns::default()
    };
    Segment::seal(&sealed, stored.bytes)
}

/// A column of local numbers as the numbers that `places` has for them.
fn renumbered(column: Packed<'_>, n: usize, places: &[u16]) -> Vec<u16> {
    let mut numbers = column.to_u16s(n);
    numbers.iter_mut().for_each(|number| *number = places[usize::from(*number)]);
    numbers
}

/// The same places for numbers from 1, with 0 for none.
fn after_none(places: &[u16]) -> Vec<u16> {
    std::iter::once(0).chain(places.iter().map(|place| place + 1)).collect()
}

fn chunk_kinds(kinds: &[[u8; 1]]) -> Vec<[u8; 8]> {
    let bits = |chunk: &[[u8; 1]]| chunk.iter().fold(0u64, |bits, kind| bits | 1 << kind[0]);
    kinds.chunks(KIND_CHUNK_EVENTS).map(|chunk| bits(chunk).to_le_bytes()).collect()
}

/// Causes as near distances and a table of the far ones.
struct Causes {
    near: PackedBuf,
    far: Vec<[u8; FAR_BYTES]>,
    order: Vec<[u8; 2]>,
}

impl Causes {
    fn of(open: &Columns<'_>) -> Causes {
        let distance = |idx: usize| open.cause(idx).map_or(0, |cause| open.start + idx as u64 - cause.0);
        let distances: Vec<u64> = (0..open.len()).map(distance).collect();
        let width = best_width(&distances);
        let escape = (1u64 << width) - 1;
        let is_far = |distance: u64| distance >= escape && distance > 0;
        let far_of = distances.iter().enumerate().filter(|(_, distance)| is_far(**distance));
        let far_table: Vec<[u8; FAR_BYTES]> = far_of.map(|(idx, distance)| far_entry(idx, *distance)).collect();
        let mut order: Vec<u16> = (0..far_table.len()).map(|place| place as u16).collect();
        order.sort_by_key(|place| {
            let (idx, distance) = far(&far_table[usize::from(*place)]);
            open.start + idx as u64 - distance
        });
        // The widest value says "far", so it must fit even when no distance is that long.
        let near = distances.iter().map(|distance| if is_far(*distance) { escape } else { *distance });
        Causes {
            near: PackedBuf::of_width(near, width),
            far: far_table,
            order: order.iter().map(|place| place.to_le_bytes()).collect(),
        }
    }
}

/// The width at which near and far causes together take the fewest bits.
fn best_width(distances: &[u64]) -> u32 {
    let mut n_by_width = [0usize; 65];
    distances.iter().for_each(|distance| n_by_width[width_of(distance + u64::from(*distance > 0)) as usize] += 1);
    let cost = |width: u32| {
        let n_far: usize = n_by_width[width as usize + 1..].iter().sum();
        distances.len() * width as usize + n_far * (FAR_BYTES + 2) * 8
    };
    (1..=CAUSE_WIDTH_MAX).min_by_key(|width| cost(*width)).unwrap_or(CAUSE_WIDTH_MAX)
}

/// Items in ascending order, and for each old place its new one.
fn ascending<const N: usize, K: Ord>(items: &[[u8; N]], key: impl Fn(&[u8; N]) -> K) -> (Vec<[u8; N]>, Vec<u16>) {
    let mut order: Vec<u16> = (0..items.len()).map(|place| place as u16).collect();
    order.sort_unstable_by_key(|place| key(&items[usize::from(*place)]));
    let mut places = vec![0; items.len()];
    for (new, old) in (0u16..).zip(&order) {
        places[usize::from(*old)] = new;
    }
    (order.iter().map(|old| items[usize::from(*old)]).collect(), places)
}
