//! Nodes of our own, started for a user's code, and gone with us whatever ends us.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::apps::App;
use crate::desk::{Program, cinema, output};
use crate::otp::{Otp, each_otp};

const SOON: Duration = Duration::from_secs(5);

/// `cinema beam` with this release's programs, and a folder for its temporary files.
fn beam(otp: Otp, scratch: &Path) -> Command {
    let mut command = cinema(None);
    command
        .arg("beam")
        .env("PATH", otp.path_env())
        .env("TMPDIR", scratch)
        .env("HOME", scratch)
        .env("LC_ALL", "C.UTF-8");
    command
}

fn shop(otp: Otp, scratch: &Path) -> Command {
    let mut command = beam(otp, scratch);
    for ebin in App::Shop.ebins(otp) {
        command.arg("--pa").arg(ebin);
    }
    command.args(["--start", "application:ensure_all_started(shop)"]);
    command
}

/// The processes whose parent is `pid`, and theirs.
fn descendants(pid: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("Linux").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parent_of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let children: Vec<u32> = pids.filter(|child| parent_of(*child) == Some(pid)).collect();
    children.into_iter().flat_map(|child| descendants(child).into_iter().chain([child])).collect()
}

fn wait_until_gone(pids: &[u32]) {
    let start = Instant::now();
    let is_there = |pid: &&u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while let Some(pid) = pids.iter().find(is_there) {
        assert!(start.elapsed() < SOON, "{pid} lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().to_path_buf();
    (folder, path)
}

fn assert_is_empty(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name.to_string_lossy().starts_with('.')), "{left:?}");
}

each_otp! {
    #[cfg_attr(not(target_os = "linux"), allow(unused))]
    fn a_node_of_our_own_runs_the_users_code(otp) {
        let (_folder, folder) = scratch();
        let mut program = Program::start(shop(otp, &folder));
        program.type_line("print(gen_call(\"stock\", t(\"buy\", 1)))");
        program.wait_for("{ok,99}");
        program.type_line("print(`spawned ${events().kind(\"spawn\").tag(\"shop_stock\").count()}`)");
        program.wait_for("spawned 1");
        program.type_line("print(`states ${events().pid(\"stock\").kind(\"state_change\").count()}`)");
        program.wait_for("states 2");
        program.type_line("tree()");
        program.wait_for("shop_client_sup");
        let node = descendants(program.os_pid());
        assert!(!node.is_empty());
        let command_lines: Vec<u8> =
            node.iter().flat_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).collect();
        assert!(!String::from_utf8_lossy(&command_lines).contains("setcookie"));
        program.finish();
        wait_until_gone(&node);
        assert_is_empty(&folder);
    }

    fn what_a_bare_call_links_to_lives_on_and_is_traced(otp) {
        let (_folder, folder) = scratch();
        let mut command = beam(otp, &folder);
        for ebin in App::Shop.ebins(otp) {
            command.arg("--pa").arg(ebin);
        }
        command.args(["--start", "shop_stock:start_link(100)"]);
        let mut program = Program::start(command);
        program.type_line("print(gen_call(\"stock\", t(\"buy\", 1)))");
        program.wait_for("{ok,99}");
        program.type_line("print(`spawned ${events().kind(\"spawn\").tag(\"shop_stock\").count()}`)");
        program.wait_for("spawned 1");
        program.type_line("print(`begun ${events().pid(\"stock\").kind(\"handle_start\").class(\"init\").count()}`)");
        program.wait_for("begun 1");
        program.finish();
        assert_is_empty(&folder);
    }

    fn it_dies_with_us(otp) {
        let (_folder, folder) = scratch();
        let mut program = Program::start(shop(otp, &folder));
        program.type_line("print(gen_call(\"pong\", \"ping\"))");
        program.wait_for("{pong,1}");
        let node = descendants(program.os_pid());
        assert!(!node.is_empty());
        program.kill();
        wait_until_gone(&node);
        assert_is_empty(&folder);
    }

    fn a_start_that_fails_says_why(otp) {
        let (_folder, folder) = scratch();
        let (said, went_well) = output(beam(otp, &folder).args(["--start", "nobody:start()", "-e", "1"]));
        assert!(!went_well && said.contains("undef") && said.contains("nobody"), "{said}");
        let (said, went_well) = output(beam(otp, &folder).args(["--start", "nobody:start()", "-e", "1", "--", "-flag_x", "-config", "missing"]));
        assert!(!went_well && said.contains("the node ended at its start") && said.contains("missing"), "{said}");
        let (said, went_well) = output(beam(otp, &folder).args(["--pa", "no/such/folder", "--start", "a:b()"]));
        assert!(!went_well && said.contains("no folder no/such/folder"), "{said}");
        let (said, went_well) = output(beam(otp, &folder).args(["-e", "1"]));
        assert!(!went_well && said.contains("start or mix is missing"), "{said}");
        let (said, went_well) = output(beam(otp, &folder).env("PATH", "/nowhere").args(["--start", "a:b()", "-e", "1"]));
        assert!(!went_well && said.contains("cannot start erl"), "{said}");
        assert_is_empty(&folder);
    }

    fn a_mix_project_runs(otp) {
        let (_folder, folder) = scratch();
        let project = folder.join("orders");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beam/apps/orders");
        let copied = Command::new("cp").arg("-r").args([&sources, &project]).status().expect("cp is a program");
        assert!(copied.success());
        let mut command = beam(otp, &folder);
        command.arg("--mix").arg(&project).env("MIX_ENV", "prod");
        let mut program = Program::start(command);
        program.type_line("print(`counts ${gen_call(\"Orders.Counter\", \"value\")}`)");
        program.wait_for("counts 0");
        program.type_line("tree()");
        program.wait_for("Orders.Inventory");
        let node = descendants(program.os_pid());
        program.finish();
        wait_until_gone(&node);
    }
}
