//! Floor 6: tables, recordings and views in other programs' formats. It must not know sessions or scripts.
//!
//! Values are stable: the keys are the column names, durations are integers in nanoseconds under a name that ends in
//! `_ns`, sizes are integers in bytes, events are their number.

mod chrome;
mod csv;
mod diagram;
mod events;
mod json;
mod stream;

pub use chrome::chrome_trace;
pub use csv::{csv, csv_line};
pub use diagram::{dot, mermaid};
pub use events::events_jsonl;
pub use json::{cell_json, fields, json, jsonl};
pub use stream::{TableFormat, TableWriter};

#[cfg(test)]
mod tests;
