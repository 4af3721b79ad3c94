//! A bound on what routing loses, with a finite-sample guarantee: learn, then test.
//!
//! Where a bound is asked for, a quarter of the groups (conversations, or equal prompts) is kept
//! from the fit and from every choice. On it the exported scorer, 8-bit weights and all, is tested
//! along the sweep of weights on cost, from the weight that held-out rows of the fit find safest
//! towards cheaper ones. At each weight the null hypothesis is that the loss is above the bound;
//! the first that is not rejected ends the sequence, so every rejected one is rejected at the
//! level of a single test (fixed-sequence testing), and the last of them is the point. Always
//! taking the best single model loses nothing, so it needs no test; it is the point where no
//! weight passes.
//!
//! Sources: Angelopoulos, Bates, Candès, Jordan & Lei, "Learn then Test", arXiv 2110.01052; the
//! p-value is one over the largest capital of bets against the null, with bets from the variance
//! so far: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting",
//! JRSS B 86 (2024). Hoeffding's bound would need some 60,000 groups to show a loss below 0.01;
//! bets profit from the policy and the single model mostly agreeing.
//!
//! Weakness: one data set gives one draw of the calibration part, and the guarantee is over such
//! draws; the mean is over groups, so a long conversation counts as much as a single request.

use crate::{
    demands::Demands,
    fold::{calibrates, calibration_order},
    outcomes::Outcomes,
    report::{SweepValue, point_value},
    select::Yardstick,
    train::{TrainError, Trained, TrainingSet},
    worth::{Setting, worth},
};
use pointsman_core::{
    objective::{Favour, Guarantee},
    scorer::{Scorer, Scores},
    units::{Probability, Usd, len_as_float},
};
use std::collections::BTreeMap;

/// One less the confidence of the guarantee.
const LEVEL: f64 = 0.05;

/// The largest share of the capital that one bet can lose.
const MOST_AT_STAKE: f64 = 0.75;

/// A favour that no prediction outweighs.
const ALWAYS: f64 = 10.0;

/// Rows that calibrate, and the bound that is to be shown on them.
pub(crate) struct Calibration {
    fitted: Vec<u32>,
    kept: Vec<u32>,
    seed: u64,
    max_loss: f64,
}

/// An exported scorer's predictions on some rows, as a decision would make them.
pub(crate) struct Exported {
    n_models: usize,
    quality: Vec<f64>,
    cost: Vec<f64>,
}

impl Calibration {
    /// Divides the rows, where a bound is asked for.
    pub(crate) fn of(set: &TrainingSet<'_>, seed: u64, demands: &Demands) -> Option<Self> {
        let max_loss = demands.max_quality_loss?;
        let (kept, fitted) =
            set.rows.iter().partition(|&&row| calibrates(set.groups[row as usize], seed));
        Some(Self { fitted, kept, seed, max_loss })
    }

    /// The set without the rows that calibrate.
    pub(crate) fn without<'a>(&'a self, set: &TrainingSet<'a>) -> TrainingSet<'a> {
        TrainingSet { rows: &self.fitted, ..*set }
    }

    /// Adds the point that keeps the bound.
    pub(crate) fn add_point(
        &self,
        set: &TrainingSet<'_>,
        trained: &mut Trained,
    ) -> Result<(), TrainError> {
        let scorer = Scorer::new(trained.parts.clone()).map_err(|_| TrainError::Scorer)?;
        let Some(report) = &mut trained.held_out else { return Ok(()) };
        let exported = Exported::new(&scorer, set, &self.kept);
        let best_single = report.best_single;
        let groups = self.groups(set);
        let losses_at = |per_dollar: f64| {
            let choices = exported.choices(&Setting { per_dollar, favour: None });
            group_losses(set.outcomes, (&self.kept, &choices), best_single, &groups)
        };
        let passed = last_passed(&report.sweep, self.max_loss, losses_at);
        let single = Favour { model: best_single, quality_points: ALWAYS };
        let setting = match passed {
            Some(per_dollar) => Setting { per_dollar, favour: None },
            None => Setting { per_dollar: 0.0, favour: Some(single) },
        };
        let means = (trained.mean_quality.clone(), trained.mean_cost.clone());
        let yardstick = Yardstick::new(set.outcomes, &self.kept, means);
        let found = worth(&yardstick, &exported.choices(&setting), (best_single, best_single));
        let mut value =
            point_value(format!("max-quality-loss-{}", self.max_loss), &setting, &found);
        let Ok(confidence) = Probability::new(1.0 - LEVEL) else {
            unreachable!("the level is a probability")
        };
        value.point.guarantee = Some(Guarantee {
            max_quality_loss: self.max_loss,
            against: best_single,
            confidence,
            n_groups: groups.len() as u64,
            n_requests: self.kept.len() as u64,
            is_single: passed.is_none(),
        });
        report.operating_points.push(value);
        Ok(())
    }

    /// The places of the kept rows, by group, in an order that has nothing to do with outcomes.
    fn groups(&self, set: &TrainingSet<'_>) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
        for (place, &row) in self.kept.iter().enumerate() {
            let group = set.groups[row as usize];
            groups.entry((calibration_order(group, self.seed), group)).or_default().push(place);
        }
        groups.into_values().collect()
    }
}

impl Exported {
    pub(crate) fn new(scorer: &Scorer, set: &TrainingSet<'_>, rows: &[u32]) -> Self {
        let mut exported =
            Self { n_models: scorer.n_models(), quality: Vec::new(), cost: Vec::new() };
        let mut scores = Scores::default();
        for &row in rows {
            scorer.score(&set.design.features(row as usize), &mut scores);
            exported.quality.extend(scores.quality().iter().map(|quality| f64::from(*quality)));
            match &scorer.parts().cost_usd {
                Some(lines) => exported.cost.extend(lines.iter().map(|line| {
                    // A decision's costs are whole nanodollars.
                    Usd::from_dollars(line.at(scores.length())).map_or(0.0, Usd::as_dollars)
                })),
                None => exported.cost.resize(exported.quality.len(), 0.0),
            }
        }
        exported
    }

    /// Quality and cost of all models on the row at a place.
    pub(crate) fn row(&self, place: usize) -> (&[f64], &[f64]) {
        let span = place * self.n_models..(place + 1) * self.n_models;
        (&self.quality[span.clone()], &self.cost[span])
    }

    fn choices(&self, setting: &Setting) -> Vec<usize> {
        let rows = self.quality.chunks_exact(self.n_models);
        let rows = rows.zip(self.cost.chunks_exact(self.n_models));
        rows.map(|(quality, cost)| setting.choose(quality, cost)).collect()
    }
}

/// The mean loss of each group against the best single model; never above one, and with the true
/// loss as its mean, or more.
fn group_losses(
    outcomes: &Outcomes,
    (rows, choices): (&[u32], &[usize]),
    best_single: usize,
    groups: &[Vec<usize>],
) -> Vec<f64> {
    let of_group = |places: &Vec<usize>| {
        let loss = |&place: &usize| row_loss(outcomes, rows[place], choices[place], best_single);
        places.iter().map(loss).sum::<f64>() / len_as_float(places.len())
    };
    groups.iter().map(of_group).collect()
}

/// The quality of the best single model less that of the choice.
///
/// In a log the two are weighted by one over the propensity. Written as
/// `1 − (1 − quality) / p` for the single model and `quality / p` for the choice, all that is
/// weighted is taken off, so that a loss is never above one however small a propensity was: no
/// smallest propensity has to be known. A choice that the log could not have drawn counts as
/// worthless, which errs on the safe side.
fn row_loss(outcomes: &Outcomes, row: u32, choice: usize, best_single: usize) -> f64 {
    if choice == best_single {
        return 0.0;
    }
    let row = row as usize;
    let quality = |model: usize| f64::from(outcomes.quality(row)[model]);
    let Some(log) = outcomes.draws() else { return quality(best_single) - quality(choice) };
    let (taken, propensity) = (usize::from(log.taken[row]), log.propensity[row]);
    if taken == best_single {
        1.0 - (1.0 - quality(taken)) / propensity
    } else if taken == choice {
        1.0 - quality(taken) / propensity
    } else {
        1.0
    }
}

/// The last weight of the sequence whose loss is shown to be within the bound.
fn last_passed(
    sweep: &[SweepValue],
    max_loss: f64,
    losses_at: impl Fn(f64) -> Vec<f64>,
) -> Option<f64> {
    // How many standard errors the bound is away, by the held-out rows of the fit.
    let safety = |value: &SweepValue| (max_loss + value.gain.0) / value.gain.1.max(1e-9);
    let safest =
        (0..sweep.len()).max_by(|&a, &b| safety(&sweep[a]).total_cmp(&safety(&sweep[b])))?;
    let weights = sweep[safest..].iter().map(|value| value.per_dollar);
    weights.take_while(|&weight| p_value(&losses_at(weight), max_loss) <= LEVEL).last()
}

/// Of the hypothesis that the mean loss is above the bound; losses are at most one.
///
/// Valid for any bets that do not look ahead, since under the hypothesis the capital is a
/// non-negative supermartingale (Ville's inequality).
fn p_value(losses: &[f64], bound: f64) -> f64 {
    let stake = libm::sqrt(2.0 * libm::log(1.0 / LEVEL) / len_as_float(losses.len().max(1)));
    let most = MOST_AT_STAKE / (1.0 - bound);
    let (mut capital, mut largest): (f64, f64) = (1.0, 1.0);
    let (mut n, mut total, mut squares) = (0.0, 0.0, 0.25);
    for &loss in losses {
        let variance: f64 = squares / (n + 1.0);
        capital *= 1.0 + (stake / variance.sqrt()).min(most) * (bound - loss);
        largest = largest.max(capital);
        n += 1.0;
        total += loss;
        squares += (loss - total / n).powi(2);
    }
    1.0 / largest
}

#[cfg(test)]
mod tests;
