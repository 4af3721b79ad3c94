//! Prints how long a decision takes and how often it allocates, beside what it may.

use pointsman_benches::{
    allocations::Counting,
    batches::{Measured, N_BATCHES, measure},
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
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const N_PROMPTS: u64 = 1000;

/// Nanoseconds that a decision may take, by models and bytes of the prompt.
const BUDGETS: [(usize, usize, u64); 3] =
    [(32, 200, 1_500), (32, 2_048, 10_000), (400, 2_048, 25_000)];

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
                let found = measure_policy(&policy, &prompts)?;
                let verdict = if found.best_batch_median <= budget { "kept" } else { "OVER" };
                writeln!(
                    out,
                    "{n_models:<7} {n_bytes:<6} {:<8} {:<6} {:>11}  {:>6}  {:>6}  {:>11}  \
                     {budget} {verdict}",
                    format!("{prices:?}").to_lowercase(),
                    format!("{kind:?}").to_lowercase(),
                    found.best_batch_median,
                    found.at(50),
                    found.at(99),
                    found.n_allocations,
                )?;
            }
        }
    }
    Ok(())
}

fn measure_policy(policy: &Policy, prompts: &[String]) -> Result<Measured, Box<dyn Error>> {
    let mut workspace = Workspace::new(policy);
    let draws = [Probability::new(0.1)?, Probability::new(0.5)?, Probability::new(0.9)?];
    measure(prompts.len(), |index| {
        let messages = message(black_box(prompts[index].as_bytes()))?;
        let draw = draws[index % draws.len()];
        black_box(policy.decide(&request(&messages), draw, &mut workspace)?);
        Ok(())
    })
}
