//! Models of the catalog that nothing has been learned about: what to expect of them until
//! something is.
//!
//! A newcomer's quality on a request is the level of its prior, and by how much the models that
//! were learned find this request easier or harder than others, on average: what is hard for them
//! will be hard for it. The level comes from a score that the catalog states, else from the
//! quality of models of its price, else from the mean of all. An interval says how little that
//! is: how far the learned models themselves lie from what their price or score foretells is how
//! little a prior weighs against outcomes (empirical Bayes). That is right on average over newcomers,
//! and holds back the best of them longest. Weakness: a newcomer has no strengths of its own, so it is
//! taken for all requests or for none at a given price, until outcomes teach otherwise.

use crate::{
    catalog::Model,
    objective::Band,
    units::{Probability, len_as_float},
};

/// Two-sided 95 % in standard errors of a normal distribution.
const NORMAL_95: f64 = 1.959_963_984_540_054;

/// Models that a line is drawn through at least; with fewer its error is anyone's guess.
const LEAST_MODELS: usize = 4;

/// A prior is never surer than this: models differ in ways that neither price nor score shows.
const LEAST_ERROR: f64 = 0.05;

/// What an outcome differs by from what is expected, until outcomes say otherwise.
const OUTCOME_ERROR: f64 = 0.5;

/// Rows' worth of [`OUTCOME_ERROR`] in the spread of outcomes.
const OUTCOME_ERROR_ROWS: f64 = 5.0;

/// What is known of a model: its name aside.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Traits {
    /// Dollars, per anything that is the same for all models.
    pub price: Option<f64>,
    /// A score on some benchmark, in `[0, 1]`.
    pub stated: Option<f64>,
}

/// What is expected of a newcomer's mean quality.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// The expected mean quality, in `[0, 1]`.
    pub level: f64,
    /// Its standard error.
    pub std_error: f64,
    /// What it rests on.
    pub basis: PriorBasis,
}

/// What a prior rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorBasis {
    /// The catalog's `prior_quality`, as it stands.
    Stated,
    /// The same, on the scale of this data: so many learned models state one too.
    StatedOnScale {
        /// How many.
        n_models: usize,
    },
    /// The quality of learned models by the logarithm of their price.
    PriceFamily {
        /// How many.
        n_models: usize,
    },
    /// The mean over learned models.
    Mean,
}

/// Which models of a catalog may be taken although nothing was learned about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Newcomers {
    /// None.
    Never,
    /// Those for which the catalog states a `prior_quality`.
    #[default]
    Stated,
    /// All.
    All,
}

impl std::fmt::Display for PriorBasis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stated => write!(f, "stated in the catalog"),
            Self::StatedOnScale { n_models } => {
                write!(f, "stated in the catalog, on the scale of {n_models} learned models")
            }
            Self::PriceFamily { n_models } => {
                write!(f, "by the price of {n_models} learned models")
            }
            Self::Mean => write!(f, "the mean of the learned models"),
        }
    }
}

impl Traits {
    /// Of a model as the catalog lists it: the price is that of its cheapest endpoint, three parts
    /// input and one part output, in dollars per million tokens.
    pub fn of_listed(model: &Model) -> Self {
        let blended = model.endpoints.iter().map(|endpoint| {
            let (input, output) = (endpoint.input, endpoint.output);
            0.75 * input.dollars_per_million() + 0.25 * output.dollars_per_million()
        });
        let price = blended.fold(f64::INFINITY, f64::min);
        Self {
            price: Some(price).filter(|price| price.is_finite()),
            stated: model.prior_quality.map(crate::units::Quality::get),
        }
    }
}

impl Prior {
    /// Of a newcomer among models of known mean quality.
    pub fn of(newcomer: &Traits, learned: &[(Traits, f64)]) -> Self {
        let (mean, spread) = mean_and_spread(learned.iter().map(|(_, quality)| *quality));
        if let Some(stated) = newcomer.stated {
            let pairs = pairs(learned, |traits| traits.stated);
            if let Some((level, std_error)) = on_line(&pairs, stated) {
                let basis = PriorBasis::StatedOnScale { n_models: pairs.len() };
                return Self::new(level, std_error, basis);
            }
            // How far a benchmark's scale is from that of this data, nobody knows.
            return Self::new(stated, spread.max(2.0 * LEAST_ERROR), PriorBasis::Stated);
        }
        let log_price = |traits: &Traits| traits.price.filter(|p| 0.0 < *p).map(libm::log);
        let pairs = pairs(learned, log_price);
        if let Some(price) = log_price(newcomer)
            && let Some((level, std_error)) = on_line(&pairs, price)
        {
            return Self::new(level, std_error, PriorBasis::PriceFamily { n_models: pairs.len() });
        }
        let n = len_as_float(learned.len().max(1));
        let std_error =
            (spread * (widening(n - 1.0) * (1.0 + 1.0 / n)).sqrt()).max(2.0 * LEAST_ERROR);
        Self::new(mean, std_error, PriorBasis::Mean)
    }

    fn new(level: f64, std_error: f64, basis: PriorBasis) -> Self {
        // A line leaves the range of qualities; a mean quality does not.
        Self { level: level.clamp(0.0, 1.0), std_error: std_error.max(LEAST_ERROR), basis }
    }

    /// The level with its 95 % interval, cut to the range of qualities.
    pub fn band(&self) -> Band {
        let Ok(level) = Probability::new(0.95) else { unreachable!("0.95 is a probability") };
        let reach = NORMAL_95 * self.std_error;
        Band {
            value: self.level,
            lower: (self.level - reach).max(0.0),
            upper: (self.level + reach).min(1.0),
            level,
        }
    }

    /// The level after some outcomes, each given as its quality less what was expected but for the
    /// level: that is, less the pooled difficulty of its request.
    ///
    /// Normal prior, normal outcomes: a mean weighted by precision. Of the prior that is the spread of
    /// the learned models about what was foretold of them.
    #[must_use]
    pub fn after(&self, levels_seen: &[f64]) -> Self {
        if levels_seen.is_empty() {
            return *self;
        }
        let n = len_as_float(levels_seen.len());
        let mean = levels_seen.iter().sum::<f64>() / n;
        let squares: f64 = levels_seen.iter().map(|value| (value - mean).powi(2)).sum();
        let variance = (squares + OUTCOME_ERROR_ROWS * OUTCOME_ERROR * OUTCOME_ERROR)
            / (n + OUTCOME_ERROR_ROWS);
        let (before, seen) = (1.0 / (self.std_error * self.std_error), n / variance);
        let level = (before * self.level + seen * mean) / (before + seen);
        Self {
            level: level.clamp(0.0, 1.0),
            std_error: 1.0 / (before + seen).sqrt(),
            basis: self.basis,
        }
    }
}

/// The learned models of which something is known, with their quality.
fn pairs(learned: &[(Traits, f64)], of: impl Fn(&Traits) -> Option<f64>) -> Vec<(f64, f64)> {
    learned.iter().filter_map(|(traits, quality)| Some((of(traits)?, *quality))).collect()
}

/// The least-squares line at `x`, kept within the points' range, and the standard error of a new
/// point on it; `None` for too few points, or all at one place.
fn on_line(pairs: &[(f64, f64)], x: f64) -> Option<(f64, f64)> {
    if pairs.len() < LEAST_MODELS {
        return None;
    }
    let n = len_as_float(pairs.len());
    let (mean_x, spread_x) = mean_and_spread(pairs.iter().map(|(x, _)| *x));
    let (mean_y, _) = mean_and_spread(pairs.iter().map(|(_, y)| *y));
    let xx = spread_x * spread_x * (n - 1.0);
    if xx <= 1e-9 {
        return None;
    }
    let slope = pairs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / xx;
    let residual = |(x, y): &(f64, f64)| (y - mean_y - slope * (x - mean_x)).powi(2);
    let variance = pairs.iter().map(residual).sum::<f64>() / (n - 2.0);
    let ends = pairs.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (x, _)| {
        (low.min(*x), high.max(*x))
    });
    // Beyond the range the line is no guide; how far beyond it is, makes it less sure.
    let from_mean = x.clamp(ends.0, ends.1) - mean_x;
    let error = variance * widening(n - 2.0) * (1.0 + 1.0 / n + (x - mean_x).powi(2) / xx);
    Some((mean_y + slope * from_mean, error.sqrt()))
}

/// By how much a variance is larger that rests on few degrees of freedom: that of Student's t over
/// that of a normal distribution. Below three degrees it has none, so there it is that of three.
fn widening(degrees: f64) -> f64 {
    let degrees = degrees.max(3.0);
    degrees / (degrees - 2.0)
}

fn mean_and_spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = len_as_float(values.clone().count().max(1));
    let mean = values.clone().sum::<f64>() / n;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pointsman_testkit::{Draws, Stream};

    fn traits(price: f64, stated: Option<f64>) -> Traits {
        Traits { price: Some(price), stated }
    }

    fn learned(with_scores: bool) -> Vec<(Traits, f64)> {
        let score = |quality: f64| with_scores.then_some(quality / 2.0 + 0.4);
        let of = |(price, quality)| (traits(price, score(quality)), quality);
        [(0.1, 0.4), (1.0, 0.5), (10.0, 0.6), (100.0, 0.7)].map(of).to_vec()
    }

    #[track_caller]
    fn check(newcomer: &Traits, learned: &[(Traits, f64)], level: f64, basis: PriorBasis) {
        let prior = Prior::of(newcomer, learned);
        assert!((prior.level - level).abs() < 1e-9, "{prior:?}");
        assert_eq!(prior.basis, basis);
        let Band { value, lower, upper, level: _ } = prior.band();
        assert!(0.0 <= lower && lower < value && value < upper && upper <= 1.0, "{prior:?}");
    }

    #[test]
    fn a_prior_rests_on_the_best_that_is_known() {
        let four = PriorBasis::PriceFamily { n_models: 4 };
        check(&traits(1.0, None), &learned(false), 0.5, four);
        check(&traits(1e6, None), &learned(false), 0.7, four); // no dearer than was seen
        check(&traits(1.0, Some(0.8)), &learned(false), 0.8, PriorBasis::Stated);
        let on_scale = PriorBasis::StatedOnScale { n_models: 4 };
        check(&traits(1.0, Some(0.7)), &learned(true), 0.6, on_scale);
        check(&Traits::default(), &learned(false), 0.55, PriorBasis::Mean);
        check(&traits(1.0, None), &learned(false)[..3], 0.5, PriorBasis::Mean);
        check(&traits(0.0, None), &learned(false), 0.55, PriorBasis::Mean); // free: no logarithm
    }

    #[test]
    fn far_from_known_prices_a_prior_knows_less() {
        let mut learned = learned(false);
        learned[2].1 = 0.45;
        let error = |price: f64| Prior::of(&traits(price, None), &learned).std_error;
        assert!(error(1.0) < error(1e4), "{} {}", error(1.0), error(1e4));
    }

    #[test]
    fn outcomes_move_a_prior_and_make_it_surer() {
        let prior = Prior { level: 0.5, std_error: 0.1, basis: PriorBasis::Mean };
        assert_eq!(prior.after(&[]), prior);
        let (few, many) = (prior.after(&[0.9; 5]), prior.after(&vec![0.9; 5000]));
        assert!(0.5 < few.level && few.level < 0.75 && few.std_error < 0.1, "{few:?}");
        assert!(0.89 < many.level && many.std_error < few.std_error, "{many:?}");
    }

    /// A newcomer to models that lie about a line by the logarithm of their price.
    struct Drawn {
        prior: Prior,
        truth: f64,
        best_other: f64,
        draws: Draws,
    }

    /// A price by its logarithm, where there is one.
    type PriceOf = fn(f64) -> Option<f64>;
    const PRICED: PriceOf = |log_price| Some(libm::exp(log_price));
    const FREE: PriceOf = |_| None;

    fn drawn(n_models: usize, index: u64, price_of: PriceOf) -> Drawn {
        let mut draws = Draws::keyed(29, Stream::Logging, &[index]);
        let mut model = || {
            let log_price = 1.5 * draws.normal();
            let quality = (0.5 + 0.05 * log_price + 0.1 * draws.normal()).clamp(0.02, 0.98);
            (Traits { price: price_of(log_price), stated: None }, quality)
        };
        let learned: Vec<(Traits, f64)> = (0..n_models).map(|_| model()).collect();
        let (newcomer, truth) = model();
        let best_other = learned.iter().map(|(_, quality)| *quality).fold(0.0, f64::max);
        Drawn { prior: Prior::of(&newcomer, &learned), truth, best_other, draws }
    }

    #[test]
    fn intervals_of_priors_hold_the_truth_however_few_models_there_are() {
        const N: u64 = 2000;
        for (n_models, price_of) in [(5, PRICED), (8, PRICED), (27, PRICED), (5, FREE), (12, FREE)]
        {
            let holds = |&index: &u64| {
                let Drawn { prior, truth, .. } = drawn(n_models, index, price_of);
                let Band { lower, upper, .. } = prior.band();
                lower <= truth && truth <= upper
            };
            let held = len_as_float((0..N).filter(holds).count()) / crate::units::as_float(N);
            assert!(0.925 < held, "{n_models} models: {held}");
        }
    }

    /// The same over many newcomers: how far levels are off, and what taking the better of the
    /// newcomer and the best other model loses.
    #[test]
    fn a_prior_with_few_outcomes_is_better_than_either_alone() {
        const N: u64 = 2000;
        for n_outcomes in [10, 25, 50, 100] {
            let [mut together, mut prior_alone, mut outcomes_alone] = [(0.0, 0.0); 3];
            for index in 0..N {
                let Drawn { prior, truth, best_other, mut draws } = drawn(12, index, PRICED);
                let seen: Vec<f64> =
                    (0..n_outcomes).map(|_| f64::from(u8::from(draws.chance(truth)))).collect();
                let mean = seen.iter().sum::<f64>() / len_as_float(seen.len());
                for (level, (squares, regret)) in [
                    (prior.after(&seen).level, &mut together),
                    (prior.level, &mut prior_alone),
                    (mean, &mut outcomes_alone),
                ] {
                    let taken = if best_other < level { truth } else { best_other };
                    *squares += (level - truth).powi(2);
                    *regret += truth.max(best_other) - taken;
                }
            }
            assert!(together.0 < prior_alone.0, "{n_outcomes}: {together:?} {prior_alone:?}");
            assert!(together.0 < outcomes_alone.0, "{n_outcomes}: {together:?} {outcomes_alone:?}");
            if n_outcomes < 50 {
                assert!(together.1 < outcomes_alone.1, "{together:?} {outcomes_alone:?}");
            }
        }
    }
}
