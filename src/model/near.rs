//! "Did you mean": the known words that a word may be a slip for. It must not know what they name.

use std::collections::BTreeSet;

/// The known words nearest to `word`, best first; at most three, and only those a slip or two away: one letter in four
/// that is wrong, missing, too many or swapped, three at most. Of words of two letters none is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let reach = match word.chars().count() {
        0..=2 => return Vec::new(),
        3..=4 => 1,
        5..=8 => 2,
        _ => 3,
    };
    let known: BTreeSet<&str> = known.into_iter().filter(|k| *k != word).collect();
    let rank = |k: &&'a str| (strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()), *k);
    let mut ranked: Vec<(usize, &str)> = known.iter().map(rank).filter(|(distance, _)| *distance <= reach).collect();
    ranked.sort();
    ranked.into_iter().take(3).map(|(_, k)| k).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_near_and_other_words_are_not() {
        let names = ["ledger", "teller", "bank_sup", "alice", "Alice", "x"];
        assert_eq!(nearest("legder", names), ["ledger"]);
        assert_eq!(nearest("TELLER", names), ["teller"]);
        assert_eq!(nearest("alce", names), ["Alice", "alice"]);
        for far in ["x", "la", "lodger_of_the_house", "tell", "sup", "bob", ""] {
            assert_eq!(nearest(far, names), [""; 0], "{far}");
        }
    }
}
