//! The entry of a catalog that a name most looks like.

use pointsman_core::catalog::Catalog;

/// The model of `catalog` whose name takes the fewest letters to become `name`, in any case; the first of
/// several. Names of owners in front of a slash count only where both have one.
pub fn nearest_model<'a>(catalog: &'a Catalog, name: &str) -> Option<&'a str> {
    let names = catalog.models().iter().map(|model| model.id.as_str());
    names.min_by_key(|candidate| distance_of_names(candidate, name))
}

fn distance_of_names(one: &str, other: &str) -> usize {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let bare = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    if one.contains('/') == other.contains('/') {
        distance(&one, &other)
    } else {
        distance(&bare(&one), &bare(&other))
    }
}

/// The edit distance of Levenshtein: letters put in, left out or replaced.
pub fn edit_distance(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, known) in row.iter_mut().skip(1).zip(other) {
            let replaced = diagonal + usize::from(letter != known);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn distance(one: &str, other: &str) -> usize {
    let letters = |name: &str| name.chars().collect::<Vec<char>>();
    edit_distance(&letters(one), &letters(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        for (one, other, expected) in
            [("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
        assert_eq!(distance_of_names("openai/gpt-4o", "GPT-4o"), 0);
        assert!(0 < distance_of_names("a/gpt-4o", "b/gpt-4o"));
    }
}
