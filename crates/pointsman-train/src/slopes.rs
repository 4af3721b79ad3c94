//! A slope of its own for each model's predictions, where held-out rows ask for one.
//!
//! The stack puts what models share and what sets them apart to scale, for all models alike. A model
//! whose predictions are steeper or flatter than its outcomes gets a factor of its own: least squares
//! of its outcomes on its out-of-fold predictions, both less the model's mean, drawn towards one by as
//! much as it is uncertain. There are own slopes only where those that were learned on the other folds
//! lower the squared error of predicted quality by more than one standard error, and lose nothing in
//! choices, which they change too.
//!
//! Source: Cox, "Two Further Applications of a Model for Binary Regression", Biometrika 45 (1958), for
//! the slope of outcomes on predictions; Morris, "Parametric Empirical Bayes Inference", JASA 78
//! (1983).

use crate::{blend::Judged, outcomes::narrow, select::mean_and_error};
use pointsman_core::units::len_as_float;

/// What slopes of their own are worth to the models, on rows that they were not learned from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationValue {
    /// The mean squared error of predicted quality without them, of what was seen.
    pub squared_error: f64,
    /// By how much it is smaller with them; from a log by doubly robust outcomes of all models.
    pub gain: f64,
    /// The standard error of that.
    pub std_error: f64,
    /// What choices are worth with them over those without, in quality points.
    pub worth: f64,
}

/// Slopes, and predictions with them.
pub(crate) struct Sloped {
    pub(crate) value: CalibrationValue,
    /// Of each model, by all folds.
    pub(crate) slopes: Vec<f64>,
    /// Out-of-fold predictions less the fold's means by the slopes of the other folds, shape
    /// `(n_rows, n_models)`.
    pub(crate) deviations: Vec<f32>,
}

/// Sums over some rows of one model: squares and products of prediction and outcome.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    n: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl CalibrationValue {
    /// Whether each model has a slope of its own.
    pub fn is_kept(&self) -> bool {
        0.0 < self.gain - self.std_error && 0.0 <= self.worth
    }
}

impl Judged<'_> {
    /// Slopes of each model for these out-of-fold predictions less the fold's means.
    pub(crate) fn sloped(&self, deviations: &[f32]) -> Sloped {
        let n_models = self.yardstick.n_models();
        let of_folds = self.sums(deviations);
        let by_fold: Vec<Vec<f64>> =
            (0..of_folds.len()).map(|fold| slopes(&of_folds, Some(fold))).collect();
        let mut sloped = deviations.to_vec();
        for (row, &fold) in sloped.chunks_exact_mut(n_models).zip(self.folds) {
            multiply(row, &by_fold[fold]);
        }
        let before = self.squared_errors(deviations);
        let (gain, std_error) =
            mean_and_error(&differences(&before, &self.squared_errors(&sloped)));
        let worth = differences(&self.gains(&sloped), &self.gains(deviations));
        let value = CalibrationValue {
            squared_error: self.squared_error_seen(deviations),
            gain,
            std_error,
            worth: mean_and_error(&worth).0,
        };
        Sloped { value, slopes: slopes(&of_folds, None), deviations: sloped }
    }

    /// Each fold's sums, and in each fold every model's.
    fn sums(&self, deviations: &[f32]) -> Vec<Vec<Sums>> {
        let n_models = self.yardstick.n_models();
        let mut all = vec![vec![Sums::default(); n_models]; self.means.len()];
        for (index, (row, &fold)) in deviations.chunks_exact(n_models).zip(self.folds).enumerate() {
            for (model, (sums, &x)) in all[fold].iter_mut().zip(row).enumerate() {
                sums.push(f64::from(x), self.deviation(index, model));
            }
        }
        all
    }

    /// The mean squared error of predicted quality, by outcomes that were seen: doubly robust ones would
    /// add how much propensities make them vary.
    fn squared_error_seen(&self, deviations: &[f32]) -> f64 {
        let n_models = self.yardstick.n_models();
        let of_row = |(index, row): (usize, &[f32])| {
            let means = &self.means[self.folds[index]];
            let error = |(model, &x): (usize, &f32)| {
                let (quality, weight) = self.yardstick.seen(index, model)?;
                Some(weight * (quality - means[model] - f64::from(x)).powi(2))
            };
            row.iter().enumerate().filter_map(error).sum::<f64>() / len_as_float(n_models)
        };
        let of_rows: Vec<f64> = deviations.chunks_exact(n_models).enumerate().map(of_row).collect();
        mean_and_error(&of_rows).0
    }

    /// Each row's squared error of predicted quality, a mean over models; of a log, of doubly robust
    /// outcomes, which are as good for differences.
    fn squared_errors(&self, deviations: &[f32]) -> Vec<f64> {
        let n_models = self.yardstick.n_models();
        let of_row = |(index, row): (usize, &[f32])| {
            let error =
                |(model, &x): (usize, &f32)| (self.deviation(index, model) - f64::from(x)).powi(2);
            row.iter().enumerate().map(error).sum::<f64>() / len_as_float(n_models)
        };
        deviations.chunks_exact(n_models).enumerate().map(of_row).collect()
    }

    /// An outcome less its model's mean on the rows of other folds.
    fn deviation(&self, index: usize, model: usize) -> f64 {
        self.yardstick.outcome(index, model).0 - self.means[self.folds[index]][model]
    }
}

/// Multiplies each model's entry of a row by its slope; what stands behind them is left as it is.
pub(crate) fn multiply(row: &mut [f32], slopes: &[f64]) {
    for (value, slope) in row.iter_mut().zip(slopes) {
        *value *= narrow(*slope);
    }
}

fn differences(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(l, r)| l - r).collect()
}

/// Each model's slope by all folds but one, drawn towards one.
fn slopes(of_folds: &[Vec<Sums>], left_out: Option<usize>) -> Vec<f64> {
    let n_models = of_folds.first().map_or(0, Vec::len);
    let mut totals = vec![Sums::default(); n_models];
    for (fold, sums) in of_folds.iter().enumerate() {
        if left_out != Some(fold) {
            for (total, sums) in totals.iter_mut().zip(sums) {
                total.add(sums);
            }
        }
    }
    let found: Vec<Option<(f64, f64)>> = totals.iter().map(Sums::slope).collect();
    let known = || found.iter().flatten();
    let excess: f64 = known().map(|(slope, noise)| (slope - 1.0).powi(2) - noise).sum();
    let spread = (excess / len_as_float(known().count().max(1))).max(0.0);
    let drawn = |found: &Option<(f64, f64)>| match *found {
        Some((slope, noise)) if 0.0 < spread => {
            (1.0 + (slope - 1.0) * spread / (spread + noise)).max(0.0)
        }
        Some(_) | None => 1.0,
    };
    found.iter().map(drawn).collect()
}

impl Sums {
    fn push(&mut self, x: f64, y: f64) {
        self.add(&Self { n: 1.0, xx: x * x, xy: x * y, yy: y * y });
    }

    fn add(&mut self, other: &Self) {
        let Self { n, xx, xy, yy } = other;
        self.n += n;
        self.xx += xx;
        self.xy += xy;
        self.yy += yy;
    }

    /// The least-squares slope through the origin and its squared standard error; `None` where
    /// nothing varies.
    fn slope(&self) -> Option<(f64, f64)> {
        let Self { n, xx, xy, yy } = *self;
        if n < 3.0 || xx <= 1e-9 {
            return None;
        }
        let slope = xy / xx;
        let left = (yy - slope * xy).max(0.0);
        Some((slope, left / (n - 1.0) / xx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        outcomes::{LoggedOutcome, Outcomes},
        select::Yardstick,
    };
    use pointsman_core::units::Propensity;
    use pointsman_testkit::{Draws, Stream};

    const N_ROWS: u64 = 2000;
    const N_MODELS: usize = 6;

    /// What slopes are found where outcomes follow predictions by `truth`, with noise.
    fn found(truth: [f64; N_MODELS]) -> Sloped {
        let (mut linear, mut quality) = (Vec::new(), Vec::new());
        for index in 0..N_ROWS {
            let mut draws = Draws::keyed(3, Stream::Outcome, &[index]);
            for slope in truth {
                let x = 0.3 * draws.uniform() - 0.15;
                let noise = 0.2 * draws.uniform() - 0.1;
                linear.push(narrow(x));
                quality.push(narrow(0.5 + slope * x + noise));
            }
        }
        sloped(&Outcomes::full(N_MODELS, quality, None, None).unwrap(), &linear)
    }

    fn sloped(outcomes: &Outcomes, linear: &[f32]) -> Sloped {
        let rows: Vec<u32> = (0..2000).collect();
        let folds: Vec<usize> = (0..2000).map(|row| row % 4).collect();
        let means = vec![vec![0.5; N_MODELS]; 4];
        let of_models = (vec![0.5; N_MODELS], vec![0.0; N_MODELS]);
        let yardstick = Yardstick::new(outcomes, &rows, of_models);
        let cost = |_: usize, out: &mut [f64]| out.fill(0.0);
        let judged =
            Judged { yardstick: &yardstick, folds: &folds, means: &means, linear, cost: &cost };
        judged.sloped(linear)
    }

    /// How rarely a model is drawn is no error of what is predicted of it.
    #[test]
    fn a_log_has_the_squared_error_of_its_outcomes() {
        let (mut linear, mut logged) = (Vec::new(), Vec::new());
        for (index, taken) in (0..N_ROWS).zip((0..6_u16).cycle()) {
            let mut draws = Draws::keyed(4, Stream::Outcome, &[index]);
            let predicted: [f64; N_MODELS] = std::array::from_fn(|_| 0.3 * draws.uniform() - 0.15);
            let noise = 0.2 * draws.uniform() - 0.1;
            linear.extend(predicted.map(narrow));
            logged.push(LoggedOutcome {
                taken,
                propensity: Propensity::new(1.0 / 6.0).unwrap(),
                quality: narrow(0.5 + predicted[usize::from(taken)] + noise),
                cost_usd: None,
                output_tokens: None,
            });
        }
        let outcomes = Outcomes::logged(N_MODELS, &logged).unwrap();
        let found = sloped(&outcomes, &linear).value.squared_error;
        assert!((found - 0.04 / 12.0).abs() < 4e-4, "{found}");
    }

    #[test]
    fn models_that_are_too_steep_or_too_flat_get_slopes_of_their_own() {
        let truth = [0.4, 1.0, 1.6, 1.2, 0.8, 1.0];
        let Sloped { value, slopes, deviations: _ } = found(truth);
        for (found, truth) in slopes.iter().zip(truth) {
            assert!((found - truth).abs() < 0.1, "{found} for {truth}");
        }
        assert!(value.is_kept() && 0.0 < value.worth, "{value:?}");
        assert!(value.gain < value.squared_error, "{value:?}");
    }

    #[test]
    fn models_that_are_to_scale_are_left_as_they_are() {
        let Sloped { slopes, .. } = found([1.0; N_MODELS]);
        for slope in slopes {
            assert!((slope - 1.0).abs() < 0.06, "{slope}");
        }
    }

    #[test]
    fn what_is_noise_is_drawn_to_one() {
        let noisy = |xy: f64| Sums { n: 10.0, xx: 0.1, xy, yy: 100.0 };
        assert_eq!(slopes(&[vec![noisy(0.3), noisy(-0.1)]], None), [1.0, 1.0]);
        assert_eq!(slopes(&[vec![Sums::default(); 2]], None), [1.0, 1.0]);
        let sure = |xy: f64| Sums { n: 1e6, xx: 1e4, xy, yy: 1e4 };
        let found = slopes(&[vec![sure(5e3), sure(15e3)], vec![noisy(3e3); 2]], Some(1));
        assert!((found[0] - 0.5).abs() < 0.01 && (found[1] - 1.5).abs() < 0.01, "{found:?}");
    }
}
