//! Floor 5: results as plain data with public fields; `render` and `export` turn them into text and pictures.
//! It must not know how anything is drawn.

pub mod build;
mod chart;
mod event_line;
mod matrix;
mod scale;
mod spacetime;
mod table;
pub mod tables;
mod tree;

pub use chart::{Axis, Chart, ChartMark, Plot, Series, Unit};
pub use event_line::EventLine;
pub use matrix::Matrix;
pub use scale::{GapFinder, TimeScale};
pub use spacetime::{Arrow, ArrowKind, At, Bar, Density, Gap, Lane, Point, PointKind, Spacetime};
pub use table::{Cell, Column, Table};
pub use tree::{Arc, Tree, TreeArcs, TreeRow};
