//! Floor 8: the program: command line, interactive shell, live playback.
//!
//! It drives the session through [`host::Host`] and owns everything that touches the terminal,
//! signals and threads.

mod batch;
mod cli;
mod commands;
mod console;
mod demo;
mod files;
mod film;
mod flight;
mod host;
mod import;
mod interrupt;
mod live;
mod nodes;
mod playback;
mod repl;
pub(crate) mod server;
mod terminal;
mod worker;

use std::process::ExitCode;

use cli::{Bench, Cli, Command, Format, Options};
use live::{Live, Setup};
use terminal::Place;
use worker::Worker;

use crate::model::{Failure, Outcome};
use crate::render::{self, TextOptions};
use crate::view::Table;
use crate::{bench, export};

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_panic));
    let code = cli::parse(std::env::args_os()).map_or_else(|code| code, run);
    ExitCode::from(code)
}

/// A fault of ours becomes an error of its line (see [`worker`]); where it stands is told only to those who ask.
fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    terminal::restore();
    let is_contained = std::thread::current().name() == Some("session");
    if !is_contained || std::env::var_os("RUST_BACKTRACE").is_some() {
        eprintln!("fault inside cinema: {info}\n{}", std::backtrace::Backtrace::capture());
    }
}

fn run(cli: Cli) -> u8 {
    let place = Place::detect(cli.options.no_color);
    let done = match cli.command {
        Some(Command::Bench { what, quick, trace, events, curve }) => {
            let store = bench::StoreOptions { trace, n_events: events, curve };
            measure(what, quick, store, &cli.options, place)
        }
        Some(Command::Import { files, out, offset, force }) => import::run(&files, &offset, &out, force, &cli.options),
        Some(Command::Fsck { file }) => files::fsck(&file, &cli.options),
        Some(Command::Repair { file, out, force }) => files::repair(&file, &out, force, &cli.options),
        Some(Command::Compact { file, out, force }) => files::compact(&file, &out, force, &cli.options),
        Some(Command::Soak { ns, dir, child }) => soak(ns, dir, child, &cli.options, place),
        command => with_session(command, &cli.options, place),
    };
    done.unwrap_or_else(|failure| {
        console::talk(&console::failure_text(&failure, place));
        console::exit_code(&failure)
    })
}

/// Does a command that needs a session; gives the exit code.
fn with_session(command: Option<Command>, options: &Options, place: Place) -> Outcome<u8> {
    let opens_shell = match &command {
        None => true,
        Some(Command::Open { script, .. } | Command::Attach { script, .. } | Command::Beam { script, .. }) => {
            script.is_none()
        }
        Some(Command::Serve { .. }) => place.is_interactive(),
        Some(_) => false,
    };
    let is_shell = options.eval.is_empty() && opens_shell;
    let terminal = (is_shell && place.is_interactive()).then(|| repl::Terminal::open(place)).transpose()?;
    let notify: Box<dyn Fn(String) + Send> = match &terminal {
        Some(terminal) => {
            let notices = terminal.notices().clone();
            Box::new(move |line| notices.notice(line))
        }
        None => Box::new(|line| console::talk(&line)),
    };
    // A server without a shell has nothing to interrupt: Ctrl-C ends it.
    let is_only_serving = !is_shell && matches!(command, Some(Command::Serve { .. } | Command::Mcp { .. }));
    let is_recording = matches!(command, Some(Command::Record { .. }));
    let interrupt = if is_only_serving { interrupt::Token::default() } else { interrupt::listen(is_recording) };
    let setup = Setup {
        // The demo is for people, wherever they read it.
        format: options.format(place.is_output_terminal || matches!(command, Some(Command::Demo))),
        place,
        seed: options.seed,
        interrupt: interrupt.clone(),
        is_shell,
        notify,
    };
    let worker = Worker::start(interrupt, is_shell, move || Live::new(setup))?;
    let handle = worker.clone();
    worker.ask(move |live| Ok(host::Ending::Value(live.can_serve(handle))))?;
    let driven = drive(command, options, place, is_shell, terminal, &worker);
    // Whatever has happened: a recording that goes to a file as it grows is to be whole.
    let finished = worker.ask(|live| live.finish().map(|()| host::Ending::Value(String::new())));
    let code = driven?;
    finished?;
    if code != 0 || is_shell {
        return Ok(code);
    }
    batch::code_of(worker.ask(|live| Ok(host::Ending::Exit(live.exit_code()))))
}

/// Does what the command line asks; gives the exit code.
fn drive(
    command: Option<Command>,
    options: &Options,
    place: Place,
    is_shell: bool,
    terminal: Option<repl::Terminal>,
    worker: &Worker<Live>,
) -> Outcome<u8> {
    match command {
        Some(Command::Demo) => {
            let eval = &mut |line: &str| batch::eval(worker, line);
            return demo::run(place, eval).map(|()| 0);
        }
        Some(Command::Reference) => {
            return batch::code_of(worker.ask(|live| Ok(host::Ending::Value(live.reference()))));
        }
        Some(Command::Run { script, args }) => return batch::run_script(worker, &script, args),
        Some(Command::Play { file, speed }) => {
            batch::open(worker, &file)?;
            return batch::code_of(worker.ask(move |live| host::Host::play(live, speed)));
        }
        Some(Command::Open { file, script, args }) => {
            batch::check_script(script.as_deref())?;
            let told = batch::open(worker, &file)?;
            if let Some(code) = run_on(worker, &told, script, args, terminal.is_some())? {
                return Ok(code);
            }
        }
        Some(Command::Record { target, trace, flight }) => return flight::record(worker, &target, &trace, &flight),
        Some(Command::Attach { target, trace, keep, script, args }) => {
            batch::check_script(script.as_deref())?;
            let told = nodes::attach(worker, &target, &trace, &keep)?;
            if let Some(code) = run_on(worker, &told, script, args, terminal.is_some())? {
                return Ok(code);
            }
        }
        Some(Command::Beam { launch, trace, keep, script, flags }) => {
            batch::check_script(script.as_deref())?;
            let told = nodes::launch(worker, &launch, &trace, &keep, &flags)?;
            if let Some(code) = run_on(worker, &told, script, Vec::new(), terminal.is_some())? {
                return Ok(code);
            }
        }
        Some(Command::Serve { what, args, server }) => {
            prepare(worker, what.as_deref(), args)?;
            return serve(worker, &settings(server), place, is_shell, terminal);
        }
        Some(Command::Mcp { what, args, login, trace }) => {
            console::take_output();
            match what {
                Some(node) if is_node(&node) => {
                    let target = nodes::Target { node, login };
                    let keep = nodes::Keep::of(None, &nodes::Safety::default());
                    console::talk(&nodes::attach(worker, &target, &trace.or_applications(), &keep)?);
                }
                what => prepare(worker, what.as_deref().map(std::path::Path::new), args)?,
            }
            return server::mcp::serve(worker).map(|()| 0);
        }
        // The others need no session.
        Some(_) | None => {}
    }
    go_on(options, place, is_shell, terminal, worker)
}

/// What follows when the sources are open: lines from the command line, a user or a pipe.
fn go_on(
    options: &Options,
    place: Place,
    is_shell: bool,
    terminal: Option<repl::Terminal>,
    worker: &Worker<Live>,
) -> Outcome<u8> {
    if options.serve {
        begin_serving(worker, &server::Settings::default())?;
    }
    if !is_shell {
        return batch::eval_all(worker, place, &options.eval);
    }
    Ok(match terminal {
        Some(terminal) => {
            console::talk(&greeting());
            terminal.run(worker)
        }
        None => repl::read_lines(worker, place, options.echo, std::io::stdin().lock()),
    })
}

/// Runs the script on what was opened and gives its exit code; without one, tells a user at a terminal what that is.
fn run_on(
    worker: &Worker<Live>,
    told: &str,
    script: Option<std::path::PathBuf>,
    args: Vec<String>,
    is_at_terminal: bool,
) -> Outcome<Option<u8>> {
    if is_at_terminal {
        console::talk(told);
    }
    script.map(|script| batch::run_script(worker, &script, args)).transpose()
}

/// Opens what is to be shown: a recording, or what a script makes.
fn prepare(worker: &Worker<Live>, what: Option<&std::path::Path>, args: Vec<String>) -> Outcome<()> {
    match what {
        Some(path) if path.extension().is_some_and(|extension| extension == "rhai") => {
            batch::run_script(worker, path, args).map(drop)
        }
        Some(path) => batch::open(worker, path).map(|told| console::talk(&told)),
        None => Ok(()),
    }
}

/// Whether this names a node rather than a file: there is no such file, and it does not look like a path.
fn is_node(what: &str) -> bool {
    let path = std::path::Path::new(what);
    let is_name = what.contains('@') || (path.extension().is_none() && !what.contains(std::path::is_separator));
    is_name && !path.exists()
}

fn settings(server: cli::Server) -> server::Settings {
    server::Settings { bind: server.bind, port: server.port, token: server.token, is_read_only: server.read_only }
}

fn begin_serving(worker: &Worker<Live>, settings: &server::Settings) -> Outcome<()> {
    let running = server::start(worker.clone(), settings)?;
    if !running.address.ip().is_loopback() {
        console::talk(
            "warning: whoever reaches this address and knows the token can do what you can; there is no encryption",
        );
    }
    console::print_line(&running.url());
    worker.ask(move |live| {
        live.add_server(&running);
        Ok(host::Ending::Value(String::new()))
    })?;
    Ok(())
}

/// Serves until the shell is left or, without one, until the program is ended.
fn serve(
    worker: &Worker<Live>,
    settings: &server::Settings,
    place: Place,
    is_shell: bool,
    terminal: Option<repl::Terminal>,
) -> Outcome<u8> {
    begin_serving(worker, settings)?;
    match terminal {
        Some(terminal) if is_shell => Ok(terminal.run(worker)),
        _ => {
            console::talk(if place.is_interactive() { "Ctrl-C ends it" } else { "serving until it is ended" });
            loop {
                std::thread::park();
            }
        }
    }
}

fn greeting() -> String {
    format!("cinema {}: help lists everything, demo() shows it in a minute, Ctrl-D leaves", env!("CARGO_PKG_VERSION"))
}

/// Loads the store for a while; the exit code says whether something was wrong.
fn soak(
    ns: i64,
    folder: Option<std::path::PathBuf>,
    child: Option<std::path::PathBuf>,
    options: &Options,
    place: Place,
) -> Outcome<u8> {
    if let Some(path) = child {
        return bench::soak::child(&path).map(|()| 0);
    }
    let parent = folder.unwrap_or_else(std::env::temp_dir);
    if !parent.is_dir() {
        return Err(Failure::not_found(format!("no folder {}", parent.display())).hint("make it, or leave --dir out"));
    }
    let folder = parent.join(format!("cinema-soak-{}", std::process::id()));
    let failed = |error| Failure::io(format!("{}: {error}", folder.display()));
    std::fs::create_dir(&folder).map_err(failed)?;
    let time = std::time::Duration::from_nanos(u64::try_from(ns).unwrap_or(0));
    let plan = bench::soak::Plan { time, folder: folder.clone() };
    let done = bench::soak::soak(&plan, &mut |line| console::talk(&line));
    // What cannot be removed is the folder's owner's.
    let _ = std::fs::remove_dir_all(&folder);
    let (table, n_wrong) = done?;
    print_table(&table, options, place);
    Ok(if n_wrong > 0 { console::EXIT_FOUND } else { 0 })
}

fn print_table(table: &Table, options: &Options, place: Place) {
    let text = TextOptions { width: place.width, is_coloured: place.has_color, ..TextOptions::default() };
    console::print_line(&match options.format(true) {
        Format::Json => export::json(table),
        Format::Jsonl => export::jsonl(table),
        Format::Csv => export::csv(table, text.syntax),
        Format::Table | Format::Auto => render::text::table(table, &text),
    });
}

fn measure(what: Bench, is_quick: bool, store: bench::StoreOptions, options: &Options, place: Place) -> Outcome<u8> {
    let only = match what {
        Bench::Sim => Some("sim".to_string()),
        Bench::Store => Some("store".to_string()),
        Bench::Beam => Some("beam".to_string()),
        Bench::Server => Some("server".to_string()),
        Bench::All => None,
    };
    let mut tables = bench::run(&bench::Options { is_quick, only, store })?;
    if matches!(what, Bench::Server | Bench::All) {
        tables.push(server::bench::run(place, is_quick)?);
    }
    tables.iter().for_each(|table| print_table(table, options, place));
    Ok(0)
}
