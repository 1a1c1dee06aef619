//! Real nodes under test: the harness, and what is tried on it. `node::TestNode` starts a node of either release,
//! `apps::App` says what runs on it, `leftovers::Leftovers` what a debugger has left behind; `cli::cinema` is the program.

mod apps;
mod attach;
mod cli;
mod desk;
mod dist;
mod ejabberd;
mod ends;
mod epmd;
mod harness;
mod hold;
mod launch;
mod leftovers;
mod limits;
mod node;
mod others;
mod otp;
mod record;
mod redaction;
mod safety;
mod served;
mod stories;
mod told;
