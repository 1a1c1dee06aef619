//! Opening a file whose end is missing or damaged: its blocks are walked from the front, and every
//! segment that is whole is kept. What only the directory had is made again from the events
//! (branches) or is lost (marks).

use super::directory::{CheckpointPlace, Directory, SegmentPlace, read_dictionaries, read_info};
use super::{Block, BlockKind, FILE_HEAD_BYTES, SEGMENT_HEAD_BYTES, TRAILER_BYTES, trailer_offset};
use crate::model::{Filter, Kind};
use crate::store::segment::{HEAD_BYTES, Head};
use crate::store::wire::Reader;
use crate::store::{Branch, Recording};

/// Collects the whole segments from the front. The second value tells whether an intact directory was met
/// at the very end after all (only the trailer was damaged). Touches heads, dictionaries and keyframes; images
/// and payloads have checksums that are compared when they are read.
pub fn walk(file: &[u8], warnings: &mut Vec<String>) -> (Directory, bool) {
    let mut directory = Directory { branches: vec![Branch::trunk()], ..Directory::default() };
    // A segment counts when its payloads are there too.
    let mut pending: Option<SegmentPlace> = None;
    let mut complete: Option<Directory> = None;
    let mut offset = FILE_HEAD_BYTES;
    loop {
        if is_trailer(file, offset) {
            offset += TRAILER_BYTES;
            continue;
        }
        let Some(block) = Block::at(file, offset) else { break };
        let has_own_checksums = matches!(block.head.kind, BlockKind::Payloads | BlockKind::Segment);
        if !has_own_checksums && !block.is_intact(file) {
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
            BlockKind::Keyframes => add_keyframes(&block, file, &mut directory).is_some(),
            BlockKind::Directory => {
                complete = Directory::read(content, file.len());
                complete.is_some()
            }
        };
        if !is_sound {
            break;
        }
        offset = block.next();
    }
    directory.start.first = directory.segments.first().map_or(0, |place| place.head.start);
    if directory.start.first > 0 {
        // Without the base, which only the directory places, keyframes say nothing.
        directory.checkpoints.clear();
    }
    // A recording that went on after it was completed once has more than the directory says.
    if let Some(complete) = complete.filter(|complete| complete.segments.len() >= directory.segments.len()) {
        return (complete, true);
    }
    let n_events: u64 = directory.segments.iter().map(|place| u64::from(place.head.n_events)).sum();
    warnings.push(format!(
        "the block at offset {offset} is damaged or missing: {n_events} events before it were read; marks are lost, \
         branches were made again"
    ));
    (directory, false)
}

fn is_trailer(file: &[u8], offset: usize) -> bool {
    file.get(offset..).and_then(|rest| rest.first_chunk()).is_some_and(|bytes| trailer_offset(bytes).is_some())
}

fn segment_place(block: &Block, file: &[u8], before: &Directory) -> Option<SegmentPlace> {
    let content = &file[block.content.clone()];
    let mut reader = Reader::new(content);
    let head = Head::read(&mut reader)?;
    let image_checksum = reader.u32()?;
    let is_intact = crc32fast::hash(&content[..HEAD_BYTES + 4]) == reader.u32()?;
    let next_seq = before.segments.last().map_or(head.start, |place| place.head.end());
    let begin = block.content.start + SEGMENT_HEAD_BYTES;
    let is_next = is_intact
        && head.start == next_seq
        && head.n_actors as usize <= before.actors.len()
        && head.n_tags as usize <= before.tags.len()
        && begin <= block.content.end;
    is_next.then_some(SegmentPlace { head, image_checksum, image: begin..block.content.end, stored: 0..0 })
}

/// Adds the keyframes of a block that cover what was read so far.
fn add_keyframes(block: &Block, file: &[u8], directory: &mut Directory) -> Option<()> {
    let content = &file[block.content.clone()];
    let mut reader = Reader::new(content);
    let mut places = Vec::new();
    for _ in 0..reader.count()? {
        let (n_events, len) = (reader.varint()?, usize::try_from(reader.varint()?).ok()?);
        places.push((n_events, len, reader.u32()?));
    }
    let mut begin = block.content.end - reader.n_left();
    let n_known = directory.segments.last().map_or(0, |place| place.head.end());
    for (n_events, len, checksum) in places {
        let end = begin.checked_add(len).filter(|end| *end <= block.content.end)?;
        let n_before = directory.checkpoints.last().map_or(0, |checkpoint| checkpoint.n_events);
        if n_events > n_before && n_events <= n_known {
            directory.checkpoints.push(CheckpointPlace { n_events, delta: begin..end, checksum });
        }
        begin = end;
    }
    Some(())
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
