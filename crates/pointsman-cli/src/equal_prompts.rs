//! Equal prompts of a log that keeps some of them as text and some as features.
//!
//! A text makes its group by what it says, features make one by their terms, so equal prompts of both
//! kinds would be held out apart. Here texts join the group of the features that they would have been
//! kept as. Weakness: texts that differ in digits or repeated words alone join the same one.

use pointsman_data::terms_group;
use pointsman_train::design::Design;
use std::collections::{BTreeMap, BTreeSet};

/// The groups of a log's rows, of which texts are with their features; a conversation of several
/// different requests stays as it is.
pub(crate) fn joined(groups: &[u64], design: &Design) -> Vec<u64> {
    let of_terms: Vec<u64> =
        (0..design.n_rows()).map(|row| terms_group(design.terms(row))).collect();
    let rows = || groups.iter().copied().zip(of_terms.iter().copied());
    let kept_as_features: BTreeSet<u64> =
        rows().filter(|(group, terms)| group == terms).map(|(group, _)| group).collect();
    if kept_as_features.is_empty() {
        return groups.to_vec();
    }
    // Rows of one text have the same terms; those of a longer conversation have not.
    let mut terms_of: BTreeMap<u64, Option<u64>> = BTreeMap::new();
    for (group, terms) in rows() {
        let known = terms_of.entry(group).or_insert(Some(terms));
        if *known != Some(terms) {
            *known = None;
        }
    }
    let join = |group: u64| {
        let terms = terms_of.get(&group).copied().flatten();
        terms.filter(|terms| kept_as_features.contains(terms)).unwrap_or(group)
    };
    groups.iter().copied().map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_core::{features::FeatureSchema, request::Request};
    use pointsman_data::prompt_group;
    use pointsman_train::design::DesignBuilder;

    const ASKED: &str = "Sort 3 of these words";
    const OTHER: &str = "Something else altogether";

    fn design(texts: &[&str]) -> Design {
        let mut builder = DesignBuilder::new(FeatureSchema::default());
        for text in texts {
            builder.push(&Request::from_prompt(text));
        }
        builder.finish()
    }

    #[test]
    fn texts_join_their_features() {
        let design = design(&[ASKED, ASKED, "sort 7 of these  words", OTHER, ASKED, OTHER]);
        let features = terms_group(design.terms(1));
        let (text, digits) = (prompt_group(ASKED), prompt_group("sort 7 of these words"));
        let (other, conversation) = (prompt_group(OTHER), 17);
        let groups = [text, features, digits, other, conversation, conversation];
        assert!(text != features && text != digits);
        let expected = [features, features, features, other, conversation, conversation];
        assert_eq!(joined(&groups, &design), expected);
    }

    #[test]
    fn a_log_of_texts_alone_is_left_as_it_is() {
        let groups = [prompt_group(ASKED), prompt_group(OTHER)];
        assert_eq!(joined(&groups, &design(&[ASKED, OTHER])), groups);
    }
}
