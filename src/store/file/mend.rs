//! Bytes of which some are missing in the middle, or have others between them. Their pieces have checksums, and each is
//! where it was, counted from the front or from the back. It must not know what they mean.

use std::ops::Range;

/// A stretch of a file that was shifted somewhere.
pub struct Shifted<'f> {
    pub file: &'f [u8],
    /// Where its first byte lies when it is counted from the front, and when it is counted from the back.
    pub begins: [usize; 2],
    /// Bytes of the file that lie between the blocks around it.
    pub n_there: usize,
}

impl<'f> Shifted<'f> {
    /// The `n_bytes` that there were, zeros where a piece is not found. `None`: more are claimed than could be told from what is
    /// there.
    pub fn mend(&self, n_bytes: usize, pieces: impl Iterator<Item = (Range<usize>, u32)>) -> Option<Vec<u8>> {
        if n_bytes / 2 > self.n_there {
            return None;
        }
        let mut mended = vec![0; n_bytes];
        let mut end = 0;
        for (range, checksum) in pieces {
            // Pieces that overlap could claim more work than there are bytes.
            if range.start < end {
                continue;
            }
            end = range.end;
            if let (Some(bytes), Some(place)) = (self.piece(&range, checksum), mended.get_mut(range)) {
                place.copy_from_slice(bytes);
            }
        }
        Some(mended)
    }

    fn piece(&self, range: &Range<usize>, checksum: u32) -> Option<&'f [u8]> {
        let from = |begin: usize| self.file.get(begin.checked_add(range.start)?..begin.checked_add(range.end)?);
        let is_it = |bytes: &&[u8]| crc32fast::hash(bytes) == checksum;
        self.begins.into_iter().find_map(|begin| from(begin).filter(is_it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_before_and_behind_a_shift_are_found() {
        let whole: Vec<u8> = (0..100).collect();
        let pieces = || whole.chunks(10).enumerate().map(|(n, piece)| (n * 10..n * 10 + 10, crc32fast::hash(piece)));
        let with_others = [&whole[..45], &[7; 3][..], &whole[45..]].concat();
        let shifted = Shifted { file: &with_others, begins: [0, 3], n_there: 103 };
        let mended = shifted.mend(100, pieces()).unwrap();
        assert_eq!((&mended[..40], &mended[40..50], &mended[50..]), (&whole[..40], &[0; 10][..], &whole[50..]));
        let without = [&[9; 5], &whole[..45], &whole[50..]].concat();
        let mended = Shifted { file: &without, begins: [5, 0], n_there: 95 }.mend(100, pieces()).unwrap();
        assert_eq!((&mended[..40], &mended[50..]), (&whole[..40], &whole[50..]));
        assert_eq!(Shifted { file: &without, begins: [0, 0], n_there: 95 }.mend(1 << 40, pieces()), None);
    }
}
