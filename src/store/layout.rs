//! Where the bytes of a recording go: for measurements and for `fsck`.

use super::Recording;
use super::columns::SECTION_NAMES;

/// Bytes of one part of all segments together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartBytes {
    pub name: &'static str,
    pub n_bytes: u64,
}

impl Recording {
    /// The names of a segment's sections.
    pub fn section_names() -> &'static [&'static str] {
        SECTION_NAMES
    }

    /// Bytes by section, compressed payloads and keyframes, largest first. What is not sealed yet is not counted.
    pub fn layout(&self) -> Vec<PartBytes> {
        let section = |(place, name): (usize, &&'static str)| {
            let bytes = self.segments.iter().map(|segment| u64::from(segment.head.sections[place][1])).sum();
            PartBytes { name, n_bytes: bytes }
        };
        let mut parts: Vec<PartBytes> = SECTION_NAMES.iter().enumerate().map(section).collect();
        let payloads = self.segments.iter().map(|segment| segment.stored().len() as u64).sum();
        let keyframes = self.keyframes.all().map(|checkpoint| checkpoint.delta.len() as u64).sum();
        parts.push(PartBytes { name: "payloads", n_bytes: payloads });
        parts.push(PartBytes { name: "keyframes", n_bytes: keyframes });
        parts.retain(|part| part.n_bytes > 0);
        parts.sort_by_key(|part| std::cmp::Reverse(part.n_bytes));
        parts
    }
}
