//! What an examination of a file found: where, and what is lost by it. It must not know how it is shown.

use std::fmt;
use std::ops::Range;

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The trailer, by which a finished file is known.
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
    /// Bytes that are no block.
    Blocks,
}

impl Part {
    pub fn as_str(self) -> &'static str {
        match self {
            Part::End => "end",
            Part::Directory => "directory",
            Part::Info => "info",
            Part::Dictionary => "dictionary",
            Part::Segment => "segment",
            Part::Index => "index",
            Part::Payloads => "payloads",
            Part::Keyframe => "keyframe",
            Part::Marks => "marks",
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

/// A file as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub version: u32,
    pub is_archive: bool,
    pub n_bytes: u64,
    /// Whether the file was ended: it has a directory.
    pub is_complete: bool,
    /// Seqs of the events that it should have, the lost ones included.
    pub seqs: Range<u64>,
    pub n_segments: usize,
    pub n_keyframes: usize,
    pub n_marks: usize,
    pub damage: Vec<Damage>,
}

impl Report {
    /// Events that cannot be read.
    pub fn n_lost(&self) -> u64 {
        self.damage.iter().map(Damage::n_lost).sum()
    }
    /// Events that are there without some of their fields.
    pub fn n_partial(&self) -> u64 {
        self.damage.iter().map(|damage| damage.n_partial).sum()
    }
}
