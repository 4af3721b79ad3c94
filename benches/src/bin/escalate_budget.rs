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
    escalation::{
        EscalationPolicy, EscalationWorkspace, Foresight, ForesightError, InHand, Reader,
        decide_escalation,
    },
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
    write_first(&mut out, &writer)
}

/// Readers whose answers a first decision counts on.
const N_FORESEEN: [usize; 3] = [0, 1, 8];

/// What the first decision of a cascade takes, which counts on what may follow an answer.
fn write_first(out: &mut impl Write, writer: &Writer) -> Result<(), Box<dyn Error>> {
    writeln!(out, "first decisions that count on so many readers of 7 next models each")?;
    writeln!(out, "readers  best-median  median     p99  allocations")?;
    let prompts = writer.write_many(Kind::Prose, N_BYTES, N_PROMPTS);
    let scorer = reader(8)?;
    for n_readers in N_FORESEEN {
        let of_model = |model: usize| Reader {
            model,
            next: (0..8).filter(|next| *next != model).collect(),
            scorer: scorer.clone(),
        };
        let readers: Vec<Reader> = (0..n_readers).map(of_model).collect();
        let spreads = |model: usize| Foresight::new(model, vec![0.0, 1.0, 10.0], vec![0.2; 3]);
        let foresight: Vec<Foresight> =
            (0..n_readers).map(spreads).collect::<Result<_, ForesightError>>()?;
        let policy = policy(N_MODELS, Prices::Catalog)?.foreseeing(&readers, &foresight);
        let mut workspace = Workspace::new(&policy);
        let draw = Probability::new(0.5)?;
        let found = measure(prompts.len(), |index| {
            let messages = message(black_box(prompts[index].as_bytes()))?;
            black_box(policy.decide(&request(&messages), draw, &mut workspace)?);
            Ok(())
        })?;
        writeln!(
            out,
            "{n_readers:<8} {:>11}  {:>6}  {:>6}  {:>11}",
            found.best_batch_median,
            found.at(50),
            found.at(99),
            found.n_allocations,
        )?;
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
