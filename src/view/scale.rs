//! The space-time axis as numbers: half clock, half event order, idle gaps cut. Clock alone would crowd bursts
//! into nothing, order alone would hide who waited; half of each keeps both readable.

use super::{At, Gap};

/// Share of the busy time that a cut gap keeps.
const GAP_SHARE: f64 = 0.02;
/// Gaps cut in one picture.
const GAPS_MAX: usize = 8;
/// A gap that takes more than this share of the time that is left dominates the picture.
const DOMINATES_SHARE: f64 = 0.25;
/// Gaps of like length are cut together or not at all: the next shorter one is below this ratio.
const LIKE_RATIO: f64 = 0.5;

/// Maps moments to 0..1, monotone in event order.
#[derive(Clone, Copy, Debug)]
pub struct TimeScale<'a> {
    moments: &'a [At],
    gaps: &'a [Gap],
    first_ns: i64,
    /// From the first to the last moment with gaps shortened.
    pub total_ns: f64,
    gap_ns: f64,
}

impl<'a> TimeScale<'a> {
    /// `moments` ascending in seq and clock; `gaps` ascending and disjoint.
    pub fn new(moments: &'a [At], gaps: &'a [Gap]) -> TimeScale<'a> {
        let first_ns = moments.first().map_or(0, |at| at.at_ns);
        let last_ns = moments.last().map_or(0, |at| at.at_ns);
        let cut_ns: i64 = gaps.iter().map(|gap| gap.to_ns - gap.from_ns).sum();
        let busy_ns = (last_ns - first_ns - cut_ns).max(0) as f64;
        let gap_ns = busy_ns * GAP_SHARE;
        TimeScale { moments, gaps, first_ns, total_ns: busy_ns + gap_ns * gaps.len() as f64, gap_ns }
    }

    /// Position of an event.
    pub fn share(&self, at: At) -> f64 {
        let rank = self.moments.partition_point(|m| m.seq < at.seq) as f64;
        self.mixed(at.at_ns, rank)
    }
    /// Position of a clock value, between the moments around it.
    pub fn share_of_ns(&self, at_ns: i64) -> f64 {
        let next = self.moments.partition_point(|m| m.at_ns < at_ns);
        let rank = match (next.checked_sub(1).and_then(|idx| self.moments.get(idx)), self.moments.get(next)) {
            (Some(before), Some(after)) if after.at_ns > before.at_ns => {
                (next - 1) as f64 + (at_ns - before.at_ns) as f64 / (after.at_ns - before.at_ns) as f64
            }
            _ => next as f64,
        };
        self.mixed(at_ns, rank)
    }

    fn mixed(&self, at_ns: i64, rank: f64) -> f64 {
        let n_steps = self.moments.len().saturating_sub(1).max(1) as f64;
        let by_order = (rank / n_steps).clamp(0.0, 1.0);
        let by_time =
            if self.total_ns > 0.0 { (self.shortened(at_ns) / self.total_ns).clamp(0.0, 1.0) } else { by_order };
        (by_time + by_order) / 2.0
    }
    /// Nanoseconds since the first moment with gaps shortened.
    fn shortened(&self, at_ns: i64) -> f64 {
        let mut total = (at_ns - self.first_ns) as f64;
        for gap in self.gaps.iter().take_while(|gap| gap.from_ns < at_ns) {
            let passed = (at_ns.min(gap.to_ns) - gap.from_ns) as f64;
            let whole = (gap.to_ns - gap.from_ns) as f64;
            total -= passed - self.gap_ns * passed / whole;
        }
        total
    }
}

/// Collects the clock's longest pauses while moments pass by, in constant memory.
#[derive(Clone, Debug, Default)]
pub struct GapFinder {
    first_ns: Option<i64>,
    last_ns: i64,
    /// The longest so far, longest first; one more than [`GAPS_MAX`].
    longest: Vec<Gap>,
}

impl GapFinder {
    /// Takes the next moment's clock; clocks that step back are ignored.
    pub fn push(&mut self, at_ns: i64) {
        let before_ns = if self.first_ns.is_none() { at_ns } else { self.last_ns };
        self.push_pause(before_ns, at_ns);
    }

    /// Takes a pause that is known to be one; the time before it is no pause.
    pub fn push_pause(&mut self, from_ns: i64, to_ns: i64) {
        if self.first_ns.is_none() {
            self.first_ns = Some(from_ns);
            self.last_ns = from_ns;
        }
        let gap = Gap { from_ns: from_ns.max(self.last_ns), to_ns };
        self.last_ns = self.last_ns.max(to_ns);
        if gap.from_ns >= gap.to_ns {
            return;
        }
        let length = |gap: &Gap| gap.to_ns - gap.from_ns;
        let idx = self.longest.partition_point(|other| length(other) >= length(&gap));
        if idx <= GAPS_MAX {
            self.longest.insert(idx, gap);
            self.longest.truncate(GAPS_MAX + 1);
        }
    }

    /// The gaps to cut, ascending in time: the longest ones, until none that is left dominates.
    pub fn finish(self) -> Vec<Gap> {
        let length = |gap: &Gap| gap.to_ns - gap.from_ns;
        let mut left_ns = self.last_ns - self.first_ns.unwrap_or(self.last_ns);
        let mut n_cut = 0;
        for (n, gap) in self.longest.iter().enumerate() {
            let is_apart = n == 0 || (length(gap) as f64) < LIKE_RATIO * length(&self.longest[n - 1]) as f64;
            if is_apart {
                n_cut = n;
            }
            let dominates = length(gap) as f64 > DOMINATES_SHARE * left_ns as f64;
            if is_apart && !dominates || length(gap) == left_ns {
                break;
            }
            left_ns -= length(gap);
        }
        let mut cut = self.longest;
        cut.truncate(n_cut);
        cut.sort_by_key(|gap| gap.from_ns);
        cut
    }
}

#[cfg(test)]
mod tests;
