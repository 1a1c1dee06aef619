//! Reading a file block by block: when its end is missing or damaged, and to see all of it (`examine`). Every segment that
//! is whole is kept; a search goes on behind what is no block. What only the directory had is made again from the
//! events (branches), taken from the newest Marks block (marks), or is lost (how a ring began).

use super::directory::{CheckpointPlace, Directory, SegmentPlace, read_dictionaries, read_info, read_marks};
use super::report::{Damage, Part};
use super::{Block, BlockKind, FILE_HEAD_BYTES, TRAILER_BYTES, trailer_offset};
use crate::model::{Actor, Atom, Filter, Kind};
use crate::store::segment::{Head, Segment};
use crate::store::wire::Reader;
use crate::store::{Branch, Recording, payloads};

/// What the blocks of a file say.
pub struct Walk<'f> {
    file: &'f [u8],
    version: u32,
    /// Whether to look for the next block behind damage.
    goes_on: bool,
    offset: usize,
    pub directory: Directory,
    /// Actors and tags by number; `None`: what the number stood for is lost.
    actors: Vec<Option<Actor>>,
    tags: Vec<Option<Atom>>,
    /// The newest intact directory, when nothing came after it.
    pub complete: Option<Directory>,
    pub damage: Vec<Damage>,
    /// A segment counts when its payloads are there too.
    pending: Option<SegmentPlace>,
    /// Damaged bytes since the last segment: no more events than bytes can be lost in them.
    n_skipped: usize,
    n_skipped_in_all: usize,
    /// Whether damage stood before the first segment: it need not be the first that there was.
    pub has_lost_beginning: bool,
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
            actors: Vec::new(),
            tags: Vec::new(),
            complete: None,
            damage: Vec::new(),
            pending: None,
            n_skipped: 0,
            n_skipped_in_all: 0,
            has_lost_beginning: false,
        };
        while walk.step() {}
        walk.end();
        walk
    }

    fn step(&mut self) -> bool {
        if is_trailer(self.file, self.offset) {
            self.offset += TRAILER_BYTES;
            return true;
        }
        if self.offset >= self.file.len() {
            return false;
        }
        let Some(block) = Block::at(self.file, self.offset) else { return self.search() };
        if self.take(&block) {
            self.offset = block.next();
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
        };
        let n_bytes = block.next().min(self.file.len()) - self.offset;
        self.tell(part, self.offset, n_bytes, what);
        self.skip(n_bytes);
        if self.goes_on {
            self.offset = block.next();
        }
        self.goes_on
    }

    /// Reads a block; `false` when it is damaged.
    fn take(&mut self, block: &Block) -> bool {
        let has_own_checksums = matches!(block.head.kind, BlockKind::Payloads | BlockKind::Segment | BlockKind::Pages);
        if !has_own_checksums && !block.is_intact(self.file) {
            return false;
        }
        let content = &self.file[block.content.clone()];
        let mut reader = Reader::new(content);
        match block.head.kind {
            BlockKind::Info => read_info(&mut reader).map(|info| self.directory.info = info).is_some(),
            BlockKind::Dictionary => self.add_dictionaries(&mut reader).is_some(),
            BlockKind::Segment => {
                self.pending = self.segment_place(block);
                self.pending.is_some()
            }
            BlockKind::Pages => true,
            BlockKind::Payloads => match self.pending.take() {
                Some(place) => {
                    self.add_segment(SegmentPlace { stored: block.content.clone(), ..place });
                    true
                }
                None => false,
            },
            BlockKind::Keyframes => self.add_keyframes(block).is_some(),
            BlockKind::Marks => read_marks(&mut reader).map(|marks| self.directory.marks = marks).is_some(),
            BlockKind::Directory => {
                self.complete = Directory::read(content, self.file.len(), self.version);
                self.complete.is_some()
            }
        }
    }

    /// Goes on at the next block behind what is none; `false` at the end.
    fn search(&mut self) -> bool {
        let begin = self.offset;
        let is_block = |at: &usize| Block::at(self.file, *at).is_some() || is_trailer(self.file, *at);
        let next = (begin + 8..self.file.len()).step_by(8).find(|at| self.goes_on && is_block(at));
        let end = next.unwrap_or(self.file.len());
        self.tell(Part::Blocks, begin, end - begin, "no block begins here");
        if !self.goes_on {
            return false;
        }
        // The payloads may be whole behind a header that is not: the image says how many bytes they have.
        if let Some(place) = self.pending.take() {
            let columns = Segment::raw_of(&place.head, &self.file[place.image.clone()]);
            let stored = begin + super::BLOCK_HEAD_BYTES;
            let end = stored.saturating_add(payloads::stored_len(columns.blocks));
            if end <= self.file.len() {
                self.add_segment(SegmentPlace { stored: stored..end, ..place });
            }
        }
        self.skip(end - begin);
        self.offset = end;
        next.is_some()
    }

    fn add_segment(&mut self, place: SegmentPlace) {
        self.has_lost_beginning |= self.directory.segments.is_empty() && self.n_skipped_in_all > 0;
        self.directory.segments.push(place);
        self.n_skipped = 0;
    }
    fn skip(&mut self, n_bytes: usize) {
        self.n_skipped += n_bytes;
        self.n_skipped_in_all += n_bytes;
    }
    fn tell(&mut self, part: Part, offset: usize, n_bytes: usize, what: &str) {
        self.damage.push(Damage::at(part, offset, n_bytes, what));
    }

    fn end(&mut self) {
        let segments = &self.directory.segments;
        self.directory.start.first = segments.first().map_or(0, |place| place.head.start);
        if self.directory.start.first > 0 {
            // Without the base, which only the directory places, keyframes say nothing.
            self.directory.checkpoints.clear();
        }
        let n_events = segments.last().map_or(0, |place| place.head.end());
        self.directory.marks.retain(|mark| mark.at.0 < n_events);
        // A recording that went on after it was completed once has more than the directory says.
        let n_segments = segments.len();
        self.complete = self.complete.take().filter(|complete| complete.segments.len() >= n_segments);
        // Names that are lost are told from others, and the events with them are kept.
        let most = |n: fn(&Head) -> u32| self.directory.segments.iter().map(|place| n(&place.head) as usize).max();
        let (n_actors, n_tags) = (most(|head| head.n_actors).unwrap_or(0), most(|head| head.n_tags).unwrap_or(0));
        self.actors.resize(self.actors.len().max(n_actors), None);
        self.tags.resize(self.tags.len().max(n_tags), None);
        self.directory.actors = fill(&self.actors, lost_actor);
        self.directory.tags = fill(&self.tags, lost_tag);
    }

    fn segment_place(&self, block: &Block) -> Option<SegmentPlace> {
        let content = &self.file[block.content.clone()];
        let mut reader = Reader::new(content);
        let head = Head::read(&mut reader, self.version)?;
        let image_checksum = reader.u32()?;
        let n_summed = content.len() - reader.n_left();
        let is_intact = crc32fast::hash(&content[..n_summed]) == reader.u32()?;
        let next_seq = self.directory.segments.last().map(|place| place.head.end());
        // What was lost before lies in damaged bytes, and an event takes one at least.
        let expected = next_seq.or((self.n_skipped > 0).then_some(0));
        let is_in_order =
            expected.is_none_or(|next| (next..=next.saturating_add(self.n_skipped as u64)).contains(&head.start));
        let begin = block.content.start + (n_summed + 4).next_multiple_of(8);
        let is_next = is_intact
            && is_in_order
            && head.n_actors as usize <= self.actors.len() + self.n_skipped_in_all
            && head.n_tags as usize <= self.tags.len() + self.n_skipped_in_all
            && begin <= block.content.end;
        is_next.then_some(SegmentPlace { head, image_checksum, image: begin..block.content.end, stored: 0..0 })
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
        let n_known = self.directory.segments.last().map_or(0, |place| place.head.end());
        for (n_events, len, checksum) in places {
            let end = begin.checked_add(len).filter(|end| *end <= block.content.end)?;
            let n_before = self.directory.checkpoints.last().map_or(0, |checkpoint| checkpoint.n_events);
            if n_events > n_before && n_events <= n_known {
                self.directory.checkpoints.push(CheckpointPlace { n_events, delta: begin..end, checksum });
            }
            begin = end;
        }
        Some(())
    }
}

/// Collects the whole segments from the front. The second value tells whether an intact directory was met
/// at the very end after all (only the trailer was damaged).
pub fn walk(file: &[u8], version: u32, warnings: &mut Vec<String>) -> (Directory, bool) {
    let walk = Walk::over(file, version, false);
    if let Some(complete) = walk.complete {
        return (complete, true);
    }
    let n_events: u64 = walk.directory.segments.iter().map(|place| u64::from(place.head.n_events)).sum();
    warnings.push(format!(
        "the block at offset {} is damaged or missing: {n_events} events and {} marks before it were read, branches were \
         made again",
        walk.offset,
        walk.directory.marks.len()
    ));
    (walk.directory, false)
}

fn is_trailer(file: &[u8], offset: usize) -> bool {
    file.get(offset..).and_then(|rest| rest.first_chunk()).is_some_and(|bytes| trailer_offset(bytes).is_some())
}

/// Known items, and others that stand for lost ones: no two are equal.
fn fill<T: Copy>(known: &[Option<T>], lost: impl Fn(u32) -> T) -> Vec<T> {
    (0u32..).zip(known).map(|(number, item)| item.unwrap_or_else(|| lost(number))).collect()
}
fn lost_actor(number: u32) -> Actor {
    let node = Atom::new("lost@nowhere");
    let origin = crate::model::Origin::intern(node, number).unwrap_or(crate::model::Origin::LOCAL);
    Actor::from(crate::model::Pid { id: number, serial: u32::MAX, origin })
}
fn lost_tag(number: u32) -> Atom {
    Atom::new(&format!("lost tag {number}"))
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
