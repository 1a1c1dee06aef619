//! Text filters: for each payload block the set of its three-byte sequences, as bits of a hash, so that a search for a
//! text passes over the blocks that cannot have it. It must not know terms: text in a payload is bytes.
//!
//! A filter is a power of two of bytes, as small as leaves at least half of its bits clear, so that a text
//! of eight letters passes by chance in one block of sixty-four.

/// Bytes of a sequence.
const GRAM: usize = 3;
/// The largest filter, in bits.
const BITS_MAX: usize = 1 << 14;
/// The smallest.
const BITS_MIN: usize = 1 << 9;

fn hash(gram: &[u8]) -> usize {
    let word = u32::from_le_bytes([gram[0], gram[1], gram[2], 0]);
    (word.wrapping_mul(0x9E37_79B1) >> 18) as usize
}

/// The filter of a block's bytes.
pub fn filter(block: &[u8]) -> Vec<u8> {
    let mut bits = [0u64; BITS_MAX / 64];
    for gram in block.windows(GRAM) {
        let place = hash(gram);
        bits[place / 64] |= 1 << (place % 64);
    }
    let mut n_words = bits.len();
    let is_sparse =
        |words: &[u64]| words.iter().map(|word| word.count_ones()).sum::<u32>() as usize <= words.len() * 16;
    while n_words > BITS_MIN / 64 && is_sparse(&bits[..n_words]) {
        n_words /= 2;
        for place in 0..n_words {
            bits[place] |= bits[place + n_words];
        }
    }
    bits[..n_words].iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Whether a block with this filter may have `text`. A filter that is none passes everything.
pub fn may_contain(filter: &[u8], text: &[u8]) -> bool {
    let n_bits = filter.len() * 8;
    if !n_bits.is_power_of_two() {
        return true;
    }
    text.windows(GRAM).all(|gram| {
        let place = hash(gram) & (n_bits - 1);
        filter[place / 8] >> (place % 8) & 1 == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_passes_and_most_of_the_rest_does_not() {
        let words: Vec<u8> =
            (0..2_000u32).flat_map(|n| format!("order {} of tea; ", n.wrapping_mul(77_773)).into_bytes()).collect();
        let filter = filter(&words);
        assert!(filter.len().is_power_of_two() && filter.len() <= BITS_MAX / 8);
        for text in [&b"order 77773 of"[..], b"tea", b"te", b""] {
            assert!(may_contain(&filter, text));
        }
        let n_passed = (0..1_000u32).filter(|n| may_contain(&filter, format!("xq{n:06}zw").as_bytes())).count();
        assert!(n_passed < 100, "{n_passed} of 1 000 texts that are not there passed");
        assert!(may_contain(&[], b"anything"));
    }
}
