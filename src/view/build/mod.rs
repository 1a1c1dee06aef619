//! Views made from recordings and analysis results. It must not know how anything is drawn.

mod charts;
mod dense;
mod label;
mod lanes;
mod spacetime;
mod tree;

pub use charts::{latency_cdf, latency_histogram, series_chart};
pub use dense::{Bins, dense};
pub use label::event_line;
pub use spacetime::{SpacetimeQuery, spacetime, spacetime_in};
pub use tree::{matrix, supervision_tree, tree_arcs};
