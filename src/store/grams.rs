//! Text filters: for each payload block the set of its sequences of three visible ASCII characters, as bits of a
//! hash, so that a search for a
//! text passes over the blocks that cannot have it. It must not know terms: text in a payload is bytes.
//!
//! A filter is a power of two of bytes, as small as leaves a third of its bits clear, so that a text
//! of ten letters passes by chance in one block of twenty-five at most.

/// Bytes of a sequence.
const GRAM: usize = 3;
/// Only sequences at each second byte of a block are in its filter: that halves the work and the filter, and a text lies
/// at an even byte or at an odd one.
const STRIDE: usize = 2;
/// The largest filter, in bits.
const BITS_MAX: usize = 1 << 13;
/// The smallest.
const BITS_MIN: usize = 1 << 9;

/// Of the three bytes of a gram, the first lowest.
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (32 - BITS_MAX.trailing_zeros())) as usize
}

/// The high bit of each byte that is not visible ASCII, `' '` to `'~'`. Nothing carries from one byte to the next.
#[inline]
fn invisible(word: u64) -> u64 {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let is_below = !((word | HIGH) - 0x2020_2020_2020_2020);
    let is_above = (word & !HIGH) + 0x0101_0101_0101_0101;
    (word | is_below | is_above) & HIGH
}

/// Whether no byte of the gram at the lowest bytes is among the `invisible`.
#[inline]
fn is_text(invisible: u64) -> bool {
    invisible & 0x80_8080 == 0
}

/// Where a gram goes in the filter: [`BITS_MAX`], nowhere, when its bytes are not all visible.
#[inline]
fn place_of(gram: u64, invisible: u64) -> usize {
    if is_text(invisible) { hash(gram as u32 & 0xFF_FFFF) } else { BITS_MAX }
}

/// The filter of a block's bytes.
pub fn filter(block: &[u8]) -> Vec<u8> {
    // A byte per hash, one more for what is no text: plain stores, without reading what is there.
    let mut seen = [0u8; BITS_MAX + 1];
    // Eight bytes have three of the grams, and their visibility is found at once.
    const GRAMS_PER_WORD: usize = (8 - GRAM) / STRIDE + 1;
    let mut rest = block;
    while let Some(word) = rest.first_chunk() {
        let word = u64::from_le_bytes(*word);
        let unseen = invisible(word);
        for shift in (0..GRAMS_PER_WORD).map(|n| n * STRIDE * 8) {
            seen[place_of(word >> shift, unseen >> shift)] = 1;
        }
        rest = &rest[GRAMS_PER_WORD * STRIDE..];
    }
    for gram in grams(rest) {
        seen[place_of(gram.into(), invisible(gram.into()))] = 1;
    }
    let mut bits = [0u64; BITS_MAX / 64];
    for (word, seen) in bits.iter_mut().zip(seen.chunks_exact(64)) {
        *word = seen.iter().rev().fold(0, |word, seen| word << 1 | u64::from(*seen));
    }
    let mut n_words = bits.len();
    let is_sparse =
        |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>() as usize <= words.len() * 20;
    while n_words > BITS_MIN / 64 && is_sparse(&bits[..n_words]) {
        n_words /= 2;
        for place in 0..n_words {
            bits[place] |= bits[place + n_words];
        }
    }
    bits[..n_words].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Whether a block with this filter may have `text`, in lower or upper case of ASCII letters when `is_any_case`. A filter that
/// is none passes everything.
pub fn may_contain(filter: &[u8], text: &[u8], is_any_case: bool) -> bool {
    let n_bits = filter.len() * 8;
    if !n_bits.is_power_of_two() {
        return true;
    }
    let has = |gram: u32| {
        let place = hash(gram) & (n_bits - 1);
        filter[place / 8] >> (place % 8) & 1 == 1
    };
    let has_in_a_case = |gram: u32| has(gram) || (is_any_case && cases(gram).any(has));
    let is_at = |first: usize| {
        grams(text.get(first..).unwrap_or_default())
            .filter(|gram| is_text(invisible((*gram).into())))
            .all(has_in_a_case)
    };
    (0..STRIDE).any(is_at)
}

/// All ways to write a gram in lower and upper case.
fn cases(gram: u32) -> impl Iterator<Item = u32> {
    /// The bit in which the cases of an ASCII letter differ.
    const CASE: u8 = 0x20;
    (0..1 << GRAM).filter_map(move |upper: u32| {
        let mut bytes = gram.to_le_bytes();
        for (_, byte) in bytes[..GRAM].iter_mut().enumerate().filter(|(place, _)| upper >> place & 1 == 1) {
            *byte = byte.is_ascii_alphabetic().then_some(*byte ^ CASE)?;
        }
        Some(u32::from_le_bytes(bytes))
    })
}

impl<'a> super::columns::Columns<'a> {
    /// The text filter of a block; empty where there is none.
    pub fn gram_filter(&self, block_idx: usize) -> &'a [u8] {
        let place = |n: usize| self.gram_starts.get(n).map_or(0, |start| u32::from_le_bytes(*start) as usize);
        self.grams.get(place(block_idx)..place(block_idx + 1)).unwrap_or_default().as_flattened()
    }
}

/// The sequences at each second byte.
#[inline]
fn grams(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.windows(GRAM).step_by(STRIDE).map(|gram| u32::from_le_bytes([gram[0], gram[1], gram[2], 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_visible_whatever_stands_beside_it() {
        for byte in 0..=255u8 {
            for beside in [0x00, 0x1F, 0x20, 0x7E, 0x7F, 0x80, 0xFF] {
                let word = u64::from_le_bytes([beside, byte, beside, beside, byte, byte, beside, byte]);
                let is_visible = |byte: u8| (b' '..=b'~').contains(&byte);
                let expected = word.to_le_bytes().map(|byte| if is_visible(byte) { 0 } else { 0x80 });
                assert_eq!(invisible(word).to_le_bytes(), expected, "{word:#x}");
            }
        }
    }

    #[test]
    fn what_is_there_passes_and_most_of_the_rest_does_not() {
        let words: Vec<u8> =
            (0..2_000u32).flat_map(|n| format!("order {} of tea; ", n.wrapping_mul(77_773)).into_bytes()).collect();
        let filter = filter(&words);
        assert!(filter.len().is_power_of_two() && filter.len() <= BITS_MAX / 8);
        for text in [&b"order 77773 of"[..], b"tea", b"te", b""] {
            assert!(may_contain(&filter, text, false));
        }
        let n_passed = (0..1_000u32).filter(|n| may_contain(&filter, format!("xq{n:06}zw").as_bytes(), false)).count();
        assert!(n_passed < 100, "{n_passed} of 1 000 texts that are not there passed");
        assert!(may_contain(&[], b"anything", false));
        assert!(may_contain(&filter, b"OrDer 77773 OF", true) && !may_contain(&filter, b"OrDer 77773 OF", false));
    }
}
