//! OTP's behaviours, built on the kernel's primitives as OTP builds them on the BEAM's.

pub mod children;
pub mod gen_server;
pub mod plain;
pub mod shell;
pub mod supervisor;
pub mod supervisor_spec;
