//! What came of the training requests: for every model, or for the one that was drawn.

use pointsman_core::units::{Propensity, len_as_float};

/// Outcomes beside a [`crate::design::Design`]: one entry per (row, model), row after row.
///
/// NaN marks what was not seen. With full information every model's quality is seen on every row;
/// in a log, one model's.
#[derive(Debug, Clone)]
pub struct Outcomes {
    n_models: usize,
    quality: Vec<f32>,
    cost_usd: Option<Vec<f64>>,
    output_tokens: Option<Vec<f32>>,
    logged: Option<Logged>,
}

/// The draws of a log.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    /// The drawn model of each row.
    pub(crate) taken: Vec<u16>,
    /// Its propensity.
    pub(crate) propensity: Vec<f64>,
}

/// Outcomes that cannot be trained on.
#[expect(missing_docs, reason = "the message documents the fields")]
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum OutcomesError {
    /// Routing needs a choice.
    #[error("there are outcomes of {found} model; routing needs at least two")]
    TooFewModels { found: usize },
    /// Columns that are not of one shape.
    #[error("`{column}` has {found} entries where {expected} are needed")]
    Length { column: &'static str, found: usize, expected: usize },
    /// Quality that was not seen although all was said to be, or that is out of range.
    #[error("row {row}, model {model}: a quality of {value} is not in [0, 1]")]
    Quality { row: usize, model: usize, value: f32 },
}

/// One drawn model and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoggedOutcome {
    /// The drawn model.
    pub taken: u16,
    /// The probability with which it had been drawn.
    pub propensity: Propensity,
    /// In `[0, 1]`.
    pub quality: f32,
    /// Dollars, where known.
    pub cost_usd: Option<f64>,
    /// Tokens, where known.
    pub output_tokens: Option<u32>,
}

impl Outcomes {
    /// Full information: `quality` of shape `(n_rows, n_models)`, and costs and output tokens of
    /// the same shape where they are known (NaN where single ones are not).
    ///
    /// # Errors
    /// [`OutcomesError`] where shapes differ or a quality is not in `[0, 1]`.
    pub fn full(
        n_models: usize,
        quality: Vec<f32>,
        cost_usd: Option<Vec<f64>>,
        output_tokens: Option<Vec<f32>>,
    ) -> Result<Self, OutcomesError> {
        if n_models < 2 {
            return Err(OutcomesError::TooFewModels { found: n_models });
        }
        let expected = quality.len();
        let lengths = [
            ("cost_usd", cost_usd.as_ref().map(Vec::len)),
            ("output_tokens", output_tokens.as_ref().map(Vec::len)),
            ("quality", Some(quality.len() / n_models * n_models)),
        ];
        for (column, found) in lengths {
            if let Some(found) = found.filter(|&found| found != expected) {
                return Err(OutcomesError::Length { column, found, expected });
            }
        }
        if let Some(at) = quality.iter().position(|value| !(0.0..=1.0).contains(value)) {
            let (row, model, value) = (at / n_models, at % n_models, quality[at]);
            return Err(OutcomesError::Quality { row, model, value });
        }
        Ok(Self { n_models, quality, cost_usd, output_tokens, logged: None })
    }

    /// A log: one outcome per row.
    ///
    /// # Errors
    /// [`OutcomesError`] where a quality is not in `[0, 1]` or there are fewer than two models.
    pub fn logged(n_models: usize, rows: &[LoggedOutcome]) -> Result<Self, OutcomesError> {
        if n_models < 2 {
            return Err(OutcomesError::TooFewModels { found: n_models });
        }
        let n_entries = rows.len() * n_models;
        let mut quality = vec![f32::NAN; n_entries];
        let has = |known: fn(&LoggedOutcome) -> bool| rows.iter().any(known);
        let mut cost_usd = has(|row| row.cost_usd.is_some()).then(|| vec![f64::NAN; n_entries]);
        let mut output_tokens =
            has(|row| row.output_tokens.is_some()).then(|| vec![f32::NAN; n_entries]);
        for (row, outcome) in rows.iter().enumerate() {
            let (model, value) = (usize::from(outcome.taken), outcome.quality);
            if !(0.0..=1.0).contains(&value) || n_models <= model {
                return Err(OutcomesError::Quality { row, model, value });
            }
            let at = row * n_models + model;
            quality[at] = value;
            if let (Some(costs), Some(cost)) = (&mut cost_usd, outcome.cost_usd) {
                costs[at] = cost;
            }
            if let (Some(all), Some(tokens)) = (&mut output_tokens, outcome.output_tokens) {
                all[at] = as_f32(tokens);
            }
        }
        let logged = Logged {
            taken: rows.iter().map(|row| row.taken).collect(),
            propensity: rows.iter().map(|row| row.propensity.get()).collect(),
        };
        Ok(Self { n_models, quality, cost_usd, output_tokens, logged: Some(logged) })
    }

    /// How many models there are.
    pub fn n_models(&self) -> usize {
        self.n_models
    }

    /// How many requests there are.
    pub fn n_rows(&self) -> usize {
        self.quality.len() / self.n_models
    }

    /// How many outcomes were seen.
    pub fn n_outcomes(&self) -> usize {
        self.quality.iter().filter(|value| !value.is_nan()).count()
    }

    pub(crate) fn quality(&self, row: usize) -> &[f32] {
        &self.quality[row * self.n_models..][..self.n_models]
    }

    pub(crate) fn cost_usd(&self) -> Option<&[f64]> {
        self.cost_usd.as_deref()
    }

    pub(crate) fn output_tokens(&self) -> Option<&[f32]> {
        self.output_tokens.as_deref()
    }

    pub(crate) fn draws(&self) -> Option<&Logged> {
        self.logged.as_ref()
    }

    /// The weight of each (row, model) in the fit: one where everything is seen; in a log, one
    /// over the propensity, scaled to a mean of one per model.
    pub(crate) fn fit_weights(&self) -> Vec<f32> {
        let Some(Logged { taken, propensity }) = &self.logged else {
            return vec![1.0; self.quality.len()];
        };
        let mut totals = vec![(0.0, 0_usize); self.n_models];
        for (&model, propensity) in taken.iter().zip(propensity) {
            let (total, n) = &mut totals[usize::from(model)];
            *total += 1.0 / propensity;
            *n += 1;
        }
        let mut weights = vec![0.0; self.quality.len()];
        for (row, (&model, propensity)) in taken.iter().zip(propensity).enumerate() {
            let (total, n) = totals[usize::from(model)];
            let weight = len_as_float(n) / (propensity * total);
            weights[row * self.n_models + usize::from(model)] = narrow(weight);
        }
        weights
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the fit is in single precision")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "token counts above 2^24 may round")]
fn as_f32(count: u32) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_information_is_checked() {
        let full = |n, quality: &[f32]| Outcomes::full(n, quality.to_vec(), None, None);
        assert!(full(2, &[0.0, 1.0, 0.5, 0.5]).is_ok());
        assert!(matches!(full(1, &[0.0]), Err(OutcomesError::TooFewModels { found: 1 })));
        assert!(matches!(full(2, &[0.0; 3]), Err(OutcomesError::Length { .. })));
        let error = full(2, &[0.0, 1.0, 1.5, 0.0]).unwrap_err();
        assert_eq!(error.to_string(), "row 1, model 0: a quality of 1.5 is not in [0, 1]");
    }

    #[test]
    fn weights_of_a_log_have_mean_one_per_model() {
        let row = |taken, propensity| LoggedOutcome {
            taken,
            propensity: Propensity::new(propensity).unwrap(),
            quality: 1.0,
            cost_usd: None,
            output_tokens: None,
        };
        let rows = [row(0, 0.5), row(0, 0.25), row(1, 0.1)];
        let weights = Outcomes::logged(2, &rows).unwrap().fit_weights();
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6);
        close(weights[0], 2.0 / 3.0);
        close(weights[2], 4.0 / 3.0);
        close(weights[5], 1.0);
        close(weights[1] + weights[3] + weights[4], 0.0);
    }
}
