//! Opening a file whose end is missing or damaged: what its blocks say, up to the first damage. Branches are made again from
//! the events that begin them, marks are those of the newest Marks block, how a ring began is told by its Start block.

use super::FILE_HEAD_BYTES;
use super::directory::{Directory, Start};
use super::report::{Damage, Ended, Part};
use super::walk::Walk;
use crate::model::{Filter, Kind};
use crate::store::{Branch, Recording};

/// Collects the whole segments from the front. Tells whether an intact directory was met at the very end after all
/// (only the trailer was damaged), and whether the file was saved at once.
pub fn walk(file: &[u8], version: u32, damage: &mut Vec<Damage>) -> (Directory, Ended) {
    let walk = Walk::over(file, version, false);
    let is_saved = walk.is_saved;
    if let Some(complete) = walk.complete {
        return (complete, Ended { is_complete: true, is_saved });
    }
    damage.extend(lost_start(&walk.directory));
    let n_events: u64 = walk.directory.segments.iter().map(|place| u64::from(place.head.n_events)).sum();
    let n_marks = walk.directory.marks.len();
    damage.extend(walk.damage.into_iter().map(|found| match found.part {
        Part::End => found,
        _ => {
            let what = format!("{}: {n_events} events and {n_marks} marks before it were read", found.what);
            Damage { what, ..found }
        }
    }));
    (walk.directory, Ended { is_complete: false, is_saved })
}

/// What is to be told of a recording that forgot something and does not know what.
pub fn lost_start(directory: &Directory) -> Option<Damage> {
    let Start { first, base, .. } = &directory.start;
    let offset = directory.segments.first().map_or(FILE_HEAD_BYTES, |place| place.image.start);
    let what = format!("how it begins is lost: the system before #{first}, and what was evicted, are not known");
    (*first > 0 && base.is_none()).then(|| Damage::at(Part::Start, offset, 0, what))
}

/// Makes branches again from the events that begin them, then the keyframes.
pub fn restore_branches(recording: &mut Recording) {
    let starts: Vec<_> = recording.scan(&Filter::kinds(&[Kind::Restored, Kind::Forked])).collect();
    for event in starts {
        let id = recording.branches.len() as u32;
        let parent = event.cause.map_or(0, |from| recording.branch_of(from));
        recording.branches.push(Branch { id, parent: Some(parent), from: event.cause, start: event.seq });
    }
    recording.add_checkpoints();
}
