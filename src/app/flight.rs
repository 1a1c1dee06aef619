//! `cinema record`: the flight recorder on the command line. Flags become the options of `record`, which does the
//! work. It must not know nodes or files.

use std::path::PathBuf;

use clap::Args;

use super::host::{Ending, Host};
use super::live::Live;
use super::nodes::{self, Keep, Options, Safety, Target, Trace, path_text, text};
use super::worker::Worker;
use super::{batch, console};
use crate::model::Outcome;
use crate::model::time::parse_duration_ns;
use crate::session::{Amount, check_name, check_new};

/// What is kept, and until when.
#[derive(Clone, Debug, Args)]
pub struct Flight {
    /// The .cinema file; with a trigger or rotation FILE-0001.cinema, FILE-0002.cinema ..
    #[arg(long, value_name = "FILE", value_parser = file)]
    out: PathBuf,
    /// Keep only the newest: at most 64MB of memory, at least 5min or 100000 events
    #[arg(long, value_name = "SIZE|TIME|EVENTS", value_parser = ring)]
    ring: Option<String>,
    /// Save the time around each event that meets this: on_result("timeout"), or |e| e.kind == "crash"
    #[arg(long, value_name = "CONDITION")]
    trigger: Option<String>,
    /// How much before a trigger is saved; 30s
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, requires = "trigger")]
    before: Option<String>,
    /// How much after a trigger is saved; 10s
    #[arg(long, value_name = "TIME", value_parser = time, allow_hyphen_values = true, requires = "trigger")]
    after: Option<String>,
    /// End at the first trigger; FILE has it
    #[arg(long, requires = "trigger")]
    once: bool,
    /// Begin a new file after so much
    #[arg(long, value_name = "SIZE|TIME|EVENTS", value_parser = some_amount, conflicts_with_all = ["ring", "trigger"])]
    rotate: Option<String>,
    /// How many files of the rotation stay
    #[arg(long, value_name = "N", requires = "rotate", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// End after so many events; what comes in the same moment is kept, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// End after so long
    #[arg(long, value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    time: Option<String>,
    /// End after so much in files and memory
    #[arg(long, value_name = "SIZE", value_parser = some_amount)]
    size: Option<String>,
    /// How often to say how far it is; 5s; none for never
    #[arg(long, value_name = "TIME", value_parser = interval, allow_hyphen_values = true)]
    progress: Option<String>,
    #[command(flatten)]
    safety: Safety,
}

/// An amount as a script writes it: a number stays one.
fn amount(value: &str) -> Result<String, String> {
    match Amount::parse(value) {
        Ok(Amount::Events(n)) => Ok(n.to_string()),
        Ok(_) => Ok(text(value)),
        Err(_) => Err("64MB, 5min or 100000".to_string()),
    }
}

/// An amount that holds something.
fn ring(value: &str) -> Result<String, String> {
    let written = amount(value)?;
    Amount::parse(value).and_then(Amount::ring).map(|_| written).map_err(|failure| failure.error)
}

/// An amount that is more than nothing.
fn some_amount(value: &str) -> Result<String, String> {
    let written = amount(value)?;
    let is_nothing =
        matches!(Amount::parse(value), Ok(Amount::Bytes(0) | Amount::Events(0) | Amount::Ns(i64::MIN..=0)));
    if is_nothing { Err(format!("{value} is nothing at all")) } else { Ok(written) }
}

/// A time as a script writes it, of at least `ns_min`.
fn time_from(value: &str, ns_min: i64) -> Result<String, String> {
    match parse_duration_ns(value) {
        Ok(ns) if ns >= ns_min => Ok(text(value)),
        Ok(_) if ns_min > 0 => Err(format!("{value} is no time at all")),
        Ok(_) => Err(format!("{value} is less than nothing")),
        Err(_) => Err("5s, 1min or 2h".to_string()),
    }
}
fn time(value: &str) -> Result<String, String> {
    time_from(value, 0)
}
fn some_time(value: &str) -> Result<String, String> {
    time_from(value, 1)
}

/// A time between two lines; `()` for none.
fn interval(value: &str) -> Result<String, String> {
    if value == "none" { Ok("()".to_string()) } else { some_time(value) }
}

fn file(value: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(value);
    check_name(&path).map(|()| path).map_err(|failure| failure.error)
}

/// Attaches, records, and gives the exit code: that of a finding when a trigger was met.
pub fn record(worker: &Worker<Live>, target: &Target, trace: &Trace, flight: &Flight) -> Outcome<u8> {
    if let Some(trigger) = &flight.trigger {
        // A word that is wrong is told before a node is touched.
        let line = format!("let trigger = {trigger};");
        worker.ask(move |live| live.eval(&line, false))?;
    }
    let is_whole = flight.ring.is_none() && flight.trigger.is_none() && flight.rotate.is_none();
    if !is_whole {
        flight.safety.check_in_memory()?;
    }
    if !is_whole && flight.rotate.is_none() && !flight.safety.force {
        check_new(&flight.out)?;
    }
    let keep = Keep::of(is_whole.then(|| flight.out.clone()), &flight.safety);
    nodes::attach(worker, target, &trace.for_recorder(), &keep)?;
    let mut options = Options::default();
    if !is_whole {
        options.put("out", text(path_text(&flight.out)?));
    }
    options.put("stop", "true");
    let given = [
        ("ring", flight.ring.clone()),
        ("trigger", flight.trigger.as_ref().map(|_| "trigger".to_string())),
        ("before", flight.before.clone()),
        ("after", flight.after.clone()),
        ("once", flight.once.then(|| "true".to_string())),
        ("rotate", flight.rotate.clone()),
        ("keep", flight.keep.map(|n| n.to_string())),
        ("events", flight.events.map(|n| n.to_string())),
        ("time", flight.time.clone()),
        ("size", flight.size.clone()),
        ("progress", flight.progress.clone()),
        ("force", (!is_whole && flight.safety.force).then(|| "true".to_string())),
    ];
    for (key, value) in given {
        value.into_iter().for_each(|value| options.put(key, value));
    }
    console::talk("recording: Ctrl-C saves and ends");
    let line = format!(
        "let recorded = record({}); show(recorded); if recorded.triggers > 0 {{ exit({}) }}",
        options.script(),
        console::EXIT_FOUND
    );
    match worker.ask(move |live| live.eval(&line, false).map_err(nodes::of_flags))? {
        Ending::Exit(code) => Ok(code),
        told @ Ending::Value(_) => batch::code_of(Ok(told)),
    }
}
