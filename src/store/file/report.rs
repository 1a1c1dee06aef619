//! What an examination of a file found: where, and what is lost by it. It must not know how it is shown.

use std::fmt;
use std::ops::Range;

use super::Form;
use crate::store::Recording;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first bytes: what the file is, and of which version and form.
    Head,
    /// The end, by which a finished file is known, and what was on its way when it was ended otherwise.
    End,
    Directory,
    Info,
    Dictionary,
    Segment,
    /// An index inside a segment: it is made again, nothing is lost.
    Index,
    Payloads,
    Keyframe,
    Marks,
    /// How a recording begins that forgot something.
    Start,
    /// Bytes that are no block.
    Blocks,
}

impl Part {
    pub fn as_str(self) -> &'static str {
        match self {
            Part::Head => "head",
            Part::End => "end",
            Part::Directory => "directory",
            Part::Info => "info",
            Part::Dictionary => "dictionary",
            Part::Segment => "segment",
            Part::Index => "index",
            Part::Payloads => "payloads",
            Part::Keyframe => "keyframe",
            Part::Marks => "marks",
            Part::Start => "start",
            Part::Blocks => "blocks",
        }
    }
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    pub part: Part,
    /// In the file, in bytes.
    pub offset: u64,
    pub n_bytes: u64,
    /// The segment's number in the file, and the seqs of its events.
    pub segment: Option<(usize, Range<u64>)>,
    /// Seqs of events that cannot be read.
    pub lost: Vec<Range<u64>>,
    /// Events that are there without some of their fields.
    pub n_partial: u64,
    pub what: String,
}

impl Damage {
    pub fn at(part: Part, offset: usize, n_bytes: usize, what: impl Into<String>) -> Damage {
        let (offset, n_bytes) = (offset as u64, n_bytes as u64);
        Damage { part, offset, n_bytes, segment: None, lost: Vec::new(), n_partial: 0, what: what.into() }
    }
    /// Events that cannot be read.
    pub fn n_lost(&self) -> u64 {
        self.lost.iter().map(|range| range.end - range.start).sum()
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: {}", self.part.as_str(), self.offset, self.what)?;
        if self.n_lost() > 0 {
            write!(f, "; {} events are lost ({})", self.n_lost(), ranges(&self.lost))?;
        }
        if self.n_partial > 0 {
            write!(f, "; {} events are there in part", self.n_partial)?;
        }
        Ok(())
    }
}

/// Ranges that are listed; of more only the number.
const LISTED_MAX: usize = 4;

/// `#10 to #19, #30` of ranges of seqs.
pub fn ranges(ranges: &[Range<u64>]) -> String {
    let one = |range: &Range<u64>| match range.end - range.start {
        1 => format!("#{}", range.start),
        _ => format!("#{} to #{}", range.start, range.end - 1),
    };
    let mut text = ranges.iter().take(LISTED_MAX).map(one).collect::<Vec<_>>().join(", ");
    if ranges.len() > LISTED_MAX {
        text.push_str(&format!(" and {} more stretches", ranges.len() - LISTED_MAX));
    }
    text
}

/// How a file was ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// It has a directory.
    pub is_complete: bool,
    /// It was saved at once, not while it was recorded: it had an end.
    pub is_saved: bool,
}

/// A file as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub version: u32,
    pub is_archive: bool,
    pub n_bytes: u64,
    /// Whether the file was ended: it has a directory.
    pub is_complete: bool,
    /// Whether it was written at once, so that an end that is missing was there: it is no recorder's.
    pub is_saved: bool,
    /// Seqs of the events that it should have, the lost ones included.
    pub seqs: Range<u64>,
    pub n_segments: usize,
    pub n_keyframes: usize,
    pub n_marks: usize,
    pub damage: Vec<Damage>,
}

/// The source of what an import made: it gives a file its name when that is complete.
const IMPORTED: &str = "import";

impl Report {
    /// What a recording made of the file is to say of it; `None` when there is nothing to be said.
    pub fn note(&self) -> Option<(String, String)> {
        if self.is_whole() {
            return None;
        }
        let name = if self.is_damaged() { "damaged" } else { "not finished" };
        let mut what = match self.n_lost() {
            0 if !self.is_complete => "how many events lay behind its end is not known".to_string(),
            0 => "no event is known to be lost".to_string(),
            n => format!("{n} events are lost ({})", ranges(&self.lost())),
        };
        if self.n_partial() > 0 {
            what.push_str(&format!(", {} are there in part", self.n_partial()));
        }
        let first = self.damage.iter().find(|damage| damage.part != Part::End).or(self.damage.first());
        first.iter().for_each(|first| {
            what.push_str(&format!("; {} at offset {}: {}", first.part.as_str(), first.offset, first.what))
        });
        Some((name.to_string(), what))
    }

    pub(super) fn of(
        recording: &Recording,
        bytes: &[u8],
        (version, form): (u32, Form),
        ended: Ended,
        damage: Vec<Damage>,
    ) -> Report {
        Report {
            version,
            is_archive: form == Form::Archive,
            n_bytes: bytes.len() as u64,
            is_complete: ended.is_complete,
            // Archives and rings are always saved.
            is_saved: ended.is_saved
                || form == Form::Archive
                || recording.first().0 > 0
                || recording.info.source == IMPORTED,
            seqs: recording.first().0..recording.len(),
            n_segments: recording.segments.len(),
            n_keyframes: recording.keyframes.all().count(),
            n_marks: recording.marks.len(),
            damage,
        }
    }

    /// Whether the file is as it was written, from its beginning to its end.
    pub fn is_whole(&self) -> bool {
        self.damage.is_empty()
    }
    /// Whether something is not as it was written. A file that was not finished is not damaged by that.
    pub fn is_damaged(&self) -> bool {
        !self.is_whole() && !self.is_unfinished()
    }
    /// Whether nothing is wrong but that the end is not there, of a file that need not have had one: a recorder's that holds
    /// something, or in which nothing was begun.
    pub fn is_unfinished(&self) -> bool {
        let is_begun = self.damage.iter().any(|damage| damage.n_bytes > 0);
        let may_lack_end = !self.is_saved && (self.is_complete || self.n_kept() > 0 || !is_begun);
        !self.is_whole() && may_lack_end && self.damage.iter().all(|damage| damage.part == Part::End)
    }
    /// What is told of an unfinished file, wherever one is read, and what to do; `None` of any other.
    pub fn unfinished(&self, name: &str) -> Option<String> {
        if !self.is_unfinished() {
            return None;
        }
        let in_part = match self.n_partial() {
            0 => String::new(),
            n => format!(", {n} of the last ones without what they carried"),
        };
        let read = match self.n_kept() {
            0 => "no event lies before that".to_string(),
            n => format!("all {n} events up to there are read{in_part}"),
        };
        let lost = match self.n_lost() {
            0 => "lost is what came after".to_string(),
            n => format!("lost are the {n} in which it ends ({}), and what came after", ranges(&self.lost())),
        };
        Some(format!(
            "{name} was not finished, as after a crash, or it was cut short; that is no damage: {read}; {lost}, of a recorder \
             that was killed at most what was not sealed yet. cinema repair {name} OUT.cinema makes a finished file of it"
        ))
    }

    /// Events that are there, in part or whole.
    pub fn n_kept(&self) -> u64 {
        let lost = self.lost();
        let inside = lost.iter().filter(|lost| lost.start < self.seqs.end).map(|lost| lost.end - lost.start);
        self.seqs.end - self.seqs.start - inside.sum::<u64>()
    }
    fn lost(&self) -> Vec<Range<u64>> {
        self.damage.iter().flat_map(|damage| damage.lost.iter().cloned()).collect()
    }
    /// Events that cannot be read.
    pub fn n_lost(&self) -> u64 {
        self.damage.iter().map(Damage::n_lost).sum()
    }
    /// Events that are there without some of their fields.
    pub fn n_partial(&self) -> u64 {
        self.damage.iter().map(|damage| damage.n_partial).sum()
    }
}
