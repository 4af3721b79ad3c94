//! Whether rows are left to evaluate on, and where the others went.

use super::Used;
use crate::wording;
use anyhow::{Result, bail};

/// Fewer rows have no interval.
const LEAST_ROWS: usize = 2;

impl Used {
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
