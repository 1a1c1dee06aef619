//! Floor 6: views as text and pictures. It must not know recordings or sessions: it draws what a view holds.

mod decimals;
pub mod escape;
pub mod event_line;
mod layout;
pub mod svg;
pub mod text;
mod tone;

pub use text::TextOptions;
