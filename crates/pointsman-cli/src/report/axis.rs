//! Axes with round ticks.
//!
//! Cost starts at zero on a linear axis, so that "half as dear" looks like half; when costs
//! span more than a factor of thirty the cheap models would merge, and the axis turns
//! logarithmic. Quality is never stretched to zero: differences of a point must be visible.

use super::number;

const MAX_TICKS: u32 = 64;
const LOG_FROM_RATIO: f64 = 30.0;
const PADDING: f64 = 0.07;
const DOLLARS: &str = "$";

/// How an axis maps values to places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Equal differences take equal room.
    Linear,
    /// Equal ratios take equal room.
    Logarithmic,
}

/// A range of values with its ticks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    lower: f64,
    upper: f64,
    ticks: Vec<Tick>,
}

/// A round value and how it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// The value, in the unit of the axis.
    pub(super) value: f64,
    /// The value with its unit.
    pub(super) label: String,
}

impl Axis {
    /// An axis for costs, in dollars per 1,000 requests; all finite, none negative, one positive.
    pub(super) fn of_costs(costs: &[f64], n_ticks: u32) -> Self {
        let (smallest, largest) = extent(costs);
        if smallest > 0.0 && largest / smallest > LOG_FROM_RATIO {
            let room = (largest / smallest).powf(PADDING);
            let (lower, upper) = (smallest / room, largest * room);
            let ticks = log_ticks(lower, upper, n_ticks);
            return Self { scale: Scale::Logarithmic, lower, upper, ticks };
        }
        let upper = largest * (1.0 + PADDING);
        let ticks = linear_ticks(0.0, upper, n_ticks, DOLLARS);
        Self { scale: Scale::Linear, lower: 0.0, upper, ticks }
    }

    /// An axis for qualities, all finite.
    pub(super) fn of_qualities(qualities: &[f64], n_ticks: u32) -> Self {
        let (smallest, largest) = extent(qualities);
        let room = if smallest < largest { (largest - smallest) * PADDING } else { 0.05 };
        let (lower, upper) = (smallest - room, largest + room);
        let mut ticks = linear_ticks(lower, upper, n_ticks, "");
        // Padding may cross the ends of the quality scale; a tick there would name no quality.
        ticks.retain(|tick| smallest.min(0.0) <= tick.value && tick.value <= largest.max(1.0));
        Self { scale: Scale::Linear, lower, upper, ticks }
    }

    /// Where `value` lies between the ends: 0 to 1, and never outside.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        let fraction = match self.scale {
            Scale::Linear => (value - self.lower) / (self.upper - self.lower),
            Scale::Logarithmic => (value / self.lower).ln() / (self.upper / self.lower).ln(),
        };
        fraction.clamp(0.0, 1.0)
    }

    /// How values are mapped.
    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// The ticks, in ascending order.
    pub(super) fn ticks(&self) -> &[Tick] {
        &self.ticks
    }
}

fn extent(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
        (low.min(value), high.max(value))
    })
}

/// Multiples of 1, 2 or 5 times a power of ten inside `[lower, upper]`; their number is near `n_ticks`.
fn linear_ticks(lower: f64, upper: f64, n_ticks: u32, unit: &str) -> Vec<Tick> {
    let rough = (upper - lower) / f64::from(n_ticks.max(1));
    let power = 10_f64.powf(rough.log10().floor());
    let step = match rough / power {
        digit if digit < 1.5 => power,
        digit if digit < 3.5 => 2.0 * power,
        digit if digit < 7.5 => 5.0 * power,
        _ => 10.0 * power,
    };
    let decimals = decimals_of(step);
    let first = (lower / step - 1e-9).ceil();
    (0..MAX_TICKS)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|value| *value <= upper + step * 1e-9)
        .map(|value| Tick { value, label: format!("{unit}{}", number::fixed(value, decimals)) })
        .collect()
}

/// 1, 2 and 5 times the powers of ten inside `[lower, upper]`; powers of ten alone when crowded.
fn log_ticks(lower: f64, upper: f64, n_ticks: u32) -> Vec<Tick> {
    let first_power = lower.log10().floor();
    let within = |digits: &[f64]| -> Vec<Tick> {
        (0..MAX_TICKS)
            .map(|index| 10_f64.powf(first_power + f64::from(index)))
            .take_while(|power| *power <= upper)
            .flat_map(|power| digits.iter().map(move |digit| digit * power))
            .filter(|value| lower <= *value && *value <= upper)
            .map(|value| Tick { value, label: format!("{DOLLARS}{}", shortest(value)) })
            .collect()
    };
    let fits = |ticks: &Vec<Tick>| u32::try_from(ticks.len()).is_ok_and(|n| n <= n_ticks + 1);
    [&[1.0, 2.0, 5.0][..], &[1.0, 3.0]]
        .into_iter()
        .map(within)
        .find(fits)
        .unwrap_or_else(|| within(&[1.0]))
}

fn shortest(value: f64) -> String {
    number::fixed(value, decimals_of(value))
}

/// The decimals without which `value` would be rounded.
fn decimals_of(value: f64) -> usize {
    let mut scaled = value;
    for decimals in 0..9 {
        if (scaled - scaled.round()).abs() <= scaled.abs() * 1e-6 {
            return decimals;
        }
        scaled *= 10.0;
    }
    9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_ticks(axis: &Axis, expected: &str) {
        let labels: Vec<&str> = axis.ticks().iter().map(|tick| tick.label.as_str()).collect();
        assert_eq!(labels.join(" "), expected);
        assert!(axis.ticks().iter().all(|tick| (0.0..=1.0).contains(&axis.fraction(tick.value))));
    }

    #[test]
    fn ticks_are_round() {
        check_ticks(&Axis::of_costs(&[0.5, 9.3], 6), "$0 $2 $4 $6 $8");
        check_ticks(&Axis::of_costs(&[1.0], 5), "$0.0 $0.2 $0.4 $0.6 $0.8 $1.0");
        check_ticks(&Axis::of_costs(&[0.0, 0.000_3], 4), "$0.0000 $0.0001 $0.0002 $0.0003");
        check_ticks(
            &Axis::of_costs(&[9_000.0, 24_000.0], 4),
            "$0 $5,000 $10,000 $15,000 $20,000 $25,000",
        );
        check_ticks(&Axis::of_costs(&[0.1, 20.0], 8), "$0.1 $0.2 $0.5 $1 $2 $5 $10 $20");
        check_ticks(&Axis::of_costs(&[0.1, 20.0], 5), "$0.1 $0.3 $1 $3 $10");
        check_ticks(&Axis::of_costs(&[0.01, 100.0], 5), "$0.01 $0.1 $1 $10 $100");
        check_ticks(&Axis::of_qualities(&[0.61, 0.79], 5), "0.60 0.65 0.70 0.75 0.80");
        check_ticks(&Axis::of_qualities(&[0.7], 5), "0.66 0.68 0.70 0.72 0.74");
        check_ticks(&Axis::of_qualities(&[0.0, 1.0], 5), "0.0 0.2 0.4 0.6 0.8 1.0");
        check_ticks(&Axis::of_qualities(&[-0.4, 0.4], 4), "−0.4 −0.2 0.0 0.2 0.4");
    }

    #[test]
    fn scales_follow_the_spread_of_costs() {
        assert_eq!(Axis::of_costs(&[1.0, 29.0], 5).scale(), Scale::Linear);
        assert_eq!(Axis::of_costs(&[1.0, 31.0], 5).scale(), Scale::Logarithmic);
        assert_eq!(Axis::of_costs(&[0.0, 31.0], 5).scale(), Scale::Linear);
    }

    #[test]
    fn values_beyond_the_ends_stay_on_the_axis() {
        let axis = Axis::of_qualities(&[0.4, 0.6], 5);
        assert!(axis.fraction(0.0).abs() < 1e-12);
        assert!((axis.fraction(0.5) - 0.5).abs() < 1e-12);
        assert!((axis.fraction(2.0) - 1.0).abs() < 1e-12);
    }
}
