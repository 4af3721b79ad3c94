//! What escalating by a prediction is worth, between a model that has answered and a next one.
//!
//! Requests are escalated in falling order of the predicted gain; of equal ones the earlier row
//! first. Every figure is of that one sweep, over all rows. Weakness: read from the rows that they
//! are about, without an interval; and the cost of the first answer, which is spent in any case,
//! is not in them.

use crate::{error::PairError, matrix::ordered_mean, moments::float_of};

/// Figures of one scorer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EscalationFigures {
    /// How often the predicted quality of an answer that is right (a quality of a half or more) is
    /// above that of one that is wrong, ties counting half; `None` where all are right or wrong.
    pub auc: Option<f64>,
    /// The mean over the escalated share, from none to all, of the recovered part of the gap
    /// between the two models, by trapezoids; above one where escalating is better than always
    /// calling the next model.
    pub mean_gap_recovered: f64,
    /// The highest quality of any share.
    pub best: f64,
    /// The smallest share that reaches the next model's own quality.
    pub match_share: Option<f64>,
}

/// Sums that differ by no more are the same.
const SAME: f64 = 1e-12;

/// Figures of predictions of the first model's quality and of the next one's gain on it, beside
/// both models' true qualities.
///
/// # Errors
/// [`PairError`] for columns of different lengths or without a row, numbers that are not finite,
/// and models of the same mean quality.
pub fn escalation_figures(
    (predicted, gain): (&[f64], &[f64]),
    first: &[f64],
    next: &[f64],
) -> Result<EscalationFigures, PairError> {
    let n_rows = gain.len();
    if n_rows == 0 || [predicted, first, next].iter().any(|column| column.len() != n_rows) {
        return Err(PairError::Length { lengths: (n_rows, first.len(), next.len()) });
    }
    let mut all = [predicted, gain, first, next].into_iter().flatten();
    if let Some(found) = all.find(|value| !value.is_finite()) {
        return Err(PairError::NotFinite { found: *found });
    }
    let gap = ordered_mean(next) - ordered_mean(first);
    if gap.abs() <= SAME {
        return Err(PairError::NoGap { gap });
    }
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.sort_by(|&a, &b| gain[b].total_cmp(&gain[a]));
    let n = float_of(n_rows);
    let (mut reached, mut area, mut most, mut n_to_match) = (0.0, 0.0, 0.0_f64, None);
    if gap <= SAME {
        n_to_match = Some(0);
    }
    for (escalated, &row) in (1..).zip(&order) {
        let before = reached;
        reached += (next[row] - first[row]) / n;
        area += f64::midpoint(before, reached) / n;
        most = most.max(reached);
        if n_to_match.is_none() && gap - SAME <= reached {
            n_to_match = Some(escalated);
        }
    }
    Ok(EscalationFigures {
        auc: area_under_curve(predicted, first),
        mean_gap_recovered: area / gap,
        best: ordered_mean(first) + most,
        match_share: n_to_match.map(|n_escalated: usize| float_of(n_escalated) / n),
    })
}

/// The probability that a prediction for a right answer is above one for a wrong answer.
fn area_under_curve(predicted: &[f64], quality: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..predicted.len()).collect();
    order.sort_by(|&a, &b| predicted[a].total_cmp(&predicted[b]));
    let is_right = |row: &usize| 0.5 <= quality[*row];
    let (mut n_wrong_below, mut n_right, mut pairs) = (0, 0, 0.0);
    for equal in order.chunk_by(|&a, &b| predicted[a] == predicted[b]) {
        let right = equal.iter().filter(|row| is_right(row)).count();
        let wrong = equal.len() - right;
        pairs += float_of(right) * (float_of(n_wrong_below) + 0.5 * float_of(wrong));
        n_wrong_below += wrong;
        n_right += right;
    }
    let n_pairs = float_of(n_right) * float_of(n_wrong_below);
    (0.0 < n_pairs).then(|| pairs / n_pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }

    /// Four rows: two that the first model gets right, of which the next one loses one.
    const FIRST: [f64; 4] = [1.0, 1.0, 0.0, 0.0];
    const NEXT: [f64; 4] = [1.0, 0.0, 1.0, 1.0];

    #[test]
    fn a_perfect_order_escalates_what_gains() {
        let gain = [0.0, -1.0, 1.0, 1.0];
        let found = escalation_figures((&FIRST, &gain), &FIRST, &NEXT).unwrap();
        check(found.auc.unwrap(), 1.0);
        check(found.best, 1.0);
        check(found.match_share.unwrap(), 0.25);
        // Gains of 1/4, 2/4, 2/4, 1/4 against a gap of 1/4.
        check(found.mean_gap_recovered, (0.5 + 1.5 + 2.0 + 1.5) / 4.0);
    }

    #[test]
    fn the_reverse_order_loses_first() {
        let gain = [0.0, 1.0, -1.0, -1.0];
        let reversed = [0.0, 0.0, 1.0, 1.0];
        let found = escalation_figures((&reversed, &gain), &FIRST, &NEXT).unwrap();
        check(found.auc.unwrap(), 0.0);
        check(found.best, 0.75);
        check(found.match_share.unwrap(), 1.0);
    }

    #[test]
    fn what_is_predicted_alike_is_half_right() {
        let found = escalation_figures((&[0.5; 4], &[0.0; 4]), &FIRST, &NEXT).unwrap();
        check(found.auc.unwrap(), 0.5);
        let all_right = escalation_figures((&[0.5; 2], &[0.0; 2]), &[1.0; 2], &[1.0, 0.0]).unwrap();
        assert_eq!(all_right.auc, None);
        assert_eq!(all_right.match_share, Some(0.0));
    }

    #[test]
    fn columns_must_fit() {
        assert!(escalation_figures((&[], &[]), &[], &[]).is_err());
        assert!(escalation_figures((&[0.0], &[0.0; 2]), &[0.0; 2], &[1.0; 2]).is_err());
        assert!(escalation_figures((&[f64::NAN; 1], &[0.0]), &[0.0], &[1.0]).is_err());
        assert!(escalation_figures((&[0.0], &[0.0]), &[1.0], &[1.0]).is_err());
    }
}
