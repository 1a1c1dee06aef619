//! Floor 7: the Rhai engine. Scripts' values, profiles with their limits, the shell, processes and
//! breakpoint predicates written in Rhai. Only this floor imports rhai.

pub mod api;
pub mod closure;
pub mod control;
pub mod convert;
pub mod encode;
pub mod engine;
pub mod error;
pub mod event;
mod excerpt;
mod files;
pub mod names;
mod native;
pub mod predicate;
pub mod process;
pub mod profile;
mod resolver;
pub mod shell;
pub mod sources;
mod term_type;
#[cfg(test)]
mod tests;

pub use native::filters_of;
pub use shell::{ScriptEnd, Shell};
