use super::*;
use crate::{
    circumstances::{Health, LiveEndpoint, LiveEndpoints},
    eligibility::Exclusion,
    explorer::Rule,
    features::Extractor,
    newcomers::Newcomers,
    objective::Weights,
    request::{EndpointChoice, EndpointSort, OtherProviders},
    scorer::{LogLine, tests::patterned},
    units::Usd,
};
use proptest::prelude::*;
use std::borrow::Cow;

const PROMPT: &str = "Explain the difference between a mutex and a semaphore.";

fn catalog(n_models: usize) -> Catalog {
    let model = |index: usize| {
        format!(
            "[[models]]\nid = \"m{index}\"\ncontext_window = {}\n\
             capabilities = [{}]\n[[models.endpoints]]\nprovider = \"east\"\n\
             input_usd_per_million = {}.5\noutput_usd_per_million = {index}.0\n\
             data_policy = \"no_training\"\nttft_ms = 100.0\ntokens_per_second = 50.0\n\
             [[models.endpoints]]\nprovider = \"west\"\ninput_usd_per_million = {index}.1\n\
             output_usd_per_million = {index}.0\n",
            1000 * (index + 1),
            if index.is_multiple_of(2) { "\"tools\"" } else { "" },
            index + 1,
        )
    };
    Catalog::from_toml(&(0..n_models).map(model).collect::<String>()).unwrap()
}

fn names(n_models: usize) -> Vec<String> {
    (0..n_models).map(|index| format!("m{index}")).collect()
}

pub(super) fn policy(n_models: usize) -> Policy {
    let scorer = Scorer::new(patterned(n_models, 10)).unwrap();
    Policy::new(scorer, &names(n_models), Some(&catalog(n_models))).unwrap()
}

#[test]
fn greedy_takes_the_model_of_highest_predicted_quality() {
    let policy = policy(5);
    let mut workspace = Workspace::new(&policy);
    let request = Request::from_prompt(PROMPT);
    let decision = policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
    let quality = workspace.scores().quality();
    assert!(quality.iter().all(|other| *other <= quality[decision.model]));
    assert_eq!(decision.propensity.get(), 1.0);
}

#[test]
fn a_favoured_model_is_taken_unless_it_may_not_answer() {
    let level = Probability::new(0.95).unwrap();
    let band = crate::objective::Band { value: 0.5, lower: 0.4, upper: 0.6, level };
    let at = |model: usize, quality_points: f64| OperatingPoint {
        name: "p".to_owned(),
        per_dollar: 0.0,
        favour: Some(Favour { model, quality_points }),
        quality: band,
        cost_usd: band,
        cost_share: None,
        strong_share: None,
        guarantee: None,
    };
    for model in 0..5 {
        let policy = policy(5).at_point(&at(model, 10.0)).unwrap();
        let mut workspace = Workspace::new(&policy);
        let mut request = Request::from_prompt(PROMPT);
        let mut chosen = |request: &Request<'_>| {
            policy.decide(request, Probability::ZERO, &mut workspace).unwrap().model
        };
        assert_eq!(chosen(&request), model);
        request.constraints.deny_models = Cow::Owned(vec![Cow::Owned(format!("m{model}"))]);
        assert_ne!(chosen(&request), model);
    }
    let policy = policy(5).at_point(&at(0, 10.0)).unwrap().with_objective(Objective::default());
    assert_eq!(policy.favour, None);
}

#[test]
fn the_cheapest_accepted_provider_is_taken() {
    let policy = policy(3);
    let mut workspace = Workspace::new(&policy);
    let mut request = Request::from_prompt(PROMPT);
    policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
    let provider = |w: &Workspace| policy.provider(2, &w.candidates()[2]).map(str::to_owned);
    assert_eq!(provider(&workspace).as_deref(), Some("west"));
    request.constraints.data_policy = crate::request::DataPolicy::NoTraining;
    policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
    assert_eq!(provider(&workspace).as_deref(), Some("east"));
}

#[test]
fn an_impossible_request_names_every_models_reason() {
    let policy = policy(4);
    let mut workspace = Workspace::new(&policy);
    let mut request = Request::from_prompt(PROMPT);
    request.constraints.max_cost = Some(Usd::ZERO);
    request.needs = crate::request::Capabilities::TOOLS;
    request.constraints.deny_models = Cow::Owned(vec![Cow::Borrowed("m2")]);
    request.constraints.allow_models = Cow::Owned(["m0", "m1", "m2"].map(Cow::Borrowed).to_vec());
    request.input_tokens = Some(Tokens::new(900));
    let error = policy.decide(&request, Probability::ZERO, &mut workspace).unwrap_err();
    assert_eq!(error.to_string(), "none of the 4 models may answer this request");
    let reasons: Vec<String> =
        workspace.candidates().iter().map(|c| c.excluded_by.unwrap().to_string()).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    expected cost $0.000090 is over $0.000000
    cannot do tools
    on the request's deny list
    not on the request's allow list
    ");
}

#[test]
fn a_model_that_is_not_in_the_catalog_is_an_error() {
    let scorer = Scorer::new(patterned(3, 8)).unwrap();
    let error = Policy::new(scorer, &names(3), Some(&catalog(2))).unwrap_err();
    assert!(error.to_string().contains("model `m2` of the policy is not in the catalog"));
}

#[test]
fn costs_come_from_where_the_basis_says() {
    let line = LogLine { intercept: -5.0, slope: 0.0, least: 0.0, most: 1.0 };
    for (has_catalog, has_tokens, has_cost, expected) in [
        (true, true, true, CostBasis::CatalogAndTokens),
        (true, false, false, CostBasis::CatalogAndAssumedTokens),
        (true, false, true, CostBasis::Learned),
        (false, true, true, CostBasis::Learned),
        (false, true, false, CostBasis::Unknown),
    ] {
        let mut parts = patterned(2, 8);
        parts.output_tokens = has_tokens.then(|| vec![line; 2]);
        parts.cost_usd = has_cost.then(|| vec![line; 2]);
        let catalog = has_catalog.then(|| catalog(2));
        let policy = Policy::new(Scorer::new(parts).unwrap(), &names(2), catalog.as_ref()).unwrap();
        assert_eq!(policy.cost_basis(), expected);
        let mut workspace = Workspace::new(&policy);
        policy.decide(&Request::from_prompt(PROMPT), Probability::ZERO, &mut workspace).unwrap();
        let cost = workspace.candidates()[0].expected.cost;
        assert_eq!(cost.is_some(), expected != CostBasis::Unknown);
    }
}

#[test]
fn expected_tokens_are_those_of_the_expected_cost() {
    let line = LogLine { intercept: 5.0, slope: 0.0, least: 1.0, most: 4000.0 };
    for (lines, most, answer) in
        [(Some(line), None, 149), (Some(line), Some(20), 20), (None, None, ASSUMED_OUTPUT_TOKENS)]
    {
        let mut parts = patterned(2, 8);
        parts.output_tokens = lines.map(|line| vec![line; 2]);
        parts.cost_usd = None;
        let catalog = catalog(2);
        let policy = Policy::new(Scorer::new(parts).unwrap(), &names(2), Some(&catalog)).unwrap();
        let mut workspace = Workspace::new(&policy);
        let mut request = Request::from_prompt(PROMPT);
        request.max_tokens = most.map(Tokens::new);
        policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
        let prompt = workspace.input_tokens();
        assert_eq!(workspace.expected_tokens(1).get(), prompt.get() + answer);
        let candidate = &workspace.candidates()[1];
        let endpoint = &policy.listed(1).unwrap().endpoints[candidate.endpoint.unwrap()];
        let cost = endpoint.input.of(prompt) + endpoint.output.of(Tokens::new(answer));
        assert_eq!(candidate.expected.cost, Some(cost));
    }
}

proptest! {
    /// What is logged as the propensity is the probability that the draw was made with, and the
    /// excluded are never drawn.
    #[test]
    fn decisions_are_drawn_as_they_say(
        draw in 0.0..=1.0,
        gamma in 0.0..500.0,
        floor in 0.0..=0.5,
        denied in 0_usize..6,
        per_dollar in 0.0..1000.0,
    ) {
        let explorer =
            Explorer::new(Rule::InverseGap { gamma }, Probability::new(floor).unwrap()).unwrap();
        let objective = Objective::Tradeoff(Weights::new(per_dollar, 0.001).unwrap());
        let policy = policy(6).with_explorer(explorer).with_objective(objective);
        let mut workspace = Workspace::new(&policy);
        let mut request = Request::from_prompt(PROMPT);
        request.constraints.deny_models = Cow::Owned(vec![Cow::Owned(format!("m{denied}"))]);
        let draw = Probability::new(draw).unwrap();
        let decision = policy.decide(&request, draw, &mut workspace).unwrap();
        let candidates = workspace.candidates();
        prop_assert_ne!(decision.model, denied);
        prop_assert_eq!(candidates[denied].probability, 0.0);
        prop_assert_eq!(decision.propensity.get(), candidates[decision.model].probability.min(1.0));
        let again = policy.decide(&request, draw, &mut workspace).unwrap();
        prop_assert_eq!(decision, again);
    }
}

/// A catalog with a model that the policy has not learned, at a stated score or none.
fn with_newcomer(n_models: usize, stated: Option<f64>) -> Catalog {
    let model = |index: usize| {
        let price = index + 1;
        format!(
            "[[models]]\nid = \"m{index}\"\n[[models.endpoints]]\nprovider = \"east\"\n\
             input_usd_per_million = {price}.0\noutput_usd_per_million = {price}.0\n"
        )
    };
    let models: String = (0..n_models).map(model).collect();
    let stated = stated.map_or_else(String::new, |score| format!("prior_quality = {score}\n"));
    let new = format!(
        "[[models]]\nid = \"new\"\n{stated}[[models.endpoints]]\nprovider = \"west\"\n\
         input_usd_per_million = 2.0\noutput_usd_per_million = 2.0\n"
    );
    Catalog::from_toml(&(models + &new)).unwrap()
}

fn policy_with_newcomer(stated: Option<f64>, which: Newcomers) -> Policy {
    let (scorer, catalog) = (Scorer::new(patterned(5, 10)).unwrap(), with_newcomer(5, stated));
    let policy = Policy::new(scorer, &names(5), Some(&catalog)).unwrap();
    policy.with_newcomers(&catalog, Some(&[0.5, 0.52, 0.54, 0.56, 0.58]), which)
}

#[test]
fn which_newcomers_are_let_in() {
    for (stated, which, expected) in [
        (Some(0.7), Newcomers::Never, 5),
        (Some(0.7), Newcomers::Stated, 6),
        (None, Newcomers::Stated, 5),
        (None, Newcomers::All, 6),
    ] {
        let policy = policy_with_newcomer(stated, which);
        assert_eq!(policy.models().len(), expected, "{stated:?} {which:?}");
        assert_eq!(policy.prior(5).is_some(), expected == 6);
        assert!(policy.prior(4).is_none());
    }
}

#[test]
fn a_newcomer_is_taken_where_its_prior_wins_and_explored_where_not() {
    let request = Request::from_prompt(PROMPT);
    for (stated, is_taken) in [(1.0, true), (0.0, false)] {
        let policy = policy_with_newcomer(Some(stated), Newcomers::Stated);
        let mut workspace = Workspace::new(&policy);
        let decision = policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
        assert_eq!(decision.model == 5, is_taken, "{stated}");
        let explorer =
            Explorer::new(Rule::InverseGap { gamma: 10.0 }, Probability::new(0.1).unwrap());
        let policy = policy.with_explorer(explorer.unwrap());
        policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
        let candidate = workspace.candidates()[5];
        assert!(0.1 / 6.0 < candidate.probability, "{candidate:?}");
        let quality = workspace.scores().quality().iter().map(|q| f64::from(*q));
        let difficulty = quality.sum::<f64>() / 5.0 - 0.54;
        assert!((candidate.expected.quality - stated - difficulty).abs() < 1e-9);
        // Twice the price of the first model, the same tokens.
        let cost = |model: usize| workspace.candidates()[model].expected.cost.unwrap();
        assert_eq!(cost(5), cost(1));
    }
}

#[test]
fn a_newcomer_costs_what_its_price_says_where_costs_were_learned() {
    let mut parts = patterned(5, 10);
    parts.output_tokens = None;
    let line = |index: u32| LogLine {
        intercept: -7.0 + f64::from(index + 1).ln(),
        slope: 0.0,
        least: 0.0,
        most: 1.0,
    };
    parts.cost_usd = Some((0..5).map(line).collect());
    let catalog = with_newcomer(5, Some(0.5));
    let policy = Policy::new(Scorer::new(parts).unwrap(), &names(5), Some(&catalog)).unwrap();
    let policy = policy.with_newcomers(&catalog, None, Newcomers::Stated);
    assert_eq!(policy.cost_basis(), CostBasis::Learned);
    let mut workspace = Workspace::new(&policy);
    policy.decide(&Request::from_prompt(PROMPT), Probability::ZERO, &mut workspace).unwrap();
    let cost = |model: usize| workspace.candidates()[model].expected.cost.unwrap().as_dollars();
    assert!((cost(5) / cost(1) - 1.0).abs() < 1e-6, "{} {}", cost(5), cost(1));
}

#[test]
fn a_newcomer_keeps_to_the_constraints() {
    let policy = policy_with_newcomer(Some(1.0), Newcomers::Stated);
    let mut workspace = Workspace::new(&policy);
    let mut request = Request::from_prompt(PROMPT);
    request.constraints.deny_models = Cow::Owned(vec![Cow::Borrowed("new")]);
    let decision = policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
    assert_ne!(decision.model, 5);
    assert_eq!(workspace.candidates()[5].probability, 0.0);
    assert!(workspace.candidates()[5].excluded_by.is_some());
}

/// The provider of m2, which both serve: `east` is dearer, and measured to be faster.
#[track_caller]
fn check_provider(change: impl FnOnce(&mut EndpointChoice<'static>), expected: &str) {
    let policy = policy(3);
    let mut workspace = Workspace::new(&policy);
    let mut request = Request::from_prompt(PROMPT);
    change(&mut request.constraints.endpoints);
    policy.decide(&request, Probability::ZERO, &mut workspace).unwrap();
    assert_eq!(policy.provider(2, &workspace.candidates()[2]), Some(expected));
}

#[test]
fn the_caller_may_choose_the_endpoint() {
    let order = || Cow::Owned(vec![Cow::Borrowed("east")]);
    check_provider(|_| (), "west");
    check_provider(|choice| choice.order = order(), "east");
    check_provider(|choice| choice.sort = EndpointSort::Throughput, "east");
    check_provider(|choice| choice.sort = EndpointSort::Latency, "east");
    check_provider(|choice| choice.min_tokens_per_second = Some(40.0), "east");
    check_provider(|choice| choice.min_tokens_per_second = Some(60.0), "west"); // neither keeps it
    check_provider(|choice| choice.max_ttft_ms = Some(100.0), "east");
    check_provider(
        |choice| (choice.order, choice.others) = (order(), OtherProviders::Refused),
        "east",
    );
}

fn distribute<'p>(
    policy: &'p Policy,
    workspace: &mut Workspace,
    around: Circumstances<'_>,
) -> &'p str {
    let request = Request::from_prompt(PROMPT);
    let n_bytes_cut = policy.distribute_in(&around, &request, workspace).unwrap();
    let decision = workspace.draw(Probability::ZERO, n_bytes_cut);
    policy.models().nth(decision.model).unwrap()
}

#[test]
fn what_fails_does_not_come_into_question() {
    let policy = policy(2);
    let mut workspace = Workspace::new(&policy);
    let failing = LiveEndpoint { health: Health::Failing, ..LiveEndpoint::default() };
    let quick = LiveEndpoint { tokens_per_second: Some(1000.0), ..LiveEndpoint::default() };
    let live = LiveEndpoints::new(vec![vec![failing; 2], vec![quick, failing]]);
    let around = Circumstances { live: Some(&live), ..policy.circumstances() };
    assert_eq!(distribute(&policy, &mut workspace, around), "m1");
    let [first, second] = workspace.candidates() else { panic!("two models") };
    assert_eq!(first.excluded_by, Some(Exclusion::Failing));
    assert_eq!(second.endpoint, Some(0));
    let answer_ms = second.output_tokens.unwrap_or(500.0);
    assert_eq!(second.expected.latency_ms, Some(100.0 + answer_ms)); // a token a millisecond
}

#[test]
fn a_conversation_pays_for_a_switch_and_waits_for_its_tools() {
    let mut toml = String::new();
    for name in ["m0", "m1"] {
        toml += &format!(
            "[[models]]\nid = \"{name}\"\n[[models.endpoints]]\nprovider = \"p\"\n\
             input_usd_per_million = 1.0\noutput_usd_per_million = 0.0\n\
             cached_input_usd_per_million = 0.1\n"
        );
    }
    let scorer = Scorer::new(patterned(2, 10)).unwrap();
    let policy = Policy::new(scorer, &names(2), Catalog::from_toml(&toml).ok().as_ref()).unwrap();
    let policy = policy.with_objective(Objective::Tradeoff(Weights::new(1e9, 0.0).unwrap()));
    let mut workspace = Workspace::new(&policy);
    let held = |model, switch| {
        let held = Held { model, endpoint: 0, cached: Tokens::new(10), switch };
        Circumstances { held: Some(held), ..policy.circumstances() }
    };
    for model in [0, 1] {
        let stays = distribute(&policy, &mut workspace, held(model, Switch::Allowed));
        assert_eq!(stays, names(2)[model]);
        let cost = |m: usize| workspace.candidates()[m].expected.cost.unwrap().nanos();
        assert_eq!(cost(1 - model) - cost(model), 10 * 900); // 10 tokens at 0.9 dollars a million
        distribute(&policy, &mut workspace, held(model, Switch::InToolLoop));
        let other = workspace.candidates()[1 - model];
        assert_eq!(other.excluded_by, Some(Exclusion::HeldBySession));
    }
    // The model that called the tool is gone: any other may go on.
    let failing = LiveEndpoint { health: Health::Failing, ..LiveEndpoint::default() };
    let live = LiveEndpoints::new(vec![vec![failing]]);
    let around = Circumstances { live: Some(&live), ..held(0, Switch::InToolLoop) };
    assert_eq!(distribute(&policy, &mut workspace, around), "m1");
}

#[test]
fn features_that_were_read_before_give_the_same_distribution() {
    let policy = policy(5);
    let request = Request::from_prompt(PROMPT);
    let mut workspace = Workspace::new(&policy);
    policy.distribute(&request, &mut workspace).unwrap();
    let mut extractor = Extractor::new(policy.scorer().schema());
    let features = extractor.extract(&request);
    assert_eq!(workspace.features().terms, features.terms);
    assert_eq!(workspace.features().dense, features.dense);
    let mut other = Workspace::new(&policy);
    let without_text = Request::default();
    policy
        .distribute_read(&policy.circumstances(), (&without_text, &features), &mut other)
        .unwrap();
    assert_eq!(other.candidates(), workspace.candidates());
    assert_eq!(other.input_tokens(), workspace.input_tokens());
}

#[test]
fn a_twin_answers_as_the_other_does_at_its_own_price() {
    let mut listed = catalog(5).models()[2].clone();
    listed.id = "twin".to_owned();
    for endpoint in &mut listed.endpoints {
        endpoint.input = crate::units::Price::from_nanos_per_million(1);
        endpoint.output = crate::units::Price::from_nanos_per_million(1);
    }
    let policy = policy(5).with_twin(&listed, 2);
    assert_eq!(policy.models().nth(5), Some("twin"));
    assert!(policy.prior(5).is_none());
    let mut workspace = Workspace::new(&policy);
    policy.distribute(&Request::from_prompt(PROMPT), &mut workspace).unwrap();
    let (other, twin) = (workspace.candidates()[2], workspace.candidates()[5]);
    assert_eq!(twin.expected.quality, other.expected.quality);
    assert_eq!(twin.output_tokens, other.output_tokens);
    assert!(twin.expected.cost < other.expected.cost);
    let policy = policy.with_twin(&listed, 9);
    assert_eq!(policy.models().len(), 6);
}
