//! Routers of the benchmark: what each predicts for the test rows, cross-fitted.

use crate::{load::LoadedTable, screen::Screen};
use anyhow::{Result, bail};
use pointsman_core::scorer::Scorer;
use pointsman_data::{TrainTest, train_test_parts};
use pointsman_eval::{
    baselines::{Baseline, MixRival, figures_of_baseline},
    calibration::{brier, log_loss},
    frontier::{Figures, figures},
    full::MeanValue,
    published::PairFigures,
    reliability::{Reliability, reliability},
};
use pointsman_train::{
    design::Design,
    outcomes::Outcomes as TrainingOutcomes,
    train::{Regularisation, TrainConfig, Trained, TrainingSet, train},
};

mod predictions;
mod test_rows;

pub(crate) use predictions::{Predictions, first_best, training_means};
pub(crate) use test_rows::TestRows;

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
    /// The calibration error of each model's pairs alone.
    pub(crate) by_model: Vec<f64>,
}

impl Honesty {
    /// Of predictions beside outcomes, pair by pair, row after row of so many models.
    pub(crate) fn of(predicted: &[f64], quality: &[f64], n_models: usize) -> Result<Self> {
        let by_model = |model: usize| -> Result<f64> {
            let of_model = |all: &[f64]| -> Vec<f64> {
                all.iter().skip(model).step_by(n_models).copied().collect()
            };
            Ok(reliability(&of_model(predicted), &of_model(quality), RELIABILITY_SEED)?.ece)
        };
        Ok(Self {
            log_loss: log_loss(predicted, quality)?.value,
            brier: brier(predicted, quality)?,
            reliability: reliability(predicted, quality, RELIABILITY_SEED)?,
            by_model: (0..n_models).map(by_model).collect::<Result<_>>()?,
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
        let honesty = Some(Honesty::of(&predictions.quality, &test.quality, test.n_models)?);
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
