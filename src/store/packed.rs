//! Columns of small numbers in as few bits as they need: [`Packed`] has one width for a whole segment,
//! [`Blocked`] a base and a width for each block of 128, for what grows. Reading one value is a load, a
//! shift and a mask, wherever it stands. It must not know what the numbers mean.
//!
//! Invariant of a readable column ([`Packed::is_sound`], [`Blocked::is_sound`]): a load of eight bytes at any of its values stays inside its
//! bytes, so sections end with [`PAD_BYTES`] more than their values need.

use std::ops::Range;

/// Values that share a base and a width.
pub const BLOCK: usize = 128;
/// Bytes after the last value, so that each can be loaded as a word.
pub const PAD_BYTES: usize = 8;
/// The width of values that [`Packed::each_of`] finds fastest.
pub const NIBBLE: u32 = 4;
/// The widest value of a [`Packed`] column.
const WIDTH_MAX: u32 = 32;

/// Bits that `value` needs.
pub fn width_of(value: u64) -> u32 {
    u64::BITS - value.leading_zeros()
}

/// Numbers of `width` bits each.
#[derive(Clone, Copy, Default)]
pub struct Packed<'a> {
    pub bytes: &'a [u8],
    pub width: u32,
}

impl Packed<'_> {
    /// The value at `idx`; 0 outside of the column.
    #[inline(always)]
    pub fn get(self, idx: usize) -> usize {
        let bytes = self.bytes;
        match self.width {
            16 => bytes.get(idx * 2..idx * 2 + 2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]]))),
            width => {
                let bit = idx * width as usize;
                let word = word_at(bytes, bit / 8) >> (bit % 8);
                (word & ((1 << width) - 1)) as usize
            }
        }
    }

    /// The first `n` values of a column that is not wider than 16 bits.
    pub fn to_u16s(self, n: usize) -> Vec<u16> {
        let mut values = Vec::new();
        self.read_u16s(n, &mut values);
        values
    }

    /// As [`Packed::to_u16s`], instead of what was in `out`.
    pub fn read_u16s(self, n: usize, out: &mut Vec<u16>) {
        match (self.width, self.bytes.as_chunks().0.get(..n)) {
            (16, Some(values)) => {
                out.clear();
                out.extend(values.iter().map(|value| u16::from_le_bytes(*value)));
            }
            _ => self.read_all(n, out, |value| value as u16),
        }
    }

    /// What `make` makes of the first `n` values, instead of what was in `out`: half a nanosecond each.
    pub fn read_all<T: Clone + Default>(self, n: usize, out: &mut Vec<T>, make: impl Fn(u64) -> T) {
        out.resize(n, T::default());
        unpack(self.bytes, self.width, out, make);
    }

    /// Calls `each` with the places of a value in `range`, ascending. Where values are nibbles, 16 are passed over at once.
    #[inline]
    pub fn each_of(self, value: usize, range: Range<usize>, mut each: impl FnMut(usize)) {
        if self.width != NIBBLE || value > 0xF {
            return range.filter(|idx| self.get(*idx) == value).for_each(each);
        }
        const ONES: u64 = 0x1111_1111_1111_1111;
        // Two nibbles a byte: words begin at even places.
        for first in (range.start & !1..range.end).step_by(16) {
            let differing = word_at(self.bytes, first / 2) ^ (ONES * value as u64);
            // A nibble's lowest bit is left where all its bits are clear.
            let folded = differing | differing >> 2;
            let mut equal = !(folded | folded >> 1) & ONES;
            while equal != 0 {
                let idx = first + equal.trailing_zeros() as usize / 4;
                equal &= equal - 1;
                if range.contains(&idx) {
                    each(idx);
                }
            }
        }
    }

    /// Whether `n` values of this width are there.
    pub fn is_sound(self, n: usize) -> bool {
        self.width <= WIDTH_MAX && self.bytes.len() == packed_len(n, self.width)
    }

    /// The bytes that value `idx` is read from.
    pub fn bytes_of(self, idx: usize) -> std::ops::Range<usize> {
        let bit = idx * self.width as usize;
        bit / 8..(bit + self.width as usize).div_ceil(8)
    }

    /// Calls `each` with the first `n` values, in order, many at a time.
    pub fn each_chunk(self, n: usize, mut each: impl FnMut(&[u32])) {
        // A whole number of bytes, whatever the width.
        let mut values = [0; 8 * BLOCK];
        let chunk_bytes = BLOCK * self.width as usize;
        for (chunk, first) in (0..n).step_by(values.len()).enumerate() {
            let values = &mut values[..(n - first).min(8 * BLOCK)];
            let bytes = self.bytes.get(chunk * chunk_bytes..).unwrap_or_default();
            unpack(bytes, self.width, values, |value| value as u32);
            each(values);
        }
    }

    /// The largest of `n` values.
    pub fn max(self, n: usize) -> usize {
        let mut max = 0;
        self.each_chunk(n, |values| max = values.iter().copied().fold(max, u32::max));
        max as usize
    }
}

/// What `make` makes of as many values of `width` bits as there are places in `out`.
#[inline]
fn unpack<T>(bytes: &[u8], width: u32, out: &mut [T], make: impl Fn(u64) -> T) {
    match width {
        0..=7 => unpack_by::<8, T>(bytes, width, out, make),
        8..=14 => unpack_by::<4, T>(bytes, width, out, make),
        15..=28 => unpack_by::<2, T>(bytes, width, out, make),
        _ => unpack_by::<1, T>(bytes, width, out, make),
    }
}

/// The same, `N` values from each load of a word: so many that they and the bits before them fit it.
#[inline]
fn unpack_by<const N: usize, T>(bytes: &[u8], width: u32, out: &mut [T], make: impl Fn(u64) -> T) {
    let mask = if width == 0 { 0 } else { u64::MAX >> (u64::BITS - width) };
    let word_of = |place: usize| {
        let bit = place * width as usize;
        word_at(bytes, bit / 8) >> (bit % 8)
    };
    let n_whole = out.len() / N * N;
    let (many, rest) = out.as_chunks_mut::<N>();
    for (place, values) in many.iter_mut().enumerate() {
        let word = word_of(place * N);
        for (k, value) in (0..).zip(values) {
            *value = make(word >> (k * width) & mask);
        }
    }
    for (place, value) in (n_whole..).zip(rest) {
        *value = make(word_of(place) & mask);
    }
}

#[inline(always)]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..at + 8) {
        Some(word) => u64::from_le_bytes(word.try_into().expect("a slice of eight")),
        None => short_word_at(bytes, at),
    }
}

/// The last values of a column that is still open: it has no padding.
#[cold]
fn short_word_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    let rest = bytes.get(at..).unwrap_or_default();
    word[..rest.len().min(8)].copy_from_slice(&rest[..rest.len().min(8)]);
    u64::from_le_bytes(word)
}

/// Bytes of `n` values with their padding.
fn packed_len(n: usize, width: u32) -> usize {
    (n * width as usize).div_ceil(8) + PAD_BYTES
}

/// Puts `values` into `width` bits each, at the end of `out`, without padding.
fn pack_into(out: &mut Vec<u8>, values: impl Iterator<Item = u64>, width: u32) {
    let (mut word, mut n_bits) = (0u64, 0);
    for value in values {
        word |= value << n_bits;
        n_bits += width;
        if n_bits >= u64::BITS {
            out.extend_from_slice(&word.to_le_bytes());
            n_bits -= u64::BITS;
            // What of the value did not fit; nothing when it ends with the word.
            word = value.checked_shr(width - n_bits).unwrap_or(0);
        }
    }
    out.extend_from_slice(&word.to_le_bytes()[..(n_bits as usize).div_ceil(8)]);
}

/// A column as wide as its largest value.
pub struct PackedBuf {
    pub bytes: Vec<u8>,
    pub width: u32,
}

impl PackedBuf {
    pub fn of(values: &[u16]) -> PackedBuf {
        let width = width_of(u64::from(values.iter().copied().max().unwrap_or(0)));
        PackedBuf::of_width(values.iter().map(|value| u64::from(*value)), width)
    }
    /// Values that are known to fit.
    pub fn of_width(values: impl ExactSizeIterator<Item = u64>, width: u32) -> PackedBuf {
        let mut bytes = Vec::with_capacity(packed_len(values.len(), width));
        pack_into(&mut bytes, values, width);
        bytes.resize(bytes.len() + PAD_BYTES, 0);
        PackedBuf { bytes, width }
    }
    pub fn view(&self) -> Packed<'_> {
        Packed { bytes: &self.bytes, width: self.width }
    }
}

/// Numbers in blocks: `base` has the smallest of each block, `starts` the first byte of its differences (upper 24
/// bits) and their width (lower 8).
#[derive(Clone, Copy, Default)]
pub struct Blocked<'a> {
    pub base: &'a [[u8; 8]],
    pub starts: &'a [[u8; 4]],
    pub bits: &'a [[u8; 1]],
}

impl Blocked<'_> {
    /// All `n` values, instead of what was in `out`: half a nanosecond each.
    pub fn read_all(self, n: usize, out: &mut Vec<i64>) {
        out.resize(n, 0);
        for ((block, start), base) in out.chunks_mut(BLOCK).zip(self.starts).zip(self.base) {
            let start = u32::from_le_bytes(*start);
            let base = i64::from_le_bytes(*base);
            let bytes = self.bits.as_flattened().get((start >> 8) as usize..).unwrap_or_default();
            unpack(bytes, start & 0xFF, block, |difference| base.wrapping_add_unsigned(difference));
        }
    }

    #[inline(always)]
    pub fn get(self, idx: usize) -> i64 {
        let block = idx / BLOCK;
        let start = u32::from_le_bytes(self.starts[block]);
        let (at, width) = ((start >> 8) as usize, start & 0xFF);
        let bit = idx % BLOCK * width as usize;
        let word = word_at(self.bits.as_flattened(), at + bit / 8);
        // Widths beyond 56 are written as whole bytes, so that no value straddles nine of them.
        let difference =
            (word >> (bit % 8)) & (u64::MAX >> (64 - width.max(1))) & (u64::from(width > 0)).wrapping_neg();
        i64::from_le_bytes(self.base[block]).wrapping_add_unsigned(difference)
    }

    /// The bytes of `bits` that value `idx` is read from, when it can be read at all: for columns that are damaged elsewhere.
    pub fn bits_of(self, idx: usize) -> Option<std::ops::Range<usize>> {
        let block = idx / BLOCK;
        let start = u32::from_le_bytes(*self.starts.get(block)?);
        let (at, width) = ((start >> 8) as usize, (start & 0xFF) as usize);
        let bit = idx % BLOCK * width;
        (block < self.base.len() && width <= 64).then_some(at + bit / 8..at + (bit + width).div_ceil(8))
    }

    /// Whether `n` values can be read.
    pub fn is_sound(self, n: usize) -> bool {
        let n_blocks = n.div_ceil(BLOCK);
        let is_inside = |(block, start): (usize, &[u8; 4])| {
            let start = u32::from_le_bytes(*start);
            let n_values = (n - block * BLOCK).min(BLOCK);
            let (at, width) = ((start >> 8) as usize, start & 0xFF);
            (width <= 56 || width == 64) && at + packed_len(n_values, width) <= self.bits.len()
        };
        self.base.len() == n_blocks && self.starts.len() == n_blocks && self.starts.iter().enumerate().all(is_inside)
    }
}

/// A [`Blocked`] column that owns its bytes.
#[derive(Default)]
pub struct BlockedBuf {
    pub base: Vec<[u8; 8]>,
    pub starts: Vec<[u8; 4]>,
    pub bits: Vec<[u8; 1]>,
}

impl BlockedBuf {
    /// Invariant kept by the caller: the differences take less than 16 MiB, as those of 64 Ki values do.
    pub fn of(values: impl Iterator<Item = i64>) -> BlockedBuf {
        let (mut base, mut starts, mut bits) = (Vec::new(), Vec::new(), Vec::new());
        let values: Vec<i64> = values.collect();
        for block in values.chunks(BLOCK) {
            let range = |(min, max): (i64, i64), value: &i64| (min.min(*value), max.max(*value));
            let (min, max) = block.iter().fold((i64::MAX, i64::MIN), range);
            let width = width_of(max.wrapping_sub(min) as u64);
            let width = if width > 56 { 64 } else { width };
            base.push(min.to_le_bytes());
            starts.push(((bits.len() as u32) << 8 | width).to_le_bytes());
            pack_into(&mut bits, block.iter().map(|value| value.wrapping_sub(min) as u64), width);
        }
        bits.resize(bits.len() + PAD_BYTES, 0);
        BlockedBuf { base, starts, bits: bits.into_iter().map(|byte| [byte]).collect() }
    }
    #[cfg(test)]
    pub fn view(&self) -> Blocked<'_> {
        Blocked { base: &self.base, starts: &self.starts, bits: &self.bits }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn packed_values_read_back(values in proptest::collection::vec(0u64..1 << 32, 0..2400), shift in 0u32..32) {
            let values: Vec<usize> = values.into_iter().map(|value| (value >> shift) as usize).collect();
            let width = width_of(values.iter().copied().max().unwrap_or(0) as u64);
            let buf = PackedBuf::of_width(values.iter().map(|value| *value as u64), width);
            prop_assert!(buf.view().is_sound(values.len()));
            let read: Vec<usize> = (0..values.len()).map(|idx| buf.view().get(idx)).collect();
            prop_assert_eq!(&read, &values);
            let mut all = vec![7; 9];
            buf.view().read_all(values.len(), &mut all, |value| value as usize);
            prop_assert_eq!(&all, &values);
            prop_assert_eq!(buf.view().max(values.len()), values.iter().copied().max().unwrap_or(0));
            if width <= 16 {
                let narrow = buf.view().to_u16s(values.len());
                let again = PackedBuf::of(&narrow);
                prop_assert_eq!((&again.bytes, again.width), (&buf.bytes, width));
            }
            for (from, wanted) in values.iter().take(20).enumerate() {
                let mut found = Vec::new();
                buf.view().each_of(*wanted, from..values.len(), |idx| found.push(idx));
                let expected: Vec<usize> = (from..values.len()).filter(|idx| values[*idx] == *wanted).collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn blocked_values_read_back(values in proptest::collection::vec(any::<i64>(), 0..400), shift in 0u32..64) {
            let values: Vec<i64> = values.into_iter().map(|value| value >> shift).collect();
            let buf = BlockedBuf::of(values.iter().copied());
            prop_assert!(buf.view().is_sound(values.len()));
            let read: Vec<i64> = (0..values.len()).map(|idx| buf.view().get(idx)).collect();
            prop_assert_eq!(&read, &values);
            let mut all = vec![7];
            buf.view().read_all(values.len(), &mut all);
            prop_assert_eq!(all, values);
        }
    }
}
