//! The applications that run on the nodes under test, and their compilation. Must not know how a node is run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::ejabberd;
use crate::otp::Otp;

/// What runs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// OTP alone.
    None,
    /// `tests/beam/apps/shop`: Erlang; every behaviour, and scenarios in `shop:run/1`.
    Shop,
    /// `tests/beam/apps/orders`: Elixir, a mix project; scenarios in `Orders.Story`.
    Orders,
    /// Debian's ejabberd, with one user (`ejabberd::USER`).
    Ejabberd,
}

impl App {
    /// Folders of compiled modules, compiled now where they are not.
    pub fn ebins(self, otp: Otp) -> Vec<PathBuf> {
        let mut ebins = vec![compiled(otp, "control", erlc)];
        match self {
            App::None => {}
            App::Shop => ebins.push(compiled(otp, "apps/shop", erlc)),
            App::Orders => {
                ebins.push(compiled(otp, "apps/orders", mix).join("lib/orders/ebin"));
                ebins.extend(otp.elixir_ebins());
            }
            App::Ejabberd => ebins.push(ejabberd::ebin(otp)),
        }
        ebins
    }

    /// Erlang expressions that start it and return when it is up.
    pub fn start_code(self) -> String {
        match self {
            App::None => "ok".to_string(),
            App::Shop => "{ok, _} = application:ensure_all_started(shop)".to_string(),
            App::Orders => "{ok, _} = application:ensure_all_started(orders)".to_string(),
            App::Ejabberd => ejabberd::START_CODE.to_string(),
        }
    }

    /// Arguments of `erl`; may write files into the node's folder.
    pub fn erl_args(self, home: &Path) -> Vec<String> {
        match self {
            App::Ejabberd => ejabberd::prepare(home),
            App::None | App::Shop | App::Orders => Vec::new(),
        }
    }

    pub fn env(self, home: &Path) -> Vec<(&'static str, PathBuf)> {
        match self {
            App::Ejabberd => ejabberd::env(home),
            App::None | App::Shop | App::Orders => Vec::new(),
        }
    }
}

/// The folder with the compiled modules of `tests/beam/SOURCES`. Kept in `target/`, under a name made of the sources
/// and the release, so that each is compiled once.
fn compiled(otp: Otp, sources: &str, compile: fn(Otp, &Path, &Path)) -> PathBuf {
    // Tests of one process wait for each other here; those of another may do the same work, and one of them wins.
    static COMPILING: Mutex<()> = Mutex::new(());
    let _turn = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beam").join(sources);
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_MANIFEST_DIR"), otp).hash(&mut hasher);
    for file in files_below(&sources) {
        (&file, std::fs::read(&file).expect("a source file")).hash(&mut hasher);
    }
    let name = sources.file_name().expect("a folder").to_string_lossy().into_owned();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("apps");
    let made = kept.join(format!("{name}-{}-{:016x}", otp.release(), hasher.finish()));
    if !made.is_dir() {
        std::fs::create_dir_all(&kept).expect("target/ is writable");
        let fresh = tempfile::Builder::new().prefix("new").tempdir_in(&kept).expect("target/ is writable");
        compile(otp, &sources, fresh.path());
        let fresh = fresh.keep();
        if std::fs::rename(&fresh, &made).is_err() {
            let _ = std::fs::remove_dir_all(&fresh);
        }
    }
    made
}

fn erlc(otp: Otp, sources: &Path, to: &Path) {
    let (modules, rest): (Vec<PathBuf>, Vec<PathBuf>) =
        files_below(sources).into_iter().partition(|file| file.extension().is_some_and(|ext| ext == "erl"));
    checked(otp.command("erlc").args(["-Wall", "-Werror", "+debug_info", "-o"]).arg(to).args(modules));
    for file in rest.iter().filter(|file| file.extension().is_some_and(|ext| ext == "app")) {
        std::fs::copy(file, to.join(file.file_name().expect("a file"))).expect("target/ is writable");
    }
}

fn mix(otp: Otp, sources: &Path, to: &Path) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let environment = [("MIX_BUILD_PATH", to), ("MIX_HOME", home.path()), ("HOME", home.path())];
    let mut command = otp.command("mix");
    command.args(["compile", "--warnings-as-errors"]).current_dir(sources).env("MIX_ENV", "prod").envs(environment);
    checked(&mut command);
}

fn checked(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
}

/// Every file, at any depth, in order.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
