//! Real nodes under test: the harness, and what is tried on it. `node::TestNode` starts a node of either release,
//! `apps::App` says what runs on it, `leftovers::Leftovers` what a debugger has left behind; `cli::cinema` is the program.

mod apps;
mod cli;
mod dist;
mod ejabberd;
mod epmd;
mod harness;
mod leftovers;
mod node;
mod otp;
mod record;
mod redaction;
mod stories;
