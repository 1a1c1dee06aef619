//! A sealed segment: an image of its columns with indexes, its compressed payloads, and a summary
//! by which whole segments are passed over. Immutable, shared.
//!
//! Invariant: [`Segment::columns`] gives columns that were checked ([`Segment::check`]), so that readers
//! may index with what they find in them. A segment that fails the check reads as having no events.

use std::sync::{Arc, OnceLock};

use super::bytes::Bytes;
use super::columns::{
    Columns, KIND_CHUNK_EVENTS, N_SECTIONS, NO_SECTIONS, SECTION_NAMES, Sections, TIME_BLOCK_EVENTS, far,
};
use super::scratch::Scratch;
use super::wire::Reader;
use super::{archive, payloads, postings};
use crate::model::{Class, Kind, limits};

/// What is known of a segment without looking into it.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The seq of its first event.
    pub start: u64,
    pub n_events: u32,
    /// Earliest and latest time.
    pub time_min_ns: i64,
    pub time_max_ns: i64,
    /// Bit `k` is set when an event of kind `k` is in it.
    pub kinds: u64,
    /// Dictionary sizes that cover its numbers.
    pub n_actors: u32,
    pub n_tags: u32,
    pub n_payloads: u32,
    pub sections: Sections,
}

/// Fewest bytes of a head in a file: one without sections.
pub const HEAD_BYTES_MIN: usize = 8 + 4 + 8 + 8 + 8 + 4 + 4 + 4;
/// Sections that a head may name: more than there will ever be.
const SECTIONS_MAX: usize = 256;
/// The sections of version 2, which did not name them.
const SECTIONS_V2: &[&str] = &[
    "time_min",
    "time_max",
    "time_starts",
    "time_bits",
    "kind",
    "cause_far",
    "cause_order",
    "meta",
    "actors",
    "tags",
    "calls",
    "end_base",
    "end_starts",
    "end_bits",
    "blocks",
    "gram_starts",
    "grams",
    "process_starts",
    "process_lists",
    "peer_starts",
    "peer_lists",
    "tag_starts",
    "tag_lists",
    "chunk_kinds",
    "path_keys",
    "path_starts",
    "path_list",
    "class",
    "process",
    "peer",
    "tag",
    "call",
    "cause",
    "payload",
];

/// How a head names a section: 24 bits of the CRC-32 of its name.
fn section_id(name: &str) -> u32 {
    crc32fast::hash(name.as_bytes()) & 0xFF_FFFF
}
/// The place of a section among ours; `None` for one of a later version.
fn section_place(id: u32) -> Option<usize> {
    SECTION_NAMES.iter().position(|name| section_id(name) == id)
}

/// Where the parts of a segment lie in its file; 0 for one that is in none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offsets {
    pub image: usize,
    pub stored: usize,
}

/// Events `head.start..head.start + head.n_events`.
#[derive(Debug)]
pub struct Segment {
    pub head: Head,
    /// The columns; the compressed streams of a segment in archive form.
    image: Bytes,
    /// Compressed payload blocks.
    stored: Bytes,
    /// CRC-32 of the image, for a segment of a file.
    checksum: Option<u32>,
    pub offsets: Offsets,
    state: OnceLock<Result<(), &'static str>>,
    /// Of a segment in archive form: where its unpacked columns are kept.
    archive: Option<Arc<Scratch>>,
    /// Of a segment in archive form: what its streams say, with indexes. Made when it is first read, and kept.
    unpacked: OnceLock<Option<Box<Segment>>>,
}

impl Head {
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.start.to_le_bytes());
        out.extend_from_slice(&self.n_events.to_le_bytes());
        out.extend_from_slice(&self.time_min_ns.to_le_bytes());
        out.extend_from_slice(&self.time_max_ns.to_le_bytes());
        out.extend_from_slice(&self.kinds.to_le_bytes());
        out.extend_from_slice(&self.n_actors.to_le_bytes());
        out.extend_from_slice(&self.n_tags.to_le_bytes());
        out.extend_from_slice(&self.n_payloads.to_le_bytes());
        out.extend_from_slice(&(N_SECTIONS as u32).to_le_bytes());
        for ([at, len, width], name) in self.sections.iter().zip(SECTION_NAMES) {
            for word in [*at, *len, width | section_id(name) << 8] {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
    }
    /// Reads the head of a file of that version. Sections that are not ours are passed over, those that are missing empty.
    pub fn read(reader: &mut Reader<'_>, version: u32) -> Option<Head> {
        let mut head = Head {
            start: reader.u64()?,
            n_events: reader.u32()?,
            time_min_ns: reader.i64()?,
            time_max_ns: reader.i64()?,
            kinds: reader.u64()?,
            n_actors: reader.u32()?,
            n_tags: reader.u32()?,
            n_payloads: reader.u32()?,
            sections: NO_SECTIONS,
        };
        let unnamed: &[&str] = if version == 2 { SECTIONS_V2 } else { &[] };
        let n_sections = if version == 2 { unnamed.len() } else { reader.u32()? as usize };
        if n_sections > SECTIONS_MAX {
            return None;
        }
        let mut unnamed = unnamed.iter();
        for _ in 0..n_sections {
            let (at, len, word) = (reader.u32()?, reader.u32()?, reader.u32()?);
            let (id, width) = unnamed.next().map_or((word >> 8, word & 0xFF), |name| (section_id(name), word));
            if let Some(place) = section_place(id) {
                head.sections[place] = [at, len, width];
            }
        }
        let is_sound = (1..=limits::SEGMENT_EVENTS).contains(&(head.n_events as usize))
            && head.n_payloads <= u32::from(u16::MAX)
            && head.start.checked_add(u64::from(head.n_events)).is_some();
        is_sound.then_some(head)
    }
    pub fn end(&self) -> u64 {
        self.start + u64::from(self.n_events)
    }
    /// Where a section of ours lies in the image, its length and width.
    pub fn section(&self, name: &str) -> [u32; 3] {
        self.sections[SECTION_NAMES.iter().position(|own| *own == name).expect("a section of that name")]
    }
    /// Whether some event's cause lies further back than a column entry reaches.
    pub fn has_far_causes(&self) -> bool {
        self.section("cause_far")[1] > 0
    }
}

impl Segment {
    /// Makes a segment of columns that are complete, and their compressed payloads.
    pub fn seal(columns: &Columns<'_>, stored: Vec<u8>) -> Segment {
        let mut image = Vec::with_capacity(columns.len() * 16);
        let sections = columns.write(&mut image);
        let times = |column: &[[u8; 8]]| -> Vec<i64> { column.iter().map(|t| i64::from_le_bytes(*t)).collect() };
        let last_number = |numbers: &[[u8; 4]]| numbers.last().map_or(0, |number| u32::from_le_bytes(*number) + 1);
        let head = Head {
            start: columns.start,
            n_events: columns.len() as u32,
            time_min_ns: times(columns.time_min).into_iter().min().unwrap_or(0),
            time_max_ns: times(columns.time_max).into_iter().max().unwrap_or(0),
            kinds: columns.kind.iter().fold(0, |kinds, kind| kinds | 1 << kind[0]),
            n_actors: last_number(columns.actors),
            n_tags: last_number(columns.tags),
            n_payloads: columns.n_payloads as u32,
            sections,
        };
        let (offsets, state) = (Offsets::default(), OnceLock::from(Ok(())));
        let (image, stored) = (image.into(), stored.into());
        let unpacked = OnceLock::new();
        Segment { head, image, stored, checksum: None, offsets, state, archive: None, unpacked }
    }

    /// A segment of a file; it is checked when it is first read.
    pub fn of_file(head: Head, image: Bytes, stored: Bytes, checksum: u32, offsets: Offsets) -> Segment {
        let (state, unpacked) = (OnceLock::new(), OnceLock::new());
        Segment { head, image, stored, checksum: Some(checksum), offsets, state, archive: None, unpacked }
    }
    /// The same segment with other bytes: they are checked when they are first read.
    pub fn put_together(&self, image: Bytes, stored: Bytes, checksum: u32) -> Segment {
        let again = Segment::of_file(self.head.clone(), image, stored, checksum, self.offsets);
        Segment { archive: self.archive.clone(), ..again }
    }
    /// The same of a file in archive form.
    pub fn archived(self, scratch: Arc<Scratch>) -> Segment {
        Segment { archive: Some(scratch), ..self }
    }

    /// Compressed payload blocks.
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }
    /// Head and columns as a file has them. `None`: the segment is damaged.
    pub fn plain(&self) -> Option<(&Head, &[u8])> {
        match self.is_archived() {
            false => Some((&self.head, &self.image)),
            true => self.unpacked().map(|segment| (&segment.head, &segment.image[..])),
        }
    }
    fn unpacked(&self) -> Option<&Segment> {
        let unpack = || {
            let n_events = self.head.n_events as usize;
            let mut segment = archive::unpack(self.head.start, n_events, &self.image)?;
            let head = Head { n_actors: self.head.n_actors, n_tags: self.head.n_tags, ..segment.head.clone() };
            let columns = segment.raw_columns();
            let is_sound = are_lengths_sound(&columns, &head)
                && are_numbers_sound(&columns, &head)
                && self.are_blocks_sound(&columns);
            if let Some(scratch) = &self.archive {
                segment.image = scratch.keep(segment.image.clone());
            }
            is_sound.then(|| Box::new(segment))
        };
        self.unpacked.get_or_init(unpack).as_deref()
    }

    /// CRC-32 of the columns as a file has them.
    pub fn image_checksum(&self) -> u32 {
        self.checksum.filter(|_| !self.is_archived()).unwrap_or_else(|| {
            let image = self.plain().map_or(&[][..], |(_, image)| image);
            crc32fast::hash(image)
        })
    }

    /// Bytes of memory that it holds.
    pub fn owned_len(&self) -> usize {
        let unpacked =
            self.unpacked.get().and_then(|segment| segment.as_ref()).map_or(0, |segment| segment.owned_len());
        self.image.owned_len() + self.stored.owned_len() + unpacked
    }

    /// The checked columns; without events when the segment is damaged.
    pub fn columns(&self) -> Columns<'_> {
        match self.check() {
            Ok(()) => self.unpacked.get().and_then(Option::as_deref).unwrap_or(self).raw_columns(),
            Err(_) => Columns { start: self.head.start, ..Columns::default() },
        }
    }

    /// What the check found, if it was made.
    pub fn known_damage(&self) -> Option<&'static str> {
        self.state.get()?.err()
    }

    /// The first payload block whose bytes are damaged.
    pub fn damaged_payload_block(&self) -> Option<usize> {
        payloads::damaged_blocks(&self.columns(), &self.stored).next()
    }
    pub fn is_archived(&self) -> bool {
        self.archive.is_some()
    }
    /// The image as it lies in its file.
    pub fn image(&self) -> &[u8] {
        &self.image
    }

    /// What the file has from the image on, that and all that follows.
    pub fn file_from_image(&self) -> &[u8] {
        self.image.rest()
    }

    fn raw_columns(&self) -> Columns<'_> {
        Segment::raw_of(&self.head, &self.image)
    }
    /// The columns of an image that was not checked: nothing in them can be relied on.
    pub fn raw_of<'i>(head: &Head, image: &'i [u8]) -> Columns<'i> {
        Columns { n_payloads: head.n_payloads as usize, ..Columns::read(head.start, image, &head.sections) }
    }

    /// Whether the payload blocks fit together, those that a cut took away counted as if they were there.
    fn are_blocks_sound(&self, columns: &Columns<'_>) -> bool {
        payloads::are_blocks_sound(columns, self.stored.len().max(payloads::stored_len(columns.blocks)))
    }

    /// Checks a segment of a file, once: about 0.2 ms for a full one. Errors say what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        *self.state.get_or_init(|| {
            if self.checksum.is_some_and(|checksum| crc32fast::hash(&self.image) != checksum) {
                return Err("its checksum is wrong");
            }
            if self.is_archived() {
                return self.unpacked().map(drop).ok_or("its streams do not fit together");
            }
            if !are_lengths_sound(&self.raw_columns(), &self.head) {
                return Err("its columns differ in length");
            }
            if !are_numbers_sound(&self.raw_columns(), &self.head) {
                return Err("its columns hold numbers that lead nowhere");
            }
            if !self.are_blocks_sound(&self.raw_columns()) {
                return Err("its payload blocks do not fit together");
            }
            Ok(())
        })
    }
}

fn are_lengths_sound(columns: &Columns<'_>, head: &Head) -> bool {
    let n = head.n_events as usize;
    let packed =
        [columns.class, columns.process, columns.peer, columns.tag, columns.call, columns.cause, columns.payload];
    columns.kind.len() == n
        && columns.time_max.len() == n.div_ceil(TIME_BLOCK_EVENTS)
        && columns.times().is_sound(n)
        && columns.ends().is_sound(columns.n_payloads)
        && packed.iter().all(|column| column.is_sound(n))
        && columns.chunk_kinds.len() == n.div_ceil(KIND_CHUNK_EVENTS)
        && columns.cause_order.len() == columns.cause_far.len()
        && columns.gram_starts.len() == columns.blocks.len() + 1
        && columns.path_starts.len() == columns.path_keys.len() + 1
}

fn are_numbers_sound(columns: &Columns<'_>, head: &Head) -> bool {
    let n = head.n_events as usize;
    let ascending32 =
        |column: &[[u8; 4]]| column.windows(2).all(|w| u32::from_le_bytes(w[0]) <= u32::from_le_bytes(w[1]));
    let below = |column: &[[u8; 4]], n: u32| column.last().is_none_or(|last| u32::from_le_bytes(*last) < n);
    let ends_at = |starts: &[[u8; 4]], n: usize| starts.last().is_some_and(|s| u32::from_le_bytes(*s) as usize == n);
    let mut seen = [false; 256];
    columns.kind.iter().for_each(|kind| seen[usize::from(kind[0])] = true);
    let are_kinds = (0u8..=255).all(|byte| !seen[usize::from(byte)] || Kind::from_byte(byte).is_some());
    let mut are_classes = true;
    columns.class.each_chunk(n, |classes| {
        are_classes &= classes.iter().fold(true, |all, class| all & Class::from_byte(*class as u8).is_some());
    });

    let metas = columns.meta.iter().map(|m| usize::from(u16::from_le_bytes([m[2], m[3]])));
    let is_index = |list: &[[u8; 2]], n: usize| list.iter().all(|idx| usize::from(u16::from_le_bytes(*idx)) < n);
    let mut ends = Vec::new();
    columns.ends().read_all(columns.n_payloads, &mut ends);
    let are_ends = ends.is_sorted();
    let postings = [
        (columns.process_starts, columns.process_lists, columns.actors.len()),
        (columns.peer_starts, columns.peer_lists, columns.actors.len()),
        (columns.tag_starts, columns.tag_lists, columns.tags.len()),
    ];
    are_kinds
        && are_classes
        && columns.process.max(n) < columns.actors.len()
        && columns.peer.max(n) <= columns.actors.len()
        && columns.tag.max(n) <= columns.tags.len()
        && columns.call.max(n) <= columns.calls.len()
        && columns.payload.max(n) <= columns.n_payloads
        && metas.clone().all(|number| (1..=columns.n_payloads).contains(&number))
        && ascending32(columns.actors)
        && below(columns.actors, head.n_actors)
        && ascending32(columns.tags)
        && below(columns.tags, head.n_tags)
        && are_ends
        && ends.first().is_none_or(|first| *first >= 0)
        && ends.last().is_none_or(|last| *last < 1 << 32)
        && postings.iter().all(|(starts, lists, n_numbers)| postings::are_sound(starts, lists, *n_numbers, n))
        && columns.cause_far.iter().all(|entry| far(entry).0 < n)
        && is_index(columns.cause_order, columns.cause_far.len())
        && ascending32(columns.gram_starts)
        && ends_at(columns.gram_starts, columns.grams.len())
        && ascending32(columns.path_starts)
        && ends_at(columns.path_starts, columns.path_list.len())
        && is_index(columns.path_list, n)
}
