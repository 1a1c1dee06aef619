//! Damaged trace files: everything before the damage is kept, the damage is named with its offset.

use cinema::model::Kind;
use cinema::store::Recording;

use super::{data, listing, of_kind, recorded, recorded_bytes};

fn shop_bytes() -> Vec<u8> {
    std::fs::read(data("shop-ttb/ttbdemo@localhost-shop")).expect("the file is in the repository")
}

/// The listing without the losses that stand where something is damaged, and numbered as without them.
fn without_losses(recording: &Recording) -> String {
    let text = listing(recording);
    let (losses, others): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.contains(",places => "));
    let number = |text: &str| text.parse::<u64>().expect("a seq");
    let losses: Vec<u64> = losses.iter().map(|line| number(line.split(' ').next().expect("a seq"))).collect();
    let renumbered = |seq: u64| seq - losses.iter().filter(|loss| **loss < seq).count() as u64;
    let mut out = String::new();
    for line in others {
        for (idx, word) in line.split(' ').enumerate() {
            match (idx, word.strip_prefix("cause=")) {
                (0, _) => out.push_str(&renumbered(number(word)).to_string()),
                (_, Some(cause)) => out.push_str(&format!(" cause={}", renumbered(number(cause)))),
                (_, None) => out.push_str(&format!(" {word}")),
            }
        }
        out.push('\n');
    }
    out
}

/// Where each frame begins, and the end.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut offsets = vec![0];
    let mut at = 0;
    while let Some(size) = bytes.get(at + 1..at + 5) {
        at += 5 + u32::from_be_bytes(size.try_into().expect("four bytes")) as usize;
        offsets.push(at);
    }
    offsets
}

#[test]
fn a_cut_file_keeps_its_prefix() {
    let bytes = shop_bytes();
    let whole = listing(&recorded_bytes(&bytes).0);
    let offsets = boundaries(&bytes);
    assert_eq!(offsets.len(), 79);
    for (n_whole, window) in offsets.windows(2).enumerate().skip(1) {
        let (start, end) = (window[0], window[1]);
        for cut in [start, start + 1, start + 4, start + 5, start + 6, end - 1] {
            let (recording, report) = recorded_bytes(&bytes[..cut]);
            assert_eq!(report.n_frames, n_whole as u64, "cut at {cut}");
            assert!(whole.starts_with(&without_losses(&recording)), "cut at {cut}");
            assert_eq!(of_kind(&recording, Kind::Loss).len(), usize::from(cut != start), "cut at {cut}");
            let offsets: Vec<u64> = report.defects.kept.iter().map(|defect| defect.offset).collect();
            assert_eq!(offsets, if cut == start { vec![] } else { vec![start as u64] }, "cut at {cut}");
        }
    }
}

#[test]
fn a_flipped_bit_costs_one_frame_at_most_where_framing_can_be_found_again() {
    let bytes = shop_bytes();
    let offsets = boundaries(&bytes);
    // In every frame: the op byte, each byte of the size, the version byte and some of the term.
    for (idx, window) in offsets.windows(2).enumerate().skip(1) {
        for (at, bit) in [(0, 0), (0, 7), (1, 6), (2, 2), (3, 1), (4, 0), (4, 5), (5, 3), (6, 1), (8, 7), (20, 4)] {
            let mut damaged = bytes.clone();
            damaged[window[0] + at] ^= 1 << bit;
            let (_, report) = recorded_bytes(&damaged);
            let n_lost = 78 - report.n_frames;
            assert!(n_lost <= 2, "frame {idx}, byte {at}, bit {bit}: {n_lost} frames lost");
            for defect in &report.defects.kept {
                assert!(defect.offset >= window[0] as u64, "{defect}");
                assert!(defect.offset <= window[1] as u64, "{defect}");
            }
        }
    }
}

#[test]
fn garbage_between_frames_is_skipped_and_told() {
    let bytes = shop_bytes();
    let at = boundaries(&bytes)[40];
    let mut damaged = bytes[..at].to_vec();
    damaged.extend_from_slice(b"\x07no frame at all\x00\x00\x00\x00\x01");
    damaged.extend_from_slice(&bytes[at..]);
    let (recording, report) = recorded_bytes(&damaged);
    assert_eq!(report.n_frames, 78);
    assert_eq!(without_losses(&recording), listing(&recorded_bytes(&bytes).0));
    let loss = of_kind(&recording, Kind::Loss)[0];
    let what = format!("damaged.trace: frame of unknown sort 7 (21 bytes skipped) at byte {at}");
    let payload = format!("#{{offset => {at},places => 1,reason => damage,what => <<\"{what}\">>}}");
    let told = recording.term(loss.seq).expect("it says why").display(cinema::model::Style::erlang()).to_string();
    assert_eq!(told, payload);
    let told: Vec<String> = report.defects.kept.iter().map(ToString::to_string).collect();
    assert_eq!(told, [what]);
}

#[test]
fn a_damaged_info_file_costs_its_names_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let copy = |name: &str, n_bytes: usize| {
        let bytes = std::fs::read(data("shop-ttb").join(name)).expect("the file is in the repository");
        std::fs::write(folder.path().join(name), &bytes[..n_bytes.min(bytes.len())]).expect("the folder is writable");
    };
    copy("ttbdemo@localhost-shop", usize::MAX);
    copy("ttbdemo@localhost-shop.ti", 100);
    let (recording, report) = recorded(folder.path());
    assert_eq!(report.n_frames, 78);
    let told: Vec<String> = report.defects.kept.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["ttbdemo@localhost-shop.ti: truncated record: 50 bytes announced at byte 69"]);
    assert!(!listing(&recording).contains("code_server #{since"));
}

#[test]
fn dropped_messages_become_a_loss_in_their_place() {
    let bytes = shop_bytes();
    let at = boundaries(&bytes)[10];
    let mut dropped = bytes[..at].to_vec();
    dropped.extend_from_slice(&[1, 0, 0, 1, 4]);
    dropped.extend_from_slice(&bytes[at..]);
    dropped.extend_from_slice(&[1, 0, 0, 0, 2]);
    let (recording, report) = recorded_bytes(&dropped);
    assert_eq!((report.n_frames, report.n_dropped), (80, 262));
    let text = listing(&recording);
    let losses: Vec<&str> = text.lines().filter(|line| line.contains(" loss ")).collect();
    assert_eq!(losses.len(), 2);
    assert!(
        losses[0].ends_with("156us loss <0.0.0> #{total => 260}")
            || losses[0].ends_with("160us loss <0.0.0> #{total => 260}"),
        "{losses:?}"
    );
    assert!(losses[1].ends_with("#{total => 2}"), "{losses:?}");
}
