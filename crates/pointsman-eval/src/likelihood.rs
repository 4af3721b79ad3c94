//! The empirical likelihood interval of a value or a difference.
//!
//! Among all distributions of weight and outcome whose weights average one, it keeps those under
//! which the rows are not too unlikely, and reports the least and the greatest value they have.
//! By duality a value `v` is refuted when the best fixed bets in hindsight on `w r - v` and `w - 1`
//! win too much; bets must survive every row there could be, so mass that the sample lacks lies
//! where it hurts most. It uses that weights average one better than self-normalising does.
//! Weakness: asymptotic, and slow next to the others.
//!
//! Source: Karampatziakis, Langford & Mineiro, "Empirical likelihood for contextual bandits",
//! `NeurIPS` 2020; Owen, *Empirical Likelihood*, 2001.

use crate::{
    bounds::{self, BoundError, Evidence, Rival, Side},
    interval::{ConfidenceLevel, Interval, IntervalKind, IntervalMethod},
    moments::float_of,
    normal,
};

/// The worst rows there could be count as this much of a row, so that bets stay within them.
const CORNER_SHARE: f64 = 1e-4;
const N_NEWTON_STEPS: u32 = 60;
const N_ROOT_STEPS: u32 = 60;

/// The interval between the values, or differences, whose profile is within the normal quantile.
///
/// # Errors
/// [`BoundError::NotStated`] without full support, [`BoundError::TooFew`] for fewer than two rows.
pub fn interval(evidence: &Evidence<'_>, level: ConfidenceLevel) -> Result<Interval, BoundError> {
    let (method, kind) = (IntervalMethod::EmpiricalLikelihood, IntervalKind::Asymptotic);
    let profile = Profile::of(evidence)?;
    let miss = level.miss() / 2.0;
    let (lower, upper) = (profile.end(Side::Lower, miss), profile.end(Side::Upper, miss));
    Ok(Interval { lower, upper, level, method, kind })
}

/// How likely the rows are under each value.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Pairs of what is bet on: the weight beyond its mean, and the variable. The corners come
    /// last.
    rows: Vec<[f64; 2]>,
    n_corners: usize,
    /// The scaled value under which the rows are likeliest.
    centre: f64,
    /// The profile there, from which the others are counted.
    floor: f64,
    /// About one standard error of the scaled value.
    spread: f64,
    /// The least and the greatest scaled value.
    extremes: (f64, f64),
    /// From scaled values to the unit of the outcome: what to add, and what to multiply by.
    unit: (f64, f64),
}

impl Profile {
    /// Sums the rows.
    ///
    /// # Errors
    /// As [`interval`].
    pub fn of(evidence: &Evidence<'_>) -> Result<Self, BoundError> {
        let method = IntervalMethod::EmpiricalLikelihood.name();
        let n_rows = evidence.n_rows();
        if n_rows < 2 {
            return Err(BoundError::TooFew { n_rows, needed: 2 });
        }
        let statement = "full support with a largest weight";
        let largest = evidence.largest_weight.ok_or(BoundError::NotStated { method, statement })?;
        let corners = bounds::corners(evidence, largest);
        let pair = |row| [bounds::control(evidence, row), bounds::variable(evidence, row)];
        let rows = (0..n_rows).map(pair).chain(corners.iter().copied()).collect();
        let (extremes, below) = match evidence.rival {
            Rival::Nothing => ((0.0, 1.0), evidence.range.lower()),
            Rival::Logged | Rival::Policy(_) => ((-1.0, 1.0), 0.0),
        };
        let mut profile = Self {
            rows,
            n_corners: corners.len(),
            centre: 0.0,
            floor: 0.0,
            spread: 0.0,
            extremes,
            unit: (below, evidence.range.width()),
        };
        profile.find_centre();
        Ok(profile)
    }

    /// The likeliest value, in the unit of the outcome.
    pub fn value(&self) -> f64 {
        self.unit.0 + self.unit.1 * self.centre
    }

    /// About one standard error, in the unit of the outcome.
    pub fn std_error(&self) -> f64 {
        self.unit.1 * self.spread
    }

    /// How far apart two rows there could be are, as a share of the range.
    pub(crate) fn span(&self) -> f64 {
        let corners = self.rows[self.rows.len() - self.n_corners..].iter().map(|row| row[1]);
        corners.clone().fold(0.0, f64::max) - corners.fold(0.0, f64::min)
    }

    /// One end of the interval, which misses with chance `miss` on that side.
    pub fn end(&self, side: Side, miss: f64) -> f64 {
        let z = normal::two_sided_z((2.0 * miss).min(1.0));
        self.unit.0 + self.unit.1 * self.scaled_end(side, z)
    }

    /// The value under which each row is as likely as it can be while weights have their mean:
    /// what is missing of it lies halfway between the extremes.
    fn find_centre(&mut self) {
        let (floor, [on_control, _]) = self.best(0.0, [0.0, 0.0], [true, false]);
        let n_rows = self.rows.len() - self.n_corners;
        let (mut seen, mut value) = (0.0, 0.0);
        let (mut by_control, mut cross, mut square) = (0.0, 0.0, 0.0);
        for [control, variable] in &self.rows[..n_rows] {
            let share = 1.0 / (1.0 + on_control * control);
            seen += share;
            value += share * variable;
            by_control += control * control;
            cross += control * variable;
        }
        let (n, middle) = (float_of(n_rows), f64::midpoint(self.extremes.0, self.extremes.1));
        let missing = (1.0 - seen / n).max(0.0);
        let centre = value / n.max(seen) + missing * middle;
        let slope = if 0.0 < by_control {
            (cross - centre * self.rows[..n_rows].iter().map(|row| row[0]).sum::<f64>())
                / by_control
        } else {
            0.0
        };
        for [control, variable] in &self.rows[..n_rows] {
            let rest = variable - centre - slope * control;
            square += rest * rest;
        }
        self.floor = floor;
        self.centre = centre.clamp(self.extremes.0, self.extremes.1);
        self.spread = square.sqrt() / n;
    }

    /// Where the root of twice the profile crosses `z`, by safeguarded false position.
    fn scaled_end(&self, side: Side, z: f64) -> f64 {
        let (sign, bound) = match side {
            Side::Lower => (-1.0, self.extremes.0),
            Side::Upper => (1.0, self.extremes.1),
        };
        let mut bets = [0.0, 0.0];
        let mut excess = |value: f64| {
            let (profile, found) = self.best(value, bets, [true, true]);
            bets = found;
            (2.0 * (profile - self.floor)).max(0.0).sqrt() - z
        };
        let (mut inside, mut inner) = (self.centre, -z);
        let mut reach = (z * self.spread).max(1e-9);
        let (mut outside, mut outer) = loop {
            let candidate = self.centre + sign * reach;
            let is_last = 0.0 <= sign * (candidate - bound);
            let candidate = if is_last { bound } else { candidate };
            let found = excess(candidate);
            if 0.0 < found {
                break (candidate, found);
            }
            if is_last {
                return bound;
            }
            (inside, inner) = (candidate, found);
            reach *= 1.4;
        };
        for _ in 0..N_ROOT_STEPS {
            let gap = outside - inside;
            if gap.abs() < 1e-12 || outer.abs() < 1e-5 {
                break;
            }
            let middle = (inside - inner * gap / (outer - inner)).clamp(
                inside.min(outside) + 1e-3 * gap.abs(),
                inside.max(outside) - 1e-3 * gap.abs(),
            );
            let found = excess(middle);
            if found.abs() < 1e-5 {
                return middle;
            }
            // The Illinois rule: an end that stays twice counts half.
            if found <= 0.0 {
                (inside, inner) = (middle, found);
                outer *= 0.5;
            } else {
                (outside, outer) = (middle, found);
                inner *= 0.5;
            }
        }
        outside
    }

    /// The most that fixed bets on the control and on the variable less `value` could have won,
    /// as a logarithm, and the bets, by damped Newton steps from `start`; a bet that is not free
    /// stays as it is.
    fn best(&self, value: f64, start: [f64; 2], free: [bool; 2]) -> (f64, [f64; 2]) {
        let mut bets = start;
        let mut won = self.won(value, bets);
        if !won.is_finite() {
            (bets, won) = ([0.0, 0.0], 0.0);
        }
        for _ in 0..N_NEWTON_STEPS {
            let (step, promise) = self.newton_step(value, bets, free);
            if promise < 1e-7 {
                break;
            }
            let mut share = 1.0;
            let (mut next, mut found) = (bets, f64::NEG_INFINITY);
            while 1e-12 < share && found < won {
                next = [bets[0] + share * step[0], bets[1] + share * step[1]];
                found = self.won(value, next);
                share *= 0.5;
            }
            if found <= won {
                break;
            }
            (bets, won) = (next, found);
        }
        (won, bets)
    }

    /// `Σ ln(1 + γ c + λ (z - v))`, minus infinity where a row would ruin the bets.
    fn won(&self, value: f64, [on_control, on_variable]: [f64; 2]) -> f64 {
        let factor = |[control, variable]: [f64; 2]| {
            1.0 + on_control * control + on_variable * (variable - value)
        };
        let (rows, corners) = self.rows.split_at(self.rows.len() - self.n_corners);
        let (mut log, mut product) = (0.0, 1.0_f64);
        for &row in rows {
            let factor = factor(row);
            if factor <= 0.0 {
                return f64::NEG_INFINITY;
            }
            product *= factor;
            if !(1e-100..1e100).contains(&product) {
                log += libm::log(product);
                product = 1.0;
            }
        }
        for &corner in corners {
            let factor = factor(corner);
            if factor <= 0.0 {
                return f64::NEG_INFINITY;
            }
            log += CORNER_SHARE * libm::log(factor);
        }
        log + libm::log(product)
    }

    /// Newton's step from `bets`, and how much it promises to win.
    fn newton_step(
        &self,
        value: f64,
        [on_control, on_variable]: [f64; 2],
        free: [bool; 2],
    ) -> ([f64; 2], f64) {
        let n_rows = self.rows.len() - self.n_corners;
        let (mut slope, mut curve) = ([0.0; 2], [0.0; 3]);
        for (row, &[control, variable]) in self.rows.iter().enumerate() {
            let count = if row < n_rows { 1.0 } else { CORNER_SHARE };
            let gap = variable - value;
            let inverse = 1.0 / (1.0 + on_control * control + on_variable * gap);
            let (x, y) = (control * inverse, gap * inverse);
            slope[0] += count * x;
            slope[1] += count * y;
            curve[0] += count * x * x;
            curve[1] += count * x * y;
            curve[2] += count * y * y;
        }
        let [xx, xy, yy] = curve;
        let ridge = 1e-12 * (xx + yy) + f64::MIN_POSITIVE;
        let (xx, yy) = (xx + ridge, yy + ridge);
        let [of_control, of_variable] = slope;
        let determinant = xx * yy - xy * xy;
        let step = match free {
            [true, true] if 0.0 < determinant => [
                (yy * of_control - xy * of_variable) / determinant,
                (xx * of_variable - xy * of_control) / determinant,
            ],
            [true, true] => [of_control / (xx + yy), of_variable / (xx + yy)],
            [true, false] => [of_control / xx, 0.0],
            [false, true] => [0.0, of_variable / yy],
            [false, false] => [0.0, 0.0],
        };
        (step, step[0] * of_control + step[1] * of_variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::ValueRange;

    #[track_caller]
    fn check(weights: &[f64], values: &[f64], largest: f64, lower: f64, upper: f64) {
        let evidence = Evidence::new(weights, values, ValueRange::QUALITY).unwrap();
        let evidence = evidence.with_full_support(largest).unwrap();
        let found = interval(&evidence, ConfidenceLevel::P95).unwrap();
        assert!((found.lower - lower).abs() < 2e-3, "{found:?}");
        assert!((found.upper - upper).abs() < 2e-3, "{found:?}");
    }

    /// With weights of one this is the likelihood-ratio interval of a share: 30 of 100 has
    /// 0.2160 to 0.3941 where `2 (30 ln(0.3/p) + 70 ln(0.7/(1-p)))` is 3.8415.
    #[test]
    fn a_share_has_its_likelihood_interval() {
        let values: Vec<f64> = (0..100).map(|row| if row < 30 { 1.0 } else { 0.0 }).collect();
        check(&[1.0; 100], &values, 1.0, 0.2160, 0.3941);
    }

    /// Without a good row, nearly `1 - exp(-1.92 / 100)` may still be good.
    #[test]
    fn what_was_not_seen_is_still_possible() {
        check(&[1.0; 100], &[0.0; 100], 1.0, 0.0, 0.0190);
    }

    #[test]
    fn it_says_what_it_needs() {
        let evidence = Evidence::new(&[1.0, 1.0], &[0.0, 1.0], ValueRange::QUALITY).unwrap();
        let refused = interval(&evidence, ConfidenceLevel::P95).unwrap_err().to_string();
        assert!(refused.starts_with("empirical likelihood needs full support"), "{refused}");
    }
}
