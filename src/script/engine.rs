//! Makes engines: packages, limits, values, imports, output and endings, the same for every purpose.
//! It must not know what a session or a process offers to scripts: those register their own functions.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use rhai::{Dynamic, Engine, INT};

use super::control::Control;
use super::error::{self, raise};
use super::profile::{self, Limits, Profile};
use super::resolver::RootedResolver;
use super::sources::Sources;
use crate::model::Failure;

/// Takes a line that a script printed.
pub type Sink = Rc<RefCell<dyn FnMut(&str)>>;

/// What all engines of one session share; clones share it too.
#[derive(Clone)]
pub struct Host {
    pub control: Control,
    pub limits: Limits,
    pub sources: Sources,
    /// Directories that `import` may read.
    pub roots: Rc<RefCell<Vec<PathBuf>>>,
    /// Where `print` and `debug` write.
    pub sink: Sink,
}

impl Host {
    pub fn new(control: Control, roots: Vec<PathBuf>, sink: impl FnMut(&str) + 'static) -> Host {
        Host {
            control,
            limits: Limits::default(),
            sources: Sources::default(),
            roots: Rc::new(RefCell::new(roots)),
            sink: Rc::new(RefCell::new(sink)),
        }
    }

    /// Lets `import` read scripts under `root` too.
    pub fn add_root(&self, root: impl Into<PathBuf>) {
        let root = root.into();
        let mut roots = self.roots.borrow_mut();
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
}

/// A new engine for `profile`. Costs some 20 µs once the thread's packages are filled.
pub fn build(profile: Profile, host: &Host) -> Engine {
    let mut engine = Engine::new_raw();
    profile::add_packages(&mut engine, profile);
    host.limits.apply(&mut engine, profile);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_module_resolver(RootedResolver::new(host.roots.clone(), host.sources.clone()));
    let sink = host.sink.clone();
    engine.on_print(move |text| (sink.borrow_mut())(text));
    let sink = host.sink.clone();
    engine.on_debug(move |text, _, position| (sink.borrow_mut())(&format!("{position:?} {text}")));
    let control = host.control.clone();
    engine.on_progress(move |n_operations| {
        if n_operations % OPERATIONS_BETWEEN_TIME_CHECKS == 0 {
            control.check_time();
        }
        if n_operations % OPERATIONS_BETWEEN_MEMORY_CHECKS == 0 {
            control.check_memory();
        }
        control.pending().map(|_| Dynamic::UNIT)
    });
    error::register(&mut engine);
    endings(&mut engine, profile, host);
    engine
}

/// Few: an operation on a long array takes milliseconds.
const OPERATIONS_BETWEEN_TIME_CHECKS: u64 = 1 << 6;
/// Some 50 ms of work; the longest that a script can go on allocating unseen.
const OPERATIONS_BETWEEN_MEMORY_CHECKS: u64 = 1 << 19;

/// `exit`, `sleep` and `set_limit`, each as its profile has them; Rhai's own are hidden.
fn endings(engine: &mut Engine, profile: Profile, host: &Host) {
    match profile {
        Profile::Shell => {
            let control = host.control.clone();
            engine.register_fn("exit", move || -> Raised<()> { Err(control.exit(0)) });
            let control = host.control.clone();
            engine.register_fn("exit", move |code: Dynamic| -> Raised<()> {
                match code.as_int().ok().filter(|code| (0..=255).contains(code)) {
                    Some(code) => Err(control.exit(code)),
                    None => Err(raise(
                        Failure::usage(format!("exit: {code} is no exit code: a number from 0 to 255")).hint("exit(3)"),
                    )),
                }
            });
            let control = host.control.clone();
            engine.register_fn("sleep", move |seconds: f64| nap(&control, seconds));
            let control = host.control.clone();
            engine.register_fn("sleep", move |seconds: INT| nap(&control, seconds as f64));
            let limits = host.limits.clone();
            engine.register_fn("set_limit", move |name: &str, value: INT| -> Raised<()> {
                let least = if name == "operations" { LEAST_OPERATIONS } else { 1 };
                match u64::try_from(value) {
                    Ok(value) if value >= least => limits.set(name, value).map_err(raise),
                    _ => Err(raise(Failure::usage(format!("limit {name}: {value} is too small, at least {least}")))),
                }
            });
        }
        Profile::Condition => {
            let no = |what: &str| -> Raised<()> { Err(format!("{what} is not available in a condition").into()) };
            engine.register_fn("exit", move || no("exit"));
            engine.register_fn("exit", move |_: Dynamic| no("exit"));
            engine.register_fn("sleep", move |_: INT| no("sleep"));
            engine.register_fn("sleep", move |_: f64| no("sleep"));
        }
        // Their own come with the host functions.
        Profile::Process => {}
    }
}

type Raised<T> = Result<T, Box<rhai::EvalAltResult>>;

/// A shell with fewer could not even raise the limit again.
const LEAST_OPERATIONS: u64 = 10_000;

/// Sleeps in slices, so that an interrupt is seen within 50 ms.
fn nap(control: &Control, seconds: f64) {
    let until = std::time::Duration::try_from_secs_f64(seconds).ok().map(|d| std::time::Instant::now() + d);
    let Some(until) = until else { return };
    while control.pending().is_none() {
        let left = until.saturating_duration_since(std::time::Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(left.min(std::time::Duration::from_millis(50)));
    }
}
