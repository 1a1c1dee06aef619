//! Transcripts of the shell: each file in `tests/shell/transcripts/` is what `cinema --echo` prints, both streams
//! together, for the lines that stand behind its prompts. `UPDATE_EXPECT=1` writes them anew.

use std::path::Path;
use std::process::Stdio;

use expect_test::expect_file;

use super::common;

/// The input of a transcript: what stands behind `▸ `, and continuation lines behind `… `.
fn input_of(transcript: &str) -> String {
    let typed = transcript.lines().filter_map(|line| {
        let typed = line.strip_prefix("cinema ").and_then(|rest| rest.split_once("▸ ").map(|(_, typed)| typed));
        typed.or_else(|| line.strip_prefix("     … "))
    });
    typed.map(|line| format!("{line}\n")).collect()
}

/// Runs the lines in an empty folder that sees the project's examples, scripts and data.
fn transcript_of(input: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for shared in ["examples", "scripts", "tests"] {
        std::os::unix::fs::symlink(root.join(shared), dir.path().join(shared)).unwrap();
    }
    let both = std::fs::File::create(dir.path().join("both.txt")).unwrap();
    std::fs::write(dir.path().join("input.txt"), input).unwrap();
    let status = common::cinema(&["--echo"])
        .current_dir(dir.path())
        .stdin(std::fs::File::open(dir.path().join("input.txt")).unwrap())
        .stdout(Stdio::from(both.try_clone().unwrap()))
        .stderr(Stdio::from(both))
        .status()
        .unwrap();
    assert!(status.code().is_some(), "the shell was killed: {status}");
    std::fs::read_to_string(dir.path().join("both.txt")).unwrap()
}

#[test]
fn transcripts_read_as_they_did() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shell/transcripts");
    let mut paths: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are transcripts");
    for path in paths {
        let transcript = std::fs::read_to_string(&path).unwrap();
        expect_file![&path].assert_eq(&transcript_of(&input_of(&transcript)));
    }
}
