//! `fsck`, `repair` and `compact` on the command line: what they say, their exit codes, and that no file is touched.

use std::path::{Path, PathBuf};

use cinema::model::{Kind, NewEvent, Pid};
use cinema::store::{Durability, Recording, RecordingInfo};

use serde_json::Value as Json;

use super::common::{self, run};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/files").join(name)
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Scratch {
        Scratch(tempfile::tempdir().unwrap())
    }
    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
    /// A copy of a kept file with one byte changed.
    fn damaged(&self, name: &str, place: impl FnOnce(&[u8]) -> usize) -> String {
        let mut bytes = std::fs::read(kept(name)).unwrap();
        let place = place(&bytes);
        bytes[place] ^= 0x10;
        let path = self.path("damaged.cinema");
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn json(args: &[&str]) -> (u8, Json) {
    let done = run(&[args, &["--json"]].concat(), "");
    (
        u8::try_from(done.code).unwrap(),
        serde_json::from_str(&done.stdout).unwrap_or_else(|_| panic!("{}{}", done.stdout, done.stderr)),
    )
}

#[test]
fn fsck_of_a_whole_file_is_quiet_and_ends_with_0() {
    let file = text(&kept("shop-v3.cinema"));
    let done = run(&["fsck", &file], "");
    assert_eq!((done.code, done.stderr.as_str()), (0, ""));
    assert!(done.stdout.contains("version 3, plain form") && done.stdout.ends_with("no damage\n"), "{}", done.stdout);
    let (code, document) = json(&["fsck", &file]);
    let keys: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    let expected =
        "file version form bytes finished damaged seqs segments keyframes marks findings events_lost events_in_part";
    assert_eq!((code, keys.join(" ").as_str()), (0, expected));
    assert_eq!((&document["finished"], &document["seqs"][0]), (&Json::from(true), &Json::from(0)));
}

#[test]
fn fsck_tells_where_the_damage_is_and_repair_saves_the_rest() {
    let scratch = Scratch::new();
    // In the middle of the file lie its payloads.
    let file = scratch.damaged("shop-v3.cinema", |bytes| bytes.len() / 2);
    let before = std::fs::read(&file).unwrap();
    let done = run(&["fsck", &file], "");
    assert_eq!(done.code, 3, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.contains(" at offset ") && done.stderr.contains("cinema repair"),
        "{}{}",
        done.stdout,
        done.stderr
    );
    let (code, document) = json(&["fsck", &file]);
    let finding = &document["findings"][0];
    let keys: Vec<&str> = finding.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(code, 3);
    assert_eq!(
        keys,
        ["part", "offset", "bytes", "segment", "segment_seqs", "lost", "events_lost", "events_in_part", "what"]
    );

    let out = scratch.path("out.cinema");
    let done = run(&["repair", &file, &out], "");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(run(&["fsck", &out], "").code, 0);
    assert_eq!(std::fs::read(&file).unwrap(), before, "the damaged file is as it was");
    let info = run(&["open", &out, "-e", "info()"], "").stdout;
    assert!(info.contains("repaired; was damaged"), "{info}");
    let lost = run(&["open", &out, "-e", "events().all().filter(|e| \"payload\" in e.lost).len() > 0"], "");
    assert_eq!(lost.stdout.trim(), "true", "{}", lost.stderr);
    let n_events = |file: &str| run(&["open", file, "-e", "events().count()"], "").stdout;
    assert_eq!(n_events(&out), n_events(&text(&kept("shop-v3.cinema"))));
}

#[test]
fn a_file_that_was_cut_is_repaired_to_what_was_whole() {
    let scratch = Scratch::new();
    let bytes = std::fs::read(kept("bank-v3.cinema")).unwrap();
    let file = scratch.path("cut.cinema");
    std::fs::write(&file, &bytes[..bytes.len() - 30]).unwrap();
    let (code, document) = json(&["fsck", &file]);
    assert_eq!((code, &document["finished"], &document["damaged"]), (0, &Json::from(false), &Json::from(false)));
    let out = scratch.path("out.cinema");
    let (code, repaired) = json(&["repair", &file, &out]);
    assert_eq!((code, &repaired["events_lost"], &repaired["marks"]), (0, &Json::from(0), &Json::from(2)));
    let (code, document) = json(&["fsck", &out]);
    assert_eq!((code, &document["finished"], &document["marks"]), (0, &Json::from(true), &Json::from(2)));
}

#[test]
fn save_writes_over_nothing_that_is_not_of_this_session() {
    let scratch = Scratch::new();
    let (kept, other) = (text(&kept("bank-v3.cinema")), scratch.path("other.cinema"));
    std::fs::copy(&kept, &other).unwrap();
    let save = |what: &str| run(&["open", &kept, "-e", &what.replace("OTHER", &format!("{other:?}"))], "");
    let refused = save("save(OTHER)");
    assert!(refused.code == 1 && refused.stderr.contains("is there already"), "{}", refused.stderr);
    assert!(refused.stderr.contains("force: true"), "{}", refused.stderr);
    assert_eq!(std::fs::read(&kept).unwrap(), std::fs::read(&other).unwrap());
    for allowed in ["save(OTHER, #{force: true}); save(OTHER)", "open(OTHER); save(OTHER)"] {
        let done = save(allowed);
        assert_eq!(done.code, 0, "{allowed}: {}", done.stderr);
    }
}

#[test]
fn what_is_opened_damaged_is_saved_with_its_losses() {
    let scratch = Scratch::new();
    // In its first segment's columns.
    let file = scratch.damaged("bank-v3.cinema", |bytes| bytes.len() / 4);
    let n_events = |file: &str| run(&["open", file, "-e", "events().count()"], "");
    let opened = n_events(&file);
    assert!(opened.stderr.contains(" at offset ") && opened.code == 1, "{}", opened.stderr);
    assert_eq!(opened.stdout, n_events(&text(&kept("bank-v3.cinema"))).stdout);
    let losses = || run(&["open", &file, "-e", "loss()", "--json"], "").stdout;
    let told = losses();
    assert!(told.contains("damage"), "{told}");
    assert_eq!(run(&["open", &file, "-e", &format!("save({file:?})")], "").code, 1);
    assert_eq!(run(&["fsck", &file], "").code, 0);
    assert_eq!(losses(), told, "what is saved over itself tells what it lost");
}

#[test]
fn nothing_is_written_over() {
    let scratch = Scratch::new();
    let file = scratch.damaged("bank-v3.cinema", |bytes| bytes.len() / 2);
    let before = std::fs::read(&file).unwrap();
    for command in ["repair", "compact"] {
        let done = run(&[command, &file, &file], "");
        assert!(done.code == 1 && done.stderr.contains("nothing is changed in place"), "{}", done.stderr);
        let done = run(&[command, &text(&kept("bank-v3.cinema")), &file], "");
        assert!(done.code == 1 && done.stderr.contains("is there already") && done.stderr.contains("--force"));
        let (whole, other) = (text(&kept("bank-v3.cinema")), scratch.path("other.cinema"));
        std::fs::write(&other, "old").unwrap();
        assert_eq!(run(&[command, &whole, &other, "--force"], "").code, 0);
        assert_eq!(run(&["fsck", &other], "").code, 0);
        let done = run(&[command, &whole, &scratch.path("other.txt")], "");
        assert!(done.code == 1 && done.stderr.contains("does not end with .cinema"), "{}", done.stderr);
    }
    let done = run(&["compact", &file, &scratch.path("small.cinema")], "");
    assert!(done.code == 1 && done.stderr.contains("cinema repair"), "{}", done.stderr);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    for (args, what) in [
        (["fsck", "Cargo.toml"], "is not a .cinema file"),
        (["fsck", "no-such-file"], "no file no-such-file\n  hint: ls"),
    ] {
        let done = common::run_in(Path::new(env!("CARGO_MANIFEST_DIR")), &args, "");
        assert!(done.code == 1 && done.stderr.contains(what), "{} {}", done.code, done.stderr);
    }
}

/// What the head says can be found out from the rest.
#[test]
fn a_damaged_head_is_damage_like_any_other() {
    let scratch = Scratch::new();
    let n_events = |file: &str| json(&["open", file, "-e", "events().count()"]).1;
    for name in ["bank-v3.cinema", "shop-v3-archive.cinema", "bank-v2.cinema"] {
        let n = n_events(&text(&kept(name)));
        for place in [0, 3, 8, 11, 12, 15] {
            let file = scratch.damaged(name, |_| place);
            let (code, found) = json(&["fsck", &file]);
            assert_eq!(
                (code, &found["findings"][0]["part"], found["events_lost"].as_u64()),
                (3, &"head".into(), Some(0))
            );
            let out = scratch.path("out.cinema");
            assert_eq!(run(&["repair", &file, &out, "--force"], "").code, 0);
            assert_eq!((run(&["fsck", &out], "").code, n_events(&out)), (0, n.clone()), "{name} {place}");
        }
    }
    let later = scratch.damaged("bank-v3.cinema", |_| 8);
    let done = run(&["open", &later, "-e", "1"], "");
    assert!(
        done.code == 1 && done.stderr.contains("hint: cinema fsck"),
        "it may be of a later program: {}",
        done.stderr
    );
    let shifted = scratch.path("shifted.cinema");
    std::fs::write(&shifted, &std::fs::read(kept("bank-v3.cinema")).unwrap()[1..]).unwrap();
    assert_eq!((run(&["fsck", &shifted], "").code, n_events(&shifted)), (3, n_events(&text(&kept("bank-v3.cinema")))));
}

#[cfg(unix)]
#[test]
fn nobody_waits_for_a_pipe() {
    let scratch = Scratch::new();
    let (pipe, out) = (scratch.path("pipe.cinema"), scratch.path("out.cinema"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for args in [&["fsck", &pipe][..], &["repair", &pipe, &out], &["compact", &pipe, &out], &["fsck", "/dev/zero"]] {
        let done = run(args, "");
        assert!(done.code == 1 && done.stderr.contains("is no regular file"), "{args:?}: {}", done.stderr);
    }
}

/// The first bytes say what a file is; the name says what it was where they say nothing.
#[test]
fn other_files_under_our_name_are_read_as_what_they_are() {
    let scratch = Scratch::new();
    let file = scratch.path("lines.cinema");
    std::fs::write(&file, "{\"at_ns\":1,\"kind\":\"log\",\"process\":\"<0.7.0>\"}\n").unwrap();
    assert_eq!(run(&["open", &file, "-e", "events().count()"], "").stdout, "1\n");
    assert_eq!(run(&["import", &file, "-o", &scratch.path("out.cinema")], "").code, 0);
    std::fs::write(&file, "anything").unwrap();
    let done = run(&["import", &file, "-o", &scratch.path("other.cinema")], "");
    assert!(done.code == 1 && done.stderr.contains("is neither a binary trace file"), "{}", done.stderr);
    let linked = scratch.path("loop.cinema");
    std::os::unix::fs::symlink(&linked, &linked).unwrap();
    let told: Vec<String> =
        [&["fsck", &linked][..], &["open", &linked, "-e", "1"], &["import", &linked, "-o", "x.cinema"]]
            .map(|args| run(args, "").stderr.lines().next().unwrap().to_string())
            .into();
    assert!(told.iter().all(|line| *line == told[0] && line.starts_with("error: cannot read ")), "{told:?}");
}

/// A recorder that was killed leaves a file that is not finished. Whatever reads it says so in the same words.
#[test]
fn an_unfinished_file_is_no_damage_whoever_reads_it() {
    let scratch = Scratch::new();
    let [running, file] = ["running.cinema", "killed.cinema"].map(|name| scratch.path(name));
    let mut recorded = Recording::create(Path::new(&running), RecordingInfo::default(), Durability::default()).unwrap();
    for at_ns in 0..81 {
        recorded.append(&NewEvent::new(at_ns, Kind::Log, Pid::local(7))).unwrap();
    }
    recorded.seal();
    std::fs::copy(&running, &file).unwrap();
    let words = "was not finished, as after a crash, or it was cut short; that is no damage";
    let said = [
        run(&["fsck", &file], ""),
        run(&["open", &file, "-e", "events().count()"], ""),
        run(&["compact", &file, &scratch.path("small.cinema")], ""),
    ];
    let sentence = |done: &common::Run| {
        let all = format!("{}{}", done.stdout, done.stderr);
        let line = all.lines().find(|line| line.contains(words)).map(str::to_string);
        line.map(|line| line.split_once("killed.cinema").unwrap().1.to_string())
    };
    for done in &said {
        assert_eq!((done.code, sentence(done)), (0, sentence(&said[0])), "{}{}", done.stdout, done.stderr);
    }
    assert!(sentence(&said[0]).is_some_and(|line| line.contains("cinema repair")), "{}", said[0].stdout);
}

/// An import gives a file its name when it is complete: one without its end was cut.
#[test]
fn an_imported_file_without_its_end_is_damaged() {
    let scratch = Scratch::new();
    let bytes = std::fs::read(kept("shop-v3.cinema")).unwrap();
    let [file, out] = ["half.cinema", "out.cinema"].map(|name| scratch.path(name));
    std::fs::write(&file, &bytes[..bytes.len() - 30]).unwrap();
    let done = run(&["fsck", &file], "");
    assert!(done.code == 3 && done.stdout.contains("the file's end is missing"), "{} {}", done.code, done.stdout);
    assert_eq!(run(&["open", &file, "-e", "events().count()"], "").code, 1);
    run(&["repair", &file, &out], "");
    let told = run(&["open", &out, "-e", "info()"], "");
    assert!(told.stdout.contains("the file's end is missing"), "{}", told.stdout);
}

#[test]
fn what_is_no_session_file_is_named() {
    let scratch = Scratch::new();
    let bytes = std::fs::read(kept("bank-v3.cinema")).unwrap();
    let as_text: Vec<u8> = bytes.iter().flat_map(|b| if *b == b'\n' { vec![13, 10] } else { vec![*b] }).collect();
    let file = scratch.path("text.cinema");
    std::fs::write(&file, as_text).unwrap();
    for args in [&["fsck", &file][..], &["open", &file, "-e", "1"]] {
        let done = run(args, "");
        assert!(done.code == 1 && done.stderr.contains("CR LF"), "{}", done.stderr);
    }
    let done = run(&["fsck", &scratch.path("")], "");
    assert!(done.code == 1 && done.stderr.contains("is a folder"), "{}", done.stderr);
    let done = run(&["import", &text(&kept("bank-v3.cinema")), "-o", &scratch.path("again.cinema")], "");
    assert!(done.code == 1 && done.stderr.contains("cinema open"), "{}", done.stderr);
}

#[test]
fn compact_says_the_sizes_and_the_same_events_are_there() {
    let scratch = Scratch::new();
    let (file, out) = (text(&kept("shop-v3.cinema")), scratch.path("small.cinema"));
    let done = run(&["compact", &file, &out], "");
    assert!(done.code == 0 && done.stdout.contains("bytes per event"), "{}{}", done.stdout, done.stderr);
    let (code, document) = json(&["fsck", &out]);
    assert_eq!((code, &document["form"]), (0, &Json::from("archive")));
    let listed = |file: &str| run(&["open", file, "-e", "events().all()"], "").stdout;
    assert_eq!(listed(&out), listed(&file));
}

#[test]
fn reports_are_data_in_every_format_and_flags_without_effect_are_refused() {
    let scratch = Scratch::new();
    let damaged = scratch.damaged("bank-v3.cinema", |bytes| bytes.len() / 3);
    let rows = run(&["fsck", &damaged, "--format", "csv"], "");
    let mut lines = rows.stdout.lines();
    assert_eq!(lines.next(), Some("part,offset,bytes,segment,segment_seqs,lost,events_lost,events_in_part,what"));
    let (_, findings) = json(&["fsck", &damaged]);
    assert_eq!((rows.code, lines.count()), (3, findings["findings"].as_array().unwrap().len()), "{}", rows.stderr);
    let (whole, small) = (text(&kept("bank-v3.cinema")), scratch.path("small.cinema"));
    assert_eq!(run(&["fsck", &whole, "--format", "csv"], "").stdout.lines().count(), 1, "a header, no findings");
    let row = run(&["compact", &whole, &small, "--format", "csv"], "");
    assert!(row.stdout.starts_with("file,out,events,bytes_before,bytes_after\n"), "{}{}", row.stdout, row.stderr);
    let lines = run(&["-e", &format!("open({whole:?}); export_to(\"jsonl\", {:?})", scratch.path("a.jsonl"))], "");
    assert_eq!(lines.code, 0, "{}", lines.stderr);
    let (code, report) = json(&["import", &scratch.path("a.jsonl"), "-o", &scratch.path("again.cinema")]);
    assert_eq!((code, &report["events"], &report["damaged"]), (0, &report["messages"], &serde_json::json!([])));
    for args in [&["fsck", &whole, "-e", "1"][..], &["fsck", &whole, "--serve"], &["reference", "--seed", "1"]] {
        let done = run(args, "");
        assert!(done.code == 2 && done.stderr.contains("does nothing for this command"), "{}", done.stderr);
    }
}
