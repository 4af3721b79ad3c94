//! Real outcome tables, where `../shared` holds them: `pointsman` keeps up with the reference
//! routers, in figures that are the references' own.

use crate::workbench::{command, root};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    process::Child,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

const TABLES: [&str; 7] = [
    "routellm_gsm8k",
    "routerbench_train",
    "alpaca_eval2",
    "routerdc7",
    "ulab_llmrouter",
    "routellm_mmlu",
    "mmlu_pro",
];

/// How far `pointsman` may be behind the best reference router; less where there are many rows.
const MAY_BE_BEHIND: f64 = 0.01;
const MAY_BE_BEHIND_ON_MANY: f64 = 0.003;
const MANY_ROWS: u64 = 10_000;

/// Figures that leave no choice are equal to this.
const TOLERANCE: f64 = 1e-9;

const MOST_MEMORY_BYTES: u64 = 3 << 29;

#[test]
fn benchmark_keeps_up_with_the_reference_routers() {
    let shared = root().join("../shared");
    let Ok(reference) = fs::read(shared.join("baselines/results.json")) else {
        eprintln!("skipped: {} holds no reference results", shared.display());
        return;
    };
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    let mut wrong = Vec::new();
    for name in TABLES {
        let table = shared.join(format!("data/{name}.parquet"));
        let (found, peak_bytes) = benchmark(&table);
        let found = &found["tables"][name];
        wrong.extend(compare(found, &reference[name]).into_iter().map(|w| format!("{name}: {w}")));
        match peak_bytes {
            Some(bytes) if MOST_MEMORY_BYTES < bytes => {
                wrong.push(format!("{name}: {} MiB of memory", bytes >> 20));
            }
            Some(bytes) => eprintln!("{name}: {} MiB of memory", bytes >> 20),
            None => eprintln!("{name}: memory was not measured on this system"),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the figures of one table.
fn compare(found: &Value, reference: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in ["n_test", "n_models", "has_cost"] {
        if found[key] != reference[key] {
            wrong.push(format!("{key} is {} instead of {}", found[key], reference[key]));
        }
    }
    for router in ["best_single", "oracle"] {
        for figure in ["quality", "frontier_area", "cost_to_match"] {
            let of = |all: &Value| all["routers"][router][figure].as_f64();
            let is_equal = match (of(found), of(reference)) {
                (Some(found), Some(reference)) => (found - reference).abs() <= TOLERANCE,
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if !is_equal {
                let (found, reference) = (of(found), of(reference));
                wrong.push(format!("{figure} of {router} is {found:?} instead of {reference:?}"));
            }
        }
    }
    let figure = if reference["has_cost"] == true { "frontier_area" } else { "quality" };
    let references = reference["routers"].as_object().unwrap();
    let (best_name, best) = references
        .iter()
        .filter(|(name, _)| *name != "oracle")
        .map(|(name, router)| (name, router[figure].as_f64().unwrap()))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap();
    let has_many = MANY_ROWS <= reference["n_test"].as_u64().unwrap();
    let behind = if has_many { MAY_BE_BEHIND_ON_MANY } else { MAY_BE_BEHIND };
    let pointsman = found["routers"]["pointsman"][figure].as_f64().unwrap();
    if pointsman < best - behind {
        wrong.push(format!(
            "{figure} is {pointsman:.4}, over {behind} below {best_name}'s {best:.4}"
        ));
    }
    wrong
}

/// Runs `benchmark` with its default settings; the figures, and the most memory it held.
fn benchmark(table: &PathBuf) -> (Value, Option<u64>) {
    let mut command = command(["benchmark", "--quiet", "--json", "-"]);
    let child = command.arg(table).spawn().unwrap();
    let (done, is_done) = mpsc::channel();
    let watch = peak_memory_of(&child, is_done);
    let output = child.wait_with_output().unwrap();
    done.send(()).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", table.display());
    (serde_json::from_slice(&output.stdout).unwrap(), watch.join().unwrap())
}

/// Reads the child's high-water mark every few milliseconds, because it goes with the process.
fn peak_memory_of(
    child: &Child,
    is_done: mpsc::Receiver<()>,
) -> std::thread::JoinHandle<Option<u64>> {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    std::thread::spawn(move || {
        let mut peak_bytes = None;
        while is_done.recv_timeout(Duration::from_millis(5)) == Err(RecvTimeoutError::Timeout) {
            peak_bytes = peak_bytes.max(high_water_bytes(&status));
        }
        peak_bytes
    })
}

fn high_water_bytes(status: &PathBuf) -> Option<u64> {
    let status = fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
