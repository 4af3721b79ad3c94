//! Numbers as a reader wants them.
//!
//! Quality has three decimals; cost is turned from dollars for one request into dollars per
//! 1,000 requests, because single requests cost fractions of a cent. A column keeps one number
//! of decimals, so that its points line up. What is absent or not finite reads "no value".

const NO_VALUE: &str = "no value";
const MAX_DECIMALS: usize = 6;

/// Dollars for one request as dollars per 1,000 requests.
pub(super) fn per_thousand(cost_usd: f64) -> f64 {
    cost_usd * 1_000.0
}

/// Quality points with three decimals.
pub(super) fn quality(points: Option<f64>) -> String {
    finite(points).map_or_else(no_value, |points| fixed(points, 3))
}

/// Quality points with their sign, three decimals.
pub(super) fn signed(points: Option<f64>) -> String {
    with_sign(points, 3)
}

/// What a single term adds, which is small: quality points with their sign, four decimals.
pub(super) fn effect(points: Option<f64>) -> String {
    with_sign(points, 4)
}

fn with_sign(points: Option<f64>, decimals: usize) -> String {
    let Some(points) = finite(points) else { return no_value() };
    let digits = fixed(points, decimals);
    if points > 0.0 && digits.contains(|digit: char| ('1'..='9').contains(&digit)) {
        format!("+{digits}")
    } else {
        digits
    }
}

/// Dollars per 1,000 requests, from dollars for one.
pub(super) fn cost(cost_usd: Option<f64>, decimals: usize) -> String {
    let Some(cost_usd) = finite(cost_usd) else { return no_value() };
    let text = fixed(per_thousand(cost_usd), decimals);
    text.strip_prefix('−').map_or_else(|| format!("${text}"), |amount| format!("−${amount}"))
}

/// The decimals a column of costs needs: two, or enough that its smallest cost shows two digits.
pub(super) fn cost_decimals(costs_usd: impl IntoIterator<Item = f64>) -> usize {
    let smallest = costs_usd
        .into_iter()
        .map(per_thousand)
        .filter(|cost| cost.is_finite() && *cost > 0.0)
        .fold(f64::INFINITY, f64::min);
    let mut decimals = 2;
    let mut two_digits = 0.1;
    while smallest < two_digits && decimals < MAX_DECIMALS {
        decimals += 1;
        two_digits /= 10.0;
    }
    decimals
}

/// A probability with three decimals; a small one is not rounded to zero.
pub(super) fn probability(probability: Option<f64>) -> String {
    match finite(probability) {
        None => no_value(),
        Some(small) if 0.0 < small && small < 0.001 => "< 0.001".to_owned(),
        Some(probability) => fixed(probability, 3),
    }
}

/// A number of rows, which need not be whole.
pub(super) fn count(rows: Option<f64>) -> String {
    match finite(rows) {
        None => no_value(),
        Some(few) if few.abs() < 10.0 && few.fract() != 0.0 => fixed(few, 1),
        Some(rows) => fixed(rows, 0),
    }
}

/// A share as a percentage without needless decimals.
pub(super) fn percent(share: Option<f64>) -> String {
    let Some(share) = finite(share) else { return no_value() };
    let text = fixed(share * 100.0, 2);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Fixed decimals, thousands separated, and a minus sign that is one.
pub(super) fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", number.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let is_zero = !text.contains(|digit: char| ('1'..='9').contains(&digit));
    let mut out = String::with_capacity(text.len() + 8);
    if number < 0.0 && !is_zero {
        out.push('−');
    }
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|number| number.is_finite())
}

fn no_value() -> String {
    NO_VALUE.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_cost(cost_usd: f64, decimals: usize, expected: &str) {
        assert_eq!(cost(Some(cost_usd), decimals), expected);
    }

    #[test]
    fn costs_are_per_thousand_requests() {
        check_cost(0.0, 2, "$0.00");
        check_cost(0.001_234, 2, "$1.23");
        check_cost(0.000_012_3, 4, "$0.0123");
        check_cost(1.234_567, 0, "$1,235");
        check_cost(1_234.567, 2, "$1,234,567.00");
        check_cost(-0.002, 2, "−$2.00");
        check_cost(f64::NAN, 2, "no value");
    }

    #[test]
    fn a_column_shows_two_digits_of_its_smallest_cost() {
        assert_eq!(cost_decimals([]), 2);
        assert_eq!(cost_decimals([0.0, 0.012]), 2);
        assert_eq!(cost_decimals([0.000_1, 0.012]), 2);
        assert_eq!(cost_decimals([0.000_04, 0.012]), 3);
        assert_eq!(cost_decimals([0.000_004]), 4);
        assert_eq!(cost_decimals([1e-30]), MAX_DECIMALS);
    }

    #[test]
    fn quality_reads_well_at_its_edges() {
        assert_eq!(quality(Some(0.743_4)), "0.743");
        assert_eq!(quality(Some(-0.000_1)), "0.000");
        assert_eq!(quality(None), "no value");
        assert_eq!(signed(Some(0.02)), "+0.020");
        assert_eq!(signed(Some(0.000_1)), "0.000");
        assert_eq!(signed(Some(-0.02)), "−0.020");
        assert_eq!(effect(Some(0.000_4)), "+0.0004");
        assert_eq!(probability(Some(0.000_4)), "< 0.001");
        assert_eq!(probability(Some(0.0)), "0.000");
        assert_eq!(count(Some(12_345.6)), "12,346");
        assert_eq!(count(Some(3.25)), "3.2");
        assert_eq!(percent(Some(0.95)), "95%");
        assert_eq!(percent(Some(0.997_5)), "99.75%");
        assert_eq!(percent(Some(1.0)), "100%");
    }
}
