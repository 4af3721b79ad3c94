//! How much of a text was changed on the way to another: the edit distance of Levenshtein, as a share of
//! the longer text.
//!
//! What both begin and end with is left out first. Of what is between, the first thousand letters are
//! compared, since the work grows with the square of them; all that follows counts as changed. The
//! weakness: of long texts with changes far apart, the share is too large, and never too small.

use pointsman_core::units::len_as_float;

use crate::nearest::edit_distance;

/// How many letters of what differs are compared.
const MAX_COMPARED: usize = 1_000;

/// The share of letters that have to be put in, left out or replaced, from 0 to 1; 0 of empty texts.
pub(crate) fn share_changed(before: &str, after: &str) -> f64 {
    let n_letters = before.chars().count().max(after.chars().count());
    if n_letters == 0 {
        return 0.0;
    }
    let (before, after) = differing(before, after);
    let compared = |text: &str| text.chars().take(MAX_COMPARED).collect::<Vec<char>>();
    let n_left = |text: &str| text.chars().count().saturating_sub(MAX_COMPARED);
    let n_edits = edit_distance(&compared(before), &compared(after));
    len_as_float(n_edits + n_left(before).max(n_left(after))) / len_as_float(n_letters)
}

/// The two texts without what both begin with, and without what both then end with.
fn differing<'t>(one: &'t str, other: &'t str) -> (&'t str, &'t str) {
    let n_bytes = one.chars().zip(other.chars()).take_while(|(one, other)| one == other);
    let n_bytes: usize = n_bytes.map(|(letter, _)| letter.len_utf8()).sum();
    let one = one.get(n_bytes..).unwrap_or_default();
    let other = other.get(n_bytes..).unwrap_or_default();
    let backwards = one.chars().rev().zip(other.chars().rev());
    let n_bytes: usize = backwards
        .take_while(|(one, other)| one == other)
        .map(|(letter, _)| letter.len_utf8())
        .sum();
    let without_end = |text: &'t str| text.get(..text.len() - n_bytes).unwrap_or_default();
    (without_end(one), without_end(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_those_of_the_longer_text() {
        for (before, after, expected) in [
            ("", "", 0.0),
            ("", "abcd", 1.0),
            ("abcd", "abcd", 0.0),
            ("abcd", "abxd", 0.25),
            ("abcd", "ab", 0.5),
            ("kitten", "sitting", 3.0 / 7.0),
            ("aaa", "aa", 1.0 / 3.0),
            ("größe", "grösse", 2.0 / 6.0),
        ] {
            assert_eq!(share_changed(before, after), expected, "{before} {after}");
            assert_eq!(share_changed(after, before), expected, "{after} {before}");
        }
    }

    #[test]
    fn of_long_texts_what_is_not_compared_counts_as_changed() {
        let long = "ab ".repeat(4_000);
        assert_eq!(share_changed(&long, &long), 0.0);
        let one_letter = long.replacen('a', "x", 1);
        assert_eq!(share_changed(&long, &one_letter), 1.0 / 12_000.0);
        let ends = format!("x{}x", &long[1..long.len() - 1]);
        let expected = (1.0 + 11_000.0) / 12_000.0;
        assert_eq!(share_changed(&long, &ends), expected, "two letters, far apart");
    }

    proptest! {
        /// Leaving out what is equal at both ends changes no distance.
        #[test]
        fn shares_are_distances(before in "[ab ]{0,40}", after in "[ab ]{0,40}") {
            let letters = |text: &str| text.chars().collect::<Vec<char>>();
            let n_letters = before.len().max(after.len()).max(1);
            let whole = edit_distance(&letters(&before), &letters(&after));
            let expected = len_as_float(whole) / len_as_float(n_letters);
            prop_assert_eq!(share_changed(&before, &after), expected);
        }
    }
}
