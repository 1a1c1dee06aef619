//! Named measurements of one section: medians of several rounds, ratios to a baseline.
//! It must not know what is measured.

use std::time::{Duration, Instant};

use super::Options;
use crate::view::{Cell, Table};

/// The measurements of one section, on their way to a table.
pub struct Section {
    n_rounds: usize,
    /// The first measurement of each unit: unit, name, ns per unit.
    baselines: Vec<(String, String, f64)>,
    table: Table,
}

/// Runs `work` once and gives what it made and how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let made = work();
    (made, begin.elapsed())
}

/// CPU time of all threads of this process so far, in ns.
fn cpu_time_ns() -> f64 {
    clock_ns(rustix::time::ClockId::ProcessCPUTime)
}

/// CPU time of this thread so far, in ns.
pub fn thread_time_ns() -> f64 {
    clock_ns(rustix::time::ClockId::ThreadCPUTime)
}

fn clock_ns(clock: rustix::time::ClockId) -> f64 {
    let time = rustix::time::clock_gettime(clock);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// As [`timed`], in ns of CPU time: what other programs do meanwhile does not count, what other threads of ours do does.
pub fn cpu_timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begin_ns = cpu_time_ns();
    let made = work();
    (made, cpu_time_ns() - begin_ns)
}

/// The median of `n_rounds` measurements.
pub fn median_of(n_rounds: usize, mut round: impl FnMut() -> f64) -> f64 {
    let mut rounds: Vec<f64> = (0..n_rounds.max(1)).map(|_| round()).collect();
    rounds.sort_unstable_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

impl Section {
    /// An empty section; its measurements take 5 rounds each, or 3 when quick.
    pub fn new(title: &str, options: &Options) -> Section {
        let columns = ["name", ">per_unit", "unit", ">units_per_s", ">ratio", "aim", "met"];
        let mut table = Table::new(title, &columns);
        if cfg!(debug_assertions) {
            table = table.note("this is a debug build: the figures say nothing");
        }
        Section { n_rounds: if options.is_quick { 3 } else { 5 }, baselines: Vec::new(), table }
    }

    /// How many rounds a measurement has.
    pub fn n_rounds(&self) -> usize {
        self.n_rounds
    }

    /// Measures `round`, which does `n_units` of work and says how long that took (see [`timed`]; what it
    /// prepares is not counted). The first measurement of a unit is its baseline. Gives ns per unit.
    pub fn measure(&mut self, name: &str, unit: &str, n_units: u64, mut round: impl FnMut() -> Duration) -> f64 {
        let mut rounds: Vec<Duration> = (0..self.n_rounds).map(|_| round()).collect();
        rounds.sort_unstable();
        self.record(name, unit, n_units, rounds[rounds.len() / 2])
    }

    /// As [`Section::measure`], of work that was timed once (a peer in another process).
    pub fn record(&mut self, name: &str, unit: &str, n_units: u64, took: Duration) -> f64 {
        let unit_ns = took.as_nanos() as f64 / n_units.max(1) as f64;
        let known = self.baselines.iter().find(|(of_unit, ..)| of_unit == unit);
        let baseline_ns = known.map_or(unit_ns, |(.., ns)| *ns);
        if known.is_none() {
            self.baselines.push((unit.to_string(), name.to_string(), unit_ns));
        }
        let ratio = unit_ns / baseline_ns.max(f64::MIN_POSITIVE);
        let per_s = if unit_ns > 0.0 { Cell::Int((1e9 / unit_ns) as i64) } else { Cell::Empty };
        let per_unit = if unit_ns < 100.0 { Cell::Text(format!("{unit_ns:.2} ns")) } else { Cell::Ns(unit_ns as i64) };
        let ratio = Cell::Text(format!("{ratio:.3}"));
        self.table.push(vec![text(name), per_unit, text(unit), per_s, ratio, Cell::Empty, Cell::Empty]);
        unit_ns
    }

    /// Compares the last measurement with what it should be at most, in ns per unit.
    pub fn aim_ns(&mut self, unit_ns: f64, unit_ns_max: f64) {
        if let Some(row) = self.table.rows.last_mut() {
            row[5] = Cell::Ns(unit_ns_max as i64);
            row[6] = Cell::Bool(unit_ns <= unit_ns_max);
        }
    }

    /// Compares the last measurement with a number of units per second that it should reach.
    pub fn aim_per_s(&mut self, unit_ns: f64, per_s_min: f64) {
        self.aim_ns(unit_ns, 1e9 / per_s_min);
    }

    /// Adds a figure that is not a time: bytes per event.
    pub fn figure(&mut self, name: &str, value: f64, unit: &str) {
        let value = text(&format!("{value:.1}"));
        self.table.push(vec![text(name), value, text(unit), Cell::Empty, Cell::Empty, Cell::Empty, Cell::Empty]);
    }

    /// Says what the figures rest on, or which peer is missing and why.
    pub fn note(&mut self, text: impl Into<String>) {
        self.table.notes.push(text.into());
    }

    /// The table; a unit that was measured once has no ratio.
    pub fn finish(mut self) -> Table {
        let n_of = |rows: &[Vec<Cell>], unit: &str| rows.iter().filter(|row| row[2] == text(unit)).count();
        let is_compared = |unit: &str| n_of(&self.table.rows, unit) > 1;
        let (compared, alone): (Vec<_>, Vec<_>) = self.baselines.iter().partition(|(unit, ..)| is_compared(unit));
        let names: Vec<String> = compared.iter().map(|(unit, name, _)| format!("{name:?} per {unit}")).collect();
        for row in &mut self.table.rows {
            if alone.iter().any(|(unit, ..)| row[2] == text(unit)) {
                row[4] = Cell::Empty;
            }
        }
        self.table.notes.push(format!("ratio: against {}", names.join(", ")));
        self.table
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_string())
}
