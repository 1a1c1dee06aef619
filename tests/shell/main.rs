//! The program from outside: command line, shell, terminal, README.

mod cli;
mod common;
mod files;
mod pty;
mod readme;
mod repl;
