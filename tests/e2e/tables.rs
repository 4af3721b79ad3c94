//! Small data that every test may use: a simulated world's outcomes, a log of it, a policy.

use crate::workbench::Workbench;
use pointsman_testkit::World;
use serde_json::json;
use std::{fmt::Write as _, ops::Range, sync::LazyLock};

/// Requests of the world's first outcome table.
pub(crate) const N_REQUESTS: u64 = 400;

/// Flags that make training on the small world quick; everything else is the default.
pub(crate) const QUICK: &str = "--buckets 12";

pub(crate) static CATALOG: LazyLock<String> = LazyLock::new(|| World::new(11).catalog_toml());

/// The outcomes of the first requests, as NDJSON.
pub(crate) static TABLE: LazyLock<String> = LazyLock::new(|| outcomes(0..N_REQUESTS));

/// A log of [`TABLE`], as NDJSON.
pub(crate) static LOG: LazyLock<String> = LazyLock::new(|| {
    let bench = Workbench::with(&[("table.ndjson", TABLE.as_bytes())]);
    bench.done("simulate --table table.ndjson --seed 3 --out log.ndjson");
    bench.text("log.ndjson")
});

/// A policy learned from [`TABLE`].
pub(crate) static POLICY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let bench = Workbench::with(&[("table.ndjson", TABLE.as_bytes())]);
    bench
        .done(&format!("train --table table.ndjson --name small --out policy.safetensors {QUICK}"));
    bench.read("policy.safetensors")
});

/// What every model made of some requests of the world, as NDJSON.
pub(crate) fn outcomes(indices: Range<u64>) -> String {
    let world = World::new(11);
    let mut table = String::new();
    for index in indices {
        let request = world.request(index);
        for (model, outcome) in world.models().iter().zip(world.outcomes(&request)) {
            let row = json!({
                "prompt_id": request.id,
                "prompt": request.prompt,
                "model": model.id,
                "quality": outcome.quality,
                "cost_usd": pointsman_core::units::as_float(outcome.cost_nanodollars) / 1e9,
                "input_tokens": outcome.input_tokens,
                "output_tokens": outcome.output_tokens,
                "task": request.task,
            });
            writeln!(table, "{row}").unwrap();
        }
    }
    table
}

/// A table with nothing wrong with it: 40 prompts, two models, one row a line after the header.
pub(crate) fn plain_csv() -> String {
    let mut csv = "prompt_id,prompt,model,quality\n".to_owned();
    for prompt in 0..40 {
        for (model, quality) in [("fox", prompt % 2), ("owl", 1 - prompt % 2)] {
            writeln!(csv, "p{prompt},Question number {prompt},{model},{quality}").unwrap();
        }
    }
    csv
}

/// The text with line `number` (the header is line 0) in other words.
pub(crate) fn with_line(text: &str, number: usize, line: &str) -> String {
    let replaced = text.lines().enumerate().map(|(at, old)| if at == number { line } else { old });
    replaced.flat_map(|line| [line, "\n"]).collect()
}
