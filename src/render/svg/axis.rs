//! The space-time axis in pixels, and round tick values. It must not know what is drawn along it.

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

    /// Round clock values with at least `spacing` pixels between their labels, none inside a gap; `zero_ns` is where
    /// the count starts.
    pub fn ticks(&self, zero_ns: i64, spacing: f64) -> (Vec<Tick>, TickUnit) {
        let (Some(first), Some(last)) = (self.moments.first(), self.moments.last()) else {
            return (Vec::new(), unit_for(0.0));
        };
        let (from, to) = ((first.at_ns - zero_ns) as f64, (last.at_ns - zero_ns) as f64);
        let unit = unit_for(from.abs().max(to.abs()));
        let step = round_step((self.scale.total_ns / (self.width / 45.0)).max(1.0));
        let digits = decimals(step / unit.ns);
        let mut ticks: Vec<Tick> = Vec::new();
        let n_first = (from / step).ceil() as i64;
        // A cut gap can hide any number of steps, so the walk jumps over it.
        let mut n = n_first;
        while (n as f64) * step <= to && ticks.len() < 500 {
            let at_ns = zero_ns + (n as f64 * step) as i64;
            if let Some(gap) = self.gaps.iter().find(|gap| gap.from_ns < at_ns && at_ns < gap.to_ns) {
                n = ((gap.to_ns - zero_ns) as f64 / step).ceil().max((n + 1) as f64) as i64;
                continue;
            }
            let x = self.x_of_ns(at_ns);
            if ticks.last().is_none_or(|tick| x - tick.x >= spacing) {
                ticks.push(Tick { x, label: format!("{:.digits$}", n as f64 * step / unit.ns) });
            }
            n += 1;
        }
        (ticks, unit)
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
