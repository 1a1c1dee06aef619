//! The Erlang/OTP releases that tests run on: where `tests/otp` put them, and how to run their programs. Must not
//! know nodes or applications.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A release of Erlang/OTP, unpacked from Debian's packages with its Elixir and ejabberd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Otp {
    /// Debian 12: Elixir 1.14, ejabberd 23.01.
    V25,
    /// Debian 13: Elixir 1.18, ejabberd 24.12, trace sessions.
    V27,
}

impl Otp {
    pub fn release(self) -> &'static str {
        match self {
            Otp::V25 => "25",
            Otp::V27 => "27",
        }
    }

    /// Where the packages are unpacked.
    pub fn root(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/otp").join(self.release())
    }

    /// Whether this release is there. Where it is not, the test is skipped, loudly; under CI it fails.
    pub fn is_here(self, test: &str) -> bool {
        let is_here = self.root().join(".unpacked").is_file();
        let release = self.release();
        if !is_here {
            assert!(std::env::var_os("CI").is_none(), "{test} needs Erlang/OTP {release}: run tests/otp {release}");
            eprintln!("SKIPPED: {test}: no Erlang/OTP {release} here; to have it, run tests/otp {release}");
        }
        is_here
    }

    /// `PATH` with this release's programs (erl, erlc, escript, epmd, elixir, mix) first.
    pub fn path_env(self) -> OsString {
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.root().join("usr/bin")).chain(std::env::split_paths(&rest));
        std::env::join_paths(folders).expect("target/ has no colon in its path")
    }

    /// One of this release's programs, in an environment without the user's Erlang settings.
    pub fn command(self, program: &str) -> Command {
        let mut command = Command::new(self.root().join("usr/bin").join(program));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["ERL_", "ELIXIR_", "MIX_", "ESCRIPT_"].iter().any(|start| text.starts_with(start)) {
                command.env_remove(name);
            }
        }
        command.env("PATH", self.path_env()).env("LC_ALL", "C.UTF-8");
        command
    }

    /// `erl` of an installation in `folder` that lacks some applications: links to this one but for those.
    pub fn erl_without(self, apps: &[&str], folder: &Path) -> Command {
        let whole = self.root().join("usr/lib/erlang");
        let link_all = |from: &Path, to: &Path, is_wanted: &dyn Fn(&str) -> bool| {
            std::fs::create_dir_all(to).expect("the folder is ours");
            for entry in std::fs::read_dir(from).expect("it is installed").flatten() {
                let name = entry.file_name();
                if is_wanted(&name.to_string_lossy()) {
                    std::os::unix::fs::symlink(entry.path(), to.join(&name)).expect("the folder is ours");
                }
            }
        };
        link_all(&whole, folder, &|name| name != "lib");
        let is_app = |name: &str, app: &&str| name.strip_prefix(app).is_some_and(|rest| rest.starts_with('-'));
        link_all(&whole.join("lib"), &folder.join("lib"), &|name| !apps.iter().any(|app| is_app(name, app)));
        // What the script `erl` does, which insists on the whole installation.
        let mut parts = std::fs::read_dir(folder).expect("the folder is ours").flatten().map(|entry| entry.path());
        let runtime = parts.find(|path| path.join("bin/erlexec").is_file()).expect("a runtime");
        let mut command = self.command(&runtime.join("bin/erlexec").display().to_string());
        command.env("ROOTDIR", folder).env("BINDIR", runtime.join("bin")).env("EMU", "beam").env("PROGNAME", "erl");
        command
    }

    /// The compiled modules of Elixir's own applications.
    pub fn elixir_ebins(self) -> Vec<PathBuf> {
        let lib = self.root().join("usr/lib/elixir/lib");
        ["elixir", "logger", "eex", "mix", "iex"].iter().map(|app| lib.join(app).join("ebin")).collect()
    }
}

/// Tests whose nodes work as hard as they can run alone: beside them nobody's time limits would mean anything.
pub static MACHINE: std::sync::RwLock<()> = std::sync::RwLock::new(());

/// Writes one test per release: `each_otp! { fn name(otp) { .. } }` becomes `name::otp25` and `name::otp27`. With
/// `alone` in front, no other test of this crate runs meanwhile.
macro_rules! each_otp {
    (alone $($rest:tt)*) => { $crate::otp::each_otp! { @ write $($rest)* } };
    (fn $($rest:tt)*) => { $crate::otp::each_otp! { @ read fn $($rest)* } };
    (# $($rest:tt)*) => { $crate::otp::each_otp! { @ read # $($rest)* } };
    (@ $lock:ident $($(#[$meta:meta])* fn $name:ident($otp:ident) $body:block)*) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            $(#[$meta])*
            fn on($otp: $crate::otp::Otp) {
                // A test that failed has told so itself.
                let _machine = $crate::otp::MACHINE.$lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if $otp.is_here(stringify!($name)) $body
            }
            #[test]
            fn otp25() {
                on($crate::otp::Otp::V25);
            }
            #[test]
            fn otp27() {
                on($crate::otp::Otp::V27);
            }
        }
    )*};
}
pub(crate) use each_otp;
