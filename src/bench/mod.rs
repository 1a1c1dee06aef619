//! Floor 8: `cinema bench`. Measures the parts against their peers on the same work in one run, so
//! that the ratios mean something on any machine. It must not know how a table is shown.

mod beam;
mod harness;
mod scripted;
mod sim;
pub mod soak;
mod store;
mod workload;

pub use harness::{Section, timed};
pub use workload::Workload;

use std::path::PathBuf;

use crate::model::Outcome;
use crate::view::Table;

/// What to measure and how long.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A tenth of the work and fewer rounds: to see that all of it runs.
    pub is_quick: bool,
    /// Only sections whose name contains this.
    pub only: Option<String>,
    pub store: StoreOptions,
}

/// What the store is measured with.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// A trace file of dbg.
    pub trace: Option<PathBuf>,
    /// Events of each comparison; 1 M when nothing is said.
    pub n_events: Option<u64>,
    /// Where the chart of a growing recording goes.
    pub curve: Option<PathBuf>,
}

/// Measures everything that `options` asks for: one table per section. Takes minutes unless quick.
/// Errors: a scratch file cannot be written; a peer that is missing is a note, not an error.
pub fn run(options: &Options) -> Outcome<Vec<Table>> {
    type Measure = fn(&Options) -> Outcome<Vec<Table>>;
    let sections: &[(&str, Measure)] = &[
        ("store", store::run),
        ("sim native", |options| sim::native(options).map(|table| vec![table])),
        ("sim rhai", |options| scripted::server(options).map(|table| vec![table])),
        ("beam cost", |options| beam::cost(options).map(|table| vec![table])),
        ("beam ingest", |options| beam::ingest(options).map(|table| vec![table])),
        ("beam first sight", |options| beam::first_sight(options).map(|table| vec![table])),
    ];
    let is_wanted = |name: &str| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    let wanted = sections.iter().filter(|(name, _)| is_wanted(name));
    let tables = wanted.map(|(_, measure)| measure(options)).collect::<Outcome<Vec<_>>>()?;
    Ok(tables.into_iter().flatten().collect())
}
