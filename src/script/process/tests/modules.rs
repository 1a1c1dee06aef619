//! What is a module, what is not, and which names a module may use.

use std::path::Path;

use expect_test::{Expect, expect};

use super::super::RhaiModules;
use super::super::modules::process_engine;
use crate::model::{Atom, Behaviour};
use crate::sandbox::sim::Modules;
use crate::script::control::Control;
use crate::script::engine::Host;
use crate::script::names::Names;

fn host() -> Host {
    Host::new(Control::default(), Vec::new(), |_| {})
}

/// Every function that the documentation of process modules names.
const HOST_FUNCTIONS: &str = "self send send_after start_timer cancel_timer gen_call cast reply_to link unlink monitor demonitor exit \
    error throw_term trap_exit register unregister whereis start_link start start_child terminate_child restart_child \
    delete_child which_children count_children is_alive process_info put get erase now_ms now_ns random make_ref log work \
    sleep label receive ok ok_timeout ok_continue ok_hibernate ignore stop reply reply_timeout reply_continue noreply \
    noreply_timeout noreply_continue stop_reply sup t tuple bin big pid term tag kind_of";

#[test]
fn every_documented_function_can_be_written_and_exists() {
    let engine = process_engine(&host());
    let names = Names::of_engine(&engine);
    for name in HOST_FUNCTIONS.split_whitespace() {
        for script in [format!("fn f() {{ {name}() }}"), format!("fn f(x) {{ x.{name}() }}"), format!("{name}(1, 2)")] {
            assert!(engine.compile(&script).is_ok(), "{script}: {:?}", engine.compile(&script));
        }
        let documented = names.overloads(name).find(|f| !f.doc.is_empty() && !f.is_standard);
        assert!(documented.is_some(), "{name} is registered with documentation");
    }
}

#[test]
fn processes_have_no_clock_file_or_other_source_of_chance() {
    let names = Names::of_engine(&process_engine(&host()));
    for name in ["timestamp", "rand", "open_file", "elapsed"] {
        assert!(names.overloads(name).next().is_none(), "{name}");
    }
}

#[test]
fn kinds_follow_from_the_callbacks() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("server.rhai", "const MAX = 3;\nfn init(args) { ok(#{max: MAX}) }");
    write("top.rhai", "fn init(args) { if true { flags() } }\nfn flags() { sup(#{}, []) }");
    write("plain.rhai", "fn run(args) { receive() }");
    write("main.rhai", "print(1)");
    let modules = RhaiModules::open(dir.path(), &host()).unwrap();
    assert_eq!(modules.names(), [Atom::new("plain"), Atom::new("server"), Atom::new("top")]);
    let kind = |name: &str| modules.instantiate(Atom::new(name)).unwrap().kind();
    assert_eq!(kind("server"), Behaviour::GenServer);
    assert_eq!(kind("top"), Behaviour::Supervisor);
    assert_eq!(kind("plain"), Behaviour::Process);
}

#[test]
fn what_is_no_module_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().to_path_buf();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("empty.rhai", "fn helper() { 1 }");
    write("acts.rhai", "fn init(args) { ok(1) }\nlet x = 1;");
    write("broken.rhai", "fn init(args) {\n    ok(#{a: })\n}");
    let modules = RhaiModules::open(&real, &host()).unwrap();
    let check = |name: &str, expected: Expect| {
        let failure = modules.instantiate(Atom::new(name)).err().unwrap().to_string();
        expected.assert_eq(&failure.replace(&real.display().to_string(), "DIR"));
    };
    check(
        "none",
        expect![[r#"
        no module "none": tried DIR/none.rhai
          hint: modules here: acts, broken, empty"#]],
    );
    check(
        "../etc/passwd",
        expect![[r#"
        no module "../etc/passwd": tried DIR/../etc/passwd.rhai
          hint: modules here: acts, broken, empty"#]],
    );
    check(
        "empty",
        expect![[r#"
        DIR/empty.rhai is no process module: it has neither init(args) nor run(args)
          hint: a server begins with: fn init(args) { ok(#{}) }"#]],
    );
    check(
        "acts",
        expect![[r#"
        DIR/acts.rhai:2: a process module holds functions, constants and imports only
          hint: what runs belongs into init(args), or into main.rhai"#]],
    );
    check(
        "broken",
        expect![[r#"
        unexpected '}'
          --> DIR/broken.rhai:2:13
           2 |     ok(#{a: })
             |             ^"#]],
    );
    let single = RhaiModules::open(&real.join("empty.rhai"), &host()).unwrap();
    assert_eq!(single.names(), [Atom::new("empty")]);
    assert!(single.instantiate(Atom::new("acts")).is_err());
    assert!(RhaiModules::open(&real.join("nowhere"), &host()).is_err());
}

#[test]
fn every_example_compiles() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = std::fs::read_dir(examples)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("main.rhai").is_file());
    for folder in folders {
        let modules = RhaiModules::open(&folder, &host()).unwrap();
        for name in modules.names() {
            if let Err(failure) = modules.instantiate(name) {
                panic!("{failure}");
            }
        }
        let main = std::fs::read_to_string(folder.join("main.rhai")).unwrap();
        let shell = crate::script::engine::build(crate::script::profile::Profile::Shell, &host());
        assert!(shell.compile(&main).is_ok(), "{}: {:?}", folder.display(), shell.compile(&main));
    }
}

#[test]
fn the_examples_that_come_along_are_those_of_the_folder() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for (folder, texts) in super::super::builtin::EXAMPLES {
        let modules = RhaiModules::open(&examples.join(folder), &host()).unwrap();
        let names: Vec<Atom> = texts.iter().map(|(name, _)| Atom::new(name)).collect();
        assert_eq!(modules.names(), names, "{folder}");
    }
    let along = RhaiModules::open(Path::new("examples/bank"), &host()).unwrap();
    assert!(along.instantiate(Atom::new("teller")).is_ok());
    let failure = RhaiModules::open(Path::new("examples/nothing"), &host()).err().unwrap().to_string();
    assert!(failure.contains("examples/worker_pool"), "{failure}");
}
