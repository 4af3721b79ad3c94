//! A small policy and logs of it, for tests.

use crate::policy_flags::{LoadedPolicy, PolicyFlags};
use pointsman_core::artifact::Artifact;
use pointsman_data::{LoggedRow, ModelsInUse, TrafficLog};
use pointsman_log::record::PropensityKind;
use std::collections::BTreeMap;

/// The models of [`policy`].
pub(super) const MODELS: [&str; 3] = ["small", "vendor/middle", "groß"];

pub(super) fn policy() -> LoadedPolicy {
    let file = include_bytes!("../../../../tests/golden/artifact-v1.safetensors");
    let artifact = Artifact::from_bytes(file).unwrap();
    PolicyFlags::default().apply(artifact, "policy".to_owned(), None).unwrap()
}

/// Row `at` of a log, a group of its own.
pub(crate) fn row(at: usize, taken: u16, (propensity, quality): (f64, f64)) -> LoggedRow {
    LoggedRow {
        id: format!("d{at}"),
        ts_ms: 0,
        group: at as u64,
        task: None,
        tenant: None,
        tags: Vec::new(),
        taken,
        propensity,
        propensity_kind: PropensityKind::Exact,
        was_served: true,
        n_answers: 1,
        quality,
        cost_usd: None,
        input_tokens: None,
        output_tokens: None,
        latency_ms: None,
    }
}

/// A log that draws [`MODELS`] with the same chances each time.
pub(super) fn log(rows: Vec<LoggedRow>, chances: [f32; 3]) -> TrafficLog {
    let probabilities = rows.iter().flat_map(|_| chances).collect();
    log_of(&MODELS, rows, probabilities)
}

/// A log that is whole, its probabilities of the shape `(n_rows, n_models)`.
pub(crate) fn log_of(models: &[&str], rows: Vec<LoggedRow>, probabilities: Vec<f32>) -> TrafficLog {
    TrafficLog {
        models: models.iter().map(|&name| name.to_owned()).collect(),
        probabilities,
        dropped: BTreeMap::new(),
        n_decisions_read: rows.len() as u64,
        times_ms: None,
        n_without_outcome: 0,
        n_damaged_lines: 0,
        n_missing_segments: 0,
        in_use: ModelsInUse::default(),
        n_thinned: 0,
        digest: String::new(),
        rows,
    }
}
