//! Output tokens and costs: a level per model, and one length of the request's answers that all
//! models share.
//!
//! The level is such that predictions have the right mean: an unbiased logarithm would understate
//! every bill (Duan, "Smearing Estimate", JASA 78, 1983).

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
    /// where a model has no value at all.
    pub(crate) fn lines(&self, values: &[f64], n_models: usize) -> Option<Vec<LogLine>> {
        let slope = self.common_slope(values, n_models);
        let line = |model: usize| {
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
            let (least, most) =
                (level * libm::exp(slope * self.lowest), level * libm::exp(slope * self.highest));
            Some(LogLine { intercept: libm::log(level), slope, least, most })
        };
        (0..n_models).map(line).collect()
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
        let lines = length.lines(&values, 2).unwrap();
        for (model, line) in lines.iter().enumerate() {
            assert!((line.slope - std::f64::consts::LN_2).abs() < 1e-9);
            let predicted: f64 =
                length.values.iter().map(|l| (line.intercept + line.slope * l).exp()).sum();
            let seen: f64 = values.iter().skip(model).step_by(2).sum();
            assert!((predicted / seen - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn what_does_not_vary_has_no_length() {
        assert_eq!(length_target(&[0.1, 0.2, 0.1, 0.2], 2), None);
        assert!(length_target(&[0.1, 0.2, 0.3, 0.2], 2).is_some());
    }
}
