//! A session with its shell: what the REPL and batch runs drive. It must not know terminals.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rhai::{Dynamic, Engine};

use super::closures::Closures;
use super::operations::{self, Api};
use super::{conditions, pictures, query, record, rows, timeline};
use crate::model::Outcome;
use crate::sandbox::sim::Modules;
use crate::script::control::Control;
use crate::script::engine::Host;
use crate::script::process::RhaiModules;
use crate::script::{Shell, event};
use crate::session::{ModuleLoader, Notice, Session, SharedSession, ops};

/// How a console is set up.
pub struct ConsoleOptions {
    /// The token that Ctrl-C sets.
    pub interrupt: Arc<AtomicBool>,
    /// Directories that `import` may read; the folders of scripts are added as they are run.
    pub roots: Vec<PathBuf>,
    /// The seed of sandboxes that do not name one.
    pub seed: u64,
}

/// A session and the shell over it. It lives on one thread.
pub struct Console {
    pub shell: Shell,
    pub session: SharedSession,
}

impl Console {
    /// A console without sources. `print` takes lines that scripts print, `notify` what happens beside results.
    pub fn new(
        options: ConsoleOptions,
        print: impl FnMut(&str) + 'static,
        notify: impl Fn(Notice) + 'static,
    ) -> Console {
        let host = Host::new(Control::new(options.interrupt.clone()), options.roots, print);
        let loader = Loader(host.clone());
        let mut session = Session::new(Box::new(loader), options.interrupt);
        session.seed = options.seed;
        session.set_notifier(notify);
        let session: SharedSession = Rc::new(RefCell::new(session));
        let shared = session.clone();
        let shell = Shell::new(host.clone(), move |engine| register(engine, shared, &host));
        Console { shell, session }
    }
}

/// Finds process modules where users keep them.
struct Loader(Host);

impl ModuleLoader for Loader {
    fn load(&self, path: &str) -> Outcome<(Rc<dyn Modules>, String)> {
        let modules = RhaiModules::open(Path::new(path), &self.0)?;
        let name = Path::new(path).file_name().map_or(path.into(), |name| name.to_string_lossy());
        Ok((Rc::new(modules), name.into_owned()))
    }
}

/// Registers the whole api.
fn register(engine: &mut Engine, session: SharedSession, host: &Host) {
    let api = Api::new(session, Closures::new(host));
    event::register(engine);
    record::register(engine);
    rows::register(engine);
    timeline::register(engine);
    conditions::register(engine);
    query::register(engine, &api);
    pictures::register(engine, &api);
    operations::register(engine, &api, ops::entries());
    engine.register_fn("seq", |n: i64| Dynamic::from(format!("#{n}")));
}
