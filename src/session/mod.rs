//! Floor 4: what the shell works on, and the one table of operations.
