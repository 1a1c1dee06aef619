//! The file format: a second reader, written from its document, agrees with ours; files of earlier versions open; crafted
//! counts cost nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use cinema::model::{Actor, ActorId, Event, Filter, Seq};
use cinema::store::{Recording, RingLimits};
use serde_json::{Value as Json, json};

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/files").join(name)
}

/// Files that were kept: of each version that is read, from the sim and from a real node's trace.
const KEPT: [&str; 5] =
    ["bank-v2.cinema", "shop-v2.cinema", "bank-v3.cinema", "shop-v3.cinema", "shop-v3-archive.cinema"];

fn hex(bytes: Option<Vec<u8>>) -> String {
    bytes.unwrap_or_default().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn actor(actor: Actor) -> Json {
    let node = actor.origin().id();
    let (sort, first, second) = match actor.id {
        ActorId::Pid(pid) => ("pid", pid.id, pid.serial),
        ActorId::Port(port) => ("port", port.id_low, port.id_high),
    };
    json!([sort, node.node.as_str(), node.creation, first, second, actor.incarnation])
}

fn row(recording: &Recording, event: &Event) -> Json {
    json!({
        "seq": event.seq.0,
        "at_ns": event.at_ns,
        "kind": event.kind.as_str(),
        "class": event.class as u8,
        "process": actor(event.process),
        "peer": event.peer.map(actor),
        "tag": event.tag.map(|tag| tag.as_str().to_string()),
        "call": event.call.map(|call| call.0),
        "cause": event.cause.map(|cause| cause.0),
        "payload": hex(recording.payload(event.seq)),
        "meta": hex(recording.meta_ref(event.seq).map(|bytes| bytes.to_vec())),
    })
}

/// What `reader.py` prints, by our reader.
fn listing(recording: &Recording) -> Vec<Json> {
    let mut lines: Vec<Json> = recording.scan(&Filter::default()).map(|event| row(recording, &event)).collect();
    lines.extend(
        recording.marks().iter().map(
            |mark| json!({"mark": mark.name, "seq": mark.at.0, "note": mark.note, "is_snapshot": mark.is_snapshot}),
        ),
    );
    lines.extend(recording.branches().iter().map(|branch| {
        let parent = branch.parent.map_or(0, |parent| parent + 1);
        json!({"branch": [parent, branch.from.map_or(0, |from| from.0 + 1), branch.start.0]})
    }));
    lines
}

fn read_by_python(path: &Path) -> Option<Vec<Json>> {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format/reader.py");
    let output = match Command::new("python3").arg(reader).arg(path).output() {
        Ok(output) => output,
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("SKIPPED: no python3: {error}");
            return None;
        }
        Err(error) => panic!("no python3: {error}"),
    };
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    Some(text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect())
}

#[track_caller]
fn check_readers_agree(path: &Path) {
    let (recording, report) = Recording::open_whole(path).expect("it opens");
    assert!(report.is_whole(), "{report:?}");
    let Some(mut theirs) = read_by_python(path) else { return };
    let end = theirs.pop().expect("the last line tells of the recording");
    assert_eq!(end["info"]["title"], recording.info.title);
    let ours = listing(&recording);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "{}", path.display());
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn a_reader_written_from_the_document_agrees_with_ours() {
    KEPT.iter().for_each(|name| check_readers_agree(&kept(name)));
}

#[test]
fn it_agrees_on_a_real_trace_in_both_forms_and_on_a_ring() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, small) = (folder.path().join("plain.cinema"), folder.path().join("small.cinema"));
    let mut recording = Recording::default();
    let trace = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ejabberd-small.trace");
    let append =
        &mut |batch: &cinema::model::EventBatch| batch.iter().try_for_each(|new| recording.append(&new).map(drop));
    cinema::sandbox::import::import(&trace, append, &mut |_| true).expect("it is a trace");
    recording.save(&plain).expect("it is saved");
    recording.compact(&small).expect("it is saved");
    let ring = folder.path().join("ring.cinema");
    recording.set_ring(Some(RingLimits { events_min: Some(4_000), ..RingLimits::default() })).expect("it is in memory");
    recording.save(&ring).expect("it is saved");
    [plain, small, ring].iter().for_each(|path| check_readers_agree(path));
}

/// What a version was written with is what is read from it for ever: the two files of each are of the same run.
#[test]
fn files_of_earlier_versions_say_the_same() {
    for (old, new) in [("bank-v2.cinema", "bank-v3.cinema"), ("shop-v2.cinema", "shop-v3.cinema")] {
        let [old, new] = [old, new].map(|name| Recording::open_whole(&kept(name)).expect("it opens").0);
        assert_eq!(listing(&old), listing(&new));
        let last = Seq(old.len() - 1);
        assert_eq!(old.materialise(last), new.materialise(last));
        let (_, report) = Recording::rescue(&kept("bank-v2.cinema")).expect("it opens");
        assert_eq!((report.version, report.damage), (2, Vec::new()));
    }
}

#[test]
fn every_section_and_block_is_in_the_document() {
    let document = include_str!("../../src/store/FORMAT.md");
    for name in Recording::section_names() {
        assert!(document.contains(&format!("| {name} |")) || document.contains(name), "{name} is not in FORMAT.md");
    }
    for kind in cinema::model::Kind::ALL {
        assert!(document.contains(&format!("{} {}", *kind as u8, kind.as_str())), "{} is not there", kind.as_str());
    }
    for class in cinema::model::Class::ALL {
        assert!(document.contains(&format!("{} {}", *class as u8, class.as_str())), "{} is not there", class.as_str());
    }
}
