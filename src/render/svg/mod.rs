//! Pictures as SVG: one file each, no scripts, no outside references, light and dark.
//! All foreign text is escaped by [`canvas`]; output depends on the view alone.

mod axis;
mod canvas;
mod labels;
mod frame;
mod glyph;
mod measure;
mod spacetime;
mod theme;

pub use spacetime::spacetime;

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
