//! Walking a file block by block: when its end is missing or damaged, and to see all of it (`examine`). Every segment that is
//! there is kept; a search goes on behind what is no block, also where bytes were inserted or are missing. What only the
//! directory has is taken from it where it is whole; it must not know how what is missing is made again.
//!
//! Invariants: headers are met at ascending offsets and the contents of two blocks never overlap, so that a walk and all
//! that is done with its parts cost what the file's bytes cost.

use std::ops::Range;

use super::directory::{CheckpointPlace, Directory, SegmentPlace, Start, read_dictionaries, read_info, read_marks};
use super::mend::Shifted;
use super::report::{Damage, Part};
use super::{
    BLOCK_HEAD_BYTES, BLOCK_MAGIC, Block, BlockKind, FILE_HEAD_BYTES, PAGE_BYTES, TRAILER_BYTES, TRAILER_MAGIC,
    trailer_offset,
};
use crate::model::{Actor, Atom};
use crate::store::segment::{Head, Segment};
use crate::store::wire::Reader;
use crate::store::{Branch, payloads};

/// What the blocks of a file say.
pub struct Walk<'f> {
    file: &'f [u8],
    version: u32,
    /// Whether to look for the next block behind damage.
    goes_on: bool,
    pub offset: usize,
    pub directory: Directory,
    /// The segments, ascending.
    found: Vec<SegmentPlace>,
    /// Of each, beside its place: what it is put together from when it was shifted.
    pieces: Vec<Pieces>,
    /// Actors and tags by number; `None`: what the number stood for is lost.
    actors: Vec<Option<Actor>>,
    tags: Vec<Option<Atom>>,
    /// The newest intact directory, when nothing came after it.
    pub complete: Option<Directory>,
    /// How many events there were, where an intact directory says so.
    pub n_events: Option<u64>,
    pub damage: Vec<Damage>,
    /// The block that was met last.
    last: Option<Block>,
    /// A segment whose payloads are to come.
    pending: Option<(SegmentPlace, Pieces)>,
    /// Damaged bytes since the last segment: no more events than bytes can be lost in them.
    n_skipped: usize,
    /// Events that may be lost in bytes that are missing; in all no more than the file has bytes.
    n_missing: u64,
    n_skipped_in_all: usize,
    /// Whether bytes are missing or were inserted.
    is_shifted: bool,
    /// Bytes that may be summed to see whether the last block is whole, so that nobody makes that quadratic.
    n_to_sum: usize,
    /// Whether damage stood before the first segment: it need not be the first that there was.
    pub has_lost_beginning: bool,
    /// How the recording begins, where a block before the first segment says so.
    start: Option<Start>,
    /// Whether the file was saved at once, so that it had an end.
    pub is_saved: bool,
}

/// Where the parts of a segment lie that is not where its headers say.
#[derive(Clone, Debug, Default)]
struct Pieces {
    /// Bytes that the image has, there or not.
    n_image: usize,
    /// Where the image begins when it is counted from the block behind it.
    image_back: Option<usize>,
    pages: Option<Range<usize>>,
    /// The same of the payloads.
    stored_back: Option<usize>,
}

/// A segment that was put together again.
pub struct Mended {
    pub image: Option<Vec<u8>>,
    /// The checksums of its pages.
    pub pages: Option<Range<usize>>,
    pub stored: Option<Vec<u8>>,
}

impl<'f> Walk<'f> {
    /// Walks `file`. Touches heads, dictionaries and keyframes; images and payloads have checksums that are compared when
    /// they are read. Stops at the first damage unless it `goes_on`.
    pub fn over(file: &'f [u8], version: u32, goes_on: bool) -> Walk<'f> {
        let mut walk = Walk {
            file,
            version,
            // Dictionaries of version 2 do not say at which number they begin.
            goes_on: goes_on && version > 2,
            offset: FILE_HEAD_BYTES,
            directory: Directory { branches: vec![Branch::trunk()], ..Directory::default() },
            found: Vec::new(),
            pieces: Vec::new(),
            actors: Vec::new(),
            tags: Vec::new(),
            complete: None,
            n_events: None,
            damage: Vec::new(),
            last: None,
            pending: None,
            n_skipped: 0,
            n_missing: 0,
            n_skipped_in_all: 0,
            n_to_sum: file.len().saturating_mul(2),
            is_shifted: false,
            has_lost_beginning: false,
            start: None,
            is_saved: false,
        };
        while walk.step() {}
        walk.end();
        walk
    }

    fn step(&mut self) -> bool {
        if is_trailer(self.file, self.offset) {
            self.flush();
            self.offset += TRAILER_BYTES;
            self.last = None;
            return true;
        }
        if self.offset >= self.file.len() {
            return self.last.as_ref().is_some_and(Block::is_cut) && self.search();
        }
        let Some(block) = Block::at(self.file, self.offset) else { return self.search() };
        let is_taken = self.take(&block);
        let begin = std::mem::replace(&mut self.offset, block.next());
        self.last = Some(block.clone());
        if is_taken || block.is_cut() {
            // A block that the file ends in is told when no other is found in it.
            return true;
        }
        let (part, what) = match block.head.kind {
            BlockKind::Info => (Part::Info, "what was recorded is not known"),
            BlockKind::Dictionary => {
                (Part::Dictionary, "it is damaged: without the directory, names in it read as lost@nowhere")
            }
            BlockKind::Segment | BlockKind::Payloads | BlockKind::Pages => (Part::Segment, "its head is damaged"),
            BlockKind::Keyframes => (Part::Keyframe, "they are damaged: they are made again"),
            BlockKind::Directory => (Part::Directory, "it is damaged"),
            BlockKind::Marks => (Part::Marks, "they are damaged"),
            BlockKind::Start => (Part::Start, "it is damaged: the directory has it, too"),
        };
        let n_bytes = block.next().min(self.file.len()) - begin;
        self.tell(part, begin, n_bytes, what);
        self.skip(n_bytes);
        if !self.goes_on {
            self.offset = begin;
        }
        self.goes_on
    }

    /// Reads a block; `false` when it is damaged.
    fn take(&mut self, block: &Block) -> bool {
        use BlockKind::{Dictionary, Directory, Info, Keyframes, Marks, Pages, Payloads, Segment, Start};
        self.is_saved |= block.head.kind == Start && self.found.is_empty();
        if !matches!(block.head.kind, Pages | Payloads) {
            self.flush();
        }
        // A segment, and what belongs to it, has checksums of its own.
        if !matches!(block.head.kind, Payloads | Segment | Pages) && !self.is_intact(block) {
            return false;
        }
        let content = &self.file[block.content.clone()];
        let mut reader = Reader::new(content);
        match block.head.kind {
            // One that comes later is of a file that was recorded as a payload.
            Info if !self.found.is_empty() => true,
            Info => read_info(&mut reader).map(|info| self.directory.info = info).is_some(),
            Dictionary => self.add_dictionaries(&mut reader).is_some(),
            Segment => {
                self.pending = self.segment_place(block);
                self.pending.is_some()
            }
            Pages => {
                if let Some((_, pieces)) = &mut self.pending {
                    pieces.pages = Some(block.content.clone());
                }
                true
            }
            Payloads => {
                let pending = self.pending.take();
                pending.map(|(place, pieces)| self.add_segment(place, block.content.clone(), pieces)).is_some()
            }
            Keyframes => self.add_keyframes(block).is_some(),
            // As with Info.
            Start if !self.found.is_empty() || self.start.is_some() => true,
            Start => {
                self.start = super::directory::Start::read_block(content, self.file);
                self.start.is_some()
            }
            Marks => read_marks(&mut reader).map(|marks| self.directory.marks = marks).is_some(),
            Directory => {
                self.complete = super::directory::Directory::read(content, self.file.len(), self.version);
                self.complete.is_some()
            }
        }
    }

    fn is_intact(&mut self, block: &Block) -> bool {
        let left = self.n_to_sum.checked_sub(block.content.len());
        self.n_to_sum = left.unwrap_or(0);
        left.is_some() && block.is_intact(self.file)
    }

    /// Goes on at the next block behind what is none; `false` at the end. Where the last block is not whole, bytes may be
    /// missing in it: then the next begins inside of what it claims.
    fn search(&mut self) -> bool {
        let begin = self.offset.min(self.file.len());
        let last = self.last.take();
        let is_whole = last.as_ref().is_none_or(|last| self.is_intact(last));
        let from = last.as_ref().map_or(begin, |last| if is_whole { last.content.end } else { last.content.start });
        let next = next_block(self.file, from);
        if let (Some(last), Some(next), false) = (&last, next, is_whole) {
            self.shift(last, next);
        }
        let next_kind = next.and_then(|next| Some(Block::at(self.file, next)?.head.kind));
        if !matches!(next_kind, Some(BlockKind::Pages | BlockKind::Payloads)) {
            self.flush_before(begin, last.as_ref(), next.unwrap_or(self.file.len()));
        }
        let end = next.unwrap_or(self.file.len());
        let torn = last.filter(Block::is_cut).map(|last| last.content.start - BLOCK_HEAD_BYTES);
        let is_end = next.is_none() && (torn.is_some() || is_torn(&self.file[begin..]));
        let (part, what) =
            if is_end { (Part::End, "the file ends inside a block") } else { (Part::Blocks, "no block begins here") };
        let told_from = torn.unwrap_or(begin).min(end);
        self.tell(part, told_from, end - told_from, what);
        self.skip(end.saturating_sub(begin));
        self.offset = end;
        self.goes_on && next.is_some()
    }

    /// Notes that the block behind `last` begins at `next` instead of where it should.
    fn shift(&mut self, last: &Block, next: usize) {
        if !std::mem::replace(&mut self.is_shifted, true) {
            // How much is missing nobody tells.
            (self.n_missing, self.n_skipped_in_all) = (self.file.len() as u64, self.file.len());
        }
        let back = next.checked_sub(last.padded_len());
        let cut = |range: &mut Range<usize>| range.end = range.end.min(next).max(range.start);
        match (last.head.kind, &mut self.pending) {
            (BlockKind::Segment, Some((place, pieces))) => {
                pieces.image_back = back.map(|back| back + place.image.start - last.content.start);
                cut(&mut place.image);
            }
            (BlockKind::Payloads, None) => {
                let newest = self.found.last_mut().zip(self.pieces.last_mut());
                if let Some((place, pieces)) = newest.filter(|(place, _)| place.stored.start == last.content.start) {
                    pieces.stored_back = back;
                    cut(&mut place.stored);
                }
            }
            _ => {}
        }
    }

    /// Adds the segment that waits for payloads which do not come.
    fn flush(&mut self) {
        if let Some((place, pieces)) = self.pending.take() {
            self.add_segment(place, self.offset..self.offset, pieces);
        }
    }
    /// The same, with what lies from `begin` to `end` where its payloads should: the image says how many bytes they have.
    fn flush_before(&mut self, begin: usize, last: Option<&Block>, end: usize) {
        let Some((place, pieces)) = self.pending.take() else { return };
        let is_behind_image = self.version > 2 && last.is_some_and(|last| last.head.kind == BlockKind::Segment);
        let n_pages = (pieces.n_image.div_ceil(PAGE_BYTES) * 4).next_multiple_of(8);
        let n_between = if is_behind_image { BLOCK_HEAD_BYTES + n_pages } else { 0 };
        let columns = Segment::raw_of(&place.head, &self.file[place.image.clone()]);
        let stored = begin.saturating_add(n_between + BLOCK_HEAD_BYTES).min(end);
        let n_stored = payloads::stored_len(columns.blocks);
        self.add_segment(place, stored..stored.saturating_add(n_stored).min(end), pieces);
    }

    fn add_segment(&mut self, place: SegmentPlace, stored: Range<usize>, pieces: Pieces) {
        let stored = stored.start.min(self.file.len())..stored.end.min(self.file.len());
        self.has_lost_beginning |= self.found.is_empty() && self.n_skipped_in_all > 0 && self.start.is_none();
        let n_jumped = self.next_seq().map_or(0, |next| place.head.start - next);
        self.n_missing -= n_jumped.saturating_sub(self.n_skipped as u64).min(self.n_missing);
        self.found.push(SegmentPlace { stored, ..place });
        self.pieces.push(pieces);
        self.n_skipped = 0;
    }
    /// The seq that comes next; `None` where a recording may begin with any, as a ring does.
    fn next_seq(&self) -> Option<u64> {
        let end = self.found.last().map(|place| place.head.end());
        end.or(self.start.as_ref().map(|start| start.first)).or((self.n_skipped > 0).then_some(0))
    }
    fn skip(&mut self, n_bytes: usize) {
        self.n_skipped = self.n_skipped.saturating_add(n_bytes);
        self.n_skipped_in_all = self.n_skipped_in_all.saturating_add(n_bytes).min(self.file.len());
    }
    fn tell(&mut self, part: Part, offset: usize, n_bytes: usize, what: &str) {
        self.damage.push(Damage::at(part, offset, n_bytes, what));
    }

    fn end(&mut self) {
        self.flush();
        let segments = &self.found;
        self.directory.segments = segments.clone();
        let first = segments.first().map_or(0, |place| place.head.start);
        self.directory.start = self.start.clone().unwrap_or(Start { first, ..Start::default() });
        let start = &mut self.directory.start;
        if start.first > 0 && start.base.is_none() {
            // Without the base keyframes say nothing.
            self.directory.checkpoints.clear();
            start.n_checkpoints_evicted = 0;
        }
        let n_events = segments.last().map_or(start.first, |place| place.head.end());
        self.directory.marks.retain(|mark| mark.at.0 < n_events);
        // Names that are lost are told from others, and the events with them are kept.
        let most = |n: fn(&Head) -> u32| self.found.iter().map(|place| n(&place.head) as usize).max();
        let (n_actors, n_tags) = (most(|head| head.n_actors).unwrap_or(0), most(|head| head.n_tags).unwrap_or(0));
        self.actors.resize(self.actors.len().max(n_actors), None);
        self.tags.resize(self.tags.len().max(n_tags), None);
        self.directory.actors = fill(&self.actors, lost_actor);
        self.directory.tags = fill(&self.tags, lost_tag);
        self.complete = self.complete.take().and_then(|complete| self.completed(complete));
    }

    /// What an intact directory says, with the places where things are; `None` when the recording went on after it.
    fn completed(&mut self, complete: Directory) -> Option<Directory> {
        let known = &complete.segments;
        let place_of = |place: &SegmentPlace| {
            let at = known.binary_search_by_key(&place.head.start, |known| known.head.start).ok()?;
            (known[at].head == place.head).then_some(known[at].image.start)
        };
        let are_known = self.found.iter().all(|place| place_of(place).is_some());
        if self.found.iter().all(|place| place_of(place) == Some(place.image.start)) {
            return Some(complete);
        }
        // Bytes were inserted or are missing before it. What it says is lost lies in them.
        let n_events = |places: &[SegmentPlace]| places.iter().map(|place| u64::from(place.head.n_events)).sum::<u64>();
        if !are_known || n_events(known).saturating_sub(n_events(&self.found)) > self.file.len() as u64 {
            return None;
        }
        self.n_events = known.last().map(|place| place.head.end());
        // Its places are not where things are; those of a block before the damage may be.
        let own = self.start.as_ref().filter(|start| start.first == complete.start.first);
        let lost =
            || Start { first: complete.start.first, evicted: complete.start.evicted.clone(), ..Start::default() };
        let start = own.map_or_else(lost, |_| self.directory.start.clone());
        let has_start = start.first == 0 || start.base.is_some();
        let checkpoints = if has_start { self.directory.checkpoints.clone() } else { Vec::new() };
        Some(Directory { segments: self.found.clone(), checkpoints, start, ..complete })
    }

    /// The segment that begins with event `start` put together again, when it was shifted.
    pub fn mended(&self, start: u64) -> Option<Mended> {
        let number = self.found.binary_search_by_key(&start, |place| place.head.start).ok()?;
        let (place, pieces) = (&self.found[number], &self.pieces[number]);
        if pieces.image_back.is_none() && pieces.stored_back.is_none() {
            return None;
        }
        let sums = pieces.pages.clone().map_or(&[][..], |pages| self.file[pages].as_chunks::<4>().0);
        let page = |(number, sum): (usize, &[u8; 4])| {
            let begin = number * PAGE_BYTES;
            (begin..(begin + PAGE_BYTES).min(pieces.n_image), u32::from_le_bytes(*sum))
        };
        let shifted = |there: &Range<usize>, back: usize| Shifted {
            file: self.file,
            begins: [there.start, back],
            n_there: there.len(),
        };
        let image = pieces
            .image_back
            .and_then(|back| shifted(&place.image, back).mend(pieces.n_image, sums.iter().enumerate().map(page)));
        let columns = Segment::raw_of(&place.head, image.as_deref().unwrap_or(&self.file[place.image.clone()]));
        let block = |number: usize| {
            let [.., a, b, c, d] = columns.blocks[number];
            (payloads::stored_range(columns.blocks, number), u32::from_le_bytes([a, b, c, d]))
        };
        let stored = pieces.stored_back.and_then(|back| {
            let n_stored = payloads::stored_len(columns.blocks);
            shifted(&place.stored, back).mend(n_stored, (0..columns.blocks.len()).map(block))
        });
        Some(Mended { pages: pieces.pages.clone(), stored, image })
    }

    fn segment_place(&self, block: &Block) -> Option<(SegmentPlace, Pieces)> {
        let content = &self.file[block.content.clone()];
        let mut reader = Reader::new(content);
        let head = Head::read(&mut reader, self.version)?;
        let image_checksum = reader.u32()?;
        let n_summed = content.len() - reader.n_left();
        let is_intact = crc32fast::hash(&content[..n_summed]) == reader.u32()?;
        // What was lost before lies in damaged or missing bytes, and an event takes one at least.
        let n_lost_max = self.n_missing.saturating_add(self.n_skipped as u64);
        let is_in_order =
            self.next_seq().is_none_or(|next| (next..=next.saturating_add(n_lost_max)).contains(&head.start));
        let n_before = (n_summed + 4).next_multiple_of(8);
        let is_next = is_intact
            && is_in_order
            && head.n_actors as usize <= self.actors.len() + self.n_skipped_in_all
            && head.n_tags as usize <= self.tags.len() + self.n_skipped_in_all
            && n_before <= content.len();
        let image = block.content.start + n_before..block.content.end;
        let pieces = Pieces { n_image: (block.head.n_bytes as usize).checked_sub(n_before)?, ..Pieces::default() };
        is_next.then_some((SegmentPlace { head, image_checksum, image, stored: 0..0 }, pieces))
    }

    fn add_dictionaries(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (mut n_actors, mut n_tags) = (self.actors.len(), self.tags.len());
        if self.version > 2 {
            let first = |reader: &mut Reader<'_>| usize::try_from(reader.varint()?).ok();
            let (actors, tags) = (first(reader)?, first(reader)?);
            // Numbers that are missing between lie in damaged bytes.
            let is_near = |first: usize, known: usize| (known..=known + self.n_skipped_in_all).contains(&first);
            if !is_near(actors, n_actors) || !is_near(tags, n_tags) {
                return None;
            }
            (n_actors, n_tags) = (actors, tags);
        }
        let (actors, tags) = read_dictionaries(reader)?;
        self.actors.resize(n_actors, None);
        self.tags.resize(n_tags, None);
        self.actors.extend(actors.into_iter().map(Some));
        self.tags.extend(tags.into_iter().map(Some));
        Some(())
    }

    /// Adds the keyframes of a block that cover what was read so far.
    fn add_keyframes(&mut self, block: &Block) -> Option<()> {
        let mut reader = Reader::new(&self.file[block.content.clone()]);
        let mut places = Vec::new();
        for _ in 0..reader.count()? {
            let (n_events, len) = (reader.varint()?, usize::try_from(reader.varint()?).ok()?);
            places.push((n_events, len, reader.u32()?));
        }
        let mut begin = block.content.end - reader.n_left();
        let n_known = self.found.last().map_or(0, |place| place.head.end());
        for (n_events, len, checksum) in places {
            let end = begin.checked_add(len).filter(|end| *end <= block.content.end)?;
            let first = self.start.as_ref().map_or(0, |start| start.first);
            let n_before = self.directory.checkpoints.last().map_or(first, |checkpoint| checkpoint.n_events);
            if n_events > n_before && n_events <= n_known {
                self.directory.checkpoints.push(CheckpointPlace { n_events, delta: begin..end, checksum });
            }
            begin = end;
        }
        Some(())
    }
}

/// Where the next block or trailer begins, at `from` or behind it, at whatever byte.
fn next_block(file: &[u8], from: usize) -> Option<usize> {
    let rest = file.get(from..)?;
    let (block_magic, trailer_magic) = (BLOCK_MAGIC.to_le_bytes(), TRAILER_MAGIC.to_le_bytes());
    let block =
        memchr::memmem::find_iter(rest, &block_magic).map(|at| from + at).find(|at| Block::at(file, *at).is_some());
    let rest = &rest[..block.map_or(rest.len(), |block| block - from)];
    let mut trailers = memchr::memmem::find_iter(rest, &trailer_magic).map(|at| from + at);
    trailers.find(|at| is_trailer(file, *at)).or(block)
}

fn is_trailer(file: &[u8], offset: usize) -> bool {
    file.get(offset..).and_then(|rest| rest.first_chunk()).is_some_and(|bytes| trailer_offset(bytes).is_some())
}

/// Whether a file that ends with these bytes may have been ended by a crash: the beginning of a header, or what the disk
/// was never told.
fn is_torn(rest: &[u8]) -> bool {
    rest.len() < BLOCK_HEAD_BYTES || rest.iter().all(|byte| *byte == 0)
}

/// Known items, and others that stand for lost ones: no two are equal.
fn fill<T: Copy>(known: &[Option<T>], lost: impl Fn(u32) -> T) -> Vec<T> {
    (0u32..).zip(known).map(|(number, item)| item.unwrap_or_else(|| lost(number))).collect()
}
/// The node of actors whose names are lost.
const LOST_NODE: &str = "lost@nowhere";
/// What tags begin with that stand for lost ones.
const LOST_TAG: &str = "lost tag ";

/// Whether damage took what an actor was: it stands for one that is lost.
pub fn is_lost_actor(actor: Actor) -> bool {
    actor.origin().id().node.as_str() == LOST_NODE
}
pub fn is_lost_tag(tag: Atom) -> bool {
    tag.as_str().strip_prefix(LOST_TAG).is_some_and(|number| number.parse::<u32>().is_ok())
}
fn lost_actor(number: u32) -> Actor {
    let node = Atom::new(LOST_NODE);
    let origin = crate::model::Origin::intern(node, number).unwrap_or(crate::model::Origin::LOCAL);
    Actor::from(crate::model::Pid { id: number, serial: u32::MAX, origin })
}
fn lost_tag(number: u32) -> Atom {
    Atom::new(&format!("{LOST_TAG}{number}"))
}

#[cfg(test)]
mod tests {
    use super::super::{BlockHead, MAGIC, VERSION};
    use super::*;

    /// Headers that each claim all that follows them cost what the bytes cost, not their square.
    #[test]
    fn headers_inside_of_headers_are_passed_over_in_time() {
        for kind in [BlockKind::Dictionary, BlockKind::Segment, BlockKind::Pages] {
            let mut file = [&MAGIC[..], &[3, 0, 0, 0, 0, 0, 0, 0]].concat();
            let n_headers = 200_000u64;
            for n in 0..n_headers {
                let n_bytes = ((n_headers - n) * BLOCK_HEAD_BYTES as u64).saturating_sub(30);
                file.extend(BlockHead { kind, n_bytes: n_bytes.max(24), checksum: 7 }.to_bytes());
            }
            let walk = Walk::over(&file, VERSION, true);
            assert!(walk.directory.segments.is_empty());
        }
    }
}
