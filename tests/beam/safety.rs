//! The promise: whatever ends cinema, nothing of it is left on the node; and its cookie is nobody's to read.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use cinema::model::limits::AGENT_SILENCE_MS;

use crate::apps::App;
use crate::desk::{Program, cinema, output, scratch};
use crate::node::{Setup, TestNode};
use crate::otp::each_otp;

/// What the node may take to be clean again.
const SETTLED: Duration = Duration::from_secs(5);

/// How often cinema is killed, per release; `CINEMA_TEST_KILLS` says otherwise.
const N_KILLS: u64 = 12;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}")))
}

/// xorshift64*, good enough to choose moments.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % n
    }
}

/// What a user may be doing when the power goes.
const BUSY: &str = "start_tracing(\"app:shop\", #{sample: \"50ms\"})
brk(on_message(\"buy\", \"stock\"))
brk(on_state(\"pong\", \"count\"))
suspend(\"door\")
gen_call(\"pong\", \"ping\", \"100ms\")
get_state(\"archive\")
start_tracing(\"all\", #{all_new: true, capture: \"full\"})
paused()
suspend(\"news\")
resume(\"door\")
stop_tracing()
start_tracing(\"applications\", #{capture: \"lean\", watch: \"count\"})
replace_state(\"account\", 1)
remove_breakpoint(1)
brk(on_message(\"buy\", of_module(\"shop_client\")))
suspend(\"account\")
run_for(\"5s\")";

each_otp! {
    fn a_kill_at_any_moment_leaves_nothing(otp) {
        let seed = number("CINEMA_TEST_SEED").unwrap_or_else(|| {
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos() as u64 | 1
        });
        let n_kills = number("CINEMA_TEST_KILLS").unwrap_or(N_KILLS);
        println!("CINEMA_TEST_SEED={seed} CINEMA_TEST_KILLS={n_kills} repeats this");
        let mut random = Random(seed);
        let node = Setup::new(otp, App::Shop)
            .arg("-shop").arg("scenarios").arg("[buy,{ping,3},crash]").arg("every_ms").arg("15")
            .start();
        let mut slowest = Duration::ZERO;
        let mut reached = [("tracing app:shop", 0), ("breakpoint b1 is inside", 0), ("is suspended", 0), ("tracing all", 0)];
        for n in 0..n_kills {
            // Half of the moments lie in the first steps, where most is begun.
            let within_ms = if n % 2 == 0 { 350 } else { 1500 };
            let after = Duration::from_micros(random.below(within_ms * 1000));
            let mut program = Program::attach(&node, &[]);
            BUSY.lines().for_each(|line| program.type_line(line));
            std::thread::sleep(after);
            let said = program.kill();
            reached.iter_mut().for_each(|(step, n)| *n += u32::from(said.contains(*step)));
            let start = Instant::now();
            let left = node.settled(SETTLED);
            assert!(left.is_empty(), "seed {seed}, kill {n} after {after:?}: {left:#?}");
            slowest = slowest.max(start.elapsed());
        }
        println!("{n_kills} kills, clean again after {slowest:?} at most; steps that were reached: {reached:?}");
    }

    fn a_program_that_stands_still_is_given_up(otp) {
        let node = TestNode::start(otp, App::Shop);
        let mut program = Program::attach(&node, &["--trace", "app:shop"]);
        program.type_line("brk(on_message(\"buy\", \"stock\"))");
        program.type_line("suspend(\"door\")");
        program.wait_for("is suspended");
        node.run("spawn(fun() -> catch gen_server:call(stock, {buy, 1}) end)");
        program.type_line("while paused().len() == 0 {} print(\"it is held\")");
        program.wait_for("it is held");
        program.signal("STOP");
        let within = Duration::from_millis(AGENT_SILENCE_MS) + SETTLED;
        let start = Instant::now();
        // The connection alone is the node's own to give up, after its net_ticktime.
        while node.leftovers().categories() != ["connections"] {
            assert!(start.elapsed() < within, "{:#?}", node.leftovers());
        }
        assert_eq!(node.shown("gen_server:call(stock, count)"), "99");
        program.signal("CONT");
        program.type_line("print(nodes()[0].status)");
        program.wait_for("gone");
        program.finish();
        node.settled(SETTLED).assert_none();
    }

    fn a_program_that_leaves_cleans_up(otp) {
        let node = TestNode::start(otp, App::Shop);
        let (said, went_well) = output(
            cinema(node.epmd_port()).arg("attach").arg(node.name()).arg("--cookie-file").arg(node.cookie_file())
                .args(["--trace", "app:shop", "-e", "suspend(\"stock\")", "-e", "brk(on_message(\"digit\", \"door\"))", "-e", "exit(0)"]),
        );
        assert!(went_well, "{said}");
        node.settled(SETTLED).assert_none();
        assert_eq!(node.shown("gen_server:call(stock, count)"), "100");
    }

    fn a_way_in_that_is_closed_is_told_soon(otp) {
        let node = TestNode::start(otp, App::None);
        let try_it = |name: &str, cookie: &str| {
            let start = Instant::now();
            let (said, went_well) = output(cinema(node.epmd_port()).args(["attach", name, "--cookie", cookie, "-e", "1"]));
            assert!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
            assert!(!went_well, "{said}");
            assert!(said.contains("error:") && said.contains("hint:"), "{said}");
            said
        };
        let said = try_it(node.name(), "wrong-cookie");
        assert!(said.contains("refused the cookie") && !said.contains("wrong-cookie"), "{said}");
        let said = try_it(&format!("{}x", node.name().replace('@', "x@")).replace("localhostx", "localhost"), node.cookie());
        assert!(said.contains("no node") && said.contains("did you mean") && !said.contains(node.cookie()), "{said}");
        let said = try_it("nobody@localhost:1", node.cookie());
        assert!(said.contains("does not answer") && !said.contains(node.cookie()), "{said}");
        node.settled(SETTLED).assert_none();
    }

    fn the_cookie_shows_nowhere(otp) {
        let node = TestNode::start(otp, App::Shop);
        let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let (_folder, file) = scratch();
        let mut command = cinema(node.epmd_port());
        command.env("HOME", home.path()).current_dir(home.path());
        command.arg("attach").arg(node.name()).arg("--cookie-file").arg(node.cookie_file());
        let mut program = Program::start(command);
        program.type_line("start_tracing(\"all\", #{all_new: true, capture: \"full\", limits: #{rate: ()}})");
        program.wait_for("tracing all");
        let proc = Path::new("/proc").join(program.os_pid().to_string());
        for part in ["cmdline", "environ"] {
            let bytes = std::fs::read(proc.join(part)).expect("it runs");
            assert!(!has(&bytes, node.cookie()), "{part}");
        }
        // Whoever asks the node for its cookie, and whoever it shakes hands with.
        node.run("[spawn(fun() -> erlang:get_cookie() end) || _ <- [1, 2]], erlang:set_cookie('x@y', other),
            Done = spawn_monitor(fun() -> auth:get_cookie() end), receive {'DOWN', _, _, _, _} -> Done end");
        let other = Program::attach(&node, &[]);
        other.finish();
        program.type_line("get_state(\"auth\")");
        program.type_line("info()");
        program.type_line("nodes()");
        program.type_line(&format!("save({file:?}); export_to(\"jsonl\", {:?}); print(\"saved\")", file.with_extension("jsonl")));
        program.wait_for("saved");
        let said = program.finish();
        assert!(said.contains("keeps the node's cookie"), "{said}");
        assert!(!said.contains(node.cookie()), "{said}");
        let exported = std::fs::read(file.with_extension("jsonl")).expect("it was written");
        assert!(exported.len() > 10_000 && !has(&exported, node.cookie()), "in {} bytes", exported.len());
        assert!(!has(&std::fs::read(&file).expect("it was written"), node.cookie()));
        for entry in std::fs::read_dir(home.path()).expect("a folder").flatten().filter(|entry| entry.path().is_file()) {
            assert!(!has(&std::fs::read(entry.path()).expect("a file"), node.cookie()), "{:?}", entry.path());
        }
        node.settled(SETTLED).assert_none();
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
