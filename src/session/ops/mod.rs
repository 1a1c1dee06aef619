//! The operations, one file per chapter of the reference.

pub mod ask;
pub mod find;
pub mod keep;
pub mod live;
pub mod run;
pub mod source;
pub mod stop;
pub mod time;
pub mod why;

use super::operation::Entry;

/// The operations of this floor; `app` adds those whose handlers live above (pictures, export).
pub const TABLES: [&[Entry]; 9] =
    [source::SOURCE, live::LIVE, run::RUN, time::TIME, ask::ASK, why::WHY, stop::STOP, keep::KEEP, find::FIND];

/// Every operation of this floor.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    TABLES.into_iter().flatten()
}
