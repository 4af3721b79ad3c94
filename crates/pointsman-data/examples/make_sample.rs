//! Writes the sample of `datasets/sample`: an outcome table, one model's answers and a catalog from a
//! simulated world.
//!
//! Everything in it is invented, prompts and models alike. `expected_quality` is the truth behind
//! each outcome; nothing that learns reads it. Run from the workspace root:
//! `cargo run -p pointsman-data --example make_sample -- datasets/sample`.

use pointsman_testkit::World;
use polars::prelude::*;
use std::{error::Error, fs, path::PathBuf};

const SEED: u64 = 20_260_101;
const N_REQUESTS: u64 = 18_000;

/// The model whose answers are in the sample, by its place in the world: a cheap one.
const ANSWERS_OF: usize = 0;

/// Requests from the first on that have its answer; more would say no more and take room.
const N_ANSWERS: u64 = 3_000;

/// Conversations never cross a multiple of this, so whole blocks go to one part.
const BLOCK: u64 = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from).ok_or("name the folder to write to")?;
    fs::create_dir_all(&folder)?;
    let world = World::new(SEED);
    fs::write(
        folder.join("catalog.toml"),
        format!("# Simulated: these models and providers do not exist.\n{}", world.catalog_toml()),
    )?;
    write(outcome_table(&world)?, folder.join("outcomes.parquet"))?;
    write(answers(&world)?, folder.join("answers.parquet"))
}

fn write(mut table: DataFrame, path: PathBuf) -> Result<(), Box<dyn Error>> {
    ParquetWriter::new(fs::File::create(path)?)
        .with_compression(ParquetCompression::Zstd(None))
        .with_row_group_size(Some(usize::MAX))
        .finish(&mut table)?;
    Ok(())
}

fn answers(world: &World) -> Result<DataFrame, Box<dyn Error>> {
    let (mut ids, mut models, mut texts, mut reasons) = (vec![], vec![], vec![], vec![]);
    for index in 0..N_ANSWERS {
        let request = world.request(index);
        let answer = world.answer(&request, ANSWERS_OF);
        ids.push(request.id);
        models.push(world.models()[ANSWERS_OF].id);
        texts.push(answer.text);
        reasons.push(answer.finish_reason);
    }
    Ok(df!(
        "prompt_id" => ids,
        "model" => models,
        "answer" => texts,
        "finish_reason" => reasons,
    )?)
}

fn outcome_table(world: &World) -> Result<DataFrame, Box<dyn Error>> {
    let (mut ids, mut prompts, mut tasks, mut splits, mut models) =
        (vec![], vec![], vec![], vec![], vec![]);
    let (mut quality, mut cost, mut input, mut output) = (vec![], vec![], vec![], vec![]);
    let (mut latency, mut expected) = (vec![], vec![]);
    for index in 0..N_REQUESTS {
        let request = world.request(index);
        let split = if index / BLOCK % 10 < 7 { "train" } else { "test" };
        let truth = world.truth(&request);
        for ((model, outcome), truth) in
            world.models().iter().zip(world.outcomes(&request)).zip(truth)
        {
            ids.push(request.id.clone());
            prompts.push(request.prompt.clone());
            tasks.push(request.task);
            splits.push(split);
            models.push(model.id);
            quality.push(narrow(outcome.quality));
            cost.push(pointsman_core::units::as_float(outcome.cost_nanodollars) / 1e9);
            input.push(u32::try_from(outcome.input_tokens)?);
            output.push(u32::try_from(outcome.output_tokens)?);
            latency.push(narrow(outcome.latency_ms.round()));
            expected.push(narrow((truth.expected_quality * 1e3).round() / 1e3));
        }
    }
    Ok(df!(
        "prompt_id" => ids,
        "prompt" => prompts,
        "task" => tasks,
        "split" => splits,
        "model" => models,
        "quality" => quality,
        "cost_usd" => cost,
        "input_tokens" => input,
        "output_tokens" => output,
        "latency_ms" => latency,
        "expected_quality" => expected,
    )?)
}

#[expect(clippy::cast_possible_truncation, reason = "single precision keeps the sample small")]
fn narrow(value: f64) -> f32 {
    value as f32
}
