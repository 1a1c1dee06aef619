//! Examining a file as a whole: every block, checksum, index, payload and keyframe is read, what is damaged is told with its
//! place, and what can be saved is a recording. `cinema fsck` shows the report, `cinema repair` saves the recording.

use std::ops::Range;
use std::sync::Arc;

use super::directory::SegmentPlace;
use super::read::{TORN, assemble, find_head, read_directory};
use super::recover::{lost_start, restore_branches};
use super::report::{Damage, Ended, Part, Report};
use super::salvage::{Saved, Source, losses, salvage};
use super::walk::{Mended, Walk};
use super::{Block, BlockKind};
use crate::model::Outcome;
use crate::store::bytes::Bytes;
use crate::store::columns::Columns;
use crate::store::keyframe::Checkpoint;
use crate::store::paths::PathIndex;
use crate::store::payloads::{self, Stored};
use crate::store::seal::seal_columns;
use crate::store::segment::Segment;
use crate::store::{Recording, grams};

/// Reads all of `bytes`. The recording has what can be saved: loss events stand for events that are lost, so that the
/// others keep their seqs. Costs about a second per million events. Errors: no session file, a later version.
pub fn examine(bytes: &Bytes, name: &str) -> Outcome<(Recording, Report)> {
    let ((version, form), wrong) = find_head(bytes, name)?;
    let mut walk = Walk::over(bytes, version, true);
    let mut damage: Vec<Damage> = wrong.into_iter().chain(std::mem::take(&mut walk.damage)).collect();
    let is_placed = read_directory(bytes, version);
    let is_found = is_placed.is_err();
    let (directory, is_complete) = match (is_placed, walk.complete.take()) {
        (Ok(directory), _) => (directory, true),
        (Err(why), complete) => {
            damage.push(Damage::at(Part::End, bytes.len(), 0, why));
            let is_complete = complete.is_some();
            if !is_complete {
                damage.extend(lost_start(&walk.directory));
            }
            (complete.unwrap_or_else(|| std::mem::take(&mut walk.directory)), is_complete)
        }
    };
    let ended = Ended { is_complete, is_saved: walk.is_saved };
    let places = directory.segments.clone();
    // A recording that begins later is a ring, or has lost its beginning.
    let first = if walk.has_lost_beginning && !is_complete { 0 } else { directory.start.first };
    let end = walk.n_events.filter(|_| is_complete);
    let mut recording = assemble(bytes, directory, form);
    let walk = is_found.then_some(&walk);
    let mut examination = Examination { bytes, walk, is_complete, has_pages: version > 2, damage, changed_from: None };
    examination.segments(&mut recording, &places, first..end.unwrap_or(first));
    examination.keyframes(&mut recording, first);
    if is_complete {
        recording.add_checkpoints();
    } else {
        restore_branches(&mut recording);
    }
    let report = Report::of(&recording, bytes, (version, form), ended, examination.damage);
    Ok((recording, report))
}

struct Examination<'b> {
    bytes: &'b Bytes,
    /// How the segments were found, where no directory placed them.
    walk: Option<&'b Walk<'b>>,
    is_complete: bool,
    /// Version 2 has none.
    has_pages: bool,
    damage: Vec<Damage>,
    /// The first event that is not as it was folded into the keyframes.
    changed_from: Option<u64>,
}

impl Examination<'_> {
    /// Looks at all segments; `seqs` are those that there should be, as far as that is known.
    fn segments(&mut self, recording: &mut Recording, places: &[SegmentPlace], seqs: Range<u64>) {
        let segments = std::mem::take(&mut recording.segments);
        let mut next_seq = seqs.start;
        for ((number, segment), place) in segments.into_iter().enumerate().zip(places) {
            let head = &segment.head;
            if head.start > next_seq {
                self.lose(recording, next_seq..head.start, place.image.start, head.time_min_ns);
            }
            next_seq = head.end();
            if self.is_torn(&place.image) && segment.check().is_err() {
                let (offset, n_bytes) = (place.image.start, place.image.len());
                let lost = std::iter::once(head.start..head.end()).collect();
                self.damage.push(Damage { lost, ..Damage::at(Part::End, offset, n_bytes, TORN) });
                return;
            }
            let (segment, pages) = self.put_together(segment, place);
            match self.segment(recording, number, &segment, (place, pages)) {
                Some((damage, saved)) => self.replace(recording, damage, saved),
                None => recording.segments.push(segment),
            }
        }
        if next_seq < seqs.end {
            let at_ns = recording.segments.last().map_or(0, |segment| segment.head.time_max_ns);
            self.lose(recording, next_seq..seqs.end, self.bytes.len(), at_ns);
        }
    }

    /// Puts losses where nothing is left of events.
    fn lose(&mut self, recording: &mut Recording, seqs: Range<u64>, offset: usize, at_ns: i64) {
        let saved = losses(seqs, offset, at_ns, &mut recording.dictionaries);
        self.replace(recording, Damage::at(Part::Blocks, offset, 0, "what stood before is not there"), saved);
    }

    /// A segment with the checksums of its pages; from its pieces where they were shifted.
    fn put_together<'s>(&'s self, segment: Arc<Segment>, place: &SegmentPlace) -> (Arc<Segment>, Option<&'s [u8]>) {
        let Some(Mended { image, pages, stored }) = self.walk.and_then(|walk| walk.mended(place.head.start)) else {
            return (segment, self.pages_of(place));
        };
        let part = |range: &Range<usize>| self.bytes.part(range.clone()).unwrap_or_else(|| Vec::new().into());
        let image = image.map_or_else(|| part(&place.image), Bytes::from);
        let stored = stored.map_or_else(|| part(&place.stored), Bytes::from);
        let mended = segment.put_together(image, stored, place.image_checksum);
        (Arc::new(mended), pages.map(|pages| &self.bytes[pages]))
    }

    fn replace(&mut self, recording: &mut Recording, damage: Damage, saved: Saved) {
        let first = saved.segments.first().map(|segment| segment.head.start);
        self.changed_from = [self.changed_from, first].into_iter().flatten().min();
        self.damage.push(Damage { lost: saved.lost, n_partial: saved.n_partial, ..damage });
        recording.segments.extend(saved.segments.into_iter().map(Arc::new));
    }

    /// What is wrong with a segment, and what takes its place; `None` when nothing is.
    fn segment(
        &self,
        recording: &mut Recording,
        number: usize,
        segment: &Segment,
        (place, pages): (&SegmentPlace, Option<&[u8]>),
    ) -> Option<(Damage, Saved)> {
        let seqs = segment.head.start..segment.head.end();
        let damage = |part: Part, range: Range<usize>, what: String| Damage {
            segment: Some((number, seqs.clone())),
            ..Damage::at(part, range.start, range.len(), what)
        };
        let dictionaries = &mut recording.dictionaries;
        if let Err(why) = segment.check() {
            let what = format!("events #{} to #{}: {why}", seqs.start, seqs.end - 1);
            let saved = match segment.is_archived() {
                true => losses(seqs.clone(), place.image.start, segment.head.time_min_ns, dictionaries),
                false => salvage(&Source::damaged(segment, pages), dictionaries),
            };
            return Some((damage(Part::Segment, place.image.clone(), what), saved));
        }
        let (head, image) = segment.plain()?;
        let damaged: Vec<usize> = payloads::damaged_blocks(&segment.columns(), segment.stored()).collect();
        let wrong = self.wrong_indexes(segment, damaged.is_empty());
        let damage = if let Some(first) = damaged.first() {
            let range = payloads::stored_range(segment.columns().blocks, *first);
            let range = place.stored.start + range.start..place.stored.start + range.end;
            let part = if self.is_torn(&place.stored) { Part::End } else { Part::Payloads };
            let what = format!("{} of {} blocks have wrong checksums", damaged.len(), segment.columns().blocks.len());
            damage(part, range, what)
        } else if !wrong.is_empty() {
            damage(Part::Index, place.image.clone(), format!("{} differ from the events", wrong.join(", ")))
        } else if !segment.is_archived() && self.has_pages && pages.is_none() && !self.is_torn(&place.stored) {
            damage(
                Part::Index,
                place.image.end..place.stored.start,
                "the checksums of its pages are damaged".to_string(),
            )
        } else {
            return None;
        };
        Some((damage, salvage(&Source::whole(segment, head, image), dictionaries)))
    }

    /// The checksums of the pages of an image; they stand behind it.
    fn pages_of(&self, place: &SegmentPlace) -> Option<&[u8]> {
        let block = Block::at(self.bytes, behind(place))?;
        let is_it = block.head.kind == BlockKind::Pages && block.is_intact(self.bytes);
        is_it.then(|| &self.bytes[block.content])
    }

    /// Whether a file that was not finished ends with these bytes.
    fn is_torn(&self, range: &Range<usize>) -> bool {
        !self.is_complete && range.end == self.bytes.len()
    }

    /// The indexes that are not what the events make. Those of changed paths are not compared: they depend on the segments
    /// before.
    fn wrong_indexes(&self, segment: &Segment, are_payloads_whole: bool) -> Vec<&'static str> {
        if segment.is_archived() {
            // They were made when it was unpacked.
            return Vec::new();
        }
        let columns = segment.columns();
        let ends: Vec<[u8; 4]> = (1..=columns.n_payloads)
            .map(|number| (columns.payload_range(number as u16).end as u32).to_le_bytes())
            .collect();
        let stored = Stored {
            blocks: columns.blocks.to_vec(),
            bytes: Vec::new(),
            gram_starts: columns.gram_starts.to_vec(),
            grams: columns.grams.to_vec(),
        };
        let paths = PathIndex {
            keys: columns.path_keys.to_vec(),
            starts: columns.path_starts.to_vec(),
            list: columns.path_list.to_vec(),
        };
        let again = seal_columns(&Columns { end_open: &ends, ..columns }, stored, &paths);
        let again = again.columns();
        let of = |c: &Columns<'_>| {
            [
                ("process lists", [c.process_starts.as_flattened(), c.process_lists.as_flattened()].concat()),
                ("peer lists", [c.peer_starts.as_flattened(), c.peer_lists.as_flattened()].concat()),
                ("tag lists", [c.tag_starts.as_flattened(), c.tag_lists.as_flattened()].concat()),
                ("kinds of chunks", c.chunk_kinds.as_flattened().to_vec()),
                ("order of causes", c.cause_order.as_flattened().to_vec()),
            ]
        };
        let pairs = of(&columns).into_iter().zip(of(&again));
        let mut wrong: Vec<&str> = pairs.filter(|(was, is)| was != is).map(|((name, _), _)| name).collect();
        if are_payloads_whole && !are_filters_right(&columns, segment.stored()) {
            wrong.push("text filters");
        }
        wrong
    }

    /// Leaves out the keyframes that are damaged, or tell of events that are not as they were.
    fn keyframes(&mut self, recording: &mut Recording, first: u64) {
        for Checkpoint { n_events, delta, .. } in recording.keyframes.drop_damaged(&recording.dictionaries) {
            let what = format!("the one of the first {n_events} events is damaged: it is made again");
            self.damage.push(Damage::at(Part::Keyframe, delta.place(), delta.len(), what));
        }
        if let Some(end) = self.changed_from {
            recording.keyframes.cut(end);
        }
        let n_events = recording.segments.last().map_or(first, |segment| segment.head.end());
        recording.tail.restart(n_events);
    }
}

/// Where the block behind an image begins: at a multiple of 8 from the image, wherever that lies.
fn behind(place: &SegmentPlace) -> usize {
    place.image.start + place.image.len().next_multiple_of(8)
}

/// Whether each payload block inflates, and has the text filter that its bytes make.
fn are_filters_right(columns: &Columns<'_>, stored: &[u8]) -> bool {
    let start = |place: usize| columns.gram_starts.get(place).map_or(0, |start| u32::from_le_bytes(*start) as usize);
    let mut past: Option<Vec<u8>> = None;
    (0..columns.blocks.len()).all(|block_idx| {
        let plain = payloads::inflate_block(columns.blocks, columns.n_stream(), stored, block_idx, past.as_deref());
        let Some(plain) = plain else { return false };
        let kept = columns.grams.get(start(block_idx)..start(block_idx + 1)).unwrap_or_default();
        let is_right = kept.as_flattened() == grams::filter(&plain);
        past.get_or_insert(plain);
        is_right
    })
}
