use super::super::tests::policy;
use super::*;
use crate::{
    escalation::{EscalationScorer, example},
    objective::{Favour, Weights},
    policy::Workspace,
    request::Request,
    units::Quality,
};
use proptest::prelude::*;

const PROMPT: &str = "Explain the difference between a mutex and a semaphore.";

/// Three models of which the first is the cheapest; its answers are read, and both others may be
/// called after them.
fn foreseeing(spread: f64) -> Policy {
    let scorer = EscalationScorer::new(example(3)).unwrap();
    let readers = [Reader { model: 0, next: vec![1, 2], scorer }];
    let foresight = Foresight::new(0, vec![0.0], vec![spread]).unwrap();
    policy(3).foreseeing(&readers, &[foresight])
}

fn tradeoff(per_dollar: f64) -> Objective {
    Objective::Tradeoff(Weights::new(per_dollar, 0.0).unwrap())
}

fn decided(
    policy: &Policy,
    (objective, outlook): (Objective, Outlook),
    request: &Request<'_>,
) -> Vec<Candidate> {
    let around = Circumstances { objective, outlook, ..policy.circumstances() };
    let mut workspace = Workspace::new(policy);
    policy.distribute_in(&around, request, &mut workspace).unwrap();
    workspace.candidates().to_vec()
}

fn alone(objective: Objective, request: &Request<'_>) -> Vec<Candidate> {
    decided(&policy(3), (objective, Outlook::Cascade), request)
}

/// Whether an answer of the first model is foreseen to be followed by another one.
#[track_caller]
fn check(objective: Objective, max_cost: Option<Usd>, expected: bool) {
    let mut request = Request::from_prompt(PROMPT);
    request.constraints.max_cost = max_cost;
    let found = decided(&foreseeing(2.0), (objective, Outlook::Cascade), &request);
    let without = alone(objective, &request);
    assert_eq!(found[0].cascade.is_some(), expected, "{:?}", found[0]);
    assert_eq!(without[0].utility < found[0].utility, expected);
    assert_eq!(found[0].expected, without[0].expected);
    for (found, without) in found[1..].iter().zip(&without[1..]) {
        assert_eq!((found.cascade, found.utility), (None, without.utility));
    }
    if let (Some(cascade), Some(cap)) = (found[0].cascade, max_cost) {
        assert!(cascade.expected.cost.unwrap() <= cap, "{cascade:?}");
    }
}

#[test]
fn a_cap_holds_for_all_answers_together() {
    let request = Request::from_prompt(PROMPT);
    let costs: Vec<Usd> =
        alone(tradeoff(0.0), &request).iter().map(|it| it.expected.cost.unwrap()).collect();
    let cheapest = costs[1].min(costs[2]);
    let both = costs[0].saturating_add(cheapest);
    let less = Usd::from_nanos(both.nanos() - 1);
    check(tradeoff(0.0), None, true);
    check(tradeoff(0.0), Some(both), true);
    check(tradeoff(0.0), Some(less), false);
    check(Objective::CostCap(both), None, true);
    check(Objective::CostCap(less), None, false);
    check(Objective::QualityFloor(Quality::new(0.5).unwrap()), None, false);
}

#[test]
fn a_model_is_asked_first_for_what_may_follow() {
    let policy = foreseeing(4.0);
    let request = Request::from_prompt(PROMPT);
    let best = |candidates: &[Candidate]| {
        (0..3).max_by(|&a, &b| candidates[a].utility.total_cmp(&candidates[b].utility)).unwrap()
    };
    let favoured = Some(Favour { model: 2, quality_points: 5.0 });
    let around = Circumstances { favour: favoured, ..policy.circumstances() };
    let mut workspace = Workspace::new(&policy);
    for (outlook, expected) in [(Outlook::FinalAnswer, 2), (Outlook::Cascade, 0)] {
        let around = Circumstances { outlook, ..around };
        policy.distribute_in(&around, &request, &mut workspace).unwrap();
        assert_eq!(best(workspace.candidates()), expected);
        assert_eq!(workspace.candidates()[expected].probability, 1.0);
    }
    let cascade = workspace.candidates()[0].cascade.unwrap();
    assert_eq!(cascade.next, 2);
    assert!(0.5 < cascade.escalates, "{cascade:?}");
}

proptest! {
    /// Without a reader, without anything foreseen, and where answers are final, nothing changes.
    #[test]
    fn without_a_reader_nothing_changes(text in "\\PC{0,80}", per_dollar in 0.0..1e4_f64) {
        let request = Request::from_prompt(&text);
        let objective = tradeoff(per_dollar);
        let expected = alone(objective, &request);
        let scorer = EscalationScorer::new(example(3)).unwrap();
        let reader = [Reader { model: 0, next: vec![1, 2], scorer }];
        for (policy, outlook) in [
            (policy(3).foreseeing(&[], &[]), Outlook::Cascade),
            (policy(3).foreseeing(&reader, &[]), Outlook::Cascade),
            (foreseeing(0.0), Outlook::Cascade),
            (foreseeing(0.3), Outlook::FinalAnswer),
        ] {
            let found = decided(&policy, (objective, outlook), &request);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!(found, expected);
                prop_assert_eq!(found.utility.to_bits(), expected.utility.to_bits());
                prop_assert_eq!(found.probability.to_bits(), expected.probability.to_bits());
            }
        }
    }

    /// The utility of a cascade is that of its expected quality and cost, which lie between those of
    /// one answer and of both.
    #[test]
    fn a_cascade_is_worth_what_is_expected_of_it(
        per_dollar in 0.0..1e3_f64,
        spread in 0.3..2.0_f64,
    ) {
        let request = Request::from_prompt(PROMPT);
        let found =
            decided(&foreseeing(spread), (tradeoff(per_dollar), Outlook::Cascade), &request);
        let CascadeAhead { expected, next, escalates } = found[0].cascade.unwrap();
        let (cost, first) = (expected.cost.unwrap(), found[0].expected.cost.unwrap());
        let worth = expected.quality - per_dollar * cost.as_dollars();
        // Costs are rounded up to nanodollars.
        let tolerance = 1e-9 + 2e-9 * per_dollar;
        prop_assert!((worth - found[0].utility).abs() < tolerance, "{worth} {:?}", found[0]);
        prop_assert!(first <= cost);
        prop_assert!(cost <= first.saturating_add(found[next].expected.cost.unwrap()));
        prop_assert!((0.0..=1.0).contains(&escalates));
        let own = alone(tradeoff(per_dollar), &request);
        prop_assert!(own[0].utility <= found[0].utility);
    }
}
