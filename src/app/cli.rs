//! The command line: words, flags, help, and usage errors that say what was meant.
//! It must not know what the commands do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::model::time::parse_duration_ns;
use crate::model::{Failure, Outcome};

/// Exit code of a command line that cannot be understood.
pub const EXIT_USAGE: u8 = 2;

const ABOUT: &str = "A time-travel debugger for OTP systems";

const LONG_ABOUT: &str = "\
A time-travel debugger for OTP systems.

Cinema runs supervised processes in a deterministic sandbox, or opens a recording of a real node,
and lets you go back and forth in time, stop at conditions, compare states and ask why.
Without a command it opens the interactive shell.";

const EXAMPLES: &str = "\
Examples:
  cinema demo                                  from \"a call timed out\" to the cause, in a minute
  cinema                                       the interactive shell; try help
  cinema attach shop@localhost --trace app:shop   a running node, as it goes
  cinema record shop@localhost --out shop.cinema --trigger 'on_result(\"timeout\")'
  cinema open node.trace                       look around in a dbg or ttb trace, or a .cinema file
  cinema import node*.trace -o node.cinema     a trace that is larger than memory, once
  cinema open node.trace -e 'patterns()'       ask one question and leave
  cinema run scripts/tools/timeouts.rhai node.trace
  cinema -e 'sandbox(\"examples/bank\"); run(); latency()' --format json
  echo 'events().count()' | cinema open run.cinema

Exit codes: 0 ok, 1 error, 2 usage, 3 a condition or finding was met, 130 interrupted.";

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "cinema", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES, styles = STYLES)]
#[command(infer_subcommands = false, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub options: Options,
}

/// Flags of all commands; one that a command does nothing with is refused.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Evaluate EXPR and print its value; may be given several times
    #[arg(short = 'e', long = "eval", value_name = "EXPR", global = true)]
    pub eval: Vec<String>,
    /// How results are printed; a line without a value, `()`, prints nothing
    #[arg(long, value_enum, default_value_t = Format::Auto, global = true)]
    pub format: Format,
    /// The same as --format json
    #[arg(long, global = true, conflicts_with = "format")]
    pub json: bool,
    /// Seed of sandboxes that do not name one: the same seed gives the same run
    #[arg(long, value_name = "N", global = true)]
    pub seed: Option<u64>,
    /// No colours; NO_COLOR does the same
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Show the session in a browser, too: prints the address to open
    #[arg(long, global = true)]
    pub serve: bool,
    /// Print the prompt and each line that is read, as a terminal shows them
    #[arg(long, global = true, hide_short_help = true)]
    pub echo: bool,
}

/// What to do; the shell when it is absent.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// A guided minute: a bank whose call times out, and why
    Demo,
    /// Run a script in batch
    Run {
        /// A Rhai file; `-` reads standard input
        script: PathBuf,
        /// What the script finds in `args`; flags of its own come after `--`
        args: Vec<String>,
    },
    /// Open a recording: a .cinema file, a trace file or folder of dbg or ttb, or events as JSON lines
    Open {
        /// The recording; what kind it is its first bytes say
        file: PathBuf,
        /// Run this script on it instead of opening the shell
        script: Option<PathBuf>,
        /// What the script finds in `args`; flags of its own come after `--`
        args: Vec<String>,
    },
    /// Import traces into a .cinema file, larger than memory: trace files of dbg or ttb, or exported JSON lines
    ///
    /// Files of a wrapped set (name0.trace, name1.trace ..) are put in order, those of several nodes merged by time. What is
    /// damaged or missing is told, and stands as a loss among the events; the exit code is 1 then.
    Import {
        /// Trace files, folders of ttb, or one .jsonl file as export_to("jsonl", ..) writes it
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The .cinema file to write
        #[arg(short, long, value_name = "OUT.cinema")]
        out: PathBuf,
        /// Add to the times of a trace file, where nodes' clocks differ: b.trace=-1.5s; may be given several times
        #[arg(long, value_name = "FILE=TIME", value_parser = super::import::read_offset, allow_hyphen_values = true)]
        offset: Vec<crate::session::import::ClockOffset>,
        /// Write over a file that is there already
        #[arg(long)]
        force: bool,
    },
    /// Attach to a running Erlang or Elixir node; nothing of ours is left there afterwards
    Attach {
        #[command(flatten)]
        target: super::nodes::Target,
        #[command(flatten)]
        trace: super::nodes::Trace,
        #[command(flatten)]
        keep: super::nodes::Keep,
        /// Run this script on it instead of opening the shell
        script: Option<PathBuf>,
        /// What the script finds in `args`; flags of its own come after `--`
        args: Vec<String>,
    },
    /// Record a running node until something ends it: a flight recorder
    ///
    /// Without --limit, tracing ends only by the rate, the queues and the memory of the node.
    Record {
        #[command(flatten)]
        target: super::nodes::Target,
        #[command(flatten)]
        trace: super::nodes::Trace,
        #[command(flatten)]
        flight: super::flight::Flight,
    },
    /// Start a node of our own with your code, traced; it ends with us
    Beam {
        #[command(flatten)]
        launch: super::nodes::Launch,
        #[command(flatten)]
        trace: super::nodes::Trace,
        #[command(flatten)]
        keep: super::nodes::Keep,
        /// Run this script on it instead of opening the shell
        #[arg(long, value_name = "SCRIPT")]
        script: Option<PathBuf>,
        /// Flags for `erl`, after `--`
        #[arg(last = true, value_name = "ERL_FLAGS")]
        flags: Vec<String>,
    },
    /// Play a recording as a live list of events
    Play {
        file: PathBuf,
        /// Times the recorded speed
        #[arg(long, default_value_t = 1.0)]
        speed: f64,
    },
    /// Show a session in a browser: a recording, what a script makes, or an empty one to drop a file on
    Serve {
        /// A recording to open, or a .rhai script to run first
        what: Option<PathBuf>,
        /// What the script finds in `args`; flags of its own come after `--`
        args: Vec<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Answer an assistant's questions, by the Model Context Protocol on standard input and output
    ///
    /// A node is traced as `cinema attach` does, the applications when --trace is not given.
    Mcp {
        /// A recording to open, a .rhai script to run first, or a running node
        #[arg(value_name = "FILE|SCRIPT|NODE")]
        what: Option<String>,
        /// What the script finds in `args`; flags of its own come after `--`
        args: Vec<String>,
        #[command(flatten)]
        login: super::nodes::Login,
        #[command(flatten)]
        trace: super::nodes::Trace,
    },
    /// Check a .cinema file as a whole: what is damaged, where, and what is lost; exit code 3 when something is
    Fsck { file: PathBuf },
    /// Write what can be saved of a damaged .cinema file to a new one
    Repair {
        file: PathBuf,
        out: PathBuf,
        /// Write over OUT when it is there
        #[arg(long)]
        force: bool,
    },
    /// Write a .cinema file in archive form: smaller, by half when it is long, and read like any other
    Compact {
        file: PathBuf,
        out: PathBuf,
        /// Write over OUT when it is there
        #[arg(long)]
        force: bool,
    },
    /// Load the store with all that it can do for a while, and see that nothing is lost
    Soak {
        /// How long: 1h, 5min, 30s
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = some_time_ns)]
        ns: i64,
        /// Where its files go, and are removed again; the folder for temporary files
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// As a child: record into this file until killed
        #[arg(long, value_name = "FILE", hide = true)]
        child: Option<PathBuf>,
    },
    /// Measure this machine: the sandbox, the store, live nodes, the server
    ///
    /// `bench store` gives DuckDB, Parquet (read by DuckDB), SQLite and a memcpy the same rows and asks them the same questions;
    /// answers that differ are told. Times are CPU time of all threads, medians; DuckDB has one thread. Peers get numbers
    /// for processes, tags and kinds, Arrow tables in memory (SQLite: tuples), no sync. Their Python packages are installed into
    /// target/bench/python when they are missing.
    Bench {
        #[arg(value_enum, default_value_t = Bench::All)]
        what: Bench,
        /// Smaller inputs: seconds instead of a minute
        #[arg(long)]
        quick: bool,
        /// Store: measure on this trace file of dbg, too, and its import against Erlang's reader
        #[arg(long, value_name = "FILE")]
        trace: Option<PathBuf>,
        /// Store: events of each comparison
        #[arg(long, value_name = "N")]
        events: Option<u64>,
        /// Store: draw what an event costs from 1 M to 100 M events
        #[arg(long, value_name = "OUT.svg")]
        curve: Option<PathBuf>,
    },
    /// Print the reference of the script functions as Markdown
    Reference,
}

/// How a server is set up.
#[derive(Clone, Debug, Args)]
pub struct Server {
    /// The port; 0 takes any free one
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// The interface to listen on: others can reach it only when this is not the loopback interface
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: std::net::IpAddr,
    /// What a browser must know; a random one is made when left out
    #[arg(long, value_name = "TEXT")]
    pub token: Option<String>,
    /// Show the session, and let nobody change more than the position
    #[arg(long)]
    pub read_only: bool,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    Sim,
    Store,
    Beam,
    Server,
    All,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people
    Table,
    /// One document per result
    Json,
    /// One object per row and line
    Jsonl,
    /// Comma separated, with a header
    Csv,
    /// A table on a terminal, jsonl elsewhere
    Auto,
}

/// Flags of [`Options`] besides `--no-color`, which does no harm anywhere.
const FORMAT: &[&str] = &["--format", "--json"];
const SCRIPT: &[&str] = &["--format", "--json", "--seed"];
/// All of them.
const SHELL: &[&str] = &["--format", "--json", "--seed", "--eval", "--serve", "--echo"];

/// The flags of [`Options`] that a command does something with.
fn flags_of(command: &str) -> &'static [&'static str] {
    match command {
        "open" | "attach" | "beam" => SHELL,
        "demo" | "run" | "serve" | "mcp" => SCRIPT,
        "play" | "reference" => &[],
        _ => FORMAT,
    }
}

impl Command {
    /// Whether it runs a script where it could open the shell.
    fn has_script(&self) -> bool {
        match self {
            Command::Open { script, .. } | Command::Attach { script, .. } | Command::Beam { script, .. } => {
                script.is_some()
            }
            _ => false,
        }
    }
}

impl Options {
    /// Its flags besides `--no-color`, and whether they were given.
    fn flags(&self) -> [(&'static str, bool); 6] {
        [
            ("--format", self.format != Format::Auto),
            ("--json", self.json),
            ("--seed", self.seed.is_some()),
            ("--eval", !self.eval.is_empty()),
            ("--serve", self.serve),
            ("--echo", self.echo),
        ]
    }

    /// The format to use where output is, or is not, a terminal.
    pub fn format(&self, is_terminal: bool) -> Format {
        match self.format {
            _ if self.json => Format::Json,
            Format::Auto if is_terminal || self.echo => Format::Table,
            Format::Auto => Format::Jsonl,
            format => format,
        }
    }
}

/// Reads the command line. The error is the exit code; what there is to say has been said.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    read(args).map_err(|error| {
        // `--help` and `--version` come as errors, too.
        super::console::or_end(error.print());
        if let Some(hint) = hint(&error) {
            eprintln!("\n  hint: {hint}");
        }
        if error.use_stderr() { EXIT_USAGE } else { 0 }
    })
}

/// The command line as clap knows it: the help of a command has only those flags of all commands that it does something with.
fn words() -> clap::Command {
    let mut words = Cli::command();
    // Only then have commands the flags of all commands.
    words.build();
    words.mut_subcommands(|command| {
        let used = flags_of(command.get_name());
        command.mut_args(|arg| {
            let is = |flag: &&&str| flag.strip_prefix("--") == arg.get_long();
            let is_unused = SHELL.iter().find(is).is_some_and(|flag| !used.contains(flag));
            if is_unused { arg.hide(true) } else { arg }
        })
    })
}

fn read(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let mut words = words();
    let matches = words.try_get_matches_from_mut(args)?;
    used(Cli::from_arg_matches(&matches)?, matches.subcommand_name(), &mut words)
}

/// A duration that is longer than nothing.
fn some_time_ns(text: &str) -> Outcome<i64> {
    match parse_duration_ns(text)? {
        ns if ns > 0 => Ok(ns),
        _ => Err(Failure::usage(format!("{text:?} is no time at all")).hint("30s")),
    }
}

/// Errors: a flag that the command, of this name, does nothing with.
fn used(cli: Cli, name: Option<&str>, words: &mut clap::Command) -> Result<Cli, clap::Error> {
    let has_script = cli.command.as_ref().is_some_and(Command::has_script);
    let flags = if has_script { SCRIPT } else { name.map_or(SHELL, flags_of) };
    let given = cli.options.flags().into_iter().find(|(flag, is_given)| *is_given && !flags.contains(flag));
    let Some((flag, _)) = given else { return Ok(cli) };
    let what = if has_script { "a run of a script" } else { "this command" };
    let words = match name.and_then(|name| words.find_subcommand_mut(name)) {
        Some(command) => command,
        None => return Ok(cli),
    };
    Err(words.error(ErrorKind::ArgumentConflict, format!("{flag} does nothing for {what}")))
}

/// What the user may have meant where clap cannot know: a file given without its command.
fn hint(error: &clap::Error) -> Option<String> {
    let word = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) => word,
        _ => return None,
    };
    let path = Path::new(word);
    match path.extension().and_then(|ext| ext.to_str()) {
        Some("rhai") => Some(format!("cinema run {word}")),
        _ if path.exists() => Some(format!("cinema open {word}")),
        _ if word.contains('(') => Some(format!("cinema -e '{word}'")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Cli {
        Cli::try_parse_from(words.split(' ')).unwrap()
    }

    #[test]
    fn clap_finds_no_fault_in_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_are_ours_wherever_they_stand_and_the_scripts_after_two_dashes() {
        let cli = parse_words("cinema run tool.rhai node.trace --seed 7 -- --format x");
        let Some(Command::Run { args, .. }) = cli.command else { panic!("a run") };
        assert_eq!(args, ["node.trace", "--format", "x"]);
        assert_eq!((cli.options.seed, cli.options.format), (Some(7), Format::Auto));
    }

    #[test]
    fn the_help_of_a_command_has_its_flags() {
        let mut words = words();
        let mut help = |name: &str| words.find_subcommand_mut(name).unwrap().render_long_help().to_string();
        assert!(!help("fsck").contains("--eval") && help("fsck").contains("--format"));
        assert!(
            help("open").contains("--eval") && help("open").contains("--serve") && !help("play").contains("--json")
        );
    }

    #[test]
    fn a_flag_that_does_nothing_is_refused() {
        let refused = |words: &str| read(words.split(' ').map(OsString::from)).err().map(|error| error.to_string());
        for words in ["cinema fsck f --format csv --no-color", "cinema open f -e x --serve", "cinema run s --seed 1"] {
            assert_eq!(refused(words), None, "{words}");
        }
        for (words, told) in [
            ("cinema fsck f -e x", "--eval does nothing for this command"),
            ("cinema repair f g --seed 1", "--seed does nothing for this command"),
            ("cinema run s --serve", "--serve does nothing for this command"),
            ("cinema open f s.rhai -e x", "--eval does nothing for a run of a script"),
            ("cinema reference --json", "--json does nothing for this command"),
        ] {
            assert!(refused(words).is_some_and(|text| text.contains(told)), "{words}: {:?}", refused(words));
            let command = words.split(' ').take(2).collect::<Vec<_>>().join(" ");
            assert!(refused(words).is_some_and(|text| text.contains(&format!("Usage: {command}"))), "{words}");
        }
    }

    #[test]
    fn auto_is_a_table_for_people_and_lines_for_programs() {
        let options = parse_words("cinema open f -e x").options;
        assert_eq!(options.format(true), Format::Table);
        assert_eq!(options.format(false), Format::Jsonl);
        assert_eq!(parse_words("cinema --json").options.format(true), Format::Json);
    }
}
