//! Live nodes on the command line: flags become the options of `attach` and `beam`, which do the work. A cookie
//! goes another way: it stands in no script and in no history. It must not know nodes.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::batch;
use super::live::Live;
use super::worker::Worker;
use crate::model::time::parse_duration_ns;
use crate::model::{Failure, Outcome};
use crate::sandbox::beam::dist::Cookie;
use crate::sandbox::beam::options::CookieSource;

/// Which node, and how to get in.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// `name@host`, `name@host:PORT` for a node without epmd, or a bare name on this machine
    pub node: String,
    #[command(flatten)]
    pub login: Login,
}

/// How to get in.
#[derive(Clone, Debug, Args)]
pub struct Login {
    /// The cookie; it shows in the list of processes while cinema runs, a file does not
    #[arg(long, value_name = "C", conflicts_with = "cookie_file")]
    cookie: Option<String>,
    /// A file with the cookie; ~/.erlang.cookie when neither is given
    #[arg(long, value_name = "F")]
    cookie_file: Option<PathBuf>,
    /// Complete a bare name with the long host name
    #[arg(long)]
    long_names: bool,
    /// A further node of the cluster, into the same recording; may be given several times
    #[arg(long = "with", value_name = "NODE")]
    others: Vec<String>,
}

/// What to trace.
#[derive(Clone, Debug, Args)]
pub struct Trace {
    /// What to trace: applications, app:NAME, tree:NAME, module:NAME, a registered name, all; may be given several times
    #[arg(long, value_name = "WHAT")]
    trace: Vec<String>,
    /// How much of callbacks is traced
    #[arg(long, value_enum, value_name = "HOW")]
    capture: Option<Capture>,
    /// A limit that ends the tracing: time=1min, events=N, rate=N, queue=N, memory_bytes=N; `none` lifts it
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = limit)]
    limits: Vec<String>,
    #[command(flatten)]
    redact: Redact,
}

/// What is taken out before anything is recorded or shown.
#[derive(Clone, Debug, Args)]
struct Redact {
    /// A field whose values are taken out, besides password, token and the like; may be given several times
    #[arg(long = "redact", value_name = "FIELD")]
    fields: Vec<String>,
    /// A regular expression: texts that it matches are taken out; may be given several times
    #[arg(long = "redact-pattern", value_name = "REGEX")]
    patterns: Vec<String>,
    /// A registered name or module: all that its processes say, hear and have is taken out; may be given several times
    #[arg(long = "redact-process", value_name = "NAME")]
    processes: Vec<String>,
    /// Take nothing out, passwords included
    #[arg(long, conflicts_with_all = ["fields", "patterns", "processes"])]
    no_redact: bool,
}

impl Redact {
    fn put(&self, options: &mut Options) {
        let mut rules = Options::default();
        let lists = [("fields", &self.fields), ("patterns", &self.patterns), ("processes", &self.processes)];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            rules.put(key, texts(list));
        }
        if self.no_redact {
            options.put("redact", "()");
        } else if !rules.0.is_empty() {
            options.put("redact", rules.script());
        }
    }
}

/// How much of callbacks is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Capture {
    /// States of processes with small heaps
    Auto,
    /// All states
    Full,
    /// No states
    Lean,
    /// Only what arrives
    Received,
}

/// Where the recording is kept.
#[derive(Clone, Debug, Args)]
pub struct Keep {
    /// A .cinema file that the recording goes to as it grows
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    safety: Safety,
}

/// What a crash may take from the file that a recording lives in.
#[derive(Clone, Debug, Default, Args)]
pub struct Safety {
    /// What a loss of power may take besides: `none` leaves it to the system, `segment` nothing, 1s what was written in it
    #[arg(long, value_name = "none|segment|TIME", value_parser = sync)]
    sync: Option<String>,
    /// What a crash may take: so much time of events, 65 536 events at most; 1s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    seal_after: Option<String>,
    /// Write over a recording that is there already
    #[arg(long)]
    pub(super) force: bool,
}

impl Safety {
    /// Errors: something is asked of the file while it grows, and what is recorded is in memory until a file is written.
    pub(super) fn check_in_memory(&self) -> Outcome<()> {
        let given = [("--sync", self.sync.is_some()), ("--seal-after", self.seal_after.is_some())];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                let what = "is of a file that grows with the events: --rotate, --ring and --trigger keep them in memory until they write one";
                Err(Failure::usage(format!("{flag} {what}")).hint("without these, each second goes to the file"))
            }
        }
    }
}

fn sync(value: &str) -> Result<String, String> {
    match parse_duration_ns(value) {
        _ if ["none", "segment"].contains(&value) => Ok(value.to_string()),
        Ok(ns) if ns <= 0 => Err(format!("{value} is no time at all")),
        _ => duration(value),
    }
}
fn duration(value: &str) -> Result<String, String> {
    parse_duration_ns(value).map(|_| value.to_string()).map_err(|_| "100ms, 1s or 1min".to_string())
}

/// A limit by its name. Errors: it is none, or of nothing.
fn limit(value: &str) -> Result<String, String> {
    let (_, amount) = value.split_once('=').ok_or("a name and a value: time=1min, events=100000")?;
    let number = amount.trim_end_matches(|c: char| !c.is_ascii_digit()).replace('_', "");
    if number.parse::<i64>().is_ok_and(|n| n <= 0) {
        return Err(format!("{amount} lets nothing through; none lifts a limit"));
    }
    Ok(value.to_string())
}

impl Keep {
    pub fn of(record: Option<PathBuf>, safety: &Safety) -> Keep {
        Keep { record, safety: safety.clone() }
    }
    fn put(&self, options: &mut Options) -> Outcome<()> {
        if let Some(path) = &self.record {
            options.put("record", text(path_text(path)?));
            if self.safety.force {
                options.put("force", "true");
            }
        }
        for (key, value) in [("sync", &self.safety.sync), ("seal_after", &self.safety.seal_after)] {
            value.iter().for_each(|value| options.put(key, text(value)));
        }
        Ok(())
    }
}

/// What to start on a node of our own.
#[derive(Clone, Debug, Args)]
pub struct Launch {
    /// A folder of compiled modules; may be given several times
    #[arg(long, value_name = "DIR")]
    pa: Vec<PathBuf>,
    /// What to call: MOD:FUN/ARGS, as in shop:start/[]
    #[arg(long, value_name = "MOD:FUN/ARGS")]
    start: Option<String>,
    /// A mix project
    #[arg(long, value_name = "DIR")]
    mix: Option<PathBuf>,
}

/// Attaches; gives what is told about the node.
pub fn attach(worker: &Worker<Live>, target: &Target, trace: &Trace, keep: &Keep) -> Outcome<String> {
    let login = &target.login;
    let cookie = match (&login.cookie, &login.cookie_file) {
        (Some(text), _) => CookieSource::Text(Cookie::from_text(text)?),
        (None, Some(path)) => CookieSource::File(path.clone()),
        (None, None) => CookieSource::Home,
    };
    let mut options = Options::default();
    if login.long_names {
        options.put("long_names", "true");
    }
    if !login.others.is_empty() {
        options.put("others", texts(&login.others));
    }
    trace.put(&mut options)?;
    keep.put(&mut options)?;
    let line = format!("attach({}, {})", text(&target.node), options.script());
    let told = worker.ask(move |live| {
        live.set_cookie(cookie);
        super::host::Host::eval(live, &line, false).map_err(of_flags)
    })?;
    Ok(batch::value_of(told))
}

/// What hints say in a script, and on the command line.
const SAID_IN_FLAGS: &[(&str, &str)] = &[
    ("start_tracing(\"app:shop\")", "--trace app:shop"),
    ("start_tracing(\"applications\")", "--trace applications"),
    ("start_tracing(what, #{redact: ()})", "--no-redact"),
    ("seal_after: \"100ms\"", "--seal-after 100ms"),
    ("sync: \"none\"", "--sync \"none\""),
    ("record: \"run.cinema\"", "--record run.cinema"),
    ("processes() lists them", "cinema attach NODE -e 'processes()' lists them"),
    ("beam(#{pa: [\"ebin\"], start: \"shop:start()\"})", "--pa ebin --start 'shop:start()'"),
    ("beam(#{mix: \"my_app\"})", "--mix my_app"),
    ("help record", "cinema record --help"),
];

/// A failure as one of flags: without the script's lines below it, which no user has written (all that have a gutter), and with
/// hints that name flags.
pub(super) fn of_flags(mut failure: Failure) -> Failure {
    let is_quoted = |line: &str| line.get(4..7) == Some(" | ");
    while let Some((rest, _)) = failure.error.rsplit_once('\n').filter(|(_, line)| is_quoted(line)) {
        failure.error.truncate(rest.len());
    }
    for hint in &mut failure.hints {
        *hint = SAID_IN_FLAGS.iter().fold(std::mem::take(hint), |hint, (call, flag)| hint.replace(call, flag));
    }
    failure
}

/// Starts a node of our own; gives what is told about it.
pub fn launch(worker: &Worker<Live>, launch: &Launch, trace: &Trace, keep: &Keep, flags: &[String]) -> Outcome<String> {
    let mut options = Options::default();
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    if !launch.pa.is_empty() {
        options.put("pa", texts(&paths(&launch.pa)));
    }
    if let Some(start) = &launch.start {
        options.put("start", text(start));
    }
    if let Some(mix) = &launch.mix {
        options.put("mix", text(&mix.display().to_string()));
    }
    if !flags.is_empty() {
        options.put("flags", texts(flags));
    }
    trace.put(&mut options)?;
    keep.put(&mut options)?;
    let line = format!("beam({})", options.script());
    Ok(batch::value_of(worker.ask(move |live| super::host::Host::eval(live, &line, false).map_err(of_flags))?))
}

impl Trace {
    /// For those who cannot say later what to trace: something is.
    pub fn or_applications(&self) -> Trace {
        let mut trace = self.clone();
        if trace.trace.is_empty() {
            trace.trace.push("applications".to_string());
        }
        trace
    }

    /// For a recorder: something is traced, and no time and no number of events ends it that nobody asked for.
    pub fn for_recorder(&self) -> Trace {
        let mut trace = self.or_applications();
        for name in ["time", "events"] {
            if !self.limits.iter().any(|limit| limit.split('=').next() == Some(name)) {
                trace.limits.push(format!("{name}=none"));
            }
        }
        trace
    }

    fn put(&self, options: &mut Options) -> Outcome<()> {
        self.redact.put(options);
        if !self.trace.is_empty() {
            options.put("trace", texts(&self.trace));
        }
        if let Some(capture) = self.capture {
            let name = capture.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default();
            options.put("capture", text(&name));
        }
        let mut limits = Options::default();
        for limit in &self.limits {
            let Some((name, value)) = limit.split_once('=') else { continue };
            let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') && !value.is_empty();
            let value = match value {
                "none" => "()".to_string(),
                _ if is_number && name != "time" => value.to_string(),
                _ => text(value),
            };
            limits.put(name, value);
        }
        if !self.limits.is_empty() {
            options.put("limits", limits.script());
        }
        if self.trace.is_empty() && (self.capture.is_some() || !self.limits.is_empty()) {
            return Err(Failure::usage("nothing is traced: --trace is missing").hint("--trace app:NAME"));
        }
        Ok(())
    }
}

/// A script's map under construction.
#[derive(Default)]
pub(super) struct Options(Vec<String>);

impl Options {
    pub fn put(&mut self, key: &str, value: impl std::fmt::Display) {
        self.0.push(format!("{}: {value}", text(key)));
    }
    pub fn script(&self) -> String {
        format!("#{{{}}}", self.0.join(", "))
    }
}

/// A path that a script can name.
pub(super) fn path_text(path: &Path) -> Outcome<&str> {
    path.to_str().ok_or_else(|| Failure::usage(format!("{}: the path is not UTF-8", path.display())))
}

/// A script's string.
pub(super) fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

fn texts(values: &[String]) -> String {
    let items: Vec<String> = values.iter().map(|value| text(value)).collect();
    format!("[{}]", items.join(", "))
}
