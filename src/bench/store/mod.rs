//! The store against DuckDB, Parquet, SQLite and a memcpy, on the same rows with the same questions, and the import against
//! Erlang's own reader. All times are CPU time of all threads, medians of several rounds.

mod curve;
mod dbg;
mod ours;
mod peers;
mod question;
mod rows;
mod sheet;

use std::path::{Path, PathBuf};

use self::peers::Python;
use self::question::{Figure, Question};
use self::rows::Rows;
use self::sheet::{Figures, STORES};
use super::harness::{cpu_timed, median_of};
use super::{Options, StoreOptions};
use crate::model::{Failure, Outcome};
use crate::store::{Durability, SyncPolicy};
use crate::view::Table;

/// Multiples of the golden ratio spread evenly.
const GOLDEN: f64 = 0.618_033_988_75;
/// Events when nothing else is asked for.
const EVENTS: u64 = 1_000_000;
const EVENTS_QUICK: u64 = 100_000;

/// The file grows while events come, a full segment at a time.
const DURABILITY: Durability =
    Durability { sync: SyncPolicy::None, seal_after_ns: i64::MAX, file_bytes_max: u64::MAX, unwritten_bytes_max: 0 };

/// A folder for files that the measurements need; gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Outcome<Scratch> {
        let path = std::env::temp_dir().join(format!("cinema-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| Failure::io(format!("{}: {error}", path.display())))?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A scratch folder that cannot be removed is the temp folder's to clean.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn file_bytes(path: &Path) -> Outcome<f64> {
    let metadata = std::fs::metadata(path).map_err(|error| Failure::io(format!("{}: {error}", path.display())))?;
    Ok(metadata.len() as f64)
}

/// Measures what `options` ask for: a table for synthetic events, two for a trace, one for the curve.
pub fn run(options: &Options) -> Outcome<Vec<Table>> {
    let StoreOptions { trace, n_events, curve } = &options.store;
    let n_events = n_events.unwrap_or(if options.is_quick { EVENTS_QUICK } else { EVENTS });
    let mut tables = vec![compare(options, &Rows::synthetic(n_events)?)?];
    if let Some(trace) = trace {
        tables.push(compare(options, &Rows::of_trace(trace, n_events)?)?);
        tables.push(dbg::import(options, trace)?);
    }
    if let Some(path) = curve {
        tables.push(curve::curve(options, path)?);
    }
    Ok(tables)
}

/// Asks all stores about the same rows.
fn compare(options: &Options, rows: &Rows) -> Outcome<Table> {
    let n_rounds = if options.is_quick { 3 } else { 5 };
    let scratch = Scratch::new()?;
    let mut notes = vec![
        format!(
            "{:.0} bytes of payload per event; CPU time of all threads, medians of {n_rounds} rounds",
            rows.n_bytes as f64 / rows.n as f64
        ),
        "peers are given rows in memory with numbers for processes, tags, kinds; DuckDB and Parquet one thread, \
         Arrow; SQLite rows as tuples, its three indexes made after the append that is timed"
            .to_string(),
        "append is to a file, ours with payloads found and shared, compressed, indexed, keyframes kept; nobody syncs"
            .to_string(),
    ];
    let mut by_store: [Figures; STORES.len()] = Default::default();
    let (ours, places) = ours::ask(rows, &scratch.0, n_rounds)?;
    by_store[0] = ours;
    notes.push(format!("bytes per event in the file: {}", ours::layout(&scratch.0.join("cinema"), rows.n)?));
    rows.write(&scratch.0, &places.times, &places.seqs)?;
    match Python::find() {
        Err(why) => notes.push(format!("SKIPPED all peers: {}", why.error)),
        Ok(python) => {
            for (store, figures) in STORES.iter().zip(&mut by_store).skip(1).take(3) {
                match python.ask(store, rows, &scratch.0, n_rounds) {
                    Ok(asked) => *figures = asked,
                    Err(why) => notes.push(format!("SKIPPED {store}: {}", why.error)),
                }
            }
        }
    }
    let copy_ns = median_of(n_rounds, || cpu_timed(|| rows.copy()).1);
    by_store[4].insert(Question::Append, Figure { value: copy_ns / rows.n as f64, answer: None });
    let row_bytes = (rows.copy() / rows.n as usize) as f64;
    by_store[4].insert(Question::Size, Figure { value: row_bytes, answer: None });
    Ok(sheet::sheet(&format!("store: {}", rows.name), &by_store, notes))
}
