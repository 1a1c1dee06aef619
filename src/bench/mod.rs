//! Floor 8: `cinema bench`. Measures the parts against their peers on the same work in one run, so
//! that the ratios mean something on any machine. It must not know how a table is shown.

mod beam;
mod harness;
mod peers;
mod scripted;
mod sim;
pub mod soak;
mod store;
mod workload;

pub use harness::{Section, timed};
pub use workload::Workload;

use crate::model::Outcome;
use crate::view::Table;

/// What to measure and how long.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A tenth of the work and fewer rounds: to see that all of it runs.
    pub is_quick: bool,
    /// Only sections whose name contains this.
    pub only: Option<String>,
}

/// Measures everything that `options` asks for: one table per section. Takes minutes unless quick.
/// Errors: a scratch file cannot be written; a peer that is missing is a note, not an error.
pub fn run(options: &Options) -> Outcome<Vec<Table>> {
    type Measure = fn(&Options) -> Outcome<Table>;
    let sections: &[(&str, Measure)] = &[
        ("store append", store::append),
        ("store read, 1 M", store::read_1m),
        ("store read, 10 M", store::read_10m),
        ("sim native", sim::native),
        ("sim rhai", scripted::server),
        ("beam cost", beam::cost),
        ("beam ingest", beam::ingest),
        ("beam first sight", beam::first_sight),
    ];
    let is_wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    sections.iter().filter(|(name, _)| is_wanted(name)).map(|(_, measure)| measure(options)).collect()
}
