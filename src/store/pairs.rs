//! Counts by process and peer. The pairs of a part are counted in a table with a byte for each pair of its actors, which
//! stays in the cache, or by key where they are few among many actors; then they are put to their process, in a list which is
//! summed up when it has become twice as long. It must not know names.

use super::columns::Columns;
use super::counts::Counts;
use super::scan::{Candidates, Plan};

/// So many cells are less work than a look-up by key for each event.
const CELLS_PER_EVENT: usize = 32;
/// Cells that are passed over at once when all are empty.
const BLOCK: usize = 64;
/// Entries of a process from which on they are summed up.
const ENTRIES_MIN: usize = 64;

/// Counts so far.
pub struct PairCounts {
    /// By the dictionary number of the process.
    processes: Vec<Entries>,
    /// By peer, of one process: 0 between two.
    sums: Vec<u64>,
    cells: Cells,
    /// By pair of local numbers, in one part.
    sparse: Counts<u32>,
    /// The numbers of a part's processes and peers.
    read: [Vec<u16>; 2],
}

/// Peers of a process (as dictionary numbers plus one; 0: none) with how often they were there; a peer may come more than once.
#[derive(Clone, Default)]
struct Entries {
    entries: Vec<(u32, u64)>,
    /// How many there were after they were summed up.
    n_peers: usize,
}

impl PairCounts {
    pub fn new() -> PairCounts {
        let (cells, sparse) = (Cells::default(), Counts::new());
        PairCounts { processes: Vec::new(), sums: Vec::new(), cells, sparse, read: Default::default() }
    }

    /// Counts the events of a plan.
    pub fn add(&mut self, plan: &Plan<'_>) {
        let columns = &plan.columns;
        let peers = Peers::of(columns);
        self.reserve(&peers);
        let n_actors = columns.actors.len();
        if Cells::len(n_actors) <= CELLS_PER_EVENT * plan.candidates.len() {
            self.cells.resize(n_actors);
            let cells = &mut self.cells;
            each_pair(plan, &mut self.read, |process, peer| cells.add(process, peer));
            self.cells.drain(|process, peer, n| {
                self.processes[peers.process(process)].entries.push((peers.0[peer], n));
            });
        } else {
            let pairs = &mut self.sparse;
            each_pair(plan, &mut self.read, |process, peer| pairs.add((process as u32) << 16 | peer as u32, 1));
            self.sparse.drain(|pair, n| {
                let (process, peer) = ((pair >> 16) as usize, (pair & 0xFFFF) as usize);
                self.processes[peers.process(process)].entries.push((peers.0[peer], n));
            });
        }
        for process in 0..n_actors {
            let entries = &mut self.processes[peers.process(process)];
            if entries.entries.len() > ENTRIES_MIN.max(entries.n_peers * 2) {
                entries.sum_up(&mut self.sums);
            }
        }
    }

    fn reserve(&mut self, peers: &Peers) {
        let n_numbers = peers.0.iter().max().map_or(0, |most| *most as usize + 1);
        if self.sums.len() < n_numbers {
            self.sums.resize(n_numbers, 0);
            self.processes.resize(n_numbers, Entries::default());
        }
    }

    /// Gives all counts, by dictionary numbers, the peer's plus one, and forgets them.
    pub fn drain(&mut self, mut each: impl FnMut(u32, u32, u64)) {
        for (process, mut entries) in (0..).zip(self.processes.drain(..)) {
            entries.sum_up(&mut self.sums);
            entries.entries.iter().for_each(|(peer, n)| each(process, *peer, *n));
        }
        self.sums.clear();
    }
}

/// Gives the local numbers of each event's process and peer (this one plus one; 0: none).
fn each_pair(plan: &Plan<'_>, read: &mut [Vec<u16>; 2], mut each: impl FnMut(usize, usize)) {
    let columns = &plan.columns;
    let ([], Candidates::Ranges(ranges)) = (&plan.tests[..], &plan.candidates) else {
        return plan.each(|idx| each(columns.process.get(idx), columns.peer.get(idx)));
    };
    for (column, read) in [columns.process, columns.peer].into_iter().zip(&mut *read) {
        column.read_u16s(columns.len(), read);
    }
    let [processes, peers] = read;
    for range in ranges.iter().map(|range| range.start as usize..range.end as usize) {
        let pairs = processes[range.clone()].iter().zip(&peers[range]);
        pairs.for_each(|(process, peer)| each(usize::from(*process), usize::from(*peer)));
    }
}

/// Dictionary numbers plus one by local numbers plus one; 0 is none.
struct Peers(Vec<u32>);

impl Peers {
    fn of(columns: &Columns<'_>) -> Peers {
        Peers(std::iter::once(0).chain(columns.actors.iter().map(|actor| u32::from_le_bytes(*actor) + 1)).collect())
    }
    fn process(&self, local: usize) -> usize {
        self.0[local + 1] as usize - 1
    }
}

impl Entries {
    /// Leaves one entry for each peer. `sums` are 0.
    fn sum_up(&mut self, sums: &mut [u64]) {
        let mut n_peers = 0;
        for place in 0..self.entries.len() {
            let (peer, n) = self.entries[place];
            let sum = &mut sums[peer as usize];
            self.entries[n_peers].0 = peer;
            n_peers += usize::from(*sum == 0);
            *sum += n;
        }
        self.entries.truncate(n_peers);
        self.entries.iter_mut().for_each(|(peer, n)| *n = std::mem::take(&mut sums[*peer as usize]));
        self.n_peers = n_peers;
    }
}

/// The counts of a part: a row of bytes for each process, with a byte for each peer.
#[derive(Default)]
struct Cells {
    all: Vec<u8>,
    row_len: usize,
    /// Cells that were full, and began at 0 again.
    full: Vec<usize>,
}

impl Cells {
    /// So many cells there are for so many actors.
    fn len(n_actors: usize) -> usize {
        Cells::row_len(n_actors) * n_actors
    }
    fn row_len(n_actors: usize) -> usize {
        (n_actors + 1).next_multiple_of(BLOCK)
    }
    /// Takes cells for so many actors, all 0.
    fn resize(&mut self, n_actors: usize) {
        self.row_len = Cells::row_len(n_actors);
        self.all.resize(Cells::len(n_actors), 0);
    }

    #[inline]
    fn add(&mut self, process: usize, peer: usize) {
        let cell = process * self.row_len + peer;
        let n = &mut self.all[cell];
        *n = n.wrapping_add(1);
        if *n == 0 {
            self.full.push(cell);
        }
    }

    /// Gives process, peer and count of what was counted, and empties the cells.
    fn drain(&mut self, mut each: impl FnMut(usize, usize, u64)) {
        for cell in self.full.drain(..) {
            each(cell / self.row_len, cell % self.row_len, 1 << u8::BITS);
        }
        for (process, row) in self.all.chunks_exact_mut(self.row_len).enumerate() {
            for (block, cells) in row.as_chunks_mut::<BLOCK>().0.iter_mut().enumerate() {
                if cells.iter().fold(0, |all, n| all | n) == 0 {
                    continue;
                }
                for (word, cells) in cells.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                    let mut left = u64::from_le_bytes(std::mem::take(cells));
                    while left != 0 {
                        let shift = left.trailing_zeros() & !7;
                        each(process, block * BLOCK + word * 8 + shift as usize / 8, left >> shift & 0xFF);
                        left &= !(0xFF << shift);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use crate::model::{Actor, Filter, Kind, NewEvent, Pid};
    use crate::store::{By, GroupKey, Recording, Selection};

    /// Process, peer (0: none), how often in a row.
    fn run() -> impl Strategy<Value = (u32, u32, u16)> {
        let few = (0u32..3, 0u32..3, 0u16..600);
        let many = (0u32..200, 0u32..200, 0u16..4);
        prop_oneof![1 => few, 9 => many]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn pairs_are_counted_as_one_by_one(parts in proptest::collection::vec(proptest::collection::vec(run(), 0..80), 1..8)) {
            let mut recording = Recording::default();
            let mut expected: BTreeMap<GroupKey, u64> = BTreeMap::new();
            for part in parts {
                for (process, peer, n) in part {
                    let process = Actor::from(Pid::local(process));
                    let peer = (peer > 0).then(|| Actor::from(Pid::local(peer)));
                    for _ in 0..n {
                        let event = NewEvent { peer, ..NewEvent::new(1, Kind::Send, Pid::local(0)) };
                        recording.append(&NewEvent { process, ..event }).expect("there is room");
                        *expected.entry(GroupKey::Pair(process, peer)).or_default() += 1;
                    }
                }
                recording.seal();
            }
            let everything = Filter::default();
            let groups = recording.group(&Selection::of(&everything), By::Pair, usize::MAX);
            prop_assert_eq!(groups.largest.len(), expected.len());
            prop_assert_eq!(groups.largest.into_iter().collect::<BTreeMap<_, _>>(), expected);
        }
    }
}
