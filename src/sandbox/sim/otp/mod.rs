//! OTP's behaviours, built on the kernel's primitives as OTP builds them on the BEAM's.

pub mod supervisor_spec;
