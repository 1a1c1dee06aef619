//! A node of our own: started, tried, and taken down with us, whatever ends us.
//!
//! The node listens on loopback only and without epmd; its cookie is random and known to nobody else: it goes
//! through the environment, which other users cannot read, never through arguments, which they can. The node reads
//! its standard input; when that ends, because we closed it or were killed, it halts. It must not know tracing.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::dist::{Config, Cookie, Machine, Node, Target};
use crate::model::{Atom, Failure, Outcome, Term};
use crate::sandbox::trace::Redaction;

/// What to start.
#[derive(Clone, Debug, Default)]
pub struct LaunchOptions {
    /// Folders of compiled modules.
    pub code_paths: Vec<PathBuf>,
    /// A mix project: its application is loaded, and started by [`Launched::start`].
    pub mix: Option<PathBuf>,
    /// What to call when the node is there: `module`, `function`, arguments.
    pub start: Option<(String, String, Vec<Term>)>,
    /// Flags for `erl`, as they stand.
    pub flags: Vec<String>,
    /// What is taken out before anything is recorded or shown.
    pub redact: Redaction,
}

/// A running node of ours. Dropping it halts the node.
pub struct Launched {
    child: Child,
    pub node: Node,
    /// `name@127.0.0.1:PORT`.
    address: String,
    cookie: String,
    /// Where [`Launched::cookie_file`] is written.
    cookie_path: PathBuf,
}

/// A file that is gone when it is dropped.
pub struct ScratchFile(PathBuf);

impl ScratchFile {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Milliseconds that a node gets to be there.
const BOOT: Duration = Duration::from_secs(15);
/// A mix project may have to be compiled first.
const BOOT_MIX: Duration = Duration::from_secs(120);

/// What the node evaluates at its start: take the name and the cookie, then watch standard input. [`STARTER`] answers
/// calls with what it calls, and stays: what is linked to it lives on. No quotes survive the way there, so that texts
/// are lists of characters.
const BOOT_EXPRESSION: &str = "\
Name=list_to_atom(os:getenv([67,73,78,69,77,65,95,78,79,68,69])),\
Cookie=list_to_atom(os:getenv([67,73,78,69,77,65,95,67,79,79,75,73,69])),\
os:unsetenv([67,73,78,69,77,65,95,67,79,79,75,73,69]),\
{ok,_}=net_kernel:start(Name,#{name_domain=>longnames,hidden=>true}),\
erlang:set_cookie(Cookie),\
Call=list_to_atom([36,103,101,110,95,99,97,108,108]),\
register(cinema_starter,spawn(fun()->process_flag(trap_exit,true),(fun Keep()->receive{Call,From,{M,F,A}}->\
gen_server:reply(From,try{returned,apply(M,F,A)}catch Class:Reason->{Class,Reason}end),Keep();_->Keep()end end)()end)),\
spawn(fun()->(fun Watch()->case file:read(standard_io,1) of{ok,_}->Watch();_->erlang:halt(0,[{flush,false}])end end)()end).";

/// The process on the node that makes the user's call.
const STARTER: &str = "cinema_starter";

/// Starts a node and connects to it. Errors: no `erl` or `mix`, a folder that is not there, a node that ends or is
/// not there in time; the end of what it printed is in the error.
pub fn launch(options: &LaunchOptions) -> Outcome<Launched> {
    for path in options.code_paths.iter().chain(&options.mix) {
        if !path.is_dir() {
            return Err(Failure::not_found(format!("no folder {}", path.display())));
        }
    }
    let unique = random_text()?;
    let port = free_port()?;
    let name = format!("cinema_{}@127.0.0.1", &unique[..8]);
    let cookie = random_text()?;
    let log = Log::create(&scratch(&unique, "log"))?;
    let mut command = command(options, &name, &cookie, port)?;
    command.stdin(Stdio::piped()).stdout(log.writer()?).stderr(log.writer()?);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().map_err(|error| {
        Failure::io(format!("cannot start {program}: {error}"))
            .hint("Debian has it in the packages erlang and elixir; elsewhere see https://www.erlang.org/downloads")
    })?;
    let machine = Machine::here();
    let address = format!("{name}:{port}");
    let target = Target::parse(&address, true, &machine)
        .map_err(|error| Failure::io(format!("the node's own name: {error}")))?;
    let config = Config::new(target, Cookie::from_text(&cookie)?, machine);
    let deadline = Instant::now() + if options.mix.is_some() { BOOT_MIX } else { BOOT };
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(Failure::io(format!("the node ended at its start ({status}):\n{}", log.tail())));
        }
        // Nobody listens yet: ask again.
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
            && let Ok(node) = Node::connect(&config)
        {
            let cookie_path = scratch(&unique, "cookie");
            return Ok(Launched { child, node, address, cookie, cookie_path });
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Failure::io(format!("the node was not there in time:\n{}", log.tail())));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn command(options: &LaunchOptions, name: &str, cookie: &str, port: u16) -> Outcome<Command> {
    let mut flags = format!(
        "-kernel inet_dist_use_interface {{127,0,0,1}} -start_epmd false -erl_epmd_port {port} -eval \"{BOOT_EXPRESSION}\""
    );
    if options.mix.is_none() {
        flags.push_str(" -noshell");
    }
    let mut command = match &options.mix {
        Some(folder) => {
            let mut mix = Command::new("mix");
            mix.args(["run", "--no-start", "--no-halt"]).current_dir(folder);
            mix
        }
        None => Command::new("erl"),
    };
    for path in &options.code_paths {
        if options.mix.is_some() {
            let path = path.canonicalize().map_err(|error| Failure::io(format!("{}: {error}", path.display())))?;
            flags.push_str(&format!(" -pa \"{}\"", path.display()));
        } else {
            command.arg("-pa").arg(path);
        }
    }
    if options.mix.is_some() {
        flags.extend(options.flags.iter().map(|flag| format!(" {flag}")));
    } else {
        command.args(&options.flags);
    }
    command.env("ERL_ZFLAGS", flags).env("CINEMA_NODE", name).env("CINEMA_COOKIE", cookie);
    // A node of ours is no node of the user's: it takes no names and no flags of theirs.
    command.env_remove("RELEASE_NODE").env_remove("RELEASE_COOKIE");
    Ok(command)
}

impl Launched {
    /// The node as another program attaches to it.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// A file with the cookie that only we may read. Errors: it cannot be written.
    pub fn cookie_file(&self) -> Outcome<ScratchFile> {
        let path = &self.cookie_path;
        let failed = |error: std::io::Error| Failure::io(format!("cannot write {}: {error}", path.display()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let scratch = ScratchFile(path.clone());
        file.write_all(self.cookie.as_bytes()).map_err(failed)?;
        Ok(scratch)
    }

    /// The user's own modules, loaded: those in the options' folders.
    pub fn modules(&self, options: &LaunchOptions) -> Outcome<Vec<Atom>> {
        let timeout = Duration::from_secs(10);
        let folders: Vec<PathBuf> = options
            .code_paths
            .iter()
            .chain(&options.mix)
            .flat_map(|path| [Some(path.clone()), path.canonicalize().ok()])
            .flatten()
            .collect();
        let listed = self.node.call("code", "all_available", Vec::new(), timeout)?;
        let own = |item: &Term| {
            let [module, file, _] = item.as_tuple()? else { return None };
            let file = text_of(file)?;
            let is_own = folders.iter().any(|folder| Path::new(&file).starts_with(folder));
            is_own.then(|| text_of(module))?.and_then(|name| Atom::try_new(&name).ok())
        };
        let modules: Vec<Atom> = listed.as_list().unwrap_or_default().iter().filter_map(own).collect();
        let list = Term::list(modules.iter().map(|module| Term::Atom(*module)).collect::<Vec<_>>());
        // One that cannot be loaded is nobody's callback module; the others are loaded all the same.
        self.node.call("code", "ensure_modules_loaded", vec![list], timeout)?;
        Ok(modules)
    }

    /// Starts what was asked for: the call, and the mix project's application.
    pub fn start(&self, options: &LaunchOptions) -> Outcome<()> {
        let shown = crate::model::Style::erlang().chars_max(300);
        let timeout = Duration::from_secs(30);
        if options.mix.is_some() {
            let config = self.node.call("Elixir.Mix.Project", "config", Vec::new(), timeout)?;
            let app = config.as_list().unwrap_or_default().iter().find_map(|item| match item.as_tuple() {
                Some([key, app]) if key.is_atom("app") => Some(app.clone()),
                _ => None,
            });
            let app = app.ok_or_else(|| Failure::bad_input("the mix project names no application"))?;
            let started = self.node.call("application", "ensure_all_started", vec![app], timeout)?;
            if started.tagged("ok", 2).is_none() {
                return Err(Failure::io(format!("the application did not start: {}", started.display(shown))));
            }
        }
        if let Some((module, function, args)) = &options.start {
            let call = Term::tuple([Term::atom(module), Term::atom(function), Term::list(args.clone())]);
            // Not by a call of ours: what that spawns is left out of the recording, and ends with it when it is linked.
            let request = vec![Term::atom(STARTER), call, Term::atom("infinity")];
            let answer = self.node.call("gen_server", "call", request, timeout)?;
            let is_good = answer.tagged("returned", 2).is_some_and(|items| items[1].tagged("error", 2).is_none());
            if !is_good {
                let what = answer.tagged("returned", 2).map_or(&answer, |items| &items[1]);
                return Err(Failure::io(format!("{module}:{function}/{} gave {}", args.len(), what.display(shown))));
            }
        }
        Ok(())
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        // The end of its input halts the node; a node that hangs is killed.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(2);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text in a charlist.
fn text_of(list: &Term) -> Option<String> {
    let code = |code: &Term| char::from_u32(u32::try_from(code.as_int()?).ok()?);
    list.as_list()?.iter().map(code).collect()
}

/// 32 random hexadecimal digits.
fn random_text() -> Outcome<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::io(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A port that is free now.
fn free_port() -> Outcome<u16> {
    let failed = |error: std::io::Error| Failure::io(format!("no free port on loopback: {error}"));
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(failed)?;
    Ok(listener.local_addr().map_err(failed)?.port())
}

/// A file of ours among the machine's temporary ones.
fn scratch(unique: &str, extension: &str) -> PathBuf {
    std::env::temp_dir().join(format!("cinema-{}.{extension}", &unique[..8]))
}

/// What a node prints. The file has no name any more: it is gone with the node and us, whatever ends us.
struct Log(File);

impl Log {
    fn create(path: &Path) -> Outcome<Log> {
        let failed = |error: std::io::Error| Failure::io(format!("cannot write {}: {error}", path.display()));
        let file =
            OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        std::fs::remove_file(path).map_err(failed)?;
        Ok(Log(file))
    }
    fn writer(&self) -> Outcome<File> {
        self.0.try_clone().map_err(|error| Failure::io(error.to_string()))
    }
    /// The last lines.
    fn tail(&self) -> String {
        let n_bytes = self.0.metadata().map_or(0, |meta| meta.len());
        let mut bytes = vec![0; 8192];
        // What cannot be read is not shown.
        let n_read = self.0.read_at(&mut bytes, n_bytes.saturating_sub(8192)).unwrap_or(0);
        let text = String::from_utf8_lossy(&bytes[..n_read]).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}
