//! Secrets of a real application: they are in no recording, and nothing that is shown tells them.

use std::path::Path;
use std::time::Duration;

use cinema::codec::redact::MARK;
use cinema::model::{Kind, Seq};
use cinema::store::Recording;

use crate::apps::App;
use crate::cli::{cinema, text};
use crate::node::{Setup, TestNode};
use crate::otp::{Otp, each_otp};

/// The account's password, which is in its state and in a message; the vault's, which is in a message to it.
const PASSWORD: &str = "hunter2-5d1c";
const SESAME: &str = "sesame-88ab";

/// A shop in which somebody logs in every 20 ms.
fn shop(otp: Otp) -> TestNode {
    let args = ["-shop", "scenarios", "[secret]", "every_ms", "20"];
    args.into_iter().fold(Setup::new(otp, App::Shop), Setup::arg).start()
}

/// Looks at the shop for a while, with these flags, and at its account; gives what was said, and the recording.
fn watched(node: &TestNode, flags: &[&str]) -> (String, Recording) {
    let file = node.home().join("watched.cinema");
    let mut command = cinema("attach", node);
    command.args(["--trace", "app:shop", "--capture", "full", "--format", "table"]).args(flags);
    for line in [
        "run_for(\"600ms\")",
        "get_state(\"account\")",
        "state(\"account\")",
        "events().kind(\"send\").table(1000)",
        "let id = brk(on_state(\"account\", \"n_logins\"), action::pause())",
        "run_for(\"2s\")",
        "paused()",
        "remove_breakpoint(id)",
        "nodes()",
        "info()",
        "save(\"watched.cinema\", #{force: true})",
    ] {
        command.args(["-e", line]);
    }
    let output = command.output().expect("it runs");
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    (said, open(&file))
}

fn open(file: &Path) -> Recording {
    let (recording, report) = Recording::open(file).expect("it was saved");
    assert!(report.is_whole(), "{report:?}");
    recording
}

/// How many events of the recording tell `secret`.
fn n_telling(recording: &Recording, secret: &str) -> usize {
    let seqs = (recording.first().0..recording.len()).map(Seq);
    let shown = |seq: Seq| {
        let payload = recording.payload(seq).unwrap_or_default();
        let meta = recording.meta(seq);
        String::from_utf8_lossy(&payload).contains(secret) || format!("{meta:?}").contains(secret)
    };
    seqs.filter(|seq| shown(*seq)).count()
}

each_otp! {
    fn what_has_a_secret_name_is_in_no_recording(otp) {
        let node = shop(otp);
        let (said, recording) = watched(&node, &["--redact", "login", "--redact", "open", "--redact", "pin"]);
        for secret in [PASSWORD, SESAME, "4711"] {
            assert!(!said.contains(secret), "{secret}: {said}");
            assert_eq!(n_telling(&recording, secret), 0, "{secret}");
        }
        assert!(n_telling(&recording, MARK) > 10 && said.contains(MARK) && said.contains("values redacted"), "{said}");
        // What is beside a secret is there.
        assert!(said.contains("n_logins") && said.contains("user"), "{said}");
        let joined = (recording.first().0..recording.len())
            .filter_map(|seq| recording.event(Seq(seq)))
            .filter(|event| event.kind == Kind::Receive && event.tag.is_some_and(|tag| tag == "login"));
        assert!(joined.clone().count() > 2 && joined.filter(|event| event.cause.is_some()).count() > 2);
        node.settled(Duration::from_secs(10)).assert_none();
    }

    fn patterns_and_processes_hide_what_has_no_name(otp) {
        let node = shop(otp);
        let (said, recording) = watched(&node, &["--redact-pattern", "^hunter2-|sesame"]);
        for secret in [PASSWORD, SESAME] {
            assert!(!said.contains(secret), "{secret}: {said}");
            assert_eq!(n_telling(&recording, secret), 0, "{secret}");
        }
        assert!(!said.contains("hunter2"), "a pattern is not told: {said}");
        let (said, recording) = watched(&node, &["--redact-process", "account", "--redact-process", "vault"]);
        for secret in [PASSWORD, SESAME, "n_logins", "4711"] {
            let shown = said.lines().filter(|line| !line.contains("account n_logins"));
            assert!(!shown.clone().any(|line| line.contains(secret)), "{secret}: {said}");
            assert_eq!(n_telling(&recording, secret), 0, "{secret}");
        }
        node.settled(Duration::from_secs(10)).assert_none();
    }

    fn without_redaction_everything_is_told(otp) {
        let node = shop(otp);
        let (said, recording) = watched(&node, &["--no-redact"]);
        assert!(said.contains(PASSWORD) && !said.contains(MARK), "{said}");
        assert!(n_telling(&recording, PASSWORD) > 2 && n_telling(&recording, SESAME) > 2);
    }

    fn a_state_that_lost_something_is_not_put_back(otp) {
        let node = shop(otp);
        let mut command = cinema("attach", &node);
        command.args(["--trace", "app:shop", "--capture", "full", "-e", "run_for(\"300ms\")"]);
        command.args(["-e", "restore_state(\"account\", \"end\")"]);
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("redacted"), "{}", text(&output));
        assert!(node.shown("sys:get_state(account)").contains(PASSWORD));
    }
}
