//! The normal distribution's tail and its inverse.
//!
//! Only these two are needed, and `libm` gives them the same bits on every machine. The inverse
//! is by Newton's method, which cannot overshoot here because the tail is convex above zero.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// Newton stops by itself long before this; the limit is for the reader's peace of mind.
const MAX_STEPS: u32 = 100;

/// The probability that a standard normal draw is further from zero than `z` on either side.
pub(crate) fn two_sided_p(z: f64) -> f64 {
    libm::erfc(z.abs() * FRAC_1_SQRT_2)
}

/// The `z` with [`two_sided_p`] equal to `p`, for `p` in `(0, 1]`.
pub(crate) fn two_sided_z(p: f64) -> f64 {
    let mut z = 0.0;
    for _ in 0..MAX_STEPS {
        let density = 2.0 * libm::exp(-0.5 * z * z) / (2.0 * PI).sqrt();
        let step = (two_sided_p(z) - p) / density;
        let next = z + step;
        // Past the root only rounding is left, and it can point backwards.
        if next <= z {
            return z;
        }
        z = next;
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_z(level: f64, expected: f64) {
        let z = two_sided_z(1.0 - level);
        assert!((z - expected).abs() < 1e-12, "{level}: {z} is not {expected}");
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        //      level  z
        check_z(0.5, 0.674_489_750_196_081_7);
        check_z(0.8, 1.281_551_565_544_600_4);
        check_z(0.9, 1.644_853_626_951_472_2);
        check_z(0.95, 1.959_963_984_540_054);
        check_z(0.99, 2.575_829_303_548_900_4);
    }

    #[test]
    fn the_inverse_undoes_the_tail() {
        for p in [1e-12, 1e-6, 0.003, 0.2, 0.7, 0.999, 1.0] {
            let back = two_sided_p(two_sided_z(p));
            assert!((back / p - 1.0).abs() < 1e-9, "{p} came back as {back}");
        }
    }
}
