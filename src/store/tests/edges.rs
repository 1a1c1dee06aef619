//! Sizes and values at which something changes: full segments, far causes, long mailboxes, limits.

use super::*;
use crate::model::FailureKind;
use crate::model::term::Fun;

#[test]
fn events_survive_full_segments() {
    let n_events = 150_000;
    let mut recording = busy(n_events);
    recording.settle();
    assert_eq!(recording.segments.len(), 2);
    let opened = reopened(&recording);
    for recording in [&recording, &opened] {
        assert_eq!(recording.len(), n_events);
        for seq in (0..n_events).step_by(97).chain(65_500..65_600) {
            let row = busy_row(seq);
            let event = recording.event(Seq(seq)).unwrap();
            assert_eq!((event.at_ns, event.kind, event.process), (row.event.at_ns, row.event.kind, row.event.process));
            assert_eq!((event.peer, event.tag), (row.event.peer, row.event.tag));
            assert_eq!((event.call, event.cause), (row.event.call, row.event.cause));
            assert_eq!(recording.payload(Seq(seq)).unwrap_or_default(), row.payload);
        }
        let last_of_server = Filter::kind(Kind::HandleEnd).process(Actor::from(Pid::local(12)));
        let expected = (0..n_events).rev().find(|n| n % 6 == 4 && n / 6 % 7 == 2);
        assert_eq!(recording.scan(&last_of_server).next_back().map(|event| event.seq.0), expected);
        assert_eq!(recording.count(&Filter::kind(Kind::Receive)), n_events / 6);
    }
}

#[test]
fn keyframes_give_the_system_anywhere() {
    let n_events = 70_000;
    let recording = busy(n_events);
    let opened = reopened(&recording);
    assert_eq!(opened.keyframes.checkpoints.len(), n_events as usize / limits::KEYFRAME_EVENTS);
    for at in [0, 8_191, 8_192, 40_000, 65_536, n_events - 1].map(Seq) {
        let expected = fold_from_start(&recording, at);
        assert!(recording.materialise(at) == expected, "at {at:?}");
        assert!(opened.materialise(at) == expected, "at {at:?}, opened");
    }
    assert_eq!(recording.materialise(Seq(n_events + 9)).at, Some(Seq(n_events - 1)));
    assert_eq!(Recording::default().materialise(Seq(3)), crate::model::SystemState::default());
}

#[test]
fn recording_goes_on_after_opening() {
    let all = busy(30_000);
    let mut opened = reopened(&busy(20_000));
    for n in 20_000..30_000 {
        busy_row(n).append_to(&mut opened);
    }
    let everything = Filter::default();
    let events = |recording: &Recording| recording.scan(&everything).collect::<Vec<_>>();
    assert_eq!(events(&opened), events(&all));
    let again = reopened(&opened);
    assert_eq!(events(&again), events(&all));
    for at in [19_999, 20_000, 24_600, 29_999].map(Seq) {
        assert_eq!(again.materialise(at), all.materialise(at));
    }
}

#[test]
fn opened_file_can_be_saved_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.cinema");
    busy(5_000).save(&path).unwrap();
    let (mut opened, _) = Recording::open(&path).unwrap();
    opened.set_mark(Mark { name: "here".into(), at: Seq(77), note: String::new(), is_snapshot: false });
    busy_row(5_000).append_to(&mut opened);
    opened.save(&path).unwrap();
    // The old bytes stay readable through the map.
    assert_eq!(opened.payload(Seq(6)), Some(busy_row(6).payload));
    let (again, report) = Recording::open(&path).unwrap();
    assert_eq!((again.len(), again.marks(), report.is_whole()), (5_001, opened.marks(), true));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let failure = opened.save(&folder.path().join("no/such/folder.cinema")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Io);
}

#[test]
fn causes_and_effects_are_found_at_any_distance() {
    let mut recording = Recording::default();
    let causes = [(70_000, 3), (70_001, 70_000), (140_000, 3), (140_001, 74_000), (140_002, 74_467), (140_003, 74_468)];
    for n in 0..150_000u64 {
        let mut row = Row::new(n as i64, Kind::Log, 1);
        row.event.cause = causes.iter().find(|(at, _)| *at == n).map(|(_, cause)| Seq(*cause));
        row.append_to(&mut recording);
    }
    for (at, cause) in causes {
        assert_eq!(recording.event(Seq(at)).unwrap().cause, Some(Seq(cause)));
        let effects = Filter { cause: Some(Seq(cause)), ..Filter::default() };
        let expected: Vec<u64> = causes.iter().filter(|(_, c)| *c == cause).map(|(at, _)| *at).collect();
        assert_eq!(recording.scan(&effects).map(|event| event.seq.0).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn long_mailbox_is_found_from_its_oldest_message() {
    let mut recording = Recording::default();
    Row::new(0, Kind::HandleStart, 1).append_to(&mut recording);
    for n in 0..3_000u64 {
        let arrival = Row::new(n as i64, Kind::Receive, 1).append_to(&mut recording);
        if n % 3 == 0 {
            // A receive in the callback takes each third message as it comes and the others never.
            let mut row = Row::new(n as i64, Kind::HandleStart, 1);
            row.event.cause = Some(arrival);
            let start = row.append_to(&mut recording);
            let mut row = Row::new(n as i64, Kind::HandleEnd, 1);
            row.event.cause = Some(start);
            row.append_to(&mut recording);
        }
    }
    recording.add_checkpoint(recording.len());
    let at = Seq(recording.len() - 1);
    let expected = fold_from_start(&recording, at);
    assert_eq!(expected.processes.values().next().unwrap().mailbox.len(), 2_000);
    assert_eq!(recording.materialise(at), expected);
    assert!(recording.keyframes.checkpoints[0].delta.len() < 100, "a long mailbox is not copied");
}

#[test]
fn many_distinct_actors_calls_and_payloads_seal_early() {
    let mut recording = Recording::default();
    for n in 0..70_000u32 {
        let mut row = Row::new(0, Kind::Send, n).payload(&Term::Int(n.into()));
        row.event.peer = Some(Actor::from(Pid::local(1_000_000 + n)));
        row.event.call = Some(CallKey(n.into()));
        row.event.tag = Some(Atom::new(&format!("edge{n}")));
        etf::encode(&Term::Int(-i64::from(n)), &mut row.meta);
        row.append_to(&mut recording);
    }
    assert!(recording.segments.len() >= 2);
    for n in [0u32, 32_766, 32_767, 32_768, 65_535, 65_536, 69_999] {
        let event = recording.event(Seq(n.into())).unwrap();
        assert_eq!(event.peer, Some(Actor::from(Pid::local(1_000_000 + n))));
        assert_eq!((event.process, event.call), (Actor::from(Pid::local(n)), Some(CallKey(n.into()))));
        assert_eq!(event.tag.unwrap().as_str(), format!("edge{n}"));
        assert_eq!(recording.term(Seq(n.into())), Some(Term::Int(n.into())));
        assert_eq!(recording.meta(Seq(n.into())), Some(Term::Int(-i64::from(n))));
    }
}

#[test]
fn limits_are_failures_that_leave_the_recording_whole() {
    let mut recording = Recording::default();
    let huge = vec![0; limits::PAYLOAD_BYTES_MAX + 1];
    let event = NewEvent { payload: &huge, ..NewEvent::new(0, Kind::Send, Pid::local(1)) };
    let failure = recording.append(&event).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Limit);
    assert!(failure.error.contains("PAYLOAD_BYTES_MAX"), "{failure}");

    recording.n_bytes_max = 1 << 20;
    let mut n_events = 0u64;
    let failure = loop {
        let payload: Vec<u8> = (0..50).map(|byte| (byte * n_events) as u8).collect();
        let event = NewEvent { payload: &payload, ..NewEvent::new(0, Kind::Send, Pid::local(1)) };
        match recording.append(&event) {
            Ok(_) => n_events += 1,
            Err(failure) => break failure,
        }
    };
    assert!(failure.error.contains("RECORDING_BYTES_MAX"), "{failure}");
    assert_eq!(recording.len(), n_events);
    assert!(recording.event(Seq(n_events - 1)).is_some());
}

#[test]
fn large_payloads_have_a_block_of_their_own() {
    let mut recording = Recording::default();
    let bytes_of = |n: usize| -> Vec<u8> { (0..n).map(|i| ((i * i) >> 3) as u8).collect() };
    let sizes = [10, 200_000, 65_536, 1, 65_537, 3_000_000, 30];
    for size in sizes {
        let row = Row { payload: bytes_of(size), ..Row::new(0, Kind::Send, 1) };
        row.append_to(&mut recording);
    }
    recording.seal();
    for (seq, size) in sizes.into_iter().enumerate() {
        assert_eq!(recording.payload(Seq(seq as u64)), Some(bytes_of(size)));
    }
}

#[test]
fn clone_does_not_see_later_events() {
    let mut recording = busy(100);
    let view = recording.clone();
    busy_row(100).append_to(&mut recording);
    assert_eq!((view.len(), recording.len()), (100, 101));
    let thread = std::thread::spawn(move || view.count(&Filter::default()));
    assert_eq!(thread.join().unwrap(), 100);
}

#[test]
fn archive_says_the_same() {
    let recording = busy(150_000);
    let folder = tempfile::tempdir().unwrap();
    let (plain, small) = (folder.path().join("plain.cinema"), folder.path().join("small.cinema"));
    recording.save(&plain).unwrap();
    recording.compact(&small).unwrap();
    let n_bytes = |path| std::fs::metadata(path).unwrap().len();
    assert!(n_bytes(&small) * 2 < n_bytes(&plain), "{} of {} bytes", n_bytes(&small), n_bytes(&plain));
    let (archive, report) = Recording::open_whole(&small).unwrap();
    assert!(report.is_whole(), "{report:?}");
    let everything = Filter::default();
    assert!(archive.scan(&everything).eq(recording.scan(&everything)));
    for seq in (0..150_000).step_by(37).map(Seq) {
        assert_eq!(archive.payload(seq), recording.payload(seq), "{seq:?}");
        assert_eq!(archive.meta(seq), recording.meta(seq));
    }
    assert_eq!(archive.materialise(Seq(149_999)), recording.materialise(Seq(149_999)));
    // And back: an archive is saved like any other recording.
    let again = reopened(&archive);
    assert!(again.scan(&everything).eq(recording.scan(&everything)));
    assert_eq!(again.payload(Seq(70_000)), recording.payload(Seq(70_000)));
}

#[test]
fn an_archive_that_is_interrupted_leaves_nothing() {
    let recording = busy(150_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.cinema");
    let mut told = Vec::new();
    let interrupted = recording.compact_while(&path, &mut |n_events| {
        told.push(n_events);
        told.len() < 2
    });
    assert_eq!(interrupted.map_err(|failure| failure.kind), Err(FailureKind::Interrupted));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file, not even a temporary one");
    assert_eq!(told, [65_536, 131_072]);
    told.clear();
    let whole = recording.compact_while(&path, &mut |n_events| {
        told.push(n_events);
        true
    });
    assert!(whole.is_ok() && path.exists());
    assert_eq!(told, [65_536, 131_072, 150_000]);
}

#[test]
fn the_largest_message_is_kept_and_comes_back() {
    let mut recording = Recording::default();
    let mut bytes = vec![131, 109];
    let n_bytes = limits::PAYLOAD_BYTES_MAX - 6;
    bytes.extend_from_slice(&(n_bytes as u32).to_be_bytes());
    let pattern: Vec<u8> = (0..1_000_003u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bytes.extend(pattern.iter().cycle().take(n_bytes));
    Row::new(0, Kind::Spawn, 1).append_to(&mut recording);
    for kind in [Kind::Send, Kind::Receive] {
        recording.append(&NewEvent { payload: &bytes, ..NewEvent::new(1, kind, Pid::local(1)) }).unwrap();
    }
    Row::new(2, Kind::Exit, 1).append_to(&mut recording);
    for recording in [&reopened(&recording), &compacted(&recording)] {
        for seq in [1, 2].map(Seq) {
            assert!(recording.payload_ref(seq).is_some_and(|payload| *payload == bytes[..]));
        }
        assert_eq!(recording.materialise(Seq(3)).processes.len(), 1);
    }
}

#[test]
fn a_million_processes_are_told_apart() {
    let n_processes = 1_000_000u32;
    let mut recording = Recording::default();
    for n in 0..n_processes {
        recording
            .append(&NewEvent::new(n.into(), Kind::Spawn, Pid { id: n & 0x7FFF, serial: n >> 15, ..Pid::local(0) }))
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.cinema");
    recording.save(&path).unwrap();
    let (opened, report) = Recording::open(&path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(opened.actors().len(), n_processes as usize);
    for n in [0, 32_767, 32_768, 65_536, 999_999] {
        let process = Actor::from(Pid { id: n & 0x7FFF, serial: n >> 15, ..Pid::local(0) });
        let own: Vec<u64> = opened.scan(&Filter::default().process(process)).map(|event| event.seq.0).collect();
        assert_eq!(own, [u64::from(n)]);
    }
    assert_eq!(opened.materialise(Seq(u64::from(n_processes) - 1)).processes.len(), n_processes as usize);
}

#[test]
fn deep_terms_stay_bytes() {
    let depth = 200_000;
    let mut deep = vec![131];
    (0..depth).for_each(|_| deep.extend_from_slice(&[108, 0, 0, 0, 1]));
    deep.push(106);
    deep.resize(deep.len() + depth, 106);
    let mut recording = Recording::default();
    for n in 0..3 {
        for kind in [Kind::Spawn, Kind::Send, Kind::Receive, Kind::StateChange, Kind::Exit, Kind::Loss] {
            recording
                .append(&NewEvent { payload: &deep, meta: &deep, ..NewEvent::new(n, kind, Pid::local(1)) })
                .unwrap();
        }
    }
    recording.seal();
    let opened = reopened(&recording);
    for seq in (0..18).map(Seq) {
        assert_eq!((opened.payload(seq).as_ref(), opened.term(seq), opened.meta(seq)), (Some(&deep), None, None));
    }
    assert_eq!(opened.materialise(Seq(17)).processes.len(), 1);
    assert!(opened.scan_writes(&Filter::default(), &Path::default()).count() <= 18);
}

#[test]
fn clocks_that_stand_still_jump_or_go_backwards_keep_the_order() {
    let hour_ns = 3_600_000_000_000;
    let mut times: Vec<i64> = vec![5; 1_000];
    times.extend((0..1_000).map(|n| hour_ns + n));
    times.extend((0..1_000).map(|n| n - hour_ns));
    times.extend([i64::MIN, i64::MAX, 0, i64::MIN + 1, i64::MAX - 1]);
    let mut recording = Recording::default();
    for at_ns in &times {
        Row::new(*at_ns, Kind::Log, 1).append_to(&mut recording);
    }
    recording.seal();
    for recording in [&recording, &reopened(&recording), &compacted(&recording)] {
        let read: Vec<i64> = recording.scan(&Filter::default()).map(|event| event.at_ns).collect();
        assert_eq!(read, times);
        let lineage = recording.lineage(0);
        for at_ns in [i64::MIN, -1, 0, 5, 6, hour_ns, hour_ns + 999, hour_ns + 1_000, i64::MAX] {
            let expected = times.iter().position(|time| *time >= at_ns).map(|place| Seq(place as u64));
            assert_eq!(recording.seek_time(&lineage, at_ns), expected, "{at_ns}");
        }
    }
}

#[test]
fn dictionaries_that_grow_are_whole_in_a_file_that_was_not_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let mut recording = Recording::create(&path, RecordingInfo::default(), Durability::default()).unwrap();
    for n in 0..30_000u32 {
        let mut row = Row::new(0, Kind::Send, n);
        row.event.peer = Some(Actor::from(Pid::local(500_000 + n / 7)));
        row.event.tag = Some(Atom::new(&format!("grown{}", n / 3)));
        row.append_to(&mut recording);
        if n % 4_000 == 3_999 {
            recording.seal();
        }
    }
    recording.seal();
    let (opened, _) = Recording::open(&path).unwrap();
    assert!(opened.scan(&Filter::default()).eq(recording.scan(&Filter::default())));
}

#[test]
fn a_search_that_is_stopped_ends() {
    let mut recording = busy(2_000);
    recording.seal();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let (everything, texts) = (Filter::default(), [Text::new("order", false).unwrap()]);
    let selection = Selection::of(&everything).texts(&texts).until(&stop);
    let n_found = recording.count_of(&selection);
    assert!(n_found > 0 && recording.seqs(&selection).count() as u64 == n_found);
    let mut seqs = recording.seqs(&selection);
    assert!(seqs.next().is_some());
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!((recording.count_of(&selection), recording.group(&selection, By::Pair, 9).n_events), (0, 0));
    let left = |why: &Stage| matches!(why, Stage::Pruned(Pruned::Stopped));
    assert!(recording.explain(&selection).iter().any(|step| left(&step.stage) && step.n_events == 0));
}

#[test]
fn funs_are_found_where_text_filters_pass_over_blocks() {
    let mut recording = busy(60_000);
    let fun = |function: &str| {
        let module = Atom::new("some_module");
        Term::Fun(Fun::External { module, function: Atom::new(function), arity: 2 }.into())
    };
    let at = recording.len() + 1;
    ["before", "needle", "behind"].into_iter().for_each(|name| {
        Row::new(9, Kind::Send, 1).payload(&fun(name)).append_to(&mut recording);
    });
    recording.seal();
    let everything = Filter::default();
    for text in ["some_module:needle/2", "fun some_module:needle", "e:needle/"] {
        let texts = [Text::new(text, false).unwrap()];
        let selection = Selection::of(&everything).texts(&texts);
        assert_eq!(recording.seqs(&selection).collect::<Vec<_>>(), [Seq(at)], "{text}");
        let Some(Step { stage: Stage::Texts(searched), .. }) = recording.explain(&selection).pop() else {
            panic!("texts are looked for last")
        };
        assert!(searched.n_blocks_read <= 2 && searched.n_blocks > 10 * searched.n_blocks_read, "{searched:?}");
    }
}

#[test]
fn text_filters_pass_over_blocks_and_archives_have_none() {
    let mut recording = busy(60_000);
    for n in 0..10 {
        let word = if n == 4 { "a needle" } else { "hay" };
        Row::new(n, Kind::Send, 1).payload(&Term::binary(format!("{word} {n}"))).append_to(&mut recording);
    }
    recording.seal();
    let (everything, texts) = (Filter::default(), [Text::new("a needle", false).unwrap()]);
    let selection = Selection::of(&everything).texts(&texts);
    let searched = |recording: &Recording| match recording.explain(&selection).pop() {
        Some(Step { stage: Stage::Texts(searched), n_events: 1, .. }) => searched,
        other => panic!("one event has the text: {other:?}"),
    };
    let plain = searched(&recording);
    assert!(plain.n_blocks_read <= 2 && plain.n_blocks > 10 * plain.n_blocks_read, "{plain:?}");
    assert_eq!(plain.n_payloads_walked, 1);
    let archived = searched(&compacted(&recording));
    assert_eq!(archived.n_blocks_read, archived.n_blocks, "{archived:?}");
}
