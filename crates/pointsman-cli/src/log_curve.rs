//! How much is lost by learning from a log instead of full information, by the size of the log.
//!
//! Logs of the first 250, 500, 1,000, … training prompts in a drawn order, under three logging
//! policies; the truth of the test rows is every model's outcome. A model that a small log never
//! drew is never chosen. Weakness: simulated loggers look at no prompt.

use crate::{
    from_logs::{LOGGER, log_of},
    load::LoadedTable,
    routers::{Learner, Predictions, TestRows, learned, training_means},
    screen::Screen,
};
use anyhow::Result;
use pointsman_data::{LoggerKind, TrainTest, keyed_draw, train_test_parts};
use pointsman_eval::{
    frontier::Figures,
    full::{MeanValue, mean_value},
    interval::ConfidenceLevel,
};
use pointsman_train::outcomes::{LoggedOutcome, Outcomes};
use serde_json::{Value, json};

/// The logging policies, from much to little exploration.
const LOGGERS: [LoggerKind; 3] =
    [LoggerKind::Uniform, LOGGER, LoggerKind::EpsilonGreedy { epsilon: 0.1 }];

/// The smallest log; each further one is twice as large.
const FIRST_SIZE: usize = 250;

/// The curve of one table.
#[derive(Debug, Clone)]
pub(crate) struct LogCurve {
    n_logs: u64,
    /// What is learned from all outcomes of the training parts.
    full: Figures,
    /// The models' means over the training parts, as predictions of every row.
    best_single: Figures,
    points: Vec<CurvePoint>,
}

/// Figures at one size of log, with intervals over logs.
#[derive(Debug, Clone)]
struct CurvePoint {
    logger: LoggerKind,
    /// Mean over the parts.
    n_outcomes: usize,
    quality: MeanValue,
    frontier_area: Option<MeanValue>,
    /// Of the gap between the best single model and full information, by frontier area, or by
    /// quality where there are no costs; none where full information gains nothing.
    share_of_gap: Option<MeanValue>,
}

/// Learns from `n_logs` logs of each size, policy and training part.
pub(crate) fn run(loaded: &LoadedTable, n_logs: u64, screen: &Screen) -> Result<LogCurve> {
    let parts = train_test_parts(&loaded.table, &loaded.matrix);
    let test = TestRows::new(loaded, &parts);
    let all = loaded.outcomes(None)?;
    let (mut full, mut single) = (Predictions::default(), Predictions::default());
    for part in &parts {
        learned(loaded, &all, (Learner::Pointsman, 0), part, &mut full)?;
        training_means(loaded, part, &mut single);
    }
    let (full, best_single) = (test.figures_of(&full)?, test.figures_of(&single)?);
    let sizes = sizes(&parts);
    let total = LOGGERS.len() * sizes.len();
    let bar = screen.progress("learning from logs", n_logs * total as u64);
    let mut points = Vec::with_capacity(total);
    for logger in LOGGERS {
        for &size in &sizes {
            let mut found = Vec::new();
            for seed in 0..n_logs {
                let mut policy = Predictions::default();
                for part in &parts {
                    let log = log_of(loaded, part, (logger, seed))?;
                    let part = part_of(loaded, part, (size, seed));
                    from_log(loaded, &log, (&part, seed), &mut policy)?;
                }
                found.push(test.figures_of(&policy)?);
                bar.inc(1);
            }
            let n: usize = parts.iter().map(|part| part.train.len().min(size)).sum();
            points.push(point((logger, n / parts.len()), &found, (&full, &best_single))?);
        }
    }
    bar.finish_and_clear();
    Ok(LogCurve { n_logs, full, best_single, points })
}

/// Doubling sizes, and at last whole training parts.
fn sizes(parts: &[TrainTest]) -> Vec<usize> {
    let least = parts.iter().map(|part| part.train.len()).min().unwrap_or(0);
    let doubling = std::iter::successors(Some(FIRST_SIZE), |size| Some(2 * size));
    doubling.take_while(|&size| size < least).chain([usize::MAX]).collect()
}

/// A part with the first `size` of its training rows, in an order that the seed decides.
fn part_of(loaded: &LoadedTable, part: &TrainTest, (size, seed): (usize, u64)) -> TrainTest {
    let draw = |row: u32| {
        let prompt = loaded.matrix.prompts[row as usize];
        keyed_draw(seed, &format!("order {}", loaded.table.prompts[prompt as usize].id))
    };
    let mut order: Vec<(f64, u32)> = part.train.iter().map(|&row| (draw(row), row)).collect();
    order.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    let train = order.into_iter().take(size).map(|(_, row)| row).collect();
    TrainTest { train, test: part.test.clone(), n_leaked: part.n_leaked }
}

/// Learns from the outcomes of a part's training rows, and predicts its test rows.
fn from_log(
    loaded: &LoadedTable,
    log: &[LoggedOutcome],
    (part, seed): (&TrainTest, u64),
    policy: &mut Predictions,
) -> Result<()> {
    let n_models = loaded.matrix.models.len();
    let mut is_drawn = vec![false; n_models];
    for &row in &part.train {
        is_drawn[usize::from(log[row as usize].taken)] = true;
    }
    let drawn: Vec<usize> = (0..n_models).filter(|&model| is_drawn[model]).collect();
    let mut found = Predictions::default();
    if let [_, _, ..] = drawn[..] {
        // A row that is never read may name a model that the log never drew.
        let place = |taken: u16| drawn.binary_search(&usize::from(taken)).unwrap_or(0);
        let rows = log
            .iter()
            .map(|row| Ok(LoggedOutcome { taken: u16::try_from(place(row.taken))?, ..*row }));
        let outcomes = Outcomes::logged(drawn.len(), &rows.collect::<Result<Vec<_>>>()?)?;
        learned(loaded, &outcomes, (Learner::Pointsman, seed), part, &mut found)?;
    } else {
        found.quality = vec![0.0; part.test.len()];
        found.cost = vec![0.0; part.test.len()];
    }
    policy.quality.extend(spread(&found.quality, &drawn, n_models, NEVER));
    let dearest = found.cost.iter().copied().fold(0.0, f64::max);
    policy.cost.extend(spread(&found.cost, &drawn, n_models, dearest));
    Ok(())
}

/// A predicted quality with which no model is chosen.
const NEVER: f64 = -1e6;

/// Columns of the drawn models to columns of all.
fn spread(values: &[f64], drawn: &[usize], n_models: usize, absent: f64) -> Vec<f64> {
    let mut all = vec![absent; values.len() / drawn.len().max(1) * n_models];
    for (out, row) in all.chunks_exact_mut(n_models).zip(values.chunks_exact(drawn.len().max(1))) {
        for (&model, value) in drawn.iter().zip(row) {
            out[model] = *value;
        }
    }
    all
}

fn point(
    (logger, n_outcomes): (LoggerKind, usize),
    found: &[Figures],
    (full, single): (&Figures, &Figures),
) -> Result<CurvePoint> {
    let mean = |values: &[f64]| mean_value(values, ConfidenceLevel::P95);
    let quality: Vec<f64> = found.iter().map(|figures| figures.quality).collect();
    let area: Option<Vec<f64>> = found.iter().map(|figures| figures.frontier_area).collect();
    let main = |figures: &Figures| figures.frontier_area.unwrap_or(figures.quality);
    let (from, to) = (main(single), main(full));
    let shares: Vec<f64> =
        found.iter().map(|figures| (main(figures) - from) / (to - from)).collect();
    Ok(CurvePoint {
        logger,
        n_outcomes,
        quality: mean(&quality)?,
        frontier_area: area.map(|area| mean(&area)).transpose()?,
        share_of_gap: if from < to { Some(mean(&shares)?) } else { None },
    })
}

impl LogCurve {
    /// For people.
    pub(crate) fn describe(&self, screen: &Screen) -> Result<()> {
        screen.say(&format!(
            "learned from logs, {} of each kind; the gap is that between the best single model and full \
             information (mean, 95 % over logs):",
            self.n_logs
        ))?;
        let figure = |value: &MeanValue| {
            let interval = &value.interval;
            format!("{:.4} [{:.4}, {:.4}]", value.value, interval.lower, interval.upper)
        };
        let share = |value: &MeanValue| {
            let interval = &value.interval;
            let percent = |value: f64| 100.0 * value;
            format!(
                "{:.0} % [{:.0}, {:.0}]",
                percent(value.value),
                percent(interval.lower),
                percent(interval.upper)
            )
        };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let rows = self.points.iter().map(|point| {
            [
                name(point.logger).to_owned(),
                crate::wording::length(point.n_outcomes),
                figure(&point.quality),
                or_none(point.frontier_area.as_ref().map(figure)),
                or_none(point.share_of_gap.as_ref().map(share)),
            ]
        });
        let ends = [("full information", &self.full), ("best single", &self.best_single)];
        let ends = ends.into_iter().map(|(name, figures)| {
            let area = figures.frontier_area.map(|area| format!("{area:.4}"));
            let quality = format!("{:.4}", figures.quality);
            [name.to_owned(), "-".to_owned(), quality, or_none(area), "-".to_owned()]
        });
        let header = ["logging policy", "outcomes", "quality", "frontier area", "share of the gap"];
        screen.table(header, rows.chain(ends))?;
        screen.say("")
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let value = |value: &MeanValue| {
            let interval = &value.interval;
            json!({"value": value.value, "lower": interval.lower, "upper": interval.upper, "level": 0.95})
        };
        let ends = |figures: &Figures| json!({"quality": figures.quality, "frontier_area": figures.frontier_area});
        let points: Vec<Value> = self
            .points
            .iter()
            .map(|point| {
                json!({
                    "logger": name(point.logger),
                    "n_outcomes": point.n_outcomes,
                    "quality": value(&point.quality),
                    "frontier_area": point.frontier_area.as_ref().map(value),
                    "share_of_gap": point.share_of_gap.as_ref().map(value),
                })
            })
            .collect();
        json!({
            "n_logs": self.n_logs,
            "full_information": ends(&self.full),
            "best_single": ends(&self.best_single),
            "points": points,
        })
    }
}

fn name(logger: LoggerKind) -> &'static str {
    match logger {
        LoggerKind::Uniform => "uniform",
        LoggerKind::Softmax { .. } => "softmax",
        LoggerKind::EpsilonGreedy { .. } => "epsilon-greedy",
    }
}
