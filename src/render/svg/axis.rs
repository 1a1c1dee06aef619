//! The space-time axis in pixels, and round tick values. It must not know what is drawn along it.

use crate::model::time::show_ns;
use crate::view::{At, Gap, Spacetime, TimeScale};

/// Maps moments to pixels, monotone in event order.
pub struct TimeAxis<'a> {
    scale: TimeScale<'a>,
    moments: &'a [At],
    gaps: &'a [Gap],
    left: f64,
    width: f64,
}

/// A tick: where, and the value.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub x: f64,
    pub label: String,
}

/// The unit that ticks are written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TickUnit {
    pub name: &'static str,
    pub ns: f64,
}

impl<'a> TimeAxis<'a> {
    /// The axis of a view between two pixel positions.
    pub fn new(view: &'a Spacetime, left: f64, right: f64) -> TimeAxis<'a> {
        let scale = TimeScale::new(&view.moments, &view.gaps);
        TimeAxis { scale, moments: &view.moments, gaps: &view.gaps, left, width: right - left }
    }
    /// Pixel position of an event.
    pub fn x(&self, at: At) -> f64 {
        self.left + self.width * self.scale.share(at)
    }
    /// Pixel position of a clock value.
    pub fn x_of_ns(&self, at_ns: i64) -> f64 {
        self.left + self.width * self.scale.share_of_ns(at_ns)
    }

    /// Round clock values since `zero_ns`, at least `spacing` pixels apart, none inside a gap; and the words that
    /// belong to them. Where cuts leave stretches so short that such values would have many digits, ticks count from
    /// the beginning of each stretch instead.
    pub fn ticks(&self, zero_ns: i64, spacing: f64) -> (Vec<Tick>, String) {
        let (Some(first), Some(last)) = (self.moments.first(), self.moments.last()) else {
            return (Vec::new(), "time since start".to_string());
        };
        let (from, to) = (first.at_ns - zero_ns, last.at_ns - zero_ns);
        let unit = unit_for(from.abs().max(to.abs()) as f64);
        let step_ns = round_step((self.scale.total_ns / (self.width / 45.0)).max(1.0));
        let digits = decimals(step_ns / unit.ns);
        let mut ticks = Ticks { axis: self, spacing, ticks: Vec::new() };
        if digits <= DIGITS_MAX {
            for stretch in self.stretches() {
                ticks.absolute(stretch, zero_ns, step_ns, |ns| format!("{:.digits$}", ns / unit.ns));
            }
            (ticks.ticks, format!("time since start ({})", unit.name))
        } else {
            for stretch in self.stretches() {
                ticks.relative(stretch, zero_ns, step_ns);
            }
            (ticks.ticks, "time since start, + since the last cut".to_string())
        }
    }

    /// The clock ranges between the cuts.
    fn stretches(&self) -> Vec<(i64, i64)> {
        let first = self.moments.first().map_or(0, |at| at.at_ns);
        let last = self.moments.last().map_or(0, |at| at.at_ns);
        let starts = std::iter::once(first).chain(self.gaps.iter().map(|gap| gap.to_ns));
        let ends = self.gaps.iter().map(|gap| gap.from_ns).chain([last]);
        starts.zip(ends).collect()
    }
}

/// Digits behind the point that a tick may have.
const DIGITS_MAX: usize = 3;
/// Ticks of one stretch; more are only met when a clock is damaged.
const STRETCH_TICKS_MAX: usize = 500;

struct Ticks<'a> {
    axis: &'a TimeAxis<'a>,
    spacing: f64,
    ticks: Vec<Tick>,
}

impl Ticks<'_> {
    fn push(&mut self, at_ns: i64, label: String) {
        let x = self.axis.x_of_ns(at_ns);
        if self.ticks.last().is_none_or(|tick| x - tick.x >= self.spacing) {
            self.ticks.push(Tick { x, label });
        }
    }
    fn absolute(&mut self, (from, to): (i64, i64), zero_ns: i64, step_ns: f64, label: impl Fn(f64) -> String) {
        let first = ((from - zero_ns) as f64 / step_ns).ceil() as i64;
        let last = ((to - zero_ns) as f64 / step_ns).floor() as i64;
        for n in (first..=last).take(STRETCH_TICKS_MAX) {
            let since_start_ns = n as f64 * step_ns;
            self.push(zero_ns + since_start_ns as i64, label(since_start_ns));
        }
    }
    fn relative(&mut self, (from, to): (i64, i64), zero_ns: i64, step_ns: f64) {
        self.push(from, show_ns(from - zero_ns));
        let last = ((to - from) as f64 / step_ns).floor() as i64;
        for n in (1..=last).take(STRETCH_TICKS_MAX) {
            let since_cut_ns = (n as f64 * step_ns) as i64;
            self.push(from + since_cut_ns, format!("+{}", show_ns(since_cut_ns)));
        }
    }
}

/// The unit in which the largest value has one to four digits before the point.
pub fn unit_for(magnitude_ns: f64) -> TickUnit {
    let (name, ns) = match magnitude_ns {
        m if m < 2e3 => ("ns", 1.0),
        m if m < 2e6 => ("µs", 1e3),
        m if m < 2e9 => ("ms", 1e6),
        m if m < 600e9 => ("s", 1e9),
        _ => ("min", 60e9),
    };
    TickUnit { name, ns }
}

/// The next of 1, 2, 5 · 10ⁿ at or above `least`.
pub fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|d| d * power >= least * 0.999_999).unwrap_or(10.0);
    digit * power
}

fn decimals(step: f64) -> usize {
    (-step.log10().floor()).clamp(0.0, 6.0) as usize
}
