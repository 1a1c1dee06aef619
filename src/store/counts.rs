//! Counts by key in a table with open addressing. It must not know what is counted.

use std::ops::AddAssign;

/// Counts by key: a table with open addressing. `W` is wide enough for the keys and for the counts.
pub struct Counts<W> {
    /// Key and count; a count of 0 is a free place. A power of two of them, half of them free at least.
    places: Vec<[W; 2]>,
    n_used: usize,
}

impl<W: Copy + Default + PartialEq + AddAssign + From<u32> + Into<u64>> Counts<W> {
    pub fn new() -> Counts<W> {
        Counts { places: vec![[W::default(); 2]; 1024], n_used: 0 }
    }

    #[inline]
    pub fn add(&mut self, key: W, n: W) {
        let place = self.find(key);
        let [found, count] = &mut self.places[place];
        if *count != W::default() {
            *count += n;
            return;
        }
        [*found, *count] = [key, n];
        self.n_used += 1;
        if self.n_used * 2 > self.places.len() {
            self.grow();
        }
    }

    /// The place of a key, or the free one where it belongs.
    #[inline]
    fn find(&self, key: W) -> usize {
        let mask = self.places.len() - 1;
        let hash = key.into().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut place = (hash >> 32) as usize & mask;
        while self.places[place][0] != key && self.places[place][1] != W::default() {
            place = (place + 1) & mask;
        }
        place
    }

    #[cold]
    fn grow(&mut self) {
        let wider = vec![[W::default(); 2]; self.places.len() * 2];
        for pair in std::mem::replace(&mut self.places, wider) {
            if pair[1] != W::default() {
                let place = self.find(pair[0]);
                self.places[place] = pair;
            }
        }
    }

    /// Gives all counts and forgets them.
    pub fn drain(&mut self, mut each: impl FnMut(u64, u64)) {
        for [key, count] in self.places.iter_mut().filter(|[_, count]| *count != W::default()) {
            each((*key).into(), (*count).into());
            *count = W::default();
        }
        self.n_used = 0;
    }
}
