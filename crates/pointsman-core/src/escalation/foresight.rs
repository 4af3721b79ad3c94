//! What reading an answer is expected to be worth before there is one, so that the first decision
//! can take a model whose answer may be followed by a better one.
//!
//! Before the answer it is known by how much the best next model is ahead of the model in hand: the
//! *gap*, in utility still to be gained and paid. The answer moves the gap, and the larger of both is
//! taken. Moved by a normal step of standard deviation `spread`, the mean of what is taken has a
//! closed form, as has the probability of calling the next model. A spread is learned for each of a
//! few weights on cost, so that on held-out rows the form adds in the mean what reading does.
//!
//! Weakness: the shape of the step is assumed, and only one step is looked ahead.
//!
//! Source: the expected improvement of Mockus, Tiesis & Zilinskas, 1978.

/// The spread of one reader's steps over weights on cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Foresight {
    model: usize,
    per_dollar: Vec<f64>,
    spreads: Vec<f64>,
}

/// Numbers that are no foresight.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ForesightError {
    /// Columns of different lengths, or empty ones.
    #[error(
        "{n_spreads} spreads for {n_weights} weights on cost; there is one for each, from zero"
    )]
    Length { n_weights: usize, n_spreads: usize },
    /// Weights out of order.
    #[error("weight {index} is {found}; they begin at 0 and ascend, in quality points per dollar")]
    Weight { index: usize, found: f64 },
    /// A spread that is none.
    #[error("spread {index} is {found}; it must be a finite number from 0 up")]
    Spread { index: usize, found: f64 },
}

/// What an answer is expected to lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepAhead {
    /// The mean of the larger of the gap and zero, after the answer; never less than before it.
    pub value: f64,
    /// The probability with which the next model is called.
    pub escalates: f64,
}

impl Foresight {
    /// For the answers of the model at this place of a policy: weights on cost, ascending from zero,
    /// and the spread at each.
    ///
    /// # Errors
    /// [`ForesightError`] where they are not so.
    pub fn new(
        model: usize,
        per_dollar: Vec<f64>,
        spreads: Vec<f64>,
    ) -> Result<Self, ForesightError> {
        if per_dollar.is_empty() || per_dollar.len() != spreads.len() {
            let (n_weights, n_spreads) = (per_dollar.len(), spreads.len());
            return Err(ForesightError::Length { n_weights, n_spreads });
        }
        let mut least = f64::NEG_INFINITY;
        for (index, &found) in per_dollar.iter().enumerate() {
            let is_first = index == 0;
            if !found.is_finite() || found <= least || found < 0.0 || is_first && 0.0 < found {
                return Err(ForesightError::Weight { index, found });
            }
            least = found;
        }
        if let Some(index) = spreads.iter().position(|it| !(it.is_finite() && 0.0 <= *it)) {
            return Err(ForesightError::Spread { index, found: spreads[index] });
        }
        Ok(Self { model, per_dollar, spreads })
    }

    /// The model whose answers it is about, by its place in the policy.
    pub const fn model(&self) -> usize {
        self.model
    }

    /// The weights on cost, in quality points per dollar; ascending, the first is zero.
    pub fn per_dollar(&self) -> &[f64] {
        &self.per_dollar
    }

    /// The spread at each of them.
    pub fn spreads(&self) -> &[f64] {
        &self.spreads
    }

    /// The spread at any weight on cost: at zero the first, between two positive weights on the line
    /// between theirs, beyond the least and the largest as there. The first weight stands alone since
    /// without a price an answer may add nothing that it adds at any price.
    pub fn spread(&self, per_dollar: f64) -> f64 {
        let (weights, spreads) = (&self.per_dollar[..], &self.spreads[..]);
        let above = weights.partition_point(|weight| *weight < per_dollar);
        if above == 0 {
            return spreads[0];
        }
        if above == 1 && 1 < weights.len() {
            return spreads[1];
        }
        let Some((&right, &at_right)) = weights.get(above).zip(spreads.get(above)) else {
            return spreads[spreads.len() - 1];
        };
        let (left, at_left) = (weights[above - 1], spreads[above - 1]);
        at_left + (at_right - at_left) * ((per_dollar - left) / (right - left))
    }

    /// What a gap is expected to come to at a weight on cost; `None` where looking at the answer adds
    /// next to nothing, so that no second call is waited for in vain.
    pub fn ahead(&self, per_dollar: f64, gap: f64) -> Option<StepAhead> {
        let step = step_ahead(gap, self.spread(per_dollar));
        (LEAST_ADDED <= step.value - gap.max(0.0)).then_some(step)
    }
}

/// What has to be added to be counted on, in quality points: where cost does not count, the least
/// gain would be waited and paid for.
const LEAST_ADDED: f64 = 0.001;

/// What comes of a gap that an answer moves by a normal step of this standard deviation.
pub fn step_ahead(gap: f64, spread: f64) -> StepAhead {
    let unmoved = gap.max(0.0);
    if spread <= 0.0 {
        return StepAhead { value: unmoved, escalates: if 0.0 < gap { 1.0 } else { 0.0 } };
    }
    let z = gap / spread;
    let escalates = 0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2);
    let density = ONE_OVER_SQRT_TAU * libm::exp(-0.5 * z * z);
    // Rounding may take a step far from zero a little below where it began.
    StepAhead { value: (gap * escalates + spread * density).max(unmoved), escalates }
}

/// 1 / √(2π).
const ONE_OVER_SQRT_TAU: f64 = 0.398_942_280_401_432_7;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(gap: f64, spread: f64, value: f64, escalates: f64) {
        let found = step_ahead(gap, spread);
        assert!((found.value - value).abs() < 1e-6, "{found:?}");
        assert!((found.escalates - escalates).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_step_has_the_value_of_its_closed_form() {
        check(-0.25, 0.0, 0.0, 0.0);
        check(0.25, 0.0, 0.25, 1.0);
        check(0.0, 1.0, 0.398_942_3, 0.5);
        // Φ(−1) = 0.1586553, φ(1) = 0.2419707.
        check(-0.5, 0.5, -0.5 * 0.158_655_3 + 0.5 * 0.241_970_7, 0.158_655_3);
        check(0.5, 0.5, 0.5 * 0.841_344_7 + 0.5 * 0.241_970_7, 0.841_344_7);
        check(-1e300, 1e-300, 0.0, 0.0);
    }

    #[test]
    fn spreads_are_on_lines_between_positive_weights() {
        let found = Foresight::new(0, vec![0.0, 10.0, 20.0], vec![0.5, 0.1, 0.2]).unwrap();
        for (per_dollar, expected) in
            [(0.0, 0.5), (1e-9, 0.1), (10.0, 0.1), (15.0, 0.15), (20.0, 0.2), (1e9, 0.2)]
        {
            let spread = found.spread(per_dollar);
            assert!((spread - expected).abs() < 1e-12, "{per_dollar}: {spread}");
        }
        let alone = Foresight::new(0, vec![0.0], vec![0.3]).unwrap();
        assert_eq!((alone.spread(0.0), alone.spread(7.0)), (0.3, 0.3));
    }

    #[test]
    fn what_adds_next_to_nothing_is_not_counted_on() {
        let found = Foresight::new(0, vec![0.0, 1.0], vec![0.1, 0.0]).unwrap();
        assert_eq!(found.ahead(0.0, -0.05), Some(step_ahead(-0.05, 0.1)));
        assert_eq!(found.ahead(0.0, 0.45), None);
        assert_eq!(found.ahead(0.0, -0.45), None);
        assert_eq!(found.ahead(1.0, 0.0), None);
    }

    #[test]
    fn what_is_no_foresight_is_refused() {
        let refusal = |weights: &[f64], spreads: &[f64]| {
            Foresight::new(0, weights.to_vec(), spreads.to_vec()).unwrap_err()
        };
        let length = |n_weights, n_spreads| ForesightError::Length { n_weights, n_spreads };
        assert_eq!(refusal(&[], &[]), length(0, 0));
        assert_eq!(refusal(&[0.0], &[0.1, 0.2]), length(1, 2));
        let weight = |index, found| ForesightError::Weight { index, found };
        assert_eq!(refusal(&[1.0], &[0.1]), weight(0, 1.0));
        assert_eq!(refusal(&[0.0, 0.0], &[0.1, 0.1]), weight(1, 0.0));
        let infinite = refusal(&[0.0, f64::INFINITY], &[0.1, 0.1]);
        assert_eq!(infinite, weight(1, f64::INFINITY));
        assert_eq!(refusal(&[0.0], &[-0.1]), ForesightError::Spread { index: 0, found: -0.1 });
    }

    proptest! {
        /// Whatever the gap, looking ahead is worth no less than not looking, more where more may
        /// happen, and is a probability.
        #[test]
        fn looking_ahead_is_never_worth_less(
            gap in -2.0..2.0_f64,
            spread in 0.0..2.0_f64,
            more in 0.0..1.0_f64,
        ) {
            let found = step_ahead(gap, spread);
            prop_assert!(gap.max(0.0) <= found.value);
            prop_assert!(found.value <= step_ahead(gap, spread + more).value + 1e-12);
            prop_assert!((0.0..=1.0).contains(&found.escalates));
        }
    }
}
