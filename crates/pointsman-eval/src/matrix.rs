//! Full information as matrices: one row per prompt, one column per model.
//!
//! Views of slices, so that tables stay in the crate that knows tables. All numbers are checked
//! to be finite once, here; argmax and sums then need no thought for NaN.
//!
//! ```
//! use pointsman_eval::{baselines::baselines, matrix::{Matrix, Outcomes}};
//!
//! # fn main() -> Result<(), pointsman_eval::error::MatrixError> {
//! // Four prompts, two models; the second is cheaper, and right where the first is not.
//! let quality = Matrix::new(&[1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0], 4, 2)?;
//! let dollars = [0.004, 0.001, 0.004, 0.001, 0.004, 0.001, 0.004, 0.001];
//! let outcomes = Outcomes::new(quality, Some(Matrix::new(&dollars, 4, 2)?))?;
//! let found = baselines(&outcomes);
//! assert_eq!((found.best_single.model_index, found.best_single.quality), (0, 0.75));
//! assert_eq!(found.oracle.quality, 1.0); // the best model of each prompt, known beforehand
//! # Ok(())
//! # }
//! ```

use crate::{error::MatrixError, moments::float_of};

/// A row-major view of one number per prompt and model; at least one of each, all finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Matrix<'a> {
    values: &'a [f64],
    n_rows: usize,
    n_models: usize,
}

impl<'a> Matrix<'a> {
    /// Views `values`, row by row, as `n_rows` prompts by `n_models` models.
    ///
    /// # Errors
    /// [`MatrixError`] for no rows or models, another length, or a number that is not finite.
    pub fn new(values: &'a [f64], n_rows: usize, n_models: usize) -> Result<Self, MatrixError> {
        if n_rows == 0 || n_models == 0 {
            return Err(MatrixError::Empty { n_rows, n_models });
        }
        if n_rows.checked_mul(n_models) != Some(values.len()) {
            return Err(MatrixError::Length { found: values.len(), n_rows, n_models });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(MatrixError::NotFinite {
                row: at / n_models,
                column: at % n_models,
                found: values[at],
            }),
            None => Ok(Self { values, n_rows, n_models }),
        }
    }

    /// The number of prompts.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The number of models.
    pub fn n_models(&self) -> usize {
        self.n_models
    }

    /// The rows in order, each of shape `(n_models,)`.
    pub fn rows(&self) -> impl Iterator<Item = &'a [f64]> + use<'a> {
        self.values.chunks_exact(self.n_models)
    }

    /// The mean of each column, summed in row order. Shape `(n_models,)`.
    pub fn column_means(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_models];
        for row in self.rows() {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums.into_iter().map(|sum| sum / float_of(self.n_rows)).collect()
    }

    fn check_like(&self, other: &Matrix<'_>) -> Result<(), MatrixError> {
        let (left, right) = ((self.n_rows, self.n_models), (other.n_rows, other.n_models));
        if left == right { Ok(()) } else { Err(MatrixError::Shape { left, right }) }
    }
}

/// Quality, and cost where it is known, of every model on every prompt; measured or predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcomes<'a> {
    quality: Matrix<'a>,
    cost_usd: Option<Matrix<'a>>,
}

impl<'a> Outcomes<'a> {
    /// Joins two matrices about the same prompts and models.
    ///
    /// # Errors
    /// [`MatrixError::Shape`] if they differ in shape.
    pub fn new(quality: Matrix<'a>, cost_usd: Option<Matrix<'a>>) -> Result<Self, MatrixError> {
        if let Some(cost) = &cost_usd {
            quality.check_like(cost)?;
        }
        Ok(Self { quality, cost_usd })
    }

    /// The quality of every model on every prompt.
    pub fn quality(&self) -> Matrix<'a> {
        self.quality
    }

    /// What every model cost on every prompt, in dollars.
    pub fn cost_usd(&self) -> Option<Matrix<'a>> {
        self.cost_usd
    }

    /// What a policy that takes model `picks[row]` on each prompt would have had.
    ///
    /// # Errors
    /// [`MatrixError::Rows`] for another number of prompts, [`MatrixError::Pick`] for a model
    /// that is not there.
    pub fn of_picks(&self, picks: &[usize]) -> Result<PolicyOutcomes, MatrixError> {
        let (n_rows, n_models) = (self.quality.n_rows, self.quality.n_models);
        if picks.len() != n_rows {
            return Err(MatrixError::Rows { found: picks.len(), expected: n_rows });
        }
        if let Some(row) = picks.iter().position(|&pick| n_models <= pick) {
            return Err(MatrixError::Pick { row, found: picks[row], n_models });
        }
        let picked =
            |matrix: Matrix<'_>| matrix.rows().zip(picks).map(|(row, &pick)| row[pick]).collect();
        Ok(PolicyOutcomes { quality: picked(self.quality), cost_usd: self.cost_usd.map(picked) })
    }

    /// What a policy that draws model `column` with probability `shares[column]` would have had
    /// on average; `shares` may also differ by prompt, as a matrix of this shape.
    ///
    /// # Errors
    /// [`MatrixError::Shape`] if `shares` has another shape.
    pub fn of_shares(&self, shares: Matrix<'_>) -> Result<PolicyOutcomes, MatrixError> {
        self.quality.check_like(&shares)?;
        let mixed = |matrix: Matrix<'_>| matrix.rows().zip(shares.rows()).map(dot).collect();
        Ok(PolicyOutcomes { quality: mixed(self.quality), cost_usd: self.cost_usd.map(mixed) })
    }

    /// Checks that `other` is about the same prompts and models, with costs on both sides or
    /// on none.
    pub(crate) fn check_like(&self, other: &Outcomes<'_>) -> Result<(), MatrixError> {
        self.quality.check_like(&other.quality)?;
        if self.cost_usd.is_some() == other.cost_usd.is_some() {
            return Ok(());
        }
        Err(MatrixError::CostOnOneSide)
    }
}

/// What one policy had on each prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyOutcomes {
    /// Quality per prompt.
    pub quality: Vec<f64>,
    /// Cost per prompt in dollars, where it is known.
    pub cost_usd: Option<Vec<f64>>,
}

/// A mean cost and the mean quality it bought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostQuality {
    /// Mean cost per prompt, in dollars.
    pub cost_usd: f64,
    /// Mean quality per prompt.
    pub quality: f64,
}

impl PolicyOutcomes {
    /// The policy's mean cost and quality; `None` without costs.
    pub fn point(&self) -> Option<CostQuality> {
        let cost_usd = ordered_mean(self.cost_usd.as_deref()?);
        Some(CostQuality { cost_usd, quality: ordered_mean(&self.quality) })
    }
}

/// The index of the largest score; the first one on a tie. Zero for no scores.
pub(crate) fn first_best(scores: &[f64]) -> usize {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = index;
        }
    }
    best
}

/// The mean in row order. Zero for no values.
pub(crate) fn ordered_mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / float_of(values.len().max(1))
}

fn dot((left, right): (&[f64], &[f64])) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refusal(values: &[f64], n_rows: usize, n_models: usize, sentence: &str) {
        let error = Matrix::new(values, n_rows, n_models).unwrap_err().to_string();
        assert!(error.starts_with(sentence), "said: {error}");
    }

    #[test]
    fn a_matrix_is_a_full_rectangle_of_numbers() {
        check_refusal(&[], 0, 3, "the matrix has 0 prompts and 3 models;");
        check_refusal(&[], 3, 0, "the matrix has 3 prompts and 0 models;");
        check_refusal(&[1.0; 5], 2, 3, "5 numbers do not fill 2 prompts by 3 models");
        check_refusal(&[1.0; 5], usize::MAX, 2, "5 numbers do not fill");
        check_refusal(
            &[0.0, 0.0, 0.0, f64::NAN],
            2,
            2,
            "prompt 1, model 1: NaN is not a finite number;",
        );
    }

    #[test]
    fn column_means_are_by_model() {
        let matrix = Matrix::new(&[1.0, 2.0, 3.0, 6.0], 2, 2).unwrap();
        assert_eq!(matrix.column_means(), [2.0, 4.0]);
    }

    #[test]
    fn picks_and_shares_read_the_same_cells() {
        let quality = Matrix::new(&[1.0, 0.0, 0.5, 0.25], 2, 2).unwrap();
        let cost = Matrix::new(&[4.0, 2.0, 6.0, 8.0], 2, 2).unwrap();
        let outcomes = Outcomes::new(quality, Some(cost)).unwrap();
        let picked = outcomes.of_picks(&[1, 0]).unwrap();
        assert_eq!((picked.quality, picked.cost_usd), (vec![0.0, 0.5], Some(vec![2.0, 6.0])));
        let shares = Matrix::new(&[0.5, 0.5, 0.0, 1.0], 2, 2).unwrap();
        let mixed = outcomes.of_shares(shares).unwrap();
        assert_eq!((mixed.quality, mixed.cost_usd), (vec![0.5, 0.25], Some(vec![3.0, 8.0])));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let two = Matrix::new(&[1.0, 0.0, 0.5, 0.25], 2, 2).unwrap();
        let one = Matrix::new(&[1.0, 0.0], 1, 2).unwrap();
        let shape = MatrixError::Shape { left: (2, 2), right: (1, 2) };
        assert_eq!(Outcomes::new(two, Some(one)), Err(shape));
        let outcomes = Outcomes::new(two, None).unwrap();
        assert_eq!(outcomes.of_shares(one), Err(shape));
        assert_eq!(outcomes.of_picks(&[0]), Err(MatrixError::Rows { found: 1, expected: 2 }));
        let pick = MatrixError::Pick { row: 1, found: 2, n_models: 2 };
        assert_eq!(outcomes.of_picks(&[0, 2]), Err(pick));
        let costly = Outcomes::new(two, Some(two)).unwrap();
        assert_eq!(outcomes.check_like(&costly), Err(MatrixError::CostOnOneSide));
    }

    #[test]
    fn the_first_of_equals_is_best() {
        assert_eq!(first_best(&[0.5, 0.7, 0.7]), 1);
        assert_eq!(first_best(&[-2.0, -2.0]), 0);
    }
}
