//! What can be saved of a damaged segment: its image has a checksum per page, so a field is lost only when a byte that it is
//! read from lies in a damaged page. An event without its kind or its process is lost, others are kept and say in
//! `meta.lost` what they had. Indexes are not needed: what is saved is sealed again. It must not know where the segment lies.
//!
//! Invariant: nothing here relies on [`Segment::check`]; every number is compared with what it leads into.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::report::{Damage, Part};
use super::{Block, BlockKind, PAGE_BYTES};
use crate::codec::etf;
use crate::model::{CallKey, Class, DAMAGE, Kind, NewEvent, Pid, Seq, Term, limits};
use crate::store::columns::{Columns, TIME_BLOCK_EVENTS};
use crate::store::dictionary::Dictionaries;
use crate::store::packed::{Blocked, Packed};
use crate::store::paths::States;
use crate::store::payloads;
use crate::store::seal::seal;
use crate::store::segment::{Head, Segment};
use crate::store::tail::Tail;

/// What was saved of a segment.
pub struct Saved {
    /// As many events as before: loss events stand for those that are lost.
    pub segments: Vec<Segment>,
    pub lost: Vec<Range<u64>>,
    /// Events that are there without some of their fields: `meta.lost` says which.
    pub n_partial: u64,
}

/// A segment to save events from.
pub struct Source<'a> {
    head: &'a Head,
    image: &'a [u8],
    stored: &'a [u8],
    /// Damaged bytes of the image.
    bad: Vec<Range<usize>>,
    /// Where in the file.
    offset: usize,
}

impl<'a> Source<'a> {
    /// One whose image is damaged; `pages` are the checksums of all its pages, without which every byte counts as damaged.
    pub fn damaged(segment: &'a Segment, pages: Option<&[u8]>) -> Source<'a> {
        let image = segment.image();
        Source { bad: bad_pages(image, pages), ..Source::whole(segment, &segment.head, image) }
    }
    /// One whose image is as it was written.
    pub fn whole(segment: &'a Segment, head: &'a Head, image: &'a [u8]) -> Source<'a> {
        Source { head, image, stored: segment.stored(), bad: Vec::new(), offset: segment.offsets.image }
    }
}

/// What can be saved of a segment of a file that reading found damaged, and what is to be told of it. `None` of one in archive
/// form, of which nothing has a name: it stays without events.
pub fn mend(segment: &Segment, dictionaries: &mut Dictionaries) -> Option<(Damage, Saved)> {
    let why = segment.known_damage().filter(|_| !segment.is_archived())?;
    let pages = Block::at(segment.file_from_image(), segment.image().len().next_multiple_of(8));
    let pages = pages.filter(|block| block.head.kind == BlockKind::Pages && block.is_intact(segment.file_from_image()));
    let pages = pages.map(|block| &segment.file_from_image()[block.content]);
    let saved = salvage(&Source::damaged(segment, pages), dictionaries);
    let (first, last) = (segment.head.start, segment.head.end() - 1);
    let what = format!("events #{first} to #{last}: {why}; what can be saved of them is there from now on");
    let (lost, n_partial) = (saved.lost.clone(), saved.n_partial);
    let damage = Damage::at(Part::Segment, segment.offsets.image, segment.image().len(), what);
    Some((Damage { lost, n_partial, ..damage }, saved))
}

/// Reads what does not lie in damaged bytes.
pub fn salvage(source: &Source<'_>, dictionaries: &mut Dictionaries) -> Saved {
    let head = source.head;
    let sieve = Sieve { source, columns: Segment::raw_of(head, source.image) };
    let mut maker = Maker::new(head.start, head.time_min_ns, source.offset, dictionaries);
    let mut blocks = FxHashMap::default();
    for idx in 0..head.n_events as usize {
        let mut lost = Vec::new();
        match sieve.row(idx, maker.at_ns, maker.dictionaries, &mut lost) {
            Some(event) => {
                let payload = or_lost(sieve.payload_of(idx, &mut blocks), "payload", &mut lost);
                let meta = or_lost(sieve.meta_of(idx, &mut blocks), "meta", &mut lost);
                maker.keep(&event, &payload, meta, &lost);
            }
            None => maker.lose(1),
        }
    }
    maker.finish()
}

/// What could be read; else nothing, and the field's name among those that are lost.
fn or_lost<T: Default>(read: Option<T>, name: &'static str, lost: &mut Vec<&'static str>) -> T {
    if read.is_none() {
        lost.push(name);
    }
    read.unwrap_or_default()
}

/// Segments of loss events for events of which nothing is there; `offset` is where in the file they should be.
pub fn losses(seqs: Range<u64>, offset: usize, at_ns: i64, dictionaries: &mut Dictionaries) -> Saved {
    let mut maker = Maker::new(seqs.start, at_ns, offset, dictionaries);
    maker.lose(seqs.end - seqs.start);
    maker.finish()
}

fn bad_pages(image: &[u8], pages: Option<&[u8]>) -> Vec<Range<usize>> {
    let sums = pages.map(|pages| pages.as_chunks::<4>().0).unwrap_or_default();
    let is_good = |(page, bytes): &(usize, &[u8])| {
        sums.get(*page).is_some_and(|sum| u32::from_le_bytes(*sum) == crc32fast::hash(bytes))
    };
    let range = |(page, bytes): (usize, &[u8])| page * PAGE_BYTES..page * PAGE_BYTES + bytes.len();
    let mut bad: Vec<Range<usize>> = Vec::new();
    for page in image.chunks(PAGE_BYTES).enumerate().filter(|page| !is_good(page)).map(range) {
        match bad.last_mut() {
            Some(last) if last.end == page.start => last.end = page.end,
            _ => bad.push(page),
        }
    }
    // Of an image that was cut, the rest.
    bad.push(image.len()..usize::MAX);
    bad
}

/// Blocks that were inflated lately, by number.
type Blocks = FxHashMap<usize, Option<Arc<Vec<u8>>>>;
/// Bytes of them that are kept; the first block serves the others and stays.
const KEPT_BYTES_MAX: usize = 2 * limits::PAYLOAD_BYTES_MAX;

/// A number plus one, 0 for none, as what it leads to. `None`: damaged.
fn optional<T>(number: Option<usize>, of: impl FnOnce(usize) -> Option<T>) -> Option<Option<T>> {
    match number?.checked_sub(1) {
        Some(local) => of(local).map(Some),
        None => Some(None),
    }
}

struct Sieve<'a> {
    source: &'a Source<'a>,
    columns: Columns<'a>,
}

impl Sieve<'_> {
    fn is_good(&self, section: &str, bytes: Range<usize>) -> bool {
        let [at, len, _] = self.source.head.section(section);
        let (begin, end) = (at as usize + bytes.start, at as usize + bytes.end);
        bytes.end <= len as usize && self.source.bad.iter().all(|bad| end <= bad.start || begin >= bad.end)
    }
    fn is_whole(&self, section: &str) -> bool {
        self.is_good(section, 0..self.source.head.section(section)[1] as usize)
    }

    /// Entry `idx` of a plain section.
    fn entry<const N: usize>(&self, section: &str, entries: &[[u8; N]], idx: usize) -> Option<[u8; N]> {
        let entry = entries.get(idx)?;
        self.is_good(section, idx * N..idx * N + N).then_some(*entry)
    }
    fn packed(&self, section: &str, column: Packed<'_>, idx: usize) -> Option<usize> {
        (column.width <= 32 && self.is_good(section, column.bytes_of(idx))).then(|| column.get(idx))
    }
    fn blocked(&self, sections: [&str; 3], column: Blocked<'_>, idx: usize) -> Option<i64> {
        let block = idx / TIME_BLOCK_EVENTS;
        self.entry(sections[0], column.base, block)?;
        self.entry(sections[1], column.starts, block)?;
        self.is_good(sections[2], column.bits_of(idx)?).then(|| column.get(idx))
    }

    /// The event without its bytes; `None` when what or who is damaged. Of the other fields those that are damaged are
    /// `lost`; a time is then the one before.
    fn row(
        &self,
        idx: usize,
        before_ns: i64,
        dictionaries: &Dictionaries,
        lost: &mut Vec<&'static str>,
    ) -> Option<NewEvent<'static>> {
        let columns = &self.columns;
        let head = self.source.head;
        let actors = dictionaries.actors.items().get(..head.n_actors as usize).unwrap_or_default();
        let tags = dictionaries.tags.items().get(..head.n_tags as usize).unwrap_or_default();
        let actor = |local| self.dictionary_entry("actors", columns.actors, local, actors);
        let tag = |local| self.dictionary_entry("tags", columns.tags, local, tags);
        let call = |place| self.entry("calls", columns.calls, place).map(|key| CallKey(u64::from_le_bytes(key)));
        let kind = Kind::from_byte(self.entry("kind", columns.kind, idx)?[0])?;
        let process = actor(self.packed("process", columns.process, idx)?)?;
        let class =
            self.packed("class", columns.class, idx).and_then(|class| Class::from_byte(u8::try_from(class).ok()?));
        let at_ns = self.blocked(["time_min", "time_starts", "time_bits"], columns.times(), idx);
        Some(NewEvent {
            class: or_lost(class.map(Some), "class", lost).unwrap_or(Class::None),
            peer: or_lost(optional(self.packed("peer", columns.peer, idx), actor), "peer", lost),
            tag: or_lost(optional(self.packed("tag", columns.tag, idx), tag), "tag", lost),
            call: or_lost(optional(self.packed("call", columns.call, idx), call), "call", lost),
            cause: or_lost(self.cause(idx), "cause", lost),
            ..NewEvent::new(or_lost(at_ns.map(Some), "time", lost).unwrap_or(before_ns), kind, process)
        })
    }

    /// The item of a local number. They ascend: where there are as many as `items`, each is its own.
    fn dictionary_entry<T: Copy>(&self, section: &str, numbers: &[[u8; 4]], local: usize, items: &[T]) -> Option<T> {
        if numbers.len() == items.len() {
            return items.get(local).copied();
        }
        items.get(u32::from_le_bytes(self.entry(section, numbers, local)?) as usize).copied()
    }
    /// `None`: damaged. `Some(None)`: no cause.
    fn cause(&self, idx: usize) -> Option<Option<Seq>> {
        let is_far = self.packed("cause", self.columns.cause, idx)? == self.columns.cause_escape();
        (!is_far || self.is_whole("cause_far")).then(|| self.columns.cause(idx))
    }

    /// The payload's bytes, none when there is none; `None` when they are lost.
    fn payload_of(&self, idx: usize, blocks: &mut Blocks) -> Option<Vec<u8>> {
        match self.packed("payload", self.columns.payload, idx)? {
            0 => Some(Vec::new()),
            number => self.bytes(number, blocks),
        }
    }
    fn meta_of(&self, idx: usize, blocks: &mut Blocks) -> Option<Vec<u8>> {
        if !self.is_whole("meta") {
            return None;
        }
        match self.columns.meta_number(idx) {
            None => Some(Vec::new()),
            Some(number) => self.bytes(number.into(), blocks),
        }
    }

    /// Payload `number`, from 1.
    fn bytes(&self, number: usize, blocks: &mut Blocks) -> Option<Vec<u8>> {
        let end = |number: usize| {
            let end = self.blocked(["end_base", "end_starts", "end_bits"], self.columns.ends(), number - 1);
            end.and_then(|end| usize::try_from(end).ok())
        };
        if !(1..=self.columns.n_payloads).contains(&number) || !self.is_whole("blocks") {
            return None;
        }
        let range = if number == 1 { 0 } else { end(number - 1)? }..end(number)?;
        let (block_idx, stream_begin) = payloads::block_at(self.columns.blocks, range.start)?;
        // Only the last block ends where the stream does.
        let n_stream = end(self.columns.n_payloads).unwrap_or(0);
        let mut inflate = |block_idx: usize, past: Option<Arc<Vec<u8>>>| {
            let inflate = || {
                let past = past.as_ref().map(|past| &past[..]);
                payloads::inflate_block(self.columns.blocks, n_stream, self.source.stored, block_idx, past)
                    .map(Arc::new)
            };
            if blocks.values().flatten().map(|block| block.len()).sum::<usize>() > KEPT_BYTES_MAX {
                blocks.retain(|block_idx, _| *block_idx == 0);
            }
            blocks.entry(block_idx).or_insert_with(inflate).clone()
        };
        let first = inflate(0, None);
        let block = if block_idx == 0 { first? } else { inflate(block_idx, Some(first?))? };
        let begin = range.start.checked_sub(stream_begin)?;
        block.get(begin..range.end.checked_sub(stream_begin)?).map(<[u8]>::to_vec)
    }
}

/// Seals what is saved, with loss events in their places.
struct Maker<'d> {
    dictionaries: &'d mut Dictionaries,
    tail: Tail,
    at_ns: i64,
    loss: Vec<u8>,
    saved: Saved,
}

impl<'d> Maker<'d> {
    fn new(start: u64, at_ns: i64, offset: usize, dictionaries: &'d mut Dictionaries) -> Maker<'d> {
        let mut loss = Vec::new();
        let (total, reason, offset) = (Term::Int(1), Term::atom(DAMAGE), Term::Int(offset as i64));
        let fields = [("total", total), ("reason", reason), ("offset", offset)];
        etf::encode(&Term::map(fields.map(|(name, value)| (Term::atom(name), value))), &mut loss);
        let saved = Saved { segments: Vec::new(), lost: Vec::new(), n_partial: 0 };
        Maker { dictionaries, tail: Tail::new(start), at_ns, loss, saved }
    }

    fn keep(&mut self, event: &NewEvent<'_>, payload: &[u8], mut meta: Vec<u8>, lost: &[&str]) {
        if !lost.is_empty() {
            self.saved.n_partial += 1;
            let known = etf::decode(&meta).ok();
            let known = known.as_ref().and_then(Term::as_map).cloned().unwrap_or_default();
            let names: Vec<Term> = lost.iter().map(|name| Term::atom(name)).collect();
            meta.clear();
            etf::encode(&Term::Map(Arc::new(known.with(Term::atom("lost"), Term::list(names)))), &mut meta);
        }
        self.at_ns = event.at_ns;
        self.push(&NewEvent { payload, meta: &meta, ..*event });
    }

    fn lose(&mut self, n_events: u64) {
        let nobody = Pid::local(0);
        for _ in 0..n_events {
            let seq = self.tail.end();
            match self.saved.lost.last_mut() {
                Some(last) if last.end == seq => last.end += 1,
                _ => self.saved.lost.push(seq..seq + 1),
            }
            let payload = std::mem::take(&mut self.loss);
            self.push(&NewEvent { payload: &payload, ..NewEvent::new(self.at_ns, Kind::Loss, nobody) });
            self.loss = payload;
        }
    }

    fn push(&mut self, event: &NewEvent<'_>) {
        if self.tail.is_full() {
            self.seal();
        }
        self.tail.push(event, self.dictionaries);
    }
    fn seal(&mut self) {
        self.saved.segments.push(seal(&self.tail, &mut States::default()));
        self.tail.restart(self.tail.end());
    }
    fn finish(mut self) -> Saved {
        if self.tail.len() > 0 {
            self.seal();
        }
        self.saved
    }
}
