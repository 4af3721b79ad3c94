//! How a model is predicted that little or nothing has been learned about: one model of an outcome
//! table is held back, and given to the others' policy with 0 to 500 of its outcomes.
//!
//! Beside it stands the same model learned from those outcomes alone, with every other model's
//! predictions as they are. Weakness: on the first division of the table only, and what a model
//! would have cost stands in for its price.

use crate::{
    load::{LoadedTable, narrow},
    nearest::did_you_mean,
    routers::{Learner, Predictions, first_best, learned},
    screen::Screen,
    wording,
};
use anyhow::{Context, Result, bail};
use pointsman_core::{
    newcomers::{Prior, Traits},
    units::len_as_float,
};
use pointsman_data::{TrainTest, keyed_draw, train_test_parts};
use pointsman_train::{outcomes::Outcomes, train::LEAST_ROWS};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Outcomes of the model that was held back.
const N_OUTCOMES: [usize; 7] = [0, 10, 25, 50, 100, 200, 500];

/// Draws of those outcomes, which figures are means over.
const N_SEEDS: u64 = 10;

/// What was found about one held-back model.
#[derive(Debug)]
pub(crate) struct ColdStart {
    model: String,
    n_test: usize,
    prior: Prior,
    /// Its mean quality on the test rows.
    mean_quality: f64,
    /// What choosing by predicted quality is worth where it was learned from all rows.
    full_value: f64,
    /// The same, where it is never taken.
    value_without: f64,
    steps: Vec<Step>,
}

/// Means over draws of so many outcomes.
#[derive(Debug)]
struct Step {
    n_outcomes: usize,
    from_prior: Errors,
    /// Where there are outcomes enough to learn from at all.
    from_scratch: Option<Errors>,
}

/// How far predictions are off.
#[derive(Debug, Clone, Copy, Default)]
struct Errors {
    /// Root mean square over prompts; mostly the luck of single answers.
    by_prompt: f64,
    /// The same over the means of tasks, each with its rows' weight; zero where there are none.
    by_task: f64,
    /// What choosing by predicted quality loses against having learned from all rows.
    regret: f64,
}

/// The table with one model held back.
struct HeldBack<'t> {
    loaded: &'t LoadedTable,
    part: &'t TrainTest,
    model: usize,
    /// Predictions of the others on test rows, and by how much each row is easier than the mean.
    others: Vec<f64>,
    difficulty: Vec<f64>,
    /// The same for the training rows.
    train_difficulty: Vec<f64>,
}

/// The place of the model that is to be held back.
pub(crate) fn place(models: &[String], model: &str) -> Result<usize> {
    let place = models.iter().position(|name| name == model).with_context(|| {
        let question = did_you_mean(model, models.iter().map(String::as_str));
        format!("--cold-start {model}: the table's models are {}{question}", models.join(", "))
    })?;
    if models.len() < 3 {
        bail!("--cold-start {model}: with one other model there is nothing to route among");
    }
    Ok(place)
}

/// Holds one model back.
pub(crate) fn run(
    loaded: &LoadedTable,
    model: &str,
    seed: u64,
    screen: &Screen,
) -> Result<ColdStart> {
    let models = &loaded.matrix.models;
    let place = place(models, model)?;
    let parts = train_test_parts(&loaded.table, &loaded.matrix);
    let Some(part) = parts.first() else { bail!("the table has no division") };
    let outcomes = loaded.outcomes(None)?;
    let learner = (Learner::Pointsman, seed);
    let mut all = Predictions::default();
    let (mean_quality, mean_cost) = learned(loaded, &outcomes, learner, part, &mut all)?;
    let prior = prior(place, &mean_quality, &mean_cost);
    let held = HeldBack::new(loaded, part, place, (learner, &mean_quality))?;
    let full_value = held.value(all.quality.chunks_exact(models.len()).map(<[f64]>::to_vec));
    let bar = screen.progress("cold start", N_OUTCOMES.len() as u64 * N_SEEDS);
    let mut steps = Vec::new();
    for n_outcomes in N_OUTCOMES.into_iter().filter(|&n| n <= part.train.len()) {
        let (mut from_prior, mut from_scratch) = (Errors::default(), Some(Errors::default()));
        for draw in 0..N_SEEDS {
            let rows = held.draw(n_outcomes, seed.wrapping_mul(N_SEEDS).wrapping_add(draw));
            from_prior.add(&held.errors(&held.by_prior(&prior, &rows), full_value));
            let scratch = held.alone(&outcomes, learner, &rows)?;
            from_scratch = from_scratch.zip(scratch).map(|(mut sum, predicted)| {
                sum.add(&held.errors(&predicted, full_value));
                sum
            });
            bar.inc(1);
        }
        steps.push(Step { n_outcomes, from_prior, from_scratch });
    }
    bar.finish_and_clear();
    let own: Vec<f64> = part.test.iter().map(|&row| held.quality(row, place)).collect();
    Ok(ColdStart {
        model: model.to_owned(),
        n_test: part.test.len(),
        prior,
        mean_quality: own.iter().sum::<f64>() / len_as_float(own.len()),
        full_value,
        value_without: held.value(held.with(&vec![f64::NEG_INFINITY; part.test.len()])),
        steps,
    })
}

/// By the price family of the other models, where there are costs.
fn prior(place: usize, mean_quality: &[f64], mean_cost: &[f64]) -> Prior {
    let traits = |model: usize| Traits {
        price: Some(mean_cost[model]).filter(|cost| 0.0 < *cost),
        stated: None,
    };
    let others = (0..mean_quality.len()).filter(|&model| model != place);
    let learned: Vec<(Traits, f64)> = others.map(|m| (traits(m), mean_quality[m])).collect();
    Prior::of(&traits(place), &learned)
}

impl<'t> HeldBack<'t> {
    fn new(
        loaded: &'t LoadedTable,
        part: &'t TrainTest,
        model: usize,
        (learner, mean_quality): ((Learner, u64), &[f64]),
    ) -> Result<Self> {
        let n_models = loaded.matrix.models.len();
        let without = |all: &[f64]| -> Vec<f64> {
            let row = |row: &[f64]| [&row[..model], &row[model + 1..]].concat();
            all.chunks_exact(n_models).flat_map(row).collect()
        };
        let quality = without(&loaded.matrix.quality).into_iter().map(narrow).collect();
        let cost = loaded.matrix.cost_usd.as_deref().map(without);
        let outcomes = Outcomes::full(n_models - 1, quality, cost, None)?;
        // Both parts are predicted by one fit of the training part.
        let both = TrainTest {
            train: part.train.clone(),
            test: part.test.iter().chain(&part.train).copied().collect(),
            n_leaked: 0,
        };
        let mut predictions = Predictions::default();
        learned(loaded, &outcomes, learner, &both, &mut predictions)?;
        let n_others = len_as_float(n_models - 1);
        let mean = (mean_quality.iter().sum::<f64>() - mean_quality[model]) / n_others;
        let rows = predictions.quality.chunks_exact(n_models - 1);
        let mut difficulty: Vec<f64> =
            rows.map(|row| row.iter().sum::<f64>() / n_others - mean).collect();
        let train_difficulty = difficulty.split_off(part.test.len());
        predictions.quality.truncate(part.test.len() * (n_models - 1));
        let others = predictions.quality;
        Ok(Self { loaded, part, model, others, difficulty, train_difficulty })
    }

    fn quality(&self, row: u32, model: usize) -> f64 {
        self.loaded.matrix.quality[row as usize * self.loaded.matrix.models.len() + model]
    }

    /// Places of `n` of the training rows, the same for every `n` but for their number.
    fn draw(&self, n: usize, seed: u64) -> Vec<usize> {
        let key = |place: usize| {
            let prompt = self.loaded.matrix.prompts[self.part.train[place] as usize];
            keyed_draw(seed, &self.loaded.table.prompts[prompt as usize].id)
        };
        let mut places: Vec<(f64, usize)> =
            (0..self.part.train.len()).map(|place| (key(place), place)).collect();
        places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        places.into_iter().take(n).map(|(_, place)| place).collect()
    }

    /// The held-back model's predicted quality on the test rows, from its prior and outcomes.
    fn by_prior(&self, prior: &Prior, places: &[usize]) -> Vec<f64> {
        let seen: Vec<f64> = places
            .iter()
            .map(|&p| self.quality(self.part.train[p], self.model) - self.train_difficulty[p])
            .collect();
        let level = prior.after(&seen).level;
        self.difficulty.iter().map(|difficulty| level + difficulty).collect()
    }

    /// The same, from a fit of those rows alone; `None` where they are too few.
    fn alone(
        &self,
        outcomes: &Outcomes,
        learner: (Learner, u64),
        places: &[usize],
    ) -> Result<Option<Vec<f64>>> {
        if places.len() < LEAST_ROWS {
            return Ok(None);
        }
        let train = places.iter().map(|&place| self.part.train[place]).collect();
        let few = TrainTest { train, test: self.part.test.clone(), n_leaked: 0 };
        let mut predictions = Predictions::default();
        learned(self.loaded, outcomes, learner, &few, &mut predictions)?;
        let n_models = self.loaded.matrix.models.len();
        Ok(Some(predictions.quality.iter().skip(self.model).step_by(n_models).copied().collect()))
    }

    /// All models' predictions on the test rows, the held-back one's in its place.
    fn with<'p>(&'p self, own: &'p [f64]) -> impl Iterator<Item = Vec<f64>> + 'p {
        let rows = self.others.chunks_exact(self.loaded.matrix.models.len() - 1).zip(own);
        rows.map(|(row, own)| [&row[..self.model], &[*own], &row[self.model..]].concat())
    }

    /// The mean quality of choosing by these predictions.
    fn value(&self, rows: impl Iterator<Item = Vec<f64>>) -> f64 {
        let chosen = rows
            .zip(&self.part.test)
            .map(|(predicted, &row)| self.quality(row, first_best(predicted.into_iter())));
        chosen.sum::<f64>() / len_as_float(self.part.test.len())
    }

    fn errors(&self, own: &[f64], full_value: f64) -> Errors {
        let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        let mut squares = 0.0;
        for (&row, predicted) in self.part.test.iter().zip(own) {
            let error = predicted - self.quality(row, self.model);
            squares += error * error;
            let prompt = self.loaded.matrix.prompts[row as usize];
            if let Some(task) = &self.loaded.table.prompts[prompt as usize].task {
                let (total, n) = tasks.entry(task).or_default();
                *total += error;
                *n += 1.0;
            }
        }
        let n_in_tasks: f64 = tasks.values().map(|(_, n)| n).sum();
        let of_tasks: f64 = tasks.values().map(|(total, n)| total * total / n).sum();
        Errors {
            by_prompt: (squares / len_as_float(own.len())).sqrt(),
            by_task: (of_tasks / n_in_tasks.max(1.0)).sqrt(),
            regret: full_value - self.value(self.with(own)),
        }
    }
}

impl Errors {
    /// Adds one draw's share of the mean.
    fn add(&mut self, of_draw: &Self) {
        let share = 1.0 / pointsman_core::units::as_float(N_SEEDS);
        self.by_prompt += share * of_draw.by_prompt;
        self.by_task += share * of_draw.by_task;
        self.regret += share * of_draw.regret;
    }
}

/// For people.
pub(crate) fn describe(found: &ColdStart, screen: &Screen) -> Result<()> {
    let band = found.prior.band();
    screen.say(&format!(
        "`{}` held back: {} test rows, {N_SEEDS} draws; its mean quality was expected to be {} ({}) and is {}; \
         choosing by quality is worth {:.4} with it fully learned, {:.4} without it",
        found.model,
        wording::length(found.n_test),
        wording::with_interval(band.value, band.lower, band.upper),
        found.prior.basis,
        wording::quality(found.mean_quality),
        found.full_value,
        found.value_without,
    ))?;
    let cells = |errors: Option<&Errors>| {
        errors.map_or_else(
            || ["-", "-", "-"].map(str::to_owned),
            |e| [e.by_prompt, e.by_task, e.regret].map(|value| format!("{value:.4}")),
        )
    };
    let rows = found.steps.iter().map(|step| {
        let [prompt, task, regret] = cells(Some(&step.from_prior));
        let [scratch_prompt, scratch_task, scratch_regret] = cells(step.from_scratch.as_ref());
        let n = step.n_outcomes.to_string();
        [n, prompt, task, regret, scratch_prompt, scratch_task, scratch_regret]
    });
    let header = [
        "outcomes",
        "error by prompt",
        "by task",
        "regret",
        "from scratch: by prompt",
        "by task",
        "regret",
    ];
    screen.table(header, rows)?;
    screen.say("")
}

/// For programs.
pub(crate) fn json(found: &ColdStart) -> Value {
    let errors =
        |e: &Errors| json!({"by_prompt": e.by_prompt, "by_task": e.by_task, "regret": e.regret});
    let step = |step: &Step| {
        json!({
            "n_outcomes": step.n_outcomes,
            "from_prior": errors(&step.from_prior),
            "from_scratch": step.from_scratch.as_ref().map(errors),
        })
    };
    let band = found.prior.band();
    json!({
        "model": found.model,
        "n_test": found.n_test,
        "n_draws": N_SEEDS,
        "prior": {
            "value": band.value,
            "lower": band.lower,
            "upper": band.upper,
            "from": found.prior.basis.to_string(),
        },
        "mean_quality": found.mean_quality,
        "full_value": found.full_value,
        "value_without": found.value_without,
        "steps": found.steps.iter().map(step).collect::<Vec<_>>(),
    })
}
