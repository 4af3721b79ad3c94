//! A keyed generator: the same seed, stream and key give the same draws, in any order of asking.
//!
//! A world must answer for request 29,999 without having made the 29,998 before it, so there is
//! no shared generator, only keys. Everything here is built from integer steps, `+`, `*` and `/`,
//! which every machine rounds alike: a committed sample can be made again to the same bits.
//! Weakness: good enough to simulate with, worthless as a secret, and normals end at six.
//!
//! Source: the mixing constants are those of `SplitMix64` (Steele, Lea and Flood, "Fast Splittable
//! Pseudorandom Number Generators", OOPSLA 2014).

/// What a sequence of draws is for. Two purposes never share a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// How a block of indices falls into conversations.
    Conversations,
    /// The task and the people of one conversation.
    Setting,
    /// The words of one prompt.
    Words,
    /// Whether a request repeats a popular prompt, and which.
    Repeats,
    /// When a request arrives.
    Arrival,
    /// How hard topics and demands are, for everyone and for each model.
    Difficulty,
    /// What the text does not show.
    Hidden,
    /// What came of one request to one model.
    Outcome,
    /// Which model a logging policy drew.
    Logging,
    /// The words of one model's answer.
    Answers,
}

/// A sequence of draws, fully determined by its key.
#[derive(Debug, Clone)]
pub struct Draws {
    state: u64,
}

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl Draws {
    /// Starts the sequence that belongs to `seed`, `stream` and all of `key`, in its order.
    pub fn keyed(seed: u64, stream: Stream, key: &[u64]) -> Self {
        let mut state = mix(seed ^ mix((stream as u64).wrapping_add(GOLDEN_GAMMA)));
        for &part in key {
            state = mix(state.wrapping_add(GOLDEN_GAMMA) ^ mix(part.wrapping_mul(GOLDEN_GAMMA)));
        }
        Self { state }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// A number in `[0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.bits() >> 11) as f64 * STEP
    }

    /// A draw from the standard normal distribution, as twelve uniforms less six.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// A factor with mean one: `exp(spread · z − spread² / 2)` for a standard normal `z`.
    pub fn log_normal_factor(&mut self, spread: f64) -> f64 {
        exp(spread * self.normal() - spread * spread / 2.0)
    }

    /// `true` with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// A whole number from `low` to `high`, both included; `low` when the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = high.saturating_sub(low).saturating_add(1);
        let scaled = (u128::from(self.bits()) * u128::from(width)) >> 64;
        low + u64::try_from(scaled).unwrap_or(0)
    }

    /// A position in a list of `n` entries; zero for an empty list.
    pub fn position(&mut self, n: usize) -> usize {
        let last = u64::try_from(n.saturating_sub(1)).unwrap_or(u64::MAX);
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// One entry, all equally likely.
    ///
    /// # Panics
    /// If `entries` is empty: lists are written in the source, so that is a bug here.
    pub fn choice<T: Copy>(&mut self, entries: &[T]) -> T {
        entries[self.position(entries.len())]
    }

    /// A position drawn with probability proportional to `weights`, which are not negative.
    ///
    /// Rounding can leave the total a hair below the draw; the last position takes that hair.
    pub fn weighted_position(&mut self, weights: &[f64]) -> usize {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        let mut last_possible = 0;
        for (position, &weight) in weights.iter().enumerate() {
            if weight <= 0.0 {
                continue;
            }
            last_possible = position;
            if left < weight {
                break;
            }
            left -= weight;
        }
        last_possible
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// `1 / (1 + e⁻ˣ)`.
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// `eˣ` for `x` within ±700, the same bits on every machine, which the system's own is not.
///
/// Halving the argument ten times makes eight terms of the series exact to double precision;
/// squaring ten times undoes it and costs about three digits, which a simulation can spare.
fn exp(x: f64) -> f64 {
    let small = x / 1024.0;
    let mut series = 1.0;
    for term in (1..=8_u32).rev() {
        series = 1.0 + series * small / f64::from(term);
    }
    for _ in 0..10 {
        series *= series;
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_agrees_with_the_system() {
        for x in [-30.0, -7.5, -1.0, -1e-3, 0.0, 0.4, 1.0, 3.3, 20.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-11, "exp({x})");
        }
    }

    #[test]
    fn keys_do_not_collide() {
        let first = |stream, key: &[u64]| Draws::keyed(7, stream, key).bits();
        let all = [
            first(Stream::Words, &[]),
            first(Stream::Words, &[0]),
            first(Stream::Words, &[1]),
            first(Stream::Words, &[0, 1]),
            first(Stream::Words, &[1, 0]),
            first(Stream::Hidden, &[0]),
            Draws::keyed(8, Stream::Words, &[0]).bits(),
        ];
        for (position, bits) in all.iter().enumerate() {
            assert!(!all[..position].contains(bits), "key {position} repeats an earlier one");
        }
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        let mut draws = Draws::keyed(1, Stream::Words, &[]);
        let n = 40_000_u32;
        let (mut uniforms, mut normals, mut squares, mut factors) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..n {
            uniforms += draws.uniform();
            let z = draws.normal();
            normals += z;
            squares += z * z;
            factors += draws.log_normal_factor(0.4);
        }
        let mean = |sum: f64| sum / f64::from(n);
        assert!((mean(uniforms) - 0.5).abs() < 0.01);
        assert!(mean(normals).abs() < 0.02);
        assert!((mean(squares) - 1.0).abs() < 0.03);
        assert!((mean(factors) - 1.0).abs() < 0.01);
    }

    #[test]
    fn whole_numbers_stay_in_their_range_and_reach_both_ends() {
        let mut draws = Draws::keyed(2, Stream::Words, &[]);
        let seen: Vec<u64> = (0..200).map(|_| draws.between(3, 6)).collect();
        assert!((3..=6).all(|number| seen.contains(&number)));
        assert!(seen.iter().all(|number| (3..=6).contains(number)));
        assert_eq!(draws.between(9, 2), 9);
    }

    #[test]
    fn impossible_positions_are_never_drawn() {
        let mut draws = Draws::keyed(3, Stream::Words, &[]);
        for _ in 0..500 {
            assert_eq!(draws.weighted_position(&[0.0, 0.7, 0.0]), 1);
        }
    }
}
