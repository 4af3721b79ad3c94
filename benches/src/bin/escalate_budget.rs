//! Prints how long a decision after an answer takes and how often it allocates, beside what it may:
//! a prompt of 2 KiB, an answer of 2 KiB, both read and scored, and the step drawn.
//!
//! It grows with the next models that the reader predicts for, since each has its own products of
//! the dense inputs.

use pointsman_benches::{
    allocations::Counting,
    batches::{Measured, N_BATCHES, measure},
    policy::{Prices, message, policy, reader, request},
    text::{Kind, Writer},
};
use pointsman_core::{
    answer::{Answer, FinishReason},
    escalation::{EscalationPolicy, EscalationWorkspace, InHand, Reader, decide_escalation},
    policy::{Policy, Workspace},
    units::{Probability, Usd},
};
use std::{
    borrow::Cow,
    error::Error,
    hint::black_box,
    io::{self, Write},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const N_MODELS: usize = 32;
const N_BYTES: usize = 2048;
const N_PROMPTS: u64 = 1000;

/// Models that the answer in hand may be escalated to.
const N_NEXT: [usize; 4] = [1, 3, 7, 31];

/// Nanoseconds that a decision may take at the median.
const BUDGET: u64 = 20_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    let writer = Writer::new();
    let policy = policy(N_MODELS, Prices::Catalog)?;
    writeln!(
        out,
        "{N_MODELS} models, 2^18 buckets, prompts and answers of {N_BYTES} bytes, {N_PROMPTS} of \
         each in rotation, {N_BATCHES} batches; ns"
    )?;
    writeln!(out, "next  kind   best-median  median     p99  allocations  budget")?;
    for n_next in N_NEXT {
        let readers =
            vec![Reader { model: 0, next: (1..=n_next).collect(), scorer: reader(1 + n_next)? }];
        let escalation = EscalationPolicy::new(readers, &policy, 3)?;
        for kind in [Kind::Prose, Kind::Code] {
            let texts = writer.write_many(kind, N_BYTES, 2 * N_PROMPTS);
            let found = measure_steps((&policy, &escalation), &texts)?;
            let median = found.at(50);
            let verdict = if median <= BUDGET { "kept" } else { "OVER" };
            writeln!(
                out,
                "{n_next:<5} {:<6} {:>11}  {median:>6}  {:>6}  {:>11}  {BUDGET} {verdict}",
                format!("{kind:?}").to_lowercase(),
                found.best_batch_median,
                found.at(99),
                found.n_allocations,
            )?;
        }
    }
    Ok(())
}

/// Of texts one after the other, the first is asked and the second answered.
fn measure_steps(
    (policy, escalation): (&Policy, &EscalationPolicy),
    texts: &[String],
) -> Result<Measured, Box<dyn Error>> {
    let (mut first, mut second) = (Workspace::new(policy), EscalationWorkspace::new(escalation));
    let circumstances = policy.circumstances();
    let draws = [Probability::new(0.1)?, Probability::new(0.5)?, Probability::new(0.9)?];
    measure(texts.len() / 2, |index| {
        let messages = message(black_box(texts[2 * index].as_bytes()))?;
        let text = Cow::Borrowed(black_box(texts[2 * index + 1].as_str()));
        let answer = Answer { text, finish: FinishReason::Stop, ..Answer::default() };
        let in_hand = InHand {
            request: &request(&messages),
            circumstances: &circumstances,
            answer: &answer,
            model: 0,
            n_answers: 1,
            spent: Usd::ZERO,
        };
        let draw = draws[index % draws.len()];
        let workspaces = (&mut first, &mut second);
        black_box(decide_escalation((policy, escalation), &in_hand, draw, workspaces));
        Ok(())
    })
}
