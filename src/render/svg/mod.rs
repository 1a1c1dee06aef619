//! Pictures as SVG: one file each, no scripts, no outside references, light and dark.
//! All foreign text is escaped by [`canvas`]; output depends on the view alone.

mod axis;
mod canvas;
mod chart;
mod frame;
mod glyph;
mod labels;
mod matrix;
mod measure;
mod plotter;
mod spacetime;
mod theme;
mod ticks;
mod tree_arcs;

pub use chart::chart;
pub use matrix::matrix;
pub use spacetime::spacetime;
pub use tree_arcs::tree_arcs;

/// How large a picture is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SvgOptions {
    /// Width in CSS pixels; the height follows from the content.
    pub width: f64,
}

impl Default for SvgOptions {
    fn default() -> SvgOptions {
        SvgOptions { width: 1600.0 }
    }
}
