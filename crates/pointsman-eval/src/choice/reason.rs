//! Why an interval is wider than it might be, as data and as a sentence.

use std::fmt;

use super::{ENOUGH_CARRYING_ROWS, ENOUGH_EFFECTIVE_ROWS};

/// A longer step is that of rows which hardly differ, and its length is one of rounding.
const MOST_TOLD_STEP: f64 = 1000.0;

/// Why the finite-sample bound took the place of the asymptotic interval; `Display` is a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reason {
    /// The target puts mass where the logger could not go.
    MissingSupport {
        /// That mass, as a share of the target's whole mass.
        share: f64,
    },
    /// The weights do not average one.
    FarMeanWeight {
        /// The mean weight.
        mean: f64,
        /// Its distance from one in standard errors.
        z_score: f64,
    },
    /// Few rows tell about the policy.
    FewEffectiveRows {
        /// Kish's effective sample size, in rows.
        effective_n: f64,
    },
    /// Few rows carry the value, so that rows like them may be missing.
    RareEvents {
        /// How many equally heavy rows would carry as much.
        carrying_n: f64,
    },
    /// The estimate's error is far from normal.
    Skewed {
        /// The third moment of the estimate's error over its spread cubed.
        skewness: f64,
    },
    /// One row of the heaviest kind could move the value far, and there may be some not seen.
    HeavyRows {
        /// How far, in standard errors.
        step: f64,
    },
    /// All rows say the same, so their spread says nothing.
    NoSpread,
    /// The finite-sample bounds cross: something stated about the rows is not true.
    Contradiction,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MissingSupport { share } => write!(
                out,
                "{:.1} % of the policy's choices could not have been logged and count at their \
                 worst",
                100.0 * share
            ),
            Self::FarMeanWeight { mean, z_score } => write!(
                out,
                "the mean weight is {mean:.3} and should be 1 ({z_score:+.1} standard errors), so \
                 what is missing counts at its worst"
            ),
            Self::FewEffectiveRows { effective_n } => write!(
                out,
                "the log tells as much as {effective_n:.0} of the policy's own rows would, and \
                 {ENOUGH_EFFECTIVE_ROWS:.0} are needed for a narrower interval"
            ),
            Self::RareEvents { carrying_n } => write!(
                out,
                "about {carrying_n:.0} rows carry the value, and {ENOUGH_CARRYING_ROWS:.0} are \
                 needed for a narrower interval"
            ),
            Self::Skewed { skewness } => write!(
                out,
                "a few heavy rows make the error lopsided (skewness {skewness:+.2}), too much for \
                 a narrower interval"
            ),
            Self::HeavyRows { step } if MOST_TOLD_STEP < step => write!(
                out,
                "one more row of the heaviest kind could move the value by over \
                 {MOST_TOLD_STEP:.0} standard errors, too much for a narrower interval"
            ),
            Self::HeavyRows { step } => write!(
                out,
                "one more row of the heaviest kind could move the value by {step:.1} standard \
                 errors, too much for a narrower interval"
            ),
            Self::NoSpread => write!(out, "all rows say the same, so their spread says nothing"),
            Self::Contradiction => write!(
                out,
                "no value agrees with these rows: the propensities or the stated range cannot be \
                 right"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(step: f64, expected: &str) {
        let told = Reason::HeavyRows { step }.to_string();
        assert!(told.contains(expected), "{told}");
    }

    #[test]
    fn steps_of_rows_that_hardly_differ_are_told_without_their_length() {
        check(2.1, "could move the value by 2.1 standard errors, too much");
        check(1000.0, "could move the value by 1000.0 standard errors, too much");
        check(1.7e17, "could move the value by over 1000 standard errors, too much");
        check(f64::INFINITY, "could move the value by over 1000 standard errors, too much");
    }
}
