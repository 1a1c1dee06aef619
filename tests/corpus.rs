//! Every reader on what fuzzing found before (`tests/fuzz/corpus`), and on changed copies of it for a while: what
//! `tests/fuzz/run` does with a coverage-guided fuzzer, for those who do not build one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cinema::fuzz::{TARGETS, Target};

/// How long each reader is tried; `CINEMA_FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 2;
/// Bytes of a changed copy.
const LEN_MAX: usize = 64 << 10;

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target.name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has an example", folder.display());
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("it can be read"))).collect()
}

#[test]
fn what_was_found_before_stays_mended() {
    for target in TARGETS {
        for (path, bytes) in corpus(target) {
            println!("{}", path.display());
            (target.read)(&bytes);
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    /// Bits, bytes and lengths changed, stretches taken out, doubled or put in from another example.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len());
            match self.below(7) {
                _ if bytes.is_empty() => bytes.extend_from_slice(other),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b'(', b'{'][self.below(8)],
                2 => bytes.truncate(at),
                3 => {
                    bytes.drain(at..(at + 1 + self.below(16)).min(bytes.len()));
                }
                4 => {
                    let copy = bytes[at..(at + 1 + self.below(64)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, copy);
                }
                5 => {
                    let from = self.below(other.len());
                    let part = other[from..(from + 1 + self.below(64)).min(other.len())].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => {
                    let end = (at + 4).min(bytes.len());
                    let huge = [u32::MAX, 1 << 31, 1 << 16, 0][self.below(4)].to_le_bytes();
                    bytes[at..end].copy_from_slice(&huge[..end - at]);
                }
            }
        }
        bytes.truncate(LEN_MAX);
    }
}

#[test]
fn changed_copies_break_no_reader() {
    let seconds = std::env::var("CINEMA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    for target in TARGETS {
        let examples = corpus(target);
        let (begin, mut random, mut n_tried) = (Instant::now(), Random(1), 0u64);
        while begin.elapsed() < Duration::from_secs(seconds) {
            let mut bytes = examples[random.below(examples.len())].1.clone();
            let other = &examples[random.below(examples.len())].1;
            random.change(&mut bytes, other);
            let done = std::panic::catch_unwind(|| (target.read)(&bytes));
            if let Err(panic) = done {
                let found = std::env::temp_dir().join(format!("cinema-found-{}", target.name));
                std::fs::write(&found, &bytes).expect("a place for what was found");
                println!("{} on {}", target.name, found.display());
                std::panic::resume_unwind(panic);
            }
            n_tried += 1;
        }
        println!("{}: {n_tried} inputs", target.name);
    }
}
