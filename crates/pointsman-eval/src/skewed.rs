//! Student's t for a mean or a ratio of means, its quantiles moved for skewness.
//!
//! Weighted outcomes are skewed: a few heavy rows carry the sum, and the symmetric interval ends
//! too early on the side of the tail. Here a candidate `θ` is held against the rows `a - θ b`
//! themselves, whose mean is zero if it is true, with their own variance and third moment, so
//! that the ratio is not linearised either. Weakness: a tail that left no row in the sample is in
//! no moment; [`crate::choice`] looks for the signs of one.
//!
//! Source: Hall, "On the removal of skewness by transformation", JRSSB 1992; Fieller, "Some
//! problems in interval estimation", JRSSB 1954; Abramowitz & Stegun 26.7.5 for the quantiles.

use crate::{
    bounds::Side,
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
    moments::float_of,
    normal,
};

/// Means and central moments of pairs of a numerator and a denominator, up to the third.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkewedRatio {
    n_rows: f64,
    mean: [f64; 2],
    /// Of `a a`, `a b`, `b b`.
    second: [f64; 3],
    /// Of `a a a`, `a a b`, `a b b`, `b b b`.
    third: [f64; 4],
}

impl SkewedRatio {
    /// Sums pairs of equal length; `None` for fewer than two rows, for denominators that do not
    /// sum to more than zero, for rows without any spread, and for numbers that overflow.
    pub fn of(numerators: &[f64], denominators: &[f64]) -> Option<Self> {
        let n_rows = float_of(numerators.len());
        let mut mean = [0.0; 2];
        for (a, b) in numerators.iter().zip(denominators) {
            mean[0] += a;
            mean[1] += b;
        }
        mean = mean.map(|sum| sum / n_rows);
        let (mut second, mut third) = ([0.0; 3], [0.0; 4]);
        for (a, b) in numerators.iter().zip(denominators) {
            let (a, b) = (a - mean[0], b - mean[1]);
            let (aa, ab, bb) = (a * a, a * b, b * b);
            for (sum, product) in second.iter_mut().zip([aa, ab, bb]) {
                *sum += product;
            }
            for (sum, product) in third.iter_mut().zip([aa * a, aa * b, a * bb, bb * b]) {
                *sum += product;
            }
        }
        let (second, third) = (second.map(|it| it / n_rows), third.map(|it| it / n_rows));
        let found = Self { n_rows, mean, second, third };
        let usable = numerators.len() >= 2
            && numerators.len() == denominators.len()
            && 0.0 < mean[1]
            && third.iter().all(|it| it.is_finite())
            && found.variance(found.value()) > 0.0;
        usable.then_some(found)
    }

    /// The ratio of the means.
    pub fn value(&self) -> f64 {
        self.mean[0] / self.mean[1]
    }

    /// The standard error of the ratio by the delta method.
    pub fn std_error(&self) -> f64 {
        (self.variance(self.value()) / (self.n_rows - 1.0)).sqrt() / self.mean[1]
    }

    /// The third moment of the rows' influence over its spread cubed.
    pub fn skewness(&self) -> f64 {
        self.skewness_at(self.value())
    }

    /// The end of a one-sided interval that misses with chance `miss`; `None` where there is no
    /// end, as when the denominator could as well be zero.
    pub fn end(&self, side: Side, miss: f64) -> Option<f64> {
        let reach = self.quantile(miss);
        let (value, step) = (self.value(), self.std_error() * reach.max(1.0));
        let sign = match side {
            Side::Lower => -1.0,
            Side::Upper => 1.0,
        };
        let is_out = |distance: f64| -sign * self.transformed(value + sign * distance) > reach;
        let mut out = step;
        for _ in 0..40 {
            if is_out(out) {
                let end = value + sign * bisect(is_out, out);
                return end.is_finite().then_some(end);
            }
            out *= 1.5;
        }
        None
    }

    /// The two-sided interval; `None` where an end is missing.
    pub fn interval(&self, level: ConfidenceLevel) -> Option<Interval> {
        let miss = level.miss() / 2.0;
        Some(Interval {
            lower: self.end(Side::Lower, miss)?,
            upper: self.end(Side::Upper, miss)?,
            level,
            method: IntervalMethod::SkewedT,
            kind: IntervalKind::Asymptotic,
        })
    }

    /// Student's quantile with `n - 1` degrees of freedom for a miss on one side.
    fn quantile(&self, miss: f64) -> f64 {
        let z = normal::two_sided_z((2.0 * miss).min(1.0));
        let (cube, freedom) = (z * z * z, self.n_rows - 1.0);
        let fifth = cube * z * z;
        z + (cube + z) / (4.0 * freedom)
            + (5.0 * fifth + 16.0 * cube + 3.0 * z) / (96.0 * freedom * freedom)
    }

    /// Hall's monotone transform of the t statistic of the rows `a - θ b`: nearly normal if `θ`
    /// is true.
    fn transformed(&self, theta: f64) -> f64 {
        let variance = self.variance(theta);
        let t = (self.mean[0] - theta * self.mean[1]) / (variance / (self.n_rows - 1.0)).sqrt();
        let tilt = self.skewness_at(theta) / self.n_rows.sqrt();
        t + tilt * (t * t / 3.0 + 1.0 / 6.0) + tilt * tilt * t * t * t / 27.0
    }

    fn variance(&self, theta: f64) -> f64 {
        let [aa, ab, bb] = self.second;
        aa - 2.0 * theta * ab + theta * theta * bb
    }

    fn skewness_at(&self, theta: f64) -> f64 {
        let [aaa, aab, abb, bbb] = self.third;
        let third =
            aaa - 3.0 * theta * aab + 3.0 * theta * theta * abb - theta * theta * theta * bbb;
        let variance = self.variance(theta);
        third / (variance * variance.sqrt())
    }
}

/// The distance at which `is_out` begins, between 0 and `out`, where it holds.
fn bisect(is_out: impl Fn(f64) -> bool, mut out: f64) -> f64 {
    let mut inside = 0.0;
    for _ in 0..60 {
        let middle = f64::midpoint(inside, out);
        if is_out(middle) {
            out = middle;
        } else {
            inside = middle;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symmetric rows around 2 leave nothing to correct: the ends are Student's.
    #[test]
    fn without_skewness_it_is_students_interval() {
        let rows: Vec<f64> = (0..41).map(|row| f64::from(row) / 10.0).collect();
        let found = SkewedRatio::of(&rows, &[1.0; 41]).unwrap();
        let interval = found.interval(ConfidenceLevel::P95).unwrap();
        // t with 40 degrees of freedom at 0.975 is 2.021 075.
        let reach = 2.021_075 * found.std_error();
        assert!((interval.lower - (2.0 - reach)).abs() < 1e-4, "{interval:?}");
        assert!((interval.upper - (2.0 + reach)).abs() < 1e-4, "{interval:?}");
        assert!(found.skewness().abs() < 1e-12);
    }

    #[test]
    fn the_tail_gets_the_longer_arm() {
        let rows: Vec<f64> = (0..100).map(|row| if row < 10 { 1.0 } else { 0.0 }).collect();
        let interval =
            SkewedRatio::of(&rows, &[1.0; 100]).unwrap().interval(ConfidenceLevel::P95).unwrap();
        assert!(interval.upper - 0.1 > 1.3 * (0.1 - interval.lower), "{interval:?}");
    }

    #[test]
    fn what_has_no_spread_has_no_interval() {
        assert_eq!(SkewedRatio::of(&[], &[]), None);
        assert_eq!(SkewedRatio::of(&[1.0], &[1.0]), None);
        assert_eq!(SkewedRatio::of(&[1.0; 5], &[1.0; 5]), None);
        assert_eq!(SkewedRatio::of(&[1.0, 0.0], &[0.0, 0.0]), None);
        assert_eq!(SkewedRatio::of(&[1e200, 0.0, 3.0], &[1.0; 3]), None);
    }
}
