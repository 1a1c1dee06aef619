//! Round tick values for charts: 1-2-5 steps in the unit that a reader counts in. It must not know what is drawn.

use super::axis::{round_step, unit_for};
use crate::view::{Axis, Unit};

/// Where a value is on its axis: its logarithm when the axis is logarithmic.
pub fn position(axis: &Axis, value: f64) -> f64 {
    if axis.is_log { value.max(1e-9).log10() } else { value }
}

/// At most about `n_wanted` round positions within `extent` (positions), ascending; the last one may be beyond a linear
/// extent's end, so that the highest value has a line above it.
pub fn ticks(axis: &Axis, extent: (f64, f64), n_wanted: usize) -> Vec<f64> {
    if axis.is_log { log_ticks(extent, n_wanted) } else { linear_ticks(axis.unit, extent, n_wanted) }
}

fn linear_ticks(unit: Unit, extent: (f64, f64), n_wanted: usize) -> Vec<f64> {
    let span = (extent.1 - extent.0).max(f64::MIN_POSITIVE);
    let base = match unit {
        Unit::Ns => unit_for(extent.1.abs()).ns,
        Unit::Bytes => 1024f64.powf((extent.1.abs().max(1.0).ln() / 1024f64.ln()).floor()),
        Unit::Count | Unit::Share => 1.0,
    };
    let least = match unit {
        Unit::Count => 1.0,
        _ => 0.0,
    };
    let step = (round_step(span / base / n_wanted as f64) * base).max(least);
    let first = (extent.0 / step).floor() as i64;
    let last = (extent.1 / step - 1e-9).ceil() as i64;
    (first..=last).map(|n| n as f64 * step).filter(|tick| *tick >= extent.0 - step * 1e-6).collect()
}

fn log_ticks(extent: (f64, f64), n_wanted: usize) -> Vec<f64> {
    let decades = (extent.0.floor() as i32)..=(extent.1.ceil() as i32);
    let within = |digits: &[f64]| -> Vec<f64> {
        let all = decades.clone().flat_map(|decade| digits.iter().map(move |digit| f64::from(decade) + digit.log10()));
        all.filter(|at| *at >= extent.0 - 1e-9 && *at <= extent.1 + 1e-9).collect()
    };
    let candidates = [within(&[1.0, 2.0, 5.0]), within(&[1.0, 3.0]), within(&[1.0])];
    let best = candidates.iter().find(|ticks| ticks.len() <= n_wanted + 3);
    let all = best
        .cloned()
        .unwrap_or_else(|| candidates[2].iter().copied().step_by(candidates[2].len() / n_wanted + 1).collect());
    if all.len() >= 2 { all } else { vec![extent.0, extent.1] }
}
