//! Decisions as a service logs them.

use pointsman_log::{
    ids::Ids,
    record::{
        CandidateRecord, DecisionRecord, PolicyRecord, PropensityKind, PropensityRecord,
        RequestRecord,
    },
};
use std::collections::BTreeMap;

/// The time of the first decision, in milliseconds since 1970 UTC.
const START_MS: u64 = 1_767_225_600_000;

/// The `n`th decision among `n_models`, without a prompt.
pub fn decision(ids: &Ids, n: u64, n_models: u16) -> DecisionRecord {
    let probability = 1.0 / f64::from(n_models);
    let candidate = |at: u16| CandidateRecord {
        model: format!("provider/model-{at}"),
        probability,
        quality: Some(0.5 + f64::from(at) / 97.0),
        cost_usd: Some(0.000_123 * f64::from(at + 1)),
        latency_ms: Some(731.5 + 3.7 * f64::from(at)),
        excluded_by: None,
    };
    DecisionRecord {
        id: ids.next(START_MS + n, n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_string(),
        ts_ms: START_MS + n,
        session_id: Some(format!("session-{}", n / 4)),
        turn: Some(2),
        tenant: Some("acme".to_owned()),
        tags: BTreeMap::from([("task".to_owned(), "chat".to_owned())]),
        request: RequestRecord { chars: Some(2048), ..RequestRecord::default() },
        candidates: (0..n_models).map(candidate).collect(),
        drawn: "provider/model-1".to_owned(),
        propensity: PropensityRecord { value: Some(probability), kind: PropensityKind::Exact },
        draw: Some(0.372_118_9),
        keep_prob: None,
        objective: Some("balanced".to_owned()),
        policy: PolicyRecord { name: "bench".to_owned(), digest: Some("ab".repeat(32)) },
        decision_ns: Some(8_123),
        step: None,
        previous: None,
        spent_usd: None,
        answer: None,
    }
}
