//! The known name that a mistyped one may have meant.
//!
//! Names of models differ in a letter, in case, or in the provider before the slash, or two
//! letters have changed places. Further away than two letters, or a third of them, a name is another
//! name, and no guess is better than a wrong one.

use pointsman_import::edit_distance as edits;

/// The known name nearest to `name`; the first of several. `None` where none is near.
pub(crate) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let farthest = (wanted.len() / 3).max(2).min(wanted.len().saturating_sub(1));
    known
        .into_iter()
        .map(|known| (distance(&wanted, &known.to_lowercase()), known))
        .filter(|(distance, _)| *distance <= farthest)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// The end of a sentence that refuses `name`: a question, or nothing.
pub(crate) fn did_you_mean<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known).map_or_else(String::new, |known| format!("; did you mean `{known}`?"))
}

/// Edits between two names; none but the slash where only one of them names its provider.
fn distance(wanted: &[char], known: &str) -> usize {
    let all: Vec<char> = known.chars().collect();
    let bare = |name: &[char]| name.iter().rposition(|&c| c == '/').map(|at| at + 1);
    let apart = match (bare(wanted), bare(&all)) {
        (None, Some(at)) => Some(edits(wanted, all.get(at..).unwrap_or_default()) + 1),
        (Some(at), None) => Some(edits(wanted.get(at..).unwrap_or_default(), &all) + 1),
        (None, None) | (Some(_), Some(_)) => None,
    };
    let whole = edits(wanted, &all);
    apart.map_or(whole, |apart| apart.min(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (left, right, n) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ab", "ba", 2),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            assert_eq!(edits(&chars(left), &chars(right)), n, "{left} {right}");
            assert_eq!(edits(&chars(right), &chars(left)), n, "{right} {left}");
        }
    }

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let known = ["swift-mini", "swift-max", "acme/heron-70b", "owl"];
        assert_eq!(nearest(name, known), expected, "{name}");
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        check("swift-mni", Some("swift-mini"));
        check("Swift-Max", Some("swift-max"));
        check("heron-70b", Some("acme/heron-70b"));
        check("other/swift-max", Some("swift-max"));
        check("owls", Some("owl"));
        check("olw", Some("owl"));
        check("x", None);
        check("albatross", None);
        check("", None);
    }
}
