//! The bounds that others use, on `x = w r` with `r` scaled to `[0, 1]`: for one policy's value.
//!
//! Mass that the logger could not take counts as `r = 0`, at its worst, in all of them.

use super::{Side, error::BoundError, evidence::Evidence, wagers, wealth};
use crate::moments::{Moments, float_of};

fn products(evidence: &Evidence<'_>, side: Side) -> Vec<f64> {
    let rows = evidence.weights.iter().zip(evidence.values);
    rows.map(|(weight, &value)| weight * wagers::scaled(evidence, side, value)).collect()
}

/// Bets `min(√(2 L / (n v)), 1 / (2 m))` against each mean `m`, where `L = ln(1/δ)` and `v` is
/// the variance of the rows before, starting at one quarter.
///
/// Source: Waudby-Smith & Ramdas, JRSSB 2024, the predictable plug-in bets.
pub(super) fn betting_in_order(evidence: &Evidence<'_>, side: Side, miss: f64) -> f64 {
    let values = products(evidence, side);
    let log_target = -libm::log(miss);
    let numerator = 2.0 * log_target / float_of(values.len());
    let (mut sum, mut squares, mut n_before) = (0.5, 0.25, 1.0);
    let mut bets = Vec::with_capacity(values.len());
    for value in &values {
        bets.push((numerator * n_before / squares).sqrt());
        sum += value;
        n_before += 1.0;
        let gap = value - sum / n_before;
        squares += gap * gap;
    }
    let is_refuted = |mean: f64| {
        let cap = if mean <= 0.0 { f64::INFINITY } else { 0.5 / mean };
        let rows = values.iter().zip(&bets);
        let (mut product, mut log) = (1.0_f64, 0.0);
        for (value, bet) in rows {
            product *= 1.0 + bet.min(cap) * (value - mean);
            if !(1e-100..1e100).contains(&product) {
                log += libm::log(product);
                product = 1.0;
            }
        }
        log_target <= log + libm::log(product)
    };
    wealth::last_refuted(is_refuted, 0.0, 1.0)
}

/// `mean(ln(1 + λ x) / λ) - L / (λ n)` with `L = ln(1/δ)` and `λ = √(2 L / n)`.
///
/// Source: Sakhi et al., `NeurIPS` 2024, with the rate that would be best for rows of mean square
/// one, since it must not depend on the rows.
pub(super) fn log_smoothing(evidence: &Evidence<'_>, side: Side, miss: f64) -> f64 {
    let n_rows = float_of(evidence.n_rows());
    let log_target = -libm::log(miss);
    let rate = (2.0 * log_target / n_rows).sqrt();
    let smoothed: f64 =
        products(evidence, side).iter().map(|value| libm::log1p(rate * value)).sum();
    ((smoothed - log_target) / (rate * n_rows)).clamp(0.0, 1.0)
}

/// `mean - √(2 variance L / n) - 7 W L / (3 (n - 1))` with `L = ln(2/δ)` and weights of at most
/// `W`.
///
/// Source: Maurer & Pontil, COLT 2009, theorem 4.
pub(super) fn empirical_bernstein(
    evidence: &Evidence<'_>,
    side: Side,
    miss: f64,
) -> Result<f64, BoundError> {
    let largest_weight = evidence.largest_weight.ok_or(BoundError::NotStated {
        method: "empirical Bernstein",
        statement: "the largest weight there can be",
    })?;
    let moments = Moments::of(&products(evidence, side));
    let n_rows = float_of(evidence.n_rows());
    let log_target = libm::log(2.0 / miss);
    let variance = moments.squared_distances_from(moments.mean()) / (n_rows - 1.0);
    let reach = (2.0 * variance * log_target / n_rows).sqrt()
        + 7.0 * largest_weight * log_target / (3.0 * (n_rows - 1.0));
    Ok((moments.mean() - reach).clamp(0.0, 1.0))
}
