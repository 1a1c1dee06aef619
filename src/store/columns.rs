//! The columns of a segment: one list of sections that is at once the form of the open tail (vectors),
//! of a sealed segment in memory, and of a segment in a file (slices of one image). It must not know
//! who owns the bytes.
//!
//! A sealed segment has its small numbers packed to the bits they need ([`super::packed`]) and indexes beside
//! them; the tail has them as they came and no index. All numbers are little-endian arrays of bytes, so that a
//! mapped file needs no alignment and no copying.

use crate::model::{Atom, CallKey, Class, Event, Kind, Seq};

use super::dictionary::Dictionaries;
use super::packed::{BLOCK, Blocked, Packed};

/// Events that share one time base.
pub const TIME_BLOCK_EVENTS: usize = BLOCK;
/// Events of which the kinds that appear are known together.
pub const KIND_CHUNK_EVENTS: usize = 1024;
/// Bytes of an exception in `cause_far`: index u16, distance u48.
pub const FAR_BYTES: usize = 8;

/// First byte, length in bytes and bits per value (0 for plain sections) of each section in an image.
pub type Sections = [[u32; 3]; N_SECTIONS];
pub const NO_SECTIONS: Sections = [[0; 3]; N_SECTIONS];

macro_rules! columns {
    (
        plain { $($(#[$doc:meta])* $name:ident: $width:literal,)+ }
        packed { $($(#[$packed_doc:meta])* $packed:ident,)+ }
        open { $($(#[$open_doc:meta])* $open:ident: $open_width:literal,)+ }
    ) => {
        /// Sections of one segment, borrowed. Order and widths are the file format.
        #[derive(Clone, Copy, Default)]
        pub struct Columns<'a> {
            /// The seq of the first event.
            pub start: u64,
            /// Payloads, metadata maps among them.
            pub n_payloads: usize,
            $($(#[$doc])* pub $name: &'a [[u8; $width]],)+
            $($(#[$packed_doc])* pub $packed: Packed<'a>,)+
            $($(#[$open_doc])* pub $open: &'a [[u8; $open_width]],)+
        }

        /// The sections in their order in an image.
        pub const SECTION_NAMES: &[&str] = &[$(stringify!($name),)+ $(stringify!($packed)),+];
        pub const N_SECTIONS: usize = SECTION_NAMES.len();

        impl<'a> Columns<'a> {
            /// Appends all sections to `image`, each at a multiple of 8 bytes from its beginning.
            pub fn write(&self, image: &mut Vec<u8>) -> Sections {
                let mut sections: Sections = NO_SECTIONS;
                let mut next = sections.iter_mut();
                let mut put = |bytes: &[u8], width: u32| {
                    image.resize(image.len().next_multiple_of(8), 0);
                    *next.next().expect("one place per section") = [image.len() as u32, bytes.len() as u32, width];
                    image.extend_from_slice(bytes);
                };
                $(put(self.$name.as_flattened(), 0);)+
                $(put(self.$packed.bytes, self.$packed.width);)+
                sections
            }
            /// The columns of an image; a section that is not inside it reads as empty.
            #[inline]
            pub fn read(start: u64, image: &'a [u8], sections: &Sections) -> Columns<'a> {
                let mut next = sections.iter();
                let mut take = || {
                    let [at, len, width] = *next.next().expect("one place per section");
                    let bytes = image.get(at as usize..).and_then(|rest| rest.get(..len as usize));
                    (bytes.unwrap_or_default(), width)
                };
                Columns {
                    start,
                    $($name: take().0.as_chunks().0,)+
                    $($packed: { let (bytes, width) = take(); Packed { bytes, width } },)+
                    ..Columns::default()
                }
            }
        }
    };
}

columns! {
    plain {
        /// Earliest and latest time in each block of [`TIME_BLOCK_EVENTS`], ns.
        time_min: 8,
        time_max: 8,
        /// Times minus their block's earliest, as [`Blocked`] has them.
        time_starts: 4,
        time_bits: 1,
        kind: 1,
        /// Causes that lie further back than `cause` can tell, by [`far`]; ascending by index.
        cause_far: 8,
        /// Places in `cause_far`, ascending by the cause.
        cause_order: 2,
        /// Metadata maps: index (u16), payload number (u16); ascending by index.
        meta: 4,
        /// Dictionary number by local number. Ascending in a sealed segment.
        actors: 4,
        tags: 4,
        /// Call keys that appear. Ascending in a sealed segment.
        calls: 8,
        /// Where each payload ends in the segment's payload stream; it begins where the one before it ends.
        end_base: 8,
        end_starts: 4,
        end_bits: 1,
        /// Payload blocks; see `payloads`.
        blocks: 16,
        /// Where the text filter of each block begins (and one more), and the filters; see `grams`.
        gram_starts: 4,
        grams: 1,
        /// Posting lists; see `postings`.
        process_starts: 4,
        process_lists: 1,
        peer_starts: 4,
        peer_lists: 1,
        tag_starts: 4,
        tag_lists: 1,
        /// Kinds in each chunk of [`KIND_CHUNK_EVENTS`], a bit each.
        chunk_kinds: 8,
        /// Changed paths; see `paths`: hashes ascending, where the list of each begins (and one more), event indexes.
        path_keys: 4,
        path_starts: 4,
        path_list: 2,
    }
    packed {
        class,
        /// Local number of the process.
        process,
        /// Local number of the peer plus one; 0 for none.
        peer,
        /// Local number of the tag plus one; 0 for none.
        tag,
        /// Position in `calls` plus one; 0 for none.
        call,
        /// Own seq minus the cause's; 0 for none; the widest value (all bits set) stands for what does not fit.
        cause,
        /// Payload number, from 1; 0 for none.
        payload,
    }
    open {
        /// Only in the open tail, instead of packed sections: the time of each event.
        time_open: 8,
        /// The end of each payload.
        end_open: 4,
    }
}

impl Columns<'_> {
    /// Number of events.
    pub fn len(&self) -> usize {
        self.kind.len()
    }
    pub fn is_sealed(&self) -> bool {
        !self.process_starts.is_empty()
    }

    pub fn times(&self) -> Blocked<'_> {
        Blocked { base: self.time_min, starts: self.time_starts, bits: self.time_bits }
    }
    pub fn ends(&self) -> Blocked<'_> {
        Blocked { base: self.end_base, starts: self.end_starts, bits: self.end_bits }
    }

    #[inline]
    pub fn at_ns(&self, idx: usize) -> i64 {
        match self.time_open.get(idx) {
            Some(at_ns) => i64::from_le_bytes(*at_ns),
            None => self.times().get(idx),
        }
    }

    #[inline]
    pub fn cause(&self, idx: usize) -> Option<Seq> {
        let distance = match self.cause.get(idx) {
            0 => return None,
            distance if distance == self.cause_escape() => self.far_distance(idx)?,
            distance => distance as u64,
        };
        Some(Seq((self.start + idx as u64).saturating_sub(distance)))
    }
    /// The distance that says: look into `cause_far`.
    #[inline]
    pub fn cause_escape(&self) -> usize {
        (1 << self.cause.width) - 1
    }
    fn far_distance(&self, idx: usize) -> Option<u64> {
        let place = self.cause_far.binary_search_by_key(&idx, |entry| far(entry).0).ok()?;
        Some(far(&self.cause_far[place]).1)
    }

    /// The number of the event's payload, from 1.
    #[inline]
    pub fn payload_number(&self, idx: usize) -> Option<u16> {
        Some(self.payload.get(idx) as u16).filter(|number| *number > 0)
    }

    /// The number of the event's metadata map, from 1.
    pub fn meta_number(&self, idx: usize) -> Option<u16> {
        let place = self.meta.binary_search_by_key(&idx, |m| usize::from(u16::from_le_bytes([m[0], m[1]]))).ok()?;
        let [.., low, high] = self.meta[place];
        Some(u16::from_le_bytes([low, high]))
    }

    /// Where payload `number` (from 1) ends in the segment's payload stream.
    #[inline]
    pub fn payload_end(&self, number: usize) -> usize {
        match self.end_open.get(number - 1) {
            Some(end) => u32::from_le_bytes(*end) as usize,
            None => self.ends().get(number - 1) as usize,
        }
    }
    /// Where each payload ends, in order, instead of what was in `ends`.
    pub fn payload_ends(&self, ends: &mut Vec<i64>) {
        if self.end_open.is_empty() {
            return self.ends().read_all(self.n_payloads, ends);
        }
        ends.clear();
        ends.extend(self.end_open.iter().map(|end| i64::from(u32::from_le_bytes(*end))));
    }
    /// The first payload number, from 1, whose payload ends beyond `end` in the payload stream; one more than there are when none does.
    pub fn first_payload_beyond(&self, end: usize) -> usize {
        let (mut first, mut last) = (1, self.n_payloads + 1);
        while first < last {
            let middle = first.midpoint(last);
            if self.payload_end(middle) <= end { first = middle + 1 } else { last = middle }
        }
        first
    }
    /// Where payload `number` (from 1) lies in the segment's payload stream.
    #[inline]
    pub fn payload_range(&self, number: u16) -> std::ops::Range<usize> {
        let number = usize::from(number);
        let begin = if number == 1 { 0 } else { self.payload_end(number - 1) };
        begin..self.payload_end(number)
    }

    #[inline]
    pub fn size_bytes(&self, idx: usize) -> u32 {
        self.payload_number(idx).map_or(0, |number| self.payload_range(number).len() as u32)
    }

    #[inline]
    pub fn call(&self, idx: usize) -> Option<CallKey> {
        let place = self.call.get(idx);
        (place > 0).then(|| CallKey(u64::from_le_bytes(self.calls[place - 1])))
    }

    #[inline]
    pub fn kind(&self, idx: usize) -> Kind {
        Kind::from_byte(self.kind[idx][0]).expect("kinds were checked when the segment was opened")
    }

    /// Bytes of the payload stream.
    pub fn n_stream(&self) -> usize {
        if self.n_payloads == 0 { 0 } else { self.payload_end(self.n_payloads) }
    }

    /// The whole row at `idx`.
    #[inline]
    pub fn event(&self, idx: usize, dictionaries: &Dictionaries) -> Event {
        let actors = dictionaries.actors.items();
        let actor = |local: usize| actors[u32::from_le_bytes(self.actors[local]) as usize];
        let tag = |local: usize| -> Atom { dictionaries.tags.items()[u32::from_le_bytes(self.tags[local]) as usize] };
        let class = Class::from_byte(self.class.get(idx) as u8);
        Event {
            seq: Seq(self.start + idx as u64),
            at_ns: self.at_ns(idx),
            kind: self.kind(idx),
            class: class.expect("classes were checked when the segment was opened"),
            process: actor(self.process.get(idx)),
            peer: self.peer.get(idx).checked_sub(1).map(actor),
            tag: self.tag.get(idx).checked_sub(1).map(tag),
            call: self.call(idx),
            cause: self.cause(idx),
            size_bytes: self.size_bytes(idx),
        }
    }
}

/// Event index and distance of an exception.
pub fn far(entry: &[u8; FAR_BYTES]) -> (usize, u64) {
    let word = u64::from_le_bytes(*entry);
    ((word & 0xFFFF) as usize, word >> 16)
}
/// An exception; distances beyond 2^48 events do not exist.
pub fn far_entry(idx: usize, distance: u64) -> [u8; FAR_BYTES] {
    (distance << 16 | idx as u64).to_le_bytes()
}

/// The columns of the open tail.
#[derive(Clone, Debug, Default)]
pub struct OpenColumns {
    time: Vec<[u8; 8]>,
    time_min: Vec<[u8; 8]>,
    time_max: Vec<[u8; 8]>,
    pub kind: Vec<[u8; 1]>,
    pub class: Vec<u8>,
    pub process: Vec<[u8; 2]>,
    pub peer: Vec<[u8; 2]>,
    pub tag: Vec<[u8; 2]>,
    pub call: Vec<[u8; 2]>,
    cause: Vec<[u8; 4]>,
    cause_far: Vec<[u8; FAR_BYTES]>,
    pub payload: Vec<[u8; 2]>,
    pub meta: Vec<[u8; 4]>,
    pub calls: Vec<[u8; 8]>,
    pub payload_ends: Vec<[u8; 4]>,
}

impl OpenColumns {
    pub fn view(&self, start: u64) -> Columns<'_> {
        let wide = |column| Packed { bytes: <[[u8; 2]]>::as_flattened(column), width: 16 };
        Columns {
            start,
            time_min: &self.time_min,
            time_max: &self.time_max,
            kind: &self.kind,
            cause_far: &self.cause_far,
            meta: &self.meta,
            calls: &self.calls,
            class: Packed { bytes: &self.class, width: 8 },
            process: wide(&self.process),
            peer: wide(&self.peer),
            tag: wide(&self.tag),
            call: wide(&self.call),
            cause: Packed { bytes: self.cause.as_flattened(), width: 32 },
            payload: wide(&self.payload),
            n_payloads: self.payload_ends.len(),
            time_open: &self.time,
            end_open: &self.payload_ends,
            ..Columns::default()
        }
    }

    /// Empties all columns and keeps their memory.
    pub fn clear(&mut self) {
        for column in [&mut self.time, &mut self.time_min, &mut self.time_max, &mut self.cause_far, &mut self.calls] {
            column.clear();
        }
        for column in [&mut self.process, &mut self.peer, &mut self.tag, &mut self.call, &mut self.payload] {
            column.clear();
        }
        for column in [&mut self.cause, &mut self.meta, &mut self.payload_ends] {
            column.clear();
        }
        self.kind.clear();
        self.class.clear();
    }

    /// Appends the time of event `idx`, the next one.
    pub fn push_time(&mut self, idx: usize, at_ns: i64) {
        let time = at_ns.to_le_bytes();
        if idx.is_multiple_of(TIME_BLOCK_EVENTS) {
            self.time_min.push(time);
            self.time_max.push(time);
        }
        let block = idx / TIME_BLOCK_EVENTS;
        if at_ns > i64::from_le_bytes(self.time_max[block]) {
            self.time_max[block] = time;
        } else if at_ns < i64::from_le_bytes(self.time_min[block]) {
            self.time_min[block] = time;
        }
        self.time.push(time);
    }

    /// Appends the cause of event `idx`, the next one, whose seq is `seq`. Nothing is caused by what
    /// comes after it: such a cause is dropped.
    pub fn push_cause(&mut self, idx: usize, seq: u64, cause: Option<Seq>) {
        let distance = cause.filter(|cause| cause.0 < seq).map_or(0, |cause| seq - cause.0);
        let near = u32::try_from(distance).unwrap_or(u32::MAX);
        if near == u32::MAX {
            self.cause_far.push(far_entry(idx, distance));
        }
        self.cause.push(near.to_le_bytes());
    }
}
