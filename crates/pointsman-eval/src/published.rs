//! Figures as other benchmarks define them, so that numbers can be laid beside theirs.
//!
//! * `RouteLLM`, of two models: a router that calls the strong one for a share of the prompts
//!   *recovers* a part of the gap between the two (PGR). APGR is its mean over shares, by
//!   trapezoids between eleven thresholds at the deciles of the router's scores; CPT(x) is the
//!   smallest share that recovers x of the gap, here over every possible threshold.
//! * `RouterBench`: AIQ, the area under the non-decreasing convex hull of the router's own points
//!   of cost and quality, over its own range of costs.
//! * `LLMRouterBench`: the gain in quality, and the saving at the same quality, both as a share of
//!   the best single model's.
//!
//! Weakness: all are read from the rows that they are about, without an interval; and APGR and AIQ
//! of two routers are over different ranges of what is spent.
//!
//! Source: arXiv 2406.18665 and its code (`RouteLLM`), 2403.12031 (`RouterBench`), 2601.07206
//! (`LLMRouterBench`).

use crate::{
    error::PairError,
    frontier::hull,
    matrix::{CostQuality, ordered_mean},
    moments::float_of,
};

/// Equal parts into which thresholds divide the scores.
const N_PARTS: usize = 10;

/// Gaps that two sums of the same numbers may differ by.
const SAME_GAP: f64 = 1e-12;

/// A router between two models, at one threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairPoint {
    /// The share of prompts that the strong model answers.
    pub strong_share: f64,
    /// PGR: the recovered share of the gap; below zero where the router is worse than the weak
    /// model, above one where it is better than the strong one.
    pub gap_recovered: f64,
}

/// `RouteLLM`'s figures of one router between two models.
#[derive(Debug, Clone, PartialEq)]
pub struct PairFigures {
    /// PGR at the eleven thresholds, from the strong model never to always.
    pub points: Vec<PairPoint>,
    /// APGR: the mean of PGR over the share of the strong model.
    pub mean_gap_recovered: f64,
    /// CPT(50 %): the smallest share of the strong model with a PGR of a half.
    pub share_for_half: f64,
    /// CPT(80 %): the smallest share of the strong model with a PGR of four fifths.
    pub share_for_four_fifths: f64,
}

/// `RouteLLM`'s figures of a router that calls the strong model where `preference` is high, from
/// both models' quality on each prompt. Prompts of one preference go the same way.
///
/// # Errors
/// [`PairError`] for columns of different lengths or without a row, numbers that are not finite,
/// and a strong model that is not better than the weak one.
pub fn pair_figures(
    preference: &[f64],
    weak: &[f64],
    strong: &[f64],
) -> Result<PairFigures, PairError> {
    let n_rows = preference.len();
    if n_rows == 0 || weak.len() != n_rows || strong.len() != n_rows {
        let lengths = (n_rows, weak.len(), strong.len());
        return Err(PairError::Length { lengths });
    }
    if let Some(found) = [preference, weak, strong].into_iter().flatten().find(|v| !v.is_finite()) {
        return Err(PairError::NotFinite { found: *found });
    }
    let gap = ordered_mean(strong) - ordered_mean(weak);
    if gap <= SAME_GAP {
        return Err(PairError::NoGap { gap });
    }
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.sort_by(|&a, &b| preference[b].total_cmp(&preference[a]));
    let cuts = Cuts::new(&order, preference, weak, strong, gap);
    let mut points: Vec<PairPoint> =
        (0..N_PARTS).map(|part| cuts.at_least(quantile(&order, preference, part))).collect();
    points.push(PairPoint { strong_share: 0.0, gap_recovered: 0.0 });
    points.reverse();
    let areas = points.windows(2).map(|pair| {
        let mean_height = 0.5 * (pair[0].gap_recovered + pair[1].gap_recovered);
        mean_height * (pair[1].strong_share - pair[0].strong_share)
    });
    let mean_gap_recovered = areas.sum();
    Ok(PairFigures {
        mean_gap_recovered,
        share_for_half: cuts.share_for(0.5),
        share_for_four_fifths: cuts.share_for(0.8),
        points,
    })
}

/// `RouterBench`'s AIQ of a router's points; `None` for fewer than two different costs.
pub fn aiq(points: &[CostQuality]) -> Option<f64> {
    let costs = points.iter().map(|point| point.cost_usd);
    let low = costs.clone().reduce(f64::min)?;
    let high = costs.reduce(f64::max)?;
    let upper = hull(points);
    let last = *upper.last()?;
    let level = CostQuality { cost_usd: high, quality: last.quality };
    let ends: Vec<CostQuality> = upper.into_iter().chain([level]).collect();
    let areas = ends.windows(2).map(|pair| {
        0.5 * (pair[0].quality + pair[1].quality) * (pair[1].cost_usd - pair[0].cost_usd)
    });
    (low < high).then(|| areas.sum::<f64>() / (high - low))
}

/// `LLMRouterBench`'s gain in quality over the best single model, as a share of its quality;
/// `None` where that is not above zero.
pub fn performance_gain(quality: f64, best_single_quality: f64) -> Option<f64> {
    (0.0 < best_single_quality).then(|| (quality - best_single_quality) / best_single_quality)
}

/// `LLMRouterBench`'s saving at the best single model's quality, as a share of its cost: what is
/// left of one by [`crate::frontier::Figures::cost_to_match`].
pub fn cost_saving(cost_to_match: Option<f64>) -> Option<f64> {
    cost_to_match.map(|share| 1.0 - share)
}

/// The score that divides off the lowest `part` tenths, on straight lines between scores.
fn quantile(descending: &[usize], preference: &[f64], part: usize) -> f64 {
    let n_steps = descending.len() - 1;
    let (whole, rest) = (part * n_steps / N_PARTS, part * n_steps % N_PARTS);
    let score = |rank: usize| preference[descending[n_steps - rank.min(n_steps)]];
    let share = float_of(rest) / float_of(N_PARTS);
    score(whole) + share * (score(whole + 1) - score(whole))
}

/// Every place where a threshold can cut, from the highest score on.
struct Cuts {
    /// The lowest score that still goes to the strong model, falling.
    scores: Vec<f64>,
    points: Vec<PairPoint>,
}

impl Cuts {
    fn new(order: &[usize], preference: &[f64], weak: &[f64], strong: &[f64], gap: f64) -> Self {
        let n_rows = float_of(order.len());
        let (mut scores, mut points) = (Vec::new(), Vec::new());
        let mut gained = 0.0;
        for (rank, &row) in order.iter().enumerate() {
            gained += strong[row] - weak[row];
            let is_tied =
                order.get(rank + 1).is_some_and(|&next| preference[next] == preference[row]);
            if !is_tied {
                scores.push(preference[row]);
                points.push(PairPoint {
                    strong_share: float_of(rank + 1) / n_rows,
                    gap_recovered: gained / n_rows / gap,
                });
            }
        }
        Self { scores, points }
    }

    /// The router that sends what scores `threshold` or more to the strong model.
    fn at_least(&self, threshold: f64) -> PairPoint {
        let n_cuts = self.scores.partition_point(|score| threshold <= *score);
        let none = PairPoint { strong_share: 0.0, gap_recovered: 0.0 };
        n_cuts.checked_sub(1).map_or(none, |last| self.points[last])
    }

    /// The smallest share that recovers this much; all prompts recover everything.
    fn share_for(&self, gap_recovered: f64) -> f64 {
        let enough = |point: &&PairPoint| gap_recovered - SAME_GAP <= point.gap_recovered;
        self.points.iter().find(enough).map_or(1.0, |point| point.strong_share)
    }
}

#[cfg(test)]
mod tests;
