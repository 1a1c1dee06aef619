//! Opening a file whose end is missing or damaged: what its blocks say, up to the first damage. Branches are made again from
//! the events that begin them, marks are those of the newest Marks block, how a ring began is lost.

use super::directory::Directory;
use super::report::{Damage, Part};
use super::walk::Walk;
use crate::model::{Filter, Kind};
use crate::store::{Branch, Recording};

/// Collects the whole segments from the front. The second value tells whether an intact directory was met
/// at the very end after all (only the trailer was damaged).
pub fn walk(file: &[u8], version: u32, damage: &mut Vec<Damage>) -> (Directory, bool) {
    let walk = Walk::over(file, version, false);
    if let Some(complete) = walk.complete {
        return (complete, true);
    }
    let n_events: u64 = walk.directory.segments.iter().map(|place| u64::from(place.head.n_events)).sum();
    let n_marks = walk.directory.marks.len();
    damage.extend(walk.damage.into_iter().map(|found| match found.part {
        Part::End => found,
        _ => {
            let what = format!("{}: {n_events} events and {n_marks} marks before it were read", found.what);
            Damage { what, ..found }
        }
    }));
    (walk.directory, false)
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
