//! A real Erlang node under test: started with a name and a cookie of its own, reachable on the loopback only,
//! looked into without the distribution, and killed at the end whatever happens. Must not know Cinema, but for its
//! terms.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cinema::codec::etf;
use cinema::model::{Style, Term};

use crate::apps::App;
use crate::epmd::{Epmd, free_port};
use crate::leftovers::Leftovers;
use crate::otp::Otp;

/// How long a node may take to start, and an expression to be evaluated: more than any needs, so that a hang is an
/// error and not a stopped build.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// How a node is to be started.
pub struct Setup {
    otp: Otp,
    app: App,
    has_long_names: bool,
    has_epmd: bool,
    epmd: Option<Arc<Epmd>>,
    cookie: Option<String>,
    without: Vec<&'static str>,
    args: Vec<String>,
}

/// A running node. Dropped, it is killed, and its log is printed if the test is failing.
pub struct TestNode {
    name: String,
    cookie: String,
    otp: Otp,
    dist_port: Option<u16>,
    epmd: Option<Arc<Epmd>>,
    child: Child,
    control: Mutex<Control>,
    home: tempfile::TempDir,
}

/// The two ends of the line to `test_control` on the node.
struct Control {
    to: Option<ChildStdin>,
    from: Receiver<Vec<u8>>,
}

impl Setup {
    pub fn new(otp: Otp, app: App) -> Setup {
        Setup {
            otp,
            app,
            has_long_names: false,
            has_epmd: true,
            epmd: None,
            cookie: None,
            without: Vec::new(),
            args: Vec::new(),
        }
    }
    /// `name@127.0.0.1` instead of `name@localhost`.
    pub fn long_names(mut self) -> Setup {
        self.has_long_names = true;
        self
    }
    /// A fixed port (`TestNode::dist_port`), and no epmd that would tell it.
    pub fn without_epmd(mut self) -> Setup {
        self.has_epmd = false;
        self
    }
    /// In the same cluster as `other`: its epmd and its cookie.
    pub fn beside(mut self, other: &TestNode) -> Setup {
        self.epmd = other.epmd.clone();
        self.cookie = Some(other.cookie.clone());
        self
    }
    /// As if this OTP application (`runtime_tools`, `compiler`) were not installed.
    pub fn without(mut self, app: &'static str) -> Setup {
        self.without.push(app);
        self
    }
    /// One more argument for `erl`.
    pub fn arg(mut self, arg: impl Into<String>) -> Setup {
        self.args.push(arg.into());
        self
    }

    /// Starts the node, and the application on it, and waits until both are ready.
    pub fn start(self) -> TestNode {
        let home = tempfile::Builder::new().prefix("node").tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let cookie = self.cookie.clone().unwrap_or_else(random_word);
        write_cookie(home.path(), &cookie);
        let epmd = match (self.has_epmd, &self.epmd) {
            (false, _) => None,
            (true, Some(epmd)) => Some(epmd.clone()),
            (true, None) => Some(Arc::new(Epmd::start(self.otp))),
        };
        let dist_port = (!self.has_epmd).then(free_port);
        let name = unique_name(if self.has_long_names { "127.0.0.1" } else { "localhost" });
        let mut child = self.spawn(home.path(), &name, epmd.as_deref(), dist_port);
        let control = Control::new(&mut child);
        let node = TestNode { name, cookie, otp: self.otp, dist_port, epmd, child, control: Mutex::new(control), home };
        node.run(&self.app.start_code());
        node.run("test_leftovers:baseline()");
        node
    }

    fn spawn(&self, home: &Path, name: &str, epmd: Option<&Epmd>, dist_port: Option<u16>) -> Child {
        let mut args: Vec<String> = ["-noinput", "-hidden", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]
            .into_iter()
            .chain(["-start_epmd", "false", if self.has_long_names { "-name" } else { "-sname" }, name])
            .map(str::to_string)
            .collect();
        if let Some(port) = dist_port {
            args.extend(["-erl_epmd_port".to_string(), port.to_string()]);
        }
        for ebin in self.app.ebins(self.otp) {
            args.extend(["-pa".to_string(), ebin.display().to_string()]);
        }
        args.extend(self.app.erl_args(home));
        args.extend(self.args.iter().cloned());
        args.extend(["-s".to_string(), "test_control".to_string()]);

        let log = OpenOptions::new().create(true).append(true).open(home.join("log")).expect("a log");
        let mut erl = self.otp.command("erl");
        if !self.without.is_empty() {
            erl = self.otp.erl_without(&self.without, &home.join("otp"));
        }
        // The line to the control process is on descriptors of its own; the node's own output goes to the log.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >&2", "sh"]).arg(erl.get_program()).args(args);
        for (key, value) in erl.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        command.env("HOME", home).env("ERL_CRASH_DUMP_SECONDS", "0").envs(self.app.env(home)).current_dir(home);
        if let Some(epmd) = epmd {
            command.env("ERL_EPMD_PORT", epmd.port.to_string());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn().expect("a shell")
    }
}

impl TestNode {
    /// A node with short names and an epmd of its own.
    pub fn start(otp: Otp, app: App) -> TestNode {
        Setup::new(otp, app).start()
    }

    /// `name@host`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// A node that the library reaches by its port: it looks for epmd where the environment says, for all tests at once.
    pub fn by_port(otp: Otp, app: App) -> TestNode {
        Setup::new(otp, app).without_epmd().start()
    }

    /// What a user types to reach it: the name, and the port where no epmd tells it.
    pub fn address(&self) -> String {
        match self.dist_port {
            Some(port) => format!("{}:{port}", self.name),
            None => self.name.clone(),
        }
    }
    /// As `address`, but with the port also where epmd tells it.
    pub fn address_by_port(&self) -> String {
        let name = self.name.split('@').next().expect("a name");
        match self.dist_port {
            Some(_) => self.address(),
            None => format!(
                "{}:{}",
                self.name,
                self.shown(&format!("element(2, erl_epmd:port_please({name:?}, {{127, 0, 0, 1}}))"))
            ),
        }
    }
    /// Only to check that it shows nowhere; clients are given the file.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }
    /// The node's own `.erlang.cookie`, readable by its owner only.
    pub fn cookie_file(&self) -> PathBuf {
        self.home.path().join(".erlang.cookie")
    }
    /// The folder that the node runs in; it is also its `HOME`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }
    /// What a client must have in `ERL_EPMD_PORT` to find the node; none without epmd.
    pub fn epmd_port(&self) -> Option<u16> {
        self.epmd.as_ref().map(|epmd| epmd.port)
    }
    /// The port of the distribution, where it was fixed.
    pub fn dist_port(&self) -> Option<u16> {
        self.dist_port
    }
    /// The operating system's id of the VM.
    pub fn os_pid(&self) -> u32 {
        self.child.id()
    }

    /// Evaluates Erlang expressions on the node, in a process that no tracer sees. They come back in the order they
    /// were asked.
    ///
    /// # Panics
    /// With the reason and the stack, when they fail; when the node is gone; after a minute.
    pub fn eval(&self, code: &str) -> Term {
        self.try_eval(code).unwrap_or_else(|error| panic!("{}: {code}\n{error}", self.name))
    }

    /// As `eval`, for what has a value nobody asks for.
    pub fn run(&self, code: &str) {
        self.eval(&format!("begin {code} end, ok"));
    }

    /// As `eval`, as `~0tp` prints it.
    pub fn shown(&self, code: &str) -> String {
        let term = self.eval(&format!("unicode:characters_to_binary(io_lib:format(\"~0tp\", [begin {code} end]))"));
        String::from_utf8_lossy(term.as_binary().expect("a binary")).into_owned()
    }

    /// As `eval`; an error is class, reason and stack as text.
    pub fn try_eval(&self, code: &str) -> Result<Term, String> {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.send(code.as_bytes()).map_err(|error| format!("the node does not listen: {error}"))?;
        let bytes = control.from.recv_timeout(ANSWER_MAX).map_err(|error| match error {
            RecvTimeoutError::Timeout => format!("no answer within {} s", ANSWER_MAX.as_secs()),
            RecvTimeoutError::Disconnected => "the node is gone".to_string(),
        })?;
        let answer = etf::decode(&bytes).map_err(|error| format!("{error}: {bytes:?}"))?;
        match answer.as_tuple() {
            Some([ok, value]) if ok.is_atom("ok") => Ok(value.clone()),
            Some([_, text]) => Err(String::from_utf8_lossy(text.as_binary().unwrap_or_default()).into_owned()),
            _ => Err(format!("not an answer: {}", answer.display(Style::erlang()))),
        }
    }

    /// What a debugger has left on the node, seen against how it was when it was ready.
    pub fn leftovers(&self) -> Leftovers {
        Leftovers::of(&self.eval("test_leftovers:left()"))
    }

    /// As `leftovers`, as soon as there are none, or after `within`.
    pub fn settled(&self, within: Duration) -> Leftovers {
        Leftovers::of(&self.eval(&format!("test_leftovers:settled({})", within.as_millis())))
    }

    /// Everything that the node and its applications have printed.
    pub fn log(&self) -> String {
        std::fs::read(self.home.path().join("log"))
            .map_or_else(|error| error.to_string(), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// Waits until the log has this text: what is logged is not written before the logging call returns.
    ///
    /// # Panics
    /// After a minute.
    pub fn wait_for_log(&self, text: &str) {
        let start = Instant::now();
        while !self.log().contains(text) {
            assert!(start.elapsed() < ANSWER_MAX, "{} did not log {text:?}", self.name);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal (`STOP`, `CONT`, `KILL`) to the VM.
    pub fn signal(&self, signal: &str) {
        let pid = self.os_pid().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill is a program");
        assert!(sent.success(), "kill -s {signal} {pid}");
    }

    /// Closes the line to the node, as when this process is killed, and waits until the node has stopped itself.
    pub fn abandon(mut self) {
        let control = self.control.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(control.to.take());
        let ended = control.from.recv_timeout(ANSWER_MAX);
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected), "{} lives on", self.name);
    }

    /// Kills the VM, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may be dead already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("log of {} on OTP {}:\n{}", self.name, self.otp.release(), self.log());
        }
    }
}

impl Control {
    fn new(child: &mut Child) -> Control {
        let (sender, from) = channel();
        let mut stdout = child.stdout.take().expect("stdout is a pipe");
        // Ends with the node, which holds the other end.
        std::thread::spawn(move || {
            let mut size = [0; 4];
            while stdout.read_exact(&mut size).is_ok() {
                let mut bytes = vec![0; u32::from_be_bytes(size) as usize];
                if stdout.read_exact(&mut bytes).is_err() || sender.send(bytes).is_err() {
                    break;
                }
            }
        });
        Control { to: child.stdin.take(), from }
    }

    fn send(&mut self, code: &[u8]) -> std::io::Result<()> {
        let mut frame = (code.len() as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(code);
        let to = self.to.as_mut().expect("open until the node is abandoned");
        to.write_all(&frame)
    }
}

fn write_cookie(home: &Path, cookie: &str) {
    let path = home.join(".erlang.cookie");
    std::fs::write(&path, cookie).expect("the folder is ours");
    std::fs::set_permissions(&path, Permissions::from_mode(0o400)).expect("the file is ours");
}

/// Sixteen random hexadecimal digits.
fn random_word() -> String {
    let mut bytes = [0; 8];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unique_name(host: &str) -> String {
    static N_NODES: AtomicU32 = AtomicU32::new(0);
    let n = N_NODES.fetch_add(1, Ordering::Relaxed);
    format!("cinema_test_{}_{n}@{host}", std::process::id())
}
