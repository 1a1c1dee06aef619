//! The flight recorder on real nodes: what it keeps, how it ends, and that nothing recorded is lost however it does.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cinema::model::{Event, Kind, Seq};
use cinema::store::Recording;

use crate::apps::App;
use crate::cli::{cinema, text};
use crate::node::{Setup, TestNode};
use crate::otp::{Otp, each_otp};

/// More than any of this takes.
const SOON: Duration = Duration::from_secs(20);

/// A shop in which something happens every 20 ms.
fn shop(otp: Otp, scenarios: &str) -> TestNode {
    let args = ["-shop", "scenarios", scenarios, "every_ms", "20"];
    args.into_iter().fold(Setup::new(otp, App::Shop), Setup::arg).start()
}

/// `cinema record` of the shop into `flight.cinema` in the node's folder, over what is there.
fn recorder(node: &TestNode, flags: &str) -> Command {
    let mut command = cinema("record", node);
    command
        .args("--trace app:shop --out flight.cinema --force --progress 100ms".split(' '))
        .args(flags.split_whitespace());
    command
}

/// Runs it to its end, which must be this.
fn record(node: &TestNode, flags: &str, code: i32) -> String {
    ended(&recorder(node, flags).output().expect("it runs"), code)
}

fn ended(output: &Output, code: i32) -> String {
    let said = text(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Starts it, and waits until it says how far it is.
fn begin(node: &TestNode, flags: &str) -> Child {
    let log = std::fs::File::create(node.home().join("said")).expect("a file");
    let child = recorder(node, flags).stdout(Stdio::piped()).stderr(log).spawn().expect("it runs");
    let start = Instant::now();
    while !said(node).contains(" dropped") {
        assert!(start.elapsed() < SOON, "{}", said(node));
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

fn said(node: &TestNode) -> String {
    std::fs::read_to_string(node.home().join("said")).unwrap_or_default()
}

fn signal(child: &Child, signal: &str) {
    let sent = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().expect("kill is a program");
    assert!(sent.success());
}

fn code_of(child: Child) -> Option<i32> {
    child.wait_with_output().expect("it was started").status.code()
}

fn open(path: &Path) -> Recording {
    let (recording, report) = Recording::open(path).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(report.is_whole(), "{report:?}");
    recording
}

fn flight(node: &TestNode) -> Recording {
    open(&node.home().join("flight.cinema"))
}

/// The numbered files, in order.
fn numbered(node: &TestNode) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(node.home()).expect("the folder is ours").map(|entry| entry.expect("an entry").path());
    let is_numbered = |path: &PathBuf| path.to_string_lossy().contains("flight-");
    let mut files: Vec<PathBuf> = entries.filter(is_numbered).collect();
    files.sort();
    files
}

fn events(recording: &Recording) -> Vec<Event> {
    (recording.first().0..recording.len()).filter_map(|seq| recording.event(Seq(seq))).collect()
}

/// Whether the system at the recording's end is known: who has which name, though they began long before.
fn knows(recording: &Recording, name: &str) -> bool {
    let system = recording.materialise(Seq(recording.len() - 1));
    system.names.keys().any(|(known, _)| known.as_str() == name)
}

each_otp! {
    fn everything_goes_to_one_file(otp) {
        let node = shop(otp, "[buy]");
        let said = record(&node, "--time 1s", 0);
        assert!(said.contains("dropped") && said.contains("flight.cinema"), "{said}");
        let recording = flight(&node);
        assert!(recording.first() == Seq(0) && recording.len() > 200 && knows(&recording, "stock"), "{said}");
        let n_bytes = std::fs::metadata(node.home().join("flight.cinema")).map_or(0, |meta| meta.len());
        assert!(said.contains(&format!("saved {} events, {n_bytes} bytes", recording.len())), "{} {n_bytes}: {said}", recording.len());
        assert!(events(&recording).iter().any(|event| event.kind == Kind::StateChange));
        node.settled(SOON).assert_none();
    }

    fn it_ends_after_so_many_events(otp) {
        let node = shop(otp, "[buy]");
        record(&node, "--events 300", 0);
        assert!(flight(&node).len() >= 300);
        record(&node, "--size 30kB --ring 10MB", 0);
        node.settled(SOON).assert_none();
    }

    fn a_ring_keeps_the_newest_and_who_they_are(otp) {
        let node = shop(otp, "[buy]");
        let said = record(&node, "--ring 400 --time 2s", 0);
        let recording = flight(&node);
        assert!(recording.first().0 > 0 && (400..=528).contains(&recording.n_held()), "{} from {}", recording.n_held(), recording.first().0);
        assert!(knows(&recording, "stock") && said.contains("held"), "{said}");
        assert!(said.contains(&format!("saved {} events", recording.n_held())), "{said}");
        // The state of who handled nothing since is there, too, though its event is gone.
        let system = recording.materialise(recording.first());
        let states: Vec<Seq> = system.processes.values().filter_map(|row| row.state).collect();
        assert!(!states.is_empty() && states.iter().all(|seq| recording.payload(*seq).is_some()), "{states:?}");
    }

    fn the_first_trigger_ends_it_and_what_was_around_it_is_there(otp) {
        let node = shop(otp, "[buy,buy,buy,late_call]");
        let said = record(&node, "--trigger on_result(\"timeout\") --before 400ms --after 300ms --once", 3);
        assert!(said.contains("trigger met"), "{said}");
        let recording = flight(&node);
        let mark = &recording.marks()[0];
        let met = recording.event(mark.at).expect("it is in the file");
        assert_eq!((mark.name.as_str(), met.kind), ("trigger 1", Kind::Timeout));
        let (first_ns, last_ns) = recording.time_range_ns().expect("it has events");
        let (before_ms, after_ms) = ((met.at_ns - first_ns) / 1_000_000, (last_ns - met.at_ns) / 1_000_000);
        assert!((0..2_000).contains(&before_ms) && (200..2_000).contains(&after_ms), "{before_ms} {after_ms}");
        assert!(numbered(&node).is_empty() && knows(&recording, "stock"));
        node.settled(SOON).assert_none();
    }

    fn once_is_once_however_often_the_trigger_is_met(otp) {
        let node = shop(otp, "[buy]");
        let said = record(&node, "--trigger on_message(\"buy\") --before 100ms --after 300ms --once", 3);
        assert_eq!((said.matches("trigger met").count(), said.matches("saved ").count()), (1, 1), "{said}");
        assert_eq!(flight(&node).marks().len(), 1);
    }

    fn triggers_are_saved_one_by_one(otp) {
        let node = shop(otp, "[late_call,buy]");
        let mut command = recorder(&node, "--before 100ms --after 100ms --time 3s");
        command.args(["--trigger", "|e| e.kind == \"timeout\""]);
        let said = ended(&command.output().expect("it runs"), 3);
        let files = numbered(&node);
        assert!(files.len() >= 2, "{said}");
        for (file, n) in files.iter().zip(1..) {
            let recording = open(file);
            let marks = recording.marks();
            assert!(marks.iter().any(|mark| mark.name == format!("trigger {n}")), "{marks:?}");
        }
        // A recorder that comes after goes on counting.
        record(&node, "--trigger on_result(\"timeout\") --before 100ms --after 10ms --time 1s", 3);
        assert!(numbered(&node).len() > files.len());
    }

    fn files_take_turns_and_nothing_falls_between(otp) {
        let node = shop(otp, "[buy]");
        record(&node, "--rotate 300 --keep 3 --time 3s", 0);
        let files = numbered(&node);
        assert_eq!(files.len(), 3);
        assert!(!files[0].ends_with("flight-0001.cinema") && !node.home().join("flight.cinema").exists());
        let recordings: Vec<Recording> = files.iter().map(|file| open(file)).collect();
        for pair in recordings.windows(2) {
            assert_eq!(pair[0].len(), pair[1].first().0);
            assert!(pair[0].n_held() >= 300 && knows(&pair[1], "stock"));
        }
    }

    fn signals_save_and_end(otp) {
        let node = shop(otp, "[buy]");
        for (name, flags) in [("INT", ""), ("TERM", "--ring 1min"), ("HUP", "--rotate 1h")] {
            let child = begin(&node, flags);
            signal(&child, name);
            assert_eq!(code_of(child), Some(0), "{name}: {}", said(&node));
            assert!(said(&node).contains("saved"), "{name}: {}", said(&node));
        }
        assert!(flight(&node).len() > 10 && open(&numbered(&node)[0]).len() > 10);
        node.settled(SOON).assert_none();
    }

    fn a_node_that_dies_takes_nothing_along(otp) {
        for flags in ["", "--ring 1min", "--trigger on_result(\"timeout\")"] {
            let mut node = shop(otp, "[buy]");
            let child = begin(&node, flags);
            node.kill();
            assert_eq!(code_of(child), Some(1), "{flags}: {}", said(&node));
            assert!(said(&node).contains("is gone") && said(&node).contains("saved to flight.cinema"), "{}", said(&node));
            assert!(flight(&node).len() > 10, "{flags}");
        }
    }

    fn a_full_disk_is_told_once_and_does_not_end_the_recorder(otp) {
        let node = shop(otp, "[buy]");
        let flags = recorder(&node, "--time 3s --seal-after 100ms");
        // What `ulimit -f` says is told to the writer as a full disk is.
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f 80; exec \"$0\" \"$@\""]).arg(flags.get_program()).args(flags.get_args());
        limited.current_dir(flags.get_current_dir().expect("the node's folder"));
        flags.get_envs().for_each(|(key, value)| _ = limited.env(key, value.unwrap_or_default()));
        let said = ended(&limited.output().expect("it runs"), 1);
        assert_eq!(said.matches("waits in memory").count(), 1, "{said}");
        assert!(said.contains("flight.cinema is whole up to before #") && said.contains("in memory only"), "{said}");
        let (recording, report) = Recording::open(&node.home().join("flight.cinema")).expect("it is there");
        assert!(report.is_unfinished() && recording.len() > 10, "{report:?}");
        node.settled(SOON).assert_none();
    }

    fn files_that_cannot_be_written_wait_and_are_told_once(otp) {
        let node = shop(otp, "[buy]");
        let later = node.home().join("later");
        let rotating = |flags: &str| {
            let mut command = cinema("record", &node);
            command.args("--trace app:shop --out later/flight.cinema --rotate 200ms".split(' '));
            command.args("--progress 100ms".split(' ')).args(flags.split(' '));
            command
        };
        let told = ended(&rotating("--time 2500ms").output().expect("it runs"), 1);
        assert_eq!(told.matches("waits in memory").count(), 1, "{told}");
        // What has no folder at the end goes where there is room.
        let elsewhere = told.split_once(" events are in ").and_then(|(_, rest)| rest.split_once(" instead"));
        let (elsewhere, _) = elsewhere.unwrap_or_else(|| panic!("{told}"));
        let (recording, report) = Recording::open(Path::new(elsewhere)).expect("it is there");
        assert!(!report.is_damaged() && recording.n_held() > 100, "{report:?}");
        std::fs::remove_file(elsewhere).expect("it is ours");
        // There is room again before it ends: nothing is lost.
        let log = std::fs::File::create(node.home().join("said")).expect("a file");
        let child = rotating("--time 4s").stdout(Stdio::piped()).stderr(log).spawn().expect("it runs");
        let start = Instant::now();
        while !said(&node).contains("waits in memory") {
            assert!(start.elapsed() < SOON, "{}", said(&node));
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::create_dir(&later).expect("a folder");
        assert_eq!(code_of(child), Some(0), "{}", said(&node));
        assert!(said(&node).contains("files are written again\n"), "{}", said(&node));
        let first = open(&later.join("flight-0001.cinema"));
        assert!(first.first() == Seq(0) && first.len() > 10, "it begins where the recorder did");
        node.settled(SOON).assert_none();
    }

    fn a_shell_records_to_a_file_as_well(otp) {
        let node = shop(otp, "[buy]");
        let mut command = cinema("attach", &node);
        command.args(["--trace", "app:shop", "--record", "shell.cinema", "-e", "run_for(\"500ms\")"]);
        ended(&command.output().expect("it runs"), 0);
        let recording = open(&node.home().join("shell.cinema"));
        assert!(recording.len() > 50 && knows(&recording, "stock"));
    }

    fn what_cannot_be_recorded_is_told_before_anything_is_touched(otp) {
        let node = TestNode::start(otp, App::None);
        for (flags, code, told) in [
            ("--trigger on_resul(\"timeout\")", 1, "on_resul"),
            ("--keep 3", 2, "--rotate"),
            ("--ring 1MB --rotate 1MB", 2, "--rotate"),
            ("--ring 5parsecs", 2, "64MB, 5min or 100000"),
            ("--time soon", 2, "5s, 1min or 2h"),
        ] {
            let said = record(&node, flags, code);
            assert!(said.contains(told), "{flags}: {said}");
        }
        let mut command = cinema("record", &node);
        let said = ended(&command.args(["--out", "flight.txt"]).output().expect("it runs"), 2);
        assert!(said.contains("does not end with .cinema"), "{said}");
        // What an earlier recorder has written is there as it was.
        std::fs::write(node.home().join("flight.cinema"), "earlier").expect("the folder is ours");
        assert!(record(&node, "", 1).contains("shop does not run"));
        let mut command = cinema("record", &node);
        let said = ended(&command.args(["--out", "flight.cinema"]).output().expect("it runs"), 1);
        assert!(said.contains("flight.cinema is there already") && said.contains("--force"), "{said}");
        assert_eq!(std::fs::read(node.home().join("flight.cinema")).expect("it is there"), b"earlier");
        node.settled(SOON).assert_none();
    }
}
