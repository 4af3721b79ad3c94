//! Quantities on a logarithmic scale: lengths and costs from the length column.

/// A quantity that grows exponentially with the length column: `exp(intercept + slope · length)`,
/// kept within the range that was seen in training, because an exponential is no guide beyond it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLine {
    /// The logarithm at length zero.
    pub intercept: f64,
    /// By how much the logarithm grows per unit of length.
    pub slope: f64,
    /// The smallest value that is predicted.
    pub least: f64,
    /// The largest value that is predicted.
    pub most: f64,
}

impl LogLine {
    /// The expected quantity at one value of the length column.
    pub fn at(&self, length: f32) -> f64 {
        libm::exp(self.intercept + self.slope * f64::from(length)).clamp(self.least, self.most)
    }
}

/// Overwrites `values` with every line's expected quantity at one value of the length column; the
/// same bits as [`LogLine::at`].
#[expect(clippy::inline_always, reason = "to be compiled for the machine at hand, see `Job`")]
#[inline(always)]
pub(crate) fn at_length(lines: &[LogLine], length: f32, values: &mut Vec<f64>) {
    let length = f64::from(length);
    let exponent = |line: &LogLine| line.intercept + line.slope * length;
    values.clear();
    values.extend(lines.iter().map(exponent));
    // All at once, since a vector of numbers takes as long as one; then, if there are any, those
    // for which the short way is not the way again.
    let mut are_medium = true;
    for value in &mut *values {
        are_medium &= is_medium(*value);
        *value = exp_of_medium(*value);
    }
    if !are_medium {
        for (value, line) in values.iter_mut().zip(lines) {
            if !is_medium(exponent(line)) {
                *value = libm::exp(exponent(line));
            }
        }
    }
    // Neither is NaN, so this is `clamp` without its question whether the ends are in order.
    for (value, line) in values.iter_mut().zip(lines) {
        *value = value.max(line.least).min(line.most);
    }
}

/// Whether [`exp_of_medium`] is the exponential.
fn is_medium(exponent: f64) -> bool {
    (1.05..700.0).contains(&exponent.abs())
}

/// What `libm::exp` computes where its argument is neither near zero nor near the ends, step by
/// step and to the bit, but without branches.
///
/// Source: FreeBSD's `e_exp.c`, Sun Microsystems 2004.
#[inline(always)]
fn exp_of_medium(exponent: f64) -> f64 {
    const INVERSE_LN_2: f64 = std::f64::consts::LOG2_E;
    const LN_2: [f64; 2] =
        [f64::from_bits(0x3fe6_2e42_fee0_0000), f64::from_bits(0x3dea_39ef_3579_3c76)];
    const FACTORS: [f64; 5] = [
        f64::from_bits(0x3fc5_5555_5555_553e),
        f64::from_bits(0xbf66_c16c_16be_bd93),
        f64::from_bits(0x3f11_566a_af25_de2c),
        f64::from_bits(0xbebb_bd41_c5d2_6bf1),
        f64::from_bits(0x3e66_3769_72be_a4d0),
    ];
    let power = (INVERSE_LN_2 * exponent + 0.5_f64.copysign(exponent)).trunc();
    let (high, low) = (exponent - power * LN_2[0], power * LN_2[1]);
    let x = high - low;
    let xx = x * x;
    let tail = FACTORS[3] + xx * FACTORS[4];
    let c = x - xx * (FACTORS[0] + xx * (FACTORS[1] + xx * (FACTORS[2] + xx * tail)));
    let y = 1.0 + (x * c / (2.0 - c) - low + high);
    // A whole number added to 2⁵² stands in the last bits; with the bias it is a power of two's.
    let biased = (power + (4_503_599_627_370_496.0 + 1023.0)).to_bits();
    y * f64::from_bits(biased << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        /// All lines at once are the lines one by one, to the bit.
        #[test]
        fn lines_agree(
            lines in proptest::collection::vec((-800.0..800.0, -2.0..2.0), 0..40),
            near_zero in -2.0..2.0,
            length in -3.0_f32..3.0,
        ) {
            let line = |(intercept, slope)| LogLine { intercept, slope, least: 0.0, most: f64::MAX };
            let mut lines: Vec<LogLine> = lines.into_iter().map(line).collect();
            lines.extend((1..5).map(|n| line((near_zero * f64::from(n), 0.0))));
            lines.push(LogLine { intercept: 3.0, slope: 1.0, least: 5.0, most: 6.0 });
            let mut values = Vec::new();
            at_length(&lines, length, &mut values);
            for (value, line) in values.iter().zip(&lines) {
                proptest::prop_assert_eq!(value.to_bits(), line.at(length).to_bits());
            }
        }
    }

    #[test]
    fn a_log_line_stays_in_the_range_it_has_seen() {
        let line = LogLine { intercept: 0.0, slope: 1.0, least: 0.5, most: 10.0 };
        for (length, expected) in [(0.0, 1.0), (-9.0, 0.5), (9.0, 10.0)] {
            assert!((line.at(length) - expected).abs() < 1e-12);
        }
    }
}
