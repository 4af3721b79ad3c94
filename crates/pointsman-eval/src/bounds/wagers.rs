//! Which variables a betting bound bets on, so that their mean is what is asked for.
//!
//! Outcomes are scaled to `r` in `[0, 1]`, turned over for an upper bound; `w` is the policy's
//! weight, `v` the rival's (zero without one, one for the logger). All these have the same mean:
//!
//! | variable | at least | needs |
//! |---|---|---|
//! | `w r` | 0 | nothing: mass the logger could not take counts as `r = 0` |
//! | `(w - 1) r` | -1 | nothing, likewise |
//! | `w (r - c) + c` | `-c (W - 1)` | full support, weights of at most `W` |
//! | `(w - v) (r - c)` | `-W max(c, 1 - c)` | the same |
//! | `E q + w (r - q)`, or its difference | `-W`, or `-1 - W` | the same, and predictions `q` in `[0, 1]` |
//!
//! Predictions that were learned from other rows of the same log are not bet on: a wager must know
//! nothing of what it is held against. The centred ones vary less, as a self-normalised estimate does,
//! and the purse is divided among several centres since the best is not known beforehand. Without full
//! support the difference of two policies has no such variable: then each is bounded at half the error
//! rate.
//!
//! Source: Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro, "Anytime-valid off-policy inference
//! for contextual bandits", arXiv 2210.10768 (doubly robust pseudo-outcomes bounded below).

use super::{
    Side,
    evidence::{Evidence, Predicted, Rival},
    wealth::{Rates, Wealth},
};

/// Control variates: the outcome is held against none, half and all of its range.
const CENTRES: [f64; 3] = [0.0, 0.5, 1.0];

/// The sums of every variable that the evidence allows; empty where there is none.
pub(crate) fn wealths(evidence: &Evidence<'_>, side: Side, rates: &Rates) -> Vec<Wealth> {
    let mut found = Vec::new();
    for centre in CENTRES {
        if let Some(depth) = depth(evidence, centre) {
            let mut wealth = Wealth::new(rates.clone(), depth);
            wealth.push((0..evidence.n_rows()).map(|row| centred(evidence, side, centre, row)));
            found.push(wealth);
        }
    }
    let fixed = evidence.predicted.filter(|_| !evidence.is_cross_fitted);
    if let (Some(predicted), Some(largest)) = (fixed, evidence.largest_weight) {
        let depth = match evidence.rival {
            Rival::Nothing => largest,
            Rival::Logged | Rival::Policy(_) => 1.0 + largest,
        };
        let mut wealth = Wealth::new(rates.clone(), depth);
        let rows = 0..evidence.n_rows();
        wealth.push(rows.map(|row| doubly_robust(evidence, &predicted, side, row)));
        found.push(wealth);
    }
    found
}

/// How far below zero the centred variable can fall; `None` where that is not known or its mean
/// is not what is asked for.
fn depth(evidence: &Evidence<'_>, centre: f64) -> Option<f64> {
    match (evidence.rival, evidence.largest_weight) {
        (Rival::Nothing, _) if centre == 0.0 => Some(0.0),
        (Rival::Logged, _) if centre == 0.0 => Some(1.0),
        (_, None) => None,
        (Rival::Nothing, Some(largest)) => Some(centre * (largest - 1.0)),
        (Rival::Logged, Some(largest)) => Some((centre * (largest - 1.0)).max(1.0 - centre)),
        (Rival::Policy(_), Some(largest)) => Some(largest * centre.max(1.0 - centre)),
    }
}

fn centred(evidence: &Evidence<'_>, side: Side, centre: f64, row: usize) -> f64 {
    let outcome = scaled(evidence, side, evidence.values[row]);
    let weight = evidence.weights[row];
    match evidence.rival {
        Rival::Nothing => weight * (outcome - centre) + centre,
        Rival::Logged | Rival::Policy(_) => {
            (weight - evidence.rival_weight(row)) * (outcome - centre)
        }
    }
}

pub(super) fn doubly_robust(
    evidence: &Evidence<'_>,
    predicted: &Predicted<'_>,
    side: Side,
    row: usize,
) -> f64 {
    let outcome = scaled(evidence, side, evidence.values[row]);
    let taken = scaled(evidence, side, predicted.taken[row]);
    let expected = scaled(evidence, side, predicted.expected[row]);
    let own = expected + evidence.weights[row] * (outcome - taken);
    match evidence.rival {
        Rival::Nothing => own,
        Rival::Logged => own - outcome,
        Rival::Policy(weights) => {
            let theirs = scaled(evidence, side, predicted.expected_by_rival[row]);
            own - theirs - weights[row] * (outcome - taken)
        }
    }
}

/// What the policies' weights of each row are beyond their mean: zero on average, with full
/// support.
pub(crate) fn control(evidence: &Evidence<'_>, row: usize) -> f64 {
    match evidence.rival {
        Rival::Nothing => evidence.weights[row] - 1.0,
        Rival::Logged | Rival::Policy(_) => evidence.weights[row] - evidence.rival_weight(row),
    }
}

/// The variable without a centre, or the doubly robust one where there are predictions.
pub(crate) fn variable(evidence: &Evidence<'_>, row: usize) -> f64 {
    match &evidence.predicted {
        Some(predicted) => doubly_robust(evidence, predicted, Side::Lower, row),
        None => centred(evidence, Side::Lower, 0.0, row),
    }
}

/// The outermost pairs of [`control`] and [`variable`] that there could be.
pub(crate) fn corners(evidence: &Evidence<'_>, largest: f64) -> Vec<[f64; 2]> {
    let is_robust = evidence.predicted.is_some();
    match evidence.rival {
        Rival::Nothing if is_robust => vec![
            [-1.0, 0.0],
            [-1.0, 1.0],
            [largest - 1.0, -largest],
            [largest - 1.0, 1.0 + largest],
        ],
        Rival::Nothing => vec![[-1.0, 0.0], [largest - 1.0, 0.0], [largest - 1.0, largest]],
        Rival::Logged | Rival::Policy(_) => {
            let above = largest - 1.0;
            let (least, most) = match evidence.rival {
                Rival::Policy(_) => (-largest, largest),
                Rival::Nothing | Rival::Logged => (-1.0, above),
            };
            if is_robust {
                let reach = 1.0 + largest;
                vec![[least, -reach], [least, reach], [most, -reach], [most, reach]]
            } else {
                vec![[least, least], [least, 0.0], [most, 0.0], [most, most]]
            }
        }
    }
}

/// An outcome as a share of its range, counted from the end that the bound is for.
pub(super) fn scaled(evidence: &Evidence<'_>, side: Side, value: f64) -> f64 {
    let range = evidence.range;
    match side {
        Side::Lower => (value - range.lower()) / range.width(),
        Side::Upper => (range.upper() - value) / range.width(),
    }
}
