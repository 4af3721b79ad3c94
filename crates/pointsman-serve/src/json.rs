//! JSON, written into a buffer that is used again and again.

use pointsman_core::units::Usd;
use serde::Serialize;

const NANOS_PER_DOLLAR: u64 = 1_000_000_000;

const DECIMAL: &[u8; 10] = b"0123456789";

/// Appends any value. Numbers that do not exist become `null`.
pub(crate) fn value<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    let written = serde_json::to_writer(&mut *out, value);
    debug_assert!(written.is_ok(), "a vector takes everything");
}

/// Appends a count.
pub(crate) fn count(out: &mut Vec<u8>, count: u64) {
    value(out, &count);
}

/// Appends a key with its value, and a comma before them.
pub(crate) fn field<T: Serialize + ?Sized>(out: &mut Vec<u8>, key: &str, of: &T) {
    raw_key(out, key);
    value(out, of);
}

/// Appends a key that needs no escapes, and a comma before it.
#[inline]
pub(crate) fn raw_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends an amount in dollars, exactly.
pub(crate) fn dollars(out: &mut Vec<u8>, amount: Usd) {
    let (whole, rest) = (amount.nanos() / NANOS_PER_DOLLAR, amount.nanos() % NANOS_PER_DOLLAR);
    if whole == 0 {
        // As nearly every call costs.
        out.push(b'0');
    } else {
        count(out, whole);
    }
    if rest == 0 {
        return;
    }
    let mut rest = u32::try_from(rest).unwrap_or(0);
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit = DECIMAL[(rest % 10) as usize];
        rest /= 10;
    }
    let n_digits = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..n_digits]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact() {
        for (nanos, expected) in [
            (0, "0"),
            (1, "0.000000001"),
            (120_000, "0.00012"),
            (2_500_000_000, "2.5"),
            (3_000_000_000, "3"),
            (u64::MAX, "18446744073.709551615"),
        ] {
            let mut out = Vec::new();
            dollars(&mut out, Usd::from_nanos(nanos));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
