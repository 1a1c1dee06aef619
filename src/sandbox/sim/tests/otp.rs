//! gen_server and supervisor.
