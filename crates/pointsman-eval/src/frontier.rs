//! The benchmark's figures: what a router buys with its money, in three numbers.
//!
//! A router is a curve of cost against quality, drawn by a sweep of the weight on cost. Every
//! router may also use single models, since anyone can buy one, so its frontier is the hull of
//! both. The definitions are those of the reference routers in scikit-learn that we are measured
//! beside, ties included. Their weakness: the sweep is scored on the rows it is read from, so
//! `cost_to_match` picks its best point with hindsight, for every router alike.
//!
//! * `quality`: mean quality of the chosen model when cost is ignored.
//! * `frontier_area`: mean height of the hull over evenly spaced costs between those of the
//!   cheapest and the dearest single model.
//! * `cost_to_match`: the cheapest mean cost in the sweep that has the quality of the best single
//!   model, as a share of that model's cost.
//!
//! Source: the area is AIQ of `RouterBench`, arXiv 2403.12031, on a fixed cost range.

use crate::{
    error::MatrixError,
    matrix::{CostQuality, Matrix, Outcomes, first_best, ordered_mean},
    moments::float_of,
};

/// Costs at which the height of the frontier is read.
const N_GRID: usize = 1001;

/// Weights on cost that are above zero; evenly spaced exponents of ten.
const N_POSITIVE_WEIGHTS: usize = 161;

/// Exponents of ten of the smallest and the largest positive weight.
const EXPONENTS: (f64, f64) = (-4.0, 4.0);

/// Quality that two sums of the same numbers may differ by.
const SAME_QUALITY: f64 = 1e-12;

/// One point of a router's sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepPoint {
    /// Quality given up to save one dollar; `None` for a router that does not score.
    pub quality_per_usd: Option<f64>,
    /// What the router's choices cost and were worth.
    pub point: CostQuality,
}

/// The benchmark's figures of one router.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Mean quality of the chosen model when cost is ignored.
    pub quality: f64,
    /// Mean height of the frontier; `None` without costs.
    pub frontier_area: Option<f64>,
    /// The share of the best single model's cost that its quality takes; `None` without costs,
    /// if the sweep never reaches that quality, or if that model is free.
    pub cost_to_match: Option<f64>,
    /// The points of the sweep, in order of their weights; empty without costs.
    pub sweep: Vec<SweepPoint>,
}

/// The weights on cost of the sweep, before they are divided by the dearest mean cost: zero,
/// then 161 from 1e-4 to 1e4.
pub fn lambdas() -> Vec<f64> {
    let (first, last) = EXPONENTS;
    let step = (last - first) / float_of(N_POSITIVE_WEIGHTS - 1);
    let exponents = (0..N_POSITIVE_WEIGHTS).map(|index| first + float_of(index) * step);
    std::iter::once(0.0).chain(exponents.map(|exponent| libm::pow(10.0, exponent))).collect()
}

/// The figures of a router that takes the model with the best `quality - weight * cost` as
/// `predicted`, scored by `actual`. Ties go to the first model. Without costs on both sides
/// only `quality` has a value.
///
/// # Errors
/// [`MatrixError`] if the two sides are not about the same prompts and models, or only one of
/// them has costs.
pub fn figures(predicted: &Outcomes<'_>, actual: &Outcomes<'_>) -> Result<Figures, MatrixError> {
    predicted.check_like(actual)?;
    let (Some(predicted_cost), Some(actual_cost)) = (predicted.cost_usd(), actual.cost_usd())
    else {
        let picks: Vec<usize> = predicted.quality().rows().map(first_best).collect();
        return Ok(without_costs(ordered_mean(&actual.of_picks(&picks)?.quality)));
    };
    let dearest = actual_cost.column_means().into_iter().fold(f64::NEG_INFINITY, f64::max);
    // Where all models are free the weight has no unit to be in, and changes no cost.
    let unit_cost = if 0.0 < dearest { dearest } else { 1.0 };
    let weights: Vec<f64> = lambdas().into_iter().map(|lambda| lambda / unit_cost).collect();

    let mut sweep = Sweep::new(weights.len());
    let predictions = predicted.quality().rows().zip(predicted_cost.rows());
    let truths = actual.quality().rows().zip(actual_cost.rows());
    for (predicted, actual) in predictions.zip(truths) {
        sweep.add_prompt(&weights, predicted, actual);
    }
    let points = sweep.finish(&weights, actual.quality().n_rows());
    Ok(figures_of_points(points[0].point.quality, points, actual))
}

/// The figures of a router from the models it picked: `ignoring_cost[row]` where cost does not
/// matter, and `sweep[point][row]` at each of its operating points.
///
/// # Errors
/// [`MatrixError`] for picks about other prompts or models.
pub fn figures_of_picks(
    ignoring_cost: &[usize],
    sweep: &[Vec<usize>],
    actual: &Outcomes<'_>,
) -> Result<Figures, MatrixError> {
    let quality = ordered_mean(&actual.of_picks(ignoring_cost)?.quality);
    let mut points = Vec::with_capacity(sweep.len());
    for picks in sweep {
        let policy = actual.of_picks(picks)?;
        points.extend(policy.point().map(|point| SweepPoint { quality_per_usd: None, point }));
    }
    Ok(figures_of_points(quality, points, actual))
}

/// The figures of any router whose mean costs and qualities are known: `quality` is what it has
/// when cost is ignored. Without costs in `actual` the sweep is not looked at.
pub fn figures_of_points(quality: f64, sweep: Vec<SweepPoint>, actual: &Outcomes<'_>) -> Figures {
    let Some(cost) = actual.cost_usd() else {
        return without_costs(quality);
    };
    let singles = single_points(actual.quality(), cost);
    let points: Vec<CostQuality> = sweep.iter().map(|it| it.point).collect();
    Figures {
        quality,
        frontier_area: Some(area_of(&points, &singles)),
        cost_to_match: cost_to_match(&sweep, &singles),
        sweep,
    }
}

/// The mean height of the hull of a sweep's points and the single models' between the costs of the
/// cheapest and the dearest single model.
pub(crate) fn area_of(sweep: &[CostQuality], singles: &[CostQuality]) -> f64 {
    let costs = singles.iter().map(|single| single.cost_usd);
    let low = costs.clone().fold(f64::INFINITY, f64::min);
    let high = costs.fold(f64::NEG_INFINITY, f64::max);
    let points: Vec<CostQuality> = sweep.iter().chain(singles).copied().collect();
    area(&hull(&points), low, high)
}

/// The upper convex hull of `points`, all finite, from the cheapest on: costs ascend, quality
/// rises, slopes fall. A point that costs more and is worth no more is not on it; nor is one on
/// a straight line between two others.
pub fn hull(points: &[CostQuality]) -> Vec<CostQuality> {
    let mut points = points.to_vec();
    points.sort_by(|a, b| a.cost_usd.total_cmp(&b.cost_usd).then(a.quality.total_cmp(&b.quality)));
    let mut upper: Vec<CostQuality> = Vec::new();
    let mut best = f64::NEG_INFINITY;
    for point in points {
        if point.quality <= best {
            continue;
        }
        best = point.quality;
        while let [.., before, last] = upper.as_slice()
            && !is_above(*last, *before, point)
        {
            upper.pop();
        }
        upper.push(point);
    }
    upper
}

/// The height of `hull` at `cost_usd`, on straight lines between its points and level beyond its
/// ends. `None` for a hull without points.
pub fn interp(hull: &[CostQuality], cost_usd: f64) -> Option<f64> {
    let n_below = hull.partition_point(|point| point.cost_usd <= cost_usd);
    let Some(left) = n_below.checked_sub(1).map(|index| hull[index]) else {
        return hull.first().map(|first| first.quality);
    };
    let Some(right) = hull.get(n_below) else {
        return Some(left.quality);
    };
    let slope = (right.quality - left.quality) / (right.cost_usd - left.cost_usd);
    Some(slope * (cost_usd - left.cost_usd) + left.quality)
}

/// Mean cost and mean quality of each single model, in their order.
pub(crate) fn single_points(quality: Matrix<'_>, cost_usd: Matrix<'_>) -> Vec<CostQuality> {
    let means = cost_usd.column_means().into_iter().zip(quality.column_means());
    means.map(|(cost_usd, quality)| CostQuality { cost_usd, quality }).collect()
}

fn without_costs(quality: f64) -> Figures {
    Figures { quality, frontier_area: None, cost_to_match: None, sweep: Vec::new() }
}

/// Whether `middle` lies above the line from `left` to `right`.
fn is_above(middle: CostQuality, left: CostQuality, right: CostQuality) -> bool {
    (middle.quality - left.quality) * (right.cost_usd - left.cost_usd)
        > (right.quality - left.quality) * (middle.cost_usd - left.cost_usd)
}

fn area(hull: &[CostQuality], low: f64, high: f64) -> f64 {
    let step = (high - low) / float_of(N_GRID - 1);
    let inner = (0..N_GRID - 1).map(|index| float_of(index) * step + low);
    let heights: Vec<f64> =
        inner.chain([high]).filter_map(|cost_usd| interp(hull, cost_usd)).collect();
    ordered_mean(&heights)
}

fn cost_to_match(sweep: &[SweepPoint], singles: &[CostQuality]) -> Option<f64> {
    let qualities: Vec<f64> = singles.iter().map(|single| single.quality).collect();
    let best = singles[first_best(&qualities)];
    let matching = sweep.iter().filter(|it| best.quality - SAME_QUALITY <= it.point.quality);
    let cheapest = matching.map(|it| it.point.cost_usd).reduce(f64::min)?;
    (0.0 < best.cost_usd).then(|| cheapest / best.cost_usd)
}

/// Sums over prompts for every weight at once. The inner loop runs over weights and selects
/// without branching, so that the compiler can do several at a time.
struct Sweep {
    cost_sums: Vec<f64>,
    quality_sums: Vec<f64>,
    /// The best score so far for the prompt in hand, and what the model with it cost and was
    /// worth.
    best_score: Vec<f64>,
    best_cost: Vec<f64>,
    best_quality: Vec<f64>,
}

impl Sweep {
    fn new(n_weights: usize) -> Self {
        let zeros = || vec![0.0; n_weights];
        Self {
            cost_sums: zeros(),
            quality_sums: zeros(),
            best_score: zeros(),
            best_cost: zeros(),
            best_quality: zeros(),
        }
    }

    /// Adds one prompt; both sides are the qualities and the costs of all models.
    fn add_prompt(
        &mut self,
        weights: &[f64],
        predicted: (&[f64], &[f64]),
        actual: (&[f64], &[f64]),
    ) {
        self.best_score.fill(f64::NEG_INFINITY);
        let predictions = predicted.0.iter().zip(predicted.1);
        let truths = actual.0.iter().zip(actual.1);
        for ((&predicted_quality, &predicted_cost), (&quality, &cost)) in predictions.zip(truths) {
            let best = self.best_score.iter_mut().zip(&mut self.best_cost);
            let best = best.zip(&mut self.best_quality);
            for (weight, ((best_score, best_cost), best_quality)) in weights.iter().zip(best) {
                let score = predicted_quality - weight * predicted_cost;
                let wins = score > *best_score;
                *best_score = if wins { score } else { *best_score };
                *best_cost = if wins { cost } else { *best_cost };
                *best_quality = if wins { quality } else { *best_quality };
            }
        }
        add_each(&mut self.cost_sums, &self.best_cost);
        add_each(&mut self.quality_sums, &self.best_quality);
    }

    fn finish(&self, weights: &[f64], n_rows: usize) -> Vec<SweepPoint> {
        let n = float_of(n_rows);
        let sums = self.cost_sums.iter().zip(&self.quality_sums);
        weights
            .iter()
            .zip(sums)
            .map(|(&weight, (cost, quality))| SweepPoint {
                quality_per_usd: Some(weight),
                point: CostQuality { cost_usd: cost / n, quality: quality / n },
            })
            .collect()
    }
}

fn add_each(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

#[cfg(test)]
mod tests;
