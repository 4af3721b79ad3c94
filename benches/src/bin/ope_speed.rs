//! Prints the processor time that nine point estimates take, and that a bootstrap of DR takes, from
//! columns that a script wrote.
//!
//! Standard input is little-endian: the number of rounds and of actions as 64-bit integers, then
//! 64-bit floats: actions, propensities, rewards, the policy's distributions and predicted rewards.

use pointsman_eval::{
    bootstrap::Buckets,
    distributions::{ActionRounds, TargetColumn},
    error::EstimateError,
    estimators::{Estimator, PartialEstimate, influence_values},
    interval::{ConfidenceLevel, Interval},
    rounds::LoggedRounds,
};
use std::{
    error::Error,
    fs,
    io::{self, Read, Write},
};

const NAMES: [&str; 9] =
    ["ipw", "snipw", "dm", "dr", "sndr", "switch-dr", "dr-os", "sg-ipw", "sg-dr"];

/// λ of the four that would be plain DR or IPS without one.
const LAMBDAS: [f64; 9] = [f64::INFINITY, 0.0, 0.0, f64::INFINITY, 0.0, 10.0, 100.0, 0.1, 0.1];

/// Rounds that are scored at once; their columns stay in the cache of one core.
const BATCH: usize = 4096;

/// Resamples of the bootstrap, and the seed that they are drawn by.
const N_RESAMPLES: u32 = 1000;
const SEED: u64 = 7;

/// Timings, of which the least is printed.
const N_RUNS: u32 = 5;

struct Log {
    n_actions: usize,
    action: Vec<u32>,
    propensity: Vec<f64>,
    reward: Vec<f64>,
    policy: Vec<f64>,
    predictions: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let log = Log::read(&bytes)?;
    drop(bytes);
    let mut least = f64::INFINITY;
    let mut values = Vec::new();
    for _ in 0..N_RUNS {
        let before = processor_seconds()?;
        values = log.estimate()?;
        least = least.min(processor_seconds()? - before);
    }
    let before = processor_seconds()?;
    let interval = log.bootstrap()?;
    let seconds = processor_seconds()? - before;
    let mut out = io::stdout().lock();
    writeln!(out, "seconds {least:.4}")?;
    writeln!(out, "bootstrap {seconds:.4} {} {}", interval.lower, interval.upper)?;
    for (name, value) in NAMES.iter().zip(values) {
        writeln!(out, "{name} {value:.17}")?;
    }
    Ok(())
}

impl Log {
    fn read(bytes: &[u8]) -> Result<Self, Box<dyn Error>> {
        let (words, _) = bytes.as_chunks::<8>();
        let [n_rounds, n_actions, cells @ ..] = words else { return Err("no sizes".into()) };
        let n_rounds = usize::try_from(u64::from_le_bytes(*n_rounds))?;
        let n_actions = usize::try_from(u64::from_le_bytes(*n_actions))?;
        let mut cells = cells.iter().map(|cell| f64::from_le_bytes(*cell));
        let mut column = |length: usize| -> Vec<f64> { cells.by_ref().take(length).collect() };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the script writes actions as small whole floats"
        )]
        let action = column(n_rounds).into_iter().map(|action| action as u32).collect();
        let (propensity, reward) = (column(n_rounds), column(n_rounds));
        let (policy, predictions) = (column(n_rounds * n_actions), column(n_rounds * n_actions));
        if predictions.len() != n_rounds * n_actions {
            return Err("the columns are cut off".into());
        }
        Ok(Self { n_actions, action, propensity, reward, policy, predictions })
    }

    /// The nine values, with every check that `pointsman ope` makes.
    fn estimate(&self) -> Result<Vec<f64>, Box<dyn Error>> {
        let mut sums = Vec::new();
        for (name, lambda) in NAMES.iter().zip(LAMBDAS) {
            sums.push(PartialEstimate::new(Estimator::named(name)?.at(lambda)?));
        }
        for start in (0..self.action.len()).step_by(BATCH) {
            let rounds = self.batch(start)?;
            sums.iter_mut().try_for_each(|sums| sums.push(&rounds))?;
        }
        let values: Result<Vec<f64>, EstimateError> =
            sums.iter().map(PartialEstimate::value).collect();
        Ok(values?)
    }

    /// The interval of DR, from row-keyed buckets.
    fn bootstrap(&self) -> Result<Interval, Box<dyn Error>> {
        let mut buckets = Buckets::default();
        let ones = vec![1.0; BATCH];
        for start in (0..self.action.len()).step_by(BATCH) {
            let values = influence_values(&self.batch(start)?, Estimator::Dr { clip: None })?;
            buckets.push_all(u64::try_from(start)?, &values, &ones[..values.len()]);
        }
        let interval = buckets.interval(ConfidenceLevel::P95, N_RESAMPLES, SEED);
        interval.ok_or_else(|| "too few resamples have a value".into())
    }

    /// The checked rounds of one batch.
    fn batch(&self, start: usize) -> Result<LoggedRounds, Box<dyn Error>> {
        let rows = start..self.action.len().min(start + BATCH);
        let cells = rows.start * self.n_actions..rows.end * self.n_actions;
        let rounds = ActionRounds {
            first_row: start,
            n_actions: self.n_actions,
            action: &self.action[rows.clone()],
            propensity: &self.propensity[rows.clone()],
            reward: &self.reward[rows],
            target: TargetColumn::Whole(&self.policy[cells.clone()]),
            predictions: Some(&self.predictions[cells]),
            mrdr_predictions: None,
            imitation_weight: None,
            logging: None,
        };
        Ok(rounds.rounds()?)
    }
}

/// User and system time of this process, in seconds, in nanoseconds as the scheduler counts them.
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let ran = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds = ran.split_whitespace().next().ok_or("no time in /proc/self/schedstat")?;
    Ok(nanoseconds.parse::<f64>()? / 1e9)
}
