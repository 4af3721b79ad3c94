//! Intervals hold the truth as often as they say, in a small world whose truth is known.
//!
//! Three kinds of prompt, three models, graded right or wrong. The logger favours one model for
//! each kind, the target another; weights go up to 6. The reward model is wrong on purpose.

use pointsman_eval::{
    estimators::{Estimate, Estimator, WeightClip, estimate},
    interval::ConfidenceLevel,
    rounds::{LoggedRounds, Predictions, RoundColumns},
};

const LOGGER: [[f64; 3]; 3] = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]];
const TARGET: [[f64; 3]; 3] = [[0.1, 0.3, 0.6], [0.5, 0.4, 0.1], [0.2, 0.1, 0.7]];
const SUCCESS: [[f64; 3]; 3] = [[0.5, 0.7, 0.9], [0.8, 0.4, 0.2], [0.1, 0.5, 0.6]];
const PREDICTED: [[f64; 3]; 3] = [[0.6, 0.6, 0.8], [0.7, 0.5, 0.3], [0.2, 0.4, 0.5]];

const N_LOGS: u32 = 2000;
const N_ROWS: usize = 500;

/// `SplitMix64`: the same draws on every machine.
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next draw, uniform in `[0, 1)`.
    pub(crate) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let (high, low) = (u32::try_from(bits >> 32).unwrap(), bits & 0xFFFF_FFFF);
        let low = u32::try_from(low).unwrap();
        (f64::from(high) + f64::from(low >> 11) / 2_097_152.0) / 4_294_967_296.0
    }

    /// An index drawn with these probabilities.
    fn index(&mut self, probabilities: [f64; 3]) -> usize {
        let draw = self.next();
        if draw < probabilities[0] {
            return 0;
        }
        if draw < probabilities[0] + probabilities[1] { 1 } else { 2 }
    }
}

fn dot(left: [f64; 3], right: [f64; 3]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// The target's value when kinds of prompt are equally likely.
fn truth() -> f64 {
    (0..3).map(|kind| dot(TARGET[kind], SUCCESS[kind])).sum::<f64>() / 3.0
}

fn simulate(draws: &mut Draws) -> LoggedRounds {
    let mut columns = RoundColumns::default();
    let mut predictions = Predictions::default();
    for _ in 0..N_ROWS {
        let kind = draws.index([1.0 / 3.0; 3]);
        let model = draws.index(LOGGER[kind]);
        let is_right = draws.next() < SUCCESS[kind][model];
        columns.propensity.push(LOGGER[kind][model]);
        columns.target.push(TARGET[kind][model]);
        columns.reward.push(if is_right { 1.0 } else { 0.0 });
        predictions.taken.push(PREDICTED[kind][model]);
        predictions.expected.push(dot(TARGET[kind], PREDICTED[kind]));
    }
    columns.predictions = Some(predictions);
    LoggedRounds::new(columns).unwrap()
}

/// What many logs of the same world say about one estimator.
#[derive(Default)]
struct Tally {
    n_covered: u32,
    value_sum: f64,
    squared_error_sum: f64,
    std_error_sum: f64,
}

impl Tally {
    fn add(&mut self, found: &Estimate) {
        self.n_covered += u32::from(found.interval.contains(truth()));
        self.value_sum += found.value;
        self.squared_error_sum += (found.value - truth()).powi(2);
        self.std_error_sum += found.std_error;
    }

    fn coverage(&self) -> f64 {
        f64::from(self.n_covered) / f64::from(N_LOGS)
    }

    fn root_mean_squared_error(&self) -> f64 {
        (self.squared_error_sum / f64::from(N_LOGS)).sqrt()
    }
}

fn tally(estimator: Estimator) -> Tally {
    let mut draws = Draws::new(20_261_121);
    let mut tally = Tally::default();
    for _ in 0..N_LOGS {
        let rounds = simulate(&mut draws);
        tally.add(&estimate(&rounds, estimator, ConfidenceLevel::P95).unwrap());
    }
    tally
}

/// Coverage of 2,000 logs has a standard error of 0.005; four of them are allowed.
#[track_caller]
fn check_coverage(estimator: Estimator) {
    let tally = tally(estimator);
    let coverage = tally.coverage();
    assert!((coverage - 0.95).abs() < 0.02, "{estimator} covers {coverage}");
    let error = tally.root_mean_squared_error();
    let bias = tally.value_sum / f64::from(N_LOGS) - truth();
    assert!(bias.abs() < 4.0 * error / f64::from(N_LOGS).sqrt(), "{estimator} is off by {bias}");
    let ratio = tally.std_error_sum / f64::from(N_LOGS) / error;
    assert!((ratio - 1.0).abs() < 0.07, "{estimator} says {ratio} of its real error");
}

#[test]
fn intervals_cover_at_their_level() {
    check_coverage(Estimator::Ips { clip: None });
    check_coverage(Estimator::Snips);
    check_coverage(Estimator::Dr { clip: None });
    check_coverage(Estimator::Sndr);
}

#[test]
fn a_decent_reward_model_pays() {
    let ips = tally(Estimator::Ips { clip: None }).root_mean_squared_error();
    let dr = tally(Estimator::Dr { clip: None }).root_mean_squared_error();
    assert!(dr < 0.8 * ips, "DR errs by {dr}, IPS by {ips}");
}

/// The reward model is wrong, and only its own estimator believes it; a clip buys spread with
/// bias.
#[test]
fn what_is_biased_shows_it() {
    let dm = tally(Estimator::Dm);
    assert!(dm.coverage() < 0.5, "DM covers {}", dm.coverage());
    let clipped = tally(Estimator::Ips { clip: Some(WeightClip::new(1.0).unwrap()) });
    assert!(clipped.value_sum / f64::from(N_LOGS) < truth() - 0.1);
}
