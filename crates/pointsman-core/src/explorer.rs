//! From utilities to a probability for every eligible model, exactly.
//!
//! Off-policy evaluation divides by these probabilities, so they are computed in closed form and
//! are the very numbers that the draw uses. Explorers without such a form (upper confidence
//! bounds, Thompson sampling) are left out on purpose.
//!
//! ```
//! use pointsman_core::{explorer::{Explorer, Rule}, units::Probability};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let explorer = Explorer::new(Rule::Greedy, Probability::new(0.1)?)?;
//! let utilities = [0.7, 0.9, f64::NEG_INFINITY]; // the last may not answer
//! let mut probabilities = [0.0; 3];
//! explorer.distribute(&utilities, &mut probabilities);
//! for (found, expected) in probabilities.iter().zip([0.05, 0.95, 0.0]) {
//!     assert!((found - expected).abs() < 1e-12);
//! }
//! # Ok(())
//! # }
//! ```

use crate::units::{Probability, len_as_float};

/// How much is gambled on being wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explorer {
    rule: Rule,
    floor: Probability,
}

/// How probabilities follow from utilities, before the floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// All on the best; ties go to the first.
    Greedy,
    /// Proportional to `exp(utility / temperature)`.
    Softmax {
        /// In quality points; above zero.
        temperature: f64,
    },
    /// `1 / (K + gamma · gap)` for each but the best, which gets the rest.
    ///
    /// Source: Abe & Long 1999; Foster & Rakhlin, "Beyond UCB", ICML 2020 (`SquareCB`).
    InverseGap {
        /// How fast probability falls with the gap in utility; zero or more.
        gamma: f64,
    },
}

/// An explorer that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("an explorer's {name} of {value}; it must be a finite number {range}")]
pub struct ExplorerError {
    name: &'static str,
    value: f64,
    range: &'static str,
}

impl Explorer {
    /// Takes the best, always.
    pub const GREEDY: Self = Self { rule: Rule::Greedy, floor: Probability::ZERO };

    /// A rule, mixed with the uniform distribution: each eligible model gets at least
    /// `floor / K`. Greedy with a floor is the epsilon-greedy explorer.
    ///
    /// # Errors
    /// [`ExplorerError`] for a temperature that is not above zero or a negative gamma.
    pub fn new(rule: Rule, floor: Probability) -> Result<Self, ExplorerError> {
        match rule {
            Rule::Softmax { temperature: value } if !(value.is_finite() && 0.0 < value) => {
                Err(ExplorerError { name: "temperature", value, range: "above zero" })
            }
            Rule::InverseGap { gamma: value } if !(value.is_finite() && 0.0 <= value) => {
                Err(ExplorerError { name: "gamma", value, range: "of zero or more" })
            }
            Rule::Greedy | Rule::Softmax { .. } | Rule::InverseGap { .. } => {
                Ok(Self { rule, floor })
            }
        }
    }

    /// Whether every eligible model always has a chance.
    pub fn explores(&self) -> bool {
        self.rule != Rule::Greedy || Probability::ZERO < self.floor
    }

    /// Overwrites `probabilities` with a distribution over the models whose utility is finite;
    /// all others, the ineligible, get exactly zero. Sums to one within `1e-9`.
    ///
    /// # Panics
    /// If the lengths differ or no utility is finite: bugs in the caller, not inputs.
    #[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
    #[inline(always)]
    pub fn distribute(&self, utilities: &[f64], probabilities: &mut [f64]) {
        assert_eq!(utilities.len(), probabilities.len(), "one probability per utility");
        let (best, n_eligible) = best_of(utilities);
        let highest = utilities[best];
        probabilities.fill(0.0);
        match self.rule {
            Rule::Greedy => probabilities[best] = 1.0,
            Rule::Softmax { temperature } => {
                for (probability, &utility) in probabilities.iter_mut().zip(utilities) {
                    if utility.is_finite() {
                        *probability = libm::exp((utility - highest) / temperature);
                    }
                }
                let total: f64 = probabilities.iter().sum();
                for probability in probabilities.iter_mut() {
                    *probability /= total;
                }
            }
            Rule::InverseGap { gamma } => {
                let n = len_as_float(n_eligible);
                for (probability, &utility) in probabilities.iter_mut().zip(utilities) {
                    let of_eligible = 1.0 / (n + gamma * (highest - utility));
                    *probability = if utility.is_finite() { of_eligible } else { 0.0 };
                }
                probabilities[best] = 0.0;
                // What the ineligible have, nothing, may be taken off as well.
                probabilities[best] = probabilities.iter().fold(1.0, |rest, taken| rest - taken);
            }
        }
        let floor = self.floor.get();
        if 0.0 < floor {
            let each = floor / len_as_float(n_eligible);
            for (probability, utility) in probabilities.iter_mut().zip(utilities) {
                let raised = (1.0 - floor) * *probability + each;
                *probability = if utility.is_finite() { raised } else { *probability };
            }
        }
    }
}

/// How many utilities are compared at once.
const LANES: usize = 8;

/// The first of the models with the highest utility, and how many have a finite one.
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
fn best_of(utilities: &[f64]) -> (usize, usize) {
    let of_eligible = |utility: f64| if utility.is_finite() { utility } else { f64::NEG_INFINITY };
    let (chunks, rest) = utilities.as_chunks::<LANES>();
    let mut highest = [f64::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (highest, &utility) in highest.iter_mut().zip(chunk) {
            *highest = highest.max(of_eligible(utility));
        }
    }
    let highest = highest
        .iter()
        .chain(rest)
        .fold(f64::NEG_INFINITY, |highest, &utility| highest.max(of_eligible(utility)));
    let n_eligible: usize = utilities.iter().map(|utility| usize::from(utility.is_finite())).sum();
    let is_best = |&utility: &f64| utility.is_finite() && highest <= utility;
    let Some(best) = utilities.iter().position(is_best) else {
        unreachable!("the caller turns away requests that no model can serve")
    };
    (best, n_eligible)
}

/// The model at quantile `draw` of a distribution; never one without probability.
///
/// The random number comes in as an argument, so that a logged draw replays exactly.
pub fn model_at(probabilities: &[f64], draw: Probability) -> usize {
    let (mut cumulative, mut last_possible) = (0.0, 0);
    for (model, &probability) in probabilities.iter().enumerate() {
        cumulative += probability;
        if 0.0 < probability {
            last_possible = model;
            if draw.get() < cumulative {
                return model;
            }
        }
    }
    last_possible // rounding left the total a hair below `draw`
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn explorers() -> impl Strategy<Value = Explorer> {
        let rule = prop_oneof![
            Just(Rule::Greedy),
            (0.01..10.0).prop_map(|temperature| Rule::Softmax { temperature }),
            (0.0..1000.0).prop_map(|gamma| Rule::InverseGap { gamma }),
        ];
        (rule, 0.0..=1.0).prop_map(|(rule, floor)| {
            Explorer::new(rule, Probability::new(floor).unwrap()).unwrap()
        })
    }

    fn utilities() -> impl Strategy<Value = Vec<f64>> {
        let one = prop_oneof![4 => -2.0..2.0, 1 => Just(f64::NEG_INFINITY)];
        prop::collection::vec(one, 1..40).prop_filter("some model must be eligible", |all| {
            all.iter().any(|u: &f64| u.is_finite())
        })
    }

    proptest! {
        /// A distribution sums to one, gives the ineligible nothing and keeps its floor.
        #[test]
        fn distributions_are_distributions(explorer in explorers(), utilities in utilities()) {
            let mut probabilities = vec![9.0; utilities.len()];
            explorer.distribute(&utilities, &mut probabilities);
            let total: f64 = probabilities.iter().sum();
            prop_assert!((total - 1.0).abs() < 1e-9, "{total}");
            let n_eligible: usize = utilities.iter().filter(|u| u.is_finite()).count();
            let floor = explorer.floor.get() / len_as_float(n_eligible);
            for (probability, utility) in probabilities.iter().zip(&utilities) {
                if utility.is_finite() {
                    prop_assert!(floor <= *probability && *probability <= 1.0 + 1e-12);
                } else {
                    prop_assert_eq!(*probability, 0.0);
                }
            }
        }

        /// A better model is never less likely than a worse one.
        #[test]
        fn better_is_likelier(explorer in explorers(), utilities in utilities()) {
            let mut probabilities = vec![0.0; utilities.len()];
            explorer.distribute(&utilities, &mut probabilities);
            for (i, better) in utilities.iter().enumerate() {
                for (j, worse) in utilities.iter().enumerate() {
                    if worse.is_finite() && worse < better {
                        prop_assert!(probabilities[j] <= probabilities[i] + 1e-12);
                    }
                }
            }
        }

        /// A draw never lands on a model that had no probability.
        #[test]
        fn draws_are_possible(explorer in explorers(), utilities in utilities(), draw in 0.0..=1.0) {
            let mut probabilities = vec![0.0; utilities.len()];
            explorer.distribute(&utilities, &mut probabilities);
            let model = model_at(&probabilities, Probability::new(draw).unwrap());
            prop_assert!(0.0 < probabilities[model]);
        }
    }

    #[track_caller]
    fn check(rule: Rule, floor: f64, expected: &[f64]) {
        let explorer = Explorer::new(rule, Probability::new(floor).unwrap()).unwrap();
        let mut probabilities = [0.0; 3];
        explorer.distribute(&[0.5, f64::NEG_INFINITY, 0.7], &mut probabilities);
        for (found, expected) in probabilities.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{rule:?}: {probabilities:?}");
        }
    }

    #[test]
    fn worked_examples() {
        check(Rule::Greedy, 0.0, &[0.0, 0.0, 1.0]);
        check(Rule::Greedy, 0.1, &[0.05, 0.0, 0.95]);
        check(Rule::InverseGap { gamma: 10.0 }, 0.0, &[0.25, 0.0, 0.75]);
        let softmax = 1.0 / (1.0 + 2.0_f64.exp());
        check(Rule::Softmax { temperature: 0.1 }, 0.0, &[softmax, 0.0, 1.0 - softmax]);
    }

    #[test]
    fn ties_go_to_the_first() {
        let mut probabilities = [0.0; 3];
        Explorer::GREEDY.distribute(&[0.3, 0.9, 0.9], &mut probabilities);
        assert_eq!(probabilities, [0.0, 1.0, 0.0]);
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        for bad in [0.0, -1.0, f64::NAN] {
            assert!(Explorer::new(Rule::Softmax { temperature: bad }, Probability::ZERO).is_err());
        }
        assert!(Explorer::new(Rule::InverseGap { gamma: -1.0 }, Probability::ZERO).is_err());
    }
}
