//! `cinema import`: foreign recordings into a session file, with a progress bar where somebody looks. It must not know
//! formats.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde_json::json;

use super::cli::Options;
use super::{console, files, interrupt};
use crate::model::{Failure, Outcome, time};
use crate::render::text::counted;
use crate::session::import::ClockOffset;
use crate::session::{check_new, import};

const BAR: &str = "{wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";

/// Imports `paths` into `out`; tells what there was, and what was damaged. Errors: `out` is there, and not to be
/// written over.
///
/// The exit code is an error's when something was damaged: what could be read is in the file all the same.
pub fn run(paths: &[PathBuf], offsets: &[ClockOffset], out: &Path, is_forced: bool, options: &Options) -> Outcome<u8> {
    // An input that is not there is told first.
    if !is_forced && paths.iter().all(|path| path.exists()) {
        check_new(out)?;
    }
    let token = interrupt::listen(true);
    let bar = console::progress_bar(BAR);
    let imported = import::into_file(paths, offsets, out, &mut |progress| {
        bar.set_length(progress.n_bytes_total);
        bar.set_position(progress.n_bytes_read);
        !token.load(Ordering::Relaxed)
    });
    bar.finish_and_clear();
    let imported = imported?;
    imported.damage.iter().for_each(|line| console::talk(&format!("damaged: {line}")));
    imported.assumed.iter().chain(&imported.left_out).for_each(|line| console::talk(&format!("warning: {line}")));
    let document = json!({
        "out": out.display().to_string(), "events": imported.n_events, "messages": imported.n_frames,
        "damaged": imported.damage, "assumed": imported.assumed, "left_out": imported.left_out,
    });
    let damaged = if imported.damage.is_empty() { "" } else { ", not whole: loss() lists what is damaged" };
    let (events, messages) = (counted(imported.n_events, "event"), counted(imported.n_frames, "message"));
    files::print(&document, "", options, || format!("{}: {events} of {messages}{damaged}\n", out.display()));
    Ok(if imported.damage.is_empty() { 0 } else { console::EXIT_ERROR })
}

/// Reads `FILE=TIME`, as `--offset` takes it.
pub fn read_offset(text: &str) -> Outcome<ClockOffset> {
    let usage =
        || Failure::usage(format!("{text:?} is no FILE=TIME")).hint("b.trace=-1.5s adds to the times of b.trace");
    let (file, time) = text.rsplit_once('=').ok_or_else(usage)?;
    let ns = time::parse_duration_ns(time.trim_start_matches('+'))?;
    Ok(ClockOffset { file: file.into(), ns })
}
