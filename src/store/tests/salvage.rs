//! What is saved of damaged files: an event is as it was recorded, or a loss stands in its place and is told.

use super::super::file::Part;
use super::*;

/// A finished recording in bytes: several segments, a branch, marks, keyframes.
fn sample() -> (Recording, Vec<u8>) {
    let mut recording = Recording::new(RecordingInfo { title: "busy".into(), ..RecordingInfo::default() });
    for n in 0..6_000 {
        let mut row = busy_row(n);
        if n % 50 == 7 {
            etf::encode(&Term::map([(Term::atom("late_ns"), Term::Int(n as i64))]), &mut row.meta);
        }
        row.append_to(&mut recording);
        if n % 2_000 == 1_999 {
            recording.seal();
            recording.add_checkpoint(recording.len());
        }
    }
    recording.set_mark(Mark { name: "here".into(), at: Seq(10), note: "why".into(), is_snapshot: true });
    let bytes = saved(|path| recording.save(path));
    (recording, bytes)
}

fn saved(save: impl FnOnce(&std::path::Path) -> Outcome<()>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cinema");
    save(&path).unwrap();
    std::fs::read(&path).unwrap()
}

fn lcg(seed: u64) -> impl FnMut() -> usize {
    let mut random = seed;
    move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    }
}

/// Each event is the recorded one or a loss that is told; gives how many are lost.
fn check_saved(saved: &Recording, report: &Report, original: &Recording) -> u64 {
    let mut n_lost = 0;
    for seq in (0..saved.len()).map(Seq) {
        let (is, was) = (saved.event(seq).unwrap(), original.event(seq).unwrap());
        if is.kind == Kind::Loss {
            assert!(report.damage.iter().any(|damage| damage.lost.iter().any(|lost| lost.contains(&seq.0))), "{seq:?}");
            n_lost += 1;
            continue;
        }
        assert_eq!(is.kind, was.kind);
        let lost = lost_fields(saved, seq);
        let has = |name: &str| !lost.iter().any(|lost| lost == name);
        assert!(!has("time") || is.at_ns == was.at_ns, "{seq:?}");
        assert!(!has("cause") || is.cause == was.cause, "{seq:?}");
        assert!(!has("class") || is.class == was.class, "{seq:?}");
        assert!(!has("call") || is.call == was.call, "{seq:?}");
        assert!(!has("payload") || saved.payload(seq) == original.payload(seq), "{seq:?}");
        let is_named = |actor: Actor| actor.origin().id().node.as_str() != "lost@nowhere";
        assert!(is.process == was.process || !is_named(is.process), "{seq:?}");
        assert!(!has("peer") || is.peer == was.peer || !is.peer.is_some_and(is_named), "{seq:?}");
        let is_lost_tag = is.tag.is_some_and(|tag| tag.as_str().starts_with("lost tag"));
        assert!(!has("tag") || is.tag == was.tag || is_lost_tag, "{seq:?}");
    }
    assert_eq!(n_lost, report.n_lost());
    n_lost
}

fn lost_fields(recording: &Recording, seq: Seq) -> Vec<String> {
    let meta = recording.meta(seq);
    let lost = meta.as_ref().and_then(Term::as_map).and_then(|map| map.get_atom("lost")).and_then(Term::as_list);
    lost.into_iter().flatten().filter_map(|name| Some(name.as_atom()?.as_str().to_string())).collect()
}

#[test]
fn whole_files_have_no_findings() {
    let (recording, bytes) = sample();
    let archive = saved(|path| recording.compact(path));
    let mut ring = recording.clone();
    ring.set_ring(Some(RingLimits { events_min: Some(2_500), ..RingLimits::default() })).unwrap();
    let ring = saved(|path| ring.save(path));
    for (bytes, n_first) in [(bytes, 0), (archive, 0), (ring, 2_000)] {
        let (_, report) = Recording::read_rescued(bytes).unwrap();
        assert_eq!(report.damage, Vec::new());
        assert_eq!(
            (report.seqs.clone(), report.is_complete, report.n_marks),
            (n_first..6_000, true, usize::from(n_first == 0))
        );
    }
}

#[test]
fn flipped_bits_cost_few_events_and_every_loss_is_told() {
    let (original, bytes) = sample();
    let mut random = lcg(3);
    let mut n_lost = 0;
    for _ in 0..150 {
        let mut damaged = bytes.clone();
        let place = 16 + random() % (bytes.len() - 16);
        damaged[place] ^= 1 << (random() % 8);
        let (saved, report) = Recording::read_rescued(damaged).unwrap();
        // Padding between blocks means nothing.
        assert!(!report.damage.is_empty() || bytes[place] == 0, "flip at {place}");
        assert_eq!(saved.len(), original.len(), "flip at {place}");
        n_lost += check_saved(&saved, &report, &original);
        let again = reopened(&saved);
        assert_eq!(again.len(), original.len());
    }
    // A segment has 2 000 events, and a page the kinds of 1 024.
    assert!(n_lost < 150 * 300, "{n_lost} events in 150 files");
}

#[test]
fn damage_in_an_index_costs_nothing() {
    let (original, bytes) = sample();
    let segment = &original.segments[1];
    let image = segment.plain().unwrap().1;
    let at = bytes.windows(image.len()).position(|window| window == image).unwrap();
    let [lists, ..] = segment.head.section("process_lists");
    let mut damaged = bytes.clone();
    damaged[at + lists as usize + 1] ^= 1;
    let (saved, report) = Recording::read_rescued(damaged.clone()).unwrap();
    let [damage] = &report.damage[..] else { panic!("{report:?}") };
    assert_eq!((damage.part, damage.offset), (Part::Segment, at as u64));
    assert_eq!(check_saved(&saved, &report, &original), 0);
    // With right checksums, only the comparison with the events tells.
    Recording::forge(&mut damaged);
    let (saved, report) = Recording::read_rescued(damaged).unwrap();
    assert!(report.damage.iter().any(|damage| damage.part == Part::Index), "{report:?}");
    check_saved(&saved, &report, &original);
    let process = original.event(Seq(2_500)).unwrap().process;
    let of_process = Filter::default().process(process);
    assert!(saved.scan(&of_process).eq(original.scan(&of_process)));
}

#[test]
fn a_damaged_payload_block_costs_its_payloads() {
    let (original, bytes) = sample();
    let stored = original.segments[2].stored().to_vec();
    let at = bytes.windows(stored.len()).position(|window| window == stored).unwrap();
    let mut damaged = bytes;
    damaged[at + stored.len() / 2] ^= 0x10;
    let (saved, report) = Recording::read_rescued(damaged).unwrap();
    assert_eq!((report.n_lost(), report.damage[0].part), (0, Part::Payloads));
    assert!(report.n_partial() > 0);
    check_saved(&saved, &report, &original);
    let again = saved_bytes(&saved);
    assert_eq!(Recording::read_rescued(again).unwrap().1.damage, Vec::new(), "a repaired file is whole");
}

fn saved_bytes(recording: &Recording) -> Vec<u8> {
    saved(|path| recording.save(path))
}

/// Without its directory, damage in the middle costs the segment it is in; what follows is found again.
#[test]
fn what_lies_behind_damage_is_found_without_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let mut recording = Recording::create(&path, RecordingInfo::default(), Durability::default()).unwrap();
    for n in 0..4_000 {
        busy_row(n).append_to(&mut recording);
        if n % 500 == 499 {
            recording.seal();
        }
    }
    recording.set_mark(Mark { name: "here".into(), at: Seq(3_400), note: String::new(), is_snapshot: false });
    // What is sealed after the mark was written after it.
    busy_row(4_000).append_to(&mut recording);
    recording.seal();
    let bytes = std::fs::read(&path).unwrap();
    let mut random = lcg(9);
    for n_bytes in [1, 8, 600, 5_000] {
        for _ in 0..25 {
            let mut damaged = bytes.clone();
            let place = 16 + random() % (bytes.len() - 16 - n_bytes);
            damaged[place..place + n_bytes].iter_mut().for_each(|byte| *byte ^= 0x5A);
            let (saved, report) = Recording::read_rescued(damaged).unwrap();
            let n_lost = check_saved(&saved, &report, &recording);
            // The last segment may be the damaged one: nothing says then how many events it had.
            let n_kept = saved.len() - n_lost;
            assert!(n_kept >= 2_400, "{n_kept} of 4 000 events with {n_bytes} bytes damaged at {place}");
        }
    }
    let (opened, _) = Recording::read(bytes).unwrap();
    assert_eq!(opened.marks(), recording.marks(), "marks are kept by a file that was not finished");
}

#[test]
fn losses_are_told_by_stretch_with_reason_and_place() {
    let (original, bytes) = sample();
    let segment = &original.segments[1];
    let image = segment.plain().unwrap().1;
    let at = bytes.windows(image.len()).position(|window| window == image).unwrap();
    let [kinds, ..] = segment.head.section("kind");
    let mut damaged = bytes.clone();
    damaged[at + kinds as usize + 1_500] ^= 0x40;
    let (saved, report) = Recording::read_rescued(damaged).unwrap();
    let losses = saved.losses(&saved.lineage(0));
    let [loss] = &losses[..] else { panic!("{losses:?}") };
    assert_eq!((loss.n_events, loss.reason, loss.offset), (Some(report.n_lost()), "damage", Some(at as u64)));
    let lost = &report.damage[0].lost;
    assert_eq!(loss.seqs, lost[0].start..lost[lost.len() - 1].end);
    assert_eq!(reopened(&saved).losses(&saved.lineage(0)), losses);
    assert_eq!(saved.losses(&[0..loss.seqs.start, loss.seqs.end - 1..6_000])[0].n_events, Some(1));
    // Payloads that are lost are told from those that never were.
    let stored = segment.stored();
    let at = bytes.windows(stored.len()).position(|window| window == stored).unwrap();
    let mut damaged = bytes;
    damaged[at + stored.len() / 2] ^= 1;
    let (opened, _) = Recording::read(damaged.clone()).unwrap();
    let (saved, _) = Recording::read_rescued(damaged).unwrap();
    let (mut n_lost, mut n_none) = (0, 0);
    for seq in (2_000..4_000).map(Seq) {
        let is_lost = original.payload(seq).is_some() && saved.payload(seq).is_none();
        assert!(saved.lost_fields(seq).iter().all(|name| name == "payload" || name == "meta"), "{seq:?}");
        assert_eq!(saved.lost_fields(seq).iter().any(|name| name == "payload"), is_lost, "{seq:?}");
        assert_eq!(opened.lost_fields(seq), saved.lost_fields(seq), "who opens is told what a repair notes: {seq:?}");
        n_lost += usize::from(is_lost);
        n_none += usize::from(original.payload(seq).is_none());
    }
    assert!(n_lost > 0 && n_none > 0);
}

/// A file that is too large to be checked when it is opened has, once its damage was met, what a repair saves of it: events,
/// fields that are lost, losses.
#[test]
fn a_large_file_is_mended_where_it_is_read() {
    let (original, bytes) = sample();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.cinema");
    let mut random = lcg(21);
    let (mut n_partial, mut n_lost) = (0, 0);
    for round in 0..40 {
        let segment = &original.segments[round % 3];
        let image = segment.plain().unwrap().1;
        let at = bytes.windows(image.len()).position(|window| window == image).unwrap();
        let mut damaged = bytes.clone();
        damaged[at + random() % image.len()] ^= 0x20;
        std::fs::write(&path, &damaged).unwrap();
        let (repaired, report) = Recording::rescue(&path).unwrap();
        let (mut opened, _) = Recording::open_as_large(&path).unwrap();
        let _ = opened.event(Seq(segment.head.start));
        let told = opened.mend();
        let [damage] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&damage.lost, damage.n_partial), (&report.damage[0].lost, report.damage[0].n_partial));
        assert_eq!(damage.offset, at as u64);
        for seq in (segment.head.start..segment.head.end()).map(Seq) {
            assert_eq!(opened.event(seq), repaired.event(seq));
            assert_eq!(opened.payload(seq), repaired.payload(seq));
            assert_eq!(opened.lost_fields(seq), repaired.lost_fields(seq));
        }
        assert_eq!(opened.losses(&opened.lineage(0)), repaired.losses(&repaired.lineage(0)));
        assert!(opened.mend().is_empty() && opened.damage().is_empty(), "it is told once");
        assert_eq!(opened.count(&Filter::default()), 6_000);
        (n_partial, n_lost) = (n_partial + damage.n_partial, n_lost + damage.n_lost());
    }
    assert!(n_partial > 0 && n_lost > 0);
}

/// Names that damage of the dictionaries took are told of each event that had them.
#[test]
fn names_that_are_lost_are_lost_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let mut running = Recording::create(&path, RecordingInfo::default(), Durability::default()).unwrap();
    (0..500).for_each(|n| _ = busy_row(n).append_to(&mut running));
    running.seal();
    let mut bytes = std::fs::read(&path).unwrap();
    let dictionary = bytes.windows(8).position(|window| window == b"CBLK\x02\0\0\0").unwrap();
    bytes[dictionary + 40] ^= 1;
    let (saved, report) = Recording::read_rescued(bytes).unwrap();
    assert!(report.damage.iter().any(|damage| damage.part == Part::Dictionary), "{report:?}");
    for recording in [&saved, &reopened(&saved)] {
        for seq in (0..500).map(Seq) {
            let (lost, event) = (recording.lost_fields(seq), running.event(seq).unwrap());
            let has = |name: &str| lost.iter().any(|lost| lost == name);
            assert_eq!((has("process"), has("peer"), has("tag")), (true, event.peer.is_some(), event.tag.is_some()));
        }
    }
}

/// A file that is cut inside the payloads of a segment has its columns, and the payloads before the cut.
#[test]
fn a_cut_in_payloads_costs_the_payloads_behind_it() {
    let (original, bytes) = sample();
    let stored = original.segments[2].stored();
    let at = bytes.windows(stored.len()).position(|window| window == stored).unwrap();
    let mut n_partial_before = u64::MAX;
    for n in [at - 100, at - 24, at, at + 1, at + stored.len() / 2, at + stored.len() - 1] {
        let (saved, report) = Recording::read_rescued(bytes[..n].to_vec()).unwrap();
        assert_eq!((saved.len(), report.n_lost(), report.is_damaged()), (6_000, 0, true), "cut at {n}: {report:?}");
        check_saved(&saved, &report, &original);
        assert!((1..=n_partial_before).contains(&report.n_partial()), "cut at {n}: {} in part", report.n_partial());
        n_partial_before = report.n_partial();
        let (opened, opening) = Recording::read(bytes[..n].to_vec()).unwrap();
        assert_eq!((opened.len(), opened.event(Seq(5_999))), (6_000, original.event(Seq(5_999))));
        assert_eq!((opening.is_damaged(), opening.n_kept()), (true, report.n_kept()));
        assert_eq!(
            Recording::read_rescued(saved_bytes(&saved)).unwrap().1.damage,
            Vec::new(),
            "a repaired file is whole"
        );
    }
    // Inside the image nothing tells which bytes are right.
    let image = original.segments[2].plain().unwrap().1;
    let at = bytes.windows(image.len()).position(|window| window == image).unwrap();
    for n in [at - 30, at - 10, at + 1, at + image.len() - 1] {
        let (saved, report) = Recording::read_rescued(bytes[..n].to_vec()).unwrap();
        assert_eq!((saved.len(), report.is_damaged()), (4_000, true), "cut at {n}: {report:?}");
        assert!(n < at || report.n_lost() == 2_000, "cut at {n}: {report:?}");
        assert_eq!(Recording::read(bytes[..n].to_vec()).unwrap().1.n_kept(), report.n_kept());
    }
}

/// A file that is cut in its only segment has no events, and what is made of it is whole. Nobody takes half a file for a
/// recorder's in which nothing happened yet: it is damage, with its place.
#[test]
fn a_cut_in_the_first_segment_is_damage_and_leaves_a_whole_file_without_events() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let mut running = Recording::create(&path, RecordingInfo::default(), Durability::default()).unwrap();
    let nothing_yet = std::fs::read(&path).unwrap();
    (0..500).for_each(|n| _ = busy_row(n).append_to(&mut running));
    running.seal();
    for bytes in [saved_bytes(&busy(500)), std::fs::read(&path).unwrap()] {
        for n in [nothing_yet.len() + 30, bytes.len() / 10, bytes.len() / 2] {
            for read in [Recording::read, Recording::read_rescued] {
                let (saved, report) = read(bytes[..n].to_vec()).unwrap();
                assert_eq!((saved.len(), report.is_damaged()), (0, true), "cut at {n}: {report:?}");
                assert!(report.damage.iter().any(|damage| damage.offset > 0 && damage.offset <= n as u64));
                assert_eq!(Recording::read(saved_bytes(&saved)).unwrap().1.damage, Vec::new());
            }
        }
    }
    assert!(Recording::read(nothing_yet).unwrap().1.is_unfinished(), "a recorder that was killed at once");
}

/// Bytes that were inserted, or are missing, shift all that follows: it is found again, with the directory or without.
#[test]
fn what_lies_behind_a_shift_is_found() {
    let (original, finished) = sample();
    let trailer = finished.len() - 24;
    let directory = u64::from_le_bytes(finished[trailer + 8..trailer + 16].try_into().unwrap()) as usize;
    let unfinished = &finished[..directory];
    let mut random = lcg(5);
    let mut n_lost_in_all = 0;
    for n_bytes in [1, 3, 8, 77, 2_000] {
        for round in 0..24 {
            let bytes = if round % 2 == 0 { &finished[..] } else { unfinished };
            let place = 16 + random() % (bytes.len() - 2_100);
            let damaged = match round % 4 {
                0 | 1 => [&bytes[..place], &vec![0xA7; n_bytes], &bytes[place..]].concat(),
                _ => [&bytes[..place], &bytes[place + n_bytes..]].concat(),
            };
            let (saved, report) = Recording::read_rescued(damaged).unwrap();
            let what = format!("{n_bytes} bytes at {place}, round {round}: {report:?}");
            assert!(report.is_damaged(), "{what}");
            let n_lost = check_saved(&saved, &report, &original) + (original.len() - saved.len());
            assert!(n_lost <= 2_000, "{n_lost} lost, {what}");
            assert!(round % 2 == 1 || saved.len() == original.len(), "a directory tells how many there were: {what}");
            n_lost_in_all += n_lost;
            assert_eq!(reopened(&saved).len(), saved.len());
        }
    }
    assert!(n_lost_in_all < 120 * 300, "{n_lost_in_all} events in 120 files");
}

#[test]
fn a_file_that_was_sent_as_text_says_so() {
    let (_, bytes) = sample();
    let as_text: Vec<u8> =
        bytes.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect();
    let failure = Recording::read_rescued(as_text).err().unwrap();
    assert!(failure.error.contains("CR LF") && failure.hints[0].contains("binary mode"), "{failure}");
    let seven_bits = bytes.iter().map(|byte| byte & 0x7F).collect();
    assert!(Recording::read(seven_bits).err().unwrap().error.contains("seven bits"));
}

#[test]
fn claims_without_bytes_are_refused_quickly() {
    let (_, bytes) = sample();
    let mut random = lcg(77);
    // Large numbers where small ones stood, with right checksums.
    for _ in 0..150 {
        let mut damaged = bytes.clone();
        let place = (16 + random() % (bytes.len() - 32)) & !3;
        let huge = [u32::MAX, 1 << 31, 0x7FFF_FFFF, 1 << 24][random() % 4];
        damaged[place..place + 4].copy_from_slice(&huge.to_le_bytes());
        if random().is_multiple_of(2) {
            damaged[place + 4..place + 8].copy_from_slice(&huge.to_le_bytes());
        }
        Recording::forge(&mut damaged);
        let target = crate::fuzz::target("session").expect("a target of that name");
        (target.read)(&damaged);
    }
}
