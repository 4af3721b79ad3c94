//! What a gambler who doubts a mean would have won: the engine of every betting bound.
//!
//! A variable `z` is known to be at least `-k`. If its mean is `m` (or less), the stake
//!
//! ```text
//! Π (1 + λ (z + k)) / (1 + λ (m + k)),    λ > 0 fixed beforehand
//! ```
//!
//! is worth one on average (or less), after any number of rows, and so is every average of such
//! stakes over fixed `λ` and over several variables with the same mean. By Ville's inequality it
//! exceeds `1 / δ` ever with a chance of `δ` at most: each `m` where it does is refuted. Numerator
//! and denominator part, so one pass over the rows serves all `m`, and passes over partitions add.
//! No bound on `z` from above is needed, and the order of rows makes no difference. Weakness: the
//! average spends some of `δ` on rates that turn out too small or too large.
//!
//! Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting",
//! JRSSB 2024; Cover, "Universal portfolios", 1991, for the mixture.

use std::f64::consts::LN_2;

use crate::moments::float_of;

/// A product is turned into a logarithm before it grows past this.
const FLUSH_ABOVE: f64 = 1e150;

/// Rates to bet at, with the share of the purse that each gets, as logarithms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rates {
    rates: Vec<f64>,
    log_shares: Vec<f64>,
}

/// The best rate for a variable of variance `v` is near `√(2 ln(1/δ) / (n v))`. The grid holds
/// this for standard deviations from 1/256 to 32 in factors of two.
const SMALLEST_POWER: i32 = -5;
const LARGEST_POWER: i32 = 8;
/// A power of two further from the middle gets this much less of the purse, as a logarithm.
const SHARE_DECAY: f64 = 0.3;
/// The middle of the grid: standard deviations of one half, as of grades with moderate weights.
const MIDDLE_POWER: i32 = 1;

impl Rates {
    /// For a bound that is computed once, on `n_rows` rows, at error rate `miss`.
    pub(crate) fn for_rows(n_rows: usize, miss: f64) -> Self {
        let base = (-2.0 * libm::log(miss) / float_of(n_rows.max(1))).sqrt();
        Self::around(base, SMALLEST_POWER..=LARGEST_POWER, |power| {
            -SHARE_DECAY * f64::from((power - MIDDLE_POWER).abs())
        })
    }

    /// For a bound that is watched while the log grows: rates for every length of log, each
    /// fixed now, their shares falling with the square of their place.
    pub(crate) fn for_ever() -> Self {
        Self::around(1.0, -16..=8, |power| {
            -2.0 * libm::log(f64::from((power + 1).abs()) / 2.0 + 3.0)
        })
    }

    fn around(
        base: f64,
        powers: std::ops::RangeInclusive<i32>,
        log_share: impl Fn(i32) -> f64,
    ) -> Self {
        let log_shares: Vec<f64> = powers.clone().map(&log_share).collect();
        let total = log_sum_exp(log_shares.iter().copied());
        Self {
            rates: powers.map(|power| base * libm::exp(LN_2 * f64::from(power))).collect(),
            log_shares: log_shares.into_iter().map(|it| it - total).collect(),
        }
    }
}

/// The sums that one variable leaves behind; they merge over partitions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wealth {
    rates: Rates,
    /// `k`: the variable is never below `-k`.
    depth: f64,
    /// `Σ ln(1 + λ (z + k))`, one for each rate.
    log_growth: Vec<f64>,
    n_rows: usize,
}

impl Wealth {
    pub(crate) fn new(rates: Rates, depth: f64) -> Self {
        let log_growth = vec![0.0; rates.rates.len()];
        Self { rates, depth, log_growth, n_rows: 0 }
    }

    /// Adds rows. Rounding below `-k` counts as `-k`.
    pub(crate) fn push(&mut self, values: impl Iterator<Item = f64>) {
        let mut products = vec![1.0; self.log_growth.len()];
        // Rates ascend, so the last product is the largest, and the last factor.
        let largest_rate = self.rates.rates.last().copied().unwrap_or(0.0);
        for value in values {
            let excess = (value + self.depth).max(0.0);
            self.n_rows += 1;
            if FLUSH_ABOVE < largest_rate * excess {
                for (growth, &rate) in self.log_growth.iter_mut().zip(&self.rates.rates) {
                    *growth += libm::log1p(rate * excess);
                }
                continue;
            }
            for (product, &rate) in products.iter_mut().zip(&self.rates.rates) {
                *product *= 1.0 + rate * excess;
            }
            if products.last().is_some_and(|&largest| FLUSH_ABOVE < largest) {
                self.flush(&mut products);
            }
        }
        self.flush(&mut products);
    }

    fn flush(&mut self, products: &mut [f64]) {
        for (growth, product) in self.log_growth.iter_mut().zip(products) {
            *growth += libm::log(*product);
            *product = 1.0;
        }
    }

    /// Adds the rows that `other` has seen; both must have the same rates and depth.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.n_rows += other.n_rows;
        for (ours, theirs) in self.log_growth.iter_mut().zip(&other.log_growth) {
            *ours += theirs;
        }
    }

    /// The logarithms of what each rate has won against the mean `m`, shares included.
    fn log_winnings(&self, mean: f64) -> impl Iterator<Item = f64> + Clone {
        let n_rows = float_of(self.n_rows);
        let Rates { rates, log_shares } = &self.rates;
        rates.iter().zip(log_shares).zip(&self.log_growth).map(move |((rate, share), growth)| {
            share + growth - n_rows * libm::log1p(rate * (mean + self.depth).max(0.0))
        })
    }
}

/// Where the lower bound of the common mean of several variables lies between `low` and `high`.
///
/// The purse is divided evenly among the variables. Returns the largest mean known to be refuted,
/// and `low` where none is.
pub(crate) fn lower_end(wealths: &[Wealth], miss: f64, low: f64, high: f64) -> f64 {
    const N_STEPS: u32 = 100;
    let threshold = libm::log(float_of(wealths.len().max(1))) - libm::log(miss);
    let excess = |mean: f64| {
        log_sum_exp(wealths.iter().flat_map(|wealth| wealth.log_winnings(mean))) - threshold
    };
    // Refuted means have an excess from zero up, and lie below those that are kept.
    let (mut refuted, mut above) = (low, excess(low));
    if above < 0.0 {
        return low;
    }
    let (mut kept, mut below) = (high, excess(high));
    if 0.0 <= below {
        return high;
    }
    for _ in 0..N_STEPS {
        let gap = kept - refuted;
        if gap <= 1e-10 * (high - low) {
            break;
        }
        let share = (above / (above - below)).clamp(0.01, 0.99);
        let middle = refuted + share * gap;
        let found = excess(middle);
        // The Illinois rule: an end that stays twice counts half.
        if 0.0 <= found {
            (refuted, above) = (middle, found);
            below *= 0.5;
        } else {
            (kept, below) = (middle, found);
            above *= 0.5;
        }
    }
    refuted
}

/// Bisects for the end of what is refuted, which reaches from `low` up; `low` if nothing is.
pub(crate) fn last_refuted(is_refuted: impl Fn(f64) -> bool, low: f64, high: f64) -> f64 {
    const N_STEPS: u32 = 60;
    if !is_refuted(low) {
        return low;
    }
    if is_refuted(high) {
        return high;
    }
    let (mut refuted, mut kept) = (low, high);
    for _ in 0..N_STEPS {
        let middle = refuted + (kept - refuted) / 2.0;
        if is_refuted(middle) {
            refuted = middle;
        } else {
            kept = middle;
        }
    }
    refuted
}

/// `ln Σ eˣ` without overflow.
fn log_sum_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + libm::log(logs.map(|log| libm::exp(log - largest)).sum())
}
