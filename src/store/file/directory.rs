//! What the directory and the small blocks hold, as bytes and back: info, dictionaries, places of
//! segments, keyframes, branches, marks. Reading gives `None` for anything that does not add up, and
//! allocates no more than the bytes justify.

use std::ops::Range;

use crate::model::{Actor, Atom, Kind, Seq};
use crate::store::rows::{put_actor, read_actor};
use crate::store::segment::{HEAD_BYTES_MIN, Head};
use crate::store::wire::{Reader, put_text, put_varint};
use crate::store::{Branch, Evicted, Mark, RecordingInfo};

/// Where one segment lies.
#[derive(Clone, Debug)]
pub struct SegmentPlace {
    pub head: Head,
    pub image: Range<usize>,
    pub image_checksum: u32,
    pub stored: Range<usize>,
}

/// Where one keyframe's delta lies.
#[derive(Clone, Debug)]
pub struct CheckpointPlace {
    pub n_events: u64,
    pub delta: Range<usize>,
    pub checksum: u32,
}

/// All that opening needs.
#[derive(Debug, Default)]
pub struct Directory {
    pub info: RecordingInfo,
    pub actors: Vec<Actor>,
    pub tags: Vec<Atom>,
    pub segments: Vec<SegmentPlace>,
    pub checkpoints: Vec<CheckpointPlace>,
    pub branches: Vec<Branch>,
    pub marks: Vec<Mark>,
    /// What a ring recording forgot; nothing for a whole recording.
    pub start: Start,
}

/// How a recording begins that does not begin with event 0.
#[derive(Clone, Debug, Default)]
pub struct Start {
    pub first: u64,
    pub evicted: Evicted,
    pub n_checkpoints_evicted: usize,
    pub dead_before: u64,
    pub base: Option<CheckpointPlace>,
    /// Bases of branches; `n_events` is the branch's first seq.
    pub branch_bases: Vec<CheckpointPlace>,
}

impl Directory {
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_info(&mut out, &self.info);
        put_dictionaries(&mut out, &self.actors, &self.tags);
        put_varint(&mut out, self.segments.len() as u64);
        for place in &self.segments {
            place.head.write(&mut out);
            put_range(&mut out, &place.image);
            put_range(&mut out, &place.stored);
            out.extend_from_slice(&place.image_checksum.to_le_bytes());
        }
        put_checkpoints(&mut out, &self.checkpoints);
        put_varint(&mut out, self.branches.len() as u64);
        for branch in &self.branches {
            put_varint(&mut out, branch.parent.map_or(0, |parent| u64::from(parent) + 1));
            put_varint(&mut out, branch.from.map_or(0, |from| from.0 + 1));
            put_varint(&mut out, branch.start.0);
        }
        put_marks(&mut out, &self.marks);
        self.start.write(&mut out);
        out
    }

    /// Reads a directory of a file of `n_file` bytes: every place in it lies inside the file, segments and
    /// checkpoints follow each other, branches keep their invariants.
    pub fn read(bytes: &[u8], n_file: usize, version: u32) -> Option<Directory> {
        let mut reader = Reader::new(bytes);
        let info = read_info(&mut reader)?;
        let (actors, tags) = read_dictionaries(&mut reader)?;
        let mut directory = Directory { info, actors, tags, ..Directory::default() };
        let mut next_seq = None;
        for _ in 0..count(&mut reader, HEAD_BYTES_MIN)? {
            let head = Head::read(&mut reader, version)?;
            let (image, stored) = (read_range(&mut reader, n_file)?, read_range(&mut reader, n_file)?);
            let is_next = next_seq.is_none_or(|next_seq| head.start == next_seq)
                && head.n_actors as usize <= directory.actors.len()
                && head.n_tags as usize <= directory.tags.len();
            if !is_next {
                return None;
            }
            next_seq = Some(head.end());
            directory.segments.push(SegmentPlace { head, image, stored, image_checksum: reader.u32()? });
        }
        directory.checkpoints = read_checkpoints(&mut reader, n_file)?;
        directory.branches = read_branches(&mut reader)?;
        directory.marks = read_marks(&mut reader)?;
        directory.start = Start::read(&mut reader, n_file)?;
        let first = directory.segments.first().map_or(directory.start.first, |place| place.head.start);
        let n_events = next_seq.unwrap_or(first);
        let last = directory.checkpoints.last().map_or(first, |checkpoint| checkpoint.n_events);
        let is_sound = first == directory.start.first
            && directory.checkpoints.first().is_none_or(|checkpoint| checkpoint.n_events > first)
            && last <= n_events
            && directory.start.base.as_ref().is_none_or(|base| base.n_events == first)
            && directory.branches.last().is_none_or(|branch| branch.start.0 <= n_events);
        (is_sound && reader.is_empty()).then_some(directory)
    }
}

impl Start {
    pub fn write(&self, out: &mut Vec<u8>) {
        put_varint(out, self.first);
        put_varint(out, self.evicted.n_events);
        put_varint(out, self.evicted.kinds.len() as u64);
        for (kind, n_events) in &self.evicted.kinds {
            out.push(*kind as u8);
            put_varint(out, *n_events);
        }
        let (min_ns, max_ns) = self.evicted.time_ns.unwrap_or((i64::MAX, i64::MIN));
        out.extend_from_slice(&min_ns.to_le_bytes());
        out.extend_from_slice(&max_ns.to_le_bytes());
        for number in
            [self.evicted.n_marks, self.evicted.n_forgotten, self.n_checkpoints_evicted as u64, self.dead_before]
        {
            put_varint(out, number);
        }
        put_checkpoints(out, self.base.as_slice());
        put_checkpoints(out, &self.branch_bases);
    }

    /// Reads the content of a Start block of `file`. Without a base that is as it was written there are no keyframes.
    pub fn read_block(content: &[u8], file: &[u8]) -> Option<Start> {
        let mut reader = Reader::new(content);
        let start = Start::read(&mut reader, file.len())?;
        let is_intact = |place: &CheckpointPlace| crc32fast::hash(&file[place.delta.clone()]) == place.checksum;
        let is_sound = reader.is_empty() && start.base.as_ref().is_none_or(|base| base.n_events == start.first);
        Some(Start {
            base: start.base.filter(is_intact),
            branch_bases: start.branch_bases.into_iter().filter(is_intact).collect(),
            ..start
        })
        .filter(|_| is_sound)
    }

    fn read(reader: &mut Reader<'_>, n_file: usize) -> Option<Start> {
        let mut start = Start { first: reader.varint()?, ..Start::default() };
        let evicted = &mut start.evicted;
        evicted.n_events = reader.varint()?;
        for _ in 0..count(reader, 2)? {
            let kind = Kind::from_byte(reader.u8()?)?;
            evicted.kinds.push((kind, reader.varint()?));
        }
        let (min_ns, max_ns) = (reader.i64()?, reader.i64()?);
        evicted.time_ns = (min_ns <= max_ns).then_some((min_ns, max_ns));
        (evicted.n_marks, evicted.n_forgotten) = (reader.varint()?, reader.varint()?);
        // As many as the log could have had: no arithmetic with it may overflow.
        start.n_checkpoints_evicted = usize::try_from(reader.varint()?).ok().filter(|n| *n as u64 <= start.first)?;
        start.dead_before = reader.varint()?;
        let mut bases = read_checkpoints(reader, n_file)?;
        start.base = bases.pop();
        start.branch_bases = read_checkpoints(reader, n_file)?;
        (bases.is_empty() && start.base.is_some() == (start.first > 0)).then_some(start)
    }
}

fn put_checkpoints(out: &mut Vec<u8>, places: &[CheckpointPlace]) {
    put_varint(out, places.len() as u64);
    for place in places {
        put_varint(out, place.n_events);
        put_range(out, &place.delta);
        out.extend_from_slice(&place.checksum.to_le_bytes());
    }
}

/// Places of deltas, ascending by what they cover.
fn read_checkpoints(reader: &mut Reader<'_>, n_file: usize) -> Option<Vec<CheckpointPlace>> {
    let mut places: Vec<CheckpointPlace> = Vec::new();
    for _ in 0..count(reader, 7)? {
        let n_events = reader.varint()?;
        if places.last().is_some_and(|before| n_events <= before.n_events) {
            return None;
        }
        let delta = read_range(reader, n_file)?;
        places.push(CheckpointPlace { n_events, delta, checksum: reader.u32()? });
    }
    Some(places)
}

/// A count of items of at least `n_bytes_min` bytes each.
fn count(reader: &mut Reader<'_>, n_bytes_min: usize) -> Option<usize> {
    let n = usize::try_from(reader.varint()?).ok()?;
    (n <= reader.n_left() / n_bytes_min).then_some(n)
}

fn put_range(out: &mut Vec<u8>, range: &Range<usize>) {
    put_varint(out, range.start as u64);
    put_varint(out, range.len() as u64);
}

fn read_range(reader: &mut Reader<'_>, n_file: usize) -> Option<Range<usize>> {
    let begin = usize::try_from(reader.varint()?).ok()?;
    let end = begin.checked_add(usize::try_from(reader.varint()?).ok()?)?;
    (end <= n_file).then_some(begin..end)
}

fn read_branches(reader: &mut Reader<'_>) -> Option<Vec<Branch>> {
    let mut branches: Vec<Branch> = Vec::new();
    for id in 0..count(reader, 3)? {
        let parent = reader.varint()?.checked_sub(1).map(u32::try_from).transpose().ok()?;
        let from = reader.varint()?.checked_sub(1).map(Seq);
        let start = Seq(reader.varint()?);
        let is_sound = match branches.last() {
            None => start.0 == 0 && parent.is_none() && from.is_none(),
            Some(before) => {
                before.start <= start
                    && parent.is_some_and(|parent| (parent as usize) < id)
                    && from.is_none_or(|from| from < start)
            }
        };
        if !is_sound {
            return None;
        }
        branches.push(Branch { id: id as u32, parent, from, start });
    }
    (!branches.is_empty()).then_some(branches)
}

pub fn put_marks(out: &mut Vec<u8>, marks: &[Mark]) {
    put_varint(out, marks.len() as u64);
    for mark in marks {
        put_text(out, &mark.name);
        put_varint(out, mark.at.0);
        put_text(out, &mark.note);
        out.push(u8::from(mark.is_snapshot));
    }
}

pub fn read_marks(reader: &mut Reader<'_>) -> Option<Vec<Mark>> {
    let n_marks = count(reader, 4)?;
    let mark = |_| {
        let (name, at) = (reader.text()?.to_string(), Seq(reader.varint()?));
        let (note, is_snapshot) = (reader.text()?.to_string(), reader.u8()? != 0);
        Some(Mark { name, at, note, is_snapshot })
    };
    (0..n_marks).map(mark).collect()
}

pub fn put_info(out: &mut Vec<u8>, info: &RecordingInfo) {
    put_text(out, &info.source);
    put_text(out, &info.title);
    out.extend_from_slice(&info.wall_offset_ns.to_le_bytes());
    out.push(u8::from(info.is_elixir));
    put_varint(out, info.notes.len() as u64);
    for (key, value) in &info.notes {
        put_text(out, key);
        put_text(out, value);
    }
}

pub fn read_info(reader: &mut Reader<'_>) -> Option<RecordingInfo> {
    let (source, title) = (reader.text()?.to_string(), reader.text()?.to_string());
    let (wall_offset_ns, is_elixir) = (reader.i64()?, reader.u8()? != 0);
    let n_notes = count(reader, 2)?;
    let note = |_| Some((reader.text()?.to_string(), reader.text()?.to_string()));
    let notes = (0..n_notes).map(note).collect::<Option<_>>()?;
    Some(RecordingInfo { source, title, wall_offset_ns, is_elixir, notes })
}

pub fn put_dictionaries(out: &mut Vec<u8>, actors: &[Actor], tags: &[Atom]) {
    put_varint(out, actors.len() as u64);
    for actor in actors {
        put_actor(out, *actor);
    }
    put_varint(out, tags.len() as u64);
    for tag in tags {
        put_text(out, tag.as_str());
    }
}

pub fn read_dictionaries(reader: &mut Reader<'_>) -> Option<(Vec<Actor>, Vec<Atom>)> {
    let n_actors = count(reader, 6)?;
    let actors = (0..n_actors).map(|_| read_actor(reader)).collect::<Option<_>>()?;
    let n_tags = count(reader, 1)?;
    let tags = (0..n_tags).map(|_| Atom::try_new(reader.text()?).ok()).collect::<Option<_>>()?;
    Some((actors, tags))
}

/// What a segment adds to the dictionaries, behind the numbers of the first actor and the first tag.
pub fn put_additions(out: &mut Vec<u8>, first: [usize; 2], actors: &[Actor], tags: &[Atom]) {
    first.into_iter().for_each(|number| put_varint(out, number as u64));
    put_dictionaries(out, actors, tags);
}
