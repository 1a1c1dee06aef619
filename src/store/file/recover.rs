//! Opening a file whose end is missing or damaged: its blocks are walked from the front, and every
//! segment that is whole is kept. What only the directory had is made again from the events
//! (branches, keyframes) or is lost (marks).

use super::directory::{Directory, SegmentPlace, read_dictionaries, read_info};
use super::{Block, BlockKind, FILE_HEAD_BYTES};
use crate::model::{Filter, Kind};
use crate::store::segment::{HEAD_BYTES, Head};
use crate::store::wire::Reader;
use crate::store::{Branch, Recording};

/// Collects the whole segments from the front. The second value tells whether an intact directory was met
/// after all (only the trailer was damaged). Costs a checksum of every byte.
pub fn walk(file: &[u8], warnings: &mut Vec<String>) -> (Directory, bool) {
    let mut directory = Directory { branches: vec![Branch::trunk()], ..Directory::default() };
    // A segment counts when its payloads are there too.
    let mut pending: Option<SegmentPlace> = None;
    let mut offset = FILE_HEAD_BYTES;
    while let Some(block) = Block::at(file, offset) {
        // A block of payloads has checksums of its own, block by block.
        if block.head.kind != BlockKind::Payloads && !block.is_intact(file) {
            break;
        }
        let content = &file[block.content.clone()];
        let is_sound = match block.head.kind {
            BlockKind::Info => read_info(&mut Reader::new(content)).map(|info| directory.info = info).is_some(),
            BlockKind::Dictionary => read_dictionaries(&mut Reader::new(content))
                .map(|(actors, tags)| {
                    directory.actors.extend(actors);
                    directory.tags.extend(tags);
                })
                .is_some(),
            BlockKind::Segment => {
                pending = segment_place(&block, file, &directory);
                pending.is_some()
            }
            BlockKind::Payloads => {
                let place = pending.take().map(|place| SegmentPlace { stored: block.content.clone(), ..place });
                place.map(|place| directory.segments.push(place)).is_some()
            }
            BlockKind::Keyframes => true,
            BlockKind::Directory => match Directory::read(content, file.len()) {
                Some(complete) => return (complete, true),
                None => false,
            },
        };
        if !is_sound {
            break;
        }
        offset = block.next();
    }
    directory.start.first = directory.segments.first().map_or(0, |place| place.head.start);
    let n_events: u64 = directory.segments.iter().map(|place| u64::from(place.head.n_events)).sum();
    warnings.push(format!(
        "the block at offset {offset} is damaged or missing: {n_events} events before it were read; marks are lost, \
         branches and keyframes were made again"
    ));
    (directory, false)
}

fn segment_place(block: &Block, file: &[u8], before: &Directory) -> Option<SegmentPlace> {
    let head = Head::read(&mut Reader::new(&file[block.content.clone()]))?;
    let next_seq = before.segments.last().map_or(head.start, |place| place.head.end());
    let begin = block.content.start + HEAD_BYTES.next_multiple_of(8);
    let is_next = head.start == next_seq
        && head.n_actors as usize <= before.actors.len()
        && head.n_tags as usize <= before.tags.len()
        && begin <= block.content.end;
    is_next.then(|| {
        let image = begin..block.content.end;
        SegmentPlace { head, image_checksum: crc32fast::hash(&file[image.clone()]), image, stored: 0..0 }
    })
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
