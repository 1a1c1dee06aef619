//! Stopping, restoring, repeating.
