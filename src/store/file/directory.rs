//! What the directory and the small blocks hold, as bytes and back: info, dictionaries, places of
//! segments, keyframes, branches, marks. Reading gives `None` for anything that does not add up, and
//! allocates no more than the bytes justify.

use std::ops::Range;

use crate::model::{Actor, Atom, Seq};
use crate::store::rows::{put_actor, read_actor};
use crate::store::segment::{HEAD_BYTES, Head};
use crate::store::wire::{Reader, put_text, put_varint};
use crate::store::{Branch, Mark, RecordingInfo};

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
        put_varint(&mut out, self.checkpoints.len() as u64);
        for place in &self.checkpoints {
            put_varint(&mut out, place.n_events);
            put_range(&mut out, &place.delta);
            out.extend_from_slice(&place.checksum.to_le_bytes());
        }
        put_varint(&mut out, self.branches.len() as u64);
        for branch in &self.branches {
            put_varint(&mut out, branch.parent.map_or(0, |parent| u64::from(parent) + 1));
            put_varint(&mut out, branch.from.map_or(0, |from| from.0 + 1));
            put_varint(&mut out, branch.start.0);
        }
        put_varint(&mut out, self.marks.len() as u64);
        for mark in &self.marks {
            put_text(&mut out, &mark.name);
            put_varint(&mut out, mark.at.0);
            put_text(&mut out, &mark.note);
            out.push(u8::from(mark.is_snapshot));
        }
        out
    }

    /// Reads a directory of a file of `n_file` bytes: every place in it lies inside the file, segments and
    /// checkpoints follow each other, branches keep their invariants.
    pub fn read(bytes: &[u8], n_file: usize) -> Option<Directory> {
        let mut reader = Reader::new(bytes);
        let info = read_info(&mut reader)?;
        let (actors, tags) = read_dictionaries(&mut reader)?;
        let mut directory = Directory { info, actors, tags, ..Directory::default() };
        let mut next_seq = 0;
        for _ in 0..count(&mut reader, HEAD_BYTES)? {
            let head = Head::read(&mut reader)?;
            let (image, stored) = (read_range(&mut reader, n_file)?, read_range(&mut reader, n_file)?);
            let is_next = head.start == next_seq
                && head.n_actors as usize <= directory.actors.len()
                && head.n_tags as usize <= directory.tags.len();
            if !is_next {
                return None;
            }
            next_seq = head.end();
            directory.segments.push(SegmentPlace { head, image, stored, image_checksum: reader.u32()? });
        }
        let mut n_before = 0;
        for _ in 0..count(&mut reader, 4)? {
            let n_events = reader.varint()?;
            if n_events <= n_before || n_events > next_seq {
                return None;
            }
            n_before = n_events;
            let delta = read_range(&mut reader, n_file)?;
            directory.checkpoints.push(CheckpointPlace { n_events, delta, checksum: reader.u32()? });
        }
        directory.branches = read_branches(&mut reader, next_seq)?;
        for _ in 0..count(&mut reader, 4)? {
            let (name, at) = (reader.text()?.to_string(), Seq(reader.varint()?));
            let (note, is_snapshot) = (reader.text()?.to_string(), reader.u8()? != 0);
            directory.marks.push(Mark { name, at, note, is_snapshot });
        }
        reader.is_empty().then_some(directory)
    }
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

fn read_branches(reader: &mut Reader<'_>, n_events: u64) -> Option<Vec<Branch>> {
    let mut branches: Vec<Branch> = Vec::new();
    for id in 0..count(reader, 3)? {
        let parent = reader.varint()?.checked_sub(1).map(u32::try_from).transpose().ok()?;
        let from = reader.varint()?.checked_sub(1).map(Seq);
        let start = Seq(reader.varint()?);
        let is_sound = match branches.last() {
            None => start.0 == 0 && parent.is_none() && from.is_none(),
            Some(before) => {
                before.start <= start
                    && start.0 <= n_events
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
