//! The page's own figures, from Chromium: `tests/browser/figures.mjs`, where the source tree, node and its packages are.
//! It must not know what is served.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

use crate::model::{Failure, Outcome};

/// A figure: what, how much, of what.
pub type Figure = (String, f64, String);

/// Where the script is, if it can be run.
fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let is_here = folder.join("node_modules").is_dir() && Command::new("node").arg("--version").output().is_ok();
    is_here.then_some(folder)
}

/// Whether there is a browser to measure with.
pub fn is_here() -> bool {
    folder().is_some()
}

fn start(url: &str, what: &[&str]) -> Outcome<Child> {
    let folder =
        folder().ok_or_else(|| Failure::not_found("no tests/browser with its packages: tests/run installs them"))?;
    let mut command = Command::new("node");
    command.arg("figures.mjs").arg(url).args(what).current_dir(folder);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    spawned.map_err(|error| Failure::io(format!("cannot run node: {error}")))
}

fn lines(child: &mut Child) -> impl Iterator<Item = Json> + use<> {
    let output = child.stdout.take().map(BufReader::new);
    output
        .into_iter()
        .flat_map(BufRead::lines)
        .map_while(Result::ok)
        .filter_map(|line| serde_json::from_str(&line).ok())
}

/// Measures one thing on the page at `url`.
pub fn figures(url: &str, what: &[&str]) -> Outcome<Vec<Figure>> {
    let mut child = start(url, what)?;
    let text = |json: &Json, key: &str| json[key].as_str().unwrap_or_default().to_string();
    let figures: Vec<Figure> = lines(&mut child)
        .filter_map(|line| Some((text(&line, "name"), line["value"].as_f64()?, text(&line, "unit"))))
        .collect();
    match child.wait() {
        Ok(status) if status.success() => Ok(figures),
        _ => Err(Failure::io(format!("figures.mjs {what:?} failed: see above"))),
    }
}

/// A page that tells what it has drawn.
pub struct Painter {
    child: Child,
    drawn: std::thread::JoinHandle<Vec<(u64, SystemTime)>>,
}

impl Painter {
    /// Opens the page, and returns when it shows the session.
    pub fn open(url: &str) -> Outcome<Painter> {
        let mut child = start(url, &["paints"])?;
        let mut lines = lines(&mut child);
        if lines.next().is_none_or(|line| line["ready"] != true) {
            return Err(Failure::io("figures.mjs did not open the page: see above"));
        }
        let row = |line: Json| {
            let since = Duration::from_secs_f64(line["at_ms"].as_f64()? / 1e3);
            Some((line["drawn"].as_u64()?, UNIX_EPOCH + since))
        };
        let drawn = std::thread::spawn(move || lines.filter_map(row).collect());
        Ok(Painter { child, drawn })
    }

    /// What was drawn, each as the recording's length, and when.
    pub fn finish(mut self) -> Vec<(u64, SystemTime)> {
        drop(self.child.stdin.take());
        let drawn = self.drawn.join().unwrap_or_default();
        // It ends when its input does.
        let _ = self.child.wait();
        drawn
    }
}
