//! `cinema import`: foreign recordings into a session file, with a progress bar where somebody looks. It must not know
//! formats.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{console, interrupt};
use crate::model::{Failure, Outcome};
use crate::session::import;

const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Imports `files` into `out`; tells what there was, and what was damaged. Errors: `out` is there, and not to be
/// written over.
pub fn run(files: &[PathBuf], out: &Path, is_forced: bool) -> Outcome<u8> {
    if out.exists() && !is_forced && files.iter().all(|file| file.exists()) {
        return Err(Failure::usage(format!("{} is there already: nothing is written over", out.display()))
            .hint("another name, or --force"));
    }
    let token = interrupt::listen(false);
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(ProgressStyle::with_template(BAR).expect("the template above is one"));
    let imported = import::into_file(files, out, &mut |progress| {
        bar.set_length(progress.n_bytes_total);
        bar.set_position(progress.n_bytes_read);
        !token.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    let imported = imported?;
    imported.damage.iter().for_each(|line| console::talk(&format!("warning: {line}")));
    console::print_line(&format!("{}: {} events of {} messages", out.display(), imported.n_events, imported.n_frames));
    Ok(0)
}
