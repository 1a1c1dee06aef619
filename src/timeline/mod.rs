//! Floor 3: cursors, playback, moments.
