//! Disks that fail: full at some byte, or without power at some moment. Of the latter a model: what was synced is there,
//! of the rest any sectors in any order, and the file has any length between.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex};

use super::super::file::{Disk, SessionFile};
use super::super::writer::Writer;
use super::*;
use crate::model::FailureKind;

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Op {
    Write(usize, Vec<u8>),
    Cut(usize),
    Sync,
}

/// A file that notes what is asked of it, and is full after so many bytes.
struct Noted {
    file: File,
    log: Arc<Mutex<Vec<Op>>>,
    n_free: Arc<Mutex<usize>>,
}

impl Disk for Noted {
    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut n_free = self.n_free.lock().unwrap();
        let n_written = bytes.len().min(*n_free);
        *n_free -= n_written;
        self.log.lock().unwrap().push(Op::Write(offset as usize, bytes[..n_written].to_vec()));
        Disk::write(&mut self.file, &bytes[..n_written], offset)?;
        if n_written < bytes.len() { Err(Error::from(ErrorKind::StorageFull)) } else { Ok(()) }
    }
    fn cut(&mut self, n_bytes: u64) -> Result<()> {
        self.log.lock().unwrap().push(Op::Cut(n_bytes as usize));
        Disk::cut(&mut self.file, n_bytes)
    }
    fn sync(&mut self) -> Result<()> {
        self.log.lock().unwrap().push(Op::Sync);
        Ok(())
    }
    fn file(&self) -> &File {
        &self.file
    }
}

/// A recording on such a disk.
fn on_disk(path: &FilePath, n_free: usize, durability: Durability) -> (Recording, Arc<Mutex<Vec<Op>>>) {
    on_disk_with(path, &Arc::new(Mutex::new(n_free)), durability)
}
/// The same, on one whose room is changed meanwhile.
fn on_disk_with(
    path: &FilePath,
    n_free: &Arc<Mutex<usize>>,
    durability: Durability,
) -> (Recording, Arc<Mutex<Vec<Op>>>) {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let disk = Box::new(Noted { file, log: log.clone(), n_free: n_free.clone() });
    let info = RecordingInfo { title: "busy".into(), ..RecordingInfo::default() };
    let file = SessionFile::create_on(disk, path, &info, &durability).unwrap();
    let mut recording = Recording::new(info);
    recording.writer = Writer::with_file(file, durability.unwritten_bytes_max).unwrap();
    recording.seal_after_ns = durability.seal_after_ns;
    (recording, log)
}

/// What may be on the disk when the power fails after `ops`.
fn after_power_cut(ops: &[Op], random: &mut impl FnMut() -> usize) -> Vec<u8> {
    let n_synced = ops.iter().rposition(|op| matches!(op, Op::Sync)).map_or(0, |last| last + 1);
    let mut bytes = Vec::new();
    for op in &ops[..n_synced] {
        apply(&mut bytes, op, &mut |_| true);
    }
    let n_bytes_synced = bytes.len();
    for op in &ops[n_synced..] {
        apply(&mut bytes, op, &mut |_| !random().is_multiple_of(3));
    }
    let n_bytes = n_bytes_synced + random() % (bytes.len().saturating_sub(n_bytes_synced) + 1);
    bytes.truncate(n_bytes.max(16));
    bytes
}

fn apply(bytes: &mut Vec<u8>, op: &Op, arrives: &mut dyn FnMut(usize) -> bool) {
    match op {
        Op::Write(offset, written) => {
            bytes.resize(bytes.len().max(offset + written.len()), 0);
            for (n, byte_range) in sectors(*offset, written.len()).into_iter().enumerate() {
                if arrives(n) {
                    let from = byte_range.start - offset;
                    bytes[byte_range.clone()].copy_from_slice(&written[from..from + byte_range.len()]);
                }
            }
        }
        Op::Cut(n_bytes) => bytes.truncate(*n_bytes),
        Op::Sync => {}
    }
}

fn sectors(offset: usize, len: usize) -> Vec<Range<usize>> {
    let end = offset + len;
    let first = offset / SECTOR_BYTES;
    let sector = |n: usize| (n * SECTOR_BYTES).max(offset)..((n + 1) * SECTOR_BYTES).min(end);
    (first..end.div_ceil(SECTOR_BYTES)).map(sector).collect()
}

fn lcg(seed: u64) -> impl FnMut() -> usize {
    let mut random = seed;
    move || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    }
}

/// Behind the first `n_whole` events a payload may be lost, and is told then.
fn check_events(opened: &Recording, n_whole: u64, step: usize) {
    for seq in (0..opened.len()).step_by(step) {
        let row = busy_row(seq);
        let event = opened.event(Seq(seq)).unwrap();
        assert_eq!((event.at_ns, event.kind, event.process), (row.event.at_ns, row.event.kind, row.event.process));
        let payload = opened.payload(Seq(seq)).unwrap_or_default();
        let is_told = seq >= n_whole && opened.lost_fields(Seq(seq)).iter().any(|field| field == "payload");
        assert!(payload == row.payload || (payload.is_empty() && is_told), "#{seq}: {payload:?}");
    }
}

#[test]
fn loss_of_power_takes_nothing_that_was_synced() {
    let folder = tempfile::tempdir().unwrap();
    let durability = Durability { sync: SyncPolicy::Segment, ..Durability::default() };
    let (mut recording, log) = on_disk(&folder.path().join("run.cinema"), usize::MAX, durability);
    // Events that are sealed and synced after so many operations of the disk.
    let mut synced = vec![(0, 0)];
    for n in 0..3_000 {
        busy_row(n).append_to(&mut recording);
        if n % 300 == 299 {
            recording.seal();
            if n % 900 == 899 {
                recording.finish().unwrap();
            }
            synced.push((log.lock().unwrap().len(), n + 1));
        }
    }
    let ops = log.lock().unwrap().clone();
    let cut = folder.path().join("cut.cinema");
    let mut random = lcg(11);
    for _ in 0..300 {
        let n_ops = 1 + random() % ops.len();
        let n_events = synced.iter().rev().find(|(n, _)| *n <= n_ops).map_or(0, |(_, n_events)| *n_events);
        std::fs::write(&cut, after_power_cut(&ops[..n_ops], &mut random)).unwrap();
        // Before the first sync not even the head need be there: then there is what can be saved, or nothing.
        let has_head = |report: &Report| report.damage.iter().all(|damage| damage.part != Part::Head);
        if n_events == 0 && !Recording::open(&cut).is_ok_and(|(_, report)| has_head(&report)) {
            continue;
        }
        let (opened, _) = Recording::open(&cut).unwrap();
        assert!(opened.len() >= n_events, "{} events of {n_events} after {n_ops} operations", opened.len());
        check_events(&opened, n_events, 17);
        let (rescued, _) = Recording::rescue(&cut).unwrap();
        assert!(rescued.len() >= opened.len());
        for seq in (0..opened.len()).step_by(29).map(Seq) {
            let [rescued_event, event] = [&rescued, &opened].map(|recording| recording.event(seq).unwrap());
            let is_told = seq.0 >= n_events && rescued.lost_fields(seq) == ["payload"];
            let size_bytes = if is_told { event.size_bytes } else { rescued_event.size_bytes };
            assert_eq!(Event { size_bytes, ..rescued_event }, event);
        }
    }
}

#[test]
fn full_disk_leaves_a_whole_file_wherever_it_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let mut random = lcg(5);
    for _ in 0..40 {
        let n_free = 1_000 + random() % 60_000;
        let (mut recording, _) = on_disk(&path, n_free, Durability::default());
        let mut failure = None;
        for n in 0..6_000 {
            let row = busy_row(n);
            let event = NewEvent { payload: &row.payload, meta: &row.meta, ..row.event };
            if let Err(error) = recording.append(&event) {
                failure = Some(error);
                break;
            }
            if n % 250 == 249 {
                recording.seal();
            }
        }
        let failure = failure.or_else(|| recording.finish().err()).expect("the disk is full at some time");
        assert_eq!(failure.kind, FailureKind::Io, "{failure}");
        assert!(failure.error.contains("at offset"), "{failure}");
        let (opened, _) = Recording::open(&path).unwrap();
        assert!(opened.len().is_multiple_of(250) && recording.len() - opened.len() <= 501);
        check_events(&opened, u64::MAX, 31);
        // What the disk did not take is in memory, and can go elsewhere.
        check_events(&reopened(&recording), u64::MAX, 31);
    }
}

/// A live recording does not end with the disk: what is sealed waits, and is in the file when there is room again.
#[test]
fn what_a_full_disk_does_not_take_waits_and_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let n_free = Arc::new(Mutex::new(30_000));
    let patient = Durability { unwritten_bytes_max: 1 << 30, ..Durability::default() };
    let (mut recording, _) = on_disk_with(&path, &n_free, patient);
    let append = |recording: &mut Recording, seqs: Range<u64>| {
        for n in seqs {
            busy_row(n).append_to(recording);
            if n % 250 == 249 {
                recording.seal();
            }
        }
    };
    append(&mut recording, 0..5_000);
    let news = recording.disk_news();
    assert!(news.len() == 1 && news[0].contains("at offset") && news[0].contains("waits in memory"), "{news:?}");
    check_events(&recording, u64::MAX, 31);
    let (opened, report) = Recording::open(&path).unwrap();
    assert!(report.is_unfinished() && opened.len().is_multiple_of(250), "{report:?}");
    // At its end it says what the file has not; it may go on all the same.
    let n_bytes = recording.n_bytes();
    let failure = recording.finish().unwrap_err();
    assert!(failure.error.contains(&format!("whole up to before #{}", opened.len())), "{failure}");
    recording.set_mark(Mark { name: "late".into(), at: Seq(4_000), note: String::new(), is_snapshot: false });
    *n_free.lock().unwrap() = usize::MAX;
    append(&mut recording, 5_000..5_250);
    let news = recording.disk_news();
    assert!(news.len() == 1 && news[0].contains("is written again"), "{news:?}");
    assert!(recording.n_bytes() < n_bytes / 2, "what waited needs no memory any more");
    check_events(&recording, u64::MAX, 31);
    recording.finish().unwrap();
    let (opened, report) = Recording::open(&path).unwrap();
    assert!(report.is_whole() && opened.len() == 5_250 && opened.marks().len() == 1, "{report:?}");
    check_events(&opened, u64::MAX, 31);
    for at in [0, 16_384 / 4, 5_249].map(Seq) {
        assert_eq!(opened.materialise(at), busy(5_250).materialise(at));
    }
    assert_eq!(Recording::rescue(&path).unwrap().1.damage, Vec::new());
}

/// When too much waits, events are dropped: how many, and where, is in the recording.
#[test]
fn what_finds_no_room_in_memory_either_is_a_loss_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.cinema");
    let n_free = Arc::new(Mutex::new(30_000));
    let (mut recording, _) =
        on_disk_with(&path, &n_free, Durability { unwritten_bytes_max: 20_000, ..Durability::default() });
    for n in 0..10_000u64 {
        Row::new(n as i64, Kind::Log, 1).payload(&Term::Int(n as i64)).append_to(&mut recording);
        if n % 250 == 249 {
            recording.seal();
        }
    }
    let n_kept = recording.len();
    assert!(n_kept < 9_000 && n_kept.is_multiple_of(250), "{n_kept}");
    let news = recording.disk_news();
    assert!(news.len() == 2 && news[1].contains("UNWRITTEN_BYTES_MAX"), "{news:?}");
    assert!(recording.finish().is_err(), "the disk is full still");
    *n_free.lock().unwrap() = usize::MAX;
    recording.finish().unwrap();
    Row::new(10_000, Kind::Log, 1).payload(&Term::Int(10_000)).append_to(&mut recording);
    recording.finish().unwrap();
    let (opened, report) = Recording::open(&path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    let losses = opened.losses(&opened.lineage(0));
    let [loss] = &losses[..] else { panic!("{losses:?}") };
    assert_eq!(
        (loss.seqs.start, loss.n_events, loss.what.as_deref()),
        (n_kept, Some(10_000 - n_kept), Some("the disk was full"))
    );
    assert_eq!((opened.len(), opened.term(Seq(n_kept + 1))), (n_kept + 2, Some(Term::Int(10_000))));
}

#[test]
fn a_device_without_room_is_an_error_at_once() {
    let failure = Recording::create(FilePath::new("/dev/full"), RecordingInfo::default(), Durability::default());
    let failure = failure.expect_err("nothing can be written there");
    assert!(failure.error.contains("/dev/full at offset 0"), "{failure}");
}
