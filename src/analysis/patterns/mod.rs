//! `patterns()`: known shapes of trouble, each found by its own detector in one shared pass.
//! A detector sees events in order and keeps memory bounded by what is open at once.

use serde::Serialize;

use super::Scope;
use crate::model::{Actor, Seq};
use crate::store::Recording;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The detector: `call_cycle`, `slow_callback`, ..
    pub pattern: &'static str,
    pub severity: Severity,
    /// A few words: `account_a and account_b wait for each other`.
    pub title: String,
    /// One or two sentences with names, counts, durations and event numbers.
    pub sentence: String,
    pub processes: Vec<Actor>,
    /// Events to look at, ascending; the first few where there are many.
    pub evidence: Vec<Seq>,
    pub first: Seq,
    pub last: Seq,
    pub count: u64,
    /// The next command to type.
    pub suggestion: String,
}

/// When a detector speaks. Durations in ns of the recording's clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// A callback that runs so long while others wait is slow.
    pub slow_callback_ns: i64,
    /// Messages waiting at once.
    pub mailbox_growth: u64,
    /// Share of its active time that a bottleneck spends in callbacks, in percent.
    pub bottleneck_busy_percent: u64,
    /// Messages that a bottleneck has handled at least.
    pub bottleneck_messages: u64,
    /// Restarts of one child ..
    pub restart_storm_restarts: u64,
    /// .. within this time.
    pub restart_storm_window_ns: i64,
    /// Crashes of one child or module with one reason.
    pub crash_loop_crashes: u64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            slow_callback_ns: 50_000_000,
            mailbox_growth: 100,
            bottleneck_busy_percent: 80,
            bottleneck_messages: 50,
            restart_storm_restarts: 3,
            restart_storm_window_ns: 5_000_000_000,
            crash_loop_crashes: 3,
        }
    }
}

/// Which detectors run, with which thresholds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Detector names; empty = all.
    pub only: Vec<String>,
    pub thresholds: Thresholds,
}

/// All detectors: name and what it finds.
pub fn detectors() -> Vec<(&'static str, &'static str)> {
    todo!("analysis")
}

/// Runs the detectors over the scope; worst first, then by first event.
pub fn patterns(rec: &Recording, scope: Scope<'_>, options: &Options) -> Vec<Finding> {
    let _ = (rec, scope, options);
    todo!("analysis")
}
