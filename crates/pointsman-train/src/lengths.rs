//! What is predicted of output tokens and costs, and whether output tokens have a length of their
//! own.
//!
//! One length for all that varies in a request's answers is learned with the models' qualities.
//! Where costs are known it is that of costs, which are mostly the prompt's where answers are
//! short; then output tokens may have a second length, one more column, fitted to them by ridge
//! regression at the best of the usual strengths. It stays only where lines on it foretell
//! held-out rows better than lines on the first one. A log has neither. Weakness: both are common
//! to all models, who differ by their levels and slopes.

use crate::{
    columns::{Columns, Effort, block},
    cost::{Length, Lines},
    fitted::Fitted,
    fold::N_FOLDS,
    outcomes::narrow,
    problem::{HeldOutFits, Problem},
    train::STRENGTHS,
};

/// Lines of tokens and costs, and the lengths they are drawn on.
pub(crate) struct Lengths {
    /// The length that costs are read from, and output tokens if they have none of their own.
    pub(crate) shared: Length,
    pub(crate) output_tokens: Option<Lines>,
    pub(crate) cost_usd: Option<Lines>,
    /// The second length, where it was kept.
    pub(crate) own: Option<OwnLength>,
    /// What the second length is worth, where one was tried.
    pub(crate) own_value: Option<LengthValue>,
    /// What trying it took.
    pub(crate) effort: Effort,
}

/// A second length, for output tokens alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct OwnLength {
    strength: f64,
    /// What is taken off to centre it.
    centre: f64,
}

/// How well lengths foretell the logarithms of output tokens on held-out rows: mean squared errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LengthValue {
    /// By the length that costs have too.
    pub shared: f64,
    /// By a length of their own.
    pub own: f64,
}

impl LengthValue {
    /// Whether output tokens have a length of their own.
    pub fn is_kept(&self) -> bool {
        self.own < self.shared
    }
}

impl Problem<'_> {
    /// Lines on the length at one candidate's strength, and for output tokens on a length of their
    /// own where that is better.
    pub(crate) fn lengths(&self, fits: &HeldOutFits, strength: Option<usize>) -> Lengths {
        let shared = match strength {
            Some(strength) => {
                let all = &fits.predictions[strength];
                let column = all.iter().skip(self.n_models).step_by(self.n_models + 1);
                Length::new(&column.map(|value| f64::from(*value)).collect::<Vec<_>>())
            }
            None => Length::none(self.set.rows.len()),
        };
        let lines = |values: &Option<Vec<f64>>| {
            let folds = Some(&fits.folds[..]);
            values.as_ref().and_then(|values| shared.lines(values, self.n_models, folds))
        };
        let (output_tokens, cost_usd) = (lines(&self.tokens), lines(&self.costs));
        let mut lengths = Lengths {
            shared,
            output_tokens,
            cost_usd,
            own: None,
            own_value: None,
            effort: Effort::default(),
        };
        self.try_own(&fits.folds, &mut lengths);
        lengths
    }

    /// Gives output tokens a length of their own where that is better.
    fn try_own(&self, folds: &[usize], lengths: &mut Lengths) {
        let (Some(target), Some(tokens)) = (&self.token_target, &self.tokens) else { return };
        let shared = lengths.output_tokens.as_ref().and_then(|found| found.value);
        let Some(shared) = shared else { return };
        let mut held_out = vec![vec![0.0_f64; target.len()]; STRENGTHS.len()];
        for fold in 0..N_FOLDS {
            let columns = column(target, |row| folds[row] != fold);
            let (predicted, effort) = columns.predictions(&self.kernel, &STRENGTHS);
            lengths.effort.add(effort);
            for (all, predicted) in held_out.iter_mut().zip(&predicted) {
                for row in (0..target.len()).filter(|&row| folds[row] == fold) {
                    all[row] = f64::from(predicted[row]);
                }
            }
        }
        let error = |predicted: &Vec<f64>| -> f64 {
            target.iter().zip(predicted).map(|(t, p)| (f64::from(*t) - p).powi(2)).sum()
        };
        let errors: Vec<f64> = held_out.iter().map(error).collect();
        let best = (0..errors.len()).min_by(|&a, &b| errors[a].total_cmp(&errors[b]));
        let Some(best) = best else { return };
        let length = Length::new(&held_out[best]);
        let Some(lines) = length.lines(tokens, self.n_models, Some(folds)) else { return };
        let Some(own) = lines.value else { return };
        let value = LengthValue { shared: shared.least(), own: own.least() };
        lengths.own_value = Some(value);
        if value.is_kept() {
            lengths.own = Some(OwnLength { strength: STRENGTHS[best], centre: length.centre });
            lengths.output_tokens = Some(lines);
        }
    }

    /// Adds the second length as the last column.
    pub(crate) fn append_own_length(&self, own: OwnLength, fitted: &mut Fitted) {
        let OwnLength { strength, centre } = own;
        let target = self.token_target.as_deref().unwrap_or_default();
        let shares = [vec![1.0]];
        let (duals, _) = column(target, |_| true).duals(&self.kernel, &[strength], &[&shares[..]]);
        let dual: Vec<[f32; 1]> = duals.first().map_or_else(Vec::new, |dual| block(dual, 1, 0));
        fitted.append(&self.kernel, &self.kernel.transposed(&dual));
        if let Some(last) = fitted.offsets.last_mut() {
            *last -= narrow(centre);
        }
    }
}

/// One column with some of the rows.
fn column(target: &[f32], is_used: impl Fn(usize) -> bool) -> Columns {
    let weight = |row: usize| if is_used(row) { 1.0 } else { 0.0 };
    let weights: Vec<f32> = (0..target.len()).map(weight).collect();
    Columns { n_columns: 1, target: target.to_vec(), weights }
}
