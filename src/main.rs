//! The `cinema` binary; everything is in the library.

fn main() -> std::process::ExitCode {
    cinema::app::main()
}
