//! Output tokens and costs: a level per model, and one length of the request's answers that all
//! models share, to which each may respond more or less strongly than the others. A model's own
//! slope is drawn towards the common one, and there are own slopes only where they foretell
//! held-out rows better. Weakness: a model that is terse where the others ramble gets a small or a
//! negative slope, not a length of its own.
//!
//! The level is such that predictions have the right mean: an unbiased logarithm would understate
//! every bill (Duan, "Smearing Estimate", JASA 78, 1983).

use crate::fold::N_FOLDS;
use pointsman_core::{scorer::LogLine, units::len_as_float};

/// The share of rows beyond which the length column is cut, at either end.
const TAIL: f64 = 0.005;

/// The mean over models of each row's standardised logarithm, shape `(n_rows,)`; `None` where
/// nothing varies. `values` has shape `(n_rows, n_models)`, NaN where not known.
pub(crate) fn length_target(values: &[f64], n_models: usize) -> Option<Vec<f32>> {
    let logs: Vec<f64> =
        values.iter().map(|&value| if 0.0 < value { libm::log(value) } else { f64::NAN }).collect();
    let mut scaling = Vec::with_capacity(n_models);
    for model in 0..n_models {
        let column = || logs.iter().skip(model).step_by(n_models).copied().filter(|v| !v.is_nan());
        let n = len_as_float(column().count().max(1));
        let mean = column().sum::<f64>() / n;
        let deviation = (column().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        scaling.push((mean, deviation));
    }
    let is_usable = |deviation: f64| 1e-6 < deviation;
    if !scaling.iter().any(|&(_, deviation)| is_usable(deviation)) {
        return None;
    }
    let row_mean = |row: &[f64]| {
        let (mut total, mut n) = (0.0, 0_usize);
        for (value, &(mean, deviation)) in row.iter().zip(&scaling) {
            if !value.is_nan() && is_usable(deviation) {
                total += (value - mean) / deviation;
                n += 1;
            }
        }
        crate::outcomes::narrow(if n == 0 { 0.0 } else { total / len_as_float(n) })
    };
    Some(logs.chunks_exact(n_models).map(row_mean).collect())
}

/// The length column on held-out rows: centred and cut at its tails.
#[derive(Debug, Clone)]
pub(crate) struct Length {
    /// Shape `(n_rows,)`.
    pub(crate) values: Vec<f64>,
    /// What was taken off to centre it.
    pub(crate) centre: f64,
    lowest: f64,
    highest: f64,
}

/// Lines, and what slopes of their own are worth.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lines {
    /// One per model.
    pub(crate) lines: Vec<LogLine>,
    /// Where rows were held out and the length says something.
    pub(crate) value: Option<SlopeValue>,
}

/// How well lengths foretell the logarithms of a quantity on held-out rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlopeValue {
    /// The mean squared error of the logarithm where all models share a slope.
    pub common: f64,
    /// The same where each has its own, drawn towards the common one.
    pub own: f64,
}

/// Sums over some rows of one model: of the length, the logarithm of a quantity, and products.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Length {
    /// From predictions of rows that the fits had not seen.
    pub(crate) fn new(held_out: &[f64]) -> Self {
        let centre = held_out.iter().sum::<f64>() / len_as_float(held_out.len().max(1));
        let mut sorted: Vec<f64> = held_out.iter().map(|value| value - centre).collect();
        sorted.sort_by(f64::total_cmp);
        let n_cut = cut(sorted.len());
        let lowest = sorted.get(n_cut).copied().unwrap_or(0.0);
        let highest = sorted.iter().rev().nth(n_cut).copied().unwrap_or(0.0);
        let values = held_out.iter().map(|value| (value - centre).clamp(lowest, highest)).collect();
        Self { values, centre, lowest, highest }
    }

    /// A column that says nothing.
    pub(crate) fn none(n_rows: usize) -> Self {
        Self { values: vec![0.0; n_rows], centre: 0.0, lowest: 0.0, highest: 0.0 }
    }

    /// One line per model for `values`, shape `(n_rows, n_models)`, NaN where not known; `None`
    /// where a model has no value at all. Each model has a slope of its own where that foretells
    /// held-out rows better than one for all; `folds` says which rows are held out together.
    pub(crate) fn lines(
        &self,
        values: &[f64],
        n_models: usize,
        folds: Option<&[usize]>,
    ) -> Option<Lines> {
        let common = self.common_slope(values, n_models);
        let (mut slopes, mut value) = (vec![common; n_models], None);
        if let Some(folds) = folds.filter(|_| self.lowest < self.highest) {
            let of_folds = self.moments(values, n_models, folds);
            let found = slope_value(&of_folds);
            if found.is_kept() {
                slopes = own_slopes(&all_but(&of_folds, None), common);
            }
            value = Some(found);
        }
        let line = |model: usize| {
            let slope = slopes[model];
            let (mut total, mut growth, mut n) = (0.0, 0.0, 0_usize);
            for (row, length) in values.chunks_exact(n_models).zip(&self.values) {
                if row[model].is_finite() {
                    total += row[model];
                    growth += libm::exp(slope * length);
                    n += 1;
                }
            }
            if n == 0 {
                return None;
            }
            let level = total / growth;
            if level <= 0.0 {
                return Some(LogLine { intercept: 0.0, slope: 0.0, least: 0.0, most: 0.0 });
            }
            let ends = [self.lowest, self.highest].map(|end| level * libm::exp(slope * end));
            let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
            Some(LogLine { intercept: libm::log(level), slope, least, most })
        };
        let lines = (0..n_models).map(line).collect::<Option<_>>()?;
        Some(Lines { lines, value })
    }

    /// Each fold's sums, and in each fold every model's.
    fn moments(&self, values: &[f64], n_models: usize, folds: &[usize]) -> Vec<Vec<Moments>> {
        let mut all = vec![vec![Moments::default(); n_models]; N_FOLDS];
        let rows = values.chunks_exact(n_models).zip(&self.values).zip(folds);
        for ((row, &length), &fold) in rows {
            for (sums, &value) in all[fold].iter_mut().zip(row) {
                if 0.0 < value {
                    sums.push(length, libm::log(value));
                }
            }
        }
        all
    }

    /// The mean over models of the least-squares slope of the logarithm on the length, each at
    /// least zero.
    fn common_slope(&self, values: &[f64], n_models: usize) -> f64 {
        let spread: f64 = self.values.iter().map(|value| value * value).sum();
        if spread <= 1e-12 {
            return 0.0;
        }
        let slope = |model: usize| {
            let (mut xy, mut xx, mut x, mut y, mut n) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (row, &length) in values.chunks_exact(n_models).zip(&self.values) {
                if 0.0 < row[model] {
                    let log = libm::log(row[model]);
                    xy += length * log;
                    xx += length * length;
                    x += length;
                    y += log;
                    n += 1.0;
                }
            }
            let variance = xx - x * x / f64::max(n, 1.0);
            if variance <= 1e-12 { 0.0 } else { ((xy - x * y / n) / variance).max(0.0) }
        };
        (0..n_models).map(slope).sum::<f64>() / len_as_float(n_models)
    }
}

/// Every model's sums over all folds but one.
fn all_but(of_folds: &[Vec<Moments>], left_out: Option<usize>) -> Vec<Moments> {
    let n_models = of_folds.first().map_or(0, Vec::len);
    let mut totals = vec![Moments::default(); n_models];
    for (fold, sums) in of_folds.iter().enumerate() {
        if left_out != Some(fold) {
            for (total, sums) in totals.iter_mut().zip(sums) {
                total.add(sums);
            }
        }
    }
    totals
}

/// What slopes are worth on the folds that they were not learned from.
fn slope_value(of_folds: &[Vec<Moments>]) -> SlopeValue {
    let (mut errors, mut n) = ([0.0; 2], 0.0);
    for (fold, held_out) in of_folds.iter().enumerate() {
        let seen = all_but(of_folds, Some(fold));
        let common = mean_slope(&seen);
        let own = own_slopes(&seen, common);
        for ((held_out, seen), own) in held_out.iter().zip(&seen).zip(own) {
            if 0.0 < seen.n {
                errors[0] += held_out.squared_error(seen, common);
                errors[1] += held_out.squared_error(seen, own);
                n += held_out.n;
            }
        }
    }
    let [common, own] = errors.map(|error| error / f64::max(n, 1.0));
    SlopeValue { common, own }
}

/// The mean over models of their slopes, each at least zero.
fn mean_slope(models: &[Moments]) -> f64 {
    let slope = |model: &Moments| model.slope().map_or(0.0, |(slope, _)| slope.max(0.0));
    models.iter().map(slope).sum::<f64>() / len_as_float(models.len().max(1))
}

/// Each model's slope, drawn towards the common one by as much as its own is uncertain: deviations
/// are taken to be normal, with the variance that is left of theirs once noise is taken off.
///
/// Source: Morris, "Parametric Empirical Bayes Inference", JASA 78 (1983).
fn own_slopes(models: &[Moments], common: f64) -> Vec<f64> {
    let found: Vec<Option<(f64, f64)>> = models.iter().map(Moments::slope).collect();
    let known = || found.iter().flatten();
    let excess: f64 = known().map(|(slope, noise)| (slope - common).powi(2) - noise).sum();
    let spread = (excess / len_as_float(known().count().max(1))).max(0.0);
    let shrunk = |found: &Option<(f64, f64)>| match *found {
        Some((slope, noise)) if 0.0 < spread => {
            common + (slope - common) * spread / (spread + noise)
        }
        Some(_) | None => common,
    };
    found.iter().map(shrunk).collect()
}

impl Moments {
    fn push(&mut self, length: f64, log: f64) {
        self.n += 1.0;
        self.x += length;
        self.y += log;
        self.xx += length * length;
        self.xy += length * log;
        self.yy += log * log;
    }

    fn add(&mut self, other: &Self) {
        let Self { n, x, y, xx, xy, yy } = other;
        self.n += n;
        self.x += x;
        self.y += y;
        self.xx += xx;
        self.xy += xy;
        self.yy += yy;
    }

    /// The least-squares slope and its squared standard error; `None` where nothing varies.
    fn slope(&self) -> Option<(f64, f64)> {
        let Self { n, x, y, xx, xy, yy } = *self;
        if n < 3.0 {
            return None;
        }
        let variance = xx - x * x / n;
        if variance <= 1e-12 {
            return None;
        }
        let slope = (xy - x * y / n) / variance;
        let left = (yy - y * y / n - slope * slope * variance).max(0.0);
        Some((slope, left / (n - 2.0) / variance))
    }

    /// The sum of squared errors of the line with this slope through the mean of what was seen.
    fn squared_error(&self, seen: &Self, slope: f64) -> f64 {
        let Self { n, x, y, xx, xy, yy } = *self;
        let intercept = (seen.y - slope * seen.x) / seen.n;
        let cross = yy - 2.0 * intercept * y - 2.0 * slope * xy;
        cross + n * intercept * intercept + 2.0 * intercept * slope * x + slope * slope * xx
    }
}

impl SlopeValue {
    /// Whether each model has a slope of its own.
    pub fn is_kept(&self) -> bool {
        self.own < self.common
    }

    /// The error of what is kept.
    pub(crate) fn least(&self) -> f64 {
        self.common.min(self.own)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a small share of a length"
)]
fn cut(n: usize) -> usize {
    (TAIL * len_as_float(n)).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Costs that double with each unit of length, for two models ten times apart.
    #[test]
    fn lines_recover_an_exponential_and_keep_the_mean() {
        let lengths: Vec<f64> = (0..400).map(|i| f64::from(i % 9) / 4.0 - 1.0).collect();
        let values: Vec<f64> = lengths
            .iter()
            .flat_map(|l| [0.01 * (2.0_f64).powf(*l), 0.1 * (2.0_f64).powf(*l)])
            .collect();
        let length = Length::new(&lengths);
        let lines = length.lines(&values, 2, None).unwrap();
        assert_eq!(lines.value, None);
        for (model, line) in lines.lines.iter().enumerate() {
            assert!((line.slope - std::f64::consts::LN_2).abs() < 1e-9);
            let predicted: f64 =
                length.values.iter().map(|l| (line.intercept + line.slope * l).exp()).sum();
            let seen: f64 = values.iter().skip(model).step_by(2).sum();
            assert!((predicted / seen - 1.0).abs() < 1e-9);
        }
    }

    /// Logarithms of some quantity, each model's slope on the length and some noise.
    fn noisy(slopes: &[f64], noise: f64) -> (Length, Vec<f64>, Vec<usize>) {
        let lengths: Vec<f64> = (0..800).map(|i| f64::from(i * 7 % 31) / 15.0 - 1.0).collect();
        let (mut values, mut seed) = (Vec::new(), 1_u64);
        for length in &lengths {
            for slope in slopes {
                // A linear congruence: uniform enough for noise.
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let uniform = f64::from(u32::try_from(seed >> 40).unwrap()) / 16_777_216.0;
                values.push((slope * length + noise * (uniform - 0.5)).exp());
            }
        }
        let folds = (0..lengths.len()).map(|row| row / 5 % N_FOLDS).collect();
        (Length::new(&lengths), values, folds)
    }

    #[test]
    fn models_that_respond_otherwise_have_slopes_of_their_own() {
        let slopes = [1.5, 0.2, -0.8];
        let (length, values, folds) = noisy(&slopes, 0.5);
        let lines = length.lines(&values, 3, Some(&folds)).unwrap();
        assert!(lines.value.unwrap().is_kept(), "{lines:?}");
        for (line, slope) in lines.lines.iter().zip(slopes) {
            assert!((line.slope - slope).abs() < 0.05, "{line:?}");
            assert!(line.least < line.most, "{line:?}");
        }
    }

    #[test]
    fn slopes_that_differ_by_noise_alone_are_drawn_together() {
        let (length, values, folds) = noisy(&[0.7; 6], 4.0);
        let lines = length.lines(&values, 6, Some(&folds)).unwrap();
        let own: Vec<f64> = lines.lines.iter().map(|line| line.slope).collect();
        let apart = own_slopes_unshrunk(&length, &values, &folds);
        let spread = |slopes: &[f64]| -> f64 {
            let mean = slopes.iter().sum::<f64>() / 6.0;
            slopes.iter().map(|slope| (slope - mean).powi(2)).sum()
        };
        assert!(spread(&own) < 0.5 * spread(&apart), "{own:?} {apart:?}");
    }

    fn own_slopes_unshrunk(length: &Length, values: &[f64], folds: &[usize]) -> Vec<f64> {
        let sums = all_but(&length.moments(values, 6, folds), None);
        sums.iter().map(|sums| sums.slope().unwrap().0).collect()
    }

    #[test]
    fn the_error_of_a_line_is_that_of_its_points() {
        let (points, mut sums) = ([(0.5, 1.0), (-1.0, 0.3), (2.0, 2.5)], Moments::default());
        for (x, y) in points {
            sums.push(x, y);
        }
        let (slope, _) = sums.slope().unwrap();
        let intercept = (sums.y - slope * sums.x) / 3.0;
        let by_hand: f64 = points.iter().map(|(x, y)| (y - intercept - slope * x).powi(2)).sum();
        assert!((sums.squared_error(&sums, slope) - by_hand).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_vary_has_no_length() {
        assert_eq!(length_target(&[0.1, 0.2, 0.1, 0.2], 2), None);
        assert!(length_target(&[0.1, 0.2, 0.3, 0.2], 2).is_some());
    }
}
