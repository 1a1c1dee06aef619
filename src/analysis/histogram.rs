//! Histograms of durations and sizes, made in one pass: values are counted between fine edges, from which coarser bins are
//! made when all are known. It must not know what the values mean.

use serde::Serialize;

/// A bin of a histogram: `from_ns <= duration < to_ns` (the last one includes its end).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    pub from_ns: i64,
    pub to_ns: i64,
    pub n: u64,
}

/// Fine edges: 0, 1, 2, 5, 10 .. and the largest number.
const EDGES: [i64; N_BINS + 1] = {
    let mut edges = [0; N_BINS + 1];
    let (mut decade, mut place) = (1i64, 1);
    while place < N_BINS {
        edges[place] = decade;
        edges[place + 1] = decade * 2;
        edges[place + 2] = decade * 5;
        // The last step leaves 10^18 what it is: there is no 10^19.
        decade = decade.saturating_mul(10);
        place += 3;
    }
    edges[N_BINS] = i64::MAX;
    edges
};
/// 0..1, three a decade of 19.
const N_BINS: usize = 1 + 19 * 3;

/// Values counted so far. Negative ones count as 0.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: [u64; N_BINS],
    min: i64,
    max: i64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { counts: [0; N_BINS], min: i64::MAX, max: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, value: i64) {
        let value = value.max(0);
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
        let place = EDGES.partition_point(|edge| *edge <= value);
        self.counts[place.min(N_BINS) - 1] += 1;
    }

    /// Bins with edges at 1, 2, 5, 10 .., or at powers of a higher base when those would be more than `n_bins`;
    /// from the smallest to the largest value, the empty ones between included.
    pub fn bins(&self, n_bins: usize) -> Vec<Bin> {
        if self.min > self.max {
            return Vec::new();
        }
        let candidates = (0..).map(|coarseness| empty_bins(self.min, self.max, coarseness));
        let mut fitting = candidates.skip_while(|bins| bins.len() > n_bins.max(1));
        let mut bins = fitting.next().expect("coarse enough edges make one bin");
        for (from, n) in EDGES.iter().zip(&self.counts).filter(|(_, n)| **n > 0) {
            // Coarse edges are fine ones: a fine bin lies in one coarse bin.
            let idx = bins.partition_point(|bin| bin.to_ns <= *from).min(bins.len() - 1);
            bins[idx].n += n;
        }
        bins
    }
}

/// The bins of some values; see [`Histogram::bins`].
pub fn histogram(values: &[i64], n_bins: usize) -> Vec<Bin> {
    let mut histogram = Histogram::default();
    values.iter().for_each(|value| histogram.add(*value));
    histogram.bins(n_bins)
}

/// Bins over `min..=max`: three a decade, one a decade, one every two decades, .., one.
fn empty_bins(min: i64, max: i64, coarseness: u32) -> Vec<Bin> {
    let steps: &[i64] = if coarseness == 0 { &[1, 2, 5] } else { &[1] };
    let ratio = 10i64.saturating_pow(coarseness.max(1));
    let mut edges = vec![0];
    let mut decade = 1i64;
    while ratio < i64::MAX && edges.last().is_some_and(|&edge| edge <= max && edge < i64::MAX) {
        edges.extend(steps.iter().map(|step| decade.saturating_mul(*step)));
        decade = decade.saturating_mul(ratio);
    }
    if ratio == i64::MAX {
        edges.push(i64::MAX);
    }
    let bins = edges.windows(2).map(|edge| Bin { from_ns: edge[0], to_ns: edge[1], n: 0 });
    bins.filter(|bin| bin.to_ns > min && bin.from_ns <= max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_cover_every_value_once() {
        let shape = |values: &[i64], n_bins| -> Vec<(i64, i64, u64)> {
            histogram(values, n_bins).iter().map(|b| (b.from_ns, b.to_ns, b.n)).collect()
        };
        assert_eq!(shape(&[3, 4, 30], 10), [(2, 5, 2), (5, 10, 0), (10, 20, 0), (20, 50, 1)]);
        assert_eq!(shape(&[3, 4, 30], 2), [(1, 10, 2), (10, 100, 1)]);
        assert_eq!(shape(&[0, 5_000_000, i64::MAX], 1), [(0, i64::MAX, 3)]);
        assert_eq!(shape(&[], 5), []);
        assert_eq!(shape(&[-7, 0], 5), [(0, 1, 2)]);
        for n_bins in 1..60 {
            let values: Vec<i64> = (0..1000).map(|n| n * n * n * 17).chain([i64::MAX, i64::MIN]).collect();
            let bins = histogram(&values, n_bins);
            assert!(bins.len() <= n_bins && bins.iter().map(|b| b.n).sum::<u64>() == 1002, "{n_bins}: {bins:?}");
            let is_between = |bin: &Bin, value: &i64| bin.from_ns <= (*value).max(0) && (*value).max(0) < bin.to_ns;
            let inner = &bins[..bins.len() - 1];
            assert!(
                inner.iter().all(|bin| bin.n == values.iter().filter(|value| is_between(bin, value)).count() as u64)
            );
        }
    }
}
