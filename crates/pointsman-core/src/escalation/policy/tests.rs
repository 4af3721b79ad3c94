use super::{
    super::{explain_gain, scorer::tests::example},
    *,
};
use crate::{
    explorer::{Explorer, Rule},
    features::Extractor,
    objective::Weights,
    scorer::{Scorer, tests::patterned},
    units::Quality,
};
use proptest::prelude::*;

const PROMPT: &str = "How many eggs are left if 3 of 16 are eaten?";
const ANSWER: &str = "16 - 3 = 13. The answer is 13.";

/// Three models that cost nothing; answers of the first may be escalated to the two others.
fn policies(most_answers: u32) -> (Policy, EscalationPolicy) {
    let names: Vec<String> = (0..3).map(|index| format!("m{index}")).collect();
    let policy = Policy::new(Scorer::new(patterned(3, 8)).unwrap(), &names, None).unwrap();
    let scorer = EscalationScorer::new(example(3)).unwrap();
    let readers = vec![Reader { model: 0, next: vec![2, 1], scorer }];
    let escalation = EscalationPolicy::new(readers, &policy, most_answers).unwrap();
    (policy, escalation)
}

/// What is decided about an answer, and what might have been.
fn decide(
    (policy, escalation): (&Policy, &EscalationPolicy),
    in_hand: &InHand<'_, '_, '_>,
    draw: f64,
) -> (EscalationDecision, Vec<EscalationOption>) {
    let mut workspace = Workspace::new(policy);
    let mut second = EscalationWorkspace::new(escalation);
    let draw = Probability::new(draw).unwrap();
    let found =
        decide_escalation((policy, escalation), in_hand, draw, (&mut workspace, &mut second));
    (found, second.options().to_vec())
}

#[track_caller]
fn check_settled(model: usize, n_answers: u32, deny: &[&'static str], expected: Option<Settled>) {
    let (policy, escalation) = policies(2);
    let mut request = Request::from_prompt(PROMPT);
    request.constraints.deny_models = deny.iter().map(|&name| name.into()).collect();
    let (answer, circumstances) = (Answer::from_text(ANSWER), policy.circumstances());
    let in_hand = InHand {
        request: &request,
        circumstances: &circumstances,
        answer: &answer,
        model,
        n_answers,
        spent: Usd::ZERO,
    };
    let (found, _) = decide((&policy, &escalation), &in_hand, 0.0);
    assert_eq!(found.settled, expected);
    if expected.is_some() {
        assert_eq!((found.step, found.propensity.get()), (Step::Accept, 1.0));
    }
}

#[test]
fn a_cascade_ends_where_there_is_nothing_to_choose() {
    check_settled(0, 1, &[], None);
    check_settled(0, 1, &["m1"], None);
    check_settled(0, 2, &[], Some(Settled::LastStep));
    check_settled(1, 1, &[], Some(Settled::NoReader));
    check_settled(0, 1, &["m1", "m2"], Some(Settled::NoneEligible));
    check_settled(0, 1, &["m0", "m1", "m2"], Some(Settled::NoneEligible));
}

/// Features of both texts decide as the texts do; a cascade that has ended ends for them too.
#[test]
fn features_that_were_read_before_give_the_same_steps() {
    let (policy, escalation) = policies(2);
    let (request, answer) = (Request::from_prompt(PROMPT), Answer::from_text(ANSWER));
    let explorer =
        Explorer::new(Rule::Softmax { temperature: 0.1 }, Probability::new(0.1).unwrap());
    let circumstances = Circumstances { explorer: explorer.unwrap(), ..policy.circumstances() };
    let bare = Request::default();
    let schema = policy.scorer().schema();
    let (mut prompts, mut answers) = (Extractor::new(schema), AnswerExtractor::new(schema));
    let read = (&prompts.extract(&request), &answers.extract(&request, &answer));
    for n_answers in [1, 2] {
        let in_hand = |request, answer| InHand {
            request,
            circumstances: &circumstances,
            answer,
            model: 0,
            n_answers,
            spent: Usd::ZERO,
        };
        let both = (&policy, &escalation);
        let mut first = Workspace::new(&policy);
        let mut second = EscalationWorkspace::new(&escalation);
        let by_text =
            distribute_escalation(both, &in_hand(&request, &answer), (&mut first, &mut second));
        let expected = second.options().to_vec();
        let mut second = EscalationWorkspace::new(&escalation);
        let none = Answer::default();
        let settled = distribute_escalation_read(
            both,
            &in_hand(&bare, &none),
            read,
            (&mut first, &mut second),
        );
        assert_eq!((settled, second.options()), (by_text.0, &expected[..]));
    }
}

#[test]
fn greedy_takes_the_option_of_the_highest_utility() {
    let (policy, escalation) = policies(2);
    let (request, answer) = (Request::from_prompt(PROMPT), Answer::from_text(ANSWER));
    let circumstances = policy.circumstances();
    let in_hand = InHand {
        request: &request,
        circumstances: &circumstances,
        answer: &answer,
        model: 0,
        n_answers: 1,
        spent: Usd::ZERO,
    };
    let (found, options) = decide((&policy, &escalation), &in_hand, 0.7);
    let steps: Vec<Step> = options.iter().map(|option| option.step).collect();
    assert_eq!(steps, [Step::Accept, Step::Escalate(2), Step::Escalate(1)]);
    let best = options.iter().max_by(|a, b| a.utility.total_cmp(&b.utility)).unwrap();
    assert_eq!((found.step, found.propensity.get()), (best.step, 1.0));
}

/// Utilities of accepting, and of a next model that costs two units and is better by 0.2.
fn utilities_of(objective: Objective, spent: u64) -> [f64; 2] {
    let objective = remaining(objective, Usd::from_nanos(spent));
    let expected = |quality, nanos| Expected {
        quality,
        cost: Some(Usd::from_nanos(nanos)),
        latency_ms: Some(0.0),
    };
    let dearest = Usd::from_nanos(2_000);
    [expected(0.6, 0), expected(0.8, 2_000)].map(|it| objective.utility(&it, dearest))
}

#[test]
fn only_what_is_still_to_be_paid_counts() {
    let check = |objective, spent, escalates: bool| {
        let [accept, next] = utilities_of(objective, spent);
        assert_eq!(accept < next, escalates, "{objective:?}, {spent}: {accept} {next}");
    };
    let tradeoff = |per_dollar| Objective::Tradeoff(Weights::new(per_dollar, 0.0).unwrap());
    for spent in [0, 5_000] {
        check(tradeoff(0.0), spent, true);
        check(tradeoff(1e6), spent, false);
        check(Objective::QualityFloor(Quality::new(0.5).unwrap()), spent, false);
        check(Objective::QualityFloor(Quality::new(0.7).unwrap()), spent, true);
    }
    check(Objective::CostCap(Usd::from_nanos(3_000)), 500, true);
    check(Objective::CostCap(Usd::from_nanos(3_000)), 1_500, false);
}

#[test]
fn a_cap_on_cost_is_on_all_answers_together() {
    let (policy, _) = policies(2);
    let mut request = Request::from_prompt(PROMPT);
    request.constraints.max_cost = Some(Usd::from_nanos(1_000));
    let (answer, circumstances) = (Answer::from_text(ANSWER), policy.circumstances());
    let check = |spent, cost, expected: bool| {
        let in_hand = InHand {
            request: &request,
            circumstances: &circumstances,
            answer: &answer,
            model: 0,
            n_answers: 1,
            spent: Usd::from_nanos(spent),
        };
        let next = Expected { quality: 1.0, cost: Some(Usd::from_nanos(cost)), latency_ms: None };
        assert_eq!(over_cap(&in_hand, &next).is_some(), expected, "{spent} {cost}");
    };
    check(0, 1_000, false);
    check(1, 1_000, true);
    check(400, 600, false);
    check(u64::MAX, 1, true);
}

#[test]
fn readers_that_do_not_go_with_a_policy_are_refused() {
    let (policy, _) = policies(2);
    let reader = |model, next: &[usize], n_columns| Reader {
        model,
        next: next.to_vec(),
        scorer: EscalationScorer::new(example(n_columns)).unwrap(),
    };
    let refusal = |readers| EscalationPolicy::new(readers, &policy, 2).unwrap_err();
    assert_eq!(refusal(vec![]), EscalationPolicyError::NoReader);
    let twice = vec![reader(0, &[1], 2), reader(0, &[2], 2)];
    assert_eq!(refusal(twice), EscalationPolicyError::TwoReaders { model: 0 });
    let columns = EscalationPolicyError::Columns { n_names: 1, n_scored: 2 };
    assert_eq!(refusal(vec![reader(0, &[1], 3)]), columns);
    let next = |model, from| EscalationPolicyError::Next { model, from };
    assert_eq!(refusal(vec![reader(0, &[0], 2)]), next(0, 0));
    assert_eq!(refusal(vec![reader(0, &[3], 2)]), next(3, 0));
    assert_eq!(refusal(vec![reader(5, &[1], 2)]), next(5, 5));
}

#[test]
fn the_parts_of_an_explanation_sum_to_the_gain() {
    let (policy, escalation) = policies(2);
    let (request, answer) = (Request::from_prompt(PROMPT), Answer::from_text(ANSWER));
    let circumstances = policy.circumstances();
    let in_hand = InHand {
        request: &request,
        circumstances: &circumstances,
        answer: &answer,
        model: 0,
        n_answers: 1,
        spent: Usd::ZERO,
    };
    let (mut first, mut second) = (Workspace::new(&policy), EscalationWorkspace::new(&escalation));
    distribute_escalation((&policy, &escalation), &in_hand, (&mut first, &mut second));
    let reader = escalation.reader(0).unwrap();
    for column in [1, 2] {
        let found = explain_gain(reader, &in_hand, column, &second);
        let sum = found.standing
            + [&found.answer_terms, &found.prompt_terms, &found.inputs]
                .into_iter()
                .flatten()
                .map(|effect| effect.quality)
                .sum::<f64>();
        assert!((found.gain - sum).abs() < 1e-3, "{} {sum}", found.gain);
        assert!(found.answer_terms.iter().any(|effect| effect.source == "answer"));
    }
}

proptest! {
    /// Steps have a distribution, its draws are its probabilities, and whatever the answer, there
    /// is a decision.
    #[test]
    fn steps_are_drawn_with_their_propensity(
        answer in prop::collection::vec(any::<u8>(), 0..200),
        draw in 0.0..1.0_f64,
        temperature in 0.05..5.0_f64,
        floor in 0.0..0.5_f64,
    ) {
        let (policy, escalation) = policies(3);
        let rule = Rule::Softmax { temperature };
        let explorer = Explorer::new(rule, Probability::new(floor).unwrap()).unwrap();
        let policy = policy.with_explorer(explorer);
        let text = String::from_utf8_lossy(&answer);
        let (request, answer) = (Request::from_prompt(PROMPT), Answer::from_text(&text));
        let circumstances = policy.circumstances();
        let in_hand = InHand {
            request: &request,
            circumstances: &circumstances,
            answer: &answer,
            model: 0,
            n_answers: 1,
            spent: Usd::ZERO,
        };
        let (found, options) = decide((&policy, &escalation), &in_hand, draw);
        let total: f64 = options.iter().map(|option| option.probability).sum();
        prop_assert!((total - 1.0).abs() < 1e-9);
        let drawn = options.iter().find(|option| option.step == found.step).unwrap();
        prop_assert_eq!(drawn.probability, found.propensity.get());
        prop_assert!(0.0 < drawn.probability);
    }
}
