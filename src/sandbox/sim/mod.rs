//! The embedded deterministic OTP runtime. (Stub.)

/// A simulated OTP system.
pub struct Sim;
