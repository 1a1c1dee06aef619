//! Who sent how much to whom: sums of messages by sender and receiver, put together part by part in local numbers, then by those
//! of the dictionary. It must not know names.

use rustc_hash::FxHashMap;

use super::Recording;
use super::columns::Columns;
use super::plan::{Query, Selection};
use super::scan::Plan;
use crate::model::{Actor, Class, Filter, Kind, Seq};

/// The messages from one process to another: those that were sent, and arrivals whose sends were not recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    pub from: Actor,
    /// `None`: a name that nobody held.
    pub to: Option<Actor>,
    pub sums: Sums,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    pub n_calls: u64,
    pub n_casts: u64,
    pub n_replies: u64,
    pub n_others: u64,
    /// Sent to the dead.
    pub n_dead: u64,
    pub size_bytes: u64,
    pub first: Seq,
    pub last: Seq,
}

/// Which arrivals and sends of a scope went from whom to whom, in order of the first.
pub fn traffic(recording: &Recording, scope: &[std::ops::Range<u64>]) -> Vec<Traffic> {
    let kinds = [Kind::Send, Kind::Reply, Kind::SendToDead, Kind::Receive];
    let filter = Filter { ranges: scope.to_vec(), ..Filter::kinds(&kinds) };
    let query = Query::new(recording, &Selection::of(&filter));
    // Sender, and receiver plus one (0: none).
    let mut all: Table<(u32, u32)> = Table::default();
    let mut of_part: Table<(u16, u16)> = Table::default();
    for plan in (0..recording.n_parts()).filter_map(|part| query.plan_whole(part)) {
        add_part(&plan, &mut of_part);
        let number = |local: u16| u32::from_le_bytes(plan.columns.actors[usize::from(local)]);
        for ((from, to), sums) in of_part.rows.drain(..) {
            let to = to.checked_sub(1).map_or(0, |to| number(to) + 1);
            all.entry((number(from), to), sums.first).add(&sums);
        }
        of_part.places.clear();
    }
    let actors = recording.dictionaries.actors.items();
    let row = |((from, to), sums): ((u32, u32), Sums)| {
        let to = to.checked_sub(1).map(|to| actors[to as usize]);
        Traffic { from: actors[from as usize], to, sums }
    };
    all.rows.into_iter().map(row).collect()
}

fn add_part(plan: &Plan<'_>, table: &mut Table<(u16, u16)>) {
    let columns = &plan.columns;
    let sizes = plan.payload_sizes();
    plan.each(|idx| {
        let Some(ends) = ends(columns, idx) else { return };
        let size_bytes = match &sizes {
            Some(sizes) => sizes[columns.payload.get(idx)],
            None => columns.size_bytes(idx),
        };
        let seq = Seq(columns.start + idx as u64);
        let is_of = |class: Class| u64::from(columns.class.get(idx) == class as usize);
        let (n_calls, n_casts, n_replies) = (is_of(Class::Call), is_of(Class::Cast), is_of(Class::Reply));
        table.entry(ends, seq).add(&Sums {
            n_calls,
            n_casts,
            n_replies,
            n_others: 1 - n_calls - n_casts - n_replies,
            n_dead: u64::from(columns.kind[idx][0] == Kind::SendToDead as u8),
            size_bytes: size_bytes.into(),
            first: seq,
            last: seq,
        });
    });
}

/// Local numbers of sender, and of receiver plus one (0: none); `None` for an arrival that was counted when it was sent, or
/// whose sender is not known.
fn ends(columns: &Columns<'_>, idx: usize) -> Option<(u16, u16)> {
    let (process, peer) = (columns.process.get(idx) as u16, columns.peer.get(idx) as u16);
    if columns.kind[idx][0] != Kind::Receive as u8 {
        return Some((process, peer));
    }
    if columns.cause.get(idx) != 0 {
        return None;
    }
    Some((peer.checked_sub(1)?, process + 1))
}

/// Sums by ends, in order of the first.
struct Table<K> {
    places: FxHashMap<K, u32>,
    rows: Vec<(K, Sums)>,
}

impl<K> Default for Table<K> {
    fn default() -> Table<K> {
        Table { places: FxHashMap::default(), rows: Vec::new() }
    }
}

impl<K: Copy + Eq + std::hash::Hash> Table<K> {
    fn entry(&mut self, ends: K, first: Seq) -> &mut Sums {
        let place = *self.places.entry(ends).or_insert_with(|| {
            self.rows.push((ends, Sums::none(first)));
            self.rows.len() as u32 - 1
        });
        &mut self.rows[place as usize].1
    }
}

impl Sums {
    fn none(first: Seq) -> Sums {
        let (n_calls, n_casts, n_replies, n_others, n_dead, size_bytes) = Default::default();
        Sums { n_calls, n_casts, n_replies, n_others, n_dead, size_bytes, first, last: first }
    }

    /// Adds what came later.
    fn add(&mut self, later: &Sums) {
        self.n_calls += later.n_calls;
        self.n_casts += later.n_casts;
        self.n_replies += later.n_replies;
        self.n_others += later.n_others;
        self.n_dead += later.n_dead;
        self.size_bytes += later.size_bytes;
        self.last = later.last;
    }

    pub fn n_messages(&self) -> u64 {
        self.n_calls + self.n_casts + self.n_replies + self.n_others
    }
}
