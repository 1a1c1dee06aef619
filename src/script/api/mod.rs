//! The session as scripts see it: the operation table as functions, `events()`, conditions and
//! actions, results that print. One file per capability.

mod closures;
mod conditions;
mod console;
mod files;
mod help;
mod inspect;
mod operations;
mod pictures;
mod query;
mod record;
mod reply;
mod rows;
mod show;
mod timeline;
mod values;

pub use console::{Console, ConsoleOptions, Output, Reach, Serve, ServeFunction};
pub use files::write_recording;
pub use help::{FunctionHelp, functions, reference};
pub use record::Block;
pub use rows::too_many;
pub use show::{Shown, shown, syntax_of};
