use super::*;
use crate::{
    design::{Design, DesignBuilder},
    outcomes::{LoggedOutcome, narrow},
    train::{Regularisation, TrainConfig, train},
};
use pointsman_core::{
    features::{Bigrams, FeatureSchema},
    request::Request,
    units::{Propensity, as_float},
};
use pointsman_testkit::{Draws, Stream, World};

/// Losses of −1, 0 and 1 with a mean that is just the bound are called smaller at most as often as
/// the level allows.
#[test]
fn p_values_are_valid_at_the_bound() {
    let n_draws = 4000_u64;
    for (bound, spread, n_losses) in [(0.01, 0.1, 500), (0.05, 0.5, 200), (0.002, 0.02, 2000)] {
        let is_rejected = |draw: &u64| {
            let mut draws = Draws::keyed(*draw, Stream::Outcome, &[n_losses]);
            let losses: Vec<f64> = (0..n_losses)
                .map(|_| match draws.uniform() {
                    u if u < f64::midpoint(spread, bound) => 1.0,
                    u if u < spread => -1.0,
                    _ => 0.0,
                })
                .collect();
            p_value(&losses, bound) <= LEVEL
        };
        let n_rejected = (0..n_draws).filter(is_rejected).count();
        let share = len_as_float(n_rejected) / as_float(n_draws);
        assert!(share <= LEVEL + 3.0 * (LEVEL / as_float(n_draws)).sqrt(), "{bound}: {share}");
        assert!(0.005 < share, "{bound}: {share} would be far too careful");
    }
}

#[test]
fn p_values_see_what_is_there() {
    assert!(p_value(&[0.0; 400], 0.01) <= LEVEL, "nothing is ever lost");
    assert!(LEVEL < p_value(&[0.0; 40], 0.01), "forty are too few to say so");
    assert_eq!(p_value(&[1.0; 400], 0.01), 1.0);
    assert_eq!(p_value(&[], 0.01), 1.0);
}

#[test]
fn the_sequence_ends_at_the_first_that_fails() {
    let at = |per_dollar: f64, gain: f64| SweepValue {
        per_dollar,
        quality: (0.8, 0.0),
        cost_usd: (1.0, 0.0),
        gain: (gain, 0.01),
    };
    let sweep = [at(0.0, -0.02), at(1.0, 0.01), at(2.0, 0.0), at(3.0, -0.1), at(4.0, 0.0)];
    let passing = |limit: f64| {
        let loss = move |weight: f64| if weight < limit { 0.0 } else { 0.5 };
        last_passed(&sweep, 0.01, move |weight| vec![loss(weight); 1000])
    };
    assert_eq!(passing(2.5), Some(2.0));
    assert_eq!(passing(9.0), Some(4.0));
    assert_eq!(passing(1.0), None, "the safest is the second");
}

/// Losses from a log have the true loss as their mean, and none is above one.
#[test]
fn losses_from_a_log_are_those_of_the_truth() {
    let (quality, propensity) = ([0.9_f32, 0.4, 0.2], [0.5, 0.3, 0.2]);
    for (choice, expected) in [(0, 0.0), (1, 0.5), (2, 0.7)] {
        let mut mean = 0.0;
        for taken in 0..3_u16 {
            let row = LoggedOutcome {
                taken,
                propensity: Propensity::new(propensity[usize::from(taken)]).unwrap(),
                quality: quality[usize::from(taken)],
                cost_usd: None,
                output_tokens: None,
            };
            let loss = row_loss(&Outcomes::logged(3, &[row]).unwrap(), 0, choice, 0);
            assert!(loss <= 1.0, "{loss}");
            mean += propensity[usize::from(taken)] * loss;
        }
        assert!((mean - expected).abs() < 1e-6, "{choice}: {mean}");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Seen {
    All,
    OnePerRow,
}

/// Requests of a world as rows, with everything that came of them.
struct Rows {
    design: Design,
    n_models: usize,
    quality: Vec<f32>,
    cost_usd: Vec<f64>,
    groups: Vec<u64>,
}

fn rows(indices: std::ops::Range<u64>) -> Rows {
    let world = World::new(23);
    let mut design = DesignBuilder::new(FeatureSchema::new(12, Bigrams::Without).unwrap());
    let (mut quality, mut cost_usd, mut groups) = (vec![], vec![], vec![]);
    for index in indices {
        let request = world.request(index);
        design.push(&Request::from_prompt(&request.prompt));
        groups.push(request.conversation[1..].parse().unwrap());
        for outcome in world.outcomes(&request) {
            quality.push(narrow(outcome.quality));
            cost_usd.push(as_float(outcome.cost_nanodollars) / 1e9);
        }
    }
    Rows { design: design.finish(), n_models: world.n_models(), quality, cost_usd, groups }
}

impl Rows {
    /// The outcomes of some rows, all of them or one drawn uniformly per row.
    fn outcomes(&self, rows: impl Iterator<Item = usize>, seen: Seen, draw: u64) -> Outcomes {
        let n_models = self.n_models;
        let mut draws = Draws::keyed(draw, Stream::Logging, &[5]);
        if seen == Seen::OnePerRow {
            let log = |row: usize| {
                let taken = draws.position(n_models);
                LoggedOutcome {
                    taken: u16::try_from(taken).unwrap(),
                    propensity: Propensity::new(1.0 / len_as_float(n_models)).unwrap(),
                    quality: self.quality[row * n_models + taken],
                    cost_usd: Some(self.cost_usd[row * n_models + taken]),
                    output_tokens: None,
                }
            };
            return Outcomes::logged(n_models, &rows.map(log).collect::<Vec<_>>()).unwrap();
        }
        let (mut quality, mut cost) = (vec![], vec![]);
        for row in rows {
            quality.extend_from_slice(&self.quality[row * n_models..][..n_models]);
            cost.extend_from_slice(&self.cost_usd[row * n_models..][..n_models]);
        }
        Outcomes::full(n_models, quality, Some(cost), None).unwrap()
    }

    fn set<'a>(
        &'a self,
        outcomes: &'a Outcomes,
        input_tokens: &'a [Option<u32>],
        rows: &'a [u32],
    ) -> TrainingSet<'a> {
        TrainingSet { design: &self.design, outcomes, groups: &self.groups, input_tokens, rows }
    }
}

/// Over many draws of the calibration part from a population, the bound is broken at most as often
/// as the guarantee allows, where the truth is the population's; and it is not kept by doing
/// nothing.
#[track_caller]
fn check_coverage(seen: Seen, max_loss: f64, n_each: usize, least_routed: usize) {
    const N_DRAWS: u64 = 300;
    const N_FITTED: u32 = 1200;
    let all = rows(0..7200);
    let n_rows = all.groups.len();
    let input_tokens = vec![None; n_rows];
    let fitted: Vec<u32> = (0..N_FITTED).collect();
    let to_fit = all.outcomes(0..n_rows, seen, 0);
    let set = all.set(&to_fit, &input_tokens, &fitted);
    let config = TrainConfig::new(1, Regularisation::HeldOut).unwrap();
    let trained = train(&set, &config, &|_| ()).unwrap();
    let report = trained.held_out.as_ref().unwrap();

    let kept: Vec<u32> = (N_FITTED..u32::try_from(n_rows).unwrap()).collect();
    let exported = Exported::new(&Scorer::new(trained.parts.clone()).unwrap(), &set, &kept);
    let groups = Calibration { fitted: vec![], kept: kept.clone(), seed: 0, max_loss }.groups(&set);
    let truth = all.outcomes(0..n_rows, Seen::All, 0);
    let sweep: Vec<(f64, Vec<usize>, f64)> = report
        .sweep
        .iter()
        .map(|value| {
            let setting = Setting { per_dollar: value.per_dollar, favour: None };
            let choices = exported.choices(&setting);
            let losses = group_losses(&truth, (&kept, &choices), report.best_single, &groups);
            (value.per_dollar, choices, losses.iter().sum::<f64>() / len_as_float(losses.len()))
        })
        .collect();
    let at = |weight: f64| sweep.iter().find(|(at, ..)| *at == weight).unwrap();
    let (mut n_broken, mut n_routed) = (0, 0);
    for draw in 0..N_DRAWS {
        let mut draws = Draws::keyed(draw, Stream::Arrival, &[7]);
        let (mut places, mut drawn) = (vec![], vec![]);
        for _ in 0..n_each {
            let group = &groups[draws.position(groups.len())];
            drawn.push((places.len()..places.len() + group.len()).collect());
            places.extend_from_slice(group);
        }
        let outcomes = all.outcomes(places.iter().map(|&place| kept[place] as usize), seen, draw);
        let numbers: Vec<u32> = (0..u32::try_from(places.len()).unwrap()).collect();
        let losses_at = |weight: f64| {
            let choices: Vec<usize> = places.iter().map(|&place| at(weight).1[place]).collect();
            group_losses(&outcomes, (&numbers, &choices), report.best_single, &drawn)
        };
        if let Some(weight) = last_passed(&report.sweep, max_loss, losses_at) {
            n_routed += 1;
            n_broken += usize::from(max_loss < at(weight).2);
        }
    }
    println!("{max_loss}: broken {n_broken}, routed {n_routed} of {N_DRAWS}");
    let allowed = LEVEL + 2.33 * (LEVEL * (1.0 - LEVEL) / as_float(N_DRAWS)).sqrt();
    let share = len_as_float(n_broken) / as_float(N_DRAWS);
    assert!(share <= allowed, "the bound was broken in {n_broken} of {N_DRAWS} draws");
    assert!(least_routed <= n_routed, "only {n_routed} of {N_DRAWS} draws gave a policy at all");
}

#[test]
fn the_bound_holds_as_often_as_it_says() {
    check_coverage(Seen::All, 0.02, 900, 200);
    check_coverage(Seen::All, 0.005, 900, 0);
}

#[test]
fn the_bound_holds_from_a_log_too() {
    check_coverage(Seen::OnePerRow, 0.1, 1500, 50);
}

#[test]
fn a_point_with_a_guarantee_is_added_and_its_rows_are_not_fitted() {
    let all = rows(0..2000);
    let outcomes = all.outcomes(0..2000, Seen::All, 0);
    let (input_tokens, used) = (vec![None; 2000], (0..2000).collect::<Vec<u32>>());
    let set = all.set(&outcomes, &input_tokens, &used);
    let trained = |max_loss: f64| {
        let demands = Demands::default().with_max_quality_loss(max_loss).unwrap();
        let config =
            TrainConfig::new(1, Regularisation::HeldOut).unwrap().with_demands(demands).unwrap();
        train(&set, &config, &|_| ()).unwrap()
    };
    let careful = trained(0.0001);
    let report = careful.held_out.unwrap();
    let value = report.operating_points.last().unwrap();
    assert_eq!(value.point.name, "max-quality-loss-0.0001");
    let guarantee = value.point.guarantee.unwrap();
    assert!(guarantee.is_single && value.gain == (0.0, 0.0), "{guarantee:?}");
    assert_eq!(value.point.favour.unwrap().model, report.best_single);
    assert!((400..600).contains(&guarantee.n_requests), "{guarantee:?}");
    let bold = trained(0.05);
    let value = bold.held_out.unwrap().operating_points.pop().unwrap();
    let guarantee = value.point.guarantee.unwrap();
    assert!(!guarantee.is_single && value.point.favour.is_none(), "{guarantee:?}");
    assert_eq!(bold.parts, careful.parts, "the fit does not know the bound");
}
