//! Whether rows are left to evaluate on, where the others went, and which of them flatter.

use super::Used;
use crate::wording;
use anyhow::{Result, bail};

/// Fewer rows have no interval.
const LEAST_ROWS: usize = 2;

impl Used {
    /// How many rows take part although a policy was trained on them.
    pub(super) fn n_flattering(&self) -> usize {
        self.rows.iter().filter(|row| self.trained_on.contains(*row)).count()
    }

    /// What was set aside, for people.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        let n_flattering = self.n_flattering();
        if 0 < n_flattering {
            let (n, of) = (wording::length(n_flattering), wording::length(self.rows.len()));
            sentences.push(format!(
                "{n} of the {of} requests used were in a policy's training data: its values are flattered"
            ));
        }
        if 0 < self.n_trained_on {
            sentences.push(wording::counted(
                self.n_trained_on,
                "request was set aside: a policy was trained on it, or on an equal prompt",
                "requests were set aside: a policy was trained on them, or on an equal prompt",
            ));
        }
        if 0 < self.n_unanswerable {
            sentences.push(wording::counted(
                self.n_unanswerable,
                "request was set aside: a policy has no eligible model for it",
                "requests were set aside: a policy has no eligible model for them",
            ));
        }
        sentences
    }

    /// Refuses to go on with fewer than two of so many rows of that name; `others` are what rows
    /// that no policy was trained on are called.
    pub(super) fn check_enough(&self, (n_rows, name): (usize, &str), others: &str) -> Result<()> {
        if LEAST_ROWS <= self.rows.len() {
            return Ok(());
        }
        let mut reasons = Vec::new();
        if 0 < self.n_trained_on {
            reasons.push(format!(
                "{} in a policy's training data; use {others}, or pass --include-trained",
                wording::counted(self.n_trained_on, "was", "were")
            ));
        }
        if 0 < self.n_unanswerable {
            reasons.push(format!(
                "a policy has no eligible model for {}; rule fewer out",
                wording::count(self.n_unanswerable)
            ));
        }
        if 0 < self.n_outside {
            reasons.push(format!(
                "{} not in the traffic that is asked about; give --traffic other weights",
                wording::counted(self.n_outside, "is", "are")
            ));
        }
        if reasons.is_empty() {
            reasons.push("there were no more".to_owned());
        }
        bail!(
            "{} of {} {name} are left to evaluate on: {}",
            self.rows.len(),
            wording::length(n_rows),
            reasons.join("; ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Rows that were left out for another reason flatter nothing.
    #[test]
    fn only_rows_that_take_part_flatter() {
        let trained_on = BTreeSet::from([0, 1, 9]);
        let mut used = Used { rows: vec![0, 1, 2], trained_on, ..Used::default() };
        assert_eq!(used.n_flattering(), 2);
        used.rows.retain(|&row| row != 0);
        let said = used.sentences();
        assert!(said[0].starts_with("1 of the 2 requests used were in"), "{said:?}");
        used.rows = vec![2];
        assert!(used.n_flattering() == 0 && used.sentences().is_empty());
    }

    #[track_caller]
    fn check(used: &Used, expected: &str) {
        let error = used.check_enough((3_000, "decisions"), "later decisions").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("0 of 3,000 decisions are left to evaluate on: {expected}")
        );
    }

    #[test]
    fn whoever_has_no_rows_left_is_told_why() {
        check(
            &Used { n_trained_on: 3_000, ..Used::default() },
            "3,000 were in a policy's training data; use later decisions, or pass --include-trained",
        );
        check(
            &Used { n_trained_on: 1, n_unanswerable: 2_999, ..Used::default() },
            "1 was in a policy's training data; use later decisions, or pass --include-trained; a \
             policy has no eligible model for 2,999; rule fewer out",
        );
        check(
            &Used { n_outside: 3_000, ..Used::default() },
            "3,000 are not in the traffic that is asked about; give --traffic other weights",
        );
        check(&Used::default(), "there were no more");
        let enough = Used { rows: vec![4, 7], ..Used::default() };
        assert!(enough.check_enough((2, "decisions"), "later decisions").is_ok());
    }
}
