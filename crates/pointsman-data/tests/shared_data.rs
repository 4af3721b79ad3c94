//! The real tables, where they are present: the same rows as the reference baselines.
#![expect(clippy::print_stdout, reason = "a test says what it skipped and measured")]

use std::path::{Path, PathBuf};

use pointsman_data::{ReadOptions, read_outcomes, train_test_parts};

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    if folder.join("data").is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is absent", folder.display());
    None
}

/// The most memory this process held at once, in MiB; zero where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[test]
fn the_same_rows_as_the_baselines() {
    let Some(shared) = shared() else { return };
    let results = std::fs::read_to_string(shared.join("baselines/results.json")).unwrap();
    let results: serde_json::Value = serde_json::from_str(&results).unwrap();
    for (name, expected) in results.as_object().unwrap() {
        let path = shared.join(format!("data/{name}.parquet"));
        let (mut n_prompts, mut n_bytes) = (0, 0);
        let mut on_prompt = |index: usize, request: &pointsman_core::request::Request<'_>| {
            assert_eq!(index, n_prompts, "prompts come in order");
            n_prompts += 1;
            n_bytes += request.n_bytes();
        };
        let table = read_outcomes(&[path], &ReadOptions::default(), &mut on_prompt).unwrap();
        assert_eq!(n_prompts, table.prompts.len());
        let matrix = table.matrix().unwrap();
        let parts = train_test_parts(&table, &matrix);
        let n_test: usize = parts.iter().map(|part| part.test.len()).sum();
        assert_eq!(n_test, expected["n_test"], "{name}");
        assert_eq!(matrix.models.len(), expected["n_models"], "{name}");
        assert_eq!(matrix.cost_usd.is_some(), expected["has_cost"], "{name}");
        println!(
            "{name}: {} rows, {n_prompts} prompts, {n_bytes} bytes, {n_test} x {}, leaked {}, dropped {:?}, peak {} MiB",
            table.n_rows_read,
            matrix.models.len(),
            parts.iter().map(|part| part.n_leaked).sum::<usize>(),
            table.dropped,
            peak_mib(),
        );
    }
}
