use super::*;
use crate::{
    design::DesignBuilder,
    outcomes::{LoggedOutcome, narrow},
};
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    request::Request,
    scorer::{Scorer, Scores, TokenLength},
    units::{Propensity, len_as_float},
};
use pointsman_testkit::{Draws, Stream, World};

struct Sample {
    design: Design,
    outcomes: Outcomes,
    groups: Vec<u64>,
    truth: Vec<Vec<f64>>,
}

enum Seen {
    All,
    OnePerRow,
    /// On every other row the first model is far more likely.
    OnePerRowUnevenly,
}

fn sample(n_rows: u64, seen: &Seen) -> Sample {
    let world = World::new(11);
    let n_models = world.n_models();
    let mut design = DesignBuilder::new(FeatureSchema::new(14, Bigrams::With).unwrap());
    let (mut quality, mut cost, mut tokens, mut rows) = (vec![], vec![], vec![], vec![]);
    let (mut groups, mut truth) = (vec![], vec![]);
    for index in 0..n_rows {
        let request = world.request(index);
        design.push(&Request::from_prompt(&request.prompt));
        groups.push(index / 5);
        truth.push(world.truth(&request).iter().map(|t| t.expected_quality).collect());
        let outcomes = world.outcomes(&request);
        let mut draws = Draws::keyed(5, Stream::Logging, &[index]);
        let even = 1.0 / len_as_float(n_models);
        let is_favoured = matches!(seen, Seen::OnePerRowUnevenly) && index % 2 == 0;
        let favour = if is_favoured { 0.7 } else { 0.0 };
        let taken = if draws.uniform() < favour { 0 } else { draws.position(n_models) };
        let propensity = (1.0 - favour) * even + if taken == 0 { favour } else { 0.0 };
        rows.push(LoggedOutcome {
            taken: u16::try_from(taken).unwrap(),
            propensity: Propensity::new(propensity).unwrap(),
            quality: narrow(outcomes[taken].quality),
            cost_usd: Some(pointsman_core::units::as_float(outcomes[taken].cost_nanodollars) / 1e9),
            output_tokens: u32::try_from(outcomes[taken].output_tokens).ok(),
        });
        for outcome in outcomes {
            quality.push(narrow(outcome.quality));
            cost.push(pointsman_core::units::as_float(outcome.cost_nanodollars) / 1e9);
            tokens.push(narrow(pointsman_core::units::as_float(outcome.output_tokens)));
        }
    }
    let outcomes = match seen {
        Seen::All => Outcomes::full(n_models, quality, Some(cost), Some(tokens)).unwrap(),
        Seen::OnePerRow | Seen::OnePerRowUnevenly => Outcomes::logged(n_models, &rows).unwrap(),
    };
    Sample { design: design.finish(), outcomes, groups, truth }
}

fn fit(sample: &Sample, rows: &[u32], regularisation: Regularisation) -> Trained {
    let set = TrainingSet {
        design: &sample.design,
        outcomes: &sample.outcomes,
        groups: &sample.groups,
        input_tokens: &vec![None; sample.groups.len()],
        rows,
    };
    train(&set, &TrainConfig::new(1, regularisation).unwrap(), &|_| ()).unwrap()
}

/// Mean true quality of the best-scored model, and of the best single one, on rows not trained on.
fn test_values(sample: &Sample, trained: &Trained, from: usize) -> (f64, f64) {
    let scorer = Scorer::new(trained.parts.clone()).unwrap();
    let mut scores = Scores::default();
    let n = len_as_float(sample.truth.len() - from);
    let mut routed = 0.0;
    let mut singles = vec![0.0; scorer.n_models()];
    for row in from..sample.truth.len() {
        scorer.score(&sample.design.features(row), &mut scores);
        let quality: Vec<f64> = scores.quality().iter().map(|q| f64::from(*q)).collect();
        routed += sample.truth[row][crate::select::best(&quality, &quality, 0.0)];
        for (single, truth) in singles.iter_mut().zip(&sample.truth[row]) {
            *single += truth;
        }
    }
    let best_single = singles.iter().copied().fold(0.0, f64::max);
    (routed / n, best_single / n)
}

#[test]
fn routing_beats_the_best_single_model_in_a_world_where_it_can() {
    let sample = sample(3000, &Seen::All);
    let trained = fit(&sample, &(0..2000).collect::<Vec<_>>(), Regularisation::HeldOut);
    assert_eq!(trained.n_unconverged, 0);
    let (routed, best_single) = test_values(&sample, &trained, 2000);
    assert!(best_single + 0.008 < routed, "{routed} against {best_single}");
    let report = trained.held_out.unwrap();
    assert!(0.0 < report.sweep[0].gain.0 && report.operating_points.len() == 3);
    let balanced = &report.operating_points[0].point;
    assert!(balanced.cost_usd.value < report.best_single_cost);
}

#[test]
fn a_log_teaches_a_policy_that_is_no_worse_than_the_best_single_model() {
    let sample = sample(4000, &Seen::OnePerRow);
    let trained = fit(&sample, &(0..3000).collect::<Vec<_>>(), Regularisation::HeldOut);
    let (routed, best_single) = test_values(&sample, &trained, 3000);
    assert!(best_single - 0.005 < routed, "{routed} against {best_single}");
}

#[test]
fn clips_take_part_where_importance_weights_differ() {
    let n_clipped = |seen: &Seen| {
        let sample = sample(600, seen);
        let trained = fit(&sample, &(0..600).collect::<Vec<_>>(), Regularisation::HeldOut);
        assert_eq!(trained.n_unconverged, 0);
        assert!((trained.candidates.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
        let is_clipped = |one: &&CandidateValue| one.candidate.is_some_and(|c| c.clip.is_some());
        trained.candidates.iter().filter(is_clipped).count()
    };
    assert_eq!(n_clipped(&Seen::OnePerRow), 0);
    assert_eq!(n_clipped(&Seen::OnePerRowUnevenly), 3 * STRENGTHS.len());
}

#[test]
fn doubly_robust_targets_take_part_when_asked_for() {
    let sample = sample(1500, &Seen::OnePerRow);
    let set = TrainingSet {
        design: &sample.design,
        outcomes: &sample.outcomes,
        groups: &sample.groups,
        input_tokens: &vec![None; sample.groups.len()],
        rows: &(0..1200).collect::<Vec<_>>(),
    };
    let config = TrainConfig::new(1, Regularisation::HeldOut).unwrap();
    let trained = train(&set, &config.with_targets(LogTargets::DoublyRobust), &|_| ()).unwrap();
    let is_robust =
        |one: &&CandidateValue| one.candidate.is_some_and(|c| c.learner == Learner::Robust);
    let share: f64 = trained.candidates.iter().filter(is_robust).map(|one| one.share).sum();
    assert!(0.05 < share, "{:?}", trained.candidates);
    let (routed, best_single) = test_values(&sample, &trained, 1200);
    assert!(best_single - 0.02 < routed, "{routed} against {best_single}");
}

#[test]
fn logistic_regression_routes_too() {
    let sample = sample(1500, &Seen::All);
    let rows: Vec<u32> = (0..1000).collect();
    let trained = fit(&sample, &rows, Regularisation::Logistic(10.0));
    assert_eq!(trained.n_unconverged, 0);
    let (routed, best_single) = test_values(&sample, &trained, 1000);
    assert!(best_single < routed, "{routed} against {best_single}");
}

#[test]
fn held_out_value_shares_the_weights_among_logistic_strengths() {
    let sample = sample(1500, &Seen::All);
    let rows: Vec<u32> = (0..1000).collect();
    let trained = fit(&sample, &rows, Regularisation::HeldOutLogistic);
    assert_eq!(trained.n_unconverged, 0);
    assert_eq!(trained.candidates.len(), LOGISTIC_STRENGTHS.len() + 1);
    assert!((trained.candidates.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
    let is_logistic = |candidate: Candidate| candidate.learner == Learner::Logistic;
    assert!(trained.candidates.iter().filter_map(|one| one.candidate).all(is_logistic));
    let lines = trained.parts.cost_usd.as_ref().unwrap();
    assert!(lines.iter().any(|line| 0.0 < line.slope), "the length is learned beside it");
    let (routed, best_single) = test_values(&sample, &trained, 1000);
    assert!(best_single < routed, "{routed} against {best_single}");
}

/// Nothing says what a length is worth without held-out rows, so none is fitted.
#[test]
fn a_fixed_strength_spends_nothing_on_lengths() {
    let mut sample = sample(600, &Seen::All);
    let rows: Vec<u32> = (0..500).collect();
    let with_costs = fit(&sample, &rows, Regularisation::Fixed(10.0));
    let n_models = sample.outcomes.n_models();
    let quality = (0..600).flat_map(|row| sample.outcomes.quality(row).to_vec()).collect();
    sample.outcomes = Outcomes::full(n_models, quality, None, None).unwrap();
    let without = fit(&sample, &rows, Regularisation::Fixed(10.0));
    assert_eq!(with_costs.n_iterations, without.n_iterations);
    assert_eq!(with_costs.parts.term_weights, without.parts.term_weights);
    assert_eq!(with_costs.parts.intercepts, without.parts.intercepts);
    let lines = with_costs.parts.cost_usd.unwrap();
    assert!(lines.iter().all(|line| line.slope == 0.0 && line.least == line.most));
    assert!(without.parts.cost_usd.is_none());
}

fn pruned(sample: &Sample, n_rows: u32, pruning: Pruning) -> Result<Trained, TrainError> {
    let set = TrainingSet {
        design: &sample.design,
        outcomes: &sample.outcomes,
        groups: &sample.groups,
        input_tokens: &vec![None; sample.groups.len()],
        rows: &(0..n_rows).collect::<Vec<_>>(),
    };
    let config = TrainConfig::new(1, Regularisation::HeldOut).unwrap().with_pruning(pruning)?;
    train(&set, &config, &|_| ())
}

#[test]
fn pruning_leaves_the_terms_that_matter_and_says_what_it_loses() {
    let sample = sample(3000, &Seen::All);
    let whole = fit(&sample, &(0..2000).collect::<Vec<_>>(), Regularisation::HeldOut);
    let (routed, _) = test_values(&sample, &whole, 2000);
    let n_columns = whole.parts.n_columns();
    let n_used = |trained: &Trained| {
        let rows = trained.parts.term_weights.chunks_exact(n_columns);
        rows.filter(|row| row.iter().any(|&weight| weight != 0)).count()
    };
    let mut losses = Vec::new();
    for share in [0.0, 0.5, 1.0] {
        let trained = pruned(&sample, 2000, Pruning::Share(share)).unwrap();
        let found = trained.pruned.unwrap();
        assert_eq!((found.n_terms, found.n_kept), (n_used(&whole), n_used(&trained)), "{share}");
        assert!(0.0 < found.std_error || share < 1.0, "{found:?}");
        let (value, _) = test_values(&sample, &trained, 2000);
        losses.push((found.loss, routed - value));
    }
    let [none, half, all] = losses[..] else { panic!("three shares") };
    assert!(none == (0.0, 0.0) && half.0 < all.0 && half.1 < all.1, "{losses:?}");
    assert!(half.1 < 0.01, "{losses:?}");
}

#[test]
fn a_loss_that_is_given_is_kept() {
    let sample = sample(2000, &Seen::All);
    let nothing = pruned(&sample, 2000, Pruning::MostLoss(0.0)).unwrap().pruned.unwrap();
    let something = pruned(&sample, 2000, Pruning::MostLoss(0.02)).unwrap().pruned.unwrap();
    assert!(something.n_kept <= nothing.n_kept, "{nothing:?} {something:?}");
    assert!(something.n_kept < something.n_terms, "{something:?}");
    assert!(something.loss + 1.9 * something.std_error < 0.02, "{something:?}");
    for wrong in [-0.1, 1.1, f64::NAN] {
        let found = pruned(&sample, 2000, Pruning::Share(wrong)).unwrap_err().to_string();
        assert!(found.starts_with("--prune ") && found.ends_with("from 0 to 1"), "{found}");
    }
    let found = pruned(&sample, 24, Pruning::Share(0.5)).unwrap_err().to_string();
    assert!(found.contains("cannot be measured") || found.contains("groups"), "{found}");
}

#[test]
fn noise_teaches_nothing() {
    let mut sample = sample(1500, &Seen::All);
    // Every model's quality on a row becomes that on another, unrelated one.
    let n_models = sample.outcomes.n_models();
    let quality: Vec<f32> = (0..1500)
        .flat_map(|row| sample.outcomes.quality((row * 701 + 13) % 1500).to_vec())
        .collect();
    sample.outcomes = Outcomes::full(n_models, quality, None, None).unwrap();
    let trained = fit(&sample, &(0..1500).collect::<Vec<_>>(), Regularisation::HeldOut);
    let constant = trained.candidates.last().unwrap();
    assert_eq!(constant.candidate, None);
    assert!(0.3 < constant.share, "{:?}", trained.candidates);
}

#[test]
fn the_same_set_gives_the_same_bits_on_any_number_of_threads() {
    let rows: Vec<u32> = (0..400).collect();
    for seen in [Seen::All, Seen::OnePerRowUnevenly] {
        let sample = sample(400, &seen);
        let on = |n_threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(n_threads)
                .build()
                .unwrap()
                .install(|| fit(&sample, &rows, Regularisation::HeldOut).parts)
        };
        let (one, three) = (on(1), on(3));
        assert_eq!(one, three);
    }
}

#[test]
fn lengths_make_costs_per_request_and_keep_their_mean() {
    let sample = sample(1200, &Seen::All);
    let trained = fit(&sample, &(0..1200).collect::<Vec<_>>(), Regularisation::HeldOut);
    let lines = trained.parts.cost_usd.clone().unwrap();
    assert!(0.1 < lines[0].slope, "{lines:?}");
    let scorer = Scorer::new(trained.parts.clone()).unwrap();
    let mut scores = Scores::default();
    for (model, line) in lines.iter().enumerate() {
        let predicted: f64 = (0..1200)
            .map(|row| {
                scorer.score(&sample.design.features(row), &mut scores);
                line.at(scores.length())
            })
            .sum();
        let ratio = predicted / 1200.0 / trained.mean_cost[model];
        assert!((0.9..1.15).contains(&ratio), "model {model}: {ratio}");
    }
}

/// What the first third of the rows decided serves the first two thirds; valued on the last.
#[track_caller]
fn check_taken_over(seen: &Seen, loss: f64) {
    let sample = sample(3000, seen);
    let tokens = vec![None; sample.groups.len()];
    let all: Vec<u32> = (0..3000).collect();
    let set = |n: usize| TrainingSet {
        design: &sample.design,
        outcomes: &sample.outcomes,
        groups: &sample.groups,
        input_tokens: &tokens,
        rows: &all[..n],
    };
    let config = TrainConfig::new(1, Regularisation::HeldOut).unwrap();
    let decided = decide(&set(1000), &config, &|_| ()).unwrap().unwrap();
    let trained = train_as(&set(2000), &decided, &|_| ()).unwrap();
    let anew = train(&set(2000), &config, &|_| ()).unwrap();
    assert_eq!(trained.n_unconverged, 0);
    assert!(3 * trained.n_iterations < anew.n_iterations);
    let (routed, best_single) = test_values(&sample, &trained, 2000);
    let (routed_anew, _) = test_values(&sample, &anew, 2000);
    assert!(routed_anew - loss < routed, "{routed} against {routed_anew}");
    assert!(best_single - loss < routed, "{routed} against {best_single}");
    let points = |trained: &Trained| trained.held_out.clone().unwrap().operating_points;
    let then = train(&set(1000), &config, &|_| ()).unwrap();
    assert_eq!(then.decided.as_ref(), Some(&decided));
    assert_eq!(points(&trained), points(&then));
    assert_eq!(trained.decided, Some(decided));
}

#[test]
fn what_was_decided_serves_later_rows() {
    check_taken_over(&Seen::All, 0.01);
    check_taken_over(&Seen::OnePerRowUnevenly, 0.02);
}

#[test]
fn what_was_decided_is_about_its_own_models() {
    let sample = sample(60, &Seen::All);
    let rows: Vec<u32> = (0..60).collect();
    let set = TrainingSet {
        design: &sample.design,
        outcomes: &sample.outcomes,
        groups: &sample.groups,
        input_tokens: &[None; 60],
        rows: &rows,
    };
    let config = TrainConfig::new(1, Regularisation::HeldOut).unwrap();
    let decided = decide(&set, &config, &|_| ()).unwrap().unwrap();
    let n_models = sample.outcomes.n_models();
    let two = Outcomes::full(2, vec![0.5; 120], None, None).unwrap();
    let others = TrainingSet { outcomes: &two, ..set };
    assert_eq!(
        train_as(&others, &decided, &|_| ()).unwrap_err(),
        TrainError::OtherModels { found: 2, expected: n_models }
    );
    for regularisation in [Regularisation::Fixed(3.0), Regularisation::Logistic(3.0)] {
        let fixed = TrainConfig::new(1, regularisation).unwrap();
        assert_eq!(decide(&set, &fixed, &|_| ()), Ok(None));
        assert_eq!(train(&set, &fixed, &|_| ()).unwrap().decided, None);
    }
    let robust = config.with_targets(LogTargets::DoublyRobust);
    assert_eq!(decide(&set, &robust, &|_| ()), Ok(None));
}

/// Dollars follow the prompt and tokens follow something else: one length cannot tell both.
#[test]
fn output_tokens_have_a_length_of_their_own_where_costs_do_not_tell_it() {
    let mut sample = sample(1200, &Seen::All);
    let (n_models, n_rows) = (sample.outcomes.n_models(), sample.groups.len());
    let (mut quality, mut costs, mut tokens) = (vec![], vec![], vec![]);
    for row in 0..n_rows {
        quality.extend_from_slice(sample.outcomes.quality(row));
        let words = len_as_float(sample.design.terms(row).len());
        let punctuation = f64::from(sample.design.dense(row)[5]);
        for model in 0..n_models {
            costs.push(0.001 * words * (1.0 + len_as_float(model)));
            tokens.push(narrow((5.0 + 20.0 * punctuation).exp()));
        }
    }
    sample.outcomes = Outcomes::full(n_models, quality, Some(costs), Some(tokens)).unwrap();
    let trained = fit(&sample, &(0..1200).collect::<Vec<_>>(), Regularisation::HeldOut);
    let value = trained.token_length.unwrap();
    assert!(value.is_kept() && value.own < 0.7 * value.shared, "{value:?}");
    assert_eq!(trained.parts.token_length, TokenLength::Own);
    let scorer = Scorer::new(trained.parts.clone()).unwrap();
    let line = trained.parts.output_tokens.as_ref().unwrap()[0];
    let mut scores = Scores::default();
    let (mut error, mut of_mean, mut mean) = (0.0, 0.0, 0.0);
    let log = |row: usize| f64::from(sample.outcomes.output_tokens().unwrap()[row * n_models]).ln();
    for row in 0..n_rows {
        mean += log(row) / len_as_float(n_rows);
    }
    for row in 0..n_rows {
        scorer.score(&sample.design.features(row), &mut scores);
        error += (line.at(scores.token_length()).ln() - log(row)).powi(2);
        of_mean += (mean - log(row)).powi(2);
    }
    assert!(error < 0.7 * of_mean, "{error} of {of_mean}");
}

#[test]
fn sets_that_cannot_teach_are_refused() {
    let sample = sample(60, &Seen::All);
    let with = |rows: &[u32], groups: &[u64]| {
        let set = TrainingSet {
            design: &sample.design,
            outcomes: &sample.outcomes,
            groups,
            input_tokens: &[None; 60],
            rows,
        };
        train(&set, &TrainConfig::new(1, Regularisation::HeldOut).unwrap(), &|_| ()).unwrap_err()
    };
    let all: Vec<u32> = (0..60).collect();
    assert_eq!(with(&all[..5], &sample.groups), TrainError::TooFewRows { found: 5, least: 20 });
    assert_eq!(with(&all, &[7; 60]), TrainError::TooFewGroups { found: 1, least: 8 });
    assert!(matches!(with(&all, &[7; 3]), TrainError::Length { column: "groups", .. }));
    for bad in [0.0, -1.0, f64::NAN] {
        assert!(TrainConfig::new(1, Regularisation::Fixed(bad)).is_err());
    }
}
