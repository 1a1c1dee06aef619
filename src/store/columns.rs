//! The columns of a segment: one list of sections that is at once the form of the open tail (vectors),
//! of a sealed segment in memory, and of a segment in a file (slices of one image). It must not know
//! who owns the bytes.
//!
//! All numbers are little-endian arrays of bytes, so that a mapped file needs no alignment and no
//! copying; the compiler makes plain loads of them.

use crate::model::{Atom, CallKey, Class, Event, Kind, Seq};

use super::dictionary::Dictionaries;

/// Events that share one time base.
pub const TIME_BLOCK_EVENTS: usize = 128;
/// The offset that says: look into `time_far`.
const TIME_ESCAPE: i32 = i32::MIN;
/// The distance that says: look into `cause_far`.
pub const CAUSE_ESCAPE: u16 = u16::MAX;

/// First byte and length of each section in an image.
pub type Sections = [[u32; 2]; N_SECTIONS];

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $width:literal,)+) => {
        /// Sections of one segment, borrowed. Order and widths are the file format.
        #[derive(Clone, Copy, Default)]
        pub struct Columns<'a> {
            /// The seq of the first event.
            pub start: u64,
            $($(#[$doc])* pub $name: &'a [[u8; $width]],)+
        }
        /// The same as vectors, for appending.
        #[derive(Clone, Debug, Default)]
        pub struct ColumnsBuf { $(pub $name: Vec<[u8; $width]>,)+ }

        /// The sections in their order in an image.
        pub const SECTION_NAMES: &[&str] = &[$(stringify!($name)),+];
        pub const N_SECTIONS: usize = SECTION_NAMES.len();

        impl ColumnsBuf {
            pub fn view(&self, start: u64) -> Columns<'_> {
                Columns { start, $($name: &self.$name,)+ }
            }
            /// Empties all columns and keeps their memory.
            pub fn clear(&mut self) {
                $(self.$name.clear();)+
            }
        }
        impl<'a> Columns<'a> {
            /// Appends all sections to `image`, each at a multiple of 8 bytes from its beginning.
            pub fn write(&self, image: &mut Vec<u8>) -> Sections {
                let mut sections = Sections::default();
                let mut next = sections.iter_mut();
                $(
                    image.resize(image.len().next_multiple_of(8), 0);
                    let bytes = self.$name.as_flattened();
                    *next.next().expect("one place per section") = [image.len() as u32, bytes.len() as u32];
                    image.extend_from_slice(bytes);
                )+
                sections
            }
            /// The columns of an image; a section that is not inside it reads as empty.
            #[inline]
            pub fn read(start: u64, image: &'a [u8], sections: &Sections) -> Columns<'a> {
                let mut next = sections.iter();
                Columns {
                    start,
                    $($name: {
                        let [at, len] = next.next().expect("one place per section").map(|n| n as usize);
                        image.get(at..).and_then(|rest| rest.get(..len)).unwrap_or_default().as_chunks().0
                    },)+
                }
            }
        }
    };
}

columns! {
    /// Time of the first event of each block of [`TIME_BLOCK_EVENTS`], ns.
    time_base: 8,
    /// Earliest and latest time in each block.
    time_min: 8,
    time_max: 8,
    /// Time minus the block's base, i32; the escape stands for what does not fit.
    time_offset: 4,
    /// Times that do not fit: index (u32), time (i64); ascending by index.
    time_far: 12,
    kind: 1,
    class: 1,
    /// Local number of the process.
    process: 2,
    /// Local number of the peer plus one; 0 for none.
    peer: 2,
    /// Local number of the tag plus one; 0 for none.
    tag: 2,
    /// Position in `calls` plus one; 0 for none.
    call: 2,
    /// Own seq minus the cause's; 0 for none; the escape for what does not fit.
    cause: 2,
    /// Causes that do not fit: index (u32), seq (u64); ascending by index.
    cause_far: 12,
    /// Payload number, from 1; 0 for none.
    payload: 2,
    /// Metadata maps: index (u16), payload number (u16); ascending by index.
    meta: 4,
    /// Dictionary number by local number. Ascending in a sealed segment.
    actors: 4,
    tags: 4,
    /// Call keys that appear.
    calls: 8,
    /// Where each payload ends in the segment's payload stream; it begins where the one before it ends.
    payload_ends: 4,
    /// Payload blocks; see `payloads`.
    blocks: 16,
    /// Posting lists, only in sealed segments: where the list of each local actor begins (and one more), and
    /// the lists of event indexes, ascending.
    process_starts: 4,
    process_list: 2,
    peer_starts: 4,
    peer_list: 2,
}

impl Columns<'_> {
    /// Number of events.
    pub fn len(&self) -> usize {
        self.kind.len()
    }
    pub fn is_sealed(&self) -> bool {
        !self.process_starts.is_empty()
    }

    #[inline]
    pub fn at_ns(&self, idx: usize) -> i64 {
        let offset = i32::from_le_bytes(self.time_offset[idx]);
        if offset != TIME_ESCAPE {
            return i64::from_le_bytes(self.time_base[idx / TIME_BLOCK_EVENTS]).wrapping_add(i64::from(offset));
        }
        i64::from_le_bytes(far(self.time_far, idx).unwrap_or_default())
    }

    #[inline]
    pub fn cause(&self, idx: usize) -> Option<Seq> {
        match u16::from_le_bytes(self.cause[idx]) {
            0 => None,
            CAUSE_ESCAPE => far(self.cause_far, idx).map(|seq| Seq(u64::from_le_bytes(seq))),
            distance => Some(Seq((self.start + idx as u64).saturating_sub(u64::from(distance)))),
        }
    }

    /// The number of the event's payload, from 1.
    #[inline]
    pub fn payload_number(&self, idx: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.payload[idx])).filter(|number| *number > 0)
    }

    /// The number of the event's metadata map, from 1.
    pub fn meta_number(&self, idx: usize) -> Option<u16> {
        let place = self.meta.binary_search_by_key(&idx, |m| usize::from(u16::from_le_bytes([m[0], m[1]]))).ok()?;
        let [.., low, high] = self.meta[place];
        Some(u16::from_le_bytes([low, high]))
    }

    /// Where payload `number` (from 1) lies in the segment's payload stream.
    #[inline]
    pub fn payload_range(&self, number: u16) -> std::ops::Range<usize> {
        let end = |number: u16| u32::from_le_bytes(self.payload_ends[usize::from(number) - 1]) as usize;
        if number == 1 { 0..end(1) } else { end(number - 1)..end(number) }
    }

    #[inline]
    pub fn size_bytes(&self, idx: usize) -> u32 {
        self.payload_number(idx).map_or(0, |number| self.payload_range(number).len() as u32)
    }

    pub fn call(&self, idx: usize) -> Option<CallKey> {
        let place = usize::from(u16::from_le_bytes(self.call[idx]));
        (place > 0).then(|| CallKey(u64::from_le_bytes(self.calls[place - 1])))
    }

    #[inline]
    pub fn kind(&self, idx: usize) -> Kind {
        Kind::from_byte(self.kind[idx][0]).expect("kinds were checked when the segment was opened")
    }

    /// The whole row at `idx`.
    #[inline]
    pub fn event(&self, idx: usize, dictionaries: &Dictionaries) -> Event {
        let actors = dictionaries.actors.items();
        let actor = |local: u16| actors[u32::from_le_bytes(self.actors[usize::from(local)]) as usize];
        let tag = |local: u16| -> Atom {
            dictionaries.tags.items()[u32::from_le_bytes(self.tags[usize::from(local)]) as usize]
        };
        let optional = |column: &[[u8; 2]]| u16::from_le_bytes(column[idx]).checked_sub(1);
        Event {
            seq: Seq(self.start + idx as u64),
            at_ns: self.at_ns(idx),
            kind: self.kind(idx),
            class: Class::from_byte(self.class[idx][0]).expect("classes were checked when the segment was opened"),
            process: actor(u16::from_le_bytes(self.process[idx])),
            peer: optional(self.peer).map(actor),
            tag: optional(self.tag).map(tag),
            call: self.call(idx),
            cause: self.cause(idx),
            size_bytes: self.size_bytes(idx),
        }
    }
}

/// The value at `idx` in a table of exceptions.
fn far(table: &[[u8; 12]], idx: usize) -> Option<[u8; 8]> {
    let place = table.binary_search_by_key(&(idx as u32), far_index).ok()?;
    table[place].last_chunk().copied()
}

/// The event index of an exception.
pub fn far_index(entry: &[u8; 12]) -> u32 {
    u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]])
}

fn far_entry(idx: usize, value: [u8; 8]) -> [u8; 12] {
    let mut entry = [0; 12];
    entry[..4].copy_from_slice(&(idx as u32).to_le_bytes());
    entry[4..].copy_from_slice(&value);
    entry
}

impl ColumnsBuf {
    /// Appends the time of event `idx`, the next one.
    pub fn push_time(&mut self, idx: usize, at_ns: i64) {
        let time = at_ns.to_le_bytes();
        if idx.is_multiple_of(TIME_BLOCK_EVENTS) {
            self.time_base.push(time);
            self.time_min.push(time);
            self.time_max.push(time);
        }
        let block = idx / TIME_BLOCK_EVENTS;
        if at_ns > i64::from_le_bytes(self.time_max[block]) {
            self.time_max[block] = time;
        } else if at_ns < i64::from_le_bytes(self.time_min[block]) {
            self.time_min[block] = time;
        }
        let offset = at_ns.checked_sub(i64::from_le_bytes(self.time_base[block]));
        let offset = offset.and_then(|ns| i32::try_from(ns).ok()).unwrap_or(TIME_ESCAPE);
        if offset == TIME_ESCAPE {
            self.time_far.push(far_entry(idx, time));
        }
        self.time_offset.push(offset.to_le_bytes());
    }

    /// Appends the cause of event `idx`, the next one, whose seq is `seq`. Nothing is caused by what
    /// comes after it: such a cause is dropped.
    pub fn push_cause(&mut self, idx: usize, seq: u64, cause: Option<Seq>) {
        let cause = cause.filter(|cause| cause.0 < seq);
        let distance = cause.map_or(0, |c| u16::try_from(seq - c.0).unwrap_or(CAUSE_ESCAPE));
        if let (CAUSE_ESCAPE, Some(cause)) = (distance, cause) {
            self.cause_far.push(far_entry(idx, cause.0.to_le_bytes()));
        }
        self.cause.push(distance.to_le_bytes());
    }
}
