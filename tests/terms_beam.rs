//! Terms of a real BEAM: what it writes we read and print as it does, and what we write back it
//! finds equal. Needs `escript` on the path, and says so when it is not there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use cinema::codec::etf;
use cinema::codec::walk::RawTerm;
use cinema::model::Style;

/// Splits `bytes` into what `terms.escript` wrote: the encoded term, its print, whether that is compared.
fn frames(mut bytes: &[u8]) -> Vec<(&[u8], &str, bool)> {
    let mut frames = Vec::new();
    let take = |bytes: &mut &'_ [u8]| -> usize {
        let (size, rest) = bytes.split_first_chunk::<4>().expect("a whole frame");
        *bytes = rest;
        u32::from_be_bytes(*size) as usize
    };
    while !bytes.is_empty() {
        let n = take(&mut bytes);
        let (encoded, rest) = bytes.split_at(n);
        bytes = rest;
        let n = take(&mut bytes);
        let (print, rest) = bytes.split_at(n);
        let (is_compared, rest) = rest.split_first().expect("a whole frame");
        bytes = rest;
        frames.push((encoded, std::str::from_utf8(print).expect("UTF-8"), *is_compared == 1));
    }
    frames
}

#[test]
fn a_real_beam_agrees() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/terms.escript");
    let spawned = Command::new("escript")
        .args([script.as_path(), dir.path()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut beam = match spawned {
        Ok(beam) => beam,
        Err(error) => {
            eprintln!("skipped: escript does not start: {error}");
            return;
        }
    };
    let mut lines = BufReader::new(beam.stdout.take().expect("piped")).lines().map(|line| line.expect("UTF-8"));
    assert_eq!(lines.next().as_deref(), Some("ready"));

    let out = std::fs::read(dir.path().join("out")).expect("the script wrote it");
    let mut back = Vec::new();
    let mut wrong_prints = String::new();
    for (encoded, print, is_compared) in frames(&out) {
        let term = etf::decode(encoded).unwrap_or_else(|error| panic!("{print}: {error}"));
        let plain = etf::plain(encoded).expect("it was decoded");
        assert_eq!(RawTerm::parse(&plain).map(|found| found.1), Ok(plain.len()));
        let shown = term.display(Style { chars_max: usize::MAX, ..Style::erlang() }).to_string();
        if is_compared && shown != print {
            wrong_prints += &format!("BEAM {print}\nours {shown}\n");
        }
        let mut bytes = Vec::new();
        etf::encode(&term, &mut bytes);
        back.extend((bytes.len() as u32).to_be_bytes());
        back.extend(bytes);
    }
    std::fs::write(dir.path().join("back"), back).expect("a temporary file");
    beam.stdin.take().expect("piped").write_all(b"go\n").expect("the script reads");

    let verdict: Vec<String> = lines.collect();
    assert!(beam.wait().expect("it ends").success());
    assert_eq!(verdict, [format!("compared {}", frames(&out).len())]);
    assert_eq!(wrong_prints, "");
}
