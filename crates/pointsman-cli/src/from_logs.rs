//! How well a policy is learned from one outcome per prompt, with every model's outcome on the
//! test rows as the truth.

use crate::{
    load::{LoadedTable, narrow},
    routers::{Learner, Predictions, TestRows, fit},
    screen::Screen,
};
use anyhow::Result;
use pointsman_core::{
    explorer::model_at,
    scorer::Scorer,
    units::{Probability, Propensity, len_as_float},
};
use pointsman_data::{LoggerKind, TrainTest, keyed_draw, logging_distribution, train_test_parts};
use pointsman_eval::{
    full::{MeanValue, mean_value},
    interval::ConfidenceLevel,
};
use pointsman_train::outcomes::{LoggedOutcome, Outcomes};

/// Figures over several simulated logs, one entry per log.
#[derive(Debug, Clone)]
pub(crate) struct FromLogs {
    pub(crate) n_logs: u64,
    /// Of the quality and of the frontier area, where there are costs.
    intervals: [Option<MeanValue>; 2],
}

/// The logging policy.
pub(crate) const LOGGER: LoggerKind = LoggerKind::Softmax { temperature: 0.1, uniform_share: 0.1 };

impl FromLogs {
    /// The policy's figures less those of the log's best single model; of the frontier area, less
    /// that of the mix of single models. The intervals are asymptotic, over logs.
    pub(crate) fn differences(&self) -> Vec<(&'static str, MeanValue)> {
        let named = ["quality", "frontier area"].into_iter().zip(self.intervals);
        named.filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Learns from `n_logs` logs of each training part.
pub(crate) fn run(loaded: &LoadedTable, n_logs: u64, screen: &Screen) -> Result<FromLogs> {
    let parts = train_test_parts(&loaded.table, &loaded.matrix);
    let test = TestRows::new(loaded, &parts);
    let bar = screen.progress("learning from logs", n_logs * parts.len() as u64);
    let (mut quality, mut frontier_area) = (Vec::new(), Vec::new());
    for seed in 0..n_logs {
        let (mut policy, mut single) = (Predictions::default(), Predictions::default());
        for part in &parts {
            let log = log_of(loaded, part, (LOGGER, seed))?;
            let outcomes = Outcomes::logged(loaded.matrix.models.len(), &log)?;
            let learner = (Learner::Pointsman, seed);
            let trained = fit((loaded, &loaded.design), &outcomes, learner, part)?;
            policy.extend(&Scorer::new(trained.parts)?, &loaded.design, &part.test);
            for _ in &part.test {
                single.quality.extend(&trained.mean_quality);
                single.cost.extend(&trained.mean_cost);
            }
            bar.inc(1);
        }
        let (policy, single) = (test.figures_of(&policy)?, test.figures_of(&single)?);
        quality.push(policy.quality - single.quality);
        frontier_area.extend(policy.frontier_area.zip(single.frontier_area).map(|(p, s)| p - s));
    }
    bar.finish_and_clear();
    let interval = |values: &[f64]| mean_value(values, ConfidenceLevel::P95).ok();
    let intervals = [interval(&quality), interval(&frontier_area)];
    Ok(FromLogs { n_logs, intervals })
}

/// One outcome for each row of the table, drawn by a logging policy that knows the models' means
/// over the training part. Rows outside the part are drawn too, and never read.
pub(crate) fn log_of(
    loaded: &LoadedTable,
    part: &TrainTest,
    (logger, seed): (LoggerKind, u64),
) -> Result<Vec<LoggedOutcome>> {
    let (matrix, n_models) = (&loaded.matrix, loaded.matrix.models.len());
    let mut means = vec![0.0; n_models];
    for &row in &part.train {
        for (mean, quality) in means.iter_mut().zip(&matrix.quality[row as usize * n_models..]) {
            *mean += quality / len_as_float(part.train.len());
        }
    }
    let probabilities = logging_distribution(logger, &means);
    let rows = matrix.prompts.iter().enumerate().map(|(row, &prompt)| {
        let draw = keyed_draw(seed, &loaded.table.prompts[prompt as usize].id);
        let taken = model_at(&probabilities, Probability::new(draw)?);
        let at = row * n_models + taken;
        Ok(LoggedOutcome {
            taken: u16::try_from(taken)?,
            propensity: Propensity::new(probabilities[taken])?,
            quality: narrow(matrix.quality[at]),
            cost_usd: matrix.cost_usd.as_ref().map(|cost| cost[at]),
            output_tokens: matrix.output_tokens[at],
        })
    });
    rows.collect()
}
