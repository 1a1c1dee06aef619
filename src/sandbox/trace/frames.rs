//! The framing of binary trace files, as `dbg:trace_port(file, ..)` writes it: one byte `op`, a
//! big-endian u32, and for op 0 that many bytes of external term (131 first). Op 1 has no body: its
//! number is the count of trace messages that were dropped (runtime_tools, trace_file_drv.c).
//!
//! Damage is data: it becomes a [`Defect`] with its offset, and reading goes on at the next place that
//! looks like a frame. It must not know what the terms mean.

use std::fmt;
use std::ops::Range;

use crate::codec::walk::RawTerm;
use crate::model::limits::{DEFECTS_KEPT_MAX, FRAME_BYTES_MAX};

/// Bytes before a frame's body.
const HEADER_BYTES: usize = 5;
const OP_TERM: u8 = 0;
const OP_LOST: u8 = 1;
/// The version byte of external terms.
const VERSION: u8 = 131;

/// What is wrong with a trace file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    pub file: String,
    /// Bytes from the file's beginning.
    pub offset: u64,
    pub what: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at byte {}", self.file, self.what, self.offset)
    }
}

/// The defects of an import: the first [`DEFECTS_KEPT_MAX`], and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defects {
    pub kept: Vec<Defect>,
    pub n_total: u64,
}

impl Defects {
    pub fn add(&mut self, file: &str, offset: usize, what: impl Into<String>) {
        self.n_total += 1;
        if self.kept.len() < DEFECTS_KEPT_MAX {
            self.kept.push(Defect { file: file.to_string(), offset: offset as u64, what: what.into() });
        }
    }

    /// The first of the defects with these numbers, as far as it was kept.
    pub fn first_of(&self, numbers: &Range<u64>) -> String {
        let first = usize::try_from(numbers.start).ok().and_then(|number| self.kept.get(number));
        first.map_or_else(|| "one of many damaged places".to_string(), ToString::to_string)
    }

    /// Where the defect with this number is, if it was kept.
    pub fn offset_of(&self, number: u64) -> Option<u64> {
        usize::try_from(number).ok().and_then(|number| self.kept.get(number)).map(|defect| defect.offset)
    }
}

/// One frame.
pub enum Frame<'a> {
    /// What should be a term (131 first), and where the frame begins. Whoever cannot read it asks [`Frames::is_whole`].
    Term { offset: usize, body: &'a [u8] },
    /// So many trace messages were dropped here.
    Lost { n: u32 },
}

/// Reads the frames of one file in order.
pub struct Frames<'a> {
    bytes: &'a [u8],
    file: &'a str,
    at: usize,
}

/// Why there is no frame at some place, and where to look for the next one.
struct Damage {
    offset: usize,
    what: String,
    resume: Resume,
}

enum Resume {
    /// The length was right: go on at this offset.
    At(usize),
    /// Nothing can be trusted: search from this offset.
    SearchFrom(usize),
}

impl<'a> Frames<'a> {
    /// `file` is the name that defects bear.
    pub fn new(bytes: &'a [u8], file: &'a str) -> Frames<'a> {
        Frames { bytes, file, at: 0 }
    }

    /// Bytes read so far.
    pub fn n_read(&self) -> usize {
        self.at
    }

    /// The next whole frame; what is damaged before it goes to `defects`.
    pub fn next(&mut self, defects: &mut Defects) -> Option<Frame<'a>> {
        while self.at < self.bytes.len() {
            match self.read(self.at) {
                Ok((frame, end)) => {
                    self.at = end;
                    return Some(frame);
                }
                Err(damage) => self.pass(self.at, damage, defects),
            }
        }
        None
    }

    /// Whether the frame that was given last, at `offset`, holds one whole term. If not, that goes to `defects`, and reading goes
    /// on at the next place that looks like a frame.
    pub fn is_whole(&mut self, offset: usize, body: &[u8], defects: &mut Defects) -> bool {
        match self.check_term(offset, body) {
            Ok(()) => true,
            Err(damage) => {
                self.pass(offset, damage, defects);
                false
            }
        }
    }

    /// Goes on behind the damage of the frame at `start`.
    #[cold]
    fn pass(&mut self, start: usize, damage: Damage, defects: &mut Defects) {
        self.at = match damage.resume {
            Resume::At(offset) => offset,
            Resume::SearchFrom(offset) => self.search(offset),
        };
        let n_skipped = self.at - start;
        defects.add(self.file, damage.offset, format!("{} ({n_skipped} bytes skipped)", damage.what));
    }

    fn read(&self, start: usize) -> Result<(Frame<'a>, usize), Damage> {
        let search = |what: String| Damage { offset: start, what, resume: Resume::SearchFrom(start + 1) };
        let rest = &self.bytes[start..];
        let Some((&[op, size @ ..], body)) = rest.split_first_chunk::<HEADER_BYTES>() else {
            return Err(search(format!("truncated frame header: {} of {HEADER_BYTES} bytes", rest.len())));
        };
        let number = u32::from_be_bytes(size);
        let n = number as usize;
        let body_at = start + HEADER_BYTES;
        match op {
            OP_TERM if n > FRAME_BYTES_MAX => {
                Err(search(format!("frame of {n} bytes (limit FRAME_BYTES_MAX: {FRAME_BYTES_MAX})")))
            }
            OP_TERM if n > body.len() => Err(search(format!("truncated frame: {} of {n} bytes", body.len()))),
            OP_TERM => Ok((Frame::Term { offset: start, body: &body[..n] }, body_at + n)),
            OP_LOST if self.is_boundary(body_at) => Ok((Frame::Lost { n: number }, body_at)),
            OP_LOST => Err(search("drop count that no frame follows".to_string())),
            op => Err(search(format!("frame of unknown sort {op}"))),
        }
    }

    #[cold]
    fn check_term(&self, start: usize, body: &[u8]) -> Result<(), Damage> {
        let body_at = start + HEADER_BYTES;
        let end = body_at + body.len();
        let is_framed = self.is_boundary(end);
        let resume = |search_from| if is_framed { Resume::At(end) } else { Resume::SearchFrom(search_from) };
        match RawTerm::parse_tuple(body) {
            Ok((_, n_used)) if n_used == body.len() => Ok(()),
            Ok((_, n_used)) => Err(Damage {
                offset: start,
                what: format!("frame of {} bytes holds a term of {n_used}", body.len()),
                resume: resume(body_at + n_used),
            }),
            Err(error) => Err(Damage {
                offset: body_at + error.offset,
                what: format!("damaged term: {}", error.what),
                resume: resume(start + 1),
            }),
        }
    }

    /// Whether a frame may begin at `at`: the end of the file, or a header that is not absurd.
    fn is_boundary(&self, at: usize) -> bool {
        match &self.bytes[at..] {
            [] => true,
            [OP_TERM, _, _, _, _, VERSION, ..] => true,
            // A cut header, or a cut body: the cut is what will be reported.
            [OP_TERM, rest @ ..] => rest.len() < HEADER_BYTES,
            [OP_LOST, ..] => true,
            _ => false,
        }
    }

    /// The next offset, from `from` on, where a trace message's frame seems to begin; else the end.
    fn search(&self, from: usize) -> usize {
        (from..self.bytes.len()).find(|&at| is_trace_frame(&self.bytes[at..])).unwrap_or(self.bytes.len())
    }
}

/// Whether `bytes` begin with the frame of a trace message, whose body may be cut off: the way back
/// to the frames after damage.
fn is_trace_frame(bytes: &[u8]) -> bool {
    let [OP_TERM, a, b, c, d, VERSION, b'h', 2..=9, text @ ..] = bytes else {
        return false;
    };
    // ATOM_EXT or ATOM_UTF8_EXT with two bytes of length, or the small forms with one.
    let text = match text {
        [b'd' | b'v', 0, _, text @ ..] | [b's' | b'w', _, text @ ..] => text,
        _ => return false,
    };
    u32::from_be_bytes([*a, *b, *c, *d]) as usize <= FRAME_BYTES_MAX
        && [&b"trace"[..], b"seq_trace", b"drop"].iter().any(|name| text.starts_with(name))
}

/// Whether a file that begins with `bytes` is a binary trace file. Drop counts may come first.
pub fn is_trace_start(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let [OP_LOST, _, _, _, _, after @ ..] = rest {
        rest = after;
    }
    is_trace_frame(rest)
}
