//! Tables with full information, loggers and policies on them, and logs drawn from them.
//!
//! A log draws prompts with replacement, so the truth is the table's mean. Scores and predictions
//! are fixed functions of the table, as of a router that was trained elsewhere.

use pointsman_testkit::{Draws, Stream, World};
use std::{error::Error, fs, path::Path};

/// Every model's grade and cost on every prompt, row by row.
#[derive(Debug)]
pub struct Table {
    /// Where it comes from.
    pub name: String,
    /// The number of models.
    pub n_models: usize,
    /// Grades in `[0, 1]`, shape `(n_prompts, n_models)`.
    pub quality: Vec<f64>,
    /// Dollars, likewise.
    pub cost: Vec<f64>,
    /// The kind of task of each prompt.
    pub task: Vec<usize>,
}

/// A distribution over models for each prompt, shape `(n_prompts, n_models)`.
#[derive(Debug)]
pub struct Policy {
    /// What it is called in the results.
    pub name: &'static str,
    /// The probabilities.
    pub shares: Vec<f64>,
}

impl Table {
    /// Requests of the simulated world, their outcomes taken as they came.
    pub fn simulated(n_prompts: u64) -> Self {
        let world = World::new(5);
        let (mut quality, mut cost, mut task) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..n_prompts {
            let request = world.request(index);
            task.push(request.task_kind().position());
            for outcome in world.outcomes(&request) {
                quality.push(outcome.quality);
                #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                cost.push(outcome.cost_nanodollars as f64 / 1e9);
            }
        }
        Self { name: "simulated world".to_owned(), n_models: world.n_models(), quality, cost, task }
    }

    /// Rare successes and a few ruinous costs: what asymptotic intervals fail on.
    pub fn rare(n_prompts: u64) -> Self {
        let mut draws = Draws::keyed(6, Stream::Outcome, &[]);
        let (mut quality, mut cost, mut task) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n_prompts {
            task.push(draws.position(3));
            for model in 1..=5_u32 {
                let success = draws.chance(0.006 * f64::from(model));
                quality.push(if success { 1.0 } else { 0.0 });
                let heavy = if draws.chance(0.01) { 60.0 } else { 1.0 };
                cost.push(1e-4 * f64::from(model) * heavy * draws.log_normal_factor(0.5));
            }
        }
        Self { name: "simulated rare".to_owned(), n_models: 5, quality, cost, task }
    }

    /// Reads a table as `coverage_tables.py` writes it.
    ///
    /// # Errors
    /// What the file system says, or that the file is not of that form.
    pub fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let bytes = fs::read(path)?;
        let mut words = bytes.chunks_exact(8).map(|it| it.try_into().map(u64::from_le_bytes));
        let mut size = || -> Result<usize, Box<dyn Error>> {
            Ok(usize::try_from(words.next().ok_or("an empty file")??)?)
        };
        let (n_prompts, n_models) = (size()?, size()?);
        let numbers: Vec<f64> = words.map(|it| it.map(f64::from_bits)).collect::<Result<_, _>>()?;
        let n_cells = n_prompts * n_models;
        if numbers.len() != 2 * n_cells + n_prompts {
            return Err("the file does not hold what its first numbers say".into());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small whole numbers"
        )]
        let task = numbers[2 * n_cells..].iter().map(|it| *it as usize).collect();
        Ok(Self {
            name: path.file_stem().ok_or("no name")?.to_string_lossy().into_owned(),
            n_models,
            quality: numbers[..n_cells].to_vec(),
            cost: numbers[n_cells..2 * n_cells].to_vec(),
            task,
        })
    }

    /// The number of prompts.
    pub fn n_prompts(&self) -> usize {
        self.task.len()
    }

    /// The mean of each model within each task: a reward model that knows tasks alone.
    pub fn by_task(&self, values: &[f64]) -> Vec<f64> {
        let n_tasks = self.task.iter().max().map_or(0, |it| it + 1);
        let mut sums = vec![0.0; n_tasks * self.n_models];
        let mut counts = vec![0.0; n_tasks];
        for (row, &task) in values.chunks_exact(self.n_models).zip(&self.task) {
            counts[task] += 1.0;
            for (model, value) in row.iter().enumerate() {
                sums[task * self.n_models + model] += value;
            }
        }
        let cells = self.task.iter().flat_map(|&task| {
            (0..self.n_models).map(move |model| (task * self.n_models + model, task))
        });
        cells.map(|(cell, task)| sums[cell] / counts[task]).collect()
    }

    /// The mean over prompts of the policy's mean over models.
    pub fn truth(&self, policy: &Policy, values: &[f64]) -> f64 {
        let total: f64 = policy.shares.iter().zip(values).map(|(share, value)| share * value).sum();
        total / count(self.n_prompts())
    }

    fn means(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_models];
        for row in values.chunks_exact(self.n_models) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
        sums.into_iter().map(|sum| sum / count(self.n_prompts())).collect()
    }

    /// What a router thinks of each model on each prompt: the task's mean, a little of the truth,
    /// and noise.
    fn scores(&self) -> Vec<f64> {
        let mut draws = Draws::keyed(9, Stream::Words, &[]);
        let means = self.by_task(&self.quality);
        let cells = means.iter().zip(&self.quality);
        cells.map(|(mean, quality)| mean + 0.2 * (quality - mean) + 0.1 * draws.normal()).collect()
    }

    /// Uniform, softmax with a floor, and a greedy one that explores one request in ten.
    pub fn loggers(&self) -> [Policy; 3] {
        let scores = self.by_task(&self.quality);
        [
            self.policy("uniform", |_| vec![1.0; self.n_models]),
            self.mixed("softmax", 0.2, &self.softmax(&scores, 0.1)),
            self.mixed("epsilon-greedy", 0.1, &self.softmax(&scores, 1e-4)),
        ]
    }

    /// Best single model, cheapest, softmax router, greedy router, and a mix of router and cheapest.
    pub fn targets(&self) -> [Policy; 5] {
        let scores = self.scores();
        let (best, _) = largest(&self.means(&self.quality), 1.0);
        let (cheapest, _) = largest(&self.means(&self.cost), -1.0);
        let single = |model: usize| {
            let mut shares = vec![0.0; self.n_models];
            shares[model] = 1.0;
            shares
        };
        let (soft, greedy) = (self.softmax(&scores, 0.1), self.softmax(&scores, 1e-4));
        [
            self.policy("best single", |_| single(best)),
            self.policy("cheapest", |_| single(cheapest)),
            self.policy("softmax router", |prompt| self.row(&soft, prompt)),
            self.policy("greedy router", |prompt| self.row(&greedy, prompt)),
            self.policy("mix", |prompt| {
                let (router, single) = (self.row(&greedy, prompt), single(cheapest));
                router.iter().zip(single).map(|(router, single)| 0.5 * (router + single)).collect()
            }),
        ]
    }

    fn row(&self, cells: &[f64], prompt: usize) -> Vec<f64> {
        cells[prompt * self.n_models..(prompt + 1) * self.n_models].to_vec()
    }

    fn policy(&self, name: &'static str, shares: impl Fn(usize) -> Vec<f64>) -> Policy {
        let rows = (0..self.n_prompts()).flat_map(|prompt| {
            let row = shares(prompt);
            let total: f64 = row.iter().sum();
            row.into_iter().map(move |share| share / total)
        });
        Policy { name, shares: rows.collect() }
    }

    fn mixed(&self, name: &'static str, floor: f64, shares: &[f64]) -> Policy {
        self.policy(name, |prompt| {
            let row = self.row(shares, prompt);
            row.iter().map(|share| (1.0 - floor) * share + floor / count(self.n_models)).collect()
        })
    }

    fn softmax(&self, scores: &[f64], temperature: f64) -> Vec<f64> {
        let rows = scores.chunks_exact(self.n_models).flat_map(|row| {
            let (_, top) = largest(row, 1.0);
            let odds: Vec<f64> = row.iter().map(|it| ((it - top) / temperature).exp()).collect();
            let total: f64 = odds.iter().sum();
            odds.into_iter().map(move |it| it / total)
        });
        rows.collect()
    }
}

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "no table has 2^53 prompts")]
pub fn count(number: usize) -> f64 {
    number as f64
}

fn largest(values: &[f64], sign: f64) -> (usize, f64) {
    let mut found = (0, f64::NEG_INFINITY);
    for (position, &value) in values.iter().enumerate() {
        if found.1 < sign * value {
            found = (position, sign * value);
        }
    }
    (found.0, sign * found.1)
}
