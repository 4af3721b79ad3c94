//! Routers of the benchmark: what each predicts for the test rows, cross-fitted.

use crate::{load::LoadedTable, screen::Screen};
use anyhow::{Result, bail};
use pointsman_core::scorer::{Scorer, Scores};
use pointsman_data::{TrainTest, train_test_parts};
use pointsman_eval::{
    baselines::{Baseline, figures_of_baseline},
    calibration::{brier, log_loss},
    frontier::{Figures, figures},
    matrix::{Matrix, Outcomes},
};
use pointsman_train::{
    outcomes::Outcomes as TrainingOutcomes,
    train::{Regularisation, TrainConfig, Trained, TrainingSet, train},
};

/// A way to learn a router.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Learner {
    /// What `train` would export.
    Pointsman,
    /// The same model at one fixed strength.
    Ridge(f64),
    /// The same, fitted by logistic regression.
    Logistic(f64),
}

impl std::str::FromStr for Learner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "pointsman" {
            return Ok(Self::Pointsman);
        }
        let strength = |name: &str| {
            let number = text.strip_prefix(name)?.parse::<f64>().ok()?;
            (number.is_finite() && 0.0 < number).then_some(number)
        };
        let ridge = strength("ridge-").map(Self::Ridge);
        ridge.or_else(|| strength("logistic-").map(Self::Logistic)).ok_or_else(|| {
            format!(
                "`{text}` is no learner; write pointsman, or ridge-10 or logistic-10 for a fixed \
                 strength"
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
        }
    }

    fn regularisation(self) -> Regularisation {
        match self {
            Self::Pointsman => Regularisation::HeldOut,
            Self::Ridge(strength) => Regularisation::Fixed(strength),
            Self::Logistic(strength) => Regularisation::Logistic(strength),
        }
    }
}

/// One router's figures on one table.
#[derive(Debug, Clone)]
pub(crate) struct RouterResult {
    pub(crate) name: String,
    pub(crate) figures: Figures,
    /// Log loss and Brier score of predicted quality, all (prompt, model) pairs pooled; only of
    /// routers that predict.
    pub(crate) losses: Option<(f64, f64)>,
}

/// All routers' figures on one table.
#[derive(Debug, Clone)]
pub(crate) struct TableResult {
    pub(crate) n_test: usize,
    pub(crate) n_models: usize,
    pub(crate) has_cost: bool,
    /// Training rows that were set aside because their prompt also stands in the test part.
    pub(crate) n_leaked: usize,
    pub(crate) routers: Vec<RouterResult>,
}

/// Predictions for the test rows, pooled over parts; row-major.
#[derive(Debug, Default)]
pub(crate) struct Predictions {
    pub(crate) quality: Vec<f64>,
    /// Empty where costs are not known.
    pub(crate) cost: Vec<f64>,
}

/// What truly came of the test rows, pooled over parts in their order; row-major.
#[derive(Debug)]
pub(crate) struct TestRows {
    n_rows: usize,
    n_models: usize,
    quality: Vec<f64>,
    cost: Option<Vec<f64>>,
}

impl TestRows {
    /// The test rows of all parts.
    pub(crate) fn new(loaded: &LoadedTable, parts: &[TrainTest]) -> Self {
        let n_models = loaded.matrix.models.len();
        let test: Vec<u32> = parts.iter().flat_map(|part| part.test.iter().copied()).collect();
        let rows_of = |all: &[f64]| -> Vec<f64> {
            let row = |&row: &u32| all[row as usize * n_models..][..n_models].iter().copied();
            test.iter().flat_map(row).collect()
        };
        Self {
            n_rows: test.len(),
            n_models,
            quality: rows_of(&loaded.matrix.quality),
            cost: loaded.matrix.cost_usd.as_deref().map(rows_of),
        }
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

    fn view<'v>(&self, quality: &'v [f64], cost: Option<&'v [f64]>) -> Result<Outcomes<'v>> {
        let matrix = |values: &'v [f64]| Matrix::new(values, self.n_rows, self.n_models);
        Ok(Outcomes::new(matrix(quality)?, cost.map(matrix).transpose()?)?)
    }
}

/// Runs the benchmark on one table.
pub(crate) fn run(
    loaded: &LoadedTable,
    learners: &[Learner],
    seed: u64,
    screen: &Screen,
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
    let scored = |name: String, predictions: &Predictions| -> Result<RouterResult> {
        let (predicted, quality) = (&predictions.quality, &test.quality);
        let losses = (log_loss(predicted, quality)?.value, brier(predicted, quality)?);
        Ok(RouterResult { name, figures: test.figures_of(predictions)?, losses: Some(losses) })
    };
    let bar = screen.progress("training", (learners.len() * parts.len()) as u64);
    for &learner in learners {
        let mut predictions = Predictions::default();
        for part in &parts {
            learned(loaded, &outcomes, (learner, seed), part, &mut predictions)?;
            bar.inc(1);
        }
        routers.push(scored(learner.name(), &predictions)?);
    }
    bar.finish_and_clear();
    let mut constant = Predictions::default();
    for part in &parts {
        training_means(loaded, part, &mut constant);
    }
    routers.push(scored("best_single".to_owned(), &constant)?);
    let plain = |name: &str, figures| RouterResult { name: name.to_owned(), figures, losses: None };
    for (name, baseline) in
        [("mix", Baseline::Mix), ("cheapest", Baseline::Cheapest), ("random", Baseline::Random)]
    {
        routers.extend(figures_of_baseline(baseline, &actual).map(|figures| plain(name, figures)));
    }
    routers.push(plain("oracle", figures(&actual, &actual)?));
    Ok(TableResult {
        n_test: test.n_rows,
        n_models: test.n_models,
        has_cost: test.cost.is_some(),
        n_leaked,
        routers,
    })
}

/// Trains on one part and predicts its test rows, with the scorer that would be exported. Returns
/// the models' mean quality and cost in the training data.
pub(crate) fn learned(
    loaded: &LoadedTable,
    outcomes: &TrainingOutcomes,
    (learner, seed): (Learner, u64),
    part: &TrainTest,
    predictions: &mut Predictions,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut rows = part.train.clone();
    rows.sort_unstable();
    let set = TrainingSet {
        design: &loaded.design,
        outcomes,
        groups: &loaded.groups,
        input_tokens: &loaded.input_tokens,
        rows: &rows,
    };
    let config = TrainConfig::new(seed, learner.regularisation())?;
    let Trained { parts, mean_quality, mean_cost, .. } = train(&set, &config, &|_| ())?;
    let lines = parts.cost_usd.clone();
    let scorer = Scorer::new(parts)?;
    let mut scores = Scores::default();
    for &row in &part.test {
        scorer.score(&loaded.design.features(row as usize), &mut scores);
        predictions.quality.extend(scores.quality().iter().map(|quality| f64::from(*quality)));
        if let Some(lines) = &lines {
            predictions.cost.extend(lines.iter().map(|line| line.at(scores.length())));
        }
    }
    Ok((mean_quality, mean_cost))
}

/// Predicts every test row by the models' means over the training part.
pub(crate) fn training_means(
    loaded: &LoadedTable,
    part: &TrainTest,
    predictions: &mut Predictions,
) {
    let n_models = loaded.matrix.models.len();
    let means = |all: &[f64]| -> Vec<f64> {
        let mut sums = vec![0.0; n_models];
        for &row in &part.train {
            for (sum, value) in sums.iter_mut().zip(&all[row as usize * n_models..]) {
                *sum += value;
            }
        }
        let n = pointsman_core::units::len_as_float(part.train.len().max(1));
        sums.iter().map(|sum| sum / n).collect()
    };
    let quality = means(&loaded.matrix.quality);
    let cost = loaded.matrix.cost_usd.as_deref().map(means);
    for _ in &part.test {
        predictions.quality.extend(&quality);
        predictions.cost.extend(cost.iter().flatten());
    }
}
