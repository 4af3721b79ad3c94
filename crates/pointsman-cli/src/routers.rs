//! Routers of the benchmark: what each predicts for the test rows, cross-fitted.

use crate::{load::LoadedTable, screen::Screen};
use anyhow::{Result, bail};
use pointsman_core::scorer::{Scorer, ScorerParts, Scores};
use pointsman_data::{TrainTest, train_test_parts};
use pointsman_eval::{
    baselines::{Baseline, MixRival, baselines, figures_of_baseline, judge},
    calibration::{brier, log_loss},
    frontier::{Figures, figures},
    full::{MeanValue, mean_value, paired_difference},
    interval::ConfidenceLevel,
    matrix::{CostQuality, Matrix, Outcomes},
    published::{PairFigures, aiq, cost_saving, pair_figures, performance_gain},
    reliability::{Reliability, reliability},
};
use pointsman_train::{
    design::Design,
    outcomes::Outcomes as TrainingOutcomes,
    train::{Regularisation, TrainConfig, Trained, TrainingSet, train},
};

/// A point has to cost less than this share of the best single model, with confidence, and lose
/// at most so much quality against it, to be worth a verdict to route.
pub(crate) const LESS_COST: f64 = 0.98;
pub(crate) const MOST_LOSS: f64 = 0.01;

/// A way to learn a router.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Learner {
    /// What `train` would export.
    Pointsman,
    /// The same model at one fixed strength.
    Ridge(f64),
    /// The same, fitted by logistic regression.
    Logistic(f64),
    /// What `train --loss logistic` would export.
    LogisticPath,
}

impl std::str::FromStr for Learner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "pointsman" {
            return Ok(Self::Pointsman);
        }
        if text == "logistic" {
            return Ok(Self::LogisticPath);
        }
        let strength = |name: &str| {
            let number = text.strip_prefix(name)?.parse::<f64>().ok()?;
            (number.is_finite() && 0.0 < number).then_some(number)
        };
        let ridge = strength("ridge-").map(Self::Ridge);
        ridge.or_else(|| strength("logistic-").map(Self::Logistic)).ok_or_else(|| {
            format!(
                "`{text}` is no learner; write pointsman or logistic, or ridge-10 or logistic-10 \
                 for a fixed strength"
            )
        })
    }
}

impl Learner {
    /// The name in tables and JSON.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Pointsman => "pointsman".to_owned(),
            Self::Ridge(strength) => format!("ridge-{strength}"),
            Self::Logistic(strength) => format!("logistic-{strength}"),
            Self::LogisticPath => "logistic".to_owned(),
        }
    }

    fn regularisation(self) -> Regularisation {
        match self {
            Self::Pointsman => Regularisation::HeldOut,
            Self::Ridge(strength) => Regularisation::Fixed(strength),
            Self::Logistic(strength) => Regularisation::Logistic(strength),
            Self::LogisticPath => Regularisation::HeldOutLogistic,
        }
    }
}

/// One router's figures on one table.
#[derive(Debug, Clone)]
pub(crate) struct RouterResult {
    pub(crate) name: String,
    pub(crate) figures: Figures,
    pub(crate) published: Published,
    /// Only of routers that predict.
    pub(crate) honesty: Option<Honesty>,
    /// What it predicts for the test rows; only of routers that predict.
    pub(crate) predictions: Option<Predictions>,
}

/// Figures as other benchmarks define them; each is missing where it has no meaning.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// AIQ of `RouterBench`, over the router's own costs.
    pub(crate) aiq: Option<f64>,
    /// `PerfGain` of `LLMRouterBench`.
    pub(crate) performance_gain: Option<f64>,
    /// `CostSave` of `LLMRouterBench`.
    pub(crate) cost_saving: Option<f64>,
    /// Of `RouteLLM`; only of routers that predict, on tables of two models of which one is better.
    pub(crate) pair: Option<PairFigures>,
}

/// How honest predicted qualities are, all (prompt, model) pairs pooled.
#[derive(Debug, Clone)]
pub(crate) struct Honesty {
    pub(crate) log_loss: f64,
    pub(crate) brier: f64,
    pub(crate) reliability: Reliability,
}

impl Honesty {
    /// Of predictions beside outcomes, pair by pair.
    pub(crate) fn of(predicted: &[f64], quality: &[f64]) -> Result<Self> {
        Ok(Self {
            log_loss: log_loss(predicted, quality)?.value,
            brier: brier(predicted, quality)?,
            reliability: reliability(predicted, quality, RELIABILITY_SEED)?,
        })
    }
}

/// Seeds the simulation of calibrated outcomes; no choice of the learner depends on it.
const RELIABILITY_SEED: u64 = 0;

/// All routers' figures on one table.
#[derive(Debug, Clone)]
pub(crate) struct TableResult {
    /// The outcomes that the routers are scored on.
    pub(crate) test: TestRows,
    /// Training rows that were set aside because their prompt also stands in the test part.
    pub(crate) n_leaked: usize,
    pub(crate) routers: Vec<RouterResult>,
    pub(crate) verdict: TableVerdict,
}

/// Whether to route on one table, by its test rows and the rule of a policy file's standing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableVerdict {
    /// The best single model on the test rows.
    pub(crate) best_single: usize,
    /// The quality of choosing regardless of cost, less that of the best single model.
    pub(crate) by_quality: MeanValue,
    /// What the policy's default point saves, where that is worth having.
    pub(crate) saving: Option<Saving>,
}

/// A point that costs less than the best single model, for no less quality to speak of, and beats
/// the mix of two models that costs the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Saving {
    pub(crate) cost_share: f64,
    /// Its quality less that of the best single model.
    pub(crate) difference: MeanValue,
    pub(crate) mix: Option<MixRival>,
}

impl TableVerdict {
    /// Whether routing is better with confidence, in quality or in cost.
    pub(crate) fn is_to_route(&self) -> bool {
        self.saving.is_some() || 0.0 < self.by_quality.interval.lower
    }
}

/// Predictions for the test rows, pooled over parts; row-major.
#[derive(Debug, Clone, Default)]
pub(crate) struct Predictions {
    pub(crate) quality: Vec<f64>,
    /// Empty where costs are not known.
    pub(crate) cost: Vec<f64>,
    /// The choice at the policy's default point; empty for what is no policy.
    pub(crate) picks: Vec<usize>,
    /// Empty where output tokens are not known.
    pub(crate) output_tokens: Vec<f64>,
}

/// What truly came of the test rows, pooled over parts in their order; row-major.
#[derive(Debug, Clone)]
pub(crate) struct TestRows {
    /// Rows of the table's matrix.
    pub(crate) rows: Vec<u32>,
    pub(crate) n_models: usize,
    pub(crate) quality: Vec<f64>,
    pub(crate) cost: Option<Vec<f64>>,
    /// Where they were recorded.
    pub(crate) output_tokens: Vec<Option<u32>>,
}

impl TestRows {
    /// The test rows of all parts.
    pub(crate) fn new(loaded: &LoadedTable, parts: &[TrainTest]) -> Self {
        let n_models = loaded.matrix.models.len();
        let test: Vec<u32> = parts.iter().flat_map(|part| part.test.iter().copied()).collect();
        let quality = rows_of(&loaded.matrix.quality, &test, n_models);
        let cost = loaded.matrix.cost_usd.as_ref().map(|cost| rows_of(cost, &test, n_models));
        let output_tokens = rows_of(&loaded.matrix.output_tokens, &test, n_models);
        Self { rows: test, n_models, quality, cost, output_tokens }
    }

    /// As the evaluator takes them.
    pub(crate) fn outcomes(&self) -> Result<Outcomes<'_>> {
        self.view(&self.quality, self.cost.as_deref())
    }

    /// The figures of a router that makes these predictions.
    pub(crate) fn figures_of(&self, predictions: &Predictions) -> Result<Figures> {
        let cost = self.cost.is_some().then_some(&predictions.cost[..]);
        let predicted = self.view(&predictions.quality, cost)?;
        Ok(figures(&predicted, &self.outcomes()?)?)
    }

    /// What other benchmarks would say of a router with these figures.
    fn published(&self, figures: &Figures, predictions: Option<&[f64]>) -> Result<Published> {
        let outcomes = self.outcomes()?;
        let singles = outcomes.quality().column_means();
        let best = singles.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let points: Vec<CostQuality> = figures.sweep.iter().map(|it| it.point).collect();
        Ok(Published {
            aiq: aiq(&points),
            performance_gain: performance_gain(figures.quality, best),
            cost_saving: cost_saving(figures.cost_to_match),
            pair: predictions.and_then(|predicted| self.pair(&singles, predicted)),
        })
    }

    /// The strong model is the one that is better on these rows.
    fn pair(&self, singles: &[f64], predicted: &[f64]) -> Option<PairFigures> {
        let [first, second] = *singles else { return None };
        let (weak, strong) = if first <= second { (0, 1) } else { (1, 0) };
        let column = |all: &[f64], model: usize| -> Vec<f64> {
            all.chunks_exact(2).map(|row| row[model]).collect()
        };
        let preference: Vec<f64> =
            predicted.chunks_exact(2).map(|row| row[strong] - row[weak]).collect();
        // Two models that are equally good have no gap to recover.
        pair_figures(&preference, &column(&self.quality, weak), &column(&self.quality, strong)).ok()
    }

    fn verdict(&self, predictions: &Predictions) -> Result<TableVerdict> {
        let (actual, level) = (self.outcomes()?, ConfidenceLevel::P95);
        let best_single = baselines(&actual).best_single;
        let single = actual.of_picks(&vec![best_single.model_index; self.rows.len()])?;
        let rows = predictions.quality.chunks_exact(self.n_models);
        let by_quality: Vec<usize> = rows.map(|row| first_best(row.iter().copied())).collect();
        let by_quality = actual.of_picks(&by_quality)?;
        let policy = actual.of_picks(&predictions.picks)?;
        let difference = paired_difference(&policy.quality, &single.quality, level)?;
        let mut saving = None;
        if let (Some(costs), Some(single_cost)) = (&policy.cost_usd, best_single.cost_usd) {
            let (cost, mix) = (mean_value(costs, level)?, judge(&policy, &actual, level)?.mix);
            let is_worth_having = cost.interval.upper < LESS_COST * single_cost
                && -MOST_LOSS <= difference.interval.lower
                && mix.is_none_or(|mix| 0.0 < mix.difference.interval.lower);
            let cost_share = cost.value / single_cost;
            saving = is_worth_having.then_some(Saving { cost_share, difference, mix });
        }
        Ok(TableVerdict {
            best_single: best_single.model_index,
            by_quality: paired_difference(&by_quality.quality, &single.quality, level)?,
            saving,
        })
    }

    fn view<'v>(&self, quality: &'v [f64], cost: Option<&'v [f64]>) -> Result<Outcomes<'v>> {
        let matrix = |values: &'v [f64]| Matrix::new(values, self.rows.len(), self.n_models);
        Ok(Outcomes::new(matrix(quality)?, cost.map(matrix).transpose()?)?)
    }
}

/// Some rows of a matrix.
fn rows_of<T: Copy>(all: &[T], rows: &[u32], n_models: usize) -> Vec<T> {
    let row = |&row: &u32| all[row as usize * n_models..][..n_models].iter().copied();
    rows.iter().flat_map(row).collect()
}

/// Sees every fit of the first learner, with the part that it is from.
pub(crate) type Watch<'w> = dyn FnMut(&TrainTest, &Trained) -> Result<()> + 'w;

/// Runs the benchmark on one table.
pub(crate) fn run(
    loaded: &LoadedTable,
    (learners, seed): (&[Learner], u64),
    screen: &Screen,
    watch: &mut Watch<'_>,
) -> Result<TableResult> {
    let parts = train_test_parts(&loaded.table, &loaded.matrix);
    let outcomes = loaded.outcomes(None)?;
    let n_leaked: usize = parts.iter().map(|part| part.n_leaked).sum();
    if parts.iter().any(|part| part.train.is_empty() || part.test.is_empty()) {
        bail!(
            "no rows are left to train or to test on; {n_leaked} training rows were set aside because \
             their prompt also stands in the test part"
        );
    }
    let test = TestRows::new(loaded, &parts);
    let actual = test.outcomes()?;

    let mut routers = Vec::new();
    let scored = |name: String, predictions: Predictions| -> Result<RouterResult> {
        let honesty = Some(Honesty::of(&predictions.quality, &test.quality)?);
        let figures = test.figures_of(&predictions)?;
        let published = test.published(&figures, Some(&predictions.quality))?;
        Ok(RouterResult { name, figures, published, honesty, predictions: Some(predictions) })
    };
    let mut verdict = None;
    let bar = screen.progress("training", (learners.len() * parts.len()) as u64);
    for &learner in learners {
        let mut predictions = Predictions::default();
        for part in &parts {
            let trained = fit((loaded, &loaded.design), &outcomes, (learner, seed), part)?;
            predictions.extend(&Scorer::new(trained.parts.clone())?, &loaded.design, &part.test);
            predictions.pick(test.n_models, default_weight(&trained));
            if Some(&learner) == learners.first() {
                watch(part, &trained)?;
            }
            bar.inc(1);
        }
        if verdict.is_none() {
            verdict = Some(test.verdict(&predictions)?);
        }
        routers.push(scored(learner.name(), predictions)?);
    }
    let Some(verdict) = verdict else { bail!("no learner was given") };
    bar.finish_and_clear();
    let mut constant = Predictions::default();
    for part in &parts {
        training_means(loaded, part, &mut constant);
    }
    routers.push(scored("best_single".to_owned(), constant)?);
    let plain = |name: &str, figures: Figures, predicted: Option<&[f64]>| -> Result<RouterResult> {
        let (name, published) = (name.to_owned(), test.published(&figures, predicted)?);
        Ok(RouterResult { name, figures, published, honesty: None, predictions: None })
    };
    for (name, baseline) in
        [("mix", Baseline::Mix), ("cheapest", Baseline::Cheapest), ("random", Baseline::Random)]
    {
        if let Some(figures) = figures_of_baseline(baseline, &actual) {
            routers.push(plain(name, figures, None)?);
        }
    }
    routers.push(plain("oracle", figures(&actual, &actual)?, Some(&test.quality))?);
    Ok(TableResult { test, n_leaked, routers, verdict })
}

/// Learns from the training rows of one part of a table, with these features.
pub(crate) fn fit(
    (loaded, design): (&LoadedTable, &Design),
    outcomes: &TrainingOutcomes,
    (learner, seed): (Learner, u64),
    part: &TrainTest,
) -> Result<Trained> {
    let mut rows = part.train.clone();
    rows.sort_unstable();
    let set = TrainingSet {
        design,
        outcomes,
        groups: &loaded.groups,
        input_tokens: &loaded.input_tokens,
        rows: &rows,
    };
    let config = TrainConfig::new(seed, learner.regularisation())?;
    Ok(train(&set, &config, &|_| ())?)
}

/// Learns from one part and adds what the scorer that would be exported predicts for its test
/// rows. Returns the models' mean quality and cost in the training data.
pub(crate) fn learned(
    loaded: &LoadedTable,
    outcomes: &TrainingOutcomes,
    learner: (Learner, u64),
    part: &TrainTest,
    predictions: &mut Predictions,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let trained = fit((loaded, &loaded.design), outcomes, learner, part)?;
    predictions.extend(&Scorer::new(trained.parts)?, &loaded.design, &part.test);
    Ok((trained.mean_quality, trained.mean_cost))
}

/// The weight on cost of a policy's default point.
fn default_weight(trained: &Trained) -> f64 {
    let report = trained.held_out.as_ref();
    let point = report.and_then(|report| report.operating_points.first());
    point.map_or(0.0, |value| value.point.per_dollar)
}

impl Predictions {
    /// Adds what a scorer that would be exported predicts for some rows of a design.
    pub(crate) fn extend(&mut self, scorer: &Scorer, design: &Design, rows: &[u32]) {
        let ScorerParts { cost_usd, output_tokens, .. } = scorer.parts();
        let mut scores = Scores::default();
        for &row in rows {
            scorer.score(&design.features(row as usize), &mut scores);
            self.quality.extend(scores.quality().iter().map(|quality| f64::from(*quality)));
            for (lines, values, length) in [
                (cost_usd, &mut self.cost, scores.length()),
                (output_tokens, &mut self.output_tokens, scores.token_length()),
            ] {
                values.extend(lines.iter().flatten().map(|line| line.at(length)));
            }
        }
    }

    /// Adds the choices at one weight on cost for the rows that have none yet.
    fn pick(&mut self, n_models: usize, weight: f64) {
        let first = self.picks.len() * n_models;
        for (row, quality) in self.quality[first..].chunks_exact(n_models).enumerate() {
            let cost = |model: usize| self.cost.get(first + row * n_models + model);
            let utility = |(model, quality): (usize, &f64)| {
                quality - weight * cost(model).copied().unwrap_or(0.0)
            };
            self.picks.push(first_best(quality.iter().enumerate().map(utility)));
        }
    }
}

/// The place of the largest; ties go to the first.
pub(crate) fn first_best(values: impl Iterator<Item = f64>) -> usize {
    let (mut best, mut highest) = (0, f64::NEG_INFINITY);
    for (place, value) in values.enumerate() {
        if highest < value {
            (best, highest) = (place, value);
        }
    }
    best
}

/// Predicts every test row by the models' means over the training part.
pub(crate) fn training_means(
    loaded: &LoadedTable,
    part: &TrainTest,
    predictions: &mut Predictions,
) {
    let n_models = loaded.matrix.models.len();
    let means = |known: &dyn Fn(usize) -> Option<f64>| -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); n_models];
        for &row in &part.train {
            for (model, (sum, n)) in sums.iter_mut().enumerate() {
                if let Some(value) = known(row as usize * n_models + model) {
                    *sum += value;
                    *n += 1.0;
                }
            }
        }
        sums.iter().map(|(sum, n)| sum / f64::max(*n, 1.0)).collect()
    };
    let matrix = &loaded.matrix;
    let quality = means(&|at| Some(matrix.quality[at]));
    let cost = matrix.cost_usd.as_ref().map(|cost| means(&|at| Some(cost[at])));
    let has_tokens = matrix.output_tokens.iter().any(Option::is_some);
    let tokens = has_tokens.then(|| means(&|at| matrix.output_tokens[at].map(f64::from)));
    for _ in &part.test {
        predictions.quality.extend(&quality);
        predictions.cost.extend(cost.iter().flatten());
        predictions.output_tokens.extend(tokens.iter().flatten());
    }
}
