//! Logged bandit rounds against one target policy, as checked columns.
//!
//! Every estimator reads these columns and trusts them, so everything that can be wrong with a
//! log is found here and named by its row. Nothing is repaired: a propensity of zero or above
//! one means that the log is wrong, and a replaced number would hide it.

use std::collections::BTreeMap;

use pointsman_core::units::{Probability, Propensity};

use crate::error::RoundsError;

/// How far the target's shares of one row may exceed one by rounding.
const MASS_TOLERANCE: f64 = 2e-5;

/// Columns as they come from a join, unchecked. One entry per graded decision, all in the same
/// order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoundColumns {
    /// How likely the logger was to take the model it took, in `(0, 1]`.
    pub propensity: Vec<f64>,
    /// How likely the target policy would be to take that same model, in `[0, 1]`.
    pub target: Vec<f64>,
    /// What the taken model earned; any finite unit.
    pub reward: Vec<f64>,
    /// A reward model's predictions, for DR and DM.
    pub predictions: Option<Predictions>,
    /// The predictions that MRDR takes instead, fitted for this target.
    pub mrdr_predictions: Option<Predictions>,
    /// A classifier's odds that a row's prompt and model come from the target and not from the log,
    /// for balanced IPS; finite and not negative.
    pub imitation_weight: Option<Vec<f64>>,
    /// The target's share on models the logger could not have taken, in `[0, 1]`; absent when
    /// the log does not say which models were eligible.
    pub unsupported_mass: Option<Vec<f64>>,
    /// Rows that the caller had to leave out, counted by reason.
    pub dropped: BTreeMap<String, u64>,
}

/// A reward model's predictions, made by a model that was not trained on the row itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// The predicted reward of the model that was taken.
    pub taken: Vec<f64>,
    /// The predicted reward averaged over the target policy's distribution.
    pub expected: Vec<f64>,
}

/// Logged rounds that have been checked; the only way to get them is [`LoggedRounds::new`].
///
/// There may be no rows at all: that is for the estimators to refuse.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRounds {
    weight: Vec<f64>,
    target: Vec<f64>,
    reward: Vec<f64>,
    predictions: Option<Predictions>,
    mrdr_predictions: Option<Predictions>,
    imitation_weight: Option<Vec<f64>>,
    unsupported_mass: Option<Vec<f64>>,
    dropped: BTreeMap<String, u64>,
}

impl LoggedRounds {
    /// Checks every length and every value.
    ///
    /// # Errors
    /// [`RoundsError`] for the first column of another length, or the first value out of range.
    pub fn new(columns: RoundColumns) -> Result<Self, RoundsError> {
        let RoundColumns {
            propensity,
            target,
            reward,
            predictions,
            mrdr_predictions,
            imitation_weight,
            unsupported_mass,
            dropped,
        } = columns;
        let n_rows = propensity.len();
        check_length("target", &target, n_rows)?;
        check_length("reward", &reward, n_rows)?;
        check_finite("reward", &reward)?;
        let weight = weights(&propensity, &target)?;
        let names = ["predictions.taken", "predictions.expected"];
        check_predictions(names, predictions.as_ref(), n_rows)?;
        let names = ["mrdr_predictions.taken", "mrdr_predictions.expected"];
        check_predictions(names, mrdr_predictions.as_ref(), n_rows)?;
        if let Some(odds) = &imitation_weight {
            check_length("imitation_weight", odds, n_rows)?;
            check_odds(odds)?;
        }
        if let Some(unsupported) = &unsupported_mass {
            check_length("unsupported_mass", unsupported, n_rows)?;
            check_mass(&target, unsupported)?;
        }
        Ok(Self {
            weight,
            target,
            reward,
            predictions,
            mrdr_predictions,
            imitation_weight,
            unsupported_mass,
            dropped,
        })
    }

    /// The number of graded decisions.
    pub fn n_rows(&self) -> usize {
        self.reward.len()
    }

    /// Importance weights: target probability over propensity. Shape `(n_rows,)`, finite, not
    /// negative.
    pub fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// How likely the target would be to take the taken models. Shape `(n_rows,)`, in `[0, 1]`.
    pub fn target(&self) -> &[f64] {
        &self.target
    }

    /// What the taken models earned. Shape `(n_rows,)`, finite.
    pub fn reward(&self) -> &[f64] {
        &self.reward
    }

    /// The reward model's predictions, if there are any. Shapes `(n_rows,)`, finite.
    pub fn predictions(&self) -> Option<&Predictions> {
        self.predictions.as_ref()
    }

    /// The predictions for MRDR, if there are any. Shapes `(n_rows,)`, finite.
    pub fn mrdr_predictions(&self) -> Option<&Predictions> {
        self.mrdr_predictions.as_ref()
    }

    /// The odds for balanced IPS, if there are any. Shape `(n_rows,)`, finite, not negative.
    pub fn imitation_weight(&self) -> Option<&[f64]> {
        self.imitation_weight.as_deref()
    }

    /// The target's share on models the logger could not have taken, if known. Shape
    /// `(n_rows,)`, in `[0, 1]`.
    pub fn unsupported_mass(&self) -> Option<&[f64]> {
        self.unsupported_mass.as_deref()
    }

    /// Rows that the caller had to leave out, by reason.
    pub fn dropped(&self) -> &BTreeMap<String, u64> {
        &self.dropped
    }
}

fn weights(propensity: &[f64], target: &[f64]) -> Result<Vec<f64>, RoundsError> {
    let mut weights = Vec::with_capacity(propensity.len());
    for (row, (&logged, &wanted)) in propensity.iter().zip(target).enumerate() {
        let logged = Propensity::new(logged)
            .map_err(|_| RoundsError::Propensity { row, found: logged })?
            .get();
        let wanted = check_share("target", row, wanted)?;
        let weight = wanted / logged;
        if !weight.is_finite() {
            return Err(RoundsError::Weight { row, target: wanted, propensity: logged });
        }
        weights.push(weight);
    }
    Ok(weights)
}

fn check_predictions(
    [taken_name, expected_name]: [&'static str; 2],
    predictions: Option<&Predictions>,
    n_rows: usize,
) -> Result<(), RoundsError> {
    let Some(Predictions { taken, expected }) = predictions else { return Ok(()) };
    check_length(taken_name, taken, n_rows)?;
    check_length(expected_name, expected, n_rows)?;
    check_finite(taken_name, taken)?;
    check_finite(expected_name, expected)
}

fn check_odds(odds: &[f64]) -> Result<(), RoundsError> {
    match odds.iter().position(|odds| !(odds.is_finite() && 0.0 <= *odds)) {
        Some(row) => Err(RoundsError::Odds { row, found: odds[row] }),
        None => Ok(()),
    }
}

fn check_mass(target: &[f64], unsupported_mass: &[f64]) -> Result<(), RoundsError> {
    for (row, (&target, &unsupported)) in target.iter().zip(unsupported_mass).enumerate() {
        let unsupported = check_share("unsupported_mass", row, unsupported)?;
        if target + unsupported > 1.0 + MASS_TOLERANCE {
            return Err(RoundsError::TooMuchMass { row, target, unsupported });
        }
    }
    Ok(())
}

fn check_share(column: &'static str, row: usize, found: f64) -> Result<f64, RoundsError> {
    match Probability::new(found) {
        Ok(share) => Ok(share.get()),
        Err(_) => Err(RoundsError::Share { row, column, found }),
    }
}

fn check_length(column: &'static str, values: &[f64], expected: usize) -> Result<(), RoundsError> {
    if values.len() == expected {
        return Ok(());
    }
    Err(RoundsError::Length { column, found: values.len(), expected })
}

fn check_finite(column: &'static str, values: &[f64]) -> Result<(), RoundsError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(row) => Err(RoundsError::NotFinite { row, column, found: values[row] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_rows() -> RoundColumns {
        RoundColumns {
            propensity: vec![0.5, 0.25, 1.0],
            target: vec![1.0, 0.5, 0.0],
            reward: vec![1.0, 0.0, -3.0],
            predictions: Some(Predictions { taken: vec![0.5; 3], expected: vec![0.4; 3] }),
            mrdr_predictions: Some(Predictions { taken: vec![0.1; 3], expected: vec![0.2; 3] }),
            imitation_weight: Some(vec![0.0, 2.0, 0.5]),
            unsupported_mass: Some(vec![0.0, 0.5, 1.0]),
            dropped: BTreeMap::from([("no grade".to_owned(), 4)]),
        }
    }

    #[track_caller]
    fn check_refusal(break_it: impl FnOnce(&mut RoundColumns), sentence: &str) {
        let mut columns = three_rows();
        break_it(&mut columns);
        let error = LoggedRounds::new(columns).unwrap_err().to_string();
        assert!(error.starts_with(sentence), "said: {error}");
    }

    #[test]
    fn good_columns_become_weights() {
        let rounds = LoggedRounds::new(three_rows()).unwrap();
        assert_eq!(rounds.n_rows(), 3);
        assert_eq!(rounds.weight(), [2.0, 2.0, 0.0]);
        assert_eq!(rounds.reward(), [1.0, 0.0, -3.0]);
        assert_eq!(rounds.unsupported_mass(), Some([0.0, 0.5, 1.0].as_slice()));
        assert_eq!(rounds.dropped()["no grade"], 4);
        assert!(rounds.predictions().is_some());
    }

    #[test]
    fn an_empty_log_is_a_log() {
        assert_eq!(LoggedRounds::new(RoundColumns::default()).unwrap().n_rows(), 0);
    }

    #[test]
    fn every_refusal_names_the_row() {
        check_refusal(|it| it.propensity[1] = 1.5, "row 1: propensity 1.5 is not in (0, 1];");
        check_refusal(|it| it.propensity[2] = 0.0, "row 2: propensity 0 is not in (0, 1];");
        check_refusal(|it| it.propensity[0] = -0.1, "row 0: propensity -0.1 is not in (0, 1];");
        check_refusal(|it| it.propensity[0] = f64::NAN, "row 0: propensity NaN");
        check_refusal(|it| it.propensity[1] = 5e-324, "row 1: the weight 0.5 / ");
        check_refusal(|it| it.target[2] = 1.25, "row 2: target 1.25 is not in [0, 1];");
        check_refusal(|it| it.target[2] = -1e-9, "row 2: target -0.000000001 is not in [0, 1];");
        check_refusal(|it| it.reward[1] = f64::NAN, "row 1: reward NaN is not a finite number;");
        check_refusal(|it| it.reward[1] = f64::INFINITY, "row 1: reward inf");
        check_refusal(
            |it| it.unsupported_mass = Some(vec![0.0, 2.0, 0.0]),
            "row 1: unsupported_mass 2 is not in [0, 1];",
        );
        check_refusal(
            |it| it.unsupported_mass = Some(vec![0.5, 0.0, 0.0]),
            "row 0: target 1 and unsupported mass 0.5 add up to more than 1;",
        );
        check_refusal(
            |it| it.predictions.as_mut().unwrap().expected[2] = f64::NAN,
            "row 2: predictions.expected NaN is not a finite number;",
        );
        check_refusal(
            |it| it.mrdr_predictions.as_mut().unwrap().taken[0] = f64::INFINITY,
            "row 0: mrdr_predictions.taken inf is not a finite number;",
        );
        check_refusal(
            |it| it.imitation_weight = Some(vec![1.0, -0.5, 1.0]),
            "row 1: estimated weight -0.5 is not a finite number from 0 up;",
        );
    }

    #[test]
    fn every_column_has_the_same_length() {
        let start = |column: &str, found: usize| {
            format!("column {column} has {found} rows and column propensity has 3;")
        };
        check_refusal(|it| it.target.push(0.5), &start("target", 4));
        check_refusal(|it| it.reward.truncate(2), &start("reward", 2));
        check_refusal(
            |it| it.predictions.as_mut().unwrap().taken.clear(),
            &start("predictions.taken", 0),
        );
        check_refusal(|it| it.unsupported_mass = Some(vec![0.0]), &start("unsupported_mass", 1));
    }
}
