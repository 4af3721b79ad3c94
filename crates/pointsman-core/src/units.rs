//! Quantities with units; arithmetic that would mix two of them does not compile.
//!
//! Money is an integer number of nanodollars, so that the total of a log is exact and does not
//! depend on the order of its rows. Probabilities have earned their type: dividing by a
//! [`Propensity`] needs no check at the call site.
//!
//! ```
//! use pointsman_core::units::{OutOfRange, Price, Propensity, Tokens, Usd};
//!
//! let price = Price::from_dollars_per_million(2.50)?;
//! assert_eq!(price.of(Tokens::new(1_000)), Usd::from_dollars(0.0025)?);
//! assert_eq!(price.of(Tokens::new(1)).nanos(), 2_500);
//! assert!(Propensity::new(0.0).is_err());
//! # Ok::<(), OutOfRange>(())
//! ```

use std::{fmt, iter::Sum, ops::Add};

const NANOS_PER_DOLLAR: f64 = 1e9;

/// Money, in whole nanodollars (10⁻⁹ USD).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Usd(u64);

/// A count of model tokens, as billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Tokens(u64);

/// What an endpoint charges, in nanodollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Price(u64);

/// A probability, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Probability(f64);

/// The probability with which a model that *was* drawn had been drawn, in `(0, 1]`.
///
/// Never zero: dividing by it needs no check.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Propensity(f64);

/// How good an answer was, in `[0, 1]`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Quality(f64);

/// A number outside the range of its unit.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{value} is not in {range}")]
pub struct OutOfRange {
    value: f64,
    range: &'static str,
}

impl OutOfRange {
    /// The refusal of a number that has to be finite and above zero.
    pub const fn positive(value: f64) -> Self {
        Self { value, range: "(0, inf)" }
    }
}

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// More than anything costs.
    pub const MAX: Self = Self(u64::MAX);

    /// From whole nanodollars.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From dollars, rounded up to a whole nanodollar so that spend is never understated.
    ///
    /// # Errors
    /// [`OutOfRange`] for negatives, NaN, and amounts above nine billion dollars.
    pub fn from_dollars(dollars: f64) -> Result<Self, OutOfRange> {
        whole_nanos(dollars).map(Self)
    }

    /// Whole nanodollars.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Dollars, for formulas and for people.
    pub fn as_dollars(self) -> f64 {
        as_float(self.0) / NANOS_PER_DOLLAR
    }

    /// The sum, or the largest amount where the sum would not fit.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${:.6}", self.as_dollars())
    }
}

impl Tokens {
    /// From a count.
    pub const fn new(count: u64) -> Self {
        Self(count)
    }

    /// The count.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Price {
    /// From nanodollars per million tokens.
    pub const fn from_nanos_per_million(nanos: u64) -> Self {
        Self(nanos)
    }

    /// From dollars per million tokens, the unit of every price list.
    ///
    /// # Errors
    /// [`OutOfRange`] for negatives, NaN, and prices above nine billion dollars.
    pub fn from_dollars_per_million(dollars: f64) -> Result<Self, OutOfRange> {
        whole_nanos(dollars).map(Self)
    }

    /// Dollars per million tokens.
    pub fn dollars_per_million(self) -> f64 {
        as_float(self.0) / NANOS_PER_DOLLAR
    }

    /// The cost of `tokens`, rounded up to a whole nanodollar so that spend is never understated;
    /// [`Usd::MAX`] where the product does not fit.
    #[inline]
    pub const fn of(self, tokens: Tokens) -> Usd {
        // Rounding up by an addition takes one product less than by a look at the remainder.
        if let Some(product) = self.0.checked_mul(tokens.0)
            && let Some(raised) = product.checked_add(999_999)
        {
            return Usd(raised / 1_000_000);
        }
        let (millions, rest) = (tokens.0 / 1_000_000, tokens.0 % 1_000_000);
        let whole = self.0.saturating_mul(millions);
        let part = match self.0.checked_mul(rest) {
            Some(product) => product.div_ceil(1_000_000),
            None => (self.0 / 1_000_000).saturating_mul(rest).saturating_add(rest),
        };
        Usd(whole.saturating_add(part))
    }
}

impl Probability {
    /// The impossible.
    pub const ZERO: Self = Self(0.0);
    /// The certain.
    pub const ONE: Self = Self(1.0);

    /// # Errors
    /// [`OutOfRange`] outside `[0, 1]`, and for NaN.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&value) {
            return Ok(Self(value));
        }
        Err(OutOfRange { value, range: "[0, 1]" })
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Propensity {
    /// # Errors
    /// [`OutOfRange`] for zero, negatives, values above one, and NaN.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        if 0.0 < value && value <= 1.0 {
            return Ok(Self(value));
        }
        Err(OutOfRange { value, range: "(0, 1]" })
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Quality {
    /// # Errors
    /// [`OutOfRange`] outside `[0, 1]`, and for NaN.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        if (0.0..=1.0).contains(&value) {
            return Ok(Self(value));
        }
        Err(OutOfRange { value, range: "[0, 1]" })
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A count as a float, exact below 2⁵³ and to the nearest above.
#[expect(clippy::cast_precision_loss, reason = "counts and nanodollars beyond 2^53 may round")]
pub const fn as_float(count: u64) -> f64 {
    count as f64
}

/// A number as features and signs have it, in single precision.
#[expect(clippy::cast_possible_truncation, reason = "features are single precision")]
pub(crate) const fn narrow(value: f64) -> f32 {
    value as f32
}

/// A length as a float, exact below 2⁵³ and to the nearest above.
#[expect(clippy::cast_precision_loss, reason = "no slice has 2^53 elements")]
pub const fn len_as_float(length: usize) -> f64 {
    length as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range was checked on the line above"
)]
fn whole_nanos(dollars: f64) -> Result<u64, OutOfRange> {
    if !(0.0..=9e9).contains(&dollars) {
        return Err(OutOfRange { value: dollars, range: "[0, 9 billion] dollars" });
    }
    // A price such as 0.15 is not a binary fraction: what is whole but for the last bits is whole.
    let nanos = dollars * NANOS_PER_DOLLAR;
    let nearest = nanos.round();
    let whole =
        if (nanos - nearest).abs() <= 1e-12 * nearest.max(1.0) { nearest } else { nanos.ceil() };
    Ok(whole as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_cost(price_nanos_per_million: u64, tokens: u64, expected_nanos: u64) {
        let cost = Price(price_nanos_per_million).of(Tokens(tokens));
        assert_eq!(cost, Usd::from_nanos(expected_nanos));
    }

    #[test]
    fn cost_is_exact_and_rounds_up() {
        //         price        tokens  cost
        check_cost(150_000_000, 0, 0);
        check_cost(150_000_000, 1_000, 150_000);
        check_cost(37_500_000, 1, 38); // 37.5 nanodollars
        check_cost(1, 1, 1); // the smallest price still costs something
        check_cost(10_000_000_000_000, 4_294_967_295, 42_949_672_950_000_000);
        check_cost(1, u64::MAX, 18_446_744_073_710); // rounding up needs more than the product
        check_cost(u64::MAX, 2_000_000, u64::MAX); // saturates
    }

    #[test]
    fn propensity_refuses_what_cannot_be_divided_by() {
        for bad in [0.0, -0.1, 1.0 + 1e-9, f64::NAN, f64::INFINITY] {
            assert!(Propensity::new(bad).is_err(), "accepted {bad}");
        }
    }

    #[test]
    fn quality_and_probability_take_their_ends_and_nothing_beyond() {
        for (value, ok) in [(0.0, true), (1.0, true), (-1e-9, false), (1.1, false)] {
            assert_eq!(Quality::new(value).is_ok(), ok, "{value}");
            assert_eq!(Probability::new(value).is_ok(), ok, "{value}");
        }
        assert!(Quality::new(f64::NAN).is_err());
    }

    #[test]
    fn dollars_that_are_whole_nanodollars_stay_so() {
        for (dollars, nanos) in
            [(0.15, 150_000_000), (0.0, 0), (1e-9, 1), (2.5e-10, 1), (3.0, 3_000_000_000)]
        {
            assert_eq!(Usd::from_dollars(dollars).unwrap().nanos(), nanos, "{dollars}");
        }
        assert!(Usd::from_dollars(-1.0).is_err());
        assert!(Usd::from_dollars(f64::NAN).is_err());
    }

    proptest! {
        /// A total does not depend on the order of its rows.
        #[test]
        fn money_adds_in_any_order(mut nanos in prop::collection::vec(0u64..1 << 50, 0..50)) {
            let forward: Usd = nanos.iter().map(|&n| Usd(n)).sum();
            nanos.reverse();
            prop_assert_eq!(forward, nanos.iter().map(|&n| Usd(n)).sum());
        }

        /// Where price times tokens fits, the cost is the least whole number that is no less.
        #[test]
        fn a_cost_is_the_quotient_rounded_up(
            price in any::<u64>(),
            price_shift in 0_u32..63,
            tokens in any::<u64>(),
            tokens_shift in 0_u32..64,
        ) {
            let price = (price >> price_shift).max(1);
            let tokens = (tokens % (u64::MAX / price).saturating_add(1)) >> tokens_shift;
            let exact = (u128::from(price) * u128::from(tokens)).div_ceil(1_000_000);
            prop_assert_eq!(u128::from(Price(price).of(Tokens(tokens)).nanos()), exact);
        }

        /// Splitting a bill never makes it cheaper, and costs at most a nanodollar more.
        #[test]
        fn splitting_tokens_never_understates(price in 0u64..1 << 40, a in 0u64..1 << 20, b in 0u64..1 << 20) {
            let together = Price(price).of(Tokens(a + b));
            let apart = Price(price).of(Tokens(a)) + Price(price).of(Tokens(b));
            prop_assert!(together <= apart && apart.nanos() <= together.nanos() + 1);
        }
    }
}
