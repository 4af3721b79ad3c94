//! Student's t distribution: the quantile that a mean of few values needs in place of a normal one.
//!
//! Its tail is a regularised incomplete beta function, here by its continued fraction; the
//! quantile is found by halving. Its weakness: hundreds of terms for every quantile, so ask once.
//!
//! Source: Press et al., *Numerical Recipes*, 3rd edition, sections 6.4 and 6.14.

/// Halvings that leave two neighbouring numbers of any bracket in use.
const MAX_HALVINGS: u32 = 200;

/// Terms after which the continued fraction has long converged, here for arguments below a half.
const MAX_TERMS: u32 = 1000;

/// The `t` that is exceeded with probability `tail`, for `tail` in `(0, 0.5]` and degrees of
/// freedom of at least one.
pub(crate) fn upper_quantile(tail: f64, degrees: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while tail < upper_tail(high, degrees) && high < f64::MAX / 4.0 {
        high *= 2.0;
    }
    for _ in 0..MAX_HALVINGS {
        let middle = 0.5 * (low + high);
        if middle <= low || high <= middle {
            break;
        }
        if tail < upper_tail(middle, degrees) { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// The probability of more than `t`, for `t` from zero up.
fn upper_tail(t: f64, degrees: f64) -> f64 {
    0.5 * incomplete_beta(degrees / (degrees + t * t), 0.5 * degrees, 0.5)
}

/// The regularised incomplete beta function of `x` in `[0, 1]`.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || 1.0 <= x {
        return x.clamp(0.0, 1.0);
    }
    // 1 - x loses its digits near one; both logarithms are of numbers that were not subtracted.
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log1p(-x);
    let front = libm::exp(log_front);
    if x < (a + 1.0) / (a + b + 2.0) {
        front * continued_fraction(x, a, b) / a
    } else {
        1.0 - front * continued_fraction(1.0 - x, b, a) / b
    }
}

/// Lentz's method.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = denominator;
    for term in 1..=MAX_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            change = denominator * numerator;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tail: f64, degrees: f64, expected: f64) {
        let found = upper_quantile(tail, degrees);
        let is_near = (found / expected - 1.0).abs() < 1e-8;
        assert!(is_near, "t({tail}, {degrees}) is {found}, not {expected}");
    }

    /// One and two degrees have closed forms; the others are from a published table.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        check(0.25, 1.0, 1.0);
        check(0.1, 1.0, 3.077_683_537_175_253_6);
        check(0.1, 2.0, 1.885_618_083_164_127);
        check(0.025, 10.0, 2.228_138_851_964_938_4);
        check(0.1, 199.0, 1.285_820_209_259_409);
        check(0.1, 1e7, 1.281_551_650_203_083);
        assert!(upper_quantile(0.5, 3.0).abs() < 1e-9);
    }
}
