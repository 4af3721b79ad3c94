//! Writes a log of 30 days for measuring `pointsman replay`: a file, and how many decisions.
//!
//! The world is simulated, the logger draws its models alike, and on the tenth day the fifth model
//! arrives.

use pointsman_core::units::{as_float, len_as_float};
use pointsman_testkit::{Draws, Stream, World};
use serde_json::{Value, json};
use std::{
    env,
    error::Error,
    fs::File,
    io::{BufWriter, Write as _},
};

const START_MS: u64 = 1_767_225_600_000;
const DAY_MS: u64 = 86_400_000;
const N_DAYS: u64 = 30;
const ARRIVES_ON: u64 = 10;
const NEW: usize = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("name a file that ends in .ndjson")?;
    let n_rows: u64 = env::args().nth(2).ok_or("say how many decisions")?.parse()?;
    let mut out = BufWriter::new(File::create(path)?);
    let world = World::new(1);
    let names: Vec<&str> = world.models().iter().map(|model| model.id).collect();
    for index in 0..n_rows {
        let request = world.request(index);
        let ts_ms = START_MS + index * (N_DAYS * DAY_MS) / n_rows;
        let is_new_there = ARRIVES_ON * DAY_MS <= ts_ms - START_MS;
        let there: Vec<usize> =
            (0..names.len()).filter(|model| is_new_there || *model != NEW).collect();
        let mut draws = Draws::keyed(1, Stream::Logging, &[index]);
        let drawn = there[draws.position(there.len())];
        let chance = 1.0 / len_as_float(there.len());
        let candidates: Vec<Value> = there
            .iter()
            .map(|&model| json!({"model": names[model], "probability": chance}))
            .collect();
        let outcome = world.outcome(&request, drawn);
        let decision = json!({
            "v": 1, "kind": "decision", "id": request.id, "ts_ms": ts_ms,
            "tags": {"task": request.task},
            "request": {"messages": [{"role": "user", "content": request.prompt}]},
            "candidates": candidates,
            "drawn": names[drawn],
            "propensity": {"value": chance, "kind": "exact"},
            "policy": {"name": "uniform"},
        });
        let outcome = json!({
            "v": 1, "kind": "outcome", "decision_id": request.id, "ts_ms": ts_ms, "status": "ok",
            "served_model": names[drawn],
            "usage": {"input": outcome.input_tokens, "output": outcome.output_tokens},
            "cost_usd": {"value": as_float(outcome.cost_nanodollars) / 1e9, "source": "world"},
            "metrics": [{"name": "quality", "value": outcome.quality}],
        });
        writeln!(out, "{decision}\n{outcome}")?;
    }
    out.flush()?;
    Ok(())
}
