//! Prints how long a decision takes and how often it allocates, beside what it may.
//!
//! Every decision is timed by itself, over a rotation of different prompts, so that neither branch
//! predictors nor caches see the same text twice in a row. The minimum over batches of a batch's
//! median is what the code costs; the rest of the distribution is mostly other work's time slices.

use pointsman_benches::{
    allocations::{Counting, n_allocations},
    policy::{Prices, message, policy, request},
    text::{Kind, Writer},
};
use pointsman_core::{
    policy::{Policy, Workspace},
    units::Probability,
};
use std::{
    error::Error,
    hint::black_box,
    io::{self, Write},
    time::Instant,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const N_BATCHES: usize = 20;
const N_PROMPTS: u64 = 1000;

/// Nanoseconds that a decision may take, by models and bytes of the prompt.
const BUDGETS: [(usize, usize, u64); 3] =
    [(32, 200, 1_500), (32, 2_048, 10_000), (400, 2_048, 25_000)];

struct Measured {
    /// Sorted, in nanoseconds.
    all: Vec<u64>,
    best_batch_median: u64,
    n_allocations: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let writer = Writer::new();
    writeln!(
        out,
        "2^18 buckets, 64 clusters, {N_PROMPTS} prompts in rotation, {N_BATCHES} batches; ns"
    )?;
    writeln!(
        out,
        "models  bytes  prices   kind   best-median  median     p99  allocations  budget"
    )?;
    for (n_models, n_bytes, budget) in BUDGETS {
        for prices in [Prices::Catalog, Prices::Learned] {
            let policy = policy(n_models, prices)?;
            for kind in [Kind::Prose, Kind::Code] {
                let prompts = writer.write_many(kind, n_bytes, N_PROMPTS);
                let Measured { all, best_batch_median, n_allocations } =
                    measure(&policy, &prompts)?;
                let at = |percent: usize| all[all.len() * percent / 100];
                let verdict = if best_batch_median <= budget { "kept" } else { "OVER" };
                writeln!(
                    out,
                    "{n_models:<7} {n_bytes:<6} {:<8} {:<6} {best_batch_median:>11}  {:>6}  {:>6}  \
                     {n_allocations:>11}  {budget} {verdict}",
                    format!("{prices:?}").to_lowercase(),
                    format!("{kind:?}").to_lowercase(),
                    at(50),
                    at(99),
                )?;
            }
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn measure(policy: &Policy, prompts: &[String]) -> Result<Measured, Box<dyn Error>> {
    let mut workspace = Workspace::new(policy);
    let draws = [Probability::new(0.1)?, Probability::new(0.5)?, Probability::new(0.9)?];
    let mut all = Vec::with_capacity(N_BATCHES * prompts.len());
    let mut batch = Vec::with_capacity(prompts.len());
    let (mut best_batch_median, mut counted) = (u64::MAX, 0);
    for index in 0..=N_BATCHES {
        batch.clear();
        let before = n_allocations();
        for (prompt, &draw) in prompts.iter().zip(draws.iter().cycle()) {
            let start = Instant::now();
            let messages = message(black_box(prompt.as_bytes()))?;
            let decision = policy.decide(&request(&messages), draw, &mut workspace)?;
            black_box(decision);
            batch.push(u64::try_from(start.elapsed().as_nanos())?);
        }
        if index == 0 {
            continue; // warm-up
        }
        counted += n_allocations() - before;
        all.extend_from_slice(&batch);
        batch.sort_unstable();
        best_batch_median = best_batch_median.min(batch[batch.len() / 2]);
    }
    all.sort_unstable();
    Ok(Measured { all, best_batch_median, n_allocations: counted })
}
