//! The records of `testdata/record-v1.ndjson` and `testdata/record-v1-step.ndjson`, as values.

use std::collections::BTreeMap;

use crate::record::{
    AnswerRecord, CandidateRecord, CostRecord, DecisionRecord, FeaturesRecord, MessageRecord,
    MetricRecord, OutcomeRecord, PolicyRecord, PropensityKind, PropensityRecord, RequestRecord,
    RoleRecord, Scope, Status, UsageRecord,
};

/// A decision with every field filled: `small` drawn with probability 3/4.
pub(crate) fn full_decision() -> DecisionRecord {
    DecisionRecord {
        id: "d-1".to_owned(),
        ts_ms: 1_767_225_600_000,
        session_id: Some("s-1".to_owned()),
        turn: Some(2),
        tenant: Some("acme".to_owned()),
        tags: BTreeMap::from([("app".to_owned(), "chat".to_owned())]),
        request: full_request(),
        candidates: vec![
            CandidateRecord {
                quality: Some(0.8),
                cost_usd: Some(0.00012),
                latency_ms: Some(850.0),
                ..candidate("small", 0.75)
            },
            candidate("large", 0.25),
            CandidateRecord {
                excluded_by: Some("cannot do tools".to_owned()),
                ..candidate("tiny", 0.0)
            },
        ],
        drawn: "small".to_owned(),
        propensity: PropensityRecord { value: Some(0.75), kind: PropensityKind::Exact },
        draw: Some(0.1),
        keep_prob: None,
        objective: Some("balanced".to_owned()),
        policy: PolicyRecord { name: "policy-a".to_owned(), digest: Some("00ff".to_owned()) },
        decision_ns: Some(8_500),
        step: None,
        previous: None,
        spent_usd: None,
        answer: None,
    }
}

/// An outcome with every field filled.
pub(crate) fn full_outcome() -> OutcomeRecord {
    OutcomeRecord {
        decision_id: "d-1".to_owned(),
        ts_ms: 1_767_225_601_000,
        served_model: Some("large".to_owned()),
        provider: Some("north".to_owned()),
        status: Status::Ok,
        fallback_from: Some("small".to_owned()),
        usage: UsageRecord {
            input: Some(30),
            output: Some(12),
            cached_read: Some(16),
            cached_write: Some(0),
            reasoning: Some(4),
        },
        cost_usd: Some(CostRecord { value: 0.00031, source: "provider".to_owned() }),
        latency_ms: Some(912.5),
        ttft_ms: Some(210.0),
        metrics: vec![
            MetricRecord {
                name: "quality".to_owned(),
                value: 0.9,
                source: Some("judge".to_owned()),
                scope: Scope::Request,
            },
            MetricRecord {
                name: "solved".to_owned(),
                value: 1.0,
                source: None,
                scope: Scope::Episode,
            },
        ],
    }
}

/// A decision with nothing that may be left out.
pub(crate) fn minimal_decision() -> DecisionRecord {
    DecisionRecord {
        id: "d-2".to_owned(),
        ts_ms: 1_767_225_602_000,
        session_id: None,
        turn: None,
        tenant: None,
        tags: BTreeMap::new(),
        request: RequestRecord::default(),
        candidates: vec![candidate("small", 1.0)],
        drawn: "small".to_owned(),
        propensity: PropensityRecord { value: None, kind: PropensityKind::Unknown },
        draw: None,
        keep_prob: None,
        objective: None,
        policy: PolicyRecord { name: "by hand".to_owned(), digest: None },
        decision_ns: None,
        step: None,
        previous: None,
        spent_usd: None,
        answer: None,
    }
}

/// A step after the answer of [`full_decision`]: `large` called with probability 1/4.
pub(crate) fn step_decision() -> DecisionRecord {
    let features = FeaturesRecord {
        schema: "1-18-pairs".to_owned(),
        terms: "AAAABA".to_owned(),
        dense: vec![0.5, 0.0],
        bytes: 9,
        cut: 0,
    };
    DecisionRecord {
        id: "d-3".to_owned(),
        candidates: vec![candidate("small", 0.75), candidate("large", 0.25)],
        drawn: "large".to_owned(),
        propensity: PropensityRecord { value: Some(0.25), kind: PropensityKind::Exact },
        step: Some(1),
        previous: Some("d-1".to_owned()),
        spent_usd: Some(0.00031),
        answer: Some(AnswerRecord {
            text: Some("Clear.".to_owned()),
            finish_reason: Some("stop".to_owned()),
            features: Some(features),
            signs: vec![0.25, 0.0],
        }),
        ..minimal_decision()
    }
}

/// An outcome with nothing that may be left out.
pub(crate) fn minimal_outcome() -> OutcomeRecord {
    OutcomeRecord {
        decision_id: "d-2".to_owned(),
        ts_ms: 1_767_225_603_000,
        served_model: None,
        provider: None,
        status: Status::Failed,
        fallback_from: None,
        usage: UsageRecord::default(),
        cost_usd: None,
        latency_ms: None,
        ttft_ms: None,
        metrics: Vec::new(),
    }
}

fn full_request() -> RequestRecord {
    let said = [
        (RoleRecord::System, "Be brief."),
        (RoleRecord::User, "Weather in Zürich?\n"),
        (RoleRecord::Assistant, ""),
        (RoleRecord::Tool, "{\"sky\":\"clear\"}"),
    ];
    let messages = said.map(|(role, content)| MessageRecord { role, content: content.to_owned() });
    RequestRecord {
        messages: Some(messages.into()),
        chars: Some(43),
        input_tokens: Some(30),
        tools: 1,
        modalities: vec!["image".to_owned()],
        max_tokens: Some(256),
        features: None,
    }
}

fn candidate(model: &str, probability: f64) -> CandidateRecord {
    CandidateRecord {
        model: model.to_owned(),
        probability,
        quality: None,
        cost_usd: None,
        latency_ms: None,
        excluded_by: None,
    }
}
