//! Floor 6: views as text and pictures.
