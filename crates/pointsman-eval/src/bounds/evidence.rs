//! The rows of a log with what is known about them beforehand: the one argument of every bound.
//!
//! A finite-sample bound is only as good as what is stated without looking at the rows: the range
//! of one outcome and, if there is one, the largest weight. Both are arguments here and the rows
//! are held against them; nothing is ever taken from the sample instead. Weakness: rows count as
//! independent, so turns of one conversation make bounds too narrow.

use super::error::BoundError;

/// What one outcome can be, from the lowest to the highest, known before the log was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRange {
    lower: f64,
    upper: f64,
}

impl ValueRange {
    /// Grades from nothing to perfect.
    pub const QUALITY: Self = Self { lower: 0.0, upper: 1.0 };

    /// # Errors
    /// [`BoundError::Range`] unless both ends and their distance are finite and `lower < upper`.
    pub fn new(lower: f64, upper: f64) -> Result<Self, BoundError> {
        if lower < upper && (upper - lower).is_finite() {
            return Ok(Self { lower, upper });
        }
        Err(BoundError::Range { lower, upper })
    }

    /// The lowest outcome there can be.
    pub fn lower(self) -> f64 {
        self.lower
    }

    /// The highest outcome there can be.
    pub fn upper(self) -> f64 {
        self.upper
    }

    pub(crate) fn width(self) -> f64 {
        self.upper - self.lower
    }

    fn check(self, column: &'static str, values: &[f64]) -> Result<(), BoundError> {
        let Self { lower, upper } = self;
        let slack = 1e-12 * self.width();
        for (row, &found) in values.iter().enumerate() {
            if !(lower - slack <= found && found <= upper + slack) {
                return Err(BoundError::Outside { row, column, found, lower, upper });
            }
        }
        Ok(())
    }
}

/// What the policy's value is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rival<'a> {
    /// Nothing: the value itself is asked for.
    Nothing,
    /// The logging policy, whose weights are all one.
    Logged,
    /// Another policy on the same rows, by its weights.
    Policy(&'a [f64]),
}

/// A reward model's predictions, made by a model that was not trained on the row itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Predicted<'a> {
    /// For the model that was taken.
    pub taken: &'a [f64],
    /// Averaged over the policy's distribution.
    pub expected: &'a [f64],
    /// Averaged over the rival's distribution; read only against [`Rival::Policy`].
    pub expected_by_rival: &'a [f64],
}

/// Checked rows, with what was stated about them.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    pub(crate) weights: &'a [f64],
    pub(crate) values: &'a [f64],
    pub(crate) range: ValueRange,
    pub(crate) rival: Rival<'a>,
    pub(crate) predicted: Option<Predicted<'a>>,
    pub(crate) is_cross_fitted: bool,
    pub(crate) largest_weight: Option<f64>,
    pub(crate) unsupported_share: f64,
}

impl<'a> Evidence<'a> {
    /// Rows of a policy's weights and the outcomes that were logged.
    ///
    /// # Errors
    /// [`BoundError`] for columns of different lengths, a weight that is negative or not finite,
    /// and an outcome outside `range`.
    pub fn new(
        weights: &'a [f64],
        values: &'a [f64],
        range: ValueRange,
    ) -> Result<Self, BoundError> {
        check_weights(weights)?;
        check_length("values", values, weights.len())?;
        range.check("value", values)?;
        Ok(Self {
            weights,
            values,
            range,
            rival: Rival::Nothing,
            predicted: None,
            is_cross_fitted: false,
            largest_weight: None,
            unsupported_share: 0.0,
        })
    }

    /// Asks for the difference to `rival` on the same rows instead of the value.
    ///
    /// # Errors
    /// As [`Evidence::new`] for the rival's weights.
    pub fn against(mut self, rival: Rival<'a>) -> Result<Self, BoundError> {
        if let Rival::Policy(weights) = rival {
            check_length("rival weights", weights, self.n_rows())?;
            check_weights(weights)?;
        }
        self.rival = rival;
        Ok(self)
    }

    /// Adds predictions, for doubly robust values and bounds. Call after [`Evidence::against`].
    ///
    /// # Errors
    /// [`BoundError`] for columns of different lengths and predictions outside the range.
    pub fn with_predictions(mut self, predicted: Predicted<'a>) -> Result<Self, BoundError> {
        let Predicted { taken, expected, expected_by_rival } = predicted;
        let mut columns = vec![("taken prediction", taken), ("expected prediction", expected)];
        if let Rival::Policy(_) = self.rival {
            columns.push(("prediction expected by the rival", expected_by_rival));
        }
        for (column, values) in columns {
            check_length(column, values, self.n_rows())?;
            self.range.check(column, values)?;
        }
        self.predicted = Some(predicted);
        Ok(self)
    }

    /// Adds predictions that were learned from the other rows of the same log. Each is right for its
    /// own row, but together they depend on all outcomes: estimates and asymptotic intervals rest on
    /// them, bounds that hold at every number of rows do not. Call after [`Evidence::against`].
    ///
    /// # Errors
    /// As [`Evidence::with_predictions`].
    pub fn with_cross_fitted_predictions(
        self,
        predicted: Predicted<'a>,
    ) -> Result<Self, BoundError> {
        Ok(Self { is_cross_fitted: true, ..self.with_predictions(predicted)? })
    }

    /// States that the logger could take whatever the policies would, and that no weight of
    /// theirs can exceed `largest_weight`: one over the logger's smallest probability, say. It
    /// must be known without the rows. Bounds then use that weights average one, which narrows
    /// them much; if it is not true they do not hold. Call after [`Evidence::against`].
    ///
    /// # Errors
    /// [`BoundError::LargestWeight`] for a number below one, [`BoundError::Heavy`] for a row that
    /// refutes it.
    pub fn with_full_support(mut self, largest_weight: f64) -> Result<Self, BoundError> {
        if !(largest_weight.is_finite() && 1.0 <= largest_weight) {
            return Err(BoundError::LargestWeight { found: largest_weight });
        }
        check_heavy(self.weights, largest_weight)?;
        if let Rival::Policy(weights) = self.rival {
            check_heavy(weights, largest_weight)?;
        }
        self.largest_weight = (self.unsupported_share == 0.0).then_some(largest_weight);
        Ok(self)
    }

    /// States the policies' mean mass on models that the logger could not have taken; of two
    /// policies, the larger. Above zero, every bound counts that mass at its worst.
    ///
    /// # Errors
    /// [`BoundError::Unsupported`] for anything that is not a share.
    pub fn with_unsupported_share(mut self, share: f64) -> Result<Self, BoundError> {
        if !(0.0..=1.0).contains(&share) {
            return Err(BoundError::Unsupported { found: share });
        }
        self.unsupported_share = share;
        if 0.0 < share {
            self.largest_weight = None;
        }
        Ok(self)
    }

    /// The number of rows.
    pub fn n_rows(&self) -> usize {
        self.weights.len()
    }

    /// The policy's weights. Shape `(n_rows,)`.
    pub fn weights(&self) -> &'a [f64] {
        self.weights
    }

    /// The outcomes. Shape `(n_rows,)`.
    pub fn values(&self) -> &'a [f64] {
        self.values
    }

    /// The least and the greatest that a value, or a difference, can be.
    pub fn extremes(&self) -> (f64, f64) {
        match self.rival {
            Rival::Nothing => (self.range.lower, self.range.upper),
            Rival::Logged | Rival::Policy(_) => (-self.range.width(), self.range.width()),
        }
    }

    /// The rival's weight of each row; zero where there is no rival.
    pub(crate) fn rival_weight(&self, row: usize) -> f64 {
        match self.rival {
            Rival::Nothing => 0.0,
            Rival::Logged => 1.0,
            Rival::Policy(weights) => weights[row],
        }
    }
}

fn check_length(column: &'static str, values: &[f64], expected: usize) -> Result<(), BoundError> {
    if values.len() == expected {
        return Ok(());
    }
    Err(BoundError::Length { column, found: values.len(), expected })
}

fn check_weights(weights: &[f64]) -> Result<(), BoundError> {
    match weights.iter().position(|it| !(it.is_finite() && 0.0 <= *it)) {
        Some(row) => Err(BoundError::Weight { row, found: weights[row] }),
        None => Ok(()),
    }
}

fn check_heavy(weights: &[f64], stated: f64) -> Result<(), BoundError> {
    match weights.iter().position(|&it| it > stated * (1.0 + 1e-9)) {
        Some(row) => Err(BoundError::Heavy { row, found: weights[row], stated }),
        None => Ok(()),
    }
}
