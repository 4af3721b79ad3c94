use super::*;
use crate::examples;
use crate::record::{CostRecord, MetricRecord, Scope};

#[track_caller]
fn check_decision(change: impl FnOnce(&mut DecisionRecord), problem: Option<&str>) {
    let mut record = examples::full_decision();
    change(&mut record);
    assert_eq!(record.check().err().map(|e| e.to_string()).as_deref(), problem);
}

#[track_caller]
fn check_outcome(change: impl FnOnce(&mut OutcomeRecord), problem: Option<&str>) {
    let mut record = examples::full_outcome();
    change(&mut record);
    assert_eq!(record.check().err().map(|e| e.to_string()).as_deref(), problem);
}

#[test]
fn candidates_are_a_distribution() {
    check_decision(|_| (), None);
    check_decision(|d| d.candidates[0].probability += 9e-10, None);
    check_decision(
        |d| d.id.clear(),
        Some("`id` is empty; give every decision an id, and every outcome its decision's"),
    );
    check_decision(
        |d| d.candidates.clear(),
        Some("decision `d-1` has no candidates; list every model that was considered"),
    );
    check_decision(
        |d| d.candidates[1].model = "small".to_owned(),
        Some("decision `d-1` lists the candidate `small` twice; keep one"),
    );
    check_decision(
        |d| d.candidates[1].probability = 0.5,
        Some("decision `d-1` has candidate probabilities that sum to 1.25 instead of 1"),
    );
    check_decision(
        |d| d.candidates[1].probability = -0.25,
        Some("decision `d-1` has -0.25 as `candidates[large].probability`, which is not in [0, 1]"),
    );
    check_decision(
        |d| d.candidates[0].cost_usd = Some(f64::INFINITY),
        Some("decision `d-1` has inf as `candidates[small].cost_usd`, which is not in [0, inf)"),
    );
    check_decision(
        |d| d.draw = Some(f64::NAN),
        Some("decision `d-1` has NaN as `draw`, which is not in [0, 1]"),
    );
    check_decision(|d| d.keep_prob = Some(0.5), None);
    check_decision(
        |d| d.keep_prob = Some(0.0),
        Some("decision `d-1` has 0 as `keep_prob`, which is not in (0, 1]"),
    );
}

#[test]
fn propensities_are_what_was_sampled_from() {
    use PropensityKind::{Deterministic, Estimated, Exact, Unknown};
    let set = |kind, value| {
        move |d: &mut DecisionRecord| {
            d.propensity.kind = kind;
            d.propensity.value = value;
        }
    };
    check_decision(set(Exact, Some(0.75)), None);
    check_decision(set(Estimated, Some(0.2)), None);
    check_decision(set(Deterministic, None), None);
    check_decision(set(Unknown, None), None);
    check_decision(
        set(Exact, Some(0.5)),
        Some("decision `d-1` has the exact propensity 0.5, but drew `small` with probability 0.75"),
    );
    for kind in [Exact, Estimated] {
        check_decision(
            set(kind, None),
            Some(
                "decision `d-1` has no propensity value; write one or set its kind to \"unknown\"",
            ),
        );
        check_decision(
            set(kind, Some(0.0)),
            Some("decision `d-1` has 0 as `propensity.value`, which is not in (0, 1]"),
        );
    }
    check_decision(
        |d| d.drawn = "other".to_owned(),
        Some("decision `d-1` drew `other`, which is not among its candidates"),
    );
}

#[test]
fn outcomes_hold_finite_numbers() {
    check_outcome(|_| (), None);
    check_outcome(
        |o| o.decision_id.clear(),
        Some("`decision_id` is empty; give every decision an id, and every outcome its decision's"),
    );
    check_outcome(
        |o| o.cost_usd = Some(CostRecord { value: -1.0, source: "provider".to_owned() }),
        Some("decision `d-1` has -1 as `cost_usd.value`, which is not in [0, inf)"),
    );
    check_outcome(
        |o| o.ttft_ms = Some(f64::NAN),
        Some("decision `d-1` has NaN as `ttft_ms`, which is not in [0, inf)"),
    );
    check_outcome(
        |o| o.metrics[0].value = f64::NEG_INFINITY,
        Some("decision `d-1` has -inf as `metrics[quality].value`, which is not in (-inf, inf)"),
    );
}

#[test]
fn the_last_metric_of_a_name_counts() {
    let mut record = examples::full_outcome();
    assert_eq!(record.metric("quality"), Some(0.9));
    assert_eq!(record.metric("speed"), None);
    let name = "quality".to_owned();
    let later = MetricRecord { name, value: 0.1, source: None, scope: Scope::Request };
    record.metrics.push(later);
    assert_eq!(record.metric("quality"), Some(0.1));
}
