//! Decimal digits to whole nanodollars per million tokens.
//!
//! Lists write prices per token (`"0.00000015"`, `1.5e-07`) or per million tokens (`0.15`). Shifting
//! the point of the digits is exact where multiplying floats is not. Some lists hold the traces of
//! such a multiplication (`2.0000000000000002e-07`), so what is under a millionth of a nanodollar is
//! dropped; any other part of a nanodollar is rounded up, as costs are. Both are noted.

use super::LeftOut;
use pointsman_core::units::Price;

/// What a list's number is the price of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    /// Dollars per token.
    Token,
    /// Dollars per million tokens.
    MillionTokens,
}

/// A price, and whether digits were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) price: Price,
    pub(super) is_rounded: bool,
}

/// The price that `text` says.
pub(super) fn amount(text: &str, unit: Unit) -> Result<Amount, LeftOut> {
    let text = text.trim();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let Decimal { digits, exponent } = Decimal::read(digits).ok_or(LeftOut::BadPrice)?;
    if is_negative && digits != 0 {
        return Err(LeftOut::NegativePrice);
    }
    // Dollars to nanodollars, and tokens to millions of them.
    let shift = match unit {
        Unit::Token => 15,
        Unit::MillionTokens => 9,
    };
    let (whole, is_rounded) = shifted(digits, exponent + shift).ok_or(LeftOut::BadPrice)?;
    let price = u64::try_from(whole)
        .ok()
        .filter(|nanos| *nanos <= MAX_NANOS)
        .map(Price::from_nanos_per_million);
    Ok(Amount { price: price.ok_or(LeftOut::BadPrice)?, is_rounded })
}

/// A million dollars per million tokens: beyond any price, and still exact as a float.
const MAX_NANOS: u64 = 1_000_000_000_000_000;

/// `digits` × 10^`exponent`.
struct Decimal {
    digits: u128,
    exponent: i32,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
                (mantissa, exponent.parse::<i32>().ok().filter(|e| (-400..=400).contains(e))?)
            }
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = 0_u128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = byte.is_ascii_digit().then(|| u128::from(byte - b'0'))?;
            digits = digits.checked_mul(10)?.checked_add(digit)?;
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let after_point = i32::try_from(fraction.len()).ok()?;
        Some(Self { digits, exponent: exponent - after_point })
    }
}

/// `digits` × 10^`exponent` as a whole number, and whether that is not exact; `None` where it is too
/// large.
fn shifted(digits: u128, exponent: i32) -> Option<(u128, bool)> {
    if digits == 0 {
        return Some((0, false));
    }
    let places = exponent.unsigned_abs();
    if 0 <= exponent {
        let factor = 10_u128.checked_pow(places)?;
        return digits.checked_mul(factor).map(|whole| (whole, false));
    }
    let Some(divisor) = 10_u128.checked_pow(places) else { return Some((1, true)) };
    let (whole, rest) = (digits / divisor, digits % divisor);
    if rest == 0 {
        return Some((whole, false));
    }
    let is_trace = 0 < whole && rest < divisor / 1_000_000;
    Some((if is_trace { whole } else { whole + 1 }, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, unit: Unit, nanos: u64, is_rounded: bool) {
        let price = Price::from_nanos_per_million(nanos);
        assert_eq!(amount(text, unit), Ok(Amount { price, is_rounded }), "{text}");
    }

    #[track_caller]
    fn check_refusal(text: &str, why: LeftOut) {
        assert_eq!(amount(text, Unit::Token), Err(why), "{text}");
    }

    #[test]
    fn prices_are_their_digits() {
        check("0.00000015", Unit::Token, 150_000_000, false);
        check("1.5e-07", Unit::Token, 150_000_000, false);
        check("1.5E-7", Unit::Token, 150_000_000, false);
        check("0.15", Unit::MillionTokens, 150_000_000, false);
        check(" 3 ", Unit::MillionTokens, 3_000_000_000, false);
        check(".5", Unit::MillionTokens, 500_000_000, false);
        check("5.", Unit::MillionTokens, 5_000_000_000, false);
        check("0", Unit::Token, 0, false);
        check("-0.0", Unit::Token, 0, false);
        check("0e-300", Unit::Token, 0, false);
        check("1e-15", Unit::Token, 1, false);
    }

    #[test]
    fn parts_of_a_nanodollar_are_rounded_up_but_for_traces_of_floats() {
        check("0.0000000375e-6", Unit::Token, 38, true);
        check("2.0000000000000002e-07", Unit::Token, 200_000_000, true);
        check("9.499999999999999e-07", Unit::Token, 950_000_000, true);
        check("1e-16", Unit::Token, 1, true);
        check("1e-300", Unit::Token, 1, true);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        check_refusal("-1", LeftOut::NegativePrice);
        check_refusal("-1e-9", LeftOut::NegativePrice);
        for text in
            ["", "-", ".", "free", "1,5", "1e", "1e999", "NaN", "inf", "0x1", "1.2.3", "--1"]
        {
            check_refusal(text, LeftOut::BadPrice);
        }
        check_refusal("1000000000000000000000000000000000000000000", LeftOut::BadPrice);
        check_refusal("1e30", LeftOut::BadPrice);
        check_refusal("2", LeftOut::BadPrice); // two million dollars per million tokens
    }

    proptest! {
        /// Every price of whole nanodollars is read back from each of its spellings.
        #[test]
        fn every_spelling_is_the_same_price(nanos in 0_u64..MAX_NANOS) {
            let price = Price::from_nanos_per_million(nanos);
            let expected = Ok(Amount { price, is_rounded: false });
            prop_assert_eq!(amount(&format!("{nanos}e-15"), Unit::Token), expected);
            prop_assert_eq!(amount(&format!("{nanos}e-9"), Unit::MillionTokens), expected);
            let point = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
            prop_assert_eq!(amount(&point, Unit::MillionTokens), expected);
        }
    }
}
