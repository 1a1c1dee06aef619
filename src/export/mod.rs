//! Floor 6: recordings and tables in other formats.
